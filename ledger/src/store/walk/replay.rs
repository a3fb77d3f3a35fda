//! What a replay of a journal reads: postings in order, the batches that only set limits, and the chunks of
//! which it knows what they must say.

use sqlx::PgConnection;

use crate::batch::{Phase, Totals};
use crate::chart::{Account, BookId, Side};
use crate::money::Amount;
use crate::store::Fault;
use crate::store::look::phase;

/// A posting, with its accounts by number.
pub(crate) struct Moved {
    pub(crate) no: i64,
    /// Whether a transfer begins with it.
    pub(crate) begins: bool,
    pub(crate) batch: i64,
    pub(crate) debit: i32,
    pub(crate) credit: i32,
    pub(crate) amount: Amount,
    pub(crate) phase: Phase,
}

/// The next postings after a number, in order.
pub(crate) async fn postings(
    conn: &mut PgConnection,
    book: &BookId,
    after: i64,
    limit: i64,
) -> Result<Vec<Moved>, Fault> {
    let rows = sqlx::query!(
        r#"
        select p.no, p.leg, p.batch, p.debit, p.credit, p.amount, p.phase
        from ledger.book k
        join ledger.posting p on p.book = k.book and p.no > $2 and p.no <= $2 + $3
        where k.name = $1
        order by p.no
        "#,
        book.as_str(),
        after,
        limit
    )
    .fetch_all(conn)
    .await?;
    let moved = rows.into_iter().map(|row| {
        let amount =
            Amount::new(row.amount).map_err(|_| Fault::Unreadable("a posting's amount is not positive"))?;
        let phase = phase(row.phase)?;
        Ok(Moved {
            no: row.no,
            begins: row.leg == 0,
            batch: row.batch,
            debit: row.debit,
            credit: row.credit,
            amount,
            phase,
        })
    });
    moved.collect()
}

/// The accounts that were put under a limit, by the batches after one up to another: each appends a chunk
/// that moves nothing.
pub(crate) async fn limited(
    conn: &mut PgConnection,
    book: &BookId,
    [after, last]: [i64; 2],
) -> Result<Vec<(i64, i32)>, Fault> {
    let rows = sqlx::query!(
        "select l.batch, l.account from ledger.book k
         join ledger.account_limit l on l.book = k.book and l.batch > $2 and l.batch <= $3
         where k.name = $1 order by l.batch",
        book.as_str(),
        after,
        last
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.batch, row.account)).collect())
}

/// What a chunk must say: of which account, after which batch, and where its postings are in the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) account: i32,
    pub(crate) batch: i64,
    pub(crate) totals: Totals,
    /// What was available after the transfer that left the least: as a debit account, as a credit account.
    pub(crate) lowest: [i64; 2],
    pub(crate) places: Vec<i32>,
}

/// A chunk as it is stored, with the path of its account.
pub(crate) struct Stored {
    pub(crate) path: String,
    pub(crate) totals: Totals,
    pub(crate) lowest: i64,
    pub(crate) side: Option<Side>,
    pub(crate) places: Vec<i32>,
}

/// The chunks in the order in which they are expected; `None` for one that is not there.
pub(crate) async fn chunks(
    conn: &mut PgConnection,
    book: &BookId,
    expected: &[Expected],
) -> Result<Vec<Option<Stored>>, Fault> {
    let accounts: Vec<i32> = expected.iter().map(|chunk| chunk.account).collect();
    let batches: Vec<i64> = expected.iter().map(|chunk| chunk.batch).collect();
    let rows = sqlx::query!(
        r#"
        select a.path as "path?", c.debits_posted as "debits_posted?", c.credits_posted as "credits_posted?",
            c.debits_pending as "debits_pending?", c.credits_pending as "credits_pending?",
            c.lowest as "lowest?", c.posting_nos as "places?"
        from ledger.book k
        cross join unnest((select $2::int[]), (select $3::bigint[])) with ordinality as u (account, batch, at)
        left join lateral (
            select * from ledger.chunk where book = k.book and account = u.account and batch = u.batch limit 1
        ) c on true
        left join lateral (
            select path from ledger.account where book = k.book and account = u.account limit 1
        ) a on true
        where k.name = $1
        order by u.at
        "#,
        book.as_str(),
        &accounts,
        &batches
    )
    .fetch_all(conn)
    .await?;
    let stored = rows.into_iter().map(|row| {
        let side = row.path.as_deref().and_then(|path| Account::parse(path).ok());
        Some(Stored {
            side: side.map(|account| account.kind().side()),
            path: row.path.unwrap_or_default(),
            totals: Totals {
                debits_posted: row.debits_posted?,
                credits_posted: row.credits_posted?,
                debits_pending: row.debits_pending?,
                credits_pending: row.credits_pending?,
            },
            lowest: row.lowest?,
            places: row.places?,
        })
    });
    Ok(stored.collect())
}

/// How many chunks a book has, up to a batch.
pub(crate) async fn count(conn: &mut PgConnection, book: &BookId, last: i64) -> Result<i64, Fault> {
    let row = sqlx::query!(
        r#"select count(*) as "n!" from ledger.book k
           join ledger.chunk c on c.book = k.book and c.batch <= $2 where k.name = $1"#,
        book.as_str(),
        last
    )
    .fetch_one(conn)
    .await?;
    Ok(row.n)
}

/// Every book there is, in order of name.
pub(crate) async fn books(conn: &mut PgConnection) -> Result<Vec<BookId>, Fault> {
    let rows = sqlx::query!(r#"select name as "name: BookId" from ledger.book order by name"#)
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().map(|row| row.name).collect())
}
