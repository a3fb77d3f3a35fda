//! What the contract says: one event a checkpoint.
//!
//! Invariant: topics are `anchor`, `anchored`, the book; names are frozen, fields are only ever added.

use soroban_sdk::{BytesN, String, contractevent};

/// A book's checkpoint was written down: so many entries of its log, under this root.
#[contractevent(topics = ["anchor", "anchored"])]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchored {
    #[topic]
    pub book: String,
    pub size: u64,
    pub root: BytesN<32>,
}
