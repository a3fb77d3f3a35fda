//! Rows of the schema `chain` that need a person: what strangers did, what did not fit, what gets nowhere.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::db::Tx;
use crate::error::Fault;

/// Tokens that came into being or ceased to be beside the escrow contract.
#[derive(Debug, Clone)]
pub struct Outside {
    /// `token_mint` or `token_burn`.
    pub kind: String,
    /// The transaction.
    pub tx_hash: String,
    /// When its ledger closed.
    pub closed_at: DateTime<Utc>,
    /// Minor units.
    pub amount: i64,
}

/// What strangers minted or burned, newest first, before `before`.
///
/// # Errors
/// The database's.
pub async fn outside(
    tx: &mut Tx,
    contract: &str,
    before: DateTime<Utc>,
    most: i64,
) -> Result<Vec<Outside>, Fault> {
    Ok(sqlx::query_as!(
        Outside,
        "select kind, tx_hash, closed_at, amount from chain.event
         where kind in ('token_mint', 'token_burn') and coalesce(effect ->> 'to', effect ->> 'from') <> $1
           and closed_at < $2 order by closed_at desc limit $3",
        contract,
        before,
        most
    )
    .fetch_all(&mut **tx)
    .await?)
}

/// What the chain did to an escrow of ours that does not fit what we know of it.
#[derive(Debug, Clone)]
pub struct Misfit {
    /// The transaction.
    pub tx_hash: String,
    /// What, in one word.
    pub kind: String,
    /// When its ledger closed.
    pub closed_at: DateTime<Utc>,
    /// Why nothing follows from it.
    pub refused: String,
}

/// The events from which nothing could follow, newest first, before `before`.
///
/// # Errors
/// The database's.
pub async fn misfits(tx: &mut Tx, before: DateTime<Utc>, most: i64) -> Result<Vec<Misfit>, Fault> {
    Ok(sqlx::query_as!(
        Misfit,
        r#"select tx_hash, kind, closed_at, refused as "refused!" from chain.event
           where refused is not null and closed_at < $1 order by closed_at desc limit $2"#,
        before,
        most
    )
    .fetch_all(&mut **tx)
    .await?)
}

/// After so many steps a wish that is still open is shown to ops. The usual one takes three or four.
const MANY_TRIES: i32 = 20;

/// A wish the contract refused, or one that gets nowhere.
#[derive(Debug, Clone)]
pub struct Refused {
    /// The wish.
    pub id: Uuid,
    /// Its business key.
    pub key: String,
    /// The escrow it is about, whose later wishes wait behind it, or the book.
    pub about: String,
    /// When it was refused, or else wished.
    pub since: DateTime<Utc>,
    /// Why.
    pub reason: Option<String>,
}

/// The wishes the contract refused and those that get nowhere, newest first, before `before`.
///
/// # Errors
/// The database's.
pub async fn refused(tx: &mut Tx, before: DateTime<Utc>, most: i64) -> Result<Vec<Refused>, Fault> {
    Ok(sqlx::query_as!(
        Refused,
        r#"select id, key, coalesce(escrow, book) as "about!", coalesce(done_at, created_at) as "since!",
                  reason from chain.intent
           where (status = 'refused' or status = 'open' and (tries >= $3 or stopped_at is not null))
             and coalesce(done_at, created_at) < $1
           order by coalesce(done_at, created_at) desc limit $2"#,
        before,
        most,
        MANY_TRIES
    )
    .fetch_all(&mut **tx)
    .await?)
}
