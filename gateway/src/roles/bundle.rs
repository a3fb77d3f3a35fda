//! `amana bundle`: a stretch of a book's journal with all its proofs, into a file for `amana verify`.
//!
//! Invariant: a file is there whole or not at all; it is written beside its place and moved there at the end.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::PathBuf;

use amana_ledger::chart::BookId;
use amana_ledger::id::Clock;
use amana_ledger::seal::note::{BadNote, Signer};
use amana_ledger::seal::{self, Unwritten};
use clap::Args;

use crate::config::MasterKey;
use crate::db::Db;
use crate::error::Fault;

/// What is to be written, and where.
#[derive(Args, Debug)]
pub struct Order {
    /// Which book: kenya:KES.
    #[arg(long)]
    book: BookId,
    /// The first batch.
    #[arg(long, default_value_t = 1, value_name = "BATCH")]
    from: u64,
    /// The last batch, or rather the last one before it that a checkpoint covers; a new checkpoint covers all
    /// if this is absent.
    #[arg(long, value_name = "BATCH")]
    to: Option<u64>,
    /// A file, replaced if it is there.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The file.
    #[error("cannot write {}: {}", .0.display(), .1)]
    File(PathBuf, #[source] io::Error),
    /// The journal.
    #[error(transparent)]
    Unwritten(#[from] Unwritten),
    /// The secret.
    #[error("AMANA_CHECKPOINT_SECRET: {0}")]
    Secret(#[from] BadNote),
    /// The database.
    #[error("{0}")]
    Fault(#[from] Fault),
}

/// Writes what was ordered, and answers with what to say about it.
///
/// # Errors
/// See [`BundleError`].
pub async fn write(
    db: &Db,
    clock: &dyn Clock,
    secret: MasterKey,
    order: &Order,
) -> Result<String, BundleError> {
    let signer = Signer::new(&order.book, &secret.0)?;
    let mut tx = db.begin().await?;
    if order.to.is_none() {
        seal::checkpoint(&mut tx, clock, &signer).await.map_err(Fault::from)?;
        tx.commit().await?;
        tx = db.begin().await?;
    }
    let mut beside = order.out.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    let named = |error| BundleError::File(order.out.clone(), error);
    let mut file = BufWriter::new(File::create(&beside).map_err(named)?);
    let written = match seal::bundle(&mut tx, &signer, (order.from, order.to), &mut file).await {
        Ok(last) => {
            let kept = file.get_ref().sync_all().and_then(|()| fs::rename(&beside, &order.out));
            kept.map(|()| last).map_err(named)
        }
        Err(unwritten) => Err(unwritten.into()),
    };
    if written.is_err() {
        // What is left of it helps nobody; that it stays is no second trouble worth telling.
        let _ = fs::remove_file(&beside);
    }
    let (file, key) = (order.out.display(), signer.key());
    written.map(|last| {
        format!("{file}: batches {} to {last} of {}\namana verify {file} --key {key}", order.from, order.book)
    })
}
