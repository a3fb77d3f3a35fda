//! getLedgerEntries: live entries by key.

use serde::Deserialize;
use serde_json::{Value, json};
use soroban_env_host::xdr::LedgerKey;

use super::view::View;
use super::{Answer, RpcError, only_base64};
use crate::encoding::{b64_of, decode_b64};

/// Keys in one call at most.
const MAX_KEYS: usize = 200;

#[derive(Deserialize)]
pub(super) struct Params {
    keys: Option<Vec<String>>,
    #[serde(rename = "xdrFormat")]
    format: Option<String>,
}

/// Entries that exist, archived ones with their past `liveUntilLedgerSeq`; keys without an entry are left
/// out.
pub(super) fn get(view: &View<'_>, params: &Params) -> Answer {
    only_base64(params.format.as_deref())?;
    let keys = params.keys.as_deref().unwrap_or_default();
    if keys.len() > MAX_KEYS {
        let message = format!("key count ({}) exceeds maximum supported ({MAX_KEYS})", keys.len());
        return Err(RpcError::params(message));
    }
    let mut found: Vec<Value> = Vec::new();
    for text in keys {
        let key: LedgerKey =
            decode_b64(text).ok_or_else(|| RpcError::params(format!("cannot unmarshal key value {text}")))?;
        if matches!(key, LedgerKey::Ttl(_)) {
            return Err(RpcError::params("ledger ttl entries cannot be queried directly"));
        }
        let Some((entry, live_until)) = view.entry(&key) else { continue };
        let mut answer = json!({
            "key": text,
            "xdr": b64_of(&entry.data),
            "lastModifiedLedgerSeq": entry.last_modified_ledger_seq,
            "extXdr": b64_of(&entry.ext),
        });
        if let Some(last) = live_until {
            answer["liveUntilLedgerSeq"] = last.into();
        }
        found.push(answer);
    }
    Ok(json!({"entries": found, "latestLedger": view.sequence()}))
}
