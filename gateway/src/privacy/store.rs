//! The rows of schema `privacy`: wrapped data keys and whose they are.

use amana_ledger::id::PartyId;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::db::Tx;
use crate::error::Fault;

pub(super) async fn keep_key(
    tx: &mut Tx,
    id: Uuid,
    party: Option<PartyId>,
    wrapped: &[u8],
    at: DateTime<Utc>,
) -> Result<(), Fault> {
    sqlx::query!(
        "insert into privacy.data_key (id, party, wrapped, created_at) values ($1, $2, $3, $4)",
        id,
        party as Option<PartyId>,
        wrapped,
        at
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn wrapped(tx: &mut Tx, id: Uuid) -> Result<Option<Vec<u8>>, Fault> {
    let row = sqlx::query_scalar!("select wrapped from privacy.data_key where id = $1", id)
        .fetch_optional(&mut **tx)
        .await?;
    row.ok_or(Fault::Sealed("no such data key"))
}

pub(super) async fn person_key(tx: &mut Tx, party: PartyId) -> Result<Option<Uuid>, Fault> {
    let query =
        sqlx::query_scalar!("select key_id from privacy.person_key where party = $1", party as PartyId);
    Ok(query.fetch_optional(&mut **tx).await?)
}

/// Makes `id` the person's key, unless another call was quicker; answers the one that stands.
pub(super) async fn claim_person_key(tx: &mut Tx, party: PartyId, id: Uuid) -> Result<Uuid, Fault> {
    sqlx::query!(
        "insert into privacy.person_key (party, key_id) values ($1, $2) on conflict (party) do nothing",
        party as PartyId,
        id
    )
    .execute(&mut **tx)
    .await?;
    person_key(tx, party).await?.ok_or(Fault::Sealed("a person's key vanished"))
}

pub(super) async fn tie(tx: &mut Tx, id: Uuid, party: PartyId) -> Result<(), Fault> {
    sqlx::query!(
        "update privacy.data_key set party = $2 where id = $1 and party is null",
        id,
        party as PartyId
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn destroy(tx: &mut Tx, party: PartyId, at: DateTime<Utc>) -> Result<(), Fault> {
    sqlx::query!("delete from privacy.person_key where party = $1", party as PartyId)
        .execute(&mut **tx)
        .await?;
    sqlx::query!(
        "update privacy.data_key set wrapped = null, destroyed_at = $2
         where party = $1 and wrapped is not null",
        party as PartyId,
        at
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
