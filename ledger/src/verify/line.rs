//! The lines of a bundle: what a file that proves a stretch of a book's journal consists of. NDJSON, so that
//! it is written and read as a stream, and by any language.
//!
//! | line | how often | what |
//! | --- | --- | --- |
//! | `header` | once, first | the book, the first and last batch, the key that checks the notes |
//! | `opening`, then `account`s | if it does not begin at batch 1 | the log and the balances before it |
//! | `batch`, then its leaves | each batch | `transfer`, `limit` or `close`, in order |
//! | `checkpoint`, `anchor` | behind the batch they are about | signed root; where the chain has it |
//! | `liability`, then `liabilities` | once, perhaps | a leaf an account that is owed; the signed root |
//! | `end` | once, last | the number of lines before it and their SHA-256, signed |
//!
//! Invariant: one line, one text. A line that would be written in another way is refused, so no byte of a
//! file is without a meaning.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::chart::{BookId, Side};

/// The word at the head of a bundle.
pub const FORMAT: &str = "amana:bundle:v1";

/// Bytes, written as lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hex<const N: usize>(pub [u8; N]);

impl<const N: usize> From<Hex<N>> for String {
    fn from(bytes: Hex<N>) -> String {
        hex::encode(bytes.0)
    }
}

impl<const N: usize> TryFrom<String> for Hex<N> {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut bytes = [0; N];
        hex::decode_to_slice(text, &mut bytes)?;
        Ok(Self(bytes))
    }
}

/// A line.
#[allow(clippy::large_enum_variant, reason = "a line is looked at and dropped; nobody keeps many")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Line {
    /// What the file is about.
    Header(Header),
    /// What was before its first batch.
    Opening(Opening),
    /// An account before the first batch.
    Account(Standing),
    /// A batch; its leaves follow.
    Batch(Heading),
    /// A transfer.
    Transfer(Moved),
    /// An account was put under a limit.
    Limit(Limited),
    /// A period was closed.
    Close(Closed),
    /// A signed checkpoint of the size reached.
    Checkpoint(Noted),
    /// Where the chain keeps the root of the size reached.
    Anchor(Anchor),
    /// A leaf of the tree of liabilities.
    Liability(Owed),
    /// The signed root of the liabilities.
    Liabilities(Noted),
    /// What all lines before it are.
    End(Noted),
}

/// What the file is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub format: String,
    /// The book.
    pub book: BookId,
    /// The number of the first batch.
    pub from: u64,
    /// The number of the last one.
    pub to: u64,
    /// The key that checks the notes, as `name+hash+key`.
    pub key: String,
}

/// The log before the first batch, proven by the checkpoint of that size; and what the issuer says stood
/// there, which is proven only by a file that begins earlier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// The signed checkpoint.
    pub note: String,
    /// The roots of the perfect trees of the log, the largest first.
    pub peaks: Vec<Hex<32>>,
    /// The root of the last batch before.
    pub prev: Hex<32>,
    /// The path of that root in the log.
    pub path: Vec<Hex<32>>,
    /// The number of the next posting.
    pub first_posting: u64,
    /// When that batch was recorded.
    pub recorded_at: DateTime<Utc>,
    /// Nothing effective before it is posted.
    pub closed_before: Option<DateTime<Utc>>,
}

/// An account before the first batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The account.
    pub path: String,
    /// Debits and credits posted, debits and credits pending.
    pub totals: [i64; 4],
    /// The floor in force, where it is not the kind's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<i64>,
}

/// A batch. Its predecessor's root is not repeated: it is the one before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heading {
    /// Its number.
    pub no: u64,
    /// The number of its first posting.
    pub first_posting: u64,
    /// How many postings it has.
    pub postings: u64,
    /// How many transfers.
    pub transfers: u64,
    /// How many accounts the book has after it.
    pub accounts: u64,
    /// When the book heard of it.
    pub recorded_at: DateTime<Utc>,
    /// The Merkle root of its leaves.
    pub block: Hex<32>,
    /// The hash of all this and the predecessor's root: a leaf of the log.
    pub root: Hex<32>,
}

/// A posting: phase, debited and credited account, minor units.
pub type Leg = (char, String, String, i64);

/// A transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// The number of its first posting.
    pub no: u64,
    /// Its id.
    pub id: Uuid,
    /// The business event.
    pub event: String,
    /// The idempotency key, where it is not the id.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// The hash of what was asked.
    pub fingerprint: Hex<16>,
    /// When it happened, where that is not when the book heard of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_at: Option<DateTime<Utc>>,
    /// Its postings.
    pub legs: Vec<Leg>,
    /// What it does to a hold: the verb, the hold's id, when it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<(String, Uuid, Option<DateTime<Utc>>)>,
    /// The transfer it reverses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverses: Option<Uuid>,
    /// The fact it counts: provider, account, id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<[String; 3]>,
    /// The first of the transfers it landed with, all or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Uuid>,
    /// Names and values, in order of name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metadata: Vec<(String, String)>,
    /// The hash of all this.
    pub leaf: Hex<32>,
}

/// A limit over time: measure, side, period, minor units.
pub type Velocity = (String, Side, String, i64);

/// An account was put under a limit, in place of the one it had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limited {
    /// The account.
    pub path: String,
    /// The floor, where it is not the kind's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<i64>,
    /// What may go through it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub velocity: Vec<Velocity>,
    /// The hash of all this.
    pub leaf: Hex<32>,
}

/// A period was closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// Nothing effective before it is posted any more.
    pub closed_before: DateTime<Utc>,
    /// The hash of it.
    pub leaf: Hex<32>,
}

/// A signed note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noted {
    /// Text and signatures.
    pub note: String,
}

/// Where the chain keeps a root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// How many batches the log had.
    pub size: u64,
    /// The root over their roots.
    pub root: Hex<32>,
    /// The contract's address.
    pub contract: String,
    /// The transaction's hash.
    pub tx_hash: String,
    /// The number of the chain's ledger.
    pub ledger: u64,
    /// When that was.
    pub at: DateTime<Utc>,
    /// The signed bytes that wrote it down, base64: whoever knows the chain's formats and the operator's
    /// address can check them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelope: Option<String>,
}

/// A leaf of the tree of liabilities, in the order of the hashes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owed {
    /// The salted hash.
    pub hash: Hex<32>,
    /// Minor units.
    pub sum: u64,
}
