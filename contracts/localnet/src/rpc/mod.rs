//! Stellar RPC's methods, in the words and JSON types of its server (stellar-rpc 30).

mod dev;
mod entries;
mod events;
pub(crate) mod ledgers;
mod simulate;
mod transactions;
mod view;

use std::net::{Ipv4Addr, SocketAddr};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use stellar_strkey::ed25519::PublicKey;

use crate::apply::Candidate;
use crate::encoding::{decode_b64, key_of};
use crate::faults::{Call, Draw, Fault};
use crate::ledger::history::RETENTION_LEDGERS;
use crate::ledger::{Ledger, PROTOCOL};
use crate::network::Network;
use view::{Lag, View};

pub(crate) use dev::set_faults;
pub(crate) use transactions::{Funded, fund};

/// The network with what its answers need to know besides.
pub(crate) struct Desk {
    pub(crate) network: Network,
    pub(crate) faults: Draw,
    pub(crate) dev_methods: bool,
    pub(crate) addr: SocketAddr,
}

/// A JSON-RPC error.
#[derive(Debug)]
pub(crate) struct RpcError {
    pub(crate) code: i32,
    pub(crate) message: String,
}

impl RpcError {
    /// The body is not JSON.
    pub(crate) fn parse() -> Self {
        Self { code: -32700, message: "invalid request value".into() }
    }

    /// The call does not fit the state of the network, or is no call at all.
    pub(crate) fn request(message: impl Into<String>) -> Self {
        Self { code: -32600, message: message.into() }
    }

    /// A parameter is wrong.
    pub(crate) fn params(message: impl Into<String>) -> Self {
        Self { code: -32602, message: message.into() }
    }

    /// Our own fault.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self { code: -32603, message: message.into() }
    }
}

/// What an RPC method answers.
pub(crate) type Answer = Result<Value, RpcError>;

/// What becomes of a call in the end.
pub(crate) enum Reply {
    /// It is answered.
    Answer(Answer),
    /// It is answered with an HTTP status alone.
    Status(u16),
    /// The connection closes.
    HangUp,
}

/// Serves a call, with whatever the script lets go wrong.
pub(crate) fn serve(desk: &mut Desk, method: &str, params: Value) -> Reply {
    let mut fault = None;
    for struck in desk.faults.strike(&about(&desk.network.ledger, method, &params)) {
        if struck.is_weather() {
            desk.network.suffer(&struck);
        } else {
            fault = Some(struck);
        }
    }
    match fault {
        Some(Fault::Sick { status }) => return Reply::Status(status),
        Some(Fault::HangUp) => return Reply::HangUp,
        Some(Fault::Twice) => drop(call(desk, method, params.clone(), None)),
        _ => {}
    }
    let answer = call(desk, method, params, fault.as_ref());
    match fault {
        Some(Fault::LostAnswer { status }) => Reply::Status(status),
        Some(Fault::HangUpAfter) => Reply::HangUp,
        _ => Reply::Answer(answer),
    }
}

/// What rules may ask about a call.
fn about<'a>(ledger: &Ledger, method: &'a str, params: &Value) -> Call<'a> {
    let mut call = Call { method, hash: None, source: None };
    match method {
        "sendTransaction" => {
            let text = params.get("transaction").and_then(Value::as_str).unwrap_or("");
            if let Some(Ok(candidate)) =
                decode_b64(text).map(|envelope| Candidate::read(envelope, &ledger.network_id))
            {
                call.hash = Some(hex::encode(candidate.hash));
                call.source = Some(PublicKey(key_of(&candidate.source())).to_string().to_string());
            }
        }
        "getTransaction" => call.hash = params.get("hash").and_then(Value::as_str).map(str::to_owned),
        _ => {}
    }
    call
}

/// Answers one method; `fault` is one that concerns its answer.
fn call(desk: &mut Desk, method: &str, params: Value, fault: Option<&Fault>) -> Answer {
    match method {
        "sendTransaction" => return transactions::send(&mut desk.network, &read(params)?, fault),
        "getNetwork" => return Ok(about_network(desk)),
        "getVersionInfo" => return Ok(version_info()),
        _ if desk.dev_methods && method.starts_with("dev_") => return dev::call(desk, method, params),
        _ => {}
    }
    let lag = match fault {
        Some(Fault::Stale { ledgers }) => Lag { behind: *ledgers, blind: 0 },
        Some(Fault::NotFound { ledgers }) => Lag { behind: 0, blind: *ledgers },
        _ => Lag::default(),
    };
    let view = View::of(&desk.network.ledger, lag);
    match method {
        "getHealth" => Ok(health(&view)),
        "getFeeStats" => Ok(fee_stats(&view)),
        "getLatestLedger" => Ok(ledgers::latest(&view)),
        "getLedgers" => ledgers::list(&view, &read(params)?),
        "getLedgerEntries" => entries::get(&view, &read(params)?),
        "simulateTransaction" => simulate::simulate(&view, &read(params)?),
        "getTransaction" => transactions::get(&view, &read(params)?),
        "getTransactions" => transactions::list(&view, &read(params)?),
        "getEvents" => events::get(&view, read(params)?),
        _ => Err(RpcError { code: -32601, message: format!("method {method} not found") }),
    }
}

/// Parameters by name. Missing ones are an empty object, so that each method names what it lacks.
fn read<T: DeserializeOwned>(params: Value) -> Result<T, RpcError> {
    let params = if params.is_null() { json!({}) } else { params };
    if !params.is_object() {
        return Err(RpcError::params("parameters must be an object"));
    }
    serde_json::from_value(params).map_err(|e| RpcError::params(format!("invalid parameters: {e}")))
}

/// `xdrFormat`: only base64 is spoken here.
fn only_base64(format: Option<&str>) -> Result<(), RpcError> {
    match format {
        None | Some("" | "base64") => Ok(()),
        Some("json") => Err(RpcError::params("xdrFormat json is not supported by the local network")),
        Some(_) => Err(RpcError::params("expected base64 or json for optional 'xdrFormat'")),
    }
}

fn health(view: &View<'_>) -> Value {
    json!({
        "status": "healthy",
        "latestLedger": view.sequence(),
        "latestLedgerCloseTime": view.close_time().to_string(),
        "oldestLedger": view.oldest(),
        "oldestLedgerCloseTime": view.oldest_close_time().to_string(),
        "ledgerRetentionWindow": RETENTION_LEDGERS,
    })
}

fn about_network(desk: &Desk) -> Value {
    json!({
        "friendbotUrl": format!("http://{}/friendbot", reachable(desk.addr)),
        "passphrase": desk.network.ledger.passphrase,
        "protocolVersion": PROTOCOL,
    })
}

/// An address a client on this machine can connect to: "any" means the loopback to it.
pub(crate) fn reachable(addr: SocketAddr) -> SocketAddr {
    if addr.ip().is_unspecified() { SocketAddr::from((Ipv4Addr::LOCALHOST, addr.port())) } else { addr }
}

fn version_info() -> Value {
    json!({
        "version": concat!("amana-localnet ", env!("CARGO_PKG_VERSION")),
        "commitHash": "",
        "buildTimestamp": "",
        "captiveCoreVersion": "none: soroban-env-host 30.0.0 embedded",
        "protocolVersion": PROTOCOL,
    })
}

/// Without competition every transaction is included at the base fee, in a surge at the surge's.
fn fee_stats(view: &View<'_>) -> Value {
    let mut distribution = serde_json::Map::new();
    let fee = view.closing().base_fee.to_string();
    for word in
        ["max", "min", "mode", "p10", "p20", "p30", "p40", "p50", "p60", "p70", "p80", "p90", "p95", "p99"]
    {
        distribution.insert(word.into(), Value::String(fee.clone()));
    }
    distribution.insert("transactionCount".into(), "0".into());
    distribution.insert("ledgerCount".into(), 50.into());
    json!({
        "sorobanInclusionFee": distribution,
        "inclusionFee": distribution,
        "latestLedger": view.sequence(),
    })
}
