//! What an issuer does to those who hold its asset: approves, revokes, takes back.

use soroban_env_host::xdr::{
    AccountId, ClawbackOp, ClawbackResult, LedgerEntryData, SetTrustLineFlagsOp, SetTrustLineFlagsResult,
};

use super::{AUTHORIZED, CLAWBACK, asset_sound, credit};
use crate::encoding::account_of;
use crate::ledger::state::{Overlay, Source as _};

/// May keep what it holds and no more.
const MAINTAINS: u32 = 2;
/// The issuer's flag that lets it take approval back.
const REVOCABLE: u32 = 2;

/// What is wrong with an approval itself, if anything.
pub(super) fn flags_fault(op: &SetTrustLineFlagsOp, source: &AccountId) -> Option<SetTrustLineFlagsResult> {
    let (set, clear) = (op.set_flags, op.clear_flags);
    let of_ours = credit(&op.asset).is_some_and(|(_, issuer)| issuer == *source) && asset_sound(&op.asset);
    let known = set & !(AUTHORIZED | MAINTAINS) == 0 && clear & !(AUTHORIZED | MAINTAINS | CLAWBACK) == 0;
    let one = set & (AUTHORIZED | MAINTAINS) != AUTHORIZED | MAINTAINS;
    let sound = of_ours && known && one && set & clear == 0 && op.trustor != *source;
    (!sound).then_some(SetTrustLineFlagsResult::Malformed)
}

/// Sets and clears what the issuer allows a holder.
pub(super) fn set_flags(
    overlay: &mut Overlay<'_>,
    source: &AccountId,
    op: &SetTrustLineFlagsOp,
) -> SetTrustLineFlagsResult {
    let revocable = overlay.account(source).is_some_and(|issuer| issuer.flags & REVOCABLE != 0);
    if !revocable && op.clear_flags & (AUTHORIZED | MAINTAINS) != 0 {
        return SetTrustLineFlagsResult::CantRevoke;
    }
    let asset = credit(&op.asset).map(|(asset, _)| asset);
    let Some(mut line) = asset.and_then(|asset| overlay.trustline(&op.trustor, &asset)) else {
        return SetTrustLineFlagsResult::NoTrustLine;
    };
    line.flags = (line.flags & !op.clear_flags) | op.set_flags;
    if line.flags & (AUTHORIZED | MAINTAINS) == AUTHORIZED | MAINTAINS {
        return SetTrustLineFlagsResult::InvalidState;
    }
    overlay.put(LedgerEntryData::Trustline(line), None);
    SetTrustLineFlagsResult::Success
}

/// What is wrong with a clawback itself, if anything.
pub(super) fn clawback_fault(op: &ClawbackOp, source: &AccountId) -> Option<ClawbackResult> {
    let of_ours = credit(&op.asset).is_some_and(|(_, issuer)| issuer == *source) && asset_sound(&op.asset);
    let sound = of_ours && op.amount > 0 && account_of(&op.from) != *source;
    (!sound).then_some(ClawbackResult::Malformed)
}

/// Takes credit from a holder whose trustline allows it; it is gone.
pub(super) fn claw_back(overlay: &mut Overlay<'_>, op: &ClawbackOp) -> ClawbackResult {
    let asset = credit(&op.asset).map(|(asset, _)| asset);
    let Some(mut line) = asset.and_then(|asset| overlay.trustline(&account_of(&op.from), &asset)) else {
        return ClawbackResult::NoTrust;
    };
    if line.flags & CLAWBACK == 0 {
        return ClawbackResult::NotClawbackEnabled;
    }
    if line.balance < op.amount {
        return ClawbackResult::Underfunded;
    }
    line.balance -= op.amount;
    overlay.put(LedgerEntryData::Trustline(line), None);
    ClawbackResult::Success
}
