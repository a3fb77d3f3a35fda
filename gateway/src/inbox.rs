//! Hear once: providers' callbacks, stored raw before anybody judges them, and callers' idempotency keys.
//!
//! Invariant: a callback is committed before it is answered, and judged exactly once, in the transaction that
//! does what follows from it. What cannot be read is kept and shown, never dropped.
//! Absent: signatures, which the door checks over the raw bytes before it stores; judging
//! (`worker/judge.rs`).

use amana_ledger::id::{PartyId, uuid_v7};
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::app::App;
use crate::db::Tx;
use crate::error::{Code, Fault, Refusal, Result};
use crate::privacy::Sealed;

/// Confirmations of customers' payments to our paybill.
pub const C2B: &str = "mpesa:c2b";
/// Ends of prompts of ours.
pub const PROMPT: &str = "mpesa:prompt";
/// Answers to questions of ours.
pub const ANSWER: &str = "mpesa:answer";
/// Lists we pulled.
pub const PULL: &str = "mpesa:pull";
/// Statements of the portal's.
pub const STATEMENT: &str = "mpesa:statement";
/// News about payouts.
pub const PAYOUT: &str = "intersend:payout";

/// Stores what came in, sealed, and commits. The worker judges it.
///
/// # Errors
/// The database's: the rail must then not be told that we have it.
pub async fn hear(
    app: &App,
    source: &str,
    peer: &str,
    headers: Value,
    raw: &[u8],
) -> std::result::Result<Uuid, Fault> {
    let id = uuid_v7(&*app.clock, &*app.rng);
    let mut tx = app.db.begin().await?;
    let body = app.privacy.seal_new(&mut tx, None, raw).await?;
    sqlx::query!(
        "insert into inbox.callback (id, source, heard_at, due_at, peer, headers, body)
         values ($1, $2, $3, $3, $4, $5, $6)",
        id,
        source,
        app.clock.now(),
        peer,
        headers,
        body as Sealed
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(id)
}

/// A callback nobody has judged yet; its row is locked until the transaction ends.
pub struct Unjudged {
    /// The callback.
    pub id: Uuid,
    /// Where it came in.
    pub source: String,
    /// When.
    pub heard_at: DateTime<Utc>,
    /// The headers its signature needs.
    pub headers: Value,
    body: Sealed,
}

impl Unjudged {
    /// The raw bytes as they came.
    ///
    /// # Errors
    /// The key is destroyed or the bytes were altered.
    pub async fn raw(&self, tx: &mut Tx, app: &App) -> std::result::Result<Vec<u8>, Fault> {
        app.privacy.open(tx, &self.body).await
    }

    /// Seals something else that stands in the raw bytes under their key.
    ///
    /// # Errors
    /// The key is destroyed, or the database's.
    pub async fn seal_like(
        &self,
        tx: &mut Tx,
        app: &App,
        plain: &[u8],
    ) -> std::result::Result<Sealed, Fault> {
        app.privacy.seal_like(tx, &self.body, plain).await
    }

    /// Ties the key of the raw bytes to the person they are about, so that both are destroyed together.
    ///
    /// # Errors
    /// The database's.
    pub async fn tie(&self, tx: &mut Tx, app: &App, party: PartyId) -> std::result::Result<(), Fault> {
        app.privacy.tie(tx, &self.body, party).await
    }
}

/// The oldest callback that is due, nobody has judged and nobody is judging.
///
/// # Errors
/// The database's.
pub async fn next_unjudged(tx: &mut Tx, app: &App) -> std::result::Result<Option<Unjudged>, Fault> {
    Ok(sqlx::query_as!(
        Unjudged,
        r#"select id, source, heard_at, headers, body as "body: Sealed" from inbox.callback
           where verdict is null and due_at <= $1 order by due_at, id limit 1 for update skip locked"#,
        app.clock.now()
    )
    .fetch_optional(&mut **tx)
    .await?)
}

/// A callback by its id, if nobody has judged it; waits for whoever is judging it.
///
/// # Errors
/// The database's.
pub async fn unjudged(tx: &mut Tx, id: Uuid) -> std::result::Result<Option<Unjudged>, Fault> {
    Ok(sqlx::query_as!(
        Unjudged,
        r#"select id, source, heard_at, headers, body as "body: Sealed" from inbox.callback
           where id = $1 and verdict is null for update"#,
        id
    )
    .fetch_optional(&mut **tx)
    .await?)
}

/// Why a callback was judged as it was.
///
/// # Errors
/// The database's.
pub async fn reason(tx: &mut Tx, id: Uuid) -> std::result::Result<Option<String>, Fault> {
    let found = sqlx::query_scalar!("select reason from inbox.callback where id = $1", id);
    Ok(found.fetch_optional(&mut **tx).await?.flatten())
}

/// What a callback turned out to be: the verdict in one word, the reason, and what it is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judged {
    /// In one word.
    pub verdict: &'static str,
    /// Why, without personal data.
    pub reason: Option<String>,
    /// About what: an escrow, a receipt, a payout.
    pub subject: Option<String>,
}

/// Writes the verdict.
///
/// # Errors
/// The database's.
pub async fn judged(tx: &mut Tx, app: &App, id: Uuid, judged: &Judged) -> std::result::Result<(), Fault> {
    sqlx::query!(
        "update inbox.callback set verdict = $2, reason = $3, subject = $4, judged_at = $5 where id = $1",
        id,
        judged.verdict,
        judged.reason,
        judged.subject,
        app.clock.now()
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Puts a callback back after a pass that failed: 1 s, doubling, at most 5 minutes. The others go on
/// meanwhile.
///
/// # Errors
/// The database's.
pub async fn put_back(tx: &mut Tx, app: &App, id: Uuid) -> std::result::Result<(), Fault> {
    sqlx::query!(
        "update inbox.callback set tries = tries + 1,
             due_at = $2::timestamptz + least(interval '5 minutes', interval '1 second' * (1 << least(tries,
             9)))
         where id = $1 and verdict is null",
        id,
        app.clock.now()
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A callback that needs a person: unreadable, contradictory, for a shortcode or payout that is not ours.
#[derive(Debug, Clone)]
pub struct Odd {
    /// The callback.
    pub id: Uuid,
    /// Where it came in.
    pub source: String,
    /// When.
    pub heard_at: DateTime<Utc>,
    /// What is odd, in one word.
    pub verdict: String,
    /// And in more.
    pub reason: Option<String>,
    /// What it is about, if that can be read.
    pub subject: Option<String>,
}

/// The callbacks that need a person, newest first, heard before `before`.
///
/// # Errors
/// The database's.
pub async fn odd(tx: &mut Tx, before: DateTime<Utc>, most: i64) -> std::result::Result<Vec<Odd>, Fault> {
    Ok(sqlx::query_as!(
        Odd,
        r#"select id, source, heard_at, coalesce(verdict, 'stuck') as "verdict!", reason, subject
         from inbox.callback
           where (verdict in ('unreadable', 'contradiction', 'wrong_shortcode', 'unknown_payout',
                  'unknown_question')
                  or (verdict is null and tries >= 3))
             and heard_at < $1
           order by heard_at desc limit $2"#,
        before,
        most
    )
    .fetch_all(&mut **tx)
    .await?)
}

/// Since when the oldest callback waits that nobody has judged, those apart on which judging fails.
///
/// # Errors
/// The database's.
pub async fn waiting_since(tx: &mut Tx) -> std::result::Result<Option<DateTime<Utc>>, Fault> {
    let oldest =
        sqlx::query_scalar!("select min(heard_at) from inbox.callback where verdict is null and tries < 3");
    Ok(oldest.fetch_one(&mut **tx).await?)
}

/// What an idempotency key leads to.
#[derive(Debug, Clone)]
pub enum Begin {
    /// First use: do it, then call `answer`.
    Fresh,
    /// Done before with the same body: give this answer again.
    Answered(u16, Value),
}

/// Begins a call that brought an idempotency key. The row is part of the caller's transaction: if that rolls
/// back, the key is free again.
///
/// # Errors
/// The key was used with another body, or its first call is still being answered.
pub async fn begin_idempotent(
    tx: &mut Tx,
    app: &App,
    (principal, key): (PartyId, &str),
    fingerprint: &[u8],
) -> Result<Begin> {
    // A second call with the same key waits here until the first one's transaction ends.
    let fresh = sqlx::query!(
        "insert into inbox.idempotency (principal, key, fingerprint, started_at) values ($1, $2, $3, $4)
         on conflict do nothing",
        principal.0,
        key,
        fingerprint,
        app.clock.now()
    )
    .execute(&mut **tx)
    .await?
    .rows_affected()
        == 1;
    if fresh {
        return Ok(Begin::Fresh);
    }
    let row = sqlx::query!(
        "select fingerprint, status, answer from inbox.idempotency where principal = $1 and key = $2",
        principal.0,
        key
    )
    .fetch_one(&mut **tx)
    .await?;
    if row.fingerprint != fingerprint {
        return Err(Refusal::new(Code::KeyReused, "this Idempotency-Key was used with another body").into());
    }
    match (row.status.and_then(|status| u16::try_from(status).ok()), row.answer) {
        (Some(status), Some(answer)) => Ok(Begin::Answered(status, answer)),
        _ => Err(Refusal::new(Code::KeyInProgress, "the first call with this key is being answered").into()),
    }
}

/// Keeps the answer of a call that began `Fresh`, in the same transaction.
///
/// # Errors
/// The database's.
pub async fn answer(
    tx: &mut Tx,
    app: &App,
    (principal, key): (PartyId, &str),
    (status, body): (u16, &Value),
) -> std::result::Result<(), Fault> {
    sqlx::query!(
        "update inbox.idempotency set answered_at = $3, status = $4, answer = $5 where principal = $1
         and key = $2",
        principal.0,
        key,
        app.clock.now(),
        i16::try_from(status).unwrap_or(i16::MAX),
        body
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
