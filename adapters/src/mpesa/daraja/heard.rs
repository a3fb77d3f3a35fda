//! Results, as they are posted to us: how an instruction ended, where a payment stands, what the accounts
//! hold.
//!
//! Invariant: a code that is not surely final is `Unknown`. Parameters are a list; their names are Daraja's.

use amana_ledger::money::Money;
use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::Value;

use super::pairs::{self, Pairs};
use crate::mpesa::wire::Field;
use crate::mpesa::{BadConfirmation, Payer, bad, encoding, nairobi, of_nairobi, receipt};
use crate::port::scrub;

/// A result, read as far as every one of them is alike.
#[derive(Clone, PartialEq, Eq)]
pub struct Word {
    /// "0" is done; a text or a number on the wire.
    pub code: String,
    /// Their words, scrubbed.
    pub text: String,
    /// Their id of the instruction.
    pub conversation: Option<String>,
    /// Ours, in some results; another one of theirs in others.
    pub originator: Option<String>,
    /// A receipt, or a filler where there is none.
    pub receipt: Option<String>,
    params: Pairs,
}

/// Parameters carry names and numbers of people.
impl std::fmt::Debug for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Word").field("code", &self.code).field("text", &self.text).finish_non_exhaustive()
    }
}

/// Reads a posted result.
///
/// # Errors
/// [`BadConfirmation`] when it is none.
pub fn read_word(raw: &[u8]) -> Result<Word, BadConfirmation> {
    let text = encoding::text(raw);
    let body: Value = serde_json::from_str(&text)
        .map_err(|error| bad("body", format!("is broken json at line {}", error.line())))?;
    let told = &body["Result"];
    let field = |name: &str| Field::of(told.get(name).cloned()).filled();
    Ok(Word {
        code: field("ResultCode").ok_or_else(|| bad("ResultCode", "is missing".to_owned()))?,
        text: scrub(&field("ResultDesc").unwrap_or_default()),
        conversation: field("ConversationID"),
        originator: field("OriginatorConversationID"),
        receipt: field("TransactionID"),
        params: Pairs::read(told["ResultParameters"].get("ResultParameter"), ("Key", "Value")),
    })
}

/// How a payout ended, by its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayoutEnd {
    /// Paid.
    Paid(Paid),
    /// Not paid, and it will not be under this id.
    Refused {
        /// Their code.
        code: String,
        /// Their words.
        reason: String,
    },
    /// To be asked about.
    Unknown {
        /// What was said.
        why: String,
    },
}

/// A payout that reached the phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paid {
    /// M-Pesa's receipt.
    pub receipt: String,
    /// How much.
    pub money: Money,
    /// When, where it reads.
    pub at: Option<DateTime<Utc>>,
    /// What is left to pay out of, minor units.
    pub left: Option<i64>,
}

/// Codes about a party of the payout, which are final: funds, limits, the receiver, the initiator.
const FINAL: [&str; 12] = ["1", "2", "3", "4", "8", "11", "21", "2001", "2006", "2028", "2040", "SFC_IC0003"];

/// Reads how a payout ended.
///
/// # Errors
/// [`BadConfirmation`] when it says "paid" and no amount or receipt reads.
pub fn payout_end(word: &Word) -> Result<PayoutEnd, BadConfirmation> {
    if word.code != "0" {
        let (code, reason) = (scrub(&word.code), word.text.clone());
        // 8006: the initiator is locked, nothing was begun.
        let is_final = FINAL.contains(&word.code.as_str()) || word.code == "8006";
        return Ok(match is_final {
            true => PayoutEnd::Refused { code, reason },
            false => PayoutEnd::Unknown { why: format!("{code} {reason}") },
        });
    }
    let first = |name: &str| word.params.first(name);
    let named = first("TransactionReceipt").or(word.receipt.as_deref());
    let named = named.ok_or_else(|| bad("TransactionReceipt", "is missing".to_owned()))?;
    let amount = first("TransactionAmount").ok_or_else(|| missing("TransactionAmount"))?;
    Ok(PayoutEnd::Paid(Paid {
        receipt: receipt(named.to_owned())?,
        money: pairs::money(amount).map_err(|why| bad("TransactionAmount", why.to_string()))?,
        at: first("TransactionCompletedDateTime").and_then(dotted),
        left: first("B2CUtilityAccountAvailableFunds").and_then(signed),
    }))
}

/// Where a payment stands, by the rail's own answer.
#[derive(Clone, PartialEq, Eq)]
pub enum Asked {
    /// The rail knows it.
    Known {
        /// M-Pesa's receipt.
        receipt: String,
        /// How much.
        money: Money,
        /// `Completed`, `Cancelled`, …
        state: String,
        /// Our id of it, for a payout.
        originator: Option<String>,
        /// The paybill on either side, by the digits before its name.
        shortcode: Option<String>,
        /// Who paid or was paid, for what a customer did.
        payer: Option<Payer>,
        /// What it cost us.
        charge: Option<Money>,
        /// When, where it reads.
        at: Option<DateTime<Utc>>,
    },
    /// The rail does not say: unknown to it, or it is unwell. Proves nothing.
    Unknown {
        /// What was said.
        why: String,
    },
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Asked::Known { receipt, money, state, .. } => write!(f, "Known({receipt}, {money}, {state})"),
            Asked::Unknown { why } => write!(f, "Unknown({why})"),
        }
    }
}

/// Reads the answer to "where does this payment stand".
///
/// # Errors
/// [`BadConfirmation`] when the rail knows it and receipt, amount or state do not read.
pub fn status_of(word: &Word) -> Result<Asked, BadConfirmation> {
    if word.code != "0" {
        return Ok(Asked::Unknown { why: format!("{} {}", scrub(&word.code), word.text) });
    }
    let first = |name: &str| word.params.first(name);
    let amount = first("Amount").ok_or_else(|| missing("Amount"))?;
    let named = first("ReceiptNo").ok_or_else(|| missing("ReceiptNo"))?;
    // The page prints `DebitPartyName` twice and means the other one once.
    let parties: Vec<&str> =
        word.params.all("DebitPartyName").chain(word.params.all("CreditPartyName")).collect();
    let heads = || parties.iter().map(|party| party.split(" - ").next().unwrap_or_default().trim());
    let is_paybill = |head: &&str| (5..=7).contains(&head.len()) && head.bytes().all(|b| b.is_ascii_digit());
    Ok(Asked::Known {
        receipt: receipt(named.to_owned())?,
        money: pairs::money(amount).map_err(|why| bad("Amount", why.to_string()))?,
        state: first("TransactionStatus").ok_or_else(|| missing("TransactionStatus"))?.to_owned(),
        originator: first("OriginatorConversationID").map(str::to_owned),
        shortcode: heads().find(is_paybill).map(str::to_owned),
        payer: heads().find(|head| !is_paybill(head)).map(Payer::read),
        charge: first("DebitPartyCharges").and_then(charge),
        at: first("FinalisedTime").and_then(nairobi),
    })
}

/// One account of the paybill, minor units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountBalance {
    /// `Utility Account`, …
    pub name: String,
    /// What stands on it; may be below zero.
    pub current: i64,
    /// What of it can be used.
    pub available: i64,
}

/// Reads what the accounts hold: `name|KES|current|available|reserved|uncleared`, joined by `&`.
///
/// # Errors
/// [`BadConfirmation`] when the rail gives none, or one does not read.
pub fn balances(word: &Word) -> Result<Vec<AccountBalance>, BadConfirmation> {
    const FIELD: &str = "AccountBalance";
    if word.code != "0" {
        return Err(bad("ResultCode", format!("{} {}", scrub(&word.code), word.text)));
    }
    let text = word.params.first(FIELD).ok_or_else(|| missing(FIELD))?;
    let account = |part: &str| {
        let fields: Vec<&str> = part.split('|').map(str::trim).collect();
        let [name, "KES", current, available, ..] = fields[..] else { return None };
        Some(AccountBalance { name: scrub(name), current: signed(current)?, available: signed(available)? })
    };
    let read: Option<Vec<_>> = text.split('&').map(account).collect();
    read.ok_or_else(|| bad(FIELD, "has an account that does not read".to_owned()))
}

/// `Fee For B2C Payment|KES|5.00`.
fn charge(text: &str) -> Option<Money> {
    pairs::money(text.rsplit('|').next()?.trim()).ok()
}

/// An amount that may be zero or below, minor units.
pub(in crate::mpesa) fn signed(text: &str) -> Option<i64> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    match pairs::money(digits) {
        Ok(money) => Some(sign * money.minor()),
        Err(amana_ledger::money::BadAmount::NotPositive) => Some(0),
        Err(_) => None,
    }
}

/// `20.11.2026 11:42:08`, Nairobi's.
fn dotted(text: &str) -> Option<DateTime<Utc>> {
    of_nairobi(NaiveDateTime::parse_from_str(text, "%d.%m.%Y %H:%M:%S").ok()?)
}

fn missing(field: &'static str) -> BadConfirmation {
    bad(field, "is missing".to_owned())
}
