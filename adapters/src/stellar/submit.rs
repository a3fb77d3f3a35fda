//! Sending stored bytes, asking what became of them, and the one decision that follows from both.
//!
//! Invariant: a new transaction takes the place of an old one only when the old one can never be applied any
//! more: a ledger closed after its time bound, and the server still remembers every ledger it could have been
//! in. Until then the same bytes are sent again, which at worst does nothing.
//! Absent: waiting and storing; both are the worker's. What each word means stands in `course`.

mod course;
pub(super) mod raise;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use stellar_xdr::{
    DiagnosticEvent, ExtendFootprintTtlResult, InnerTransactionResultResult, InvokeHostFunctionResult,
    OperationResult, OperationResultTr, RestoreFootprintResult, ScError, ScVal, TransactionMeta,
    TransactionResult, TransactionResultResult,
};

pub use course::{Course, Need, Stage, TABLE};

use super::build::Built;
use super::event::{ChainEvent, of_meta};
use super::op::Network;
use super::rpc::{ChainFault, Rpc, SendAnswer, TransactionAnswer};
use super::wire::decode;

/// What the network said when it was handed an envelope. None of these says that it was applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "sent", rename_all = "snake_case")]
pub enum Sent {
    /// It is queued.
    Pending {
        /// The newest ledger at that moment.
        ledger: Option<u32>,
    },
    /// It was queued before.
    Duplicate {
        /// The newest ledger at that moment.
        ledger: Option<u32>,
    },
    /// Not now: the queue is full, another transaction of the channel waits, or this one was applied a moment
    /// ago.
    TryLater,
    /// Its sequence number is not the channel's next one. It may have been applied already; and some servers
    /// say so for a ledger after the channel's last transaction. Proof of nothing.
    BadSequence,
    /// Its time bound has passed by this server's clock.
    TooLate,
    /// Refused for another reason, by the name of the result code.
    Refused {
        /// `TxInsufficientFee`, `TxBadAuth`, …
        code: String,
    },
    /// No answer, or one we cannot read: it may have been sent.
    Unknown {
        /// What happened.
        why: String,
    },
}

impl Sent {
    /// What follows from it.
    pub fn course(&self) -> Course {
        match self {
            Self::Pending { .. } => Course::on_sending("PENDING"),
            Self::Duplicate { .. } => Course::on_sending("DUPLICATE"),
            Self::TryLater => Course::on_sending("TRY_AGAIN_LATER"),
            Self::BadSequence => Course::on_sending("TxBadSeq"),
            Self::TooLate => Course::on_sending("TxTooLate"),
            Self::Refused { code } => Course::on_sending(code),
            Self::Unknown { .. } => Course::on_sending("unreachable"),
        }
    }

    /// The newest ledger when it was in the queue; the first there is where the server did not say.
    fn queued_at(&self) -> Option<u32> {
        match self {
            Self::Pending { ledger } | Self::Duplicate { ledger } => Some(ledger.unwrap_or(0)),
            _ => None,
        }
    }
}

/// Hands stored bytes to the network. Never fails: silence is an answer too.
pub(super) async fn send(rpc: &Rpc, envelope_xdr: &str) -> Sent {
    match rpc.send(envelope_xdr).await {
        Ok(answer) => read_sent(&answer),
        // It was read, and is no transaction: nothing was sent on.
        Err(ChainFault::Rpc { code, .. }) if Course::on_sending(&code.to_string()) == Course::Stop => {
            Sent::Refused { code: code.to_string() }
        }
        Err(fault) => Sent::Unknown { why: fault.to_string() },
    }
}

/// What a server's answer to an envelope means.
pub(super) fn read_sent(answer: &SendAnswer) -> Sent {
    let ledger = answer.latest_ledger;
    match answer.status.as_str() {
        "PENDING" => Sent::Pending { ledger },
        "DUPLICATE" => Sent::Duplicate { ledger },
        "TRY_AGAIN_LATER" => Sent::TryLater,
        "ERROR" => sent_error(answer.error_result_xdr.as_deref()),
        other => Sent::Unknown { why: format!("sendTransaction answered {other:.40}") },
    }
}

fn sent_error(result_xdr: Option<&str>) -> Sent {
    let Some(encoded) = result_xdr else { return Sent::Refused { code: "unexplained".into() } };
    match decode::<TransactionResult>("TransactionResult", encoded) {
        Ok(result) => match result.result {
            TransactionResultResult::TxBadSeq => Sent::BadSequence,
            TransactionResultResult::TxTooLate => Sent::TooLate,
            other => Sent::Refused { code: other.name().to_owned() },
        },
        Err(fault) => Sent::Unknown { why: fault.to_string() },
    }
}

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "look", rename_all = "snake_case")]
pub enum Look {
    /// It was applied.
    Success {
        /// In this ledger,
        ledger: u32,
        /// which closed then.
        closed_at: DateTime<Utc>,
        /// Its effects, named as the event stream will name them.
        events: Vec<ChainEvent>,
    },
    /// It was included and failed: nothing happened, the sequence number is used up, the fee is paid.
    Failed {
        /// In this ledger.
        ledger: Option<u32>,
        /// `Trapped`, `ResourceLimitExceeded`, `EntryArchived`, …
        code: String,
        /// The contract's (or the token's) error number, where the server keeps diagnostics.
        contract_error: Option<u32>,
    },
    /// This server knows nothing of it. Whether that means anything depends on the times.
    NotFound {
        /// When the newest ledger closed, Unix seconds.
        latest_close: i64,
        /// The newest ledger.
        latest_ledger: u32,
        /// The oldest ledger the server remembers.
        oldest_ledger: u32,
    },
}

/// Asks what became of a transaction.
pub(super) async fn look(rpc: &Rpc, network: &Network, hash: &str) -> Result<Look, ChainFault> {
    let answer = rpc.transaction(hash).await?;
    read_look(network, hash, &answer)
}

/// What a server's answer says became of a transaction.
pub(super) fn read_look(
    network: &Network,
    hash: &str,
    answer: &TransactionAnswer,
) -> Result<Look, ChainFault> {
    match answer.status.as_str() {
        "SUCCESS" => success(network, hash, answer),
        "FAILED" => failed(answer),
        "NOT_FOUND" => Ok(Look::NotFound {
            latest_close: answer.latest_ledger_close_time,
            latest_ledger: answer.latest_ledger,
            oldest_ledger: answer.oldest_ledger,
        }),
        other => Err(malformed(format!("status {other:.40}"))),
    }
}

fn malformed(why: String) -> ChainFault {
    ChainFault::Malformed { method: "getTransaction", why }
}

fn success(network: &Network, hash: &str, answer: &TransactionAnswer) -> Result<Look, ChainFault> {
    let ledger = answer.ledger.ok_or_else(|| malformed("success without a ledger".into()))?;
    let closed = answer.created_at.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    let closed_at = closed.ok_or_else(|| malformed("success without a time".into()))?;
    let events = match &answer.result_meta_xdr {
        Some(meta) => {
            let meta: TransactionMeta = decode("TransactionMeta", meta)?;
            of_meta(network, &meta, (&hash.to_lowercase(), ledger, closed_at))?
        }
        None => return Err(malformed("success without meta".into())),
    };
    Ok(Look::Success { ledger, closed_at, events })
}

fn failed(answer: &TransactionAnswer) -> Result<Look, ChainFault> {
    let code = match &answer.result_xdr {
        Some(encoded) => failure_code(&decode("TransactionResult", encoded)?),
        None => "unexplained".to_owned(),
    };
    let contract_error = contract_error(answer);
    Ok(Look::Failed { ledger: answer.ledger, code, contract_error })
}

/// The innermost code: of the operation, where it is what failed, under a fee bump or not.
fn failure_code(result: &TransactionResult) -> String {
    let code = match &result.result {
        TransactionResultResult::TxFailed(operations) => operation_code(operations),
        TransactionResultResult::TxFeeBumpInnerFailed(inner) => match &inner.result.result {
            InnerTransactionResultResult::TxFailed(operations) => operation_code(operations),
            other => other.name(),
        },
        other => other.name(),
    };
    code.to_owned()
}

/// We write one operation a transaction.
fn operation_code(operations: &[OperationResult]) -> &'static str {
    use OperationResultTr::{ExtendFootprintTtl, InvokeHostFunction, RestoreFootprint};
    match operations.first() {
        None
        | Some(OperationResult::OpInner(
            InvokeHostFunction(InvokeHostFunctionResult::Success(_))
            | ExtendFootprintTtl(ExtendFootprintTtlResult::Success)
            | RestoreFootprint(RestoreFootprintResult::Success),
        )) => "TxFailed",
        Some(OperationResult::OpInner(InvokeHostFunction(result))) => result.name(),
        Some(OperationResult::OpInner(ExtendFootprintTtl(result))) => result.name(),
        Some(OperationResult::OpInner(RestoreFootprint(result))) => result.name(),
        Some(other) => other.name(),
    }
}

/// The error number in the diagnostics, given beside the result or in its meta.
fn contract_error(answer: &TransactionAnswer) -> Option<u32> {
    let beside = answer.diagnostic_events_xdr.iter().flatten();
    let mut events: Vec<DiagnosticEvent> =
        beside.filter_map(|event| decode("DiagnosticEvent", event).ok()).collect();
    if events.is_empty()
        && let Some(Ok(TransactionMeta::V4(meta))) =
            answer.result_meta_xdr.as_deref().map(|meta| decode("TransactionMeta", meta))
    {
        events = meta.diagnostic_events.to_vec();
    }
    events.iter().find_map(|diagnostic| {
        let stellar_xdr::ContractEventBody::V0(body) = &diagnostic.event.body;
        body.topics.iter().find_map(|topic| match topic {
            ScVal::Error(ScError::Contract(number)) => Some(*number),
            _ => None,
        })
    })
}

/// What is stored of an attempt and bears on its fate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// Ledger time after which it can never be applied, Unix seconds.
    pub max_time: i64,
    /// The newest ledger when it was built.
    pub first_ledger: u32,
}

impl From<&Built> for Attempt {
    fn from(built: &Built) -> Self {
        Self { max_time: built.max_time, first_ledger: built.first_ledger }
    }
}

/// What to do about an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Send the stored bytes again, and look again.
    ResendSame,
    /// Look again after a ledger.
    Wait,
    /// Two ledgers closed without it: send the same transaction under a higher fee if fees have risen above
    /// what it offers, or else the same bytes again.
    Stuck,
    /// It offers too little: send the same transaction under a higher fee.
    Raise,
    /// It is dead and used up nothing: build the next attempt.
    Rebuild,
    /// It was applied.
    Done {
        /// In this ledger,
        ledger: u32,
        /// which closed then.
        closed_at: DateTime<Utc>,
        /// Its effects.
        events: Vec<ChainEvent>,
    },
    /// It was included and failed; the sequence number is used up. Build the next attempt: its simulation
    /// says why.
    FailedOnChain {
        /// The ledger.
        ledger: Option<u32>,
        /// The result's name.
        code: String,
        /// The contract's error number, where known.
        contract_error: Option<u32>,
    },
    /// The server no longer remembers all ledgers it could be in: only the contract knows.
    AskContract,
}

/// Decides what to do about an attempt from what was heard last. `sent` is `None` when it was never sent;
/// `look` is `None` when the server could not be asked, and otherwise what all its hashes have become.
pub fn verdict(attempt: Attempt, sent: Option<&Sent>, look: Option<Look>) -> Next {
    let (latest_close, latest_ledger, oldest_ledger) = match look {
        Some(Look::Success { ledger, closed_at, events }) => return Next::Done { ledger, closed_at, events },
        Some(Look::Failed { ledger, code, contract_error }) => {
            return Next::FailedOnChain { ledger, code, contract_error };
        }
        Some(Look::NotFound { latest_close, latest_ledger, oldest_ledger }) => {
            (latest_close, latest_ledger, oldest_ledger)
        }
        // Not knowing, sending the same bytes is right only if they were not sent: otherwise a look is
        // cheaper.
        None if sent.is_none() => return Next::ResendSame,
        None => return Next::Wait,
    };
    if latest_close > attempt.max_time {
        return if oldest_ledger <= attempt.first_ledger { Next::Rebuild } else { Next::AskContract };
    }
    let Some(sent) = sent else { return Next::ResendSame };
    match sent.course() {
        Course::Retry => Next::ResendSame,
        Course::Raise => Next::Raise,
        // Queued: it gets a ledger. Still not there after two, the queue has dropped it or others pay more.
        Course::Wait if sent.queued_at().is_some_and(|at| latest_ledger.saturating_sub(at) >= 2) => {
            Next::Stuck
        }
        // No word of the queue's but success brings a new attempt before the time bound: another server may
        // have taken it.
        Course::Wait | Course::Done | Course::Rebuild(_) | Course::Stop => Next::Wait,
    }
}
