//! Reconciles when it is due, and keeps alive what a pass saw growing old: open escrows, and the contracts,
//! their code, the token and its balance, without which no escrow lives.
//!
//! Invariant: prolonging goes through the same wishes as everything else on the chain; one of a book is open
//! at a time. What is archived already is let lie: the next call that needs it brings it back.

use amana_adapters::stellar::{ChainOp, DAY};

use crate::app::App;
use crate::error::{Fault, Result};
use crate::flows::store::chain as rows;
use crate::recon::breaks::{self, Pass};

/// An entry with less life left than this is prolonged …
const LEAST_DAYS: u32 = 30;
/// … to this, as far as the contract itself looks ahead for its instance.
const KEEP_DAYS: u32 = 60;
/// Entries prolonged in one transaction, at most: a quarter of what one may name.
const MOST: usize = 90;

/// Reconciles if it is due, and wishes for what has to be kept alive. `false`: there is never more to do at
/// once.
///
/// # Errors
/// A fault; the next pass is due at its time.
pub async fn reconcile(app: &App) -> Result<bool> {
    if let Some(pass) = breaks::pass_if_due(app).await? {
        alive(app, &pass).await?;
    }
    Ok(false)
}

/// Wishes for a longer life of what the pass saw growing old; how much that is.
///
/// # Errors
/// A fault.
pub async fn alive(app: &App, pass: &Pass) -> Result<usize> {
    let outside = |fault: amana_adapters::stellar::ChainFault| Fault::Outside(fault.to_string());
    let observer = app.chain.observer();
    let (ledger, pillars) = observer.pillars().await.map_err(outside)?;
    let is_old = |until: u32| until >= ledger && until - ledger < LEAST_DAYS * DAY;
    let mut keys: Vec<String> = pillars
        .into_iter()
        .filter(|it| it.entry.is_some_and(|e| is_old(e.live_until)))
        .map(|it| it.key)
        .collect();
    // Those with the shortest life first.
    let mut old: Vec<_> = pass.lives.iter().filter(|(_, until)| is_old(*until)).collect();
    old.sort_by_key(|(_, until)| *until);
    for (reference, _) in old.into_iter().take(MOST.saturating_sub(keys.len())) {
        keys.push(observer.escrow_key(&reference.key()).map_err(outside)?);
    }
    if keys.is_empty() {
        return Ok(0);
    }
    let count = keys.len();
    let key = format!("extend:{}:{ledger}", observer.network().contract);
    let op = ChainOp::Extend { keys, to: KEEP_DAYS * DAY };
    let mut tx = app.db.begin().await?;
    let wished = rows::wish_of_book(&mut tx, app, (&app.config.book, &key), &op).await?;
    tx.commit().await?;
    if wished {
        tracing::info!(entries = count, "entries are to live longer");
    }
    Ok(if wished { count } else { 0 })
}
