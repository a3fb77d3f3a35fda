//! Applying for a job, thinking better of it, and seeing who applied.
//!
//! Invariant: an applicant is shown to the job's employer by id and short name; phone and email stay with us.

use std::fmt;
use std::str::FromStr;

use amana_ledger::id::{BadName, PartyId};
use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::{find, own, store, subject};
use crate::app::App;
use crate::db::Tx;
use crate::error::{Code, Refusal, Result};
use crate::events::{self, Actor};
use crate::people;
use crate::people::session::Caller;
use crate::trade::status::Status;

/// A standing application.
#[derive(Debug, Clone, Copy)]
pub struct Applied {
    /// For which job.
    pub job: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// Whether it was not standing before.
    pub new: bool,
}

/// Somebody who applied.
#[derive(Clone)]
pub struct Applicant {
    /// Who, at the edge.
    pub id: i64,
    /// Given name and an initial.
    pub name: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Where in the list.
    pub place: Place,
}

/// Applies for an open job. Doing it twice is doing it once.
///
/// # Errors
/// No such job for the caller; the job is not open any more.
pub async fn apply(tx: &mut Tx, app: &App, caller: &Caller, id: i64) -> Result<Applied> {
    store::lock(tx, id).await?;
    let job = find(tx, caller, id).await?;
    if job.status != Status::Open {
        return Err(Refusal::new(Code::WrongState, format!("job {id} is {}", job.status.word())).into());
    }
    let now = app.clock.now();
    let new = store::put_application(tx, id, caller.party, now).await?;
    if new {
        let body = json!({"job": id, "employee": caller.id});
        events::emit(tx, app, Actor::Party(caller.party), (&subject(id), "job.applied"), body).await?;
    }
    let at = store::application(tx, id, caller.party).await?.map_or(now, |row| row.applied_at);
    Ok(Applied { job: id, at, new })
}

/// Takes an application back, as long as the job is not the caller's.
///
/// # Errors
/// Never applied; assigned already.
pub async fn withdraw(tx: &mut Tx, app: &App, caller: &Caller, id: i64) -> Result<()> {
    store::lock(tx, id).await?;
    let job = find(tx, caller, id).await?;
    if store::application(tx, id, caller.party).await?.is_none() {
        return Err(Refusal::new(Code::NotFound, format!("you did not apply for job {id}")).into());
    }
    if job.employee == Some(caller.party) {
        return Err(Refusal::new(Code::WrongState, format!("job {id} is assigned to you")).into());
    }
    if store::withdraw(tx, id, caller.party, app.clock.now()).await? {
        let body = json!({"job": id, "employee": caller.id});
        events::emit(tx, app, Actor::Party(caller.party), (&subject(id), "job.withdrawn"), body).await?;
    }
    Ok(())
}

/// Where an applicant stands in the list: two may have come in the same microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(DateTime<Utc>, PartyId);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0.timestamp_micros(), self.1)
    }
}

impl FromStr for Place {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let bad = BadName("a place in a list of applicants");
        let (micros, party) = text.split_once('/').ok_or(bad)?;
        let at = micros.parse().ok().and_then(DateTime::from_timestamp_micros).ok_or(bad)?;
        Ok(Self(at, party.parse()?))
    }
}

/// Who applied for a job of the caller's, first come first, after the one at `after`.
///
/// # Errors
/// Not the caller's job.
pub async fn applicants(
    tx: &mut Tx,
    app: &App,
    caller: &Caller,
    (id, after): (i64, Option<Place>),
    most: i64,
) -> Result<Vec<Applicant>> {
    own(tx, caller, id).await?;
    let mut found = Vec::new();
    let after = after.map_or((DateTime::UNIX_EPOCH, PartyId(Uuid::nil())), |place| (place.0, place.1));
    for row in store::applications(tx, id, after, most).await? {
        if let Some(person) = people::person(tx, app, row.applicant).await? {
            let name = person.short_name();
            let place = Place(row.applied_at, row.applicant);
            found.push(Applicant { id: person.id, name, at: row.applied_at, place });
        }
    }
    Ok(found)
}
