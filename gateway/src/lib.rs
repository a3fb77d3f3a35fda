//! The gateway: the doors and the waiting. One binary, `amana`, whose roles are words.
//!
//! Invariant: `http` and `console` hold no rule, `trade` never posts, only `flows` and `recon` move money.

pub mod app;
pub mod config;
pub mod db;
pub mod embedded;
pub mod error;
pub mod events;
pub mod flows;
pub mod http;
pub mod inbox;
pub mod outbox;
pub mod people;
pub mod privacy;
pub mod recon;
pub mod reports;
pub mod roles;
pub mod trade;
pub mod ussd;
pub mod worker;
