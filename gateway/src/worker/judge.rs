//! Judges callbacks: what was stored raw is read, and what follows from it is done in the same transaction.
//!
//! Invariant: a callback that cannot be read, or that contradicts what we know, ends with a verdict that ops
//! can see.

use amana_adapters::intersend::HEADERS;
use amana_adapters::mpesa::read_confirmation;

use uuid::Uuid;

use crate::app::App;
use crate::db::Tx;
use crate::error::{Code, Error, Result};
use crate::flows::collection::{self, Door, Sighting, Verdict, prompt, verify};
use crate::flows::{entrust, pay};
use crate::inbox::{self, ANSWER, C2B, Judged, PAYOUT, PROMPT, PULL, STATEMENT, Unjudged};
use crate::recon::listed;

/// Judges the oldest callback nobody has judged. `false` if there is none.
///
/// # Errors
/// A fault; the callback stays unjudged and is taken up again.
pub async fn next(app: &App) -> Result<bool> {
    let mut tx = app.db.begin().await?;
    let Some(callback) = inbox::next_unjudged(&mut tx, app).await? else { return Ok(false) };
    match judge(&mut tx, app, &callback).await {
        Ok(judged) => {
            inbox::judged(&mut tx, app, callback.id, &judged).await?;
            tx.commit().await?;
            Ok(true)
        }
        Err(trouble) => {
            drop(tx);
            let mut tx = app.db.begin().await?;
            inbox::put_back(&mut tx, app, callback.id).await?;
            tx.commit().await?;
            let Error::Refused(no) = trouble else { return Err(trouble) };
            // About this one alone: the others do not wait for it.
            tracing::error!(callback = %callback.id, code = ?no.code, reason = %no, "a callback is refused");
            Ok(true)
        }
    }
}

async fn judge(tx: &mut Tx, app: &App, callback: &Unjudged) -> Result<Judged> {
    let raw = callback.raw(tx, app).await?;
    match callback.source.as_str() {
        C2B => c2b(tx, app, callback, &raw).await,
        PROMPT => prompt::ended(tx, app, about(callback), (callback, &raw)).await,
        // It did not come in time: the question is asked again anyway.
        ANSWER if callback.headers["end"] == "late" => {
            Ok(Judged { verdict: "late", reason: None, subject: Some(about(callback).to_string()) })
        }
        ANSWER => verify::answered(tx, app, about(callback), &raw).await,
        PULL => listed::take_pulled(tx, app, callback, &raw).await,
        STATEMENT => listed::take_statement(tx, app, callback, raw).await,
        PAYOUT => payout(tx, app, callback, &raw).await,
        source => Ok(unreadable(format!("nobody judges {source}"))),
    }
}

/// The id in the address it was posted to.
fn about(callback: &Unjudged) -> Uuid {
    callback.headers["about"].as_str().and_then(|id| Uuid::parse_str(id).ok()).unwrap_or_default()
}

fn unreadable(reason: String) -> Judged {
    Judged { verdict: "unreadable", reason: Some(reason), subject: None }
}

async fn c2b(tx: &mut Tx, app: &App, callback: &Unjudged, raw: &[u8]) -> Result<Judged> {
    let heard = match read_confirmation(raw) {
        Ok(heard) => heard,
        Err(bad) => return Ok(unreadable(bad.to_string())),
    };
    // No payment is that large, and a float that once counted it could take no other.
    if !entrust::fits(heard.money) {
        return Ok(unreadable("TransAmount is more than the chain can count".into()));
    }
    let verdict = {
        let sighting = Sighting { door: Door::Confirmation, callback: callback.id, own: Some(callback) };
        collection::seen(tx, app, sighting, &heard).await?
    };
    let reason = match &verdict {
        Verdict::Contradiction => Some("TransAmount: not the amount this receipt was booked with".into()),
        Verdict::WrongShortcode => Some("BusinessShortCode: not ours".into()),
        _ => None,
    };
    let subject = match &verdict {
        Verdict::Booked(reference) => reference.to_string(),
        _ => heard.receipt.clone(),
    };
    Ok(Judged { verdict: verdict.word(), reason, subject: Some(subject) })
}

/// The signature is checked again, as of when it was heard: the row may be older than the door that let it
/// in.
async fn payout(tx: &mut Tx, app: &App, callback: &Unjudged, raw: &[u8]) -> Result<Judged> {
    let header = |name: &str| callback.headers[name].as_str().unwrap_or_default();
    let (timestamp, signature) = (header(HEADERS.0), header(HEADERS.1));
    let status = match app.payouts.heard(timestamp, signature, raw, callback.heard_at) {
        Ok(status) => status,
        Err(bad) => return Ok(unreadable(bad.to_string())),
    };
    let subject = Some(status.reference.clone());
    match pay::told(tx, app, status).await {
        Ok(()) => Ok(Judged { verdict: "applied", reason: None, subject }),
        Err(Error::Refused(no)) if no.code == Code::NotFound => {
            Ok(Judged { verdict: "unknown_payout", reason: Some(no.detail), subject })
        }
        Err(other) => Err(other),
    }
}
