//! What a server sees of the network: all of it, or, when it lags behind, what there was a few ledgers ago.
//!
//! Invariant: every answer that only reads comes from one view, so an old answer is old in all its parts.

use std::rc::Rc;

use soroban_env_host::storage::EntryWithLiveUntil;
use soroban_env_host::xdr::LedgerKey;

use crate::ledger::history::{Close, Found};
use crate::ledger::past::AsOf;
use crate::ledger::state::Source as _;
use crate::ledger::{Closing, Ledger};

/// How far a server lags.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lag {
    /// So many ledgers behind.
    pub(crate) behind: u32,
    /// Blind for transactions of so many of the newest ledgers.
    pub(crate) blind: u32,
}

/// The network as one server sees it.
pub(crate) struct View<'a> {
    pub(crate) ledger: &'a Ledger,
    /// Its newest ledger.
    newest: Rc<Close>,
    /// Its state.
    pub(crate) state: Rc<AsOf>,
    blind: u32,
}

impl<'a> View<'a> {
    /// What a server sees that lags so far; there is always at least one ledger.
    pub(crate) fn of(ledger: &'a Ledger, lag: Lag) -> Self {
        let latest = ledger.sequence();
        let wanted = match ledger.past.oldest() {
            Some(oldest) => latest.saturating_sub(lag.behind).max(oldest),
            None => latest,
        };
        let newest = ledger.history.newest_up_to(wanted);
        let state = Rc::new(ledger.past.view(&ledger.state, newest.sequence()));
        Self { ledger, newest, state, blind: lag.blind }
    }

    /// Its newest ledger.
    pub(crate) fn newest(&self) -> &Close {
        &self.newest
    }

    /// Number of its newest ledger.
    pub(crate) fn sequence(&self) -> u32 {
        self.newest.sequence()
    }

    /// When its newest ledger closed.
    pub(crate) fn close_time(&self) -> u64 {
        self.newest.close_time()
    }

    /// Number of the oldest ledger it remembers.
    pub(crate) fn oldest(&self) -> u32 {
        self.ledger.history.oldest().min(self.sequence())
    }

    /// When that one closed.
    pub(crate) fn oldest_close_time(&self) -> u64 {
        self.since(self.oldest()).next().map_or_else(|| self.close_time(), |c| c.close_time())
    }

    /// The kept ledgers from `sequence` on, in order.
    pub(crate) fn since(&self, sequence: u32) -> impl Iterator<Item = &Rc<Close>> {
        let newest = self.sequence();
        self.ledger.history.since(sequence).take_while(move |close| close.sequence() <= newest)
    }

    /// The ledger in which a transaction was applied, and its place there.
    pub(crate) fn transaction(&self, hash: &[u8; 32]) -> Option<Found> {
        let seen = |found: &Found| found.close.sequence() <= self.sequence().saturating_sub(self.blind);
        self.ledger.history.find(hash).filter(seen)
    }

    /// The entry and the last ledger it lives in.
    pub(crate) fn entry(&self, key: &LedgerKey) -> Option<EntryWithLiveUntil> {
        self.state.find(key)
    }

    /// The ledger that comes next for this server.
    pub(crate) fn closing(&self) -> Closing {
        let now = self.ledger.closing();
        if self.sequence() == self.ledger.sequence() {
            return now;
        }
        Closing { sequence: self.sequence() + 1, close_time: self.close_time(), ..now }
    }
}
