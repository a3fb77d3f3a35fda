//! What is stored, under which key, for how long.
//!
//! Invariant: a checkpoint's entry is written once. It stays for ever: an entry whose time to live ran out is
//! archived, not absent, so no size is written twice and reading it (without applying anything) still works.

use soroban_sdk::{Address, BytesN, Env, IntoVal, String, Val, contracttype};

use crate::error::Error;

/// Ledgers close about every five seconds.
const LEDGER_S: u32 = 5;
const DAY: u32 = 24 * 60 * 60 / LEDGER_S;

/// A checkpoint, and the size of a book's newest one, are kept this far ahead from when they are written.
const ANCHOR_DAYS: u32 = 60;
/// The contract's instance and code are kept this far ahead …
const INSTANCE_DAYS: u32 = 60;
/// … by at most this much a call, so that no call pays the rent of a whole season.
const INSTANCE_STEP_DAYS: u32 = 7;

/// What is stored.
#[contracttype]
#[derive(Clone)]
pub enum Key {
    /// Who may write, with the instance.
    Operator,
    /// Size of the newest checkpoint by book, persistent.
    Newest(String),
    /// `Seal` by book and size, persistent.
    At(String, u64),
}

/// A checkpoint as stored: root, and ledger and time of its writing.
#[contracttype]
#[derive(Clone)]
pub struct Seal(pub BytesN<32>, pub u32, pub u64);

/// A book's checkpoint, and when it was written down.
#[contracttype]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// How many entries of the book's log it covers.
    pub size: u64,
    /// The Merkle root over them.
    pub root: BytesN<32>,
    /// The ledger in which it was written down.
    pub ledger: u32,
    /// When that was, in Unix seconds.
    pub timestamp: u64,
}

pub(crate) fn operator(env: &Env) -> Result<Address, Error> {
    env.storage().instance().get(&Key::Operator).ok_or(Error::NotConfigured)
}

pub(crate) fn set_operator(env: &Env, operator: &Address) {
    env.storage().instance().set(&Key::Operator, operator);
}

/// The size of a book's newest checkpoint; zero before the first.
pub(crate) fn newest(env: &Env, book: &String) -> u64 {
    env.storage().persistent().get(&Key::Newest(book.clone())).unwrap_or_default()
}

pub(crate) fn at(env: &Env, book: &String, size: u64) -> Option<Anchor> {
    let Seal(root, ledger, timestamp) = env.storage().persistent().get(&Key::At(book.clone(), size))?;
    Some(Anchor { size, root, ledger, timestamp })
}

/// Writes a checkpoint as its book's newest.
pub(crate) fn set(env: &Env, book: &String, size: u64, root: &BytesN<32>) {
    let seal = Seal(root.clone(), env.ledger().sequence(), env.ledger().timestamp());
    put(env, &Key::At(book.clone(), size), &seal);
    put(env, &Key::Newest(book.clone()), &size);
    env.storage().instance().extend_ttl_with_limits(INSTANCE_DAYS * DAY, DAY, INSTANCE_STEP_DAYS * DAY);
}

fn put(env: &Env, key: &Key, value: &impl IntoVal<Env, Val>) {
    let entries = env.storage().persistent();
    entries.set(key, value);
    entries.extend_ttl(key, (ANCHOR_DAYS - 1) * DAY, ANCHOR_DAYS * DAY);
}
