//! The rows of schema `people`: persons, sessions, refresh tokens.
//!
//! Invariant: the names of unique constraints are the vocabulary in which "somebody has it already" is told.

use std::collections::HashMap;

use amana_ledger::id::PartyId;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::db::Tx;
use crate::error::{Code, Error, Fault, Refusal};
use crate::people::PayoutMode;
use crate::privacy::Sealed;

pub(super) struct NewRow {
    pub(super) party: PartyId,
    pub(super) role: &'static str,
    pub(super) profile: Sealed,
    pub(super) phone_blind: [u8; 32],
    pub(super) email_blind: Option<[u8; 32]>,
    pub(super) password_hash: Option<String>,
    pub(super) payout_mode: &'static str,
    pub(super) stellar_account_id: Option<String>,
    pub(super) language: &'static str,
    pub(super) at: DateTime<Utc>,
}

pub(super) struct Row {
    pub(super) party: PartyId,
    pub(super) id: i64,
    pub(super) role: String,
    pub(super) profile: Option<Sealed>,
    pub(super) password_hash: Option<String>,
    pub(super) pin_hash: Option<String>,
    pub(super) payout_mode: String,
    pub(super) stellar_account_id: Option<String>,
    pub(super) language: String,
    pub(super) created_at: DateTime<Utc>,
}

impl Row {
    pub(super) fn payout_mode(&self) -> PayoutMode {
        match (self.payout_mode.as_str(), &self.stellar_account_id) {
            ("stellar", Some(account)) => PayoutMode::Stellar(account.clone()),
            _ => PayoutMode::Mobile,
        }
    }
}

pub(super) async fn insert(tx: &mut Tx, new: NewRow) -> Result<i64, Error> {
    let inserted = sqlx::query_scalar!(
        "insert into people.person (party, role, profile, phone_blind, email_blind, password_hash,
                                    payout_mode, stellar_account_id, language, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) returning id",
        new.party as PartyId,
        new.role,
        new.profile as Sealed,
        &new.phone_blind,
        new.email_blind.as_ref().map(|blind| blind.as_slice()),
        new.password_hash,
        new.payout_mode,
        new.stellar_account_id,
        new.language,
        new.at
    )
    .fetch_one(&mut **tx)
    .await;
    inserted.map_err(|error| {
        let taken = |field: &str| {
            let refusal =
                Refusal { field: Some(field.into()), ..Refusal::new(Code::Exists, "is registered already") };
            Error::Refused(refusal)
        };
        match error.as_database_error().and_then(|database| database.constraint()) {
            Some("person_phone") => taken("phone_number"),
            Some("person_email") => taken("email"),
            _ => Error::from(error),
        }
    })
}

macro_rules! person_where {
    ($tx:expr, $condition:literal, $value:expr) => {
        sqlx::query_as!(
            Row,
            r#"select party as "party: PartyId", id, role, profile as "profile: Sealed",
                      password_hash, pin_hash, payout_mode, stellar_account_id, language, created_at
               from people.person where "#
                + $condition,
            $value
        )
        .fetch_optional(&mut **$tx)
        .await
        .map_err(Fault::from)
    };
}

pub(super) async fn by_party(tx: &mut Tx, party: PartyId) -> Result<Option<Row>, Fault> {
    person_where!(tx, "party = $1", party as PartyId)
}

pub(super) async fn by_id(tx: &mut Tx, id: i64) -> Result<Option<Row>, Fault> {
    person_where!(tx, "id = $1", id)
}

pub(super) async fn by_phone(tx: &mut Tx, blind: &[u8; 32]) -> Result<Option<Row>, Fault> {
    person_where!(tx, "phone_blind = $1", blind)
}

pub(super) async fn by_email(tx: &mut Tx, blind: &[u8; 32]) -> Result<Option<Row>, Fault> {
    person_where!(tx, "email_blind = $1", blind)
}

pub(super) async fn ids_of(tx: &mut Tx, parties: &[PartyId]) -> Result<HashMap<PartyId, i64>, Fault> {
    let parties: Vec<Uuid> = parties.iter().map(|party| party.0).collect();
    let rows = sqlx::query!(
        r#"select party as "party: PartyId", id from people.person where party = any($1)"#,
        &parties
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.party, row.id)).collect())
}

pub(super) async fn set_language(tx: &mut Tx, party: PartyId, language: &str) -> Result<(), Fault> {
    sqlx::query!("update people.person set language = $2 where party = $1", party as PartyId, language)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

pub(super) async fn set_pin(tx: &mut Tx, party: PartyId, hash: &str) -> Result<bool, Fault> {
    let done = sqlx::query!(
        "update people.person set pin_hash = $2, pin_tries = 0, pin_locked_until = null
         where party = $1 and pin_hash is null and forgotten_at is null",
        party as PartyId,
        hash
    )
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Counts a try at a password before it is judged; `false` while locked. The try that makes `most` locks
/// until it turns out right.
pub(super) async fn count_password_try(
    tx: &mut Tx,
    party: PartyId,
    most: i32,
    (at, lock_until): (DateTime<Utc>, DateTime<Utc>),
) -> Result<bool, Fault> {
    let done = sqlx::query!(
        "update people.person set
           password_tries = case when password_locked_until is null then password_tries + 1 else 1 end,
           password_locked_until =
             case when password_locked_until is null and password_tries + 1 >= $2 then $4::timestamptz end
         where party = $1 and (password_locked_until is null or password_locked_until <= $3)",
        party as PartyId,
        most,
        at,
        lock_until
    )
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn clear_password_tries(tx: &mut Tx, party: PartyId) -> Result<(), Fault> {
    sqlx::query!(
        "update people.person set password_tries = 0, password_locked_until = null where party = $1",
        party as PartyId
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A try at a PIN, counted before it is judged, so that parallel guesses cannot outrun the count.
pub(super) struct PinTry {
    pub(super) pin_hash: Option<String>,
    /// 1, 2, 3; the third try locks until it turns out right.
    pub(super) tries: i16,
}

/// Counts a try; `None` while locked.
pub(super) async fn count_pin_try(
    tx: &mut Tx,
    party: PartyId,
    at: DateTime<Utc>,
    lock_until: DateTime<Utc>,
) -> Result<Option<PinTry>, Fault> {
    Ok(sqlx::query_as!(
        PinTry,
        r#"update people.person set
             pin_tries = case when pin_locked_until is null then pin_tries + 1 else 1 end,
             pin_locked_until =
               case when pin_locked_until is null and pin_tries + 1 >= 3 then $3::timestamptz end
           where party = $1 and (pin_locked_until is null or pin_locked_until <= $2)
           returning pin_hash, pin_tries as "tries!""#,
        party as PartyId,
        at,
        lock_until
    )
    .fetch_optional(&mut **tx)
    .await?)
}

pub(super) async fn clear_pin_tries(tx: &mut Tx, party: PartyId) -> Result<(), Fault> {
    sqlx::query!(
        "update people.person set pin_tries = 0, pin_locked_until = null where party = $1",
        party as PartyId
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn forget(tx: &mut Tx, party: PartyId, at: DateTime<Utc>) -> Result<(), Fault> {
    sqlx::query!(
        "update people.person set forgotten_at = $2, profile = null, phone_blind = null, email_blind = null,
                password_hash = null, pin_hash = null, stellar_account_id = null, payout_mode = 'mobile'
         where party = $1",
        party as PartyId,
        at
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "update people.session set revoked_at = $2, reason = 'forgotten'
         where party = $1 and revoked_at is null",
        party as PartyId,
        at
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn open_session(
    tx: &mut Tx,
    id: Uuid,
    party: PartyId,
    at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<(), Fault> {
    sqlx::query!(
        "insert into people.session (id, party, created_at, expires_at) values ($1, $2, $3, $4)",
        id,
        party as PartyId,
        at,
        expires_at
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn keep_refresh(
    tx: &mut Tx,
    hash: &[u8; 32],
    session: Uuid,
    at: DateTime<Utc>,
) -> Result<(), Fault> {
    sqlx::query!(
        "insert into people.refresh (hash, session, issued_at) values ($1, $2, $3)",
        hash,
        session,
        at
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A refresh token that was found, locked for this transaction, with its session.
pub(super) struct Refresh {
    pub(super) session: Uuid,
    pub(super) party: PartyId,
    pub(super) used: bool,
    pub(super) expires_at: DateTime<Utc>,
    pub(super) revoked: bool,
}

pub(super) async fn refresh(tx: &mut Tx, hash: &[u8; 32]) -> Result<Option<Refresh>, Fault> {
    Ok(sqlx::query_as!(
        Refresh,
        r#"select s.id as session, s.party as "party: PartyId", r.used_at is not null as "used!",
                  s.expires_at, s.revoked_at is not null as "revoked!"
           from people.refresh r join people.session s on s.id = r.session
           where r.hash = $1 for update"#,
        hash
    )
    .fetch_optional(&mut **tx)
    .await?)
}

pub(super) async fn use_refresh(tx: &mut Tx, hash: &[u8; 32], at: DateTime<Utc>) -> Result<(), Fault> {
    sqlx::query!("update people.refresh set used_at = $2 where hash = $1", hash, at)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

pub(super) async fn revoke(tx: &mut Tx, session: Uuid, reason: &str, at: DateTime<Utc>) -> Result<(), Fault> {
    sqlx::query!(
        "update people.session set revoked_at = $3, reason = $2 where id = $1 and revoked_at is null",
        session,
        reason,
        at
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Who stands behind a live session.
pub(super) struct Live {
    pub(super) party: PartyId,
    pub(super) id: i64,
    pub(super) role: String,
}

pub(super) async fn live(tx: &mut Tx, session: Uuid, at: DateTime<Utc>) -> Result<Option<Live>, Fault> {
    Ok(sqlx::query_as!(
        Live,
        r#"select p.party as "party: PartyId", p.id, p.role
           from people.session s join people.person p on p.party = s.party
           where s.id = $1 and s.revoked_at is null and s.expires_at > $2"#,
        session,
        at
    )
    .fetch_optional(&mut **tx)
    .await?)
}
