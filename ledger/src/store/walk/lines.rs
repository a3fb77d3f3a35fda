//! The lines of one account: from its chunks, which say where its postings are, as there is no index on the
//! accounts of postings.
//!
//! Invariant: a page reads as many postings as it shows, and of chunks only those they stand in.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::batch::Totals;
use crate::chart::{Account, BookId, Side};
use crate::id::TransferId;
use crate::money::Amount;
use crate::store::Fault;
use crate::store::look::{Line, event, phase};

/// The batches in which an account's lines are looked for, and what stood on it before and after them.
pub(crate) struct Span {
    book: i32,
    account: i32,
    /// The first batch, and a place in it up to which nothing is wanted; -1 if all of it is.
    first: (i64, i32),
    /// The last batch, and a place in it from which on nothing is wanted.
    last: (i64, i32),
    pub(crate) opening: Totals,
    pub(crate) closing: Totals,
}

impl Span {
    /// The same, only what comes after (`newest_first`: before) the posting at which an earlier page ended.
    fn beyond(mut self, batch: i64, place: i32, newest_first: bool) -> Self {
        if newest_first && batch <= self.last.0 {
            self.last = (batch, place);
        } else if !newest_first && batch >= self.first.0 {
            self.first = (batch, place);
        }
        self
    }
}

/// The span of what was recorded from one instant up to, not including, another, beyond a posting if one is
/// given; `None` for an account that nothing ever touched.
pub(crate) async fn span(
    conn: &mut PgConnection,
    book: &BookId,
    account: &Account,
    [from, to]: [DateTime<Utc>; 2],
    (beyond, newest_first): (Option<i64>, bool),
) -> Result<Option<Span>, Fault> {
    let row = sqlx::query!(
        r#"
        select a.book, a.account, coalesce(f.no, 0) as "before!", coalesce(l.no, 0) as "last!",
            coalesce(o.debits_posted, 0) as "opening_debits!",
            coalesce(o.credits_posted, 0) as "opening_credits!",
            coalesce(c.debits_posted, 0) as "closing_debits!",
            coalesce(c.credits_posted, 0) as "closing_credits!",
            x.batch as "batch?", x.place as "place?"
        from ledger.book k
        join ledger.account a on a.book = k.book and a.path = $2
        left join lateral (
            select no from ledger.batch where book = a.book and recorded_at < $3
            order by recorded_at desc, no desc limit 1
        ) f on true
        left join lateral (
            select no from ledger.batch where book = a.book and recorded_at < $4
            order by recorded_at desc, no desc limit 1
        ) l on true
        left join lateral (
            select * from ledger.chunk where book = a.book and account = a.account and batch <= f.no
            order by batch desc limit 1
        ) o on true
        left join lateral (
            select * from ledger.chunk where book = a.book and account = a.account and batch <= l.no
            order by batch desc limit 1
        ) c on true
        left join lateral (
            select p.batch, (p.no - b.first_posting)::int as place
            from ledger.posting p
            join ledger.batch b on b.book = p.book and b.no = p.batch
            where p.book = a.book and p.no = $5
            limit 1
        ) x on true
        where k.name = $1
        "#,
        book.as_str(),
        account.path(),
        from,
        to,
        beyond
    )
    .fetch_optional(conn)
    .await?;
    let posted =
        |debits, credits| Totals { debits_posted: debits, credits_posted: credits, ..Totals::default() };
    Ok(row.map(|row| {
        let span = Span {
            book: row.book,
            account: row.account,
            first: (row.before + 1, -1),
            last: (row.last, i32::MAX),
            opening: posted(row.opening_debits, row.opening_credits),
            closing: posted(row.closing_debits, row.closing_credits),
        };
        match row.batch.zip(row.place) {
            Some((batch, place)) => span.beyond(batch, place, newest_first),
            None => span,
        }
    }))
}

struct Row {
    no: i64,
    transfer: Uuid,
    event: i16,
    other: Account,
    debited: bool,
    amount: i64,
    phase: i8,
    effective_at: DateTime<Utc>,
    recorded_at: DateTime<Utc>,
}

/// Up to `limit` lines of a span, the oldest first, running from `balance`, which stands before them.
pub(crate) async fn oldest(
    conn: &mut PgConnection,
    span: &Span,
    limit: i64,
    normal: Side,
    mut balance: i64,
) -> Result<Vec<Line>, Fault> {
    let rows = sqlx::query_file_as!(
        Row,
        "src/store/walk/oldest.sql",
        span.book,
        span.account,
        span.first.0,
        span.first.1,
        span.last.0,
        limit
    )
    .fetch_all(conn)
    .await?;
    let line = rows.into_iter().map(|row| {
        let (mut line, moved) = read(row, normal)?;
        balance += moved;
        line.balance = balance;
        Ok(line)
    });
    line.collect()
}

/// Up to `limit` lines of a span, the newest first, running back from `balance`, which stands after them.
pub(crate) async fn newest(
    conn: &mut PgConnection,
    span: &Span,
    limit: i64,
    normal: Side,
    mut balance: i64,
) -> Result<Vec<Line>, Fault> {
    let rows = sqlx::query_file_as!(
        Row,
        "src/store/walk/newest.sql",
        span.book,
        span.account,
        span.last.0,
        span.last.1,
        span.first.0,
        limit
    )
    .fetch_all(conn)
    .await?;
    let line = rows.into_iter().map(|row| {
        let (mut line, moved) = read(row, normal)?;
        line.balance = balance;
        balance -= moved;
        Ok(line)
    });
    line.collect()
}

/// A line without its balance, and what it moves on the account's normal side.
fn read(row: Row, normal: Side) -> Result<(Line, i64), Fault> {
    let phase = phase(row.phase)?;
    let side = if row.debited { Side::Debit } else { Side::Credit };
    let amount =
        Amount::new(row.amount).map_err(|_| Fault::Unreadable("a posting's amount is not positive"))?;
    let signed = if side == normal { amount.minor() } else { -amount.minor() };
    let line = Line {
        no: row.no,
        transfer: TransferId(row.transfer),
        event: event(row.event)?,
        other: row.other,
        side,
        amount,
        phase: phase.word(),
        effective_at: row.effective_at,
        recorded_at: row.recorded_at,
        balance: 0,
    };
    Ok((line, if phase.posts() { signed } else { 0 }))
}
