//! simulateTransaction: what an invocation would need, return and change.
//!
//! Invariant: nothing changes. Success here is not authorisation: in recording mode the signatures are
//! invented.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use serde::Deserialize;
use serde_json::{Value, json};
use soroban_env_host::e2e_invoke::RecordingInvocationAuthMode as AuthMode;
use soroban_env_host::storage::SnapshotSource;
use soroban_env_host::xdr::{
    AccountId, ContractEventBody, ContractEventType, DiagnosticEvent, InvokeHostFunctionOp, LedgerFootprint,
    Operation, OperationBody, SorobanTransactionData, SorobanTransactionDataExt, Transaction,
    TransactionEnvelope, TransactionExt,
};
use soroban_env_host::{HostError, LedgerInfo};
use soroban_simulation::AutoRestoringSnapshotSource;
use soroban_simulation::simulation::{
    InvokeHostFunctionSimulationResult, LedgerEntryDiff, SimulationAdjustmentConfig, simulate_extend_ttl_op,
    simulate_invoke_host_function_op, simulate_restore_op,
};

use stellar_strkey::Contract;

use super::view::View;
use super::{Answer, only_base64};
use crate::encoding::{account_of, b64_of, bytes_of, decode_b64, sha256};
use crate::ledger::Ledger;

/// How a simulation is asked for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Params {
    transaction: Option<String>,
    resource_config: Option<ResourceConfig>,
    auth_mode: Option<String>,
    use_upgraded_auth: Option<bool>,
    xdr_format: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceConfig {
    instruction_leeway: Option<u64>,
}

/// Simulates; what is wrong with the transaction stands under `error`, as the real server has it.
pub(super) fn simulate(view: &View<'_>, params: &Params) -> Answer {
    only_base64(params.xdr_format.as_deref())?;
    // A panic in the simulation's crates must not take the network with it; nothing is written here, so
    // nothing can be left half done.
    let simulated = catch_unwind(AssertUnwindSafe(|| read(params).and_then(|tx| run(view, params, &tx))));
    let answer = simulated.unwrap_or_else(|_| Err("the simulation broke off".into()));
    let mut answer = answer.unwrap_or_else(|error| json!({"error": error}));
    answer["latestLedger"] = view.sequence().into();
    Ok(answer)
}

fn read(params: &Params) -> Result<Transaction, String> {
    match decode_b64::<TransactionEnvelope>(params.transaction.as_deref().unwrap_or("")) {
        Some(TransactionEnvelope::Tx(v1)) if v1.tx.operations.len() == 1 => Ok(v1.tx),
        Some(TransactionEnvelope::Tx(_)) => Err("Transaction contains more than one operation".into()),
        _ => Err("Could not unmarshal transaction".into()),
    }
}

fn run(view: &View<'_>, params: &Params, tx: &Transaction) -> Result<Value, String> {
    let Some(Operation { source_account, body }) = tx.operations.first() else {
        return Err("Transaction contains more than one operation".into());
    };
    let source = account_of(source_account.as_ref().unwrap_or(&tx.source_account));
    let (ledger, closing) = (view.ledger, view.closing());
    let info = ledger.info(closing.sequence, closing.close_time);
    let mut adjust = SimulationAdjustmentConfig::default_adjustment();
    if let Some(config) = &params.resource_config {
        let leeway = u32::try_from(config.instruction_leeway.unwrap_or(0)).unwrap_or(u32::MAX);
        adjust.instructions.additive_factor = adjust.instructions.additive_factor.max(leeway);
    }
    let (state, config) = (&*view.state, &ledger.config);
    let data = match body {
        OperationBody::InvokeHostFunction(op) => {
            let auth = auth_mode(params, op)?;
            return invoke(view, op, &source, auth, &(adjust, info));
        }
        _ if params.auth_mode.as_deref().is_some_and(|mode| !mode.is_empty()) => {
            return Err("cannot set authMode with non-InvokeHostFunction operations".into());
        }
        OperationBody::ExtendFootprintTtl(op) if op.extend_to >= config.max_entry_ttl => {
            return Err(format!("extendTo must be below {}", config.max_entry_ttl));
        }
        OperationBody::ExtendFootprintTtl(op) => {
            let keys = footprint(tx)?.read_only.to_vec();
            simulate_extend_ttl_op(state, config, &adjust, &info, &keys, op.extend_to)
                .map(|r| r.transaction_data)
        }
        OperationBody::RestoreFootprint(_) => {
            let keys = footprint(tx)?.read_write.to_vec();
            simulate_restore_op(state, config, &adjust, &info, &keys).map(|r| r.transaction_data)
        }
        other => {
            return Err(format!("Transaction contains unsupported operation type: {}", other.name()));
        }
    };
    let data = data.map_err(|e| format!("{e:#}"))?;
    Ok(json!({"transactionData": b64_of(&data), "minResourceFee": data.resource_fee.to_string()}))
}

fn footprint(tx: &Transaction) -> Result<&LedgerFootprint, String> {
    match &tx.ext {
        TransactionExt::V1(data) => Ok(&data.resources.footprint),
        TransactionExt::V0 => Err("To perform a SimulateTransaction for ExtendFootprintTtl or \
             RestoreFootprint operations, SorobanTransactionData must be provided"
            .into()),
    }
}

/// Without a word: signed entries are enforced, and recorded where there are none.
fn auth_mode(params: &Params, op: &InvokeHostFunctionOp) -> Result<AuthMode, String> {
    let recording = |root_only| AuthMode::recording(root_only, params.use_upgraded_auth.unwrap_or(false));
    let has_auth = !op.auth.is_empty();
    match params.auth_mode.as_deref().unwrap_or("") {
        "" if has_auth => Ok(AuthMode::Enforcing(op.auth.to_vec())),
        "" => Ok(recording(true)),
        "enforce" => Ok(AuthMode::Enforcing(op.auth.to_vec())),
        mode @ ("record" | "record_allow_nonroot") if has_auth => {
            Err(format!("cannot set authMode to '{mode}' with an auth footprint"))
        }
        "record" => Ok(recording(true)),
        "record_allow_nonroot" => Ok(recording(false)),
        _ => {
            Err("optional 'authMode' must be one of enforce,record,record_allow_nonroot when included".into())
        }
    }
}

type Terms = (SimulationAdjustmentConfig, LedgerInfo);

fn invoke(
    view: &View<'_>,
    op: &InvokeHostFunctionOp,
    source: &AccountId,
    auth: AuthMode,
    terms: &Terms,
) -> Result<Value, String> {
    let again = match &auth {
        AuthMode::Enforcing(entries) => AuthMode::Enforcing(entries.clone()),
        AuthMode::Recording(how) => AuthMode::Recording(*how),
    };
    let ledger = view.ledger;
    let done = simulate_on(view, view.state.clone(), op, (source, auth), terms)?;
    if !restores_too_much(ledger, done.transaction_data.as_ref()) {
        return Ok(answer_of(&done));
    }
    // Too much would come back from the archive in one transaction: say what a transaction before it must
    // restore, and what this one needs after that.
    let (adjust, info) = terms;
    let restoring =
        AutoRestoringSnapshotSource::new(view.state.clone(), info).map_err(|e| format!("{e:#}"))?;
    let restoring = Rc::new(restoring);
    let done = simulate_on(view, restoring.clone(), op, (source, again), terms)?;
    let mut answer = answer_of(&done);
    let preamble =
        restoring.simulate_restore_keys_op(&ledger.config, adjust, info).map_err(|e| format!("{e:#}"))?;
    if let Some(preamble) = preamble {
        let data = preamble.transaction_data;
        answer["restorePreamble"] =
            json!({"transactionData": b64_of(&data), "minResourceFee": data.resource_fee.to_string()});
    }
    Ok(answer)
}

fn simulate_on(
    view: &View<'_>,
    snapshot: Rc<dyn SnapshotSource>,
    op: &InvokeHostFunctionOp,
    (source, auth): (&AccountId, AuthMode),
    (adjust, info): &Terms,
) -> Result<InvokeHostFunctionSimulationResult, String> {
    let seed = sha256(&[&bytes_of(op)[..], &view.newest().hash[..]].concat());
    let function = op.host_function.clone();
    simulate_invoke_host_function_op(
        snapshot,
        &view.ledger.config,
        adjust,
        info,
        function,
        auth,
        source,
        seed,
        true,
    )
    .map_err(|e| format!("{e:#}"))
}

fn restores_too_much(ledger: &Ledger, data: Option<&SorobanTransactionData>) -> bool {
    let Some(data) = data else { return false };
    let limits = &ledger.limits;
    matches!(data.ext, SorobanTransactionDataExt::V1(_))
        && (data.resources.disk_read_bytes > limits.disk_read_bytes
            || data.resources.write_bytes > limits.write_bytes
            || data.resources.footprint.read_write.len() > limits.write_entries as usize)
}

fn answer_of(done: &InvokeHostFunctionSimulationResult) -> Value {
    let mut answer = json!({});
    let events: Vec<String> = done.diagnostic_events.iter().map(b64_of).collect();
    if !events.is_empty() {
        answer["events"] = events.into();
    }
    let (returned, data) = match (&done.invoke_result, &done.transaction_data) {
        (Ok(returned), Some(data)) => (returned, data),
        (Err(e), _) => {
            answer["error"] = format!("HostError: {}{}", told(e), event_log(&done.diagnostic_events)).into();
            return answer;
        }
        (Ok(_), None) => {
            answer["error"] = "the simulation ended without resources".into();
            return answer;
        }
    };
    let auth: Vec<String> = done.auth.iter().map(b64_of).collect();
    answer["transactionData"] = b64_of(data).into();
    answer["minResourceFee"] = data.resource_fee.to_string().into();
    answer["results"] = json!([{"auth": auth, "xdr": b64_of(returned)}]);
    answer["stateChanges"] = done.modified_entries.iter().filter_map(state_change).collect();
    answer
}

/// `Error(Contract, #101)`, as the real server writes it and clients look for it.
fn told(error: &HostError) -> String {
    format!("{:?}", error.error)
}

fn event_log(events: &[DiagnosticEvent]) -> String {
    let mut log = String::from("\n\nEvent log (newest first):\n");
    for (at, diagnostic) in events.iter().rev().enumerate() {
        let event = &diagnostic.event;
        let ContractEventBody::V0(body) = &event.body;
        let kind = if event.type_ == ContractEventType::Contract { "Contract" } else { "Diagnostic" };
        let contract = event.contract_id.as_ref().map(|id| format!(" contract:{}", Contract(id.0.0)));
        let word = |value| serde_json::to_string(value).unwrap_or_default();
        let topics: Vec<String> = body.topics.iter().map(word).collect();
        log.push_str(&format!(
            "   {at}: [{kind} Event]{} topics:[{}], data:{}\n",
            contract.unwrap_or_default(),
            topics.join(", "),
            word(&body.data),
        ));
    }
    log
}

fn state_change(diff: &LedgerEntryDiff) -> Option<Value> {
    let (before, after) = (diff.state_before.as_ref(), diff.state_after.as_ref());
    let word = match (before, after) {
        (None, Some(_)) => "created",
        (Some(_), Some(_)) => "updated",
        (Some(_), None) => "deleted",
        (None, None) => return None,
    };
    let key = b64_of(&before.or(after)?.to_key());
    Some(json!({"type": word, "key": key, "before": before.map(b64_of), "after": after.map(b64_of)}))
}
