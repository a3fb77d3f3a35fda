//! What is stored, under which key, for how long: typed keys with one accessor each.
//!
//! Invariant: one persistent entry an escrow, of one size from birth (a payee's place is taken by the payer's
//! address until it is named), and one an accepted deposit. Both stay for ever: an entry whose time to live
//! ran out is archived, not absent, and the host never reads it as missing, so neither a reference nor a
//! deposit comes twice.

use soroban_sdk::{Address, BytesN, Env, contracttype};

use crate::error::Error;
use crate::escrow::{Escrow, Payee, State, Unit};

/// Ledgers close about every five seconds.
const LEDGER_S: u64 = 5;
const DAY: u32 = 24 * 60 * 60 / LEDGER_S as u32;

/// An escrow's entry lives this long past its expiry, or past now if that is later.
const GRACE_DAYS: u32 = 30;
/// The contract's instance and code are kept this far ahead …
const INSTANCE_DAYS: u32 = 60;
/// … by at most this much a call, so that no caller pays the rent of a whole season.
const INSTANCE_STEP_DAYS: u32 = 7;

/// What is stored.
#[contracttype]
#[derive(Clone)]
pub enum Key {
    /// `Config`, with the instance.
    Config,
    /// `Totals`, with the instance.
    Totals,
    /// `Record` by reference, persistent.
    Escrow(BytesN<32>),
    /// Reference of the escrow it funded by deposit id, persistent.
    Deposit(BytesN<32>),
}

/// Roles, the one token the contract takes, and that token's unit in stroops.
#[contracttype]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub admin: Address,
    pub operator: Address,
    pub delegate: Address,
    pub arbiter: Address,
    pub token: Address,
    pub unit: i128,
}

impl Config {
    /// # Errors
    /// `BadUnit`, or `RolesNotDistinct` if one address would speak for two.
    pub(crate) fn check(&self, contract: &Address) -> Result<(), Error> {
        Unit::new(self.unit)?;
        let all = [&self.admin, &self.operator, &self.delegate, &self.arbiter, &self.token, contract];
        let twice = all.iter().enumerate().any(|(i, one)| all.iter().skip(i + 1).any(|other| one == other));
        if twice { Err(Error::RolesNotDistinct) } else { Ok(()) }
    }

    pub(crate) fn unit(&self) -> Result<Unit, Error> {
        Unit::new(self.unit)
    }

    /// An address that may neither pay nor be paid: who runs, judges or holds an escrow is no party to it.
    pub(crate) fn is_house(&self, env: &Env, address: &Address) -> bool {
        [&self.admin, &self.operator, &self.arbiter, &self.token].contains(&address)
            || *address == env.current_contract_address()
    }
}

/// Sums over all escrows since the contract was created, in stroops: minted for deposits, burned, and paid to
/// accounts. `minted - burned` is the supply, `minted - burned - paid` what the escrows owe.
#[contracttype]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub minted: i128,
    pub burned: i128,
    pub paid: i128,
}

/// Where an escrow is in its life.
#[contracttype]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Phase {
    Open = 0,
    Funded = 1,
    Released = 2,
    Refunded = 3,
    Cancelled = 4,
}

/// How a payee is paid.
#[contracttype]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Route {
    Nobody = 0,
    Mobile = 1,
    Account = 2,
}

/// An escrow as stored: phase, route, payer, payee's pseudonym, payee's address, amount, funded, to_payee,
/// vault, expiry. Pseudonym (zeros) and address (the payer's) mean nothing until the route says so.
#[contracttype]
#[derive(Clone)]
pub struct Record(
    pub Phase,
    pub Route,
    pub Address,
    pub BytesN<32>,
    pub Address,
    pub i128,
    pub i128,
    pub i128,
    pub i128,
    pub u64,
);

/// An escrow as read by others. Amounts are stroops, `expiry` is in Unix seconds.
#[contracttype]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EscrowView {
    pub state: Phase,
    pub payer: Address,
    /// Pseudonym of the person to be paid.
    pub payee: Option<BytesN<32>>,
    /// The payee's own address, if paid in tokens.
    pub to: Option<Address>,
    pub amount: i128,
    /// Minted for it in all.
    pub funded: i128,
    pub to_payee: i128,
    pub fee: i128,
    /// Not yet burned of what was released to a mobile payee or refunded.
    pub vault: i128,
    pub expiry: u64,
}

/// An escrow and its parties.
pub(crate) struct Agreement {
    pub(crate) payer: Address,
    /// The payee's pseudonym; zeros until assigned.
    pub(crate) person: BytesN<32>,
    pub(crate) escrow: Escrow<Address>,
}

impl Agreement {
    pub(crate) fn view(self) -> EscrowView {
        let escrow = &self.escrow;
        let (payee, to) = match &escrow.payee {
            Payee::Nobody => (None, None),
            Payee::Mobile => (Some(self.person), None),
            Payee::Account(address) => (Some(self.person), Some(address.clone())),
        };
        EscrowView {
            state: phase(&escrow.state),
            payer: self.payer,
            payee,
            to,
            amount: escrow.amount,
            funded: escrow.funded(),
            to_payee: escrow.to_payee(),
            fee: escrow.fee(),
            vault: escrow.vault(),
            expiry: escrow.expiry,
        }
    }

    fn pack(&self) -> Record {
        let escrow = &self.escrow;
        let (route, to) = match &escrow.payee {
            Payee::Nobody => (Route::Nobody, self.payer.clone()),
            Payee::Mobile => (Route::Mobile, self.payer.clone()),
            Payee::Account(address) => (Route::Account, address.clone()),
        };
        Record(
            phase(&escrow.state),
            route,
            self.payer.clone(),
            self.person.clone(),
            to,
            escrow.amount,
            escrow.funded(),
            escrow.to_payee(),
            escrow.vault(),
            escrow.expiry,
        )
    }

    fn unpack(record: Record) -> Self {
        let Record(phase, route, payer, person, to, amount, funded, to_payee, vault, expiry) = record;
        let state = match phase {
            Phase::Open => State::Open { funded },
            Phase::Funded => State::Funded,
            Phase::Released => State::Released { to_payee, vault },
            Phase::Refunded => State::Refunded { vault },
            Phase::Cancelled => State::Cancelled { burned: funded },
        };
        let payee = match route {
            Route::Nobody => Payee::Nobody,
            Route::Mobile => Payee::Mobile,
            Route::Account => Payee::Account(to),
        };
        Self { payer, person, escrow: Escrow { amount, expiry, payee, state } }
    }
}

fn phase(state: &State) -> Phase {
    match state {
        State::Open { .. } => Phase::Open,
        State::Funded => Phase::Funded,
        State::Released { .. } => Phase::Released,
        State::Refunded { .. } => Phase::Refunded,
        State::Cancelled { .. } => Phase::Cancelled,
    }
}

pub(crate) fn config(env: &Env) -> Result<Config, Error> {
    env.storage().instance().get(&Key::Config).ok_or(Error::NotConfigured)
}

pub(crate) fn set_config(env: &Env, config: &Config) {
    env.storage().instance().set(&Key::Config, config);
}

pub(crate) fn totals(env: &Env) -> Totals {
    env.storage().instance().get(&Key::Totals).unwrap_or_default()
}

pub(crate) fn set_totals(env: &Env, totals: &Totals) {
    env.storage().instance().set(&Key::Totals, totals);
}

pub(crate) fn agreement(env: &Env, reference: &BytesN<32>) -> Option<Agreement> {
    env.storage().persistent().get(&Key::Escrow(reference.clone())).map(Agreement::unpack)
}

/// Stores an escrow, and keeps it and the contract alive. One that is over is left to lapse into the archive.
pub(crate) fn set_agreement(env: &Env, reference: &BytesN<32>, agreement: &Agreement) {
    let key = Key::Escrow(reference.clone());
    let entries = env.storage().persistent();
    entries.set(&key, &agreement.pack());
    if !agreement.escrow.is_over() {
        let keep = ledgers_past(env, agreement.escrow.expiry);
        entries.extend_ttl(&key, keep.saturating_sub(DAY), keep);
    }
    env.storage().instance().extend_ttl_with_limits(INSTANCE_DAYS * DAY, DAY, INSTANCE_STEP_DAYS * DAY);
}

/// Ledgers from now until the grace past `expiry`, or past now if that is later, ends; no more than the
/// network allows.
fn ledgers_past(env: &Env, expiry: u64) -> u32 {
    let ahead = expiry.saturating_sub(env.ledger().timestamp()) / LEDGER_S;
    let ledgers = ahead.saturating_add(u64::from(GRACE_DAYS * DAY));
    u32::try_from(ledgers).unwrap_or(u32::MAX).min(env.storage().max_ttl())
}

/// The escrow a deposit was minted into.
pub(crate) fn deposit(env: &Env, id: &BytesN<32>) -> Option<BytesN<32>> {
    env.storage().persistent().get(&Key::Deposit(id.clone()))
}

/// Marks a deposit as minted. Its entry is never extended: archived, it still refuses.
pub(crate) fn set_deposit(env: &Env, id: &BytesN<32>, reference: &BytesN<32>) {
    env.storage().persistent().set(&Key::Deposit(id.clone()), reference);
}
