//! What the contract promises, proved against the real host and the real token contract.

mod archive;
mod events;
mod golden;
mod matrix;
mod property;
mod refusals;
mod signatures;
mod words;
mod world;
