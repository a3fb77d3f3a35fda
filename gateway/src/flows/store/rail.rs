//! Rows of `flow.token`, `flow.question` and `flow.prompt`: what we keep of a rail that we ask.

use amana_ledger::id::EscrowRef;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::db::Tx;
use crate::error::Fault;
use crate::privacy::Sealed;

/// A token as it is kept.
#[derive(Debug, Clone)]
pub struct Token {
    /// Sealed.
    pub token: Sealed,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// The app's token, if there is one.
///
/// # Errors
/// The database's; so for all here.
pub async fn token(tx: &mut Tx, app: &str) -> Result<Option<Token>, Fault> {
    Ok(sqlx::query_as!(
        Token,
        r#"select token as "token: Sealed", expires_at from flow.token where app = $1"#,
        app
    )
    .fetch_optional(&mut **tx)
    .await?)
}

/// Waits until nobody else fetches a token for the app; to the end of the transaction.
///
/// # Errors
/// See above.
pub async fn lock_token(tx: &mut Tx, app: &str) -> Result<(), Fault> {
    let name = format!("amana:token:{app}");
    sqlx::query_scalar!(
        r#"select true as "locked!" from pg_advisory_xact_lock(hashtextextended($1, 0))"#,
        name
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(())
}

/// Keeps a new token.
///
/// # Errors
/// See above.
pub async fn keep_token(
    tx: &mut Tx,
    app: &str,
    token: Sealed,
    (now, expires_at): (DateTime<Utc>, DateTime<Utc>),
) -> Result<(), Fault> {
    sqlx::query!(
        "insert into flow.token (app, token, fetched_at, expires_at) values ($1, $2, $3, $4)
         on conflict (app) do update set token = $2, fetched_at = $3, expires_at = $4",
        app,
        token as Sealed,
        now,
        expires_at
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Writes a question about to be asked.
///
/// # Errors
/// See above.
pub async fn ask(
    tx: &mut Tx,
    id: Uuid,
    (kind, subject): (&str, &str),
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    sqlx::query!(
        "insert into flow.question (id, kind, subject, asked_at) values ($1, $2, $3, $4)",
        id,
        kind,
        subject,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// What a question was about.
///
/// # Errors
/// See above.
pub async fn question(tx: &mut Tx, id: Uuid) -> Result<Option<String>, Fault> {
    Ok(sqlx::query_scalar!("select subject from flow.question where id = $1 for update", id)
        .fetch_optional(&mut **tx)
        .await?)
}

/// Writes how a question was answered; the last answer stays.
///
/// # Errors
/// See above.
pub async fn answered(tx: &mut Tx, id: Uuid, answer: &str, now: DateTime<Utc>) -> Result<(), Fault> {
    sqlx::query!("update flow.question set answer = $2, ended_at = $3 where id = $1", id, answer, now)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// A prompt as it is kept.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// Ours.
    pub id: Uuid,
    /// The escrow it is to fund.
    pub escrow: String,
    /// Minor units.
    pub amount: i64,
    /// Whose phone, sealed.
    pub phone: Sealed,
    /// `wished`, `underway`, `unknown`, `paid`, `not_paid`.
    pub status: String,
    /// Why it was not paid.
    pub reason: Option<String>,
    /// The receipt, once it was paid.
    pub receipt: Option<String>,
}

/// Writes a wish for a prompt.
///
/// # Errors
/// See above.
pub async fn wish_prompt(
    tx: &mut Tx,
    id: Uuid,
    escrow: &EscrowRef,
    (amount, phone): (i64, Sealed),
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    sqlx::query!(
        "insert into flow.prompt (id, escrow, amount, phone, status, created_at, updated_at)
         values ($1, $2, $3, $4, 'wished', $5, $5)",
        id,
        escrow.as_str(),
        amount,
        phone as Sealed,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Whether a prompt of this escrow may still be on somebody's phone: one since `since`, and not ended.
///
/// # Errors
/// See above.
pub async fn has_open_prompt(tx: &mut Tx, escrow: &EscrowRef, since: DateTime<Utc>) -> Result<bool, Fault> {
    Ok(sqlx::query_scalar!(
        r#"select exists (select from flow.prompt where escrow = $1 and created_at > $2
             and status in ('wished', 'underway', 'unknown')) as "open!""#,
        escrow.as_str(),
        since
    )
    .fetch_one(&mut **tx)
    .await?)
}

/// A prompt, its row locked.
///
/// # Errors
/// See above.
pub async fn prompt(tx: &mut Tx, id: Uuid) -> Result<Option<Prompt>, Fault> {
    Ok(sqlx::query_as!(
        Prompt,
        r#"select id, escrow, amount, phone as "phone: Sealed", status, reason, receipt
           from flow.prompt where id = $1 for update"#,
        id
    )
    .fetch_optional(&mut **tx)
    .await?)
}

/// What became of a prompt; what is not said stays as it was.
#[derive(Debug, Clone, Copy, Default)]
pub struct Became<'a> {
    /// The status.
    pub status: &'a str,
    /// The rail's name for it.
    pub checkout: Option<&'a str>,
    /// Why it was not paid.
    pub reason: Option<&'a str>,
    /// The receipt.
    pub receipt: Option<&'a str>,
}

/// Writes what became of a prompt.
///
/// # Errors
/// See above.
pub async fn prompt_became(
    tx: &mut Tx,
    id: Uuid,
    became: Became<'_>,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    sqlx::query!(
        "update flow.prompt set status = $2, checkout = coalesce($3, checkout),
             reason = coalesce($4, reason), receipt = coalesce($5, receipt), updated_at = $6 where id = $1",
        id,
        became.status,
        became.checkout,
        became.reason,
        became.receipt,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
