//! One world a test: a fresh database, an embedded network with token and contract, simulated rails, and the
//! gateway itself, under a clock that moves only when told and chance that repeats.
//!
//! Invariant: nothing here outlives the world, and no two worlds share anything but the Postgres process.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use amana_adapters::africastalking::sim as texts;
use amana_adapters::http::{Client, Limits};
use amana_adapters::intersend::sim as rail;
use amana_adapters::mpesa::sim as desk;
use amana_adapters::stellar::deploy::Deployed;
use amana_gateway::app::App;
use amana_gateway::config::{self, Config, Environment, Rails};
use amana_gateway::db::{Db, Fuse};
use amana_gateway::embedded::{Means, Secrets, Setting, Sides};
use amana_gateway::http;
use amana_gateway::worker;
use amana_gateway::worker::arbiter::Arbiter;
use amana_ledger::id::{Clock, Rng};
use amana_ledger::money::{Asset, Money};
use amana_localnet::Localnet;
use chrono::{DateTime, TimeDelta, Utc};
use rand::{RngCore, SeedableRng, rngs::StdRng};

use tokio::net::TcpListener;

use crate::pg::Database;

/// Opening capital on the payout rail, minor units: what the rail's simulator starts with.
pub const RAIL_FLOAT: i64 = 10_000_000_000;

/// A clock that moves only when told.
pub struct Hands(AtomicI64);

impl Hands {
    /// Starts on a working morning.
    pub fn new() -> Arc<Self> {
        Self::at(1_795_161_600_000)
    }

    /// Starts at this instant, milliseconds of the Unix epoch.
    pub fn at(millis: i64) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(millis)))
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
    /// Daraja.
    pub daraja: desk::Sim,
    /// The gateway.
    pub app: Arc<App>,
    /// Where its doors stand open, if they do.
    pub url: Option<String>,
    config: Config,
    arbiter: config::Arbiter,
    pub(crate) http: Client,
}

impl World {
    /// A world of its own.
    pub async fn new() -> Self {
        Self::seeded(SEED.fetch_add(1, Ordering::Relaxed)).await
    }

    /// The same world each time.
    pub async fn seeded(seed: u64) -> Self {
        Self::built(seed, None, |_| ()).await
    }

    /// A world whose gateway is configured otherwise.
    pub async fn with(change: impl FnOnce(&mut Environment)) -> Self {
        Self::built(SEED.fetch_add(1, Ordering::Relaxed), None, change).await
    }

    /// A world that asks Daraja, and whose doors stand open for the answers.
    pub async fn asking(change: impl FnOnce(&mut Environment)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let world = Self::built(SEED.fetch_add(1, Ordering::Relaxed), Some(&url), change).await;
        let router = http::router(world.app.clone()).into_make_service_with_connect_info::<SocketAddr>();
        // It ends with the runtime, which is the test's own.
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url: Some(url), ..world }
    }

    async fn built(seed: u64, public_url: Option<&str>, change: impl FnOnce(&mut Environment)) -> Self {
        let (clock, dice) = (Hands::new(), Dice::new(seed));
        let http = client(&dice);
        let secrets = Secrets::fresh(dice.as_ref()).expect("secrets kept nowhere");
        let means = Means { clock: clock.clone(), rng: dice.clone(), http };
        let setting = setting();
        let (database, sides) = tokio::join!(Database::fresh(), Sides::start(&setting, &secrets, &means));
        let sides = sides.expect("the other sides start");
        let mut environment = Environment::default();
        sides.describe(&secrets, &mut environment);
        if let Some(url) = public_url {
            sides.describe_daraja(&secrets, url, &mut environment);
        }
        change(&mut environment);
        let world = Self::wired((clock, dice, means.http), database, sides, &secrets, environment);
        worker::prepare(&world.app).await.expect("the books are open");
        world
    }

    /// The gateway between these sides and on this database.
    pub(crate) fn wired(
        (clock, dice, http): (Arc<Hands>, Arc<Dice>, Client),
        database: Database,
        sides: Sides,
        secrets: &Secrets,
        mut environment: Environment,
    ) -> Self {
        let mut deciding = Environment::default();
        deciding.set("DATABASE_URL", database.app_url());
        sides.describe_arbiter(secrets, &mut deciding);
        let arbiter = config::Arbiter::read(&deciding).expect("the arbiter's configuration reads");
        environment.set("DATABASE_URL", database.app_url());
        let config = Config::read(&environment, Rails::Simulated).expect("the configuration reads");
        let Sides { network: chain, deployed, rail, texts, daraja, .. } = sides;
        let db = Db::from_pool(database.app.clone());
        let app = App::wire_with(http.clone(), config.clone(), db, clock.clone(), dice.clone());
        let (app, url) = (Arc::new(app.expect("the gateway is wired")), None);
        Self { database, clock, dice, chain, deployed, rail, texts, daraja, app, url, config, arbiter, http }
    }

    /// The same gateway, as if its process had been started anew, dying as `fuse` says.
    pub fn restarted(&self, fuse: Option<Arc<Fuse>>) -> Arc<App> {
        let db = Db::from_pool(self.database.app.clone());
        self.on(match fuse {
            Some(fuse) => db.with_fuse(fuse),
            None => db,
        })
    }

    /// The same gateway in a new process that reaches the database so.
    pub fn on(&self, db: Db) -> Arc<App> {
        let (clock, dice) = (self.clock.clone(), self.dice.clone());
        let app = App::wire_with(self.http.clone(), self.config.clone(), db, clock, dice);
        Arc::new(app.expect("the gateway is wired"))
    }

    /// The one who decides disputes, as a process of its own that dies as `fuse` says.
    pub async fn arbiter(&self, fuse: Option<Arc<Fuse>>) -> Arbiter {
        let db = Db::from_pool(self.database.app.clone());
        self.arbiter_on(db.clone()).prepare().await.expect("its channel is known");
        self.arbiter_on(fuse.map_or_else(|| db.clone(), |fuse| db.with_fuse(fuse)))
    }

    /// The one who decides disputes, in a new process that reaches the database so.
    pub fn arbiter_on(&self, db: Db) -> Arbiter {
        let (means, clock, dice) = ((db, self.http.clone()), self.clock.clone(), self.dice.clone());
        Arbiter::wire(self.arbiter.clone(), means, clock, dice).expect("the arbiter is wired")
    }

    /// Lets the arbiter, and then the worker, do all that is due.
    pub async fn arbitrate(&self) {
        let arbiter = self.arbiter(None).await;
        while arbiter.step().await.expect("the arbiter has no trouble") {}
        self.settle().await;
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

    /// Clears everything away, for who makes a thousand worlds.
    pub async fn leave(self) {
        let Self { database, chain, .. } = self;
        chain.shutdown().await.expect("nothing is to be saved");
        database.remove().await;
    }

    /// Lets days go by. The network shows ten thousand ledgers a page, half a day, and forgets after a week.
    pub async fn days(&self, days: i64) {
        for _ in 0..days {
            self.wait(TimeDelta::days(1)).await;
            for _ in 0..3 {
                self.settle().await;
            }
        }
    }
}

/// A client that does not pause before it asks again: nothing here gets well by waiting.
pub(crate) fn client(dice: &Arc<Dice>) -> Client {
    let limits = Limits { pause: Duration::ZERO, ..Limits::default() };
    Client::new(limits, dice.clone()).expect("an http client")
}

/// Everything listens where there is room; the rail is quick, rich, and mute until it is told where to call.
pub(crate) fn setting() -> Setting {
    Setting {
        stellar_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        folder: None,
        api_url: None,
        rail_float: Money::new(Asset::Kes, RAIL_FLOAT).expect("money"),
        pace: Duration::from_millis(1),
    }
}
