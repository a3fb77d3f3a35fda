//! The write door: a batch of transfers, on the caller's transaction.
//!
//! | round trip | when | what |
//! | --- | --- | --- |
//! | 1 | always | wait for the book (transaction-scoped advisory lock) |
//! | 2 | always | read where its journal ends |
//! | 3 | always | read which keys and ids were heard before |
//! | 4-6 | if any is named | read holds, originals of reversals, external facts |
//! | 7 | always | read the accounts and their newest totals |
//! | 8 | if anything lands | write batch, accounts, transfers, postings, chunks |
//! | 9-12 | if there are any | write holds, reversals, external facts, restated postings |
//! | 13 | if there are any | read the first answers of what is repeated |
//!
//! None depends on how many transfers the batch has.
//!
//! Invariant: what is answered as `New` is written by this transaction, with balances above their floors;
//! what is refused left no trace. The database checks all of it again when the caller commits. Absent:
//! retries, and commit. The caller commits next, with rows of its own: no network call in between, and
//! several books in ascending order.

use std::collections::HashMap;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::batch::{Batch, Known, Map, Original, Outcome, Row, Set, seal};
pub use crate::batch::{Posted, Receipt};
use crate::chart::{Account, BookId};
use crate::hold::Hold;
use crate::id::{Clock, TransferId};
use crate::store::{Fault, read, write};
use crate::transfer::{HoldAct, Rejection, Transfer};

/// Opens a book, if it is not open. Its name says its asset.
///
/// # Errors
/// [`Fault`] when the database fails.
pub async fn open(conn: &mut PgConnection, clock: &dyn Clock, book: &BookId) -> Result<(), Fault> {
    write::book(conn, book, clock.now()).await
}

/// Posts a batch, in order, on the caller's transaction. Answers for each transfer in its place: in the
/// journal (new, or replayed with the first answer), or refused. Refused ones leave no trace and do not
/// stop the others; a refusal is not remembered, so the same key may be tried again.
///
/// # Errors
/// [`Fault`] when the database fails or refuses the batch as a whole; the transaction is lost then, and
/// nothing of it was written.
pub async fn post(
    tx: &mut PgConnection,
    clock: &dyn Clock,
    book: &BookId,
    batch: &[Transfer],
) -> Result<Vec<Result<Posted, Rejection>>, Fault> {
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    // There is no table yet for metadata, and what cannot be kept is not taken.
    if batch.iter().any(|transfer| !transfer.metadata.pairs().is_empty()) {
        return Err(Fault::Unreadable("metadata cannot be kept yet"));
    }
    read::lock(tx, book).await?;
    let Some(head) = read::head(tx, book).await? else {
        return Ok(batch.iter().map(|_| Err(Rejection::UnknownBook { book: book.clone() })).collect());
    };
    let known = know(tx, book, batch).await?;
    let mut executed = Batch::new(book, head, known, clock.now());
    let outcomes: Vec<Outcome> = batch.iter().map(|transfer| executed.execute(transfer)).collect();
    if !executed.rows.is_empty() {
        let root = seal(&executed);
        write::batch(tx, &executed, &root).await?;
    }
    let before = |outcome: &Outcome| match outcome {
        Outcome::Before(id) => Some(id.0),
        _ => None,
    };
    let before: Vec<Uuid> = outcomes.iter().filter_map(before).collect();
    let before = if before.is_empty() { HashMap::new() } else { read::receipts(tx, book, &before).await? };
    let answer = |outcome| match outcome {
        Outcome::New(row) => Ok(Ok(Posted::New(receipt(&executed, &executed.rows[row])))),
        Outcome::Within(row) => Ok(Ok(Posted::Replayed(receipt(&executed, &executed.rows[row])))),
        Outcome::Refused(rejection) => Ok(Err(rejection)),
        Outcome::Before(id) => match before.get(&id) {
            Some(receipt) => Ok(Ok(Posted::Replayed(receipt.clone()))),
            None => Err(Fault::Unreadable("a transfer has no postings")),
        },
    };
    outcomes.into_iter().map(answer).collect()
}

/// Posts one transfer: [`post`] with N = 1.
///
/// # Errors
/// As [`post`]: the inner error is a refusal, the outer one a fault.
pub async fn post_one(
    tx: &mut PgConnection,
    clock: &dyn Clock,
    transfer: &Transfer,
) -> Result<Result<Posted, Rejection>, Fault> {
    let answers = post(tx, clock, transfer.book(), std::slice::from_ref(transfer)).await?;
    answers.into_iter().next().ok_or(Fault::Unreadable("a batch of one has no answer"))
}

fn receipt(batch: &Batch, row: &Row) -> Receipt {
    let last = row.first_posting + row.legs as i64 - 1;
    Receipt {
        transfer: row.id,
        batch: batch.no(),
        numbers: row.first_posting..=last,
        recorded_at: batch.recorded_at,
        effective_at: row.effective_at,
        balances: batch.balances(row),
    }
}

/// Reads all that the batch refers to.
async fn know(tx: &mut PgConnection, book: &BookId, batch: &[Transfer]) -> Result<Known, Fault> {
    let keys: Vec<String> = batch.iter().map(|transfer| transfer.key().as_str().to_owned()).collect();
    let ids: Vec<Uuid> = batch.iter().map(|transfer| transfer.id.0).collect();
    let landed = read::landed(tx, book, &keys, &ids).await?;

    let held: Vec<Uuid> = batch.iter().filter_map(hold_of).collect();
    let holds = if held.is_empty() { Map::default() } else { read::holds(tx, book, &held).await? };
    let to_reverse: Set<TransferId> = batch.iter().filter_map(|transfer| transfer.reverses).collect();
    let reversed: Vec<Uuid> = to_reverse.iter().map(|of| of.0).collect();
    let originals =
        if reversed.is_empty() { Map::default() } else { read::originals(tx, book, &reversed).await? };
    let facts: Vec<_> = batch.iter().filter_map(|transfer| transfer.external.as_ref()).collect();
    let externals = if facts.is_empty() { HashMap::new() } else { read::externals(tx, book, &facts).await? };

    let touched = touched(batch, &holds, &originals);
    let accounts = read::accounts(tx, book, &touched).await?;
    let ids = landed.iter().map(|(_, landed)| (landed.id, *landed)).collect();
    let keys = landed.into_iter().filter(|(_, landed)| landed.keyed).collect();
    Ok(Known { accounts, keys, ids, externals, holds, originals, to_reverse })
}

fn hold_of(transfer: &Transfer) -> Option<Uuid> {
    match transfer.hold {
        Some(HoldAct::Settle { hold, .. } | HoldAct::Void { hold } | HoldAct::Expire { hold }) => {
            Some(hold.0)
        }
        Some(HoldAct::Open { .. }) | None => None,
    }
}

fn touched<'a>(
    batch: &'a [Transfer],
    holds: &'a Map<TransferId, Hold>,
    originals: &'a Map<TransferId, Original>,
) -> Vec<&'a Account> {
    let opened = batch.iter().filter_map(|transfer| match &transfer.hold {
        Some(HoldAct::Open { posting, .. }) => Some(posting),
        _ => None,
    });
    let posted = batch.iter().flat_map(|transfer| &transfer.postings);
    let turned = originals.values().flat_map(|original| &original.posted);
    let postings = posted.chain(opened).chain(turned).flat_map(|posting| [&posting.debit, &posting.credit]);
    let held = holds.values().flat_map(|hold| [&hold.debit, &hold.credit]);
    let accounts: Set<&Account> = postings.chain(held).collect();
    accounts.into_iter().collect()
}
