//! Stellar RPC's methods, in the words and JSON types of its server (stellar-rpc 30).

mod entries;
mod events;
pub(crate) mod ledgers;
mod simulate;
mod transactions;

use std::net::{Ipv4Addr, SocketAddr};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::ledger::history::RETENTION_LEDGERS;
use crate::ledger::{BASE_FEE, Ledger, PROTOCOL};

pub(crate) use transactions::{Funded, fund};

/// The ledger with what its answers need to know besides.
pub(crate) struct Desk {
    pub(crate) ledger: Ledger,
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

/// Answers one method.
pub(crate) fn call(desk: &mut Desk, method: &str, params: Value) -> Answer {
    match method {
        "getHealth" => Ok(health(&desk.ledger)),
        "getNetwork" => Ok(network(desk)),
        "getVersionInfo" => Ok(version_info()),
        "getFeeStats" => Ok(fee_stats(&desk.ledger)),
        "getLatestLedger" => Ok(ledgers::latest(&desk.ledger)),
        "getLedgers" => ledgers::list(&desk.ledger, &read(params)?),
        "getLedgerEntries" => entries::get(&desk.ledger, &read(params)?),
        "simulateTransaction" => simulate::simulate(&desk.ledger, &read(params)?),
        "sendTransaction" => transactions::send(&mut desk.ledger, &read(params)?),
        "getTransaction" => transactions::get(&desk.ledger, &read(params)?),
        "getTransactions" => transactions::list(&desk.ledger, &read(params)?),
        "getEvents" => events::get(&desk.ledger, read(params)?),
        "dev_advance" if desk.dev_methods => advance(&mut desk.ledger, &read(params)?),
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

fn health(ledger: &Ledger) -> Value {
    json!({
        "status": "healthy",
        "latestLedger": ledger.sequence(),
        "latestLedgerCloseTime": ledger.close_time().to_string(),
        "oldestLedger": ledger.history.oldest(),
        "oldestLedgerCloseTime": ledger.history.oldest_close_time().to_string(),
        "ledgerRetentionWindow": RETENTION_LEDGERS,
    })
}

fn network(desk: &Desk) -> Value {
    json!({
        "friendbotUrl": format!("http://{}/friendbot", reachable(desk.addr)),
        "passphrase": desk.ledger.passphrase,
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

/// Without competition every transaction is included at the base fee.
fn fee_stats(ledger: &Ledger) -> Value {
    let mut distribution = serde_json::Map::new();
    let fee = BASE_FEE.to_string();
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
        "latestLedger": ledger.sequence(),
    })
}

#[derive(Deserialize)]
struct Advance {
    seconds: Option<u64>,
    ledgers: Option<u32>,
}

/// Steps of more would run out of ledger numbers or years.
const MAX_ADVANCE: u64 = 1_000_000_000;

fn advance(ledger: &mut Ledger, ahead: &Advance) -> Answer {
    let (seconds, ledgers) = (ahead.seconds.unwrap_or(0), ahead.ledgers.unwrap_or(0));
    if seconds > MAX_ADVANCE || u64::from(ledgers) > MAX_ADVANCE {
        return Err(RpcError::params("seconds and ledgers must be at most 1000000000"));
    }
    ledger.advance(seconds, ledgers);
    Ok(json!({"sequence": ledger.sequence(), "closeTime": ledger.close_time().to_string()}))
}
