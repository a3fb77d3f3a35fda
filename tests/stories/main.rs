//! Money stories: one a file, each played to its end and audited there.

mod anchors;
mod deposits;
mod disputes;
mod months;
mod network;
mod payouts;
mod proofs;
mod receipts;
mod refunds;
mod reports;
mod strangers;
