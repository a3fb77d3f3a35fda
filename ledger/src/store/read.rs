//! Reading what a batch needs to know: the head, what was heard before, holds, originals, accounts.
//! Each is one statement, whatever the number of transfers.
//!
//! Each looks rows up one by one (`cross join lateral (… limit 1)`), because a plan made while a book was
//! small would otherwise read the whole book later. And the arrays stand behind a `select`, so that the
//! planner cannot look into them: it would make a new plan for every batch, a tenth of a millisecond each, to
//! save nothing.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres, Transaction};
use uuid::Uuid;

use super::{Fault, limits};
use crate::batch::{Balance, GENESIS, Head, Landed, Map, Opened, Original, Receipt, Totals};
use crate::chart::{Account, BookId};
use crate::hold::{Hold, Verb};
use crate::id::{ExternalRef, IdempotencyKey, TransferId};
use crate::money::{Amount, Money};
use crate::transfer::Posting;

/// Waits for the book, if it is open. In a statement of its own: a wait inside a statement does not refresh
/// what it sees. The first number says that the lock is ours ("aman").
pub(crate) async fn lock(conn: &mut PgConnection, book: &BookId) -> Result<(), Fault> {
    sqlx::query!(
        "select pg_advisory_xact_lock(1634558318, book) from ledger.book where name = $1",
        book.as_str()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Begins a transaction that has the book to itself; [`commit`] ends it.
pub(crate) async fn take_book(conn: &mut PgConnection, book: &BookId) -> Result<(), Fault> {
    sqlx::raw_sql("begin").execute(&mut *conn).await?;
    lock(conn, book).await
}

/// Ends what [`take_book`] began.
pub(crate) async fn commit(conn: &mut PgConnection) -> Result<(), Fault> {
    sqlx::raw_sql("commit").execute(conn).await?;
    Ok(())
}

/// Begins a transaction that has the lock of a book whose number is known, in one round trip.
pub(crate) async fn begin_locked(
    conn: &mut PgConnection,
    book: i32,
) -> Result<Transaction<'_, Postgres>, Fault> {
    let begin = format!("begin; select pg_advisory_xact_lock(1634558318, {book})");
    // The one thing put into the text is a number.
    Ok(conn.begin_with(AssertSqlSafe(begin)).await?)
}

/// As [`lock`], for a book whose number is known, and `false` instead of waiting.
pub(crate) async fn try_lock(conn: &mut PgConnection, book: i32) -> Result<bool, Fault> {
    let row = sqlx::query!(r#"select pg_try_advisory_xact_lock(1634558318, $1) as "ours!""#, book);
    Ok(row.fetch_one(conn).await?.ours)
}

/// Ends those who write the journal and left a statement half sent for seconds: `COPY` of a process that
/// sleeps, for which Postgres has no time limit while everybody waits for its rows. Ends what it may end: the
/// sessions of the same role.
pub(crate) async fn end_stalled(conn: &mut PgConnection) -> Result<(), Fault> {
    sqlx::query!(
        r#"
        select pg_terminate_backend(a.pid) as "ended?" from pg_stat_activity a
        where a.usename = current_user and a.pid <> pg_backend_pid()
            and a.state = 'active' and a.wait_event = 'ClientRead'
            and a.query_start < clock_timestamp() - interval '4 seconds'
            and exists (
                select from pg_locks l
                where l.pid = a.pid and l.granted and l.relation = 'ledger.batch'::regclass
            )
        "#
    )
    .fetch_all(conn)
    .await?;
    Ok(())
}

/// The number of the newest batch, 0 if there is none.
pub(crate) async fn newest(conn: &mut PgConnection, book: i32) -> Result<i64, Fault> {
    let newest =
        sqlx::query_scalar!("select no from ledger.batch where book = $1 order by no desc limit 1", book);
    Ok(newest.fetch_optional(conn).await?.unwrap_or(0))
}

/// Where the book's journal ends, or `None` if the book was never opened.
pub(crate) async fn head(conn: &mut PgConnection, book: &BookId) -> Result<Option<Head>, Fault> {
    let row = sqlx::query!(
        r#"
        select k.book, b.no as "no?", b.first_posting + b.postings as "next_posting?",
            b.accounts as "accounts?",
            b.root as "root?", coalesce(b.recorded_at, k.opened_at) as "recorded_at!",
            t.transfer as "newest?", c.closed_before as "closed_before?"
        from ledger.book k
        left join lateral (select * from ledger.batch where book = k.book order by no desc limit 1) b on true
        left join lateral (
            select transfer from ledger.posting where book = k.book order by transfer desc, leg desc limit 1
        ) t on true
        left join lateral (
            select closed_before from ledger.close where book = k.book order by closed_before desc limit 1
        ) c on true
        where k.name = $1
        "#,
        book.as_str()
    )
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let head = Head {
        book: row.book,
        no: row.no.unwrap_or(0),
        next_posting: row.next_posting.unwrap_or(1),
        accounts: row.accounts.unwrap_or(0),
        root: row.root.map_or(Ok(GENESIS), |root| hash(&root))?,
        recorded_at: row.recorded_at,
        newest: row.newest,
        closed_before: row.closed_before,
    };
    Ok(Some(head))
}

pub(crate) fn hash(bytes: &[u8]) -> Result<[u8; 32], Fault> {
    bytes.try_into().map_err(|_| Fault::Unreadable("a hash is not 32 bytes"))
}

/// Transfers that have one of the keys or one of the ids.
pub(crate) async fn landed(
    conn: &mut PgConnection,
    book: i32,
    keys: &[&str],
    ids: &[Uuid],
) -> Result<Vec<(Option<IdempotencyKey>, Landed)>, Fault> {
    let rows = sqlx::query!(
        r#"
        select t.key as "key?: IdempotencyKey", t.transfer as "id!", t.fingerprint as "fingerprint!"
        from unnest((select $2::text[])) as u (key)
        cross join lateral (select * from ledger.posting where book = $1 and key = u.key limit 1) t
        union all
        select t.key, t.transfer, t.fingerprint
        from unnest((select $3::uuid[])) as u (id)
        cross join lateral (
            select * from ledger.posting where book = $1 and transfer = u.id and leg = 0 limit 1
        ) t
        "#,
        book,
        keys as _,
        ids
    )
    .fetch_all(conn)
    .await?;
    let landed = rows.into_iter().map(|row| {
        let (id, keyed) = (TransferId(row.id), row.key.is_some());
        (row.key, Landed { id, keyed, fingerprint: *row.fingerprint.as_bytes() })
    });
    Ok(landed.collect())
}

/// External facts that were counted before.
pub(crate) async fn externals(
    conn: &mut PgConnection,
    book: i32,
    facts: &[&ExternalRef],
) -> Result<HashMap<ExternalRef, TransferId>, Fault> {
    let rows = sqlx::query!(
        r#"
        select e.provider as "provider!", e.account as "account!", e.id as "id!", e.transfer as "transfer!"
        from unnest((select $2::text[]), (select $3::text[]), (select $4::text[])) as u (provider, account,
            id)
        cross join lateral (
            select * from ledger.external
            where book = $1 and provider = u.provider and account = u.account and id = u.id limit 1
        ) e
        "#,
        book,
        &facts.iter().map(|fact| fact.provider.clone()).collect::<Vec<_>>(),
        &facts.iter().map(|fact| fact.account.clone()).collect::<Vec<_>>(),
        &facts.iter().map(|fact| fact.id.clone()).collect::<Vec<_>>()
    )
    .fetch_all(conn)
    .await?;
    let counted = |row: &ExternalRefRow| (ExternalRef::new(&row.0, &row.1, &row.2), TransferId(row.3));
    type ExternalRefRow = (String, String, String, Uuid);
    Ok(rows.into_iter().map(|row| counted(&(row.provider, row.account, row.id, row.transfer))).collect())
}

/// Holds as they stand now: the row with the least remaining is the newest.
pub(crate) async fn holds(
    conn: &mut PgConnection,
    book: i32,
    ids: &[Uuid],
) -> Result<Map<TransferId, Hold>, Fault> {
    let rows = sqlx::query!(
        r#"
        select h.hold as "hold!", d.path as "debit!: Account", c.path as "credit!: Account",
            h.remaining as "remaining!", h.verb as "verb!", h.expires_at
        from unnest((select $2::uuid[])) as u (hold)
        cross join lateral (
            select * from ledger.hold where book = $1 and hold = u.hold order by remaining limit 1
        ) h
        cross join lateral (select path from ledger.account where book = $1 and account = h.debit limit 1) d
        cross join lateral (select path from ledger.account where book = $1 and account = h.credit limit 1) c
        "#,
        book,
        ids
    )
    .fetch_all(conn)
    .await?;
    let hold = rows.into_iter().map(|row| {
        let id = TransferId(row.hold);
        let verb = Verb::parse(&row.verb).ok_or(Fault::Unreadable("a hold has an unknown verb"))?;
        let (debit, credit, left) = (row.debit, row.credit, Amount::new(row.remaining).ok());
        Ok((id, Hold { id, debit, credit, left, expires_at: row.expires_at, verb }))
    });
    hold.collect()
}

/// Transfers that are to be reversed: what they posted, and by what they were reversed already.
pub(crate) async fn originals(
    conn: &mut PgConnection,
    book: &BookId,
    head: &Head,
    ids: &[Uuid],
) -> Result<Map<TransferId, Original>, Fault> {
    let rows = sqlx::query!(
        r#"
        select t.transfer as "id!", by.transfer as "by?", so.reverses as "reverses?",
            d.path as "debit?: Account", c.path as "credit?: Account", p.amount as "amount?"
        from unnest((select $2::uuid[])) as u (id)
        cross join lateral (
            select * from ledger.posting where book = $1 and transfer = u.id and leg = 0 limit 1
        ) t
        left join ledger.reversal by on by.book = $1 and by.reverses = t.transfer
        left join ledger.reversal so on so.book = $1 and so.transfer = t.transfer
        left join ledger.posting p on p.book = $1 and p.transfer = t.transfer and p.phase in ('p', 's')
        left join ledger.account d on d.book = $1 and d.account = p.debit
        left join ledger.account c on c.book = $1 and c.account = p.credit
        order by t.transfer, p.leg
        "#,
        head.book,
        ids
    )
    .fetch_all(conn)
    .await?;
    let mut originals: Map<TransferId, Original> = Map::default();
    for row in rows {
        let (reversed_by, is_reversal) = (row.by.map(TransferId), row.reverses.is_some());
        let original = originals.entry(TransferId(row.id)).or_insert_with(|| Original {
            posted: Vec::new(),
            reversed_by,
            is_reversal,
        });
        if let (Some(debit), Some(credit), Some(amount)) = (row.debit, row.credit, row.amount) {
            let amount =
                Amount::new(amount).map_err(|_| Fault::Unreadable("a posting's amount is not positive"))?;
            original.posted.push(Posting { debit, credit, money: Money { asset: book.asset(), amount } });
        }
    }
    Ok(originals)
}

/// Accounts that exist: their numbers, their newest totals, and the limits in force around an instant.
pub(crate) async fn accounts(
    conn: &mut PgConnection,
    head: &Head,
    accounts: &[&Account],
    at: DateTime<Utc>,
) -> Result<Vec<(Account, Opened)>, Fault> {
    let paths: Vec<String> = accounts.iter().map(|account| account.path()).collect();
    let rows = sqlx::query!(
        r#"
        select u.place as "place!", a.account as "account!", c.debits_posted as "debits_posted?",
            c.credits_posted as "credits_posted?", c.debits_pending as "debits_pending?",
            c.credits_pending as "credits_pending?", c.floor as "floor?", c.limits as "limits?",
            c.batch as "batch?"
        from unnest((select $2::text[])) with ordinality as u (path, place)
        cross join lateral (select account from ledger.account where book = $1 and path = u.path limit 1) a
        left join lateral (
            select * from ledger.chunk where book = $1 and account = a.account order by batch desc limit 1
        ) c on true
        "#,
        head.book,
        &paths
    )
    .fetch_all(&mut *conn)
    .await?;
    let (mut known, mut limited) = (Vec::with_capacity(rows.len()), Vec::new());
    for row in rows {
        let place = usize::try_from(row.place - 1).ok().and_then(|at| accounts.get(at));
        let account = *place.ok_or(Fault::Unreadable("an account was not asked for"))?;
        let totals = Totals {
            debits_posted: row.debits_posted.unwrap_or(0),
            credits_posted: row.credits_posted.unwrap_or(0),
            debits_pending: row.debits_pending.unwrap_or(0),
            credits_pending: row.credits_pending.unwrap_or(0),
        };
        if row.limits.is_some_and(|limits| limits > 0 || row.floor != account.kind().floor()) {
            limited.push(row.account);
        }
        let (number, batch) = (row.account.into(), row.batch.unwrap_or(0));
        known.push((account.clone(), Opened { number, totals, batch, limit: None }));
    }
    if !limited.is_empty() {
        let mut in_force = limits::in_force(conn, head, &limited, at).await?;
        for (_, opened) in &mut known {
            let number = i32::try_from(opened.number).unwrap_or_default();
            opened.limit = in_force.remove(&number).map(Box::new);
        }
    }
    Ok(known)
}

/// The first answers of transfers in the journal: balances as they stood after the transfer's batch,
/// accounts in order of its postings, the debited one of a posting first.
pub(crate) async fn receipts(
    conn: &mut PgConnection,
    book: i32,
    ids: &[Uuid],
) -> Result<HashMap<TransferId, Receipt>, Fault> {
    let rows = sqlx::query!(
        r#"
        select t.transfer as "id!", t.batch as "batch!", t.low as "low!", t.high as "high!",
            coalesce(t.effective_at, b.recorded_at) as "effective_at!", b.recorded_at as "recorded_at!",
            a.path as "account!: Account",
            c.debits_posted as "debits_posted!", c.credits_posted as "credits_posted!",
            c.debits_pending as "debits_pending!", c.credits_pending as "credits_pending!"
        from (select distinct id from unnest((select $2::uuid[])) as u (id)) u
        cross join lateral (
            select transfer, batch, min(no) as low, max(no) as high, min(effective_at) as effective_at
            from ledger.posting where book = $1 and transfer = u.id group by transfer, batch limit 1
        ) t
        cross join lateral (select * from ledger.batch where book = $1 and no = t.batch limit 1) b
        cross join lateral (
            select side.account, min(p.no * 2 + side.place) as place
            from ledger.posting p
            cross join lateral (values (p.debit, 0), (p.credit, 1)) as side (account, place)
            where p.book = $1 and p.transfer = t.transfer
            group by side.account
        ) s
        cross join lateral (select * from ledger.account where book = $1 and account = s.account limit 1) a
        cross join lateral (
            select * from ledger.chunk where book = $1 and account = s.account and batch = t.batch limit 1
        ) c
        order by t.transfer, s.place
        "#,
        book,
        ids
    )
    .fetch_all(conn)
    .await?;
    let mut receipts: HashMap<TransferId, Receipt> = HashMap::new();
    for row in rows {
        let receipt = receipts.entry(TransferId(row.id)).or_insert_with(|| Receipt {
            transfer: TransferId(row.id),
            batch: row.batch,
            numbers: row.low..=row.high,
            recorded_at: row.recorded_at,
            effective_at: row.effective_at,
            balances: Vec::new(),
        });
        let totals = Totals {
            debits_posted: row.debits_posted,
            credits_posted: row.credits_posted,
            debits_pending: row.debits_pending,
            credits_pending: row.credits_pending,
        };
        receipt.balances.push(Balance { account: row.account, totals });
    }
    Ok(receipts)
}
