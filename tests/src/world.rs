//! One world a test: a fresh database, an embedded network with token and contract, simulated rails, and the gateway
//! itself, under a clock that moves only when told and chance that repeats.
//!
//! Invariant: nothing here outlives the world, and no two worlds share anything but the Postgres process.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use amana_adapters::africastalking::sim as texts;
use amana_adapters::http::{Client, Limits};
use amana_adapters::intersend::sim as rail;
use amana_adapters::port::Secret;
use amana_adapters::stellar::Keypair;
use amana_adapters::stellar::deploy::{Deployed, Plan, Purse, Roles, Site, deploy, fund_channels};
use amana_gateway::app::App;
use amana_gateway::config::{Config, Environment, Rails};
use amana_gateway::db::{Db, Fuse};
use amana_gateway::worker;
use amana_ledger::id::{Clock, Rng};
use amana_ledger::money::{Asset, Money};
use amana_localnet::Localnet;
use chrono::{DateTime, TimeDelta, Utc};
use rand::{RngCore, SeedableRng, rngs::StdRng};

use crate::pg::Database;

/// The escrow's code, as the gateway ships it.
pub const ESCROW_WASM: &[u8] = include_bytes!("../../contracts/escrow/escrow.wasm");

/// Opening capital on the payout rail, minor units: what the rail's simulator starts with.
pub const RAIL_FLOAT: i64 = 10_000_000_000;

/// A clock that moves only when told.
pub struct Hands(AtomicI64);

impl Hands {
    /// Starts on a working morning.
    pub fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(1_795_161_600_000)))
    }

    /// Moves on.
    pub fn advance(&self, by: TimeDelta) {
        self.0.fetch_add(by.num_milliseconds(), Ordering::SeqCst);
    }
}

impl Clock for Hands {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0.load(Ordering::SeqCst)).expect("a time")
    }
}

/// Chance that repeats: the same seed, the same world.
pub struct Dice(Mutex<StdRng>);

impl Dice {
    /// From a seed.
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(StdRng::seed_from_u64(seed))))
    }
}

impl Rng for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().expect("nobody panics holding the dice").fill_bytes(bytes);
    }
}

static SEED: AtomicU64 = AtomicU64::new(1);

/// The world.
pub struct World {
    /// Its database.
    pub database: Database,
    /// Its clock.
    pub clock: Arc<Hands>,
    /// Its chance.
    pub dice: Arc<Dice>,
    /// The chain.
    pub chain: Localnet,
    /// What stands on the chain.
    pub deployed: Deployed,
    /// The payout rail.
    pub rail: rail::Sim,
    /// The vendor of text messages.
    pub texts: texts::Sim,
    /// The gateway.
    pub app: Arc<App>,
    config: Config,
}

impl World {
    /// A world of its own.
    pub async fn new() -> Self {
        Self::seeded(SEED.fetch_add(1, Ordering::Relaxed)).await
    }

    /// The same world each time.
    pub async fn seeded(seed: u64) -> Self {
        let (clock, dice) = (Hands::new(), Dice::new(seed));
        let http = Client::new(Limits::default(), dice.clone()).expect("an http client");
        let (database, chain) = tokio::join!(Database::fresh(), network(&clock));
        let keys = Keys::cast(&dice);
        let deployed = raise(&http, &chain, &dice, &keys).await;
        let rail = rail(&http, &clock).await;
        let texts = vendor(&http, &clock).await;
        let config = config(&database, &chain, &deployed, &keys, (&rail, &texts));
        let db = Db::from_pool(database.app.clone());
        let app = App::wire(config.clone(), db, clock.clone(), dice.clone()).expect("the gateway is wired");
        worker::prepare(&app).await.expect("the books are open");
        Self { database, clock, dice, chain, deployed, rail, texts, app: Arc::new(app), config }
    }

    /// The same gateway, as if its process had been started anew, dying as `fuse` says.
    pub fn restarted(&self, fuse: Option<Arc<Fuse>>) -> Arc<App> {
        let db = Db::from_pool(self.database.app.clone());
        let db = match fuse {
            Some(fuse) => db.with_fuse(fuse),
            None => db,
        };
        let app = App::wire(self.config.clone(), db, self.clock.clone(), self.dice.clone());
        Arc::new(app.expect("the gateway is wired"))
    }

    /// Lets the worker do all that is due.
    pub async fn settle(&self) {
        worker::run_until_idle(&self.app).await.expect("the worker has no trouble");
    }

    /// Moves the clock and lets the worker do what falls due meanwhile.
    pub async fn wait(&self, by: TimeDelta) {
        self.clock.advance(by);
        self.settle().await;
    }
}

struct Keys {
    issuer: Keypair,
    deployer: Keypair,
    admin: Keypair,
    operator: Keypair,
    delegate: Keypair,
    arbiter: Keypair,
    channels: Vec<Keypair>,
}

impl Keys {
    fn cast(dice: &Dice) -> Self {
        let key = || {
            let mut seed = [0; 32];
            dice.fill(&mut seed);
            Keypair::from_seed(seed)
        };
        Self {
            issuer: key(),
            deployer: key(),
            admin: key(),
            operator: key(),
            delegate: key(),
            arbiter: key(),
            channels: vec![key(), key()],
        }
    }
}

async fn network(clock: &Arc<Hands>) -> Localnet {
    let hands = clock.clone();
    let seconds = move || u64::try_from(hands.now().timestamp()).expect("after 1970");
    let options = amana_localnet::Options::new(Arc::new(seconds));
    amana_localnet::start(options).await.expect("the network starts")
}

async fn raise(http: &Client, chain: &Localnet, dice: &Arc<Dice>, keys: &Keys) -> Deployed {
    let site = Site::new(http.clone(), &chain.url(), amana_localnet::STANDALONE_PASSPHRASE, dice.clone());
    let plan = Plan {
        asset_code: "KES",
        exponent: 2,
        issuer: &keys.issuer,
        deployer: &keys.deployer,
        salt: [7; 32],
        roles: Roles {
            admin: keys.admin.address(),
            operator: keys.operator.address(),
            delegate: keys.delegate.address(),
            arbiter: keys.arbiter.address(),
        },
        wasm: ESCROW_WASM,
        purse: Purse::Friendbot,
    };
    let deployed = deploy(&site, &plan).await.expect("token and contract are raised");
    fund_channels(&site, Purse::Friendbot, &keys.channels).await.expect("the channels are funded");
    deployed
}

fn anywhere() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

const RAIL_KEY: &str = "rail-key-of-this-world";
const RAIL_SECRET: &str = "rail-secret-of-this-world";
const TEXT_KEY: &str = "text-key-of-this-world";

async fn rail(http: &Client, clock: &Arc<Hands>) -> rail::Sim {
    let options = rail::Options {
        listen: anywhere(),
        key: Secret::new(RAIL_KEY),
        secret: Secret::new(RAIL_SECRET),
        callback_url: None,
        float: Money::new(Asset::Kes, RAIL_FLOAT).expect("money"),
        fee: Some(Money::new(Asset::Kes, 1_500).expect("money")),
        pace: Duration::from_millis(1),
        state_file: None,
    };
    rail::Sim::start(options, http.clone(), clock.clone()).await.expect("the rail starts")
}

async fn vendor(http: &Client, clock: &Arc<Hands>) -> texts::Sim {
    let options = texts::Options {
        listen: anywhere(),
        username: "amana".into(),
        key: Secret::new(TEXT_KEY),
        report_url: None,
        pace: Duration::from_millis(1),
    };
    texts::Sim::start(options, http.clone(), clock.clone()).await.expect("the vendor starts")
}

fn config(
    database: &Database,
    chain: &Localnet,
    deployed: &Deployed,
    keys: &Keys,
    (rail, texts): (&rail::Sim, &texts::Sim),
) -> Config {
    let channels: Vec<String> = keys.channels.iter().map(Keypair::reveal).collect();
    let set = [
        ("DATABASE_URL", database.app_url()),
        ("AMANA_MASTER_KEY", "42".repeat(32)),
        ("AMANA_MPESA_SHORTCODE", "600111".into()),
        ("STELLAR_RPC_URL", chain.url()),
        ("STELLAR_NETWORK_PASSPHRASE", amana_localnet::STANDALONE_PASSPHRASE.into()),
        ("AMANA_STELLAR_CONTRACT", deployed.contract.clone()),
        ("AMANA_STELLAR_TOKEN", deployed.token.clone()),
        ("AMANA_STELLAR_OPERATOR_SECRET", keys.operator.reveal()),
        ("AMANA_STELLAR_DELEGATE_SECRET", keys.delegate.reveal()),
        ("AMANA_STELLAR_CHANNEL_SECRETS", channels.join(",")),
        ("STELLAR_CONTRACT_API_KEY", "escrow-key-of-this-world".into()),
        ("INTERSEND_API_URL", rail.url()),
        ("INTERSEND_API_KEY", RAIL_KEY.into()),
        ("INTERSEND_API_SECRET", RAIL_SECRET.into()),
        ("AMANA_AFRICASTALKING_URL", texts.url()),
        ("AMANA_AFRICASTALKING_USERNAME", "amana".into()),
        ("AMANA_AFRICASTALKING_API_KEY", TEXT_KEY.into()),
        ("AMANA_USSD_TOKEN", "ussd-token-of-this-world".into()),
    ];
    let set = set.into_iter().map(|(name, value)| (name.to_owned(), value));
    Config::read(&set.collect::<Environment>(), Rails::Simulated).expect("the configuration reads")
}
