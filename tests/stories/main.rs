//! Money stories: one a file, each played to its end and audited there.

mod anchors;
mod deposits;
mod months;
mod payouts;
mod proofs;
mod rough;
mod strangers;
mod submission;
mod watching;
