//! What the network remembers of the past: closed ledgers, their transactions and events, within a window.
//!
//! Invariant: `closes` is never empty and rises in sequence, and every transaction in it is found by its
//! hash (a fee bump by both).

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use soroban_env_host::xdr::{
    ContractEvent, GeneralizedTransactionSet, Hash, LedgerHeader, TransactionEnvelope, TransactionPhase,
    TransactionSetV1, TxSetComponent, TxSetComponentTxsMaybeDiscountedFee, VecM,
};

use super::BASE_FEE;
use crate::encoding::decode;

/// Ledgers the public RPC servers keep: 7 days of 17 280.
pub(crate) const RETENTION_LEDGERS: u32 = 120_960;

/// Ledgers with a transaction kept at most: at about 6 KB each, 120 MB.
const RETENTION_CLOSES: usize = 20_000;

/// One applied transaction, successful or not.
#[derive(Clone, Debug)]
pub(crate) struct Applied {
    pub(crate) hash: [u8; 32],
    /// Hash of the transaction inside a fee bump.
    pub(crate) inner_hash: Option<[u8; 32]>,
    pub(crate) success: bool,
    pub(crate) envelope: Vec<u8>,
    pub(crate) result: Vec<u8>,
    pub(crate) fee_meta: Vec<u8>,
    pub(crate) meta: Vec<u8>,
    /// Diagnostic events, kept of failed transactions only.
    pub(crate) diagnostics: Vec<Vec<u8>>,
    /// Contract events, operation by operation.
    pub(crate) events: Vec<Vec<ContractEvent>>,
}

/// A closed ledger with its transactions in the order in which they were applied. Of several empty ones in a
/// row only the last is kept.
#[derive(Clone, Debug)]
pub(crate) struct Close {
    pub(crate) header: LedgerHeader,
    pub(crate) hash: [u8; 32],
    pub(crate) applied: Vec<Applied>,
}

impl Close {
    /// Number of the ledger.
    pub(crate) fn sequence(&self) -> u32 {
        self.header.ledger_seq
    }

    /// When it closed, in seconds of the Unix epoch.
    pub(crate) fn close_time(&self) -> u64 {
        self.header.scp_value.close_time.0
    }
}

/// A transaction and the ledger it is in.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) close: Rc<Close>,
    /// Its place in the ledger, from 0.
    pub(crate) at: usize,
}

impl Found {
    /// The transaction.
    pub(crate) fn applied(&self) -> &Applied {
        &self.close.applied[self.at]
    }
}

/// The window on the past.
#[derive(Default)]
pub(crate) struct History {
    closes: VecDeque<Rc<Close>>,
    by_hash: HashMap<[u8; 32], Found>,
    dropped_to: u32,
    /// So many of the newest ledgers are kept though they are empty.
    keep_idle: usize,
}

impl History {
    /// A past that was saved.
    pub(crate) fn restored(closes: Vec<Close>, dropped_to: u32) -> Self {
        let mut history = Self { dropped_to, ..Self::default() };
        closes.into_iter().for_each(|close| history.push(close));
        history
    }

    /// The newest ledger that was forgotten, 0 if none was.
    pub(crate) fn dropped_to(&self) -> u32 {
        self.dropped_to
    }

    /// Appends a ledger and forgets what falls out of the window.
    pub(crate) fn push(&mut self, close: Close) {
        let close = Rc::new(close);
        for (at, applied) in close.applied.iter().enumerate() {
            let found = Found { close: close.clone(), at };
            if let Some(inner) = applied.inner_hash {
                self.by_hash.insert(inner, found.clone());
            }
            self.by_hash.insert(applied.hash, found);
        }
        self.closes.push_back(close);
        self.join_idle();
        self.forget();
    }

    /// Keeps so many of the newest ledgers apart though nothing happened in them, so that an older view on
    /// the network can be had.
    pub(crate) fn keep_idle(&mut self, ledgers: usize) {
        self.keep_idle = ledgers;
    }

    /// Of two empty ledgers in a row that have grown old enough, the first goes.
    fn join_idle(&mut self) {
        let Some(newer) = self.closes.len().checked_sub(1 + self.keep_idle).filter(|at| *at > 1) else {
            return;
        };
        if self.closes[newer].applied.is_empty() && self.closes[newer - 1].applied.is_empty() {
            self.closes.remove(newer - 1);
        }
    }

    /// Forgets the ledgers before `sequence`, as a server does whose window has ended there. The newest one
    /// stays.
    pub(crate) fn forget_before(&mut self, sequence: u32) {
        while self.closes.len() > 1 && self.closes.front().is_some_and(|c| c.sequence() < sequence) {
            self.drop_oldest();
        }
        self.dropped_to = self.dropped_to.max(sequence.min(self.latest()).saturating_sub(1));
    }

    fn forget(&mut self) {
        let horizon = self.latest().saturating_sub(RETENTION_LEDGERS);
        while self.closes.len() > 1
            && (self.closes.len() > RETENTION_CLOSES
                || self.closes.front().is_some_and(|c| c.sequence() <= horizon))
        {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let Some(gone) = self.closes.pop_front() else { return };
        self.dropped_to = gone.sequence();
        for applied in &gone.applied {
            self.by_hash.remove(&applied.hash);
            if let Some(inner) = applied.inner_hash {
                self.by_hash.remove(&inner);
            }
        }
    }

    /// The ledger in which a transaction was applied, and its place there.
    pub(crate) fn find(&self, hash: &[u8; 32]) -> Option<Found> {
        self.by_hash.get(hash).cloned()
    }

    /// The kept ledgers from `sequence` on, in order.
    pub(crate) fn since(&self, sequence: u32) -> impl Iterator<Item = &Rc<Close>> {
        let start = self.closes.partition_point(|c| c.sequence() < sequence);
        self.closes.range(start..)
    }

    /// The newest kept ledger that is not newer than `sequence`, or the oldest there is.
    pub(crate) fn newest_up_to(&self, sequence: u32) -> Rc<Close> {
        let after = self.closes.partition_point(|c| c.sequence() <= sequence);
        self.closes[after.saturating_sub(1)].clone()
    }

    /// Number of the newest ledger.
    pub(crate) fn latest(&self) -> u32 {
        self.closes.back().map_or(0, |c| c.sequence())
    }

    /// Number of the oldest ledger in the window.
    pub(crate) fn oldest(&self) -> u32 {
        let first = self.closes.front().map_or(0, |c| c.sequence());
        let horizon = self.latest().saturating_sub(RETENTION_LEDGERS) + 1;
        if self.dropped_to == 0 { first.max(horizon) } else { (self.dropped_to + 1).max(horizon) }
    }
}

/// The set of transactions of a ledger.
pub(crate) fn tx_set(previous: &[u8; 32], applied: &[Applied]) -> GeneralizedTransactionSet {
    let envelopes: Vec<_> =
        applied.iter().filter_map(|a| decode::<TransactionEnvelope>(&a.envelope).ok()).collect();
    let component = (!envelopes.is_empty()).then(|| {
        TxSetComponent::TxsetCompTxsMaybeDiscountedFee(TxSetComponentTxsMaybeDiscountedFee {
            base_fee: Some(i64::from(BASE_FEE)),
            txs: envelopes.try_into().unwrap_or_default(),
        })
    });
    let first = component.into_iter().collect::<Vec<_>>().try_into().unwrap_or_default();
    let phases = vec![TransactionPhase::V0(first), TransactionPhase::V0(VecM::default())];
    GeneralizedTransactionSet::V1(TransactionSetV1 {
        previous_ledger_hash: Hash(*previous),
        phases: phases.try_into().unwrap_or_default(),
    })
}
