//! The network's limits and fee rates, read once from `settings.json` (the public network's figures).
//!
//! They are stored as ledger entries too, because simulation and the official tools read them from there.

use std::rc::Rc;

use soroban_env_host::budget::{AsBudget, Budget};
use soroban_env_host::vm::CompilationContext;
use soroban_env_host::xdr::{
    ConfigSettingEntry, ConfigUpgradeSet, ContractCostParams, EvictionIterator, LedgerEntry, LedgerEntryData,
    LedgerEntryExt,
};
use soroban_env_host::{Error, ErrorHandler, HostError, Val};
use soroban_simulation::NetworkConfig;

use super::state::{Changes, State};
use crate::StartError;

/// What the embedder enforces and the host does not (stellar-core's `InvokeHostFunctionOpFrame`).
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) tx_bytes: u32,
    pub(crate) instructions: u32,
    pub(crate) memory_bytes: u32,
    pub(crate) disk_read_entries: u32,
    pub(crate) disk_read_bytes: u32,
    pub(crate) write_entries: u32,
    pub(crate) write_bytes: u32,
    pub(crate) footprint_entries: u32,
    pub(crate) events_bytes: u32,
    pub(crate) code_bytes: u32,
    pub(crate) key_bytes: u32,
    pub(crate) entry_bytes: u32,
}

/// Size of the network's contract state assumed for rent, in bytes. The true figure moves; below 2.67 GB rent
/// costs the least possible 1 000 stroops per KB and period, at 3 GB it costs 3 250.
const ASSUMED_STATE_BYTES: u64 = 2_000_000_000;

/// Puts the settings into an empty ledger.
pub(crate) fn install(state: &State, sequence: u32) -> Result<(), StartError> {
    let set: ConfigUpgradeSet = serde_json::from_str(include_str!("../../settings.json"))
        .map_err(|e| StartError::Settings(e.to_string()))?;
    let window = vec![ASSUMED_STATE_BYTES; 30].try_into().unwrap_or_default();
    let iterator = EvictionIterator { bucket_list_level: 6, is_curr_bucket: true, bucket_file_offset: 0 };
    let more = [
        ConfigSettingEntry::LiveSorobanStateSizeWindow(window),
        ConfigSettingEntry::EvictionIterator(iterator),
    ];
    let mut changes = Changes::new();
    for setting in set.updated_entry.into_vec().into_iter().chain(more) {
        let entry = LedgerEntry {
            last_modified_ledger_seq: sequence,
            data: LedgerEntryData::ConfigSetting(setting),
            ext: LedgerEntryExt::V0,
        };
        changes.insert(Rc::new(entry.to_key()), Some((Rc::new(entry), None)));
    }
    state.absorb(changes);
    Ok(())
}

/// Reads the settings back from the ledger, so a loaded ledger keeps the figures it was saved with.
pub(crate) fn read(state: &State) -> Result<(NetworkConfig, Limits), StartError> {
    let config = NetworkConfig::load_from_snapshot(state).map_err(|e| StartError::Settings(e.to_string()))?;
    let mut limits = Limits::default();
    state.each(|_, (entry, _)| {
        if let LedgerEntryData::ConfigSetting(setting) = &entry.data {
            limits.take(setting);
        }
    });
    Ok((config, limits))
}

impl Limits {
    fn take(&mut self, setting: &ConfigSettingEntry) {
        match setting {
            ConfigSettingEntry::ContractMaxSizeBytes(n) => self.code_bytes = *n,
            ConfigSettingEntry::ContractDataKeySizeBytes(n) => self.key_bytes = *n,
            ConfigSettingEntry::ContractDataEntrySizeBytes(n) => self.entry_bytes = *n,
            ConfigSettingEntry::ContractBandwidthV0(b) => self.tx_bytes = b.tx_max_size_bytes,
            ConfigSettingEntry::ContractEventsV0(e) => {
                self.events_bytes = e.tx_max_contract_events_size_bytes
            }
            ConfigSettingEntry::ContractComputeV0(c) => {
                self.instructions = u32::try_from(c.tx_max_instructions).unwrap_or(u32::MAX);
                self.memory_bytes = c.tx_memory_limit;
            }
            ConfigSettingEntry::ContractLedgerCostExtV0(c) => {
                self.footprint_entries = c.tx_max_footprint_entries;
            }
            ConfigSettingEntry::ContractLedgerCostV0(c) => {
                self.disk_read_entries = c.tx_max_disk_read_entries;
                self.disk_read_bytes = c.tx_max_disk_read_bytes;
                self.write_entries = c.tx_max_write_ledger_entries;
                self.write_bytes = c.tx_max_write_bytes;
            }
            _ => {}
        }
    }
}

/// The context in which modules are parsed for the cache: the network does this outside any transaction's
/// budget.
#[derive(Clone)]
pub(crate) struct Unmetered(Budget);

impl Unmetered {
    /// A budget nothing exhausts.
    pub(crate) fn new(cpu: ContractCostParams, memory: ContractCostParams) -> Result<Self, HostError> {
        Ok(Self(Budget::try_from_configs(u64::MAX, u64::MAX, cpu, memory)?))
    }
}

impl AsBudget for Unmetered {
    fn as_budget(&self) -> &Budget {
        &self.0
    }
}

impl ErrorHandler for Unmetered {
    fn map_err<T, E>(&self, result: Result<T, E>) -> Result<T, HostError>
    where
        Error: From<E>,
        E: std::fmt::Debug,
    {
        result.map_err(|e| HostError::from(Error::from(e)))
    }

    fn error(&self, error: Error, _: &str, _: &[Val]) -> HostError {
        HostError::from(error)
    }
}

impl CompilationContext for Unmetered {}
