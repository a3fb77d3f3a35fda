//! Lists of escrows, payouts and collections for reports: rows as they stand, in pages.
//!
//! Invariant: no name and no number of a person is read here.

use amana_ledger::chart::BookId;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use crate::db::Tx;
use crate::error::Fault;
use crate::flows::escrow::State;

/// An escrow.
#[derive(Debug, Clone)]
pub struct Escrow {
    /// Its reference.
    pub reference: String,
    /// The job it belongs to.
    pub job: Option<i64>,
    /// Whose money it is.
    pub employer: Uuid,
    /// Who does the work.
    pub employee: Option<Uuid>,
    /// The whole amount, minor units.
    pub amount: i64,
    /// What we keep of it.
    pub fee: i64,
    /// Where it stands.
    pub status: String,
    /// The flow's state.
    state: serde_json::Value,
    /// Since when it is there.
    pub created_at: DateTime<Utc>,
    /// Since when it stands so.
    pub updated_at: DateTime<Utc>,
}

impl Escrow {
    /// Whether the chain moved its money elsewhere: nothing is held for it any more.
    ///
    /// # Errors
    /// A state we cannot read.
    pub fn has_ended(&self) -> Result<bool, Fault> {
        let state = State::deserialize(&self.state)?;
        Ok(matches!(
            state,
            State::Released { .. } | State::Resolved { .. } | State::Refunded | State::Cancelled
        ))
    }
}

/// Escrows of a book made before an instant, in order of reference, behind one of them.
///
/// # Errors
/// The database's; so for all here.
pub async fn escrows(
    tx: &mut Tx,
    book: &BookId,
    (before, after): (DateTime<Utc>, &str),
    most: i64,
) -> Result<Vec<Escrow>, Fault> {
    Ok(sqlx::query_as!(
        Escrow,
        "select reference, job, employer, employee, amount, fee, status, state, created_at, updated_at
         from flow.escrow where book = $1 and created_at < $2 and reference > $3
         order by reference limit $4",
        book.as_str(),
        before,
        after,
        most
    )
    .fetch_all(&mut **tx)
    .await?)
}

/// An escrow that money may still be meant for.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// Its reference.
    pub reference: String,
    /// Whose money it is.
    pub employer: Uuid,
    /// The whole amount, minor units.
    pub amount: i64,
    /// What is still due of it.
    pub due: i64,
    /// Since when it is there.
    pub created_at: DateTime<Utc>,
}

/// Escrows of a book that have not ended, made after an instant.
pub async fn waiting(tx: &mut Tx, book: &BookId, since: DateTime<Utc>) -> Result<Vec<Waiting>, Fault> {
    Ok(sqlx::query_as!(
        Waiting,
        r#"select e.reference, e.employer, e.amount, e.created_at,
                  (e.amount - coalesce(c.came, 0))::bigint as "due!"
           from flow.escrow e
           left join lateral (
               select sum(to_escrow) as came from flow.collection where escrow = e.reference
           ) c on true
           where e.book = $1 and e.created_at > $2
             and e.status in ('pending_deposit', 'partially_funded', 'funded', 'in_progress')"#,
        book.as_str(),
        since
    )
    .fetch_all(&mut **tx)
    .await?)
}

/// A payout.
#[derive(Debug, Clone)]
pub struct Payout {
    /// Its reference.
    pub reference: String,
    /// The escrow it came from.
    pub escrow: String,
    /// `wage`, or `refund`: an employer's own money on its way back.
    pub purpose: String,
    /// Whose it is.
    pub beneficiary: Uuid,
    /// What they are owed, minor units.
    pub claim: i64,
    /// What the rail was asked to pay.
    pub amount: i64,
    /// Which rail.
    pub rail: String,
    /// Where it stands.
    pub status: String,
    /// What the rail took for it.
    pub fee: Option<i64>,
    /// Since when it is there.
    pub created_at: DateTime<Utc>,
    /// Since when it stands so.
    pub updated_at: DateTime<Utc>,
}

/// Payouts of a book made before an instant, in order of reference, behind one of them.
pub async fn payouts(
    tx: &mut Tx,
    book: &BookId,
    (before, after): (DateTime<Utc>, &str),
    most: i64,
) -> Result<Vec<Payout>, Fault> {
    Ok(sqlx::query_as!(
        Payout,
        "select reference, escrow, purpose, beneficiary, claim, amount, rail, status, fee, created_at,
             updated_at
         from flow.payout where book = $1 and created_at < $2 and reference > $3
         order by reference limit $4",
        book.as_str(),
        before,
        after,
        most
    )
    .fetch_all(&mut **tx)
    .await?)
}

/// A collection, as our rows mirror what the ledger posted of it.
#[derive(Debug, Clone)]
pub struct Collection {
    /// The rail's word.
    pub provider: String,
    /// Where it was paid to.
    pub shortcode: String,
    /// The rail's receipt.
    pub receipt: String,
    /// All that came, minor units.
    pub amount: i64,
    /// The escrow it was for, if one was found.
    pub escrow: Option<String>,
    /// What of it went to the escrow.
    pub to_escrow: i64,
    /// Whether nobody knows whose it is.
    pub suspended: bool,
}

/// Every collection of a book that was booked.
pub async fn collections(tx: &mut Tx, book: &BookId) -> Result<Vec<Collection>, Fault> {
    Ok(sqlx::query_as!(
        Collection,
        r#"select provider, shortcode, receipt, amount, escrow, to_escrow, status = 'suspense' as "suspended!"
           from flow.collection where book = $1 and status in ('pending', 'completed', 'suspense',
             'reversed')"#,
        book.as_str()
    )
    .fetch_all(&mut **tx)
    .await?)
}
