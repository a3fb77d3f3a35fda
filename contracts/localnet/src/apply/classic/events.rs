//! The events of classic operations: since protocol 23 a payment tells of itself in the words of the asset's
//! contract, so whoever follows a token's events sees it however it moved.

use soroban_env_host::xdr::{
    AccountId, AlphaNum4, AlphaNum12, Asset, ContractEvent, ContractEventBody, ContractEventType,
    ContractEventV0, ContractId, ContractIdPreimage, ExtensionPoint, Hash, HashIdPreimage,
    HashIdPreimageContractId, Int128Parts, ScAddress, ScString, ScSymbol, ScVal,
};
use stellar_strkey::ed25519::PublicKey;

use crate::encoding::{hash_of, key_of};

/// A transfer, or from the issuer a mint, or to it a burn.
pub(crate) fn moved(
    network_id: &[u8; 32],
    asset: &Asset,
    from: &AccountId,
    to: &AccountId,
    amount: i64,
) -> Option<ContractEvent> {
    let issuer = issuer_of(asset);
    let (word, parties) = match (issuer == Some(from), issuer == Some(to)) {
        (true, false) => ("mint", vec![to]),
        (false, true) => ("burn", vec![from]),
        _ => ("transfer", vec![from, to]),
    };
    said(network_id, asset, (word, &parties), number(amount))
}

/// The issuer took credit back from a holder.
pub(super) fn clawed_back(
    network_id: &[u8; 32],
    asset: &Asset,
    from: &AccountId,
    amount: i64,
) -> Option<ContractEvent> {
    said(network_id, asset, ("clawback", &[from]), number(amount))
}

/// The issuer approved a holder, or took that back.
pub(super) fn authorized(
    network_id: &[u8; 32],
    asset: &Asset,
    holder: &AccountId,
    is_authorized: bool,
) -> Option<ContractEvent> {
    said(network_id, asset, ("set_authorized", &[holder]), ScVal::Bool(is_authorized))
}

fn number(amount: i64) -> ScVal {
    ScVal::I128(Int128Parts { hi: amount >> 63, lo: amount as u64 })
}

fn said(
    network_id: &[u8; 32],
    asset: &Asset,
    (word, parties): (&str, &[&AccountId]),
    what: ScVal,
) -> Option<ContractEvent> {
    let mut topics = vec![ScVal::Symbol(ScSymbol(word.try_into().ok()?))];
    topics.extend(parties.iter().map(|id| ScVal::Address(ScAddress::Account((*id).clone()))));
    topics.push(ScVal::String(ScString(name_of(asset).try_into().ok()?)));
    let body = ContractEventV0 { topics: topics.try_into().ok()?, data: what };
    Some(ContractEvent {
        ext: ExtensionPoint::V0,
        contract_id: Some(contract_of(network_id, asset)),
        type_: ContractEventType::Contract,
        body: ContractEventBody::V0(body),
    })
}

/// The contract an asset has, whether deployed or not.
fn contract_of(network_id: &[u8; 32], asset: &Asset) -> ContractId {
    let preimage = HashIdPreimage::ContractId(HashIdPreimageContractId {
        network_id: Hash(*network_id),
        contract_id_preimage: ContractIdPreimage::Asset(asset.clone()),
    });
    ContractId(Hash(hash_of(&preimage)))
}

fn issuer_of(asset: &Asset) -> Option<&AccountId> {
    match asset {
        Asset::Native => None,
        Asset::CreditAlphanum4(AlphaNum4 { issuer, .. })
        | Asset::CreditAlphanum12(AlphaNum12 { issuer, .. }) => Some(issuer),
    }
}

/// `native`, or `CODE:G…` as asset contracts name themselves.
fn name_of(asset: &Asset) -> String {
    let code: &[u8] = match asset {
        Asset::Native => return "native".into(),
        Asset::CreditAlphanum4(a) => &a.asset_code.0,
        Asset::CreditAlphanum12(a) => &a.asset_code.0,
    };
    let word: String = code.iter().take_while(|b| **b != 0).map(|b| char::from(*b)).collect();
    let issuer = issuer_of(asset).map(|id| PublicKey(key_of(id)).to_string());
    format!("{word}:{}", issuer.as_deref().unwrap_or_default())
}
