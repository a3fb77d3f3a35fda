//! Rows of `flow.escrow`.

use amana_ledger::chart::BookId;
use amana_ledger::id::{EscrowRef, PartyId};
use amana_ledger::money::{Amount, Money};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::db::Tx;
use crate::error::Fault;
use crate::flows::escrow::{Decision, State, Terms};
use crate::privacy::Sealed;

struct Row {
    reference: String,
    book: String,
    job: Option<i64>,
    employer: Uuid,
    amount: i64,
    fee: i64,
    state: serde_json::Value,
}

impl TryFrom<Row> for (Terms, State) {
    type Error = Fault;

    fn try_from(row: Row) -> Result<Self, Fault> {
        let stored = |what: &str| Fault::Stored(format!("{what} of escrow {}", row.reference));
        let book: BookId = BookId::parse(&row.book).map_err(|_| stored("book"))?;
        let amount =
            Money { asset: book.asset(), amount: Amount::new(row.amount).map_err(|_| stored("amount"))? };
        let reference = EscrowRef::parse(&row.reference).map_err(|_| stored("reference"))?;
        let employer = PartyId(row.employer);
        let terms = Terms { reference, book, job: row.job, employer, amount, fee: row.fee };
        Ok((terms, serde_json::from_value(row.state)?))
    }
}

/// Writes a new escrow. `false` if the job has one already.
///
/// # Errors
/// The database's.
pub async fn insert(tx: &mut Tx, terms: &Terms, state: &State, now: DateTime<Utc>) -> Result<bool, Fault> {
    let done = sqlx::query!(
        "insert into flow.escrow (reference, key, book, job, employer, amount, fee, state, status, created_at,
         updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10) on conflict do nothing",
        terms.reference.as_str(),
        &terms.reference.key()[..],
        terms.book.as_str(),
        terms.job,
        terms.employer.0,
        terms.amount.minor(),
        terms.fee,
        serde_json::to_value(state)?,
        state.status().word(),
        now
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
    let row = sqlx::query_as!(
        Row,
        "select reference, book, job, employer, amount, fee, state from flow.escrow where reference = $1
         for update",
        reference
    )
    .fetch_optional(&mut **tx)
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// Reads without a lock.
///
/// # Errors
/// The database's.
pub async fn read(tx: &mut Tx, reference: &str) -> Result<Option<(Terms, State)>, Fault> {
    let row = sqlx::query_as!(
        Row,
        "select reference, book, job, employer, amount, fee, state from flow.escrow where reference = $1",
        reference
    )
    .fetch_optional(&mut **tx)
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// The reference of the escrow with this name on chain.
///
/// # Errors
/// The database's.
pub async fn by_key(tx: &mut Tx, key: &[u8; 32]) -> Result<Option<EscrowRef>, Fault> {
    let row = sqlx::query_scalar!("select reference from flow.escrow where key = $1", &key[..])
        .fetch_optional(&mut **tx)
        .await?;
    Ok(row.and_then(|reference| EscrowRef::parse(&reference).ok()))
}

/// The escrows whose money is an employer's until it is released.
///
/// # Errors
/// The database's.
pub async fn of_employer(tx: &mut Tx, employer: PartyId) -> Result<Vec<EscrowRef>, Fault> {
    let rows = sqlx::query_scalar!("select reference from flow.escrow where employer = $1", employer.0)
        .fetch_all(&mut **tx)
        .await?;
    Ok(rows.iter().filter_map(|reference| EscrowRef::parse(reference).ok()).collect())
}

/// The escrows of several jobs.
///
/// # Errors
/// The database's.
pub async fn of_jobs(tx: &mut Tx, jobs: &[i64]) -> Result<Vec<(Terms, State)>, Fault> {
    let rows = sqlx::query_as!(
        Row,
        "select reference, book, job, employer, amount, fee, state from flow.escrow where job = any($1)",
        jobs
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Writes down a decision with its reason, sealed. The escrow's row must be locked.
///
/// # Errors
/// The database's.
pub async fn decided(
    tx: &mut Tx,
    escrow: &EscrowRef,
    decision: &Decision,
    (reason, at): (Sealed, DateTime<Utc>),
) -> Result<(), Fault> {
    sqlx::query!(
        "insert into flow.decision (escrow, no, decided_by, at, to_payee, to_payer, reason)
         select $1, coalesce(max(no), 0) + 1, $2, $3, $4, $5, $6 from flow.decision where escrow = $1",
        escrow.as_str(),
        decision.by.0,
        at,
        decision.split.to_payee,
        decision.split.to_payer,
        reason as Sealed
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A decision as it was written down.
#[derive(Debug, Clone)]
pub struct Decided {
    /// When.
    pub at: DateTime<Utc>,
    /// The employee's part, minor units.
    pub to_payee: i64,
    /// The employer's part, minor units.
    pub to_payer: i64,
    /// Why.
    pub reason: Sealed,
}

/// What was decided about an escrow, in order.
///
/// # Errors
/// The database's.
pub async fn decisions(tx: &mut Tx, escrow: &str) -> Result<Vec<Decided>, Fault> {
    Ok(sqlx::query_as!(
        Decided,
        r#"select at, to_payee, to_payer, reason as "reason: Sealed" from flow.decision
           where escrow = $1 order by no"#,
        escrow
    )
    .fetch_all(&mut **tx)
    .await?)
}

/// Writes the state back.
///
/// # Errors
/// The database's.
pub async fn save(tx: &mut Tx, terms: &Terms, state: &State, now: DateTime<Utc>) -> Result<(), Fault> {
    sqlx::query!(
        "update flow.escrow set state = $2, status = $3, employee = $4, updated_at = $5 where reference = $1",
        terms.reference.as_str(),
        serde_json::to_value(state)?,
        state.status().word(),
        state.employee().map(|person| person.0),
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
