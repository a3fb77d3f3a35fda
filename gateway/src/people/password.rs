//! Hashing of passwords and PINs: Argon2id with OWASP's parameters.
//!
//! Invariant: hashing never blocks the async runtime, and checking a secret of nobody takes as long as of
//! somebody.
//! Absent: hashes of other schemes; there is no older system whose people we took over.

use std::sync::OnceLock;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use crate::app::App;
use crate::error::{Fault, Refusal};

/// A stored hash in PHC form, `$argon2id$v=19$…`.
#[derive(Clone)]
pub struct Hash(String);

impl Hash {
    /// As stored.
    pub fn into_text(self) -> String {
        self.0
    }
}

/// OWASP's first recommendation for Argon2id: 19 MiB, two passes, one lane.
fn argon2() -> Argon2<'static> {
    let params = Params::new(19 * 1024, 2, 1, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Checks that a new password is worth hashing: 8 to 128 characters. Length is what counts; no rule on kinds
/// of characters.
///
/// # Errors
/// A refusal naming `password`.
pub fn check_new(password: &str) -> Result<(), Refusal> {
    match password.chars().count() {
        8..=128 => Ok(()),
        _ => Err(Refusal::field("password", "must be 8 to 128 characters")),
    }
}

/// Hashes a password or PIN, off the async threads.
///
/// # Errors
/// [`Fault::Outside`] if the hashing thread died.
pub async fn hash(app: &App, secret: &str) -> Result<Hash, Fault> {
    let mut salt = [0; 16];
    app.rng.fill(&mut salt);
    let secret = secret.to_owned();
    aside(move || Ok(Hash(hashed(&secret, &salt)?))).await
}

/// Whether `secret` is the one behind `stored`. With nothing stored it works as long and says no.
///
/// # Errors
/// [`Fault::Stored`] if the stored hash cannot be read.
pub async fn verify(stored: Option<String>, secret: &str) -> Result<bool, Fault> {
    let secret = secret.to_owned();
    aside(move || {
        let known = stored.is_some();
        let text = match stored {
            Some(text) => text,
            None => nobody()?,
        };
        let hash = PasswordHash::new(&text).map_err(|_| Fault::Stored("unreadable password hash".into()))?;
        Ok(argon2().verify_password(secret.as_bytes(), &hash).is_ok() && known)
    })
    .await
}

fn hashed(secret: &str, salt: &[u8]) -> Result<String, Fault> {
    let hash: Result<PasswordHash, _> = argon2().hash_password_with_salt(secret.as_bytes(), salt);
    Ok(hash.map_err(|_| Fault::Stored("a password could not be hashed".into()))?.to_string())
}

/// A hash that belongs to nobody.
fn nobody() -> Result<String, Fault> {
    static NOBODY: OnceLock<String> = OnceLock::new();
    if let Some(hash) = NOBODY.get() {
        return Ok(hash.clone());
    }
    let hash = hashed("nobody", b"sixteen bytes ok")?;
    Ok(NOBODY.get_or_init(|| hash).clone())
}

/// How many hashes are computed at once. Each takes 19 MiB: eight are 152 MiB, and more than the cores could
/// use.
static PLACES: Semaphore = Semaphore::const_new(8);

async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    // Never closed; and if it were, hashing without a place is better than no log-in.
    let _place = PLACES.acquire().await;
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Fault::Outside("the hashing thread died".into()))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_secret_opens() {
        let stored = hashed("correct horse", &[1; 16]).unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(verify(Some(stored.clone()), "correct horse").await.unwrap());
        assert!(!verify(Some(stored), "Correct horse").await.unwrap());
        assert!(!verify(None, "nobody").await.unwrap(), "nobody's password opens nothing");
        assert!(verify(Some("plain".into()), "plain").await.is_err());
    }

    #[test]
    fn new_passwords_are_long_enough() {
        assert!(check_new("securepassword").is_ok());
        assert!(check_new("short").is_err());
        assert!(check_new(&"x".repeat(129)).is_err());
    }
}
