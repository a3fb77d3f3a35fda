//! What can be asked of a job beside doing it: its parties withdraw it, or object; who is neither decides.
//!
//! Invariant: a preview asks the same questions as the act and writes nothing. Absent: money; the escrow's
//! flow decides what moves.

use super::{Job, Step, cancel, load, locked, store, unknown};
use crate::app::App;
use crate::db::Tx;
use crate::error::{Code, Refusal, Result};
use crate::flows::entrust::{self, Preview};
use crate::flows::escrow::{Decision, Event, Side, Split};
use crate::people::session::Caller;

/// What a party can ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// The employer withdraws a job that is not funded.
    Cancel,
    /// Employer or employee object: the money is frozen until somebody decides.
    Dispute,
    /// The employer wants back what was not released within its escrow's time.
    Refund,
}

impl Verb {
    /// The verb of a word in a path.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "cancel" => Some(Self::Cancel),
            "dispute" => Some(Self::Dispute),
            "refund" => Some(Self::Refund),
            _ => None,
        }
    }
}

/// Does it.
///
/// # Errors
/// Not the caller's job; a wrong state; a deposit that the chain has not confirmed yet (retryable).
pub async fn act(tx: &mut Tx, app: &App, caller: &Caller, id: i64, verb: Verb) -> Result<Job> {
    let (job, done) = match verb {
        Verb::Cancel => return cancel(tx, app, caller, id).await,
        Verb::Dispute => {
            let (job, side) = objecting(tx, caller, id).await?;
            let done = entrust::dispute(tx, app, &job.reference, side).await;
            (job, done)
        }
        Verb::Refund => {
            let job = locked(tx, caller, id).await?;
            let done = entrust::refund_expired(tx, app, &job.reference).await;
            (job, done)
        }
    };
    done.map_err(|error| job.status.explain(error))?;
    load(tx, id).await
}

/// Tells what it would do.
///
/// # Errors
/// Those of [`act`].
pub async fn preview(tx: &mut Tx, app: &App, caller: &Caller, id: i64, verb: Verb) -> Result<Preview> {
    let (job, event) = match verb {
        Verb::Cancel => {
            let job = locked(tx, caller, id).await?;
            job.status.check(id, Step::Cancel)?;
            (job, Event::Cancel)
        }
        Verb::Dispute => {
            let (job, side) = objecting(tx, caller, id).await?;
            (job, Event::Dispute(side))
        }
        Verb::Refund => (locked(tx, caller, id).await?, Event::Expire),
    };
    entrust::preview(tx, app, &job.reference, event).await.map_err(|error| job.status.explain(error))
}

/// What somebody who is no party of a disputed job decides about it.
#[derive(Debug, Clone)]
pub struct Ruling {
    /// Who gets what.
    pub split: Split,
    /// Why.
    pub reason: String,
}

/// Decides a dispute. The arbiter's process says it on the chain.
///
/// # Errors
/// No such job, or the caller is a party of it; nothing is disputed, or it is decided already; a field is
/// wrong; the chain has not confirmed the dispute yet (retryable).
pub async fn resolve(tx: &mut Tx, app: &App, caller: &Caller, id: i64, ruling: Ruling) -> Result<Job> {
    let (job, decision) = deciding(tx, caller, id, ruling).await?;
    let decided = entrust::decide(tx, app, &job.reference, &decision).await;
    decided.map_err(|error| job.status.explain(error))?;
    load(tx, id).await
}

/// Tells what it would do.
///
/// # Errors
/// Those of [`resolve`].
pub async fn preview_resolve(
    tx: &mut Tx,
    app: &App,
    caller: &Caller,
    id: i64,
    ruling: Ruling,
) -> Result<Preview> {
    let (job, decision) = deciding(tx, caller, id, ruling).await?;
    let told = entrust::preview_decision(tx, app, &job.reference, &decision).await;
    told.map_err(|error| job.status.explain(error))
}

/// The job, locked, and the decision as that of somebody who has no part in it.
async fn deciding(tx: &mut Tx, caller: &Caller, id: i64, ruling: Ruling) -> Result<(Job, Decision)> {
    store::lock(tx, id).await?;
    let job = load(tx, id).await?;
    if [Some(job.employer), job.employee].contains(&Some(caller.party)) {
        let why = format!("a party of job {id} does not decide about it");
        return Err(Refusal::new(Code::Forbidden, why).into());
    }
    let Ruling { split, reason } = ruling;
    Ok((job, Decision { by: caller.party, split, reason }))
}

/// The job, locked, and on which side of it the caller stands.
async fn objecting(tx: &mut Tx, caller: &Caller, id: i64) -> Result<(Job, Side)> {
    store::lock(tx, id).await?;
    let job = load(tx, id).await?;
    if job.employer == caller.party {
        Ok((job, Side::Employer))
    } else if job.employee == Some(caller.party) {
        Ok((job, Side::Employee))
    } else {
        Err(unknown(id).into())
    }
}
