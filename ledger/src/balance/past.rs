//! How things stood: as of an instant in the world, as known at an instant of the book's, and what made the
//! difference between two states of knowledge.
//!
//! Invariant: nothing is forgotten, so every question has one answer for ever: what was known at an instant
//! does not change when the book learns more.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::chart::{Account, BookId, Side};
use crate::id::TransferId;
use crate::store::{Fault, look, past, written};

pub use crate::store::past::Learned;
use crate::store::written::Written;

/// What was posted to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The account.
    pub account: Account,
    /// All that was debited.
    pub debits: i64,
    /// All that was credited.
    pub credits: i64,
}

impl Standing {
    /// What stands on the account's normal side, minor units.
    #[must_use]
    pub fn posted(&self) -> i64 {
        match self.account.kind().side() {
            Side::Debit => self.debits - self.credits,
            Side::Credit => self.credits - self.debits,
        }
    }
}

/// What was posted to an account before an instant: *as of* when it happened in the world, whenever the book
/// heard of it, as far as it was known at another instant. By the end of a day is before the next midnight.
/// Money held is not part of the past; ask [`super::balance`].
///
/// # Errors
/// [`Fault`] when the database fails.
pub async fn as_of(
    conn: &mut PgConnection,
    book: &BookId,
    account: &Account,
    at: DateTime<Utc>,
    known_at: DateTime<Utc>,
) -> Result<Standing, Fault> {
    let (debits, credits) = look::posted_before(conn, book, account, at, known_at).await?;
    Ok(Standing { account: account.clone(), debits, credits })
}

/// [`as_of`] for every account of a book to which something was posted by then, in order of path; one moment,
/// one statement. Debits and credits sum up to the same.
///
/// # Errors
/// [`Fault`] when the database fails.
pub async fn trial_as_of(
    conn: &mut PgConnection,
    book: &BookId,
    at: DateTime<Utc>,
    known_at: DateTime<Utc>,
) -> Result<Vec<Standing>, Fault> {
    let all = past::all_before(conn, book, at, known_at).await?;
    let standing = |(account, debits, credits)| Standing { account, debits, credits };
    Ok(all.into_iter().map(standing).collect())
}

/// An account that stands differently as of one instant, depending on when one asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// As it was known first.
    pub before: Standing,
    /// As it was known later.
    pub after: Standing,
    /// The postings that make the difference, in order.
    pub learned: Vec<Learned>,
}

/// The most postings a difference is explained by.
pub const MOST_LEARNED: i64 = 100_000;

/// What the book learned of the time before `at` between two instants of its own: the accounts that stand
/// differently, in order of path, each with the postings that make the difference.
///
/// # Errors
/// [`Fault`] when the database fails, and when there are more than [`MOST_LEARNED`] such postings: then look
/// at a shorter time.
pub async fn difference(
    conn: &mut PgConnection,
    book: &BookId,
    at: DateTime<Utc>,
    known: [DateTime<Utc>; 2],
) -> Result<Vec<Difference>, Fault> {
    let learned = past::heard(conn, book, (None, at), known, (0, MOST_LEARNED + 1)).await?;
    if learned.len() as i64 > MOST_LEARNED {
        return Err(Fault::Unreadable("too much was learned to be shown at once"));
    }
    let mut of: BTreeMap<String, (Account, Vec<Learned>)> = BTreeMap::new();
    for posting in learned {
        for account in [&posting.debit, &posting.credit] {
            let entry = of.entry(account.path()).or_insert_with(|| (account.clone(), Vec::new()));
            entry.1.push(posting.clone());
        }
    }
    let mut differences = Vec::with_capacity(of.len());
    for (account, learned) in of.into_values() {
        let before = as_of(conn, book, &account, at, known[0]).await?;
        let mut after = before.clone();
        for posting in &learned {
            let side = if posting.debit == account { &mut after.debits } else { &mut after.credits };
            *side += posting.amount.minor();
        }
        differences.push(Difference { before, after, learned });
    }
    Ok(differences)
}

/// What was posted of what happened from one instant up to, not including, another, as far as it was known at
/// a third; in the order in which the book heard it, from behind a posting's number, so many at most.
///
/// # Errors
/// [`Fault`] when the database fails.
pub async fn journal(
    conn: &mut PgConnection,
    book: &BookId,
    [from, to]: [DateTime<Utc>; 2],
    known_at: DateTime<Utc>,
    (after, most): (i64, u16),
) -> Result<Vec<Learned>, Fault> {
    // Before any book.
    let first = DateTime::UNIX_EPOCH;
    past::heard(conn, book, (Some(from), to), [first, known_at], (after, i64::from(most))).await
}

/// A posting on an account, on the axis of when things happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// The posting.
    pub posting: Learned,
    /// What it moved on the account's normal side, minor units.
    pub moved: i64,
    /// What stands there after it.
    pub balance: i64,
}

/// Behind which line of [`happened`] a page begins, and what stood on the account there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Since {
    /// When the line happened.
    pub effective_at: DateTime<Utc>,
    /// Its posting's number.
    pub no: i64,
    /// Minor units on the normal side.
    pub balance: i64,
}

/// An account's lines of what happened from one instant up to, not including, another, as far as it was known
/// at a third, in the order in which it happened; so many at most, from a place on, or from the beginning.
///
/// # Errors
/// [`Fault`] when the database fails.
pub async fn happened(
    conn: &mut PgConnection,
    book: &BookId,
    account: &Account,
    ([from, to], known_at): ([DateTime<Utc>; 2], DateTime<Utc>),
    (since, most): (Option<Since>, u16),
) -> Result<Vec<Happened>, Fault> {
    let mut balance = match since {
        Some(since) => since.balance,
        None => as_of(conn, book, account, from, known_at).await?.posted(),
    };
    let place = since.map_or((from, 0), |since| (since.effective_at, since.no));
    let postings = past::lines(conn, book, account, ([from, to], known_at), (place, i64::from(most))).await?;
    let line = |posting: Learned| {
        let side = if posting.debit == *account { Side::Debit } else { Side::Credit };
        let minor = posting.amount.minor();
        let moved = if side == account.kind().side() { minor } else { -minor };
        balance += moved;
        Happened { posting, moved, balance }
    };
    Ok(postings.into_iter().map(line).collect())
}

/// Transfers of which this was said, in order of their ids, from behind one of them, so many at most.
///
/// # Errors
/// [`Fault`] when the database fails.
pub async fn by_metadata(
    conn: &mut PgConnection,
    book: &BookId,
    [name, value]: [&str; 2],
    after: Option<TransferId>,
    most: u16,
) -> Result<Vec<Written>, Fault> {
    let ids = past::said(conn, book, [name, value], after, i64::from(most)).await?;
    let mut found = written::of_ids(conn, book, &ids).await?;
    found.sort_by_key(|transfer| transfer.id);
    Ok(found)
}
