//! What the process that decides disputes is told: one key, and no key of daily work.

use amana_adapters::stellar::{Keypair, Network};
use amana_ledger::chart::BookId;

use super::{ConfigError, Environment, Reader, Secret, parsed, signers, text, value};

/// The arbiter's deployment and keys.
#[derive(Debug, Clone)]
pub struct Arbiter {
    /// Postgres, as the application.
    pub database_url: Secret,
    /// The contract on its network.
    pub network: Network,
    /// Decides disputes.
    pub key: Keypair,
    /// Pay fees and carry sequence numbers: accounts of this process alone.
    pub channels: Vec<Keypair>,
}

impl Arbiter {
    /// Reads these few.
    ///
    /// # Errors
    /// Everything that is missing, malformed or misspelt, and each key that no one person may have beside
    /// this one, together.
    pub fn read(environment: &Environment) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(environment);
        let arbiter = reader.arbiter();
        let others = [
            "AMANA_STELLAR_OPERATOR_SECRET",
            "AMANA_STELLAR_DELEGATE_SECRET",
            "AMANA_STELLAR_ADMIN_SECRET",
            "AMANA_MASTER_KEY",
        ];
        reader.forbid_loaded(&others, "deciding");
        match arbiter {
            Some(arbiter) if reader.problems.is_empty() => Ok(arbiter),
            _ => Err(ConfigError(reader.problems)),
        }
    }
}

impl Reader<'_> {
    fn arbiter(&mut self) -> Option<Arbiter> {
        let database_url = self.get("DATABASE_URL", value::database);
        let book: Option<BookId> = self.get("AMANA_BOOK", parsed);
        let rpc_url = self.get("STELLAR_RPC_URL", value::url);
        let passphrase = self.get("STELLAR_NETWORK_PASSPHRASE", text);
        let contract = self.get("AMANA_STELLAR_CONTRACT", value::contract);
        let token = self.get("AMANA_STELLAR_TOKEN", value::contract);
        let key = self.get("AMANA_STELLAR_ARBITER_SECRET", value::signer);
        let channels = self.get("AMANA_STELLAR_CHANNEL_SECRETS", signers);
        let network = Network {
            rpc_url: rpc_url?,
            passphrase: passphrase?,
            contract: contract?,
            token: token?,
            anchor: None,
            exponent: book?.asset().exponent(),
        };
        Some(Arbiter { database_url: database_url?, network, key: key?, channels: channels? })
    }
}
