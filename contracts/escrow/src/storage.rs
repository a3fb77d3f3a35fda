//! What is stored, under which key, for how long: typed keys with one accessor each.
//!
//! Invariant: one persistent entry an escrow, of one size from birth (a payee's place is taken by the payer's
//! address until it is named), and one an accepted deposit. Both stay for ever: an entry whose time to live
//! ran out is archived, not absent, and the host never reads it as missing, so neither a reference nor a
//! deposit comes twice.

use soroban_sdk::{Address, BytesN, Env, Symbol, contracttype, panic_with_error, symbol_short};

use crate::error::Error;
use crate::record::Record;

/// Ledgers close about every five seconds.
const LEDGER_S: u64 = 5;
const DAY: u32 = 24 * 60 * 60 / LEDGER_S as u32;

/// An escrow's entry lives this long past its last clock, or past now if that is later.
const GRACE_DAYS: u32 = 30;
/// The contract's instance and code are kept this far ahead …
const INSTANCE_DAYS: u32 = 60;
/// … by at most this much a call, so that no caller pays the rent of a whole season.
const INSTANCE_STEP_DAYS: u32 = 7;

/// Key of `Config`, with the instance.
pub(crate) const CONFIG: Symbol = symbol_short!("config");
/// With a listing's number: key of its `Totals`, with the instance. The number alone is the key of the
/// `Listing`.
const TOTALS: Symbol = symbol_short!("totals");
/// With a deposit id: key of the reference of the escrow it funded, persistent. A reference alone is the key
/// of its `Record`; nobody can choose one that is a deposit's key, too.
const DEPOSIT: Symbol = symbol_short!("deposit");

/// Roles, and what the admin proposed.
#[contracttype]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub admin: Address,
    pub operator: Address,
    pub delegate: Address,
    pub arbiter: Address,
    /// Creating and funding wait; nothing else does.
    pub paused: bool,
    /// How many tokens were listed for payers' own money; they are numbered from 1.
    pub listed: u32,
    /// Who shall be admin, once they accept.
    pub candidate: Option<Address>,
    /// Hash of the code that shall run.
    pub code: Option<BytesN<32>>,
    /// Unix seconds before which that code cannot run.
    pub ready_at: u64,
}

impl Config {
    /// # Errors
    /// `RolesNotDistinct` if with this admin one address would speak for two.
    pub(crate) fn distinct(&self, env: &Env, admin: &Address, token: &Address) -> Result<(), Error> {
        let here = env.current_contract_address();
        let all = [admin, &self.operator, &self.delegate, &self.arbiter, token, &here];
        let twice = all.iter().enumerate().any(|(i, one)| all.iter().skip(i + 1).any(|other| one == other));
        if twice { Err(Error::RolesNotDistinct) } else { Ok(()) }
    }

    /// # Errors
    /// `Paused`.
    pub(crate) fn running(&self) -> Result<(), Error> {
        if self.paused { Err(Error::Paused) } else { Ok(()) }
    }

    /// An address that may neither pay nor be paid: who runs, judges or holds an escrow is no party to it.
    pub(crate) fn is_house(&self, env: &Env, address: &Address) -> bool {
        [&self.admin, &self.operator, &self.arbiter, &env.current_contract_address()].contains(&address)
    }
}

/// A token escrows may be in, its unit in stroops, and who gets the fees. Frozen but for `open`: an escrow
/// keeps the number it was created under. Number 0 is what deposits are minted in: closed to everyone but the
/// delegate, and its fees are burned.
#[contracttype]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    pub token: Address,
    pub unit: i128,
    pub fee_to: Address,
    /// Whether new escrows of payers with their own tokens are taken.
    pub open: bool,
}

/// Sums over all escrows of a listing since it was made, in stroops. What came, less what was burned and paid
/// to accounts, is what the contract holds; less the fees not swept yet, it is what the escrows owe.
#[contracttype]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Minted for deposits, or brought by payers.
    pub came: i128,
    /// Only of what was minted.
    pub burned: i128,
    pub paid: i128,
    /// Kept for their recipient.
    pub fees: i128,
}

/// Fails the call with `NotConfigured` if there is none.
pub(crate) fn config(env: &Env) -> Config {
    let found = env.storage().instance().get(&CONFIG);
    found.unwrap_or_else(|| panic_with_error!(env, Error::NotConfigured))
}

pub(crate) fn set_config(env: &Env, config: &Config) {
    env.storage().instance().set(&CONFIG, config);
}

/// Fails the call with `TokenNotListed` if nothing was listed under this number.
pub(crate) fn listing(env: &Env, number: u32) -> Listing {
    let found = env.storage().instance().get(&number);
    found.unwrap_or_else(|| panic_with_error!(env, Error::TokenNotListed))
}

/// Lists a token under the next number, with sums of nothing.
pub(crate) fn add_listing(env: &Env, number: u32, listing: &Listing) {
    set_listing(env, number, listing);
    // Hidden from the compiler, who would bring `memset` along to write so many zeros.
    let nothing = core::hint::black_box(0);
    set_totals(env, number, &Totals { came: nothing, burned: nothing, paid: nothing, fees: nothing });
}

pub(crate) fn set_listing(env: &Env, number: u32, listing: &Listing) {
    env.storage().instance().set(&number, listing);
}

/// Fails the call with `TokenNotListed` if nothing was listed under this number.
pub(crate) fn totals(env: &Env, listing: u32) -> Totals {
    let found = env.storage().instance().get(&(TOTALS, listing));
    found.unwrap_or_else(|| panic_with_error!(env, Error::TokenNotListed))
}

pub(crate) fn set_totals(env: &Env, listing: u32, totals: &Totals) {
    env.storage().instance().set(&(TOTALS, listing), totals);
}

/// Whether an escrow was ever created with this reference.
pub(crate) fn exists(env: &Env, reference: &BytesN<32>) -> bool {
    env.storage().persistent().has(reference)
}

/// Fails the call with `NotFound` if there is none.
pub(crate) fn record(env: &Env, reference: &BytesN<32>) -> Record {
    let found = env.storage().persistent().get(reference);
    found.unwrap_or_else(|| panic_with_error!(env, Error::NotFound))
}

/// Stores an escrow, and keeps it and the contract alive. One that is over is left to lapse into the archive.
pub(crate) fn set_record(env: &Env, reference: &BytesN<32>, record: &Record, alive_to: Option<u64>) {
    let entries = env.storage().persistent();
    entries.set(reference, record);
    if let Some(clock) = alive_to {
        let keep = ledgers_past(env, clock);
        entries.extend_ttl(reference, keep.saturating_sub(DAY), keep);
    }
    env.storage().instance().extend_ttl_with_limits(INSTANCE_DAYS * DAY, DAY, INSTANCE_STEP_DAYS * DAY);
}

/// Ledgers from now until the grace past `clock`, or past now if that is later, ends; no more than the
/// network allows.
fn ledgers_past(env: &Env, clock: u64) -> u32 {
    let ahead = clock.saturating_sub(env.ledger().timestamp()) / LEDGER_S;
    let ledgers = ahead.saturating_add(u64::from(GRACE_DAYS * DAY));
    u32::try_from(ledgers).unwrap_or(u32::MAX).min(env.storage().max_ttl())
}

/// The escrow a deposit was minted into.
pub(crate) fn deposit(env: &Env, id: &BytesN<32>) -> Option<BytesN<32>> {
    env.storage().persistent().get(&(DEPOSIT, id))
}

/// Marks a deposit as minted. Its entry is never extended: archived, it still refuses.
pub(crate) fn set_deposit(env: &Env, id: &BytesN<32>, reference: &BytesN<32>) {
    env.storage().persistent().set(&(DEPOSIT, id), reference);
}
