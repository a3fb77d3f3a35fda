//! `POST /v1/jobs/{id}:{verb}`: withdraw a job, or object; with `simulate=true` only told.
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
use crate::http::Shared;
use crate::http::body::{Part, Query};
use crate::http::problem::{Answer, Problem};
use crate::trade::{self, Verb};

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

/// Withdraws a job that is not funded (`cancel`), or objects to how it goes (`dispute`).
#[utoipa::path(post, path = "/v1/jobs/{id}:{verb}", tag = "jobs",
    params(("id" = i64, Path), ("verb" = String, Path, description = "`cancel` or `dispute`"), Simulate,
        ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = Acted, description = "Done; with `simulate=true` what would be done")))]
pub(in crate::http) async fn act(
    State(app): State<Shared>,
    Part(named): Part,
    Query(Simulate { simulate }): Query<Simulate>,
    call: Call,
) -> Answer<Response> {
    let meant = named.split_once(':').and_then(|(id, verb)| Some((id.parse().ok()?, Verb::parse(verb)?)));
    let (id, verb): (i64, Verb) = meant.ok_or_else(Problem::no_such_path)?;
    if simulate {
        let mut tx = app.db.begin().await?;
        let told = trade::preview(&mut tx, &app, call.caller(), id, verb).await?;
        let postings = told.transfers.iter().flat_map(would_post).collect();
        let (escrow_status, chain_calls) = (told.status.word(), told.calls);
        let told = Told { id, simulated: true, escrow_status, chain_calls, postings };
        return Ok((StatusCode::OK, axum::Json(told)).into_response());
    }
    once(&app, &call, StatusCode::OK, async |tx: &mut Tx| {
        let job = trade::act(tx, &app, call.caller(), id, verb).await?;
        let escrow_status = job.escrow.state.status().word();
        Ok(Acted { id, status: job.status.word(), escrow_status })
    })
    .await
}

fn would_post(transfer: &Transfer) -> impl Iterator<Item = WouldPost> {
    transfer.postings().iter().map(|posting| WouldPost {
        event: transfer.event().word(),
        debit: posting.debit.path(),
        credit: posting.credit.path(),
        amount: posting.money.decimal(),
        currency: posting.money.asset.code(),
    })
}
