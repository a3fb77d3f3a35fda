//! Money in suspense, read for the ranking of what it may be meant for.

pub mod ranking;

use amana_adapters::port::Msisdn;
use amana_ledger::id::{EscrowRef, PartyId};
use chrono::TimeDelta;
use uuid::Uuid;

use super::attention::open;
use crate::app::App;
use crate::db::Tx;
use crate::error::{Fault, Result};
use crate::flows::store::{collection, register};
use crate::people;
use ranking::{Candidate, Lost, Open, ranked};

/// How many candidates are shown.
const MOST: usize = 10;
/// Money is not looked for in escrows made longer ago.
const DAYS: i64 = 400;

/// The escrows a collection in suspense may be meant for; `None` if it is not there.
///
/// # Errors
/// A fault.
pub async fn candidates(tx: &mut Tx, app: &App, id: Uuid) -> Result<Option<Vec<Candidate>>> {
    let Some(row) = collection::suspended(tx, id).await? else { return Ok(None) };
    let payer = open(tx, app, row.payer.as_ref()).await?;
    let payer = match payer.as_deref().map(Msisdn::parse) {
        Some(Ok(phone)) => people::by_phone(tx, app, &phone).await?,
        // Masked or hashed: a tail of a number is no one's.
        _ => None,
    };
    let typed = open(tx, app, row.typed_ref.as_ref()).await?;
    let lost = Lost { typed, payer, amount: row.amount, at: row.booked_at };
    let since = row.booked_at - TimeDelta::days(DAYS);
    let mut escrows = Vec::new();
    for row in register::waiting(tx, &app.config.book, since).await? {
        let reference = EscrowRef::parse(&row.reference)
            .map_err(|_| Fault::Stored(format!("reference of escrow {}", row.reference)))?;
        let employer = PartyId(row.employer);
        let (amount, due, created_at) = (row.amount, row.due, row.created_at);
        escrows.push(Open { reference, employer, amount, due, created_at });
    }
    Ok(Some(ranked(&lost, &escrows, MOST)))
}
