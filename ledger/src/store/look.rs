//! Looking: balances, statements and transfers as they stand or stood.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::Fault;
use crate::batch::{Balance, Map, Phase, Totals};
use crate::chart::{Account, BookId, Kind, Side};
use crate::id::{ExternalRef, TransferId};
use crate::money::Amount;
use crate::transfer::Event;

/// One line of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The posting's number in the book.
    pub no: i64,
    /// Its transfer.
    pub transfer: TransferId,
    /// The business event.
    pub event: Event,
    /// The account on the other side.
    pub other: Account,
    /// The side on which this account stands.
    pub side: Side,
    /// How much.
    pub amount: Amount,
    /// "post" or "settle" move what is posted; "hold" and "void" only what is held.
    pub phase: &'static str,
    /// When it happened in the world.
    pub effective_at: DateTime<Utc>,
    /// When the book heard of it.
    pub recorded_at: DateTime<Utc>,
    /// What stands on the account's normal side after it, minor units.
    pub balance: i64,
}

pub(super) fn event(code: i16) -> Result<Event, Fault> {
    Event::of_code(code).ok_or(Fault::Unreadable("a transfer has an unknown event"))
}

pub(super) fn phase(letter: i8) -> Result<Phase, Fault> {
    Phase::of_letter(letter.cast_unsigned()).ok_or(Fault::Unreadable("a posting has an unknown phase"))
}

/// The newest totals of accounts; those nothing ever touched are left out.
pub(crate) async fn totals(
    conn: &mut PgConnection,
    book: &BookId,
    accounts: &[&Account],
) -> Result<Map<Account, Totals>, Fault> {
    let paths: Vec<String> = accounts.iter().map(|account| account.path()).collect();
    let rows = sqlx::query!(
        r#"
        select a.path as "account!: Account", c.debits_posted as "debits_posted!",
            c.credits_posted as "credits_posted!", c.debits_pending as "debits_pending!",
            c.credits_pending as "credits_pending!"
        from ledger.book k
        cross join unnest((select $2::text[])) as u (path)
        cross join lateral (select * from ledger.account where book = k.book and path = u.path limit 1) a
        cross join lateral (
            select * from ledger.chunk where book = k.book and account = a.account order by batch desc limit 1
        ) c
        where k.name = $1
        "#,
        book.as_str(),
        &paths
    )
    .fetch_all(conn)
    .await?;
    let totals = rows.into_iter().map(|row| {
        let totals = Totals {
            debits_posted: row.debits_posted,
            credits_posted: row.credits_posted,
            debits_pending: row.debits_pending,
            credits_pending: row.credits_pending,
        };
        (row.account, totals)
    });
    Ok(totals.collect())
}

/// Every account of a book with its newest totals, all of them or those of one kind, in order of path.
pub(crate) async fn all(
    conn: &mut PgConnection,
    book: &BookId,
    kind: Option<Kind>,
) -> Result<Vec<Balance>, Fault> {
    let rows = sqlx::query!(
        r#"
        select a.path as "account: Account",
            c.debits_posted, c.credits_posted, c.debits_pending, c.credits_pending
        from ledger.book k
        join ledger.account a on a.book = k.book and ($2::text is null or a.kind = $2)
        cross join lateral (
            select * from ledger.chunk where book = a.book and account = a.account order by batch desc limit 1
        ) c
        where k.name = $1
        order by a.path collate "C"
        "#,
        book.as_str(),
        kind.map(Kind::word)
    )
    .fetch_all(conn)
    .await?;
    let balance = rows.into_iter().map(|row| Balance {
        account: row.account,
        totals: Totals {
            debits_posted: row.debits_posted,
            credits_posted: row.credits_posted,
            debits_pending: row.debits_pending,
            credits_pending: row.credits_pending,
        },
    });
    Ok(balance.collect())
}

/// Debits and credits posted to an account by everything effective before `at`, as far as it was known at
/// `known_at`: the newest chunk recorded by then, more or less the postings that lie across `at`. What could
/// lie across it is found by its reach: of those that reach less than 2ⁿ seconds, only what happened within
/// 2ⁿ seconds of `at` is looked at.
pub(crate) async fn posted_before(
    conn: &mut PgConnection,
    book: &BookId,
    account: &Account,
    at: DateTime<Utc>,
    known_at: DateTime<Utc>,
) -> Result<(i64, i64), Fault> {
    let row = sqlx::query!(
        r#"
        with own as (
            select a.book, a.account from ledger.book k
            join ledger.account a on a.book = k.book and a.path = $2
            where k.name = $1
        ),
        base as (
            select c.debits_posted, c.credits_posted
            from own
            cross join lateral (
                select no from ledger.batch where book = own.book and recorded_at < $3 and recorded_at <= $4
                order by recorded_at desc, no desc limit 1
            ) b
            cross join lateral (
                select * from ledger.chunk where book = own.book and account = own.account and batch <= b.no
                order by batch desc limit 1
            ) c
        ),
        across as (
            select sum(moved) filter (where side = 'd') as debits,
                sum(moved) filter (where side = 'c') as credits
            from own
            cross join generate_series(-60, 60) as n (reach)
            cross join lateral (
                select r.side, case when r.recorded_at < $3 then -r.amount else r.amount end as moved
                from ledger.restated r
                where r.book = own.book and r.account = own.account and r.reach = n.reach
                    and r.effective_at >= case when n.reach > 0 and n.reach < 36
                        then $3 - interval '1 s' * power(2, n.reach)
                        when n.reach > 0 then '-infinity' else $3 end
                    and r.effective_at < case when n.reach < 0 and n.reach > -36
                        then $3 + interval '1 s' * power(2, -n.reach)
                        when n.reach < 0 then 'infinity' else $3 end
                    and (n.reach > 0) = (r.recorded_at >= $3) and r.recorded_at <= $4
            ) r
        )
        select (coalesce(base.debits_posted, 0) + coalesce(across.debits, 0))::bigint as "debits!",
            (coalesce(base.credits_posted, 0) + coalesce(across.credits, 0))::bigint as "credits!"
        from across left join base on true
        "#,
        book.as_str(),
        account.path(),
        at,
        known_at
    )
    .fetch_one(conn)
    .await?;
    Ok((row.debits, row.credits))
}

/// The external facts a book counted, each with what was posted of it to the debit of accounts of a kind.
pub(crate) async fn facts(
    conn: &mut PgConnection,
    book: &BookId,
    debited: Kind,
) -> Result<Vec<(ExternalRef, i64)>, Fault> {
    let rows = sqlx::query!(
        r#"
        select e.provider as "provider!", e.account as "account!", e.id as "id!", p.amount as "amount!"
        from ledger.book k
        join ledger.external e on e.book = k.book
        cross join lateral (
            select sum(p.amount)::bigint as amount
            from ledger.posting p
            join ledger.account a on a.book = p.book and a.account = p.debit and a.kind = $2
            where p.book = k.book and p.transfer = e.transfer and p.phase in ('p', 's')
        ) p
        where k.name = $1 and p.amount is not null
        "#,
        book.as_str(),
        debited.word()
    )
    .fetch_all(conn)
    .await?;
    let fact = |provider, account, id| ExternalRef { provider, account, id };
    Ok(rows.into_iter().map(|row| (fact(row.provider, row.account, row.id), row.amount)).collect())
}
