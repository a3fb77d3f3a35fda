//! M-Pesa as a paybill hears it: reads what Daraja posts about a customer's payment, and words the answers.
//!
//! Invariant: an amount is read digit by digit from the bytes that came; a payment is told apart by its
//! receipt (`TransID`); the payer's number is taken in whichever of its three forms it comes.
//! Absent: names and balances, which we have no use for (they stay in the stored raw body); any judgement on
//! whose money it is; authenticity, which Daraja gives none of (addresses and a secret path are the
//! gateway's).

pub mod answer;
pub mod daraja;
mod encoding;
pub mod register;
pub mod sim;
pub mod statement;
pub mod terms;
#[cfg(test)]
mod tests;
mod wire;

use std::fmt;

use amana_ledger::money::Money;
use chrono::{DateTime, FixedOffset, NaiveDateTime, Utc};

use crate::port::{Msisdn, scrub};
use wire::{Field, Notice};

/// The addresses Safaricom publishes as the sources of its callbacks: what `daraja` stands for in the
/// gateway's allow-list.
pub const SOURCES: [&str; 12] = [
    "196.201.214.200",
    "196.201.214.206",
    "196.201.214.207",
    "196.201.214.208",
    "196.201.213.114",
    "196.201.213.44",
    "196.201.212.127",
    "196.201.212.138",
    "196.201.212.129",
    "196.201.212.136",
    "196.201.212.74",
    "196.201.212.69",
];

/// Nairobi is three hours ahead of UTC all year; Daraja writes its times so and does not say so.
const NAIROBI_S: i32 = 3 * 60 * 60;

/// A customer's payment as Daraja tells it.
#[derive(Clone, PartialEq, Eq)]
pub struct C2b {
    /// M-Pesa's receipt, unique at the shortcode; upper case.
    pub receipt: String,
    /// What was paid.
    pub money: Money,
    /// The paybill it was paid to; `None` when the notice does not say, which means ours.
    pub shortcode: Option<String>,
    /// What the payer typed as account number: trimmed, at most 64 characters, otherwise as typed. May be
    /// empty.
    pub typed_ref: String,
    /// Who paid.
    pub payer: Payer,
    /// When, by M-Pesa's clock; `None` where it is missing or unreadable, which does not stop the money.
    pub at: Option<DateTime<Utc>>,
    /// `Pay Bill` or `Buy Goods`, where said.
    pub kind: Option<String>,
    /// What we answered as `ThirdPartyTransID` at validation, echoed here.
    pub validation_id: Option<String>,
}

/// People type their own number as account number, so that is shown scrubbed.
impl fmt::Debug for C2b {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("C2b")
            .field("receipt", &self.receipt)
            .field("money", &self.money)
            .field("shortcode", &self.shortcode)
            .field("typed_ref", &scrub(&self.typed_ref))
            .field("payer", &self.payer)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// Who paid, as far as Daraja lets us know.
#[derive(Clone, PartialEq, Eq)]
pub enum Payer {
    /// The number itself.
    Clear(Msisdn),
    /// Its head and tail, stars between: `2547*****126`.
    Masked(String),
    /// The SHA-256 of its digits, lower-case hex.
    Hashed(String),
    /// Something else: a foreign line, a till, a word.
    Other(String),
}

impl Payer {
    /// Reads it in whichever form it is told.
    pub fn read(text: &str) -> Self {
        if let Ok(phone) = Msisdn::parse(text) {
            return Payer::Clear(phone);
        }
        let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        if compact.len() == 64 && compact.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Payer::Hashed(compact.to_ascii_lowercase());
        }
        if compact.contains('*') && compact.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'*' | b'+')) {
            return Payer::Masked(compact);
        }
        Payer::Other(clean(text))
    }

    /// Whether this may be the person with that number: equal, of the same hash, or not contradicted by the
    /// mask. A mask fits about a million numbers, so a yes is a hint and a no is a fact.
    pub fn may_be(&self, phone: &Msisdn) -> bool {
        match self {
            Payer::Clear(own) => own == phone,
            Payer::Hashed(hash) => *hash == phone.hashed(),
            Payer::Masked(mask) => {
                let mask = mask.trim_start_matches('+');
                let head = mask.split('*').next().unwrap_or_default();
                let tail = mask.rsplit('*').next().unwrap_or_default();
                phone.digits().starts_with(head) && phone.digits().ends_with(tail)
            }
            Payer::Other(_) => false,
        }
    }

    /// The number, where it came in clear.
    pub fn phone(&self) -> Option<&Msisdn> {
        match self {
            Payer::Clear(phone) => Some(phone),
            Payer::Masked(_) | Payer::Hashed(_) | Payer::Other(_) => None,
        }
    }

    /// What people may see of it.
    pub fn masked(&self) -> String {
        match self {
            Payer::Clear(phone) => phone.masked(),
            Payer::Masked(mask) => mask.clone(),
            Payer::Hashed(_) => "hashed".to_owned(),
            Payer::Other(_) => "other".to_owned(),
        }
    }
}

impl fmt::Debug for Payer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payer({})", self.masked())
    }
}

/// Why a notice could not be read: the field (`body` for the whole) and what is wrong with it, without its
/// content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {reason}")]
pub struct BadConfirmation {
    /// The field's name on the wire.
    pub field: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

/// Reads a C2B confirmation: money that came.
///
/// # Errors [`BadConfirmation`] when the body is not a JSON object with each field at most once, or
/// `TransID`, `TransAmount`, `MSISDN` or `BillRefNumber` is missing, or the receipt, the amount or the
/// paybill does not read. The rail is to be answered as always.
pub fn read_confirmation(raw: &[u8]) -> Result<C2b, BadConfirmation> {
    let notice = parse(raw)?;
    let receipt = receipt(required("TransID", notice.trans_id)?)?;
    let amount = required("TransAmount", notice.trans_amount)?;
    let money = daraja::money(&amount).map_err(|why| bad("TransAmount", why.to_string()))?;
    let payer = Payer::read(&required("MSISDN", notice.msisdn)?);
    // A payer may leave the account empty; that is money of nobody's yet, not a broken notice.
    let typed_ref = match Field::of(notice.bill_ref_number) {
        Field::Text(text) => clean(&text),
        Field::Absent => return Err(bad("BillRefNumber", "is missing".to_owned())),
        Field::Odd => return Err(bad("BillRefNumber", "is not a text".to_owned())),
    };
    // A missing paybill means ours; one that does not read may be anybody's.
    let shortcode = match Field::of(notice.business_short_code) {
        Field::Odd => return Err(bad("BusinessShortCode", "is not a text".to_owned())),
        field => field.filled(),
    };
    Ok(C2b {
        receipt,
        money,
        shortcode,
        typed_ref,
        payer,
        at: Field::of(notice.trans_time).filled().and_then(|text| nairobi(&text)),
        kind: Field::of(notice.transaction_type).filled(),
        validation_id: Field::of(notice.third_party_trans_id).filled(),
    })
}

/// Reads a C2B validation: a customer is about to pay. Not money yet.
///
/// # Errors
/// As [`read_confirmation`]; the payment may be rejected.
pub fn read_validation(raw: &[u8]) -> Result<C2b, BadConfirmation> {
    read_confirmation(raw)
}

fn parse(raw: &[u8]) -> Result<Notice, BadConfirmation> {
    let text = encoding::text(raw);
    // A JSON array would pass for a struct by position.
    if !text.trim_start().starts_with('{') {
        return Err(bad("body", "is not a json object".to_owned()));
    }
    serde_json::from_str(&text).map_err(|error| {
        let what = if error.is_data() { "has a field twice" } else { "is broken json" };
        bad("body", format!("{what} at line {} column {}", error.line(), error.column()))
    })
}

fn required(field: &'static str, value: Option<serde_json::Value>) -> Result<String, BadConfirmation> {
    match Field::of(value) {
        Field::Text(text) if text.is_empty() => Err(bad(field, "is empty".to_owned())),
        Field::Text(text) => Ok(text),
        Field::Absent => Err(bad(field, "is missing".to_owned())),
        Field::Odd => Err(bad(field, "is neither a text nor a number".to_owned())),
    }
}

/// Receipts are ten capitals and digits today; the books only need one short word that is the same each time.
fn receipt(text: String) -> Result<String, BadConfirmation> {
    let word = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if !word || text.len() > 32 {
        return Err(bad("TransID", "is not a receipt (up to 32 letters and digits)".to_owned()));
    }
    Ok(text.to_ascii_uppercase())
}

fn nairobi(text: &str) -> Option<DateTime<Utc>> {
    if text.len() != 14 {
        return None;
    }
    of_nairobi(NaiveDateTime::parse_from_str(text, "%Y%m%d%H%M%S").ok()?)
}

/// Nairobi's wall clock as a moment.
fn of_nairobi(local: NaiveDateTime) -> Option<DateTime<Utc>> {
    Some(local.and_local_timezone(FixedOffset::east_opt(NAIROBI_S)?).single()?.to_utc())
}

/// A moment on Nairobi's wall clock.
fn local(at: DateTime<Utc>) -> NaiveDateTime {
    let offset = FixedOffset::east_opt(NAIROBI_S);
    offset.map_or(at.naive_utc(), |offset| at.with_timezone(&offset).naive_local())
}

/// What a person typed, fit to be stored: no control characters (Postgres text takes no NUL), a bounded
/// length.
fn clean(text: &str) -> String {
    let kept: String = text.chars().filter(|c| !c.is_control()).take(64).collect();
    kept.trim().to_owned()
}

fn bad(field: &'static str, reason: String) -> BadConfirmation {
    BadConfirmation { field, reason }
}
