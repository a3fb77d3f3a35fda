//! What the chain says happened: events are read in order, stored, and each is posted once.
//!
//! Invariant: the cursor moves past an event in the transaction that stores and applies it, and only from
//! where it stood, so of several workers one is ahead and none goes back. An event is stored, posted and
//! followed under its own key (transaction hash and number), so whoever hears it twice posts it once. One
//! that contradicts what we know of its escrow is stored with the reason and shown to ops: anybody may call
//! the contract, and nobody may stop the index. What the network forgot before we heard it is read from the
//! entries (`bridge`).
//! Absent: guessing. Nothing here asks what we submitted; what the chain did is all that counts.

mod bridge;
pub mod known;
pub mod walk;

use amana_adapters::stellar::{ChainEvent, Cursor, Effect, EventPage, Heard};
use amana_ledger::chart::BookId;
use amana_ledger::id::{EscrowRef, TransferId};
use amana_ledger::money::Money;
use amana_ledger::{Constraint, Fault as LedgerFault, rules, seal};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::escrow::{Event as EscrowEvent, State as Escrow, Terms};
use super::payout::{Event as PayoutEvent, State as Payout};
use super::store::{Step, attempt, chain as rows, collection, entries, escrow, payout, step};
use super::{drive, float, post};
use crate::app::App;
use crate::db::Tx;
use crate::error::{Code, Error, Fault, Refusal, Result};
use crate::events::emit;

/// How long the index may rest on what it found in order, before that is written down anew, seconds.
const BEAT_S: i64 = 10;
/// How many pages one catching up reads at most: some minutes' worth of a busy network.
const MOST_PAGES: usize = 10_000;

/// Reads one page of events and applies it. `true` if there was anything.
///
/// # Errors
/// A fault: the page is read again later, from the same place.
pub async fn read_page(app: &App) -> Result<bool> {
    Ok(match on(app).await? {
        Went::Read(page) => !page.events.is_empty(),
        Went::Begun | Went::Bridged | Went::Overtaken => true,
    })
}

/// Reads on until every event of a ledger is applied that had closed before. `false` if the network does not
/// come so far.
///
/// # Errors
/// A fault; so for all here.
pub async fn catch_up(app: &App, ledger: u32) -> Result<bool> {
    for _ in 0..MOST_PAGES {
        let Went::Read(page) = on(app).await? else { continue };
        let at = page.cursor.ledger().unwrap_or(0);
        if at > ledger || (page.events.is_empty() && at >= ledger) {
            return Ok(true);
        }
        if page.events.is_empty() && page.latest_ledger <= at {
            return Ok(false);
        }
    }
    Ok(false)
}

/// What one step of the index came to.
enum Went {
    /// It had not begun.
    Begun,
    /// Events were lost, and their effects were read from entries.
    Bridged,
    /// A page was read, perhaps an empty one, and all of it is applied.
    Read(EventPage),
    /// Another worker was there first, and may not have come through the page yet.
    Overtaken,
}

async fn on(app: &App) -> Result<Went> {
    let contract = &app.chain.network().contract;
    let mut tx = app.db.begin().await?;
    let position = rows::cursor(&mut tx, contract).await?;
    drop(tx);
    let Some((position, checked_at)) = position else {
        start(app, contract).await?;
        return Ok(Went::Begun);
    };
    let from: Cursor = serde_json::from_value(position)?;
    match app.chain.events(&from).await.map_err(outside)? {
        Heard::Page(page) => {
            let is_applied = take_in(app, (&from, checked_at), &page).await?;
            Ok(if is_applied { Went::Read(page) } else { Went::Overtaken })
        }
        Heard::Gap { wanted, oldest } => {
            bridge::bridge(app, &from, (wanted, oldest)).await?;
            Ok(Went::Bridged)
        }
    }
}

/// A transaction an event, which moves the cursor past it. `false` where another worker is ahead: how far
/// that one has come is not known then.
async fn take_in(app: &App, (from, checked_at): (&Cursor, DateTime<Utc>), page: &EventPage) -> Result<bool> {
    // Behind one URL there may be servers of different news: one that is behind says nothing new.
    if page.cursor.ledger() < from.ledger() {
        return Ok(true);
    }
    let mut at = from;
    for (event, place) in page.events.iter().zip(&page.places) {
        let mut tx = app.db.begin().await?;
        if !step_to(&mut tx, app, at, place).await? {
            return Ok(false);
        }
        match apply(&mut tx, app, event).await {
            Ok(()) => tx.commit().await?,
            Err(Error::Refused(why)) => {
                drop(tx);
                let mut tx = app.db.begin().await?;
                if !step_to(&mut tx, app, at, place).await? {
                    return Ok(false);
                }
                set_aside(&mut tx, app, event, &why.detail).await?;
                tx.commit().await?;
            }
            Err(fault) => return Err(fault),
        }
        at = place;
    }
    if page.cursor != *at || app.clock.now() - checked_at >= TimeDelta::seconds(BEAT_S) {
        let mut tx = app.db.begin().await?;
        if step_to(&mut tx, app, at, &page.cursor).await? {
            tx.commit().await?;
        }
    }
    Ok(true)
}

async fn step_to(tx: &mut Tx, app: &App, from: &Cursor, to: &Cursor) -> Result<bool, Fault> {
    let places = (serde_json::to_value(from)?, serde_json::to_value(to)?);
    rows::move_cursor(tx, &app.chain.network().contract, places, app.clock.now()).await
}

fn outside(fault: amana_adapters::stellar::ChainFault) -> Error {
    Fault::Outside(fault.to_string()).into()
}

/// The index begins at the oldest ledger the network still tells about: the token's whole life on a young
/// network. On an older one what came before is read from the entries.
async fn start(app: &App, contract: &str) -> Result<()> {
    let health = app.chain.rpc().health().await.map_err(outside)?;
    let oldest = health.oldest_ledger.unwrap_or(1);
    let first = Cursor::Ledger(oldest);
    let mut tx = app.db.begin().await?;
    rows::start_cursor(&mut tx, contract, serde_json::to_value(&first)?, app.clock.now()).await?;
    tx.commit().await?;
    if oldest > 1 { bridge::bridge(app, &first, (1, oldest)).await } else { Ok(()) }
}

/// An effect in one word, the escrow it is about, and the money in it (minor units).
fn about(effect: &Effect) -> (&'static str, Option<&[u8; 32]>, i64) {
    match effect {
        Effect::Created { key, amount } => ("created", Some(key), *amount),
        Effect::Funded { key, amount, .. } => ("funded", Some(key), *amount),
        Effect::Assigned { key, .. } => ("assigned", Some(key), 0),
        Effect::Released { key, to_payee, fee, .. } => ("released", Some(key), to_payee + fee),
        Effect::MilestoneReleased { key, to_payee, fee, .. } => {
            ("milestone_released", Some(key), to_payee + fee)
        }
        Effect::Refunded { key, amount } => ("refunded", Some(key), *amount),
        Effect::Disputed { key, .. } => ("disputed", Some(key), 0),
        Effect::Resolved { key, to_payee, to_payer, .. } => ("resolved", Some(key), to_payee + to_payer),
        Effect::PaidIn { key, amount } => ("paid_in", Some(key), *amount),
        Effect::Claimed { key, .. } => ("claimed", Some(key), 0),
        Effect::House { .. } => ("house", None, 0),
        Effect::Cancelled { key, burned } => ("cancelled", Some(key), *burned),
        Effect::Burned { key, amount, .. } => ("burned", Some(key), *amount),
        Effect::TokenMint { amount, .. } => ("token_mint", None, *amount),
        Effect::TokenBurn { amount, .. } => ("token_burn", None, *amount),
        Effect::TokenTransfer { amount, .. } => ("token_transfer", None, *amount),
        Effect::Anchored { .. } => ("anchored", None, 0),
        Effect::Other { .. } => ("other", None, 0),
    }
}

/// What an escrow's effect does to the tokens there are, minor units: mints and burns that the contract makes
/// within it.
fn supply_change(effect: &Effect) -> i64 {
    match effect {
        Effect::Funded { amount, .. } => *amount,
        Effect::Released { fee, .. } | Effect::MilestoneReleased { fee, .. } => -fee,
        Effect::Cancelled { burned, .. } => -burned,
        Effect::Burned { amount, .. } => -amount,
        Effect::Created { .. }
        | Effect::Assigned { .. }
        | Effect::Refunded { .. }
        | Effect::Disputed { .. }
        | Effect::Resolved { .. }
        | Effect::PaidIn { .. }
        | Effect::Claimed { .. }
        | Effect::House { .. }
        | Effect::TokenMint { .. }
        | Effect::TokenBurn { .. }
        | Effect::TokenTransfer { .. }
        | Effect::Anchored { .. }
        | Effect::Other { .. } => 0,
    }
}

/// Stores an event, with the reason if nothing follows from it. Gives the escrow it is about, if one of ours;
/// `None` if it was stored before.
async fn store(tx: &mut Tx, event: &ChainEvent, refused: Option<&str>) -> Result<Option<Option<EscrowRef>>> {
    let (kind, key, amount) = about(&event.what);
    let reference = match key {
        Some(key) => escrow::by_key(tx, key).await?,
        None => None,
    };
    let said = rows::Said {
        tx_hash: &event.tx_hash,
        no: event.index,
        ledger: i64::from(event.ledger),
        closed_at: event.closed_at,
        kind,
        escrow: reference.as_ref().map(EscrowRef::as_str),
        amount,
        supply: supply_change(&event.what),
        effect: serde_json::to_value(&event.what)?,
        refused,
    };
    Ok(rows::store_event(tx, said).await?.then_some(reference))
}

/// Stores an event that does not fit, and says so.
async fn set_aside(tx: &mut Tx, app: &App, event: &ChainEvent, why: &str) -> Result<()> {
    if let Some(Some(reference)) = store(tx, event, Some(why)).await? {
        let body = json!({ "tx_hash": event.tx_hash, "no": event.index, "kind": about(&event.what).0 });
        let subject = format!("escrow/{reference}");
        emit(tx, app, super::WORKER, (&subject, "chain.contradicted"), body).await?;
    }
    Ok(())
}

/// Stores one event and does what follows from it.
async fn apply(tx: &mut Tx, app: &App, event: &ChainEvent) -> Result<()> {
    let Some(reference) = store(tx, event, None).await? else { return Ok(()) };
    let (kind, key, _) = about(&event.what);
    if let Effect::Anchored { book, size, root } = &event.what {
        return anchored(tx, app, event, (book, *size, *root)).await;
    }
    let Some(reference) = reference else {
        // The token's own mints and burns always come so, and count for the supply. An escrow that somebody
        // else made through our contract is recorded and reported, never posted.
        if key.is_some() {
            let body = json!({ "tx_hash": event.tx_hash, "no": event.index, "kind": kind });
            emit(tx, app, super::WORKER, ("chain/unknown", "chain.unknown_escrow"), body).await?;
        }
        return Ok(());
    };
    // The escrow's lock first, then whatever hangs on it.
    let Some((terms, state)) = escrow::lock(tx, reference.as_str()).await? else { return Ok(()) };
    let place = (event.tx_hash.as_str(), event.index);
    let is_read = event.tx_hash.starts_with(bridge::REBUILT);
    if !is_read && entries::contain(tx, reference.as_str(), place).await? {
        return Ok(());
    }
    if let Some(transfer) = follow(tx, app, event, (&terms, &state)).await? {
        rows::posted(tx, (&event.tx_hash, event.index), transfer).await?;
    }
    Ok(())
}

/// Writes down where the chain keeps a checkpoint of our book, with the bytes we signed. One that we never
/// made is a past that was written anew, here or there: a person has to see it.
async fn anchored(
    tx: &mut Tx,
    app: &App,
    event: &ChainEvent,
    (book, size, root): (&str, i64, [u8; 32]),
) -> Result<()> {
    let (ours, contract) = (&app.config.book, app.chain.network().anchor.clone());
    if book != ours.as_str() {
        return Ok(());
    }
    let anchor = seal::Anchor {
        size: u64::try_from(size).unwrap_or(0),
        root: seal::Hex(root),
        contract: contract.unwrap_or_default(),
        tx_hash: event.tx_hash.clone(),
        ledger: u64::from(event.ledger),
        at: event.closed_at,
        envelope: attempt::envelope(tx, &event.tx_hash).await?,
    };
    match seal::anchored(tx, ours, &anchor).await {
        Err(LedgerFault::Refused(Constraint::BadSeal)) => {
            let why = format!("the chain has a checkpoint of {size} batches that is none of ours");
            Err(Refusal::new(Code::WrongState, why).into())
        }
        done => Ok(done?),
    }
}

/// Posts what an effect on an escrow of ours means, and lets the flows go on.
async fn follow(
    tx: &mut Tx,
    app: &App,
    event: &ChainEvent,
    (terms, state): (&Terms, &Escrow),
) -> Result<Option<TransferId>> {
    let reference = &terms.reference;
    let intent = float::intent(app, &terms.book, &format!("chain:{}:{}", event.tx_hash, event.index))?;
    let (name, transfer, receipt, next) = match &event.what {
        Effect::Funded { deposit_id, amount, .. } => {
            let money = money(&terms.book, *amount)?;
            let transfer = post(tx, app, rules::mint_final(intent, money)).await?;
            let receipt = collection::confirmed(tx, deposit_id).await?;
            let next = EscrowEvent::Minted(money.amount, event.closed_at);
            ("chain.minted", Some(transfer), receipt, Some(next))
        }
        Effect::Released { to_payee, fee, to, .. } => {
            let employee = state.employee().ok_or_else(|| nobody(reference))?;
            let fee = (*fee > 0).then(|| money(&terms.book, *fee)).transpose()?;
            let paid = money(&terms.book, *to_payee)?;
            let released = rules::released(intent, reference.clone(), employee, paid, fee);
            let transfer = post(tx, app, released).await?;
            // What went to an address of the payee's own is in nobody's vault: no phone is paid for it.
            let surrender = to.is_none().then(|| event_name(event));
            let next = EscrowEvent::Released { surrender, to_payee: *to_payee };
            ("chain.released", Some(transfer), None, Some(next))
        }
        Effect::Refunded { amount, .. } => {
            let money = money(&terms.book, *amount)?;
            let refunded = rules::refunded(intent, reference.clone(), terms.employer, money);
            let transfer = post(tx, app, refunded).await?;
            let next = EscrowEvent::Refunded { event: event_name(event), amount: money.amount };
            ("chain.refunded", Some(transfer), None, Some(next))
        }
        Effect::Burned { amount, .. } => {
            let transfer = post(tx, app, rules::burn_final(intent, money(&terms.book, *amount)?)).await?;
            ("chain.burned", Some(transfer), None, None)
        }
        Effect::Disputed { until, .. } => {
            ("chain.disputed", None, None, Some(EscrowEvent::Disputed(instant(*until)?)))
        }
        Effect::Resolved { to_payee, to_payer, to, .. } => {
            let parts = (*to_payee, *to_payer, to.is_none());
            let (transfer, next) = resolved(tx, app, event, (terms, state), (intent, parts)).await?;
            ("chain.resolved", Some(transfer), None, Some(next))
        }
        Effect::Cancelled { burned, .. } => {
            let (transfer, next) = cancelled(tx, app, event, terms, (intent, *burned)).await?;
            ("chain.cancelled", transfer, None, Some(next))
        }
        Effect::Created { .. } => ("chain.created", None, None, None),
        Effect::Assigned { .. } => ("chain.assigned", None, None, None),
        _ => return Ok(None),
    };
    let (tx_hash, detail) = place(event);
    let noted = Step { transfer, receipt, tx_hash, detail: Some(detail), ..Step::named(name) };
    step(tx, app, reference, noted).await?;
    if let Effect::Burned { amount, .. } = &event.what
        && let Some(payout) = payout::awaiting_burn(tx, reference, *amount).await?
    {
        drive::<Payout>(tx, app, &payout, PayoutEvent::Burned).await?;
    }
    if let Some(next) = next {
        drive::<Escrow>(tx, app, reference.as_str(), next).await?;
    }
    Ok(transfer)
}

/// What money that became somebody's by an event is known by.
fn event_name(event: &ChainEvent) -> String {
    format!("{}:{}", event.tx_hash, event.index)
}

/// The transaction that did it, if it was heard of, and where.
fn place(event: &ChainEvent) -> (Option<String>, String) {
    if event.tx_hash.starts_with(bridge::REBUILT) {
        return (None, format!("read from the entry at ledger {}", event.ledger));
    }
    (Some(event.tx_hash.clone()), format!("ledger {} event {}", event.ledger, event.index))
}

/// Posts how a disputed escrow was parted: `to_payee`, `to_payer`, and whether a phone is to be paid.
async fn resolved(
    tx: &mut Tx,
    app: &App,
    event: &ChainEvent,
    (terms, state): (&Terms, &Escrow),
    (intent, (to_payee, to_payer, by_phone)): (rules::Intent, (i64, i64, bool)),
) -> Result<(TransferId, EscrowEvent)> {
    let some = |minor: i64| (minor > 0).then(|| money(&terms.book, minor)).transpose();
    let (paid, back) = (some(to_payee)?, some(to_payer)?);
    let employee = match paid {
        Some(paid) => Some((state.employee().ok_or_else(|| nobody(&terms.reference))?, paid)),
        None => None,
    };
    let employer = back.map(|back| (terms.employer, back));
    let resolved = rules::resolved(intent, terms.reference.clone(), employee, employer);
    let (event, to_payer) = (event_name(event), back.map(|back| back.amount));
    Ok((post(tx, app, resolved).await?, EscrowEvent::Resolved { event, by_phone, to_payee, to_payer }))
}

/// Posts that an escrow was cancelled, and what had come is the employer's.
async fn cancelled(
    tx: &mut Tx,
    app: &App,
    event: &ChainEvent,
    terms: &Terms,
    (intent, burned): (rules::Intent, i64),
) -> Result<(Option<TransferId>, EscrowEvent)> {
    let event = event_name(event);
    if burned == 0 {
        return Ok((None, EscrowEvent::Cancelled { event, burned: None }));
    }
    let burned = money(&terms.book, burned)?;
    let cancelled = rules::cancelled(intent, terms.reference.clone(), terms.employer, burned);
    let transfer = post(tx, app, cancelled).await?;
    Ok((Some(transfer), EscrowEvent::Cancelled { event, burned: Some(burned.amount) }))
}

fn instant(seconds: i64) -> std::result::Result<DateTime<Utc>, Refusal> {
    let no_time = || Refusal::new(Code::WrongState, format!("the chain says {seconds} is a time"));
    DateTime::from_timestamp(seconds, 0).ok_or_else(no_time)
}

fn money(book: &BookId, minor: i64) -> std::result::Result<Money, Refusal> {
    Money::new(book.asset(), minor)
        .map_err(|bad| Refusal::new(Code::WrongState, format!("the chain says {minor}: {bad}")))
}

fn nobody(reference: &EscrowRef) -> Refusal {
    let why = format!("the chain released {reference}, which names no employee here");
    Refusal::new(Code::WrongState, why)
}
