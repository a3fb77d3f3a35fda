//! One binary, `amana`, whose roles are words. The only wiring, and the only place where time and chance are
//! made.

use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;

use amana_adapters::http;
use amana_gateway::app::App;
use amana_gateway::config::{self, Config, Environment, Rails};
use amana_gateway::db::{Db, MIGRATIONS};
use amana_gateway::embedded::people::LOG_INS;
use amana_gateway::embedded::{self, Home, Means};
use amana_gateway::people as persons;
use amana_gateway::roles::audit;
use amana_gateway::roles::bundle;
use amana_gateway::roles::demo;
use amana_gateway::roles::export;
use amana_gateway::roles::rebuild;
use amana_gateway::roles::serve::{Listeners, Serving};
use amana_gateway::roles::standalone::{Addresses, Standalone};
use amana_gateway::roles::verify;
use amana_gateway::worker;
use amana_gateway::worker::arbiter::Arbiter;
use amana_ledger::id::{Clock, Rng};
use amana_ledger::money::{Asset, Money};
use chrono::{DateTime, SubsecRound, Utc};
use clap::{Parser, Subcommand};
use rand::RngCore;
use tokio::signal::unix::{SignalKind, signal};

/// Whatever stopped us, to be said once on the way out.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A ledger, an escrow on chain, and the doors between them and mobile money.
#[derive(Parser)]
#[command(name = "amana", version)]
struct Arguments {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Answers requests and works on what came in, until told to stop.
    #[command(after_help = config::plain_text())]
    Serve {
        /// Brings everything along: Postgres, a local Stellar network, simulators of the rails, demo users.
        #[arg(long)]
        embedded: bool,
    },
    /// Carries decided disputes to the chain until told to stop. It alone has the arbiter's key.
    Arbiter,
    /// Brings the database up to date, as its owner.
    Migrate,
    /// Plays the main job end to end on this machine and prints the money story.
    Demo,
    /// Checks that the books are sound; exits 1 if they are not.
    Audit {
        #[command(subcommand)]
        of: Option<audit::Of>,
    },
    /// Writes a stretch of a book's journal with its proofs, for `amana verify`. Needs DATABASE_URL and
    /// AMANA_CHECKPOINT_SECRET.
    Bundle(bundle::Order),
    /// Checks a bundle of the journal, offline; exits 1 if it does not prove what it claims.
    Verify {
        /// The bundle.
        file: PathBuf,
        /// The issuer's key, as published; without it the file's own is taken.
        #[arg(long)]
        key: Option<String>,
        #[command(flatten)]
        chain: verify::Chain,
    },
    /// Makes all balances anew from the journal and compares them; exits 1 if one differs.
    Rebuild(rebuild::Order),
    /// Writes a book's journal for other programs, whatever its size. Needs DATABASE_URL and nothing else.
    #[command(after_help = export::HELP)]
    Export(export::Order),
    /// Prints the version.
    Version,
}

/// The machine's time, to the microsecond: that is what Postgres keeps.
struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where time is read")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(6)
    }
}

/// The machine's chance. Without it there are no keys and no ids, so its failure ends the process.
struct SystemRng;

impl Rng for SystemRng {
    fn fill(&self, bytes: &mut [u8]) {
        rand::rand_core::UnwrapErr(rand::rngs::OsRng).fill_bytes(bytes);
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments.role, Environment::of_process()).await {
        Ok(code) => code,
        Err(failure) => {
            say_wrong(&failure.to_string());
            ExitCode::FAILURE
        }
    }
}

async fn run(role: Role, environment: Environment) -> Result<ExitCode, Failure> {
    // These screens are for a story and for files.
    let usual =
        if matches!(role, Role::Demo | Role::Export(_) | Role::Audit { .. }) { "error" } else { "info" };
    log(config::log_filter(&environment).unwrap_or(usual))?;
    match role {
        Role::Serve { embedded: false } => serve(&environment).await?,
        Role::Serve { embedded: true } => serve_embedded(environment).await?,
        Role::Arbiter => arbitrate(&environment).await?,
        Role::Migrate => {
            let url = config::migrate_url(&environment)?;
            MIGRATIONS.run(Db::connect(url.expose(), 1).await?.pool()).await?;
        }
        Role::Demo => play().await?,
        Role::Audit { of: None } => return sound(&environment).await,
        Role::Audit { of: Some(audit::Of::Chain(order)) } => {
            let (text, clean) = audit::chain(&environment, &order, means()?.http).await?;
            say(&text);
            return Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Role::Bundle(order) => {
            let secret = config::checkpoint_secret(&environment)?;
            let db = Db::connect(config::database_url(&environment)?.expose(), 1).await?;
            say(&bundle::write(&db, &SystemClock, secret, &order).await?);
        }
        Role::Verify { file, key, chain } => {
            let (text, good) = verify::look(&file, key.as_deref(), &chain)?;
            say(&text);
            return Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Role::Rebuild(order) => {
            let db = Db::connect(config::database_url(&environment)?.expose(), 2).await?;
            let same = rebuild::compare(&db, &order, say).await?;
            return Ok(if same { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Role::Export(order) => write_out(&environment, &order).await?,
        Role::Version => say(env!("CARGO_PKG_VERSION")),
    }
    Ok(ExitCode::SUCCESS)
}

/// JSON lines on stderr, so that stdout is for people.
fn log(filter: &str) -> Result<(), Failure> {
    let filter = tracing_subscriber::EnvFilter::try_new(filter);
    let filter = filter.map_err(|error| format!("AMANA_LOG: {error}"))?;
    tracing_subscriber::fmt().json().with_writer(std::io::stderr).with_env_filter(filter).init();
    Ok(())
}

fn means() -> Result<Means, Failure> {
    let rng: Arc<dyn Rng> = Arc::new(SystemRng);
    let http = http::Client::new(http::Limits::default(), rng.clone())?;
    Ok(Means { clock: Arc::new(SystemClock), http, rng })
}

async fn serve(environment: &Environment) -> Result<(), Failure> {
    let config = Config::read(environment, Rails::Real)?;
    let listeners = Listeners::bind(config.listen, config.escrow_listen).await?;
    let stop = stop_signal()?;
    let Means { clock, rng, .. } = means()?;
    let db = Db::connect(config.database_url.expose(), config.database_connections).await?;
    let app = Arc::new(App::wire(config, db, clock, rng)?);
    worker::fits(&app).await?;
    worker::prepare(&app).await?;
    let serving = Serving::start(&app, listeners).with_worker(&app);
    tracing::info!("serving");
    stop.await;
    serving.stop().await;
    Ok(())
}

async fn arbitrate(environment: &Environment) -> Result<(), Failure> {
    let config = config::Arbiter::read(environment)?;
    let stop = stop_signal()?;
    let Means { clock, rng, http } = means()?;
    let db = Db::connect(config.database_url.expose(), 2).await?;
    let arbiter = Arc::new(Arbiter::wire(config, (db, http), clock, rng)?);
    arbiter.fits().await?;
    arbiter.prepare().await?;
    let working = worker::arbitrate(&arbiter);
    tracing::info!("deciding");
    stop.await;
    working.stop().await;
    Ok(())
}

async fn serve_embedded(environment: Environment) -> Result<(), Failure> {
    let at = config::Embedded::read(&environment)?;
    for name in config::overruled(&environment) {
        tracing::warn!("{name} is set and not used: --embedded brings its own");
    }
    let folder = at.data_dir.unwrap_or_else(|| embedded::default_folder(at.user_data.as_deref()));
    let addresses = Addresses { api: at.listen, escrow: at.escrow_listen, stellar: at.stellar_listen };
    let (home, means) = (Home::Kept(folder.clone()), means()?);
    let mut stop = stop_signal()?;
    let deployment = tokio::select! {
        deployment = Standalone::start(&home, addresses, environment, &means) => deployment?,
        () = &mut stop => return Ok(()),
    };
    let urls = (deployment.api_url.as_str(), deployment.escrow_url.as_str());
    say(&deployment.stack.welcome(&folder, urls, addresses.are_open()));
    stop.await;
    say("stopping");
    Ok(deployment.stop().await?)
}

/// The demo's deployment is its own, wherever there is room, whatever the environment says, and gone
/// afterwards.
async fn play() -> Result<(), Failure> {
    let means = means()?;
    let mut stop = stop_signal()?;
    let environment = Environment::default();
    let temporary = Standalone::start(&Home::Temporary, Addresses::anywhere(), environment, &means);
    let deployment = tokio::select! {
        deployment = temporary => deployment?,
        () = &mut stop => return Err("interrupted".into()),
    };
    let log_in = |role| {
        let found = LOG_INS.iter().find(|one| one.role == role);
        found.map(|one| (one.phone_number, one.password)).unwrap_or_default()
    };
    let top_up = |minor| {
        if let Ok(money) = Money::new(Asset::Kes, minor) {
            deployment.stack.sides.rail.top_up(money);
        }
    };
    let stage = demo::Stage {
        api: &deployment.api_url,
        http: means.http.clone(),
        finance: log_in(persons::Role::Finance),
        auditor: log_in(persons::Role::Auditor),
        top_up: &top_up,
    };
    let told = tokio::select! {
        told = demo::play(&stage) => told.map_err(Failure::from),
        () = &mut stop => Err("interrupted".into()),
    };
    deployment.stop().await?;
    say(&told?);
    Ok(())
}

async fn sound(environment: &Environment) -> Result<ExitCode, Failure> {
    let url = config::database_url(environment)?;
    let db = Db::connect(url.expose(), 1).await?;
    let mut tx = db.begin().await?;
    let report = amana_ledger::audit::audit(&mut tx).await?;
    for check in &report.checks {
        say(&format!("{} {}: {}", if check.ok { "ok  " } else { "FAIL" }, check.name, check.detail));
    }
    Ok(if report.ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn write_out(environment: &Environment, order: &export::Order) -> Result<(), Failure> {
    let url = config::database_url(environment)?;
    Ok(export::export(&Db::connect(url.expose(), 1).await?, order).await?)
}

/// Resolves when somebody wants us to end. Listens from the call on, not only from the first wait.
fn stop_signal() -> Result<Pin<Box<dyn Future<Output = ()>>>, Failure> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(Box::pin(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }))
}

#[expect(clippy::disallowed_macros, reason = "what a person at the terminal asked for")]
fn say(text: &str) {
    println!("{text}");
}

#[expect(clippy::disallowed_macros, reason = "the last word before we end")]
fn say_wrong(text: &str) {
    eprintln!("amana: {text}");
}
