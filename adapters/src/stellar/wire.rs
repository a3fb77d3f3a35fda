//! XDR values in and out: addresses, numbers, ids, and the two hashes everything on the chain is named by.
//!
//! Invariant: nothing that comes from outside is decoded without a limit on depth and size.

use aws_lc_rs::digest::{SHA256, digest};
use stellar_xdr::{
    AccountId, AlphaNum4, AlphaNum12, Asset, AssetCode4, AssetCode12, ContractId, ContractIdPreimage,
    ContractIdPreimageFromAddress, Hash, HashIdPreimage, HashIdPreimageContractId, LedgerKey,
    LedgerKeyAccount, Limits, MuxedAccount, PublicKey, ReadXdr, ScAddress, ScString, ScSymbol, ScVal,
    Uint256, WriteXdr,
};

use super::rpc::ChainFault;

/// Deep enough for any transaction meta, shallow enough that a crafted one cannot exhaust the stack.
const DEPTH: u32 = 200;
/// The largest answer worth reading, in bytes of XDR.
const LENGTH: usize = 8 * 1024 * 1024;

/// Reads an XDR value from base64.
pub(super) fn decode<T: ReadXdr>(what: &'static str, base64: &str) -> Result<T, ChainFault> {
    T::from_xdr_base64(base64, Limits { depth: DEPTH, len: LENGTH })
        .map_err(|e| ChainFault::Malformed { method: what, why: e.to_string() })
}

/// Writes an XDR value as base64.
pub(super) fn encode<T: WriteXdr>(value: &T) -> Result<String, ChainFault> {
    value.to_xdr_base64(Limits::none()).map_err(unwritable)
}

fn unwritable(e: stellar_xdr::Error) -> ChainFault {
    ChainFault::Encoding(e.to_string())
}

/// SHA-256.
pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}

/// The hash of a hash-id preimage: contract ids and what address credentials sign.
pub(super) fn preimage_hash(preimage: &HashIdPreimage) -> Result<[u8; 32], ChainFault> {
    Ok(sha256(&preimage.to_xdr(Limits::none()).map_err(unwritable)?))
}

/// A network's id: the hash of its passphrase.
pub(super) fn network_id(passphrase: &str) -> Hash {
    Hash(sha256(passphrase.as_bytes()))
}

/// Reads `G…` or `C…`.
pub(super) fn address(text: &str) -> Result<ScAddress, ChainFault> {
    match text.parse::<ScAddress>() {
        Ok(found @ (ScAddress::Account(_) | ScAddress::Contract(_))) => Ok(found),
        _ => Err(ChainFault::Encoding(format!("not an account or contract address: {text}"))),
    }
}

/// Reads `C…`.
pub(super) fn contract_id(text: &str) -> Result<ContractId, ChainFault> {
    match address(text)? {
        ScAddress::Contract(id) => Ok(id),
        _ => Err(ChainFault::Encoding(format!("not a contract address: {text}"))),
    }
}

/// Reads `G…` into the raw key.
pub(super) fn account_key(text: &str) -> Result<[u8; 32], ChainFault> {
    match address(text)? {
        ScAddress::Account(AccountId(PublicKey::PublicKeyTypeEd25519(Uint256(key)))) => Ok(key),
        _ => Err(ChainFault::Encoding(format!("not an account address: {text}"))),
    }
}

pub(super) fn account_id(key: [u8; 32]) -> AccountId {
    AccountId(PublicKey::PublicKeyTypeEd25519(Uint256(key)))
}

pub(super) fn muxed(key: [u8; 32]) -> MuxedAccount {
    MuxedAccount::Ed25519(Uint256(key))
}

/// The ledger key of a classic account.
pub(super) fn account_ledger_key(key: [u8; 32]) -> LedgerKey {
    LedgerKey::Account(LedgerKeyAccount { account_id: account_id(key) })
}

/// The classic asset CODE:issuer.
pub(super) fn asset(code: &str, issuer: [u8; 32]) -> Result<Asset, ChainFault> {
    let bad = || ChainFault::Encoding(format!("asset code must be 1 to 12 letters or digits: {code}"));
    if code.is_empty() || code.len() > 12 || !code.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(bad());
    }
    let issuer = account_id(issuer);
    Ok(if code.len() <= 4 {
        Asset::CreditAlphanum4(AlphaNum4 { asset_code: AssetCode4(padded(code)), issuer })
    } else {
        Asset::CreditAlphanum12(AlphaNum12 { asset_code: AssetCode12(padded(code)), issuer })
    })
}

fn padded<const N: usize>(code: &str) -> [u8; N] {
    let mut out = [0; N];
    for (slot, byte) in out.iter_mut().zip(code.bytes()) {
        *slot = byte;
    }
    out
}

/// The id a contract gets when `deployer` creates it with `salt`.
pub(super) fn deployed_preimage(deployer: [u8; 32], salt: [u8; 32]) -> ContractIdPreimage {
    ContractIdPreimage::Address(ContractIdPreimageFromAddress {
        address: ScAddress::Account(account_id(deployer)),
        salt: Uint256(salt),
    })
}

/// The id of the contract a preimage names on this network.
pub(super) fn contract_of(network: &Hash, preimage: &ContractIdPreimage) -> Result<ContractId, ChainFault> {
    let named = HashIdPreimage::ContractId(HashIdPreimageContractId {
        network_id: network.clone(),
        contract_id_preimage: preimage.clone(),
    });
    Ok(ContractId(Hash(preimage_hash(&named)?)))
}

/// 32 bytes as a contract value.
pub(super) fn bytes32(bytes: &[u8; 32]) -> Result<ScVal, ChainFault> {
    ScVal::try_from(bytes).map_err(|()| ChainFault::Encoding("32 bytes".into()))
}

/// A text as a contract value.
pub(super) fn string(text: &str) -> Result<ScVal, ChainFault> {
    let bytes = text.try_into().map_err(|_| ChainFault::Encoding(format!("too long a text: {text:.40}")))?;
    Ok(ScVal::String(ScString(bytes)))
}

/// A symbol, such as the name of a function.
pub(super) fn symbol(name: &str) -> Result<ScSymbol, ChainFault> {
    ScSymbol::try_from(name).map_err(|()| ChainFault::Encoding(format!("not a symbol: {name}")))
}

/// Reads a signed 128-bit number.
pub(super) fn read_i128(value: &ScVal) -> Option<i128> {
    match value {
        ScVal::I128(parts) => Some(i128::from(parts)),
        _ => None,
    }
}

/// Reads a 32-byte value.
pub(super) fn read_bytes32(value: &ScVal) -> Option<[u8; 32]> {
    match value {
        ScVal::Bytes(bytes) => bytes.as_slice().try_into().ok(),
        _ => None,
    }
}

/// Reads a text.
pub(super) fn read_string(value: &ScVal) -> Option<String> {
    match value {
        ScVal::String(text) => text.to_utf8_string().ok(),
        _ => None,
    }
}

/// Reads a number that fits the ledger's.
pub(super) fn read_count(value: &ScVal) -> Option<i64> {
    match value {
        ScVal::U64(number) => i64::try_from(*number).ok(),
        _ => None,
    }
}

/// Reads a symbol.
pub(super) fn read_symbol(value: &ScVal) -> Option<String> {
    match value {
        ScVal::Symbol(symbol) => Some(symbol.to_utf8_string_lossy()),
        _ => None,
    }
}

/// Reads an address as `G…` or `C…`.
pub(super) fn read_address(value: &ScVal) -> Option<String> {
    match value {
        ScVal::Address(address) => Some(address.to_string()),
        _ => None,
    }
}

/// A field of a struct that was written as a map with symbol keys.
pub(super) fn field<'a>(value: &'a ScVal, name: &str) -> Option<&'a ScVal> {
    let ScVal::Map(Some(map)) = value else { return None };
    map.iter().find(|pair| read_symbol(&pair.key).as_deref() == Some(name)).map(|pair| &pair.val)
}

/// 32 bytes as hex, in what is stored.
pub(super) mod hex32 {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(in super::super) fn serialize<S: Serializer>(bytes: &[u8; 32], out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&hex::encode(bytes))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(from)?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(&text, &mut bytes).map_err(D::Error::custom)?;
        Ok(bytes)
    }
}

/// 32 bytes as hex, or nothing, in what is stored.
pub(super) mod hex32_or_none {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(in super::super) fn serialize<S: Serializer>(
        bytes: &Option<[u8; 32]>,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => out.serialize_some(&hex::encode(bytes)),
            None => out.serialize_none(),
        }
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<[u8; 32]>, D::Error> {
        let Some(text) = Option::<String>::deserialize(from)? else { return Ok(None) };
        let mut bytes = [0; 32];
        hex::decode_to_slice(&text, &mut bytes).map_err(D::Error::custom)?;
        Ok(Some(bytes))
    }
}
