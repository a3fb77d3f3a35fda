//! A strict double-entry ledger on Postgres.

pub mod chart;
pub(crate) mod hold;
pub mod id;
pub mod money;
pub mod rules;
pub mod transfer;
