//! A strict double-entry ledger on Postgres: the truth, which knows nothing of providers, chains or people.
//!
//! # The model on one page
//!
//! A **book** is the accounts of one legal entity in one asset; they sum to zero alone. An **account** is a
//! line of the chart ([`chart`]): it has one normal side, on which it grows, and perhaps a floor. A
//! **posting** is one positive amount, debited to one account and credited to another; nothing else can be
//! written down, so nothing unbalanced can. A **transfer** is the postings that land together, named by an id
//! and by the caller's **idempotency key**; it is built by a rule ([`rules`]) and nowhere else. A **hold** is
//! a posting set aside: its amount is *pending* on both accounts, gone for the one it will leave and not
//! there yet for the other, until it is settled (in parts or whole), voided or expired. A **reversal** is a
//! new transfer, the same postings turned round.
//!
//! Transfers are written in **batches** (on a caller's transaction by [`journal`], for traffic by
//! [`poster`]), numbered without a gap within a book. For each account
//! it touches a batch appends a **chunk**: the account's totals after it. A balance is the newest chunk
//! ([`balance`]); nothing is ever updated. An account may stand under **limits** of its own ([`limit`]), and
//! a period may be **closed**; both are entries of the journal like transfers. The entries of a batch are the
//! leaves of a tree, its root chained to its predecessor's ([`seal`]): [`audit`] recomputes all of it, and
//! [`verify`] does so for a stranger, from a file.
//!
//! # Who refuses what
//!
//! Business says no by a [`Rejection`](transfer::Rejection): a closed list, safe to show, nothing was
//! written. Machinery says no by a [`Fault`]: roll back, log once, try again later. The database refuses by
//! itself whatever does not add up, whoever writes it (`migrations/0007_ledger.sql`); the names of its
//! constraints are the words of [`Constraint`].
//!
//! # Time
//!
//! `effective_at` is when it happened in the world, `recorded_at` when the book heard of it; the latter never
//! goes back within a book. Days are days in UTC.
//!
//! Invariant: chart → transfer, hold → rules; batch (pure execution) → store (the only SQL) → journal,
//! balance, export, audit. No file names an adapter, a provider's payload, a clock or a source of chance.

pub mod audit;
pub mod balance;
mod batch;
pub mod chart;
pub mod export;
mod hold;
pub mod id;
pub mod journal;
pub mod limit;
pub mod money;
pub mod poster;
pub mod rules;
pub mod seal;
mod store;
pub mod transfer;
pub mod verify;

pub use batch::{Balance, Totals};
pub use store::{Constraint, Fault};
