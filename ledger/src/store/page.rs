//! The stretch of a journal that is exported, and its accounts page by page; `written.rs` has the transfers.
//!
//! Invariant: a page costs what it shows, wherever in the journal it stands, and never cuts a transfer. What
//! lies up to a batch never changes, so pages that were read at different moments belong together.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::Fault;
use crate::batch::Totals;
use crate::chart::{Account, BookId};

/// A part of a journal: the batches recorded from one instant up to, not including, another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// The last batch before it; 0 if there is none.
    pub(crate) before: i64,
    /// Its last batch; `before` if it has none.
    pub(crate) last: i64,
    /// The last posting before it.
    pub(crate) after_no: i64,
    /// Its last posting.
    pub(crate) last_no: i64,
    /// The first and the last instant at which something in it happened or was heard of.
    pub(crate) instants: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

/// The part of a book's journal between two instants; `None` for a book that was never opened.
pub(crate) async fn stretch(
    conn: &mut PgConnection,
    book: &BookId,
    [from, to]: [Option<DateTime<Utc>>; 2],
) -> Result<Option<Stretch>, Fault> {
    let row = sqlx::query!(
        r#"
        with b as (select book from ledger.book where name = $1),
        before as (
            select no, first_posting + postings - 1 as posting from ledger.batch
            where book = (select book from b) and recorded_at < $2 order by recorded_at desc, no desc limit 1
        ),
        last as (
            select no, first_posting + postings - 1 as posting, recorded_at from ledger.batch
            where book = (select book from b) and ($3::timestamptz is null or recorded_at < $3)
            order by recorded_at desc, no desc limit 1
        ),
        first as (
            select recorded_at from ledger.batch
            where book = (select book from b) and no = coalesce((select no from before), 0) + 1
        ),
        apart as (
            select min(r.effective_at) as first, max(r.effective_at) as last
            from ledger.restated r
            where r.book = (select book from b) and r.batch > coalesce((select no from before), 0)
                and r.batch <= (select no from last)
        )
        select coalesce(before.no, 0) as "before!", coalesce(last.no, 0) as "last!",
            coalesce(before.posting, 0) as "after_no!", coalesce(last.posting, 0) as "last_no!",
            least(first.recorded_at, apart.first) as first, greatest(last.recorded_at, apart.last) as latest
        from b
        left join before on true left join last on true left join first on true left join apart on true
        "#,
        book.as_str(),
        from,
        to
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Stretch {
        before: row.before,
        last: row.last.max(row.before),
        after_no: row.after_no,
        last_no: row.last_no.max(row.after_no),
        instants: row.first.zip(row.latest).filter(|_| row.last > row.before),
    }))
}

/// An account of a page, by its number, and what stood on it.
pub(crate) struct Stood {
    pub(crate) number: i64,
    pub(crate) account: Account,
    pub(crate) totals: Totals,
}

/// Accounts after a number, of those that batches up to `known` opened, with what stood on them after the
/// batch `at`.
pub(crate) async fn accounts(
    conn: &mut PgConnection,
    book: &BookId,
    [known, at]: [i64; 2],
    after: i64,
    limit: i64,
) -> Result<Vec<Stood>, Fault> {
    let rows = sqlx::query!(
        r#"
        select a.account, a.path as "path: Account",
            c.debits_posted as "debits_posted?", c.credits_posted as "credits_posted?",
            c.debits_pending as "debits_pending?", c.credits_pending as "credits_pending?"
        from ledger.book k
        join ledger.account a on a.book = k.book and a.account > $4::bigint
            and a.account <= (select accounts from ledger.batch where book = k.book and no = $2)
        left join lateral (
            select * from ledger.chunk where book = k.book and account = a.account and batch <= $3
            order by batch desc limit 1
        ) c on true
        where k.name = $1
        order by a.account
        limit $5
        "#,
        book.as_str(),
        known,
        at,
        after,
        limit
    )
    .fetch_all(conn)
    .await?;
    let stood = rows.into_iter().map(|row| Stood {
        number: row.account.into(),
        account: row.path,
        totals: Totals {
            debits_posted: row.debits_posted.unwrap_or_default(),
            credits_posted: row.credits_posted.unwrap_or_default(),
            debits_pending: row.debits_pending.unwrap_or_default(),
            credits_pending: row.credits_pending.unwrap_or_default(),
        },
    });
    Ok(stood.collect())
}
