//! Classic transactions: accounts and payments, fee bumps, and what issuers and account owners do besides.

mod accounts;
pub(crate) mod bumps;
mod owners;
