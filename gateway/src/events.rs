//! What happened, in words: one event and one audit row a transition.
//!
//! Invariant: written in the transaction that made the transition; bodies carry ids and amounts only.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::app::App;
use crate::db::Tx;
use crate::error::Fault;

/// Who did it, as the audit row names them.
#[derive(Debug, Clone, Copy)]
pub enum Actor {
    /// A person of ours.
    Party(amana_ledger::id::PartyId),
    /// The worker, carrying out what was decided before.
    Worker,
    /// A rail or the chain, by its word.
    Outside(&'static str),
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Party(party) => write!(f, "party/{party}"),
            Self::Worker => f.write_str("worker"),
            Self::Outside(name) => write!(f, "outside/{name}"),
        }
    }
}

/// Writes the event `name` about `subject` (`job/12`, `escrow/ESCROW_…`) and its audit row.
///
/// # Errors
/// The database's.
pub async fn emit(
    tx: &mut Tx,
    app: &App,
    actor: Actor,
    (subject, name): (&str, &str),
    body: Value,
) -> Result<(), Fault> {
    note(tx, app.clock.now(), actor, (subject, name), body).await
}

/// As [`emit`], for who is told the time.
///
/// # Errors
/// The database's.
pub async fn note(
    tx: &mut Tx,
    at: DateTime<Utc>,
    actor: Actor,
    (subject, name): (&str, &str),
    body: Value,
) -> Result<(), Fault> {
    sqlx::query!(
        "insert into event.event (subject, name, at, body) values ($1, $2, $3, $4)",
        subject,
        name,
        at,
        body
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "insert into event.audit (at, actor, action, subject, detail) values ($1, $2, $3, $4, $5)",
        at,
        actor.to_string(),
        name,
        subject,
        body
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Something that happened, as it stands.
#[derive(Debug, Clone)]
pub struct Happened {
    /// Its place.
    pub no: i64,
    /// To what.
    pub subject: String,
    /// What.
    pub name: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Ids and amounts.
    pub body: Value,
}

/// Up to `most` events before the one numbered `before`, newest first.
///
/// # Errors
/// The database's.
pub async fn page(tx: &mut Tx, before: i64, most: i64) -> Result<Vec<Happened>, Fault> {
    Ok(sqlx::query_as!(
        Happened,
        "select no, subject, name, at, body from event.event where no < $1 order by no desc limit $2",
        before,
        most
    )
    .fetch_all(&mut **tx)
    .await?)
}
