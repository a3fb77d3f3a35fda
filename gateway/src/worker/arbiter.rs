//! Who decides disputes on the chain: carries decisions there, and nothing else.
//!
//! Invariant: the arbiter's key is here and where nobody serves; the keys of daily work are not. Without this
//! process a decision waits until the dispute's time is over, and is then parted by default.
//! Absent: deciding. An approver does, at `POST /v1/jobs/{id}:resolve`.

use std::sync::Arc;

use amana_adapters::http::Client;
use amana_adapters::stellar::{Keypair, Stellar};
use amana_ledger::id::{Clock, Rng};

use crate::app::Carrier;
use crate::config;
use crate::db::Db;
use crate::error::{Fault, Result};
use crate::flows::chain;
use crate::flows::store::attempt;

/// The arbiter's surroundings: no person's data, no rail, no other key.
pub struct Arbiter {
    db: Db,
    clock: Arc<dyn Clock>,
    chain: Stellar,
    channels: Vec<Keypair>,
}

impl Arbiter {
    /// Wires them as `config` says.
    ///
    /// # Errors
    /// The configured contract or token is none the chain's adapter can speak to.
    pub fn wire(
        config: config::Arbiter,
        (db, http): (Db, Client),
        clock: Arc<dyn Clock>,
        rng: Arc<dyn Rng>,
    ) -> Result<Self, Fault> {
        let chain = Stellar::arbiter(config.network, config.key, http, rng);
        let chain = chain.map_err(|error| Fault::Stored(format!("chain: {error}")))?;
        Ok(Self { db, clock, chain, channels: config.channels })
    }

    /// Asks the chain whether its contract takes this key for its arbiter's.
    ///
    /// # Errors
    /// As [`super::fits`].
    pub async fn fits(&self) -> Result<()> {
        super::fit(&self.chain).await
    }

    /// Makes its channel accounts known.
    ///
    /// # Errors
    /// The database's.
    pub async fn prepare(&self) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let addresses: Vec<String> = self.channels.iter().map(Keypair::address).collect();
        attempt::register_channels(&mut tx, &addresses).await?;
        Ok(tx.commit().await?)
    }

    /// Carries the next decision one step on. `false` if none is due.
    ///
    /// # Errors
    /// As [`chain::step`].
    pub async fn step(&self) -> Result<bool> {
        let Self { db, clock, chain, channels } = self;
        chain::carry(Carrier { db, clock: &**clock, chain, channels }).await
    }
}
