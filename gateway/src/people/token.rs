//! Access tokens: JWT signed with Ed25519, and the key set with which others check them.
//!
//! Invariant: only EdDSA is accepted, whatever a token's header claims; time comes from the caller, not from
//! the system.
//! Absent: revocation. A token names its session, and `session::authenticate` asks whether that still lives.

use amana_ledger::id::PartyId;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::error::Fault;
use crate::privacy::Keyring;

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who made it: always [`ISSUER`].
    pub iss: String,
    /// The person.
    pub sub: PartyId,
    /// The session it belongs to.
    pub sid: Uuid,
    /// Their role, for other readers of the token; we look it up.
    pub role: String,
    /// Issued at, Unix seconds.
    pub iat: i64,
    /// Valid before, Unix seconds.
    pub exp: i64,
}

/// The issuer in every token.
pub const ISSUER: &str = "amana";

/// The PKCS#8 head of an Ed25519 seed (RFC 8410): the 32 seed bytes follow.
const PKCS8_HEAD: [u8; 16] = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";

/// The signing key, derived from the master key.
pub struct Signer {
    private: EncodingKey,
    public: [u8; 32],
    kid: String,
}

impl Signer {
    /// The signer of this keyring.
    pub fn new(keyring: &Keyring) -> Self {
        let seed = keyring.subkey("jwt");
        let public = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key().to_bytes();
        let private = EncodingKey::from_ed_der(&[PKCS8_HEAD.as_slice(), &seed].concat());
        // RFC 7638 fingerprints hash the key; eight of its bytes are name enough and need no canonical JSON.
        let kid = hex::encode(&public[..8]);
        Self { private, public, kid }
    }

    /// Signs.
    ///
    /// # Errors
    /// [`Fault::Sealed`] if the key does not sign, which would be a defect.
    pub fn sign(&self, claims: &Claims) -> Result<String, Fault> {
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, claims, &self.private)
            .map_err(|_| Fault::Sealed("a token could not be signed"))
    }

    /// What a token says, if we signed it and it is valid at `now`.
    pub fn read(&self, token: &str, now: DateTime<Utc>) -> Option<Claims> {
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.set_issuer(&[ISSUER]);
        rules.validate_exp = false; // would read the system's clock; checked below
        let key = DecodingKey::from_ed_der(&self.public);
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &rules).ok()?.claims;
        (claims.iat <= now.timestamp() + 60 && now.timestamp() < claims.exp).then_some(claims)
    }

    /// The public key as a JWK set, for `/.well-known/jwks.json`.
    pub fn jwks(&self) -> Value {
        let x = BASE64_URL_SAFE_NO_PAD.encode(self.public);
        let kid = &self.kid;
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": kid, "x": x}]})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use amana_ledger::id::{Clock, Rng};
    use std::sync::Arc;

    struct Still;
    impl Clock for Still {
        fn now(&self) -> DateTime<Utc> {
            DateTime::UNIX_EPOCH
        }
    }
    impl Rng for Still {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(1);
        }
    }

    fn signer(master: u8) -> Signer {
        Signer::new(&Keyring::new([master; 32], Arc::new(Still), Arc::new(Still)))
    }

    fn claims() -> Claims {
        let (sub, sid) = (PartyId(Uuid::from_u128(1)), Uuid::from_u128(2));
        Claims { iss: ISSUER.into(), sub, sid, role: "employer".into(), iat: 1000, exp: 1900 }
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn valid_for_its_time_and_for_its_key() {
        let token = signer(1).sign(&claims()).unwrap();
        assert_eq!(signer(1).read(&token, at(1899)), Some(claims()));
        assert_eq!(signer(1).read(&token, at(1900)), None, "expired");
        assert_eq!(signer(1).read(&token, at(900)), None, "from the future");
        assert_eq!(signer(2).read(&token, at(1500)), None, "another key");
    }

    #[test]
    fn other_algorithms_and_altered_tokens_are_refused() {
        let token = signer(1).sign(&claims()).unwrap();
        let mut parts: Vec<&str> = token.split('.').collect();
        let none = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        parts[0] = &none;
        assert_eq!(signer(1).read(&parts.join("."), at(1500)), None);
        let hmac = jsonwebtoken::encode(
            &Header::new(Algorithm::HS256),
            &claims(),
            &EncodingKey::from_secret(&signer(1).public),
        );
        assert_eq!(signer(1).read(&hmac.unwrap(), at(1500)), None, "the public key is no secret");
        assert_eq!(signer(1).read(&token[..token.len() - 2], at(1500)), None);
        assert_eq!(signer(1).read("", at(1500)), None);
    }
}
