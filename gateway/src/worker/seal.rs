//! Seals the book: a signed checkpoint of its log, and of what it owes, every few minutes and when a period
//! was closed.
//!
//! Invariant: nothing is sealed twice, however many processes try: the book's rows say what was.
//! Absent: the chain. Who anchors a checkpoint finds it in the same rows.

use amana_ledger::seal;
use chrono::TimeDelta;

use crate::app::App;
use crate::error::Result;

/// Makes a checkpoint if one is due; whether it did.
///
/// # Errors
/// The database's.
pub async fn checkpoint(app: &App) -> Result<bool> {
    let Some(signer) = &app.signer else { return Ok(false) };
    let mut tx = app.db.begin().await?;
    let newest = seal::newest(&mut tx, signer.book()).await?;
    let every = TimeDelta::minutes(app.config.checkpoints.every_min.get().into());
    let is_due = newest.is_none_or(|(_, at)| app.clock.now() - at >= every);
    if !is_due && !seal::is_closed_since(&mut tx, signer.book()).await? {
        return Ok(false);
    }
    let made = seal::checkpoint(&mut tx, app.clock.as_ref(), signer).await?;
    let Some(made) = made else { return Ok(false) };
    let owed = seal::liabilities(&mut tx, app.clock.as_ref(), signer).await?;
    tx.commit().await?;
    let total = owed.map(|owed| owed.root.sum);
    tracing::info!(book = %made.book, size = made.size, total, "the book is sealed");
    Ok(true)
}
