//! The ledger's entries, and overlays on them in which a transaction is tried before it counts.
//!
//! Invariant: an entry whose key carries a TTL always has `live_until`, every other never has.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use soroban_env_host::HostError;
use soroban_env_host::ledger_info::get_key_durability;
use soroban_env_host::storage::{EntryWithLiveUntil, SnapshotSource};
use soroban_env_host::xdr::{
    AccountEntry, AccountId, ContractDataDurability, Hash, LedgerEntry, LedgerEntryChange,
    LedgerEntryChanges, LedgerEntryData, LedgerEntryExt, LedgerKey, LedgerKeyAccount, LedgerKeyTrustLine,
    LedgerKeyTtl, TrustLineAsset, TrustLineEntry, TtlEntry,
};

use crate::encoding::hash_of;

/// What happened to entries: the new value, or `None` where the entry is gone.
pub(crate) type Changes = BTreeMap<Rc<LedgerKey>, Option<EntryWithLiveUntil>>;

/// Anything entries can be read from.
pub(crate) trait Source {
    /// The entry and the last ledger it lives in, archived and expired ones included.
    fn find(&self, key: &LedgerKey) -> Option<EntryWithLiveUntil>;

    /// The account, if it exists.
    fn account(&self, id: &AccountId) -> Option<AccountEntry> {
        let key = LedgerKey::Account(LedgerKeyAccount { account_id: id.clone() });
        match &self.find(&key)?.0.data {
            LedgerEntryData::Account(account) => Some(account.clone()),
            _ => None,
        }
    }

    /// The trustline, if it exists.
    fn trustline(&self, id: &AccountId, asset: &TrustLineAsset) -> Option<TrustLineEntry> {
        let key = LedgerKey::Trustline(LedgerKeyTrustLine { account_id: id.clone(), asset: asset.clone() });
        match &self.find(&key)?.0.data {
            LedgerEntryData::Trustline(line) => Some(line.clone()),
            _ => None,
        }
    }
}

/// All entries of the ledger as of the last close. It is the host's snapshot itself, so simulation copies
/// nothing.
#[derive(Default)]
pub(crate) struct State {
    entries: RefCell<BTreeMap<Rc<LedgerKey>, EntryWithLiveUntil>>,
    /// What has changed since somebody last asked.
    touched: RefCell<Changes>,
    /// What stood before, of all that has changed since somebody last asked.
    replaced: RefCell<Changes>,
}

impl State {
    /// Makes changes count.
    pub(crate) fn absorb(&self, changes: Changes) {
        let mut entries = self.entries.borrow_mut();
        let mut replaced = self.replaced.borrow_mut();
        self.touched.borrow_mut().extend(changes.clone());
        for (key, value) in changes {
            let before = match value {
                Some(entry) => entries.insert(key.clone(), entry),
                None => entries.remove(&key),
            };
            replaced.entry(key).or_insert(before);
        }
    }

    /// What has changed since this was last asked.
    pub(crate) fn take_touched(&self) -> Changes {
        self.touched.take()
    }

    /// What stood before all that has changed since this was last asked.
    pub(crate) fn take_replaced(&self) -> Changes {
        self.replaced.take()
    }

    /// Drops temporary entries whose life is over, as the network's eviction does. Archived persistent ones
    /// stay.
    pub(crate) fn evict_temporary(&self, sequence: u32) {
        let is_over = |(key, (_, live_until)): &(&Rc<LedgerKey>, &EntryWithLiveUntil)| {
            get_key_durability(key) == Some(ContractDataDurability::Temporary)
                && live_until.is_some_and(|last| last < sequence)
        };
        let over: Changes =
            self.entries.borrow().iter().filter(is_over).map(|(key, _)| (key.clone(), None)).collect();
        self.absorb(over);
    }

    /// Every entry in the order of its key.
    pub(crate) fn each(&self, mut visit: impl FnMut(&LedgerKey, &EntryWithLiveUntil)) {
        for (key, entry) in self.entries.borrow().iter() {
            visit(key, entry);
        }
    }
}

impl Source for State {
    fn find(&self, key: &LedgerKey) -> Option<EntryWithLiveUntil> {
        self.entries.borrow().get(key).cloned()
    }
}

impl SnapshotSource for State {
    fn get(&self, key: &Rc<LedgerKey>) -> Result<Option<EntryWithLiveUntil>, HostError> {
        Ok(self.find(key))
    }
}

/// Changes on top of a source, which count only when the source absorbs them.
pub(crate) struct Overlay<'a> {
    below: &'a dyn Source,
    sequence: u32,
    changes: Changes,
    restored: BTreeSet<Rc<LedgerKey>>,
}

impl Source for Overlay<'_> {
    fn find(&self, key: &LedgerKey) -> Option<EntryWithLiveUntil> {
        match self.changes.get(key) {
            Some(change) => change.clone(),
            None => self.below.find(key),
        }
    }
}

impl<'a> Overlay<'a> {
    /// An empty overlay for the ledger being closed.
    pub(crate) fn new(below: &'a dyn Source, sequence: u32) -> Self {
        Self { below, sequence, changes: Changes::new(), restored: BTreeSet::new() }
    }

    /// The ledger being closed.
    pub(crate) fn sequence(&self) -> u32 {
        self.sequence
    }

    /// Writes an entry and stamps it with this ledger.
    pub(crate) fn put(&mut self, data: LedgerEntryData, live_until: Option<u32>) {
        self.put_entry(
            LedgerEntry { last_modified_ledger_seq: self.sequence, data, ext: LedgerEntryExt::V0 },
            live_until,
        );
    }

    /// Writes a whole entry, extension included, and stamps it with this ledger.
    pub(crate) fn put_entry(&mut self, mut entry: LedgerEntry, live_until: Option<u32>) {
        entry.last_modified_ledger_seq = self.sequence;
        self.changes.insert(Rc::new(entry.to_key()), Some((Rc::new(entry), live_until)));
    }

    /// Prolongs an entry's life without touching its value.
    pub(crate) fn set_live_until(&mut self, key: LedgerKey, live_until: u32) {
        if let Some((entry, _)) = self.find(&key) {
            self.changes.insert(Rc::new(key), Some((entry, Some(live_until))));
        }
    }

    /// Writes an account.
    pub(crate) fn put_account(&mut self, account: AccountEntry) {
        self.put(LedgerEntryData::Account(account), None);
    }

    /// Removes an entry; removing what is not there changes nothing.
    pub(crate) fn remove(&mut self, key: LedgerKey) {
        if self.find(&key).is_some() {
            self.changes.insert(Rc::new(key), None);
        }
    }

    /// Remembers that this entry came back from the archive, which the meta says in a word of its own.
    pub(crate) fn mark_restored(&mut self, key: LedgerKey) {
        self.restored.insert(Rc::new(key));
    }

    /// The changes as the transaction meta lists them, and the changes themselves.
    pub(crate) fn finish(self) -> (LedgerEntryChanges, Changes) {
        let meta = meta_of(self.below, &self.changes, &self.restored, self.sequence);
        (meta, self.changes)
    }

    /// Takes over the changes of an overlay that lay on this one.
    pub(crate) fn absorb(&mut self, changes: Changes) {
        self.changes.extend(changes);
    }
}

/// States before and after, entry by entry, TTL entries beside theirs.
fn meta_of(
    below: &dyn Source,
    changes: &Changes,
    restored: &BTreeSet<Rc<LedgerKey>>,
    sequence: u32,
) -> LedgerEntryChanges {
    let mut out = Vec::new();
    for (key, after) in changes {
        let before = below.find(key);
        let came_back = restored.contains(key);
        let values = (before.as_ref().map(|b| &*b.0), after.as_ref().map(|a| &*a.0));
        if came_back || values.0 != values.1 {
            push_change(&mut out, key, values, came_back);
        }
        let ttl = |e: &EntryWithLiveUntil| e.1.map(|last| ttl_entry(key, last, sequence));
        let lives = (before.as_ref().and_then(ttl), after.as_ref().and_then(ttl));
        if lives.0 != lives.1 {
            push_change(&mut out, &ttl_key(key), (lives.0.as_ref(), lives.1.as_ref()), came_back);
        }
    }
    LedgerEntryChanges(out.try_into().unwrap_or_default())
}

fn push_change(
    out: &mut Vec<LedgerEntryChange>,
    key: &LedgerKey,
    values: (Option<&LedgerEntry>, Option<&LedgerEntry>),
    restored: bool,
) {
    match values {
        (_, Some(after)) if restored => out.push(LedgerEntryChange::Restored(after.clone())),
        (None, Some(after)) => out.push(LedgerEntryChange::Created(after.clone())),
        (Some(before), Some(after)) => {
            out.push(LedgerEntryChange::State(before.clone()));
            out.push(LedgerEntryChange::Updated(after.clone()));
        }
        (Some(before), None) => {
            out.push(LedgerEntryChange::State(before.clone()));
            out.push(LedgerEntryChange::Removed(key.clone()));
        }
        (None, None) => {}
    }
}

/// The key of the TTL entry that belongs to a contract's entry.
pub(crate) fn ttl_key(key: &LedgerKey) -> LedgerKey {
    LedgerKey::Ttl(LedgerKeyTtl { key_hash: Hash(hash_of(key)) })
}

fn ttl_entry(key: &LedgerKey, live_until: u32, sequence: u32) -> LedgerEntry {
    LedgerEntry {
        last_modified_ledger_seq: sequence,
        data: LedgerEntryData::Ttl(TtlEntry {
            key_hash: Hash(hash_of(key)),
            live_until_ledger_seq: live_until,
        }),
        ext: LedgerEntryExt::V0,
    }
}
