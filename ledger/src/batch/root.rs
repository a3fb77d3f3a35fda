//! The seal of a batch: the Merkle root of its entries, and the hash that chains it to its predecessor.
//!
//! Invariant: the writer and the auditor build the same bytes here, the one from memory, the other from rows.
//! Absent: proofs. They are the seal's, over the same leaves and the same roots.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Batch, Row, Rule};
use crate::id::ExternalRef;
use crate::limit::{Limit, Velocity};
use crate::seal::tree;
use crate::transfer::Words;

/// The root before the first batch of a book.
pub(crate) const GENESIS: [u8; 32] = [0; 32];

/// What seals a batch: the Merkle root of its entries, and the root of the batch itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seal {
    pub(crate) block: [u8; 32],
    pub(crate) root: [u8; 32],
}

/// A batch without its entries.
pub(crate) struct Heading<'a> {
    pub(crate) book: &'a str,
    pub(crate) no: i64,
    pub(crate) first_posting: i64,
    pub(crate) postings: i64,
    pub(crate) transfers: i64,
    pub(crate) accounts: i64,
    pub(crate) recorded_at: DateTime<Utc>,
    pub(crate) prev: &'a [u8; 32],
}

impl Heading<'_> {
    /// The seal over the hashes of the batch's entries, in order.
    pub(crate) fn seal(&self, leaves: &[[u8; 32]]) -> Seal {
        let block = tree::root(leaves);
        let mut words = Words::new("amana:batch:v2");
        words.text(self.book).number(self.no).number(self.first_posting).number(self.postings);
        words.number(self.transfers).number(self.accounts).time(Some(self.recorded_at));
        words.bytes(&block).bytes(self.prev);
        Seal { block, root: tree::leaf(&words.0) }
    }
}

/// A transfer as it is sealed. `effective_at` is empty where it is the batch's time, `key` where it is the
/// id.
pub(crate) struct Sealed<'a> {
    pub(crate) book: &'a str,
    pub(crate) first_posting: i64,
    pub(crate) id: Uuid,
    pub(crate) event: &'a str,
    pub(crate) key: &'a str,
    pub(crate) fingerprint: &'a [u8; 16],
    pub(crate) effective_at: Option<DateTime<Utc>>,
    /// The phase's letter, debited and credited path, amount.
    pub(crate) legs: &'a [(u8, &'a str, &'a str, i64)],
    /// The verb, the hold's id, when it expires.
    pub(crate) hold: Option<(&'a str, Uuid, Option<DateTime<Utc>>)>,
    pub(crate) reverses: Option<Uuid>,
    pub(crate) external: Option<&'a ExternalRef>,
    pub(crate) link: Option<Uuid>,
    /// In order of name.
    pub(crate) metadata: &'a [(String, String)],
}

impl Sealed<'_> {
    /// The hash of the entry; `words` is emptied first, so that one can serve for many.
    pub(crate) fn leaf(&self, words: &mut Words) -> [u8; 32] {
        words.begin("amana:transfer:v2");
        words.text(self.book).number(self.first_posting);
        words.bytes(self.id.as_bytes()).text(self.event).text(self.key).bytes(self.fingerprint);
        words.time(self.effective_at).number(self.legs.len() as i64);
        for (phase, debit, credit, amount) in self.legs {
            words.bytes(&[*phase]).text(debit).text(credit).number(*amount);
        }
        match self.hold {
            Some((verb, hold, expires_at)) => {
                words.text(verb).bytes(hold.as_bytes()).time(expires_at);
            }
            None => {
                words.bytes(&[]);
            }
        }
        words.bytes(self.reverses.as_ref().map_or(&[], |id| id.as_bytes()));
        match self.external {
            Some(fact) => words.text(&fact.provider).text(&fact.account).text(&fact.id),
            None => words.bytes(&[]),
        };
        words.bytes(self.link.as_ref().map_or(&[], |id| id.as_bytes()));
        words.number(self.metadata.len() as i64);
        for (name, value) in self.metadata {
            words.text(name).text(value);
        }
        tree::leaf(&words.0)
    }
}

/// The hash of a limit as an entry.
pub(crate) fn limit_leaf(book: &str, path: &str, limit: &Limit) -> [u8; 32] {
    let mut words = Words::new("amana:limit:v1");
    words.text(book).text(path);
    match limit.floor {
        Some(floor) => words.number(floor),
        None => words.bytes(&[]),
    };
    words.number(limit.velocity.len() as i64);
    for Velocity { measure, side, period, amount } in &limit.velocity {
        words.text(measure.word()).text(side.word()).text(period.word()).number(amount.minor());
    }
    tree::leaf(&words.0)
}

/// The hash of a close as an entry.
pub(crate) fn close_leaf(book: &str, closed_before: DateTime<Utc>) -> [u8; 32] {
    let mut words = Words::new("amana:close:v1");
    words.text(book).time(Some(closed_before));
    tree::leaf(&words.0)
}

/// The seal of a batch about to be written.
pub(crate) fn seal(batch: &Batch) -> Seal {
    let book = batch.book.as_str();
    match &batch.rule {
        Some(Rule::Limit(slot, limit)) => {
            return batch.heading().seal(&[limit_leaf(book, &batch.slots[*slot].account.path(), limit)]);
        }
        Some(Rule::Close(closed_before)) => return batch.heading().seal(&[close_leaf(book, *closed_before)]),
        None => {}
    }
    let paths: Vec<String> = batch.slots.iter().map(|slot| slot.account.path()).collect();
    let (mut words, mut legs) = (Words::default(), Vec::new());
    let leaf = |row: &Row| {
        legs.clear();
        legs.extend(batch.legs_of(row).iter().map(|leg| {
            let path = |slot: usize| paths[slot].as_str();
            (leg.phase.letter(), path(leg.debit), path(leg.credit), leg.amount.minor())
        }));
        let sealed = Sealed {
            book,
            first_posting: row.first_posting,
            id: row.id.0,
            event: row.event.word(),
            key: row.key.as_ref().map_or("", |key| key.as_str()),
            fingerprint: &row.fingerprint,
            effective_at: (row.effective_at != batch.recorded_at).then_some(row.effective_at),
            legs: &legs,
            hold: row.hold.as_ref().map(|hold| (hold.verb.word(), hold.hold.0, hold.expires_at)),
            reverses: row.reverses.map(|of| of.0),
            external: row.external.as_ref(),
            link: row.link.map(|first| first.0),
            metadata: row.metadata.pairs(),
        };
        sealed.leaf(&mut words)
    };
    let leaves: Vec<[u8; 32]> = batch.rows.iter().map(leaf).collect();
    batch.heading().seal(&leaves)
}
