//! `POST /v1/statements`: finance brings the portal's statement.
//!
//! Invariant: the file is stored, sealed, before it is read. Its rows are their own natural keys, so the same
//! file again, or another one that overlaps it, does nothing twice: no idempotency key is asked for.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;

use crate::error::Refusal;
use crate::http::Shared;
use crate::http::body::Raw;
use crate::http::problem::Answer;
use crate::inbox;
use crate::people::session::Caller;
use crate::recon::listed::{self, Taken};

/// Takes a statement of the paybill, CSV or Excel, as the body. One whose running balance breaks is refused
/// with the line.
#[utoipa::path(post, path = "/v1/statements", tag = "money", request_body = Object,
    responses((status = 201, description = "taken", body = Taken)))]
pub(in crate::http) async fn upload(
    State(app): State<Shared>,
    caller: Caller,
    Raw(raw): Raw,
) -> Answer<(StatusCode, Json<Taken>)> {
    let peer = format!("party/{}", caller.party);
    let id = inbox::hear(&app, inbox::STATEMENT, &peer, json!({}), &raw).await?;
    match listed::take_stored(&app, id).await? {
        Ok(taken) => Ok((StatusCode::CREATED, Json(taken))),
        Err(why) => Err(Refusal::field("statement", why).into()),
    }
}
