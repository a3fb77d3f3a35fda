//! Every environment variable of the house in one table: name, default, meaning.
//!
//! Invariant: what is not in this table cannot be read, and an `AMANA_…` variable that is not in it stops the
//! start. The README's table is printed from here.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;

use super::Secret;

/// What happens when a variable is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unset {
    /// This value is used.
    Default(&'static str),
    /// `serve` does not start without it; `serve --embedded` brings a value of its own.
    Required,
    /// The thing it configures is absent.
    Absent,
}

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// Its name in the environment.
    pub name: &'static str,
    /// What happens without it.
    pub unset: Unset,
    /// Whether its value is secret.
    pub secret: bool,
    /// What it means.
    pub meaning: &'static str,
}

const fn plain(name: &'static str, unset: Unset, meaning: &'static str) -> Variable {
    Variable { name, unset, secret: false, meaning }
}

const fn secret(name: &'static str, unset: Unset, meaning: &'static str) -> Variable {
    Variable { name, unset, secret: true, meaning }
}

use Unset::{Absent, Default, Required};

/// Every variable there is.
pub static VARIABLES: &[Variable] = &[
    plain("AMANA_LISTEN", Default("127.0.0.1:8080"), "address and port of the API"),
    plain("AMANA_ESCROW_LISTEN", Default("127.0.0.1:8001"), "address and port of the escrow service"),
    plain(
        "AMANA_STELLAR_LISTEN",
        Default("127.0.0.1:8000"),
        "embedded: address and port of the local network",
    ),
    plain(
        "AMANA_DATA_DIR",
        Absent,
        "embedded: where data and secrets are kept; by default /var/lib/amana for root, \
         otherwise amana under $XDG_DATA_HOME or ~/.local/share",
    ),
    plain(
        "AMANA_LOG",
        Default("info"),
        "what is logged, as JSON lines on stderr: error, warn, info, debug, or per module",
    ),
    secret("DATABASE_URL", Required, "Postgres 15 or newer, as the application's role"),
    secret(
        "AMANA_MIGRATE_DATABASE_URL",
        Absent,
        "Postgres as the owner's role, for `amana migrate`; by default DATABASE_URL",
    ),
    plain("AMANA_DATABASE_CONNECTIONS", Default("20"), "connections of one process to Postgres, at most"),
    secret(
        "AMANA_MASTER_KEY",
        Required,
        "32 bytes in hex; wraps the keys under which personal data is sealed",
    ),
    plain("AMANA_ACCESS_S", Default("900"), "seconds an access token lives"),
    plain("AMANA_REFRESH_S", Default("604800"), "seconds a log-in lasts, however often it is refreshed"),
    plain("AMANA_BOOK", Default("kenya:KES"), "the book this process keeps"),
    secret(
        "AMANA_CHECKPOINT_SECRET",
        Absent,
        "32 bytes in hex; sign the checkpoints of the book and what it owes; without them none are made",
    ),
    plain(
        "AMANA_CHECKPOINT_EVERY",
        Default("10"),
        "minutes from one checkpoint to the next, if anything was posted; the close of a period makes one at \
         once",
    ),
    plain(
        "AMANA_ESCROW_FEE_BPS",
        Default("0"),
        "the platform's fee, in hundredths of a percent of what an escrow releases",
    ),
    plain("AMANA_MPESA_SHORTCODE", Default("600111"), "the paybill number money comes in on"),
    plain(
        "AMANA_MPESA_ALLOW",
        Absent,
        "sources a callback may come from: addresses and networks (196.201.214.0/24) \
         separated by commas; `daraja` stands for the published list",
    ),
    secret(
        "AMANA_MPESA_PATH_TOKEN",
        Absent,
        "the secret in /api/callbacks/c2b/{secret}/confirm; once set, confirmations are taken \
         nowhere else; 16 characters or more",
    ),
    plain(
        "AMANA_TRUSTED_HOPS",
        Default("0"),
        "proxies in front of us that add to X-Forwarded-For and are believed",
    ),
    plain(
        "AMANA_MPESA_VERIFY",
        Absent,
        "confirmations whose money waits in suspense until the rail has confirmed them: off, \
         above:<amount>, every; by default every, embedded off",
    ),
    plain(
        "AMANA_PUBLIC_URL",
        Absent,
        "where rails reach our API from outside; Daraja posts its answers there",
    ),
    plain(
        "AMANA_DARAJA_URL",
        Absent,
        "Daraja, to be asked where a payment stands; without it, it is only heard",
    ),
    secret("AMANA_DARAJA_KEY", Absent, "the app at Daraja"),
    secret("AMANA_DARAJA_SECRET", Absent, "the app's secret"),
    secret("AMANA_DARAJA_PASSKEY", Absent, "for prompts on customers' phones; without it none are made"),
    plain("AMANA_DARAJA_INITIATOR", Absent, "who asks in the paybill's name"),
    secret("AMANA_DARAJA_INITIATOR_PASSWORD", Absent, "its password, valid for 90 days"),
    plain(
        "AMANA_DARAJA_CERTIFICATE",
        Absent,
        "the certificate the password goes under, as PEM or the file it is in",
    ),
    plain("STELLAR_RPC_URL", Required, "Stellar RPC (JSON-RPC)"),
    plain(
        "STELLAR_NETWORK_PASSPHRASE",
        Required,
        "which network; embedded: Standalone Network ; February 2017",
    ),
    plain(
        "STELLAR_CONTRACT_SERVICE_URL",
        Absent,
        "the host whose escrow service, on the same database, talks to the chain instead of this process",
    ),
    secret("STELLAR_CONTRACT_API_KEY", Required, "what a caller of the escrow service must show"),
    plain("AMANA_STELLAR_CONTRACT", Required, "the escrow contract (C…)"),
    plain("AMANA_STELLAR_TOKEN", Required, "the token's asset contract (C…)"),
    plain(
        "AMANA_STELLAR_ANCHOR_CONTRACT_ID",
        Absent,
        "the contract that keeps the book's checkpoints (C…); without it none is anchored",
    ),
    plain(
        "AMANA_ANCHOR_EVERY",
        Default("15"),
        "minutes from one anchor to the next, if there is a new checkpoint; the close of a period makes one \
         at once",
    ),
    secret("AMANA_STELLAR_OPERATOR_SECRET", Required, "signs deposits, vault, burns and checkpoints (S…)"),
    secret("AMANA_STELLAR_DELEGATE_SECRET", Required, "signs for employers without a key of their own (S…)"),
    secret(
        "AMANA_STELLAR_CHANNEL_SECRETS",
        Required,
        "accounts that pay fees and carry sequence numbers (S…, separated by commas)",
    ),
    secret(
        "AMANA_STELLAR_ADMIN_SECRET",
        Absent,
        "the contract's admin; `serve` refuses to start when it sees it",
    ),
    secret(
        "AMANA_STELLAR_ARBITER_SECRET",
        Absent,
        "the contract's arbiter: `arbiter` signs decisions with it, `serve` refuses to start when it sees it",
    ),
    plain("INTERSEND_API_URL", Required, "the payout rail"),
    secret("INTERSEND_API_KEY", Required, "the payout rail's key"),
    secret("INTERSEND_API_SECRET", Required, "signs requests to the payout rail and proves its callbacks"),
    plain("AMANA_AFRICASTALKING_URL", Default("https://api.africastalking.com"), "text messages"),
    plain("AMANA_AFRICASTALKING_USERNAME", Required, "the account at Africa's Talking"),
    secret("AMANA_AFRICASTALKING_API_KEY", Required, "its key"),
    plain("AMANA_AFRICASTALKING_SENDER", Absent, "the sender id shown on a text message"),
    secret(
        "AMANA_USSD_TOKEN",
        Absent,
        "the USSD gateway's credential, as query parameter `token` or bearer; embedded, the menu \
         is open and only the register callback asks for it",
    ),
];

/// The variable called `name`.
pub fn variable(name: &str) -> Option<&'static Variable> {
    VARIABLES.iter().find(|variable| variable.name == name)
}

/// The table as Markdown, for the README.
pub fn markdown() -> String {
    let mut out = String::from("| variable | default | meaning |\n| --- | --- | --- |\n");
    for Variable { name, unset, secret, meaning } in VARIABLES {
        let unset = match unset {
            Default(value) => format!("`{value}`"),
            Required => "required".to_owned(),
            Absent => "none".to_owned(),
        };
        let secret = if *secret { " (secret)" } else { "" };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "| `{name}` | {unset} | {meaning}{secret} |");
    }
    out
}

/// The table as plain text, for `amana serve --help`.
pub fn plain_text() -> String {
    let mut out = String::from("Environment:\n");
    for Variable { name, unset, meaning, .. } in VARIABLES {
        let unset = match unset {
            Default(value) => format!(" [default: {value}]"),
            Required => " [required unless --embedded]".to_owned(),
            Absent => String::new(),
        };
        let _ = writeln!(out, "  {name}{unset}\n      {meaning}");
    }
    out
}

/// The variables as they were when the process started. Debug shows names only.
#[derive(Clone, Default)]
pub struct Environment {
    values: BTreeMap<String, Secret>,
}

impl Environment {
    /// The process's own environment. The only place that reads it.
    #[expect(clippy::disallowed_methods, reason = "the one reader of the environment")]
    pub fn of_process() -> Self {
        // A value that is no text can be none of ours that is valid: it is reported as such by whoever parses
        // it.
        std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .collect()
    }

    /// The value of `name`. Empty counts as not set, as files of settings often leave it so.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(Secret::expose).map(str::trim).filter(|value| !value.is_empty())
    }

    /// Sets `name`, as the embedded mode does for what it brings along.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.values.insert(name.to_owned(), Secret::new(value));
    }

    /// Names that begin like ours and mean nothing: misspelt, most likely.
    pub fn unknown(&self) -> impl Iterator<Item = &str> {
        self.values
            .keys()
            .map(String::as_str)
            .filter(|name| name.starts_with("AMANA_") && variable(name).is_none())
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self { values: pairs.into_iter().map(|(name, value)| (name.into(), Secret::new(value))).collect() }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}
