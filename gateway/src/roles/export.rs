//! `amana export`: a book's journal into a file or down a pipe.
//!
//! Invariant: a file is there whole or not at all; it is written beside its place and moved there at the end.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use amana_ledger::chart::BookId;
use amana_ledger::export::{Export, Format, Range};
use chrono::NaiveDate;
use clap::Args;

use crate::db::Db;
use crate::error::Fault;

/// What follows the list of options.
pub const HELP: &str = "\
Days are days in UTC on which the book heard, both included; dates in the file are when things happened.
Days that are over give the same bytes for ever.

  amana export --book kenya:KES --format hledger --out k.journal && hledger -f k.journal check --strict
  amana export --book kenya:KES --format beancount --out k.beancount && bean-check k.beancount
  amana export --book kenya:KES --format ndjson --from 2026-09-01 --to 2026-09-30 | jq .event";

/// What is to be written, and where.
#[derive(Args, Debug)]
pub struct Order {
    /// Which book: kenya:KES.
    #[arg(long)]
    book: BookId,
    /// For which program: hledger, beancount, ndjson or csv.
    #[arg(long)]
    format: Format,
    /// The first day (UTC), as 2026-09-01; the journal's beginning if absent.
    #[arg(long, value_name = "DAY")]
    from: Option<NaiveDate>,
    /// The last day (UTC); the newest batch if absent.
    #[arg(long, value_name = "DAY")]
    to: Option<NaiveDate>,
    /// A file, replaced if it is there; standard output if absent.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Why nothing, or not all, was written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The first day comes after the last.
    #[error("--from {0} is after --to {1}")]
    Backwards(NaiveDate, NaiveDate),
    /// There is no such book.
    #[error("book {0} was never opened in this database")]
    UnknownBook(BookId),
    /// The file cannot be written.
    #[error("cannot write {}: {}", .0.display(), .1)]
    File(PathBuf, #[source] io::Error),
    /// Standard output cannot be written.
    #[error("cannot write: {0}")]
    Output(#[from] io::Error),
    /// The database.
    #[error("{0}")]
    Fault(#[from] Fault),
}

/// Writes what was ordered.
///
/// # Errors
/// See [`ExportError`]. A reader that has had enough (`| head`) is none.
pub async fn export(db: &Db, order: &Order) -> Result<(), ExportError> {
    if let (Some(from), Some(to)) = (order.from, order.to)
        && from > to
    {
        return Err(ExportError::Backwards(from, to));
    }
    let range = Range { from: order.from, to: order.to };
    let export = Export::begin(&mut *db.begin().await?, &order.book, range, order.format).await;
    let export = export.map_err(Fault::from)?.ok_or_else(|| ExportError::UnknownBook(order.book.clone()))?;
    let Some(place) = &order.out else {
        return match copy(db, export, &mut io::stdout().lock()).await {
            Err(ExportError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            outcome => outcome,
        };
    };
    let beside = beside(place);
    let named = |error| ExportError::File(place.clone(), error);
    let mut file = BufWriter::new(File::create(&beside).map_err(named)?);
    let written = match copy(db, export, &mut file).await {
        Ok(()) => file.get_ref().sync_all().and_then(|()| fs::rename(&beside, place)).map_err(named),
        Err(ExportError::Output(error)) => Err(named(error)),
        Err(other) => Err(other),
    };
    if written.is_err() {
        // What is left of it helps nobody; that it stays is no second trouble worth telling.
        let _ = fs::remove_file(&beside);
    }
    written
}

async fn copy(db: &Db, mut export: Export, out: &mut impl Write) -> Result<(), ExportError> {
    let mut tx = db.begin().await?;
    while let Some(piece) = export.next(&mut tx).await.map_err(Fault::from)? {
        out.write_all(piece.as_bytes())?;
    }
    Ok(out.flush()?)
}

fn beside(place: &Path) -> PathBuf {
    let mut name = place.as_os_str().to_owned();
    name.push(".part");
    name.into()
}
