//! A strict double-entry ledger on Postgres.

pub mod audit;
pub mod balance;
mod batch;
pub mod chart;
pub(crate) mod hold;
pub mod id;
pub mod journal;
pub mod money;
pub mod rules;
mod store;
pub mod transfer;

pub use batch::{Balance, Totals};
pub use store::{Constraint, Fault};
