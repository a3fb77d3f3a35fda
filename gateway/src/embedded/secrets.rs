//! The embedded mode's secrets: made by chance at the first start, one file each, readable by their owner
//! alone.
//!
//! Invariant: a secret once written is never replaced, or the data sealed and the contract signed with it
//! were lost. The keys of the contract's admin and arbiter are written for whoever will need them and never
//! read back here.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use amana_adapters::port::Secret;
use amana_adapters::stellar::Keypair;
use amana_ledger::id::Rng;

/// Accounts that pay the chain's fees: as many transactions can be under way at once.
const CHANNELS: usize = 4;

/// Everything secret that the embedded mode brings along.
pub struct Secrets {
    /// Wraps data keys; 64 hex digits.
    pub master_key: Secret,
    /// Signs the checkpoints of the book; 64 hex digits.
    pub checkpoint: Secret,
    /// For callers of the escrow service.
    pub api_key: Secret,
    /// Shared with the payout rail's simulator: its bearer key.
    pub rail_key: Secret,
    /// Shared with the payout rail's simulator: signs.
    pub rail_secret: Secret,
    /// Shared with the text messages' simulator.
    pub text_key: Secret,
    /// The contract's operator.
    pub operator: Keypair,
    /// The contract's delegate.
    pub delegate: Keypair,
    /// Pay fees.
    pub channels: Vec<Keypair>,
    /// Issues the token; locked after the deployment.
    pub issuer: Keypair,
    /// Pays for the deployment.
    pub deployer: Keypair,
    /// The contract's admin, as an address only.
    pub admin: String,
    /// The contract's arbiter. What serves is never given it.
    pub arbiter: Keypair,
    /// Pays the fees of decisions.
    pub arbiter_channel: Keypair,
}

impl Secrets {
    /// Those kept in `folder`; what is missing is made and written there.
    ///
    /// # Errors
    /// A file cannot be read or written, or holds something else.
    pub fn kept(folder: &Path, rng: &dyn Rng) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        Self::from(&mut |name, fresh| keep(&folder.join(name), fresh), rng)
    }

    /// New ones, kept nowhere.
    ///
    /// # Errors
    /// None in practice; the shape is [`Secrets::kept`]'s.
    pub fn fresh(rng: &dyn Rng) -> io::Result<Self> {
        Self::from(&mut |_, fresh| Ok(fresh), rng)
    }

    /// `keep` is given a name and a new value, and answers with the value to use.
    fn from(keep: &mut dyn FnMut(&str, String) -> io::Result<String>, rng: &dyn Rng) -> io::Result<Self> {
        let mut word = |name: &str| Ok::<_, io::Error>(Secret::new(keep(name, hex::encode(bytes(rng)))?));
        let master_key = word("master_key")?;
        let api_key = word("stellar_contract_api_key")?;
        let rail_key = word("intersend_key")?;
        let rail_secret = word("intersend_secret")?;
        let text_key = word("africastalking_key")?;
        let checkpoint = word("checkpoint")?;
        let mut key = |name: &str| {
            let text = keep(name, Keypair::from_seed(bytes(rng)).reveal())?;
            Keypair::parse(&text).map_err(|error| io::Error::other(format!("{name}: {error}")))
        };
        let operator = key("stellar_operator")?;
        let delegate = key("stellar_delegate")?;
        let issuer = key("stellar_issuer")?;
        let deployer = key("stellar_deployer")?;
        let (arbiter, arbiter_channel) = (key("stellar_arbiter")?, key("stellar_arbiter_channel")?);
        let channels =
            (1..=CHANNELS).map(|n| key(&format!("stellar_channel_{n}"))).collect::<io::Result<_>>()?;
        let mut address = |name: &str| {
            let new = Keypair::from_seed(bytes(rng));
            let address = keep(&format!("{name}.address"), new.address())?;
            if address == new.address() {
                keep(name, new.reveal())?;
            }
            Ok::<_, io::Error>(address)
        };
        let admin = address("stellar_admin")?;
        Ok(Self {
            master_key,
            checkpoint,
            api_key,
            rail_key,
            rail_secret,
            text_key,
            operator,
            delegate,
            channels,
            issuer,
            deployer,
            admin,
            arbiter,
            arbiter_channel,
        })
    }
}

fn bytes(rng: &dyn Rng) -> [u8; 32] {
    let mut bytes = [0; 32];
    rng.fill(&mut bytes);
    bytes
}

/// What the file holds; `fresh`, written to it, if there is no such file.
fn keep(file: &Path, fresh: String) -> io::Result<String> {
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file) {
        Ok(mut new) => {
            new.write_all(fresh.as_bytes())?;
            new.sync_all()?;
            Ok(fresh)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let kept = fs::read_to_string(file)?.trim().to_owned();
            if kept.is_empty() {
                return Err(io::Error::other(format!(
                    "{} is empty: remove it to start anew",
                    file.display()
                )));
            }
            Ok(kept)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::*;

    struct Counting(AtomicU8);

    impl Rng for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0.fetch_add(1, Ordering::SeqCst));
        }
    }

    #[test]
    fn secrets_are_kept_for_their_owner_alone() {
        let folder = std::env::temp_dir().join(format!("amana-secrets-{}", std::process::id()));
        let rng = Counting(AtomicU8::new(1));
        let first = Secrets::kept(&folder, &rng).unwrap();
        let second = Secrets::kept(&folder, &rng).unwrap();
        assert_eq!(first.master_key, second.master_key);
        assert_eq!(first.operator.address(), second.operator.address());
        assert_eq!(first.admin, second.admin);
        assert_eq!(first.arbiter.address(), second.arbiter.address());
        for entry in fs::read_dir(&folder).unwrap() {
            let mode = entry.unwrap().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let admin = Keypair::parse(&fs::read_to_string(folder.join("stellar_admin")).unwrap()).unwrap();
        assert_eq!(admin.address(), first.admin);
        fs::remove_dir_all(&folder).unwrap();
    }
}
