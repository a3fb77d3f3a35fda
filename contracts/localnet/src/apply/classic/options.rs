//! SetOptions: home domain, flags, weights, thresholds and signers of an account.

use soroban_env_host::xdr::{
    AccountEntry, AccountId, SetOptionsOp, SetOptionsResult, Signer, SignerKey, Uint256,
};

use crate::apply::accounts::{available, fit_sponsors};
use crate::encoding::key_of;
use crate::ledger::state::{Overlay, Source as _};

/// Flags an account knows: required, revocable, immutable, clawback.
const KNOWN_FLAGS: u32 = 0xF;
const REVOCABLE: u32 = 2;
const IMMUTABLE: u32 = 4;
const CLAWBACK: u32 = 8;
const MAX_SIGNERS: usize = 20;

/// What is wrong with the options themselves, if anything.
pub(crate) fn fault(op: &SetOptionsOp, source: &AccountId) -> Option<SetOptionsResult> {
    let flags = (op.set_flags.unwrap_or(0), op.clear_flags.unwrap_or(0));
    if (flags.0 | flags.1) & !KNOWN_FLAGS != 0 {
        return Some(SetOptionsResult::UnknownFlag);
    }
    if flags.0 & flags.1 != 0 {
        return Some(SetOptionsResult::BadFlags);
    }
    let weights = [op.master_weight, op.low_threshold, op.med_threshold, op.high_threshold];
    if weights.into_iter().flatten().any(|w| w > 255) {
        return Some(SetOptionsResult::ThresholdOutOfRange);
    }
    if op.signer.as_ref().is_some_and(|signer| !signer_sound(signer, source)) {
        return Some(SetOptionsResult::BadSigner);
    }
    let domain = op.home_domain.as_ref().map(|d| d.0.to_vec()).unwrap_or_default();
    domain
        .iter()
        .any(|b| !b.is_ascii() || b.is_ascii_control())
        .then_some(SetOptionsResult::InvalidHomeDomain)
}

fn signer_sound(signer: &Signer, source: &AccountId) -> bool {
    let kind = match &signer.key {
        SignerKey::Ed25519(Uint256(key)) => *key != key_of(source),
        SignerKey::Ed25519SignedPayload(signed) => !signed.payload.is_empty(),
        SignerKey::HashX(_) => true,
        SignerKey::PreAuthTx(_) => false,
    };
    kind && signer.weight <= 255
}

/// Sets what the operation names and leaves the rest.
pub(crate) fn set(overlay: &mut Overlay<'_>, source: &AccountId, op: &SetOptionsOp) -> SetOptionsResult {
    let Some(mut account) = overlay.account(source) else { return SetOptionsResult::LowReserve };
    if let Some(destination) = &op.inflation_dest {
        if overlay.account(destination).is_none() {
            return SetOptionsResult::InvalidInflation;
        }
        account.inflation_dest = Some(destination.clone());
    }
    if let Some(refusal) = set_flags(&mut account, op) {
        return refusal;
    }
    let places = [op.master_weight, op.low_threshold, op.med_threshold, op.high_threshold];
    for (place, weight) in places.into_iter().enumerate() {
        if let Some(weight) = weight.and_then(|w| u8::try_from(w).ok()) {
            account.thresholds.0[place] = weight;
        }
    }
    if let Some(domain) = &op.home_domain {
        account.home_domain = domain.clone();
    }
    if let Some(refusal) = op.signer.as_ref().and_then(|signer| set_signer(&mut account, signer)) {
        return refusal;
    }
    overlay.put_account(account);
    SetOptionsResult::Success
}

fn set_flags(account: &mut AccountEntry, op: &SetOptionsOp) -> Option<SetOptionsResult> {
    let (set, clear) = (op.set_flags.unwrap_or(0), op.clear_flags.unwrap_or(0));
    if account.flags & IMMUTABLE != 0 && (set | clear) != 0 {
        return Some(SetOptionsResult::CantChange);
    }
    account.flags = (account.flags & !clear) | set;
    let claws_unrevoked = account.flags & CLAWBACK != 0 && account.flags & REVOCABLE == 0;
    claws_unrevoked.then_some(SetOptionsResult::AuthRevocableRequired)
}

/// Weight 0 takes a signer away. Each signer is a subentry and locks up a reserve.
fn set_signer(account: &mut AccountEntry, signer: &Signer) -> Option<SetOptionsResult> {
    let mut signers = account.signers.to_vec();
    let known = signers.iter().position(|s| s.key == signer.key);
    match (known, signer.weight) {
        (Some(at), 0) => {
            signers.remove(at);
            account.num_sub_entries = account.num_sub_entries.saturating_sub(1);
        }
        (Some(at), weight) => signers[at].weight = weight,
        (None, 0) => {}
        (None, _) => {
            if signers.len() >= MAX_SIGNERS {
                return Some(SetOptionsResult::TooManySigners);
            }
            account.num_sub_entries += 1;
            if available(account) < 0 {
                return Some(SetOptionsResult::LowReserve);
            }
            signers.push(signer.clone());
        }
    }
    signers.sort();
    account.signers = signers.try_into().unwrap_or_default();
    fit_sponsors(account);
    None
}
