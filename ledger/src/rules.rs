//! Every way money may move: one small pure function a business event. A new way is a new function here.
//!
//! Invariant: each rule keeps both identities of a book that has escrows on chain (tested below):
//! Σ float + clearing:float − (capital + fee − tariff) − suspense − employer = onchain:issued, and
//! onchain:issued − clearing:mint + clearing:burn = onchain:supply.
//! Absent: providers and payloads. A rule knows ids and money.

use chrono::{DateTime, Utc};

use crate::chart::{Account, BookId, Rail, Shortcode};
use crate::id::{EscrowRef, ExternalRef, IdempotencyKey, PartyId, TransferId};
use crate::money::Money;
use crate::transfer::{Event, HoldAct, Posting, Transfer};

/// What every transfer needs beside its accounts and amounts.
#[derive(Clone, Debug)]
pub struct Intent {
    id: TransferId,
    book: BookId,
    key: IdempotencyKey,
    effective_at: Option<DateTime<Utc>>,
    external: Option<ExternalRef>,
}

impl Intent {
    /// An intention under an id minted with the row that holds the unique fact, and under its key.
    #[must_use]
    pub fn new(id: TransferId, book: &BookId, key: IdempotencyKey) -> Self {
        Self { id, book: book.clone(), key, effective_at: None, external: None }
    }

    /// When it happened in the world, if that is not when the book hears of it.
    #[must_use]
    pub fn effective_at(mut self, at: DateTime<Utc>) -> Self {
        self.effective_at = Some(at);
        self
    }

    /// The fact it books, under the name its provider gave it. A fact is booked by one transfer only: give
    /// the reference to the transfer that counts it, not to those that follow from it.
    #[must_use]
    pub fn external(mut self, external: ExternalRef) -> Self {
        self.external = Some(external);
        self
    }

    fn transfer(self, event: Event, postings: Vec<Posting>) -> Transfer {
        let Intent { id, book, key, effective_at, external } = self;
        Transfer { id, book, key, event, postings, hold: None, reverses: None, effective_at, external }
    }
}

fn posting(debit: Account, credit: Account, money: Money) -> Posting {
    Posting { debit, credit, money }
}

/// A mint submitted with the money it stands for: owed in tokens from now on, on the chain when it is final.
fn mint_submitted(money: Money) -> Posting {
    posting(Account::ClearingMint, Account::OnchainControl, money)
}

/// A burn submitted with the money that left: no longer owed in tokens, gone from the chain when it is final.
fn burn_submitted(money: Money) -> Posting {
    posting(Account::OnchainControl, Account::ClearingBurn, money)
}

/// A burn that is final in the same breath, because the chain did it within the effect that is booked.
fn burned(money: Money) -> Posting {
    posting(Account::OnchainControl, Account::OnchainSupply, money)
}

/// The platform puts money of its own into a float.
pub fn capital_in(intent: Intent, float: Account, amount: Money) -> Transfer {
    intent.transfer(Event::CapitalIn, vec![posting(float, Account::Capital, amount)])
}

/// Money leaves one float for another; until [`float_move_in`] it is on the way.
pub fn float_move_out(intent: Intent, from: Account, amount: Money) -> Transfer {
    intent.transfer(Event::FloatMoveOut, vec![posting(Account::ClearingFloat, from, amount)])
}

/// Money on the way arrives in a float.
pub fn float_move_in(intent: Intent, to: Account, amount: Money) -> Transfer {
    intent.transfer(Event::FloatMoveIn, vec![posting(to, Account::ClearingFloat, amount)])
}

/// The platform's fee on an amount, in basis points (1/10,000), rounded down: the payee never loses the
/// fraction.
#[must_use]
pub fn fee(amount: Money, bps: u32) -> Option<Money> {
    let minor = i128::from(amount.minor()) * i128::from(bps) / 10_000;
    i64::try_from(minor).ok().and_then(|minor| Money::new(amount.asset, minor).ok())
}

/// A confirmed collection whose owner is known: the escrow's part is minted, the excess is the employer's
/// own.
pub fn collection_booked(
    intent: Intent,
    shortcode: &Shortcode,
    escrow: Option<(EscrowRef, Money)>,
    employer: Option<(PartyId, Money)>,
) -> Transfer {
    let float = || Account::FloatMpesa(shortcode.clone());
    let mut postings = Vec::with_capacity(3);
    if let Some((escrow, amount)) = escrow {
        postings.extend([posting(float(), Account::Escrow(escrow), amount), mint_submitted(amount)]);
    }
    if let Some((employer, amount)) = employer {
        postings.push(posting(float(), Account::Employer(employer), amount));
    }
    intent.transfer(Event::CollectionBooked, postings)
}

/// A confirmed collection whose owner is not known.
pub fn collection_suspended(intent: Intent, shortcode: &Shortcode, amount: Money) -> Transfer {
    let (float, suspense) =
        (Account::FloatMpesa(shortcode.clone()), Account::SuspenseMpesa(shortcode.clone()));
    intent.transfer(Event::CollectionSuspended, vec![posting(float, suspense, amount)])
}

/// Money in suspense found its owner; split as in [`collection_booked`].
pub fn suspense_booked(
    intent: Intent,
    shortcode: &Shortcode,
    escrow: Option<(EscrowRef, Money)>,
    employer: Option<(PartyId, Money)>,
) -> Transfer {
    let suspense = || Account::SuspenseMpesa(shortcode.clone());
    let mut postings = Vec::with_capacity(3);
    if let Some((escrow, amount)) = escrow {
        postings.extend([posting(suspense(), Account::Escrow(escrow), amount), mint_submitted(amount)]);
    }
    if let Some((employer, amount)) = employer {
        postings.push(posting(suspense(), Account::Employer(employer), amount));
    }
    intent.transfer(Event::SuspenseBooked, postings)
}

/// An employer funds an escrow from money of theirs that we hold already.
pub fn employer_funded(intent: Intent, employer: PartyId, escrow: EscrowRef, amount: Money) -> Transfer {
    let (from, to) = (Account::Employer(employer), Account::Escrow(escrow));
    intent.transfer(Event::EmployerFunded, vec![posting(from, to, amount), mint_submitted(amount)])
}

/// A submitted mint is final on the chain.
pub fn mint_final(intent: Intent, amount: Money) -> Transfer {
    intent.transfer(Event::MintFinal, vec![posting(Account::OnchainSupply, Account::ClearingMint, amount)])
}

/// The chain released an escrow: the payee earned their part, the fee is ours and its tokens are burned
/// there.
pub fn released(
    intent: Intent,
    escrow: EscrowRef,
    employee: PartyId,
    to_payee: Money,
    fee: Option<Money>,
) -> Transfer {
    let escrow = Account::Escrow(escrow);
    let mut postings = vec![posting(escrow.clone(), Account::Employee(employee), to_payee)];
    if let Some(fee) = fee {
        postings.extend([posting(escrow, Account::FeeIncome, fee), burned(fee)]);
    }
    intent.transfer(Event::Released, postings)
}

/// The chain refunded a deposit-funded escrow into its vault: the money is the employer's own again, and the
/// vault's tokens are to be burned ([`burn_final`]).
pub fn refunded(intent: Intent, escrow: EscrowRef, employer: PartyId, amount: Money) -> Transfer {
    let (from, to) = (Account::Escrow(escrow), Account::Employer(employer));
    intent.transfer(Event::Refunded, vec![posting(from, to, amount), burn_submitted(amount)])
}

/// The chain cancelled a partly funded escrow and burned what was minted: the money is the employer's own
/// again.
pub fn cancelled(intent: Intent, escrow: EscrowRef, employer: PartyId, amount: Money) -> Transfer {
    let (from, to) = (Account::Escrow(escrow), Account::Employer(employer));
    intent.transfer(Event::Cancelled, vec![posting(from, to, amount), burned(amount)])
}

/// A payout is about to be instructed: the claim and the float behind it are set aside. It has no expiry,
/// since after an instruction left the house only the provider's word ends it.
pub fn payout_hold(intent: Intent, employee: PartyId, rail: &Rail, amount: Money) -> Transfer {
    let posting = posting(Account::Employee(employee), Account::FloatRail(rail.clone()), amount);
    Transfer {
        hold: Some(HoldAct::Open { posting, expires_at: None }),
        ..intent.transfer(Event::PayoutHold, vec![])
    }
}

/// As [`payout_hold`], for money that is set aside before anything is instructed and frees itself unless
/// used.
pub fn payout_hold_until(hold: Transfer, expires_at: DateTime<Utc>) -> Transfer {
    match hold.hold {
        Some(HoldAct::Open { posting, .. }) => {
            Transfer { hold: Some(HoldAct::Open { posting, expires_at: Some(expires_at) }), ..hold }
        }
        _ => hold,
    }
}

/// The rail paid, all that is held or a part of it; after the `last` part the rest is the employee's claim
/// again. The tokens behind what was paid are to be burned ([`burn_final`]).
pub fn payout_paid(intent: Intent, hold: TransferId, rail: &Rail, paid: Paid) -> Transfer {
    let mut postings = vec![burn_submitted(paid.amount)];
    if let Some(tariff) = paid.tariff {
        postings.push(posting(Account::Tariff, Account::FloatRail(rail.clone()), tariff));
    }
    let settle = HoldAct::Settle { hold, part: Some(paid.amount), last: paid.last };
    Transfer { hold: Some(settle), ..intent.transfer(Event::PayoutPaid, postings) }
}

/// What a rail says it paid.
#[derive(Clone, Copy, Debug)]
pub struct Paid {
    /// What reached the employee.
    pub amount: Money,
    /// What the rail charged us for it.
    pub tariff: Option<Money>,
    /// Whether nothing more of this payout follows.
    pub last: bool,
}

/// The rail says for certain that it did not pay: what is held is the employee's claim again.
pub fn payout_failed(intent: Intent, hold: TransferId) -> Transfer {
    Transfer { hold: Some(HoldAct::Void { hold }), ..intent.transfer(Event::PayoutFailed, vec![]) }
}

/// A hold with an expiry was never used: what is held is the employee's claim again.
pub fn payout_expired(intent: Intent, hold: TransferId) -> Transfer {
    Transfer { hold: Some(HoldAct::Expire { hold }), ..intent.transfer(Event::PayoutExpired, vec![]) }
}

/// A submitted burn is final on the chain.
pub fn burn_final(intent: Intent, amount: Money) -> Transfer {
    intent.transfer(Event::BurnFinal, vec![posting(Account::ClearingBurn, Account::OnchainSupply, amount)])
}

/// A transfer was wrong: the same postings turned round. The journal reads them itself; a transfer is
/// reversed once, and a reversal never.
pub fn reversal(intent: Intent, of: TransferId) -> Transfer {
    Transfer { reverses: Some(of), ..intent.transfer(Event::Reversal, vec![]) }
}
