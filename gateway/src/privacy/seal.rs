//! The sealed bytes and the arithmetic of sealing: AES-256-GCM and HKDF-SHA256, both from aws-lc.
//!
//! Invariant: no key and no plaintext shows through `Debug`.
//! Absent: the database.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use uuid::Uuid;

use crate::error::Fault;

/// Personal bytes as they are stored, Postgres type `privacy.sealed`.
#[derive(Clone, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "privacy.sealed")]
pub struct Sealed {
    /// The data key they were sealed under.
    pub key_id: Uuid,
    /// 12 random bytes.
    pub nonce: Vec<u8>,
    /// The ciphertext with its tag.
    pub ciphertext: Vec<u8>,
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealed(key {}, {} bytes)", self.key_id, self.ciphertext.len())
    }
}

/// A 256-bit key.
pub(super) struct Key(pub(super) [u8; 32]);

impl Key {
    pub(super) fn seal(&self, id: Uuid, nonce: [u8; 12], plaintext: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut bytes = plaintext.to_vec();
        self.cipher()?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(id.into_bytes()),
                &mut bytes,
            )
            .map_err(|_| Fault::Sealed("sealing failed"))?;
        Ok(bytes)
    }

    pub(super) fn open(&self, id: Uuid, nonce: &[u8], ciphertext: &[u8]) -> Result<Vec<u8>, Fault> {
        let nonce = Nonce::try_assume_unique_for_key(nonce)
            .map_err(|_| Fault::Sealed("a nonce has a wrong length"))?;
        let mut bytes = ciphertext.to_vec();
        let length = self
            .cipher()?
            .open_in_place(nonce, Aad::from(id.into_bytes()), &mut bytes)
            .map_err(|_| Fault::Sealed("wrong key or altered bytes"))?
            .len();
        bytes.truncate(length);
        Ok(bytes)
    }

    fn cipher(&self) -> Result<LessSafeKey, Fault> {
        let key =
            UnboundKey::new(&AES_256_GCM, &self.0).map_err(|_| Fault::Sealed("a key has a wrong length"))?;
        Ok(LessSafeKey::new(key))
    }
}

/// HMAC-SHA256 over the parts joined.
pub(super) fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    parts.iter().for_each(|part| context.update(part));
    let mut out = [0; 32];
    out.copy_from_slice(context.sign().as_ref());
    out
}

/// HKDF-Extract (RFC 5869) with a salt of our own.
pub(super) fn extract(master: &[u8; 32]) -> [u8; 32] {
    mac(SALT, &[master])
}

/// HKDF-Expand for one block of output: written out, because for 32 bytes it is one HMAC and cannot fail.
pub(super) fn expand(root: &[u8; 32], label: &str) -> [u8; 32] {
    mac(root, &[label.as_bytes(), &[1]])
}

const SALT: &[u8] = b"amana:keyring:v1";

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::hkdf;

    #[test]
    fn derivation_is_hkdf() {
        let master = [7; 32];
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, SALT).extract(&master);
        let mut expected = [0; 32];
        root.expand(&[b"wrap"], hkdf::HKDF_SHA256).unwrap().fill(&mut expected).unwrap();
        assert_eq!(expand(&extract(&master), "wrap"), expected);
        assert_ne!(expand(&extract(&master), "blind"), expected);
    }

    #[test]
    fn what_is_sealed_opens_and_nothing_else_does() {
        let (key, id) = (Key([1; 32]), Uuid::from_u128(1));
        let sealed = key.seal(id, [2; 12], b"+254700000001").unwrap();
        assert_eq!(key.open(id, &[2; 12], &sealed).unwrap(), b"+254700000001");
        assert!(!sealed.windows(6).any(|window| window == b"+25470"));

        let altered: Vec<u8> =
            sealed.iter().enumerate().map(|(i, b)| if i == 3 { b ^ 1 } else { *b }).collect();
        assert!(key.open(id, &[2; 12], &altered).is_err(), "altered bytes");
        assert!(key.open(Uuid::from_u128(2), &[2; 12], &sealed).is_err(), "another key id");
        assert!(key.open(id, &[3; 12], &sealed).is_err(), "another nonce");
        assert!(Key([9; 32]).open(id, &[2; 12], &sealed).is_err(), "another key");
        assert!(key.open(id, &[2; 11], &sealed).is_err(), "a short nonce");
        assert!(key.open(id, &[2; 12], b"short").is_err(), "no tag");
    }

    #[test]
    fn nothing_shows() {
        let sealed = Sealed { key_id: Uuid::nil(), nonce: vec![1], ciphertext: b"secret".to_vec() };
        assert!(!format!("{sealed:?}").contains("secret"));
    }
}
