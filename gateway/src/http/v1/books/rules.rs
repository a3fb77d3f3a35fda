//! `/v1/ledger/periods`, `/v1/ledger/accounts/…/limit`: what a book refuses from now on. Each call needs an
//! idempotency key.
//!
//! Invariant: who may approve sets rules, and nobody who books money does.

use amana_ledger::chart::{Account, Side};
use amana_ledger::limit::{Limit, Measure, Period, Velocity};
use amana_ledger::money::Money;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{Days, NaiveDate, NaiveTime};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::db::Tx;
use crate::error::Refusal;
use crate::http::Shared;
use crate::http::body::{Part, parsed};
use crate::http::problem::Answer;
use crate::http::v1::money::{Call, once};
use crate::recon::close;

/// A period to be closed.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CloseForm {
    /// The last day (UTC) of it; it has to be over.
    #[schema(example = "2026-10-31")]
    through: String,
    /// Why to close although something does not tie.
    despite: Option<String>,
}

/// A period that is closed.
#[derive(Serialize, ToSchema)]
pub(crate) struct Closed {
    /// What happened before this instant is refused.
    closed_before: String,
    /// Whether this call closed it; else it was closed so far before.
    new: bool,
}

/// What an account is limited to; the empty one takes all back.
#[derive(Deserialize, ToSchema)]
pub(crate) struct LimitForm {
    /// The least that may stand there, a decimal; below zero it is a credit.
    #[schema(example = "-500.00")]
    floor: Option<String>,
    /// How much may go through it.
    velocity: Option<Vec<VelocityForm>>,
}

/// How much may go through an account in a period.
#[derive(Deserialize, ToSchema)]
pub(crate) struct VelocityForm {
    /// `gross`, or `net` of what came back.
    measure: String,
    /// `debit` or `credit`: the side that is counted.
    side: String,
    /// `day`, `week` or `month` of the calendar in UTC.
    period: String,
    /// The most, a decimal.
    #[schema(example = "70000.00")]
    amount: String,
}

/// An account that is limited.
#[derive(Serialize, ToSchema)]
pub(crate) struct Limited {
    /// Its path.
    account: String,
    /// Whether this call limited it; else it was limited so before.
    new: bool,
}

/// Closes a period for ever, if everything ties.
#[utoipa::path(post, path = "/v1/ledger/periods", tag = "books", request_body = CloseForm,
    params(("Idempotency-Key" = String, Header)), responses((status = 201, body = Closed)))]
pub(in crate::http) async fn close_period(State(app): State<Shared>, call: Call) -> Answer<Response> {
    let form: CloseForm = parsed(call.raw())?;
    let bad = || Refusal::field("through", "must be a day: 2026-10-31");
    let day: NaiveDate = form.through.parse().map_err(|_| bad())?;
    let next = day.checked_add_days(Days::new(1)).ok_or_else(bad)?;
    let before = next.and_time(NaiveTime::MIN).and_utc();
    let despite = form.despite.as_deref().map(str::trim);
    if despite.is_some_and(|why| why.is_empty() || why.len() > 500) {
        return Err(Refusal::field("despite", "must be a reason of 1 to 500 bytes").into());
    }
    let untied = close::untied(&app).await?;
    once(&app, &call, StatusCode::CREATED, async |tx: &mut Tx| {
        let new = close::close(tx, &app, call.actor(), before, (&untied, despite)).await?;
        Ok(Closed { closed_before: before.to_rfc3339(), new })
    })
    .await
}

/// Limits what may stand on an account, and what may go through it.
#[utoipa::path(post, path = "/v1/ledger/accounts/{path}/limit", tag = "books", request_body = LimitForm,
    params(("path" = String, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = Limited)))]
pub(in crate::http) async fn limit_account(
    State(app): State<Shared>,
    Part(path): Part,
    call: Call,
) -> Answer<Response> {
    let account =
        Account::parse(&path).map_err(|_| Refusal::field("path", "is not an account of the chart"))?;
    let form: LimitForm = parsed(call.raw())?;
    let asset = app.config.book.asset();
    let floor = form.floor.as_deref().map(|text| {
        // A floor may be below zero or zero, which an amount may not.
        let (digits, sign) = text.strip_prefix('-').map_or((text, 1), |digits| (digits, -1));
        let zero = digits.trim_matches(['0', '.']).is_empty() && digits.contains('0');
        let minor = if zero { Ok(0) } else { Money::parse_decimal(asset, digits).map(|money| money.minor()) };
        minor.map(|minor| sign * minor).map_err(|bad| Refusal::field("floor", bad.to_string()))
    });
    let velocity = form.velocity.unwrap_or_default().into_iter().enumerate().map(|(at, form)| {
        let no = |name: &str, words: &str| Refusal::field(format!("velocity/{at}/{name}"), words);
        let amount = Money::parse_decimal(asset, &form.amount);
        Ok(Velocity {
            measure: word::<Measure>(&form.measure).ok_or_else(|| no("measure", "must be gross or net"))?,
            side: word::<Side>(&form.side).ok_or_else(|| no("side", "must be debit or credit"))?,
            period: word::<Period>(&form.period).ok_or_else(|| no("period", "must be day, week or month"))?,
            amount: amount.map_err(|bad| no("amount", &bad.to_string()))?.amount,
        })
    });
    let limit = Limit { floor: floor.transpose()?, velocity: velocity.collect::<Result<_, Refusal>>()? };
    once(&app, &call, StatusCode::CREATED, async |tx: &mut Tx| {
        let new = close::limit(tx, &app, call.actor(), &account, &limit).await?;
        Ok(Limited { account: account.path(), new })
    })
    .await
}

/// A word of the ledger's, as it is written in JSON.
fn word<T: serde::de::DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).ok()
}
