//! Rows of the schema `chain`: signed envelopes, the channels that carry them, and what became of them.
//!
//! Invariant: an envelope is stored before it is sent, and so is the same transaction under a higher fee. A
//! channel carries one open attempt: it is leased under its row's lock until that attempt's end.

use amana_adapters::stellar::Raised;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::db::Tx;
use crate::error::Fault;

/// A signed envelope, stored before it was first sent.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The account that pays the fee and lends its sequence number.
    pub channel: String,
    /// That number.
    pub sequence: i64,
    /// The transaction's hash.
    pub hash: String,
    /// The signed bytes, base64.
    pub envelope: String,
    /// Ledger time after which the network refuses it.
    pub max_time: i64,
    /// The ledger at which it was built.
    pub first_ledger: i64,
    /// How often it was sent.
    pub sent: i32,
    /// What the network said when it was last handed it.
    pub answer: Option<serde_json::Value>,
    /// Its hashes under higher fees, in the order in which they were offered.
    pub aliases: Vec<String>,
    /// The bytes that offer most: its own, or those of the last alias.
    pub newest: String,
}

/// The open attempt of a wish.
///
/// # Errors
/// The database's.
pub async fn open(tx: &mut Tx, intent: Uuid) -> Result<Option<Attempt>, Fault> {
    Ok(sqlx::query_as!(
        Attempt,
        r#"select channel, sequence, hash, envelope, max_time, first_ledger, sent, answer,
                  coalesce((select array_agg(l.hash order by l.no) from chain.alias l
                            where l.attempt = a.hash), '{}') as "aliases!",
                  coalesce((select l.envelope from chain.alias l where l.attempt = a.hash
                            order by l.no desc limit 1), envelope) as "newest!"
           from chain.attempt a where intent = $1 and status = 'open'"#,
        intent
    )
    .fetch_optional(&mut **tx)
    .await?)
}

/// Leases the channel that rested longest to a wish, until `until`. Only one of `ours`: another process may
/// have others, and one that was taken out of the configuration is known for ever. `None` if all are busy.
///
/// # Errors
/// The database's.
pub async fn lease_channel(
    tx: &mut Tx,
    ours: &[String],
    intent: Uuid,
    (now, until): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Option<String>, Fault> {
    Ok(sqlx::query_scalar!(
        "update chain.channel set intent = $2, leased_at = $3, lease_until = $4 where address = (
             select c.address from chain.channel c
             where c.address = any($1) and (c.lease_until is null or c.lease_until <= $3)
               and not exists (select 1 from chain.attempt a
                               where a.channel = c.address and a.status = 'open')
             order by c.leased_at nulls first, c.address limit 1 for update skip locked)
         returning address",
        ours,
        intent,
        now,
        until
    )
    .fetch_optional(&mut **tx)
    .await?)
}

/// The number that the channel's last attempt used up, if it is known to have: a server may not have heard of
/// it yet. One that died used up none, and then only the chain knows.
///
/// # Errors
/// The database's.
pub async fn last_used(tx: &mut Tx, channel: &str) -> Result<Option<i64>, Fault> {
    let last = sqlx::query_scalar!(
        "select case when ledger is not null then sequence end from chain.attempt
         where channel = $1 and status <> 'open' order by created_at desc, no desc limit 1",
        channel
    );
    Ok(last.fetch_optional(&mut **tx).await?.flatten())
}

/// Makes the configured channels known.
///
/// # Errors
/// The database's.
pub async fn register_channels(tx: &mut Tx, addresses: &[String]) -> Result<(), Fault> {
    sqlx::query!(
        "insert into chain.channel (address) select unnest($1::text[]) on conflict do nothing",
        addresses
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// What is to be stored of a new attempt.
#[derive(Debug, Clone)]
pub struct New<'a> {
    /// The account that pays.
    pub channel: &'a str,
    /// The number it lends.
    pub sequence: i64,
    /// The transaction's hash.
    pub hash: &'a str,
    /// The signed bytes, base64.
    pub envelope: &'a str,
    /// Ledger time after which the network refuses it.
    pub max_time: i64,
    /// The ledger at which it was built.
    pub first_ledger: i64,
}

/// Stores a new attempt, before its first send; its channel is taken until its end.
///
/// # Errors
/// The database's; a second open attempt of the wish or on the channel is refused by it.
pub async fn store(tx: &mut Tx, intent: Uuid, new: &New<'_>, now: DateTime<Utc>) -> Result<(), Fault> {
    sqlx::query!(
        "with taken as (update chain.channel set intent = $1, lease_until = 'infinity' where address = $2)
         insert into chain.attempt (intent, no, channel, sequence, hash, envelope, max_time, first_ledger,
         created_at)
         select $1, coalesce(max(no), 0) + 1, $2, $3, $4, $5, $6, $7, $8 from chain.attempt
         where intent = $1",
        intent,
        new.channel,
        new.sequence,
        new.hash,
        new.envelope,
        new.max_time,
        new.first_ledger,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Stores the same transaction under a higher fee, before its first send.
///
/// # Errors
/// The database's.
pub async fn store_alias(
    tx: &mut Tx,
    attempt: &str,
    raised: &Raised,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    sqlx::query!(
        "insert into chain.alias (hash, attempt, no, envelope, fee, created_at)
         select $1, $2, coalesce(max(no), 0) + 1, $3, $4, $5 from chain.alias where attempt = $2",
        raised.hash,
        attempt,
        raised.envelope_xdr,
        raised.fee,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Counts a send. What was answered to an earlier one says nothing about this one.
///
/// # Errors
/// The database's.
pub async fn count_send(tx: &mut Tx, hash: &str) -> Result<(), Fault> {
    sqlx::query!("update chain.attempt set sent = sent + 1, answer = null where hash = $1", hash)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Keeps what the network said to a send.
///
/// # Errors
/// The database's.
pub async fn answered(tx: &mut Tx, hash: &str, answer: serde_json::Value) -> Result<(), Fault> {
    sqlx::query!("update chain.attempt set answer = $2 where hash = $1", hash, answer)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The signed bytes of the transaction with this hash, if it was ours, under whichever fee.
///
/// # Errors
/// The database's.
pub async fn envelope(tx: &mut Tx, hash: &str) -> Result<Option<String>, Fault> {
    let found = sqlx::query_scalar!(
        r#"select envelope as "envelope!" from chain.attempt where hash = $1
           union all select envelope from chain.alias where hash = $1"#,
        hash
    );
    Ok(found.fetch_optional(&mut **tx).await?)
}

/// How an attempt ended.
#[derive(Debug, Clone, Default)]
pub struct Ending {
    /// `success`, `failed` or `dead`.
    pub status: &'static str,
    /// Why, if it did not succeed.
    pub reason: Option<String>,
    /// The ledger that holds it.
    pub ledger: Option<i64>,
    /// Under which hash, if not its own.
    pub applied: Option<String>,
}

/// Ends an attempt. Its channel is free.
///
/// # Errors
/// The database's.
pub async fn end(tx: &mut Tx, hash: &str, ending: &Ending, now: DateTime<Utc>) -> Result<(), Fault> {
    sqlx::query!(
        "with ended as (
             update chain.attempt set status = $2, reason = $3, ledger = $4, closed_at = $5, applied = $6
             where hash = $1 and status = 'open' returning channel)
         update chain.channel set lease_until = null from ended where address = ended.channel",
        hash,
        ending.status,
        ending.reason,
        ending.ledger,
        now,
        ending.applied
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Why earlier attempts at a wish failed in a ledger, a word each.
///
/// # Errors
/// The database's.
pub async fn failures(tx: &mut Tx, intent: Uuid) -> Result<Vec<String>, Fault> {
    let found = sqlx::query_scalar!(
        r#"select split_part(reason, ' ', 1) as "word!" from chain.attempt
           where intent = $1 and status = 'failed' and reason is not null"#,
        intent
    );
    Ok(found.fetch_all(&mut **tx).await?)
}

/// An attempt as the trace shows it.
#[derive(Debug, Clone)]
pub struct Row {
    /// The wish it carries out.
    pub key: String,
    /// Its number within the wish.
    pub no: i32,
    /// The hash under which it is in a ledger, or else its own.
    pub hash: String,
    /// `open`, `success`, `failed`, `dead`.
    pub status: String,
    /// The ledger that holds it.
    pub ledger: Option<i64>,
    /// When it was built.
    pub created_at: DateTime<Utc>,
}

/// Every attempt about an escrow, in order.
///
/// # Errors
/// The database's.
pub async fn of_escrow(tx: &mut Tx, escrow: &str) -> Result<Vec<Row>, Fault> {
    Ok(sqlx::query_as!(
        Row,
        r#"select i.key, a.no, coalesce(a.applied, a.hash) as "hash!", a.status, a.ledger, a.created_at
           from chain.attempt a join chain.intent i on i.id = a.intent
           where i.escrow = $1 order by i.no, a.no"#,
        escrow
    )
    .fetch_all(&mut **tx)
    .await?)
}
