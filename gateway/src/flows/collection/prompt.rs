//! Prompts on a customer's phone, to pay for an escrow.
//!
//! Invariant: a prompt is sent once; one whose sending got no answer is not sent again by itself, as the
//! customer would be asked twice. Whatever state it is in, money that comes for it is taken by its receipt.

use amana_adapters::mpesa::C2b;
use amana_adapters::mpesa::daraja::{self, Daraja, PromptEnd, read_callback};
use amana_adapters::port::{Msisdn, Outcome};
use amana_ledger::id::{EscrowRef, uuid_v7};
use amana_ledger::money::Money;
use chrono::TimeDelta;
use uuid::Uuid;

use super::{Door, Sighting, Verdict, rail, seen};
use crate::app::App;
use crate::db::Tx;
use crate::error::{Code, Fault, Refusal, Result};
use crate::flows::escrow::{State, Terms};
use crate::flows::store::rail::{self as rows, Became};
use crate::inbox::{Judged, Unjudged};
use crate::outbox::{self, Message};

/// Seconds until a prompt is tried again that was surely not sent: a line that is busy is free in a minute.
const AGAIN_S: i64 = 60;
/// How often a prompt is tried.
const TRIES: i32 = 5;

/// How long a prompt may stay on a phone, seconds; the rail refuses the same amount twice within two minutes.
const OPEN_S: u32 = 120;

/// Wishes for a prompt on the employer's own phone for what is due, whole shillings; its id and its amount.
///
/// # Errors
/// A refusal: no prompts are made here, nothing is due, one is open, the employer has no number.
pub async fn wish_due(tx: &mut Tx, app: &App, terms: &Terms, state: &State) -> Result<(Uuid, Money)> {
    let wrong = |why: &str| Refusal::new(Code::WrongState, why);
    if !app.daraja.as_ref().is_some_and(Daraja::may_prompt) {
        return Err(wrong("no prompts are made here: pay as the instructions say").into());
    }
    let due = Money::new(terms.book.asset(), state.due(terms)).ok().and_then(|due| due.split_whole().0);
    let Some(due) = due else { return Err(wrong("nothing is due that a prompt can ask for").into()) };
    let since = app.clock.now() - TimeDelta::seconds(i64::from(OPEN_S));
    if rows::has_open_prompt(tx, &terms.reference, since).await? {
        let why = "a prompt is on the phone: answer it, or wait two minutes";
        return Err(Refusal::new(Code::NotYet, why).retry_after(OPEN_S).into());
    }
    let phone = crate::people::phone(tx, app, terms.employer).await?;
    let phone = phone.ok_or_else(|| wrong("there is no number to prompt"))?;
    Ok((wish(tx, app, &terms.reference, (&phone, due)).await?, due))
}

/// Wishes for a prompt; its id.
///
/// # Errors
/// The database's.
pub async fn wish(
    tx: &mut Tx,
    app: &App,
    escrow: &EscrowRef,
    (phone, money): (&Msisdn, Money),
) -> std::result::Result<Uuid, Fault> {
    let id = uuid_v7(&*app.clock, &*app.rng);
    let party = crate::people::by_phone(tx, app, phone).await?;
    let sealed = app.privacy.seal_new(tx, party, phone.e164().as_bytes()).await?;
    rows::wish_prompt(tx, id, escrow, (money.minor(), sealed), app.clock.now()).await?;
    outbox::queue(tx, app, ("prompt_send", &id.to_string()), None, 0).await?;
    Ok(id)
}

/// Sends a prompt that is wished for.
///
/// # Errors
/// A fault; the message is taken up again, and finds the prompt sent with its answer lost.
pub async fn send(app: &App, message: &Message) -> Result<()> {
    let id = Uuid::parse_str(&message.subject).map_err(|_| Fault::Stored("the id of a prompt".into()))?;
    let mut tx = app.db.begin().await?;
    let wished = rows::prompt(&mut tx, id).await?.filter(|prompt| prompt.status == "wished");
    let (Some(prompt), Some(daraja)) = (wished, &app.daraja) else {
        outbox::done(&mut tx, app, message.id, ("done", Some("it was sent, or cannot be"))).await?;
        return Ok(tx.commit().await?);
    };
    let order = &order(&mut tx, app, &prompt).await?;
    // Sent from here on, as far as anybody can know who comes after a crash.
    rows::prompt_became(&mut tx, id, Became { status: "unknown", ..Became::default() }, app.clock.now())
        .await?;
    tx.commit().await?;
    let now = app.clock.now();
    let pushed = rail::under_token(app, daraja, |token| {
        Box::pin(async move { daraja.push(&token, order, now).await })
    })
    .await?;
    let mut tx = app.db.begin().await?;
    match pushed {
        Outcome::Done(pushed) => {
            let became = Became { status: "underway", checkout: Some(&pushed.checkout), ..Became::default() };
            rows::prompt_became(&mut tx, id, became, app.clock.now()).await?;
        }
        Outcome::Refused { code, reason } => {
            let reason = format!("{code} {reason}");
            let became = Became { status: "not_paid", reason: Some(&reason), ..Became::default() };
            rows::prompt_became(&mut tx, id, became, app.clock.now()).await?;
        }
        Outcome::NotSent { why } if message.attempts < TRIES => {
            let became = Became { status: "wished", reason: Some(&why), ..Became::default() };
            rows::prompt_became(&mut tx, id, became, app.clock.now()).await?;
            tx.commit().await?;
            return Ok(outbox::later(app, message.id, AGAIN_S, &why).await?);
        }
        Outcome::NotSent { why } => {
            let became = Became { status: "not_paid", reason: Some(&why), ..Became::default() };
            rows::prompt_became(&mut tx, id, became, app.clock.now()).await?;
        }
        Outcome::Unknown { why } => {
            let became = Became { status: "unknown", reason: Some(&why), ..Became::default() };
            rows::prompt_became(&mut tx, id, became, app.clock.now()).await?;
        }
    }
    outbox::done(&mut tx, app, message.id, ("done", None)).await?;
    Ok(tx.commit().await?)
}

async fn order(tx: &mut Tx, app: &App, prompt: &rows::Prompt) -> Result<daraja::Prompt> {
    let stored = |what: &str| Fault::Stored(format!("{what} of prompt {}", prompt.id));
    let phone = app.privacy.open(tx, &prompt.phone).await?;
    let phone = Msisdn::parse(&String::from_utf8_lossy(&phone)).map_err(|_| stored("phone"))?;
    let reference = EscrowRef::parse(&prompt.escrow).map_err(|_| stored("escrow"))?;
    Ok(daraja::Prompt {
        phone,
        money: Money::new(app.config.book.asset(), prompt.amount).map_err(|_| stored("amount"))?,
        // The whole reference does not fit; its tail is as good.
        reference: reference.tail().to_string(),
        text: "Escrow".to_owned(),
        callback_url: rail::door(app, prompt.id, "prompt"),
    })
}

/// Hears how a prompt ended.
///
/// # Errors
/// The database's or the ledger's trouble; it is judged again later.
pub async fn ended(tx: &mut Tx, app: &App, id: Uuid, (callback, raw): (&Unjudged, &[u8])) -> Result<Judged> {
    let subject = Some(format!("prompt/{id}"));
    let told = match read_callback(raw) {
        Ok(told) => told,
        Err(bad) => return Ok(Judged { verdict: "unreadable", reason: Some(bad.to_string()), subject }),
    };
    let Some(prompt) = rows::prompt(tx, id).await? else {
        let reason = Some("no prompt of ours has this address".to_owned());
        return Ok(Judged { verdict: "unknown_question", reason, subject });
    };
    let now = app.clock.now();
    match told.end {
        PromptEnd::Paid { receipt, money, payer, at } => {
            let heard = C2b {
                receipt: receipt.clone(),
                money,
                shortcode: None,
                typed_ref: prompt.escrow.clone(),
                payer,
                at,
                kind: None,
                validation_id: None,
            };
            let sighting = Sighting { door: Door::Prompt, callback: callback.id, own: Some(callback) };
            let verdict = seen(tx, app, sighting, &heard).await?;
            let became = Became { status: "paid", receipt: Some(&receipt), ..Became::default() };
            rows::prompt_became(tx, id, became, now).await?;
            let subject = match &verdict {
                Verdict::Booked(reference) => reference.to_string(),
                _ => receipt,
            };
            Ok(Judged { verdict: verdict.word(), reason: None, subject: Some(subject) })
        }
        PromptEnd::NotPaid { code, reason } if prompt.status != "paid" => {
            let reason = format!("{code} {reason}");
            let became = Became { status: "not_paid", reason: Some(&reason), ..Became::default() };
            rows::prompt_became(tx, id, became, now).await?;
            Ok(Judged { verdict: "not_paid", reason: Some(reason), subject })
        }
        _ => Ok(Judged { verdict: "no_receipt", reason: None, subject }),
    }
}
