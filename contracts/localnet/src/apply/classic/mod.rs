//! Classic operations: accounts, payments, trustlines; and what every operation must be before it is run.
//!
//! Absent: offers, pools, claimable balances, sponsorship, path payments. They are answered opNOT_SUPPORTED.

mod events;
mod issuing;
mod options;
mod upkeep;

use soroban_env_host::xdr::{
    AccountId, AccountMergeResult, AlphaNum4, AlphaNum12, Asset, BumpSequenceResult, ChangeTrustAsset,
    ChangeTrustOp, ChangeTrustResult, ClawbackResult, CreateAccountOp, CreateAccountResult,
    ExtendFootprintTtlResult, Hash, InvokeHostFunctionResult, LedgerEntryData, LedgerKey, LedgerKeyTrustLine,
    ManageDataResult, OperationBody, OperationResult, OperationResultTr, PaymentOp, PaymentResult,
    RestoreFootprintResult, SetOptionsResult, SetTrustLineFlagsResult, TrustLineAsset, TrustLineEntry,
    TrustLineEntryExt, TrustLineFlags,
};

use super::accounts::{available, reserve};
use super::{Outcome, Scene};
use crate::encoding::{account_of, key_of};
use crate::ledger::new_account;
use crate::ledger::state::{Overlay, Source as _};

const AUTHORIZED: u32 = TrustLineFlags::AuthorizedFlag as u32;
const CLAWBACK: u32 = TrustLineFlags::TrustlineClawbackEnabledFlag as u32;
/// The issuer's flags that a new trustline inherits: approval needed, clawback possible.
const ISSUER_APPROVES: u32 = 1;
const ISSUER_CLAWS: u32 = 8;

/// What is wrong with an operation whatever the ledger holds, if anything.
pub(crate) fn fault(body: &OperationBody, source: &AccountId) -> Option<OperationResult> {
    let fault = match body {
        OperationBody::CreateAccount(op) => (op.starting_balance < 0 || op.destination == *source)
            .then_some(OperationResultTr::CreateAccount(CreateAccountResult::Malformed)),
        OperationBody::Payment(op) => (op.amount <= 0 || !asset_sound(&op.asset))
            .then_some(OperationResultTr::Payment(PaymentResult::Malformed)),
        OperationBody::ChangeTrust(op) => match trust_target(&op.line) {
            None if matches!(op.line, ChangeTrustAsset::PoolShare(_)) => {
                return Some(OperationResult::OpNotSupported);
            }
            Some((_, asset, issuer)) if op.limit >= 0 && asset_sound(&asset) && issuer != *source => None,
            _ => Some(OperationResultTr::ChangeTrust(ChangeTrustResult::Malformed)),
        },
        OperationBody::SetOptions(op) => options::fault(op, source).map(OperationResultTr::SetOptions),
        OperationBody::ManageData(op) => upkeep::note_fault(op).map(OperationResultTr::ManageData),
        OperationBody::BumpSequence(op) => {
            (op.bump_to.0 < 0).then_some(OperationResultTr::BumpSequence(BumpSequenceResult::BadSeq))
        }
        OperationBody::AccountMerge(to) => (account_of(to) == *source)
            .then_some(OperationResultTr::AccountMerge(AccountMergeResult::Malformed)),
        OperationBody::SetTrustLineFlags(op) => {
            issuing::flags_fault(op, source).map(OperationResultTr::SetTrustLineFlags)
        }
        OperationBody::Clawback(op) => issuing::clawback_fault(op, source).map(OperationResultTr::Clawback),
        OperationBody::InvokeHostFunction(_)
        | OperationBody::ExtendFootprintTtl(_)
        | OperationBody::RestoreFootprint(_) => None,
        _ => return Some(OperationResult::OpNotSupported),
    };
    fault.map(OperationResult::OpInner)
}

/// The result of an operation that was not reached: XDR has no word for that, the network says success.
pub(crate) fn blank(body: &OperationBody) -> OperationResult {
    OperationResult::OpInner(match body {
        OperationBody::CreateAccount(_) => OperationResultTr::CreateAccount(CreateAccountResult::Success),
        OperationBody::Payment(_) => OperationResultTr::Payment(PaymentResult::Success),
        OperationBody::ChangeTrust(_) => OperationResultTr::ChangeTrust(ChangeTrustResult::Success),
        OperationBody::SetOptions(_) => OperationResultTr::SetOptions(SetOptionsResult::Success),
        OperationBody::ManageData(_) => OperationResultTr::ManageData(ManageDataResult::Success),
        OperationBody::BumpSequence(_) => OperationResultTr::BumpSequence(BumpSequenceResult::Success),
        OperationBody::AccountMerge(_) => OperationResultTr::AccountMerge(AccountMergeResult::Success(0)),
        OperationBody::SetTrustLineFlags(_) => {
            OperationResultTr::SetTrustLineFlags(SetTrustLineFlagsResult::Success)
        }
        OperationBody::Clawback(_) => OperationResultTr::Clawback(ClawbackResult::Success),
        OperationBody::InvokeHostFunction(_) => {
            OperationResultTr::InvokeHostFunction(InvokeHostFunctionResult::Success(Hash([0; 32])))
        }
        OperationBody::ExtendFootprintTtl(_) => {
            OperationResultTr::ExtendFootprintTtl(ExtendFootprintTtlResult::Success)
        }
        OperationBody::RestoreFootprint(_) => {
            OperationResultTr::RestoreFootprint(RestoreFootprintResult::Success)
        }
        _ => return OperationResult::OpNotSupported,
    })
}

/// Whether an operation's changes count.
pub(crate) fn succeeded(result: &OperationResult) -> bool {
    use OperationResultTr as Tr;
    let OperationResult::OpInner(inner) = result else { return false };
    match inner {
        Tr::CreateAccount(code) => *code == CreateAccountResult::Success,
        Tr::Payment(code) => *code == PaymentResult::Success,
        Tr::ChangeTrust(code) => *code == ChangeTrustResult::Success,
        Tr::SetOptions(code) => *code == SetOptionsResult::Success,
        Tr::ManageData(code) => *code == ManageDataResult::Success,
        Tr::BumpSequence(code) => *code == BumpSequenceResult::Success,
        Tr::AccountMerge(code) => matches!(code, AccountMergeResult::Success(_)),
        Tr::SetTrustLineFlags(code) => *code == SetTrustLineFlagsResult::Success,
        Tr::Clawback(code) => *code == ClawbackResult::Success,
        Tr::InvokeHostFunction(code) => matches!(code, InvokeHostFunctionResult::Success(_)),
        Tr::ExtendFootprintTtl(code) => *code == ExtendFootprintTtlResult::Success,
        Tr::RestoreFootprint(code) => *code == RestoreFootprintResult::Success,
        _ => false,
    }
}

/// Runs a classic operation in the overlay.
pub(crate) fn run(
    scene: &Scene<'_>,
    overlay: &mut Overlay<'_>,
    source: &AccountId,
    body: &OperationBody,
) -> Outcome {
    let result = result_of(scene, overlay, source, body);
    let network = &scene.ledger.network_id;
    let event = match body {
        _ if !succeeded(&result) => None,
        OperationBody::AccountMerge(to) => {
            let OperationResult::OpInner(OperationResultTr::AccountMerge(AccountMergeResult::Success(all))) =
                result
            else {
                return result.into();
            };
            events::moved(network, &Asset::Native, source, &account_of(to), all)
        }
        OperationBody::Clawback(op) => {
            events::clawed_back(network, &op.asset, &account_of(&op.from), op.amount)
        }
        OperationBody::SetTrustLineFlags(op) if (op.set_flags | op.clear_flags) & AUTHORIZED != 0 => {
            events::authorized(network, &op.asset, &op.trustor, op.set_flags & AUTHORIZED != 0)
        }
        OperationBody::Payment(op) => {
            events::moved(network, &op.asset, source, &account_of(&op.destination), op.amount)
        }
        OperationBody::CreateAccount(op) => {
            events::moved(network, &Asset::Native, source, &op.destination, op.starting_balance)
        }
        _ => None,
    };
    Outcome { events: event.into_iter().collect(), ..result.into() }
}

fn result_of(
    scene: &Scene<'_>,
    overlay: &mut Overlay<'_>,
    source: &AccountId,
    body: &OperationBody,
) -> OperationResult {
    OperationResult::OpInner(match body {
        OperationBody::CreateAccount(op) => OperationResultTr::CreateAccount(create(overlay, source, op)),
        OperationBody::Payment(op) => OperationResultTr::Payment(pay(overlay, source, op)),
        OperationBody::ChangeTrust(op) => OperationResultTr::ChangeTrust(trust(overlay, source, op)),
        OperationBody::SetOptions(op) => OperationResultTr::SetOptions(options::set(overlay, source, op)),
        OperationBody::ManageData(op) => OperationResultTr::ManageData(upkeep::note(overlay, source, op)),
        OperationBody::BumpSequence(op) => {
            OperationResultTr::BumpSequence(upkeep::bump(overlay, source, op, scene.closing))
        }
        OperationBody::AccountMerge(to) => {
            OperationResultTr::AccountMerge(upkeep::merge(overlay, source, &account_of(to)))
        }
        OperationBody::SetTrustLineFlags(op) => {
            OperationResultTr::SetTrustLineFlags(issuing::set_flags(overlay, source, op))
        }
        OperationBody::Clawback(op) => OperationResultTr::Clawback(issuing::claw_back(overlay, op)),
        _ => return OperationResult::OpNotSupported,
    })
}

fn create(overlay: &mut Overlay<'_>, source: &AccountId, op: &CreateAccountOp) -> CreateAccountResult {
    if overlay.account(&op.destination).is_some() {
        return CreateAccountResult::AlreadyExist;
    }
    if op.starting_balance < reserve(0) {
        return CreateAccountResult::LowReserve;
    }
    let Some(mut payer) = overlay.account(source) else { return CreateAccountResult::Underfunded };
    if available(&payer) < op.starting_balance {
        return CreateAccountResult::Underfunded;
    }
    payer.balance -= op.starting_balance;
    overlay.put_account(payer);
    // A new account starts at the ledger's number in the upper half, so numbers of an earlier life never
    // recur.
    let sequence = i64::from(overlay.sequence()) << 32;
    overlay.put_account(new_account(key_of(&op.destination), op.starting_balance, sequence));
    CreateAccountResult::Success
}

fn pay(overlay: &mut Overlay<'_>, source: &AccountId, op: &PaymentOp) -> PaymentResult {
    let destination = account_of(&op.destination);
    if overlay.account(&destination).is_none() {
        return PaymentResult::NoDestination;
    }
    let outcome = match credit(&op.asset) {
        None => pay_native(overlay, source, &destination, op.amount),
        Some((line, issuer)) => take(overlay, source, &line, &issuer, op.amount)
            .and_then(|()| give(overlay, &destination, &line, &issuer, op.amount)),
    };
    outcome.err().unwrap_or(PaymentResult::Success)
}

fn pay_native(
    overlay: &mut Overlay<'_>,
    from: &AccountId,
    to: &AccountId,
    amount: i64,
) -> Result<(), PaymentResult> {
    let mut payer = overlay.account(from).ok_or(PaymentResult::Underfunded)?;
    if available(&payer) < amount {
        return Err(PaymentResult::Underfunded);
    }
    payer.balance -= amount;
    overlay.put_account(payer);
    let mut payee = overlay.account(to).ok_or(PaymentResult::NoDestination)?;
    payee.balance = payee.balance.checked_add(amount).ok_or(PaymentResult::LineFull)?;
    overlay.put_account(payee);
    Ok(())
}

/// Takes a credit from its holder. From the issuer there is nothing to take: its payment mints.
fn take(
    overlay: &mut Overlay<'_>,
    from: &AccountId,
    asset: &TrustLineAsset,
    issuer: &AccountId,
    amount: i64,
) -> Result<(), PaymentResult> {
    if from == issuer {
        return Ok(());
    }
    let mut line = overlay.trustline(from, asset).ok_or(PaymentResult::SrcNoTrust)?;
    if line.flags & AUTHORIZED == 0 {
        return Err(PaymentResult::SrcNotAuthorized);
    }
    if line.balance < amount {
        return Err(PaymentResult::Underfunded);
    }
    line.balance -= amount;
    overlay.put(LedgerEntryData::Trustline(line), None);
    Ok(())
}

/// Gives a credit to its holder. To the issuer nothing is given: the payment burns.
fn give(
    overlay: &mut Overlay<'_>,
    to: &AccountId,
    asset: &TrustLineAsset,
    issuer: &AccountId,
    amount: i64,
) -> Result<(), PaymentResult> {
    if to == issuer {
        return Ok(());
    }
    let mut line = overlay.trustline(to, asset).ok_or(PaymentResult::NoTrust)?;
    if line.flags & AUTHORIZED == 0 {
        return Err(PaymentResult::NotAuthorized);
    }
    let balance = line.balance.checked_add(amount).filter(|sum| *sum <= line.limit);
    line.balance = balance.ok_or(PaymentResult::LineFull)?;
    overlay.put(LedgerEntryData::Trustline(line), None);
    Ok(())
}

fn trust(overlay: &mut Overlay<'_>, source: &AccountId, op: &ChangeTrustOp) -> ChangeTrustResult {
    let Some((asset, _, issuer)) = trust_target(&op.line) else { return ChangeTrustResult::Malformed };
    let Some(mut account) = overlay.account(source) else { return ChangeTrustResult::LowReserve };
    if let Some(mut line) = overlay.trustline(source, &asset) {
        if op.limit < line.balance {
            return ChangeTrustResult::InvalidLimit;
        }
        if op.limit > 0 {
            if overlay.account(&issuer).is_none() {
                return ChangeTrustResult::NoIssuer;
            }
            line.limit = op.limit;
            overlay.put(LedgerEntryData::Trustline(line), None);
            return ChangeTrustResult::Success;
        }
        account.num_sub_entries = account.num_sub_entries.saturating_sub(1);
        overlay.put_account(account);
        overlay.remove(LedgerKey::Trustline(LedgerKeyTrustLine { account_id: source.clone(), asset }));
        return ChangeTrustResult::Success;
    }
    if op.limit == 0 {
        return ChangeTrustResult::InvalidLimit;
    }
    let Some(issuer) = overlay.account(&issuer) else { return ChangeTrustResult::NoIssuer };
    account.num_sub_entries += 1;
    if available(&account) < 0 {
        return ChangeTrustResult::LowReserve;
    }
    overlay.put_account(account);
    let mut flags = if issuer.flags & ISSUER_APPROVES == 0 { AUTHORIZED } else { 0 };
    if issuer.flags & ISSUER_CLAWS != 0 {
        flags |= CLAWBACK;
    }
    let line = TrustLineEntry {
        account_id: source.clone(),
        asset,
        balance: 0,
        limit: op.limit,
        flags,
        ext: TrustLineEntryExt::V0,
    };
    overlay.put(LedgerEntryData::Trustline(line), None);
    ChangeTrustResult::Success
}

/// The credit as a trustline names it, and its issuer; `None` for lumens.
pub(crate) fn credit(asset: &Asset) -> Option<(TrustLineAsset, AccountId)> {
    match asset {
        Asset::Native => None,
        Asset::CreditAlphanum4(a) => Some((TrustLineAsset::CreditAlphanum4(a.clone()), a.issuer.clone())),
        Asset::CreditAlphanum12(a) => Some((TrustLineAsset::CreditAlphanum12(a.clone()), a.issuer.clone())),
    }
}

fn trust_target(line: &ChangeTrustAsset) -> Option<(TrustLineAsset, Asset, AccountId)> {
    let asset = match line {
        ChangeTrustAsset::CreditAlphanum4(a) => Asset::CreditAlphanum4(a.clone()),
        ChangeTrustAsset::CreditAlphanum12(a) => Asset::CreditAlphanum12(a.clone()),
        ChangeTrustAsset::Native | ChangeTrustAsset::PoolShare(_) => return None,
    };
    let (line, issuer) = credit(&asset)?;
    Some((line, asset, issuer))
}

/// Letters and digits, then only zeros; a long code has at least five characters.
fn asset_sound(asset: &Asset) -> bool {
    let (code, least): (&[u8], usize) = match asset {
        Asset::Native => return true,
        Asset::CreditAlphanum4(AlphaNum4 { asset_code, .. }) => (&asset_code.0, 1),
        Asset::CreditAlphanum12(AlphaNum12 { asset_code, .. }) => (&asset_code.0, 5),
    };
    let length = code.iter().position(|b| *b == 0).unwrap_or(code.len());
    let (word, rest) = code.split_at(length);
    length >= least && word.iter().all(u8::is_ascii_alphanumeric) && rest.iter().all(|b| *b == 0)
}
