//! The other side's words: mobile-money rails, messages and the chain.
//!
//! Each adapter is `mod.rs` (speaks our words), `wire.rs` (their words, verbatim; Africa's Talking, which is
//! two doors, has `ussd.rs` and `sms.rs` for it), `sign.rs` where they have secrets, and `sim.rs`, the other
//! side as a script over real HTTP.
//!
//! Invariant: adapters translate and never decide. None has a pool, a clock of its own, or another adapter.

pub mod africastalking;
pub mod http;
pub mod intersend;
pub mod mpesa;
pub mod phone;
pub mod port;
pub mod sim;
pub mod stellar;
