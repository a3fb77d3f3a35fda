//! getLatestLedger and getLedgers: headers and close meta that the official SDKs can decode.

use serde::Deserialize;
use serde_json::{Value, json};
use soroban_env_host::xdr::{
    ExtensionPoint, Hash, LedgerCloseMeta, LedgerCloseMetaExt, LedgerCloseMetaV2, LedgerEntryChanges,
    LedgerHeaderHistoryEntry, LedgerHeaderHistoryEntryExt, TransactionResultMetaV1, VecM,
};

use super::view::View;
use super::{Answer, RpcError, only_base64};
use crate::encoding::{b64_of, decode};
use crate::ledger::history::{Applied, Close, tx_set};
use crate::ledger::result_pair;

const DEFAULT_LIMIT: usize = 5;
const MAX_LIMIT: usize = 200;

/// The newest ledger, with its header and close meta.
pub(super) fn latest(view: &View<'_>) -> Value {
    let close = view.newest();
    json!({
        "id": hex::encode(close.hash),
        "protocolVersion": close.header.ledger_version,
        "sequence": close.sequence(),
        "closeTime": close.close_time().to_string(),
        "headerXdr": b64_of(&close.header),
        "metadataXdr": b64_of(&close_meta(close)),
    })
}

fn close_meta(close: &Close) -> LedgerCloseMeta {
    let processed = close.applied.iter().filter_map(processing).collect::<Vec<_>>();
    LedgerCloseMeta::V2(LedgerCloseMetaV2 {
        ext: LedgerCloseMetaExt::V0,
        ledger_header: history_entry(close),
        tx_set: tx_set(&close.header.previous_ledger_hash.0, &close.applied),
        tx_processing: processed.try_into().unwrap_or_default(),
        upgrades_processing: VecM::default(),
        scp_info: VecM::default(),
        total_byte_size_of_live_soroban_state: 0,
        evicted_keys: VecM::default(),
    })
}

fn processing(applied: &Applied) -> Option<TransactionResultMetaV1> {
    Some(TransactionResultMetaV1 {
        ext: ExtensionPoint::V0,
        result: result_pair(applied)?,
        fee_processing: decode(&applied.fee_meta).ok()?,
        tx_apply_processing: decode(&applied.meta).ok()?,
        post_tx_apply_fee_processing: LedgerEntryChanges(VecM::default()),
    })
}

fn history_entry(close: &Close) -> LedgerHeaderHistoryEntry {
    LedgerHeaderHistoryEntry {
        hash: Hash(close.hash),
        header: close.header.clone(),
        ext: LedgerHeaderHistoryEntryExt::V0,
    }
}

/// How lists of ledgers and transactions are asked for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListParams {
    start_ledger: Option<u32>,
    pagination: Option<Pagination>,
    xdr_format: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Pagination {
    pub(super) cursor: Option<String>,
    pub(super) limit: Option<usize>,
}

impl ListParams {
    /// The cursor or the first ledger asked for, and the page's size.
    pub(super) fn range(
        &self,
        view: &View<'_>,
        default_limit: usize,
        max_limit: usize,
    ) -> Result<(Option<u64>, u32, usize), RpcError> {
        only_base64(self.xdr_format.as_deref())?;
        let limit =
            self.pagination.as_ref().and_then(|p| p.limit).filter(|n| *n > 0).unwrap_or(default_limit);
        if limit > max_limit {
            return Err(RpcError::params(format!("limit must not exceed {max_limit}")));
        }
        let cursor = self.pagination.as_ref().and_then(|p| p.cursor.as_deref()).filter(|c| !c.is_empty());
        if let Some(cursor) = cursor {
            if self.start_ledger.is_some_and(|n| n != 0) {
                return Err(RpcError::params("startLedger and cursor cannot both be set"));
            }
            let cursor = cursor.parse().map_err(|_| RpcError::params("cursor is not a number"))?;
            return Ok((Some(cursor), 0, limit));
        }
        let (oldest, latest) = (view.oldest(), view.sequence());
        let start = self.start_ledger.unwrap_or(0);
        if start < oldest || start > latest {
            let message = format!(
                "start ledger ({start}) must be between the oldest ledger: {oldest} and the latest ledger: \
                 {latest} for this rpc instance"
            );
            return Err(RpcError::request(message));
        }
        Ok((None, start, limit))
    }
}

/// Kept ledgers in order. Empty ones that closed in a row are one here.
pub(super) fn list(view: &View<'_>, params: &ListParams) -> Answer {
    let (cursor, start, limit) = params.range(view, DEFAULT_LIMIT, MAX_LIMIT)?;
    let after = cursor.map_or(start, |c| u32::try_from(c).unwrap_or(u32::MAX).saturating_add(1));
    let closes: Vec<_> = view.since(after).take(limit).collect();
    let last = closes.last().map_or_else(|| after.saturating_sub(1), |c| c.sequence());
    let ledgers: Vec<Value> = closes
        .into_iter()
        .map(|close| {
            json!({
                "hash": hex::encode(close.hash),
                "sequence": close.sequence(),
                "ledgerCloseTime": close.close_time().to_string(),
                "headerXdr": b64_of(&history_entry(close)),
                "metadataXdr": b64_of(&close_meta(close)),
            })
        })
        .collect();
    Ok(json!({
        "ledgers": ledgers,
        "latestLedger": view.sequence(),
        "latestLedgerCloseTime": view.close_time(),
        "oldestLedger": view.oldest(),
        "oldestLedgerCloseTime": view.oldest_close_time(),
        "cursor": last.to_string(),
    }))
}
