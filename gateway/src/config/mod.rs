//! The environment, read once and turned into types; whatever is wrong with it is named, all at once.
//!
//! Invariant: nothing else reads the environment. Secrets do not show in Debug. The keys of the contract's
//! admin and arbiter are never loaded here.
//! Absent: command-line options, which are words in `main.rs`.

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

use amana_adapters::stellar::Keypair;
use amana_ledger::chart::{BookId, Shortcode};

mod arbiter;
mod daraja;
mod site;
mod value;
mod variables;

pub use amana_adapters::port::Secret;

pub use arbiter::Arbiter;
pub use daraja::Daraja;
pub use site::{Site, rpc_url, site};
pub use value::{AllowList, MasterKey, Verify};
pub use variables::{Environment, Unset, VARIABLES, Variable, markdown, plain_text, variable};

/// Whether the other sides are companies or our simulators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rails {
    /// Companies: doors must not stand open.
    Real,
    /// Simulators on this machine.
    Simulated,
}

/// Everything that can be configured.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the API listens.
    pub listen: SocketAddr,
    /// Where the escrow service listens.
    pub escrow_listen: SocketAddr,
    /// Postgres, as the application.
    pub database_url: Secret,
    /// Connections to Postgres, at most.
    pub database_connections: u32,
    /// Wraps data keys.
    pub master_key: MasterKey,
    /// The book this process keeps.
    pub book: BookId,
    /// The seals on the book.
    pub checkpoints: Checkpoints,
    /// The platform's fee on what an escrow releases, in hundredths of a percent.
    pub escrow_fee_bps: u32,
    /// Log-ins.
    pub auth: Auth,
    /// Money in.
    pub mpesa: Mpesa,
    /// Daraja, where it is asked and not only heard.
    pub daraja: Option<Daraja>,
    /// The chain.
    pub stellar: Stellar,
    /// Money out.
    pub intersend: Intersend,
    /// Text messages and USSD.
    pub africastalking: AfricasTalking,
    /// Whether the other sides are simulators.
    pub rails: Rails,
}

/// The seals on the book.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    /// Signs them; none means that none are made.
    pub secret: Option<MasterKey>,
    /// Minutes from one to the next.
    pub every_min: NonZeroU32,
}

/// How long log-ins live.
#[derive(Debug, Clone)]
pub struct Auth {
    /// Seconds an access token lives.
    pub access_s: u32,
    /// Seconds a log-in lasts, however often its tokens are refreshed.
    pub refresh_s: u32,
}

/// The paybill, and whom we believe when money is said to have come.
#[derive(Debug, Clone)]
pub struct Mpesa {
    /// The paybill number.
    pub shortcode: Shortcode,
    /// Sources of callbacks; none means any.
    pub allow: Option<AllowList>,
    /// The secret in the callback's address; none means the open address.
    pub path_token: Option<Secret>,
    /// Proxies in front of us that are believed.
    pub trusted_hops: u8,
    /// Which confirmations wait until somebody has checked them.
    pub verify: Verify,
}

/// The network, the contract, and the keys that sign in daily work.
#[derive(Debug, Clone)]
pub struct Stellar {
    /// Stellar RPC.
    pub rpc_url: String,
    /// Which network.
    pub passphrase: String,
    /// The escrow contract (C…).
    pub contract: String,
    /// The token's asset contract (C…).
    pub token: String,
    /// The contract that keeps the book's checkpoints (C…); none, and none is anchored.
    pub anchor: Option<String>,
    /// Minutes from one anchor to the next.
    pub anchor_every_min: NonZeroU32,
    /// Signs deposits, vault, burns and checkpoints.
    pub operator: Keypair,
    /// Signs for employers without a key of their own.
    pub delegate: Keypair,
    /// Pay fees and carry sequence numbers.
    pub channels: Vec<Keypair>,
    /// Another host's escrow service.
    pub service_url: Option<String>,
    /// What a caller of the escrow service must show.
    pub api_key: Secret,
}

/// The payout rail.
#[derive(Debug, Clone)]
pub struct Intersend {
    /// Its address, without a trailing slash.
    pub url: String,
    /// Names us.
    pub key: Secret,
    /// Signs.
    pub secret: Secret,
}

/// Text messages out, USSD in.
#[derive(Debug, Clone)]
pub struct AfricasTalking {
    /// Its address, without a trailing slash.
    pub url: String,
    /// The account.
    pub username: String,
    /// Its key.
    pub api_key: Secret,
    /// The sender id shown.
    pub sender: Option<String>,
    /// The USSD gateway's credential.
    pub ussd_token: Option<Secret>,
}

/// What is wrong with the environment: every bad variable with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError(Vec<String>);

impl ConfigError {
    /// One line a problem.
    pub fn problems(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the environment is not right:\n  {}", self.0.join("\n  "))
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads the whole table.
    ///
    /// # Errors
    /// Everything that is missing, malformed, misspelt or unsafe, together.
    pub fn read(environment: &Environment, rails: Rails) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(environment);
        let config = reader.config(rails);
        reader.forbid_loaded(&["AMANA_STELLAR_ADMIN_SECRET", "AMANA_STELLAR_ARBITER_SECRET"], "serving");
        match config {
            Some(config) if reader.problems.is_empty() => Ok(config),
            _ => Err(ConfigError(reader.problems)),
        }
    }
}

/// Where `amana migrate` works: the owner's address, or else the application's.
///
/// # Errors
/// Neither is set, or it is no Postgres address.
pub fn migrate_url(environment: &Environment) -> Result<Secret, ConfigError> {
    let mut reader = Reader::new(environment);
    match reader.optional("AMANA_MIGRATE_DATABASE_URL", value::database) {
        Some(Some(url)) if reader.problems.is_empty() => Ok(url),
        _ if reader.problems.is_empty() => database_url(environment),
        _ => Err(ConfigError(reader.problems)),
    }
}

/// The application's Postgres, for the roles of the binary that need nothing else.
///
/// # Errors
/// It is not set, or it is no Postgres address.
pub fn database_url(environment: &Environment) -> Result<Secret, ConfigError> {
    let mut reader = Reader::new(environment);
    reader.get("DATABASE_URL", value::database).ok_or(ConfigError(reader.problems))
}

/// Who signs for a book, for the role of the binary that writes a bundle.
///
/// # Errors
/// It is not set, or no 32 bytes in hex.
pub fn checkpoint_secret(environment: &Environment) -> Result<MasterKey, ConfigError> {
    let mut reader = Reader::new(environment);
    let secret = reader.get("AMANA_CHECKPOINT_SECRET", MasterKey::parse);
    secret.ok_or(ConfigError(reader.problems))
}

/// What the embedded mode must know before it has brought up everything else.
#[derive(Debug, Clone)]
pub struct Embedded {
    /// Where data and secrets are kept; none means the default for whoever runs us.
    pub data_dir: Option<PathBuf>,
    /// Where the API listens.
    pub listen: SocketAddr,
    /// Where the escrow service listens.
    pub escrow_listen: SocketAddr,
    /// Where the local network listens.
    pub stellar_listen: SocketAddr,
    /// `$XDG_DATA_HOME`, or `~/.local/share`.
    pub user_data: Option<PathBuf>,
}

impl Embedded {
    /// Reads these few.
    ///
    /// # Errors
    /// A malformed value, or a misspelt variable.
    pub fn read(environment: &Environment) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(environment);
        let data_dir = reader.optional("AMANA_DATA_DIR", |text| Ok(PathBuf::from(text)));
        let listen = reader.get("AMANA_LISTEN", parsed);
        let escrow_listen = reader.get("AMANA_ESCROW_LISTEN", parsed);
        let stellar_listen = reader.get("AMANA_STELLAR_LISTEN", parsed);
        let home = || environment.get("HOME").map(|home| PathBuf::from(home).join(".local/share"));
        let user_data = environment.get("XDG_DATA_HOME").map(PathBuf::from).or_else(home);
        match (data_dir, listen, escrow_listen, stellar_listen) {
            (Some(data_dir), Some(listen), Some(escrow_listen), Some(stellar_listen))
                if reader.problems.is_empty() =>
            {
                Ok(Self { data_dir, listen, escrow_listen, stellar_listen, user_data })
            }
            _ => Err(ConfigError(reader.problems)),
        }
    }
}

/// What is logged, in the words of `tracing_subscriber::EnvFilter`, if anything was said about it.
pub fn log_filter(environment: &Environment) -> Option<&str> {
    environment.get("AMANA_LOG")
}

/// Variables that are set although the embedded mode brings what they name.
pub fn overruled(environment: &Environment) -> impl Iterator<Item = &'static str> {
    let required = VARIABLES.iter().filter(|variable| variable.unset == Unset::Required);
    required.map(|variable| variable.name).filter(|name| environment.get(name).is_some())
}

/// Reads variables one by one and remembers what was wrong, so that a start fails once and not ten times.
struct Reader<'a> {
    environment: &'a Environment,
    problems: Vec<String>,
}

impl<'a> Reader<'a> {
    fn new(environment: &'a Environment) -> Self {
        let unknown = environment.unknown().map(|name| format!("{name}: there is no such variable"));
        Self { environment, problems: unknown.collect() }
    }

    fn problem(&mut self, name: &str, why: &str) {
        self.problems.push(format!("{name}: {why}"));
    }

    /// The value, or the table's default; `None` after noting why there is none.
    fn get<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let default = match variable(name).map(|variable| variable.unset) {
            Some(Unset::Default(value)) => Some(value),
            _ => None,
        };
        let Some(text) = self.environment.get(name).or(default) else {
            self.problem(name, "is required and not set");
            return None;
        };
        parse(text).map_err(|why| self.problem(name, &why)).ok()
    }

    /// `Some(None)` where it is not set, `None` after noting why it is malformed.
    fn optional<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<Option<T>> {
        if self.environment.get(name).is_none() { Some(None) } else { self.get(name, parse).map(Some) }
    }

    fn forbid_loaded(&mut self, names: &[&str], process: &str) {
        for name in names {
            if self.environment.get(name).is_some() {
                let why = format!("must not be in the environment of a {process} process: unset it");
                self.problem(name, &why);
            }
        }
    }

    // Every field is read before any is missed, so that all problems are noted: hence the two steps.
    fn config(&mut self, rails: Rails) -> Option<Config> {
        let listen = self.get("AMANA_LISTEN", parsed);
        let escrow_listen = self.get("AMANA_ESCROW_LISTEN", parsed);
        let database_url = self.get("DATABASE_URL", value::database);
        let connections: Option<NonZeroU32> = self.get("AMANA_DATABASE_CONNECTIONS", parsed);
        let master_key = self.get("AMANA_MASTER_KEY", MasterKey::parse);
        let book: Option<BookId> = self.get("AMANA_BOOK", parsed);
        let checkpoints = self.checkpoints();
        let escrow_fee_bps = self.get("AMANA_ESCROW_FEE_BPS", fee_bps);
        let auth = self.auth();
        let daraja = self.daraja();
        let mpesa = self.mpesa(book.as_ref(), rails, !matches!(daraja, Some(None)));
        let stellar = self.stellar();
        let intersend = self.intersend();
        let africastalking = self.africastalking(rails);
        Some(Config {
            listen: listen?,
            escrow_listen: escrow_listen?,
            database_url: database_url?,
            database_connections: connections?.get(),
            master_key: master_key?,
            book: book?,
            checkpoints: checkpoints?,
            escrow_fee_bps: escrow_fee_bps?,
            auth: auth?,
            mpesa: mpesa?,
            daraja: daraja?,
            stellar: stellar?,
            intersend: intersend?,
            africastalking: africastalking?,
            rails,
        })
    }

    fn checkpoints(&mut self) -> Option<Checkpoints> {
        let secret = self.optional("AMANA_CHECKPOINT_SECRET", MasterKey::parse);
        let every_min = self.get("AMANA_CHECKPOINT_EVERY", parsed);
        Some(Checkpoints { secret: secret?, every_min: every_min? })
    }

    fn auth(&mut self) -> Option<Auth> {
        let access_s = self.get("AMANA_ACCESS_S", parsed);
        let refresh_s = self.get("AMANA_REFRESH_S", parsed);
        Some(Auth { access_s: access_s?, refresh_s: refresh_s? })
    }

    fn mpesa(&mut self, book: Option<&BookId>, rails: Rails, asks: bool) -> Option<Mpesa> {
        let shortcode = self.get("AMANA_MPESA_SHORTCODE", parsed);
        let allow = self.optional("AMANA_MPESA_ALLOW", AllowList::parse);
        let path_token = self.optional("AMANA_MPESA_PATH_TOKEN", value::token);
        if rails == Rails::Real && allow == Some(None) && path_token == Some(None) {
            let why = "anybody could claim that money came: set this or AMANA_MPESA_PATH_TOKEN";
            self.problem("AMANA_MPESA_ALLOW", why);
        }
        let trusted_hops = self.get("AMANA_TRUSTED_HOPS", parsed);
        let asset = book?.asset();
        let verify = self.verify(asset, rails, asks);
        Some(Mpesa {
            shortcode: shortcode?,
            allow: allow?,
            path_token: path_token?,
            trusted_hops: trusted_hops?,
            verify: verify?,
        })
    }

    fn stellar(&mut self) -> Option<Stellar> {
        let rpc_url = self.get("STELLAR_RPC_URL", value::url);
        let passphrase = self.get("STELLAR_NETWORK_PASSPHRASE", text);
        let contract = self.get("AMANA_STELLAR_CONTRACT", value::contract);
        let token = self.get("AMANA_STELLAR_TOKEN", value::contract);
        let anchor = self.optional("AMANA_STELLAR_ANCHOR_CONTRACT_ID", value::contract);
        let anchor_every_min = self.get("AMANA_ANCHOR_EVERY", parsed);
        let operator = self.get("AMANA_STELLAR_OPERATOR_SECRET", value::signer);
        let delegate = self.get("AMANA_STELLAR_DELEGATE_SECRET", value::signer);
        let channels = self.get("AMANA_STELLAR_CHANNEL_SECRETS", signers);
        let service_url = self.optional("STELLAR_CONTRACT_SERVICE_URL", value::url);
        let api_key = self.get("STELLAR_CONTRACT_API_KEY", value::token);
        Some(Stellar {
            rpc_url: rpc_url?,
            passphrase: passphrase?,
            contract: contract?,
            token: token?,
            anchor: anchor?,
            anchor_every_min: anchor_every_min?,
            operator: operator?,
            delegate: delegate?,
            channels: channels?,
            service_url: service_url?,
            api_key: api_key?,
        })
    }

    fn intersend(&mut self) -> Option<Intersend> {
        let url = self.get("INTERSEND_API_URL", value::url);
        let key = self.get("INTERSEND_API_KEY", hidden);
        let secret = self.get("INTERSEND_API_SECRET", hidden);
        Some(Intersend { url: url?, key: key?, secret: secret? })
    }

    fn africastalking(&mut self, rails: Rails) -> Option<AfricasTalking> {
        let url = self.get("AMANA_AFRICASTALKING_URL", value::url);
        let username = self.get("AMANA_AFRICASTALKING_USERNAME", text);
        let api_key = self.get("AMANA_AFRICASTALKING_API_KEY", hidden);
        let sender = self.optional("AMANA_AFRICASTALKING_SENDER", text);
        let ussd_token = self.optional("AMANA_USSD_TOKEN", value::token);
        if rails == Rails::Real && ussd_token == Some(None) {
            self.problem("AMANA_USSD_TOKEN", "anybody could speak for any phone: set it");
        }
        Some(AfricasTalking {
            url: url?,
            username: username?,
            api_key: api_key?,
            sender: sender?,
            ussd_token: ussd_token?,
        })
    }
}

fn parsed<T: FromStr>(text: &str) -> Result<T, String>
where
    T::Err: fmt::Display,
{
    text.parse().map_err(|error: T::Err| error.to_string())
}

// The shape every parser has: what cannot fail here still may, elsewhere in the table.
#[expect(clippy::unnecessary_wraps, reason = "one shape for all parsers")]
fn text(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

#[expect(clippy::unnecessary_wraps, reason = "one shape for all parsers")]
fn hidden(text: &str) -> Result<Secret, String> {
    Ok(Secret::new(text))
}

fn signers(text: &str) -> Result<Vec<Keypair>, String> {
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    let keys: Vec<Keypair> = words.map(value::signer).collect::<Result<_, _>>()?;
    // Without one nothing is ever sent.
    if keys.is_empty() { Err("names no secret".to_owned()) } else { Ok(keys) }
}

fn fee_bps(text: &str) -> Result<u32, String> {
    // 10 000 hundredths of a percent are all of it; the employee must get something.
    text.parse()
        .ok()
        .filter(|bps| *bps < 10_000)
        .ok_or_else(|| "is not a whole number below 10000".to_owned())
}

#[cfg(test)]
mod tests;
