//! Money set aside: held, then settled, voided or expired. Pure.
//!
//! Invariant: what is left of a hold only shrinks, and a hold with nothing left answers nothing but a
//! refusal. Absent: any arrow from silence. A hold ends when somebody says so; the clock alone only makes
//! it due.

use chrono::{DateTime, Utc};

use crate::chart::Account;
use crate::id::TransferId;
use crate::money::Amount;
use crate::transfer::Rejection;

/// The word of the last thing that happened to a hold, as it stands in `ledger.hold`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Held,
    Settled,
    Voided,
    Expired,
}

impl Verb {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Verb::Held => "held",
            Verb::Settled => "settled",
            Verb::Voided => "voided",
            Verb::Expired => "expired",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Verb::Held, Verb::Settled, Verb::Voided, Verb::Expired].into_iter().find(|verb| verb.word() == word)
    }
}

/// A hold as it stands now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) id: TransferId,
    pub(crate) debit: Account,
    pub(crate) credit: Account,
    /// What is still set aside; `None` when the hold is closed.
    pub(crate) left: Option<Amount>,
    pub(crate) expires_at: Option<DateTime<Utc>>,
    pub(crate) verb: Verb,
}

/// One step of a hold: how much of what was left is posted, and how much is freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) was: Amount,
    pub(crate) settled: Option<Amount>,
    pub(crate) voided: Option<Amount>,
    pub(crate) left: Option<Amount>,
    pub(crate) verb: Verb,
}

impl Hold {
    /// Posts a part, or all that is left. After the `last` part the rest is freed.
    pub(crate) fn settle(&self, settled: Amount, last: bool, now: DateTime<Utc>) -> Result<Step, Rejection> {
        let was = self.open_at(now)?;
        if settled > was {
            return Err(Rejection::HoldExceeded { hold: self.id, left: was, asked: settled });
        }
        let rest = was.checked_sub(settled);
        let (voided, left) = if last { (rest, None) } else { (None, rest) };
        Ok(Step { was, settled: Some(settled), voided, left, verb: Verb::Settled })
    }

    /// Frees what is left.
    pub(crate) fn void(&self) -> Result<Step, Rejection> {
        let was = self.open()?;
        Ok(Step { was, settled: None, voided: Some(was), left: None, verb: Verb::Voided })
    }

    /// Frees what is left, if the hold's time is over.
    pub(crate) fn expire(&self, now: DateTime<Utc>) -> Result<Step, Rejection> {
        let was = self.open()?;
        match self.expires_at {
            Some(due) if due <= now => {
                Ok(Step { was, settled: None, voided: Some(was), left: None, verb: Verb::Expired })
            }
            _ => Err(Rejection::HoldNotDue { hold: self.id }),
        }
    }

    fn open(&self) -> Result<Amount, Rejection> {
        self.left.ok_or(Rejection::HoldClosed { hold: self.id, state: self.verb.word() })
    }

    fn open_at(&self, now: DateTime<Utc>) -> Result<Amount, Rejection> {
        let left = self.open()?;
        match self.expires_at {
            Some(expires_at) if expires_at <= now => Err(Rejection::HoldDue { hold: self.id, expires_at }),
            _ => Ok(left),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    fn hold(left: i64, expires_at: Option<i64>) -> Hold {
        Hold {
            id: TransferId(Uuid::from_u128(1)),
            debit: Account::Capital,
            credit: Account::FeeIncome,
            left: Amount::new(left).ok(),
            expires_at: expires_at.map(at),
            verb: Verb::Held,
        }
    }

    fn after(hold: &Hold, step: &Step) -> Hold {
        Hold { left: step.left, verb: step.verb, ..hold.clone() }
    }

    fn part(minor: i64) -> Amount {
        Amount::new(minor).unwrap()
    }

    fn amounts(step: Step) -> (i64, i64, i64) {
        let minor = |amount: Option<Amount>| amount.map_or(0, Amount::minor);
        (minor(step.settled), minor(step.voided), minor(step.left))
    }

    #[test]
    fn parts_then_the_last_part_then_nothing() {
        let held = hold(100, None);
        let first = held.settle(part(30), false, at(0)).unwrap();
        assert_eq!(amounts(first), (30, 0, 70));
        let held = after(&held, &first);
        let last = held.settle(part(60), true, at(0)).unwrap();
        assert_eq!(amounts(last), (60, 10, 0));
        let closed = after(&held, &last);
        let refusal = Rejection::HoldClosed { hold: closed.id, state: "settled" };
        assert_eq!(closed.settle(part(100), true, at(0)), Err(refusal.clone()));
        assert_eq!(closed.void(), Err(refusal.clone()));
        assert_eq!(closed.expire(at(0)), Err(refusal));
    }

    #[test]
    fn the_whole_at_once() {
        let held = hold(100, None);
        assert_eq!(amounts(held.settle(part(100), false, at(0)).unwrap()), (100, 0, 0));
        assert_eq!(amounts(held.settle(part(100), true, at(0)).unwrap()), (100, 0, 0));
        assert_eq!(amounts(held.void().unwrap()), (0, 100, 0));
    }

    #[test]
    fn never_more_than_is_left() {
        let asked = held_refusal(hold(100, None).settle(part(101), true, at(0)));
        assert_eq!(asked, "hold 00000000-0000-0000-0000-000000000001 has 100 left, not 101");
    }

    fn held_refusal(result: Result<Step, Rejection>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn time_only_makes_it_due() {
        let held = hold(100, Some(10));
        assert_eq!(held.expire(at(9)), Err(Rejection::HoldNotDue { hold: held.id }));
        assert!(held.settle(part(100), true, at(9)).is_ok());
        let due = Rejection::HoldDue { hold: held.id, expires_at: at(10) };
        assert_eq!(held.settle(part(100), true, at(10)), Err(due));
        assert_eq!(held.expire(at(10)).unwrap().verb, Verb::Expired);
        assert!(held.void().is_ok());
        assert_eq!(hold(100, None).expire(at(99)), Err(Rejection::HoldNotDue { hold: held.id }));
    }
}
