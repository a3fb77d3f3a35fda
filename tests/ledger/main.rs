//! The ledger on a real Postgres: what it answers, what the database refuses, and whether both are right
//! under load.

mod database;
mod exports;
mod features;
mod ground;
mod pages;
mod poster;
mod races;
mod random;
mod reading;
mod rejections;
mod seal;
