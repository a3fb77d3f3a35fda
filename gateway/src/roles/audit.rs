//! `amana audit chain`: every escrow, ledger beside chain, for somebody who may only read.
//!
//! Invariant: it needs no key and no right to write: a database role that reads (`amana_reader`), or a file
//! that somebody with such a role wrote; and any Stellar RPC, the auditor's own for choice. What the chain
//! says is asked of the contract itself.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter};
use std::path::{Path, PathBuf};

use amana_adapters::http::Client;
use amana_adapters::stellar::{ChainFault, Network, Observer};
use clap::{Args, Subcommand};

use crate::config::{self, ConfigError, Environment};
use crate::db::Db;
use crate::embedded::{ANCHOR_WASM, WASM};
use crate::error::{Error, Fault};
use crate::recon::audit::{self, Books, Line, Report};

/// What can be audited beside the books themselves.
#[derive(Subcommand, Debug)]
pub enum Of {
    /// Lays every escrow beside the contract on the chain; exits 1 if one differs.
    #[command(after_help = HELP)]
    Chain(Order),
}

/// What follows the list of options.
const HELP: &str = "\
Needs DATABASE_URL as a role that reads (amana_reader), AMANA_BOOK, STELLAR_NETWORK_PASSPHRASE,
AMANA_STELLAR_CONTRACT and AMANA_STELLAR_TOKEN, all of them public but the first; or a file instead of them:

  amana audit chain --export books.json                          # whoever may read the database
  amana audit chain --from books.json --rpc https://rpc.example  # anybody, anywhere";

/// How it is to be audited.
#[derive(Args, Debug, Default)]
pub struct Order {
    /// The Stellar RPC to ask; STELLAR_RPC_URL if absent.
    #[arg(long, value_name = "URL")]
    pub rpc: Option<String>,
    /// Prints JSON instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Our side from a file that `--export` wrote, instead of the database.
    #[arg(long, value_name = "FILE", conflicts_with = "export")]
    pub from: Option<PathBuf>,
    /// Writes our side into a file, replaced if it is there, and asks no chain.
    #[arg(long, value_name = "FILE")]
    pub export: Option<PathBuf>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// Something is not configured.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The file.
    #[error("{}: {}", .0.display(), .1)]
    File(PathBuf, #[source] io::Error),
    /// An address of the deployment.
    #[error(transparent)]
    Chain(#[from] ChainFault),
    /// The database, or the chain.
    #[error(transparent)]
    Gateway(#[from] Error),
}

impl From<Fault> for AuditError {
    fn from(fault: Fault) -> Self {
        Self::Gateway(fault.into())
    }
}

/// Audits as ordered: what to print, and whether nothing differs.
///
/// # Errors
/// See [`AuditError`].
pub async fn chain(
    environment: &Environment,
    order: &Order,
    http: Client,
) -> Result<(String, bool), AuditError> {
    let books = match &order.from {
        Some(path) => load(path)?,
        None => {
            let site = config::site(environment)?;
            let db = Db::connect(config::database_url(environment)?.expose(), 1).await?;
            audit::read(&db, &site).await?
        }
    };
    if let Some(path) = &order.export {
        save(path, &books)?;
        let text = format!("{}: {} escrows of {}", path.display(), books.escrows.len(), books.book);
        return Ok((text, true));
    }
    let rpc_url = match &order.rpc {
        Some(url) => url.clone(),
        None => config::rpc_url(environment)?,
    };
    let report = report(books, rpc_url, http).await?;
    let text =
        if order.json { serde_json::to_string_pretty(&report).map_err(Fault::from)? } else { table(&report) };
    Ok((text, report.is_clean()))
}

/// Lays our side beside what this RPC answers.
///
/// # Errors
/// The chain cannot be asked.
pub async fn report(books: Books, rpc_url: String, http: Client) -> Result<Report, AuditError> {
    let network = Network {
        rpc_url,
        passphrase: books.passphrase.clone(),
        contract: books.contract.clone(),
        token: books.token.clone(),
        anchor: books.anchor.clone(),
        exponent: books.book.asset().exponent(),
    };
    let observer = Observer::new(network, http)?;
    let built = [("escrow", sha256(WASM)), ("anchor", sha256(ANCHOR_WASM))];
    Ok(audit::compare(books, &observer, &built).await?)
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref());
    out
}

fn load(path: &Path) -> Result<Books, AuditError> {
    let named = |error| AuditError::File(path.to_owned(), error);
    let file = BufReader::new(File::open(path).map_err(named)?);
    serde_json::from_reader(file).map_err(|error| named(error.into()))
}

/// The file is there whole or not at all.
fn save(path: &Path, books: &Books) -> Result<(), AuditError> {
    let named = |error| AuditError::File(path.to_owned(), error);
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let mut file = BufWriter::new(File::create(&beside).map_err(named)?);
    let written = serde_json::to_writer(&mut file, books).map_err(io::Error::from);
    let written = written.and_then(|()| io::Write::flush(&mut file));
    let kept = written.and_then(|()| file.get_ref().sync_all()).and_then(|()| fs::rename(&beside, path));
    kept.map_err(|error| {
        // What is left of it helps nobody; that it stays is no second trouble worth telling.
        let _ = fs::remove_file(&beside);
        named(error)
    })
}

/// The report for people.
#[must_use]
pub fn table(report: &Report) -> String {
    let Report { book, contract, network, heard_until, newest, .. } = report;
    let mut text = format!(
        "book {book}, contract {contract} on {network:?}\n\
         our books heard the chain up to ledger {heard_until}; it was asked at ledger {newest}\n\n"
    );
    let _ = writeln!(
        text,
        "{:<17} {:>15} {:<10} {:<16} {:>15} {:>15}  agrees",
        "escrow", "amount", "on chain", "status", "ledger holds", "chain holds"
    );
    for line in &report.escrows {
        row(&mut text, line);
    }
    let [by_ledger, by_chain] = &report.held;
    let [supply, told, counted] = &report.supply;
    let moved = |agrees| match agrees {
        Some(true) => "agrees",
        Some(false) => "DIFFERS",
        None => "moved on since",
    };
    let _ = write!(
        text,
        "\n{} escrows: {} agree, {} differ, {} moved on since our books were read\n\
         held in {}: {by_ledger} by the ledger, {by_chain} by the chain\n\
         tokens: {supply} by the ledger, {told} by the token's events, {counted} by the contract: {}\n",
        report.escrows.len(),
        report.agree,
        report.differ,
        report.moved,
        report.currency,
        moved(report.supply_agrees),
    );
    for code in &report.code {
        let same = if code.same { "is this binary's" } else { "is NOT this binary's, which is" };
        let _ = write!(text, "code of {}: {} {same}", code.name, code.deployed);
        text.push_str(&if code.same { "\n".into() } else { format!(" {}\n", code.built) });
    }
    text.push_str(if report.is_clean() { "nothing differs" } else { "LEDGER AND CHAIN DIFFER" });
    text
}

fn row(text: &mut String, line: &Line) {
    let agrees = match line.agrees {
        Some(true) => "yes",
        Some(false) => "NO",
        None => "moved on",
    };
    let Line { escrow, amount, state, status, ledger, chain, .. } = line;
    let _ = writeln!(
        text,
        "{escrow:<17} {amount:>15} {state:<10} {status:<16} {ledger:>15} {chain:>15}  {agrees}"
    );
    for posted in &line.transfers {
        let _ = writeln!(text, "    transfer {} {}", posted.id, posted.event);
    }
    for step in &line.transactions {
        let _ = writeln!(text, "    ledger {} {} {}", step.ledger, step.tx_hash, step.kind);
    }
    for [kind, ours, theirs] in &line.differences {
        let _ = writeln!(text, "    {kind}: our books say {ours}; the chain says {theirs}");
    }
}
