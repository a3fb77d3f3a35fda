//! Who may call what: one table, which the guard reads and the tests read.
//!
//! Invariant: a route without a row is refused; a test proves that table and routes are the same set. A verb
//! with a row of its own is let in by that row alone, however the path is written.
//! Whether a thing is the caller's own is asked where the thing is read, and a stranger is told it does not
//! exist.

use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Method, request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Shared;
use super::problem::Problem;
use crate::config::Rails;
use crate::error::{Code, Refusal};
use crate::people::Role;
use crate::people::session::{self, Caller};

/// Who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// Anybody, unknown.
    Anyone,
    /// People of these roles, logged in.
    Roles(&'static [Role]),
    /// A rail; its door checks source, token or signature.
    Rail,
    /// The USSD gateway; open where the rails are simulated.
    Ussd,
    /// The USSD gateway with its credential, always.
    UssdCredential,
}

use Role::{Admin, Approver, Auditor, Employee, Employer, Finance, Operator};
use Who::{Anyone, Rail, Roles, Ussd, UssdCredential};

const ALL: Who = Roles(&Role::ALL);
const EMPLOYER: Who = Roles(&[Employer]);
const EMPLOYEE: Who = Roles(&[Employee]);
/// Those who look after money without owning it.
const STAFF: Who = Roles(&[Operator, Finance, Approver, Auditor, Admin]);
const MONEY: Who = Roles(&[Finance, Admin]);

/// Method, path, who.
type Row = (&'static str, &'static str, Who);

/// The table. Paths as documented; a trailing slash makes no difference.
#[rustfmt::skip]
pub(super) const RIGHTS: &[Row] = &[
    ("POST",  "/api/auth/register/",                    Anyone),
    ("POST",  "/api/auth/login/",                       Anyone),
    ("POST",  "/api/auth/refresh/",                     Anyone),
    ("POST",  "/api/auth/logout/",                      ALL),
    ("GET",   "/api/me/",                               ALL),
    ("GET",   "/api/jobs/",                             ALL),
    ("POST",  "/api/jobs/",                             EMPLOYER),
    ("GET",   "/api/jobs/{id}/",                        ALL),
    ("PATCH", "/api/jobs/{id}/",                        EMPLOYER),
    ("POST",  "/api/jobs/{id}/apply/",                  EMPLOYEE),
    ("POST",  "/api/jobs/{id}/withdraw/",               EMPLOYEE),
    ("GET",   "/api/jobs/{id}/applicants/",             Roles(&[Employer, Operator, Auditor, Admin])),
    ("POST",  "/api/jobs/{id}/complete/",               EMPLOYER),
    ("POST",  "/api/jobs/{id}/prompt/",                 EMPLOYER),
    ("GET",   "/api/jobs/{id}/payment-instructions/",   Roles(&[Employer, Operator, Auditor, Admin])),
    ("GET",   "/api/escrow/{id}",                       ALL),
    ("POST",  "/api/ussd/",                             Ussd),
    ("POST",  "/api/ussd/register-callback/",           UssdCredential),
    ("POST",  "/api/callbacks/mpesa/deposit/",          Rail),
    ("POST",  "/api/callbacks/c2b/{secret}/confirm",    Rail),
    ("POST",  "/api/callbacks/c2b/{secret}/validate",   Rail),
    ("POST",  "/api/callbacks/rail/{secret}/{id}/{end}", Rail),
    ("POST",  "/api/callbacks/payouts/{provider}/",     Rail),
    ("GET",   "/v1/escrows/{reference}/trace",          ALL),
    ("GET",   "/v1/suspense",                           STAFF),
    ("GET",   "/v1/suspense/{id}/candidates",           STAFF),
    ("POST",  "/v1/suspense/{id}:{verb}",               Roles(&[Operator, Finance, Approver])),
    ("GET",   "/v1/failures",                           STAFF),
    ("GET",   "/v1/breaks",                             STAFF),
    ("GET",   "/v1/events",                             STAFF),
    ("GET",   "/v1/proof",                              STAFF),
    ("GET",   "/v1/ledger/trial-balance",               STAFF),
    ("GET",   "/v1/ledger/accounts/{path}/statement",   STAFF),
    ("GET",   "/v1/books/{book}/export",                STAFF),
    ("POST",  "/v1/ledger/periods",                     Roles(&[Approver])),
    ("POST",  "/v1/ledger/accounts/{path}/limit",       Roles(&[Approver])),
    ("GET",   "/v1/reports",                            STAFF),
    ("GET",   "/v1/reports/{name}",                     STAFF),
    ("GET",   "/v1/books/{book}/checkpoint",            Anyone),
    ("GET",   "/v1/books/{book}/proofs/{transfer}",     STAFF),
    ("GET",   "/v1/me/liability-proof",                 ALL),
    ("GET",   "/v1/books/{book}/anchors",               Anyone),
    ("POST",  "/v1/jobs/{id}:{verb}",                   Roles(&[Employer, Employee])),
    ("POST",  "/v1/jobs/{id}:resolve",                  Roles(&[Approver])),
    ("POST",  "/v1/statements",                         MONEY),
    ("POST",  "/v1/floats:capital-in",                  MONEY),
    ("POST",  "/v1/floats:move",                        MONEY),
    ("POST",  "/v1/payouts/{reference}:retry",          Roles(&[Operator, Finance, Admin])),
    ("GET",   "/.well-known/jwks.json",                 Anyone),
    ("GET",   "/openapi.json",                          Anyone),
    ("GET",   "/docs",                                  Anyone),
    ("GET",   "/docs.css",                              Anyone),
    ("GET",   "/livez",                                 Anyone),
    ("GET",   "/readyz",                                Anyone),
    ("GET",   "/version",                               Anyone),
];

/// The path under which axum knows a documented one: without the trailing slash, and without a verb after a
/// parameter, which its router cannot match (the route's function takes the verb off).
pub(super) fn plain(path: &str) -> &str {
    let path = if path.len() > 1 { path.trim_end_matches('/') } else { path };
    path.find("}:").map_or(path, |end| &path[..=end])
}

/// The row for a path as the router knows it and the last parameter in it, decoded.
fn row(method: &Method, path: &str, named: &str) -> Result<Who, Vec<&'static str>> {
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    let rows = || RIGHTS.iter().filter(|row| plain(row.1) == plain(path));
    let verb = named.split_once(':').map(|(_, verb)| verb);
    let is_own = |row: &&Row| row.1.split_once("}:").is_some_and(|(_, own)| Some(own) == verb);
    let found = rows().filter(|row| row.0 == method);
    let found = found.clone().find(is_own).or_else(|| found.clone().next());
    found.map(|row| row.2).ok_or_else(|| rows().map(|row| row.0).collect())
}

/// Lets a request in, with its caller known if there has to be one.
pub(super) async fn guard(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match admit(&app, &mut parts).await {
        Ok(Some(caller)) => {
            parts.extensions.insert(caller);
            next.run(Request::from_parts(parts, body)).await
        }
        Ok(None) => next.run(Request::from_parts(parts, body)).await,
        Err(problem) => problem.into_response(),
    }
}

async fn admit(app: &Shared, parts: &mut request::Parts) -> Result<Option<Caller>, Problem> {
    let Some(path) = parts.extensions.get::<MatchedPath>().cloned() else {
        return Ok(None); // no such path: the fallback says so
    };
    let named = RawPathParams::from_request_parts(parts, app).await.ok();
    let named = named.iter().flatten().last().map_or("", |(_, named)| named);
    let who = row(&parts.method, path.as_str(), named);
    let who = who.map_err(|known| Problem::wrong_method(&known.join(", ")))?;
    match who {
        Anyone | Rail => Ok(None),
        Roles(roles) => {
            let missing =
                || Refusal::new(Code::Unauthenticated, "send an access token: Authorization: Bearer …");
            let token = bearer(&parts.headers).ok_or_else(missing)?;
            let caller = session::authenticate(app, token).await?;
            if roles.contains(&caller.role) {
                return Ok(Some(caller));
            }
            let role = caller.role.word();
            Err(Refusal::new(Code::Forbidden, format!("a caller with the role {role} may not do this"))
                .into())
        }
        Ussd if app.config.rails == Rails::Simulated => Ok(None),
        Ussd | UssdCredential => {
            let expected = app.config.africastalking.ussd_token.as_ref().map(|token| token.expose());
            let query = parts.uri.query().unwrap_or("");
            let shown = query.split('&').find_map(|pair| pair.strip_prefix("token="));
            match (expected, shown.or_else(|| bearer(&parts.headers))) {
                (Some(expected), Some(shown)) if same(expected, shown) => Ok(None),
                _ => Err(Refusal::new(Code::Unauthenticated, "the gateway's credential is missing or wrong")
                    .into()),
            }
        }
    }
}

/// The token of an `Authorization: Bearer` header.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whether two secrets are the same, in a time that tells neither where they differ nor how long the right
/// one is.
pub(super) fn same(expected: &str, shown: &str) -> bool {
    use aws_lc_rs::digest::{SHA256, digest};
    let hash = |text: &str| digest(&SHA256, text.as_bytes());
    aws_lc_rs::constant_time::verify_slices_are_equal(hash(expected).as_ref(), hash(shown).as_ref()).is_ok()
}

/// The caller the guard let in.
impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut request::Parts, _: &S) -> Result<Self, Problem> {
        // Only a row that lets anyone in leads here without a caller, and no such route asks for one.
        parts.extensions.get::<Caller>().copied().ok_or_else(Problem::defect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_table_and_the_routes_are_the_same_set() {
        let document = serde_json::to_value(super::super::openapi()).unwrap();
        let mut routes = BTreeSet::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for method in
                methods.as_object().unwrap().keys().filter(|key| key.len() <= 6 && *key != "servers")
            {
                routes.insert((method.to_uppercase(), path.clone()));
            }
        }
        let table: BTreeSet<_> = RIGHTS.iter().map(|row| (row.0.to_owned(), row.1.to_owned())).collect();
        assert_eq!(routes, table);
        assert_eq!(table.len(), RIGHTS.len(), "no row twice");
    }

    #[test]
    fn money_is_for_few() {
        for (method, path, who) in RIGHTS {
            // A job's own parties ask about their own money.
            if *method != "GET" && path.starts_with("/v1/") && !path.starts_with("/v1/jobs/") {
                assert!(
                    matches!(who, Roles(roles) if !roles.contains(&Employer) && !roles.contains(&Auditor)),
                    "{path}"
                );
            }
        }
    }

    #[test]
    fn unknown_methods_name_the_known_ones() {
        assert_eq!(row(&Method::GET, "/api/jobs", ""), Ok(ALL));
        assert_eq!(row(&Method::HEAD, "/api/jobs/", ""), Ok(ALL));
        assert_eq!(row(&Method::DELETE, "/api/jobs/{id}", "7"), Err(vec!["GET", "PATCH"]));
        let retry = row(&Method::POST, "/v1/payouts/{reference}", "PAYOUT_1:retry");
        assert_eq!(retry, Ok(Roles(&[Operator, Finance, Admin])));
    }

    #[test]
    fn a_verb_with_a_row_of_its_own_has_no_other() {
        let job = |named| row(&Method::POST, "/v1/jobs/{id}", named);
        assert_eq!(job("7:resolve"), Ok(Roles(&[Approver])));
        assert_eq!(job("7:dispute"), Ok(Roles(&[Employer, Employee])));
        assert_eq!(job("7"), Ok(Roles(&[Employer, Employee])));
    }

    #[test]
    fn secrets_are_compared_whole() {
        assert!(same("a-long-secret", "a-long-secret"));
        assert!(!same("a-long-secret", "a-long-secre") && !same("a", ""));
    }

    #[test]
    fn bearer_tokens_are_read_without_regard_to_case() {
        let headers = |value: &str| HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())]);
        assert_eq!(bearer(&headers("bearer abc")), Some("abc"));
        assert_eq!(bearer(&headers("Basic abc")), None);
        assert_eq!(bearer(&headers("abc")), None);
    }
}
