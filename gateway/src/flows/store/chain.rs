//! Rows of the schema `chain`: wishes, and what the chain said.

use amana_adapters::stellar::ChainOp;
use amana_ledger::chart::BookId;
use amana_ledger::id::{EscrowRef, TransferId, uuid_v7};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::app::App;
use crate::db::Tx;
use crate::error::Fault;

/// Queues a wish, once per key, behind the escrow's earlier ones. The escrow's row must be locked or new.
///
/// # Errors
/// The database's.
pub async fn wish(tx: &mut Tx, app: &App, escrow: &EscrowRef, key: &str, op: &ChainOp) -> Result<(), Fault> {
    wish_at(tx, app, escrow, (key, app.clock.now()), op).await
}

/// As [`wish`], not to be carried out before it is due.
///
/// # Errors
/// The database's.
pub async fn wish_at(
    tx: &mut Tx,
    app: &App,
    escrow: &EscrowRef,
    (key, due): (&str, DateTime<Utc>),
    op: &ChainOp,
) -> Result<(), Fault> {
    sqlx::query!(
        "insert into chain.intent (id, key, escrow, no, op, created_at, due_at)
         select $1, $2, $3, coalesce(max(no), 0) + 1, $4, $5, $6 from chain.intent where escrow = $3
         on conflict (key) do nothing",
        uuid_v7(&*app.clock, &*app.rng),
        key,
        escrow.as_str(),
        serde_json::to_value(op)?,
        app.clock.now(),
        due
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Ends a wish that is not wanted any more, unless it is somebody's turn to carry it or it is under way: then
/// the contract says what came first.
///
/// # Errors
/// The database's.
pub async fn drop_wish(tx: &mut Tx, key: &str, now: DateTime<Utc>) -> Result<(), Fault> {
    sqlx::query!(
        "update chain.intent i set status = 'done', reason = 'not wanted any more', done_at = $2
         where key = $1 and status = 'open' and (lease_until is null or lease_until <= $2)
             and not exists (select from chain.attempt a where a.intent = i.id and a.status = 'open')",
        key,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Queues a wish about a book, to write down a checkpoint or to keep entries alive, unless one of its kind is
/// open already, or this one was wished for before.
///
/// # Errors
/// The database's.
pub async fn wish_of_book(
    tx: &mut Tx,
    app: &App,
    (book, key): (&BookId, &str),
    op: &ChainOp,
) -> Result<bool, Fault> {
    let done = sqlx::query!(
        "insert into chain.intent (id, key, book, no, op, created_at, due_at)
         values ($1, $2, $3, 0, $4, $5, $5)
         on conflict do nothing",
        uuid_v7(&*app.clock, &*app.rng),
        key,
        book.as_str(),
        serde_json::to_value(op)?,
        app.clock.now()
    )
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// How often the contract refused a wish of this kind about an escrow: the next one has another key.
///
/// # Errors
/// The database's.
pub async fn refusals(tx: &mut Tx, escrow: &EscrowRef, op: &str) -> Result<i64, Fault> {
    Ok(sqlx::query_scalar!(
        r#"select count(*) as "count!" from chain.intent
           where escrow = $1 and op ->> 'op' = $2 and status = 'refused'"#,
        escrow.as_str(),
        op
    )
    .fetch_one(&mut **tx)
    .await?)
}

/// Unix seconds after which anybody may have an escrow refunded, as it was to be created.
///
/// # Errors
/// The database's.
pub async fn expiry(tx: &mut Tx, escrow: &EscrowRef) -> Result<Option<i64>, Fault> {
    let expiry = sqlx::query_scalar!(
        "select (op ->> 'expiry')::bigint from chain.intent where escrow = $1 and op ->> 'op' = 'create'",
        escrow.as_str()
    );
    Ok(expiry.fetch_optional(&mut **tx).await?.flatten())
}

/// A wish about an escrow that was refused.
#[derive(Debug, Clone)]
pub struct Refused {
    /// Ours.
    pub id: Uuid,
    /// The escrow.
    pub escrow: String,
    /// What was wished.
    pub op: serde_json::Value,
}

/// The oldest refused wish about an escrow that its flow has not heard of.
///
/// # Errors
/// The database's.
pub async fn unheeded(tx: &mut Tx) -> Result<Option<Refused>, Fault> {
    Ok(sqlx::query_as!(
        Refused,
        r#"select id, escrow as "escrow!", op from chain.intent
           where status = 'refused' and not heeded and escrow is not null order by done_at, id limit 1"#
    )
    .fetch_optional(&mut **tx)
    .await?)
}

/// The flow has heard of it.
///
/// # Errors
/// The database's.
pub async fn heeded(tx: &mut Tx, id: Uuid) -> Result<(), Fault> {
    sqlx::query!("update chain.intent set heeded = true where id = $1", id).execute(&mut **tx).await?;
    Ok(())
}

/// When a checkpoint of a book was last wished onto the chain.
///
/// # Errors
/// The database's.
pub async fn last_anchor(tx: &mut Tx, book: &BookId) -> Result<Option<DateTime<Utc>>, Fault> {
    let last = sqlx::query_scalar!(
        "select max(created_at) from chain.intent where book = $1 and op ->> 'op' = 'anchor'",
        book.as_str()
    );
    Ok(last.fetch_one(&mut **tx).await?)
}

/// A wish under way.
#[derive(Debug, Clone)]
pub struct Intent {
    /// Ours.
    pub id: Uuid,
    /// Its business key.
    pub key: String,
    /// The escrow it is about, unless it is a book's checkpoint.
    pub escrow: Option<String>,
    /// The book whose checkpoint is to be written down, unless it is about an escrow.
    pub book: Option<String>,
    /// What is wished.
    pub op: serde_json::Value,
    /// How often it was tried without an end.
    pub tries: i32,
}

/// Leases the next wish that may be carried out: due, and the oldest open one of its escrow. One that was
/// refused stands in nobody's way: what cannot be without it the contract refuses too; nor does one that ends
/// a dispute, as it may wait for its day, or for the arbiter. A wish that has no envelope yet is let lie
/// where no channel is `free` to carry it. Who `decides` disputes is given decisions, and nobody else is.
///
/// # Errors
/// The database's.
pub async fn lease(
    tx: &mut Tx,
    (now, until): (DateTime<Utc>, DateTime<Utc>),
    (free, decides): (bool, bool),
) -> Result<Option<Intent>, Fault> {
    Ok(sqlx::query_as!(
        Intent,
        "update chain.intent set lease_until = $2, tries = tries + 1 where id = (
             select i.id from chain.intent i
             where i.status = 'open' and i.due_at <= $1 and (i.lease_until is null or i.lease_until <= $1)
               and (i.op ->> 'op' is not distinct from 'resolve') = $4
               and not exists (select 1 from chain.intent e
                               where e.escrow = i.escrow and e.no < i.no and e.status = 'open'
                                 and coalesce(e.op ->> 'op', '') not in ('resolve', 'resolve_timeout'))
               and ($3 or exists (select 1 from chain.attempt a
                                  where a.intent = i.id and a.status = 'open'))
             order by i.due_at, i.id limit 1 for update skip locked)
         returning id, key, escrow, book, op, tries",
        now,
        until,
        free,
        decides
    )
    .fetch_optional(&mut **tx)
    .await?)
}

/// Puts a wish back, to be taken up at `due`; a channel that was to carry it and got nothing to carry is free
/// again.
///
/// # Errors
/// The database's.
pub async fn put_back(tx: &mut Tx, id: Uuid, due: DateTime<Utc>, reason: &str) -> Result<(), Fault> {
    sqlx::query!(
        "with freed as (update chain.channel set lease_until = null
                        where intent = $1 and lease_until < 'infinity')
         update chain.intent set lease_until = null, due_at = $2, reason = $3, stopped_at = null
         where id = $1 and status = 'open'",
        id,
        due,
        reason
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Notes that a wish waits for a person.
///
/// # Errors
/// The database's.
pub async fn stopped(tx: &mut Tx, id: Uuid, now: DateTime<Utc>) -> Result<(), Fault> {
    sqlx::query!("update chain.intent set stopped_at = $2 where id = $1", id, now).execute(&mut **tx).await?;
    Ok(())
}

/// The newest ledger in which something happened to an escrow, as far as anybody here knows: an answer from
/// before it is no answer to a question about it.
///
/// # Errors
/// The database's.
pub async fn known_as_of(tx: &mut Tx, escrow: &str) -> Result<Option<i64>, Fault> {
    let ledger = sqlx::query_scalar!(
        "select greatest((select max(as_of) from chain.intent where escrow = $1),
                         (select max(ledger) from chain.event where escrow = $1))",
        escrow
    );
    Ok(ledger.fetch_one(&mut **tx).await?)
}

/// Ends a wish; how is known `as_of` a ledger.
///
/// # Errors
/// The database's.
pub async fn end(
    tx: &mut Tx,
    id: Uuid,
    (status, reason): (&str, Option<&str>),
    (as_of, now): (i64, DateTime<Utc>),
) -> Result<(), Fault> {
    sqlx::query!(
        "with freed as (update chain.channel set lease_until = null
                        where intent = $1 and lease_until < 'infinity')
         update chain.intent set status = $2, reason = $3, done_at = $4, as_of = $5, lease_until = null,
             stopped_at = null
         where id = $1",
        id,
        status,
        reason,
        now,
        as_of
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Where the index stands, and when it last found all in order.
///
/// # Errors
/// The database's.
pub async fn cursor(
    tx: &mut Tx,
    contract: &str,
) -> Result<Option<(serde_json::Value, DateTime<Utc>)>, Fault> {
    let row = sqlx::query!("select position, checked_at from chain.cursor where contract = $1", contract);
    Ok(row.fetch_optional(&mut **tx).await?.map(|row| (row.position, row.checked_at)))
}

/// Starts the index, unless another worker just did.
///
/// # Errors
/// The database's.
pub async fn start_cursor(
    tx: &mut Tx,
    contract: &str,
    position: serde_json::Value,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    sqlx::query!(
        "insert into chain.cursor (contract, position, checked_at) values ($1, $2, $3)
         on conflict do nothing",
        contract,
        position,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Moves the index on from where it stood, only ever in the transaction that stores and applies what lies
/// between. `false` if it stands elsewhere: another worker was there first.
///
/// # Errors
/// The database's.
pub async fn move_cursor(
    tx: &mut Tx,
    contract: &str,
    (from, to): (serde_json::Value, serde_json::Value),
    now: DateTime<Utc>,
) -> Result<bool, Fault> {
    let moved = sqlx::query!(
        "update chain.cursor set position = $2, checked_at = $3 where contract = $1 and position = $4",
        contract,
        to,
        now,
        from
    )
    .execute(&mut **tx)
    .await?;
    Ok(moved.rows_affected() == 1)
}

/// One thing the chain said.
#[derive(Debug, Clone)]
pub struct Said<'a> {
    /// The transaction.
    pub tx_hash: &'a str,
    /// The event's number in it.
    pub no: i32,
    /// The ledger.
    pub ledger: i64,
    /// When that ledger closed.
    pub closed_at: DateTime<Utc>,
    /// What, in one word.
    pub kind: &'a str,
    /// The escrow it is about, if one of ours.
    pub escrow: Option<&'a str>,
    /// Minor units, where it is about money.
    pub amount: i64,
    /// What an escrow's event did to the tokens there are, minor units.
    pub supply: i64,
    /// All of it.
    pub effect: serde_json::Value,
    /// Why nothing follows from it, if something should have.
    pub refused: Option<&'a str>,
}

/// Stores an event; `false` if it was stored before.
///
/// # Errors
/// The database's.
pub async fn store_event(tx: &mut Tx, said: Said<'_>) -> Result<bool, Fault> {
    let done = sqlx::query!(
        "insert into chain.event (tx_hash, no, ledger, closed_at, kind, escrow, amount, effect, refused,
         supply)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing",
        said.tx_hash,
        said.no,
        said.ledger,
        said.closed_at,
        said.kind,
        said.escrow,
        said.amount,
        said.effect,
        said.refused,
        said.supply
    )
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Notes which transfer an event caused.
///
/// # Errors
/// The database's.
pub async fn posted(tx: &mut Tx, (hash, no): (&str, i32), transfer: TransferId) -> Result<(), Fault> {
    sqlx::query!("update chain.event set transfer = $3 where tx_hash = $1 and no = $2", hash, no, transfer.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Minted and burned by the token since its deployment, minor units, as our index has it. What was heard of a
/// time that was read from entries is in what was read.
///
/// # Errors
/// The database's.
pub async fn supply(tx: &mut Tx) -> Result<(i64, i64), Fault> {
    let row = sqlx::query!(
        r#"select coalesce(sum(amount) filter (where kind = 'token_mint'), 0)::bigint as "minted!",
                  coalesce(sum(amount) filter (where kind = 'token_burn'), 0)::bigint as "burned!"
           from chain.event t where kind in ('token_mint', 'token_burn')
             and not exists (select from chain.event e where e.tx_hash = t.tx_hash and e.contained)"#
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok((row.minted, row.burned))
}
