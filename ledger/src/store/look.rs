//! Looking: balances, statements and transfers as they stand or stood.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Fault;
use crate::batch::{Balance, Phase, Totals};
use crate::chart::{Account, BookId, Kind, Side};
use crate::id::{ExternalRef, IdempotencyKey, TransferId};
use crate::money::Amount;
use crate::transfer::{Event, Posting};

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

/// A transfer as it stands in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its id.
    pub id: TransferId,
    /// The business event.
    pub event: Event,
    /// The idempotency key it landed under.
    pub key: IdempotencyKey,
    /// The batch it landed in.
    pub batch: i64,
    /// When it happened in the world.
    pub effective_at: DateTime<Utc>,
    /// When the book heard of it.
    pub recorded_at: DateTime<Utc>,
    /// Its postings with their numbers and phases ("post", "hold", "settle", "void").
    pub postings: Vec<(i64, &'static str, Posting)>,
    /// The hold it opened or moved.
    pub hold: Option<TransferId>,
    /// What it reverses.
    pub reverses: Option<TransferId>,
    /// What reversed it.
    pub reversed_by: Option<TransferId>,
    /// The external fact it counted.
    pub external: Option<ExternalRef>,
}

pub(super) fn event(word: &str) -> Result<Event, Fault> {
    let known = Event::ALL.into_iter().find(|event| event.word() == word);
    known.ok_or(Fault::Unreadable("a transfer has an unknown event"))
}

pub(super) fn phase(word: &str) -> Result<Phase, Fault> {
    Phase::parse(word).ok_or(Fault::Unreadable("a posting has an unknown phase"))
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
        from ledger.account a
        cross join lateral (
            select * from ledger.chunk where book = $1 and account = a.account order by batch desc limit 1
        ) c
        where a.book = $1 and ($2::text is null or a.kind = $2)
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

/// Debits and credits posted to an account by everything effective before `end` (a midnight, UTC), as far
/// as it was known at `known_at`: the newest chunk recorded by then, more or less what was restated across
/// `end`.
pub(crate) async fn posted_before(
    conn: &mut PgConnection,
    book: &BookId,
    account: &Account,
    end: DateTime<Utc>,
    known_at: DateTime<Utc>,
) -> Result<(i64, i64), Fault> {
    let row = sqlx::query!(
        r#"
        with own as (select account from ledger.account where book = $1 and path = $2),
        base as (
            select c.debits_posted, c.credits_posted
            from own
            cross join lateral (
                select no from ledger.batch where book = $1 and recorded_at < $3 and recorded_at <= $4
                order by recorded_at desc, no desc limit 1
            ) b
            cross join lateral (
                select * from ledger.chunk where book = $1 and account = own.account and batch <= b.no
                order by batch desc limit 1
            ) c
        ),
        across as (
            select sum(moved) filter (where side = 'debit') as debits,
                sum(moved) filter (where side = 'credit') as credits
            from (
                select side, case when r.recorded_at < $3 then -amount else amount end as moved
                from ledger.restated r join own on own.account = r.account
                where r.book = $1 and r.recorded_at <= $4 and (r.recorded_at < $3) <> (r.effective_at < $3)
            ) r
        )
        select (coalesce(base.debits_posted, 0) + coalesce(across.debits, 0))::bigint as "debits!",
            (coalesce(base.credits_posted, 0) + coalesce(across.credits, 0))::bigint as "credits!"
        from across left join base on true
        "#,
        book.as_str(),
        account.path(),
        end,
        known_at
    )
    .fetch_one(conn)
    .await?;
    Ok((row.debits, row.credits))
}

/// An account's totals as the newest batch recorded before an instant left them.
pub(crate) async fn recorded_before(
    conn: &mut PgConnection,
    book: &BookId,
    account: &Account,
    at: DateTime<Utc>,
) -> Result<Totals, Fault> {
    let row = sqlx::query!(
        r#"
        select c.debits_posted, c.credits_posted, c.debits_pending, c.credits_pending
        from ledger.account a
        cross join lateral (
            select no from ledger.batch where book = $1 and recorded_at < $3
            order by recorded_at desc, no desc limit 1
        ) b
        cross join lateral (
            select * from ledger.chunk where book = $1 and account = a.account and batch <= b.no
            order by batch desc limit 1
        ) c
        where a.book = $1 and a.path = $2
        "#,
        book.as_str(),
        account.path(),
        at
    )
    .fetch_optional(conn)
    .await?;
    let totals = row.map(|row| Totals {
        debits_posted: row.debits_posted,
        credits_posted: row.credits_posted,
        debits_pending: row.debits_pending,
        credits_pending: row.credits_pending,
    });
    Ok(totals.unwrap_or_default())
}

/// An account's postings recorded from an instant up to, not including, another, in order; balances run from
/// `opening`.
pub(crate) async fn lines(
    conn: &mut PgConnection,
    book: &BookId,
    account: &Account,
    [from, to]: [DateTime<Utc>; 2],
    opening: i64,
) -> Result<Vec<Line>, Fault> {
    let rows = sqlx::query!(
        r#"
        select p.no as "no!", p.transfer as "transfer!", t.event as "event!", o.path as "other!: Account",
            p.debit = a.account as "debited!", p.amount as "amount!", p.phase as "phase!",
            t.effective_at as "effective_at!", b.recorded_at as "recorded_at!"
        from ledger.account a
        join ledger.chunk c on c.book = $1 and c.account = a.account
        join ledger.batch b on b.book = $1 and b.no = c.batch and b.recorded_at >= $3 and b.recorded_at < $4
        cross join lateral unnest(c.posting_nos) as n (no)
        join ledger.posting p on p.book = $1 and p.no = n.no
        join ledger.transfer t on t.book = $1 and t.id = p.transfer
        join ledger.account o on o.book = $1
            and o.account = case when p.debit = a.account then p.credit else p.debit end
        where a.book = $1 and a.path = $2
        order by p.no
        "#,
        book.as_str(),
        account.path(),
        from,
        to
    )
    .fetch_all(conn)
    .await?;
    let normal = account.kind().side();
    let mut balance = opening;
    let line = rows.into_iter().map(|row| {
        let phase = phase(&row.phase)?;
        let side = if row.debited { Side::Debit } else { Side::Credit };
        let amount =
            Amount::new(row.amount).map_err(|_| Fault::Unreadable("a posting's amount is not positive"))?;
        if phase.posts() {
            balance += if side == normal { amount.minor() } else { -amount.minor() };
        }
        Ok(Line {
            no: row.no,
            transfer: TransferId(row.transfer),
            event: event(&row.event)?,
            other: row.other,
            side,
            amount,
            phase: phase.word(),
            effective_at: row.effective_at,
            recorded_at: row.recorded_at,
            balance,
        })
    });
    line.collect()
}

/// Transfers of a book by id, in order of their postings; those that are not there are left out.
pub(crate) async fn transfers(
    conn: &mut PgConnection,
    book: &BookId,
    ids: &[Uuid],
) -> Result<Vec<Written>, Fault> {
    let rows = sqlx::query!(
        r#"
        select t.id as "id!", t.event as "event!", t.key as "key!: IdempotencyKey", t.batch as "batch!",
            t.effective_at as "effective_at!", b.recorded_at as "recorded_at!",
            h.hold as "hold?", r.reverses as "reverses?", y.transfer as "reversed_by?",
            e.provider as "provider?", e.account as "external_account?", e.id as "external?",
            p.no as "no!", p.phase as "phase!", p.amount as "amount!",
            d.path as "debit!: Account", c.path as "credit!: Account"
        from unnest($2::uuid[]) as u (id)
        join ledger.transfer t on t.book = $1 and t.id = u.id
        join ledger.batch b on b.book = $1 and b.no = t.batch
        join ledger.posting p on p.book = $1
            and p.no >= t.first_posting and p.no < t.first_posting + t.postings
        join ledger.account d on d.book = $1 and d.account = p.debit
        join ledger.account c on c.book = $1 and c.account = p.credit
        left join ledger.hold h on h.book = $1 and h.transfer = t.id
        left join ledger.reversal r on r.book = $1 and r.transfer = t.id
        left join ledger.reversal y on y.book = $1 and y.reverses = t.id
        left join ledger.external e on e.book = $1 and e.transfer = t.id
        order by p.no
        "#,
        book.as_str(),
        ids
    )
    .fetch_all(conn)
    .await?;
    let mut written: Vec<Written> = Vec::new();
    for row in rows {
        let id = TransferId(row.id);
        if written.last().is_none_or(|last| last.id != id) {
            let fact = (row.provider, row.external_account, row.external);
            let external = match fact {
                (Some(provider), Some(account), Some(id)) => Some(ExternalRef { provider, account, id }),
                _ => None,
            };
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
                external,
            });
        }
        let money = crate::money::Money::new(book.asset(), row.amount)
            .map_err(|_| Fault::Unreadable("a posting's amount is not positive"))?;
        let posting = Posting { debit: row.debit, credit: row.credit, money };
        let phase = phase(&row.phase)?.word();
        if let Some(last) = written.last_mut() {
            last.postings.push((row.no, phase, posting));
        }
    }
    Ok(written)
}
