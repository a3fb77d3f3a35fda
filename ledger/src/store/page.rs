//! Pages of a journal, read from its beginning to an end that was fixed beforehand.
//!
//! Invariant: a page costs what it shows, wherever in the journal it stands, and never cuts a transfer. What
//! lies up to a batch never changes, so pages that were read at different moments belong together.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::Fault;
use super::look::{Written, event, phase};
use crate::batch::Totals;
use crate::chart::{Account, BookId};
use crate::id::{ExternalRef, IdempotencyKey, TransferId};
use crate::money::Money;
use crate::transfer::Posting;

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
        with b as (select book from ledger.book where book = $1),
        before as (
            select no, first_posting + postings - 1 as posting from ledger.batch
            where book = $1 and recorded_at < $2 order by recorded_at desc, no desc limit 1
        ),
        last as (
            select no, first_posting + postings - 1 as posting, recorded_at from ledger.batch
            where book = $1 and ($3::timestamptz is null or recorded_at < $3)
            order by recorded_at desc, no desc limit 1
        ),
        first as (
            select recorded_at from ledger.batch
            where book = $1 and no = coalesce((select no from before), 0) + 1
        ),
        apart as (
            select min(r.effective_at) as first, max(r.effective_at) as last
            from ledger.restated r
            where r.book = $1 and r.batch > coalesce((select no from before), 0)
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
        from ledger.account a
        left join lateral (
            select * from ledger.chunk where book = $1 and account = a.account and batch <= $3
            order by batch desc limit 1
        ) c on true
        where a.book = $1 and a.account > $4
            and a.account <= (select accounts from ledger.batch where book = $1 and no = $2)
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
        number: row.account,
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

/// The transfers of the next `limit` postings after a number, and what is left of the last of them. The
/// number is the last posting of a transfer, or 0.
pub(crate) async fn journal(
    conn: &mut PgConnection,
    book: &BookId,
    after_no: i64,
    limit: i64,
) -> Result<Vec<Written>, Fault> {
    let rows = sqlx::query!(
        r#"
        select t.id as "id!", t.event as "event!", t.key as "key!: IdempotencyKey", t.batch as "batch!",
            t.effective_at as "effective_at!", b.recorded_at as "recorded_at!",
            h.hold as "hold?", r.reverses as "reverses?", y.transfer as "reversed_by?",
            e.provider as "provider?", e.account as "external_account?", e.id as "external?",
            p.no as "no!", p.phase as "phase!", p.amount as "amount!",
            d.path as "debit!: Account", c.path as "credit!: Account"
        from ledger.posting p
        join ledger.transfer t on t.book = $1 and t.id = p.transfer
        join ledger.batch b on b.book = $1 and b.no = t.batch
        join ledger.account d on d.book = $1 and d.account = p.debit
        join ledger.account c on c.book = $1 and c.account = p.credit
        left join ledger.hold h on h.book = $1 and h.transfer = t.id
        left join ledger.reversal r on r.book = $1 and r.transfer = t.id
        left join ledger.reversal y on y.book = $1 and y.reverses = t.id
        left join ledger.external e on e.book = $1 and e.transfer = t.id
        where p.book = $1 and p.no > $2 and p.no <= coalesce(
            (
                select first_posting + postings - 1 from ledger.transfer
                where book = $1
                    and id = (select transfer from ledger.posting where book = $1 and no = $2 + $3)
            ),
            $2 + $3
        )
        order by p.no
        "#,
        book.as_str(),
        after_no,
        limit
    )
    .fetch_all(conn)
    .await?;
    let mut written: Vec<Written> = Vec::new();
    for row in rows {
        let id = TransferId(row.id);
        if written.last().is_none_or(|last| last.id != id) {
            let external = row.provider.zip(row.external_account).zip(row.external);
            written.push(Written {
                id,
                event: event(&row.event)?,
                key: row.key,
                batch: row.batch,
                effective_at: row.effective_at,
                recorded_at: row.recorded_at,
                postings: Vec::new(),
                hold: row.hold.map(TransferId),
                reverses: row.reverses.map(TransferId),
                reversed_by: row.reversed_by.map(TransferId),
                external: external.map(|((provider, account), id)| ExternalRef { provider, account, id }),
            });
        }
        let money = Money::new(book.asset(), row.amount)
            .map_err(|_| Fault::Unreadable("a posting's amount is not positive"))?;
        let posting = Posting { debit: row.debit, credit: row.credit, money };
        let phase = phase(&row.phase)?.word();
        if let Some(last) = written.last_mut() {
            last.postings.push((row.no, phase, posting));
        }
    }
    Ok(written)
}
