//! The write door: a batch of transfers, on the caller's transaction.
//!
//! | round trip | when | what |
//! | --- | --- | --- |
//! | 1 | always | wait for the book (transaction-scoped advisory lock) |
//! | 2 | always | read where its journal ends |
//! | 3 | if any is keyed or old | read which keys and ids were heard before |
//! | 4-6 | if any is named | read holds, originals of reversals, external facts |
//! | 7 | always | read the accounts and their newest totals, limits if they have any |
//! | 8 | if anything lands | write batch, accounts, postings, chunks; many of them by `COPY` |
//! | 9-14 | if there are any | write holds, reversals, external facts, links, metadata, restated postings |
//! | 15 | if there are any | read the first answers of what is repeated |
//!
//! None depends on how many transfers the batch has.
//!
//! Invariant: what is answered as `New` is written by this transaction, with balances above their floors;
//! what is refused left no trace. The database checks all of it again when the caller commits. Absent:
//! retries, and commit. The caller commits next, with rows of its own: no network call in between, and
//! several books in ascending order. For traffic without rows of its own there is [`crate::poster`].

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::batch::{Batch, Known, Outcome, seal};
pub use crate::batch::{Posted, Receipt};
use crate::chart::{Account, BookId};
use crate::id::{Clock, TransferId};
use crate::limit::Limit;
use crate::rules::{self, Intent};
use crate::store::write::Draft;
use crate::store::{Fault, know, past, read, write};
use crate::transfer::{Rejection, Transfer};

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
    let each = |executed: &mut Batch| batch.iter().map(|transfer| executed.execute(transfer)).collect();
    posted(tx, clock, book, (batch, each)).await
}

/// Posts a group of linked transfers: all of them land, in order, or none does. The culprit is answered with
/// its own reason, the others with [`Rejection::Linked`].
///
/// # Errors
/// As [`post`].
pub async fn post_linked(
    tx: &mut PgConnection,
    clock: &dyn Clock,
    book: &BookId,
    group: &[Transfer],
) -> Result<Vec<Result<Posted, Rejection>>, Fault> {
    posted(tx, clock, book, (group, |executed: &mut Batch| executed.execute_linked(group))).await
}

/// Frees all that a set of linked transfers holds, named by the id of the first: a linked group of voids, one
/// for each of its holds that is open. Empty if none is. `intent` names the void of a hold.
///
/// # Errors
/// As [`post`].
pub async fn void_linked(
    tx: &mut PgConnection,
    clock: &dyn Clock,
    book: &BookId,
    first: TransferId,
    mut intent: impl FnMut(TransferId) -> Intent,
) -> Result<Vec<Result<Posted, Rejection>>, Fault> {
    read::lock(tx, book).await?;
    let open = past::open_of(tx, book, first).await?;
    let voids = rules::payouts_failed(open.into_iter().map(|hold| (intent(hold), hold)).collect());
    post_linked(tx, clock, book, &voids).await
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

/// Puts an account under a limit, in place of the one it had; [`Limit::default`] takes it back. `false` if it
/// stands under it already. The limit is an entry of the journal, in a batch of its own.
///
/// # Errors
/// As [`post_one`].
pub async fn limit(
    tx: &mut PgConnection,
    clock: &dyn Clock,
    book: &BookId,
    account: &Account,
    limit: &Limit,
) -> Result<Result<bool, Rejection>, Fault> {
    let Some(mut batch) = begin(tx, clock, book, &[], &[account]).await? else {
        return Ok(Err(Rejection::UnknownBook { book: book.clone() }));
    };
    let limited = batch.limit(account, limit);
    end(tx, &batch).await?;
    Ok(limited)
}

/// Closes a period: what happened before the instant is refused from now on, for ever. `false` if it is
/// closed up to there already. The close is an entry of the journal, in a batch of its own.
///
/// # Errors
/// As [`post_one`].
pub async fn close(
    tx: &mut PgConnection,
    clock: &dyn Clock,
    book: &BookId,
    closed_before: DateTime<Utc>,
) -> Result<Result<bool, Rejection>, Fault> {
    let Some(mut batch) = begin(tx, clock, book, &[], &[]).await? else {
        return Ok(Err(Rejection::UnknownBook { book: book.clone() }));
    };
    let closed = batch.close(closed_before);
    end(tx, &batch).await?;
    Ok(closed)
}

async fn posted(
    tx: &mut PgConnection,
    clock: &dyn Clock,
    book: &BookId,
    (transfers, execute): (&[Transfer], impl FnOnce(&mut Batch) -> Vec<Outcome>),
) -> Result<Vec<Result<Posted, Rejection>>, Fault> {
    if transfers.is_empty() {
        return Ok(Vec::new());
    }
    let all: Vec<&Transfer> = transfers.iter().collect();
    let Some(mut batch) = begin(tx, clock, book, &all, &[]).await? else {
        return Ok(transfers.iter().map(|_| Err(Rejection::UnknownBook { book: book.clone() })).collect());
    };
    let outcomes = execute(&mut batch);
    end(tx, &batch).await?;
    let before = |outcome: &Outcome| match outcome {
        Outcome::Before(id) => Some(id.0),
        _ => None,
    };
    let before: Vec<Uuid> = outcomes.iter().filter_map(before).collect();
    let before =
        if before.is_empty() { HashMap::new() } else { read::receipts(tx, batch.head.book, &before).await? };
    let answer = |outcome| match outcome {
        Outcome::New(row) => Ok(Ok(Posted::New(batch.receipt(row)))),
        Outcome::Within(row) => Ok(Ok(Posted::Replayed(batch.receipt(row)))),
        Outcome::Refused(rejection) => Ok(Err(rejection)),
        Outcome::Before(id) => match before.get(&id) {
            Some(receipt) => Ok(Ok(Posted::Replayed(receipt.clone()))),
            None => Err(Fault::Unreadable("a transfer has no postings")),
        },
    };
    outcomes.into_iter().map(answer).collect()
}

/// A batch on top of the journal as it stands, under the book's lock; `None` if the book is not open.
async fn begin(
    tx: &mut PgConnection,
    clock: &dyn Clock,
    book: &BookId,
    transfers: &[&Transfer],
    accounts: &[&Account],
) -> Result<Option<Batch>, Fault> {
    read::lock(tx, book).await?;
    let Some(head) = read::head(tx, book).await? else { return Ok(None) };
    let (at, mut known) = (Batch::time(&head, clock.now()), Known::default());
    let horizon = head.newest;
    know::know(tx, book, (&head, horizon), &mut known, (transfers, at)).await?;
    if !accounts.is_empty() {
        known.accounts.extend(read::accounts(tx, &head, accounts, at).await?);
    }
    Ok(Some(Batch::new(book, head, known, at)))
}

async fn end(tx: &mut PgConnection, batch: &Batch) -> Result<(), Fault> {
    if batch.is_empty() {
        return Ok(());
    }
    Draft::of(batch, seal(batch))?.write(tx).await
}
