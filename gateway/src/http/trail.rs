//! What surrounds every request: an id, one log line, security headers, and errors dressed as problems,
//! panics too.
//!
//! Invariant: the log line has the matched route, never the path or the query, so no reference, phone or
//! token shows.
//! Absent: metrics.

use std::any::Any;
use std::cell::RefCell;

use amana_ledger::id::uuid_v7;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{ALLOW, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Shared;
use super::problem::{PROBLEM_JSON, Problem, REQUEST};

/// Headers every answer carries. The pages need no script and no other origin.
const SECURITY: [(&str, &str); 8] = [
    ("strict-transport-security", "max-age=31536000; includeSubDomains"),
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cache-control", "no-store"),
    ("api-version", "2026-11-20"),
];

/// The outermost layer.
pub(super) async fn observe(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let id = uuid_v7(app.clock.as_ref(), app.rng.as_ref()).to_string();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("-", |path| path.as_str()).to_owned();
    let begun = app.clock.now();
    let work = async { dressed(next.run(request).await) };
    let mut response = REQUEST.scope(RefCell::new(id.clone()), work).await;
    let took_ms = (app.clock.now() - begun).num_milliseconds();
    let status = response.status().as_u16();
    tracing::info!(target: "access", request = %id, %method, route, status, took_ms);
    let headers = response.headers_mut();
    for (name, value) in SECURITY {
        headers.entry(HeaderName::from_static(name)).or_insert(HeaderValue::from_static(value));
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert("x-request-id", id);
    }
    response
}

/// Errors of layers below (routing, body limits) become problems; ours are that already.
fn dressed(response: Response) -> Response {
    let status = response.status();
    let content_type =
        response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    if !(status.is_client_error() || status.is_server_error()) || content_type.starts_with(PROBLEM_JSON) {
        return response;
    }
    let allow = response.headers().get(ALLOW).cloned();
    let mut dressed = Problem::of_status(status).into_response();
    if let Some(allow) = allow {
        dressed.headers_mut().insert(ALLOW, allow);
    }
    dressed
}

/// A panic ends the request, not the process, and tells the caller nothing. What it said may hold anything,
/// so it is not logged either; the place is in the panic hook's line.
pub(super) fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!(target: "fault", "a request panicked");
    Problem::defect().into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::StatusCode;

    #[test]
    fn a_panic_tells_the_caller_nothing() {
        let response = panicked(Box::new("a phone number"));
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()[CONTENT_TYPE], PROBLEM_JSON);
        assert!(!format!("{response:?}").contains("phone"));
    }

    #[test]
    fn bare_errors_are_dressed_and_answers_are_not() {
        let bare = dressed((StatusCode::NOT_FOUND, "plain").into_response());
        assert_eq!(bare.headers()[CONTENT_TYPE], PROBLEM_JSON);
        let fine = dressed("CON screen".into_response());
        assert_eq!(fine.headers()[CONTENT_TYPE], "text/plain; charset=utf-8");
    }
}
