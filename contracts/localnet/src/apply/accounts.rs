//! What an account can spend, and what the consumption of a sequence number leaves behind in it.

use soroban_env_host::xdr::{
    AccountEntry, AccountEntryExt, AccountEntryExtensionV1, AccountEntryExtensionV1Ext,
    AccountEntryExtensionV2, AccountEntryExtensionV2Ext, AccountEntryExtensionV3, ExtensionPoint,
    Liabilities, SequenceNumber, SponsorshipDescriptor, TimePoint,
};

use crate::ledger::{BASE_RESERVE, Closing};

/// What must stay in an account with so many subentries, in stroops.
pub(crate) fn reserve(sub_entries: u32) -> i64 {
    (2 + i64::from(sub_entries)) * i64::from(BASE_RESERVE)
}

/// What an account can spend above its reserve, in stroops.
pub(crate) fn available(account: &AccountEntry) -> i64 {
    account.balance - reserve(account.num_sub_entries)
}

/// The ledger and time at which the account's sequence number last moved (zero for never).
pub(crate) fn last_moved(account: &AccountEntry) -> (u32, u64) {
    let AccountEntryExt::V1(v1) = &account.ext else { return (0, 0) };
    let AccountEntryExtensionV1Ext::V2(v2) = &v1.ext else { return (0, 0) };
    let AccountEntryExtensionV2Ext::V3(v3) = &v2.ext else { return (0, 0) };
    (v3.seq_ledger, v3.seq_time.0)
}

/// Takes a sequence number, and notes when, which makes the entry grow by its third extension. Simulation
/// expects exactly that of the network, or the bytes read would differ.
pub(crate) fn take_sequence(account: &mut AccountEntry, sequence: i64, closing: Closing) {
    account.seq_num = SequenceNumber(sequence);
    let signers = account.signers.len();
    let v1 = match &mut account.ext {
        AccountEntryExt::V1(v1) => v1.clone(),
        AccountEntryExt::V0 => AccountEntryExtensionV1 {
            liabilities: Liabilities { buying: 0, selling: 0 },
            ext: AccountEntryExtensionV1Ext::V0,
        },
    };
    let v2 = match v1.ext {
        AccountEntryExtensionV1Ext::V2(v2) => v2,
        AccountEntryExtensionV1Ext::V0 => AccountEntryExtensionV2 {
            num_sponsored: 0,
            num_sponsoring: 0,
            signer_sponsoring_i_ds: vec![SponsorshipDescriptor(None); signers].try_into().unwrap_or_default(),
            ext: AccountEntryExtensionV2Ext::V0,
        },
    };
    let v3 = AccountEntryExtensionV3 {
        ext: ExtensionPoint::V0,
        seq_ledger: closing.sequence,
        seq_time: TimePoint(closing.close_time),
    };
    account.ext = AccountEntryExt::V1(AccountEntryExtensionV1 {
        liabilities: v1.liabilities,
        ext: AccountEntryExtensionV1Ext::V2(AccountEntryExtensionV2 {
            ext: AccountEntryExtensionV2Ext::V3(v3),
            ..v2
        }),
    });
}

/// Keeps the list of who sponsors each signer as long as the list of signers (nobody sponsors here).
pub(crate) fn fit_sponsors(account: &mut AccountEntry) {
    let signers = account.signers.len();
    if let AccountEntryExt::V1(v1) = &mut account.ext
        && let AccountEntryExtensionV1Ext::V2(v2) = &mut v1.ext
    {
        v2.signer_sponsoring_i_ds = vec![SponsorshipDescriptor(None); signers].try_into().unwrap_or_default();
    }
}
