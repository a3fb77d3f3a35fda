//! `/v1/escrows/…/trace`, `/v1/suspense`, `/v1/failures`, `/v1/events`, `/v1/proof`: what happened, and what
//! needs a person.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::error::{Code, Refusal};
use crate::events;
use crate::flows::collection::clearing;
use crate::http::Shared;
use crate::http::api::escrow::concerning;
use crate::http::body::{Part, Query};
use crate::http::page::{Page, PageQuery};
use crate::http::problem::Answer;
use crate::people::session::Caller;
use crate::recon::suspense::ranking::Candidate;
use crate::recon::{self, Failure, Proof, Suspended, Trace};

/// Something that happened.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventView {
    /// Its place.
    no: i64,
    /// When.
    at: DateTime<Utc>,
    /// What: `escrow.funded`.
    name: String,
    /// To what: `escrow/ESCROW_…`, `job/1`.
    subject: String,
    /// Ids and amounts.
    #[schema(value_type = Object)]
    body: Value,
}

/// The escrows that money may be meant for, the likeliest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct Candidates {
    /// Ten at most.
    data: Vec<Candidate>,
    /// The escrow that somebody proposed, for another one to decide.
    proposed: Option<String>,
}

/// Tells the whole story of an escrow: steps, ledger transfers, chain transactions, receipts, and whether
/// all agree.
#[utoipa::path(get, path = "/v1/escrows/{reference}/trace", tag = "escrow",
    params(("reference" = String, Path)),
    responses((status = 200, body = Trace)))]
pub(in crate::http) async fn trace(
    State(app): State<Shared>,
    caller: Caller,
    Part(reference): Part,
) -> Answer<Json<Trace>> {
    let view = concerning(&app, &caller, &reference).await?;
    Ok(Json(recon::trace(&app, &view.terms.reference).await?))
}

/// Lists money that came and nobody knows whose it is, oldest first.
#[utoipa::path(get, path = "/v1/suspense", tag = "attention", params(PageQuery),
    responses((status = 200, body = Page<Suspended>)))]
pub(in crate::http) async fn suspense(
    State(app): State<Shared>,
    Query(page): Query<PageQuery>,
) -> Answer<Page<Suspended>> {
    let (limit, after) = (page.limit()?, page.after(&app, "suspense")?);
    let mut tx = app.db.begin().await?;
    let rows = recon::suspense(&mut tx, &app, after, most(limit)).await?;
    Ok(Page::of(&app, "suspense", limit, rows, |row| row.id))
}

/// Ranks the escrows that money in suspense may be meant for, each with its reasons. Nothing is credited.
#[utoipa::path(get, path = "/v1/suspense/{id}/candidates", tag = "attention", params(("id" = String, Path)),
    responses((status = 200, body = Candidates)))]
pub(in crate::http) async fn candidates(
    State(app): State<Shared>,
    Part(id): Part,
) -> Answer<Json<Candidates>> {
    let missing = || Refusal::new(Code::NotFound, "no such money is in suspense");
    let id = id.parse().map_err(|_| missing())?;
    let mut tx = app.db.begin().await?;
    let data = recon::candidates(&mut tx, &app, id).await?.ok_or_else(missing)?;
    let proposed = clearing::proposed(&mut tx, id).await?;
    Ok(Json(Candidates { data, proposed }))
}

/// Lists what failed and what to do about it, newest first.
#[utoipa::path(get, path = "/v1/failures", tag = "attention", params(PageQuery),
    responses((status = 200, body = Page<Failure>)))]
pub(in crate::http) async fn failures(
    State(app): State<Shared>,
    Query(page): Query<PageQuery>,
) -> Answer<Page<Failure>> {
    let (limit, before) = (page.limit()?, page.after(&app, "failures")?);
    let mut tx = app.db.begin().await?;
    // Everything up to now: what carries a later time than our clock's has not happened yet.
    let before = before.unwrap_or_else(|| app.clock.now() + chrono::TimeDelta::seconds(1));
    let rows = recon::failures(&mut tx, &app, before, most(limit)).await?;
    Ok(Page::of(&app, "failures", limit, rows, |row| row.since.to_rfc3339()))
}

/// Lists what happened, newest first.
#[utoipa::path(get, path = "/v1/events", tag = "attention", params(PageQuery),
    responses((status = 200, body = Page<EventView>)))]
pub(in crate::http) async fn events(
    State(app): State<Shared>,
    Query(page): Query<PageQuery>,
) -> Answer<Page<EventView>> {
    let (limit, before) = (page.limit()?, page.after(&app, "events")?);
    let mut tx = app.db.begin().await?;
    let rows = events::page(&mut tx, before.unwrap_or(i64::MAX), most(limit)).await?;
    let shown = Page::of(&app, "events", limit, rows, |row| row.no);
    Ok(shown.map(|row| EventView {
        no: row.no,
        at: row.at,
        name: row.name,
        subject: row.subject,
        body: row.body,
    }))
}

/// Proves that float, ledger and chain agree, every term printed.
#[utoipa::path(get, path = "/v1/proof", tag = "books", responses((status = 200, body = Proof)))]
pub(in crate::http) async fn proof(State(app): State<Shared>) -> Answer<Json<Proof>> {
    Ok(Json(recon::proof(&app).await?))
}

/// One more than a page holds, to know whether there is a next one.
pub(super) fn most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(100) + 1
}
