//! Are the books sound? The same function after each test and each night.
//!
//! Invariant: it only reads, and trusts nothing that it can recompute: totals from postings, pending from
//! holds, roots from bytes; `rebuild` does the same account by account, batch by batch.
//! Absent: repair. What is found wrong is a break for people.

pub mod rebuild;

use std::fmt;

use sqlx::PgConnection;

use crate::seal;
use crate::store::{Fault, sound};

/// One question about the books, and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What must hold, as a word.
    pub name: &'static str,
    /// Whether it does.
    pub ok: bool,
    /// How much was looked at, or the first culprit.
    pub detail: String,
}

/// What the audit found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Every check, in order.
    pub checks: Vec<Check>,
}

impl Report {
    /// Whether every check holds.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.checks.iter().all(|check| check.ok)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for check in &self.checks {
            let word = if check.ok { "ok" } else { "BROKEN" };
            writeln!(f, "{word:<7} {:<24} {}", check.name, check.detail)?;
        }
        Ok(())
    }
}

/// Audits every book of the database. Each check is one statement and so sees one moment; posting may go on.
///
/// # Errors
/// [`Fault`] when the database fails. A broken book is not a fault but a check that is not `ok`.
pub async fn audit(conn: &mut PgConnection) -> Result<Report, Fault> {
    let asked = sound::questions(conn).await?;
    let mut checks: Vec<Check> = asked.into_iter().map(|(name, found)| check(name, found)).collect();
    checks.push(check("accounts_in_chart", sound::accounts_in_chart(conn).await?));
    checks.push(check("roots_chain", sound::roots_chain(conn).await?));
    checks.push(check("checkpoints_stand", seal::sound::checkpoints_stand(conn).await?));
    Ok(Report { checks })
}

fn check(name: &'static str, found: sound::Found) -> Check {
    let detail = match &found.culprit {
        Some(culprit) => culprit.clone(),
        None => format!("{} looked at", found.seen),
    };
    Check { name, ok: found.culprit.is_none(), detail }
}
