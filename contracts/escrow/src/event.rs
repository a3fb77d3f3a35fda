//! What the escrow says: one event a change, with every value that changed and who changed it.
//!
//! Invariant: topics are `escrow`, the verb, the reference; names are frozen, fields are only ever added. A
//! field that is absent (no address) is written as void, never left out, so that the shape of an event is
//! fixed.

use soroban_sdk::{Address, BytesN, contractevent};

/// An escrow was created by its payer.
#[contractevent(topics = ["escrow", "created"], sparse = false)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    #[topic]
    pub reference: BytesN<32>,
    pub payer: Address,
    pub token: Address,
    pub amount: i128,
    pub expiry: u64,
}

/// A deposit was minted into an escrow; it is funded when nothing remains.
#[contractevent(topics = ["escrow", "funded"], sparse = false)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Funded {
    #[topic]
    pub reference: BytesN<32>,
    pub operator: Address,
    pub deposit_id: BytesN<32>,
    pub amount: i128,
    pub remaining: i128,
}

/// The payer named the payee: a pseudonym, and an address if paid in tokens.
#[contractevent(topics = ["escrow", "assigned"], sparse = false)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assigned {
    #[topic]
    pub reference: BytesN<32>,
    pub payer: Address,
    pub payee: BytesN<32>,
    pub to: Option<Address>,
}

/// The payer released a funded escrow; the fee was burned, the payee's part went to `to` or into the vault.
#[contractevent(topics = ["escrow", "released"], sparse = false)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released {
    #[topic]
    pub reference: BytesN<32>,
    pub payer: Address,
    pub milestone: u32,
    pub to_payee: i128,
    pub fee: i128,
    pub to: Option<Address>,
    pub vault: i128,
}

/// A funded escrow went back into the vault, by the payee or, after expiry, by anyone.
#[contractevent(topics = ["escrow", "refunded"], sparse = false)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refunded {
    #[topic]
    pub reference: BytesN<32>,
    pub by: Option<Address>,
    pub vault: i128,
}

/// The payer ended an escrow that was not funded; what had come was burned.
#[contractevent(topics = ["escrow", "cancelled"], sparse = false)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancelled {
    #[topic]
    pub reference: BytesN<32>,
    pub payer: Address,
    pub burned: i128,
}

/// The operator burned what a rail paid out; `vault` is left.
#[contractevent(topics = ["escrow", "burned"], sparse = false)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Burned {
    #[topic]
    pub reference: BytesN<32>,
    pub operator: Address,
    pub amount: i128,
    pub vault: i128,
}
