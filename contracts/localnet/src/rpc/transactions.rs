//! sendTransaction, getTransaction, getTransactions, and friendbot.

use ed25519_dalek::Signer as _;
use serde::Deserialize;
use serde_json::{Value, json};
use soroban_env_host::xdr::{
    CreateAccountOp, DecoratedSignature, Memo, MuxedAccount, Operation, OperationBody, Preconditions,
    SequenceNumber, Signature, SignatureHint, Transaction, TransactionEnvelope, TransactionExt,
    TransactionResultResult, TransactionV1Envelope, Uint256, VecM,
};
use stellar_strkey::ed25519::PublicKey;

use super::ledgers::ListParams;
use super::view::View;
use super::{Answer, Desk, RpcError, only_base64};
use crate::apply::{Candidate, plain_result};
use crate::encoding::{account_id, b64, b64_of, decode_b64};
use crate::faults::Fault;
use crate::ledger::Ledger;
use crate::ledger::history::Found;
use crate::ledger::state::Source as _;
use crate::network::Network;
use crate::queue::{Fate, Sent};

const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 200;
/// What friendbot gives, in stroops: 10 000 lumens.
const FRIENDBOT_GIFT: i64 = 100_000_000_000;
/// For so many ledgers the network's queue refuses to look again at a transaction it has seen applied.
const BANNED_LEDGERS: u32 = 10;

/// How a transaction is sent.
#[derive(Deserialize)]
pub(super) struct SendParams {
    transaction: Option<String>,
    #[serde(rename = "xdrFormat")]
    format: Option<String>,
}

/// Takes a transaction. Nothing is answered but what the network's queue would say; the outcome is for
/// getTransaction.
pub(super) fn send(network: &mut Network, params: &SendParams, fault: Option<&Fault>) -> Answer {
    only_base64(params.format.as_deref())?;
    let envelope: TransactionEnvelope = decode_b64(params.transaction.as_deref().unwrap_or(""))
        .ok_or_else(|| RpcError::params("invalid_xdr"))?;
    let ledger = &network.ledger;
    let hash = envelope.hash(ledger.network_id).map_err(|_| RpcError::params("invalid_hash"))?;
    let mut answer = json!({
        "hash": hex::encode(hash),
        "latestLedger": ledger.sequence(),
        "latestLedgerCloseTime": ledger.close_time().to_string(),
    });
    match enqueue(network, envelope, &hash, fault) {
        Sent::Pending => answer["status"] = "PENDING".into(),
        Sent::Duplicate => answer["status"] = "DUPLICATE".into(),
        Sent::TryAgainLater => answer["status"] = "TRY_AGAIN_LATER".into(),
        Sent::Error(result) => {
            answer["status"] = "ERROR".into();
            answer["errorResultXdr"] = b64_of(&*result).into();
        }
    }
    Ok(answer)
}

/// What the queue does with it, or what a fault makes of that.
fn enqueue(
    network: &mut Network,
    envelope: TransactionEnvelope,
    hash: &[u8; 32],
    fault: Option<&Fault>,
) -> Sent {
    match fault {
        Some(Fault::TryAgainLater) => return Sent::TryAgainLater,
        Some(Fault::BadSequence) => {
            return Sent::Error(Box::new(plain_result(0, TransactionResultResult::TxBadSeq)));
        }
        Some(Fault::Lost) => return Sent::Pending,
        _ => {}
    }
    if let Some(found) = network.ledger.history.find(hash) {
        let age = network.ledger.sequence().saturating_sub(found.close.sequence());
        match age {
            // Without a queue this stands for the moment in which a queue would still hold it.
            0 if !network.queued => return Sent::Duplicate,
            0..=BANNED_LEDGERS => return Sent::TryAgainLater,
            _ => {} // Forgotten by the queue; its sequence number is used, so the check below refuses it.
        }
    }
    let fate = match fault {
        Some(Fault::Dropped) => Fate::Never,
        Some(Fault::LastMoment) => Fate::LastMoment,
        Some(Fault::Late { ledgers }) => {
            Fate::In(network.ledger.sequence().saturating_add(1).saturating_add(*ledgers))
        }
        _ => Fate::Next,
    };
    match Candidate::read(envelope, &network.ledger.network_id) {
        Ok(candidate) => network.send(candidate, fate),
        Err(result) => Sent::Error(result),
    }
}

/// Which transaction is asked for.
#[derive(Deserialize)]
pub(super) struct GetParams {
    hash: Option<String>,
    #[serde(rename = "xdrFormat")]
    format: Option<String>,
}

/// One transaction, or that it is not known within the window.
pub(super) fn get(view: &View<'_>, params: &GetParams) -> Answer {
    only_base64(params.format.as_deref())?;
    let asked = params.hash.as_deref().unwrap_or("");
    if asked.len() != 64 {
        return Err(RpcError::params(format!("unexpected hash length ({})", asked.len())));
    }
    let bytes = hex::decode(asked).map_err(|e| RpcError::params(format!("incorrect hash: {e}")))?;
    let hash: [u8; 32] = bytes.try_into().map_err(|_| RpcError::params("incorrect hash"))?;
    let mut answer = match view.transaction(&hash) {
        Some(found) => {
            let mut details = details(&found);
            details["createdAt"] = found.close.close_time().to_string().into();
            details
        }
        None => json!({
            "status": "NOT_FOUND", "applicationOrder": 0, "feeBump": false, "ledger": 0, "createdAt": "0",
        }),
    };
    answer["txHash"] = asked.into();
    answer["latestLedger"] = view.sequence().into();
    answer["latestLedgerCloseTime"] = view.close_time().to_string().into();
    answer["oldestLedger"] = view.oldest().into();
    answer["oldestLedgerCloseTime"] = view.oldest_close_time().to_string().into();
    Ok(answer)
}

fn details(found: &Found) -> Value {
    let applied = found.applied();
    let events: Vec<Vec<String>> =
        applied.events.iter().map(|events| events.iter().map(b64_of).collect()).collect();
    let mut details = json!({
        "status": if applied.success { "SUCCESS" } else { "FAILED" },
        "txHash": hex::encode(applied.hash),
        "applicationOrder": found.at + 1,
        "feeBump": applied.inner_hash.is_some(),
        "envelopeXdr": b64(&applied.envelope),
        "resultXdr": b64(&applied.result),
        "resultMetaXdr": b64(&applied.meta),
        "ledger": found.close.sequence(),
        "events": {"transactionEventsXdr": [], "contractEventsXdr": events},
    });
    if !applied.diagnostics.is_empty() {
        details["diagnosticEventsXdr"] = applied.diagnostics.iter().map(|d| b64(d)).collect();
    }
    details
}

/// Transactions in order, a page at a time. The cursor is the place of the last one.
pub(super) fn list(view: &View<'_>, params: &ListParams) -> Answer {
    let (cursor, start, limit) = params.range(view, DEFAULT_LIMIT, MAX_LIMIT)?;
    let from = cursor.map_or(start, |place| u32::try_from(place >> 32).unwrap_or(u32::MAX));
    let mut transactions = Vec::new();
    let mut last = cursor.unwrap_or(u64::from(start) << 32);
    let all = view
        .since(from)
        .flat_map(|close| (0..close.applied.len()).map(|at| Found { close: close.clone(), at }));
    // A place is `ledger << 32 | order << 12`.
    let placed =
        all.map(|found| (u64::from(found.close.sequence()) << 32 | (found.at as u64 + 1) << 12, found));
    for (place, found) in placed.filter(|(place, _)| cursor.is_none_or(|c| *place > c)).take(limit) {
        let mut details = details(&found);
        details["createdAt"] = found.close.close_time().into();
        transactions.push(details);
        last = place;
    }
    Ok(json!({
        "transactions": transactions,
        "latestLedger": view.sequence(),
        "latestLedgerCloseTimestamp": view.close_time(),
        "oldestLedger": view.oldest(),
        "oldestLedgerCloseTimestamp": view.oldest_close_time(),
        "cursor": last.to_string(),
    }))
}

/// What friendbot says.
pub(crate) enum Funded {
    Done(Value),
    Refused(String),
}

/// Creates an account with a gift from the first account of the network.
pub(crate) fn fund(desk: &mut Desk, address: &str) -> Funded {
    let ledger = &desk.network.ledger;
    let Ok(PublicKey(key)) = PublicKey::from_string(address) else {
        return Funded::Refused(format!("invalid address: {address} is not an account (G…)"));
    };
    if ledger.state.account(&account_id(key)).is_some() {
        // Both phrases are looked for: the first by the JS SDK, the second by the CLI.
        return Funded::Refused(
            "createAccountAlreadyExist: account already funded to starting balance".into(),
        );
    }
    let Some(envelope) = gift(ledger, key) else {
        return Funded::Refused("friendbot's transaction could not be built".into());
    };
    let Ok(hash) = envelope.hash(ledger.network_id) else {
        return Funded::Refused("friendbot's transaction has no hash".into());
    };
    let sent = match Candidate::read(envelope, &ledger.network_id) {
        Ok(candidate) => desk.network.send(candidate, Fate::Next),
        Err(result) => Sent::Error(result),
    };
    match sent {
        Sent::Error(result) => {
            return Funded::Refused(format!("friendbot's transaction was refused: {}", result.result.name()));
        }
        Sent::Duplicate | Sent::TryAgainLater => return Funded::Refused("friendbot is busy".into()),
        // Friendbot answers when it is done.
        Sent::Pending if desk.network.queued => desk.network.close_now(),
        Sent::Pending => {}
    }
    let ledger = &desk.network.ledger;
    let Some(found) = ledger.history.find(&hash).filter(|found| found.applied().success) else {
        return Funded::Refused("friendbot's transaction failed".into());
    };
    let applied = found.applied();
    Funded::Done(json!({
        "successful": true,
        "hash": hex::encode(hash),
        "ledger": ledger.sequence(),
        "envelope_xdr": b64(&applied.envelope),
        "result_xdr": b64(&applied.result),
        "result_meta_xdr": b64(&applied.meta),
    }))
}

fn gift(ledger: &Ledger, to: [u8; 32]) -> Option<TransactionEnvelope> {
    let root = ledger.root();
    let from = root.verifying_key().to_bytes();
    let body = OperationBody::CreateAccount(CreateAccountOp {
        destination: account_id(to),
        starting_balance: FRIENDBOT_GIFT,
    });
    let tx = Transaction {
        source_account: MuxedAccount::Ed25519(Uint256(from)),
        fee: u32::try_from(ledger.closing().base_fee).unwrap_or(u32::MAX),
        seq_num: SequenceNumber(ledger.next_sequence(from)?),
        cond: Preconditions::None,
        memo: Memo::None,
        operations: vec![Operation { source_account: None, body }].try_into().ok()?,
        ext: TransactionExt::V0,
    };
    let hash = tx.hash(ledger.network_id).ok()?;
    let signature = DecoratedSignature {
        hint: SignatureHint([from[28], from[29], from[30], from[31]]),
        signature: Signature(root.sign(&hash).to_bytes().try_into().ok()?),
    };
    let signatures: VecM<_, 20> = vec![signature].try_into().ok()?;
    Some(TransactionEnvelope::Tx(TransactionV1Envelope { tx, signatures }))
}
