//! Wishes to the chain, carried out one envelope at a time until the network says what became of it.
//!
//! ```text
//!   wish ──build──▶ attempt stored ──send──▶ look ──┬─ applied            → done
//!                        ▲                          ├─ not there, in time → the same bytes again, later
//!                        │                          ├─ outbid             → the same in a dearer envelope
//!                        ├── past its time, unseen ─┤
//!                        └── what it lacked ────────┴─ failed             → a new attempt
//! ```
//!
//! Invariant: signed bytes and their hash are committed before the first send, a dearer envelope's too, and
//! all hashes are looked for; a new attempt is built only after the old one can never be applied. A channel
//! is leased once, with the wish, under its row's lock. A wish about an escrow waits for that escrow's
//! earlier ones; of a book's checkpoints one is under way at a time.
//! Absent: what the chain did. `index` reads that from the chain itself and posts it. What each of the
//! network's words means: that table is the adapter's (`submit/course.rs`).

pub mod heed;

use amana_adapters::port::Outcome;
use amana_adapters::stellar::{self, ChainOp, Course, Keypair, Leeway, Look, Need, Next, Sent, verdict};
use chrono::TimeDelta;
use serde_json::json;

use super::store::attempt::{self, Attempt, Ending};
use super::store::chain::{self as rows, Intent};
use crate::app::{App, Carrier};
use crate::db::Tx;
use crate::error::{Fault, Result};
use crate::events::note;

/// How long a wish is one worker's, seconds: longer than a build, a send and a look can take together.
const LEASE_S: i64 = 120;
/// How long until we look again after a ledger that has not closed yet, seconds.
const LEDGER_S: i64 = 5;
/// How long a wish rests that waits for a person, seconds. It is looked at again all the same: what was wrong
/// may have been put right outside.
const STOPPED_S: i64 = 3_600;

/// Carries the next wish one step on. `false` if none is due.
///
/// # Errors
/// A fault. When the step is over nothing of ours is under way, and what was sent is stored: the wish is put
/// back and found again after a short, growing delay.
pub async fn step(app: &App) -> Result<bool> {
    carry(app.carrier()).await
}

/// As [`step`], for whoever has a key of its own: only what that key signs for is carried.
///
/// # Errors
/// As [`step`].
pub async fn carry(carrier: Carrier<'_>) -> Result<bool> {
    let Some(turn) = take(carrier).await? else { return Ok(false) };
    let intent = &turn.intent;
    let carried = match (&turn.attempt, turn.channel) {
        (Some(attempt), _) => pursue(carrier, intent, attempt).await,
        (None, Some(channel)) => build(carrier, intent, channel).await,
        (None, None) => later(carrier, intent, 1, "the channel that was leased is not ours").await,
    };
    if let Err(fault) = carried {
        // A database that cannot even take this back ends the lease by itself.
        if let Err(again) = later(carrier, intent, wait_s(intent), "a fault of ours, told in the log").await {
            tracing::warn!(wish = intent.key, fault = %again, "a wish could not be put back");
        }
        return Err(fault);
    }
    Ok(true)
}

/// A wish that is ours for a while, with its open attempt, or else with a channel to carry a new one.
struct Turn<'a> {
    intent: Intent,
    attempt: Option<Attempt>,
    channel: Option<&'a Keypair>,
}

/// Leases the next wish, and with it, once and for all, the channel that will carry it. While every channel
/// is busy only wishes that are under way have a turn.
async fn take(carrier: Carrier<'_>) -> Result<Option<Turn<'_>>> {
    let decides = carrier.chain.house().is_none();
    for new_ones in [true, false] {
        let now = carrier.clock.now();
        let until = now + TimeDelta::seconds(LEASE_S);
        let mut tx = carrier.db.begin().await?;
        let Some(intent) = rows::lease(&mut tx, (now, until), (new_ones, decides)).await? else {
            return Ok(None);
        };
        if let Some(attempt) = attempt::open(&mut tx, intent.id).await? {
            tx.commit().await?;
            return Ok(Some(Turn { intent, attempt: Some(attempt), channel: None }));
        }
        let ours: Vec<String> = carrier.channels.iter().map(Keypair::address).collect();
        let leased = attempt::lease_channel(&mut tx, &ours, intent.id, (now, until)).await?;
        if let Some(address) = leased {
            tx.commit().await?;
            return Ok(Some(Turn { intent, attempt: None, channel: ours_named(carrier, &address) }));
        }
        // The lease of the wish goes with the transaction.
    }
    Ok(None)
}

fn ours_named<'a>(carrier: Carrier<'a>, address: &str) -> Option<&'a Keypair> {
    carrier.channels.iter().find(|key| key.address() == address)
}

/// Builds the next attempt and stores it. The next step sends it.
async fn build(carrier: Carrier<'_>, intent: &Intent, channel: &Keypair) -> Result<()> {
    let op: ChainOp = serde_json::from_value(intent.op.clone())?;
    let mut tx = carrier.db.begin().await?;
    let last = attempt::last_used(&mut tx, &channel.address()).await?;
    let leeway = leeway(&attempt::failures(&mut tx, intent.id).await?);
    // What this wish rests on another process may have seen: a server that has not is not to be believed.
    let known = match &intent.escrow {
        Some(escrow) => rows::known_as_of(&mut tx, escrow).await?,
        None => None,
    };
    carrier.chain.saw(known.and_then(|ledger| u32::try_from(ledger).ok()).unwrap_or(0));
    drop(tx);
    let sequence = match carrier.chain.sequence(&channel.address()).await {
        Ok(Some(sequence)) => sequence.max(last.unwrap_or(0)) + 1,
        Ok(None) => return later(carrier, intent, 30, "the channel account does not exist").await,
        Err(fault) => return later(carrier, intent, wait_s(intent), &fault.to_string()).await,
    };
    match carrier.chain.rebuild(&op, (channel, sequence), leeway).await {
        Outcome::Done(built) => store(carrier, intent, channel, built).await,
        Outcome::Refused { code, reason } => refused(carrier, intent, &op, (&code, &reason)).await,
        Outcome::NotSent { why } | Outcome::Unknown { why } => {
            later(carrier, intent, wait_s(intent), &why).await
        }
    }
}

/// What earlier attempts lacked.
fn leeway(failures: &[String]) -> Leeway {
    let count =
        |need| failures.iter().filter(|word| Course::on_failure(word) == Course::Rebuild(need)).count();
    let count = |need| u32::try_from(count(need)).unwrap_or(u32::MAX);
    Leeway { resources: count(Need::Resources), rent: count(Need::Rent) }
}

/// A lease that ran out meanwhile is somebody else's: the database then refuses, and we try later.
async fn store(
    carrier: Carrier<'_>,
    intent: &Intent,
    channel: &Keypair,
    built: stellar::Built,
) -> Result<()> {
    let new = attempt::New {
        channel: &channel.address(),
        sequence: built.sequence,
        hash: &built.hash,
        envelope: &built.envelope_xdr,
        max_time: built.max_time,
        first_ledger: i64::from(built.first_ledger),
    };
    let now = carrier.clock.now();
    let mut tx = carrier.db.begin().await?;
    match attempt::store(&mut tx, intent.id, &new, now).await {
        Ok(()) => {
            rows::put_back(&mut tx, intent.id, now, "built").await?;
            Ok(tx.commit().await?)
        }
        Err(Fault::Database(sqlx::Error::Database(error))) if error.is_unique_violation() => {
            drop(tx);
            later(carrier, intent, 1, "the channel was taken").await
        }
        Err(fault) => Err(fault.into()),
    }
}

/// Asks what became of a stored attempt, and sends what is to be sent.
async fn pursue(carrier: Carrier<'_>, intent: &Intent, attempt: &Attempt) -> Result<()> {
    let bounds = bounds(attempt);
    // Sent before: first ask, as it may be long done.
    let (seen, applied) = if attempt.sent > 0 { look(carrier, attempt).await } else { (None, None) };
    // What was answered is lost if the process died around the send: it may have been sent.
    let lost = || Sent::Unknown { why: "the process stopped while sending".into() };
    let sent: Option<Sent> = attempt.answer.clone().map(serde_json::from_value).transpose()?;
    let sent = (attempt.sent > 0).then(|| sent.unwrap_or_else(lost));
    match verdict(bounds, sent.as_ref(), seen) {
        Next::ResendSame => deliver(carrier, intent, attempt, &attempt.newest).await,
        next @ (Next::Stuck | Next::Raise) => raise(carrier, intent, attempt, next == Next::Raise).await,
        next => conclude(carrier, intent, attempt, (next, applied)).await,
    }
}

fn bounds(attempt: &Attempt) -> stellar::Attempt {
    let first_ledger = u32::try_from(attempt.first_ledger).unwrap_or(0);
    stellar::Attempt { max_time: attempt.max_time, first_ledger }
}

/// What became of an attempt under any of its hashes, and under which. `None` unless all could be asked for,
/// or one is in a ledger.
async fn look(carrier: Carrier<'_>, attempt: &Attempt) -> (Option<Look>, Option<String>) {
    let (mut absent, mut is_known) = (None, true);
    for hash in attempt.aliases.iter().rev().chain([&attempt.hash]) {
        match carrier.chain.look(hash).await {
            Ok(found @ Look::NotFound { .. }) => absent = Some(found),
            Ok(found) => return (Some(found), (*hash != attempt.hash).then(|| hash.clone())),
            Err(_) => is_known = false,
        }
    }
    (absent.filter(|_| is_known), None)
}

/// Offers more, if fees have risen above what was offered or it was refused for offering too little.
async fn raise(carrier: Carrier<'_>, intent: &Intent, attempt: &Attempt, refused: bool) -> Result<()> {
    // Another process's channel: it alone can sign for it.
    let Some(payer) = ours_named(carrier, &attempt.channel) else {
        return deliver(carrier, intent, attempt, &attempt.newest).await;
    };
    let stored = (attempt.envelope.as_str(), attempt.newest.as_str());
    let raised = match carrier.chain.raise(stored, payer, refused).await {
        Ok(Some(raised)) => raised,
        Ok(None) => return deliver(carrier, intent, attempt, &attempt.newest).await,
        Err(fault) => return later(carrier, intent, LEDGER_S, &fault.to_string()).await,
    };
    let mut tx = carrier.db.begin().await?;
    attempt::store_alias(&mut tx, &attempt.hash, &raised, carrier.clock.now()).await?;
    tx.commit().await?;
    tracing::info!(wish = intent.key, fee = raised.fee, "a transaction that is stuck offers more");
    let mut dearer = attempt.clone();
    dearer.aliases.push(raised.hash);
    deliver(carrier, intent, &dearer, &raised.envelope_xdr).await
}

/// Hands bytes that are stored to the network, keeps what it says, and looks at once: some networks close a
/// ledger for each transaction.
async fn deliver(carrier: Carrier<'_>, intent: &Intent, attempt: &Attempt, envelope: &str) -> Result<()> {
    let mut tx = carrier.db.begin().await?;
    attempt::count_send(&mut tx, &attempt.hash).await?;
    tx.commit().await?;
    let sent = carrier.chain.send(envelope).await;
    let (seen, applied) = look(carrier, attempt).await;
    let next = match verdict(bounds(attempt), Some(&sent), seen) {
        // What is said now counts again only after a ledger: no busy loop on a refusal.
        Next::ResendSame | Next::Stuck | Next::Raise => Next::Wait,
        other => other,
    };
    if next == Next::Wait {
        let mut tx = carrier.db.begin().await?;
        attempt::answered(&mut tx, &attempt.hash, serde_json::to_value(&sent)?).await?;
        // A higher fee is offered at once: each ledger that closes meanwhile is one in which it is not.
        let rest = if sent.course() == Course::Raise { 0 } else { LEDGER_S };
        put_back(&mut tx, carrier, intent, (rest, "waiting for a ledger")).await?;
        return Ok(tx.commit().await?);
    }
    conclude(carrier, intent, attempt, (next, applied)).await
}

async fn conclude(
    carrier: Carrier<'_>,
    intent: &Intent,
    attempt: &Attempt,
    (next, applied): (Next, Option<String>),
) -> Result<()> {
    let dead = |why: &str| Ending { status: "dead", reason: Some(why.into()), ..Ending::default() };
    let ending = match next {
        Next::ResendSame | Next::Wait | Next::Stuck | Next::Raise => {
            return later(carrier, intent, LEDGER_S, "waiting for a ledger").await;
        }
        Next::AskContract => {
            let op: ChainOp = serde_json::from_value(intent.op.clone())?;
            match carrier.chain.has_happened(&op).await {
                Ok(true) => Ending { status: "success", ..dead("the contract shows it") },
                Ok(false) => dead("the contract does not show it"),
                Err(fault) => return later(carrier, intent, LEDGER_S, &fault.to_string()).await,
            }
        }
        Next::Done { ledger, .. } => {
            Ending { status: "success", reason: None, ledger: Some(i64::from(ledger)), applied }
        }
        Next::Rebuild => dead("a ledger closed past its time"),
        Next::FailedOnChain { ledger, code, contract_error } => {
            let number = contract_error.map_or(String::new(), |number| format!(" #{number}"));
            let reason = Some(format!("{code}{number}"));
            Ending { status: "failed", reason, ledger: ledger.map(i64::from), applied }
        }
    };
    let now = carrier.clock.now();
    let mut tx = carrier.db.begin().await?;
    attempt::end(&mut tx, &attempt.hash, &ending, now).await?;
    match (ending.status, stop(attempt, &ending)) {
        ("success", _) => rows::end(&mut tx, intent.id, ("done", None), (seen(carrier), now)).await?,
        (_, Some(word)) => stopped(&mut tx, carrier, intent, &word).await?,
        ("failed", None) => put_back(&mut tx, carrier, intent, (wait_s(intent), "it failed")).await?,
        (_, None) => put_back(&mut tx, carrier, intent, (0, "its time ran out")).await?,
    }
    Ok(tx.commit().await?)
}

/// The word after which no repetition helps, if one was said: in the ledger, or by the queue until the end.
fn stop(attempt: &Attempt, ending: &Ending) -> Option<String> {
    let reason = ending.reason.as_deref().unwrap_or_default();
    let word = match ending.status {
        "failed" => reason.split(' ').next().map(str::to_owned),
        _ => attempt.answer.as_ref().and_then(|said| said["code"].as_str()).map(str::to_owned),
    }?;
    let course = match ending.status {
        "failed" => Course::on_failure(&word),
        _ => Course::on_sending(&word),
    };
    (course == Course::Stop).then_some(word)
}

/// A person has to put something right. The wish is not lost: it is tried again now and then.
async fn stopped(tx: &mut Tx, carrier: Carrier<'_>, intent: &Intent, word: &str) -> Result<()> {
    tracing::error!(wish = intent.key, word, "a wish waits for a person");
    put_back(tx, carrier, intent, (STOPPED_S, word)).await?;
    rows::stopped(tx, intent.id, carrier.clock.now()).await?;
    Ok(tell(tx, carrier, intent, ("chain.stopped", word)).await?)
}

async fn tell(
    tx: &mut Tx,
    carrier: Carrier<'_>,
    intent: &Intent,
    (name, code): (&str, &str),
) -> Result<(), Fault> {
    let body = json!({ "wish": intent.key, "code": code });
    let subject = match (&intent.escrow, &intent.book) {
        (Some(escrow), _) => format!("escrow/{escrow}"),
        (None, book) => format!("book/{}", book.as_deref().unwrap_or_default()),
    };
    note(tx, carrier.clock.now(), super::WORKER, (&subject, name), body).await
}

/// The call was refused before anything was sent. What looks done is done if the contract shows it. A no of
/// the token, of the host or of our own keys is about how things stand around the escrow, and passes when
/// that is put right. Any other no of the contract's needs a person.
async fn refused(
    carrier: Carrier<'_>,
    intent: &Intent,
    op: &ChainOp,
    (code, reason): (&str, &str),
) -> Result<()> {
    let now = carrier.clock.now();
    if op.looks_done(code) {
        match carrier.chain.has_happened(op).await {
            Ok(true) => {
                let mut tx = carrier.db.begin().await?;
                let done = ("done", Some("it was done before"));
                rows::end(&mut tx, intent.id, done, (seen(carrier), now)).await?;
                return Ok(tx.commit().await?);
            }
            Ok(false) => {}
            Err(fault) => return later(carrier, intent, LEDGER_S, &fault.to_string()).await,
        }
    }
    let why = format!("{code}: {reason}");
    if code == "host_error" || code == "unauthorised" || code.starts_with("token_") {
        return later(carrier, intent, wait_s(intent), &why).await;
    }
    let mut tx = carrier.db.begin().await?;
    rows::end(&mut tx, intent.id, ("refused", Some(&why)), (seen(carrier), now)).await?;
    tell(&mut tx, carrier, intent, ("chain.refused", code)).await?;
    Ok(tx.commit().await?)
}

/// As of which ledger it is known how a wish ended.
fn seen(carrier: Carrier<'_>) -> i64 {
    i64::from(carrier.chain.seen())
}

async fn later(carrier: Carrier<'_>, intent: &Intent, delay_s: i64, reason: &str) -> Result<()> {
    let mut tx = carrier.db.begin().await?;
    put_back(&mut tx, carrier, intent, (delay_s, reason)).await?;
    Ok(tx.commit().await?)
}

async fn put_back(
    tx: &mut Tx,
    carrier: Carrier<'_>,
    intent: &Intent,
    (rest_s, why): (i64, &str),
) -> Result<(), Fault> {
    rows::put_back(tx, intent.id, carrier.clock.now() + TimeDelta::seconds(rest_s), why).await
}

/// Patience grows with the tries: 2 s, doubling, at most 5 minutes.
fn wait_s(intent: &Intent) -> i64 {
    (2i64 << intent.tries.clamp(0, 8)).min(300)
}
