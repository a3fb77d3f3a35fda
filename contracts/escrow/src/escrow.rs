//! What an escrow may be and how it may change: states as an enum with data, transitions as pure functions.
//!
//! Invariant: an escrow owes exactly what was minted for it, less what was burned and what was paid to an
//! account; a state that owes nothing and cannot change absorbs every call. Amounts are stroops of the token.
//! Absent: addresses, storage, tokens and signatures. `A` is the chain's address, which nothing here looks
//! into.

use crate::error::Error;

const DAY_S: u64 = 24 * 60 * 60;

/// The longest term, five years. It is there to refuse an expiry given in milliseconds, which would lock the
/// money for fifty thousand years.
pub(crate) const LONGEST_TERM_S: u64 = 1_826 * DAY_S;

/// The smallest amount of money the token stands for, in stroops (a cent of KES is 100 000).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unit(i64);

impl Unit {
    /// # Errors
    /// `BadUnit` unless positive and within an account's reach.
    pub(crate) fn new(stroops: i128) -> Result<Self, Error> {
        match i64::try_from(stroops) {
            Ok(unit) if unit > 0 => Ok(Self(unit)),
            _ => Err(Error::BadUnit),
        }
    }

    /// Accepts a positive amount of whole units that fits an account's balance (an i64): a release to an
    /// account must never fail for size. It also keeps every sum of two amounts far from overflow.
    fn amount(self, amount: i128) -> Result<i128, Error> {
        if amount == 0 { Err(Error::NotPositive) } else { self.part(amount) }
    }

    /// Accepts what `amount` accepts, and zero.
    fn part(self, amount: i128) -> Result<i128, Error> {
        if amount < 0 {
            return Err(Error::NotPositive);
        }
        let stroops = i64::try_from(amount).map_err(|_| Error::TooLarge)?;
        if stroops % self.0 == 0 { Ok(amount) } else { Err(Error::NotWholeUnits) }
    }
}

/// To whom, and on which way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Payee<A> {
    /// Not assigned yet.
    Nobody,
    /// Paid by mobile money: a release fills the vault.
    Mobile,
    /// Paid in tokens: a release transfers them to this address.
    Account(A),
}

/// Where an escrow is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Waits for deposits; `funded` came so far.
    Open { funded: i128 },
    /// Holds the whole amount.
    Funded,
    /// The work is paid; `vault` waits for the rail to confirm, then burns. The fee is the rest of the
    /// amount.
    Released { to_payee: i128, vault: i128 },
    /// The whole amount belongs to the payer again; `vault` waits for the rail to confirm, then burns.
    Refunded { vault: i128 },
    /// Ended before it was funded; `burned` had come by then.
    Cancelled { burned: i128 },
}

impl State {
    /// The refusal of a call that does not fit this state.
    fn refusal(self) -> Error {
        match self {
            Self::Open { .. } => Error::IsOpen,
            Self::Funded => Error::IsFunded,
            Self::Released { .. } => Error::IsReleased,
            Self::Refunded { .. } => Error::IsRefunded,
            Self::Cancelled { .. } => Error::IsCancelled,
        }
    }
}

/// An escrow's terms and state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Escrow<A> {
    pub(crate) amount: i128,
    /// Unix seconds; from then on anyone may refund a funded escrow.
    pub(crate) expiry: u64,
    pub(crate) payee: Payee<A>,
    pub(crate) state: State,
}

/// Whose signature a refund needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Consent<A> {
    /// The payee gives the money back.
    Payee(A),
    /// Time has passed: nobody's.
    Nobody,
}

impl<A> Escrow<A> {
    pub(crate) fn open(amount: i128, expiry: u64, now: u64, unit: Unit) -> Result<Self, Error> {
        let amount = unit.amount(amount)?;
        if expiry <= now {
            return Err(Error::ExpiryPast);
        }
        if expiry - now > LONGEST_TERM_S {
            return Err(Error::ExpiryTooFar);
        }
        Ok(Self { amount, expiry, payee: Payee::Nobody, state: State::Open { funded: 0 } })
    }

    /// Adds a deposit. Expiry does not refuse it: the money reached the rail already, and refusing to record
    /// it here would not send it back. Whoever asks may refund it at once.
    pub(crate) fn fund(self, amount: i128, unit: Unit) -> Result<Self, Error> {
        let State::Open { funded } = self.state else { return Err(self.state.refusal()) };
        let amount = unit.amount(amount)?;
        if amount > self.amount - funded {
            return Err(Error::Overfunded);
        }
        let funded = funded + amount;
        let state = if funded == self.amount { State::Funded } else { State::Open { funded } };
        Ok(Self { state, ..self })
    }

    /// Names the payee, once.
    pub(crate) fn assign(self, payee: Payee<A>) -> Result<Self, Error> {
        match (self.state, &self.payee) {
            (State::Open { .. } | State::Funded, Payee::Nobody) => Ok(Self { payee, ..self }),
            (State::Open { .. } | State::Funded, _) => Err(Error::AlreadyAssigned),
            (over, _) => Err(over.refusal()),
        }
    }

    /// Pays the work: what the payee gets goes to the account returned, or to the vault; the fee is burned.
    pub(crate) fn release(
        self,
        milestone: u32,
        to_payee: i128,
        fee: i128,
        unit: Unit,
    ) -> Result<(Self, Option<A>), Error>
    where
        A: Clone,
    {
        let State::Funded = self.state else { return Err(self.state.refusal()) };
        let (account, vault) = match &self.payee {
            Payee::Nobody => return Err(Error::NotAssigned),
            Payee::Mobile => (None, to_payee),
            Payee::Account(address) => (Some(address.clone()), 0),
        };
        if milestone != 0 {
            return Err(Error::NoSuchMilestone);
        }
        if unit.amount(to_payee)? + unit.part(fee)? != self.amount {
            return Err(Error::SumMismatch);
        }
        Ok((Self { state: State::Released { to_payee, vault }, ..self }, account))
    }

    /// Gives the whole amount back through the vault, by the payee's own will or after expiry.
    pub(crate) fn refund(self, now: u64) -> Result<(Self, Consent<A>), Error>
    where
        A: Clone,
    {
        let State::Funded = self.state else { return Err(self.state.refusal()) };
        let consent = match &self.payee {
            _ if now >= self.expiry => Consent::Nobody,
            Payee::Account(address) => Consent::Payee(address.clone()),
            Payee::Nobody | Payee::Mobile => return Err(Error::NotExpired),
        };
        Ok((Self { state: State::Refunded { vault: self.amount }, ..self }, consent))
    }

    /// Ends an escrow that is not funded; what came so far is burned.
    pub(crate) fn cancel(self) -> Result<(Self, i128), Error> {
        let State::Open { funded } = self.state else { return Err(self.state.refusal()) };
        Ok((Self { state: State::Cancelled { burned: funded }, ..self }, funded))
    }

    /// Takes from the vault what a rail paid out. `vault_before` makes it a compare-and-set: a call sent
    /// twice finds another vault the second time.
    pub(crate) fn burn(self, amount: i128, vault_before: i128, unit: Unit) -> Result<Self, Error> {
        let (State::Released { vault, .. } | State::Refunded { vault }) = self.state else {
            return Err(self.state.refusal());
        };
        if vault != vault_before {
            return Err(Error::VaultChanged);
        }
        let amount = unit.amount(amount)?;
        if amount > vault {
            return Err(Error::VaultShort);
        }
        let vault = vault - amount;
        let state = match self.state {
            State::Released { to_payee, .. } => State::Released { to_payee, vault },
            _ => State::Refunded { vault },
        };
        Ok(Self { state, ..self })
    }

    /// What was minted for it in all.
    pub(crate) fn funded(&self) -> i128 {
        match self.state {
            State::Open { funded } => funded,
            State::Cancelled { burned } => burned,
            State::Funded | State::Released { .. } | State::Refunded { .. } => self.amount,
        }
    }

    /// What the payee was given, by vault or account.
    pub(crate) fn to_payee(&self) -> i128 {
        if let State::Released { to_payee, .. } = self.state { to_payee } else { 0 }
    }

    /// What the fee was.
    pub(crate) fn fee(&self) -> i128 {
        if let State::Released { to_payee, .. } = self.state { self.amount - to_payee } else { 0 }
    }

    /// What is paid or given back here and still unpaid outside.
    pub(crate) fn vault(&self) -> i128 {
        match self.state {
            State::Released { vault, .. } | State::Refunded { vault } => vault,
            State::Open { .. } | State::Funded | State::Cancelled { .. } => 0,
        }
    }

    /// Nothing can change any more, and nothing is owed.
    pub(crate) fn is_over(&self) -> bool {
        !matches!(self.state, State::Open { .. } | State::Funded) && self.vault() == 0
    }
}
