//! `amana verify FILE`: checks a bundle offline and says what it proves, and what a reader has to compare
//! with the chain by hand.
//!
//! Absent: database, network. Everything is in the file, and in the key that the reader may bring along.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use amana_adapters::stellar::anchor::{Claim, Flaw, witness};
use amana_ledger::chart::BookId;
use amana_ledger::seal::note::Key;
use amana_ledger::verify::{Failure, Verified, verify};

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum NoVerdict {
    /// The file is not there, say.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: String,
        /// What the machine says.
        error: io::Error,
    },
    /// What was given as `--key` is none.
    #[error("--key is not a key: it is written name+hash+key, as the issuer publishes it")]
    Key,
}

/// Checks the file, and the newest anchor's envelope if the reader told whose it is: what was found, for
/// people, and whether it is right.
///
/// # Errors
/// [`NoVerdict`] if it cannot be looked at.
pub fn look(path: &Path, key: Option<&str>, chain: &Chain) -> Result<(String, bool), NoVerdict> {
    let verdict = check(path, key)?;
    let text = told(&verdict, key.is_some());
    Ok(match verdict.as_ref().map(|verified| witnessed(verified, chain)) {
        Err(_) => (text, false),
        Ok(Ok(false)) => (text, true),
        Ok(Ok(true)) => (text + SIGNED, true),
        Ok(Err(flaw)) => (format!("NOT verified. The newest anchor: {flaw}\n"), false),
    })
}

/// What an envelope adds.
const SIGNED: &str =
    "\nThe operator signed the newest anchor, for this contract and network: they cannot deny it.\n";

/// Checks the file. The inner error is the verdict that it is wrong.
///
/// # Errors
/// [`NoVerdict`] if it cannot be looked at.
pub fn check(path: &Path, key: Option<&str>) -> Result<Result<Verified, Failure>, NoVerdict> {
    let key = key.map(Key::parse).transpose().map_err(|_| NoVerdict::Key)?;
    let file = File::open(path);
    let file = file.map_err(|error| NoVerdict::File { path: path.display().to_string(), error })?;
    Ok(verify(BufReader::with_capacity(1 << 20, file), key.as_ref()))
}

/// What a reader knows of the chain, and not from the file.
#[derive(Debug, clap::Args)]
pub struct Chain {
    /// The operator's Stellar address, as published: then the newest anchor's envelope is checked too.
    #[arg(long, value_name = "G…", requires = "contract")]
    pub operator: Option<String>,
    /// The anchor contract, as published.
    #[arg(long, value_name = "C…", requires = "operator")]
    pub contract: Option<String>,
    /// The network.
    #[arg(long, value_name = "PASSPHRASE", default_value = "Public Global Stellar Network ; September 2015")]
    pub network: String,
}

/// Whether the newest anchor's envelope shows that the operator said it, if a reader told who that is and
/// there is an anchor. This is the one thing about the chain that a file can prove.
///
/// # Errors
/// The first flaw found.
pub fn witnessed(verified: &Verified, chain: &Chain) -> Result<bool, Flaw> {
    let (Some(operator), Some(contract), Some(anchor)) =
        (&chain.operator, &chain.contract, &verified.anchors.1)
    else {
        return Ok(false);
    };
    let none = || Flaw::Unreadable("there is none".to_owned());
    let size = i64::try_from(anchor.size).map_err(|_| Flaw::Claim("the size".to_owned()))?;
    let claim = Claim {
        passphrase: &chain.network,
        contract,
        operator,
        tx_hash: &anchor.tx_hash,
        book: verified.book.as_str(),
        size,
        root: &anchor.root.0,
    };
    witness(anchor.envelope.as_deref().ok_or_else(none)?, &claim).map(|()| true)
}

/// What was found, for people.
#[must_use]
pub fn told(verdict: &Result<Verified, Failure>, key_was_given: bool) -> String {
    match verdict {
        Ok(verified) => proven(verified, key_was_given),
        Err(failure) => format!("NOT verified. {failure}"),
    }
}

fn proven(verified: &Verified, key_was_given: bool) -> String {
    let Verified { book, key, batches: (from, to), counts, root, checkpoints, anchors, owed } = verified;
    let [transfers, postings, accounts] = counts;
    let mut text = format!(
        "Verified. Book {book}, batches {from} to {to}: {transfers} transfers, {postings} postings, \
         {accounts} accounts.\n\
         Recomputed: every leaf, block and root; the log at {checkpoints} checkpoints and {} anchors; every \
         balance and floor; debits equal credits.\n\
         Root of the log at {to}: {}\n",
        anchors.0,
        String::from(*root),
    );
    if let Some((total, floats)) = owed {
        let covered = if *floats >= i128::from(*total) { "covered" } else { "NOT covered" };
        let (total, floats) = (decimal(book, i128::from(*total)), decimal(book, *floats));
        let _ = writeln!(text, "Owed: {total}, {covered} by floats of {floats}. No liability is left out.");
    }
    text.push_str("\nTo be compared by hand:\n");
    let whence = if key_was_given { "as you gave it" } else { "from the file: compare it with the issuer's" };
    let _ = writeln!(text, "- the key ({whence}): {key}");
    match &anchors.1 {
        Some(anchor) => {
            let _ = writeln!(
                text,
                "- the newest anchor on the chain: contract {}, transaction {}, ledger {}. \
                 There, at(\"{book}\", {}) has to be {}. Nobody can write the past before it anew.",
                anchor.contract,
                anchor.tx_hash,
                anchor.ledger,
                anchor.size,
                String::from(anchor.root),
            );
        }
        None => text.push_str("- there is no anchor: the issuer could have written all of it anew\n"),
    }
    if *from > 1 {
        text.push_str(
            "- the opening balances: they are the issuer's word, unless a file from batch 1 gives them\n",
        );
    }
    text
}

/// Minor units as people write them. Sums over many accounts may pass what one amount can be.
fn decimal(book: &BookId, minor: i128) -> String {
    let whole = i128::from(book.asset().whole());
    let sign = if minor < 0 { "-" } else { "" };
    let (units, rest) =
        (minor.unsigned_abs() / whole.unsigned_abs(), minor.unsigned_abs() % whole.unsigned_abs());
    format!("{sign}{units}.{rest:0width$} {}", book.asset(), width = book.asset().exponent() as usize)
}
