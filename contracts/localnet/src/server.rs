//! The HTTP door: JSON-RPC 2.0 at `/` and `/rpc`, friendbot at `/friendbot`.
//!
//! Invariant: a batch of which one call's answer is lost is lost as a whole.
//! Absent: CORS; a web page has no business with somebody's local network.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::node::Ask;
use crate::rpc::{Funded, Reply, RpcError};

/// The largest request body: the limit of the public RPC servers, in bytes.
const MAX_BODY: usize = 512 * 1024;
/// Calls in one batch at most.
const MAX_BATCH: usize = 100;

type Asks = mpsc::Sender<Ask>;

/// The routes.
pub(crate) fn app(asks: Asks) -> Router {
    Router::new()
        .route("/", post(rpc))
        .route("/rpc", post(rpc))
        .route("/friendbot", get(friendbot).post(friendbot))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(asks)
}

async fn rpc(State(asks): State<Asks>, body: Bytes) -> Response {
    let answer = match serde_json::from_slice::<Value>(&body) {
        Err(_) => Ok(Some(failure(&Value::Null, &RpcError::parse()))),
        Ok(Value::Array(calls)) if calls.is_empty() || calls.len() > MAX_BATCH => {
            Ok(Some(failure(&Value::Null, &RpcError::request("a batch holds 1 to 100 calls"))))
        }
        Ok(Value::Array(calls)) => batch(&asks, calls).await,
        Ok(call) => one(&asks, call).await,
    };
    match answer {
        Ok(Some(answer)) => json_response(StatusCode::OK, &answer),
        Ok(None) => StatusCode::NO_CONTENT.into_response(),
        Err(Silence::Status(status)) => {
            StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY).into_response()
        }
        Err(Silence::HangUp) => hang_up(),
    }
}

/// What a client hears instead of an answer.
enum Silence {
    Status(u16),
    HangUp,
}

/// A response whose body breaks off before its first byte: the connection closes and nothing was said.
fn hang_up() -> Response {
    let broken = std::io::Error::from(std::io::ErrorKind::ConnectionAborted);
    Body::from_stream(futures_util::stream::iter([Err::<Bytes, _>(broken)])).into_response()
}

async fn batch(asks: &Asks, calls: Vec<Value>) -> Result<Option<Value>, Silence> {
    let (mut answers, mut silence) = (Vec::new(), None);
    for call in calls {
        match one(asks, call).await {
            Ok(answer) => answers.extend(answer),
            Err(e) => silence = Some(e),
        }
    }
    match silence {
        Some(silence) => Err(silence),
        None => Ok((!answers.is_empty()).then_some(Value::Array(answers))),
    }
}

/// Answers one call; a notification (no id) is done and not answered.
async fn one(asks: &Asks, mut call: Value) -> Result<Option<Value>, Silence> {
    let id = call.get("id").cloned();
    let known = id.clone().unwrap_or(Value::Null);
    let method = call.get("method").and_then(Value::as_str).map(str::to_owned);
    let well_formed = call.get("jsonrpc").and_then(Value::as_str) == Some("2.0");
    let (Some(method), true) = (method, well_formed) else {
        return Ok(Some(failure(&known, &RpcError::request("not a JSON-RPC 2.0 call"))));
    };
    let params = call.get_mut("params").map_or(Value::Null, Value::take);
    let (reply, answer) = oneshot::channel();
    let sent = asks.send(Ask::Call { method, params, reply }).await.is_ok();
    let outcome = match answer.await {
        Ok(Reply::Answer(outcome)) if sent => outcome,
        Ok(Reply::Status(status)) => return Err(Silence::Status(status)),
        Ok(Reply::HangUp) => return Err(Silence::HangUp),
        _ => Err(RpcError::internal("the local network has stopped")),
    };
    Ok(id.map(|id| match outcome {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err(e) => failure(&id, &e),
    }))
}

fn failure(id: &Value, error: &RpcError) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": error.code, "message": error.message}})
}

#[derive(Deserialize)]
struct FundQuery {
    addr: Option<String>,
}

async fn friendbot(State(asks): State<Asks>, Query(query): Query<FundQuery>, body: Bytes) -> Response {
    // The address stands in the query, or in the body of a form.
    let in_form = || std::str::from_utf8(&body).ok()?.strip_prefix("addr=").map(str::to_owned);
    let Some(address) = query.addr.or_else(in_form) else {
        return problem("the address to fund is missing: /friendbot?addr=G…");
    };
    let (reply, answer) = oneshot::channel();
    let sent = asks.send(Ask::Fund { address, reply }).await.is_ok();
    match answer.await {
        Ok(Funded::Done(body)) if sent => json_response(StatusCode::OK, &body),
        Ok(Funded::Refused(why)) => problem(&why),
        _ => json_response(
            StatusCode::SERVICE_UNAVAILABLE,
            &json!({"detail": "the local network has stopped"}),
        ),
    }
}

fn problem(detail: &str) -> Response {
    let body = json!({"status": 400, "title": "Bad Request", "detail": detail});
    json_response(StatusCode::BAD_REQUEST, &body)
}

fn json_response(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
