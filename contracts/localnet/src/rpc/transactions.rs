//! sendTransaction, getTransaction, getTransactions, and friendbot.

use ed25519_dalek::Signer as _;
use serde::Deserialize;
use serde_json::{Value, json};
use soroban_env_host::xdr::{
    CreateAccountOp, DecoratedSignature, Memo, MuxedAccount, Operation, OperationBody, Preconditions,
    SequenceNumber, Signature, SignatureHint, Transaction, TransactionEnvelope, TransactionExt,
    TransactionResult, TransactionV1Envelope, Uint256, VecM,
};
use stellar_strkey::ed25519::PublicKey;

use super::ledgers::ListParams;
use super::{Answer, Desk, RpcError, only_base64};
use crate::apply;
use crate::encoding::{account_id, b64, b64_of, decode_b64};
use crate::ledger::history::{Applied, Close};
use crate::ledger::state::Source as _;
use crate::ledger::{BASE_FEE, Ledger};

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

/// The words of `sendTransaction`.
enum Sent {
    Pending,
    /// Known and still the newest.
    Duplicate,
    /// Known and applied a short while ago.
    TryAgainLater,
    Error(Box<TransactionResult>),
}

/// Takes a transaction. Nothing is answered but what the network's queue would say; the outcome is for
/// getTransaction.
pub(super) fn send(ledger: &mut Ledger, params: &SendParams) -> Answer {
    only_base64(params.format.as_deref())?;
    let envelope: TransactionEnvelope = decode_b64(params.transaction.as_deref().unwrap_or(""))
        .ok_or_else(|| RpcError::params("invalid_xdr"))?;
    let hash = envelope.hash(ledger.network_id).map_err(|_| RpcError::params("invalid_hash"))?;
    let mut answer = json!({
        "hash": hex::encode(hash),
        "latestLedger": ledger.sequence(),
        "latestLedgerCloseTime": ledger.close_time().to_string(),
    });
    match enqueue(ledger, envelope, &hash) {
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

/// What the queue does with it. Faults to be injected later belong here: everything that is said about a
/// transaction passes through.
fn enqueue(ledger: &mut Ledger, envelope: TransactionEnvelope, hash: &[u8; 32]) -> Sent {
    if let Some(close) = ledger.history.find(hash) {
        let age = ledger.sequence().saturating_sub(close.sequence());
        match age {
            0 => return Sent::Duplicate,
            1..=BANNED_LEDGERS => return Sent::TryAgainLater,
            _ => {} // Forgotten by the queue; its sequence number is used, so the check below refuses it.
        }
    }
    match apply::submit(ledger, envelope) {
        Ok(()) => Sent::Pending,
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
pub(super) fn get(ledger: &Ledger, params: &GetParams) -> Answer {
    only_base64(params.format.as_deref())?;
    let asked = params.hash.as_deref().unwrap_or("");
    if asked.len() != 64 {
        return Err(RpcError::params(format!("unexpected hash length ({})", asked.len())));
    }
    let bytes = hex::decode(asked).map_err(|e| RpcError::params(format!("incorrect hash: {e}")))?;
    let hash: [u8; 32] = bytes.try_into().map_err(|_| RpcError::params("incorrect hash"))?;
    let found = ledger.history.find(&hash);
    let mut answer = match found.as_ref().and_then(|close| close.applied.as_ref().map(|a| (close, a))) {
        Some((close, applied)) => {
            let mut details = details(close, applied);
            details["createdAt"] = close.close_time().to_string().into();
            details
        }
        None => json!({
            "status": "NOT_FOUND", "applicationOrder": 0, "feeBump": false, "ledger": 0, "createdAt": "0",
        }),
    };
    answer["txHash"] = asked.into();
    answer["latestLedger"] = ledger.sequence().into();
    answer["latestLedgerCloseTime"] = ledger.close_time().to_string().into();
    answer["oldestLedger"] = ledger.history.oldest().into();
    answer["oldestLedgerCloseTime"] = ledger.history.oldest_close_time().to_string().into();
    Ok(answer)
}

fn details(close: &Close, applied: &Applied) -> Value {
    let events: Vec<Vec<String>> =
        applied.events.iter().map(|events| events.iter().map(b64_of).collect()).collect();
    let mut details = json!({
        "status": if applied.success { "SUCCESS" } else { "FAILED" },
        "txHash": hex::encode(applied.hash),
        "applicationOrder": 1,
        "feeBump": applied.inner_hash.is_some(),
        "envelopeXdr": b64(&applied.envelope),
        "resultXdr": b64(&applied.result),
        "resultMetaXdr": b64(&applied.meta),
        "ledger": close.sequence(),
        "events": {"transactionEventsXdr": [], "contractEventsXdr": events},
    });
    if !applied.diagnostics.is_empty() {
        details["diagnosticEventsXdr"] = applied.diagnostics.iter().map(|d| b64(d)).collect();
    }
    details
}

/// Transactions in order, a page at a time. The cursor is the place of the last one.
pub(super) fn list(ledger: &Ledger, params: &ListParams) -> Answer {
    let (cursor, start, limit) = params.range(ledger, DEFAULT_LIMIT, MAX_LIMIT)?;
    // A place is `ledger << 32 | order << 12`; with one transaction a ledger, "after it" is the next ledger.
    let from = cursor.map_or(start, |place| u32::try_from(place >> 32).unwrap_or(u32::MAX).saturating_add(1));
    let mut transactions = Vec::new();
    let mut last = cursor.unwrap_or(u64::from(start) << 32);
    for close in ledger.history.since(from) {
        let Some(applied) = &close.applied else { continue };
        if transactions.len() == limit {
            break;
        }
        let mut details = details(close, applied);
        details["createdAt"] = close.close_time().into();
        transactions.push(details);
        last = (u64::from(close.sequence()) << 32) | (1 << 12);
    }
    Ok(json!({
        "transactions": transactions,
        "latestLedger": ledger.sequence(),
        "latestLedgerCloseTimestamp": ledger.close_time(),
        "oldestLedger": ledger.history.oldest(),
        "oldestLedgerCloseTimestamp": ledger.history.oldest_close_time(),
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
    let ledger = &mut desk.ledger;
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
    if let Err(result) = apply::submit(ledger, envelope) {
        return Funded::Refused(format!("friendbot's transaction was refused: {}", result.result.name()));
    }
    let close = ledger.history.find(&hash);
    let Some(applied) = close.as_ref().and_then(|c| c.applied.as_ref()).filter(|a| a.success) else {
        return Funded::Refused("friendbot's transaction failed".into());
    };
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
        fee: BASE_FEE,
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
