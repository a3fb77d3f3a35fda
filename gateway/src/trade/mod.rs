//! Jobs: who posts them, who does them, and which flow each step starts.
//!
//! Invariant: a job and its escrow are made in one transaction, one to one. Every step a job takes is an
//! arrow of `status::ARROWS`. A job that is none of the caller's business does not exist for them.
//! Absent: money. Trade calls `flows` and never posts.

mod applications;
pub mod status;
mod store;
mod verbs;

use std::collections::HashMap;

use amana_ledger::id::{EscrowRef, PartyId};
use amana_ledger::money::Money;
use chrono::{DateTime, Utc};
use serde_json::json;

use crate::app::App;
use crate::db::Tx;
use crate::error::{Code, Fault, Refusal, Result};
use crate::events::{self, Actor};
use crate::flows::entrust::{self, NewEscrow, View};
use crate::people::session::Caller;
use crate::people::{self, Role};
use status::{Status, Step};

pub use applications::{Applicant, Applied, Place, applicants, apply, withdraw};
pub use verbs::{Ruling, Verb, act, preview, preview_resolve, resolve};

/// A job with its escrow.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its id at the edge.
    pub id: i64,
    /// Whose it is.
    pub employer: PartyId,
    /// Who does it, once assigned.
    pub employee: Option<PartyId>,
    /// In a line.
    pub title: String,
    /// In more.
    pub description: String,
    /// What is put into escrow for it.
    pub budget: Money,
    /// Where it stands.
    pub status: Status,
    /// Its escrow's reference, which the employer types into the paybill.
    pub reference: EscrowRef,
    /// Its escrow.
    pub escrow: View,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// When somebody was assigned.
    pub assigned_at: Option<DateTime<Utc>>,
    /// When the employer said it is done.
    pub completed_at: Option<DateTime<Utc>>,
}

/// What it takes to post a job.
pub struct NewJob {
    /// In a line.
    pub title: String,
    /// In more.
    pub description: String,
    /// What the work is worth.
    pub budget: Money,
}

/// Whom to assign.
#[derive(Debug, Clone, Copy)]
pub struct Assignment {
    /// The employee's id at the edge.
    pub employee: i64,
    /// Whether somebody may be assigned who did not apply.
    pub invite: bool,
}

/// Posts a job and opens its escrow.
///
/// # Errors
/// A refusal naming a field; the flow's.
pub async fn create(tx: &mut Tx, app: &App, caller: &Caller, new: NewJob) -> Result<Job> {
    let (title, description) = (new.title.trim(), new.description.trim());
    for (field, text, most) in [("title", title, 200), ("description", description, 10_000)] {
        if !(1..=most).contains(&text.chars().count()) {
            return Err(Refusal::field(field, format!("must be 1 to {most} characters")).into());
        }
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            return Err(Refusal::field(field, "has characters that cannot be shown").into());
        }
    }
    if !entrust::fits(new.budget) {
        return Err(Refusal::field("budget", "is more than an escrow can hold").into());
    }
    let row = store::NewRow {
        employer: caller.party,
        title,
        description,
        budget: new.budget.minor(),
        book: app.config.book.to_string(),
        at: app.clock.now(),
    };
    let id = store::insert(tx, row).await?;
    let opening = NewEscrow { job: Some(id), employer: caller.party, amount: new.budget };
    let actor = Actor::Party(caller.party);
    let reference = entrust::open(tx, app, actor, opening).await?;
    store::set_reference(tx, id, reference.as_str()).await?;
    let body = json!({"job": id, "escrow": reference.as_str(), "budget": new.budget.decimal()});
    events::emit(tx, app, actor, (&subject(id), "job.created"), body).await?;
    load(tx, id).await
}

/// A job the caller may see: employers their own, employees those they do or applied for, everybody an open
/// one.
///
/// # Errors
/// [`Code::NotFound`].
pub async fn find(tx: &mut Tx, caller: &Caller, id: i64) -> Result<Job> {
    let job = load(tx, id).await?;
    let theirs = match caller.role {
        Role::Employer => job.employer == caller.party,
        Role::Employee => {
            job.employee == Some(caller.party) || store::application(tx, id, caller.party).await?.is_some()
        }
        _ => true,
    };
    if theirs || job.status == Status::Open { Ok(job) } else { Err(unknown(id).into()) }
}

/// A job of this employer's own; also for those who look after money.
///
/// # Errors
/// [`Code::NotFound`] for everybody else's.
pub async fn own(tx: &mut Tx, caller: &Caller, id: i64) -> Result<Job> {
    let job = load(tx, id).await?;
    let watches = !matches!(caller.role, Role::Employer | Role::Employee);
    if job.employer == caller.party || watches { Ok(job) } else { Err(unknown(id).into()) }
}

/// Up to `most` jobs that concern the caller, newest first, older than `before`: an employer's own, an
/// employee's own and the funded ones they could apply for, all for the others.
///
/// # Errors
/// The database's.
pub async fn list(tx: &mut Tx, caller: &Caller, before: Option<i64>, most: usize) -> Result<Vec<Job>> {
    let (mut found, mut before) = (Vec::new(), before.unwrap_or(i64::MAX));
    // Whether an escrow is funded is another schema's to say, so unfunded ones are dropped after reading.
    // Bounded: each round reads 200 rows, and ten rounds without a full page mean a market that nobody pays
    // into.
    for _ in 0..10 {
        let rows = store::page(tx, store::Whose::of(caller), before, 200).await?;
        let Some(last) = rows.last().map(|row| row.id) else { break };
        before = last;
        let whole = rows.len() == 200;
        found.extend(with_escrows(tx, rows).await?.into_iter().filter(|job| concerns(caller, job)));
        if found.len() >= most || !whole {
            break;
        }
    }
    found.truncate(most);
    Ok(found)
}

/// The caller's own jobs, newest first: those an employer posted, those assigned to an employee.
///
/// # Errors
/// The database's.
pub async fn mine(tx: &mut Tx, caller: &Caller, most: i64) -> Result<Vec<Job>> {
    let whose = match caller.role {
        Role::Employer => store::Whose::Employer(caller.party),
        _ => store::Whose::Assigned(caller.party),
    };
    let rows = store::page(tx, whose, i64::MAX, most).await?;
    Ok(with_escrows(tx, rows).await?)
}

/// The open, funded jobs somebody could apply for, newest first.
///
/// # Errors
/// The database's.
pub async fn open_jobs(tx: &mut Tx, most: i64) -> Result<Vec<Job>> {
    let rows = store::page(tx, store::Whose::Open, i64::MAX, 200).await?;
    let jobs = with_escrows(tx, rows).await?.into_iter().filter(|job| job.escrow.state.is_funded());
    Ok(jobs.take(usize::try_from(most).unwrap_or(0)).collect())
}

/// Assigns an employee. In order while the job is open; the work begins as soon as the escrow is funded.
///
/// # Errors
/// Not the caller's job; a wrong state; nobody of that id; somebody who did not apply.
pub async fn assign(tx: &mut Tx, app: &App, caller: &Caller, id: i64, whom: Assignment) -> Result<Job> {
    let job = locked(tx, caller, id).await?;
    job.status.check(id, Step::Assign)?;
    let employee = whom.employee;
    let nobody = || Refusal::field("employee", format!("there is no employee {employee}"));
    let (party, role) = people::party_of(tx, employee).await?.ok_or_else(nobody)?;
    if role != Role::Employee {
        return Err(nobody().into());
    }
    let applied = store::application(tx, id, party).await?.is_some_and(|row| row.withdrawn_at.is_none());
    if !applied && !whom.invite {
        let why = format!(
            "employee {employee} did not apply for job {id}; to assign them anyway send invite: true"
        );
        let refusal = Refusal { field: Some("employee".into()), ..Refusal::new(Code::WrongState, why) };
        return Err(refusal.allowing(job.status.next_words()).into());
    }
    store::set_assigned(tx, id, party, app.clock.now()).await?;
    entrust::assign(tx, app, &job.reference, party).await?;
    load(tx, id).await
}

/// Says the work is done: the escrow is released and the employee paid.
///
/// # Errors
/// Not the caller's job; not in progress, not funded, nobody assigned; funding not final yet (retryable).
pub async fn complete(tx: &mut Tx, app: &App, caller: &Caller, id: i64) -> Result<Job> {
    let job = locked(tx, caller, id).await?;
    // Of an assigned job the flow knows more: whether the money is on its way to the chain, which makes a
    // "not yet" of what would be a "no" here.
    if job.status != Status::Assigned {
        job.status.check(id, Step::Complete)?;
    }
    entrust::complete(tx, app, &job.reference).await.map_err(|error| job.status.explain(error))?;
    store::set_completed(tx, id, app.clock.now()).await?;
    load(tx, id).await
}

/// Withdraws a job nobody has paid for.
///
/// # Errors
/// Not the caller's job; a wrong state; money came in already.
pub async fn cancel(tx: &mut Tx, app: &App, caller: &Caller, id: i64) -> Result<Job> {
    let job = locked(tx, caller, id).await?;
    job.status.check(id, Step::Cancel)?;
    entrust::cancel_unfunded(tx, app, &job.reference).await.map_err(|error| job.status.explain(error))?;
    store::set_cancelled(tx, id, app.clock.now()).await?;
    load(tx, id).await
}

/// Of the jobs read for a caller, those to show: an employee sees what they could apply for once it is paid
/// for.
fn concerns(caller: &Caller, job: &Job) -> bool {
    let browsing = caller.role == Role::Employee && job.employee != Some(caller.party);
    !browsing || job.status != Status::Open || job.escrow.state.is_funded()
}

/// The employer's own job, locked until the transaction ends, so that of two callers one comes second.
async fn locked(tx: &mut Tx, caller: &Caller, id: i64) -> Result<Job> {
    store::lock(tx, id).await?;
    let job = load(tx, id).await?;
    if job.employer == caller.party { Ok(job) } else { Err(unknown(id).into()) }
}

async fn load(tx: &mut Tx, id: i64) -> Result<Job> {
    let row = store::by_id(tx, id).await?.ok_or_else(|| unknown(id))?;
    let mut jobs = with_escrows(tx, vec![row]).await?;
    Ok(jobs.pop().ok_or_else(|| unknown(id))?)
}

async fn with_escrows(tx: &mut Tx, rows: Vec<store::Row>) -> Result<Vec<Job>, Fault> {
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let views = entrust::views_of(tx, &ids).await?;
    let mut views: HashMap<i64, View> =
        views.into_iter().filter_map(|view| Some((view.terms.job?, view))).collect();
    let mut jobs = Vec::with_capacity(rows.len());
    for row in rows {
        let escrow = views.remove(&row.id);
        let escrow = escrow.ok_or_else(|| Fault::Stored(format!("job {} has no escrow", row.id)))?;
        jobs.push(row.with(escrow)?);
    }
    Ok(jobs)
}

fn unknown(id: i64) -> Refusal {
    Refusal::new(Code::NotFound, format!("no job {id}"))
}

fn subject(id: i64) -> String {
    format!("job/{id}")
}
