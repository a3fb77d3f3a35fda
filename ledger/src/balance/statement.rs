//! What happened to an account, a page at a time, from either end.
//!
//! Invariant: a page costs what it shows, however long the account's history is.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::Line;
use crate::chart::{Account, BookId};
use crate::store::Fault;
use crate::store::walk::lines;

/// A line of a statement at which a page ended, and what stands on the account on the far side of it: after
/// it where the oldest come first, before it where the newest do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The posting's number.
    pub no: i64,
    /// Minor units on the normal side.
    pub balance: i64,
}

/// Which lines of an account are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What the book heard from here on.
    pub from: DateTime<Utc>,
    /// Up to, not including, here.
    pub to: DateTime<Utc>,
    /// Whether the newest lines come first.
    pub newest_first: bool,
    /// Only what comes beyond an earlier page.
    pub beyond: Option<Cursor>,
    /// How many lines at most.
    pub limit: u32,
}

/// An account's lines between two instants, and what stood there before and after them all. Minor units on
/// the normal side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The account.
    pub account: Account,
    /// What stood there when the statement begins.
    pub opening: i64,
    /// What the book heard since, in the order wanted, each with the balance after it.
    pub lines: Vec<Line>,
    /// What stands there when it ends.
    pub closing: i64,
    /// Where the next page begins, if there is more.
    pub next: Option<Cursor>,
}

/// A page of a statement. It costs what it shows, however long the account's history is.
///
/// # Errors
/// [`Fault`] when the database fails.
pub async fn page(
    conn: &mut PgConnection,
    book: &BookId,
    account: &Account,
    wanted: &Wanted,
) -> Result<Statement, Fault> {
    let Wanted { from, to, newest_first, beyond, limit } = *wanted;
    let place = (beyond.map(|cursor| cursor.no), newest_first);
    let Some(span) = lines::span(conn, book, account, [from, to], place).await? else {
        return Ok(Statement { account: account.clone(), opening: 0, lines: vec![], closing: 0, next: None });
    };
    let side = account.kind().side();
    let (opening, closing) = (span.opening.posted(side), span.closing.posted(side));
    let begin = beyond.map_or(if newest_first { closing } else { opening }, |cursor| cursor.balance);
    // One more than is shown tells whether there is more.
    let more = i64::from(limit) + 1;
    let mut lines = match newest_first {
        true => lines::newest(conn, &span, more, side, begin).await?,
        false => lines::oldest(conn, &span, more, side, begin).await?,
    };
    let rest = lines.split_off(lines.len().min(limit as usize));
    let next = lines.last().zip(rest.first()).map(|(last, beyond)| {
        // Running back, the next line's balance is what stood before the last one shown.
        Cursor { no: last.no, balance: if newest_first { beyond.balance } else { last.balance } }
    });
    Ok(Statement { account: account.clone(), opening, lines, closing, next })
}

/// The whole statement of what the book heard from one instant up to, not including, another. For short
/// spans: it has every line in memory.
///
/// # Errors
/// [`Fault`] when the database fails.
pub async fn statement(
    conn: &mut PgConnection,
    book: &BookId,
    account: &Account,
    [from, to]: [DateTime<Utc>; 2],
) -> Result<Statement, Fault> {
    let mut wanted = Wanted { from, to, newest_first: false, beyond: None, limit: 1_000 };
    let mut whole = page(conn, book, account, &wanted).await?;
    while whole.next.is_some() {
        wanted.beyond = whole.next;
        let page = page(conn, book, account, &wanted).await?;
        whole.lines.extend(page.lines);
        whole.next = page.next;
    }
    Ok(whole)
}
