//! The answer to a transfer that is in the journal.

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};

use super::Balance;
use crate::id::TransferId;

/// What a transfer is in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The transfer; for a repeated request the one that landed first.
    pub transfer: TransferId,
    /// The batch it landed in.
    pub batch: i64,
    /// The numbers of its postings in the book.
    pub numbers: RangeInclusive<i64>,
    /// When the book heard of it.
    pub recorded_at: DateTime<Utc>,
    /// When it happened in the world.
    pub effective_at: DateTime<Utc>,
    /// The accounts it touched, in order of its postings, as they stood after its batch.
    pub balances: Vec<Balance>,
}

/// A transfer is in the journal, since now or since before.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "whether it is new decides whether anything must follow"]
pub enum Posted {
    /// This call wrote it.
    New(Receipt),
    /// The same request under the same key was written before; this is the first answer.
    Replayed(Receipt),
}

impl Posted {
    /// The receipt, new or not.
    #[must_use]
    pub fn receipt(&self) -> &Receipt {
        match self {
            Posted::New(receipt) | Posted::Replayed(receipt) => receipt,
        }
    }

    /// Whether this call wrote it.
    #[must_use]
    pub fn is_new(&self) -> bool {
        matches!(self, Posted::New(_))
    }
}
