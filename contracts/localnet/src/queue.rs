//! Transactions that wait for a ledger, after the rules of stellar-core's queue (`TransactionQueue.cpp`): one
//! a source, the same again is a duplicate, a fee bump of ten times the bid takes the place of what it bumps,
//! who has waited for four ledgers is forgotten and not looked at again for ten.
//!
//! Invariant: what is answered `Pending` waits here until a ledger takes it, its turn is over, or a dearer
//! one takes its place; nothing else is ever taken into a ledger.
//! Absent: a bound on what waits. A surge ([`Surge`](crate::ledger::Surge)) stands for the full queue.

use std::collections::HashMap;

use soroban_env_host::xdr::{InnerTransactionResultResult, TransactionResult, TransactionResultResult};

use crate::apply::{Candidate, Verdict, check, max_time, plain_result, spendable};
use crate::ledger::{Closing, Ledger};

/// Ledgers a transaction is a candidate for (`TRANSACTION_QUEUE_TIMEOUT_LEDGERS`).
const PATIENCE: u32 = 4;
/// Ledgers for which one that was thrown out is not looked at again (`TRANSACTION_QUEUE_BAN_LEDGERS`).
const BAN_LEDGERS: u32 = 10;
/// How many times the old bid a new one must be to take its place (`FEE_MULTIPLIER`).
const FEE_MULTIPLIER: i128 = 10;

/// What the queue says to a transaction.
pub(crate) enum Sent {
    /// It waits.
    Pending,
    /// It waits already.
    Duplicate,
    /// Not now.
    TryAgainLater,
    /// It is refused.
    Error(Box<TransactionResult>),
}

/// What is to become of a transaction that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It gets into the next ledger that its bid is high enough for.
    Next,
    /// It gets into the ledger with this number, though this server may have forgotten it by then: others
    /// in the network still have it.
    In(u32),
    /// It gets into the last ledger that its time bound allows.
    LastMoment,
    /// No ledger takes it.
    Never,
}

struct Waiting {
    candidate: Candidate,
    fate: Fate,
    age: u32,
}

/// What waits.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Vec<Waiting>,
    /// What this server has forgotten and others have not.
    elsewhere: Vec<Waiting>,
    /// Hashes, and the ledger in which each was thrown out.
    banned: HashMap<[u8; 32], u32>,
}

impl Queue {
    /// Whether any ledger could still take something.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.elsewhere.is_empty()
    }

    /// How many transactions this server knows to wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Takes a transaction or says why not.
    pub(crate) fn offer(&mut self, ledger: &Ledger, candidate: Candidate, fate: Fate) -> Sent {
        if self.is_banned(&candidate.hash, ledger.sequence()) {
            return Sent::TryAgainLater;
        }
        let source = candidate.source();
        let place = self.waiting.iter().position(|w| w.candidate.source() == source);
        let old = place.map(|at| &self.waiting[at].candidate);
        if let Some(word) = old.and_then(|old| beside(old, &candidate)) {
            return word;
        }
        let closing = ledger.closing();
        if let Some(least) = price_of_entry(ledger, &candidate, closing) {
            return Sent::Error(too_cheap(least));
        }
        if let Verdict::Refused(result) = check(ledger, &candidate, closing) {
            return Sent::Error(result);
        }
        if !self.can_pay_all(ledger, &candidate, place) {
            let result = candidate.result(0, InnerTransactionResultResult::TxInsufficientBalance);
            return Sent::Error(Box::new(result));
        }
        match place {
            // The newcomer has what is left of the old one's time.
            Some(at) => self.waiting[at] = Waiting { candidate, fate, age: self.waiting[at].age },
            None => self.waiting.push(Waiting { candidate, fate, age: 0 }),
        }
        Sent::Pending
    }

    /// Whether who pays can pay for everything of his that waits.
    fn can_pay_all(&self, ledger: &Ledger, candidate: &Candidate, replaced: Option<usize>) -> bool {
        let payer = candidate.payer();
        let others = self.waiting.iter().enumerate().filter(|(at, _)| Some(*at) != replaced);
        let bids: i64 = others
            .filter(|(_, w)| w.candidate.payer() == payer)
            .fold(0, |sum, (_, w)| sum.saturating_add(w.candidate.fee_bid()));
        bids == 0 || spendable(ledger, &payer) >= candidate.fee_bid().saturating_add(bids)
    }

    /// Hands over what gets into the ledger that closes now.
    pub(crate) fn take_due(&mut self, closing: Closing, ledger_s: u64) -> Vec<Candidate> {
        let is_due = |w: &mut Waiting| {
            let turn = match w.fate {
                Fate::Next => true,
                Fate::In(ledger) => closing.sequence >= ledger,
                Fate::LastMoment => match max_time(&w.candidate) {
                    Some(last) => closing.close_time.saturating_add(ledger_s) > last,
                    None => w.age + 1 >= PATIENCE,
                },
                Fate::Never => false,
            };
            turn && bids_enough(&w.candidate, closing.base_fee)
        };
        let here: Vec<Waiting> = self.waiting.extract_if(.., is_due).collect();
        let there: Vec<Waiting> = self.elsewhere.extract_if(.., is_due).collect();
        here.into_iter().chain(there).map(|w| w.candidate).collect()
    }

    /// Does not look at this transaction again for a while.
    pub(crate) fn ban(&mut self, hash: [u8; 32], sequence: u32) {
        self.banned.insert(hash, sequence);
    }

    fn is_banned(&self, hash: &[u8; 32], sequence: u32) -> bool {
        self.banned.get(hash).is_some_and(|since| sequence.saturating_sub(*since) < BAN_LEDGERS)
    }

    /// A ledger closed: what still waits grows older, and goes when it is too old or can never be applied.
    pub(crate) fn grow_older(&mut self, ledger: &Ledger) {
        let (sequence, closing) = (ledger.sequence(), ledger.closing_at(ledger.close_time()));
        self.banned.retain(|_, since| sequence.saturating_sub(*since) < BAN_LEDGERS);
        let is_over = |w: &mut Waiting| {
            w.age += 1;
            w.age >= PATIENCE || matches!(check(ledger, &w.candidate, closing), Verdict::Refused(_))
        };
        for gone in self.waiting.extract_if(.., is_over).collect::<Vec<_>>() {
            self.banned.insert(gone.candidate.hash, sequence);
            self.elsewhere.push(gone);
        }
        self.elsewhere.retain(|w| match w.fate {
            Fate::Next | Fate::Never => false,
            Fate::In(_) | Fate::LastMoment => {
                matches!(check(ledger, &w.candidate, closing), Verdict::Fit)
            }
        });
    }
}

/// What a source's second transaction is told; nothing if it takes the first one's place.
fn beside(old: &Candidate, new: &Candidate) -> Option<Sent> {
    let bumped = old.bump.is_some() && new.bump.is_none() && old.tx_hash == new.hash;
    if old.hash == new.hash || bumped {
        return Some(Sent::Duplicate);
    }
    let (waits, comes) = (old.tx.seq_num.0, new.tx.seq_num.0);
    if comes < waits {
        let result = new.result(0, InnerTransactionResultResult::TxBadSeq);
        return Some(Sent::Error(Box::new(result)));
    }
    if new.bump.is_none() || comes > waits {
        return Some(Sent::TryAgainLater);
    }
    // A fee an operation of ten times the old one: bid/n ≥ 10 · old/m, without division.
    let bid = i128::from(new.inclusion_bid()) * i128::from(old.weight());
    let least = FEE_MULTIPLIER * i128::from(old.inclusion_bid()) * i128::from(new.weight());
    if bid >= least {
        return None;
    }
    let m = i128::from(old.weight());
    let inclusion = i64::try_from((least + m - 1) / m).unwrap_or(i64::MAX);
    Some(Sent::Error(too_cheap(inclusion.saturating_add(new.resource_fee()))))
}

fn too_cheap(least: i64) -> Box<TransactionResult> {
    Box::new(plain_result(least, TransactionResultResult::TxInsufficientFee))
}

fn bids_enough(candidate: &Candidate, base_fee: i64) -> bool {
    candidate.inclusion_bid() >= base_fee.saturating_mul(candidate.weight())
}

/// The least fee with which it would be let in, if the queue is full and it bids less.
fn price_of_entry(ledger: &Ledger, candidate: &Candidate, closing: Closing) -> Option<i64> {
    let surge = ledger.surge_at(closing.sequence).filter(|surge| surge.refuses)?;
    let least = surge.fee.saturating_mul(candidate.weight()).saturating_add(candidate.resource_fee());
    (!bids_enough(candidate, surge.fee)).then_some(least)
}
