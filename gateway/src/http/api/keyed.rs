//! The escrow service, second listener: `/api/escrow/create|fund|release|{id}` for callers with its key.
//!
//! Invariant: a door onto the same flows. It opens escrows for another system; else it starts nothing that
//! the flows do not start by themselves, so calling twice is calling once. What is not in order is 409.

use amana_ledger::id::{EscrowRef, PartyId};
use amana_ledger::money::{Asset, Money};
use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::escrow::{EscrowView, named, shown};
use crate::app::App;
use crate::error::{Code, Error, Refusal};
use crate::events::Actor;
use crate::flows::entrust::{self, NewEscrow, View};
use crate::flows::escrow::Status;
use crate::http::Shared;
use crate::http::body::{Body, Part};
use crate::http::problem::{Answer, Problem};
use crate::http::rights::{bearer, same};
use crate::recon;

/// The system that calls here, as owner of escrows without a job: what is paid into one beyond its amount is
/// that system's own.
const CALLER: PartyId = PartyId(Uuid::from_u128(0x5e41_1ce0));

/// Which escrow is to be there: a job's, or one by its reference and amount.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CreateForm {
    /// The job.
    job_id: Option<i64>,
    /// Or the reference,
    contract_id: Option<String>,
    /// with its amount
    amount: Option<String>,
    /// and currency.
    currency: Option<String>,
}

/// Which deposit is to be in the escrow.
#[derive(Deserialize, ToSchema)]
pub(crate) struct FundForm {
    /// The escrow.
    contract_id: String,
    /// The rail's receipt of the deposit.
    deposit_reference: String,
}

/// Which escrow is to be released.
#[derive(Deserialize, ToSchema)]
pub(crate) struct ReleaseForm {
    /// The escrow.
    contract_id: String,
}

/// Asks for the service's key.
pub(in crate::http) async fn key(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let expected = app.config.stellar.api_key.expose();
    if bearer(request.headers()).is_some_and(|shown| same(expected, shown)) {
        return next.run(request).await;
    }
    Problem::from(Refusal::new(Code::Unauthenticated, "the service's key is missing or wrong"))
        .into_response()
}

/// Answers with the job's escrow, which came into being with the job; or opens one for the calling system.
#[utoipa::path(post, path = "/api/escrow/create", request_body = CreateForm,
    responses((status = 201, body = EscrowView)))]
pub(in crate::http) async fn create(
    State(app): State<Shared>,
    Body(form): Body<CreateForm>,
) -> Answer<(StatusCode, Json<EscrowView>)> {
    let view = match (form.job_id, &form.contract_id) {
        (Some(job), _) => of_job(&app, job).await?,
        (None, Some(reference)) => {
            let reference = EscrowRef::fold(reference)
                .ok_or_else(|| Refusal::field("contract_id", "is not an escrow reference"))?;
            entrusted(&app, reference, &form).await?
        }
        (None, None) => return Err(Refusal::field("job_id", "is required, or contract_id").into()),
    };
    Ok((StatusCode::CREATED, Json(shown(&app, view).await?)))
}

/// Answers with the escrow if the deposit is booked for it; its mint is on the way or done.
#[utoipa::path(post, path = "/api/escrow/fund", request_body = FundForm,
    responses((status = 200, body = EscrowView)))]
pub(in crate::http) async fn fund(
    State(app): State<Shared>,
    Body(form): Body<FundForm>,
) -> Answer<Json<EscrowView>> {
    let view = named(&app, &form.contract_id).await?;
    let trace = recon::trace(&app, &view.terms.reference).await?;
    let wanted = form.deposit_reference.trim();
    if !trace.deposits.iter().any(|deposit| deposit.transaction_reference.eq_ignore_ascii_case(wanted)) {
        let why = format!("no deposit of that reference is booked for {}", view.terms.reference);
        return Err(Refusal {
            field: Some("deposit_reference".into()),
            ..Refusal::new(Code::WrongState, why)
        }
        .into());
    }
    Ok(Json(shown(&app, view).await?))
}

/// Answers with the escrow if its job is completed; its release is on the way or done.
#[utoipa::path(post, path = "/api/escrow/release", request_body = ReleaseForm,
    responses((status = 200, body = EscrowView)))]
pub(in crate::http) async fn release(
    State(app): State<Shared>,
    Body(form): Body<ReleaseForm>,
) -> Answer<Json<EscrowView>> {
    let view = named(&app, &form.contract_id).await?;
    let status = view.state.status();
    if !matches!(status, Status::Completed | Status::Released) {
        let why = format!("{} is {}: its job is not completed", view.terms.reference, status.word());
        return Err(Refusal::new(Code::WrongState, why).into());
    }
    Ok(Json(shown(&app, view).await?))
}

/// Shows an escrow.
#[utoipa::path(get, path = "/api/escrow/{id}", params(("id" = String, Path)),
    responses((status = 200, body = EscrowView)))]
pub(in crate::http) async fn status(State(app): State<Shared>, Part(id): Part) -> Answer<Json<EscrowView>> {
    let view = named(&app, &id).await?;
    Ok(Json(shown(&app, view).await?))
}

async fn of_job(app: &App, job: i64) -> Result<View, Problem> {
    let mut tx = app.db.begin().await?;
    let view = entrust::views_of(&mut tx, &[job]).await?.pop();
    Ok(view.ok_or_else(|| Refusal::new(Code::NotFound, format!("no job {job}")))?)
}

/// The escrow under this reference, opened for the calling system if it is not there yet.
async fn entrusted(app: &App, reference: EscrowRef, form: &CreateForm) -> Result<View, Problem> {
    let (amount, currency) = (form.amount.as_deref(), form.currency.as_deref());
    let mut tx = app.db.begin().await?;
    if entrust::view(&mut tx, &reference).await?.is_none() {
        let missing = |field: &str| Refusal::field(field, "is required to open an escrow");
        let asset = Asset::parse(currency.ok_or_else(|| missing("currency"))?)
            .map_err(|bad| Refusal::field("currency", bad.to_string()))?;
        let amount = Money::parse_decimal(asset, amount.ok_or_else(|| missing("amount"))?)
            .map_err(|bad| Refusal::field("amount", bad.to_string()))?;
        let new = NewEscrow { job: None, employer: CALLER, amount };
        let opened = entrust::open_as(&mut tx, app, Actor::Outside("service"), reference.clone(), new).await;
        match opened {
            Ok(()) => tx.commit().await?,
            // Somebody was quicker: theirs stands, if its terms are the same.
            Err(Error::Refused(refusal)) if refusal.code == Code::Exists => drop(tx),
            Err(error) => return Err(error.into()),
        }
    }
    let view = named(app, reference.as_str()).await?;
    agrees(&view, amount, currency)?;
    Ok(view)
}

/// Refuses to call an escrow created that exists on other terms.
fn agrees(view: &View, amount: Option<&str>, currency: Option<&str>) -> Result<(), Refusal> {
    let own = view.terms.amount;
    if currency.is_some_and(|code| code != own.asset.code()) {
        return Err(Refusal::field(
            "currency",
            format!("{} is in {}", view.terms.reference, own.asset.code()),
        ));
    }
    let same =
        |text: &str| Money::parse_decimal(own.asset, text).is_ok_and(|money| money.minor() == own.minor());
    if amount.is_some_and(|text| !same(text)) {
        let why = format!("{} exists with another amount", view.terms.reference);
        return Err(Refusal { field: Some("amount".into()), ..Refusal::new(Code::Exists, why) });
    }
    Ok(())
}
