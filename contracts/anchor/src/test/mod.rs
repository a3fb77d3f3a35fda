//! What the contract promises, proved against the real host.

mod archive;
mod calls;
mod signatures;
mod words;
mod world;
