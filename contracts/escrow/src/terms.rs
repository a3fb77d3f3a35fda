//! What is agreed at creation and never changes: amounts, the fee's cap, the clocks, the default.
//!
//! Invariant: every amount is a whole number of the token's units and fits an account's balance, and so does
//! their sum; the payee's clock rings before the payer's. A release clock may be turned off, nothing else.

use crate::error::Error;

const DAY_S: u64 = 24 * 60 * 60;

/// The longest term, five years. It is there to refuse an expiry given in milliseconds, which would lock the
/// money for fifty thousand years.
pub(crate) const LONGEST_TERM_S: u64 = 1_826 * DAY_S;
/// A dispute is frozen for at least a day, so that an arbiter can be heard, and for at most a year.
pub(crate) const DISPUTE_DAYS: [u32; 2] = [1, 365];
/// As many bits as are looked at, and a bound on what one entry costs.
pub(crate) const MOST_MILESTONES: u32 = 16;

/// The smallest amount of money a token stands for, in stroops (a cent of KES is 100 000).
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

    /// One that was checked before it was stored.
    pub(crate) fn stored(stroops: i128) -> Self {
        Self(stroops as i64)
    }

    /// Accepts a positive amount of whole units that fits an account's balance (an i64): a release to an
    /// account must never fail for size.
    pub(crate) fn amount(self, amount: i128) -> Result<i64, Error> {
        if amount == 0 { Err(Error::NotPositive) } else { self.part(amount) }
    }

    /// Accepts what `amount` accepts, and zero.
    pub(crate) fn part(self, amount: i128) -> Result<i64, Error> {
        if amount < 0 {
            return Err(Error::NotPositive);
        }
        let stroops = i64::try_from(amount).map_err(|_| Error::TooLarge)?;
        if stroops % self.0 == 0 { Ok(stroops) } else { Err(Error::NotWholeUnits) }
    }
}

/// The terms of an escrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// The sum of the milestones.
    pub(crate) amount: i64,
    /// The most the house may take in all, and what it takes when the payee's clock rings.
    pub(crate) fee_cap: i64,
    /// What the payee shall have got in all, if a dispute is decided by nobody.
    pub(crate) default_to_payee: i64,
    /// Unix seconds; from then on anyone may refund a funded escrow and cancel an open one.
    pub(crate) expiry: u64,
    /// Unix seconds; from then on anyone may release. Zero: never.
    pub(crate) release_at: u64,
    /// How long a dispute is frozen at most, in seconds.
    pub(crate) dispute_s: u32,
}

impl Terms {
    /// # Errors
    /// Why they are refused; amounts were checked one by one before.
    pub(crate) fn check(self, now: u64) -> Result<Self, Error> {
        if self.fee_cap > self.amount || self.default_to_payee > self.amount {
            return Err(Error::OverAmount);
        }
        if self.expiry <= now {
            return Err(Error::ExpiryPast);
        }
        if self.expiry - now > LONGEST_TERM_S {
            return Err(Error::ExpiryTooFar);
        }
        if self.release_at != 0 && !(now < self.release_at && self.release_at < self.expiry) {
            return Err(Error::BadClock);
        }
        let [least, most] = DISPUTE_DAYS.map(|days| u64::from(days) * DAY_S);
        if !(least..=most).contains(&u64::from(self.dispute_s)) {
            return Err(Error::BadWindow);
        }
        Ok(self)
    }

    pub(crate) fn release_is_due(&self, now: u64) -> bool {
        self.release_at != 0 && now >= self.release_at
    }

    /// Either clock has rung.
    pub(crate) fn has_rung(&self, now: u64) -> bool {
        now >= self.expiry || self.release_is_due(now)
    }
}
