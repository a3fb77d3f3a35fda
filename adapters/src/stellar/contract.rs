//! What the escrow contract answers: its refusals by name, an escrow as it stands, the sums it keeps.
//!
//! Invariant: reads go through the contract's own `get`, run by the server without applying anything, so they
//! see an archived escrow as well and depend on the interface, not on how the contract stores things.

mod entries;

use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};
use stellar_xdr::{
    HostFunction, InvokeContractArgs, InvokeHostFunctionOp, Memo, Operation, OperationBody, Preconditions,
    ScVal, SequenceNumber, Transaction, TransactionEnvelope, TransactionExt, TransactionV1Envelope, VecM,
};

use super::op::{ChainOp, to_minor};
use super::rpc::{ChainFault, Rpc, Simulation};
use super::wire::{
    decode, encode, field, hex32_or_none, muxed, read_address, read_bytes32, read_count, read_i128,
};
use crate::port::Outcome;

pub use entries::{DAY, Entry, MOST_KEYS, Observer, Pillar};

/// Number and name of each error of the contract, as in its committed interface. Numbers are frozen; the
/// contract only appends. They begin at 100 because a failing call of the token surfaces with the token's
/// number, all below 100.
pub const CONTRACT_ERRORS: &[(u32, &str)] = &[
    (100, "NotFound"),
    (101, "AlreadyExists"),
    (102, "IsOpen"),
    (103, "IsFunded"),
    (104, "IsReleased"),
    (105, "IsRefunded"),
    (106, "IsCancelled"),
    (107, "NotAssigned"),
    (108, "AlreadyAssigned"),
    (109, "DepositUsed"),
    (110, "NotPositive"),
    (111, "NotWholeUnits"),
    (112, "TooLarge"),
    (113, "Overfunded"),
    (114, "SumMismatch"),
    (115, "VaultChanged"),
    (116, "VaultShort"),
    (117, "NoSuchMilestone"),
    (118, "BadMilestones"),
    (119, "OverAmount"),
    (120, "PayerNotAllowed"),
    (121, "PayeeNotAllowed"),
    (122, "NotDelegated"),
    (123, "NotAParty"),
    (124, "AddressNeeded"),
    (125, "FundedByDeposits"),
    (126, "NothingProposed"),
    (127, "IsDisputed"),
    (128, "IsResolved"),
    (129, "MilestoneReleased"),
    (130, "NotExpired"),
    (131, "ExpiryPast"),
    (132, "ExpiryTooFar"),
    (133, "TooLate"),
    (134, "TooEarly"),
    (135, "BadClock"),
    (136, "BadWindow"),
    (137, "ReleaseDue"),
    (138, "Paused"),
    (139, "NothingPaid"),
    (140, "TokenNotListed"),
    (141, "BadUnit"),
    (142, "RolesNotDistinct"),
    (143, "NotConfigured"),
    (144, "ListFull"),
];

/// The same of the anchor contract. They begin at 200, so that a number alone names the refusal.
pub const ANCHOR_ERRORS: &[(u32, &str)] =
    &[(200, "NotGrown"), (201, "OtherRoot"), (210, "BadBook"), (240, "NotConfigured")];

/// An error number in our words: the contracts' by its name, the token's as `token_13`.
pub fn error_name(number: u32) -> String {
    let known = CONTRACT_ERRORS.iter().chain(ANCHOR_ERRORS).find(|(known, _)| *known == number);
    match known {
        Some((_, name)) => (*name).to_owned(),
        None if number < 100 => format!("token_{number}"),
        None => format!("contract_{number}"),
    }
}

/// A simulation that failed, in our words; `None` when it did not. One that ran on a ledger before one that
/// was `seen` says nothing: behind one URL there may be servers of different news. What is refused is seen:
/// who then asks whether it had been done is not answered from before.
pub(super) fn refusal<T>(run: &Simulation, seen: &AtomicU32) -> Option<Outcome<T>> {
    let text = run.error.as_deref()?;
    if let Some(why) = behind(run, seen.load(Ordering::Relaxed)) {
        return Some(Outcome::NotSent { why });
    }
    let first = text.lines().next().unwrap_or_default();
    // Without these words it is the server that failed, not the call.
    if !first.contains("HostError") {
        return Some(Outcome::NotSent { why: first.chars().take(300).collect() });
    }
    seen.fetch_max(run.latest_ledger.unwrap_or(0), Ordering::Relaxed);
    let number = first
        .split_once("Error(Contract, #")
        .and_then(|(_, rest)| rest.split_once(')'))
        .and_then(|(number, _)| number.parse().ok());
    let code = number.map_or_else(|| "host_error".to_owned(), error_name);
    Some(Outcome::Refused { code, reason: first.chars().take(300).collect() })
}

fn behind(run: &Simulation, at_least: u32) -> Option<String> {
    let ledger = run.latest_ledger.filter(|ledger| *ledger < at_least)?;
    Some(format!("the server is at ledger {ledger}, behind {at_least}"))
}

/// Where an escrow is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EscrowState {
    /// Waits for deposits.
    Open,
    /// Holds its whole amount.
    Funded,
    /// The work is paid.
    Released,
    /// It went back to the payer's side.
    Refunded,
    /// It ended before it was funded.
    Cancelled,
    /// Frozen until it is decided.
    Disputed,
    /// What was left was parted, by the arbiter or by default.
    Resolved,
}

/// An escrow as the contract has it. Amounts are minor units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EscrowOnChain {
    /// Where it is in its life.
    pub state: EscrowState,
    /// Who pays, `G…` or `C…`.
    pub payer: String,
    /// Pseudonym of who is paid, when assigned.
    #[serde(with = "hex32_or_none")]
    pub payee: Option<[u8; 32]>,
    /// The payee's own address, when paid in tokens.
    pub to: Option<String>,
    /// What it holds when fully funded.
    pub amount: i64,
    /// Minted for it in all.
    pub funded: i64,
    /// What the payee was given.
    pub to_payee: i64,
    /// What was burned as the fee.
    pub fee: i64,
    /// Released or refunded by phone and not burned yet.
    pub vault: i64,
    /// Unix seconds after which anyone may refund it.
    pub expiry: i64,
    /// Milestones the payer released, a bit each.
    #[serde(default)]
    pub milestones: u32,
    /// What the payee's own account could not take yet.
    #[serde(default)]
    pub due_payee: i64,
    /// Unix seconds after which anyone may release it; 0 for never.
    #[serde(default)]
    pub release_at: i64,
    /// The dispute's deadline, Unix seconds; 0 if there was none.
    #[serde(default)]
    pub dispute_until: i64,
}

impl EscrowOnChain {
    pub(super) fn read(view: &ScVal, exponent: u32) -> Option<Self> {
        let minor = |name| to_minor(read_i128(field(view, name)?)?, exponent).ok();
        Some(Self {
            state: state(field(view, "state")?)?,
            payer: read_address(field(view, "payer")?)?,
            payee: optional(field(view, "payee")?, read_bytes32)?,
            to: optional(field(view, "to")?, read_address)?,
            amount: minor("amount")?,
            funded: minor("funded")?,
            to_payee: minor("to_payee")?,
            fee: minor("fee")?,
            vault: minor("vault")?,
            expiry: read_count(field(view, "expiry")?)?,
            milestones: read_u32(field(view, "milestones")?)?,
            due_payee: minor("due_payee")?,
            release_at: read_count(field(view, "release_at")?)?,
            dispute_until: read_count(field(view, "dispute_until")?)?,
        })
    }

    /// What is neither released nor given back.
    pub fn remaining(&self) -> i64 {
        match self.state {
            EscrowState::Open | EscrowState::Funded | EscrowState::Disputed => {
                self.funded - self.to_payee - self.fee
            }
            EscrowState::Released
            | EscrowState::Refunded
            | EscrowState::Cancelled
            | EscrowState::Resolved => 0,
        }
    }

    /// Whether this escrow shows that `op` was done to it. A deposit does not show: ask `Stellar::deposit`.
    /// Nor does what is not about an escrow.
    pub fn shows(&self, op: &ChainOp) -> bool {
        match op {
            ChainOp::Create { amount, expiry, .. } => self.amount == amount.minor() && self.expiry == *expiry,
            ChainOp::Fund { .. } | ChainOp::Anchor { .. } | ChainOp::Extend { .. } => false,
            ChainOp::Assign { payee, to, .. } => self.payee.as_ref() == Some(payee) && self.to == *to,
            // One of several does not show how it was parted.
            ChainOp::Release { milestone, to_payee, fee, .. } => {
                let released = self.milestones.checked_shr(*milestone).is_some_and(|bits| bits & 1 == 1);
                let whole = to_payee + fee == self.amount;
                released && (!whole || (self.to_payee == *to_payee && self.fee == *fee))
            }
            ChainOp::AutoRelease { .. } => self.state == EscrowState::Released,
            ChainOp::Dispute { .. } => matches!(self.state, EscrowState::Disputed | EscrowState::Resolved),
            ChainOp::Resolve { .. } | ChainOp::ResolveTimeout { .. } => self.state == EscrowState::Resolved,
            ChainOp::Burn { amount, vault_before, .. } => self.vault == vault_before - amount.minor(),
            ChainOp::Cancel { .. } => self.state == EscrowState::Cancelled,
            ChainOp::Refund { .. } => self.state == EscrowState::Refunded,
        }
    }
}

fn state(value: &ScVal) -> Option<EscrowState> {
    Some(match value {
        ScVal::U32(0) => EscrowState::Open,
        ScVal::U32(1) => EscrowState::Funded,
        ScVal::U32(2) => EscrowState::Released,
        ScVal::U32(3) => EscrowState::Refunded,
        ScVal::U32(4) => EscrowState::Cancelled,
        ScVal::U32(5) => EscrowState::Disputed,
        ScVal::U32(6) => EscrowState::Resolved,
        _ => return None,
    })
}

fn read_u32(value: &ScVal) -> Option<u32> {
    if let ScVal::U32(number) = value { Some(*number) } else { None }
}

fn optional<T>(value: &ScVal, read: fn(&ScVal) -> Option<T>) -> Option<Option<T>> {
    match value {
        ScVal::Void => Some(None),
        present => read(present).map(Some),
    }
}

/// The contract's sums since it was created, minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Minted for deposits.
    pub minted: i64,
    /// Burned: fees, cancelled deposits, what phones were paid.
    pub burned: i64,
    /// Paid to accounts in tokens.
    pub paid: i64,
}

impl Totals {
    /// What the contract made and did not unmake.
    pub fn supply(&self) -> i64 {
        self.minted - self.burned
    }

    /// What its escrows owe together.
    pub fn owed(&self) -> i64 {
        self.minted - self.burned - self.paid
    }

    pub(super) fn read(value: &ScVal, exponent: u32) -> Option<Self> {
        let minor = |name| to_minor(read_i128(field(value, name)?)?, exponent).ok();
        Some(Self { minted: minor("came")?, burned: minor("burned")?, paid: minor("paid")? })
    }
}

/// Runs a call that changes nothing and returns what it returned; the inner error is the contract's refusal.
/// An answer from before `at_least` is none.
pub(super) async fn view(
    rpc: &Rpc,
    call: InvokeContractArgs,
    at_least: u32,
) -> Result<Result<ScVal, String>, ChainFault> {
    Ok(view_at(rpc, call, at_least).await?.1)
}

/// As [`view`], with the ledger as of which it is.
async fn view_at(
    rpc: &Rpc,
    call: InvokeContractArgs,
    at_least: u32,
) -> Result<(u32, Result<ScVal, String>), ChainFault> {
    let method = "simulateTransaction";
    let run = rpc.simulate(&question(call)?).await?;
    if let Some(why) = behind(&run, at_least) {
        return Err(ChainFault::Unreachable { method, why });
    }
    let ledger = run.latest_ledger.unwrap_or(at_least);
    if let Some(error) = run.error {
        return Ok((ledger, Err(error)));
    }
    let absent = || ChainFault::Malformed { method, why: "no return value".into() };
    let value = run.results.iter().flatten().find_map(|result| result.xdr.as_deref()).ok_or_else(absent)?;
    Ok((ledger, Ok(decode("ScVal", value)?)))
}

/// An envelope that is only ever simulated: from the account of all zeros, which nobody has.
fn question(call: InvokeContractArgs) -> Result<String, ChainFault> {
    let body = OperationBody::InvokeHostFunction(InvokeHostFunctionOp {
        host_function: HostFunction::InvokeContract(call),
        auth: VecM::default(),
    });
    let operations = vec![Operation { source_account: None, body }];
    let tx = Transaction {
        source_account: muxed([0; 32]),
        fee: 100,
        seq_num: SequenceNumber(1),
        cond: Preconditions::None,
        memo: Memo::None,
        operations: operations.try_into().map_err(|_| ChainFault::Encoding("operation".into()))?,
        ext: TransactionExt::V0,
    };
    encode(&TransactionEnvelope::Tx(TransactionV1Envelope { tx, signatures: VecM::default() }))
}
