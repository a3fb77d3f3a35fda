//! Each sum of the ledger beside the rows it stands for: a row a section, and a row for each single thing
//! that differs.
//!
//! Invariant: it reads both sides in one transaction, except the chain, which has its own clock; a difference
//! is shown where it is and nowhere else.

use std::collections::BTreeMap;

use amana_ledger::balance;
use amana_ledger::chart::{Account, Kind};
use amana_ledger::id::ExternalRef;
use chrono::TimeDelta;

use super::{Ask, Cell, Column, Name, Report};
use crate::app::App;
use crate::db::Tx;
use crate::error::Result;
use crate::flows::store::register::{self, Collection};

const COLUMNS: &[Column] = &[
    ("section", "What"),
    ("subject", "Which"),
    ("ledger", "Ledger"),
    ("other", "Rows, or chain"),
    ("difference", "Difference"),
    ("agrees", "Agrees"),
];

/// How many escrows are read at a time.
const PAGE: i64 = 1_000;

/// Ledger and rows, thing by thing.
type Sides = BTreeMap<String, [i64; 2]>;

/// Compares them all.
pub(super) async fn tie_out(
    tx: &mut Tx,
    app: &App,
    ask: &Ask,
    chain: Vec<(&'static str, i64, i64)>,
) -> Result<Report> {
    let mut report = Report::new(Name::TieOut, app, ask, COLUMNS);
    let book = &app.config.book;
    let collections = register::collections(tx, book).await?;

    let trial = balance::trial_balance(tx, book).await?;
    let both = [trial.debits, trial.credits];
    report.rows.push(row("debits and credits", "all accounts", both));

    let facts = balance::facts(tx, book, Kind::FloatMpesa).await?;
    section(&mut report, "collections, by receipt", &receipts(facts, &collections));

    let mut suspense = Sides::new();
    for line in trial.lines.iter().filter(|line| line.account.kind() == Kind::SuspenseMpesa) {
        suspense.entry(line.account.path()).or_default()[0] = line.posted();
    }
    for row in collections.iter().filter(|row| row.suspended) {
        let path = format!("{}:{}", Kind::SuspenseMpesa.word(), row.shortcode);
        suspense.entry(path).or_default()[1] += row.amount;
    }
    section(&mut report, "suspense, by paybill", &suspense);

    let mut escrows = Sides::new();
    for line in &trial.lines {
        if let Account::Escrow(reference) = &line.account {
            escrows.entry(reference.to_string()).or_default()[0] = line.posted();
        }
    }
    for (reference, held) in held(tx, app, &collections).await? {
        escrows.entry(reference).or_default()[1] = held;
    }
    section(&mut report, "escrows, by reference", &escrows);

    for (what, ledger, other) in chain {
        report.rows.push(row("float, ledger and chain", what, [ledger.into(), other.into()]));
    }
    report.agrees = Some(report.rows.iter().all(|row| row.last() == Some(&Cell::Is(true))));
    Ok(report)
}

/// What the ledger counted of each receipt, and what our row of it says.
fn receipts(facts: Vec<(ExternalRef, i64)>, collections: &[Collection]) -> Sides {
    let name = |provider: &str, account: &str, id: &str| format!("{provider} {account} {id}");
    let mut sides = Sides::new();
    for (fact, amount) in facts {
        sides.entry(name(&fact.provider, &fact.account, &fact.id)).or_default()[0] = amount;
    }
    for row in collections {
        sides.entry(name(&row.provider, &row.shortcode, &row.receipt)).or_default()[1] = row.amount;
    }
    sides
}

/// What our rows say is held for each escrow: what was collected for it, until it ends.
async fn held(tx: &mut Tx, app: &App, collections: &[Collection]) -> Result<BTreeMap<String, i64>> {
    let mut collected: BTreeMap<&str, i64> = BTreeMap::new();
    for row in collections {
        if let Some(escrow) = &row.escrow {
            *collected.entry(escrow).or_default() += row.to_escrow;
        }
    }
    let now = app.clock.now() + TimeDelta::seconds(1);
    let (mut held, mut after) = (BTreeMap::new(), String::new());
    loop {
        let page = (now, after.as_str());
        let rows = register::escrows(tx, &app.config.book, page, PAGE).await?;
        let Some(last) = rows.last() else { return Ok(held) };
        after.clone_from(&last.reference);
        for row in &rows {
            let came = collected.get(row.reference.as_str()).copied().unwrap_or(0);
            held.insert(row.reference.clone(), if row.has_ended()? { 0 } else { came });
        }
    }
}

/// The sum of a section, and each thing in it that differs.
fn section(report: &mut Report, name: &'static str, sides: &Sides) {
    let sum = |side: usize| sides.values().map(|both| i128::from(both[side])).sum();
    report.rows.push(row(name, "sum", [sum(0), sum(1)]));
    for (subject, both) in sides.iter().filter(|(_, both)| both[0] != both[1]) {
        report.rows.push(row(name, subject, both.map(i128::from)));
    }
}

fn row(section: &str, subject: &str, [ledger, other]: [i128; 2]) -> Vec<Cell> {
    vec![
        Cell::text(section),
        Cell::text(subject),
        Cell::Money(ledger),
        Cell::Money(other),
        Cell::Money(ledger - other),
        Cell::Is(ledger == other),
    ]
}
