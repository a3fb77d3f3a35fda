//! The life of one transaction: checked, charged, its sequence number taken, its operations run, its surplus
//! refunded.
//!
//! Invariant: a transaction that was charged has taken its sequence number, whatever became of its
//! operations; the operations' changes count all together or not at all.

mod accounts;
mod candidate;
mod check;
mod classic;
mod footprint;
mod invoke;
mod lifetime;
mod signatures;

use soroban_env_host::xdr::{
    AccountId, ContractEvent, DiagnosticEvent, ExtensionPoint, InnerTransactionResultResult as Inner,
    LedgerEntryChanges, Operation, OperationBody, OperationMetaV2, OperationResult, ScVal,
    SorobanTransactionMetaExt, SorobanTransactionMetaExtV1, SorobanTransactionMetaV2, TransactionMeta,
    TransactionMetaV4, VecM,
};

pub(crate) use candidate::{Candidate, plain_result};
pub(crate) use check::{Verdict, check, max_time};

use crate::encoding::bytes_of;
use crate::ledger::history::Applied;
use crate::ledger::state::{Changes, Overlay, Source as _};
use crate::ledger::{Closing, Ledger};

/// What every operation gets to see.
pub(crate) struct Scene<'a> {
    pub(crate) ledger: &'a Ledger,
    pub(crate) candidate: &'a Candidate,
    pub(crate) closing: Closing,
}

/// What an operation left behind besides its changes.
pub(crate) struct Outcome {
    pub(crate) result: OperationResult,
    pub(crate) events: Vec<ContractEvent>,
    pub(crate) diagnostics: Vec<DiagnosticEvent>,
    pub(crate) returned: Option<ScVal>,
    pub(crate) spent: Spent,
}

/// What a contract transaction used up of its refundable fee, in stroops.
#[derive(Clone, Copy, Default)]
pub(crate) struct Spent {
    pub(crate) rent: i64,
    pub(crate) events: i64,
}

impl From<OperationResult> for Outcome {
    fn from(result: OperationResult) -> Self {
        let spent = Spent::default();
        Self { result, events: Vec::new(), diagnostics: Vec::new(), returned: None, spent }
    }
}

/// All operations together.
struct Run {
    success: bool,
    results: Vec<OperationResult>,
    metas: Vec<OperationMetaV2>,
    outcomes: Vec<Outcome>,
}

/// What an account can spend, in stroops.
pub(crate) fn spendable(ledger: &Ledger, id: &AccountId) -> i64 {
    ledger.state.account(id).map_or(0, |account| accounts::available(&account))
}

/// Applies a transaction that [`check`] found fit in the ledger being closed.
pub(crate) fn apply(ledger: &mut Ledger, candidate: &Candidate, closing: Closing) -> Applied {
    let fee_meta = charge(ledger, candidate, closing);
    let before = take_sequence(ledger, candidate, closing);
    let (run, changes) = run_operations(ledger, candidate, closing);
    ledger.state.absorb(changes);
    let fees = settle_fees(ledger, candidate, &run, closing);
    let inner = if run.success { Inner::TxSuccess } else { Inner::TxFailed };
    let result = candidate.result(fees.charged, inner(run.results.try_into().unwrap_or_default()));
    let returned = run.outcomes.iter().find_map(|o| o.returned.clone());
    let failed_diagnostics: Vec<_> = match run.success {
        true => Vec::new(),
        false => run.outcomes.iter().flat_map(|o| o.diagnostics.iter()).cloned().collect(),
    };
    let soroban_meta = candidate.soroban().map(|_| SorobanTransactionMetaV2 {
        ext: SorobanTransactionMetaExt::V1(SorobanTransactionMetaExtV1 {
            ext: ExtensionPoint::V0,
            total_non_refundable_resource_fee_charged: fees.non_refundable,
            total_refundable_resource_fee_charged: fees.spent.rent.saturating_add(fees.spent.events),
            rent_fee_charged: fees.spent.rent,
        }),
        return_value: returned,
    });
    let meta = TransactionMeta::V4(TransactionMetaV4 {
        ext: ExtensionPoint::V0,
        tx_changes_before: before,
        operations: run.metas.try_into().unwrap_or_default(),
        tx_changes_after: LedgerEntryChanges(VecM::default()),
        soroban_meta,
        events: VecM::default(),
        diagnostic_events: VecM::default(),
    });
    Applied {
        hash: candidate.hash,
        inner_hash: candidate.bump.is_some().then_some(candidate.tx_hash),
        success: run.success,
        envelope: bytes_of(&candidate.envelope),
        result: bytes_of(&result),
        fee_meta: bytes_of(&fee_meta),
        meta: bytes_of(&meta),
        diagnostics: failed_diagnostics.iter().map(bytes_of).collect(),
        events: match run.success {
            true => run.outcomes.into_iter().map(|o| o.events).collect(),
            false => Vec::new(),
        },
    }
}

/// Takes the fee from whoever pays it.
fn charge(ledger: &mut Ledger, candidate: &Candidate, closing: Closing) -> LedgerEntryChanges {
    let fee = candidate.fee_taken(closing.base_fee);
    ledger.collect_fee(fee);
    change_balance(ledger, &candidate.payer(), -fee, closing)
}

fn change_balance(ledger: &Ledger, id: &AccountId, by: i64, closing: Closing) -> LedgerEntryChanges {
    let state = &*ledger.state;
    let mut overlay = Overlay::new(state, closing.sequence);
    if let Some(mut account) = state.account(id) {
        account.balance += by;
        overlay.put_account(account);
    }
    let (meta, changes) = overlay.finish();
    state.absorb(changes);
    meta
}

fn take_sequence(ledger: &Ledger, candidate: &Candidate, closing: Closing) -> LedgerEntryChanges {
    let state = &*ledger.state;
    let mut overlay = Overlay::new(state, closing.sequence);
    if let Some(mut account) = state.account(&candidate.source()) {
        accounts::take_sequence(&mut account, candidate.tx.seq_num.0, closing);
        overlay.put_account(account);
    }
    let (meta, changes) = overlay.finish();
    state.absorb(changes);
    meta
}

fn run_operations(ledger: &Ledger, candidate: &Candidate, closing: Closing) -> (Run, Changes) {
    let scene = Scene { ledger, candidate, closing };
    let mut all = Overlay::new(&*ledger.state, closing.sequence);
    let mut run = Run { success: true, results: Vec::new(), metas: Vec::new(), outcomes: Vec::new() };
    for operation in candidate.tx.operations.iter() {
        let mut overlay = Overlay::new(&all, closing.sequence);
        let outcome = run_operation(&scene, &mut overlay, operation);
        let (changes_meta, changes) = overlay.finish();
        if classic::succeeded(&outcome.result) {
            all.absorb(changes);
        } else {
            run.success = false;
        }
        run.results.push(outcome.result.clone());
        run.metas.push(OperationMetaV2 {
            ext: ExtensionPoint::V0,
            changes: changes_meta,
            events: outcome.events.clone().try_into().unwrap_or_default(),
        });
        run.outcomes.push(outcome);
    }
    let (_, changes) = all.finish();
    if run.success {
        return (run, changes);
    }
    run.metas.clear();
    (run, Changes::new())
}

fn run_operation(scene: &Scene<'_>, overlay: &mut Overlay<'_>, operation: &Operation) -> Outcome {
    let source = scene.candidate.operation_source(operation);
    if overlay.account(&source).is_none() {
        return OperationResult::OpNoAccount.into();
    }
    match &operation.body {
        OperationBody::InvokeHostFunction(op) => invoke::run(scene, overlay, &source, op),
        OperationBody::ExtendFootprintTtl(op) => lifetime::extend(scene, overlay, op),
        OperationBody::RestoreFootprint(_) => lifetime::restore(scene, overlay),
        body => classic::run(scene, overlay, &source, body),
    }
}

/// What was charged in the end.
struct Fees {
    charged: i64,
    non_refundable: i64,
    spent: Spent,
}

/// Gives back what the refundable fee was not used for. A failed transaction used none of it.
fn settle_fees(ledger: &mut Ledger, candidate: &Candidate, run: &Run, closing: Closing) -> Fees {
    let taken = candidate.fee_taken(closing.base_fee);
    let Some(data) = candidate.soroban() else {
        return Fees { charged: taken, non_refundable: 0, spent: Spent::default() };
    };
    let spent = match run.success {
        true => run.outcomes.first().map_or_else(Spent::default, |o| o.spent),
        false => Spent::default(),
    };
    let non_refundable = footprint::non_refundable_fee(&ledger.config, candidate, data);
    let refund = data.resource_fee - non_refundable - spent.rent - spent.events;
    let refund = refund.clamp(0, taken);
    ledger.collect_fee(-refund);
    change_balance(ledger, &candidate.payer(), refund, closing);
    Fees { charged: taken - refund, non_refundable, spent }
}
