//! Across a gap: the network has forgotten events that were never read, and what they did is read from the
//! entries instead.
//!
//! Invariant: what an entry shows and was not heard is posted once. It is posted under the escrow's lock, in
//! the transaction that notes as of which ledger the entry was read; an event of that ledger or an earlier
//! one that is heard later is kept and not posted. A gap is told to people each time.
//! Absent: what strangers did in the gap. Tokens that they burned no entry shows; the proof does not count
//! them.

use amana_adapters::stellar::{ChainEvent, ChainOp, Cursor, Effect, Observer};
use amana_ledger::id::EscrowRef;
use serde_json::json;

use super::known::Known;
use super::walk::Walk;
use super::{apply, outside, set_aside};
use crate::app::App;
use crate::db::Tx;
use crate::error::{Error, Fault, Result};
use crate::events::emit;
use crate::flows::store::{chain as rows, entries, escrow};

/// The hash that stands where no transaction is known: `rebuilt:<ledger>:<reference>`.
pub(super) const REBUILT: &str = "rebuilt:";

/// The token's part of a rebuilt effect is numbered from here.
const TOKEN_NO: i32 = 100;

/// Reads what the lost events did from the entries of every escrow, and goes on behind the gap.
pub(super) async fn bridge(app: &App, from: &Cursor, (wanted, oldest): (u32, u32)) -> Result<()> {
    let observer = app.chain.observer();
    let (mut walk, mut looked, mut rebuilt) = (Walk::new(app, &observer), 0, 0);
    loop {
        let page = walk.next().await?;
        if page.is_empty() {
            break;
        }
        looked += page.len();
        for (heard, entry) in page {
            // One that the server left out may be in the archive: only the contract knows.
            let is_new = entry.is_none_or(|entry| i64::from(entry.modified) > heard.newest);
            if is_new && recover(app, &observer, &heard.reference).await? {
                rebuilt += 1;
            }
        }
    }
    let contract = &app.chain.network().contract;
    let behind = serde_json::to_value(Cursor::Ledger(oldest))?;
    let mut tx = app.db.begin().await?;
    let moved = rows::move_cursor(&mut tx, contract, (serde_json::to_value(from)?, behind), app.clock.now());
    // Nobody misses what was said before there was anything of ours.
    if moved.await? && looked > 0 {
        tracing::error!(wanted, oldest, looked, rebuilt, "events were lost: their effects were read instead");
        let body = json!({ "from": wanted, "to": oldest, "escrows": looked, "rebuilt": rebuilt });
        emit(&mut tx, app, crate::flows::WORKER, ("chain/index", "chain.gap"), body).await?;
    }
    Ok(tx.commit().await?)
}

/// Posts what one escrow's entry shows and was not heard. `true` if there was anything.
async fn recover(app: &App, observer: &Observer, reference: &EscrowRef) -> Result<bool> {
    let key = reference.key();
    let (ledger, shown) = observer.escrow(&key).await.map_err(outside)?;
    let Some(shown) = shown else { return Ok(false) };
    let mut tx = app.db.begin().await?;
    let known = known(&mut tx, reference).await?;
    let wished = entries::funding(&mut tx, &[reference.to_string()]).await?;
    drop(tx);
    let mut minted = Vec::new();
    for (_, op) in wished {
        if let ChainOp::Fund { deposit_id, amount, .. } = serde_json::from_value(op)?
            && !known.deposits.contains(&deposit_id)
            && observer.deposit(&deposit_id).await.map_err(outside)? == Some(key)
        {
            minted.push((deposit_id, amount.minor()));
        }
    }
    let mut tx = app.db.begin().await?;
    if escrow::lock(&mut tx, reference.as_str()).await?.is_none() {
        return Ok(false);
    }
    let known = self::known(&mut tx, reference).await?;
    minted.retain(|(deposit, _)| !known.deposits.contains(deposit));
    let missed = known.missed(key, &shown, &minted);
    let told = |(no, what): (usize, &Effect)| ChainEvent {
        tx_hash: format!("{REBUILT}{ledger}:{reference}"),
        index: i32::try_from(no).unwrap_or(i32::MAX),
        ledger,
        closed_at: app.clock.now(),
        what: what.clone(),
    };
    let events: Vec<ChainEvent> = missed.iter().enumerate().map(told).collect();
    for event in &events {
        match apply(&mut tx, app, event).await {
            Ok(()) => token_part(&mut tx, app, event).await?,
            Err(Error::Refused(why)) => {
                // None of it can follow then; all of it is kept for people.
                drop(tx);
                for event in &events {
                    let mut tx = app.db.begin().await?;
                    set_aside(&mut tx, app, event, &why.detail).await?;
                    tx.commit().await?;
                }
                return Ok(true);
            }
            Err(fault) => return Err(fault),
        }
    }
    entries::rebuilt(&mut tx, reference.as_str(), i64::from(ledger), app.clock.now()).await?;
    tx.commit().await?;
    Ok(!events.is_empty())
}

async fn known(tx: &mut Tx, reference: &EscrowRef) -> std::result::Result<Known, Fault> {
    let told = entries::effects(tx, &[reference.to_string()], i64::MAX).await?;
    let effects: std::result::Result<Vec<Effect>, _> =
        told.into_iter().map(|(_, effect)| serde_json::from_value(effect)).collect();
    Ok(Known::of(&effects?))
}

/// The contract mints and burns in the transaction of its own event: what the token said then is lost too.
async fn token_part(tx: &mut Tx, app: &App, event: &ChainEvent) -> Result<()> {
    let change = super::supply_change(&event.what);
    let holder = app.chain.network().contract.clone();
    let (kind, effect) = match change {
        0 => return Ok(()),
        1.. => ("token_mint", Effect::TokenMint { to: holder, amount: change, dust: 0 }),
        _ => ("token_burn", Effect::TokenBurn { from: holder, amount: -change, dust: 0 }),
    };
    let said = rows::Said {
        tx_hash: &event.tx_hash,
        no: TOKEN_NO + event.index,
        ledger: i64::from(event.ledger),
        closed_at: event.closed_at,
        kind,
        escrow: None,
        amount: change.abs(),
        supply: 0,
        effect: serde_json::to_value(&effect)?,
        refused: None,
    };
    rows::store_event(tx, said).await?;
    Ok(())
}
