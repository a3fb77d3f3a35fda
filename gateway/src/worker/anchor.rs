//! Wishes the book's newest checkpoint onto the chain, every so often, and at once when a period was closed.
//!
//! Invariant: one wish of a book is open at a time; a checkpoint that is on the chain is not wished for
//! again, so a book that stands still costs nothing.
//! Absent: making checkpoints (`seal`), carrying the wish out (`flows::chain`), and what came of it
//! (`flows::index`).

use amana_adapters::stellar::ChainOp;
use amana_ledger::seal;
use chrono::TimeDelta;

use crate::app::App;
use crate::error::{Fault, Result};
use crate::flows::store::chain as rows;

/// Wishes for the anchor that is due. `false` if none is.
///
/// # Errors
/// The database's.
pub async fn next(app: &App) -> Result<bool> {
    let stellar = &app.config.stellar;
    let Some(contract) = &stellar.anchor else { return Ok(false) };
    let book = &app.config.book;
    let mut tx = app.db.begin().await?;
    let Some((size, root)) = seal::unanchored(&mut tx, book).await? else { return Ok(false) };
    let every = TimeDelta::minutes(i64::from(stellar.anchor_every_min.get()));
    let last = rows::last_anchor(&mut tx, book).await?;
    let rests = last.is_some_and(|last| last + every > app.clock.now());
    if rests && !seal::is_close_unanchored(&mut tx, book).await? {
        return Ok(false);
    }
    let size = i64::try_from(size).map_err(|_| Fault::Stored("the log is too long".into()))?;
    let key = format!("anchor:{contract}:{book}:{size}");
    let op = ChainOp::Anchor { book: book.to_string(), size, root };
    let wished = rows::wish_of_book(&mut tx, app, (book, &key), &op).await?;
    tx.commit().await?;
    Ok(wished)
}
