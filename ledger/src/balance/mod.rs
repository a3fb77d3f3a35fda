//! The read door: balances, statements, the trial balance, transfers; now, and as of any instant as known at
//! any other.
//!
//! Invariant: a balance is the account's newest chunk, never a sum made on the way.
//! Absent: rights. Who may ask is decided by the doors.

use sqlx::PgConnection;

use crate::chart::{Account, BookId, Kind, Side};
use crate::id::{ExternalRef, TransferId};
use crate::money::Asset;
use crate::store::{Fault, look, written};

mod past;
mod statement;

pub use crate::batch::{Balance, Totals};
pub use crate::store::look::Line;
pub use crate::store::written::Written;
pub use past::{Difference, Happened, Learned, MOST_LEARNED, Since, Standing};
pub use past::{as_of, by_metadata, difference, happened, journal, trial_as_of};
pub use statement::{Cursor, Statement, Wanted, page, statement};

/// What stands on an account now; zero for one that nothing ever touched.
///
/// # Errors
/// [`Fault`] when the database fails.
pub async fn balance(conn: &mut PgConnection, book: &BookId, account: &Account) -> Result<Balance, Fault> {
    let known = look::totals(conn, book, &[account]).await?;
    let totals = known.get(account).copied().unwrap_or_default();
    Ok(Balance { account: account.clone(), totals })
}

/// What stands on several accounts, read together: one moment, one statement. In the order asked.
///
/// # Errors
/// [`Fault`] when the database fails.
pub async fn balances(
    conn: &mut PgConnection,
    book: &BookId,
    accounts: &[Account],
) -> Result<Vec<Balance>, Fault> {
    let known = look::totals(conn, book, &accounts.iter().collect::<Vec<_>>()).await?;
    let balance = |account: &Account| {
        let totals = known.get(account).copied().unwrap_or_default();
        Balance { account: account.clone(), totals }
    };
    Ok(accounts.iter().map(balance).collect())
}

/// Every account of a kind that was ever touched, in order of path.
///
/// # Errors
/// [`Fault`] when the database fails.
pub async fn of_kind(conn: &mut PgConnection, book: &BookId, kind: Kind) -> Result<Vec<Balance>, Fault> {
    look::all(conn, book, Some(kind)).await
}

/// The external facts a book counted (a receipt of a rail), each with what was posted of it to accounts of a
/// kind on the debit side, minor units; in no order.
///
/// # Errors
/// [`Fault`] when the database fails.
pub async fn facts(
    conn: &mut PgConnection,
    book: &BookId,
    debited: Kind,
) -> Result<Vec<(ExternalRef, i64)>, Fault> {
    look::facts(conn, book, debited).await
}

/// Every account of a book, and the two sums that must agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialBalance {
    /// The book's asset.
    pub asset: Asset,
    /// Every account that was ever touched, in order of path.
    pub lines: Vec<Balance>,
    /// Sum of the balances that stand on the debit side, minor units.
    pub debits: i128,
    /// Sum of the balances that stand on the credit side, minor units.
    pub credits: i128,
}

/// The trial balance of a book, one moment, one statement.
///
/// # Errors
/// [`Fault`] when the database fails.
pub async fn trial_balance(conn: &mut PgConnection, book: &BookId) -> Result<TrialBalance, Fault> {
    let lines = look::all(conn, book, None).await?;
    // An account without a floor may stand on its other side; it is then counted there.
    let side = |side| lines.iter().map(|line| i128::from(line.totals.posted(side)).max(0)).sum();
    let (debits, credits) = (side(Side::Debit), side(Side::Credit));
    Ok(TrialBalance { asset: book.asset(), lines, debits, credits })
}

/// Transfers as they stand in the journal, in the order they landed; ids that are not there are left out.
///
/// # Errors
/// [`Fault`] when the database fails.
pub async fn transfers(
    conn: &mut PgConnection,
    book: &BookId,
    ids: &[TransferId],
) -> Result<Vec<Written>, Fault> {
    written::of_ids(conn, book, &ids.iter().map(|id| id.0).collect::<Vec<_>>()).await
}
