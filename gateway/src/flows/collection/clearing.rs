//! Suspense cleared by two people: one proposes an escrow with a reason, another one approves or rejects.
//!
//! Invariant: money leaves suspense by what was proposed and approved, and no proposal is approved by whoever
//! made it. Absent: guesses. What a ranking suggests is for the first of the two to read.

use amana_ledger::id::{EscrowRef, PartyId, uuid_v7};
use serde_json::json;
use uuid::Uuid;

use super::{Source, Verdict, book, receipt_of, verify};
use crate::app::App;
use crate::db::Tx;
use crate::error::{Code, Fault, Refusal, Result};
use crate::events::{Actor, emit};
use crate::flows::store::collection::{self as rows, clearing as proposals};
use crate::flows::store::escrow as escrow_rows;

/// Proposes that money in suspense is meant for an escrow.
///
/// # Errors
/// A refusal: it is not in suspense, the rail has not stood by it yet, there is no such escrow, or another
/// proposal is open.
pub async fn propose(
    tx: &mut Tx,
    app: &App,
    maker: PartyId,
    collection: Uuid,
    (escrow, reason): (&EscrowRef, &str),
) -> Result<()> {
    let row = suspended(tx, app, collection).await?;
    if escrow_rows::read(tx, escrow.as_str()).await?.is_none() {
        return Err(Refusal::field("escrow", "names no escrow of ours").into());
    }
    let reason = app.privacy.seal_new(tx, None, reason.as_bytes()).await?;
    let id = uuid_v7(&*app.clock, &*app.rng);
    let proposed = (escrow.as_str(), reason);
    if !proposals::propose(tx, (id, collection), proposed, (maker, app.clock.now())).await? {
        return Err(
            Refusal::new(Code::Exists, "somebody proposed already where it goes: decide that first").into()
        );
    }
    let body = json!({ "escrow": escrow.as_str(), "receipt": row.receipt });
    emit(tx, app, Actor::Party(maker), (&subject(&row.receipt), "suspense.proposed"), body).await?;
    Ok(())
}

/// The escrow that is proposed for a collection, if one is.
///
/// # Errors
/// The database's.
pub async fn proposed(tx: &mut Tx, collection: Uuid) -> std::result::Result<Option<String>, Fault> {
    Ok(proposals::open(tx, collection).await?.map(|proposal| proposal.escrow))
}

/// Decides the open proposal; approved, the money is booked as if its reference had been typed right.
///
/// # Errors
/// A refusal: nothing is proposed, or the one who decides proposed it.
pub async fn decide(
    tx: &mut Tx,
    app: &App,
    checker: PartyId,
    (collection, approved): (Uuid, bool),
) -> Result<()> {
    let row = suspended(tx, app, collection).await?;
    let nothing = || Refusal::new(Code::WrongState, "nothing is proposed for it");
    let proposal = proposals::open(tx, collection).await?.ok_or_else(nothing)?;
    if proposal.maker == checker.0 {
        let words = "who proposed it does not decide it: another approver has to";
        return Err(Refusal::new(Code::Forbidden, words).into());
    }
    let word = if approved { "approved" } else { "rejected" };
    proposals::decide(tx, (proposal.id, checker), word, app.clock.now()).await?;
    let body = json!({ "escrow": proposal.escrow, "receipt": row.receipt });
    let (subject, name) = (subject(&row.receipt), format!("suspense.{word}"));
    emit(tx, app, Actor::Party(checker), (&subject, &name), body).await?;
    if !approved {
        return Ok(());
    }
    let external = receipt_of(app, &row.receipt);
    // The escrow is locked before the collection, as by everybody.
    let escrow = escrow_rows::lock(tx, &proposal.escrow).await?;
    let (terms, state) = escrow.ok_or_else(nothing)?;
    let known = rows::lock(tx, &external).await?.filter(rows::Known::is_suspended);
    let known = known.ok_or_else(|| Refusal::new(Code::WrongState, "it is in suspense no more"))?;
    let heard = verify::as_heard(tx, app, &external, &known).await?;
    let done = book(tx, app, (known.id, &external, Source::Suspense), &heard, (&terms, &state)).await?;
    debug_assert!(matches!(done, Verdict::Booked(_)));
    Ok(())
}

/// The collection, if it waits for people and for nobody else.
async fn suspended(tx: &mut Tx, app: &App, collection: Uuid) -> Result<rows::Row> {
    let missing = || Refusal::new(Code::NotFound, "no such money is in suspense");
    let row = rows::suspended(tx, collection).await?.ok_or_else(missing)?;
    let known = rows::find(tx, &receipt_of(app, &row.receipt)).await?.ok_or_else(missing)?;
    if known.waits() {
        let words = "the rail was asked whether it came at all, and has not answered";
        return Err(Refusal::new(Code::NotYet, words).into());
    }
    if known.trust != "trusted" || !known.is_suspended() {
        return Err(Refusal::new(Code::WrongState, "the rail does not stand by it").into());
    }
    Ok(row)
}

fn subject(receipt: &str) -> String {
    format!("collection/{receipt}")
}
