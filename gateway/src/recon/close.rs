//! Rules of a book that people set: a period that is closed, an account that is limited.
//!
//! Invariant: a period is closed when everything ties, or with a reason that is kept; either is an entry of
//! the journal, sealed and anchored with it, and the database refuses what breaks it from then on.

use amana_ledger::chart::Account;
use amana_ledger::journal;
use amana_ledger::limit::Limit;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::app::App;
use crate::db::Tx;
use crate::error::{Code, Refusal, Result};
use crate::events::{Actor, emit};
use crate::reports::{self, Ask, Cell, Name, When};

/// What does not tie now, in words; nothing if the book may be closed.
///
/// # Errors
/// A fault: the database or the chain cannot be read.
pub async fn untied(app: &App) -> Result<Vec<String>> {
    let now = app.clock.now() + TimeDelta::seconds(1);
    let when = When { from: now, as_of: now, known_at: now };
    let report =
        reports::make(app, Name::TieOut, &Ask { when, account: None, after: None, limit: 1 }).await?;
    let words = |row: &[Cell]| match row {
        [Cell::Text(section), Cell::Text(subject), ..] => format!("{section}: {subject}"),
        _ => String::new(),
    };
    let wrong = report.rows.iter().filter(|row| row.last() == Some(&Cell::Is(false)));
    Ok(wrong.map(|row| words(row)).collect())
}

/// Closes what happened before an instant, for ever. `false` if it was closed so far already.
///
/// # Errors
/// A refusal: something does not tie and nobody said why to close all the same; or the time is not over.
pub async fn close(
    tx: &mut Tx,
    app: &App,
    actor: Actor,
    before: DateTime<Utc>,
    (untied, despite): (&[String], Option<&str>),
) -> Result<bool> {
    if !untied.is_empty() && despite.is_none() {
        let what = untied.join("; ");
        let detail =
            format!("not everything ties: {what}. Clear it, or say in `despite` why to close with it");
        return Err(Refusal::new(Code::WrongState, detail).into());
    }
    let book = &app.config.book;
    let closed = journal::close(tx, &*app.clock, book, before).await?;
    let closed = closed.map_err(|no| Refusal::new(Code::Ledger, no.to_string()))?;
    if closed {
        let body = json!({ "closed_before": before, "untied": untied, "despite": despite });
        emit(tx, app, actor, (&format!("book/{book}"), "book.closed"), body).await?;
    }
    Ok(closed)
}

/// Puts an account under a limit, in place of the one it had. `false` if it stood under it already.
///
/// # Errors
/// A refusal of the ledger's.
pub async fn limit(tx: &mut Tx, app: &App, actor: Actor, account: &Account, limit: &Limit) -> Result<bool> {
    let limited = journal::limit(tx, &*app.clock, &app.config.book, account, limit).await?;
    let limited = limited.map_err(|no| Refusal::new(Code::Ledger, no.to_string()))?;
    if limited {
        let body = json!({ "limit": limit });
        emit(tx, app, actor, (&format!("account/{account}"), "account.limited"), body).await?;
    }
    Ok(limited)
}
