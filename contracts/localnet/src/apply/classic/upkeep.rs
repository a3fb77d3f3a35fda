//! What an account does with itself: notes it keeps, numbers it skips, its end.

use soroban_env_host::xdr::{
    AccountId, AccountMergeResult, BumpSequenceOp, BumpSequenceResult, DataEntry, DataEntryExt,
    LedgerEntryData, LedgerKey, LedgerKeyAccount, LedgerKeyData, ManageDataOp, ManageDataResult,
};

use crate::apply::accounts::{available, take_sequence};
use crate::ledger::Closing;
use crate::ledger::state::{Overlay, Source as _};

/// An account with this flag lets nobody change its flags, and does not go.
const IMMUTABLE: u32 = 4;

/// A note's name is printable.
pub(super) fn note_fault(op: &ManageDataOp) -> Option<ManageDataResult> {
    let name = op.data_name.as_slice();
    let sound = !name.is_empty() && name.iter().all(|b| b.is_ascii() && !b.is_ascii_control());
    (!sound).then_some(ManageDataResult::InvalidName)
}

/// Writes, replaces or removes a note. Each is a subentry and locks up a reserve.
pub(super) fn note(overlay: &mut Overlay<'_>, source: &AccountId, op: &ManageDataOp) -> ManageDataResult {
    let name = &op.data_name;
    let key = LedgerKey::Data(LedgerKeyData { account_id: source.clone(), data_name: name.clone() });
    let Some(mut account) = overlay.account(source) else { return ManageDataResult::LowReserve };
    let known = overlay.find(&key).is_some();
    let Some(value) = &op.data_value else {
        if !known {
            return ManageDataResult::NameNotFound;
        }
        account.num_sub_entries = account.num_sub_entries.saturating_sub(1);
        overlay.put_account(account);
        overlay.remove(key);
        return ManageDataResult::Success;
    };
    if !known {
        account.num_sub_entries += 1;
        if available(&account) < 0 {
            return ManageDataResult::LowReserve;
        }
        overlay.put_account(account);
    }
    let entry = DataEntry {
        account_id: source.clone(),
        data_name: name.clone(),
        data_value: value.clone(),
        ext: DataEntryExt::V0,
    };
    overlay.put(LedgerEntryData::Data(entry), None);
    ManageDataResult::Success
}

/// Moves an account's number forward; back it never goes, and that is no fault.
pub(super) fn bump(
    overlay: &mut Overlay<'_>,
    source: &AccountId,
    op: &BumpSequenceOp,
    closing: Closing,
) -> BumpSequenceResult {
    if let Some(mut account) = overlay.account(source)
        && op.bump_to.0 > account.seq_num.0
    {
        take_sequence(&mut account, op.bump_to.0, closing);
        overlay.put_account(account);
    }
    BumpSequenceResult::Success
}

/// Gives all an account has to another and ends it.
pub(super) fn merge(overlay: &mut Overlay<'_>, source: &AccountId, to: &AccountId) -> AccountMergeResult {
    let Some(mut heir) = overlay.account(to) else { return AccountMergeResult::NoAccount };
    let Some(account) = overlay.account(source) else { return AccountMergeResult::NoAccount };
    if account.flags & IMMUTABLE != 0 {
        return AccountMergeResult::ImmutableSet;
    }
    // Signers go with the account, everything else must have gone before.
    if account.num_sub_entries as usize != account.signers.len() {
        return AccountMergeResult::HasSubEntries;
    }
    // An account created in this ledger would start with this number; no number is used twice.
    if account.seq_num.0 >= i64::from(overlay.sequence()) << 32 {
        return AccountMergeResult::SeqnumTooFar;
    }
    let Some(sum) = heir.balance.checked_add(account.balance) else { return AccountMergeResult::DestFull };
    heir.balance = sum;
    overlay.put_account(heir);
    overlay.remove(LedgerKey::Account(LedgerKeyAccount { account_id: source.clone() }));
    AccountMergeResult::Success(account.balance)
}
