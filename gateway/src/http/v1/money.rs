//! `/v1/floats:…` and `/v1/payouts/…:retry`: our own money, and payouts once more. Each call needs an
//! idempotency key.
//!
//! Invariant: the answer of a key's first call is stored in the transaction that did what was asked, so a
//! repetition gets that answer and does nothing.

use amana_ledger::id::IdempotencyKey;
use amana_ledger::money::{Asset, Money};
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::db::Tx;
use crate::error::{Code, Error, Refusal};
use crate::events::Actor;
use crate::flows::{float, pay};
use crate::http::Shared;
use crate::http::body::{Part, Raw, is_json, parsed};
use crate::http::problem::{Answer, Problem};
use crate::inbox::{self, Begin};
use crate::people::session::Caller;

/// Capital put into a float.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CapitalForm {
    /// Which: `mpesa:600111`, `intersend`.
    #[schema(example = "intersend")]
    float: String,
    /// How much, a decimal.
    #[schema(example = "100000.00")]
    amount: String,
    /// The book's currency.
    #[schema(example = "KES")]
    currency: String,
}

/// Float moved from one rail to another.
#[derive(Deserialize, ToSchema)]
pub(crate) struct MoveForm {
    /// Out of which.
    #[schema(example = "mpesa:600111")]
    from: String,
    /// Into which.
    #[schema(example = "intersend")]
    to: String,
    /// How much, a decimal.
    #[schema(example = "50000.00")]
    amount: String,
    /// The book's currency.
    #[schema(example = "KES")]
    currency: String,
}

/// What was posted.
#[derive(Serialize, ToSchema)]
pub(crate) struct Posted {
    /// The transfers, in order.
    transfers: Vec<String>,
}

/// Where the payout stands now.
#[derive(Serialize, ToSchema)]
pub(crate) struct Retried {
    /// Its reference.
    reference: String,
    /// `pending`, `processing`, …
    status: String,
}

/// Books capital the owners put into a float.
#[utoipa::path(post, path = "/v1/floats:capital-in", tag = "money", request_body = CapitalForm,
    params(("Idempotency-Key" = String, Header)), responses((status = 201, body = Posted)))]
pub(in crate::http) async fn capital_in(State(app): State<Shared>, call: Call) -> Answer<Response> {
    let form: CapitalForm = parsed(&call.raw)?;
    let (to, amount) = (float::named(&app, &form.float)?, money(&app, &form.amount, &form.currency)?);
    once(&app, &call, StatusCode::CREATED, async |tx: &mut Tx| {
        let key = call.ledger_key();
        let transfer = float::capital_in(tx, &app, call.actor(), (to, amount), &key).await?;
        Ok(Posted { transfers: vec![transfer.to_string()] })
    })
    .await
}

/// Moves float from one rail to another, in two steps through clearing.
#[utoipa::path(post, path = "/v1/floats:move", tag = "money", request_body = MoveForm,
    params(("Idempotency-Key" = String, Header)), responses((status = 201, body = Posted)))]
pub(in crate::http) async fn float_move(State(app): State<Shared>, call: Call) -> Answer<Response> {
    let form: MoveForm = parsed(&call.raw)?;
    let (from, to) = (float::named(&app, &form.from)?, float::named(&app, &form.to)?);
    let amount = money(&app, &form.amount, &form.currency)?;
    once(&app, &call, StatusCode::CREATED, async |tx: &mut Tx| {
        let key = call.ledger_key();
        let transfers = float::float_move(tx, &app, call.actor(), (from, to, amount), &key).await?;
        Ok(Posted { transfers: transfers.iter().map(ToString::to_string).collect() })
    })
    .await
}

/// Tries a payout again that failed or never got an answer.
#[utoipa::path(post, path = "/v1/payouts/{reference}:retry", tag = "money",
    params(("reference" = String, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = Retried)))]
pub(in crate::http) async fn retry(
    State(app): State<Shared>,
    Part(named): Part,
    call: Call,
) -> Answer<Response> {
    let reference = named.strip_suffix(":retry").ok_or_else(Problem::no_such_path)?;
    once(&app, &call, StatusCode::OK, async |tx: &mut Tx| {
        let status = pay::retry(tx, &app, call.actor(), reference).await?;
        Ok(Retried { reference: reference.to_owned(), status: status.to_string() })
    })
    .await
}

/// A call that brought its key.
pub(in crate::http) struct Call {
    caller: Caller,
    key: IdempotencyKey,
    /// Method, path and body, hashed: what the key stands for.
    fingerprint: [u8; 32],
    raw: axum::body::Bytes,
}

impl Call {
    /// The caller's key as the ledger may see it: another caller's same key is another key.
    fn ledger_key(&self) -> String {
        format!("{}:{}", self.caller.id, hex::encode(&self.fingerprint_of_key()[..12]))
    }

    fn fingerprint_of_key(&self) -> [u8; 32] {
        sha256(&[self.key.as_str().as_bytes()])
    }

    /// What was sent.
    pub(super) fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Who calls.
    pub(super) fn caller(&self) -> &Caller {
        &self.caller
    }

    pub(super) fn actor(&self) -> Actor {
        Actor::Party(self.caller.party)
    }
}

impl FromRequest<Shared> for Call {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Shared) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, app).await?;
        let key = key(&parts.headers)?;
        if !is_json(&parts.headers) {
            return Err(Problem::wrong_media("application/json"));
        }
        let what = format!("{} {}\n", parts.method, parts.uri.path().trim_end_matches('/'));
        let Raw(raw) = Raw::from_request(Request::from_parts(parts, body), app).await?;
        Ok(Call { caller, key, fingerprint: sha256(&[what.as_bytes(), &raw]), raw })
    }
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    parts.iter().for_each(|part| hash.update(part));
    let mut out = [0; 32];
    out.copy_from_slice(hash.finish().as_ref());
    out
}

fn key(headers: &HeaderMap) -> Result<IdempotencyKey, Refusal> {
    let missing =
        || Refusal::new(Code::KeyMissing, "send an Idempotency-Key header, a new one for each intention");
    let text = headers.get("idempotency-key").ok_or_else(missing)?.to_str().unwrap_or("");
    IdempotencyKey::parse(text.trim().trim_matches('"'))
        .map_err(|bad| Refusal::new(Code::KeyMissing, format!("the Idempotency-Key header is {bad}")))
}

/// Does `act` unless the key was used before; then gives that call's answer again.
pub(super) async fn once<T: Serialize>(
    app: &App,
    call: &Call,
    status: StatusCode,
    act: impl AsyncFnOnce(&mut Tx) -> Result<T, Error>,
) -> Answer<Response> {
    let name = (call.caller.party, call.key.as_str());
    let mut tx = app.db.begin().await?;
    let begun = inbox::begin_idempotent(&mut tx, app, name, &call.fingerprint).await?;
    if let Begin::Answered(status, body) = begun {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
        return Ok((status, [("idempotency-replayed", "true")], axum::Json(body)).into_response());
    }
    let body = serde_json::to_value(act(&mut tx).await?)?;
    inbox::answer(&mut tx, app, name, (status.as_u16(), &body)).await?;
    tx.commit().await?;
    Ok((status, axum::Json(body)).into_response())
}

fn money(app: &App, amount: &str, currency: &str) -> Result<Money, Refusal> {
    let own = app.config.book.asset();
    if Asset::parse(currency).ok() != Some(own) {
        return Err(Refusal::field("currency", format!("this book is in {}", own.code())));
    }
    Money::parse_decimal(own, amount).map_err(|bad| Refusal::field("amount", bad.to_string()))
}
