//! Whether a payment is what a post says it is: the rail is asked by receipt, and its answer laid beside what
//! was booked.
//!
//! Invariant: money that waits is in suspense and nowhere else. Silence and "I do not know" leave it waiting,
//! and it is asked about again; only the rail's own word moves it on, or disputes it.

use amana_adapters::mpesa::daraja::{About, Asked, read_word, status_of};
use amana_adapters::mpesa::{C2b, Payer};
use amana_adapters::port::Outcome;
use amana_ledger::id::{ExternalRef, uuid_v7};
use amana_ledger::money::Money;
use serde_json::json;
use uuid::Uuid;

use super::{Verdict, rail, receipt_of};
use crate::app::App;
use crate::db::Tx;
use crate::error::{Error, Fault, Result};
use crate::events::emit;
use crate::flows::store::{collection as rows, rail as rail_rows};
use crate::inbox::Judged;
use crate::outbox::{self, Message};
use crate::privacy::Sealed;

/// Seconds until a question is asked again that was not answered; doubling from there, at most hourly.
const FIRST_S: i64 = 30;
const MOST_S: i64 = 3_600;

/// Asks as soon as somebody is free to. Where nobody can be asked, the money waits for a list or a person.
pub(super) async fn ask_soon(tx: &mut Tx, app: &App, receipt: &str) -> std::result::Result<(), Fault> {
    if app.daraja.is_none() {
        return Ok(());
    }
    outbox::queue(tx, app, ("status_ask", receipt), None, 0).await
}

/// Asks the rail where a payment stands, unless it waits no more. The answer is posted to us; until it comes
/// the message stays and asks again.
///
/// # Errors
/// A fault; the message is taken up again when its lease ends.
pub async fn ask(app: &App, message: &Message) -> Result<()> {
    let external = receipt_of(app, &message.subject);
    let mut tx = app.db.begin().await?;
    let known = rows::find(&mut tx, &external).await?;
    let (Some(known), Some(daraja)) = (known.filter(rows::Known::waits), &app.daraja) else {
        outbox::done(&mut tx, app, message.id, ("done", Some("it waits no more"))).await?;
        return Ok(tx.commit().await?);
    };
    let id = uuid_v7(&*app.clock, &*app.rng);
    rail_rows::ask(&mut tx, id, ("status", &external.id), app.clock.now()).await?;
    rows::asked(&mut tx, known.id).await?;
    tx.commit().await?;
    let (about, doors) = (&About::Receipt(external.id.clone()), &rail::doors(app, id));
    let taken = rail::under_token(app, daraja, |token| {
        Box::pin(async move { daraja.status(&token, about, doors).await })
    })
    .await?;
    let why = match taken {
        Outcome::Done(_) => "asked; the answer is on its way".to_owned(),
        Outcome::Refused { code, reason } => {
            tracing::error!(receipt = external.id, code, reason, "a question is refused");
            format!("refused: {code}")
        }
        Outcome::NotSent { why } | Outcome::Unknown { why } => why,
    };
    let wait = (FIRST_S << known.asked.clamp(0, 7)).min(MOST_S);
    Ok(outbox::later(app, message.id, wait, &why).await?)
}

/// Hears the answer to a question.
///
/// # Errors
/// The database's or the ledger's trouble; it is judged again later.
pub async fn answered(tx: &mut Tx, app: &App, question: Uuid, raw: &[u8]) -> Result<Judged> {
    let Some(receipt) = rail_rows::question(tx, question).await? else {
        let reason = Some("no question of ours has this address".to_owned());
        return Ok(Judged { verdict: "unknown_question", reason, subject: Some(question.to_string()) });
    };
    let read = read_word(raw).and_then(|word| status_of(&word));
    let subject = Some(receipt.clone());
    let asked = match read {
        Ok(asked) => asked,
        Err(bad) => return Ok(Judged { verdict: "unreadable", reason: Some(bad.to_string()), subject }),
    };
    let (answer, reason) = match &asked {
        Asked::Unknown { why } => ("unanswered", Some(why.clone())),
        Asked::Known { .. } => heed(tx, app, &receipt_of(app, &receipt), &asked).await?,
    };
    rail_rows::answered(tx, question, answer, app.clock.now()).await?;
    Ok(Judged { verdict: answer, reason, subject })
}

/// Lays the rail's word beside what was booked.
async fn heed(
    tx: &mut Tx,
    app: &App,
    external: &ExternalRef,
    asked: &Asked,
) -> Result<(&'static str, Option<String>)> {
    let Asked::Known { receipt, money, state, shortcode, .. } = asked else {
        return Ok(("unanswered", None));
    };
    let Some(before) = rows::find(tx, external).await? else { return Ok(("unanswered", None)) };
    // The escrow is locked before the collection, as by everybody.
    let heard = as_heard(tx, app, external, &before).await?;
    let matched = super::lock_named(tx, &heard.typed_ref).await?;
    let known = match rows::lock(tx, external).await? {
        Some(known) if known.waits() => known,
        _ => return Ok(("duplicate", None)),
    };
    let differs = if *receipt != external.id {
        Some(format!("the rail answers about {receipt}"))
    } else if money.minor() != known.amount {
        Some(format!("the rail knows it with {}", money.decimal()))
    } else if shortcode.as_ref().is_some_and(|code| code != app.config.mpesa.shortcode.as_str()) {
        Some("the rail knows it at another shortcode".to_owned())
    } else {
        match state.as_str() {
            "Completed" => None,
            "Initiated" | "Authorized" | "Authorized/Pending" | "Pending" => {
                return Ok(("unanswered", Some("it is under way still".to_owned())));
            }
            _ => Some("the rail does not know it as completed".to_owned()),
        }
    };
    if let Some(said) = differs {
        dispute(tx, app, external, (&known, &said)).await?;
        return Ok(("disputed", Some(said)));
    }
    match super::believe(tx, app, (external, &known), &heard, matched).await? {
        Verdict::Booked(reference) => Ok(("verified", Some(format!("booked for {reference}")))),
        _ => Ok(("verified", None)),
    }
}

/// The rail says something else than was booked: the money stays in suspense, and somebody has to look.
pub(super) async fn dispute(
    tx: &mut Tx,
    app: &App,
    external: &ExternalRef,
    (known, said): (&rows::Known, &str),
) -> std::result::Result<(), Fault> {
    rows::trust(tx, known.id, "disputed", Some(said)).await?;
    tracing::error!(receipt = external.id, said, "a confirmation is disputed by the rail");
    let body = json!({ "receipt": external.id, "said": said });
    let subject = format!("collection/{}", external.id);
    emit(tx, app, crate::flows::WORKER, (&subject, "deposit.disputed"), body).await
}

/// The payment as it was heard, from what is kept of it.
pub(super) async fn as_heard(
    tx: &mut Tx,
    app: &App,
    external: &ExternalRef,
    known: &rows::Known,
) -> Result<C2b> {
    let money = Money::new(app.config.book.asset(), known.amount);
    Ok(C2b {
        receipt: external.id.clone(),
        money: money.map_err(|_| Fault::Stored(format!("amount of collection {}", known.id)))?,
        shortcode: None,
        typed_ref: opened(tx, app, known.typed_ref.as_ref()).await?,
        payer: Payer::read(&opened(tx, app, known.payer.as_ref()).await?),
        at: None,
        kind: None,
        validation_id: None,
    })
}

/// Nothing, where the person was forgotten meanwhile.
async fn opened(tx: &mut Tx, app: &App, sealed: Option<&Sealed>) -> Result<String> {
    let Some(sealed) = sealed else { return Ok(String::new()) };
    match app.privacy.open(tx, sealed).await {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(Fault::Sealed(_)) => Ok(String::new()),
        Err(fault) => Err(Error::Fault(fault)),
    }
}
