//! Says what the outbox holds: text messages, payout instructions, questions about payouts.
//!
//! Invariant: no transaction is open while the other side is spoken to.

use amana_adapters::port::Outcome;

use crate::app::App;
use crate::error::{Error, Fault, Result};
use crate::flows::collection::{prompt, verify};
use crate::flows::pay::{self, Instruction};
use crate::flows::payout::Event;
use crate::outbox::{self, Message};

/// After so many tries a text message is given up and shown to ops.
const SMS_TRIES: i32 = 8;

/// How long until a message is said again whose answer was refused here, seconds.
const REFUSED_S: i64 = 60;

/// Says the next message that is due. `false` if there is none.
///
/// # Errors
/// A fault; the message is taken up again when its lease ends.
pub async fn next(app: &App) -> Result<bool> {
    let Some(message) = outbox::lease(app).await? else { return Ok(false) };
    let said = match message.kind.as_str() {
        "sms" => say_sms(app, &message).await,
        "payout_send" => send_payout(app, &message).await,
        "payout_ask" => ask_payout(app, &message).await,
        "payout_start" => start_payout(app, &message).await,
        "status_ask" => verify::ask(app, &message).await,
        "prompt_send" => prompt::send(app, &message).await,
        kind => {
            let mut tx = app.db.begin().await?;
            outbox::done(&mut tx, app, message.id, ("dead", Some(&format!("no way to say {kind}")))).await?;
            Ok(tx.commit().await?)
        }
    };
    match said {
        // The ledger cannot follow the rail's word yet: the float is too short for the tariff. The word comes
        // again, and the others do not wait for it.
        Err(Error::Refused(no)) => {
            tracing::error!(message = %message.id, code = ?no.code, reason = %no, "an answer is refused");
            outbox::later(app, message.id, REFUSED_S, &no.detail).await?;
        }
        said => said?,
    }
    Ok(true)
}

async fn say_sms(app: &App, message: &Message) -> Result<()> {
    let mut tx = app.db.begin().await?;
    let (to, text) = match message.text(&mut tx, app).await {
        Ok(text) => text,
        // Its person was forgotten, or the row is spoilt: it never opens again, and others wait behind it.
        Err(fault @ (Fault::Sealed(_) | Fault::Stored(_))) => {
            outbox::done(&mut tx, app, message.id, ("dead", Some(&fault.to_string()))).await?;
            return Ok(tx.commit().await?);
        }
        Err(fault) => return Err(fault.into()),
    };
    drop(tx);
    let (outcome, reason) = match app.sms.send(&to, &text, &message.id.to_string()).await {
        Outcome::Done(_) => ("done", None),
        Outcome::Refused { code, reason } => ("refused", Some(format!("{code}: {reason}"))),
        Outcome::Unknown { why } | Outcome::NotSent { why } if message.attempts < SMS_TRIES => {
            let wait = 1 << message.attempts.min(10);
            return Ok(outbox::later(app, message.id, wait, &why).await?);
        }
        Outcome::Unknown { why } | Outcome::NotSent { why } => ("dead", Some(why)),
    };
    let mut tx = app.db.begin().await?;
    outbox::done(&mut tx, app, message.id, (outcome, reason.as_deref())).await?;
    Ok(tx.commit().await?)
}

/// Sends a payout instruction. Leased before without an answer: the process died around the send, so the rail
/// may have it, and it counts as sent with the answer lost.
async fn send_payout(app: &App, message: &Message) -> Result<()> {
    let mut tx = app.db.begin().await?;
    let instruction = pay::instruction(&mut tx, app, &message.subject).await?;
    if matches!(instruction, Instruction::Moot) {
        outbox::done(&mut tx, app, message.id, ("done", Some("the rail has spoken meanwhile"))).await?;
        return Ok(tx.commit().await?);
    }
    drop(tx);
    let sent = match (message.attempts, instruction) {
        (_, Instruction::NoNumber) => Outcome::NotSent { why: "the beneficiary has no number".into() },
        (1, Instruction::Order(order)) => app.payouts.send(&order, app.clock.now()).await,
        _ => Outcome::Unknown { why: "the process stopped while sending".into() },
    };
    let mut tx = app.db.begin().await?;
    pay::happened(&mut tx, app, &message.subject, ("send", Event::Sent(sent))).await?;
    outbox::done(&mut tx, app, message.id, ("done", None)).await?;
    Ok(tx.commit().await?)
}

async fn ask_payout(app: &App, message: &Message) -> Result<()> {
    let answer = app.payouts.inquire(&message.subject, app.clock.now()).await;
    let mut tx = app.db.begin().await?;
    pay::happened(&mut tx, app, &message.subject, ("ask", Event::Answered(answer))).await?;
    outbox::done(&mut tx, app, message.id, ("done", None)).await?;
    Ok(tx.commit().await?)
}

async fn start_payout(app: &App, message: &Message) -> Result<()> {
    let mut tx = app.db.begin().await?;
    pay::start(&mut tx, app, &message.subject).await?;
    outbox::done(&mut tx, app, message.id, ("done", None)).await?;
    Ok(tx.commit().await?)
}
