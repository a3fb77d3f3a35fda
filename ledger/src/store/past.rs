//! Looking back on two axes: how accounts stood as of an instant in the world, as far as the book knew at an
//! instant of its own; what made the difference between two of the latter; and what was said of transfers.
//!
//! Absent: totals held aside. What is held is a promise of now, not of the past.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Fault;
use super::look::event;
use crate::chart::{Account, BookId};
use crate::id::TransferId;
use crate::money::Amount;
use crate::transfer::Event;

/// Debits and credits posted to every account of a book by what was effective before `at`, as far as it was
/// known at `known_at`; accounts to which nothing was posted by then are left out. In order of path.
pub(crate) async fn all_before(
    conn: &mut PgConnection,
    book: &BookId,
    at: DateTime<Utc>,
    known_at: DateTime<Utc>,
) -> Result<Vec<(Account, i64, i64)>, Fault> {
    let rows = sqlx::query_file!("src/store/past/all_before.sql", book.as_str(), at, known_at)
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().map(|row| (row.account, row.debits, row.credits)).collect())
}

/// A posting that the book heard of between two instants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learned {
    /// The posting's number in the book.
    pub no: i64,
    /// Its transfer.
    pub transfer: TransferId,
    /// The business event.
    pub event: Event,
    /// The debited account.
    pub debit: Account,
    /// The credited account.
    pub credit: Account,
    /// How much.
    pub amount: Amount,
    /// When it happened in the world.
    pub effective_at: DateTime<Utc>,
    /// When the book heard of it.
    pub recorded_at: DateTime<Utc>,
}

/// What was posted and happened from `since`, if given, and before `at`, and what the book heard of after
/// the first and not after the second of two instants; in order, from behind a number, so many at most.
///
/// What a closed past learned later is all in `ledger.restated`, of which a book has few rows; what is
/// effective when it is recorded comes from the batches between the instants.
pub(crate) async fn heard(
    conn: &mut PgConnection,
    book: &BookId,
    (since, at): (Option<DateTime<Utc>>, DateTime<Utc>),
    [from, to]: [DateTime<Utc>; 2],
    (after, most): (i64, i64),
) -> Result<Vec<Learned>, Fault> {
    let rows = sqlx::query_file_as!(
        Row,
        "src/store/past/heard.sql",
        book.as_str(),
        at,
        from,
        to,
        after,
        most,
        since
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(learned).collect()
}

/// An account's postings of what happened from `from` and before `to`, as far as it was known, in the order
/// in which it happened, from behind a place, so many at most.
pub(crate) async fn lines(
    conn: &mut PgConnection,
    book: &BookId,
    account: &Account,
    ([from, to], known_at): ([DateTime<Utc>; 2], DateTime<Utc>),
    ((at, no), most): ((DateTime<Utc>, i64), i64),
) -> Result<Vec<Learned>, Fault> {
    let rows = sqlx::query_file_as!(
        Row,
        "src/store/past/lines.sql",
        book.as_str(),
        account.path(),
        from,
        to,
        known_at,
        at,
        no,
        most
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(learned).collect()
}

struct Row {
    no: i64,
    transfer: Uuid,
    event: i16,
    debit: Account,
    credit: Account,
    amount: i64,
    effective_at: DateTime<Utc>,
    recorded_at: DateTime<Utc>,
}

fn learned(row: Row) -> Result<Learned, Fault> {
    Ok(Learned {
        no: row.no,
        transfer: TransferId(row.transfer),
        event: event(row.event)?,
        debit: row.debit,
        credit: row.credit,
        amount: Amount::new(row.amount)
            .map_err(|_| Fault::Unreadable("a posting's amount is not positive"))?,
        effective_at: row.effective_at,
        recorded_at: row.recorded_at,
    })
}

/// Transfers of which this was said, in order of their ids, from behind one, so many at most.
pub(crate) async fn said(
    conn: &mut PgConnection,
    book: &BookId,
    [name, value]: [&str; 2],
    after: Option<TransferId>,
    most: i64,
) -> Result<Vec<Uuid>, Fault> {
    let rows = sqlx::query_scalar!(
        r#"
        select m.transfer
        from ledger.book k
        join ledger.metadata m on m.book = k.book and m.name = $2 and m.value = $3
            and ($4::uuid is null or m.transfer > $4)
        where k.name = $1
        order by m.transfer
        limit $5
        "#,
        book.as_str(),
        name,
        value,
        after.map(|after| after.0),
        most
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// The holds that a set of linked transfers opened and that are open, in the order they were opened.
pub(crate) async fn open_of(
    conn: &mut PgConnection,
    book: &BookId,
    first: TransferId,
) -> Result<Vec<TransferId>, Fault> {
    let rows = sqlx::query_scalar!(
        r#"
        select l.transfer
        from ledger.book k
        join ledger.link l on l.book = k.book and l.first = $2
        join ledger.posting p on p.book = k.book and p.transfer = l.transfer and p.leg = 0
        cross join lateral (
            select remaining from ledger.hold where book = k.book and hold = l.transfer
            order by remaining limit 1
        ) h
        where k.name = $1 and h.remaining > 0
        order by p.no
        "#,
        book.as_str(),
        first.0
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(TransferId).collect())
}
