//! What a party may ask of a job beside doing it: to withdraw it, or to object.
//!
//! Invariant: a preview asks the same questions as the act and writes nothing. Absent: money; the escrow's
//! flow decides what moves.

use super::{Job, Step, cancel, load, locked, store, unknown};
use crate::app::App;
use crate::db::Tx;
use crate::error::Result;
use crate::flows::entrust::{self, Preview};
use crate::flows::escrow::{Event, Side};
use crate::people::session::Caller;

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// The employer withdraws a job that is not funded.
    Cancel,
    /// Employer or employee object: the money is frozen until somebody decides.
    Dispute,
}

impl Verb {
    /// The verb of a word in a path.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "cancel" => Some(Self::Cancel),
            "dispute" => Some(Self::Dispute),
            _ => None,
        }
    }
}

/// Does it.
///
/// # Errors
/// Not the caller's job; a wrong state; a deposit that the chain has not confirmed yet (retryable).
pub async fn act(tx: &mut Tx, app: &App, caller: &Caller, id: i64, verb: Verb) -> Result<Job> {
    if verb == Verb::Cancel {
        return cancel(tx, app, caller, id).await;
    }
    let (job, side) = objecting(tx, caller, id).await?;
    entrust::dispute(tx, app, &job.reference, side).await.map_err(|error| job.status.explain(error))?;
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
    };
    entrust::preview(tx, app, &job.reference, event).await.map_err(|error| job.status.explain(error))
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
