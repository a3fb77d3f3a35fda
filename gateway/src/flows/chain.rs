//! Wishes to the chain, carried out one envelope at a time until the network says what became of it.
//!
//! ```text
//!   wish ──build──▶ attempt stored ──send──▶ look ──┬─ applied            → done
//!                        ▲                          ├─ not there, in time → the same bytes again, later
//!                        └── past its time, unseen ─┤
//!                                                   └─ failed             → a new attempt says why
//! ```
//!
//! Invariant: signed bytes and their hash are committed before the first send; a new attempt is built only
//! after the old one can never be applied. A wish about an escrow waits for that escrow's earlier ones;
//! of a book's checkpoints one is under way at a time.
//! Absent: what the chain did. `index` reads that from the chain itself and posts it.

use amana_adapters::port::Outcome;
use amana_adapters::stellar::{self, ChainOp, Keypair, Next, verdict};
use chrono::TimeDelta;
use serde_json::json;
use uuid::Uuid;

use super::store::chain::{self as rows, Attempt, Ending, Intent};
use crate::app::App;
use crate::db::Tx;
use crate::error::{Fault, Result};
use crate::events::emit;

/// How long a wish is one worker's, seconds: longer than a build, a send and a look can take together.
const LEASE_S: i64 = 120;
/// How long until we look again after a ledger that has not closed yet, seconds.
const LEDGER_S: i64 = 5;

/// Carries the next wish one step on. `false` if none is due.
///
/// # Errors
/// A fault; the wish is taken up again when its lease ends.
pub async fn step(app: &App) -> Result<bool> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let free = free_channel(&mut tx, app, Uuid::nil()).await?.is_some();
    let lease = (now, now + TimeDelta::seconds(LEASE_S));
    let Some(intent) = rows::lease(&mut tx, lease, free).await? else { return Ok(false) };
    let attempt = rows::open_attempt(&mut tx, intent.id).await?;
    tx.commit().await?;
    match attempt {
        Some(attempt) => pursue(app, &intent, &attempt).await?,
        None => build(app, &intent).await?,
    }
    Ok(true)
}

/// Builds the next attempt and stores it. The next step sends it.
async fn build(app: &App, intent: &Intent) -> Result<()> {
    let op: ChainOp = serde_json::from_value(intent.op.clone())?;
    let mut tx = app.db.begin().await?;
    let free = free_channel(&mut tx, app, intent.id).await?;
    drop(tx);
    let Some(channel) = free else { return later(app, intent, 1, "every channel is busy").await };
    let sequence = match app.chain.sequence(&channel.address()).await {
        Ok(Some(sequence)) => sequence + 1,
        Ok(None) => return later(app, intent, 30, "the channel account does not exist").await,
        Err(fault) => return later(app, intent, wait_s(intent), &fault.to_string()).await,
    };
    match app.chain.build(&op, channel, sequence).await {
        Outcome::Done(built) => store(app, intent, channel, built).await,
        Outcome::Refused { code, reason } => refused(app, intent, &op, (&code, &reason)).await,
        Outcome::NotSent { why } | Outcome::Unknown { why } => later(app, intent, wait_s(intent), &why).await,
    }
}

async fn free_channel<'a>(tx: &mut Tx, app: &'a App, wish: Uuid) -> Result<Option<&'a Keypair>> {
    let ours: Vec<String> = app.channels.iter().map(Keypair::address).collect();
    let free = rows::free_channel(tx, &ours, wish).await?;
    Ok(free.and_then(|address| app.channels.iter().find(|key| key.address() == address)))
}

/// Another worker may have taken the channel or the wish meanwhile: the database then refuses, and we try
/// later.
async fn store(app: &App, intent: &Intent, channel: &Keypair, built: stellar::Built) -> Result<()> {
    let attempt = Attempt {
        no: 0,
        channel: channel.address(),
        sequence: built.sequence,
        hash: built.hash,
        envelope: built.envelope_xdr,
        max_time: built.max_time,
        first_ledger: i64::from(built.first_ledger),
        sent: 0,
    };
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    match rows::store_attempt(&mut tx, intent.id, &attempt, now).await {
        Ok(()) => {
            rows::put_back(&mut tx, intent.id, now, "built").await?;
            Ok(tx.commit().await?)
        }
        Err(Fault::Database(sqlx::Error::Database(error))) if error.is_unique_violation() => {
            drop(tx);
            later(app, intent, 1, "the channel was taken").await
        }
        Err(fault) => Err(fault.into()),
    }
}

/// Sends a stored attempt, or sends it again, and asks what became of it.
async fn pursue(app: &App, intent: &Intent, attempt: &Attempt) -> Result<()> {
    let bounds = stellar::Attempt {
        max_time: attempt.max_time,
        first_ledger: u32::try_from(attempt.first_ledger).unwrap_or(0),
    };
    // Sent before: first ask, as it may be long done.
    let seen = if attempt.sent > 0 { app.chain.look(&attempt.hash).await.ok() } else { None };
    let next = match (attempt.sent, seen) {
        (0, _) => Next::ResendSame,
        (_, None) => Next::Wait,
        (_, Some(look)) => verdict(bounds, None, Some(look)),
    };
    let next = match next {
        Next::ResendSame => {
            count_send(app, attempt).await?;
            let sent = app.chain.send(&attempt.envelope).await;
            let look = app.chain.look(&attempt.hash).await.ok();
            // What is said now counts again only after a ledger: no busy loop on a refusal.
            match verdict(bounds, Some(&sent), look) {
                Next::ResendSame => Next::Wait,
                other => other,
            }
        }
        other => other,
    };
    conclude(app, intent, attempt, next).await
}

async fn count_send(app: &App, attempt: &Attempt) -> Result<()> {
    let mut tx = app.db.begin().await?;
    rows::count_send(&mut tx, &attempt.hash).await?;
    Ok(tx.commit().await?)
}

async fn conclude(app: &App, intent: &Intent, attempt: &Attempt, next: Next) -> Result<()> {
    let now = app.clock.now();
    let ending = match next {
        Next::ResendSame | Next::Wait => return later(app, intent, LEDGER_S, "waiting for a ledger").await,
        Next::AskContract => {
            let op: ChainOp = serde_json::from_value(intent.op.clone())?;
            match app.chain.has_happened(&op).await {
                Ok(true) => {
                    Ending { status: "success", reason: Some("the contract shows it".into()), ledger: None }
                }
                Ok(false) => Ending {
                    status: "dead",
                    reason: Some("the contract does not show it".into()),
                    ledger: None,
                },
                Err(fault) => return later(app, intent, LEDGER_S, &fault.to_string()).await,
            }
        }
        Next::Done { ledger, .. } => {
            Ending { status: "success", reason: None, ledger: Some(i64::from(ledger)) }
        }
        Next::Rebuild => {
            Ending { status: "dead", reason: Some("a ledger closed past its time".into()), ledger: None }
        }
        Next::FailedOnChain { code, contract_error } => {
            let number = contract_error.map_or(String::new(), |number| format!(" #{number}"));
            Ending { status: "failed", reason: Some(format!("{code}{number}")), ledger: None }
        }
    };
    let mut tx = app.db.begin().await?;
    rows::end_attempt(&mut tx, &attempt.hash, &ending, now).await?;
    match ending.status {
        "success" => rows::end(&mut tx, intent.id, "done", None, now).await?,
        "failed" => {
            rows::put_back(&mut tx, intent.id, now + TimeDelta::seconds(wait_s(intent)), "it failed").await?
        }
        _ => rows::put_back(&mut tx, intent.id, now, "its time ran out").await?,
    }
    Ok(tx.commit().await?)
}

/// The call was refused before anything was sent. What looks done is done if the contract shows it. A no of
/// the token, of the host or of our own keys is about how things stand around the escrow, and passes when
/// that is put right. Any other no of the contract's needs a person.
async fn refused(app: &App, intent: &Intent, op: &ChainOp, (code, reason): (&str, &str)) -> Result<()> {
    let now = app.clock.now();
    if op.looks_done(code) {
        match app.chain.has_happened(op).await {
            Ok(true) => {
                let mut tx = app.db.begin().await?;
                rows::end(&mut tx, intent.id, "done", Some("it was done before"), now).await?;
                return Ok(tx.commit().await?);
            }
            Ok(false) => {}
            Err(fault) => return later(app, intent, LEDGER_S, &fault.to_string()).await,
        }
    }
    let why = format!("{code}: {reason}");
    if code == "host_error" || code == "unauthorised" || code.starts_with("token_") {
        return later(app, intent, wait_s(intent), &why).await;
    }
    let mut tx = app.db.begin().await?;
    rows::end(&mut tx, intent.id, "refused", Some(&why), now).await?;
    let body = json!({ "wish": intent.key, "code": code });
    let subject = match (&intent.escrow, &intent.book) {
        (Some(escrow), _) => format!("escrow/{escrow}"),
        (None, book) => format!("book/{}", book.as_deref().unwrap_or_default()),
    };
    emit(&mut tx, app, super::WORKER, (&subject, "chain.refused"), body).await?;
    Ok(tx.commit().await?)
}

async fn later(app: &App, intent: &Intent, delay_s: i64, reason: &str) -> Result<()> {
    let mut tx = app.db.begin().await?;
    let due = app.clock.now() + TimeDelta::seconds(delay_s);
    rows::put_back(&mut tx, intent.id, due, reason).await?;
    Ok(tx.commit().await?)
}

/// Patience grows with the tries: 2 s, doubling, at most 5 minutes.
fn wait_s(intent: &Intent) -> i64 {
    (2i64 << intent.tries.clamp(0, 8)).min(300)
}
