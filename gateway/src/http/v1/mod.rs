//! `/v1/…`, our own words: traces, attention lists, proof, our own money, the books.

pub(super) mod anchors;
pub(super) mod books;
pub(super) mod breaks;
pub(super) mod jobs;
pub(super) mod money;
pub(super) mod proofs;
pub(super) mod reads;
pub(super) mod statements;
pub(super) mod suspense;
