//! Everything `amana serve --embedded` brings along: a private Postgres, a local network, the other sides.

pub mod cluster;
