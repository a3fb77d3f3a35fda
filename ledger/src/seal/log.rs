//! The log of a book as it is kept: checkpoints that go on from the last one, and proofs about them.
//!
//! A checkpoint reads only the batches since the last. The roots of perfect trees of 256, 65,536, … batches
//! are kept on the way, so that a proof reads at most 255 hashes for each of its some forty trees, however
//! long the log is.
//!
//! Invariant: a proof is about a checkpoint that was written down, never about a root made up for it.

use std::ops::Range;

use sqlx::PgConnection;

use super::lines;
use super::note::{Checkpoint, Signer};
use super::proof::{consistency, inclusion, joined, perfect};
use super::tree::{Edge, Hash, root};
use crate::chart::BookId;
use crate::id::{Clock, TransferId};
use crate::store::seal::{self as store, Kept};
use crate::store::{Fault, written};
use crate::transfer::Words;
use crate::verify::inclusion::{Grown, Included};
use crate::verify::line::{Anchor, Hex};

/// How many batches are read at once.
pub(super) const PAGE: u64 = 10_000;
/// Each kept tree is one of so many below it (2⁸).
pub(super) const STEP: u32 = 8;

/// Writes a checkpoint of all batches so far, if there are any since the last one. The caller commits.
///
/// # Errors
/// [`Fault`] when the database fails.
pub async fn checkpoint(
    tx: &mut PgConnection,
    clock: &dyn Clock,
    signer: &Signer,
) -> Result<Option<Checkpoint>, Fault> {
    store::lock(tx, signer.book()).await?;
    let Some(length) = store::length(tx, signer.book()).await? else { return Ok(None) };
    let before = store::newest(tx, length.book, length.size).await?;
    let mut edge = before.map_or_else(Edge::new, |kept| kept.edge);
    let from = edge.size();
    if from == length.size {
        return Ok(None);
    }
    while edge.size() < length.size {
        let to = length.size.min(edge.size() + PAGE);
        let leaves = store::leaves(tx, length.book, edge.size(), to).await?;
        leaves.into_iter().for_each(|leaf| edge.push(leaf));
    }
    grow(tx, length.book, from..length.size).await?;
    let checkpoint = Checkpoint { book: signer.book().clone(), size: length.size, root: edge.root() };
    let note = signer.sign(&checkpoint.text());
    let kept = Kept { edge, root: checkpoint.root, note, at: clock.now() };
    store::keep(tx, length.book, &kept).await?;
    Ok(Some(checkpoint))
}

/// Whether a period was closed since the last checkpoint.
///
/// # Errors
/// [`Fault`] when the database fails.
pub async fn is_closed_since(conn: &mut PgConnection, book: &BookId) -> Result<bool, Fault> {
    Ok(store::length(conn, book).await?.is_some_and(|length| length.closed))
}

/// Keeps the perfect trees that the log's growth completed.
async fn grow(tx: &mut PgConnection, book: i32, batches: Range<u64>) -> Result<(), Fault> {
    for height in (STEP..u64::BITS).step_by(STEP as usize) {
        let (from, to) = (batches.start >> height, batches.end >> height);
        if from == to {
            return Ok(());
        }
        let mut roots = Vec::new();
        for place in from..to {
            roots.push(root(&row(tx, book, height - STEP, place << STEP, (place + 1) << STEP).await?));
        }
        store::grow(tx, book, height, from, &roots).await?;
    }
    Ok(())
}

/// The roots of neighbouring trees of a height that is kept.
async fn row(tx: &mut PgConnection, book: i32, height: u32, from: u64, to: u64) -> Result<Vec<Hash>, Fault> {
    match height {
        0 => store::leaves(tx, book, from, to).await,
        height => store::subtrees(tx, book, height, from, to).await,
    }
}

/// The roots of ranges of the log, as a proof names them.
pub(super) async fn hashes(
    conn: &mut PgConnection,
    book: i32,
    ranges: &[Range<u64>],
) -> Result<Vec<Hex<32>>, Fault> {
    let mut hashes = Vec::with_capacity(ranges.len());
    for range in ranges {
        let mut roots = Vec::new();
        for (height, place) in perfect(range) {
            let (kept, wide) = (height / STEP * STEP, height % STEP);
            roots.push(root(&row(conn, book, kept, place << wide, (place + 1) << wide).await?));
        }
        hashes.push(Hex(joined(&roots).ok_or(Fault::Unreadable("a proof names an empty range"))?));
    }
    Ok(hashes)
}

/// The edge of the log of any size.
pub(super) async fn edge(conn: &mut PgConnection, book: i32, size: u64) -> Result<Edge, Fault> {
    let trees: Vec<Range<u64>> = perfect(&(0..size))
        .into_iter()
        .map(|(height, place)| place << height..(place + 1) << height)
        .collect();
    let peaks: Vec<Hash> = hashes(conn, book, &trees).await?.into_iter().map(|hash| hash.0).collect();
    Edge::of(size, &peaks).ok_or(Fault::Unreadable("the log has a gap"))
}

/// The newest checkpoint: the note, and when it was made.
///
/// # Errors
/// [`Fault`] when the database fails.
pub async fn newest(
    conn: &mut PgConnection,
    book: &BookId,
) -> Result<Option<(String, chrono::DateTime<chrono::Utc>)>, Fault> {
    let Some(length) = store::length(conn, book).await? else { return Ok(None) };
    let kept = store::newest(conn, length.book, length.size).await?;
    Ok(kept.map(|kept| (kept.note, kept.at)))
}

/// The newest checkpoint, unless it is on the chain already: size and root.
///
/// # Errors
/// [`Fault`] when the database fails.
pub async fn unanchored(conn: &mut PgConnection, book: &BookId) -> Result<Option<(u64, Hash)>, Fault> {
    store::unanchored(conn, book).await
}

/// Where the chain keeps the newest checkpoint that is there.
///
/// # Errors
/// [`Fault`] when the database fails.
pub async fn newest_anchor(conn: &mut PgConnection, book: &BookId) -> Result<Option<Anchor>, Fault> {
    Ok(store::newest_anchors(conn, book, None, 1).await?.pop())
}

/// Where the chain keeps the book's checkpoints of less than a size, the newest first.
///
/// # Errors
/// [`Fault`] when the database fails.
pub async fn anchors(
    conn: &mut PgConnection,
    book: &BookId,
    before: Option<u64>,
    limit: i64,
) -> Result<Vec<Anchor>, Fault> {
    store::newest_anchors(conn, book, before, limit).await
}

/// Whether a period was closed, and the checkpoint after it is not on the chain.
///
/// # Errors
/// [`Fault`] when the database fails.
pub async fn is_close_unanchored(conn: &mut PgConnection, book: &BookId) -> Result<bool, Fault> {
    store::is_close_unanchored(conn, book).await
}

/// Writes down where the chain keeps a checkpoint; once, however often it is said.
///
/// # Errors
/// [`Fault`] when the database fails, or there is no checkpoint of this size and root.
pub async fn anchored(tx: &mut PgConnection, book: &BookId, anchor: &Anchor) -> Result<(), Fault> {
    store::anchored(tx, book, anchor).await
}

/// Proves that a transfer is in the log of the newest checkpoint. `None` if that does not cover it, or
/// there is none.
///
/// # Errors
/// [`Fault`] when the database fails.
pub async fn included(
    conn: &mut PgConnection,
    book: &BookId,
    transfer: TransferId,
) -> Result<Option<Included>, Fault> {
    let Some(length) = store::length(conn, book).await? else { return Ok(None) };
    let found = written::of_ids(conn, book, &[transfer.0]).await?;
    let Some(found) = found.first() else { return Ok(None) };
    let no = u64::try_from(found.batch).map_err(|_| Fault::Unreadable("a batch's number is negative"))?;
    let Some(kept) = store::newest(conn, length.book, length.size).await? else { return Ok(None) };
    let size = kept.edge.size();
    if no > size {
        return Ok(None);
    }
    let batches = store::batches(conn, length.book, no - 1, no, 1).await?;
    let (heading, prev) = batches.into_iter().next().ok_or(Fault::Unreadable("a batch is missing"))?;
    let (mut words, mut leaves, mut index) = (Words::default(), Vec::new(), 0);
    let (after, postings) = (heading.first_posting as i64 - 1, heading.postings as i64);
    for written in written::page(conn, book, after, postings).await? {
        if written.id == found.id {
            index = leaves.len() as u64;
        }
        leaves.push(written.leaf(book, &mut words));
    }
    let part = |range: Range<u64>| Hex(root(&leaves[range.start as usize..range.end as usize]));
    let path = inclusion(index, heading.transfers).into_iter().map(part).collect();
    let log = hashes(conn, length.book, &inclusion(no - 1, size)).await?;
    let transfer = lines::moved(book, found, &mut words);
    Ok(Some(Included { transfer, index, path, batch: heading, prev: Hex(prev), log, checkpoint: kept.note }))
}

/// Proves that the log of a newer checkpoint begins with the log of an older one. `None` if one of the two
/// was never written down.
///
/// # Errors
/// [`Fault`] when the database fails.
pub async fn grown(
    conn: &mut PgConnection,
    book: &BookId,
    from: u64,
    to: u64,
) -> Result<Option<Grown>, Fault> {
    let Some(length) = store::length(conn, book).await? else { return Ok(None) };
    let old = store::newest(conn, length.book, from).await?.filter(|kept| kept.edge.size() == from);
    let new = store::newest(conn, length.book, to).await?.filter(|kept| kept.edge.size() == to);
    let (Some(old), Some(new)) = (old, new) else { return Ok(None) };
    let path = hashes(conn, length.book, &consistency(from, to)).await?;
    Ok(Some(Grown { old: old.note, new: new.note, path }))
}
