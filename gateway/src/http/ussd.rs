//! The phone menu's door: `POST /api/ussd/` and `POST /api/ussd/register-callback/`.
//!
//! Absent: the conversation (`ussd/`).

use amana_adapters::africastalking::read_ussd;
use amana_adapters::port::Msisdn;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Shared;
use super::body::{Body, Raw};
use super::problem::Answer;
use crate::error::Refusal;
use crate::people::{Language, Name, Role};
use crate::ussd;

/// A person whom a phone menu asked for their name.
#[derive(Deserialize, ToSchema)]
pub(crate) struct EnrolForm {
    /// Their number, as the network gave it.
    #[schema(example = "+254712345678")]
    phone_number: String,
    /// Given name.
    first_name: String,
    /// Family name.
    last_name: String,
    /// `employer` or `employee`.
    user_type: String,
    /// `en` (default) or `sw`.
    language: Option<String>,
}

/// Who is registered now. The PIN is not here: it goes to the phone.
#[derive(Serialize, ToSchema)]
pub(crate) struct EnrolledView {
    /// Their id.
    id: i64,
    /// Their role.
    user_type: &'static str,
    /// Whether this call did it.
    created: bool,
}

/// Answers one hop of a call: a screen that goes on (`CON`) or ends (`END`).
#[utoipa::path(post, path = "/api/ussd/", tag = "phones",
    request_body(content = String, content_type = "application/x-www-form-urlencoded",
        description = "sessionId, serviceCode, phoneNumber, networkCode, text"),
    responses((status = 200, content_type = "text/plain", body = String)))]
pub(super) async fn turn(State(app): State<Shared>, Raw(raw): Raw) -> Answer<Response> {
    let request = read_ussd(&raw).map_err(|bad| Refusal::field(bad.field, bad.reason))?;
    let reply = ussd::answer(&app, &request).await;
    let text = reply.render().unwrap_or_else(|_| "END".into());
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

/// Registers whom the phone menu of another system has asked for their name, and sends them a PIN.
#[utoipa::path(post, path = "/api/ussd/register-callback/", tag = "phones", request_body = EnrolForm,
    responses((status = 201, body = EnrolledView),
        (status = 200, description = "registered before", body = EnrolledView)))]
pub(super) async fn register_callback(
    State(app): State<Shared>,
    Body(form): Body<EnrolForm>,
) -> Answer<(StatusCode, Json<EnrolledView>)> {
    let phone =
        Msisdn::parse(&form.phone_number).map_err(|bad| Refusal::field("phone_number", bad.to_string()))?;
    let role = match form.user_type.as_str() {
        "employer" => Role::Employer,
        "employee" => Role::Employee,
        _ => return Err(Refusal::field("user_type", "must be employer or employee").into()),
    };
    let names = (Name::parse("first_name", &form.first_name)?, Name::parse("last_name", &form.last_name)?);
    let language = Language::of(form.language.as_deref().unwrap_or("en"));
    let enrolled = ussd::register(&app, role, &phone, names, language).await?;
    let status = if enrolled.created { StatusCode::CREATED } else { StatusCode::OK };
    let view = EnrolledView { id: enrolled.id, user_type: enrolled.role.word(), created: enrolled.created };
    Ok((status, Json(view)))
}
