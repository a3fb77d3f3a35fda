//! What the contract promises, proved against the real host and the real token contract.

mod golden;
mod world;
