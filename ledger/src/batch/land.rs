//! One transfer: admitted, made legs of, tried against floors and limits, written down.

use chrono::DateTime;

use super::{Batch, HoldRow, Leg, Original, Phase, Row, Slot, Totals};
use crate::chart::{Account, Side};
use crate::hold::{Hold, Step, Verb};
use crate::id::TransferId;
use crate::money::Money;
use crate::transfer::{HoldAct, Posting, Rejection, Transfer};

impl Batch {
    /// Lands a transfer that was not heard before; the place of its row.
    pub(super) fn land(&mut self, transfer: &Transfer, fingerprint: [u8; 16]) -> Result<usize, Rejection> {
        self.admit(transfer)?;
        let first = self.legs.len();
        let tried = self.legs_for(transfer).and_then(|hold| self.try_legs(transfer.id, first).map(|()| hold));
        let hold = match tried {
            Ok(hold) => hold,
            Err(rejection) => {
                self.legs.truncate(first);
                return Err(rejection);
            }
        };
        let first_posting = self.next_posting;
        self.write(first);
        if let Some(row) = &hold {
            self.remember_hold(row);
        }
        self.remember(transfer, first);
        self.rows.push(Row {
            id: transfer.id,
            event: transfer.event,
            key: transfer.key.clone(),
            fingerprint,
            effective_at: transfer.effective_at.unwrap_or(self.recorded_at),
            first_posting,
            legs: self.legs.len() - first,
            hold,
            reverses: transfer.reverses,
            external: transfer.external.clone(),
            link: self.link,
            metadata: transfer.metadata.clone(),
        });
        Ok(self.rows.len() - 1)
    }

    /// What can be said without looking at balances.
    fn admit(&self, transfer: &Transfer) -> Result<(), Rejection> {
        let id = transfer.id;
        if transfer.book != self.book {
            return Err(Rejection::WrongBook { transfer: id, book: transfer.book.clone() });
        }
        let (part, opened) = match &transfer.hold {
            Some(HoldAct::Settle { part, .. }) => (Some(part.asset), None),
            Some(HoldAct::Open { posting, .. }) => (Some(posting.money.asset), Some(posting)),
            _ => (None, None),
        };
        let own = self.book.asset();
        let mut assets = transfer.postings.iter().map(|posting| posting.money.asset).chain(part);
        if let Some(asset) = assets.find(|&asset| asset != own) {
            return Err(Rejection::WrongAsset { transfer: id, book: self.book.clone(), asset });
        }
        let mut postings = transfer.postings.iter().chain(opened);
        if let Some(same) = postings.find(|posting| posting.debit == posting.credit) {
            return Err(Rejection::SameAccount { transfer: id, account: same.debit.clone() });
        }
        if self.known.ids.contains_key(&id) || self.landed.contains_key(&id) {
            return Err(Rejection::IdReused { transfer: id });
        }
        if let Some(closed_before) = self.head.closed_before
            && transfer.effective_at.is_some_and(|at| at < closed_before)
        {
            return Err(Rejection::PeriodClosed { closed_before });
        }
        match transfer.external.as_ref().and_then(|external| self.known.externals.get_key_value(external)) {
            Some((external, &first)) => Err(Rejection::AlreadyCounted { external: external.clone(), first }),
            None => Ok(()),
        }
    }

    /// Adds the legs of a transfer: of its hold, then what it posts outright, its own postings or those of
    /// its original turned round.
    fn legs_for(&mut self, transfer: &Transfer) -> Result<Option<HoldRow>, Rejection> {
        let first = self.legs.len();
        let hold = self.hold_legs(transfer)?;
        match transfer.reverses {
            None => transfer.postings.iter().for_each(|posting| self.leg(posting, Phase::Post)),
            Some(of) => {
                let posted = self.original(of)?.posted.clone();
                posted.iter().for_each(|posting| self.leg(&posting.turned(), Phase::Post));
            }
        }
        if self.legs.len() == first {
            return Err(Rejection::NothingToPost { transfer: transfer.id });
        }
        Ok(hold)
    }

    fn original(&self, of: TransferId) -> Result<&Original, Rejection> {
        let original = self.known.originals.get(&of).ok_or(Rejection::UnknownTransfer { of })?;
        match original.reversed_by {
            Some(by) => Err(Rejection::AlreadyReversed { of, by }),
            None if original.is_reversal || original.posted.is_empty() => {
                Err(Rejection::NotReversible { of })
            }
            None => Ok(original),
        }
    }

    fn hold_legs(&mut self, transfer: &Transfer) -> Result<Option<HoldRow>, Rejection> {
        let now = self.recorded_at;
        let (hold, step) = match &transfer.hold {
            None => return Ok(None),
            Some(HoldAct::Open { posting, expires_at }) => {
                self.leg(posting, Phase::Hold);
                let micros = expires_at.and_then(|at| DateTime::from_timestamp_micros(at.timestamp_micros()));
                let row = HoldRow {
                    hold: transfer.id,
                    debit: self.slot(&posting.debit),
                    credit: self.slot(&posting.credit),
                    was: None,
                    settled: None,
                    voided: None,
                    remaining: Some(posting.money.amount),
                    verb: Verb::Held,
                    expires_at: micros,
                };
                return Ok(Some(row));
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
        let Step { was, settled, voided, left, verb } = step;
        for (amount, phase) in [(settled, Phase::Settle), (voided, Phase::Void)] {
            self.legs.extend(amount.map(|amount| Leg { debit, credit, amount, phase }));
        }
        let (was, expires_at) = (Some(was), hold.expires_at);
        let row =
            HoldRow { hold: hold.id, debit, credit, was, settled, voided, remaining: left, verb, expires_at };
        Ok(Some(row))
    }

    fn held(&self, hold: TransferId) -> Result<Hold, Rejection> {
        self.known.holds.get(&hold).cloned().ok_or(Rejection::UnknownHold { hold })
    }

    fn leg(&mut self, posting: &Posting, phase: Phase) {
        let (debit, credit) = (self.slot(&posting.debit), self.slot(&posting.credit));
        self.legs.push(Leg { debit, credit, amount: posting.money.amount, phase });
    }

    pub(super) fn slot(&mut self, account: &Account) -> usize {
        if let Some(&at) = self.index.get(account) {
            return at;
        }
        let (account, opened) = match self.known.accounts.remove_entry(account) {
            Some((account, opened)) => (account, Some(opened)),
            None => (account.clone(), None),
        };
        let number = opened.as_ref().map(|opened| opened.number);
        let opened = opened.unwrap_or_default();
        let own = opened.limit.as_ref().and_then(|limit| limit.limit.floor);
        self.index.insert(account.clone(), self.slots.len());
        self.slots.push(Slot {
            floor: own.or(account.kind().floor()),
            account,
            number,
            totals: opened.totals,
            prev: opened.batch,
            limit: opened.limit,
            touched: false,
            lowest: 0,
            nos: Vec::new(),
        });
        self.slots.len() - 1
    }

    /// Computes the totals of every account the legs touch, if none falls below its floor or passes a limit.
    /// That is looked at when all legs are applied, because the postings of a transfer land together.
    fn try_legs(&mut self, transfer: TransferId, first: usize) -> Result<(), Rejection> {
        self.after.clear();
        for leg in &self.legs[first..] {
            for (slot, side) in [(leg.debit, Side::Debit), (leg.credit, Side::Credit)] {
                let at = self.after.iter().position(|(known, _)| *known == slot).unwrap_or_else(|| {
                    self.after.push((slot, self.slots[slot].totals));
                    self.after.len() - 1
                });
                let moved = self.after[at].1.moved(side, leg.phase, leg.amount);
                let account = || self.slots[slot].account.clone();
                self.after[at].1 =
                    moved.ok_or_else(|| Rejection::TooLarge { transfer, account: account() })?;
            }
        }
        self.after.iter().try_for_each(|(slot, totals)| self.slots[*slot].bears(transfer, totals))
    }

    /// Numbers the legs and opens accounts that were never touched before.
    fn write(&mut self, first: usize) {
        for (at, totals) in self.after.drain(..) {
            let slot = &mut self.slots[at];
            if let Some(undo) = &mut self.undo {
                undo.slot(at, slot);
            }
            if slot.number.is_none() {
                slot.number = Some(self.next_account);
                self.next_account += 1;
            }
            let available = totals.available(slot.account.kind().side());
            slot.lowest = if slot.touched { slot.lowest.min(available) } else { available };
            slot.touched = true;
            slot.totals = totals;
            // Claimed now, numbered below: an account may be touched by several legs of one transfer.
            for (leg, no) in self.legs[first..].iter().zip(self.next_posting..) {
                if leg.debit == at || leg.credit == at {
                    slot.nos.push(no);
                }
            }
        }
        self.next_posting += (self.legs.len() - first) as i64;
    }

    fn remember_hold(&mut self, row: &HoldRow) {
        let account = |slot: usize| self.slots[slot].account.clone();
        let hold = Hold {
            id: row.hold,
            debit: account(row.debit),
            credit: account(row.credit),
            left: row.remaining,
            expires_at: row.expires_at,
            verb: row.verb,
        };
        let before = self.known.holds.insert(row.hold, hold);
        if let Some(undo) = &mut self.undo {
            undo.hold(row.hold, before);
        }
    }

    /// What later transfers of the batch may refer to; taken back by [`Self::forget`].
    fn remember(&mut self, transfer: &Transfer, first: usize) {
        if self.known.to_reverse.contains(&transfer.id) {
            let posted = self.legs[first..].iter().filter(|leg| leg.phase.posts());
            let (posted, is_reversal) =
                (posted.map(|leg| self.posting(leg)).collect(), transfer.reverses.is_some());
            let original = Original { posted, reversed_by: None, is_reversal };
            self.known.originals.insert(transfer.id, original);
        }
        let at = self.rows.len();
        self.landed.insert(transfer.id, at);
        if let Some(key) = &transfer.key {
            self.landed_keys.insert(key.clone(), at);
        }
        if let Some(external) = &transfer.external {
            self.known.externals.insert(external.clone(), transfer.id);
        }
        if let Some(original) = transfer.reverses.and_then(|of| self.known.originals.get_mut(&of)) {
            original.reversed_by = Some(transfer.id);
        }
    }

    /// As if the row had never landed: the other way round of [`Self::remember`].
    pub(super) fn forget(&mut self, row: &Row) {
        self.known.originals.remove(&row.id);
        self.landed.remove(&row.id);
        if let Some(key) = &row.key {
            self.landed_keys.remove(key);
        }
        if let Some(external) = &row.external {
            self.known.externals.remove(external);
        }
        if let Some(original) = row.reverses.and_then(|of| self.known.originals.get_mut(&of)) {
            original.reversed_by = None;
        }
    }

    fn posting(&self, leg: &Leg) -> Posting {
        let account = |slot: usize| self.slots[slot].account.clone();
        let money = Money { asset: self.book.asset(), amount: leg.amount };
        Posting { debit: account(leg.debit), credit: account(leg.credit), money }
    }
}

impl Slot {
    /// Whether the account may stand like this after a transfer.
    fn bears(&self, transfer: TransferId, after: &Totals) -> Result<(), Rejection> {
        let account = || self.account.clone();
        let available = after.available(self.account.kind().side());
        if let Some(floor) = self.floor.filter(|&floor| available < floor) {
            return Err(Rejection::Overdraft { transfer, account: account(), available, floor });
        }
        match self.limit.as_ref().and_then(|limit| limit.passed(&self.totals, after)) {
            Some(passed) => Err(Rejection::LimitExceeded {
                transfer,
                account: account(),
                limit: passed.limit,
                used: passed.used,
                asked: passed.asked,
            }),
            None => Ok(()),
        }
    }
}
