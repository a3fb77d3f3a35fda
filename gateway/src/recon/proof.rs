//! The proof that float, ledger and chain agree to the cent, every term printed.
//!
//! ```text
//!   float + owed to us − the platform's own cash − suspense − employers' money not minted = owed in tokens
//!   owed in tokens − mints submitted and not final + burns submitted and not final  = tokens, by the books
//!   tokens minted − tokens burned, by the token's own events                        = tokens, by the chain
//! ```
//!
//! Invariant: the ledger's side is read in one snapshot. The chain's own counters are asked beside our index
//! of its events; if either disagrees, the proof fails and says which.

use amana_ledger::chart::Account;
use amana_ledger::money::{Asset, decimal};
use amana_ledger::{Balance, balance};
use serde::Serialize;
use utoipa::ToSchema;

use super::compare::Accounts;
use crate::app::App;
use crate::error::{Fault, Result};
use crate::flows::store::chain;

/// One term of the proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Line {
    /// What it is.
    pub term: String,
    /// `+`, `-` or `=`: how it enters the sum.
    pub sign: char,
    /// In decimals of the book's currency.
    pub amount: String,
}

/// The whole proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Proof {
    /// The book it is about.
    pub book: String,
    /// Its currency.
    pub currency: String,
    /// Every term in order.
    pub lines: Vec<Line>,
    /// Whether all sides are equal.
    pub agrees: bool,
    /// What does not agree, if anything.
    pub differences: Vec<String>,
    /// What has to be equal, and the two sides of it, minor units.
    #[serde(skip)]
    pub checks: Vec<(&'static str, i64, i64)>,
}

/// The sums the proof is made of, minor units, each on its normal side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sums {
    float: i64,
    on_the_way: i64,
    receivable: i64,
    own_cash: i64,
    suspense: i64,
    employers: i64,
    issued: i64,
    minting: i64,
    burning: i64,
    supply: i64,
}

impl Sums {
    fn of(lines: &[Balance]) -> Self {
        let mut sums = Self::default();
        for line in lines {
            let balance = line.posted();
            match &line.account {
                Account::FloatMpesa(_) | Account::FloatRail(_) => sums.float += balance,
                Account::ClearingFloat => sums.on_the_way += balance,
                Account::Receivable(_) => sums.receivable += balance,
                Account::Capital | Account::FeeIncome => sums.own_cash += balance,
                Account::Tariff => sums.own_cash -= balance,
                Account::SuspenseMpesa(_) => sums.suspense += balance,
                Account::Employer(_) => sums.employers += balance,
                Account::OnchainControl => sums.issued += balance,
                Account::ClearingMint => sums.minting += balance,
                Account::ClearingBurn => sums.burning += balance,
                Account::OnchainSupply => sums.supply += balance,
                // What the tokens stand for: proved equal to `issued` by the books' own identity.
                Account::Escrow(_) | Account::Employee(_) => {}
            }
        }
        sums
    }

    fn owed(&self) -> i64 {
        self.float + self.on_the_way + self.receivable - self.own_cash - self.suspense - self.employers
    }
}

/// What stands on the accounts of the chain.
pub(super) fn accounts(lines: &[Balance]) -> Accounts {
    let sums = Sums::of(lines);
    Accounts {
        owed: sums.owed(),
        issued: sums.issued,
        minting: sums.minting,
        burning: sums.burning,
        supply: sums.supply,
    }
}

/// Proves it, now.
///
/// # Errors
/// A fault: the database or the chain cannot be read.
pub async fn proof(app: &App) -> Result<Proof> {
    let book = &app.config.book;
    let mut tx = app.db.begin().await?;
    let sums = Sums::of(&balance::trial_balance(&mut tx, book).await?.lines);
    let (minted, burned) = chain::supply(&mut tx).await?;
    drop(tx);
    let totals = app.chain.totals().await.map_err(|fault| Fault::Outside(fault.to_string()))?;
    Ok(build(book.as_str(), book.asset(), &sums, Supply { minted, burned, counted: totals.supply() }))
}

/// What the chain says exists, twice: by the token's events, and by the contract's counters.
#[derive(Debug, Clone, Copy)]
struct Supply {
    minted: i64,
    burned: i64,
    counted: i64,
}

fn build(book: &str, asset: Asset, sums: &Sums, supply: Supply) -> Proof {
    let line = |sign, term: &str, minor| Line { term: term.into(), sign, amount: decimal(asset, minor) };
    let exists = supply.minted - supply.burned;
    let lines = vec![
        line('+', "float on the rails", sums.float),
        line('+', "float between rails", sums.on_the_way),
        line('+', "taken back by rails, owed to us", sums.receivable),
        line('-', "the platform's own cash", sums.own_cash),
        line('-', "suspense", sums.suspense),
        line('-', "employers' money not minted", sums.employers),
        line('=', "owed in tokens (ledger onchain:issued)", sums.owed()),
        line('-', "mints submitted, not final", sums.minting),
        line('+', "burns submitted, not final", sums.burning),
        line('=', "tokens by the ledger (onchain:supply)", sums.owed() - sums.minting + sums.burning),
        line('+', "tokens minted, by the token's events", supply.minted),
        line('-', "tokens burned, by the token's events", supply.burned),
        line('=', "tokens on chain", exists),
    ];
    let checks = vec![
        ("float less all that is not owed in tokens, and onchain:issued", sums.owed(), sums.issued),
        (
            "onchain:issued with what is under way, and onchain:supply",
            sums.issued - sums.minting + sums.burning,
            sums.supply,
        ),
        ("onchain:supply, and the token's events", sums.supply, exists),
        ("the token's events, and the contract's counters", exists, supply.counted),
    ];
    let differences: Vec<String> = checks
        .iter()
        .filter(|(_, left, right)| left != right)
        .map(|(what, left, right)| format!("{what}: {} ≠ {}", decimal(asset, *left), decimal(asset, *right)))
        .collect();
    let agrees = differences.is_empty();
    Proof { book: book.into(), currency: asset.code().into(), lines, agrees, differences, checks }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> (Sums, Supply) {
        // 100,000 of capital; 50,000 came in and is minted; 20,000 in suspense; 500 of it all still being
        // minted.
        let sums = Sums {
            float: 170_000,
            own_cash: 100_000,
            suspense: 20_000,
            issued: 50_000,
            minting: 500,
            supply: 49_500,
            ..Sums::default()
        };
        (sums, Supply { minted: 60_000, burned: 10_500, counted: 49_500 })
    }

    #[test]
    fn equal_sides_agree() {
        let (sums, supply) = sound();
        let proof = build("kenya:KES", Asset::Kes, &sums, supply);
        assert!(proof.agrees, "{:?}", proof.differences);
        assert_eq!(proof.lines.last().map(|line| line.amount.as_str()), Some("495.00"));
    }

    #[test]
    fn a_cent_anywhere_is_found() {
        for spoil in [
            |sums: &mut Sums, _: &mut Supply| sums.float += 1,
            |sums: &mut Sums, _: &mut Supply| sums.suspense -= 1,
            |sums: &mut Sums, _: &mut Supply| sums.minting += 1,
            |sums: &mut Sums, _: &mut Supply| sums.supply -= 1,
            |_: &mut Sums, supply: &mut Supply| supply.burned += 1,
            |_: &mut Sums, supply: &mut Supply| supply.counted -= 1,
        ] {
            let (mut sums, mut supply) = sound();
            spoil(&mut sums, &mut supply);
            let proof = build("kenya:KES", Asset::Kes, &sums, supply);
            assert!(!proof.agrees);
            assert!(!proof.differences.is_empty());
        }
    }
}
