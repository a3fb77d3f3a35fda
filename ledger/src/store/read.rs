//! Reading what a batch needs to know: the head, what was heard before, holds, originals, accounts.
//! Each is one statement, whatever the number of transfers.
//!
//! Each looks rows up one by one (`cross join lateral (… limit 1)`), because a plan made while a book was
//! small would otherwise read the whole book later. And the arrays stand behind a `select`, so that the
//! planner cannot look into them: it would make a new plan for every batch, a tenth of a millisecond each, to
//! save nothing.

use std::collections::HashMap;

use sqlx::PgConnection;
use uuid::Uuid;

use super::Fault;
use crate::batch::{Balance, GENESIS, Head, Landed, Map, Opened, Original, Receipt, Totals};
use crate::chart::{Account, BookId};
use crate::hold::{Hold, Verb};
use crate::id::{ExternalRef, IdempotencyKey, TransferId};
use crate::money::{Amount, Money};
use crate::transfer::Posting;

/// Waits for the book. In a statement of its own: a wait inside a statement does not refresh what it sees.
pub(crate) async fn lock(conn: &mut PgConnection, book: &BookId) -> Result<(), Fault> {
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended('amana:book:' || $1::text, 0))",
        book.as_str()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Where the book's journal ends, or `None` if the book was never opened.
pub(crate) async fn head(conn: &mut PgConnection, book: &BookId) -> Result<Option<Head>, Fault> {
    let row = sqlx::query!(
        r#"
        select b.no as "no?", b.first_posting + b.postings as "next_posting?", b.accounts as "accounts?",
            b.root as "root?", coalesce(b.recorded_at, k.opened_at) as "recorded_at!"
        from ledger.book k
        left join lateral (select * from ledger.batch where book = k.book order by no desc limit 1) b on true
        where k.book = $1
        "#,
        book.as_str()
    )
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let head = Head {
        no: row.no.unwrap_or(0),
        next_posting: row.next_posting.unwrap_or(1),
        accounts: row.accounts.unwrap_or(0),
        root: row.root.map_or(Ok(GENESIS), |root| hash(&root))?,
        recorded_at: row.recorded_at,
        closed_before: None,
    };
    Ok(Some(head))
}

pub(crate) fn hash(bytes: &[u8]) -> Result<[u8; 32], Fault> {
    bytes.try_into().map_err(|_| Fault::Unreadable("a hash is not 32 bytes"))
}

/// The column has room for a whole hash; the second half of a fingerprint is zeros.
fn half(bytes: &[u8]) -> Result<[u8; 16], Fault> {
    let half = bytes.get(..16).and_then(|half| half.try_into().ok());
    half.ok_or(Fault::Unreadable("a fingerprint is not 16 bytes"))
}

/// Transfers that have one of the keys or one of the ids.
pub(crate) async fn landed(
    conn: &mut PgConnection,
    book: &BookId,
    keys: &[String],
    ids: &[Uuid],
) -> Result<Vec<(IdempotencyKey, Landed)>, Fault> {
    let rows = sqlx::query!(
        r#"
        select t.key as "key!: IdempotencyKey", t.id as "id!", t.fingerprint as "fingerprint!"
        from unnest((select $2::text[])) as u (key)
        cross join lateral (select * from ledger.transfer where book = $1 and key = u.key limit 1) t
        union all
        select t.key, t.id, t.fingerprint
        from unnest((select $3::uuid[])) as u (id)
        cross join lateral (select * from ledger.transfer where book = $1 and id = u.id limit 1) t
        "#,
        book.as_str(),
        keys,
        ids
    )
    .fetch_all(conn)
    .await?;
    let landed = rows.into_iter().map(|row| {
        Ok((
            row.key.clone(),
            Landed {
                id: TransferId(row.id),
                keyed: !row.key.is_of(TransferId(row.id)),
                fingerprint: half(&row.fingerprint)?,
            },
        ))
    });
    landed.collect()
}

/// External facts that were counted before.
pub(crate) async fn externals(
    conn: &mut PgConnection,
    book: &BookId,
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
        book.as_str(),
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
    book: &BookId,
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
        book.as_str(),
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
    ids: &[Uuid],
) -> Result<Map<TransferId, Original>, Fault> {
    let rows = sqlx::query!(
        r#"
        select t.id as "id!", by.transfer as "by?", so.reverses as "reverses?",
            d.path as "debit?: Account", c.path as "credit?: Account", p.amount as "amount?"
        from unnest($2::uuid[]) as u (id)
        join ledger.transfer t on t.book = $1 and t.id = u.id
        left join ledger.reversal by on by.book = $1 and by.reverses = t.id
        left join ledger.reversal so on so.book = $1 and so.transfer = t.id
        left join ledger.posting p on p.book = $1 and p.no >= t.first_posting
            and p.no < t.first_posting + t.postings and p.phase in ('post', 'settle')
        left join ledger.account d on d.book = $1 and d.account = p.debit
        left join ledger.account c on c.book = $1 and c.account = p.credit
        order by t.id, p.no
        "#,
        book.as_str(),
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

/// Accounts that exist, their numbers and their newest totals.
pub(crate) async fn accounts(
    conn: &mut PgConnection,
    book: &BookId,
    accounts: &[&Account],
) -> Result<Map<Account, Opened>, Fault> {
    let paths: Vec<String> = accounts.iter().map(|account| account.path()).collect();
    let rows = sqlx::query!(
        r#"
        select u.place as "place!", a.account as "account!", c.debits_posted as "debits_posted?",
            c.credits_posted as "credits_posted?", c.debits_pending as "debits_pending?",
            c.credits_pending as "credits_pending?"
        from unnest((select $2::text[])) with ordinality as u (path, place)
        cross join lateral (select account from ledger.account where book = $1 and path = u.path limit 1) a
        left join lateral (
            select * from ledger.chunk where book = $1 and account = a.account order by batch desc limit 1
        ) c on true
        "#,
        book.as_str(),
        &paths
    )
    .fetch_all(conn)
    .await?;
    let known = rows.into_iter().map(|row| {
        let place = usize::try_from(row.place - 1).ok().and_then(|at| accounts.get(at));
        let account = place.ok_or(Fault::Unreadable("an account was not asked for"))?;
        let totals = Totals {
            debits_posted: row.debits_posted.unwrap_or(0),
            credits_posted: row.credits_posted.unwrap_or(0),
            debits_pending: row.debits_pending.unwrap_or(0),
            credits_pending: row.credits_pending.unwrap_or(0),
        };
        Ok(((*account).clone(), Opened { number: row.account, totals, limit: None }))
    });
    known.collect()
}

/// The first answers of transfers in the journal: balances as they stood after the transfer's batch,
/// accounts in order of its postings, the debited one of a posting first.
pub(crate) async fn receipts(
    conn: &mut PgConnection,
    book: &BookId,
    ids: &[Uuid],
) -> Result<HashMap<TransferId, Receipt>, Fault> {
    let rows = sqlx::query!(
        r#"
        select t.id as "id!", t.batch as "batch!",
            t.first_posting as "first_posting!", t.postings as "postings!",
            t.effective_at as "effective_at!", b.recorded_at as "recorded_at!", a.path as "account!: Account",
            c.debits_posted as "debits_posted!", c.credits_posted as "credits_posted!",
            c.debits_pending as "debits_pending!", c.credits_pending as "credits_pending!"
        from unnest($2::uuid[]) as u (id)
        join ledger.transfer t on t.book = $1 and t.id = u.id
        join ledger.batch b on b.book = $1 and b.no = t.batch
        cross join lateral (
            select side.account, min(p.no * 2 + side.place) as place
            from ledger.posting p
            cross join lateral (values (p.debit, 0), (p.credit, 1)) as side (account, place)
            where p.book = $1 and p.no >= t.first_posting and p.no < t.first_posting + t.postings
            group by side.account
        ) s
        join ledger.account a on a.book = $1 and a.account = s.account
        join ledger.chunk c on c.book = $1 and c.account = s.account and c.batch = t.batch
        order by t.id, s.place
        "#,
        book.as_str(),
        ids
    )
    .fetch_all(conn)
    .await?;
    let mut receipts: HashMap<TransferId, Receipt> = HashMap::new();
    for row in rows {
        let receipt = receipts.entry(TransferId(row.id)).or_insert_with(|| Receipt {
            transfer: TransferId(row.id),
            batch: row.batch,
            numbers: row.first_posting..=row.first_posting + row.postings - 1,
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
