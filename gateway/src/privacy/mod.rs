//! Sealing of personal data: what names a person is stored so that destroying a key forgets it everywhere.
//!
//! Envelope encryption: bytes are sealed with AES-256-GCM under a data key; the data key stands in the
//! database wrapped under a key derived from the master key, which never does. A person has one key; a raw
//! body has a key of its own.
//!
//! Invariant: a ciphertext opens only under the key id it was sealed with (the id is associated data), and a
//! destroyed key opens nothing any more. A copy of the database from before has the key still: forgetting is
//! complete when the last such copy is gone.
//! Absent: rotation of the master key, and any cache of data keys (a cached key would survive its
//! destruction).

mod seal;
mod store;

use std::sync::Arc;

use amana_ledger::id::{Clock, PartyId, Rng, uuid_v7};
use uuid::Uuid;

use crate::db::Tx;
use crate::error::Fault;

pub use seal::Sealed;
use seal::{Key, expand, extract, mac};

/// The master key's derivatives, and what is needed to make data keys.
pub struct Keyring {
    root: [u8; 32],
    wrapping: Key,
    blinding: Key,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
}

impl Keyring {
    /// A keyring over the 32 bytes of the master key. Wrapping and blinding use separate derived keys
    /// (HKDF-SHA256).
    pub fn new(master: [u8; 32], clock: Arc<dyn Clock>, rng: Arc<dyn Rng>) -> Self {
        let root = extract(&master);
        let (wrapping, blinding) = (Key(expand(&root, "wrap")), Key(expand(&root, "blind")));
        Self { root, wrapping, blinding, clock, rng }
    }

    /// A derived key for another purpose, named by `label` (the token signing key, the cursor key).
    pub fn subkey(&self, label: &str) -> [u8; 32] {
        expand(&self.root, label)
    }

    /// Seals under a fresh data key. With a `party`, the key is destroyed when that person is forgotten.
    ///
    /// # Errors
    /// The database's.
    pub async fn seal_new(
        &self,
        tx: &mut Tx,
        party: Option<PartyId>,
        plaintext: &[u8],
    ) -> Result<Sealed, Fault> {
        let (id, key) = self.make_key(tx, party).await?;
        self.seal(id, &key, plaintext)
    }

    /// Seals under the person's own key, which is made if there is none yet.
    ///
    /// # Errors
    /// The database's.
    pub async fn seal_for(&self, tx: &mut Tx, party: PartyId, plaintext: &[u8]) -> Result<Sealed, Fault> {
        let id = match store::person_key(tx, party).await? {
            Some(id) => id,
            None => {
                let (id, _) = self.make_key(tx, Some(party)).await?;
                store::claim_person_key(tx, party, id).await?
            }
        };
        let key = self.key(tx, id).await?;
        self.seal(id, &key, plaintext)
    }

    /// Seals under the key that `other` was sealed under.
    ///
    /// # Errors
    /// [`Fault::Sealed`] if that key was destroyed; else the database's.
    pub async fn seal_like(&self, tx: &mut Tx, other: &Sealed, plaintext: &[u8]) -> Result<Sealed, Fault> {
        let key = self.key(tx, other.key_id).await?;
        self.seal(other.key_id, &key, plaintext)
    }

    /// Opens what was sealed.
    ///
    /// # Errors
    /// [`Fault::Sealed`] if the key was destroyed or the bytes are not what we wrote; else the database's.
    pub async fn open(&self, tx: &mut Tx, sealed: &Sealed) -> Result<Vec<u8>, Fault> {
        let key = self.key(tx, sealed.key_id).await?;
        key.open(sealed.key_id, &sealed.nonce, &sealed.ciphertext)
    }

    /// Ties the key of a raw body to the person it turned out to be about, so that both are destroyed
    /// together.
    ///
    /// # Errors
    /// The database's.
    pub async fn tie(&self, tx: &mut Tx, sealed: &Sealed, party: PartyId) -> Result<(), Fault> {
        store::tie(tx, sealed.key_id, party).await
    }

    /// Destroys every data key tied to the person. `people::forget` is the whole act: it takes the blind
    /// indexes too.
    ///
    /// # Errors
    /// The database's.
    pub async fn shred(&self, tx: &mut Tx, party: PartyId) -> Result<(), Fault> {
        store::destroy(tx, party, self.clock.now()).await
    }

    /// A keyed fingerprint under which sealed bytes can be looked up (HMAC-SHA256). `label` keeps phones and
    /// emails apart.
    pub fn blind(&self, label: &str, bytes: &[u8]) -> [u8; 32] {
        mac(&self.blinding.0, &[label.as_bytes(), b"\0", bytes])
    }

    async fn make_key(&self, tx: &mut Tx, party: Option<PartyId>) -> Result<(Uuid, Key), Fault> {
        let id = uuid_v7(self.clock.as_ref(), self.rng.as_ref());
        let mut key = Key([0; 32]);
        self.rng.fill(&mut key.0);
        let (nonce, mut wrapped) = self.encrypt(&self.wrapping, id, &key.0)?;
        wrapped.splice(0..0, nonce);
        store::keep_key(tx, id, party, &wrapped, self.clock.now()).await?;
        Ok((id, key))
    }

    async fn key(&self, tx: &mut Tx, id: Uuid) -> Result<Key, Fault> {
        let wrapped = store::wrapped(tx, id).await?.ok_or(Fault::Sealed("the data key was destroyed"))?;
        let (nonce, body) =
            wrapped.split_at_checked(12).ok_or(Fault::Sealed("a wrapped key is too short"))?;
        let bytes = self.wrapping.open(id, nonce, body)?;
        Ok(Key(bytes.try_into().map_err(|_| Fault::Sealed("a data key has a wrong length"))?))
    }

    fn seal(&self, key_id: Uuid, key: &Key, plaintext: &[u8]) -> Result<Sealed, Fault> {
        let (nonce, ciphertext) = self.encrypt(key, key_id, plaintext)?;
        Ok(Sealed { key_id, nonce, ciphertext })
    }

    /// Nonces are random: a data key seals a handful of values, far from the 2^32 at which random nonces
    /// wear out.
    fn encrypt(&self, key: &Key, id: Uuid, plaintext: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Fault> {
        let mut nonce = [0; 12];
        self.rng.fill(&mut nonce);
        Ok((nonce.to_vec(), key.seal(id, nonce, plaintext)?))
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyring(***)")
    }
}
