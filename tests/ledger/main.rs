//! The ledger on a real Postgres: what it answers, what the database refuses, and whether both are right
//! under load.

mod database;
mod exports;
mod ground;
mod poster;
mod random;
mod reading;
mod rejections;
