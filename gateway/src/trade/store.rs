//! The rows of schema `trade`: jobs and applications.

use amana_ledger::chart::BookId;
use amana_ledger::id::{EscrowRef, PartyId};
use amana_ledger::money::Money;
use chrono::{DateTime, Utc};

use crate::db::Tx;
use crate::error::Fault;
use crate::flows::entrust::View;
use crate::people::Role;
use crate::people::session::Caller;
use crate::trade::Job;
use crate::trade::status::Status;

pub(super) struct NewRow<'a> {
    pub(super) employer: PartyId,
    pub(super) title: &'a str,
    pub(super) description: &'a str,
    pub(super) budget: i64,
    pub(super) book: String,
    pub(super) at: DateTime<Utc>,
}

pub(super) struct Row {
    pub(super) id: i64,
    employer: PartyId,
    employee: Option<PartyId>,
    title: String,
    description: String,
    budget: i64,
    book: String,
    status: String,
    escrow_contract_id: Option<String>,
    created_at: DateTime<Utc>,
    assigned_at: Option<DateTime<Utc>>,
    completed_at: Option<DateTime<Utc>>,
}

impl Row {
    /// The job, given its escrow.
    pub(super) fn with(self, escrow: View) -> Result<Job, Fault> {
        let unreadable = |what: &str| Fault::Stored(format!("job {}: unreadable {what}", self.id));
        let book: BookId = self.book.parse().map_err(|_| unreadable("book"))?;
        let stored = Status::parse(&self.status).ok_or_else(|| unreadable("status"))?;
        let reference = self.escrow_contract_id.as_deref().unwrap_or("");
        Ok(Job {
            budget: Money::new(book.asset(), self.budget).map_err(|_| unreadable("budget"))?,
            status: stored.with(escrow.state.status()),
            reference: EscrowRef::parse(reference).map_err(|_| unreadable("escrow"))?,
            id: self.id,
            employer: self.employer,
            employee: self.employee,
            title: self.title,
            description: self.description,
            escrow,
            created_at: self.created_at,
            assigned_at: self.assigned_at,
            completed_at: self.completed_at,
        })
    }
}

pub(super) async fn insert(tx: &mut Tx, new: NewRow<'_>) -> Result<i64, Fault> {
    Ok(sqlx::query_scalar!(
        "insert into trade.job (employer, title, description, budget, book, created_at)
         values ($1, $2, $3, $4, $5, $6) returning id",
        new.employer as PartyId,
        new.title,
        new.description,
        new.budget,
        new.book,
        new.at
    )
    .fetch_one(&mut **tx)
    .await?)
}

pub(super) async fn set_reference(tx: &mut Tx, id: i64, reference: &str) -> Result<(), Fault> {
    sqlx::query!("update trade.job set escrow_contract_id = $2 where id = $1", id, reference)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Holds the job until the transaction ends, if there is such a job.
pub(super) async fn lock(tx: &mut Tx, id: i64) -> Result<(), Fault> {
    sqlx::query!("select id from trade.job where id = $1 for update", id).fetch_optional(&mut **tx).await?;
    Ok(())
}

macro_rules! jobs_where {
    ($condition:literal, $($value:expr),*) => {
        sqlx::query_as!(
            Row,
            r#"select id, employer as "employer: PartyId", employee as "employee: PartyId", title,
                      description, budget, book, status, escrow_contract_id, created_at,
                      assigned_at, completed_at
               from trade.job where "# + $condition,
            $($value),*
        )
    };
}

pub(super) async fn by_id(tx: &mut Tx, id: i64) -> Result<Option<Row>, Fault> {
    Ok(jobs_where!("id = $1", id).fetch_optional(&mut **tx).await?)
}

/// Which jobs a list is of.
#[derive(Debug, Clone, Copy)]
pub(super) enum Whose {
    Employer(PartyId),
    /// Theirs, those they applied for, and the open ones.
    Employee(PartyId),
    /// Theirs alone.
    Assigned(PartyId),
    Open,
    All,
}

impl Whose {
    pub(super) fn of(caller: &Caller) -> Self {
        match caller.role {
            Role::Employer => Self::Employer(caller.party),
            Role::Employee => Self::Employee(caller.party),
            _ => Self::All,
        }
    }
}

/// Up to `most` jobs with ids below `before`, newest first.
pub(super) async fn page(tx: &mut Tx, whose: Whose, before: i64, most: i64) -> Result<Vec<Row>, Fault> {
    let rows = match whose {
        Whose::All => {
            jobs_where!("id < $1 order by id desc limit $2", before, most).fetch_all(&mut **tx).await?
        }
        Whose::Open => {
            jobs_where!("id < $1 and status = 'open' order by id desc limit $2", before, most)
                .fetch_all(&mut **tx)
                .await?
        }
        Whose::Employer(party) => {
            jobs_where!("id < $1 and employer = $3 order by id desc limit $2", before, most, party as PartyId)
                .fetch_all(&mut **tx)
                .await?
        }
        Whose::Assigned(party) => {
            jobs_where!("id < $1 and employee = $3 order by id desc limit $2", before, most, party as PartyId)
                .fetch_all(&mut **tx)
                .await?
        }
        Whose::Employee(party) => {
            jobs_where!(
                "id < $1 and (status = 'open' or employee = $3
                   or exists (select from trade.application a where a.job = id and a.applicant = $3))
                 order by id desc limit $2",
                before,
                most,
                party as PartyId
            )
            .fetch_all(&mut **tx)
            .await?
        }
    };
    Ok(rows)
}

pub(super) async fn set_assigned(
    tx: &mut Tx,
    id: i64,
    employee: PartyId,
    at: DateTime<Utc>,
) -> Result<(), Fault> {
    sqlx::query!(
        "update trade.job set status = 'assigned', employee = $2, assigned_at = $3 where id = $1",
        id,
        employee as PartyId,
        at
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn set_completed(tx: &mut Tx, id: i64, at: DateTime<Utc>) -> Result<(), Fault> {
    sqlx::query!("update trade.job set status = 'completed', completed_at = $2 where id = $1", id, at)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

pub(super) async fn set_cancelled(tx: &mut Tx, id: i64, at: DateTime<Utc>) -> Result<(), Fault> {
    sqlx::query!("update trade.job set status = 'cancelled', cancelled_at = $2 where id = $1", id, at)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

pub(super) struct Application {
    pub(super) applicant: PartyId,
    pub(super) applied_at: DateTime<Utc>,
    pub(super) withdrawn_at: Option<DateTime<Utc>>,
}

pub(super) async fn application(
    tx: &mut Tx,
    job: i64,
    applicant: PartyId,
) -> Result<Option<Application>, Fault> {
    Ok(sqlx::query_as!(
        Application,
        r#"select applicant as "applicant: PartyId", applied_at, withdrawn_at from trade.application
           where job = $1 and applicant = $2"#,
        job,
        applicant as PartyId
    )
    .fetch_optional(&mut **tx)
    .await?)
}

/// Writes an application, also one that was withdrawn before; says whether it is new.
pub(super) async fn put_application(
    tx: &mut Tx,
    job: i64,
    applicant: PartyId,
    at: DateTime<Utc>,
) -> Result<bool, Fault> {
    let done = sqlx::query!(
        "insert into trade.application as a (job, applicant, applied_at) values ($1, $2, $3)
         on conflict (job, applicant) do update set applied_at = $3, withdrawn_at = null
         where a.withdrawn_at is not null",
        job,
        applicant as PartyId,
        at
    )
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn withdraw(
    tx: &mut Tx,
    job: i64,
    applicant: PartyId,
    at: DateTime<Utc>,
) -> Result<bool, Fault> {
    let done = sqlx::query!(
        "update trade.application set withdrawn_at = $3
         where job = $1 and applicant = $2 and withdrawn_at is null",
        job,
        applicant as PartyId,
        at
    )
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The standing applications for a job, in the order in which they came, after the one at `after`.
pub(super) async fn applications(
    tx: &mut Tx,
    job: i64,
    after: (DateTime<Utc>, PartyId),
    most: i64,
) -> Result<Vec<Application>, Fault> {
    Ok(sqlx::query_as!(
        Application,
        r#"select applicant as "applicant: PartyId", applied_at, withdrawn_at from trade.application
           where job = $1 and withdrawn_at is null
             and (applied_at, applicant) > ($2, $3)
           order by applied_at, applicant limit $4"#,
        job,
        after.0,
        after.1 as PartyId,
        most
    )
    .fetch_all(&mut **tx)
    .await?)
}
