//! A batch, executed in order in memory. Pure: what the store read goes in, rows to be written come out.
//!
//! Invariant: a refused transfer leaves no trace (no number, no account, no change of a total) and does not
//! stop the others, except those linked with it; every account stands at or above its floor after every
//! transfer. Absent: SQL, the clock, and any decision that needs more than the book's own state.

mod land;
mod linked;
mod receipt;
mod root;
mod rule;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod totals;
mod velocity;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::chart::{Account, BookId};
use crate::hold::{Hold, Verb};
use crate::id::{ExternalRef, IdempotencyKey, TransferId};
use crate::limit::Limit;
use crate::money::Amount;
use crate::transfer::{Event, Metadata, Posting, Rejection, Transfer, Words};

pub use receipt::{Posted, Receipt};
pub(crate) use root::{GENESIS, Heading, Seal, Sealed, close_leaf, limit_leaf, seal};
pub(crate) use totals::Phase;
pub use totals::{Balance, Totals};
#[allow(unused_imports)] // as the whole module, see lib.rs
pub(crate) use velocity::Before;
pub(crate) use velocity::InForce;

/// A map whose keys are ours (accounts, ids), so that nobody can choose them to collide. What callers may
/// choose (their keys, their references) is hashed by the standard library's keyed hash.
pub(crate) type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;
/// As [`Map`].
pub(crate) type Set<K> = std::collections::HashSet<K, foldhash::fast::RandomState>;

/// Where a book's journal ends.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// The book's number in rows.
    pub(crate) book: i32,
    pub(crate) no: i64,
    pub(crate) next_posting: i64,
    pub(crate) accounts: i64,
    pub(crate) root: [u8; 32],
    pub(crate) recorded_at: DateTime<Utc>,
    /// The greatest id of a transfer.
    pub(crate) newest: Option<Uuid>,
    /// What is effective before this is closed.
    pub(crate) closed_before: Option<DateTime<Utc>>,
}

/// A transfer in the journal that could be reversed.
#[derive(Clone, Debug)]
pub(crate) struct Original {
    /// What it posted, settled money included.
    pub(crate) posted: Vec<Posting>,
    pub(crate) reversed_by: Option<TransferId>,
    pub(crate) is_reversal: bool,
}

/// A transfer found in the journal by its key or its id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Landed {
    pub(crate) id: TransferId,
    /// Whether it has a key of its own, beside its id.
    pub(crate) keyed: bool,
    pub(crate) fingerprint: [u8; 16],
}

/// An account that was touched before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Opened {
    /// Its number in the book.
    pub(crate) number: i64,
    pub(crate) totals: Totals,
    /// The batch of its newest chunk.
    pub(crate) batch: i64,
    /// The limit in force, if it has one. What it counts from depends on the batch's `recorded_at`.
    pub(crate) limit: Option<Box<InForce>>,
}

/// The book's state as far as a batch can touch it.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) accounts: Map<Account, Opened>,
    /// Transfers that landed under a key of their own.
    pub(crate) keys: HashMap<IdempotencyKey, Landed>,
    /// Transfers that landed, by id.
    pub(crate) ids: Map<TransferId, Landed>,
    pub(crate) externals: HashMap<ExternalRef, TransferId>,
    pub(crate) holds: Map<TransferId, Hold>,
    pub(crate) originals: Map<TransferId, Original>,
    /// Every transfer that one of this batch wants to reverse, found or not.
    pub(crate) to_reverse: Set<TransferId>,
}

/// What became of one transfer of the batch.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It landed: the row of `Batch::rows` at this place.
    New(usize),
    /// It had landed before this batch.
    Before(TransferId),
    /// It landed earlier in this batch: the row at this place.
    Within(usize),
    /// It was refused.
    Refused(Rejection),
}

/// An account the batch knows of, and what it did to it.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) account: Account,
    /// Its number in the book; `None` until something that touches it lands.
    pub(crate) number: Option<i64>,
    pub(crate) totals: Totals,
    /// The batch of its chunk before this one, 0 if there is none.
    pub(crate) prev: i64,
    /// The least that may stand there: its own floor, or its kind's.
    pub(crate) floor: Option<i64>,
    pub(crate) limit: Option<Box<InForce>>,
    /// Whether the batch moved it or limits it: it then gets a chunk.
    pub(crate) touched: bool,
    /// The least that was available after any transfer of the batch that touched it.
    pub(crate) lowest: i64,
    /// Its postings in the batch.
    pub(crate) nos: Vec<i64>,
}

/// One posting as it is written: slots, an amount, a phase.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leg {
    pub(crate) debit: usize,
    pub(crate) credit: usize,
    pub(crate) amount: Amount,
    pub(crate) phase: Phase,
}

/// A transfer that landed in this batch.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) id: TransferId,
    pub(crate) event: Event,
    /// `None` when the id itself is the key.
    pub(crate) key: Option<IdempotencyKey>,
    pub(crate) fingerprint: [u8; 16],
    pub(crate) effective_at: DateTime<Utc>,
    pub(crate) first_posting: i64,
    /// How many legs it has, see [`Batch::legs_of`].
    pub(crate) legs: usize,
    /// A row of `ledger.hold`.
    pub(crate) hold: Option<HoldRow>,
    pub(crate) reverses: Option<TransferId>,
    pub(crate) external: Option<ExternalRef>,
    /// The first of the transfers it was posted linked with, if there were others.
    pub(crate) link: Option<TransferId>,
    pub(crate) metadata: Metadata,
}

/// A step of a hold as it is written.
#[derive(Clone, Debug)]
pub(crate) struct HoldRow {
    pub(crate) hold: TransferId,
    pub(crate) debit: usize,
    pub(crate) credit: usize,
    pub(crate) was: Option<Amount>,
    pub(crate) settled: Option<Amount>,
    pub(crate) voided: Option<Amount>,
    pub(crate) remaining: Option<Amount>,
    pub(crate) verb: Verb,
    pub(crate) expires_at: Option<DateTime<Utc>>,
}

/// An entry that is no transfer, in a batch of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The account in this slot stands under this limit from now on, in place of what it had.
    Limit(usize, Limit),
    /// What is effective before this is closed.
    Close(DateTime<Utc>),
}

/// A batch in the making, and when every transfer was tried, the batch to be written.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) book: BookId,
    pub(crate) head: Head,
    pub(crate) recorded_at: DateTime<Utc>,
    pub(crate) slots: Vec<Slot>,
    pub(crate) rows: Vec<Row>,
    /// The legs of all rows, in order.
    pub(crate) legs: Vec<Leg>,
    pub(crate) rule: Option<Rule>,
    index: Map<Account, usize>,
    known: Known,
    next_posting: i64,
    next_account: i64,
    /// Transfers of this batch: the place of their row.
    landed: Map<TransferId, usize>,
    /// Keys of this batch, the ids not among them.
    landed_keys: HashMap<IdempotencyKey, usize>,
    /// What is being taken together, while linked transfers are tried.
    undo: Option<linked::Undo>,
    /// The first of the linked transfers that are being tried.
    link: Option<TransferId>,
    /// Room that is used again and again.
    words: Words,
    after: Vec<(usize, Totals)>,
}

impl Batch {
    /// A batch on top of a head. Its time is the clock's, to the microsecond Postgres keeps, but never before
    /// the head's.
    pub(crate) fn new(book: &BookId, head: Head, known: Known, now: DateTime<Utc>) -> Self {
        Self {
            book: book.clone(),
            recorded_at: Self::time(&head, now),
            next_posting: head.next_posting,
            next_account: head.accounts + 1,
            head,
            slots: Vec::new(),
            rows: Vec::new(),
            legs: Vec::new(),
            rule: None,
            index: Map::default(),
            known,
            landed: Map::default(),
            landed_keys: HashMap::new(),
            undo: None,
            link: None,
            words: Words::default(),
            after: Vec::new(),
        }
    }

    /// What time a batch on top of a head will bear; periods are counted from it.
    pub(crate) fn time(head: &Head, now: DateTime<Utc>) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now).max(head.recorded_at)
    }

    /// The number of the batch.
    pub(crate) fn no(&self) -> i64 {
        self.head.no + 1
    }

    /// Whether there is nothing to be written.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.rule.is_none()
    }

    /// How many postings landed.
    pub(crate) fn postings(&self) -> i64 {
        self.next_posting - self.head.next_posting
    }

    /// How many accounts the book has after it.
    pub(crate) fn accounts(&self) -> i64 {
        self.next_account - 1
    }

    /// The legs of a row.
    pub(crate) fn legs_of(&self, row: &Row) -> &[Leg] {
        let first = usize::try_from(row.first_posting - self.head.next_posting).unwrap_or(0);
        &self.legs[first..first + row.legs]
    }

    /// The accounts a row touched, as they stand after the whole batch.
    pub(crate) fn balances(&self, row: &Row) -> Vec<Balance> {
        let mut seen: Vec<usize> = Vec::with_capacity(row.legs * 2);
        for slot in self.legs_of(row).iter().flat_map(|leg| [leg.debit, leg.credit]) {
            if !seen.contains(&slot) {
                seen.push(slot);
            }
        }
        let balance =
            |at: usize| Balance { account: self.slots[at].account.clone(), totals: self.slots[at].totals };
        seen.into_iter().map(balance).collect()
    }

    /// The postings of the batch in order, with their numbers.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (i64, &Row, &Leg)> {
        let rows = self.rows.iter().flat_map(|row| std::iter::repeat_n(row, row.legs));
        (self.head.next_posting..).zip(rows.zip(&self.legs)).map(|(no, (row, leg))| (no, row, leg))
    }

    /// The batch without its entries, as it is sealed.
    pub(crate) fn heading(&self) -> Heading<'_> {
        Heading {
            book: self.book.as_str(),
            no: self.no(),
            first_posting: self.head.next_posting,
            postings: self.postings(),
            transfers: self.rows.len() as i64,
            accounts: self.accounts(),
            recorded_at: self.recorded_at,
            prev: &self.head.root,
        }
    }

    /// The answer to a transfer of this batch, by the place of its row.
    pub(crate) fn receipt(&self, row: usize) -> Receipt {
        let row = &self.rows[row];
        Receipt {
            transfer: row.id,
            batch: self.no(),
            numbers: row.first_posting..=row.first_posting + row.legs as i64 - 1,
            recorded_at: self.recorded_at,
            effective_at: row.effective_at,
            balances: self.balances(row),
        }
    }

    /// Where the journal ends once the batch is in it (its root is the seal's), which transfers landed, and
    /// what is known of accounts and ids then.
    pub(crate) fn remembered(mut self) -> (Head, Vec<Landed>, Known) {
        let (no, next_posting, accounts) = (self.no(), self.next_posting, self.accounts());
        let closed_before = match self.rule {
            Some(Rule::Close(closed_before)) => Some(closed_before),
            _ => self.head.closed_before,
        };
        let landed = self.rows.iter().map(|row| Landed {
            id: row.id,
            keyed: row.key.is_some(),
            fingerprint: row.fingerprint,
        });
        let landed: Vec<Landed> = landed.collect();
        let newest = landed.iter().map(|landed| landed.id.0).max().max(self.head.newest);
        let recorded_at = self.recorded_at;
        let head = Head { no, next_posting, accounts, recorded_at, newest, closed_before, ..self.head };
        for slot in self.slots {
            let Slot { account, number: Some(number), totals, prev, limit, touched, .. } = slot else {
                continue;
            };
            let batch = if touched { no } else { prev };
            self.known.accounts.insert(account, Opened { number, totals, batch, limit });
        }
        let (accounts, ids) = (self.known.accounts, self.known.ids);
        (head, landed, Known { accounts, ids, ..Known::default() })
    }

    /// Tries one transfer.
    pub(crate) fn execute(&mut self, transfer: &Transfer) -> Outcome {
        let fingerprint = transfer.fingerprint_in(&mut self.words);
        if let Some(outcome) = self.heard_before(transfer, &fingerprint) {
            return outcome;
        }
        self.land(transfer, fingerprint).map_or_else(Outcome::Refused, Outcome::New)
    }

    /// What a request that was made before is answered; `None` for a new one.
    fn heard_before(&self, transfer: &Transfer, fingerprint: &[u8; 16]) -> Option<Outcome> {
        let id = transfer.id;
        let (before, within) = match &transfer.key {
            // A key may be the id of a transfer that has no key, and then it means that one.
            Some(key) => {
                let named = || self.landed.get(&key.id()?).filter(|&&at| self.rows[at].key.is_none());
                (self.known.keys.get(key), self.landed_keys.get(key).or_else(named))
            }
            None => (self.known.ids.get(&id), self.landed.get(&id)),
        };
        let (first, outcome) = match (before, within) {
            (Some(landed), _) => (*landed, Outcome::Before(landed.id)),
            (None, Some(&at)) => {
                let Row { id, ref key, fingerprint, .. } = self.rows[at];
                (Landed { id, keyed: key.is_some(), fingerprint }, Outcome::Within(at))
            }
            (None, None) => return None,
        };
        if first.keyed != transfer.keyed() {
            return Some(Outcome::Refused(Rejection::IdReused { transfer: id }));
        }
        let reused = || Rejection::KeyReused { key: transfer.key(), first: first.id };
        Some(if first.fingerprint == *fingerprint { outcome } else { Outcome::Refused(reused()) })
    }
}
