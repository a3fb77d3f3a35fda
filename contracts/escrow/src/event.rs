//! What the escrow says: one event a change, with every value that changed and who changed it.
//!
//! Invariant: topics are `escrow`, the verb, and the reference where it is about one; names are frozen,
//! fields are only ever added. A field that is absent (no address) is written as void, never left out, so
//! that the shape of an event is fixed.

use soroban_sdk::{Address, BytesN, Symbol, contractevent};

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

/// An escrow changed. All of these say how much the call gave to whom, and what stands afterwards.
#[contractevent(topics = ["escrow"], sparse = false)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// `paid_in`, `released`, `auto_released`, `refunded`, `cancelled`, `disputed`, `resolved`, `claimed`,
    /// `burned`.
    #[topic]
    pub verb: Symbol,
    #[topic]
    pub reference: BytesN<32>,
    /// Who signed; void if nobody had to.
    pub by: Option<Address>,
    /// The payee's own address.
    pub to: Option<Address>,
    /// Milestones released so far, a bit each.
    pub milestones: u32,
    pub to_payee: i128,
    pub to_payer: i128,
    pub fee: i128,
    /// Burned by this call.
    pub burned: i128,
    /// Waits for rails, afterwards.
    pub vault: i128,
    /// Waits for the payee's account, afterwards.
    pub due_payee: i128,
    /// Waits for the payer's account, afterwards.
    pub due_payer: i128,
    /// Neither released nor given back, afterwards.
    pub remaining: i128,
    /// The dispute's deadline; zero if there was none.
    pub until: u64,
}

/// A token was listed, a listing closed, or its fees sent to their recipient.
#[contractevent(topics = ["escrow", "listed"], sparse = false)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub listing: u32,
    pub token: Address,
    pub unit: i128,
    pub fee_to: Address,
    pub open: bool,
    /// Sent to `fee_to` by this call.
    pub swept: i128,
}

/// The house changed: pause, admin, code, or a proposal. What stands afterwards.
#[contractevent(topics = ["escrow"], sparse = false)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Governed {
    /// `paused`, `proposed`, `admin_changed`, `upgraded`.
    #[topic]
    pub verb: Symbol,
    /// Who signed.
    pub by: Address,
    pub paused: bool,
    pub candidate: Option<Address>,
    pub code: Option<BytesN<32>>,
    pub ready_at: u64,
}
