//! The chain adapter against a real Soroban host: the local network runs the committed Wasm, and every
//! envelope, signature and event passes between the two as it would on the public network.
//!
//! Invariant: each test has a network of its own, whose clock stands still unless the test moves it.

mod anchor;
mod archive;
mod chain;
mod cost;
mod deployment;
mod fate;
mod lossy;
mod refusals;
mod sdk;
mod story;
