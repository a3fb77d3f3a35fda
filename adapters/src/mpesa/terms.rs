//! Limits, minimums and charges of M-Pesa as a table by date: `terms.csv`, looked up by the day of a payment.
//!
//! Invariant: amounts are minor units; a day before the table begins has no terms, and nothing is guessed.
//! Absent: what was really charged, which the rail says with each payout; this is what to expect.

use amana_ledger::money::{Asset, Money};
use chrono::NaiveDate;

/// The table, as data.
const TABLE: &str = include_str!("terms.csv");

/// What holds on a day, minor units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The least a customer pays.
    pub least_in: i64,
    /// The least that is paid out.
    pub least_out: i64,
    /// The most at once, either way.
    pub most: i64,
    /// The most a customer's line moves in a day.
    pub most_a_day: i64,
    /// What a payout costs us: above this, up to this, so much.
    tariff: Vec<(i64, i64, i64)>,
}

/// The table does not reach back to that day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no terms are known for that day")]
pub struct BadTerms;

impl Terms {
    /// What holds on `day` (Nairobi's).
    ///
    /// # Errors
    /// [`BadTerms`] for a day before the table begins.
    pub fn on(day: NaiveDate) -> Result<Self, BadTerms> {
        let limits = newest("limits", day).into_iter().next().ok_or(BadTerms)?;
        let [least_in, least_out, most, most_a_day] = limits[..] else { return Err(BadTerms) };
        let rows = newest("tariff", day).into_iter();
        let tariff = rows.filter_map(|row| match row[..] {
            [above, up_to, charge] => Some((above, up_to, charge)),
            _ => None,
        });
        Ok(Self { least_in, least_out, most, most_a_day, tariff: tariff.collect() })
    }

    /// What a payout of this much is expected to cost; `None` for nothing, or where the table is silent.
    pub fn charge(&self, paid: Money) -> Option<Money> {
        let row =
            self.tariff.iter().find(|(above, up_to, _)| paid.minor() > *above && paid.minor() <= *up_to);
        row.and_then(|(_, _, charge)| Money::new(Asset::Kes, *charge).ok())
    }
}

/// The rows of a kind from the newest day that is not after `day`, in minor units.
fn newest(kind: &str, day: NaiveDate) -> Vec<Vec<i64>> {
    let rows = TABLE.lines().filter_map(|line| {
        let mut words = line.split(',').map(str::trim);
        let (name, from) = (words.next()?, words.next()?);
        let from: NaiveDate = from.parse().ok()?;
        let amounts: Option<Vec<i64>> =
            words.map(|word| word.parse::<i64>().ok().map(|whole| whole * Asset::Kes.whole())).collect();
        (name == kind && from <= day).then_some((from, amounts?))
    });
    let rows: Vec<(NaiveDate, Vec<i64>)> = rows.collect();
    let Some(last) = rows.iter().map(|(from, _)| *from).max() else { return Vec::new() };
    rows.into_iter().filter(|(from, _)| *from == last).map(|(_, amounts)| amounts).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn every_line_of_the_table_reads() {
        for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
            let words: Vec<&str> = line.split(',').collect();
            let places = if words[0] == "limits" { 6 } else { 5 };
            assert_eq!(words.len(), places, "{line}");
            assert!(words[1].parse::<NaiveDate>().is_ok(), "{line}");
            assert!(words[2..].iter().all(|word| word.parse::<i64>().is_ok()), "{line}");
        }
    }

    #[test]
    fn a_day_has_the_terms_of_its_time() {
        let (before, after) = (Terms::on(day("2023-08-14")).unwrap(), Terms::on(day("2023-08-15")).unwrap());
        assert_eq!((before.most, after.most), (15_000_000, 25_000_000));
        assert_eq!((after.least_in, after.least_out, after.most_a_day), (100, 1_000, 50_000_000));
        assert_eq!(Terms::on(day("2019-12-31")), Err(BadTerms));
    }

    #[test]
    fn a_payout_costs_what_its_band_says() {
        let terms = Terms::on(day("2026-11-20")).unwrap();
        let charge =
            |whole: i64| terms.charge(Money::new(Asset::Kes, whole * 100).unwrap()).map_or(0, Money::minor);
        assert_eq!([100, 101, 1_500, 1_501, 5_000, 20_000].map(charge), [0, 500, 500, 900, 900, 1_100]);
    }
}
