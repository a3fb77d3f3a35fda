//! A batch, executed in order in memory. Pure: what the store read goes in, rows to be written come out.
//!
//! Invariant: a refused transfer leaves no trace (no number, no account, no change of a total) and does not
//! stop the others; every account stands at or above its floor after every transfer. Absent: SQL, the
//! clock, and any decision that needs more than the book's own state.

mod receipt;
mod root;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod totals;

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use crate::chart::{Account, BookId, Side};
use crate::hold::{Hold, Step, Verb};
use crate::id::{ExternalRef, IdempotencyKey, TransferId};
use crate::money::{Amount, Money};
use crate::transfer::{Event, HoldAct, Posting, Rejection, Transfer};

pub use receipt::{Posted, Receipt};
pub(crate) use root::{GENESIS, Sealed, seal};
pub(crate) use totals::Phase;
pub use totals::{Balance, Totals};

/// Where a book's journal ends.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) no: i64,
    pub(crate) next_posting: i64,
    pub(crate) accounts: i64,
    pub(crate) root: [u8; 32],
    pub(crate) recorded_at: DateTime<Utc>,
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
#[derive(Clone, Debug)]
pub(crate) struct Landed {
    pub(crate) id: TransferId,
    pub(crate) fingerprint: [u8; 32],
}

/// The book's state as far as a batch can touch it.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) accounts: HashMap<Account, (i64, Totals)>,
    pub(crate) keys: HashMap<IdempotencyKey, Landed>,
    pub(crate) ids: HashMap<TransferId, IdempotencyKey>,
    pub(crate) externals: HashMap<ExternalRef, TransferId>,
    pub(crate) holds: HashMap<TransferId, Hold>,
    pub(crate) originals: HashMap<TransferId, Original>,
    /// Every transfer that one of this batch wants to reverse, found or not.
    pub(crate) to_reverse: HashSet<TransferId>,
}

/// What became of one transfer of the batch.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It landed: the row of `Executed::transfers` at this place.
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
    pub(crate) path: String,
    /// Its number in the book; `None` until a transfer that touches it lands.
    pub(crate) number: Option<i64>,
    pub(crate) totals: Totals,
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
    pub(crate) key: IdempotencyKey,
    pub(crate) fingerprint: [u8; 32],
    pub(crate) effective_at: DateTime<Utc>,
    pub(crate) first_posting: i64,
    pub(crate) legs: Vec<Leg>,
    /// A row of `ledger.hold`.
    pub(crate) hold: Option<HoldRow>,
    pub(crate) reverses: Option<TransferId>,
    pub(crate) external: Option<ExternalRef>,
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

/// A batch in the making, and when every transfer was tried, the batch to be written.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) book: BookId,
    pub(crate) head: Head,
    pub(crate) recorded_at: DateTime<Utc>,
    pub(crate) slots: Vec<Slot>,
    pub(crate) rows: Vec<Row>,
    index: HashMap<Account, usize>,
    known: Known,
    next_posting: i64,
    next_account: i64,
    /// Keys of this batch: the place of their row.
    landed: HashMap<IdempotencyKey, usize>,
}

impl Batch {
    /// A batch on top of a head. Its time is the clock's, to the microsecond Postgres keeps, but never before
    /// the head's.
    pub(crate) fn new(book: &BookId, head: Head, known: Known, now: DateTime<Utc>) -> Self {
        let micros = DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now);
        Self {
            book: book.clone(),
            recorded_at: micros.max(head.recorded_at),
            next_posting: head.next_posting,
            next_account: head.accounts + 1,
            head,
            slots: Vec::new(),
            rows: Vec::new(),
            index: HashMap::new(),
            known,
            landed: HashMap::new(),
        }
    }

    /// The number of the batch.
    pub(crate) fn no(&self) -> i64 {
        self.head.no + 1
    }

    /// How many postings landed.
    pub(crate) fn postings(&self) -> i64 {
        self.next_posting - self.head.next_posting
    }

    /// How many accounts the book has after it.
    pub(crate) fn accounts(&self) -> i64 {
        self.next_account - 1
    }

    /// The accounts a row touched, as they stand after the whole batch.
    pub(crate) fn balances(&self, row: &Row) -> Vec<Balance> {
        let mut seen: Vec<usize> = Vec::with_capacity(row.legs.len() * 2);
        for slot in row.legs.iter().flat_map(|leg| [leg.debit, leg.credit]) {
            if !seen.contains(&slot) {
                seen.push(slot);
            }
        }
        let balance =
            |at: usize| Balance { account: self.slots[at].account.clone(), totals: self.slots[at].totals };
        seen.into_iter().map(balance).collect()
    }

    /// Tries one transfer.
    pub(crate) fn execute(&mut self, transfer: &Transfer) -> Outcome {
        let fingerprint = transfer.fingerprint();
        if let Some(outcome) = self.heard_before(transfer, &fingerprint) {
            return outcome;
        }
        match self.land(transfer, fingerprint) {
            Ok(row) => {
                self.landed.insert(transfer.key.clone(), row);
                Outcome::New(row)
            }
            Err(rejection) => Outcome::Refused(rejection),
        }
    }

    fn heard_before(&self, transfer: &Transfer, fingerprint: &[u8; 32]) -> Option<Outcome> {
        let reused = |first| Outcome::Refused(Rejection::KeyReused { key: transfer.key.clone(), first });
        if let Some(landed) = self.known.keys.get(&transfer.key) {
            let same = landed.fingerprint == *fingerprint;
            return Some(if same { Outcome::Before(landed.id) } else { reused(landed.id) });
        }
        let &at = self.landed.get(&transfer.key)?;
        let row = &self.rows[at];
        Some(if row.fingerprint == *fingerprint { Outcome::Within(at) } else { reused(row.id) })
    }

    fn land(&mut self, transfer: &Transfer, fingerprint: [u8; 32]) -> Result<usize, Rejection> {
        self.admit(transfer)?;
        let (mut legs, hold) = self.hold_legs(transfer)?;
        for posting in self.postings_of(transfer)? {
            legs.push(self.leg(&posting, posting.money.amount, Phase::Post));
        }
        if legs.is_empty() {
            return Err(Rejection::NothingToPost { transfer: transfer.id });
        }
        let after = self.try_legs(transfer.id, &legs)?;
        self.write(&legs, after);
        if let Some(row) = &hold {
            self.remember_hold(transfer, row);
        }
        self.remember(transfer, &legs);
        self.rows.push(Row {
            id: transfer.id,
            event: transfer.event,
            key: transfer.key.clone(),
            fingerprint,
            effective_at: transfer.effective_at.unwrap_or(self.recorded_at),
            first_posting: self.next_posting - legs.len() as i64,
            legs,
            hold,
            reverses: transfer.reverses,
            external: transfer.external.clone(),
        });
        Ok(self.rows.len() - 1)
    }

    /// What can be said without looking at balances.
    fn admit(&self, transfer: &Transfer) -> Result<(), Rejection> {
        let id = transfer.id;
        if transfer.book != self.book {
            return Err(Rejection::WrongBook { transfer: id, book: transfer.book.clone() });
        }
        let part = match &transfer.hold {
            Some(HoldAct::Settle { part, .. }) => Some(*part),
            Some(HoldAct::Open { posting, .. }) => Some(posting.money),
            _ => None,
        };
        let assets = transfer.postings.iter().map(|posting| posting.money.asset);
        let mut assets = assets.chain(part.map(|money| money.asset));
        if let Some(asset) = assets.find(|&asset| asset != self.book.asset()) {
            return Err(Rejection::WrongAsset { transfer: id, book: self.book.clone(), asset });
        }
        let opened = match &transfer.hold {
            Some(HoldAct::Open { posting, .. }) => Some(posting),
            _ => None,
        };
        if let Some(same) =
            transfer.postings.iter().chain(opened).find(|posting| posting.debit == posting.credit)
        {
            return Err(Rejection::SameAccount { transfer: id, account: same.debit.clone() });
        }
        if self.known.ids.contains_key(&id) {
            return Err(Rejection::IdReused { transfer: id });
        }
        match transfer.external.as_ref().and_then(|external| self.known.externals.get_key_value(external)) {
            Some((external, &first)) => Err(Rejection::AlreadyCounted { external: external.clone(), first }),
            None => Ok(()),
        }
    }

    /// What a transfer posts outright: its own postings, or those of its original turned round.
    fn postings_of(&self, transfer: &Transfer) -> Result<Vec<Posting>, Rejection> {
        let Some(of) = transfer.reverses else { return Ok(transfer.postings.clone()) };
        let original = self.known.originals.get(&of).ok_or(Rejection::UnknownTransfer { of })?;
        if let Some(by) = original.reversed_by {
            return Err(Rejection::AlreadyReversed { of, by });
        }
        if original.is_reversal || original.posted.is_empty() {
            return Err(Rejection::NotReversible { of });
        }
        Ok(original.posted.iter().map(Posting::turned).collect())
    }

    fn hold_legs(&mut self, transfer: &Transfer) -> Result<(Vec<Leg>, Option<HoldRow>), Rejection> {
        let now = self.recorded_at;
        let (hold, step) = match &transfer.hold {
            None => return Ok((Vec::new(), None)),
            Some(HoldAct::Open { posting, expires_at }) => {
                let leg = self.leg(posting, posting.money.amount, Phase::Hold);
                let row = HoldRow {
                    hold: transfer.id,
                    debit: leg.debit,
                    credit: leg.credit,
                    was: None,
                    settled: None,
                    voided: None,
                    remaining: Some(leg.amount),
                    verb: Verb::Held,
                    expires_at: expires_at
                        .and_then(|at| DateTime::from_timestamp_micros(at.timestamp_micros())),
                };
                return Ok((vec![leg], Some(row)));
            }
            Some(HoldAct::Settle { hold, part, last }) => {
                let hold = self.held(*hold)?;
                let step = hold.settle(part.amount, *last, now)?;
                (hold, step)
            }
            Some(HoldAct::Void { hold }) => {
                let hold = self.held(*hold)?;
                let step = hold.void()?;
                (hold, step)
            }
            Some(HoldAct::Expire { hold }) => {
                let hold = self.held(*hold)?;
                let step = hold.expire(now)?;
                (hold, step)
            }
        };
        let (debit, credit) = (self.slot(&hold.debit), self.slot(&hold.credit));
        let leg =
            |(amount, phase): (Option<Amount>, Phase)| Some(Leg { debit, credit, amount: amount?, phase });
        let legs =
            [(step.settled, Phase::Settle), (step.voided, Phase::Void)].into_iter().filter_map(leg).collect();
        let Step { was, settled, voided, left, verb } = step;
        let (was, expires_at) = (Some(was), hold.expires_at);
        let row =
            HoldRow { hold: hold.id, debit, credit, was, settled, voided, remaining: left, verb, expires_at };
        Ok((legs, Some(row)))
    }

    fn held(&self, hold: TransferId) -> Result<Hold, Rejection> {
        self.known.holds.get(&hold).cloned().ok_or(Rejection::UnknownHold { hold })
    }

    fn leg(&mut self, posting: &Posting, amount: Amount, phase: Phase) -> Leg {
        Leg { debit: self.slot(&posting.debit), credit: self.slot(&posting.credit), amount, phase }
    }

    fn slot(&mut self, account: &Account) -> usize {
        if let Some(&at) = self.index.get(account) {
            return at;
        }
        let (number, totals) = match self.known.accounts.get(account) {
            Some(&(number, totals)) => (Some(number), totals),
            None => (None, Totals::default()),
        };
        let (account, path) = (account.clone(), account.path());
        self.index.insert(account.clone(), self.slots.len());
        self.slots.push(Slot { account, path, number, totals, lowest: 0, nos: Vec::new() });
        self.slots.len() - 1
    }

    /// The totals of every account the legs touch, if none falls below its floor. Floors are looked at when
    /// all legs are applied, because the postings of a transfer land together.
    fn try_legs(&self, transfer: TransferId, legs: &[Leg]) -> Result<Vec<(usize, Totals)>, Rejection> {
        let mut after: Vec<(usize, Totals)> = Vec::with_capacity(legs.len() * 2);
        for leg in legs {
            for (slot, side) in [(leg.debit, Side::Debit), (leg.credit, Side::Credit)] {
                let at = after.iter().position(|(known, _)| *known == slot).unwrap_or_else(|| {
                    after.push((slot, self.slots[slot].totals));
                    after.len() - 1
                });
                let moved = after[at].1.moved(side, leg.phase, leg.amount);
                let account = || self.slots[slot].account.clone();
                after[at].1 = moved.ok_or_else(|| Rejection::TooLarge { transfer, account: account() })?;
            }
        }
        for (slot, totals) in &after {
            let (account, kind) = (&self.slots[*slot].account, self.slots[*slot].account.kind());
            let available = totals.available(kind.side());
            match kind.floor() {
                Some(floor) if available < floor => {
                    return Err(Rejection::Overdraft {
                        transfer,
                        account: account.clone(),
                        available,
                        floor,
                    });
                }
                _ => {}
            }
        }
        Ok(after)
    }

    /// Numbers the legs and opens accounts that were never touched before.
    fn write(&mut self, legs: &[Leg], after: Vec<(usize, Totals)>) {
        for (at, totals) in after {
            let slot = &mut self.slots[at];
            if slot.number.is_none() {
                slot.number = Some(self.next_account);
                self.next_account += 1;
            }
            let available = totals.available(slot.account.kind().side());
            slot.lowest = if slot.nos.is_empty() { available } else { slot.lowest.min(available) };
            slot.totals = totals;
            // Claimed now, numbered below: an account may be touched by several legs of one transfer.
            for (leg, no) in legs.iter().zip(self.next_posting..) {
                if leg.debit == at || leg.credit == at {
                    slot.nos.push(no);
                }
            }
        }
        self.next_posting += legs.len() as i64;
    }

    fn remember_hold(&mut self, transfer: &Transfer, row: &HoldRow) {
        let account = |slot: usize| self.slots[slot].account.clone();
        let hold = Hold {
            id: row.hold,
            debit: account(row.debit),
            credit: account(row.credit),
            left: row.remaining,
            expires_at: row.expires_at,
            verb: row.verb,
        };
        debug_assert!(row.was.is_some() || row.hold == transfer.id);
        self.known.holds.insert(row.hold, hold);
    }

    /// What later transfers of the batch may refer to.
    fn remember(&mut self, transfer: &Transfer, legs: &[Leg]) {
        if self.known.to_reverse.contains(&transfer.id) {
            let asset = self.book.asset();
            let posted = legs.iter().filter(|leg| leg.phase.posts()).map(|leg| Posting {
                debit: self.slots[leg.debit].account.clone(),
                credit: self.slots[leg.credit].account.clone(),
                money: Money { asset, amount: leg.amount },
            });
            let (posted, is_reversal) = (posted.collect(), transfer.reverses.is_some());
            let original = Original { posted, reversed_by: None, is_reversal };
            self.known.originals.insert(transfer.id, original);
        }
        self.known.ids.insert(transfer.id, transfer.key.clone());
        if let Some(external) = &transfer.external {
            self.known.externals.insert(external.clone(), transfer.id);
        }
        if let Some(original) = transfer.reverses.and_then(|of| self.known.originals.get_mut(&of)) {
            original.reversed_by = Some(transfer.id);
        }
    }

    /// The postings of the batch in order, with their numbers.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (i64, &Row, &Leg)> {
        let legs = self.rows.iter().flat_map(|row| row.legs.iter().map(move |leg| (row, leg)));
        (self.head.next_posting..).zip(legs).map(|(no, (row, leg))| (no, row, leg))
    }
}
