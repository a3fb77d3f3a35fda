//! `/api/jobs/…`: posting jobs, applying, assigning, completing.
//!
//! Absent: which step is legal (`trade/status.rs`) and how to pay in which language (`trade` knows the
//! amounts, the words stand in `instructions.rs`).

use std::collections::HashMap;

use amana_ledger::id::PartyId;
use amana_ledger::money::{Money, decimal};
use axum::Json;
use axum::extract::State;
use axum::http::header::{ACCEPT_LANGUAGE, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::instructions::{Instructions, instructions};
use super::people::time;
use crate::db::Tx;
use crate::error::{Code, Fault, Refusal};
use crate::http::Shared;
use crate::http::body::{Body, Id, Query};
use crate::http::page::{Page, PageQuery};
use crate::http::problem::{Answer, Problem};
use crate::people::session::Caller;
use crate::people::{self, Language, Role};
use crate::trade::status::Status;
use crate::trade::{self, Assignment, Job, NewJob, Place};

/// A job to be posted.
#[derive(Deserialize, ToSchema)]
pub(crate) struct JobForm {
    /// In a line.
    #[schema(example = "Website Development")]
    title: String,
    /// In more.
    #[schema(example = "Build a responsive website")]
    description: String,
    /// What the work is worth, a decimal in the book's currency.
    #[schema(example = "50000.00")]
    budget: String,
}

/// A change to a job: whom to assign, or which status it is to have.
#[derive(Deserialize, ToSchema)]
pub(crate) struct JobChange {
    /// The employee's id.
    employee: Option<i64>,
    /// Assign also somebody who did not apply.
    invite: Option<bool>,
    /// `assigned` (with `employee`), `completed` or `cancelled`.
    status: Option<String>,
}

/// A job.
#[derive(Serialize, ToSchema)]
#[schema(as = Job)]
pub(crate) struct JobView {
    /// Its id.
    #[schema(example = 1)]
    id: i64,
    /// In a line.
    title: String,
    /// In more.
    description: String,
    /// What is put into escrow.
    #[schema(example = "50000.00")]
    budget: String,
    /// The currency.
    #[schema(example = "KES")]
    currency: &'static str,
    /// What the platform keeps of it at release.
    #[schema(example = "0.00")]
    fee: String,
    /// `open`, `assigned`, `in_progress`, `completed`, `cancelled`.
    #[schema(example = "open")]
    status: &'static str,
    /// What the employer types as account number at the paybill.
    #[schema(example = "ESCROW_7K3M9QX2A")]
    escrow_contract_id: String,
    /// `pending_deposit`, `partially_funded`, `funded`, `in_progress`, `completed`, `released`, `disputed`,
    /// `resolved`, `refunded`, `cancelled`.
    #[schema(example = "pending_deposit")]
    escrow_status: &'static str,
    /// Whether the whole amount lies on chain, not released.
    is_funded: bool,
    /// When the chain confirmed the whole amount.
    funded_at: Option<String>,
    /// Whose job it is.
    employer: Option<i64>,
    /// Who does it.
    employee: Option<i64>,
    /// Since when.
    created_at: String,
    /// When somebody was assigned.
    assigned_at: Option<String>,
    /// When the employer said it is done.
    completed_at: Option<String>,
}

/// An application, as the applicant sees it.
#[derive(Serialize, ToSchema)]
pub(crate) struct ApplicationView {
    /// For which job.
    job: i64,
    /// Whose.
    employee: i64,
    /// When.
    applied_at: String,
}

/// Somebody who applied, as the employer sees them.
#[derive(Serialize, ToSchema)]
pub(crate) struct ApplicantView {
    /// Their id, for `{"employee": …}`.
    employee: i64,
    /// Given name and an initial.
    name: String,
    /// When.
    applied_at: String,
    /// Where the next page would begin.
    #[serde(skip)]
    place: Place,
}

/// In which language.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct LanguageQuery {
    /// `en` or `sw`; else what `Accept-Language` says, else what the caller chose.
    lang: Option<String>,
}

/// Lists jobs: employers see their own, employees the funded open ones and their own, staff all.
#[utoipa::path(get, path = "/api/jobs/", tag = "jobs", params(PageQuery),
    responses((status = 200, body = Page<JobView>)))]
pub(in crate::http) async fn list(
    State(app): State<Shared>,
    caller: Caller,
    Query(page): Query<PageQuery>,
) -> Answer<Page<JobView>> {
    let (limit, before) = (page.limit()?, page.after(&app, "jobs")?);
    let mut tx = app.db.begin().await?;
    let jobs = trade::list(&mut tx, &caller, before, limit + 1).await?;
    let views = shown(&mut tx, jobs).await?;
    Ok(Page::of(&app, "jobs", limit, views, |job| job.id))
}

/// Posts a job and opens its escrow.
#[utoipa::path(post, path = "/api/jobs/", tag = "jobs", request_body = JobForm,
    responses((status = 201, body = JobView)))]
pub(in crate::http) async fn create(
    State(app): State<Shared>,
    caller: Caller,
    Body(form): Body<JobForm>,
) -> Answer<(StatusCode, [(axum::http::HeaderName, String); 1], Json<JobView>)> {
    let budget = Money::parse_decimal(app.config.book.asset(), &form.budget)
        .map_err(|bad| Refusal::field("budget", bad.to_string()))?;
    let mut tx = app.db.begin().await?;
    let new = NewJob { title: form.title, description: form.description, budget };
    let job = trade::create(&mut tx, &app, &caller, new).await?;
    let view = one(&mut tx, job).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, [(LOCATION, format!("/api/jobs/{}/", view.id))], Json(view)))
}

/// Shows a job.
#[utoipa::path(get, path = "/api/jobs/{id}/", tag = "jobs", params(("id" = i64, Path)),
    responses((status = 200, body = JobView)))]
pub(in crate::http) async fn detail(
    State(app): State<Shared>,
    caller: Caller,
    Id(id): Id,
) -> Answer<Json<JobView>> {
    let mut tx = app.db.begin().await?;
    let job = trade::find(&mut tx, &caller, id).await?;
    Ok(Json(one(&mut tx, job).await?))
}

/// Assigns an employee, or changes the status.
#[utoipa::path(patch, path = "/api/jobs/{id}/", tag = "jobs",
    params(("id" = i64, Path)), request_body = JobChange,
    responses((status = 200, body = JobView)))]
pub(in crate::http) async fn change(
    State(app): State<Shared>,
    caller: Caller,
    Id(id): Id,
    Body(change): Body<JobChange>,
) -> Answer<Json<JobView>> {
    let status = match change.status.as_deref().map(|word| Status::parse(word).ok_or(())) {
        Some(Err(())) => {
            let words = Status::ALL.map(Status::word).join(", ");
            return Err(Refusal::field("status", format!("must be one of {words}")).into());
        }
        Some(Ok(status)) => Some(status),
        None => None,
    };
    let mut tx = app.db.begin().await?;
    // Before anything is said of the body: whether the job is the caller's.
    let job = trade::own(&mut tx, &caller, id).await?;
    let job = match (change.employee, status) {
        (Some(employee), None | Some(Status::Assigned | Status::InProgress)) => {
            let whom = Assignment { employee, invite: change.invite.unwrap_or(false) };
            trade::assign(&mut tx, &app, &caller, id, whom).await?
        }
        (None, Some(Status::Completed)) => trade::complete(&mut tx, &app, &caller, id).await?,
        (None, Some(Status::Cancelled)) => trade::cancel(&mut tx, &app, &caller, id).await?,
        (None, Some(status)) if status == job.status => job,
        (None, Some(Status::Assigned)) if job.status == Status::Open => {
            return Err(Refusal::field("employee", "is required to assign the job").into());
        }
        (_, Some(_)) => return Err(job.status.refuse(id).into()),
        (None, None) => return Err(Refusal::field("employee", "is required, or status").into()),
    };
    let view = one(&mut tx, job).await?;
    tx.commit().await?;
    Ok(Json(view))
}

/// Applies for an open job.
#[utoipa::path(post, path = "/api/jobs/{id}/apply/", tag = "jobs", params(("id" = i64, Path)),
    responses((status = 201, body = ApplicationView),
        (status = 200, description = "applied before", body = ApplicationView)))]
pub(in crate::http) async fn apply(
    State(app): State<Shared>,
    caller: Caller,
    Id(id): Id,
) -> Answer<(StatusCode, Json<ApplicationView>)> {
    let mut tx = app.db.begin().await?;
    let applied = trade::apply(&mut tx, &app, &caller, id).await?;
    tx.commit().await?;
    let status = if applied.new { StatusCode::CREATED } else { StatusCode::OK };
    let view = ApplicationView { job: id, employee: caller.id, applied_at: time(applied.at) };
    Ok((status, Json(view)))
}

/// Takes an application back.
#[utoipa::path(post, path = "/api/jobs/{id}/withdraw/", tag = "jobs", params(("id" = i64, Path)),
    responses((status = 204)))]
pub(in crate::http) async fn withdraw(
    State(app): State<Shared>,
    caller: Caller,
    Id(id): Id,
) -> Answer<StatusCode> {
    let mut tx = app.db.begin().await?;
    trade::withdraw(&mut tx, &app, &caller, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists who applied.
#[utoipa::path(get, path = "/api/jobs/{id}/applicants/", tag = "jobs", params(("id" = i64, Path), PageQuery),
    responses((status = 200, body = Page<ApplicantView>)))]
pub(in crate::http) async fn applicants(
    State(app): State<Shared>,
    caller: Caller,
    Id(id): Id,
    Query(page): Query<PageQuery>,
) -> Answer<Page<ApplicantView>> {
    let list = format!("applicants:{id}");
    let (limit, after) = (page.limit()?, page.after(&app, &list)?);
    let mut tx = app.db.begin().await?;
    let most = i64::try_from(limit).unwrap_or(100) + 1;
    let found = trade::applicants(&mut tx, &app, &caller, (id, after), most).await?;
    let rows = found.into_iter().map(|applicant| ApplicantView {
        employee: applicant.id,
        name: applicant.name,
        applied_at: time(applicant.at),
        place: applicant.place,
    });
    Ok(Page::of(&app, &list, limit, rows.collect(), |row| row.place))
}

/// Says the work is done: releases the escrow and pays the employee.
#[utoipa::path(post, path = "/api/jobs/{id}/complete/", tag = "jobs", params(("id" = i64, Path)),
    responses((status = 200, body = JobView)))]
pub(in crate::http) async fn complete(
    State(app): State<Shared>,
    caller: Caller,
    Id(id): Id,
) -> Answer<Json<JobView>> {
    let mut tx = app.db.begin().await?;
    let job = trade::complete(&mut tx, &app, &caller, id).await?;
    let view = one(&mut tx, job).await?;
    tx.commit().await?;
    Ok(Json(view))
}

/// Tells the employer how to pay.
#[utoipa::path(get, path = "/api/jobs/{id}/payment-instructions/", tag = "jobs",
    params(("id" = i64, Path), LanguageQuery),
    responses((status = 200, body = Instructions)))]
pub(in crate::http) async fn payment_instructions(
    State(app): State<Shared>,
    caller: Caller,
    headers: HeaderMap,
    Id(id): Id,
    Query(query): Query<LanguageQuery>,
) -> Answer<Json<Instructions>> {
    let mut tx = app.db.begin().await?;
    let job = trade::own(&mut tx, &caller, id).await?;
    if job.status == Status::Cancelled {
        return Err(Refusal::new(Code::WrongState, format!("job {id} is cancelled")).into());
    }
    let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let language = match query.lang.as_deref().or(accepted) {
        Some(code) => Language::of(code),
        None => people::language(&mut tx, caller.party).await?,
    };
    Ok(Json(instructions(app.config.mpesa.shortcode.as_str(), &job, language)))
}

async fn one(tx: &mut Tx, job: Job) -> Result<JobView, Problem> {
    let mut views = shown(tx, vec![job]).await?;
    views.pop().ok_or_else(Problem::defect)
}

async fn shown(tx: &mut Tx, jobs: Vec<Job>) -> Result<Vec<JobView>, Fault> {
    let parties: Vec<PartyId> =
        jobs.iter().flat_map(|job| [Some(job.employer), job.employee]).flatten().collect();
    let ids = people::ids_of(tx, &parties).await?;
    Ok(jobs.into_iter().map(|job| view(job, &ids)).collect())
}

fn view(job: Job, ids: &HashMap<PartyId, i64>) -> JobView {
    let asset = job.budget.asset;
    JobView {
        id: job.id,
        title: job.title,
        description: job.description,
        budget: job.budget.decimal(),
        currency: asset.code(),
        fee: decimal(asset, job.escrow.terms.fee),
        status: job.status.word(),
        escrow_contract_id: job.reference.to_string(),
        escrow_status: job.escrow.state.status().word(),
        is_funded: job.escrow.state.is_funded(),
        funded_at: job.escrow.state.funded_at().map(time),
        employer: ids.get(&job.employer).copied(),
        employee: job.employee.and_then(|party| ids.get(&party).copied()),
        created_at: time(job.created_at),
        assigned_at: job.assigned_at.map(time),
        completed_at: job.completed_at.map(time),
    }
}

/// Whether the caller looks after money without owning it.
pub(in crate::http) fn watches(caller: &Caller) -> bool {
    !matches!(caller.role, Role::Employer | Role::Employee)
}
