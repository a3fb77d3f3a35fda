//! Rows of `flow.clearing`: who says whose money in suspense is, and who agreed.

use amana_ledger::id::PartyId;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::db::Tx;
use crate::error::Fault;
use crate::privacy::Sealed;

/// A proposal that is not decided.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// Ours.
    pub id: Uuid,
    /// Where it is to go.
    pub escrow: String,
    /// Who says so.
    pub maker: Uuid,
    /// Since when.
    pub made_at: DateTime<Utc>,
}

/// The open proposal about a collection, locked.
///
/// # Errors
/// The database's; so for all here.
pub async fn open(tx: &mut Tx, collection: Uuid) -> Result<Option<Proposal>, Fault> {
    Ok(sqlx::query_as!(
        Proposal,
        "select id, escrow, maker, made_at from flow.clearing
         where collection = $1 and verdict is null for update",
        collection
    )
    .fetch_optional(&mut **tx)
    .await?)
}

/// Writes a proposal; `false` if another one is open.
pub async fn propose(
    tx: &mut Tx,
    (id, collection): (Uuid, Uuid),
    (escrow, reason): (&str, Sealed),
    (maker, now): (PartyId, DateTime<Utc>),
) -> Result<bool, Fault> {
    let done = sqlx::query!(
        "insert into flow.clearing (id, collection, escrow, reason, maker, made_at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (collection) where verdict is null do nothing",
        id,
        collection,
        escrow,
        reason as Sealed,
        maker.0,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Decides it.
pub async fn decide(
    tx: &mut Tx,
    (id, checker): (Uuid, PartyId),
    verdict: &str,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    sqlx::query!(
        "update flow.clearing set checker = $2, verdict = $3, decided_at = $4 where id = $1",
        id,
        checker.0,
        verdict,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
