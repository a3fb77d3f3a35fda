//! XDR, base64, hashes and addresses: the few conversions every other file needs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use soroban_env_host::xdr::{self, AccountId, Limits, MuxedAccount, PublicKey, ReadXdr, Uint256, WriteXdr};

/// Nesting beyond which the network itself refuses to decode.
const MAX_DEPTH: u32 = 500;

/// The bytes of an XDR value. Values built by this crate always encode; one that does not encodes to nothing.
pub(crate) fn bytes_of(value: &impl WriteXdr) -> Vec<u8> {
    value.to_xdr(Limits::none()).unwrap_or_default()
}

/// An XDR value in base64, as the protocol carries it.
pub(crate) fn b64_of(value: &impl WriteXdr) -> String {
    STANDARD.encode(bytes_of(value))
}

/// Bytes in base64.
pub(crate) fn b64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Bytes from base64, `None` if it is not base64.
pub(crate) fn from_b64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Decodes bytes that came from outside: bounded in depth, and in length by their own length.
pub(crate) fn decode<T: ReadXdr>(bytes: &[u8]) -> Result<T, xdr::Error> {
    T::from_xdr(bytes, Limits { depth: MAX_DEPTH, len: bytes.len() })
}

/// Decodes base64 that came from outside.
pub(crate) fn decode_b64<T: ReadXdr>(text: &str) -> Option<T> {
    decode(&from_b64(text)?).ok()
}

/// SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// SHA-256 of an XDR value.
pub(crate) fn hash_of(value: &impl WriteXdr) -> [u8; 32] {
    sha256(&bytes_of(value))
}

/// The account behind a source or destination, without its multiplexing id.
pub(crate) fn account_of(muxed: &MuxedAccount) -> AccountId {
    let key = match muxed {
        MuxedAccount::Ed25519(key) => key.clone(),
        MuxedAccount::MuxedEd25519(m) => m.ed25519.clone(),
    };
    AccountId(PublicKey::PublicKeyTypeEd25519(key))
}

/// The account with this public key.
pub(crate) fn account_id(key: [u8; 32]) -> AccountId {
    AccountId(PublicKey::PublicKeyTypeEd25519(Uint256(key)))
}

/// The public key of an account.
pub(crate) fn key_of(account: &AccountId) -> [u8; 32] {
    let AccountId(PublicKey::PublicKeyTypeEd25519(Uint256(key))) = account;
    *key
}
