//! Everything `amana serve --embedded` brings along: a private Postgres, a local network, the other sides.
//!
//! Invariant: what it starts it stops, and nothing is left running. With a folder, everything it made is
//! there again at the next start; without one, everything is gone.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::Connection;
use sqlx::migrate::MigrateDatabase;

use crate::config::{Environment, Rails};
use crate::db::MIGRATIONS;

pub mod cluster;
pub mod people;
mod secrets;
mod sides;

pub use secrets::Secrets;
pub use sides::{ANCHOR_WASM, Means, Setting, Sides, WASM, desk, news_url};

use cluster::{Cluster, ClusterError};
use people::{LOG_INS, LogIn};

/// The one database in the private cluster.
const DATABASE: &str = "amana";

/// Why the embedded stack does not stand.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// Postgres.
    #[error("private postgres: {0}")]
    Cluster(#[from] ClusterError),
    /// Creating or migrating the database.
    #[error("private postgres: {0}")]
    Database(#[from] sqlx::Error),
    /// A migration.
    #[error("migrations: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The local network.
    #[error("local network: {0}")]
    Network(#[from] amana_localnet::StartError),
    /// Its state.
    #[error("local network: {0}")]
    Save(#[from] amana_localnet::SaveError),
    /// Token and contract.
    #[error("deployment: {0}")]
    Deploy(#[from] amana_adapters::stellar::deploy::DeployFault),
    /// A file or a socket.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// A constant of ours is not what it should be.
    #[error("setting: {0}")]
    Setting(String),
}

/// Where the embedded stack lives.
#[derive(Debug, Clone)]
pub enum Home {
    /// In this folder, for good.
    Kept(PathBuf),
    /// Nowhere: it is gone with the process.
    Temporary,
}

/// The embedded stack, running: everything but the gateway itself.
pub struct Embedded {
    cluster: Cluster,
    /// The other sides.
    pub sides: Sides,
    secrets: Secrets,
}

impl Embedded {
    /// Brings everything up. `setting.folder` is where `home` says, whatever it was.
    ///
    /// # Errors
    /// See [`EmbeddedError`]; what was started is stopped again.
    pub async fn start(home: &Home, setting: Setting, means: &Means) -> Result<Self, EmbeddedError> {
        let (folder, secrets) = match home {
            Home::Kept(folder) => {
                std::fs::create_dir_all(folder)?;
                (Some(folder.clone()), Secrets::kept(&folder.join("secrets"), means.rng.as_ref())?)
            }
            Home::Temporary => (None, Secrets::fresh(means.rng.as_ref())?),
        };
        let place = folder.as_ref().map(|folder| folder.join("postgres"));
        let cluster = tokio::task::spawn_blocking(move || match place {
            Some(place) => Cluster::durable(&place),
            None => Cluster::temporary(),
        });
        let cluster = cluster.await.map_err(|error| EmbeddedError::Setting(error.to_string()))??;
        migrate(&cluster).await?;
        let setting = Setting { folder, ..setting };
        let sides = Sides::start(&setting, &secrets, means).await?;
        Ok(Self { cluster, sides, secrets })
    }

    /// The environment in which the gateway finds all of it; what `environment` said about these things is
    /// replaced.
    pub fn environment(&self, mut environment: Environment) -> (Environment, Rails) {
        environment.set("DATABASE_URL", self.cluster.url("amana_app", DATABASE));
        self.sides.describe(&self.secrets, &mut environment);
        (environment, Rails::Simulated)
    }

    /// The environment of the one who decides disputes: nothing of what serves is in it.
    pub fn arbiter_environment(&self) -> Environment {
        let mut environment = Environment::default();
        environment.set("DATABASE_URL", self.cluster.url("amana_app", DATABASE));
        self.sides.describe_arbiter(&self.secrets, &mut environment);
        environment
    }

    /// What to tell the person who started it: where everything answers, and who may log in.
    /// `open` if addresses beyond this machine reach it.
    pub fn welcome(&self, folder: &Path, (api, escrow): (&str, &str), open: bool) -> String {
        let mut out = format!(
            "\
Amana is ready. Everything here is a simulation; no money moves.

  API                {api}          documentation {api}/docs
  escrow service     {escrow}          API key in {folder}/secrets/stellar_contract_api_key
  Stellar RPC        {rpc}          contract {contract}
  text messages      {texts}
  paybill            POST {api}/api/callbacks/mpesa/deposit/
  data               {folder}

Log-ins (POST {api}/api/auth/login/):
",
            rpc = self.sides.network.url(),
            contract = self.sides.deployed.contract,
            texts = self.sides.texts.url(),
            folder = folder.display(),
        );
        for LogIn { role, phone_number, password } in LOG_INS {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "  {:<10} {phone_number}  {password}", role.word());
        }
        if open {
            out += "\nOthers than this machine can reach it: whoever does may log in as above,\n\
                    and may say that money came.\n";
        }
        out
    }

    /// Where `amana audit` and people reach the database, as its owner.
    pub fn database_url(&self) -> String {
        self.cluster.url("postgres", DATABASE)
    }

    /// Stops everything, the database last.
    ///
    /// # Errors
    /// The network's state cannot be saved; everything has stopped all the same.
    pub async fn stop(self) -> Result<(), EmbeddedError> {
        let saved = self.sides.stop().await;
        let cluster = self.cluster;
        // A thread that panicked has dropped the cluster, which stops it too.
        let _ = tokio::task::spawn_blocking(move || cluster.stop()).await;
        saved
    }
}

/// The folder for data where none is named: the system's for root, else the user's own.
pub fn default_folder(user_data: Option<&Path>) -> PathBuf {
    let system = Path::new("/var/lib/amana");
    let writable =
        std::fs::create_dir_all(system).is_ok() && std::fs::write(system.join(".probe"), "").is_ok();
    if writable {
        // Best effort: an empty file more or less.
        let _ = std::fs::remove_file(system.join(".probe"));
        return system.to_owned();
    }
    user_data.map_or_else(|| PathBuf::from("amana-data"), |folder| folder.join("amana"))
}

/// What the platform has parked at the payout rail at the start, KES minor units: its opening capital.
pub const RAIL_FLOAT: i64 = 100_000_000;

/// The pause of the rail before each piece of news, so that a person can watch a payout pass through its
/// states.
pub const PACE: Duration = Duration::from_millis(150);

/// The database, created if new, with every migration in it.
async fn migrate(cluster: &Cluster) -> Result<(), EmbeddedError> {
    let url = cluster.url("postgres", DATABASE);
    if !sqlx::Postgres::database_exists(&url).await? {
        sqlx::Postgres::create_database(&url).await?;
    }
    let mut owner = sqlx::PgConnection::connect(&url).await?;
    MIGRATIONS.run(&mut owner).await?;
    Ok(owner.close().await?)
}
