//! Writes a stretch of a book's journal as a bundle ([`line`](crate::verify::line)), for
//! [`verify`](crate::verify::verify).
//!
//! Invariant: a stream; nothing is kept but a page. It ends at a checkpoint, so that a signature covers all
//! of it. What lies up to a checkpoint never changes, so pages read at different moments belong together.

use std::io::{self, Write};

use aws_lc_rs::digest;
use serde::Serialize;
use sqlx::PgConnection;

use super::liability::Sum;
use super::note::{Checkpoint, Ending, Signer};
use super::proof::inclusion;
use super::{lines, log, owed};
use crate::chart::BookId;
use crate::store::{Fault, seal as store, written};
use crate::transfer::Words;
use crate::verify::line::{FORMAT, Header, Heading, Hex, Line, Moved, Noted, Opening, Owed};

/// How many batches, or accounts, are read at once.
const BATCHES: i64 = 256;
/// About how many postings are read at once.
const POSTINGS: u64 = 10_000;

/// Why no bundle was written, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum Unwritten {
    /// The database failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The file could not be written.
    #[error("the bundle cannot be written: {0}")]
    File(#[from] io::Error),
    /// There is no checkpoint from there on.
    #[error("no checkpoint covers batch {from} of book {book}")]
    NoCheckpoint {
        /// The book.
        book: BookId,
        /// The first batch asked for.
        from: u64,
    },
}

/// Writes the batches from `from` up to the newest checkpoint of at most `to`; the liabilities there as well.
/// Answers with the last batch.
///
/// # Errors
/// [`Unwritten`].
pub async fn bundle(
    conn: &mut PgConnection,
    signer: &Signer,
    (from, to): (u64, Option<u64>),
    file: impl Write,
) -> Result<u64, Unwritten> {
    let none = || Unwritten::NoCheckpoint { book: signer.book().clone(), from };
    let length = store::length(conn, signer.book()).await?.ok_or_else(none)?;
    let kept = store::newest(conn, length.book, to.unwrap_or(length.size)).await?.ok_or_else(none)?;
    let (from, to) = (from.max(1), kept.edge.size());
    if from > to {
        return Err(none());
    }
    let mut out = Out { file, hash: digest::Context::new(&digest::SHA256), lines: 0, text: Vec::new() };
    let (book, key) = (signer.book().clone(), signer.key().to_string());
    out.line(&Line::Header(Header { format: FORMAT.to_owned(), book, from, to, key }))?;
    if from > 1 {
        opening(conn, signer, (length.book, from - 1), &mut out).await?;
    }
    batches(conn, signer, (length.book, from, to), &mut out).await?;
    let (leaves, signed) = owed::signed(conn, signer, length.book, to).await?;
    for Sum { hash, sum } in leaves {
        out.line(&Line::Liability(Owed { hash: Hex(hash), sum }))?;
    }
    out.line(&Line::Liabilities(Noted { note: signer.sign(&signed.text()) }))?;
    out.end(signer)?;
    Ok(to)
}

/// What was before the first batch.
async fn opening(
    conn: &mut PgConnection,
    signer: &Signer,
    (book, size): (i32, u64),
    out: &mut Out<impl Write>,
) -> Result<(), Unwritten> {
    let all = log::edge(conn, book, size).await?;
    let checkpoint = Checkpoint { book: signer.book().clone(), size, root: all.root() };
    let last = store::batches(conn, book, size - 1, size, 1).await?.into_iter().next();
    let (last, _) = last.ok_or(Fault::Unreadable("a batch is missing"))?;
    out.line(&Line::Opening(Opening {
        note: signer.sign(&checkpoint.text()),
        peaks: all.peaks().iter().copied().map(Hex).collect(),
        prev: last.root,
        path: log::hashes(conn, book, &inclusion(size - 1, size)).await?,
        first_posting: last.first_posting + last.postings,
        recorded_at: last.recorded_at,
        closed_before: store::closed_before(conn, book, size).await?,
    }))?;
    let mut after = 0;
    loop {
        let page = store::standing(conn, book, size, after, BATCHES).await?;
        let Some((number, _)) = page.last() else { return Ok(()) };
        after = *number;
        page.into_iter().try_for_each(|(_, standing)| out.line(&Line::Account(standing)))?;
    }
}

async fn batches(
    conn: &mut PgConnection,
    signer: &Signer,
    (book, from, to): (i32, u64, u64),
    out: &mut Out<impl Write>,
) -> Result<(), Unwritten> {
    let mut done = from - 1;
    while done < to {
        let page = store::batches(conn, book, done, to, BATCHES).await?;
        let last =
            page.last().map(|(heading, _)| heading.no).ok_or(Fault::Unreadable("a batch is missing"))?;
        let mut kept = store::checkpoints(conn, book, done + 1..=last).await?.into_iter().peekable();
        let mut anchors = store::anchors(conn, book, done + 1..=last).await?.into_iter().peekable();
        let headings: Vec<Heading> = page.into_iter().map(|(heading, _)| heading).collect();
        let mut rest = headings.as_slice();
        while !rest.is_empty() {
            let (run, behind) = rest.split_at(run(rest));
            let mut transfers = transfers(conn, signer.book(), run).await?.into_iter().peekable();
            for heading in run {
                out.line(&Line::Batch(heading.clone()))?;
                while let Some((_, moved)) = transfers.next_if(|(batch, _)| *batch == heading.no) {
                    out.line(&Line::Transfer(moved))?;
                }
                if heading.postings == 0 {
                    out.line(&lines::rule(conn, signer.book(), heading.no).await?)?;
                }
                if let Some(kept) = kept.next_if(|kept| kept.edge.size() == heading.no) {
                    // Signed anew: the same key gives the same bytes, and one key signs all of a file.
                    let checkpoint =
                        Checkpoint { book: signer.book().clone(), size: heading.no, root: kept.root };
                    out.line(&Line::Checkpoint(Noted { note: signer.sign(&checkpoint.text()) }))?;
                }
                if let Some(anchor) = anchors.next_if(|anchor| anchor.size == heading.no) {
                    out.line(&Line::Anchor(anchor))?;
                }
            }
            rest = behind;
        }
        done = last;
    }
    Ok(())
}

/// How many of the batches are read together: one, and more while they are small.
fn run(batches: &[Heading]) -> usize {
    let mut postings = 0;
    let fits = batches.iter().take_while(|heading| {
        postings += heading.postings;
        postings <= POSTINGS
    });
    fits.count().max(1)
}

/// The transfers of a run of batches, each with its batch.
async fn transfers(
    conn: &mut PgConnection,
    book: &BookId,
    run: &[Heading],
) -> Result<Vec<(u64, Moved)>, Fault> {
    let after = run.first().map_or(0, |heading| heading.first_posting as i64 - 1);
    let postings: u64 = run.iter().map(|heading| heading.postings).sum();
    let page = written::page(conn, book, after, postings as i64).await?;
    let mut words = Words::default();
    let lines =
        page.iter().map(|written| (written.batch.unsigned_abs(), lines::moved(book, written, &mut words)));
    Ok(lines.collect())
}

/// The file, and what its last line will say of it.
struct Out<W> {
    file: W,
    hash: digest::Context,
    lines: u64,
    text: Vec<u8>,
}

impl<W: Write> Out<W> {
    fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        self.text.clear();
        serde_json::to_writer(&mut self.text, line)?;
        self.text.push(b'\n');
        self.hash.update(&self.text);
        self.lines += 1;
        self.file.write_all(&self.text)
    }

    fn end(mut self, signer: &Signer) -> io::Result<()> {
        let mut hash = [0; 32];
        hash.copy_from_slice(self.hash.clone().finish().as_ref());
        let ending = Ending { book: signer.book().clone(), lines: self.lines, hash };
        self.line(&Line::End(Noted { note: signer.sign(&ending.text()) }))?;
        self.file.flush()
    }
}
