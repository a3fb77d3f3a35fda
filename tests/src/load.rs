//! Traffic that can be told again: requests that are a function of their number, so that whoever was not
//! answered asks the same again under the same ids, in whichever process.
//!
//! Invariant: an id names its request and its place there, so every row of the journal can be traced back to
//! who asked for it. Absent: posting, and counting what was answered.

use std::sync::atomic::{AtomicI64, Ordering};

use amana_ledger::chart::{Account, BookId, Rail, Shortcode};
use amana_ledger::id::{Clock, EscrowRef, ExternalRef, IdempotencyKey, PartyId, Rng, TransferId};
use amana_ledger::money::{Asset, Money};
use amana_ledger::rules::{self, Intent, Paid};
use amana_ledger::transfer::Transfer;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// When the traffic begins, milliseconds.
const BEGIN: u64 = 1_790_000_000_000;
/// Transfers of a request that goes by `COPY`.
const LARGE: u64 = 208;

/// A clock that goes on by a millisecond whenever it is asked, from a time of its own: two processes never
/// agree on the time, and one that is started again is late.
pub struct Ticking(AtomicI64);

impl Ticking {
    /// From so many milliseconds after the traffic began.
    pub fn late_by(millis: i64) -> Self {
        Self(AtomicI64::new(BEGIN.cast_signed() + millis))
    }
}

impl Clock for Ticking {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0.fetch_add(1, Ordering::Relaxed)).expect("a time")
    }
}

/// One request: the process it belongs to, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Request {
    /// Whose it is. Two processes at once have two streams.
    pub stream: u64,
    /// Its number, from 1.
    pub number: u64,
}

/// What a request asks for.
#[derive(Debug)]
pub enum Asked {
    /// Each on its own, in order.
    Each(Vec<Transfer>),
    /// All of them or none.
    Linked(Vec<Transfer>),
}

impl Request {
    /// The id of its transfer at a place: later requests have greater ids, whichever stream they are of.
    pub fn id(self, place: u64) -> TransferId {
        let millis = BEGIN + self.number;
        TransferId(Uuid::from_u64_pair(millis << 16 | 0x7000, 1 << 63 | self.stream << 32 | place))
    }

    /// The request an id belongs to, and the place there.
    pub fn of(id: Uuid) -> (Self, u64) {
        let (high, low) = id.as_u64_pair();
        (Self { stream: low >> 32 & 0xff, number: (high >> 16) - BEGIN }, low & 0xffff_ffff)
    }

    /// What it asks for in a book. In stretches of 64, every other refers to nothing but accounts, so that
    /// batches overlap; the others have everything in them.
    pub fn asked(self, book: &BookId) -> Asked {
        let intent = |place| Intent::minted(self.id(place), book);
        let plain = |place| rules::capital_in(intent(place), rail("intersend"), kes(7));
        if self.number % 32 == 5 {
            let owner = |place: u64| Some((party(place % 40), kes(3)));
            let booked = |place| rules::collection_booked(intent(place), &paybill(), None, owner(place));
            return Asked::Each((0..LARGE).map(booked).collect());
        }
        if (self.number / 64).is_multiple_of(2) {
            return Asked::Each(vec![plain(0)]);
        }
        match self.number % 16 {
            1 => {
                let key = IdempotencyKey::parse(&format!("load:{}:{}", self.stream, self.number));
                let keyed = Intent::new(self.id(0), book, key.expect("a key"));
                let fact = ExternalRef::new("mpesa", "600111", format!("R{}X{}", self.stream, self.number));
                Asked::Each(vec![rules::collection_suspended(keyed.external(fact), &paybill(), kes(11))])
            }
            2 | 9 => Asked::Each(self.paid(book)),
            3 => Asked::Each(vec![rules::payout_failed(intent(0), self.before(1).id(3))]),
            10 => {
                let paid = Paid { amount: kes(20), tariff: None, last: true };
                Asked::Each(vec![rules::payout_paid(intent(0), self.before(129).id(3), &payer(), paid)])
            }
            4 => Asked::Linked(vec![
                plain(0),
                rules::float_move_out(intent(1), rail("intersend"), kes(5)),
                rules::float_move_in(intent(2), Account::FloatMpesa(paybill()), kes(5)),
            ]),
            // The second is more than there is, so that none of them lands.
            6 => Asked::Linked(vec![
                plain(0),
                rules::float_move_out(intent(1), rail("empty"), kes(5)),
                rules::float_move_in(intent(2), Account::FloatMpesa(paybill()), kes(5)),
            ]),
            7 => Asked::Each(vec![rules::float_move_out(intent(0), rail("empty"), kes(1))]),
            11 => Asked::Each(vec![rules::reversal(intent(0), self.before(3).id(0))]),
            _ => Asked::Each(vec![plain(0)]),
        }
    }

    /// Money comes, is earned, is set aside, and is paid in part: each refers to the one before it.
    fn paid(self, book: &BookId) -> Vec<Transfer> {
        let intent = |place| Intent::minted(self.id(place), book);
        let (reference, employee) = (EscrowRef::mint(&Numbered(self)), party(100 + self.number % 5));
        let paid = Paid { amount: kes(30), tariff: Some(kes(1)), last: false };
        vec![
            rules::capital_in(intent(0), rail("intersend"), kes(200)),
            rules::collection_booked(intent(1), &paybill(), Some((reference.clone(), kes(100))), None),
            rules::released(intent(2), reference, employee, kes(100), None),
            rules::payout_hold(intent(3), employee, &payer(), kes(100)),
            rules::payout_paid(intent(4), self.id(3), &payer(), paid),
        ]
    }

    /// The request so many before it.
    fn before(self, by: u64) -> Self {
        Self { number: self.number.saturating_sub(by), ..self }
    }
}

/// Chance that is the request's number.
struct Numbered(Request);

impl Rng for Numbered {
    fn fill(&self, bytes: &mut [u8]) {
        // Eight digits of 32: the stream, then the number.
        let number = self.0.stream << 35 | self.0.number;
        bytes.iter_mut().enumerate().for_each(|(at, byte)| *byte = (number >> (5 * at) & 31) as u8);
    }
}

/// The book of the traffic.
pub fn book() -> BookId {
    BookId::parse("kenya:KES").expect("a book")
}

fn kes(minor: i64) -> Money {
    Money::new(Asset::Kes, minor).expect("an amount")
}

fn paybill() -> Shortcode {
    Shortcode::parse("600111").expect("a shortcode")
}

fn payer() -> Rail {
    Rail::parse("intersend").expect("a rail")
}

fn rail(name: &str) -> Account {
    Account::FloatRail(Rail::parse(name).expect("a rail"))
}

fn party(number: u64) -> PartyId {
    PartyId(Uuid::from_u128(u128::from(number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_its_request() {
        let request = Request { stream: 2, number: 77 };
        assert_eq!(Request::of(request.id(9).0), (request, 9));
        assert!(request.id(5) > request.before(1).id(6));
    }
}
