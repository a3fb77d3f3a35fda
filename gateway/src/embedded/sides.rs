//! The other sides, made of paper: a local network with token and contract on it, a payout rail, a text
//! vendor.
//!
//! Invariant: our side reaches them as it would reach the real ones, through addresses and keys in its
//! environment.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use amana_adapters::http::Client;
use amana_adapters::stellar::deploy::{Deployed, Plan, Purse, Roles, Site, deploy, fund_channels};
use amana_adapters::stellar::{Keypair, anchor};
use amana_adapters::{africastalking, intersend, mpesa};
use amana_ledger::id::{Clock, Rng};
use amana_ledger::money::{Asset, Money};
use amana_localnet::{Localnet, Options, STANDALONE_PASSPHRASE};

use super::{EmbeddedError, Secrets};
use crate::config::Environment;

/// The escrow contract's code, as built and committed.
pub const WASM: &[u8] = include_bytes!("../../../contracts/escrow/escrow.wasm");

/// The anchor contract's code, as built and committed.
pub const ANCHOR_WASM: &[u8] = include_bytes!("../../../contracts/anchor/anchor.wasm");

/// The account name at the text vendor's simulator.
const USERNAME: &str = "sandbox";

/// The paybill at Daraja's simulator, and who may instruct in its name.
const SHORTCODE: &str = "600111";
const INITIATOR: &str = "gwapi01";

/// What the rail charges for a payout, KES minor units.
const RAIL_FEE: i64 = 1_500;

/// How the other sides are to be started.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Where the local network listens.
    pub stellar_listen: SocketAddr,
    /// Where network and rail remember across restarts; nowhere, and they forget.
    pub folder: Option<PathBuf>,
    /// Where our API is reached, for the rail's news; nowhere, and the rail is mute until told.
    pub api_url: Option<String>,
    /// What the platform has parked at the payout rail at the start.
    pub rail_float: Money,
    /// The pause before each piece of news from the rail.
    pub pace: Duration,
}

/// Time, chance and the one client, as everything here needs them.
#[derive(Clone)]
pub struct Means {
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub rng: Arc<dyn Rng>,
    /// The one traced client.
    pub http: Client,
}

/// The other sides, running.
pub struct Sides {
    /// The network.
    pub network: Localnet,
    /// What stands on it.
    pub deployed: Deployed,
    /// The contract that keeps the book's checkpoints.
    pub anchor: String,
    /// The payout rail.
    pub rail: intersend::sim::Sim,
    /// The text vendor.
    pub texts: africastalking::sim::Sim,
    /// Daraja.
    pub daraja: mpesa::sim::Sim,
    /// Where our API is reached from outside, if Daraja is to be asked.
    pub api_url: Option<String>,
}

impl Sides {
    /// Starts them, and raises token and contract on the network unless they stand already.
    ///
    /// # Errors
    /// An address is taken, a state file does not read, the deployment is refused.
    pub async fn start(setting: &Setting, secrets: &Secrets, means: &Means) -> Result<Self, EmbeddedError> {
        let file = |name: &str| setting.folder.as_ref().map(|folder| folder.join(name));
        let clock = means.clock.clone();
        let seconds = Arc::new(move || u64::try_from(clock.now().timestamp()).unwrap_or(0));
        let options = Options {
            listen: setting.stellar_listen,
            state_file: file("network.json"),
            ..Options::new(seconds)
        };
        let network = amana_localnet::start(options).await?;
        let (deployed, anchor) = raise(&network.url(), secrets, means).await?;
        let fee = Money::new(Asset::Kes, RAIL_FEE);
        let fee = fee.map_err(|error| EmbeddedError::Setting(error.to_string()))?;
        let rail = intersend::sim::Options {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            key: secrets.rail_key.clone(),
            secret: secrets.rail_secret.clone(),
            callback_url: setting.api_url.as_deref().map(news_url),
            float: setting.rail_float,
            fee: Some(fee),
            pace: setting.pace,
            state_file: file("intersend.json"),
        };
        let rail = intersend::sim::Sim::start(rail, means.http.clone(), means.clock.clone()).await?;
        let texts = africastalking::sim::Options {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            username: USERNAME.to_owned(),
            key: secrets.text_key.clone(),
            report_url: None,
            pace: setting.pace,
        };
        let texts = africastalking::sim::Sim::start(texts, means.http.clone(), means.clock.clone()).await?;
        let daraja = desk(secrets, means, setting.pace).await?;
        Ok(Self { network, deployed, anchor, rail, texts, daraja, api_url: setting.api_url.clone() })
    }

    /// Tells our side where the others are, in the words of its environment.
    pub fn describe(&self, secrets: &Secrets, environment: &mut Environment) {
        let channels: Vec<String> = secrets.channels.iter().map(Keypair::reveal).collect();
        let words = [
            ("AMANA_MASTER_KEY", secrets.master_key.expose().to_owned()),
            ("AMANA_CHECKPOINT_SECRET", secrets.checkpoint.expose().to_owned()),
            ("STELLAR_RPC_URL", self.network.url()),
            ("STELLAR_NETWORK_PASSPHRASE", STANDALONE_PASSPHRASE.to_owned()),
            ("STELLAR_CONTRACT_SERVICE_URL", String::new()),
            ("STELLAR_CONTRACT_API_KEY", secrets.api_key.expose().to_owned()),
            ("AMANA_STELLAR_CONTRACT", self.deployed.contract.clone()),
            ("AMANA_STELLAR_TOKEN", self.deployed.token.clone()),
            ("AMANA_STELLAR_ANCHOR_CONTRACT_ID", self.anchor.clone()),
            ("AMANA_STELLAR_OPERATOR_SECRET", secrets.operator.reveal()),
            ("AMANA_STELLAR_DELEGATE_SECRET", secrets.delegate.reveal()),
            ("AMANA_STELLAR_CHANNEL_SECRETS", channels.join(",")),
            ("INTERSEND_API_URL", self.rail.url()),
            ("INTERSEND_API_KEY", secrets.rail_key.expose().to_owned()),
            ("INTERSEND_API_SECRET", secrets.rail_secret.expose().to_owned()),
            ("AMANA_AFRICASTALKING_URL", self.texts.url()),
            ("AMANA_AFRICASTALKING_USERNAME", USERNAME.to_owned()),
            ("AMANA_AFRICASTALKING_API_KEY", secrets.text_key.expose().to_owned()),
        ];
        for (name, value) in words {
            environment.set(name, value);
        }
        if let Some(url) = &self.api_url {
            self.describe_daraja(secrets, url, environment);
        }
    }

    /// Tells our side where Daraja is, and Daraja's answers where we are.
    pub fn describe_daraja(&self, secrets: &Secrets, api_url: &str, environment: &mut Environment) {
        let words = [
            ("AMANA_DARAJA_URL", self.daraja.url()),
            ("AMANA_DARAJA_KEY", secrets.rail_key.expose().to_owned()),
            ("AMANA_DARAJA_SECRET", secrets.rail_secret.expose().to_owned()),
            ("AMANA_DARAJA_PASSKEY", secrets.text_key.expose().to_owned()),
            ("AMANA_DARAJA_INITIATOR", INITIATOR.to_owned()),
            ("AMANA_DARAJA_INITIATOR_PASSWORD", secrets.rail_secret.expose().to_owned()),
            ("AMANA_DARAJA_CERTIFICATE", self.daraja.certificate()),
            ("AMANA_PUBLIC_URL", api_url.to_owned()),
        ];
        for (name, value) in words {
            environment.set(name, value);
        }
    }

    /// Tells the arbiter where the chain is, with its own keys and no others.
    pub fn describe_arbiter(&self, secrets: &Secrets, environment: &mut Environment) {
        let words = [
            ("STELLAR_RPC_URL", self.network.url()),
            ("STELLAR_NETWORK_PASSPHRASE", STANDALONE_PASSPHRASE.to_owned()),
            ("AMANA_STELLAR_CONTRACT", self.deployed.contract.clone()),
            ("AMANA_STELLAR_TOKEN", self.deployed.token.clone()),
            ("AMANA_STELLAR_ARBITER_SECRET", secrets.arbiter.reveal()),
            ("AMANA_STELLAR_CHANNEL_SECRETS", secrets.arbiter_channel.reveal()),
        ];
        for (name, value) in words {
            environment.set(name, value);
        }
    }

    /// Stops them; the network saves its state where it has a place for it.
    ///
    /// # Errors
    /// The state cannot be saved.
    pub async fn stop(self) -> Result<(), EmbeddedError> {
        drop((self.rail, self.texts, self.daraja));
        Ok(self.network.shutdown().await?)
    }
}

/// Daraja's simulator.
///
/// # Errors
/// The socket cannot be had.
pub async fn desk(secrets: &Secrets, means: &Means, pace: Duration) -> std::io::Result<mpesa::sim::Sim> {
    let options = mpesa::sim::Options {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        key: secrets.rail_key.clone(),
        secret: secrets.rail_secret.clone(),
        shortcode: SHORTCODE.to_owned(),
        passkey: secrets.text_key.clone(),
        initiator: (INITIATOR.to_owned(), secrets.rail_secret.clone()),
        opening: 0,
        pace,
    };
    mpesa::sim::Sim::start(options, means.http.clone(), means.clock.clone()).await
}

/// Where the rail's news comes in at an API.
pub fn news_url(api_url: &str) -> String {
    format!("{api_url}/api/callbacks/payouts/intersend/")
}

/// Token, contracts and channels on the network at `url`; quick when they stand already. With the deployment,
/// the anchor contract's address.
async fn raise(url: &str, secrets: &Secrets, means: &Means) -> Result<(Deployed, String), EmbeddedError> {
    let site = Site::new(means.http.clone(), url, STANDALONE_PASSPHRASE, means.rng.clone());
    let roles = Roles {
        admin: secrets.admin.clone(),
        operator: secrets.operator.address(),
        delegate: secrets.delegate.address(),
        arbiter: secrets.arbiter.address(),
    };
    let plan = Plan {
        asset_code: Asset::Kes.code(),
        exponent: Asset::Kes.exponent(),
        issuer: &secrets.issuer,
        deployer: &secrets.deployer,
        salt: [0; 32],
        roles,
        wasm: WASM,
        purse: Purse::Friendbot,
    };
    let deployed = deploy(&site, &plan).await?;
    let plan = anchor::Plan {
        operator: secrets.operator.address(),
        deployer: &secrets.deployer,
        salt: [1; 32],
        wasm: ANCHOR_WASM,
        purse: Purse::Friendbot,
    };
    let anchor = anchor::deploy(&site, &plan).await?;
    fund_channels(&site, Purse::Friendbot, &secrets.channels).await?;
    fund_channels(&site, Purse::Friendbot, std::slice::from_ref(&secrets.arbiter_channel)).await?;
    Ok((deployed, anchor))
}
