//! Limits of one account: a floor of its own, and how much may go through it within a period. Pure.
//!
//! # What is counted
//!
//! Totals only grow, so a period needs no counter: what it used is the total now less the total when it
//! began. On the debit side, **gross** is debits posted and pending now, less debits posted by then; **net**
//! is that less the credits posted since. (On the credit side the other way round.) So a hold counts when it
//! is opened and in every later period that finds it open, since that is when it may leave; voided, it gives
//! back what it took; settled, it is counted in the period that settled it. Money held *for* an account does
//! not count as come.
//!
//! Periods are of the UTC calendar and of what the book heard: `recorded_at` decides, or a back-dated posting
//! would slip under a limit that is over.
//!
//! Invariant: a limit refuses what goes further beyond it, never what goes back: a void lands always.

use std::fmt;

use chrono::{DateTime, Datelike, Days, NaiveTime, Utc};
use serde::{Deserialize, Serialize};

use crate::chart::Side;
use crate::money::Amount;

/// The rules of one account that replace those of its kind, or come on top. The empty one takes all back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// The least that may stand there, minor units on the normal side, in place of the kind's floor: below
    /// zero it is a credit, above zero a reserve.
    pub floor: Option<i64>,
    /// How much may go through it.
    pub velocity: Vec<Velocity>,
}

/// How much may go through an account within a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Velocity {
    /// Whether what came back is taken off.
    pub measure: Measure,
    /// The side that is counted.
    pub side: Side,
    /// When it begins anew.
    pub period: Period,
    /// The most, minor units.
    pub amount: Amount,
}

/// What is counted of a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Measure {
    /// All of it.
    Gross,
    /// Less what was posted on the other side.
    Net,
}

/// A stretch of the calendar, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    /// From midnight.
    Day,
    /// From Monday (ISO 8601).
    Week,
    /// From the first of the month.
    Month,
}

impl Measure {
    /// The word in the journal.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Measure::Gross => "gross",
            Measure::Net => "net",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Measure::Gross, Measure::Net].into_iter().find(|measure| measure.word() == word)
    }
}

impl Period {
    /// Every period.
    pub const ALL: [Period; 3] = [Period::Day, Period::Week, Period::Month];

    /// The word in the journal.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Period::Day => "day",
            Period::Week => "week",
            Period::Month => "month",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|period| period.word() == word)
    }

    /// When the period around an instant began.
    #[must_use]
    pub fn start(self, at: DateTime<Utc>) -> DateTime<Utc> {
        let day = at.date_naive();
        let back = match self {
            Period::Day => 0,
            Period::Week => day.weekday().num_days_from_monday(),
            Period::Month => day.day0(),
        };
        // Before the first day of chrono's calendar there is no period to be found, and nothing posted.
        day.checked_sub_days(Days::new(u64::from(back))).unwrap_or(day).and_time(NaiveTime::MIN).and_utc()
    }
}

impl fmt::Display for Velocity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { measure, side, period, amount } = self;
        write!(f, "{amount} {} {} a {}", measure.word(), side.word(), period.word())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn periods_begin_at_midnight_on_monday_and_on_the_first() {
        let thursday = at("2026-10-01T00:00:00.000001Z");
        assert_eq!(Period::Day.start(thursday), at("2026-10-01T00:00:00Z"));
        assert_eq!(Period::Week.start(thursday), at("2026-09-28T00:00:00Z"));
        assert_eq!(Period::Month.start(thursday), at("2026-10-01T00:00:00Z"));
        let start = at("2026-09-28T00:00:00Z");
        assert_eq!(Period::Week.start(start), start);
    }
}
