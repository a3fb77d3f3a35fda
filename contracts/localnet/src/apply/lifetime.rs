//! ExtendFootprintTtl and RestoreFootprint: the lives of entries, without running any contract.

use soroban_env_host::HostError;
use soroban_env_host::budget::Budget;
use soroban_env_host::e2e_invoke::entry_size_for_rent;
use soroban_env_host::fees::{LedgerEntryRentChange, compute_rent_fee};
use soroban_env_host::xdr::{
    ContractDataDurability, ExtendFootprintTtlOp, ExtendFootprintTtlResult as Extended, LedgerEntry,
    LedgerEntryData, LedgerKey, OperationResult, OperationResultTr, RestoreFootprintResult as Restored,
};

use super::{Outcome, Scene, Spent, footprint};
use crate::encoding::bytes_of;
use crate::ledger::state::{Overlay, Source as _};

/// Prolongs every live entry of the read-only footprint that would otherwise end sooner.
pub(crate) fn extend(scene: &Scene<'_>, overlay: &mut Overlay<'_>, op: &ExtendFootprintTtlOp) -> Outcome {
    let done = |code| Outcome::from(OperationResult::OpInner(OperationResultTr::ExtendFootprintTtl(code)));
    let Some(data) = scene.candidate.soroban() else { return done(Extended::Malformed) };
    let sequence = scene.closing.sequence;
    let footprint = &data.resources.footprint;
    if !footprint.read_write.is_empty() || op.extend_to >= scene.ledger.config.max_entry_ttl {
        return done(Extended::Malformed);
    }
    let last = sequence.saturating_add(op.extend_to);
    let mut rents = Vec::new();
    for key in footprint.read_only.iter() {
        let Some((entry, Some(live_until))) = overlay.find(key) else { continue };
        if live_until < sequence || live_until >= last {
            continue;
        }
        let Ok(change) = rent(scene, key, &entry, (live_until, last), Some(())) else {
            return done(Extended::ResourceLimitExceeded);
        };
        rents.push(change);
        overlay.set_live_until(key.clone(), last);
    }
    match pay(scene, &rents) {
        Some(spent) => Outcome { spent, ..done(Extended::Success) },
        None => done(Extended::InsufficientRefundableFee),
    }
}

/// Brings every archived entry of the read-write footprint back, for the least life an entry is born with.
pub(crate) fn restore(scene: &Scene<'_>, overlay: &mut Overlay<'_>) -> Outcome {
    let done = |code| Outcome::from(OperationResult::OpInner(OperationResultTr::RestoreFootprint(code)));
    let Some(data) = scene.candidate.soroban() else { return done(Restored::Malformed) };
    let sequence = scene.closing.sequence;
    let info = scene.ledger.info(sequence, scene.closing.close_time);
    let Some(last) = info.min_live_until_ledger_checked(ContractDataDurability::Persistent) else {
        return done(Restored::Malformed);
    };
    let footprint = &data.resources.footprint;
    if !footprint.read_only.is_empty() || !footprint.read_write.iter().all(footprint::is_persistent) {
        return done(Restored::Malformed);
    }
    let (mut rents, mut bytes) = (Vec::new(), 0usize);
    for key in footprint.read_write.iter() {
        let Some((entry, Some(live_until))) = overlay.find(key) else { continue };
        if live_until >= sequence {
            continue;
        }
        bytes += bytes_of(&*entry).len();
        let Ok(change) = rent(scene, key, &entry, (0, last), None) else {
            return done(Restored::ResourceLimitExceeded);
        };
        rents.push(change);
        if let LedgerEntryData::ContractCode(code) = &entry.data {
            scene.ledger.cache_module(code.code.as_slice());
        }
        overlay.mark_restored(key.clone());
        overlay.set_live_until(key.clone(), last);
    }
    if bytes > data.resources.disk_read_bytes.min(data.resources.write_bytes) as usize {
        return done(Restored::ResourceLimitExceeded);
    }
    match pay(scene, &rents) {
        Some(spent) => Outcome { spent, ..done(Restored::Success) },
        None => done(Restored::InsufficientRefundableFee),
    }
}

/// The rent of an entry for the lives `(from, to)`; without `kept` the entry counts as new.
fn rent(
    scene: &Scene<'_>,
    key: &LedgerKey,
    entry: &LedgerEntry,
    lives: (u32, u32),
    kept: Option<()>,
) -> Result<LedgerEntryRentChange, HostError> {
    let config = &scene.ledger.config;
    let unmetered = Budget::try_from_configs(
        u64::MAX,
        u64::MAX,
        config.cpu_cost_params.clone(),
        config.memory_cost_params.clone(),
    )?;
    let bytes = u32::try_from(bytes_of(entry).len()).unwrap_or(u32::MAX);
    let size = entry_size_for_rent(&unmetered, entry, bytes)?;
    Ok(LedgerEntryRentChange {
        is_persistent: footprint::is_persistent(key),
        is_code_entry: matches!(key, LedgerKey::ContractCode(_)),
        old_size_bytes: kept.map_or(0, |()| size),
        new_size_bytes: size,
        old_live_until_ledger: lives.0,
        new_live_until_ledger: lives.1,
    })
}

/// What the rent costs, or `None` if the refundable fee does not cover it.
fn pay(scene: &Scene<'_>, rents: &[LedgerEntryRentChange]) -> Option<Spent> {
    let config = &scene.ledger.config;
    let data = scene.candidate.soroban()?;
    let rent = compute_rent_fee(rents, &config.rent_fee_configuration, scene.closing.sequence);
    let refundable = data.resource_fee - footprint::non_refundable_fee(config, scene.candidate, data);
    (rent <= refundable).then_some(Spent { rent, events: 0 })
}
