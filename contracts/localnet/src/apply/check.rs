//! May this transaction be applied in the next ledger? The questions in stellar-core's order
//! (`TransactionFrame::commonValid`), so that of several faults the same one is reported.

use soroban_env_host::xdr::{
    AccountEntry, InnerTransactionResultResult as Inner, LedgerBounds, OperationBody, OperationResult,
    Preconditions, PreconditionsV2, SetOptionsOp, SignerKey, TimeBounds, TransactionResult,
    TransactionResultResult, Uint256,
};

use super::candidate::{Candidate, plain_result};
use super::signatures::Signatures;
use super::{accounts, classic, footprint};
use crate::encoding::{account_id, key_of};
use crate::ledger::state::{Source, State};
use crate::ledger::{Closing, Ledger};

/// Whether a transaction may enter a ledger.
pub(crate) enum Verdict {
    /// It may.
    Fit,
    /// It may not; nothing is charged.
    Refused(Box<TransactionResult>),
}

/// Thresholds of an account by their place in its entry.
const LOW: usize = 1;
const MEDIUM: usize = 2;
const HIGH: usize = 3;

/// The last moment at which it may be applied, in seconds of the Unix epoch, if it names one.
pub(crate) fn max_time(candidate: &Candidate) -> Option<u64> {
    conditions(&candidate.tx.cond).time_bounds.map(|bounds| bounds.max_time.0).filter(|time| *time != 0)
}

/// Answers for the outside first (who pays), then for the transaction itself.
pub(crate) fn check(ledger: &Ledger, candidate: &Candidate, closing: Closing) -> Verdict {
    if let Some(result) = check_bump(ledger, candidate) {
        return Verdict::Refused(Box::new(plain_result(0, result)));
    }
    match check_inner(ledger, candidate, closing) {
        Ok(()) => Verdict::Fit,
        Err(inner) => Verdict::Refused(Box::new(candidate.result(0, inner))),
    }
}

fn check_bump(ledger: &Ledger, candidate: &Candidate) -> Option<TransactionResultResult> {
    let bump = candidate.bump.as_ref()?;
    let offered = bump.fee.saturating_sub(candidate.resource_fee());
    let inner_bid = i64::from(candidate.tx.fee).saturating_sub(candidate.resource_fee());
    let operations = candidate.tx.operations.len() as i64;
    // A bump may not offer less per operation than what it bumps: offered/(n+1) ≥ bid/n, without division.
    let rate_kept = i128::from(offered) * i128::from(operations.max(1))
        >= i128::from(inner_bid) * i128::from(operations + 1);
    if offered < candidate.least_inclusion_fee() || !rate_kept {
        return Some(TransactionResultResult::TxInsufficientFee);
    }
    let Some(payer) = ledger.state.account(&bump.payer) else {
        return Some(TransactionResultResult::TxNoAccount);
    };
    let mut signatures = Signatures::new(candidate.hash, &bump.signatures);
    if !signatures.reach(&payer, payer.thresholds.0[LOW]) {
        return Some(TransactionResultResult::TxBadAuth);
    }
    if accounts::available(&payer) < bump.fee {
        return Some(TransactionResultResult::TxInsufficientBalance);
    }
    (!signatures.all_used()).then_some(TransactionResultResult::TxBadAuthExtra)
}

fn check_inner(ledger: &Ledger, candidate: &Candidate, closing: Closing) -> Result<(), Inner> {
    check_shape(ledger, candidate)?;
    let conditions = conditions(&candidate.tx.cond);
    check_bounds(&conditions, closing)?;
    check_fee(candidate)?;
    let source = ledger.state.account(&candidate.source()).ok_or(Inner::TxNoAccount)?;
    check_sequence(candidate, &conditions, &source, closing)?;
    let mut signatures = Signatures::new(candidate.tx_hash, &candidate.signatures);
    let threshold = source.thresholds.0[LOW];
    if !signatures.reach(&source, threshold) {
        return Err(Inner::TxBadAuth);
    }
    if !conditions.extra_signers.iter().all(|key| signatures.has(key.clone())) {
        return Err(Inner::TxBadAuth);
    }
    if candidate.bump.is_none() && accounts::available(&source) < candidate.fee_bid() {
        return Err(Inner::TxInsufficientBalance);
    }
    check_operations(&ledger.state, candidate, &mut signatures)?;
    if signatures.all_used() { Ok(()) } else { Err(Inner::TxBadAuthExtra) }
}

fn check_shape(ledger: &Ledger, candidate: &Candidate) -> Result<(), Inner> {
    if candidate.tx.operations.is_empty() {
        return Err(Inner::TxMissingOperation);
    }
    if !candidate.is_soroban() {
        return if candidate.soroban().is_none() { Ok(()) } else { Err(Inner::TxMalformed) };
    }
    let Some(data) = candidate.soroban() else { return Err(Inner::TxSorobanInvalid) };
    if candidate.tx.operations.len() != 1 {
        return Err(Inner::TxSorobanInvalid);
    }
    if footprint::is_sound(ledger, candidate, data) { Ok(()) } else { Err(Inner::TxSorobanInvalid) }
}

fn check_bounds(conditions: &PreconditionsV2, closing: Closing) -> Result<(), Inner> {
    if let Some(TimeBounds { min_time, max_time }) = &conditions.time_bounds {
        if min_time.0 > closing.close_time {
            return Err(Inner::TxTooEarly);
        }
        if max_time.0 != 0 && max_time.0 < closing.close_time {
            return Err(Inner::TxTooLate);
        }
    }
    if let Some(LedgerBounds { min_ledger, max_ledger }) = &conditions.ledger_bounds {
        if *min_ledger > closing.sequence {
            return Err(Inner::TxTooEarly);
        }
        if *max_ledger != 0 && *max_ledger <= closing.sequence {
            return Err(Inner::TxTooLate);
        }
    }
    Ok(())
}

fn check_fee(candidate: &Candidate) -> Result<(), Inner> {
    let inclusion = i64::from(candidate.tx.fee).saturating_sub(candidate.resource_fee());
    let enough = match &candidate.bump {
        // The bump pays; the inner transaction may offer nothing, but never less than its resource fee.
        Some(_) => inclusion >= 0 || candidate.resource_fee() == 0,
        None => inclusion >= candidate.least_inclusion_fee(),
    };
    if enough { Ok(()) } else { Err(Inner::TxInsufficientFee) }
}

fn check_sequence(
    candidate: &Candidate,
    conditions: &PreconditionsV2,
    source: &AccountEntry,
    closing: Closing,
) -> Result<(), Inner> {
    let wanted = candidate.tx.seq_num.0;
    let fits = match &conditions.min_seq_num {
        Some(least) => least.0 <= source.seq_num.0 && source.seq_num.0 < wanted,
        None => source.seq_num.0.checked_add(1) == Some(wanted),
    };
    // A number that a later account at this ledger would start with is refused, as the network does.
    if !fits || wanted == i64::from(closing.sequence) << 32 {
        return Err(Inner::TxBadSeq);
    }
    let (moved_in, moved_at) = accounts::last_moved(source);
    let age = closing.close_time.saturating_sub(moved_at);
    let gap = closing.sequence.saturating_sub(moved_in);
    if age < conditions.min_seq_age.0 || gap < conditions.min_seq_ledger_gap {
        return Err(Inner::TxBadMinSeqAgeOrGap);
    }
    Ok(())
}

/// Every operation must be known, well formed, and signed for at its own threshold.
fn check_operations(
    state: &State,
    candidate: &Candidate,
    signatures: &mut Signatures<'_>,
) -> Result<(), Inner> {
    let operations = &candidate.tx.operations;
    for (index, operation) in operations.iter().enumerate() {
        let source = candidate.operation_source(operation);
        let signed = match state.account(&source) {
            Some(account) => signatures.reach(&account, account.thresholds.0[threshold_of(&operation.body)]),
            // It may be created by an operation before this one; then its own key must have signed.
            None => signatures.has(SignerKey::Ed25519(Uint256(key_of(&source)))),
        };
        let fault = if signed {
            classic::fault(&operation.body, &account_id(key_of(&source)))
        } else {
            Some(OperationResult::OpBadAuth)
        };
        if let Some(fault) = fault {
            let mut results: Vec<_> = operations.iter().map(|op| classic::blank(&op.body)).collect();
            results[index] = fault;
            return Err(Inner::TxFailed(results.try_into().unwrap_or_default()));
        }
    }
    Ok(())
}

fn threshold_of(body: &OperationBody) -> usize {
    match body {
        OperationBody::SetOptions(options) if changes_control(options) => HIGH,
        OperationBody::AccountMerge(_) => HIGH,
        OperationBody::BumpSequence(_) | OperationBody::SetTrustLineFlags(_) => LOW,
        _ => MEDIUM,
    }
}

/// Whether it changes who may sign.
fn changes_control(options: &SetOptionsOp) -> bool {
    options.master_weight.is_some()
        || options.low_threshold.is_some()
        || options.med_threshold.is_some()
        || options.high_threshold.is_some()
        || options.signer.is_some()
}

fn conditions(cond: &Preconditions) -> PreconditionsV2 {
    match cond {
        Preconditions::None => PreconditionsV2::default(),
        Preconditions::Time(bounds) => {
            PreconditionsV2 { time_bounds: Some(bounds.clone()), ..PreconditionsV2::default() }
        }
        Preconditions::V2(v2) => v2.clone(),
    }
}
