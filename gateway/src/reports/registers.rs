//! Every escrow and every payout, each with what stands for it in the books.
//!
//! Invariant: people are shown by their ids.

use amana_ledger::balance;
use amana_ledger::chart::Account;
use amana_ledger::id::EscrowRef;

use super::{Ask, Cell, Column, Name, Place, Report};
use crate::app::App;
use crate::db::Tx;
use crate::error::{Fault, Result};
use crate::flows::store::register;

const ESCROWS: &[Column] = &[
    ("reference", "Reference"),
    ("job", "Job"),
    ("employer", "Employer"),
    ("employee", "Employee"),
    ("amount", "Amount"),
    ("fee", "Fee"),
    ("status", "Stands now"),
    ("created_at", "Made"),
    ("updated_at", "Stands so since"),
    ("held", "Held in the ledger"),
];

/// Escrows made before the instant; what the ledger held for them as of it.
pub(super) async fn escrows(tx: &mut Tx, app: &App, ask: &Ask) -> Result<Report> {
    let mut report = Report::new(Name::Escrows, app, ask, ESCROWS);
    let after = ask.after.as_ref().map_or(Ok(String::new()), |place| place.part(0))?;
    let (when, book) = (ask.when, &app.config.book);
    let mut rows = register::escrows(tx, book, (when.as_of, &after), i64::from(ask.limit) + 1).await?;
    let more = rows.len() > usize::from(ask.limit);
    rows.truncate(usize::from(ask.limit));
    let (mut amounts, mut held) = (0i128, 0i128);
    for row in &rows {
        let reference = EscrowRef::parse(&row.reference)
            .map_err(|_| Fault::Stored(format!("reference of escrow {}", row.reference)))?;
        let account = Account::Escrow(reference);
        let holds = balance::as_of(tx, book, &account, when.as_of, when.known_at).await?.posted();
        amounts += i128::from(row.amount);
        held += i128::from(holds);
        report.rows.push(vec![
            Cell::text(&row.reference),
            row.job.map_or(Cell::Nothing, Cell::Count),
            Cell::text(row.employer.to_string()),
            row.employee.map_or(Cell::Nothing, |party| Cell::text(party.to_string())),
            Cell::money(row.amount),
            Cell::money(row.fee),
            Cell::text(&row.status),
            Cell::At(row.created_at),
            Cell::At(row.updated_at),
            Cell::money(holds),
        ]);
    }
    report.totals = vec![("amount", "Amount on this page", amounts), ("held", "Held on this page", held)];
    report.next = rows.last().filter(|_| more).map(|row| Place(vec![row.reference.clone()]));
    Ok(report)
}

const PAYOUTS: &[Column] = &[
    ("reference", "Reference"),
    ("escrow", "Escrow"),
    ("purpose", "Purpose"),
    ("beneficiary", "Beneficiary"),
    ("claim", "Claim"),
    ("amount", "Asked of the rail"),
    ("rail", "Rail"),
    ("status", "Stands now"),
    ("fee", "Tariff"),
    ("created_at", "Made"),
    ("updated_at", "Stands so since"),
];

/// Payouts made before the instant.
pub(super) async fn payouts(tx: &mut Tx, app: &App, ask: &Ask) -> Result<Report> {
    let mut report = Report::new(Name::Payouts, app, ask, PAYOUTS);
    let after = ask.after.as_ref().map_or(Ok(String::new()), |place| place.part(0))?;
    let (when, book) = (ask.when, &app.config.book);
    let mut rows = register::payouts(tx, book, (when.as_of, &after), i64::from(ask.limit) + 1).await?;
    let more = rows.len() > usize::from(ask.limit);
    rows.truncate(usize::from(ask.limit));
    let sum = |of: fn(&register::Payout) -> i64| rows.iter().map(|row| i128::from(of(row))).sum::<i128>();
    report.totals = vec![
        ("claim", "Claims on this page", sum(|row| row.claim)),
        ("amount", "Asked on this page", sum(|row| row.amount)),
    ];
    report.next = rows.last().filter(|_| more).map(|row| Place(vec![row.reference.clone()]));
    for row in rows {
        report.rows.push(vec![
            Cell::text(row.reference),
            Cell::text(row.escrow),
            Cell::text(row.purpose),
            Cell::text(row.beneficiary.to_string()),
            Cell::money(row.claim),
            Cell::money(row.amount),
            Cell::text(row.rail),
            Cell::text(row.status),
            row.fee.map_or(Cell::Nothing, Cell::money),
            Cell::At(row.created_at),
            Cell::At(row.updated_at),
        ]);
    }
    Ok(report)
}
