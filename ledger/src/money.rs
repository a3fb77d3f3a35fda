//! Money: an asset, and a positive whole number of its minor units.
//!
//! Invariant: an [`Amount`] is never zero, never negative and never above `i64::MAX`, so a posting cannot be
//! empty and a sum of two amounts overflows loudly, not silently. Nothing here is a float.
//! Absent: conversion between assets. What crosses two books is two transfers tied by a flow.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What is counted: one currency. A book has exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Asset {
    /// The Kenyan shilling.
    Kes,
    /// The Egyptian pound.
    Egp,
    /// The Nepalese rupee.
    Npr,
}

impl Asset {
    /// Every asset the ledger knows; the table `ledger.asset` holds the same rows.
    pub const ALL: [Asset; 3] = [Asset::Kes, Asset::Egp, Asset::Npr];

    /// The ISO 4217 code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Asset::Kes => "KES",
            Asset::Egp => "EGP",
            Asset::Npr => "NPR",
        }
    }

    /// How many decimal places a minor unit stands behind the point.
    #[must_use]
    pub const fn exponent(self) -> u32 {
        2
    }

    /// Minor units in one whole unit (100 cents in a shilling).
    #[must_use]
    pub const fn whole(self) -> i64 {
        10i64.pow(self.exponent())
    }

    /// Reads an upper-case ISO 4217 code.
    ///
    /// # Errors
    /// [`BadAmount::Asset`] for any other word.
    pub fn parse(code: &str) -> Result<Self, BadAmount> {
        Self::ALL.into_iter().find(|asset| asset.code() == code).ok_or(BadAmount::Asset)
    }
}

impl fmt::Display for Asset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Asset {
    type Err = BadAmount;

    fn from_str(code: &str) -> Result<Self, BadAmount> {
        Self::parse(code)
    }
}

/// Why a text or a number is not an amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAmount {
    /// The asset is not one the ledger keeps.
    #[error("the asset is none the ledger keeps")]
    Asset,
    /// Not digits, or digits with one point: no sign, no thousands separator, no exponent, no blanks.
    #[error("an amount is digits, and at most one point followed by digits")]
    Shape,
    /// More decimal places than the asset has.
    #[error("the amount has more decimal places than its asset")]
    Places,
    /// Zero or less.
    #[error("an amount is more than zero")]
    NotPositive,
    /// More than `i64::MAX` minor units.
    #[error("the amount is larger than the ledger can count")]
    TooLarge,
}

/// A positive number of minor units: 1 ..= `i64::MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Amount(NonZeroU64);

impl Amount {
    /// An amount of so many minor units.
    ///
    /// # Errors
    /// [`BadAmount::NotPositive`] for zero and below.
    pub fn new(minor: i64) -> Result<Self, BadAmount> {
        u64::try_from(minor).ok().and_then(NonZeroU64::new).map(Self).ok_or(BadAmount::NotPositive)
    }

    /// The minor units, 1 ..= `i64::MAX`.
    #[must_use]
    pub const fn minor(self) -> i64 {
        self.0.get().cast_signed()
    }

    /// The sum, or `None` beyond `i64::MAX`.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.minor().checked_add(other.minor()).and_then(|minor| Self::new(minor).ok())
    }

    /// The difference, or `None` unless it is more than zero.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        Self::new(self.minor() - other.minor()).ok()
    }
}

/// The minor units, bare.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.minor().fmt(f)
    }
}

impl TryFrom<i64> for Amount {
    type Error = BadAmount;

    fn try_from(minor: i64) -> Result<Self, BadAmount> {
        Self::new(minor)
    }
}

impl From<Amount> for i64 {
    fn from(amount: Amount) -> i64 {
        amount.minor()
    }
}

/// An amount beside its asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// What is counted.
    pub asset: Asset,
    /// How much of it, in minor units.
    pub amount: Amount,
}

impl Money {
    /// So many minor units of an asset.
    ///
    /// # Errors
    /// [`BadAmount::NotPositive`] for zero and below.
    pub fn new(asset: Asset, minor: i64) -> Result<Self, BadAmount> {
        Ok(Self { asset, amount: Amount::new(minor)? })
    }

    /// The minor units, 1 ..= `i64::MAX`.
    #[must_use]
    pub const fn minor(self) -> i64 {
        self.amount.minor()
    }

    /// Reads "50000", "50000.5" or "50000.00". Nothing is guessed: a sign, a separator, a blank or a third
    /// decimal place is refused, because rails write amounts as text and a guess here is money.
    ///
    /// # Errors
    /// A [`BadAmount`] that names what is wrong.
    pub fn parse_decimal(asset: Asset, text: &str) -> Result<Self, BadAmount> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) {
            return Err(BadAmount::Shape);
        }
        let places = asset.exponent() as usize;
        if fraction.len() > places {
            return Err(BadAmount::Places);
        }
        let whole: i64 = whole.parse().map_err(|_| BadAmount::TooLarge)?;
        let fraction: i64 = format!("{fraction:0<places$}").parse().map_err(|_| BadAmount::Shape)?;
        let minor = whole.checked_mul(asset.whole()).and_then(|minor| minor.checked_add(fraction));
        Self::new(asset, minor.ok_or(BadAmount::TooLarge)?)
    }

    /// The amount alone, with all its places: "50000.00".
    #[must_use]
    pub fn decimal(self) -> String {
        decimal(self.asset, self.minor())
    }

    /// The sum, or `None` when the assets differ or it is beyond `i64::MAX` minor units.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let amount = (self.asset == other.asset).then(|| self.amount.checked_add(other.amount))??;
        Some(Self { amount, ..self })
    }

    /// The difference, or `None` when the assets differ or it is not more than zero.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        let amount = (self.asset == other.asset).then(|| self.amount.checked_sub(other.amount))??;
        Some(Self { amount, ..self })
    }

    /// The largest part that is a whole number of units (rails that pay whole shillings), and what is left.
    #[must_use]
    pub fn split_whole(self) -> (Option<Self>, Option<Self>) {
        let rest = self.minor() % self.asset.whole();
        let part = |minor| Self::new(self.asset, minor).ok();
        (part(self.minor() - rest), part(rest))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.asset, self.decimal())
    }
}

/// Minor units as a decimal text, zero and negative balances too: `decimal(Asset::Kes, -5)` is "-0.05".
#[must_use]
pub fn decimal(asset: Asset, minor: i64) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    let (whole, places) = (asset.whole().unsigned_abs(), asset.exponent() as usize);
    let minor = minor.unsigned_abs();
    format!("{sign}{}.{:0places$}", minor / whole, minor % whole)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_rails_write() {
        let read = |text| Money::parse_decimal(Asset::Kes, text).map(Money::minor);
        assert_eq!(read("50000.00"), Ok(5_000_000));
        assert_eq!(read("50000"), Ok(5_000_000));
        assert_eq!(read("0.05"), Ok(5));
        assert_eq!(read("7.5"), Ok(750));
        assert_eq!(read("92233720368547758.07"), Ok(i64::MAX));
    }

    #[test]
    fn refuses_what_would_have_to_be_guessed() {
        let read = |text| Money::parse_decimal(Asset::Kes, text).unwrap_err();
        for text in ["", ".", "5.", ".5", "-5", "+5", "5,000.00", " 5", "5 ", "1e3", "0x10", "5.0.0", "٥"] {
            assert_eq!(read(text), BadAmount::Shape, "{text:?}");
        }
        assert_eq!(read("5.000"), BadAmount::Places);
        assert_eq!(read("0"), BadAmount::NotPositive);
        assert_eq!(read("0.00"), BadAmount::NotPositive);
        assert_eq!(read("92233720368547758.08"), BadAmount::TooLarge);
        assert_eq!(read("99999999999999999999"), BadAmount::TooLarge);
    }

    #[test]
    fn writes_zero_and_below() {
        assert_eq!(decimal(Asset::Kes, 0), "0.00");
        assert_eq!(decimal(Asset::Kes, -5), "-0.05");
        assert_eq!(decimal(Asset::Kes, i64::MIN), "-92233720368547758.08");
        assert_eq!(Money::new(Asset::Kes, 5_000_000).unwrap().to_string(), "KES 50000.00");
    }

    #[test]
    fn whole_shillings_and_the_rest() {
        let split = |minor| {
            let (whole, rest) = Money::new(Asset::Kes, minor).unwrap().split_whole();
            (whole.map(Money::minor), rest.map(Money::minor))
        };
        assert_eq!(split(12_345), (Some(12_300), Some(45)));
        assert_eq!(split(12_300), (Some(12_300), None));
        assert_eq!(split(45), (None, Some(45)));
    }

    #[test]
    fn arithmetic_is_checked() {
        let money = |asset, minor| Money::new(asset, minor).unwrap();
        assert_eq!(money(Asset::Kes, 1).checked_add(money(Asset::Egp, 1)), None);
        assert_eq!(money(Asset::Kes, i64::MAX).checked_add(money(Asset::Kes, 1)), None);
        assert_eq!(money(Asset::Kes, 1).checked_sub(money(Asset::Kes, 1)), None);
        assert_eq!(Amount::new(0), Err(BadAmount::NotPositive));
        assert_eq!(Amount::new(i64::MIN), Err(BadAmount::NotPositive));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(minor in 1i64..=i64::MAX) {
            let money = Money::new(Asset::Npr, minor).unwrap();
            prop_assert_eq!(Money::parse_decimal(Asset::Npr, &money.decimal()), Ok(money));
        }
    }
}
