//! An escrow as it is stored, and as others read it.
//!
//! Invariant: a record has one size from birth; what is not known yet has its place taken. Numbers are stored
//! in 64 bits, since no amount is greater than an account can hold: a milestone takes 12 bytes.

use soroban_sdk::{Address, BytesN, Env, Vec, contracttype};

use crate::error::Error;
use crate::escrow::{Due, Escrow, Given, Moved, Payee, Source, State};
use crate::terms::{self, MOST_MILESTONES, Unit};

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
    Disputed = 5,
    Resolved = 6,
}

/// What a payer agrees to. Amounts are stroops, clocks Unix seconds.
#[contracttype]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    pub token: Address,
    /// One amount a milestone.
    pub amounts: Vec<i128>,
    /// The most that may be taken as fee in all.
    pub fee_cap: i128,
    /// From then on anyone may refund.
    pub expiry: u64,
    /// From then on anyone may release; zero for never.
    pub release_at: u64,
    /// How long a dispute may last, in seconds.
    pub dispute_s: u32,
    /// What the payee shall have got in all if nobody decides a dispute.
    pub default_to_payee: i128,
}

impl Terms {
    /// # Errors
    /// Why they are refused.
    pub(crate) fn check(&self, env: &Env, unit: Unit) -> Result<(Vec<i64>, terms::Terms), Error> {
        if self.amounts.is_empty() || self.amounts.len() > MOST_MILESTONES {
            return Err(Error::BadMilestones);
        }
        let mut amounts = Vec::new(env);
        let mut amount = 0_i64;
        for worth in &self.amounts {
            let worth = unit.amount(worth)?;
            amount = amount.checked_add(worth).ok_or(Error::TooLarge)?;
            amounts.push_back(worth);
        }
        let terms = terms::Terms {
            amount,
            fee_cap: unit.part(self.fee_cap)?,
            default_to_payee: unit.part(self.default_to_payee)?,
            expiry: self.expiry,
            release_at: self.release_at,
            dispute_s: self.dispute_s,
        };
        Ok((amounts, terms.check(env.ledger().timestamp())?))
    }
}

/// How many numbers a record has beside the milestones' amounts.
pub(crate) const NUMBERS: usize = 14;

/// An escrow as stored: payer, payee's pseudonym, payee's address, numbers, the milestones' amounts. The
/// numbers are, in order: phase, route, listing and released milestones (8, 8, 16 and 32 bits); amount,
/// funded, to_payee, fee, vault, due to payee, due to payer, fee cap, default to payee; expiry, release_at,
/// the dispute's deadline, dispute_s. Pseudonym (the reference) and address (the payer's) mean nothing until
/// the route says so.
#[contracttype]
#[derive(Clone)]
pub struct Record(pub Address, pub BytesN<32>, pub Address, pub Vec<i64>, pub Vec<i64>);

/// An escrow as read by others. Amounts are stroops, times Unix seconds.
#[contracttype]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EscrowView {
    pub state: Phase,
    pub payer: Address,
    /// Pseudonym of the person to be paid.
    pub payee: Option<BytesN<32>>,
    /// The payee's own address, if paid in tokens.
    pub to: Option<Address>,
    /// 0: funded by deposits; else the number under which the token was listed.
    pub listing: u32,
    /// One amount a milestone.
    pub amounts: Vec<i128>,
    /// Milestones the payer released, a bit each.
    pub milestones: u32,
    pub amount: i128,
    /// What came for it in all.
    pub funded: i128,
    pub to_payee: i128,
    pub fee: i128,
    /// Not yet burned of what was given to a mobile payee or back to depositors.
    pub vault: i128,
    /// What the payee's account could not take yet.
    pub due_payee: i128,
    /// What the payer's account could not take yet.
    pub due_payer: i128,
    pub fee_cap: i128,
    pub default_to_payee: i128,
    pub expiry: u64,
    /// Zero for never.
    pub release_at: u64,
    pub dispute_s: u32,
    /// The dispute's deadline; zero if there was none.
    pub dispute_until: u64,
}

impl Record {
    /// A new escrow's, as a case would write it: nothing is funded, given or disputed yet.
    pub(crate) fn open(
        reference: BytesN<32>,
        payer: Address,
        listing: u32,
        (amounts, terms): (Vec<i64>, terms::Terms),
    ) -> Self {
        let [expiry, release_at] = [terms.expiry, terms.release_at].map(u64::cast_signed);
        let (listing, caps) = (i64::from(listing) << 32, [terms.fee_cap, terms.default_to_payee]);
        // Hidden from the compiler, who would bring `memset` along to write so many zeros.
        let none = core::hint::black_box(0);
        let [fee_cap, default] = caps;
        let (amount, window) = (terms.amount, terms.dispute_s.into());
        let numbers: [i64; NUMBERS] = [
            listing, amount, none, none, none, none, none, none, fee_cap, default, expiry, release_at, none,
            window,
        ];
        let numbers = Vec::from_array(payer.env(), numbers);
        Self(payer.clone(), reference, payer, numbers, amounts)
    }

    /// Under which its token is listed.
    pub(crate) fn listing(&self) -> u32 {
        (self.3.get_unchecked(0) >> 32 & 0xffff) as u32
    }

    #[inline(always)]
    pub(crate) fn unpack(to: Address, numbers: &Vec<i64>) -> Escrow<Address> {
        let numbers: [i64; NUMBERS] = core::array::from_fn(|at| numbers.get_unchecked(at as u32));
        let [first, amount, funded, to_payee, fee, vault, due_payee, due_payer, rest @ ..] = numbers;
        let [fee_cap, default_to_payee, expiry, release_at, until, dispute_s] = rest;
        let [expiry, release_at, until] = [expiry, release_at, until].map(i64::cast_unsigned);
        let state = match first >> 56 {
            0 => State::Open { funded },
            1 => State::Funded,
            2 => State::Released,
            3 => State::Refunded,
            4 => State::Cancelled { burned: funded },
            5 => State::Disputed { until },
            _ => State::Resolved { until },
        };
        let payee = match first >> 48 & 0xff {
            0 => Payee::Nobody,
            1 => Payee::Mobile,
            _ => Payee::Account(to),
        };
        let source = if first >> 32 & 0xffff == 0 { Source::Deposits } else { Source::Own };
        let dispute_s = dispute_s as u32;
        let terms = terms::Terms { amount, fee_cap, default_to_payee, expiry, release_at, dispute_s };
        let due = Due { payee: due_payee, payer: due_payer };
        let given = Given { milestones: first as u32, to_payee, fee, vault, due };
        Escrow { terms, source, payee, state, given, moved: Moved { to_payee: 0, to_payer: 0, fee: 0 } }
    }
}

pub(crate) fn phase(state: &State) -> Phase {
    match state {
        State::Open { .. } => Phase::Open,
        State::Funded => Phase::Funded,
        State::Released => Phase::Released,
        State::Refunded => Phase::Refunded,
        State::Cancelled { .. } => Phase::Cancelled,
        State::Disputed { .. } => Phase::Disputed,
        State::Resolved { .. } => Phase::Resolved,
    }
}
