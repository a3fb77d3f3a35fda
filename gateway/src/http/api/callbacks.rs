//! Where rails call back: deposits, their validation, and news of payouts.
//!
//! Invariant: what an admitted source sends is stored, sealed, before anybody reads it, and then answered as
//! the rail expects whatever it says; only if it could not be stored is the rail told so. A signature is
//! checked over raw bytes.
//! Absent: judging (`worker/judge.rs`).

use std::net::{IpAddr, SocketAddr};

use amana_adapters::intersend::{BadCallback, HEADERS};
use amana_adapters::mpesa;
use amana_adapters::mpesa::answer::{ACK, Reject, accept, reject};
use axum::extract::{ConnectInfo, FromRequestParts, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, request};
use serde_json::json;

use crate::app::App;
use crate::error::{Code, Error, Refusal};
use crate::flows::{entrust, payout};
use crate::http::Shared;
use crate::http::body::{Part, Raw, Three};
use crate::http::problem::{Answer, Problem};
use crate::http::rights::same;
use crate::inbox;

/// Hears that money came in. Daraja does not register a path with its rail's name in it: give it the one with
/// a token.
#[utoipa::path(post, path = "/api/callbacks/mpesa/deposit/", tag = "callbacks", request_body = Object,
    responses((status = 200, description = "heard", body = Object)))]
pub(in crate::http) async fn deposit(State(app): State<Shared>, peer: Peer, Raw(raw): Raw) -> Answer<Json> {
    admit(&app, &peer, None)?;
    hear(&app, &peer, &raw).await
}

/// Hears that money came in, at a path without a rail's name and with a token in it.
#[utoipa::path(post, path = "/api/callbacks/c2b/{secret}/confirm", tag = "callbacks", request_body = Object,
    params(("secret" = String, Path)), responses((status = 200, description = "heard", body = Object)))]
pub(in crate::http) async fn confirm(
    State(app): State<Shared>,
    peer: Peer,
    Part(secret): Part,
    Raw(raw): Raw,
) -> Answer<Json> {
    admit(&app, &peer, Some(&secret))?;
    hear(&app, &peer, &raw).await
}

/// Says whether a payment about to be made would be known to us. Never in the way: what cannot be judged is
/// accepted, since money in suspense is better than money refused by our own fault.
#[utoipa::path(post, path = "/api/callbacks/c2b/{secret}/validate", tag = "callbacks", request_body = Object,
    params(("secret" = String, Path)), responses((status = 200, description = "the verdict", body = Object)))]
pub(in crate::http) async fn validate(
    State(app): State<Shared>,
    peer: Peer,
    Part(secret): Part,
    Raw(raw): Raw,
) -> Answer<Json> {
    admit(&app, &peer, Some(&secret))?;
    let verdict = match mpesa::read_validation(&raw) {
        Ok(notice)
            if notice
                .shortcode
                .as_deref()
                .is_some_and(|code| code != app.config.mpesa.shortcode.as_str()) =>
        {
            reject(Reject::Shortcode)
        }
        Ok(notice) => match known(&app, &notice.typed_ref).await {
            Some(false) => reject(Reject::Account),
            Some(true) | None => accept(None),
        },
        Err(bad) if bad.field == "BillRefNumber" => reject(Reject::Account),
        Err(_) => accept(None),
    };
    Ok(Json(verdict))
}

/// Hears the answer to a question we asked, or how a prompt ended: the id in the address says which.
#[utoipa::path(post, path = "/api/callbacks/rail/{secret}/{id}/{end}", tag = "callbacks",
    request_body = Object, params(("secret" = String, Path), ("id" = String, Path), ("end" = String, Path)),
    responses((status = 200, description = "heard", body = Object)))]
pub(in crate::http) async fn answer(
    State(app): State<Shared>,
    peer: Peer,
    Three(secret, id, end): Three,
    Raw(raw): Raw,
) -> Answer<Json> {
    admit(&app, &peer, Some(&secret))?;
    let source = match end.as_str() {
        "prompt" => inbox::PROMPT,
        "done" | "late" => inbox::ANSWER,
        _ => return Err(Problem::no_such_path()),
    };
    inbox::hear(&app, source, &peer.word(), json!({ "about": id, "end": end }), &raw).await?;
    Ok(Json(ACK.into()))
}

/// Hears from a payout rail how a payout stands.
#[utoipa::path(post, path = "/api/callbacks/payouts/{provider}/", tag = "callbacks", request_body = Object,
    params(("provider" = String, Path)), responses((status = 200, description = "heard", body = Object)))]
pub(in crate::http) async fn payout(
    State(app): State<Shared>,
    peer: Peer,
    Part(provider): Part,
    headers: HeaderMap,
    Raw(raw): Raw,
) -> Answer<Json> {
    if provider != payout::RAIL {
        return Err(Problem::no_such_path());
    }
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    let (timestamp, signature) = (header(HEADERS.0), header(HEADERS.1));
    match app.payouts.heard(timestamp, signature, &raw, app.clock.now()) {
        // Signed and not readable is still theirs: it is kept for a person to read.
        Ok(_) | Err(BadCallback::Unreadable(_)) => {}
        Err(BadCallback::NotSigned | BadCallback::Stale) => {
            tracing::warn!(target: "access", peer = %peer.word(), "a payout callback not signed");
            return Err(
                Refusal::new(Code::Unauthenticated, "the signature is missing, wrong or too old").into()
            );
        }
    }
    let kept = json!({ HEADERS.0: timestamp, HEADERS.1: signature });
    inbox::hear(&app, inbox::PAYOUT, &peer.word(), kept, &raw).await?;
    Ok(Json(r#"{"received":true}"#.into()))
}

async fn hear(app: &App, peer: &Peer, raw: &[u8]) -> Answer<Json> {
    inbox::hear(app, inbox::C2B, &peer.word(), json!({}), raw).await?;
    Ok(Json(ACK.into()))
}

/// Whether the reference typed belongs to an escrow of ours; `None` if the database could not say.
async fn known(app: &App, typed: &str) -> Option<bool> {
    let look = async {
        let mut tx = app.db.begin().await?;
        Ok::<_, Error>(entrust::named(&mut tx, typed).await?.is_some())
    };
    match look.await {
        Ok(known) => Some(known),
        Err(error) => {
            tracing::error!(target: "fault", %error, "a validation could not be judged");
            None
        }
    }
}

/// Lets a source in that is in the allow-list and knows the path token, as far as either is configured.
fn admit(app: &App, peer: &Peer, token: Option<&str>) -> Result<(), Refusal> {
    let mpesa = &app.config.mpesa;
    let source = mpesa.allow.as_ref().is_none_or(|list| peer.0.is_some_and(|address| list.contains(address)));
    let shown =
        mpesa.path_token.as_ref().is_none_or(|right| token.is_some_and(|shown| same(right.expose(), shown)));
    if source && shown {
        return Ok(());
    }
    let peer = peer.word();
    tracing::warn!(target: "access", %peer, source, token = shown, "a callback we do not trust");
    Err(Refusal::new(Code::Forbidden, "callbacks are taken from the rail only"))
}

/// The answer to a rail: JSON, byte for byte.
#[derive(Debug)]
pub(in crate::http) struct Json(String);

impl axum::response::IntoResponse for Json {
    fn into_response(self) -> axum::response::Response {
        ([(CONTENT_TYPE, "application/json")], self.0).into_response()
    }
}

/// Who calls, as far as it can be trusted: the connection's other end, or what the configured number of
/// proxies in front of us say about it. The leftmost address of `X-Forwarded-For` is anybody's to write and
/// is not asked.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Peer(Option<IpAddr>);

impl Peer {
    fn of(connection: Option<IpAddr>, headers: &HeaderMap, trusted_hops: u8) -> Self {
        let Some(back) = usize::from(trusted_hops).checked_sub(1) else { return Peer(connection) };
        let name = HeaderName::from_static("x-forwarded-for");
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        let hops: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
        Peer(hops.iter().rev().nth(back).and_then(|hop| hop.parse().ok()))
    }

    fn word(&self) -> String {
        self.0.map_or_else(|| "unknown".into(), |address| address.to_canonical().to_string())
    }
}

impl FromRequestParts<Shared> for Peer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut request::Parts, app: &Shared) -> Result<Self, Problem> {
        let connection = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        Ok(Peer::of(connection, &parts.headers, app.config.mpesa.trusted_hops))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trusted_hop_is_asked_not_the_leftmost() {
        let connection = Some("10.0.0.9".parse().unwrap());
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", "196.201.214.200, 203.0.113.7".parse().unwrap());
        headers.append("x-forwarded-for", "10.0.0.8".parse().unwrap());
        assert_eq!(Peer::of(connection, &headers, 0).word(), "10.0.0.9");
        assert_eq!(Peer::of(connection, &headers, 1).word(), "10.0.0.8");
        assert_eq!(
            Peer::of(connection, &headers, 2).word(),
            "203.0.113.7",
            "not what the caller wrote himself"
        );
        assert_eq!(Peer::of(connection, &headers, 4).word(), "unknown");
        assert_eq!(Peer::of(None, &HeaderMap::new(), 0).word(), "unknown");
    }
}
