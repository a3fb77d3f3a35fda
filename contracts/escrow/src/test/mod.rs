//! What the contract promises, proved against the real host and the real token contract.

mod archive;
mod events;
mod house;
mod matrix;
mod proof;
mod refusals;
mod signatures;
mod story;
mod words;
pub(crate) mod world;
