//! The paybill's statement, as the portal exports it: CSV or Excel, newest or oldest first, with whatever
//! lines above its header.
//!
//! Invariant: each row's balance follows from its neighbour's, or the whole file is refused with the line
//! where it breaks; so a row that was cut out, altered or added by hand is found. Rows that did not complete
//! move nothing. Absent: names of payers, and what a row means for our books.

mod sheet;
#[cfg(test)]
mod tests;
mod when;

use std::fmt;

use amana_ledger::money::{Asset, Money};
use chrono::{DateTime, Utc};

use self::sheet::{Cell, Line};
use super::daraja::signed;
use super::{Payer, clean, receipt};
use crate::port::scrub;

/// A statement of one account of a paybill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The paybill, where the lines above the header name it.
    pub shortcode: Option<String>,
    /// Which of its accounts; `Utility Account` where they do not say.
    pub account: String,
    /// The rows, oldest first.
    pub rows: Vec<Row>,
}

/// What a row is, as far as its reason tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A customer paid.
    Collection,
    /// A customer's payment was given back.
    Reversal,
    /// Paid to a customer.
    Payout,
    /// Between the paybill's own accounts, charges, and what we have no word for.
    Other,
}

impl Kind {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Collection => "collection",
            Kind::Reversal => "reversal",
            Kind::Payout => "payout",
            Kind::Other => "other",
        }
    }
}

/// One row.
#[derive(Clone, PartialEq, Eq)]
pub struct Row {
    /// Where it stands in the file, from one.
    pub line: u64,
    /// Its receipt; a charge may carry its payment's.
    pub receipt: String,
    /// When it was completed.
    pub at: DateTime<Utc>,
    /// Whether it was completed; another row moved nothing.
    pub completed: bool,
    /// Minor units that came.
    pub paid_in: i64,
    /// Minor units that left, however it was signed.
    pub withdrawn: i64,
    /// What stood on the account after it, minor units.
    pub balance: i64,
    /// The rail's reason for it.
    pub reason: String,
    /// What that means.
    pub kind: Kind,
    /// Who is on the other side.
    pub party: Payer,
    /// The payment that was given back.
    pub linked: Option<String>,
    /// What the payer typed as account number.
    pub typed_ref: String,
}

impl Row {
    /// What came, if anything did.
    pub fn came(&self) -> Option<Money> {
        Money::new(Asset::Kes, self.paid_in).ok().filter(|_| self.completed)
    }

    /// What left, if anything did.
    pub fn left(&self) -> Option<Money> {
        Money::new(Asset::Kes, self.withdrawn).ok().filter(|_| self.completed)
    }

    fn moved(&self) -> i64 {
        if self.completed { self.paid_in - self.withdrawn } else { 0 }
    }
}

/// The other side and what a payer typed are personal.
impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Row({} {} {:?} +{} -{})", self.line, self.receipt, self.kind, self.paid_in, self.withdrawn)
    }
}

/// Why a file is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct BadStatement {
    /// The line of the file, from one.
    pub line: u64,
    /// What is wrong there, without its content.
    pub reason: String,
}

/// The columns, each by the names it is known under, without blanks and points and in lower case.
const COLUMNS: [&[&str]; 11] = [
    &["receiptno", "receipt"],
    &["completiontime", "date"],
    &["details"],
    &["transactionstatus", "status"],
    &["paidin"],
    &["withdrawn", "withdrawal"],
    &["balance"],
    &["reasontype", "transactiontype"],
    &["otherpartyinfo"],
    &["linkedtransactionid"],
    &["acno", "accountno"],
];
const RECEIPT: usize = 0;
const TIME: usize = 1;
const DETAILS: usize = 2;
const STATUS: usize = 3;
const PAID_IN: usize = 4;
const WITHDRAWN: usize = 5;
const BALANCE: usize = 6;
const REASON: usize = 7;
const PARTY: usize = 8;
const LINKED: usize = 9;
const TYPED: usize = 10;
/// Without these there is no statement.
const NEEDED: [usize; 6] = [RECEIPT, TIME, STATUS, PAID_IN, WITHDRAWN, BALANCE];

/// Reads a statement.
///
/// # Errors
/// [`BadStatement`]: no header, a row that does not read, a balance that does not follow.
pub fn read(raw: &[u8]) -> Result<Statement, BadStatement> {
    let lines = sheet::lines(raw)?;
    let no_header =
        || BadStatement { line: 1, reason: "there is no header with the columns of a statement".into() };
    let found = lines.iter().enumerate().find_map(|(at, (_, cells))| Some((at, columns(cells)?)));
    let (at, columns) = found.ok_or_else(no_header)?;
    let (above, below) = lines.split_at(at);
    let mut rows = Vec::new();
    for (line, cells) in below.iter().skip(1).filter(|(_, cells)| !is_blank(cells)) {
        rows.push(row(*line, cells, &columns)?);
    }
    in_order(&mut rows)?;
    let account = named(above, "account").unwrap_or_else(|| "Utility Account".to_owned());
    Ok(Statement { shortcode: named(above, "shortcode"), account: clean(&account), rows })
}

/// Which column stands where; none unless this is the header.
fn columns(cells: &[Cell]) -> Option<Vec<Option<usize>>> {
    let heads: Vec<String> = cells.iter().map(|cell| bare(cell.text())).collect();
    let place = |names: &[&str]| heads.iter().position(|head| names.contains(&head.as_str()));
    let columns: Vec<Option<usize>> = COLUMNS.iter().map(|names| place(names)).collect();
    NEEDED.iter().all(|needed| columns[*needed].is_some()).then_some(columns)
}

fn bare(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect()
}

fn is_blank(cells: &[Cell]) -> bool {
    cells.iter().all(|cell| *cell == Cell::Text(String::new()))
}

/// What stands beside a name above the header.
fn named(above: &[Line], name: &str) -> Option<String> {
    let row = above.iter().find(|(_, cells)| cells.first().is_some_and(|cell| bare(cell.text()) == name))?;
    let value = row.1.iter().skip(1).map(Cell::text).find(|text| !text.is_empty())?;
    Some(value.to_owned())
}

fn row(line: u64, cells: &[Cell], columns: &[Option<usize>]) -> Result<Row, BadStatement> {
    let empty = Cell::Text(String::new());
    let cell = |column: usize| columns[column].and_then(|at| cells.get(at)).unwrap_or(&empty);
    let text = |column: usize| cell(column).text();
    let bad =
        |column: usize, what: &str| BadStatement { line, reason: format!("{}: {what}", COLUMNS[column][0]) };
    let amount = |column: usize| amount(text(column)).map_err(|why| bad(column, why));
    let (paid_in, withdrawn) = (amount(PAID_IN)?.unwrap_or(0), amount(WITHDRAWN)?.unwrap_or(0));
    if paid_in < 0 {
        return Err(bad(PAID_IN, "is below zero"));
    }
    let (reason, details) = (scrub(text(REASON)), text(DETAILS));
    let linked =
        Some(text(LINKED)).filter(|linked| !linked.is_empty()).or_else(|| word_after(details, "Reversal of"));
    let linked = linked.and_then(|linked| receipt(linked.to_owned()).ok());
    let typed = Some(text(TYPED)).filter(|typed| !typed.is_empty());
    let typed = typed.or_else(|| details.split_once(" Acc. ").map(|(_, typed)| typed)).unwrap_or_default();
    let withdrawn = withdrawn.checked_abs().ok_or_else(|| bad(WITHDRAWN, "is too large"))?;
    let kind = kind(&reason, details, (paid_in, withdrawn));
    Ok(Row {
        line,
        receipt: receipt(text(RECEIPT).to_owned()).map_err(|_| bad(RECEIPT, "is no receipt"))?,
        at: when::moment(cell(TIME)).ok_or_else(|| bad(TIME, "is no time"))?,
        completed: text(STATUS).eq_ignore_ascii_case("completed"),
        paid_in,
        withdrawn,
        balance: amount(BALANCE)?.ok_or_else(|| bad(BALANCE, "is missing"))?,
        kind,
        reason,
        party: Payer::read(text(PARTY).split(" - ").next().unwrap_or_default().trim()),
        linked,
        typed_ref: clean(typed),
    })
}

/// An amount in minor units, with commas between thousands or without; nothing for an empty cell.
fn amount(text: &str) -> Result<Option<i64>, &'static str> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, rest)| (whole, Some(rest)));
    let mut groups = whole.trim_start_matches('-').split(',');
    let head = groups.next().unwrap_or_default();
    let mut rest = groups.peekable();
    // 1,500 has its comma where it belongs; 15,00 may be anything.
    let grouped = rest.peek().is_none() || (1..=3).contains(&head.len());
    if !grouped || rest.any(|group| group.len() != 3) {
        return Err("has a comma where no thousands end");
    }
    let plain: String = whole.chars().filter(|c| *c != ',').collect();
    let plain = fraction.map_or(plain.clone(), |fraction| format!("{plain}.{fraction}"));
    signed(&plain).map(Some).ok_or("is not an amount in shillings and cents")
}

fn word_after<'a>(text: &'a str, lead: &str) -> Option<&'a str> {
    text.split_once(lead)?.1.split_whitespace().next()
}

fn kind(reason: &str, details: &str, (paid_in, withdrawn): (i64, i64)) -> Kind {
    let lower = format!("{reason} {details}").to_ascii_lowercase();
    let reason = reason.to_ascii_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    if lower.contains("reversal") {
        return if withdrawn > 0 { Kind::Reversal } else { Kind::Other };
    }
    if paid_in > 0
        && (any(&["pay bill", "paybill", "buy goods", "customer payment"]) || lower.contains(" acc. "))
    {
        return Kind::Collection;
    }
    let is_payout = any(&["business payment", "salary payment", "promotion payment", "b2c"]);
    // A charge stands under its payment's reason in some exports.
    if withdrawn > 0 && is_payout && !lower.contains("charge") && !lower.contains("fee") {
        return Kind::Payout;
    }
    Kind::Other
}

/// Checks the running balance and puts the oldest row first.
fn in_order(rows: &mut [Row]) -> Result<(), BadStatement> {
    // Newest first: a row's balance is its lower neighbour's and what it moved itself.
    let down = rows
        .windows(2)
        .position(|pair| pair[1].balance.checked_add(pair[0].moved()) != Some(pair[0].balance));
    let up = rows
        .windows(2)
        .position(|pair| pair[0].balance.checked_add(pair[1].moved()) != Some(pair[1].balance));
    let is_newest_first = match (rows.first(), rows.last()) {
        (Some(first), Some(last)) => first.at >= last.at,
        _ => true,
    };
    match (down, up, is_newest_first) {
        (None, None, true) | (None, Some(_), _) => {
            rows.reverse();
            Ok(())
        }
        (_, None, _) => Ok(()),
        (Some(broken), Some(_), true) => Err(broken_at(&rows[broken])),
        (Some(_), Some(broken), false) => Err(broken_at(&rows[broken + 1])),
    }
}

fn broken_at(row: &Row) -> BadStatement {
    BadStatement { line: row.line, reason: "the balance does not follow from the row before it".to_owned() }
}
