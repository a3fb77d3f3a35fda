//! InvokeHostFunction: the real host on the real Wasm, and around it the checks the host leaves to its
//! embedder (stellar-core's `InvokeHostFunctionOpFrame`).
//!
//! Invariant: entries reach the host in footprint order, and only what the footprint declares is written.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use soroban_env_host::HostError;
use soroban_env_host::budget::Budget;
use soroban_env_host::e2e_invoke::{
    InvokeHostFunctionResult as HostResult, LedgerEntryChange, TtlLedgerEntryMeta, entry_size_for_rent,
    extract_rent_changes, invoke_host_function,
};
use soroban_env_host::fees::compute_rent_fee;
use soroban_env_host::xdr::{
    AccountId, ContractDataDurability, ContractEvent, DiagnosticEvent, Hash, InvokeHostFunctionOp,
    InvokeHostFunctionResult, InvokeHostFunctionSuccessPreImage, LedgerEntry, LedgerEntryData, LedgerKey,
    OperationResult, OperationResultTr, ScVal, SorobanTransactionData,
};

use super::{Outcome, Scene, Spent, footprint};
use crate::encoding::{bytes_of, decode, hash_of, sha256};
use crate::ledger::state::{Overlay, Source as _};

/// An entry as the host takes it: its bytes and its life, both absent where there is no live entry.
type Given = (Option<Vec<u8>>, Option<TtlLedgerEntryMeta>);

/// What is to be run, for whom, with what.
struct Call<'a> {
    source: &'a AccountId,
    op: &'a InvokeHostFunctionOp,
    data: &'a SorobanTransactionData,
}

/// Everything the footprint names, read.
struct Loaded {
    entries: Vec<Given>,
    /// Archived entries that come back, with the value they come back with.
    restored: Vec<(LedgerKey, Rc<LedgerEntry>)>,
}

/// Runs the operation in the overlay. On failure the overlay is to be thrown away.
pub(crate) fn run(
    scene: &Scene<'_>,
    overlay: &mut Overlay<'_>,
    source: &AccountId,
    op: &InvokeHostFunctionOp,
) -> Outcome {
    let Some(data) = scene.candidate.soroban() else { return failed(InvokeHostFunctionResult::Malformed) };
    let loaded = match load(scene, overlay, data) {
        Ok(loaded) => loaded,
        Err(reason) => return failed(reason),
    };
    for (key, entry) in &loaded.restored {
        if let LedgerEntryData::ContractCode(code) = &entry.data {
            scene.ledger.cache_module(code.code.as_slice());
        }
        overlay.mark_restored(key.clone());
    }
    let mut diagnostics = Vec::new();
    match execute(scene, &Call { source, op, data }, loaded.entries, &mut diagnostics) {
        Err(reason) => Outcome { diagnostics, ..failed(reason) },
        Ok(done) => match record(scene, overlay, data, done) {
            Ok(outcome) => outcome,
            Err(reason) => Outcome { diagnostics, ..failed(reason) },
        },
    }
}

fn failed(reason: InvokeHostFunctionResult) -> Outcome {
    OperationResult::OpInner(OperationResultTr::InvokeHostFunction(reason)).into()
}

/// Reads the footprint. Only classic entries and entries from the archive count as read from disk.
fn load(
    scene: &Scene<'_>,
    overlay: &Overlay<'_>,
    data: &SorobanTransactionData,
) -> Result<Loaded, InvokeHostFunctionResult> {
    let footprint = &data.resources.footprint;
    let archived = footprint::archived(data);
    let read_only = footprint.read_only.iter().map(|key| (key, false));
    let read_write = footprint.read_write.iter().zip(0u32..).map(|(key, at)| (key, archived.contains(&at)));
    let mut loaded = Loaded { entries: Vec::new(), restored: Vec::new() };
    let mut disk_bytes = 0usize;
    for (key, comes_back) in read_only.chain(read_write) {
        let (given, from_disk) = read(scene, overlay, key, comes_back, &mut loaded.restored)?;
        if from_disk {
            disk_bytes += given.0.as_ref().map_or(0, Vec::len);
        }
        loaded.entries.push(given);
    }
    if disk_bytes > data.resources.disk_read_bytes as usize {
        return Err(InvokeHostFunctionResult::ResourceLimitExceeded);
    }
    Ok(loaded)
}

fn read(
    scene: &Scene<'_>,
    overlay: &Overlay<'_>,
    key: &LedgerKey,
    comes_back: bool,
    restored: &mut Vec<(LedgerKey, Rc<LedgerEntry>)>,
) -> Result<(Given, bool), InvokeHostFunctionResult> {
    let Some((entry, live_until)) = overlay.find(key) else { return Ok(((None, None), false)) };
    let bytes = bytes_of(&*entry);
    let Some(mut live_until) = live_until else { return Ok(((Some(bytes), None), true)) };
    let gone = live_until < scene.closing.sequence;
    if gone && !footprint::is_persistent(key) {
        return Ok(((None, None), false));
    }
    if gone {
        if !comes_back {
            return Err(InvokeHostFunctionResult::EntryArchived);
        }
        let info = scene.ledger.info(scene.closing.sequence, scene.closing.close_time);
        live_until =
            info.min_live_until_ledger_checked(ContractDataDurability::Persistent).unwrap_or(u32::MAX);
        restored.push((key.clone(), entry.clone()));
    }
    let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let entry_size_for_rent =
        entry_size_for_rent(&budget(scene, u64::from(u32::MAX)).map_err(|_| trapped())?, &entry, size)
            .map_err(|_| trapped())?;
    Ok(((Some(bytes), Some(TtlLedgerEntryMeta { live_until_ledger: live_until, entry_size_for_rent })), gone))
}

fn trapped() -> InvokeHostFunctionResult {
    InvokeHostFunctionResult::Trapped
}

/// A budget of the declared instructions and the network's memory. The shadow limits bound what diagnostics
/// may use.
fn budget(scene: &Scene<'_>, instructions: u64) -> Result<Budget, HostError> {
    let config = &scene.ledger.config;
    let memory = u64::from(config.tx_memory_limit);
    Budget::try_from_configs_with_shadow_limits(
        instructions,
        memory,
        (config.tx_max_instructions as u64).saturating_mul(10),
        memory.saturating_mul(10),
        config.cpu_cost_params.clone(),
        config.memory_cost_params.clone(),
    )
}

fn execute(
    scene: &Scene<'_>,
    call: &Call<'_>,
    entries: Vec<Given>,
    diagnostics: &mut Vec<DiagnosticEvent>,
) -> Result<HostResult, InvokeHostFunctionResult> {
    let Call { source, op, data } = call;
    let declared = u64::from(data.resources.instructions);
    let budget = budget(scene, declared).map_err(|_| trapped())?;
    let seed = sha256(&[&scene.candidate.tx_hash[..], &scene.ledger.header_hash[..]].concat());
    let auth: Vec<Vec<u8>> = op.auth.iter().map(bytes_of).collect();
    let run = || {
        invoke_host_function(
            &budget,
            true,
            bytes_of(&op.host_function),
            bytes_of(&data.resources),
            footprint::archived(data),
            bytes_of(*source),
            auth.into_iter(),
            scene.ledger.info(scene.closing.sequence, scene.closing.close_time),
            entries.into_iter(),
            seed.to_vec(),
            diagnostics,
            None,
            Some(scene.ledger.modules()),
        )
    };
    // Nothing is written before the host has ended, so a panic in it costs this transaction and nothing else.
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(done)) if done.encoded_invoke_result.is_ok() => Ok(done),
        _ => {
            let spent = budget.get_cpu_insns_consumed().unwrap_or(u64::MAX);
            let memory = budget.get_mem_bytes_consumed().unwrap_or(u64::MAX);
            let over = spent > declared || memory > u64::from(scene.ledger.limits.memory_bytes);
            Err(if over { InvokeHostFunctionResult::ResourceLimitExceeded } else { trapped() })
        }
    }
}

/// Checks what the host did against what was declared and paid for, and writes it.
fn record(
    scene: &Scene<'_>,
    overlay: &mut Overlay<'_>,
    data: &SorobanTransactionData,
    done: HostResult,
) -> Result<Outcome, InvokeHostFunctionResult> {
    let limits = &scene.ledger.limits;
    let config = &scene.ledger.config;
    let Ok(returned_bytes) = done.encoded_invoke_result else { return Err(trapped()) };
    let written: usize =
        done.ledger_changes.iter().filter_map(|c| c.encoded_new_value.as_ref().map(Vec::len)).sum();
    let said = returned_bytes.len() + done.encoded_contract_events.iter().map(Vec::len).sum::<usize>();
    if written > data.resources.write_bytes as usize || said > limits.events_bytes as usize {
        return Err(InvokeHostFunctionResult::ResourceLimitExceeded);
    }
    let rent_changes = extract_rent_changes(&done.ledger_changes);
    let said = u32::try_from(said).unwrap_or(u32::MAX);
    let spent = Spent {
        rent: compute_rent_fee(&rent_changes, &config.rent_fee_configuration, scene.closing.sequence),
        events: footprint::events_fee(config, scene.candidate, data, said),
    };
    let refundable = data.resource_fee - footprint::non_refundable_fee(config, scene.candidate, data);
    if spent.rent.saturating_add(spent.events) > refundable {
        return Err(InvokeHostFunctionResult::InsufficientRefundableFee);
    }
    for change in &done.ledger_changes {
        write(scene, overlay, change)?;
    }
    let returned: ScVal = decode(&returned_bytes).map_err(|_| trapped())?;
    let events: Vec<ContractEvent> =
        done.encoded_contract_events.iter().filter_map(|bytes| decode(bytes).ok()).collect();
    let image = InvokeHostFunctionSuccessPreImage {
        return_value: returned.clone(),
        events: events.clone().try_into().map_err(|_| trapped())?,
    };
    let success = InvokeHostFunctionResult::Success(Hash(hash_of(&image)));
    let result = OperationResult::OpInner(OperationResultTr::InvokeHostFunction(success));
    Ok(Outcome { result, events, diagnostics: Vec::new(), returned: Some(returned), spent })
}

fn write(
    scene: &Scene<'_>,
    overlay: &mut Overlay<'_>,
    change: &LedgerEntryChange,
) -> Result<(), InvokeHostFunctionResult> {
    let key: LedgerKey = decode(&change.encoded_key).map_err(|_| trapped())?;
    let live_until = change.ttl_change.as_ref().map(|ttl| ttl.new_live_until_ledger);
    if change.read_only {
        if let Some(ttl) =
            change.ttl_change.as_ref().filter(|t| t.new_live_until_ledger > t.old_live_until_ledger)
        {
            overlay.set_live_until(key, ttl.new_live_until_ledger);
        }
        return Ok(());
    }
    let Some(bytes) = &change.encoded_new_value else {
        overlay.remove(key);
        return Ok(());
    };
    let entry: LedgerEntry = decode(bytes).map_err(|_| trapped())?;
    let limits = &scene.ledger.limits;
    let fits = match &entry.data {
        LedgerEntryData::ContractCode(code) => code.code.len() <= limits.code_bytes as usize,
        LedgerEntryData::ContractData(_) => bytes.len() <= limits.entry_bytes as usize,
        _ => true,
    };
    if !fits {
        return Err(InvokeHostFunctionResult::ResourceLimitExceeded);
    }
    if let LedgerEntryData::ContractCode(code) = &entry.data {
        scene.ledger.cache_module(code.code.as_slice());
    }
    overlay.put_entry(entry, live_until);
    Ok(())
}
