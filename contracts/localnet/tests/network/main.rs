//! The network from outside: real HTTP, envelopes built with stellar-xdr, the escrow's real Wasm.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may stop where it stands"
)]

mod classic;
mod contracts;
mod events;
mod faults;
mod invocations;
mod lives;
mod protocol;
mod state;
mod support;
