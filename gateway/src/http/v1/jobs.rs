//! `POST /v1/jobs/{id}:{verb}`: withdraw a job, object, ask for the money back, or decide; with
//! `simulate=true` only told.
//!
//! Invariant: a simulation writes nothing, not even its key.

use amana_ledger::transfer::Transfer;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::money::{Call, once};
use crate::db::Tx;
use crate::flows::entrust::Preview;
use crate::flows::escrow::Split;
use crate::http::Shared;
use crate::http::body::{Part, Query, parsed};
use crate::http::problem::{Answer, Problem};
use crate::trade::{self, Job, Ruling, Verb};

/// Whether it is meant.
#[derive(Deserialize, IntoParams)]
pub(crate) struct Simulate {
    /// Only tell what would happen.
    #[serde(default)]
    simulate: bool,
}

/// A job after somebody acted on it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Acted {
    /// The job.
    id: i64,
    /// Where it stands now.
    status: &'static str,
    /// Where its escrow stands now.
    escrow_status: &'static str,
}

/// What would happen.
#[derive(Serialize, ToSchema)]
pub(crate) struct Told {
    /// The job.
    id: i64,
    /// Always true: nothing was done.
    simulated: bool,
    /// Where its escrow would stand at once.
    escrow_status: &'static str,
    /// What would be asked of the chain, in order.
    chain_calls: Vec<&'static str>,
    /// What would be posted when the chain has done it.
    postings: Vec<WouldPost>,
}

/// A posting that would follow.
#[derive(Serialize, ToSchema)]
pub(crate) struct WouldPost {
    /// The business event.
    event: &'static str,
    /// The debited account.
    debit: String,
    /// The credited account.
    credit: String,
    /// How much, a decimal.
    amount: String,
    /// The currency.
    currency: &'static str,
}

/// Withdraws a job that is not funded (`cancel`), objects to how it goes (`dispute`), or asks for what was
/// not released within half a year (`refund`).
#[utoipa::path(post, path = "/v1/jobs/{id}:{verb}", tag = "jobs",
    params(("id" = i64, Path), ("verb" = String, Path, description = "`cancel`, `dispute` or `refund`"),
        Simulate, ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = Acted, description = "Done; with `simulate=true` what would be done")))]
pub(in crate::http) async fn act(
    State(app): State<Shared>,
    Part(named): Part,
    Query(Simulate { simulate }): Query<Simulate>,
    call: Call,
) -> Answer<Response> {
    let (id, verb) = named.split_once(':').ok_or_else(Problem::no_such_path)?;
    let id: i64 = id.parse().map_err(|_| Problem::no_such_path())?;
    if verb == "resolve" {
        return decide(&app, &call, id, simulate).await;
    }
    let verb = Verb::parse(verb).ok_or_else(Problem::no_such_path)?;
    if simulate {
        let mut tx = app.db.begin().await?;
        return Ok(told(id, trade::preview(&mut tx, &app, call.caller(), id, verb).await?));
    }
    once(&app, &call, StatusCode::OK, async |tx: &mut Tx| {
        Ok(acted(trade::act(tx, &app, call.caller(), id, verb).await?))
    })
    .await
}

/// How a disputed escrow is parted.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Parting {
    /// The employee's part of what is left, minor units.
    #[schema(example = 3_000_000)]
    to_payee: i64,
    /// The employer's part: the rest.
    #[schema(example = 2_000_000)]
    to_payer: i64,
    /// Why. Kept sealed; the parties' names may be in it.
    #[schema(example = "half of the pages were delivered")]
    reason: String,
}

/// Decides a dispute: what is left is parted between employee and employer. The chain hears it from the
/// arbiter's process, until which the escrow stays `disputed`.
#[utoipa::path(post, path = "/v1/jobs/{id}:resolve", tag = "jobs", request_body = Parting,
    params(("id" = i64, Path), Simulate, ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = Acted, description = "Decided; with `simulate=true` what would follow")))]
pub(in crate::http) async fn resolve(
    app: State<Shared>,
    named: Part,
    query: Query<Simulate>,
    call: Call,
) -> Answer<Response> {
    act(app, named, query, call).await
}

async fn decide(app: &Shared, call: &Call, id: i64, simulate: bool) -> Answer<Response> {
    let Parting { to_payee, to_payer, reason } = parsed(call.raw())?;
    let ruling = Ruling { split: Split { to_payee, to_payer }, reason };
    if simulate {
        let mut tx = app.db.begin().await?;
        return Ok(told(id, trade::preview_resolve(&mut tx, app, call.caller(), id, ruling).await?));
    }
    once(app, call, StatusCode::OK, async |tx: &mut Tx| {
        Ok(acted(trade::resolve(tx, app, call.caller(), id, ruling.clone()).await?))
    })
    .await
}

fn acted(job: Job) -> Acted {
    Acted { id: job.id, status: job.status.word(), escrow_status: job.escrow.state.status().word() }
}

fn told(id: i64, told: Preview) -> Response {
    let postings = told.transfers.iter().flat_map(would_post).collect();
    let (escrow_status, chain_calls) = (told.status.word(), told.calls);
    let told = Told { id, simulated: true, escrow_status, chain_calls, postings };
    (StatusCode::OK, axum::Json(told)).into_response()
}

/// What a transfer posts, and what it sets aside.
fn would_post(transfer: &Transfer) -> impl Iterator<Item = WouldPost> {
    transfer.postings().iter().chain(transfer.holds()).map(|posting| WouldPost {
        event: transfer.event().word(),
        debit: posting.debit.path(),
        credit: posting.credit.path(),
        amount: posting.money.decimal(),
        currency: posting.money.asset.code(),
    })
}
