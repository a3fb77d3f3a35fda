//! What the network remembers of the past: closed ledgers, their transactions and events, within a window.
//!
//! Invariant: `closes` rises in sequence, and every transaction in it is found by its hash (a fee bump by
//! both).

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

/// One applied transaction, successful or not. Each ledger of this network holds at most one.
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

/// A closed ledger. Of several empty ones in a row only the last is kept.
#[derive(Clone, Debug)]
pub(crate) struct Close {
    pub(crate) header: LedgerHeader,
    pub(crate) hash: [u8; 32],
    pub(crate) applied: Option<Applied>,
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

/// The window on the past.
#[derive(Default)]
pub(crate) struct History {
    closes: VecDeque<Rc<Close>>,
    by_hash: HashMap<[u8; 32], Rc<Close>>,
    dropped_to: u32,
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
        if close.applied.is_none() && self.closes.len() > 1 && self.is_idle() {
            self.closes.pop_back();
        }
        if let Some(applied) = &close.applied {
            self.by_hash.insert(applied.hash, close.clone());
            if let Some(inner) = applied.inner_hash {
                self.by_hash.insert(inner, close.clone());
            }
        }
        self.closes.push_back(close);
        self.forget();
    }

    fn is_idle(&self) -> bool {
        self.closes.back().is_some_and(|last| last.applied.is_none())
    }

    fn forget(&mut self) {
        let horizon = self.latest().saturating_sub(RETENTION_LEDGERS);
        while self.closes.len() > 1
            && (self.closes.len() > RETENTION_CLOSES
                || self.closes.front().is_some_and(|c| c.sequence() <= horizon))
        {
            let Some(gone) = self.closes.pop_front() else { break };
            self.dropped_to = gone.sequence();
            if let Some(applied) = &gone.applied {
                self.by_hash.remove(&applied.hash);
                if let Some(inner) = applied.inner_hash {
                    self.by_hash.remove(&inner);
                }
            }
        }
    }

    /// The ledger in which a transaction was applied.
    pub(crate) fn find(&self, hash: &[u8; 32]) -> Option<Rc<Close>> {
        self.by_hash.get(hash).cloned()
    }

    /// The kept ledgers from `sequence` on, in order.
    pub(crate) fn since(&self, sequence: u32) -> impl Iterator<Item = &Rc<Close>> {
        let start = self.closes.partition_point(|c| c.sequence() < sequence);
        self.closes.range(start..)
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

    /// When the newest ledger closed.
    pub(crate) fn latest_close_time(&self) -> u64 {
        self.closes.back().map_or(0, |c| c.close_time())
    }

    /// When the oldest ledger in the window closed (the next kept one, if that one was empty).
    pub(crate) fn oldest_close_time(&self) -> u64 {
        self.since(self.oldest()).next().map_or_else(|| self.latest_close_time(), |c| c.close_time())
    }
}

/// The set of transactions of a ledger: none, or the one that closed it.
pub(crate) fn tx_set(previous: &[u8; 32], applied: Option<&Applied>) -> GeneralizedTransactionSet {
    let envelope = applied.and_then(|a| decode::<TransactionEnvelope>(&a.envelope).ok());
    let component = envelope.map(|envelope| {
        TxSetComponent::TxsetCompTxsMaybeDiscountedFee(TxSetComponentTxsMaybeDiscountedFee {
            base_fee: Some(i64::from(BASE_FEE)),
            txs: vec![envelope].try_into().unwrap_or_default(),
        })
    });
    let first = component.into_iter().collect::<Vec<_>>().try_into().unwrap_or_default();
    let phases = vec![TransactionPhase::V0(first), TransactionPhase::V0(VecM::default())];
    GeneralizedTransactionSet::V1(TransactionSetV1 {
        previous_ledger_hash: Hash(*previous),
        phases: phases.try_into().unwrap_or_default(),
    })
}
