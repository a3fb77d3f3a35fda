//! What a contract transaction declares, and what it costs: the embedder's half of the resource rules.

use std::collections::BTreeSet;

use soroban_env_host::fees::{TransactionResources, compute_transaction_resource_fee};
use soroban_env_host::ledger_info::get_key_durability;
use soroban_env_host::xdr::{
    ContractDataDurability, LedgerKey, SorobanTransactionData, SorobanTransactionDataExt, TrustLineAsset,
};
use soroban_simulation::NetworkConfig;

use super::candidate::Candidate;
use crate::encoding::bytes_of;
use crate::ledger::Ledger;

/// Whether the declaration keeps the network's limits and pays at least for what it declares
/// (txSOROBAN_INVALID otherwise).
pub(crate) fn is_sound(ledger: &Ledger, candidate: &Candidate, data: &SorobanTransactionData) -> bool {
    let limits = &ledger.limits;
    let resources = &data.resources;
    let read_only = resources.footprint.read_only.as_slice();
    let read_write = resources.footprint.read_write.as_slice();
    let within = resources.instructions <= limits.instructions
        && resources.disk_read_bytes <= limits.disk_read_bytes
        && resources.write_bytes <= limits.write_bytes
        && candidate.tx_bytes <= limits.tx_bytes
        && read_only.len() + read_write.len() <= limits.footprint_entries as usize
        && read_write.len() <= limits.write_entries as usize
        && disk_read_entries(data) <= limits.disk_read_entries;
    let mut seen = BTreeSet::new();
    let keys_sound = read_only
        .iter()
        .chain(read_write)
        .all(|key| may_be_declared(key, limits.key_bytes) && seen.insert(key));
    let fee = data.resource_fee;
    let pays = fee >= non_refundable_fee(&ledger.config, candidate, data)
        && (candidate.bump.is_some() || fee <= i64::from(candidate.tx.fee));
    within && keys_sound && pays && archived_sound(data)
}

/// Accounts, trustlines of credits, contract data and code: nothing else can be reached by contracts.
fn may_be_declared(key: &LedgerKey, max_bytes: u32) -> bool {
    let kind = match key {
        LedgerKey::Account(_) | LedgerKey::ContractCode(_) | LedgerKey::ContractData(_) => true,
        LedgerKey::Trustline(line) => {
            !matches!(line.asset, TrustLineAsset::Native | TrustLineAsset::PoolShare(_))
        }
        _ => false,
    };
    kind && bytes_of(key).len() <= max_bytes as usize
}

/// Positions of entries to restore must rise and point at persistent entries that may be written.
fn archived_sound(data: &SorobanTransactionData) -> bool {
    let indices = archived(data);
    let read_write = data.resources.footprint.read_write.as_slice();
    indices.windows(2).all(|pair| pair[0] < pair[1])
        && indices.iter().all(|index| read_write.get(*index as usize).is_some_and(is_persistent))
}

/// Positions in the read-write footprint of the entries that are to come back from the archive.
pub(crate) fn archived(data: &SorobanTransactionData) -> &[u32] {
    match &data.ext {
        SorobanTransactionDataExt::V0 => &[],
        SorobanTransactionDataExt::V1(ext) => ext.archived_soroban_entries.as_slice(),
    }
}

/// Whether the entry outlives its TTL in the archive.
pub(crate) fn is_persistent(key: &LedgerKey) -> bool {
    get_key_durability(key) == Some(ContractDataDurability::Persistent)
}

/// Entries that are read from disk: classic ones and those that come back from the archive.
fn disk_read_entries(data: &SorobanTransactionData) -> u32 {
    let footprint = &data.resources.footprint;
    let classic = footprint
        .read_only
        .iter()
        .chain(footprint.read_write.iter())
        .filter(|key| get_key_durability(key).is_none())
        .count();
    u32::try_from(classic + archived(data).len()).unwrap_or(u32::MAX)
}

/// The part of the resource fee that is never given back, in stroops.
pub(crate) fn non_refundable_fee(
    config: &NetworkConfig,
    candidate: &Candidate,
    data: &SorobanTransactionData,
) -> i64 {
    resource_fee(config, candidate, data, 0).0
}

/// The fee for `bytes` of events and return value, in stroops. Refundable as far as it was not used.
pub(crate) fn events_fee(
    config: &NetworkConfig,
    candidate: &Candidate,
    data: &SorobanTransactionData,
    bytes: u32,
) -> i64 {
    resource_fee(config, candidate, data, bytes).1
}

fn resource_fee(
    config: &NetworkConfig,
    candidate: &Candidate,
    data: &SorobanTransactionData,
    events_bytes: u32,
) -> (i64, i64) {
    let declared = TransactionResources {
        instructions: data.resources.instructions,
        disk_read_entries: disk_read_entries(data),
        write_entries: u32::try_from(data.resources.footprint.read_write.len()).unwrap_or(u32::MAX),
        disk_read_bytes: data.resources.disk_read_bytes,
        write_bytes: data.resources.write_bytes,
        contract_events_size_bytes: events_bytes,
        transaction_size_bytes: candidate.tx_bytes,
    };
    compute_transaction_resource_fee(&declared, &config.fee_configuration)
}
