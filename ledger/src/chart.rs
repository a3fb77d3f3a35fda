//! The chart: every account that may exist, with its class, its normal side and its floor.
//!
//! Invariant: [`Account`] is closed. A path parses to exactly one account and is written back the same; the
//! table `ledger.kind` holds the same words as [`Kind`] (a test compares them). Absent: balances, and who
//! may see an account.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::id::{BadName, EscrowRef, PartyId, text_column, text_names};
use crate::money::Asset;

/// The accounts of one legal entity in one asset, which sum to zero alone: `kenya:KES`. The unit of
/// locking, of sealing and of sharding; every key of the ledger begins with it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BookId(Arc<str>);

impl BookId {
    /// Reads `<entity>:<ASSET>`, the entity in lower-case letters, digits and `_`.
    ///
    /// # Errors
    /// [`BadName`] for any other shape or an asset the ledger does not keep.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        let (entity, asset) = text.split_once(':').ok_or(BadName("a book"))?;
        Asset::parse(asset).map_err(|_| BadName("a book"))?;
        if word(entity) { Ok(Self(text.into())) } else { Err(BadName("a book")) }
    }

    /// The book of an entity in an asset.
    ///
    /// # Errors
    /// [`BadName`] unless the entity is lower-case letters, digits and `_`.
    pub fn of(entity: &str, asset: Asset) -> Result<Self, BadName> {
        Self::parse(&format!("{entity}:{asset}"))
    }

    /// The one asset of the book.
    #[must_use]
    pub fn asset(&self) -> Asset {
        let code = self.0.rsplit(':').next().unwrap_or_default();
        // `parse` let nothing else in, so the first of the list is never taken by default.
        Asset::ALL.into_iter().find(|asset| asset.code() == code).unwrap_or(Asset::Kes)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An M-Pesa paybill or till: 5 to 7 digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shortcode(Arc<str>);

impl Shortcode {
    /// Reads 5 to 7 digits.
    ///
    /// # Errors
    /// [`BadName`] for anything else.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        if digits && (5..=7).contains(&text.len()) {
            Ok(Self(text.into()))
        } else {
            Err(BadName("a shortcode"))
        }
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A payout rail at which we park money: "intersend". Lower-case letters, digits and `_`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rail(Arc<str>);

impl Rail {
    /// Reads a rail's word.
    ///
    /// # Errors
    /// [`BadName`] for anything but lower-case letters, digits and `_`.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        if word(text) { Ok(Self(text.into())) } else { Err(BadName("a rail")) }
    }

    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn word(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=32).contains(&text.len()) && text.bytes().all(letter)
}

text_names!(BookId, Shortcode, Rail);
text_column!(BookId, Shortcode, Rail, Account);

/// What an account is in a balance sheet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// What we have or are owed.
    Asset,
    /// What we owe.
    Liability,
    /// The platform's own.
    Equity,
    /// What was earned.
    Income,
    /// What was spent.
    Expense,
}

impl Class {
    /// The word in `ledger.kind`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Class::Asset => "asset",
            Class::Liability => "liability",
            Class::Equity => "equity",
            Class::Income => "income",
            Class::Expense => "expense",
        }
    }

    /// The side on which accounts of this class grow.
    #[must_use]
    pub const fn side(self) -> Side {
        match self {
            Class::Asset | Class::Expense => Side::Debit,
            Class::Liability | Class::Equity | Class::Income => Side::Credit,
        }
    }
}

/// Debit or credit; never a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The left side.
    Debit,
    /// The right side.
    Credit,
}

impl Side {
    /// The word in SQL.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Side::Debit => "debit",
            Side::Credit => "credit",
        }
    }
}

/// A pattern of accounts: the broad part of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `float:mpesa:<shortcode>`: money of ours in a paybill.
    FloatMpesa,
    /// `float:<rail>`: money of ours parked at a payout rail.
    FloatRail,
    /// `clearing:float`: left one float, not yet seen in another.
    ClearingFloat,
    /// `clearing:mint`: mints submitted and not final.
    ClearingMint,
    /// `clearing:burn`: burns submitted and not final.
    ClearingBurn,
    /// `onchain:issued`: the control account of what is owed in tokens.
    OnchainIssued,
    /// `onchain:supply`: tokens that exist on the chain.
    OnchainSupply,
    /// `suspense:mpesa:<shortcode>`: came, and we know not whose; must age to zero.
    SuspenseMpesa,
    /// `employer:<party>`: an employer's own unallocated money.
    Employer,
    /// `escrow:<reference>`: held for a job.
    Escrow,
    /// `employee:<party>`: earned and not paid out.
    Employee,
    /// `receivable:<party>`: credited to somebody and taken back by the rail.
    Receivable,
    /// `equity:capital`: the platform's own money put in.
    Capital,
    /// `income:fee`: fees earned.
    FeeIncome,
    /// `expense:tariff`: what rails charged.
    Tariff,
}

impl Kind {
    /// Every kind; the rows of `ledger.kind`.
    pub const ALL: [Kind; 15] = [
        Kind::FloatMpesa,
        Kind::FloatRail,
        Kind::ClearingFloat,
        Kind::ClearingMint,
        Kind::ClearingBurn,
        Kind::OnchainIssued,
        Kind::OnchainSupply,
        Kind::SuspenseMpesa,
        Kind::Employer,
        Kind::Escrow,
        Kind::Employee,
        Kind::Receivable,
        Kind::Capital,
        Kind::FeeIncome,
        Kind::Tariff,
    ];

    /// The broad part of the path. What follows it, if anything, follows a colon.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Kind::FloatMpesa => "float:mpesa",
            Kind::FloatRail => "float",
            Kind::ClearingFloat => "clearing:float",
            Kind::ClearingMint => "clearing:mint",
            Kind::ClearingBurn => "clearing:burn",
            Kind::OnchainIssued => "onchain:issued",
            Kind::OnchainSupply => "onchain:supply",
            Kind::SuspenseMpesa => "suspense:mpesa",
            Kind::Employer => "employer",
            Kind::Escrow => "escrow",
            Kind::Employee => "employee",
            Kind::Receivable => "receivable",
            Kind::Capital => "equity:capital",
            Kind::FeeIncome => "income:fee",
            Kind::Tariff => "expense:tariff",
        }
    }

    /// What it is in a balance sheet.
    #[must_use]
    pub const fn class(self) -> Class {
        match self {
            Kind::FloatMpesa
            | Kind::FloatRail
            | Kind::ClearingFloat
            | Kind::ClearingMint
            | Kind::OnchainSupply
            | Kind::Receivable => Class::Asset,
            Kind::ClearingBurn
            | Kind::OnchainIssued
            | Kind::SuspenseMpesa
            | Kind::Employer
            | Kind::Escrow
            | Kind::Employee => Class::Liability,
            Kind::Capital => Class::Equity,
            Kind::FeeIncome => Class::Income,
            Kind::Tariff => Class::Expense,
        }
    }

    /// The side on which it grows.
    #[must_use]
    pub const fn side(self) -> Side {
        self.class().side()
    }

    /// The least that may stand on its normal side, held money counted as gone; `None` means no floor.
    /// Floors of zero on clearing and control accounts refuse what would be confirmed twice: a second
    /// finality of one mint would take `clearing:mint` below zero.
    #[must_use]
    pub const fn floor(self) -> Option<i64> {
        match self.class() {
            Class::Asset | Class::Liability => Some(0),
            Class::Equity | Class::Income | Class::Expense => None,
        }
    }
}

/// One account of a book.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Account {
    /// Money of ours in a paybill (asset).
    FloatMpesa(Shortcode),
    /// Money of ours parked at a payout rail (asset).
    FloatRail(Rail),
    /// Left one float, not yet seen in another (asset).
    ClearingFloat,
    /// Mints submitted and not final (asset).
    ClearingMint,
    /// Burns submitted and not final (liability).
    ClearingBurn,
    /// `onchain:issued`, the control account of what is owed in tokens (liability).
    OnchainControl,
    /// `onchain:supply`, tokens that exist on the chain (asset).
    OnchainSupply,
    /// Came, and we know not whose (liability).
    SuspenseMpesa(Shortcode),
    /// An employer's own unallocated money (liability).
    Employer(PartyId),
    /// Held for a job (liability).
    Escrow(EscrowRef),
    /// Earned and not paid out (liability).
    Employee(PartyId),
    /// Credited to somebody and taken back by the rail (asset).
    Receivable(PartyId),
    /// The platform's own money put in (equity).
    Capital,
    /// Fees earned (income).
    FeeIncome,
    /// What rails charged (expense).
    Tariff,
}

impl Account {
    /// Its pattern.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Account::FloatMpesa(_) => Kind::FloatMpesa,
            Account::FloatRail(_) => Kind::FloatRail,
            Account::ClearingFloat => Kind::ClearingFloat,
            Account::ClearingMint => Kind::ClearingMint,
            Account::ClearingBurn => Kind::ClearingBurn,
            Account::OnchainControl => Kind::OnchainIssued,
            Account::OnchainSupply => Kind::OnchainSupply,
            Account::SuspenseMpesa(_) => Kind::SuspenseMpesa,
            Account::Employer(_) => Kind::Employer,
            Account::Escrow(_) => Kind::Escrow,
            Account::Employee(_) => Kind::Employee,
            Account::Receivable(_) => Kind::Receivable,
            Account::Capital => Kind::Capital,
            Account::FeeIncome => Kind::FeeIncome,
            Account::Tariff => Kind::Tariff,
        }
    }

    /// The path, read from the broad: `escrow:ESCROW_…`, `float:mpesa:600111`. Unique within a book.
    #[must_use]
    pub fn path(&self) -> String {
        let mut path = Vec::new();
        self.write_path(&mut path);
        String::from_utf8_lossy(&path).into_owned()
    }

    /// Writes the path at the end of a buffer, for what is hashed.
    pub(crate) fn write_path(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.kind().word().as_bytes());
        let mut buffer = Uuid::encode_buffer();
        let name = match self {
            Account::FloatMpesa(shortcode) | Account::SuspenseMpesa(shortcode) => shortcode.as_str(),
            Account::FloatRail(rail) => rail.as_str(),
            Account::Employer(party) | Account::Employee(party) | Account::Receivable(party) => {
                party.0.hyphenated().encode_lower(&mut buffer)
            }
            Account::Escrow(reference) => reference.as_str(),
            _ => return,
        };
        out.push(b':');
        out.extend_from_slice(name.as_bytes());
    }

    /// Reads a path.
    ///
    /// # Errors
    /// [`BadName`] when no account of the chart has it.
    pub fn parse(path: &str) -> Result<Self, BadName> {
        const BAD: BadName = BadName("an account of the chart");
        let account = match path {
            "clearing:float" => Account::ClearingFloat,
            "clearing:mint" => Account::ClearingMint,
            "clearing:burn" => Account::ClearingBurn,
            "onchain:issued" => Account::OnchainControl,
            "onchain:supply" => Account::OnchainSupply,
            "equity:capital" => Account::Capital,
            "income:fee" => Account::FeeIncome,
            "expense:tariff" => Account::Tariff,
            _ => match path.split_once(':').ok_or(BAD)? {
                ("float", name) => match name.strip_prefix("mpesa:") {
                    Some(shortcode) => Account::FloatMpesa(Shortcode::parse(shortcode)?),
                    None => Account::FloatRail(Rail::parse(name)?),
                },
                ("suspense", name) => {
                    Account::SuspenseMpesa(Shortcode::parse(name.strip_prefix("mpesa:").ok_or(BAD)?)?)
                }
                ("employer", party) => Account::Employer(party.parse()?),
                ("escrow", reference) => Account::Escrow(EscrowRef::parse(reference)?),
                ("employee", party) => Account::Employee(party.parse()?),
                ("receivable", party) => Account::Receivable(party.parse()?),
                _ => return Err(BAD),
            },
        };
        // One account, one path: a uuid in capitals, say, is another text for the same party and is refused.
        if account.path() == path { Ok(account) } else { Err(BAD) }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path())
    }
}

impl FromStr for Account {
    type Err = BadName;

    fn from_str(path: &str) -> Result<Self, BadName> {
        Self::parse(path)
    }
}

impl TryFrom<String> for Account {
    type Error = BadName;

    fn try_from(path: String) -> Result<Self, BadName> {
        Self::parse(&path)
    }
}

impl From<Account> for String {
    fn from(account: Account) -> String {
        account.path()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn one_of_each() -> Vec<Account> {
        let shortcode = || Shortcode::parse("600111").unwrap();
        let party = PartyId(Uuid::from_u128(7));
        vec![
            Account::FloatMpesa(shortcode()),
            Account::FloatRail(Rail::parse("intersend").unwrap()),
            Account::ClearingFloat,
            Account::ClearingMint,
            Account::ClearingBurn,
            Account::OnchainControl,
            Account::OnchainSupply,
            Account::SuspenseMpesa(shortcode()),
            Account::Employer(party),
            Account::Escrow(EscrowRef::parse("ESCROW_000000000").unwrap()),
            Account::Employee(party),
            Account::Receivable(party),
            Account::Capital,
            Account::FeeIncome,
            Account::Tariff,
        ]
    }

    #[test]
    fn every_kind_has_an_account_whose_path_it_begins_and_is_read_back() {
        let kinds: Vec<Kind> = one_of_each().iter().map(Account::kind).collect();
        assert_eq!(kinds, Kind::ALL);
        for account in one_of_each() {
            let (path, kind) = (account.path(), account.kind().word());
            assert!(path == kind || path.starts_with(&format!("{kind}:")), "{path}");
            assert_eq!(Account::parse(&path), Ok(account));
        }
    }

    #[test]
    fn other_paths_are_none() {
        let capitals = "employer:0000000000000000000000000000000A";
        let more =
            ["", "float", "float:", "float:mpesa:", "float:mpesa:12", "float:Mpesa", "suspense:bank:600111"];
        for path in more.into_iter().chain([
            capitals,
            "employer:x",
            "escrow:ESCROW_000000001",
            "wallet:1",
            "clearing",
        ]) {
            assert!(Account::parse(path).is_err(), "{path}");
        }
    }

    #[test]
    fn a_book_has_one_asset() {
        assert_eq!(BookId::parse("kenya:KES").unwrap().asset(), Asset::Kes);
        assert_eq!(BookId::of("v_12", Asset::Npr).unwrap().as_str(), "v_12:NPR");
        for text in ["kenya", "kenya:", ":KES", "kenya:USD", "Kenya:KES", "ke nya:KES", "a:b:KES"] {
            assert!(BookId::parse(text).is_err(), "{text:?}");
        }
    }
}
