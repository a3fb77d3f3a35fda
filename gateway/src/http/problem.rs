//! Errors at the door: RFC 9457 problem documents. The only file that knows status codes.
//!
//! Invariant: every error that leaves this house is `application/problem+json` with a code of the closed
//! list below, and none carries more of a fault than "try again". A fault is logged here, once, under the
//! request's id.

use std::cell::RefCell;

use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{Code, Error, Fault, Refusal};

tokio::task_local! {
    /// The id of the request being answered.
    pub(super) static REQUEST: RefCell<String>;
}

/// The media type of every error.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// One field at fault.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// Where in the body (JSON pointer), the query or the headers.
    #[schema(example = "/phone_number")]
    pub pointer: String,
    /// `missing`, `invalid` or `taken`.
    pub code: &'static str,
    /// In words.
    pub message: String,
}

/// The document, as written.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Document {
    /// A stable URI of the kind of problem.
    #[serde(rename = "type")]
    #[schema(example = "urn:amana:problem:wrong_state")]
    kind: String,
    /// The kind in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// This case in words.
    detail: String,
    /// This request, for the logs.
    instance: String,
    /// The kind, for machines.
    code: &'static str,
    /// The fields at fault, if fields are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    /// What the thing would allow instead, if it is in the wrong state.
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_transitions: Option<Vec<String>>,
    /// Whether the same call may succeed later.
    retryable: bool,
}

/// A kind of problem: its code, status and title.
#[derive(Debug, Clone, Copy)]
struct Kind(&'static str, StatusCode, &'static str);

/// An error on its way out.
#[derive(Debug, Clone)]
pub struct Problem(Box<Case>);

/// What an error is made of.
#[derive(Debug, Clone)]
struct Case {
    kind: Kind,
    detail: String,
    errors: Vec<FieldError>,
    allowed: Option<Vec<String>>,
    retryable: bool,
    retry_after_s: Option<u32>,
    header: Option<(HeaderName, HeaderValue)>,
}

/// What a handler answers.
pub(crate) type Answer<T> = Result<T, Problem>;

impl Case {
    fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            allowed: None,
            retryable: false,
            retry_after_s: None,
            header: None,
        }
    }
}

impl From<Case> for Problem {
    fn from(case: Case) -> Self {
        Self(Box::new(case))
    }
}

impl Problem {
    fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Case::new(kind, detail).into()
    }

    /// There is no such path.
    pub(super) fn no_such_path() -> Self {
        Self::new(Kind("not_found", StatusCode::NOT_FOUND, "Not found"), "there is nothing at this path")
    }

    /// The path exists, the method does not; `allow` lists those that do.
    pub(super) fn wrong_method(allow: &str) -> Self {
        let kind = Kind("method_not_allowed", StatusCode::METHOD_NOT_ALLOWED, "Method not allowed");
        let header = HeaderValue::from_str(allow).ok().map(|value| (ALLOW, value));
        Case { header, ..Case::new(kind, format!("this path takes {allow}")) }.into()
    }

    /// The body is larger than any we expect.
    pub(super) fn too_large() -> Self {
        let kind = Kind("too_large", StatusCode::PAYLOAD_TOO_LARGE, "Body too large");
        Self::new(kind, "the body is larger than this path takes")
    }

    /// The body is not of a type we read here.
    pub(super) fn wrong_media(expected: &str) -> Self {
        let kind =
            Kind("unsupported_media_type", StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported media type");
        Self::new(kind, format!("send {expected}"))
    }

    /// The body cannot be read at all.
    pub(super) fn unreadable(detail: impl Into<String>) -> Self {
        Self::new(Kind("bad_request", StatusCode::BAD_REQUEST, "Unreadable request"), detail)
    }

    /// Several fields are at fault.
    pub(super) fn fields(errors: Vec<FieldError>) -> Self {
        let names: Vec<&str> = errors.iter().map(|error| error.pointer.trim_start_matches('/')).collect();
        let detail = format!("check {}", names.join(", "));
        Case { errors, ..Case::new(kind(Code::BadField), detail) }.into()
    }

    /// Something of ours is not there yet.
    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        let kind = Kind("unavailable", StatusCode::SERVICE_UNAVAILABLE, "Try again");
        Case { retryable: true, retry_after_s: Some(2), ..Case::new(kind, detail) }.into()
    }

    /// A defect of ours. What it was stands in the log.
    pub(super) fn defect() -> Self {
        let kind = Kind("internal", StatusCode::INTERNAL_SERVER_ERROR, "Our fault");
        Self::new(kind, "something went wrong on our side; it has been logged under this instance")
    }

    /// A bare status from a layer below, dressed.
    pub(super) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::no_such_path(),
            StatusCode::PAYLOAD_TOO_LARGE => Self::too_large(),
            StatusCode::SERVICE_UNAVAILABLE => Self::unavailable("this took too long; try again"),
            status if status.is_client_error() => {
                Self::new(Kind("bad_request", status, "Unreadable request"), "the request cannot be read")
            }
            _ => Self::defect(),
        }
    }

    /// The status it will have.
    #[cfg(test)]
    pub(super) fn status(&self) -> StatusCode {
        self.0.kind.1
    }
}

/// The status and words of each refusal.
fn kind(code: Code) -> Kind {
    match code {
        Code::BadField => Kind("bad_field", StatusCode::UNPROCESSABLE_ENTITY, "A field is not right"),
        Code::Unauthenticated => Kind("unauthenticated", StatusCode::UNAUTHORIZED, "Who are you?"),
        Code::Forbidden => Kind("forbidden", StatusCode::FORBIDDEN, "Not yours to do"),
        Code::NotFound => Kind("not_found", StatusCode::NOT_FOUND, "Not found"),
        Code::Exists => Kind("exists", StatusCode::CONFLICT, "Exists already"),
        Code::WrongState => Kind("wrong_state", StatusCode::CONFLICT, "Not in this state"),
        Code::NotYet => Kind("not_yet", StatusCode::CONFLICT, "Not yet"),
        Code::KeyMissing => {
            Kind("idempotency_key_missing", StatusCode::BAD_REQUEST, "Idempotency-Key is missing")
        }
        Code::KeyReused => Kind(
            "idempotency_key_reused",
            StatusCode::UNPROCESSABLE_ENTITY,
            "Idempotency-Key was used before",
        ),
        Code::KeyInProgress => Kind(
            "idempotency_key_in_progress",
            StatusCode::CONFLICT,
            "The first call is still being answered",
        ),
        Code::Ledger => Kind("ledger_refused", StatusCode::CONFLICT, "The ledger refused"),
        Code::TooMany => Kind("too_many", StatusCode::TOO_MANY_REQUESTS, "Too many"),
    }
}

impl Problem {
    fn refused(refusal: Refusal) -> Self {
        let pointer = refusal.field.map(|field| format!("/{field}"));
        let code = if refusal.code == Code::Exists { "taken" } else { "invalid" };
        let message = refusal.detail.clone();
        let detail = match &pointer {
            Some(pointer) => format!("{}: {}", &pointer[1..], refusal.detail),
            None => refusal.detail,
        };
        let errors = pointer.map(|pointer| FieldError { pointer, code, message }).into_iter().collect();
        let stateful = matches!(refusal.code, Code::WrongState | Code::NotYet) || !refusal.allowed.is_empty();
        let header = (refusal.code == Code::Unauthenticated)
            .then_some((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"amana\"")));
        Case {
            errors,
            allowed: stateful.then_some(refusal.allowed),
            retryable: matches!(refusal.code, Code::NotYet | Code::KeyInProgress | Code::TooMany),
            retry_after_s: refusal.retry_after_s,
            header,
            ..Case::new(kind(refusal.code), detail)
        }
        .into()
    }
}

impl Problem {
    fn faulty(fault: &Fault) -> Self {
        let instance = instance();
        tracing::error!(target: "fault", %instance, %fault, "a request met a fault");
        match fault {
            Fault::Stored(_) | Fault::Sealed(_) => Self::defect(),
            _ => Self::unavailable("we could not do this now; try again"),
        }
    }
}

impl<T: Into<Error>> From<T> for Problem {
    fn from(error: T) -> Self {
        match error.into() {
            Error::Refused(refusal) => Self::refused(refusal),
            Error::Fault(fault) => Self::faulty(&fault),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let case = *self.0;
        let Kind(code, status, title) = case.kind;
        let document = Document {
            kind: format!("urn:amana:problem:{code}"),
            title,
            status: status.as_u16(),
            detail: case.detail,
            instance: instance(),
            code,
            errors: case.errors,
            allowed_transitions: case.allowed,
            retryable: case.retryable,
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = (status, [(CONTENT_TYPE, PROBLEM_JSON)], body).into_response();
        if let Some((name, value)) = case.header {
            response.headers_mut().insert(name, value);
        }
        if let Some(seconds) = case.retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// The request's id as a URI; `urn:uuid:` of nothing outside a request.
fn instance() -> String {
    REQUEST.try_with(|id| format!("urn:uuid:{}", id.borrow())).unwrap_or_else(|_| "urn:uuid:".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_keep_field_transitions_and_patience() {
        let taken = Refusal {
            field: Some("phone_number".into()),
            ..Refusal::new(Code::Exists, "is registered already")
        };
        let problem = Problem::from(taken);
        assert_eq!(problem.status(), StatusCode::CONFLICT);
        assert_eq!(
            (problem.0.errors[0].pointer.as_str(), problem.0.errors[0].code),
            ("/phone_number", "taken")
        );

        let soon = Problem::from(Refusal::new(Code::NotYet, "the chain has not confirmed").retry_after(5));
        assert!(soon.0.retryable);
        assert_eq!(soon.into_response().headers()[RETRY_AFTER], "5");

        let wrong = Problem::from(
            Refusal::new(Code::WrongState, "job 1 is open").allowing(["assigned", "cancelled"]),
        );
        assert_eq!(wrong.0.allowed.as_deref(), Some(&["assigned".to_owned(), "cancelled".to_owned()][..]));
    }

    #[test]
    fn faults_say_nothing_of_themselves() {
        let problem = Problem::from(Fault::Outside("a host name and a port".into()));
        assert!(problem.0.retryable && !problem.0.detail.contains("host"));
        assert_eq!(Problem::from(Fault::Stored("row 7".into())).status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
