//! Execution without a database: numbers, floors, what a refusal leaves behind.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::*;
use crate::chart::Rail;
use crate::id::PartyId;
use crate::money::Asset;
use crate::rules::{self, Intent};

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 123_456_789).unwrap()
}

fn book() -> BookId {
    BookId::parse("kenya:KES").unwrap()
}

fn kes(minor: i64) -> Money {
    Money::new(Asset::Kes, minor).unwrap()
}

fn float() -> Account {
    Account::FloatRail(Rail::parse("intersend").unwrap())
}

fn intent(number: u128) -> Intent {
    let id = TransferId(Uuid::from_u128(number));
    Intent::new(id, &book(), IdempotencyKey::of(id))
}

/// A batch on a book that has one account, the float, with so much in it.
fn batch(in_float: i64) -> Batch {
    let head =
        Head { no: 4, next_posting: 10, accounts: 1, root: [7; 32], recorded_at: now() - TimeDelta::days(1) };
    let totals = Totals { debits_posted: in_float, ..Totals::default() };
    let accounts = HashMap::from([(float(), (1, totals))]);
    Batch::new(&book(), head, Known { accounts, ..Known::default() }, now())
}

#[test]
fn what_is_refused_leaves_no_trace() {
    let mut batch = batch(5);
    let refused = batch.execute(&rules::float_move_out(intent(1), float(), kes(6)));
    assert!(matches!(refused, Outcome::Refused(Rejection::Overdraft { available: -1, .. })));
    assert_eq!((batch.postings(), batch.accounts(), batch.rows.len()), (0, 1, 0));
    assert!(batch.slots.iter().all(|slot| slot.nos.is_empty()));
    // The same id, key and accounts are free for who comes next.
    let landed = batch.execute(&rules::float_move_out(intent(1), float(), kes(5)));
    assert!(matches!(landed, Outcome::New(0)));
    assert_eq!((batch.no(), batch.postings(), batch.accounts(), batch.rows[0].first_posting), (5, 1, 2, 10));
}

#[test]
fn the_lowest_moment_is_kept() {
    let mut batch = batch(100);
    let transfers = [
        rules::float_move_out(intent(1), float(), kes(70)),
        rules::float_move_out(intent(2), float(), kes(20)),
        rules::float_move_in(intent(3), float(), kes(90)),
    ];
    assert!(transfers.iter().all(|transfer| matches!(batch.execute(transfer), Outcome::New(_))));
    let slot = batch.slots.iter().find(|slot| slot.account == float()).unwrap();
    assert_eq!(
        (slot.totals.available(Side::Debit), slot.lowest, slot.nos.as_slice()),
        (100, 10, &[10, 11, 12][..])
    );
}

#[test]
fn time_is_kept_as_postgres_keeps_it_and_does_not_go_back() {
    assert_eq!(batch(0).recorded_at.timestamp_subsec_nanos(), 123_456_000);
    let head =
        Head { no: 1, next_posting: 1, accounts: 0, root: GENESIS, recorded_at: now() + TimeDelta::days(1) };
    let ahead = Batch::new(&book(), head.clone(), Known::default(), now());
    assert_eq!(ahead.recorded_at, head.recorded_at);
}

#[test]
fn a_root_is_of_everything_in_the_batch() {
    let sealed = |key: u128, minor: i64, prev: u8| {
        let mut batch = batch(0);
        batch.head.root = [prev; 32];
        assert!(matches!(
            batch.execute(&rules::capital_in(intent(key), float(), kes(minor))),
            Outcome::New(0)
        ));
        seal(&batch)
    };
    let mut roots = vec![sealed(1, 5, 7), sealed(2, 5, 7), sealed(1, 6, 7), sealed(1, 5, 8)];
    assert_eq!(sealed(1, 5, 7), roots[0]);
    roots.sort_unstable();
    roots.dedup();
    assert_eq!(roots.len(), 4);
}

#[test]
fn a_hold_may_open_and_close_within_a_batch() {
    let mut batch = batch(100);
    let employee = PartyId(Uuid::from_u128(5));
    let rail = Rail::parse("intersend").unwrap();
    let totals = Totals { credits_posted: 50, ..Totals::default() };
    batch.known.accounts.insert(Account::Employee(employee), (2, totals));
    let hold = rules::payout_hold(intent(1), employee, &rail, kes(50));
    let id = hold.id();
    assert!(matches!(batch.execute(&hold), Outcome::New(0)));
    assert!(matches!(batch.execute(&rules::payout_failed(intent(2), id)), Outcome::New(1)));
    let again = batch.execute(&rules::payout_failed(intent(3), id));
    assert!(matches!(again, Outcome::Refused(Rejection::HoldClosed { state: "voided", .. })));
    assert!(
        batch.slots.iter().all(|slot| slot.totals.debits_pending == 0 && slot.totals.credits_pending == 0)
    );
}
