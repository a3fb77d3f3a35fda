//! The state as it was a few ledgers ago: what a server that lags behind still answers with.
//!
//! Invariant: undone from the newest ledger backwards, the steps lead to what stood after each of the last
//! [`KEPT`] ledgers.
//! Absent: anything, unless [`Past::keep`] was said.

use std::collections::VecDeque;
use std::rc::Rc;

use soroban_env_host::HostError;
use soroban_env_host::storage::{EntryWithLiveUntil, SnapshotSource};
use soroban_env_host::xdr::LedgerKey;

use super::state::{Changes, Source, State};

/// Ledgers one can look back at most.
pub(crate) const KEPT: u32 = 16;

/// What stood before each of the newest ledgers.
#[derive(Default)]
pub(crate) struct Past {
    kept: bool,
    steps: VecDeque<(u32, Changes)>,
}

impl Past {
    /// From now on steps are kept.
    pub(crate) fn keep(&mut self) {
        self.kept = true;
    }

    /// A ledger closed; `replaced` stood before it.
    pub(crate) fn push(&mut self, sequence: u32, replaced: Changes) {
        if !self.kept {
            return;
        }
        self.steps.push_back((sequence, replaced));
        if self.steps.len() > KEPT as usize {
            self.steps.pop_front();
        }
    }

    /// The oldest ledger whose state can still be had, if any but the newest.
    pub(crate) fn oldest(&self) -> Option<u32> {
        self.steps.front().map(|(sequence, _)| sequence.saturating_sub(1))
    }

    /// The state as it stood after a ledger that is not older than [`Past::oldest`].
    pub(crate) fn view(&self, state: &Rc<State>, sequence: u32) -> AsOf {
        let mut undone = Changes::new();
        for (_, replaced) in self.steps.iter().rev().take_while(|(closed, _)| *closed > sequence) {
            // What stood before an earlier ledger wins over what stood before a later one.
            undone.extend(replaced.clone());
        }
        AsOf { state: state.clone(), undone }
    }
}

/// The state as it stood once.
pub(crate) struct AsOf {
    state: Rc<State>,
    undone: Changes,
}

impl Source for AsOf {
    fn find(&self, key: &LedgerKey) -> Option<EntryWithLiveUntil> {
        match self.undone.get(key) {
            Some(before) => before.clone(),
            None => self.state.find(key),
        }
    }
}

impl SnapshotSource for AsOf {
    fn get(&self, key: &Rc<LedgerKey>) -> Result<Option<EntryWithLiveUntil>, HostError> {
        Ok(self.find(key))
    }
}
