//! Secrets and signatures: the keys that pay fees and the keys that speak for the operator and the delegate.
//!
//! Invariant: a secret never shows in `Debug`, has no `Display`, and its bytes are overwritten when it is
//! dropped.

use ed25519_dalek::{Signer, SigningKey};
use stellar_strkey::ed25519::PrivateKey;
use stellar_xdr::{
    BytesM, DecoratedSignature, Hash, HashIdPreimage, HashIdPreimageSorobanAuthorization,
    HashIdPreimageSorobanAuthorizationWithAddress, ScMap, ScVal, Signature, SignatureHint,
    SorobanAddressCredentials, SorobanAuthorizationEntry, SorobanCredentials, Transaction,
    TransactionEnvelope, TransactionV1Envelope,
};

use super::rpc::ChainFault;
use super::wire::{preimage_hash, symbol};

/// The secret key of one account.
///
/// The seed lives in the strkey type, which overwrites itself when dropped; the signing key is derived for
/// each signature, which costs one hash and one multiplication beside a network call.
#[derive(Clone, PartialEq, Eq)]
pub struct Keypair {
    seed: PrivateKey,
    public: [u8; 32],
}

/// A text that is not a Stellar secret key. It does not repeat the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a stellar secret key (S…, 56 characters)")]
pub struct BadSecret;

impl Keypair {
    /// Reads `S…`.
    ///
    /// # Errors
    /// When the text is not a secret key with a valid checksum.
    pub fn parse(text: &str) -> Result<Self, BadSecret> {
        Ok(Self::of(PrivateKey::from_string(text.trim()).map_err(|_| BadSecret)?))
    }

    /// The key with this seed.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self::of(PrivateKey(seed))
    }

    fn of(seed: PrivateKey) -> Self {
        let public = SigningKey::from_bytes(&seed.0).verifying_key().to_bytes();
        Self { seed, public }
    }

    /// The `S…` form, for writing to a file of mode 0600 and nowhere else.
    pub fn reveal(&self) -> String {
        self.seed.as_unredacted().to_string().as_str().to_owned()
    }

    /// The account's address, `G…`.
    pub fn address(&self) -> String {
        stellar_strkey::ed25519::PublicKey(self.public).to_string().as_str().to_owned()
    }

    /// The account's raw public key.
    pub fn public(&self) -> [u8; 32] {
        self.public
    }

    /// Signs these bytes.
    #[tracing::instrument(name = "sign", level = "trace", skip_all)]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        SigningKey::from_bytes(&self.seed.0).sign(message).to_bytes()
    }
}

impl std::fmt::Debug for Keypair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keypair({})", self.address())
    }
}

/// A signed envelope and the hash it will be known by.
pub(super) fn sign_transaction(
    network: &Hash,
    tx: Transaction,
    keys: &[&Keypair],
) -> Result<(TransactionEnvelope, [u8; 32]), ChainFault> {
    let hash = tx.hash(network.0).map_err(|e| ChainFault::Encoding(e.to_string()))?;
    let mut signatures = Vec::with_capacity(keys.len());
    for key in keys {
        signatures.push(sign_hash(key, &hash)?);
    }
    let signatures = signatures.try_into().map_err(|_| ChainFault::Encoding("too many signatures".into()))?;
    Ok((TransactionEnvelope::Tx(TransactionV1Envelope { tx, signatures }), hash))
}

/// A signature as envelopes carry it.
pub(super) fn sign_hash(key: &Keypair, hash: &[u8; 32]) -> Result<DecoratedSignature, ChainFault> {
    let signature = BytesM::try_from(key.sign(hash)).map_err(|e| ChainFault::Encoding(e.to_string()))?;
    let [.., a, b, c, d] = key.public();
    Ok(DecoratedSignature { hint: SignatureHint([a, b, c, d]), signature: Signature(signature) })
}

/// What one authorisation is good for.
#[derive(Debug, Clone, Copy)]
pub(super) struct AuthTerms {
    /// A number never used before with this address.
    pub(super) nonce: i64,
    /// The last ledger at which the signature is valid.
    pub(super) expires: u32,
}

/// Signs an authorisation entry with the key of the address it names.
///
/// Both forms of address credentials are signed: the older commits to network, nonce, expiry and call, the
/// newer (CAP-71) to the address as well.
pub(super) fn sign_authorization(
    network: &Hash,
    unsigned: &SorobanAuthorizationEntry,
    terms: AuthTerms,
    key: &Keypair,
) -> Result<SorobanAuthorizationEntry, ChainFault> {
    let mut signed = unsigned.clone();
    let credentials = address_credentials(&mut signed.credentials)?;
    credentials.nonce = terms.nonce;
    credentials.signature_expiration_ledger = terms.expires;
    let hash = authorization_hash(network, &signed)?;
    address_credentials(&mut signed.credentials)?.signature = account_signature(key, &hash)?;
    Ok(signed)
}

fn address_credentials(
    credentials: &mut SorobanCredentials,
) -> Result<&mut SorobanAddressCredentials, ChainFault> {
    match credentials {
        SorobanCredentials::Address(found) | SorobanCredentials::AddressV2(found) => Ok(found),
        _ => Err(ChainFault::Encoding("these credentials are not signed with one key".into())),
    }
}

/// What the credentials of an authorisation entry sign.
pub(super) fn authorization_hash(
    network: &Hash,
    entry: &SorobanAuthorizationEntry,
) -> Result<[u8; 32], ChainFault> {
    let (network_id, invocation) = (network.clone(), entry.root_invocation.clone());
    preimage_hash(&match &entry.credentials {
        SorobanCredentials::Address(credentials) => {
            HashIdPreimage::SorobanAuthorization(HashIdPreimageSorobanAuthorization {
                network_id,
                nonce: credentials.nonce,
                signature_expiration_ledger: credentials.signature_expiration_ledger,
                invocation,
            })
        }
        SorobanCredentials::AddressV2(credentials) => {
            HashIdPreimage::SorobanAuthorizationWithAddress(HashIdPreimageSorobanAuthorizationWithAddress {
                network_id,
                nonce: credentials.nonce,
                signature_expiration_ledger: credentials.signature_expiration_ledger,
                address: credentials.address.clone(),
                invocation,
            })
        }
        _ => return Err(ChainFault::Encoding("these credentials are not signed with one key".into())),
    })
}

/// The form in which a classic account presents its signature: a vec of {public_key, signature}.
fn account_signature(key: &Keypair, hash: &[u8; 32]) -> Result<ScVal, ChainFault> {
    let bad = |e: stellar_xdr::Error| ChainFault::Encoding(e.to_string());
    let bytes =
        |raw: &[u8]| ScVal::try_from(raw).map_err(|()| ChainFault::Encoding("signature bytes".into()));
    let pairs = vec![
        (ScVal::Symbol(symbol("public_key")?), bytes(&key.public())?),
        (ScVal::Symbol(symbol("signature")?), bytes(&key.sign(hash))?),
    ];
    let map = ScMap::sorted_from_pairs(pairs.into_iter()).map_err(bad)?;
    ScVal::try_from(vec![ScVal::Map(Some(map))]).map_err(|()| ChainFault::Encoding("signature vec".into()))
}
