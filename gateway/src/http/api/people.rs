//! `/api/auth/…` and `/api/me/`: becoming somebody, proving it, leaving.
//!
//! Absent: rules on people (`people/`).

use amana_adapters::port::Msisdn;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::app::App;
use crate::error::{Code, Refusal};
use crate::http::Shared;
use crate::http::body::Body;
use crate::http::problem::{Answer, FieldError, Problem};
use crate::people::session::{self, Caller, Login, Tokens};
use crate::people::token::Signer;
use crate::people::{self, Email, Language, Name, NewPerson, PayoutMode, Person, Role, password};

/// A person who registers.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Registration {
    /// A mobile number in any usual spelling.
    #[schema(example = "0712345678")]
    phone_number: String,
    /// 8 to 128 characters.
    #[schema(example = "securepassword")]
    password: String,
    /// If they have one.
    email: Option<String>,
    /// Given name.
    first_name: String,
    /// Family name.
    last_name: String,
    /// `employer` or `employee`.
    #[schema(example = "employer")]
    user_type: String,
    /// A Stellar account of their own (`G…`), if they have one.
    stellar_account_id: Option<String>,
    /// `mobile` (default), or `stellar` to be paid in tokens at `stellar_account_id`.
    payout_mode: Option<String>,
    /// `en` (default) or `sw`.
    language: Option<String>,
}

/// Who logs in, by phone or by email.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Credentials {
    /// The phone number, in any usual spelling.
    phone_number: Option<String>,
    /// Or the email.
    email: Option<String>,
    /// The password.
    password: String,
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
pub(crate) struct RefreshToken {
    /// As given at login or at the last refresh.
    refresh: String,
}

/// A person, as they see themselves.
#[derive(Serialize, ToSchema)]
pub(crate) struct User {
    /// Their id.
    id: i64,
    /// In E.164.
    #[schema(example = "+254712345678")]
    phone_number: String,
    /// If they gave one.
    email: Option<String>,
    /// Given name.
    first_name: String,
    /// Family name.
    last_name: String,
    /// Their role.
    user_type: &'static str,
    /// Their Stellar account, if they have one.
    stellar_account_id: Option<String>,
    /// `mobile` or `stellar`.
    payout_mode: &'static str,
    /// `en` or `sw`.
    language: &'static str,
    /// Since when.
    created_at: String,
}

/// The tokens of a session, and whose it is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Session {
    /// For every call: `Authorization: Bearer …`.
    access: String,
    /// For one refresh.
    refresh: String,
    /// Seconds the access token is valid.
    expires_in: i64,
    /// Who.
    user: User,
}

/// Registers an employer or an employee.
#[utoipa::path(post, path = "/api/auth/register/", tag = "people", request_body = Registration,
    responses((status = 201, body = Session)))]
pub(in crate::http) async fn register(
    State(app): State<Shared>,
    Body(form): Body<Registration>,
) -> Answer<(StatusCode, Json<Session>)> {
    let (mut new, secret) = read(form)?;
    new.password = Some(password::hash(&app, &secret).await?);
    let mut tx = app.db.begin().await?;
    let person = people::register(&mut tx, &app, new).await?;
    let tokens = session::open(&mut tx, &app, &person).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(shown(person, tokens))))
}

/// Logs in.
#[utoipa::path(post, path = "/api/auth/login/", tag = "people", request_body = Credentials,
    responses((status = 200, body = Session)))]
pub(in crate::http) async fn login(
    State(app): State<Shared>,
    Body(form): Body<Credentials>,
) -> Answer<Json<Session>> {
    let login = match (&form.phone_number, &form.email) {
        (Some(phone), _) => Msisdn::parse(phone).map_or(Login::Nonsense, Login::Phone),
        (None, Some(email)) => Email::parse(email).map_or(Login::Nonsense, Login::Email),
        (None, None) => return Err(Refusal::field("phone_number", "is required, or email").into()),
    };
    let (person, tokens) = session::login(&app, login, &form.password).await?;
    Ok(Json(shown(person, tokens)))
}

/// Gives the next pair of tokens for a refresh token, which is used up by it.
#[utoipa::path(post, path = "/api/auth/refresh/", tag = "people", request_body = RefreshToken,
    responses((status = 200, body = Session)))]
pub(in crate::http) async fn refresh(
    State(app): State<Shared>,
    Body(form): Body<RefreshToken>,
) -> Answer<Json<Session>> {
    let (person, tokens) = session::refresh(&app, &form.refresh).await?;
    Ok(Json(shown(person, tokens)))
}

/// Ends the session.
#[utoipa::path(post, path = "/api/auth/logout/", tag = "people", responses((status = 204)))]
pub(in crate::http) async fn logout(State(app): State<Shared>, caller: Caller) -> Answer<StatusCode> {
    session::logout(&app, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Shows the caller to themselves.
#[utoipa::path(get, path = "/api/me/", tag = "people", responses((status = 200, body = User)))]
pub(in crate::http) async fn me(State(app): State<Shared>, caller: Caller) -> Answer<Json<User>> {
    Ok(Json(user(itself(&app, &caller).await?)))
}

/// The keys with which access tokens are checked.
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "people",
    responses((status = 200, body = Object)))]
pub(in crate::http) async fn jwks(State(app): State<Shared>) -> Json<Value> {
    Json(Signer::new(&app.privacy).jwks())
}

async fn itself(app: &App, caller: &Caller) -> Answer<Person> {
    let mut tx = app.db.begin().await?;
    let person = people::person(&mut tx, app, caller.party).await?;
    Ok(person.ok_or_else(|| Refusal::new(Code::NotFound, format!("no person {}", caller.id)))?)
}

/// Reads a registration; everything that is wrong is said at once.
fn read(form: Registration) -> Result<(NewPerson, String), Problem> {
    let mut errors = Vec::new();
    let phone =
        Msisdn::parse(&form.phone_number).map_err(|bad| Refusal::field("phone_number", bad.to_string()));
    let phone = kept(&mut errors, phone);
    let email = form.email.as_deref().filter(|email| !email.trim().is_empty());
    let email = kept(&mut errors, email.map(Email::parse).transpose());
    let first_name = kept(&mut errors, Name::parse("first_name", &form.first_name));
    let last_name = kept(&mut errors, Name::parse("last_name", &form.last_name));
    kept(&mut errors, password::check_new(&form.password));
    let role = match form.user_type.as_str() {
        "employer" => Ok(Role::Employer),
        "employee" => Ok(Role::Employee),
        _ => Err(Refusal::field("user_type", "must be employer or employee")),
    };
    let role = kept(&mut errors, role);
    let account = form.stellar_account_id.as_deref().filter(|account| !account.trim().is_empty());
    let account = kept(&mut errors, account.map(people::stellar_account_id).transpose()).flatten();
    let payout_mode = match (form.payout_mode.as_deref().unwrap_or("mobile"), &account) {
        ("mobile", _) => Ok(PayoutMode::Mobile),
        ("stellar", Some(account)) => Ok(PayoutMode::Stellar(account.clone())),
        ("stellar", None) => Err(Refusal::field("stellar_account_id", "is required to be paid in tokens")),
        _ => Err(Refusal::field("payout_mode", "must be mobile or stellar")),
    };
    let payout_mode = kept(&mut errors, payout_mode);
    match (phone, email, first_name, last_name, role, payout_mode) {
        (Some(phone), Some(email), Some(first_name), Some(last_name), Some(role), Some(payout_mode))
            if errors.is_empty() =>
        {
            let language = Language::of(form.language.as_deref().unwrap_or("en"));
            let stellar_account_id = account;
            let password = None;
            let new = NewPerson {
                role,
                phone,
                email,
                first_name,
                last_name,
                password,
                payout_mode,
                stellar_account_id,
                language,
            };
            Ok((new, form.password))
        }
        _ => Err(Problem::fields(errors)),
    }
}

fn kept<T>(errors: &mut Vec<FieldError>, read: Result<T, Refusal>) -> Option<T> {
    match read {
        Ok(value) => Some(value),
        Err(refusal) => {
            let pointer = format!("/{}", refusal.field.unwrap_or_default());
            errors.push(FieldError { pointer, code: "invalid", message: refusal.detail });
            None
        }
    }
}

fn shown(person: Person, tokens: Tokens) -> Session {
    let Tokens { access, refresh, expires_in } = tokens;
    Session { access, refresh, expires_in, user: user(person) }
}

fn user(person: Person) -> User {
    User {
        id: person.id,
        phone_number: person.phone.e164().to_owned(),
        email: person.email,
        first_name: person.first_name,
        last_name: person.last_name,
        user_type: person.role.word(),
        stellar_account_id: person.stellar_account_id,
        payout_mode: match person.payout_mode {
            PayoutMode::Mobile => "mobile",
            PayoutMode::Stellar(_) => "stellar",
        },
        language: person.language.code(),
        created_at: time(person.created_at),
    }
}

/// A time at the edge: RFC 3339, UTC, whole seconds.
pub(in crate::http) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
