//! `/v1/suspense/…:match`, `:approve`, `:reject`: money in suspense is cleared by two people.
//!
//! Invariant: who books money proposes, who approves decides; each call needs an idempotency key.

use amana_ledger::id::EscrowRef;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::money::{Call, once};
use crate::db::Tx;
use crate::error::{Code, Refusal};
use crate::flows::collection::clearing;
use crate::http::Shared;
use crate::http::body::{Part, parsed};
use crate::http::problem::{Answer, Problem};
use crate::people::Role;

/// Where it is to go.
#[derive(Deserialize, ToSchema)]
pub(crate) struct MatchForm {
    /// The escrow, as it is written: no near miss.
    #[schema(example = "ESCROW_000000000")]
    escrow: String,
    /// Why. Kept sealed.
    #[schema(example = "the employer sent the receipt; one letter was left out")]
    reason: String,
}

/// What was done.
#[derive(Serialize, ToSchema)]
pub(crate) struct Cleared {
    /// The collection.
    id: Uuid,
    /// `proposed`, `approved` or `rejected`.
    clearing: &'static str,
}

/// Proposes where money in suspense goes (`match`), or decides what another one proposed (`approve`,
/// `reject`). Approved, it is booked as if the reference had been typed right.
#[utoipa::path(post, path = "/v1/suspense/{id}:{verb}", tag = "attention", request_body = MatchForm,
    params(("id" = String, Path), ("verb" = String, Path, description = "`match`, `approve` or `reject`"),
        ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = Cleared)))]
pub(in crate::http) async fn clear(
    State(app): State<Shared>,
    Part(named): Part,
    call: Call,
) -> Answer<Response> {
    let (id, verb) = named.split_once(':').ok_or_else(Problem::no_such_path)?;
    let id: Uuid = id.parse().map_err(|_| Refusal::new(Code::NotFound, "no such money is in suspense"))?;
    let decides = call.caller().role == Role::Approver;
    let party = call.caller().party;
    match verb {
        "match" if !decides => {
            let form: MatchForm = parsed(call.raw())?;
            let escrow = EscrowRef::parse(&form.escrow)
                .map_err(|_| Refusal::field("escrow", "is not a reference as we write it"))?;
            let reason = form.reason.trim();
            if reason.is_empty() || reason.len() > 500 {
                return Err(Refusal::field("reason", "must be 1 to 500 bytes").into());
            }
            once(&app, &call, StatusCode::OK, async |tx: &mut Tx| {
                clearing::propose(tx, &app, party, id, (&escrow, reason)).await?;
                Ok(Cleared { id, clearing: "proposed" })
            })
            .await
        }
        "approve" | "reject" if decides => {
            let approved = verb == "approve";
            once(&app, &call, StatusCode::OK, async |tx: &mut Tx| {
                clearing::decide(tx, &app, party, (id, approved)).await?;
                Ok(Cleared { id, clearing: if approved { "approved" } else { "rejected" } })
            })
            .await
        }
        "match" | "approve" | "reject" => {
            let words =
                "who proposes does not decide: operators and finance match, approvers approve or reject";
            Err(Refusal::new(Code::Forbidden, words).into())
        }
        _ => Err(Problem::no_such_path()),
    }
}
