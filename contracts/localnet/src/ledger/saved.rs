//! A closed ledger as JSON: what the state file and its log have in common.

use serde::{Deserialize, Serialize};
use soroban_env_host::xdr::{LedgerHeader, TransactionMeta};

use super::history::{Applied, Close};
use crate::encoding::{b64, b64_of, decode, decode_b64, from_b64, hash_of};

/// A closed ledger.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedClose {
    header: String,
    /// The first transaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    applied: Option<SavedApplied>,
    /// The others; networks without a queue have none, and files of older ones have no word for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    more: Vec<SavedApplied>,
}

#[derive(Serialize, Deserialize)]
struct SavedApplied {
    hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    inner_hash: Option<String>,
    success: bool,
    envelope: String,
    result: String,
    fee_meta: String,
    meta: String,
    diagnostics: Vec<String>,
}

/// A closed ledger for the file.
pub(super) fn save_close(close: &Close) -> SavedClose {
    let mut all = close.applied.iter().map(save_applied);
    SavedClose { header: b64_of(&close.header), applied: all.next(), more: all.collect() }
}

fn save_applied(a: &Applied) -> SavedApplied {
    SavedApplied {
        hash: hex::encode(a.hash),
        inner_hash: a.inner_hash.map(hex::encode),
        success: a.success,
        envelope: b64(&a.envelope),
        result: b64(&a.result),
        fee_meta: b64(&a.fee_meta),
        meta: b64(&a.meta),
        diagnostics: a.diagnostics.iter().map(|d| b64(d)).collect(),
    }
}

/// A closed ledger from the file; `None` if it is broken.
pub(super) fn load_close(saved: &SavedClose) -> Option<Close> {
    let header: LedgerHeader = decode_b64(&saved.header)?;
    let applied = saved.applied.iter().chain(&saved.more).map(load_applied).collect::<Option<_>>()?;
    Some(Close { hash: hash_of(&header), header, applied })
}

fn load_applied(saved: &SavedApplied) -> Option<Applied> {
    let hash_from = |text: &str| <[u8; 32]>::try_from(hex::decode(text).ok()?).ok();
    let inner_hash = match &saved.inner_hash {
        Some(text) => Some(hash_from(text)?),
        None => None,
    };
    let meta = from_b64(&saved.meta)?;
    let TransactionMeta::V4(v4) = decode(&meta).ok()? else { return None };
    Some(Applied {
        hash: hash_from(&saved.hash)?,
        inner_hash,
        success: saved.success,
        envelope: from_b64(&saved.envelope)?,
        result: from_b64(&saved.result)?,
        fee_meta: from_b64(&saved.fee_meta)?,
        diagnostics: saved.diagnostics.iter().map(|d| from_b64(d)).collect::<Option<_>>()?,
        events: v4.operations.iter().map(|op| op.events.to_vec()).collect(),
        meta,
    })
}
