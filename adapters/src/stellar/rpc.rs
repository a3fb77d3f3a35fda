//! Stellar RPC over HTTP: the nine JSON-RPC methods we use, and what their answers look like.
//!
//! Invariant: an answer is one of three things, and the error says which: nothing came back, the server said
//! no, or something came back that we cannot read. Only the caller knows what each means for money.
//! Absent: sending again. What may be sent again, and when, is decided from stored facts (`submit.rs`); only
//! reads are repeated here.

use std::fmt;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::http::{Call, Client};

/// Why the chain could not be asked or understood. Never a statement about whether something happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainFault {
    /// No answer arrived: refused connection, deadline, a broken proxy.
    #[error("stellar rpc {method}: no answer: {why}")]
    Unreachable {
        /// The method asked for.
        method: &'static str,
        /// What the transport said.
        why: String,
    },
    /// The server understood the request and answered with a JSON-RPC error.
    #[error("stellar rpc {method}: error {code}: {message}")]
    Rpc {
        /// The method asked for.
        method: &'static str,
        /// JSON-RPC error code (-32600 invalid request, -32602 invalid parameters, …).
        code: i64,
        /// The server's words, cut to a readable length.
        message: String,
    },
    /// Something arrived that is not what the protocol promises.
    #[error("stellar rpc {method}: malformed answer: {why}")]
    Malformed {
        /// The method asked for, or the XDR type that could not be read.
        method: &'static str,
        /// What was wrong with it.
        why: String,
    },
    /// A value of ours cannot be written in their words (a bad address, an amount out of range).
    #[error("stellar: cannot encode: {0}")]
    Encoding(String),
}

/// A JSON-RPC client for one Stellar RPC server.
#[derive(Clone)]
pub struct Rpc {
    http: Client,
    url: String,
}

impl fmt::Debug for Rpc {
    /// Without the URL, which may carry a provider's key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rpc").finish_non_exhaustive()
    }
}

/// Whether a request may be repeated when no answer comes.
enum Effect {
    None,
    Some,
}

impl Rpc {
    /// A client for the server at `url`.
    pub fn new(http: Client, url: impl Into<String>) -> Self {
        Self { http, url: url.into() }
    }

    /// The server's URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    async fn read<T: DeserializeOwned>(&self, method: &'static str, params: Value) -> Result<T, ChainFault> {
        self.call(method, params, Effect::None).await
    }

    #[tracing::instrument(name = "rpc", level = "trace", skip_all, fields(method = method))]
    async fn call<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: Value,
        effect: Effect,
    ) -> Result<T, ChainFault> {
        let mut body = json!({"jsonrpc": "2.0", "id": 1, "method": method});
        if !params.is_null() {
            body["params"] = params;
        }
        let call = Call::post("stellar", &self.url, "application/json", body.to_string().into_bytes());
        let heard = match effect {
            Effect::None => self.http.ask(&call).await,
            Effect::Some => self.http.tell(&call).await,
        };
        let answer = heard.map_err(|e| ChainFault::Unreachable { method, why: e.to_string() })?;
        if !answer.is_success() {
            return Err(ChainFault::Unreachable { method, why: format!("http status {}", answer.status) });
        }
        read_answer(method, &answer.body)
    }

    /// Is the server in step with the network, and what does it still remember?
    ///
    /// # Errors
    /// See [`ChainFault`]; so for every method below.
    pub async fn health(&self) -> Result<Health, ChainFault> {
        self.read("getHealth", Value::Null).await
    }

    /// Which network this is.
    pub async fn network(&self) -> Result<NetworkFacts, ChainFault> {
        self.read("getNetwork", Value::Null).await
    }

    /// The newest closed ledger.
    pub async fn latest_ledger(&self) -> Result<LatestLedger, ChainFault> {
        self.read("getLatestLedger", Value::Null).await
    }

    /// What others pay to be included.
    pub async fn fee_stats(&self) -> Result<FeeStats, ChainFault> {
        self.read("getFeeStats", Value::Null).await
    }

    /// Ledger entries by their keys (XDR, base64), at most 200 a call; absent ones are left out.
    pub async fn ledger_entries(&self, keys: &[String]) -> Result<LedgerEntries, ChainFault> {
        self.read("getLedgerEntries", json!({"keys": keys})).await
    }

    /// Runs an envelope without applying it.
    pub async fn simulate(&self, envelope_xdr: &str) -> Result<Simulation, ChainFault> {
        self.read("simulateTransaction", json!({"transaction": envelope_xdr})).await
    }

    /// Hands an envelope to the network.
    pub async fn send(&self, envelope_xdr: &str) -> Result<SendAnswer, ChainFault> {
        self.call("sendTransaction", json!({"transaction": envelope_xdr}), Effect::Some).await
    }

    /// What became of the transaction with this hash (hex).
    pub async fn transaction(&self, hash: &str) -> Result<TransactionAnswer, ChainFault> {
        self.read("getTransaction", json!({"hash": hash})).await
    }

    /// Events of these contracts, from a cursor, or from a ledger when there is none yet.
    pub async fn events(&self, contracts: &[&str], from: EventsFrom<'_>) -> Result<EventsAnswer, ChainFault> {
        let filters = json!([{"type": "contract", "contractIds": contracts}]);
        let limit = 200;
        let params = match from {
            EventsFrom::Ledger(start) => {
                json!({"startLedger": start, "filters": filters, "pagination": {"limit": limit}})
            }
            EventsFrom::Cursor(cursor) => {
                json!({"filters": filters, "pagination": {"cursor": cursor, "limit": limit}})
            }
        };
        self.read("getEvents", params).await
    }

    /// Asks the friendbot at `url` for an account; an account that already exists is success.
    pub async fn friendbot(&self, url: &str, address: &str) -> Result<(), ChainFault> {
        let method = "friendbot";
        // The address is base32: nothing in it needs escaping.
        let mark = if url.contains('?') { '&' } else { '?' };
        let call = Call::get("friendbot", format!("{url}{mark}addr={address}"));
        let heard = self.http.tell(&call).await;
        let answer = heard.map_err(|e| ChainFault::Unreachable { method, why: e.to_string() })?;
        let text = String::from_utf8_lossy(&answer.body);
        if answer.is_success() || text.contains("already funded") || text.contains("op_already_exists") {
            return Ok(());
        }
        Err(ChainFault::Rpc { method, code: i64::from(answer.status), message: cut(&text) })
    }
}

/// Where to begin reading events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventsFrom<'a> {
    /// At the first event of this ledger.
    Ledger(u32),
    /// After the event or page this cursor names.
    Cursor(&'a str),
}

/// The result in a JSON-RPC answer.
pub(super) fn read_answer<T: DeserializeOwned>(method: &'static str, bytes: &[u8]) -> Result<T, ChainFault> {
    let malformed = |e: serde_json::Error| ChainFault::Malformed { method, why: e.to_string() };
    let mut answer: Value = serde_json::from_slice(bytes).map_err(malformed)?;
    if let Some(error) = answer.get("error").filter(|e| !e.is_null()) {
        let code = error.get("code").and_then(Value::as_i64).unwrap_or(0);
        let message = error.get("message").and_then(Value::as_str).unwrap_or("no message");
        return Err(ChainFault::Rpc { method, code, message: cut(message) });
    }
    let Some(result) = answer.get_mut("result").map(Value::take) else {
        return Err(ChainFault::Malformed { method, why: "neither result nor error".into() });
    };
    serde_json::from_value(result).map_err(malformed)
}

fn cut(text: &str) -> String {
    text.chars().take(400).collect()
}

/// Servers differ in whether they write a number as a number or as a string; both are read.
fn number<'de, D: Deserializer<'de>>(de: D) -> Result<i64, D::Error> {
    let value = Value::deserialize(de)?;
    parse_number(&value).ok_or_else(|| D::Error::custom(format!("not a number: {value}")))
}

fn number_or_none<'de, D: Deserializer<'de>>(de: D) -> Result<Option<i64>, D::Error> {
    let value = Option::<Value>::deserialize(de)?;
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(s)) if s.is_empty() => Ok(None),
        Some(v) => parse_number(&v).map(Some).ok_or_else(|| D::Error::custom(format!("not a number: {v}"))),
    }
}

fn ledger_number<'de, D: Deserializer<'de>>(de: D) -> Result<u32, D::Error> {
    let n = number(de)?;
    u32::try_from(n).map_err(|_| D::Error::custom(format!("not a ledger number: {n}")))
}

fn ledger_or_none<'de, D: Deserializer<'de>>(de: D) -> Result<Option<u32>, D::Error> {
    match number_or_none(de)? {
        None => Ok(None),
        Some(n) => {
            u32::try_from(n).map(Some).map_err(|_| D::Error::custom(format!("not a ledger number: {n}")))
        }
    }
}

fn parse_number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(n) => n.as_i64(),
        Value::String(s) => s.trim().parse().ok(),
        _ => None,
    }
}

/// `getHealth`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// "healthy" or an explanation.
    pub status: String,
    /// Newest ledger the server knows.
    #[serde(default, deserialize_with = "ledger_or_none")]
    pub latest_ledger: Option<u32>,
    /// Oldest ledger it still remembers.
    #[serde(default, deserialize_with = "ledger_or_none")]
    pub oldest_ledger: Option<u32>,
}

/// `getNetwork`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkFacts {
    /// Where new accounts are handed out, on networks that do so.
    #[serde(default)]
    pub friendbot_url: Option<String>,
    /// The network's name, which every signature commits to.
    pub passphrase: String,
    /// Protocol in force.
    #[serde(default, deserialize_with = "ledger_or_none")]
    pub protocol_version: Option<u32>,
}

/// `getLatestLedger`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LatestLedger {
    /// Its number.
    #[serde(deserialize_with = "ledger_number")]
    pub sequence: u32,
    /// When it closed, Unix seconds; older servers do not say.
    #[serde(default, deserialize_with = "number_or_none")]
    pub close_time: Option<i64>,
}

/// `getFeeStats`, the part for contract calls.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FeeStats {
    /// Inclusion fees of recent contract transactions.
    pub soroban_inclusion_fee: FeeDistribution,
}

/// A distribution of fees, in stroops of XLM.
#[derive(Debug, Clone, Deserialize)]
pub struct FeeDistribution {
    /// Nine in ten paid at most this.
    #[serde(deserialize_with = "number")]
    pub p90: i64,
}

/// `getLedgerEntries`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerEntries {
    /// Those that exist, in no promised order.
    #[serde(default)]
    pub entries: Option<Vec<LedgerEntryAnswer>>,
    /// The ledger they were read at.
    #[serde(deserialize_with = "ledger_number")]
    pub latest_ledger: u32,
}

/// One ledger entry.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerEntryAnswer {
    /// `LedgerKey`, XDR base64.
    pub key: String,
    /// `LedgerEntryData`, XDR base64.
    pub xdr: String,
    /// The ledger that changed it last.
    #[serde(default, deserialize_with = "ledger_or_none")]
    pub last_modified_ledger_seq: Option<u32>,
    /// The last ledger at which it is live.
    #[serde(default, deserialize_with = "ledger_or_none")]
    pub live_until_ledger_seq: Option<u32>,
}

/// `simulateTransaction`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Simulation {
    /// Present exactly when the call failed.
    #[serde(default)]
    pub error: Option<String>,
    /// `SorobanTransactionData`, XDR base64, when it succeeded.
    #[serde(default)]
    pub transaction_data: Option<String>,
    /// Recommended resource fee, stroops of XLM.
    #[serde(default, deserialize_with = "number_or_none")]
    pub min_resource_fee: Option<i64>,
    /// One result, for the one operation.
    #[serde(default)]
    pub results: Option<Vec<SimulationResult>>,
    /// Present when archived entries would have to be restored first.
    #[serde(default)]
    pub restore_preamble: Option<RestorePreamble>,
    /// The ledger it ran on.
    #[serde(default, deserialize_with = "ledger_or_none")]
    pub latest_ledger: Option<u32>,
}

/// What the simulated call returned and who would have to sign it.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct SimulationResult {
    /// `SorobanAuthorizationEntry`s, XDR base64.
    #[serde(default)]
    pub auth: Option<Vec<String>>,
    /// Return value, `ScVal` as XDR base64.
    #[serde(default)]
    pub xdr: Option<String>,
}

/// What would have to be restored before the call.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestorePreamble {
    /// `SorobanTransactionData` of the restoring operation, XDR base64.
    pub transaction_data: String,
    /// Its fee.
    #[serde(deserialize_with = "number")]
    pub min_resource_fee: i64,
}

/// `sendTransaction`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SendAnswer {
    /// PENDING, DUPLICATE, TRY_AGAIN_LATER or ERROR.
    pub status: String,
    /// `TransactionResult`, XDR base64, with ERROR.
    #[serde(default)]
    pub error_result_xdr: Option<String>,
    /// The newest ledger when it was sent.
    #[serde(default, deserialize_with = "ledger_or_none")]
    pub latest_ledger: Option<u32>,
}

/// `getTransaction`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransactionAnswer {
    /// SUCCESS, FAILED or NOT_FOUND.
    pub status: String,
    /// Newest ledger the server knows.
    #[serde(deserialize_with = "ledger_number")]
    pub latest_ledger: u32,
    /// When that ledger closed, Unix seconds.
    #[serde(deserialize_with = "number")]
    pub latest_ledger_close_time: i64,
    /// Oldest ledger the server remembers.
    #[serde(deserialize_with = "ledger_number")]
    pub oldest_ledger: u32,
    /// The ledger the transaction is in.
    #[serde(default, deserialize_with = "ledger_or_none")]
    pub ledger: Option<u32>,
    /// When that ledger closed, Unix seconds.
    #[serde(default, deserialize_with = "number_or_none")]
    pub created_at: Option<i64>,
    /// `TransactionResult`, XDR base64.
    #[serde(default)]
    pub result_xdr: Option<String>,
    /// `TransactionMeta`, XDR base64.
    #[serde(default)]
    pub result_meta_xdr: Option<String>,
    /// `DiagnosticEvent`s, XDR base64, on servers that keep them.
    #[serde(default)]
    pub diagnostic_events_xdr: Option<Vec<String>>,
}

/// `getEvents`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventsAnswer {
    /// In order of the chain.
    #[serde(default)]
    pub events: Option<Vec<EventAnswer>>,
    /// Where the next page begins; present even when this page is empty.
    #[serde(default)]
    pub cursor: Option<String>,
    /// Newest ledger the server knows.
    #[serde(deserialize_with = "ledger_number")]
    pub latest_ledger: u32,
    /// Oldest ledger it remembers; older servers do not say.
    #[serde(default, deserialize_with = "ledger_or_none")]
    pub oldest_ledger: Option<u32>,
}

/// One event as the server tells it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventAnswer {
    /// Ledger, transaction and operation packed into one number, a dash, and the event's index.
    pub id: String,
    /// Hash of the transaction, hex.
    pub tx_hash: String,
    /// The ledger it is in.
    #[serde(deserialize_with = "ledger_number")]
    pub ledger: u32,
    /// When that ledger closed, RFC 3339.
    pub ledger_closed_at: String,
    /// The contract that spoke, `C…`.
    #[serde(default)]
    pub contract_id: Option<String>,
    /// `ScVal`s, XDR base64.
    #[serde(default)]
    pub topic: Vec<String>,
    /// `ScVal`, XDR base64.
    #[serde(default)]
    pub value: String,
}
