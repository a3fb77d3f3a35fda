//! What every part of the gateway is given: the database, time, chance, keys, and the other sides.
//!
//! Invariant: time and chance come from here and from nowhere else, so that a test can hold both still.

use std::sync::Arc;

use amana_adapters::africastalking::Sms;
use amana_adapters::intersend::Intersend;
use amana_adapters::stellar::{Keypair, Stellar};
use amana_ledger::id::{Clock, Rng};

use crate::config::Config;
use crate::db::Db;
use crate::privacy::Keyring;

/// The gateway's surroundings. Shared by doors and worker.
pub struct App {
    /// Postgres.
    pub db: Db,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Chance, for ids, references and keys.
    pub rng: Arc<dyn Rng>,
    /// Seals personal data.
    pub privacy: Keyring,
    /// The environment, read once.
    pub config: Config,
    /// The payout rail.
    pub payouts: Intersend,
    /// The text messages.
    pub sms: Sms,
    /// The chain.
    pub chain: Stellar,
    /// The accounts that pay the chain's fees, one open transaction each.
    pub channels: Vec<Keypair>,
}
