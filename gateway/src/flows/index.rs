//! What the chain says happened: events are read in order, stored, and each is posted once.
//!
//! Invariant: the cursor moves only past events that are stored and applied. An event is stored, posted and
//! followed in one transaction, under its own key (transaction hash and number), so whoever hears it twice
//! posts it once. One that contradicts what we know of its escrow is stored with the reason and shown to
//! ops: anybody may call the contract, and nobody may stop the index.
//! Absent: guessing. Nothing here asks what we submitted; what the chain did is all that counts.

use amana_adapters::stellar::{ChainEvent, Cursor, Effect, Heard};
use amana_ledger::chart::BookId;
use amana_ledger::id::{EscrowRef, TransferId};
use amana_ledger::money::Money;
use amana_ledger::{Constraint, Fault as LedgerFault, rules, seal};
use serde_json::json;

use super::escrow::{Event as EscrowEvent, State as Escrow, Terms};
use super::payout::{Event as PayoutEvent, State as Payout};
use super::store::{Step, attempt, chain as rows, collection, escrow, payout, step};
use super::{drive, float, post};
use crate::app::App;
use crate::db::Tx;
use crate::error::{Code, Error, Fault, Refusal, Result};
use crate::events::emit;

/// Reads one page of events and applies it. `true` if there was anything.
///
/// # Errors
/// A fault: the page is read again later, from the same place.
pub async fn read_page(app: &App) -> Result<bool> {
    let contract = &app.chain.network().contract;
    let mut tx = app.db.begin().await?;
    let position = rows::cursor(&mut tx, contract).await?;
    drop(tx);
    let Some(position) = position else { return start(app, contract).await };
    let from: Cursor = serde_json::from_value(position)?;
    let page = match app.chain.events(&from).await.map_err(outside)? {
        Heard::Page(page) => page,
        Heard::Gap { wanted, oldest } => {
            return Err(Fault::Outside(format!(
                "events of ledgers {wanted} to {oldest} are lost to the index"
            ))
            .into());
        }
    };
    if page.cursor == from {
        return Ok(false);
    }
    // A transaction an event: each takes its escrow's lock before the book's, as everybody does.
    for event in &page.events {
        let mut tx = app.db.begin().await?;
        match apply(&mut tx, app, event).await {
            Ok(()) => tx.commit().await?,
            Err(Error::Refused(why)) => {
                drop(tx);
                set_aside(app, event, &why.detail).await?;
            }
            Err(fault) => return Err(fault),
        }
    }
    let mut tx = app.db.begin().await?;
    rows::move_cursor(&mut tx, contract, serde_json::to_value(&page.cursor)?, app.clock.now()).await?;
    tx.commit().await?;
    Ok(!page.events.is_empty())
}

fn outside(fault: amana_adapters::stellar::ChainFault) -> Error {
    Fault::Outside(fault.to_string()).into()
}

/// The index begins at the oldest ledger the network still tells about: the token's whole life on a young
/// network.
async fn start(app: &App, contract: &str) -> Result<bool> {
    let health = app.chain.rpc().health().await.map_err(outside)?;
    let first = Cursor::Ledger(health.oldest_ledger.unwrap_or(1));
    let mut tx = app.db.begin().await?;
    rows::start_cursor(&mut tx, contract, serde_json::to_value(first)?, app.clock.now()).await?;
    tx.commit().await?;
    Ok(true)
}

/// An effect in one word, the escrow it is about, and the money in it (minor units).
fn about(effect: &Effect) -> (&'static str, Option<&[u8; 32]>, i64) {
    match effect {
        Effect::Created { key, amount } => ("created", Some(key), *amount),
        Effect::Funded { key, amount, .. } => ("funded", Some(key), *amount),
        Effect::Assigned { key, .. } => ("assigned", Some(key), 0),
        Effect::Released { key, to_payee, fee, .. } => ("released", Some(key), to_payee + fee),
        Effect::Refunded { key, vault } => ("refunded", Some(key), *vault),
        Effect::Cancelled { key, burned } => ("cancelled", Some(key), *burned),
        Effect::Burned { key, amount, .. } => ("burned", Some(key), *amount),
        Effect::TokenMint { amount, .. } => ("token_mint", None, *amount),
        Effect::TokenBurn { amount, .. } => ("token_burn", None, *amount),
        Effect::TokenTransfer { amount, .. } => ("token_transfer", None, *amount),
        Effect::Anchored { .. } => ("anchored", None, 0),
        Effect::Other { .. } => ("other", None, 0),
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
        effect: serde_json::to_value(&event.what)?,
        refused,
    };
    Ok(rows::store_event(tx, said).await?.then_some(reference))
}

/// Stores an event that does not fit, and says so.
async fn set_aside(app: &App, event: &ChainEvent, why: &str) -> Result<()> {
    let mut tx = app.db.begin().await?;
    if let Some(Some(reference)) = store(&mut tx, event, Some(why)).await? {
        let body = json!({ "tx_hash": event.tx_hash, "no": event.index, "kind": about(&event.what).0 });
        let subject = format!("escrow/{reference}");
        emit(&mut tx, app, super::WORKER, (&subject, "chain.contradicted"), body).await?;
    }
    Ok(tx.commit().await?)
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
            let surrender = to.is_none().then(|| format!("{}:{}", event.tx_hash, event.index));
            let next = EscrowEvent::Released { surrender, to_payee: *to_payee };
            ("chain.released", Some(transfer), None, Some(next))
        }
        Effect::Refunded { vault, .. } => {
            let money = money(&terms.book, *vault)?;
            let refunded = rules::refunded(intent, reference.clone(), terms.employer, money);
            let transfer = post(tx, app, refunded).await?;
            ("chain.refunded", Some(transfer), None, Some(EscrowEvent::Refunded(money.amount)))
        }
        Effect::Burned { amount, .. } => {
            let transfer = post(tx, app, rules::burn_final(intent, money(&terms.book, *amount)?)).await?;
            ("chain.burned", Some(transfer), None, None)
        }
        Effect::Cancelled { .. } => ("chain.cancelled", None, None, Some(EscrowEvent::Cancelled)),
        Effect::Created { .. } => ("chain.created", None, None, None),
        Effect::Assigned { .. } => ("chain.assigned", None, None, None),
        _ => return Ok(None),
    };
    let detail = Some(format!("ledger {} event {}", event.ledger, event.index));
    let noted = Step { transfer, receipt, tx_hash: Some(event.tx_hash.clone()), detail, ..Step::named(name) };
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

fn money(book: &BookId, minor: i64) -> std::result::Result<Money, Refusal> {
    Money::new(book.asset(), minor)
        .map_err(|bad| Refusal::new(Code::WrongState, format!("the chain says {minor}: {bad}")))
}

fn nobody(reference: &EscrowRef) -> Refusal {
    let why = format!("the chain released {reference}, which names no employee here");
    Refusal::new(Code::WrongState, why)
}
