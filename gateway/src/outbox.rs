//! Say at least once: what must leave the house is written in the transaction that decided it, and said by a
//! worker.
//!
//! Invariant: a message is leased in a transaction of its own before it is said, so a crash in between is
//! seen: a text message is then said again, a payout instruction is not, it is asked about.
//! Absent: saying it (`worker/say.rs`); wishes for the chain, which have their own rows (`flows/chain.rs`).

use amana_adapters::port::Msisdn;
use amana_ledger::id::{PartyId, uuid_v7};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::app::App;
use crate::db::Tx;
use crate::error::Fault;
use crate::people;
use crate::privacy::Sealed;

/// How long a message is ours to say before another worker may take it up, seconds. Longer than any deadline
/// of `http`.
const LEASE_S: i64 = 90;

#[derive(Serialize, Deserialize)]
struct Text {
    to: String,
    text: String,
}

/// Queues something to be said about `subject` after `delay_s`.
///
/// # Errors
/// The database's.
pub async fn queue(
    tx: &mut Tx,
    app: &App,
    (kind, subject): (&str, &str),
    body: Option<Sealed>,
    delay_s: u32,
) -> std::result::Result<(), Fault> {
    let now = app.clock.now();
    sqlx::query!(
        "insert into outbox.message (id, kind, subject, body, created_at, due_at) values ($1, $2, $3, $4,
         $5, $6)",
        uuid_v7(&*app.clock, &*app.rng),
        kind,
        subject,
        body as Option<Sealed>,
        now,
        now + TimeDelta::seconds(i64::from(delay_s))
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Queues a text message to a number.
///
/// # Errors
/// The database's.
pub async fn sms(tx: &mut Tx, app: &App, to: &Msisdn, text: &str) -> std::result::Result<(), Fault> {
    let body = serde_json::to_vec(&Text { to: to.e164().to_string(), text: text.to_string() })?;
    let party = people::by_phone(tx, app, to).await?;
    let sealed = app.privacy.seal_new(tx, party, &body).await?;
    queue(tx, app, ("sms", "someone"), Some(sealed), 0).await
}

/// Queues a text message to one of ours. Somebody without a number gets none.
///
/// # Errors
/// The database's.
pub async fn sms_to_party(
    tx: &mut Tx,
    app: &App,
    party: PartyId,
    text: &str,
) -> std::result::Result<(), Fault> {
    let Some(to) = people::phone(tx, app, party).await? else { return Ok(()) };
    let body = serde_json::to_vec(&Text { to: to.e164().to_string(), text: text.to_string() })?;
    let sealed = app.privacy.seal_for(tx, party, &body).await?;
    queue(tx, app, ("sms", &format!("party/{party}")), Some(sealed), 0).await
}

/// A message that is ours to say for a while.
#[derive(Debug)]
pub struct Message {
    /// Ours; also what a text message carries as its own reference.
    pub id: Uuid,
    /// What kind: `sms`, `payout_send`, `payout_ask`, `payout_start`, `status_ask`, `prompt_send`.
    pub kind: String,
    /// About what.
    pub subject: String,
    /// The text and number of a text message.
    pub body: Option<Sealed>,
    /// How often it was leased, this time included.
    pub attempts: i32,
}

impl Message {
    /// The number and the text of a text message.
    ///
    /// # Errors
    /// The body is missing, its key destroyed, or it is not what we once wrote.
    pub async fn text(&self, tx: &mut Tx, app: &App) -> std::result::Result<(Msisdn, String), Fault> {
        let sealed =
            self.body.as_ref().ok_or_else(|| Fault::Stored("a text message without a body".into()))?;
        let Text { to, text } = serde_json::from_slice(&app.privacy.open(tx, sealed).await?)?;
        let to = Msisdn::parse(&to).map_err(|_| Fault::Stored("the number of a text message".into()))?;
        Ok((to, text))
    }
}

/// Leases the next message that is due, in a transaction of its own.
///
/// # Errors
/// The database's.
pub async fn lease(app: &App) -> std::result::Result<Option<Message>, Fault> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let message = sqlx::query_as!(
        Message,
        r#"update outbox.message set lease_until = $2, attempts = attempts + 1 where id = (
               select id from outbox.message
               where done_at is null and due_at <= $1 and (lease_until is null or lease_until <= $1)
               order by due_at, id limit 1 for update skip locked)
           returning id, kind, subject, body as "body: Sealed", attempts"#,
        now,
        now + TimeDelta::seconds(LEASE_S)
    )
    .fetch_optional(&mut *tx)
    .await?;
    if message.is_some() {
        tx.commit().await?;
    }
    Ok(message)
}

/// Says how a message ended.
///
/// # Errors
/// The database's.
pub async fn done(
    tx: &mut Tx,
    app: &App,
    id: Uuid,
    (outcome, reason): (&str, Option<&str>),
) -> std::result::Result<(), Fault> {
    sqlx::query!(
        "update outbox.message set done_at = $2, outcome = $3, reason = $4, lease_until = null where id = $1",
        id,
        app.clock.now(),
        outcome,
        reason
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Puts a message back.
///
/// # Errors
/// The database's.
pub async fn later(app: &App, id: Uuid, delay_s: i64, reason: &str) -> std::result::Result<(), Fault> {
    let mut tx = app.db.begin().await?;
    sqlx::query!(
        "update outbox.message set lease_until = null, due_at = $2, reason = $3 where id = $1",
        id,
        app.clock.now() + TimeDelta::seconds(delay_s),
        reason
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}

/// A message that was given up or refused.
#[derive(Debug, Clone)]
pub struct Dead {
    /// The message.
    pub id: Uuid,
    /// What it was to say.
    pub kind: String,
    /// About what.
    pub subject: String,
    /// When it was given up.
    pub done_at: DateTime<Utc>,
    /// Why.
    pub reason: Option<String>,
}

/// The messages that never got through, newest first, given up before `before`.
///
/// # Errors
/// The database's.
pub async fn dead(tx: &mut Tx, before: DateTime<Utc>, most: i64) -> std::result::Result<Vec<Dead>, Fault> {
    Ok(sqlx::query_as!(
        Dead,
        r#"select id, kind, subject, done_at as "done_at!", reason from outbox.message
           where outcome in ('dead', 'refused') and done_at < $1 order by done_at desc limit $2"#,
        before,
        most
    )
    .fetch_all(&mut **tx)
    .await?)
}
