//! What the roles of the binary that only look need to know: addresses, and no key.

use amana_ledger::chart::BookId;

use super::{ConfigError, Environment, Reader, parsed, text, value};

/// A deployment as its auditor knows it: no key of it is needed.
#[derive(Debug, Clone)]
pub struct Site {
    /// The book.
    pub book: BookId,
    /// Which network.
    pub passphrase: String,
    /// The escrow contract (C…).
    pub contract: String,
    /// The token's asset contract (C…).
    pub token: String,
    /// The contract that keeps the book's checkpoints (C…), if there is one.
    pub anchor: Option<String>,
}

/// The deployment, for the role of the binary that audits it.
///
/// # Errors
/// Something of it is not set, or malformed.
pub fn site(environment: &Environment) -> Result<Site, ConfigError> {
    let mut reader = Reader::new(environment);
    let book = reader.get("AMANA_BOOK", parsed);
    let passphrase = reader.get("STELLAR_NETWORK_PASSPHRASE", text);
    let contract = reader.get("AMANA_STELLAR_CONTRACT", value::contract);
    let token = reader.get("AMANA_STELLAR_TOKEN", value::contract);
    let anchor = reader.optional("AMANA_STELLAR_ANCHOR_CONTRACT_ID", value::contract);
    match (book, passphrase, contract, token, anchor) {
        (Some(book), Some(passphrase), Some(contract), Some(token), Some(anchor)) => {
            Ok(Site { book, passphrase, contract, token, anchor })
        }
        _ => Err(ConfigError(reader.problems)),
    }
}

/// Stellar RPC, for the roles of the binary that only look.
///
/// # Errors
/// It is not set, or no address.
pub fn rpc_url(environment: &Environment) -> Result<String, ConfigError> {
    let mut reader = Reader::new(environment);
    reader.get("STELLAR_RPC_URL", value::url).ok_or(ConfigError(reader.problems))
}
