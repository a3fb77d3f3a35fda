//! The SQL of the flows: rows in, rows out.
//!
//! Invariant: names only the schemas `flow` and `chain`; a row that drives money is read under its lock.

use amana_ledger::id::{EscrowRef, TransferId};

use crate::app::App;
use crate::db::Tx;
use crate::error::Fault;

pub mod attempt;
pub mod chain;
pub mod collection;
pub mod entries;
pub mod escrow;
pub mod odd;
pub mod payout;
pub mod rail;
pub mod register;

/// One line of an escrow's trace.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// What happened.
    pub name: String,
    /// The ledger transfer, if one was posted.
    pub transfer: Option<TransferId>,
    /// The chain transaction, if one was made.
    pub tx_hash: Option<String>,
    /// The rail's receipt, if there is one.
    pub receipt: Option<String>,
    /// What else an auditor wants to know.
    pub detail: Option<String>,
}

impl Step {
    /// A step with a name and nothing else yet.
    pub fn named(name: &str) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}

/// Writes the next step of an escrow. The escrow's row must be locked, so numbers are gapless.
///
/// # Errors
/// The database's.
pub async fn step(tx: &mut Tx, app: &App, escrow: &EscrowRef, step: Step) -> Result<(), Fault> {
    sqlx::query!(
        "insert into flow.step (escrow, no, at, step, transfer, tx_hash, receipt, detail)
         select $1, coalesce(max(no), 0) + 1, $2, $3, $4, $5, $6, $7 from flow.step where escrow = $1",
        escrow.as_str(),
        app.clock.now(),
        step.name,
        step.transfer.map(|id| id.0),
        step.tx_hash,
        step.receipt,
        step.detail
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A step as it was written.
#[derive(Debug, Clone)]
pub struct StepRow {
    /// Its place.
    pub no: i32,
    /// When.
    pub at: chrono::DateTime<chrono::Utc>,
    /// What.
    pub step: Step,
}

/// The trace of an escrow.
///
/// # Errors
/// The database's.
pub async fn steps(tx: &mut Tx, escrow: &EscrowRef) -> Result<Vec<StepRow>, Fault> {
    let rows = sqlx::query!(
        "select no, at, step, transfer, tx_hash, receipt, detail from flow.step where escrow = $1
         order by no",
        escrow.as_str()
    )
    .fetch_all(&mut **tx)
    .await?;
    let rows = rows.into_iter().map(|row| StepRow {
        no: row.no,
        at: row.at,
        step: Step {
            name: row.step,
            transfer: row.transfer.map(TransferId),
            tx_hash: row.tx_hash,
            receipt: row.receipt,
            detail: row.detail,
        },
    });
    Ok(rows.collect())
}
