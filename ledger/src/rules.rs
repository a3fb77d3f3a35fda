//! Every way money may move: one small pure function a business event. A new way is a new function here.
//!
//! Invariant: each rule keeps both identities of a book that has escrows on chain (tested below):
//! Σ float + clearing:float + receivable − (capital + fee − tariff) − suspense − employer = onchain:issued
//! and
//! onchain:issued − clearing:mint + clearing:burn = onchain:supply.
//! Absent: providers and payloads. A rule knows ids and money.

use chrono::{DateTime, Utc};

use crate::chart::{Account, BookId, Rail, Shortcode};
use crate::id::{BadName, EscrowRef, ExternalRef, IdempotencyKey, PartyId, TransferId};
use crate::money::Money;
use crate::transfer::{Event, HoldAct, Metadata, Posting, Transfer};

/// What every transfer needs beside its accounts and amounts.
#[derive(Clone, Debug)]
pub struct Intent {
    id: TransferId,
    book: BookId,
    key: Option<IdempotencyKey>,
    effective_at: Option<DateTime<Utc>>,
    external: Option<ExternalRef>,
    metadata: Metadata,
}

impl Intent {
    /// An intention under an id minted with the row that holds the unique fact, and under its key.
    #[must_use]
    pub fn new(id: TransferId, book: &BookId, key: IdempotencyKey) -> Self {
        let key = Some(key).filter(|key| !key.is_of(id));
        Self { key, ..Self::minted(id, book) }
    }

    /// An intention that is named by its id alone: whoever asks again asks under the same id. That id as
    /// another transfer's key is refused.
    #[must_use]
    pub fn minted(id: TransferId, book: &BookId) -> Self {
        let metadata = Metadata::default();
        Self { id, book: book.clone(), key: None, effective_at: None, external: None, metadata }
    }

    /// When it happened in the world, if that is not when the book hears of it; to the microsecond, as
    /// Postgres keeps it.
    #[must_use]
    pub fn effective_at(mut self, at: DateTime<Utc>) -> Self {
        self.effective_at = DateTime::from_timestamp_micros(at.timestamp_micros());
        self
    }

    /// Something to find it by, see [`Metadata::with`].
    ///
    /// # Errors
    /// [`BadName`] unless name and value are small words and the name is new.
    pub fn metadata(self, name: &str, value: &str) -> Result<Self, BadName> {
        Ok(Self { metadata: self.metadata.with(name, value)?, ..self })
    }

    /// The fact it books, under the name its provider gave it. A fact is booked by one transfer only: give
    /// the reference to the transfer that counts it, not to those that follow from it.
    #[must_use]
    pub fn external(mut self, external: ExternalRef) -> Self {
        self.external = Some(external);
        self
    }

    fn transfer(self, event: Event, postings: Vec<Posting>) -> Transfer {
        let Intent { id, book, key, effective_at, external, metadata } = self;
        let (hold, reverses) = (None, None);
        Transfer { id, book, key, event, postings, hold, reverses, effective_at, external, metadata }
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

/// The rail took a payment back from the paybill. What still lies in suspense just leaves; what was credited
/// already is owed to us by the party it was credited to.
pub fn collection_reversed(
    intent: Intent,
    shortcode: &Shortcode,
    credited: Option<PartyId>,
    amount: Money,
) -> Transfer {
    let from = match credited {
        Some(party) => Account::Receivable(party),
        None => Account::SuspenseMpesa(shortcode.clone()),
    };
    let float = Account::FloatMpesa(shortcode.clone());
    intent.transfer(Event::CollectionReversed, vec![posting(from, float, amount)])
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

/// A dispute was decided on the chain, by the arbiter or by default: what was left of the escrow is parted
/// between employee and employer. The employer's part lies in the vault, to be burned ([`burn_final`]).
pub fn resolved(
    intent: Intent,
    escrow: EscrowRef,
    employee: Option<(PartyId, Money)>,
    employer: Option<(PartyId, Money)>,
) -> Transfer {
    let escrow = || Account::Escrow(escrow.clone());
    let mut postings = Vec::with_capacity(3);
    if let Some((employee, amount)) = employee {
        postings.push(posting(escrow(), Account::Employee(employee), amount));
    }
    if let Some((employer, amount)) = employer {
        postings.extend([posting(escrow(), Account::Employer(employer), amount), burn_submitted(amount)]);
    }
    intent.transfer(Event::Resolved, postings)
}

/// The chain cancelled a partly funded escrow and burned what was minted: the money is the employer's own
/// again.
pub fn cancelled(intent: Intent, escrow: EscrowRef, employer: PartyId, amount: Money) -> Transfer {
    let (from, to) = (Account::Escrow(escrow), Account::Employer(employer));
    intent.transfer(Event::Cancelled, vec![posting(from, to, amount), burned(amount)])
}

/// The chain cancelled an escrow before a deposit could be minted into it: that mint is not submitted any
/// more, and the money is the employer's own.
pub fn never_minted(intent: Intent, escrow: EscrowRef, employer: PartyId, amount: Money) -> Transfer {
    let (from, to) = (Account::Escrow(escrow), Account::Employer(employer));
    let not_submitted = posting(Account::OnchainControl, Account::ClearingMint, amount);
    intent.transfer(Event::Cancelled, vec![posting(from, to, amount), not_submitted])
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

/// As [`payout_hold`], for an employer's own money that is about to go back to where it came from.
pub fn refund_hold(intent: Intent, employer: PartyId, rail: &Rail, amount: Money) -> Transfer {
    let posting = posting(Account::Employer(employer), Account::FloatRail(rail.clone()), amount);
    Transfer {
        hold: Some(HoldAct::Open { posting, expires_at: None }),
        ..intent.transfer(Event::RefundHold, vec![])
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
    let settle = HoldAct::Settle { hold, part: paid.amount, last: paid.last };
    Transfer { hold: Some(settle), ..intent.transfer(Event::PayoutPaid, postings) }
}

/// The rail sent an employer's money back. No token stands behind it: those of a refund left the vault, or
/// were never minted.
pub fn refund_paid(intent: Intent, hold: TransferId, rail: &Rail, paid: Paid) -> Transfer {
    let tariff = paid.tariff.map(|fee| posting(Account::Tariff, Account::FloatRail(rail.clone()), fee));
    let settle = HoldAct::Settle { hold, part: paid.amount, last: paid.last };
    let postings = tariff.into_iter().collect();
    Transfer { hold: Some(settle), ..intent.transfer(Event::RefundPaid, postings) }
}

/// What a rail says it paid.
#[derive(Clone, Copy, Debug)]
pub struct Paid {
    /// What reached the phone.
    pub amount: Money,
    /// What the rail charged us for it.
    pub tariff: Option<Money>,
    /// Whether nothing more of this payout follows.
    pub last: bool,
}

/// The rail says for certain that it did not pay: what is held is its owner's again, be it an employee or an
/// employer.
pub fn payout_failed(intent: Intent, hold: TransferId) -> Transfer {
    Transfer { hold: Some(HoldAct::Void { hold }), ..intent.transfer(Event::PayoutFailed, vec![]) }
}

/// As [`payout_failed`] for several holds, to be posted linked: all of them are free again, or none.
pub fn payouts_failed(voids: Vec<(Intent, TransferId)>) -> Vec<Transfer> {
    voids.into_iter().map(|(intent, hold)| payout_failed(intent, hold)).collect()
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::chart::{Kind, Side};
    use crate::money::Asset;
    use uuid::Uuid;

    fn kes(minor: i64) -> Money {
        Money::new(Asset::Kes, minor).unwrap()
    }

    fn intent() -> Intent {
        let id = TransferId(Uuid::from_u128(1));
        Intent::new(id, &BookId::parse("kenya:KES").unwrap(), IdempotencyKey::of(id))
    }

    /// One of each rule that posts, holds settled as if what they hold were posted.
    fn one_of_each() -> Vec<Transfer> {
        let (till, rail) = (Shortcode::parse("600111").unwrap(), Rail::parse("intersend").unwrap());
        let escrow = || EscrowRef::parse("ESCROW_000000000").unwrap();
        let (float, party) = (Account::FloatRail(rail.clone()), PartyId(Uuid::from_u128(2)));
        let paid = Paid { amount: kes(90), tariff: Some(kes(3)), last: true };
        let split = || (Some((escrow(), kes(70))), Some((party, kes(30))));
        let ((to_escrow, excess), (matched, rest)) = (split(), split());
        vec![
            capital_in(intent(), float.clone(), kes(100)),
            float_move_out(intent(), Account::FloatMpesa(till.clone()), kes(100)),
            float_move_in(intent(), float, kes(100)),
            collection_booked(intent(), &till, to_escrow, excess),
            collection_suspended(intent(), &till, kes(100)),
            collection_reversed(intent(), &till, Some(party), kes(100)),
            suspense_booked(intent(), &till, matched, rest),
            employer_funded(intent(), party, escrow(), kes(100)),
            mint_final(intent(), kes(100)),
            released(intent(), escrow(), party, kes(98), Some(kes(2))),
            refunded(intent(), escrow(), party, kes(100)),
            resolved(intent(), escrow(), Some((party, kes(60))), Some((party, kes(40)))),
            cancelled(intent(), escrow(), party, kes(100)),
            payout_paid(intent(), TransferId(Uuid::from_u128(3)), &rail, paid),
            refund_paid(intent(), TransferId(Uuid::from_u128(4)), &rail, paid),
            burn_final(intent(), kes(100)),
        ]
    }

    /// What a transfer adds to the accounts of the kinds, each on its normal side.
    fn moved(transfer: &Transfer, kinds: &[Kind]) -> i64 {
        let mut postings = transfer.postings.clone();
        if let Some(HoldAct::Settle { part, .. }) = &transfer.hold {
            let owner =
                if transfer.event == Event::RefundPaid { Account::Employer } else { Account::Employee };
            let (from, rail) = (owner(PartyId(Uuid::nil())), Rail::parse("intersend").unwrap());
            postings.push(posting(from, Account::FloatRail(rail), *part));
        }
        let side = |account: &Account, side: Side, amount: i64| {
            let kind = account.kind();
            let sign = if kind.side() == side { amount } else { -amount };
            if kinds.contains(&kind) { sign } else { 0 }
        };
        let one = |posting: &Posting| {
            let amount = posting.money.minor();
            side(&posting.debit, Side::Debit, amount) + side(&posting.credit, Side::Credit, amount)
        };
        postings.iter().map(one).sum()
    }

    #[test]
    fn every_rule_keeps_the_proof() {
        for transfer in one_of_each() {
            let moved = |kinds: &[Kind]| moved(&transfer, kinds);
            let floats = moved(&[Kind::FloatMpesa, Kind::FloatRail, Kind::ClearingFloat, Kind::Receivable]);
            let own = moved(&[Kind::Capital, Kind::FeeIncome]) - moved(&[Kind::Tariff]);
            let not_minted = moved(&[Kind::SuspenseMpesa, Kind::Employer]);
            let issued = moved(&[Kind::OnchainIssued]);
            assert_eq!(floats - own - not_minted, issued, "{:?}", transfer.event);
            let (minting, burning) = (moved(&[Kind::ClearingMint]), moved(&[Kind::ClearingBurn]));
            assert_eq!(issued - minting + burning, moved(&[Kind::OnchainSupply]), "{:?}", transfer.event);
            // What is owed in tokens is what escrows and employees are owed.
            assert_eq!(moved(&[Kind::Escrow, Kind::Employee]), issued, "{:?}", transfer.event);
        }
    }

    #[test]
    fn every_event_has_its_rule() {
        let (nobody, rail) = (PartyId(Uuid::nil()), Rail::parse("intersend").unwrap());
        let hold = payout_hold(intent(), nobody, &rail, kes(1));
        let refund = refund_hold(intent(), nobody, &rail, kes(1));
        let of = TransferId(Uuid::nil());
        let ends =
            [payout_failed(intent(), of), payout_expired(intent(), of), reversal(intent(), of), hold, refund];
        let said: Vec<Event> = one_of_each().iter().chain(&ends).map(Transfer::event).collect();
        assert!(Event::ALL.iter().all(|event| said.contains(event)), "{said:?}");
        assert_eq!(said.len(), Event::ALL.len());
    }

    #[test]
    fn a_fingerprint_is_of_what_is_asked_and_of_nothing_else() {
        let capital =
            |intent: Intent, minor| capital_in(intent, Account::FeeIncome, kes(minor)).fingerprint();
        let other = TransferId(Uuid::from_u128(9));
        let renamed = Intent { id: other, ..intent() };
        assert_eq!(capital(intent(), 5), capital(renamed, 5));
        let mut seen = vec![
            capital(intent(), 5),
            capital(intent(), 6),
            capital(intent().effective_at(DateTime::UNIX_EPOCH), 5),
            capital(intent().metadata("a", "b").unwrap(), 5),
            capital(intent().metadata("ab", "").unwrap(), 5),
            capital(intent().external(ExternalRef::new("a", "b", "c")), 5),
            capital(intent().external(ExternalRef::new("ab", "", "c")), 5),
            float_move_out(intent(), Account::FeeIncome, kes(5)).fingerprint(),
            payout_failed(intent(), other).fingerprint(),
            payout_expired(intent(), other).fingerprint(),
            reversal(intent(), other).fingerprint(),
        ];
        let (all, _) = (seen.len(), seen.sort());
        seen.dedup();
        assert_eq!(seen.len(), all);
    }

    #[test]
    fn an_id_is_a_key_and_is_not_written_twice() {
        let id = TransferId(Uuid::from_u128(1));
        let book = BookId::parse("kenya:KES").unwrap();
        let capital = |intent| capital_in(intent, Account::FeeIncome, kes(5));
        for intent in [Intent::minted(id, &book), Intent::new(id, &book, IdempotencyKey::of(id))] {
            let transfer = capital(intent);
            assert_eq!((transfer.keyed(), transfer.key()), (false, IdempotencyKey::of(id)));
        }
        let other = IdempotencyKey::of(TransferId(Uuid::from_u128(2)));
        assert!(capital(Intent::new(id, &book, other)).keyed());
    }

    #[test]
    fn fees_round_down() {
        assert_eq!(fee(kes(9_999), 100), Some(kes(99)));
        assert_eq!(fee(kes(99), 100), None);
        assert_eq!(fee(kes(i64::MAX), 10_000), Some(kes(i64::MAX)));
        assert_eq!(fee(kes(5), 0), None);
    }
}
