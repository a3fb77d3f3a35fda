//! What stands on an account: four totals that only the journal moves.
//!
//! Invariant: all four are zero or more; every change is checked.

use serde::{Deserialize, Serialize};

use crate::chart::{Account, Side};
use crate::money::{Amount, decimal};

/// The four totals of an account, minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Totals {
    /// All that was debited.
    pub debits_posted: i64,
    /// All that was credited.
    pub credits_posted: i64,
    /// Debits held and neither settled nor freed.
    pub debits_pending: i64,
    /// Credits held and neither settled nor freed.
    pub credits_pending: i64,
}

/// How a posting moves the totals of its two accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// posted += amount
    Post,
    /// pending += amount
    Hold,
    /// pending −= amount, posted += amount
    Settle,
    /// pending −= amount
    Void,
}

impl Phase {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Phase::Post => "post",
            Phase::Hold => "hold",
            Phase::Settle => "settle",
            Phase::Void => "void",
        }
    }

    /// The letter in the journal.
    pub(crate) const fn letter(self) -> u8 {
        match self {
            Phase::Post => b'p',
            Phase::Hold => b'h',
            Phase::Settle => b's',
            Phase::Void => b'v',
        }
    }

    pub(crate) fn of_letter(letter: u8) -> Option<Self> {
        let all = [Phase::Post, Phase::Hold, Phase::Settle, Phase::Void];
        all.into_iter().find(|phase| phase.letter() == letter)
    }

    /// Whether it moves what is posted.
    pub(crate) const fn posts(self) -> bool {
        matches!(self, Phase::Post | Phase::Settle)
    }
}

impl Totals {
    /// What stands on the normal side, held money not counted as gone. May be negative where there is no
    /// floor.
    #[must_use]
    pub const fn posted(&self, side: Side) -> i64 {
        match side {
            Side::Debit => self.debits_posted - self.credits_posted,
            Side::Credit => self.credits_posted - self.debits_posted,
        }
    }

    /// What is held against the normal side.
    #[must_use]
    pub const fn held(&self, side: Side) -> i64 {
        match side {
            Side::Debit => self.credits_pending,
            Side::Credit => self.debits_pending,
        }
    }

    /// What can be spent: posted less held. Money held *for* the account does not count.
    #[must_use]
    pub const fn available(&self, side: Side) -> i64 {
        self.posted(side) - self.held(side)
    }

    /// The totals after one side of a posting, or `None` if one would pass `i64::MAX` or fall below zero.
    pub(crate) fn moved(mut self, side: Side, phase: Phase, amount: Amount) -> Option<Self> {
        let (posted, pending) = match side {
            Side::Debit => (&mut self.debits_posted, &mut self.debits_pending),
            Side::Credit => (&mut self.credits_posted, &mut self.credits_pending),
        };
        if phase.posts() {
            *posted = posted.checked_add(amount.minor())?;
        }
        match phase {
            Phase::Post => {}
            Phase::Hold => *pending = pending.checked_add(amount.minor())?,
            Phase::Settle | Phase::Void => *pending = pending.checked_sub(amount.minor())?,
        }
        // Posted and held together must fit as well, as the floor's check adds them up.
        let fits = posted.checked_add(*pending).is_some() && *pending >= 0;
        fits.then_some(self)
    }
}

/// An account and what stands on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// The account.
    pub account: Account,
    /// Its totals; zero for an account nothing ever touched.
    pub totals: Totals,
}

impl Balance {
    /// The side on which the account grows.
    #[must_use]
    pub fn side(&self) -> Side {
        self.account.kind().side()
    }

    /// What stands on its normal side, minor units.
    #[must_use]
    pub fn posted(&self) -> i64 {
        self.totals.posted(self.side())
    }

    /// What is held against it, minor units.
    #[must_use]
    pub fn held(&self) -> i64 {
        self.totals.held(self.side())
    }

    /// What can be spent, minor units.
    #[must_use]
    pub fn available(&self) -> i64 {
        self.totals.available(self.side())
    }

    /// What stands on its normal side as a decimal text in an asset.
    #[must_use]
    pub fn decimal(&self, asset: crate::money::Asset) -> String {
        decimal(asset, self.posted())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn held_money_is_gone_for_the_giver_and_not_there_for_the_taker() {
        let amount = |minor| Amount::new(minor).unwrap();
        let giver = Totals::default().moved(Side::Credit, Phase::Post, amount(100)).unwrap();
        let giver = giver.moved(Side::Debit, Phase::Hold, amount(30)).unwrap();
        assert_eq!((giver.posted(Side::Credit), giver.available(Side::Credit)), (100, 70));
        let taker = Totals::default().moved(Side::Credit, Phase::Hold, amount(30)).unwrap();
        assert_eq!((taker.posted(Side::Credit), taker.available(Side::Credit)), (0, 0));
        let giver = giver.moved(Side::Debit, Phase::Settle, amount(20)).unwrap();
        let giver = giver.moved(Side::Debit, Phase::Void, amount(10)).unwrap();
        assert_eq!((giver.posted(Side::Credit), giver.held(Side::Credit)), (80, 0));
    }

    #[test]
    fn nothing_wraps() {
        let most = Amount::new(i64::MAX).unwrap();
        let one = Amount::new(1).unwrap();
        let full = Totals::default().moved(Side::Debit, Phase::Post, most).unwrap();
        assert_eq!(full.moved(Side::Debit, Phase::Post, one), None);
        assert_eq!(full.moved(Side::Debit, Phase::Hold, one), None);
        assert_eq!(Totals::default().moved(Side::Debit, Phase::Void, one), None);
    }
}
