//! Rows of the schema `recon`, and the questions that reconciliation asks of `flow` and `chain`.
//!
//! Invariant: a break is open once; passes open and close it, and nothing else does.

use amana_ledger::chart::BookId;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::compare::{Difference, Lonely, Sums};
use crate::db::Tx;
use crate::error::Fault;

/// Begins a pass over a book, unless one began after `before`.
///
/// # Errors
/// The database's; so for all here.
pub(super) async fn begin(
    tx: &mut Tx,
    book: &BookId,
    (now, before): (DateTime<Utc>, DateTime<Utc>),
) -> Result<bool, Fault> {
    let done = sqlx::query!(
        "insert into recon.pass (book, began_at) values ($1, $2)
         on conflict (book) do update set began_at = $2, ended_at = null where pass.began_at <= $3",
        book.as_str(),
        now,
        before
    )
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends a pass, with what it looked at and what is open after it.
pub(super) async fn end(
    tx: &mut Tx,
    book: &BookId,
    (escrows, breaks): (i64, i64),
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    sqlx::query!(
        "insert into recon.pass (book, began_at, ended_at, escrows, breaks) values ($1, $2, $2, $3, $4)
         on conflict (book) do update set ended_at = $2, escrows = $3, breaks = $4",
        book.as_str(),
        now,
        escrows,
        breaks
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Notes a difference. `true` if it was not open before.
pub(super) async fn see(
    tx: &mut Tx,
    (id, book): (Uuid, &BookId),
    found: &Difference,
    now: DateTime<Utc>,
) -> Result<bool, Fault> {
    let row = sqlx::query_scalar!(
        r#"insert into recon.break (id, book, kind, subject, ledger_side, chain_side, found_at, seen_at)
           values ($1, $2, $3, $4, $5, $6, $7, $7)
           on conflict (book, kind, subject) where healed_at is null
           do update set ledger_side = $5, chain_side = $6, seen_at = $7
           returning id = $1 as "is_new!""#,
        id,
        book.as_str(),
        found.kind,
        found.subject,
        found.ledger,
        found.chain,
        now
    );
    Ok(row.fetch_one(&mut **tx).await?)
}

/// A break as it stands.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) id: Uuid,
    pub(super) kind: String,
    pub(super) subject: String,
    pub(super) ledger_side: String,
    pub(super) chain_side: String,
    pub(super) found_at: DateTime<Utc>,
    pub(super) seen_at: DateTime<Utc>,
    pub(super) healed_at: Option<DateTime<Utc>>,
}

/// Closes the breaks that the pass of this instant did not see. Gives them.
pub(super) async fn heal(tx: &mut Tx, book: &BookId, now: DateTime<Utc>) -> Result<Vec<Row>, Fault> {
    Ok(sqlx::query_as!(
        Row,
        "update recon.break set healed_at = $2 where book = $1 and healed_at is null and seen_at < $2
         returning id, kind, subject, ledger_side, chain_side, found_at, seen_at, healed_at",
        book.as_str(),
        now
    )
    .fetch_all(&mut **tx)
    .await?)
}

/// Breaks of a book, newest first, before the one named: open ones, or `all`.
pub(super) async fn breaks(
    tx: &mut Tx,
    book: &BookId,
    before: Option<Uuid>,
    (all, most): (bool, i64),
) -> Result<Vec<Row>, Fault> {
    Ok(sqlx::query_as!(
        Row,
        "select id, kind, subject, ledger_side, chain_side, found_at, seen_at, healed_at from recon.break
         where book = $1 and ($2::uuid is null or id < $2) and ($3 or healed_at is null)
         order by id desc limit $4",
        book.as_str(),
        before,
        all,
        most
    )
    .fetch_all(&mut **tx)
    .await?)
}

/// What the token said up to a ledger in transactions of which nothing was posted.
pub(super) async fn unposted(tx: &mut Tx, until: i64) -> Result<Vec<Lonely>, Fault> {
    Ok(sqlx::query_as!(
        Lonely,
        r#"select tx_hash, kind = 'token_mint' as "minted!", amount,
                  coalesce(effect ->> 'to', effect ->> 'from', '') as "whose!"
           from chain.event t where kind in ('token_mint', 'token_burn') and ledger <= $1
             and not exists (select from chain.event e where e.tx_hash = t.tx_hash and e.escrow is not null
                             and (e.transfer is not null or e.contained))
           order by ledger"#,
        until
    )
    .fetch_all(&mut **tx)
    .await?)
}

/// What was posted of events up to a ledger without the token's word for it in the same transaction.
pub(super) async fn untold(tx: &mut Tx, until: i64) -> Result<Vec<Lonely>, Fault> {
    Ok(sqlx::query_as!(
        Lonely,
        r#"select tx_hash, supply > 0 as "minted!", abs(supply) as "amount!", escrow as "whose!"
           from chain.event e where supply <> 0 and transfer is not null and not contained and ledger <= $1
             and escrow is not null
             and not exists (select from chain.event t where t.tx_hash = e.tx_hash
                             and t.amount = abs(e.supply)
                             and t.kind = case when e.supply > 0 then 'token_mint' else 'token_burn' end)
           order by ledger"#,
        until
    )
    .fetch_all(&mut **tx)
    .await?)
}

/// Those sums; what the token told, only up to a ledger.
pub(super) async fn sums(tx: &mut Tx, contract: &str, until: i64) -> Result<Sums, Fault> {
    Ok(sqlx::query_as!(
        Sums,
        r#"with wished as (
               select coalesce(sum(amount) filter (where op = 'fund'), 0) as mints,
                      coalesce(sum(amount) filter (where op = 'burn'), 0) as burns
               from (select op ->> 'op' as op, (op ->> 'amount')::bigint as amount from chain.intent
                     where op ->> 'op' in ('fund', 'burn') and not (status = 'refused' and heeded)) ops),
           heard as (
               select coalesce(sum(supply), 0) as posted,
                      coalesce(sum(amount) filter (where kind = 'funded'), 0) as minted,
                      coalesce(sum(amount) filter (where kind = 'burned'), 0) as burned
               from chain.event where escrow is not null and transfer is not null),
           token as (
               select coalesce(sum(case kind when 'token_mint' then amount else -amount end), 0) as told
               from chain.event t where kind in ('token_mint', 'token_burn') and ledger <= $2
                 and coalesce(effect ->> 'to', effect ->> 'from') = $1
                 and not exists (select from chain.event e where e.tx_hash = t.tx_hash and e.contained))
           select posted::bigint as "posted!", (mints - minted)::bigint as "minting!",
                  (burns - burned)::bigint as "burning!", told::bigint as "told!" from wished, heard, token"#,
        contract,
        until
    )
    .fetch_one(&mut **tx)
    .await?)
}
