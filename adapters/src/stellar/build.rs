//! From an instruction to signed bytes: simulate, sign authorisations, assemble, sign with the channel's key.
//!
//! Invariant: what is signed for the operator or the delegate is exactly the call we asked for and nothing
//! below it, whatever the server would like signed. Time bounds come from the network's own clock.
//! Absent: sending. The caller stores [`Built`] first; bytes that are stored can be sent any number of times.

mod extend;

use std::sync::atomic::AtomicU32;

use amana_ledger::id::Rng;
use serde::{Deserialize, Serialize};
use stellar_xdr::{
    AccountEntry, Hash, HostFunction, InvokeHostFunctionOp, LedgerEntryData, LedgerKey, Memo, Operation,
    OperationBody, Preconditions, SequenceNumber, SorobanAddressCredentials, SorobanAuthorizationEntry,
    SorobanAuthorizedFunction, SorobanCredentials, SorobanResourcesExtV0, SorobanTransactionData,
    SorobanTransactionDataExt, TimeBounds, TimePoint, Transaction, TransactionEnvelope, TransactionExt,
    TransactionV1Envelope, VecM,
};

use super::contract::refusal;
use super::rpc::{ChainFault, RestorePreamble, Rpc, Simulation};
use super::sign::{AuthTerms, Keypair, sign_authorization, sign_transaction};
use super::wire::{account_key, account_ledger_key, decode, encode, muxed};
use crate::port::Outcome;

pub(super) use extend::extend;

/// The least anyone pays to be included, stroops of XLM.
const MIN_INCLUSION: i64 = 100;
/// What we pay for inclusion at most; above it we wait.
pub(super) const MAX_INCLUSION: i64 = 1_000_000;

/// A signed transaction: to be stored before it is sent the first time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Built {
    /// The signed envelope, XDR base64. Sending these bytes twice is sending them once.
    pub envelope_xdr: String,
    /// The transaction's hash, hex: known before sending.
    pub hash: String,
    /// The channel that pays the fee, `G…`.
    pub channel: String,
    /// The sequence number of the channel it uses up.
    pub sequence: i64,
    /// Unix seconds of ledger time after which it can never be applied.
    pub max_time: i64,
    /// The newest ledger when it was built: it cannot be in an earlier one.
    pub first_ledger: u32,
    /// What it costs at most, stroops of XLM.
    pub fee: i64,
}

/// How long and how dear a transaction may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Seconds of ledger time in which it must be applied.
    pub lifetime_s: i64,
    /// Ledgers for which a signed authorisation is valid. Above `lifetime_s` in ledgers, with room for
    /// networks that close a ledger for each transaction.
    pub auth_ledgers: u32,
    /// The most it may cost, stroops of XLM: a server that asks for more is refused.
    pub max_fee: i64,
}

impl Default for Limits {
    /// 90 s; 360 ledgers (half an hour at 5 s); 100 XLM. A call costs a fraction of one, but the first call
    /// after the contract's code was archived pays to restore it, which is up to 50 on the public network,
    /// and must not be stuck.
    fn default() -> Self {
        Self { lifetime_s: 90, auth_ledgers: 360, max_fee: 1_000_000_000 }
    }
}

/// What earlier attempts at the same thing failed for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Leeway {
    /// How many exceeded the resources that a simulation had said were enough.
    pub resources: u32,
    /// How many could not pay the rent that a simulation had said was enough.
    pub rent: u32,
}

impl Leeway {
    /// A quarter more of each resource for each failure, at most twice as much.
    fn resource(self, amount: u32) -> u32 {
        let more = u64::from(amount) * u64::from(self.resources.min(4)) / 4;
        amount.saturating_add(u32::try_from(more).unwrap_or(u32::MAX))
    }

    /// A tenth more than the least in any case: what is not used of it is given back. Those resources cost
    /// in proportion; rent may have doubled since.
    fn fee(self, least: i64) -> i64 {
        let resources = least.saturating_mul(i64::from(self.resources.min(4))) / 4;
        let fee = least.saturating_add(least / 10).saturating_add(resources);
        fee.saturating_mul(1 << self.rent.min(4))
    }
}

/// What every transaction of one deployment has in common.
pub(super) struct Desk<'a> {
    pub(super) rpc: &'a Rpc,
    pub(super) network: &'a Hash,
    /// Keys whose authorisation we may give.
    pub(super) signers: &'a [&'a Keypair],
    pub(super) limits: Limits,
    pub(super) rng: &'a dyn Rng,
    /// A ledger in which something of ours is known to have happened.
    pub(super) seen: &'a AtomicU32,
    pub(super) leeway: Leeway,
}

/// Who pays a transaction's fee, and with which sequence number.
#[derive(Clone, Copy)]
pub(super) struct Seat<'a> {
    pub(super) channel: &'a Keypair,
    /// The number to use up: the account's last one plus one.
    pub(super) sequence: i64,
}

/// The network's clock: newest ledger and when it closed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) ledger: u32,
    pub(super) close_time: i64,
}

/// Reads the network's clock.
pub(super) async fn now(rpc: &Rpc) -> Result<Now, ChainFault> {
    let latest = rpc.latest_ledger().await?;
    if let Some(close_time) = latest.close_time {
        return Ok(Now { ledger: latest.sequence, close_time });
    }
    // Older servers tell the time only beside a transaction; any hash will do, also one that does not exist.
    let answer = rpc.transaction(&"0".repeat(64)).await?;
    Ok(Now { ledger: answer.latest_ledger, close_time: answer.latest_ledger_close_time })
}

/// A classic account as the network has it, in `at_least` or later; `None` when there is none.
pub(super) async fn account(
    rpc: &Rpc,
    address: &str,
    at_least: u32,
) -> Result<Option<AccountEntry>, ChainFault> {
    let key = encode(&account_ledger_key(account_key(address)?))?;
    let found = rpc.ledger_entries(&[key]).await?;
    if found.latest_ledger < at_least {
        let why = format!("the server is at ledger {}, behind {at_least}", found.latest_ledger);
        return Err(ChainFault::Unreachable { method: "getLedgerEntries", why });
    }
    let Some(entry) = found.entries.iter().flatten().next() else { return Ok(None) };
    match decode("LedgerEntryData", &entry.xdr)? {
        LedgerEntryData::Account(account) => Ok(Some(account)),
        _ => {
            Err(ChainFault::Malformed { method: "getLedgerEntries", why: format!("{address} is no account") })
        }
    }
}

/// Builds the transaction that runs this host function, or says why not.
pub(super) async fn build(desk: &Desk<'_>, seat: Seat<'_>, function: HostFunction) -> Outcome<Built> {
    match try_build(desk, seat, function).await {
        Ok(outcome) => outcome,
        Err(ChainFault::Encoding(reason)) => Outcome::Refused { code: "unencodable".into(), reason },
        // Nothing has left the house: the same thing can be built again.
        Err(fault) => Outcome::NotSent { why: fault.to_string() },
    }
}

async fn try_build(
    desk: &Desk<'_>,
    seat: Seat<'_>,
    function: HostFunction,
) -> Result<Outcome<Built>, ChainFault> {
    let now = now(desk.rpc).await?;
    let max_time = now.close_time + desk.limits.lifetime_s;
    let recorded = desk.rpc.simulate(&unsigned(draft(seat, max_time, call(&function, vec![])?)?)?).await?;
    if let Some(refused) = refusal(&recorded, desk.seen) {
        return Ok(refused);
    }
    let asked = asked_auth(&recorded)?;
    let auth = match authorise(desk, &function, &asked, now.ledger)? {
        Ok(auth) => auth,
        Err(reason) => return Ok(Outcome::Refused { code: "unauthorised".into(), reason }),
    };
    let tx = draft(seat, max_time, call(&function, auth.clone())?)?;
    // A nonce of ours is part of the footprint, so a signed call is run once more, now with signatures
    // checked.
    let run = if auth == asked { recorded } else { desk.rpc.simulate(&unsigned(tx.clone())?).await? };
    priced(desk, seat, (tx, now), &run).await
}

/// Signs a transaction with the resources its run needed, unless the run failed or is dearer than anybody
/// should pay.
async fn priced(
    desk: &Desk<'_>,
    seat: Seat<'_>,
    (mut tx, now): (Transaction, Now),
    run: &Simulation,
) -> Result<Outcome<Built>, ChainFault> {
    if let Some(refused) = refusal(run, desk.seen) {
        return Ok(refused);
    }
    let soroban = resources(run, desk.leeway)?;
    let fee = soroban.resource_fee.saturating_add(inclusion_fee(desk.rpc).await);
    if fee > desk.limits.max_fee {
        let why = format!("fee of {fee} stroops is above the limit of {}", desk.limits.max_fee);
        return Ok(Outcome::NotSent { why });
    }
    tx.fee = u32::try_from(fee).map_err(|_| ChainFault::Encoding(format!("fee {fee}")))?;
    tx.ext = TransactionExt::V1(soroban);
    finish(desk.network, seat, tx, now).map(Outcome::Done)
}

/// A transaction of classic operations, all by the channel itself: one hundred stroops each.
pub(super) async fn build_classic(
    desk: &Desk<'_>,
    seat: Seat<'_>,
    operations: Vec<OperationBody>,
) -> Result<Built, ChainFault> {
    let now = now(desk.rpc).await?;
    let count = i64::try_from(operations.len()).unwrap_or(i64::MAX);
    let fee = inclusion_fee(desk.rpc).await.saturating_mul(count);
    let mut tx = draft(seat, now.close_time + desk.limits.lifetime_s, operations)?;
    tx.fee = u32::try_from(fee).map_err(|_| ChainFault::Encoding(format!("fee {fee}")))?;
    finish(desk.network, seat, tx, now)
}

fn finish(network: &Hash, seat: Seat<'_>, tx: Transaction, now: Now) -> Result<Built, ChainFault> {
    let fee = i64::from(tx.fee);
    let max_time = match &tx.cond {
        Preconditions::Time(bounds) => i64::try_from(bounds.max_time.0).unwrap_or(i64::MAX),
        _ => return Err(ChainFault::Encoding("a transaction without time bounds".into())),
    };
    let (envelope, hash) = sign_transaction(network, tx, &[seat.channel])?;
    Ok(Built {
        envelope_xdr: encode(&envelope)?,
        hash: hex::encode(hash),
        channel: seat.channel.address(),
        sequence: seat.sequence,
        max_time,
        first_ledger: now.ledger,
        fee,
    })
}

fn call(
    function: &HostFunction,
    auth: Vec<SorobanAuthorizationEntry>,
) -> Result<Vec<OperationBody>, ChainFault> {
    let auth = auth.try_into().map_err(|_| ChainFault::Encoding("too many authorisations".into()))?;
    Ok(vec![OperationBody::InvokeHostFunction(InvokeHostFunctionOp {
        host_function: function.clone(),
        auth,
    })])
}

fn draft(seat: Seat<'_>, max_time: i64, bodies: Vec<OperationBody>) -> Result<Transaction, ChainFault> {
    let max_time = u64::try_from(max_time).map_err(|_| ChainFault::Encoding(format!("time {max_time}")))?;
    let operations: Vec<_> =
        bodies.into_iter().map(|body| Operation { source_account: None, body }).collect();
    Ok(Transaction {
        source_account: muxed(seat.channel.public()),
        fee: 0,
        seq_num: SequenceNumber(seat.sequence),
        cond: Preconditions::Time(TimeBounds { min_time: TimePoint(0), max_time: TimePoint(max_time) }),
        memo: Memo::None,
        operations: operations.try_into().map_err(|_| ChainFault::Encoding("too many operations".into()))?,
        ext: TransactionExt::V0,
    })
}

fn unsigned(tx: Transaction) -> Result<String, ChainFault> {
    encode(&TransactionEnvelope::Tx(TransactionV1Envelope { tx, signatures: VecM::default() }))
}

fn asked_auth(run: &Simulation) -> Result<Vec<SorobanAuthorizationEntry>, ChainFault> {
    let entries = run.results.iter().flatten().flat_map(|result| result.auth.iter().flatten());
    entries.map(|entry| decode("SorobanAuthorizationEntry", entry)).collect()
}

/// Signs what is asked of our keys. The inner error names what we will not authorise.
pub(super) fn authorise(
    desk: &Desk<'_>,
    function: &HostFunction,
    asked: &[SorobanAuthorizationEntry],
    ledger: u32,
) -> Result<Result<Vec<SorobanAuthorizationEntry>, String>, ChainFault> {
    let mut signed = Vec::with_capacity(asked.len());
    for entry in asked {
        if !is_exactly(function, entry) {
            return Ok(Err("the server asks for a signature under another call than ours".into()));
        }
        let credentials = match &entry.credentials {
            SorobanCredentials::SourceAccount => {
                signed.push(entry.clone());
                continue;
            }
            SorobanCredentials::Address(found) | SorobanCredentials::AddressV2(found) => found,
            SorobanCredentials::AddressWithDelegates(_) => {
                return Ok(Err("the server asks for a signature with delegates".into()));
            }
        };
        let Some(key) = key_of(desk.signers, credentials) else {
            return Ok(Err(format!("{} must sign, and we have no key of it", credentials.address)));
        };
        let terms =
            AuthTerms { nonce: nonce(desk.rng), expires: ledger.saturating_add(desk.limits.auth_ledgers) };
        signed.push(sign_authorization(desk.network, entry, terms, key)?);
    }
    Ok(Ok(signed))
}

/// A signature under a call covers what that call may do in the signer's name. The escrow needs nothing
/// beyond the call itself, so anything below it is refused unread.
fn is_exactly(function: &HostFunction, entry: &SorobanAuthorizationEntry) -> bool {
    let root = &entry.root_invocation;
    let same = match (&root.function, function) {
        (SorobanAuthorizedFunction::ContractFn(asked), HostFunction::InvokeContract(ours)) => asked == ours,
        (SorobanAuthorizedFunction::CreateContractHostFn(asked), HostFunction::CreateContract(ours)) => {
            asked == ours
        }
        (SorobanAuthorizedFunction::CreateContractV2HostFn(asked), HostFunction::CreateContractV2(ours)) => {
            asked == ours
        }
        _ => false,
    };
    same && root.sub_invocations.is_empty()
}

fn key_of<'a>(signers: &[&'a Keypair], credentials: &SorobanAddressCredentials) -> Option<&'a Keypair> {
    let address = credentials.address.to_string();
    signers.iter().find(|key| key.address() == address).copied()
}

fn nonce(rng: &dyn Rng) -> i64 {
    let mut bytes = [0; 8];
    rng.fill(&mut bytes);
    i64::from_be_bytes(bytes)
}

/// What the run needs, with what earlier attempts lacked.
pub(super) fn resources(run: &Simulation, leeway: Leeway) -> Result<SorobanTransactionData, ChainFault> {
    let absent = || ChainFault::Malformed { method: "simulateTransaction", why: "no transactionData".into() };
    let encoded = run.transaction_data.as_deref().ok_or_else(absent)?;
    let mut soroban: SorobanTransactionData = decode("SorobanTransactionData", encoded)?;
    if let Some(preamble) = &run.restore_preamble {
        restore_within(&mut soroban, preamble)?;
    }
    let minimum = soroban.resource_fee.max(run.min_resource_fee.unwrap_or(0));
    soroban.resource_fee = leeway.fee(minimum);
    let declared = &mut soroban.resources;
    declared.instructions = leeway.resource(declared.instructions);
    declared.disk_read_bytes = leeway.resource(declared.disk_read_bytes);
    declared.write_bytes = leeway.resource(declared.write_bytes);
    Ok(soroban)
}

/// Since protocol 23 a call restores archived entries itself when it lists them, so a restore that the server
/// wants done first is folded into the call, with what it costs.
fn restore_within(
    soroban: &mut SorobanTransactionData,
    preamble: &RestorePreamble,
) -> Result<(), ChainFault> {
    let full = |what: &str| ChainFault::Encoding(format!("{what} of a restoring call"));
    let restore: SorobanTransactionData = decode("SorobanTransactionData", &preamble.transaction_data)?;
    let footprint = &mut soroban.resources.footprint;
    let archived: &[LedgerKey] = restore.resources.footprint.read_write.as_slice();
    let mut writes: Vec<LedgerKey> = footprint.read_write.to_vec();
    let reads: Vec<LedgerKey> =
        footprint.read_only.iter().filter(|k| !archived.contains(k)).cloned().collect();
    writes.extend(archived.iter().filter(|k| !footprint.read_write.contains(k)).cloned());
    let place = |(index, key): (usize, &LedgerKey)| archived.contains(key).then_some(index);
    let indexes: Result<Vec<u32>, _> =
        writes.iter().enumerate().filter_map(place).map(u32::try_from).collect();
    let indexes = indexes.map_err(|_| full("footprint"))?;
    footprint.read_only = reads.try_into().map_err(|_| full("footprint"))?;
    footprint.read_write = writes.try_into().map_err(|_| full("footprint"))?;
    soroban.ext = SorobanTransactionDataExt::V1(SorobanResourcesExtV0 {
        archived_soroban_entries: indexes.try_into().map_err(|_| full("footprint"))?,
    });
    let resources = &mut soroban.resources;
    resources.disk_read_bytes = resources.disk_read_bytes.saturating_add(restore.resources.disk_read_bytes);
    resources.write_bytes = resources.write_bytes.saturating_add(restore.resources.write_bytes);
    resources.instructions = resources.instructions.saturating_add(restore.resources.instructions);
    soroban.resource_fee = soroban.resource_fee.saturating_add(preamble.min_resource_fee);
    Ok(())
}

/// What nine in ten recently paid. A server that cannot say costs us at worst a slower inclusion.
async fn inclusion_fee(rpc: &Rpc) -> i64 {
    let p90 = rpc.fee_stats().await.map_or(MIN_INCLUSION, |stats| stats.soroban_inclusion_fee.p90);
    p90.clamp(MIN_INCLUSION, MAX_INCLUSION)
}
