//! Rows of `flow.payout` and of the conversations about them.

use amana_ledger::chart::BookId;
use amana_ledger::id::{EscrowRef, PartyId};
use amana_ledger::money::{Amount, Money};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::app::App;
use crate::db::Tx;
use crate::error::Fault;
use crate::flows::payout::{Purpose, RAIL, Receipt, State, Terms};

struct Row {
    reference: String,
    book: String,
    escrow: String,
    beneficiary: Uuid,
    purpose: String,
    source: Option<Uuid>,
    claim: i64,
    amount: i64,
    state: serde_json::Value,
}

impl TryFrom<Row> for (Terms, State) {
    type Error = Fault;

    fn try_from(row: Row) -> Result<Self, Fault> {
        let stored = |what: &str| Fault::Stored(format!("{what} of payout {}", row.reference));
        let book: BookId = BookId::parse(&row.book).map_err(|_| stored("book"))?;
        let asset = book.asset();
        let money = |minor| {
            Ok::<_, Fault>(Money { asset, amount: Amount::new(minor).map_err(|_| stored("amount"))? })
        };
        let terms = Terms {
            escrow: EscrowRef::parse(&row.escrow).map_err(|_| stored("escrow"))?,
            beneficiary: PartyId(row.beneficiary),
            purpose: match row.purpose.as_str() {
                "refund" => Purpose::Refund { source: row.source },
                _ => Purpose::Wage,
            },
            claim: money(row.claim)?,
            amount: money(row.amount)?,
            reference: row.reference.clone(),
            book: book.clone(),
        };
        Ok((terms, serde_json::from_value(row.state)?))
    }
}

/// Writes a new payout. `false` if this escrow paid this person their wage before, or what surrendered the
/// money was used.
///
/// # Errors
/// The database's.
pub async fn insert(tx: &mut Tx, app: &App, terms: &Terms, surrender: &str) -> Result<bool, Fault> {
    let state = State::Due { short: None };
    let now = app.clock.now();
    let (purpose, source) = match terms.purpose {
        Purpose::Wage => ("wage", None),
        Purpose::Refund { source } => ("refund", source),
    };
    let done = sqlx::query!(
        "insert into flow.payout (id, reference, book, escrow, beneficiary, surrender, claim, amount, rail,
             state, status, created_at, updated_at, purpose, source)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, $13, $14) on conflict do nothing",
        amana_ledger::id::uuid_v7(&*app.clock, &*app.rng),
        terms.reference,
        terms.book.as_str(),
        terms.escrow.as_str(),
        terms.beneficiary.0,
        surrender,
        terms.claim.minor(),
        terms.amount.minor(),
        RAIL,
        serde_json::to_value(&state)?,
        state.word(),
        now,
        purpose,
        source
    )
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Reads and locks.
///
/// # Errors
/// The database's.
pub async fn lock(tx: &mut Tx, reference: &str) -> Result<Option<(Terms, State)>, Fault> {
    // The escrow first, as everything else that touches both: one lock order, no deadlock.
    sqlx::query!(
        "select 1 as one from flow.escrow where reference = (select escrow from flow.payout
         where reference = $1) for update",
        reference
    )
    .fetch_optional(&mut **tx)
    .await?;
    let row = sqlx::query_as!(
        Row,
        "select reference, book, escrow, beneficiary, purpose, source, claim, amount, state from flow.payout
         where reference = $1 for update",
        reference
    )
    .fetch_optional(&mut **tx)
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// The payouts of an escrow.
///
/// # Errors
/// The database's.
pub async fn of_escrow(tx: &mut Tx, escrow: &str) -> Result<Vec<(Terms, State)>, Fault> {
    let rows = sqlx::query_as!(
        Row,
        "select reference, book, escrow, beneficiary, purpose, source, claim, amount, state from flow.payout
         where escrow = $1 order by created_at, reference",
        escrow
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The last payouts to a person.
///
/// # Errors
/// The database's.
pub async fn of_person(tx: &mut Tx, person: PartyId, most: i64) -> Result<Vec<(Terms, State)>, Fault> {
    let rows = sqlx::query_as!(
        Row,
        "select reference, book, escrow, beneficiary, purpose, source, claim, amount, state from flow.payout
         where beneficiary = $1
         order by created_at desc limit $2",
        person.0,
        most
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The payout of an escrow whose tokens a burn took out of the vault.
///
/// # Errors
/// The database's.
pub async fn awaiting_burn(tx: &mut Tx, escrow: &EscrowRef, minor: i64) -> Result<Option<String>, Fault> {
    Ok(sqlx::query_scalar!(
        "select reference from flow.payout
         where escrow = $1 and amount = $2 and state ->> 'is' = 'paid' and purpose = 'wage'",
        escrow.as_str(),
        minor
    )
    .fetch_optional(&mut **tx)
    .await?)
}

/// Writes the state back.
///
/// # Errors
/// The database's.
pub async fn save(tx: &mut Tx, terms: &Terms, state: &State, now: DateTime<Utc>) -> Result<(), Fault> {
    sqlx::query!(
        "update flow.payout set state = $2, status = $3, updated_at = $4 where reference = $1",
        terms.reference,
        serde_json::to_value(state)?,
        state.word(),
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Notes the rail's receipt and charge.
///
/// # Errors
/// The database's.
pub async fn paid(tx: &mut Tx, reference: &str, paid: &Receipt) -> Result<(), Fault> {
    sqlx::query!(
        "update flow.payout set provider_id = $2, fee = $3 where reference = $1",
        reference,
        paid.id,
        paid.fee
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// How often money was set aside for it.
///
/// # Errors
/// The database's.
pub async fn holds(tx: &mut Tx, reference: &str) -> Result<i32, Fault> {
    Ok(sqlx::query_scalar!("select holds from flow.payout where reference = $1", reference)
        .fetch_one(&mut **tx)
        .await?)
}

/// Counts one more.
///
/// # Errors
/// The database's.
pub async fn count_hold(tx: &mut Tx, reference: &str) -> Result<(), Fault> {
    sqlx::query!("update flow.payout set holds = holds + 1 where reference = $1", reference)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// What was said to or by the rail about a payout.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// `send`, `ask` or `news`.
    pub kind: String,
    /// When.
    pub at: DateTime<Utc>,
    /// The outcome in one word.
    pub answer: String,
    /// And in more.
    pub detail: Option<String>,
}

/// Writes one exchange with the rail. The payout's row must be locked.
///
/// # Errors
/// The database's.
pub async fn note(tx: &mut Tx, reference: &str, attempt: Attempt) -> Result<(), Fault> {
    sqlx::query!(
        "insert into flow.payout_attempt (payout, no, kind, at, answer, detail)
         select p.id, 1 + coalesce((select max(no) from flow.payout_attempt a where a.payout = p.id), 0),
             $2, $3, $4, $5
         from flow.payout p where p.reference = $1",
        reference,
        attempt.kind,
        attempt.at,
        attempt.answer,
        attempt.detail
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The exchanges about a payout, in order.
///
/// # Errors
/// The database's.
pub async fn attempts(tx: &mut Tx, reference: &str) -> Result<Vec<Attempt>, Fault> {
    Ok(sqlx::query_as!(
        Attempt,
        "select a.kind, a.at, a.answer, a.detail from flow.payout_attempt a
         join flow.payout p on p.id = a.payout where p.reference = $1 order by a.no",
        reference
    )
    .fetch_all(&mut **tx)
    .await?)
}

/// A payout that does not go on by itself, or not as it should.
#[derive(Debug, Clone)]
pub struct Troubled {
    /// The payout.
    pub id: Uuid,
    /// Ours, the same on every attempt.
    pub reference: String,
    /// The product's word for where it stands.
    pub status: String,
    /// Since when it stands there.
    pub updated_at: DateTime<Utc>,
    /// What the rail or the ledger said.
    pub reason: Option<String>,
}

/// The payouts that failed, are unknown, wait for float or cannot be sent, newest first, since before
/// `before`.
///
/// # Errors
/// The database's.
pub async fn troubled(tx: &mut Tx, before: DateTime<Utc>, most: i64) -> Result<Vec<Troubled>, Fault> {
    Ok(sqlx::query_as!(
        Troubled,
        "select id, reference, status, updated_at, coalesce(state ->> 'reason', state ->> 'short') as reason
         from flow.payout
         where (status in ('failed', 'unknown') or state ->> 'short' is not null
                or (state ->> 'waits')::int >= 5) and updated_at < $1
         order by updated_at desc limit $2",
        before,
        most
    )
    .fetch_all(&mut **tx)
    .await?)
}
