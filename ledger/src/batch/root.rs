//! The root of a batch: SHA-256 over its canonical bytes, its predecessor's root among them.
//!
//! Invariant: the writer and the auditor build the same bytes here, the one from memory, the other from rows.
//! Absent: proofs of inclusion. A tree over the same columns comes with the sealing of the journal.

use chrono::{DateTime, Utc};

use super::{Batch, Phase};
use crate::chart::BookId;
use crate::id::{IdempotencyKey, sha256};
use crate::transfer::Words;

/// The root before the first batch of a book.
pub(crate) const GENESIS: [u8; 32] = [0; 32];

/// The canonical bytes of a batch: the domain, book, number, predecessor's root and time; then every
/// transfer (id, event, key, fingerprint, effective time) followed by its postings (number, phase, debited
/// path, credited path, amount). Every word is preceded by its length.
pub(crate) struct Sealed(Words);

impl Sealed {
    pub(crate) fn new(book: &BookId, no: i64, prev: &[u8], recorded_at: DateTime<Utc>) -> Self {
        let mut words = Words::new("amana:batch:v1");
        words.text(book.as_str()).number(no).bytes(prev).time(Some(recorded_at));
        Self(words)
    }

    pub(crate) fn transfer(
        &mut self,
        id: uuid::Uuid,
        words: [&str; 2],
        fingerprint: &[u8],
        at: DateTime<Utc>,
    ) {
        let [event, key] = words;
        self.0.bytes(id.as_bytes()).text(event).text(key).bytes(fingerprint).time(Some(at));
    }

    pub(crate) fn posting(&mut self, no: i64, phase: Phase, paths: [&str; 2], amount: i64) {
        let [debit, credit] = paths;
        self.0.number(no).text(phase.word()).text(debit).text(credit).number(amount);
    }

    pub(crate) fn root(self) -> [u8; 32] {
        sha256(&[&self.0.0])
    }
}

/// The root of a batch about to be written.
pub(crate) fn seal(batch: &Batch) -> [u8; 32] {
    let mut sealed = Sealed::new(&batch.book, batch.no(), &batch.head.root, batch.recorded_at);
    for row in &batch.rows {
        let key = row.key.clone().unwrap_or_else(|| IdempotencyKey::of(row.id));
        let words = [row.event.word(), key.as_str()];
        sealed.transfer(row.id.0, words, &row.fingerprint, row.effective_at);
        for (leg, no) in batch.legs_of(row).iter().zip(row.first_posting..) {
            let paths = [leg.debit, leg.credit].map(|slot| batch.slots[slot].account.path());
            sealed.posting(no, leg.phase, [&paths[0], &paths[1]], leg.amount.minor());
        }
    }
    sealed.root()
}
