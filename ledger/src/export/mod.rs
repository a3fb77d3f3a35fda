//! The journal for other programs: hledger, beancount, NDJSON, CSV; as a stream that never holds more than a
//! page.
//!
//! A range is days (UTC) on which the book *heard*. What it heard by then never changes, so days that are
//! over give the same bytes for ever, and ranges that follow each other hold every transfer once. Inside,
//! each one bears the day on which it *happened*, which may lie outside; what stood before the range is its
//! opening.
//!
//! Invariant: nothing is read twice into memory, and what is written is fixed by the batch at which the
//! stream began; posting may go on, and each page may come over another connection. Money held is not moved:
//! only `post` and `settle` are postings for hledger and beancount, which know no other kind.
//! Absent: who may ask, and where the bytes go.

mod beancount;
mod csv;
mod hledger;
mod ndjson;

pub use csv::cell as csv_cell;

use std::str::FromStr;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use sqlx::PgConnection;

use crate::chart::{Account, BookId, Class};
use crate::id::BadName;
use crate::money::{Asset, Money, decimal};
use crate::store::page::{self, Stretch};
use crate::store::written;
use crate::store::{Fault, written::Written};
use crate::transfer::Posting;

/// Postings, or accounts, of a page: some hundred kilobytes of text.
const PAGE: i64 = 1_000;

/// For which program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Plain-text accounting: `hledger check --strict` accepts it.
    Hledger,
    /// Plain-text accounting: `bean-check` accepts it.
    Beancount,
    /// One transfer a line, as JSON, with everything the journal knows of it.
    Ndjson,
    /// One posting a line, for spreadsheets (RFC 4180).
    Csv,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 4] = [Format::Hledger, Format::Beancount, Format::Ndjson, Format::Csv];

    /// Its name.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Format::Hledger => "hledger",
            Format::Beancount => "beancount",
            Format::Ndjson => "ndjson",
            Format::Csv => "csv",
        }
    }

    /// How a file of it ends.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Format::Hledger => "journal",
            other => other.word(),
        }
    }

    /// Its media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Format::Hledger | Format::Beancount => "text/plain; charset=utf-8",
            Format::Ndjson => "application/x-ndjson",
            Format::Csv => "text/csv; charset=utf-8; header=present",
        }
    }

    fn form(self) -> &'static dyn Form {
        match self {
            Format::Hledger => &hledger::Hledger,
            Format::Beancount => &beancount::Beancount,
            Format::Ndjson => &ndjson::Ndjson,
            Format::Csv => &csv::Csv,
        }
    }
}

impl FromStr for Format {
    type Err = BadName;

    fn from_str(word: &str) -> Result<Self, BadName> {
        let known = Self::ALL.into_iter().find(|format| format.word() == word);
        known.ok_or(BadName("a format: hledger, beancount, ndjson, csv"))
    }
}

/// The days (UTC) on which the book heard what is asked for, the last one included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// The first day; the journal's beginning if absent.
    pub from: Option<NaiveDate>,
    /// The last day; the newest batch if absent.
    pub to: Option<NaiveDate>,
}

/// What a form says at its head, and knows on the way.
struct Head {
    book: BookId,
    range: Range,
    stretch: Stretch,
    /// No posting is dated earlier.
    first: NaiveDate,
    /// When what stood before is booked; `None` if the journal's beginning is asked for.
    opening: Option<NaiveDate>,
    /// No posting is dated later.
    last: NaiveDate,
}

impl Head {
    fn asset(&self) -> Asset {
        self.book.asset()
    }

    /// "100.00 KES", negative on the credit side.
    fn amount(&self, minor: i64) -> String {
        format!("{} {}", decimal(self.asset(), minor), self.asset())
    }
}

/// A format. What is called in which order stands in [`Export::next`].
trait Form: Sync {
    /// Whether it declares accounts and checks what stands on them.
    fn keeps_accounts(&self) -> bool {
        false
    }
    fn head(&self, _: &mut String, _: &Head) {}
    fn account(&self, _: &mut String, _: &Head, _: &Account) {}
    /// What comes before the accounts' openings.
    fn opening(&self, _: &mut String, _: &Head) {}
    /// What stood on an account before: debits less credits.
    fn opened(&self, _: &mut String, _: &Head, _: (&Account, i64)) {}
    fn transfer(&self, out: &mut String, head: &Head, written: &Written) -> Result<(), Fault>;
    /// What comes before the accounts' closings.
    fn closing(&self, _: &mut String, _: &Head) {}
    /// What must stand on an account in the end: debits less credits.
    fn closed(&self, _: &mut String, _: &Head, _: (&Account, i64)) {}
}

enum Place {
    Head,
    Accounts { after: i64 },
    Opening { after: i64 },
    Journal { after: i64 },
    Closing { after: i64 },
    End,
}

/// A journal on its way out.
pub struct Export {
    form: &'static dyn Form,
    head: Head,
    place: Place,
}

impl Export {
    /// Fixes what will be written: all of the range that is there now. `None` for a book that was never
    /// opened.
    ///
    /// # Errors
    /// [`Fault`] when the database fails, or a day is beyond the calendar.
    pub async fn begin(
        conn: &mut PgConnection,
        book: &BookId,
        range: Range,
        format: Format,
    ) -> Result<Option<Self>, Fault> {
        let instants = [range.from, after(range.to)?].map(|day| day.map(midnight));
        let Some(stretch) = page::stretch(conn, book, instants).await? else { return Ok(None) };
        let days = stretch.instants.map(|(first, last)| (first.date_naive(), last.date_naive()));
        let opening = range.from.and_then(|from| from.pred_opt()).filter(|_| stretch.before > 0);
        let begin = opening.or(range.from).or(range.to).unwrap_or_default();
        let (first, last) = days.unwrap_or((begin, begin));
        let head = Head {
            book: book.clone(),
            range,
            first: opening.map_or(first, |opening| first.min(opening)),
            last: range.to.map_or(last, |to| last.max(to)),
            opening,
            stretch,
        };
        Ok(Some(Self { form: format.form(), head, place: Place::Head }))
    }

    /// The next piece; `None` after the last. Any connection to the same database will do.
    ///
    /// # Errors
    /// [`Fault`] when the database fails. The same piece may be asked for again.
    pub async fn next(&mut self, conn: &mut PgConnection) -> Result<Option<String>, Fault> {
        loop {
            let mut out = String::new();
            let next = match self.place {
                Place::Head => self.begun(&mut out),
                Place::Accounts { after } => self.declare(conn, &mut out, after).await?,
                Place::Opening { after } => self.open(conn, &mut out, after).await?,
                Place::Journal { after } => self.journal(conn, &mut out, after).await?,
                Place::Closing { after } => self.close(conn, &mut out, after).await?,
                Place::End => return Ok(None),
            };
            self.place = next;
            if !out.is_empty() {
                return Ok(Some(out));
            }
        }
    }

    fn begun(&self, out: &mut String) -> Place {
        self.form.head(out, &self.head);
        match self.form.keeps_accounts() {
            true => Place::Accounts { after: 0 },
            false => Place::Journal { after: self.head.stretch.after_no },
        }
    }

    async fn declare(&self, conn: &mut PgConnection, out: &mut String, after: i64) -> Result<Place, Fault> {
        let stretch = &self.head.stretch;
        let page = page::accounts(conn, &self.head.book, [stretch.last, 0], after, PAGE).await?;
        page.iter().for_each(|stood| self.form.account(out, &self.head, &stood.account));
        Ok(match page.last() {
            Some(last) => Place::Accounts { after: last.number },
            None if self.head.opening.is_some() => Place::Opening { after: 0 },
            None => Place::Journal { after: stretch.after_no },
        })
    }

    async fn open(&self, conn: &mut PgConnection, out: &mut String, after: i64) -> Result<Place, Fault> {
        let stretch = &self.head.stretch;
        let page = page::accounts(conn, &self.head.book, [stretch.before; 2], after, PAGE).await?;
        if after == 0 {
            self.form.opening(out, &self.head);
        }
        for stood in &page {
            let stands = stood.totals.debits_posted - stood.totals.credits_posted;
            if stands != 0 {
                self.form.opened(out, &self.head, (&stood.account, stands));
            }
        }
        Ok(match page.last() {
            Some(last) => Place::Opening { after: last.number },
            None => Place::Journal { after: stretch.after_no },
        })
    }

    async fn journal(&self, conn: &mut PgConnection, out: &mut String, after: i64) -> Result<Place, Fault> {
        let left = self.head.stretch.last_no - after;
        let page = match left {
            0 => Vec::new(),
            // The range ends with a batch, and so with a transfer.
            left => written::page(conn, &self.head.book, after, left.min(PAGE)).await?,
        };
        for written in &page {
            self.form.transfer(out, &self.head, written)?;
        }
        Ok(match page.last().and_then(|written| written.postings.last()) {
            Some((no, ..)) => Place::Journal { after: *no },
            None if left > 0 => return Err(Fault::Unreadable("postings are missing")),
            None if self.form.keeps_accounts() => Place::Closing { after: 0 },
            None => Place::End,
        })
    }

    async fn close(&self, conn: &mut PgConnection, out: &mut String, after: i64) -> Result<Place, Fault> {
        let stretch = &self.head.stretch;
        let page = page::accounts(conn, &self.head.book, [stretch.last; 2], after, PAGE).await?;
        if after == 0 && !page.is_empty() {
            self.form.closing(out, &self.head);
        }
        for stood in &page {
            let stands = stood.totals.debits_posted - stood.totals.credits_posted;
            self.form.closed(out, &self.head, (&stood.account, stands));
        }
        Ok(page.last().map_or(Place::End, |last| Place::Closing { after: last.number }))
    }
}

/// " heard from 2026-09-01 to 2026-09-30 (UTC), …": what of a book this is.
fn heard(head: &Head) -> String {
    let from = head.range.from.map(|day| format!(" from {day}")).unwrap_or_default();
    let to = head.range.to.map(|day| format!(" to {day}")).unwrap_or_default();
    let (first, last) = (head.stretch.before + 1, head.stretch.last);
    let batches = if last < first { "nothing".to_owned() } else { format!("batches {first} to {last}") };
    format!(", what it heard{from}{to}: {batches}.")
}

fn after(day: Option<NaiveDate>) -> Result<Option<NaiveDate>, Fault> {
    let next = |day: NaiveDate| {
        day.checked_add_days(Days::new(1)).ok_or(Fault::Unreadable("the day is beyond the calendar"))
    };
    day.map(next).transpose()
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

/// An instant to the microsecond, which is what the journal keeps.
fn instant(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// The account's place under its class: the class's word, and the path below it. A path that begins with the
/// word of its own class (`income:fee`) does not repeat it.
fn below(account: &Account) -> (Class, String) {
    let (class, path) = (account.kind().class(), account.path());
    let own = path.strip_prefix(class.word()).and_then(|rest| rest.strip_prefix(':')).map(str::to_owned);
    (class, own.unwrap_or(path))
}

/// The two signed lines of a posting that moves money, debit first; none of one that only holds or frees.
fn moved(phase: &str, posting: &Posting) -> Option<[(Account, i64); 2]> {
    let minor = posting.money.minor();
    let lines = || [(posting.debit.clone(), minor), (posting.credit.clone(), -minor)];
    matches!(phase, "post" | "settle").then(lines)
}

/// What a posting that moves no money does to the money held.
fn aside(phase: &str, posting: &Posting) -> Option<(&'static str, Money)> {
    match phase {
        "hold" => Some(("held", posting.money)),
        "void" => Some(("freed", posting.money)),
        _ => None,
    }
}
