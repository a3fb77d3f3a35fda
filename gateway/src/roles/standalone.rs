//! A whole deployment in one process: everything embedded, and the gateway that serves before it.
//!
//! Invariant: what it starts it stops, in the opposite order; a start that fails half-way leaves nothing.
//! The arbiter is raised from an environment of its own, with a pool and a channel of its own: what serves is
//! given no way to its key. One process's memory is one memory all the same; in earnest it is
//! `amana arbiter`, elsewhere.

use std::net::SocketAddr;
use std::sync::Arc;

use amana_ledger::money::{Asset, Money};

use super::serve::{Listeners, Serving};
use crate::app::App;
use crate::config::{self, Config, ConfigError, Environment};
use crate::db::Db;
use crate::embedded::{self, Embedded, EmbeddedError, Home, Means, Setting, people};
use crate::error::{Error, Fault};
use crate::worker::arbiter::Arbiter;
use crate::worker::{self, Worker};

/// Where a deployment answers; port 0 takes a free one.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    /// The API.
    pub api: SocketAddr,
    /// The escrow service.
    pub escrow: SocketAddr,
    /// The local network.
    pub stellar: SocketAddr,
}

impl Addresses {
    /// Wherever this machine has room.
    pub fn anywhere() -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { api: any, escrow: any, stellar: any }
    }

    /// Whether others than this machine reach any of them.
    pub fn are_open(&self) -> bool {
        [self.api, self.escrow, self.stellar].iter().any(|address| !address.ip().is_loopback())
    }
}

/// Why it does not stand.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An embedded part.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// A variable of the operator's.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A port.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The gateway.
    #[error("{0}")]
    Gateway(#[from] Error),
}

impl From<Fault> for StartError {
    fn from(fault: Fault) -> Self {
        Self::Gateway(fault.into())
    }
}

/// A deployment that runs.
pub struct Standalone {
    /// The gateway's parts.
    pub app: Arc<App>,
    /// Everything embedded.
    pub stack: Embedded,
    /// Where the API answers.
    pub api_url: String,
    /// Where the escrow service answers.
    pub escrow_url: String,
    serving: Serving,
    arbiter: Worker,
}

impl Standalone {
    /// Brings everything up: people to log in as, the platform's opening capital, doors and worker.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(
        home: &Home,
        addresses: Addresses,
        environment: Environment,
        means: &Means,
    ) -> Result<Self, StartError> {
        let listeners = Listeners::bind(addresses.api, addresses.escrow).await?;
        let (api_url, escrow_url) = (listeners.api_url()?, listeners.escrow_url()?);
        let capital = Money::new(Asset::Kes, embedded::RAIL_FLOAT);
        let setting = Setting {
            stellar_listen: addresses.stellar,
            folder: None,
            api_url: Some(api_url.clone()),
            rail_float: capital.map_err(|error| EmbeddedError::Setting(error.to_string()))?,
            pace: embedded::PACE,
        };
        let stack = Embedded::start(home, setting, means).await?;
        let (environment, rails) = stack.environment(environment);
        let config = Config::read(&environment, rails)?;
        let db = Db::connect(config.database_url.expose(), config.database_connections).await?;
        let app = Arc::new(App::wire(config, db, means.clock.clone(), means.rng.clone())?);
        worker::prepare(&app).await?;
        people::settle_in(&app).await?;
        people::open_books(&app).await?;
        let arbiter = arbiter(&stack, means).await?;
        let serving = Serving::start(&app, listeners).with_worker(&app);
        Ok(Self { app, stack, api_url, escrow_url, serving, arbiter })
    }

    /// Stops doors, worker and everything behind them.
    ///
    /// # Errors
    /// The network's state cannot be saved; everything has stopped all the same.
    pub async fn stop(self) -> Result<(), EmbeddedError> {
        self.serving.stop().await;
        self.arbiter.stop().await;
        self.app.db.pool().close().await;
        self.stack.stop().await
    }
}

/// Starts who carries decisions. Its pool closes with it.
async fn arbiter(stack: &Embedded, means: &Means) -> Result<Worker, StartError> {
    let config = config::Arbiter::read(&stack.arbiter_environment())?;
    let db = Db::connect(config.database_url.expose(), 2).await?;
    let arbiter = Arbiter::wire(config, (db, means.http.clone()), means.clock.clone(), means.rng.clone())?;
    arbiter.prepare().await?;
    Ok(worker::arbitrate(&Arc::new(arbiter)))
}
