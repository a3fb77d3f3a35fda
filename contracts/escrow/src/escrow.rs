//! What an escrow may be and how it may change: states as an enum with data, transitions as pure functions.
//!
//! Invariant: an escrow owes exactly what came for it, less what was burned, paid to an account, or taken as
//! fee; a state that owes nothing and cannot change absorbs every call. Amounts are stroops of the token.
//! Absent: addresses, storage, tokens and signatures. `A` is the chain's address, which nothing here looks
//! into.

use crate::error::Error;
use crate::terms::{Terms, Unit};

/// To whom, and on which way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Payee<A> {
    /// Not assigned yet.
    Nobody,
    /// Paid by mobile money: what is theirs fills the vault.
    Mobile,
    /// Paid in tokens: what is theirs is due to this address.
    Account(A),
}

/// Where the money comes from, and so where it goes back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Deposits on a rail, minted: the payer's part goes back through the vault, fees are burned.
    Deposits,
    /// The payer's own tokens: their part goes back to their address, fees are kept for the recipient.
    Own,
}

/// Where an escrow is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Waits for money; `funded` came so far.
    Open { funded: i64 },
    /// Holds what is not released yet.
    Funded,
    /// Frozen until the arbiter decides, or until this time, from when on the default stands.
    Disputed { until: u64 },
    /// All the work is paid.
    Released,
    /// What was not released belongs to the payer again.
    Refunded,
    /// What was not released was parted, by the arbiter or by default; `until` was the deadline.
    Resolved { until: u64 },
    /// Ended before it was funded; `burned` had come by then.
    Cancelled { burned: i64 },
}

impl State {
    /// The refusal of a call that does not fit this state.
    fn refusal(self) -> Error {
        match self {
            Self::Open { .. } => Error::IsOpen,
            Self::Funded => Error::IsFunded,
            Self::Disputed { .. } => Error::IsDisputed,
            Self::Released => Error::IsReleased,
            Self::Refunded => Error::IsRefunded,
            Self::Resolved { .. } => Error::IsResolved,
            Self::Cancelled { .. } => Error::IsCancelled,
        }
    }
}

/// What was given so far, and what of it waits here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Given {
    /// Milestones the payer released, a bit each.
    pub(crate) milestones: u32,
    pub(crate) to_payee: i64,
    pub(crate) fee: i64,
    /// Waits for a rail to confirm, then burns.
    pub(crate) vault: i64,
    pub(crate) due: Due,
}

/// What is to be transferred to accounts: at once, or when they can take it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) payee: i64,
    pub(crate) payer: i64,
}

/// What one call gave to whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moved {
    pub(crate) to_payee: i64,
    pub(crate) to_payer: i64,
    pub(crate) fee: i64,
}

/// An escrow's terms and state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Escrow<A> {
    pub(crate) terms: Terms,
    pub(crate) source: Source,
    pub(crate) payee: Payee<A>,
    pub(crate) state: State,
    pub(crate) given: Given,
    /// By the call that is under way.
    pub(crate) moved: Moved,
}

impl<A: Clone> Escrow<A> {
    /// Adds a deposit. Expiry does not refuse it: the money reached the rail already, and refusing to record
    /// it here would not send it back. Whoever asks may refund it at once.
    pub(crate) fn fund(&mut self, amount: i128, unit: Unit, now: u64) -> Result<i64, Error> {
        if self.source != Source::Deposits {
            return Err(Error::NotDelegated);
        }
        let State::Open { funded } = self.state else { return Err(self.state.refusal()) };
        let amount = unit.amount(amount)?;
        if amount > self.terms.amount - funded {
            return Err(Error::Overfunded);
        }
        let funded = funded + amount;
        self.state = if funded == self.terms.amount { State::Funded } else { State::Open { funded } };
        self.disarm(now);
        Ok(amount)
    }

    /// Takes the payer's own tokens, exactly the whole amount, before any clock has rung.
    pub(crate) fn pay_in(&mut self, amount: i128, now: u64) -> Result<i64, Error> {
        let State::Open { .. } = self.state else { return Err(self.state.refusal()) };
        if self.source != Source::Own {
            return Err(Error::FundedByDeposits);
        }
        if amount != i128::from(self.terms.amount) {
            return Err(Error::SumMismatch);
        }
        if self.terms.has_rung(now) {
            return Err(Error::TooLate);
        }
        self.state = State::Funded;
        Ok(self.terms.amount)
    }

    /// Names the payee, once. Own tokens never reach a vault, so their payee must have an address.
    pub(crate) fn assign(&mut self, payee: Payee<A>, now: u64) -> Result<(), Error> {
        let (State::Open { .. } | State::Funded) = self.state else { return Err(self.state.refusal()) };
        match self.payee {
            Payee::Nobody if self.source == Source::Own && matches!(payee, Payee::Mobile) => {
                return Err(Error::AddressNeeded);
            }
            Payee::Nobody => self.payee = payee,
            Payee::Mobile | Payee::Account(_) => return Err(Error::AlreadyAssigned),
        }
        self.disarm(now);
        Ok(())
    }

    /// A release clock that rings before both the money and the payee are there is off: nobody shall be paid
    /// in the moment they are named.
    fn disarm(&mut self, now: u64) {
        if self.terms.release_is_due(now) {
            self.terms.release_at = 0;
        }
    }

    /// Pays one milestone, which is worth `worth`; there is none if that is nothing.
    pub(crate) fn release(
        &mut self,
        (milestone, worth): (u32, Option<i64>),
        to_payee: i128,
        fee: i128,
        unit: Unit,
    ) -> Result<(), Error> {
        let State::Funded = self.state else { return Err(self.state.refusal()) };
        if matches!(self.payee, Payee::Nobody) {
            return Err(Error::NotAssigned);
        }
        let worth = worth.ok_or(Error::NoSuchMilestone)?;
        if self.given.milestones & 1 << milestone != 0 {
            return Err(Error::MilestoneReleased);
        }
        let (to_payee, fee) = (unit.amount(to_payee)?, unit.part(fee)?);
        if to_payee.checked_add(fee) != Some(worth) {
            return Err(Error::SumMismatch);
        }
        if fee > self.terms.fee_cap - self.given.fee {
            return Err(Error::OverAmount);
        }
        self.given.milestones |= 1 << milestone;
        self.pay(to_payee, fee);
        if self.left() == 0 {
            self.state = State::Released;
        }
        Ok(())
    }

    /// Pays all that is left because the payee's clock has rung, with the fee as far as it was not taken yet.
    pub(crate) fn auto_release(&mut self, now: u64) -> Result<(), Error> {
        let State::Funded = self.state else { return Err(self.state.refusal()) };
        if matches!(self.payee, Payee::Nobody) {
            return Err(Error::NotAssigned);
        }
        if !self.terms.release_is_due(now) {
            return Err(Error::TooEarly);
        }
        let left = self.left();
        let fee = left.min(self.terms.fee_cap - self.given.fee);
        self.pay(left - fee, fee);
        self.state = State::Released;
        Ok(())
    }

    /// Gives all that is left back, because the payer's clock has rung first; else by the payee's own will,
    /// whose signature it then needs.
    pub(crate) fn refund(&mut self, now: u64) -> Result<Option<A>, Error> {
        let State::Funded = self.state else { return Err(self.state.refusal()) };
        let earned = self.terms.release_is_due(now) && !matches!(self.payee, Payee::Nobody);
        let consent = match &self.payee {
            _ if now >= self.terms.expiry && !earned => None,
            Payee::Account(address) => Some(address.clone()),
            Payee::Mobile if earned => return Err(Error::ReleaseDue),
            Payee::Nobody | Payee::Mobile => return Err(Error::NotExpired),
        };
        self.give_back(self.left());
        self.state = State::Refunded;
        Ok(consent)
    }

    /// Ends an escrow that is not funded; what came so far is burned.
    pub(crate) fn cancel(&mut self) -> Result<i64, Error> {
        let State::Open { funded } = self.state else { return Err(self.state.refusal()) };
        self.state = State::Cancelled { burned: funded };
        self.moved.to_payer = funded;
        Ok(funded)
    }

    /// Freezes a funded escrow, before a clock has rung, and stops the clocks for good.
    pub(crate) fn dispute(&mut self, now: u64) -> Result<(), Error> {
        let State::Funded = self.state else { return Err(self.state.refusal()) };
        if matches!(self.payee, Payee::Nobody) {
            return Err(Error::NotAssigned);
        }
        if self.terms.has_rung(now) {
            return Err(Error::TooLate);
        }
        let until = now + u64::from(self.terms.dispute_s);
        self.state = State::Disputed { until };
        Ok(())
    }

    /// Parts what is left as the arbiter says, before the dispute's deadline. Nobody takes a fee of it.
    pub(crate) fn resolve(&mut self, to_payee: i128, unit: Unit, now: u64) -> Result<(), Error> {
        let State::Disputed { until } = self.state else { return Err(self.state.refusal()) };
        if now >= until {
            return Err(Error::TooLate);
        }
        let to_payee = unit.part(to_payee)?;
        if to_payee > self.left() {
            return Err(Error::SumMismatch);
        }
        self.part(to_payee, until);
        Ok(())
    }

    /// Parts what is left by the terms' default, after the deadline: the payee shall have got the default in
    /// all, what was released before included.
    pub(crate) fn resolve_timeout(&mut self, now: u64) -> Result<(), Error> {
        let State::Disputed { until } = self.state else { return Err(self.state.refusal()) };
        if now < until {
            return Err(Error::TooEarly);
        }
        let before = self.given.to_payee + self.given.fee;
        let to_payee = (self.terms.default_to_payee - before).max(0).min(self.left());
        self.part(to_payee, until);
        Ok(())
    }

    /// Takes from the vault what a rail paid out. `vault_before` makes it a compare-and-set: a call sent
    /// twice finds another vault the second time.
    pub(crate) fn burn(&mut self, amount: i128, vault_before: i128, unit: Unit) -> Result<i64, Error> {
        if let State::Open { .. } | State::Cancelled { .. } = self.state {
            return Err(self.state.refusal());
        }
        if i128::from(self.given.vault) != vault_before {
            return Err(Error::VaultChanged);
        }
        let amount = unit.amount(amount)?;
        if amount > self.given.vault {
            return Err(Error::VaultShort);
        }
        self.given.vault -= amount;
        Ok(amount)
    }

    /// Takes what is due to accounts, to transfer it.
    pub(crate) fn take_due(&mut self) -> Due {
        core::mem::take(&mut self.given.due)
    }

    fn part(&mut self, to_payee: i64, until: u64) {
        let to_payer = self.left() - to_payee;
        self.pay(to_payee, 0);
        self.give_back(to_payer);
        self.state = State::Resolved { until };
    }

    fn pay(&mut self, to_payee: i64, fee: i64) {
        self.moved.to_payee = to_payee;
        self.moved.fee = fee;
        self.given.to_payee += to_payee;
        self.given.fee += fee;
        match self.payee {
            Payee::Account(_) => self.given.due.payee += to_payee,
            Payee::Nobody | Payee::Mobile => self.given.vault += to_payee,
        }
    }

    fn give_back(&mut self, to_payer: i64) {
        self.moved.to_payer = to_payer;
        match self.source {
            Source::Deposits => self.given.vault += to_payer,
            Source::Own => self.given.due.payer += to_payer,
        }
    }
}

impl<A> Escrow<A> {
    /// What came for it in all.
    pub(crate) fn funded(&self) -> i64 {
        match self.state {
            State::Open { funded } => funded,
            State::Cancelled { burned } => burned,
            _ => self.terms.amount,
        }
    }

    /// What is neither released nor given back.
    pub(crate) fn left(&self) -> i64 {
        match self.state {
            State::Funded | State::Disputed { .. } => self.unpaid(),
            _ => 0,
        }
    }

    /// The dispute's deadline; zero if there was none.
    pub(crate) fn dispute_until(&self) -> u64 {
        if let State::Disputed { until } | State::Resolved { until } = self.state { until } else { 0 }
    }

    fn unpaid(&self) -> i64 {
        self.terms.amount - self.given.to_payee - self.given.fee
    }

    /// Nothing can change any more, and nothing is owed.
    pub(crate) fn is_over(&self) -> bool {
        let ended = !matches!(self.state, State::Open { .. } | State::Funded | State::Disputed { .. });
        ended && self.given.vault == 0 && self.given.due == Due::default()
    }
}
