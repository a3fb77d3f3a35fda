//! Money stories: one a file, each played to its end and audited there.

mod deposits;
mod payouts;
mod strangers;
