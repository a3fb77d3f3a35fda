//! The contracts' ledger entries, many a call: which changed when, how long they live, which code runs.
//!
//! Invariant: what an entry means is asked of the contract (`get`, `totals`), so nothing here depends on how
//! it stores things; of an entry only its key, its last change and its life are read. Every answer says as of
//! which ledger it is, and none is older than one that was seen.
//! Absent: keys to sign with. Whoever has the addresses can look.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use stellar_xdr::{
    ContractDataDurability, ContractDataEntry, ContractExecutable, Hash, LedgerEntryData, LedgerKey,
    LedgerKeyContractCode, LedgerKeyContractData, ScAddress, ScVal,
};

use super::super::op::{Network, invocation, unit};
use super::super::rpc::{ChainFault, LedgerEntryAnswer, Rpc};
use super::super::wire::{address, bytes32, contract_id, decode, encode, symbol};
use super::{EscrowOnChain, Totals, view_at};
use crate::http::Client;

/// Keys that a server takes in one call.
pub const MOST_KEYS: usize = 200;

/// Ledgers in a day, at five seconds each.
pub const DAY: u32 = 17_280;

/// An entry as the network keeps it, without what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The ledger that changed it last. Prolonging its life is no change.
    pub modified: u32,
    /// The last ledger in which it is not archived.
    pub live_until: u32,
}

/// An entry that every escrow needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pillar {
    /// What it is: `contract`, `code`, `token`, `balance`, `anchor`, `anchor code`.
    pub name: &'static str,
    /// Its key, XDR base64.
    pub key: String,
    /// The entry; `None` if there is none.
    pub entry: Option<Entry>,
}

/// Looks at one deployment, and can do nothing else.
#[derive(Debug, Clone)]
pub struct Observer {
    network: Network,
    rpc: Rpc,
    seen: Arc<AtomicU32>,
}

impl Observer {
    /// Looks at the contracts of `network`.
    ///
    /// # Errors
    /// When an address is none, or the exponent is above 7.
    pub fn new(network: Network, http: Client) -> Result<Self, ChainFault> {
        contract_id(&network.contract)?;
        contract_id(&network.token)?;
        unit(network.exponent)?;
        let rpc = Rpc::new(http, network.rpc_url.clone());
        Ok(Self { network, rpc, seen: Arc::default() })
    }

    pub(in super::super) fn sharing(network: &Network, rpc: &Rpc, seen: &Arc<AtomicU32>) -> Self {
        Self { network: network.clone(), rpc: rpc.clone(), seen: seen.clone() }
    }

    /// The deployment.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The newest ledger.
    ///
    /// # Errors
    /// When the server cannot be asked or understood, or is behind; so for all below.
    pub async fn latest_ledger(&self) -> Result<u32, ChainFault> {
        Ok(self.rpc.latest_ledger().await?.sequence)
    }

    /// What the network calls itself.
    ///
    /// # Errors
    /// As [`Observer::latest_ledger`].
    pub async fn passphrase(&self) -> Result<String, ChainFault> {
        Ok(self.rpc.network().await?.passphrase)
    }

    /// The entries of these escrows, at most [`MOST_KEYS`], in the order asked; and the ledger as of which.
    ///
    /// # Errors
    /// As [`Observer::latest_ledger`].
    pub async fn escrows(&self, keys: &[[u8; 32]]) -> Result<(u32, Vec<Option<Entry>>), ChainFault> {
        let keys: Result<Vec<_>, _> = keys.iter().map(|key| escrow_key(&self.network, key)).collect();
        let (ledger, found) = self.read(&keys?).await?;
        let entries = found.into_iter().map(|answer| answer.and_then(|answer| entry(&answer)));
        Ok((ledger, entries.collect()))
    }

    /// The escrow with this key, archived or not, and the ledger as of which; `None` when there never was
    /// one.
    ///
    /// # Errors
    /// As [`Observer::latest_ledger`].
    pub async fn escrow(&self, key: &[u8; 32]) -> Result<(u32, Option<EscrowOnChain>), ChainFault> {
        let (ledger, view) = self.ask("get", vec![bytes32(key)?]).await?;
        let odd = || odd("get");
        match view {
            ScVal::Void => Ok((ledger, None)),
            view => Ok((ledger, Some(EscrowOnChain::read(&view, self.network.exponent).ok_or_else(odd)?))),
        }
    }

    /// The key of the escrow this deposit was minted into; `None` when it was not.
    ///
    /// # Errors
    /// As [`Observer::latest_ledger`].
    pub async fn deposit(&self, deposit_id: &[u8; 32]) -> Result<Option<[u8; 32]>, ChainFault> {
        Ok(self.deposit_as_of(deposit_id).await?.1)
    }

    /// As [`Observer::deposit`], with the ledger as of which.
    pub(in super::super) async fn deposit_as_of(
        &self,
        deposit_id: &[u8; 32],
    ) -> Result<(u32, Option<[u8; 32]>), ChainFault> {
        match self.ask("deposit", vec![bytes32(deposit_id)?]).await? {
            (ledger, ScVal::Void) => Ok((ledger, None)),
            (ledger, key) => {
                let key = super::read_bytes32(&key).ok_or_else(|| odd("deposit"))?;
                Ok((ledger, Some(key)))
            }
        }
    }

    /// The contract's own sums, and the ledger as of which.
    ///
    /// # Errors
    /// As [`Observer::latest_ledger`].
    pub async fn totals(&self) -> Result<(u32, Totals), ChainFault> {
        let (ledger, value) = self.ask("totals", vec![0_u32.into()]).await?;
        Totals::read(&value, self.network.exponent)
            .map(|totals| (ledger, totals))
            .ok_or_else(|| odd("totals"))
    }

    /// The SHA-256 of the code a contract runs; `None` when there is no such contract.
    ///
    /// # Errors
    /// As [`Observer::latest_ledger`].
    pub async fn code(&self, contract: &str) -> Result<Option<[u8; 32]>, ChainFault> {
        let (_, found) = self.read(&[instance_key(contract)?]).await?;
        let Some(Some(answer)) = found.into_iter().next() else { return Ok(None) };
        match decode("LedgerEntryData", &answer.xdr)? {
            LedgerEntryData::ContractData(ContractDataEntry {
                val: ScVal::ContractInstance(instance),
                ..
            }) => match instance.executable {
                ContractExecutable::Wasm(Hash(hash)) => Ok(Some(hash)),
                ContractExecutable::StellarAsset | ContractExecutable::ExternalRef(_) => Ok(None),
            },
            _ => Err(odd("getLedgerEntries")),
        }
    }

    /// What every escrow needs to live: contracts, their code, the token and the contract's balance in it.
    ///
    /// # Errors
    /// As [`Observer::latest_ledger`].
    pub async fn pillars(&self) -> Result<(u32, Vec<Pillar>), ChainFault> {
        let network = &self.network;
        let mut named = vec![
            ("contract", instance_key(&network.contract)?),
            ("token", instance_key(&network.token)?),
            ("balance", balance_key(network)?),
        ];
        if let Some(hash) = self.code(&network.contract).await? {
            named.push(("code", code_key(hash)?));
        }
        if let Some(anchor) = &network.anchor {
            named.push(("anchor", instance_key(anchor)?));
            if let Some(hash) = self.code(anchor).await? {
                named.push(("anchor code", code_key(hash)?));
            }
        }
        let keys: Vec<String> = named.iter().map(|(_, key)| key.clone()).collect();
        let (ledger, found) = self.read(&keys).await?;
        let pillar = |((name, key), answer): ((&'static str, String), Option<LedgerEntryAnswer>)| Pillar {
            name,
            key,
            entry: answer.and_then(|answer| entry(&answer)),
        };
        Ok((ledger, named.into_iter().zip(found).map(pillar).collect()))
    }

    /// The key under which the network keeps an escrow, XDR base64.
    ///
    /// # Errors
    /// The contract's address is none.
    pub fn escrow_key(&self, key: &[u8; 32]) -> Result<String, ChainFault> {
        escrow_key(&self.network, key)
    }

    /// Whether all of these entries live for so many ledgers from now on, but for a day.
    ///
    /// # Errors
    /// As [`Observer::latest_ledger`].
    pub async fn live(&self, keys: &[String], ledgers: u32) -> Result<bool, ChainFault> {
        let (ledger, found) = self.read(keys).await?;
        let least = ledger.saturating_add(ledgers).saturating_sub(DAY);
        let lives = |answer: LedgerEntryAnswer| entry(&answer).is_some_and(|entry| entry.live_until >= least);
        Ok(found.into_iter().flatten().all(lives))
    }

    async fn read(&self, keys: &[String]) -> Result<(u32, Vec<Option<LedgerEntryAnswer>>), ChainFault> {
        let method = "getLedgerEntries";
        let answer = self.rpc.ledger_entries(keys).await?;
        let least = self.seen.load(Ordering::Relaxed);
        if answer.latest_ledger < least {
            let why = format!("the server is at ledger {}, behind {least}", answer.latest_ledger);
            return Err(ChainFault::Unreachable { method, why });
        }
        let mut found: std::collections::HashMap<String, LedgerEntryAnswer> =
            answer.entries.into_iter().flatten().map(|entry| (entry.key.clone(), entry)).collect();
        Ok((answer.latest_ledger, keys.iter().map(|key| found.remove(key)).collect()))
    }

    async fn ask(&self, function: &str, args: Vec<ScVal>) -> Result<(u32, ScVal), ChainFault> {
        let call = invocation(&self.network.contract, function, args)?;
        let (ledger, answer) = view_at(&self.rpc, call, self.seen.load(Ordering::Relaxed)).await?;
        let value =
            answer.map_err(|message| ChainFault::Rpc { method: "simulateTransaction", code: 0, message })?;
        Ok((ledger, value))
    }
}

fn entry(answer: &LedgerEntryAnswer) -> Option<Entry> {
    Some(Entry {
        modified: answer.last_modified_ledger_seq?,
        live_until: answer.live_until_ledger_seq.unwrap_or(u32::MAX),
    })
}

fn odd(function: &str) -> ChainFault {
    ChainFault::Malformed { method: "simulateTransaction", why: format!("unexpected shape from {function}") }
}

/// The key of a persistent entry of a contract.
fn data_key(contract: ScAddress, key: ScVal) -> Result<String, ChainFault> {
    let durability = ContractDataDurability::Persistent;
    encode(&LedgerKey::ContractData(LedgerKeyContractData { contract, key, durability }))
}

/// The contract keeps an escrow under its reference alone.
fn escrow_key(network: &Network, key: &[u8; 32]) -> Result<String, ChainFault> {
    data_key(address(&network.contract)?, bytes32(key)?)
}

fn instance_key(contract: &str) -> Result<String, ChainFault> {
    data_key(address(contract)?, ScVal::LedgerKeyContractInstance)
}

/// An asset's contract keeps a contract's tokens under `Balance(contract)`.
fn balance_key(network: &Network) -> Result<String, ChainFault> {
    let name = ScVal::Symbol(symbol("Balance")?);
    let key = ScVal::try_from(vec![name, ScVal::Address(address(&network.contract)?)]);
    let key = key.map_err(|()| ChainFault::Encoding("a balance's key".into()))?;
    data_key(address(&network.token)?, key)
}

fn code_key(hash: [u8; 32]) -> Result<String, ChainFault> {
    encode(&LedgerKey::ContractCode(LedgerKeyContractCode { hash: Hash(hash) }))
}
