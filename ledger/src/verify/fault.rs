//! Why a bundle is not what it claims to be.

use std::fmt;

use uuid::Uuid;

use crate::seal::note::BadNote;

/// Where the first thing that is wrong stands, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The line of the file, from 1.
    pub line: u64,
    /// The batch it is in or behind, if one was begun.
    pub batch: Option<u64>,
    /// The transfer of that line, and the number of its first posting.
    pub transfer: Option<(Uuid, u64)>,
    /// What is wrong.
    pub reason: Reason,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(batch) = self.batch {
            write!(f, ", batch {batch}")?;
        }
        if let Some((transfer, no)) = self.transfer {
            write!(f, ", transfer {transfer} (number {no})")?;
        }
        write!(f, ": {}", self.reason)
    }
}

impl std::error::Error for Failure {}

/// What is wrong. A closed list, each one tested.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // each says itself
pub enum Reason {
    #[error("the file cannot be read: {0}")]
    Unreadable(String),
    #[error("not a line of a bundle")]
    NotALine,
    #[error("the line is not written as it has to be")]
    NotCanonical,
    #[error("{0} does not belong here")]
    Misplaced(&'static str),
    #[error("the file is of another format")]
    Format,
    #[error("the batches {from} to {to} are no stretch of a journal")]
    Stretch { from: u64, to: u64 },
    #[error("the key is not the one that was asked for")]
    OtherKey,
    #[error("the key of the file is not a key of this book")]
    Key,
    #[error("{what}: {why}")]
    Note { what: &'static str, why: BadNote },
    #[error("the opening does not lead to its checkpoint")]
    OpeningLog,
    #[error("account {0} of the opening is not possible, or stands there twice")]
    Opening(String),
    #[error("batch {expected} should follow")]
    BatchNumber { expected: u64 },
    #[error("posting number {expected} should follow: one was left out, doubled or moved")]
    PostingNumber { expected: u64 },
    #[error("it is recorded before its predecessor")]
    Backwards,
    #[error("{what} {found} were shown, {claimed} are claimed")]
    Count { what: &'static str, found: u64, claimed: u64 },
    #[error("its contents do not give its hash: they were changed")]
    Leaf,
    #[error("its leaves do not give its block: a leaf was changed with its hash, or stands elsewhere")]
    Block,
    #[error("it does not give its root: it was changed, or does not follow its predecessor")]
    Root,
    #[error("{0} is not an account")]
    NoAccount(String),
    #[error("{0:?} is not a phase of a posting")]
    Phase(char),
    #[error("{0} is not an amount")]
    Amount(i64),
    #[error("{0} is debited and credited at once")]
    SameAccount(String),
    #[error("a total of {0} would be negative or too large")]
    Totals(String),
    #[error("{account} would stand at {available}, below its floor of {floor}")]
    Floor { account: String, available: i64, floor: i64 },
    #[error("it happened in a period that was closed")]
    PeriodClosed,
    #[error("it has no postings")]
    Empty,
    #[error("debits and credits differ over all accounts")]
    Unbalanced,
    #[error("the checkpoint is of {found} batches and stands behind batch {at}")]
    CheckpointSize { found: u64, at: u64 },
    #[error("the checkpoint's root is not the root of the batches before it: one side is forged")]
    CheckpointRoot,
    #[error("the anchor is of {found} batches and stands behind batch {at}")]
    AnchorSize { found: u64, at: u64 },
    #[error(
        "the anchor's root is not the root of the batches before it: the past was written anew, or the \
         anchor is forged"
    )]
    AnchorRoot,
    #[error("the batches end at {found}, not at {claimed}: the journal was cut")]
    Truncated { found: u64, claimed: u64 },
    #[error("no checkpoint covers the last batch")]
    NoCheckpoint,
    #[error("the liabilities are not in order of their hashes, or stand there twice")]
    OwedOrder,
    #[error("the liabilities do not give the signed root and total")]
    OwedRoot,
    #[error("the total of the liabilities is more than can be counted")]
    OwedTotal,
    #[error("{sum} is owed to {account} and not listed among the liabilities")]
    LeftOut { account: String, sum: u64 },
    #[error("a liability of {sum} is listed and owed to nobody")]
    OwedToNobody { sum: u64 },
    #[error("the file does not end as it has to: it was cut, or written to behind its end")]
    NoEnd,
    #[error("the file was changed after it was signed")]
    Changed,
}
