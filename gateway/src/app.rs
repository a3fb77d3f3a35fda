//! What every part of the gateway is given: the database, time, chance, keys, and the other sides.
//!
//! Invariant: time and chance come from here and from nowhere else, so that a test can hold both still.

use std::sync::Arc;

use amana_adapters::africastalking::{self, Sms};
use amana_adapters::http::{Client, Limits};
use amana_adapters::intersend::{self, Intersend};
use amana_adapters::mpesa::daraja::{self, Daraja};
use amana_adapters::stellar::{Keypair, Network, Signers, Stellar};
use amana_ledger::id::{Clock, Rng};
use amana_ledger::seal::note::Signer;

use crate::config::Config;
use crate::db::Db;
use crate::error::Fault;
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
    /// Signs the checkpoints of the book, where they are made.
    pub signer: Option<Signer>,
    /// The environment, read once.
    pub config: Config,
    /// The payout rail.
    pub payouts: Intersend,
    /// Daraja, where it is configured.
    pub daraja: Option<Daraja>,
    /// The text messages.
    pub sms: Sms,
    /// The chain.
    pub chain: Stellar,
    /// The accounts that pay the chain's fees, one open transaction each.
    pub channels: Vec<Keypair>,
}

/// What carries wishes to the chain: as much as who only decides disputes is given.
#[derive(Clone, Copy)]
pub struct Carrier<'a> {
    /// Postgres.
    pub db: &'a Db,
    /// What time it is.
    pub clock: &'a dyn Clock,
    /// The chain, with the keys that sign for it here.
    pub chain: &'a Stellar,
    /// The accounts that pay the chain's fees.
    pub channels: &'a [Keypair],
}

impl App {
    /// What carries the house's wishes to the chain.
    pub fn carrier(&self) -> Carrier<'_> {
        Carrier { db: &self.db, clock: &*self.clock, chain: &self.chain, channels: &self.channels }
    }

    /// Wires the surroundings as `config` says.
    ///
    /// # Errors
    /// The configured contract, token or asset is none the chain's adapter can speak to.
    pub fn wire(config: Config, db: Db, clock: Arc<dyn Clock>, rng: Arc<dyn Rng>) -> Result<Self, Fault> {
        let http = Client::new(Limits::default(), rng.clone());
        let http = http.map_err(|error| Fault::Stored(format!("http client: {error}")))?;
        Self::wire_with(http, config, db, clock, rng)
    }

    /// As [`App::wire`], with a client of the caller's, who may be less patient.
    ///
    /// # Errors
    /// As [`App::wire`].
    pub fn wire_with(
        http: Client,
        config: Config,
        db: Db,
        clock: Arc<dyn Clock>,
        rng: Arc<dyn Rng>,
    ) -> Result<Self, Fault> {
        let bad = |what: &str, why: &dyn std::fmt::Display| Fault::Stored(format!("{what}: {why}"));
        let stellar = &config.stellar;
        let signers = Signers { operator: stellar.operator.clone(), delegate: stellar.delegate.clone() };
        let network = Network {
            rpc_url: stellar.rpc_url.clone(),
            passphrase: stellar.passphrase.clone(),
            contract: stellar.contract.clone(),
            token: stellar.token.clone(),
            anchor: stellar.anchor.clone(),
            exponent: config.book.asset().exponent(),
        };
        let chain = Stellar::new(network, signers, http.clone(), rng.clone())
            .map_err(|error| bad("chain", &error))?;
        let intersend = intersend::Config {
            url: config.intersend.url.clone(),
            key: config.intersend.key.clone(),
            secret: config.intersend.secret.clone(),
        };
        let texts = africastalking::Config {
            url: config.africastalking.url.clone(),
            username: config.africastalking.username.clone(),
            key: config.africastalking.api_key.clone(),
            sender: config.africastalking.sender.clone(),
        };
        let daraja = config.daraja.as_ref().map(|own| {
            let initiator =
                daraja::Initiator { name: own.initiator.clone(), credential: own.credential.clone() };
            let config = daraja::Config {
                url: own.url.clone(),
                key: own.key.clone(),
                secret: own.secret.clone(),
                shortcode: config.mpesa.shortcode.as_str().to_owned(),
                passkey: own.passkey.clone(),
                initiator: Some(initiator),
            };
            Daraja::new(config, http.clone())
        });
        let signer = config.checkpoints.secret.map(|secret| Signer::new(&config.book, &secret.0));
        let signer = signer.transpose().map_err(|error| bad("AMANA_CHECKPOINT_SECRET", &error))?;
        Ok(Self {
            signer,
            privacy: Keyring::new(config.master_key.0, clock.clone(), rng.clone()),
            daraja,
            payouts: Intersend::new(intersend, http.clone()),
            sms: Sms::new(texts, http),
            channels: config.stellar.channels.clone(),
            db,
            clock,
            rng,
            chain,
            config,
        })
    }
}
