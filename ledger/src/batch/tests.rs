//! Execution without a database: numbers, floors, what a refusal leaves behind.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::*;
use crate::chart::{Rail, Side};
use crate::id::PartyId;
use crate::limit::{Measure, Period, Velocity};
use crate::money::{Asset, Money};
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

fn head(no: i64, next_posting: i64, accounts: i64) -> Head {
    let recorded_at = now() - TimeDelta::days(1);
    let (newest, closed_before) = (None, None);
    Head { book: 1, no, next_posting, accounts, root: [7; 32], recorded_at, newest, closed_before }
}

/// A batch on a book that has one account, the float, with so much in it.
fn batch(in_float: i64) -> Batch {
    let head = head(4, 10, 1);
    let totals = Totals { debits_posted: in_float, ..Totals::default() };
    let accounts = Map::from_iter([(float(), Opened { number: 1, totals, batch: 1, limit: None })]);
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
    let head = Head { recorded_at: now() + TimeDelta::days(1), ..head(1, 1, 0) };
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
        seal(&batch).root
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
    batch
        .known
        .accounts
        .insert(Account::Employee(employee), Opened { number: 2, totals, batch: 1, limit: None });
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

/// All that a refused group could have touched, in words.
fn trace(batch: &Batch) -> String {
    let slots = batch.slots.iter().filter(|slot| slot.number.is_some()).map(|slot| {
        let Slot { account, number, totals, touched, lowest, nos, .. } = slot;
        format!("{account} {number:?} {totals:?} {touched} {lowest} {nos:?}")
    });
    let mut holds: Vec<String> = batch.known.holds.values().map(|hold| format!("{hold:?}")).collect();
    holds.sort();
    let mut heard: Vec<TransferId> = batch.landed.keys().copied().collect();
    heard.sort();
    let rows = (&batch.rows, &batch.legs, batch.next_posting, batch.next_account);
    let known = (&batch.landed_keys, &batch.known.externals, &batch.known.originals);
    format!("{:?} {holds:?} {heard:?} {rows:?} {known:?}", slots.collect::<Vec<_>>())
}

fn refusal(outcome: &Outcome) -> &Rejection {
    match outcome {
        Outcome::Refused(rejection) => rejection,
        other => panic!("{other:?}"),
    }
}

#[test]
fn linked_transfers_land_together_in_order() {
    let mut batch = batch(0);
    let group =
        [rules::capital_in(intent(1), float(), kes(10)), rules::float_move_out(intent(2), float(), kes(10))];
    assert!(matches!(batch.execute_linked(&group)[..], [Outcome::New(0), Outcome::New(1)]));
    let first = Some(group[0].id());
    assert!(batch.rows.iter().all(|row| row.link == first));
    assert!(matches!(batch.execute_linked(&group)[..], [Outcome::Within(0), Outcome::Within(1)]));
    // In the other order the money was not there yet.
    let turned =
        [rules::float_move_out(intent(3), float(), kes(10)), rules::capital_in(intent(4), float(), kes(10))];
    let culprit = turned[0].id();
    let outcomes = batch.execute_linked(&turned);
    assert!(matches!(refusal(&outcomes[0]), Rejection::Overdraft { .. }));
    assert_eq!(*refusal(&outcomes[1]), Rejection::Linked { culprit });
    // One alone is linked with nothing.
    assert!(matches!(batch.execute_linked(&turned[1..])[..], [Outcome::New(2)]));
    assert_eq!(batch.rows[2].link, None);
}

#[test]
fn a_refused_group_leaves_no_trace() {
    let mut batch = batch(100);
    let (employee, rail) = (PartyId(Uuid::from_u128(5)), Rail::parse("intersend").unwrap());
    let totals = Totals { credits_posted: 90, ..Totals::default() };
    batch
        .known
        .accounts
        .insert(Account::Employee(employee), Opened { number: 2, totals, batch: 1, limit: None });
    let (open, of) = (TransferId(Uuid::from_u128(1)), TransferId(Uuid::from_u128(2)));
    batch.known.to_reverse.extend([of, TransferId(Uuid::from_u128(11))]);
    assert!(matches!(
        batch.execute(&rules::payout_hold(intent(1), employee, &rail, kes(50))),
        Outcome::New(_)
    ));
    assert!(matches!(batch.execute(&rules::capital_in(intent(2), float(), kes(7))), Outcome::New(_)));
    let before = trace(&batch);
    let keyed = Intent::new(TransferId(Uuid::from_u128(11)), &book(), IdempotencyKey::parse("k").unwrap());
    let fact = ExternalRef::new("mpesa", "600111", "R1");
    let paid = rules::Paid { amount: kes(20), tariff: None, last: false };
    let group = [
        rules::payout_hold(intent(10), employee, &rail, kes(5)),
        rules::capital_in(keyed.external(fact), float(), kes(1)),
        rules::reversal(intent(12), of),
        rules::capital_in(
            intent(17),
            Account::FloatMpesa(crate::chart::Shortcode::parse("600111").unwrap()),
            kes(9),
        ),
        rules::payout_paid(intent(13), open, &rail, paid),
        rules::payout_failed(intent(14), TransferId(Uuid::from_u128(10))),
        rules::payout_failed(intent(15), open),
        rules::payout_failed(intent(16), open),
    ];
    let outcomes = batch.execute_linked(&group);
    // A burn needs tokens that exist, and there are none: the settlement is the culprit.
    assert!(matches!(refusal(&outcomes[4]), Rejection::Overdraft { account: Account::OnchainControl, .. }));
    assert_eq!(trace(&batch), before);
    // The whole of it once more, up to the last one: a hold is closed once.
    let mut without: Vec<Transfer> = group.to_vec();
    drop(without.remove(4));
    let outcomes = batch.execute_linked(&without);
    assert!(matches!(refusal(&outcomes[6]), Rejection::HoldClosed { state: "voided", .. }));
    assert_eq!(trace(&batch), before);
    drop(without.pop());
    assert!(batch.execute_linked(&without).iter().all(|outcome| matches!(outcome, Outcome::New(_))));
}

#[test]
fn a_part_of_a_group_is_no_replay_of_it() {
    let mut batch = batch(100);
    let capital = |number| rules::capital_in(intent(number), float(), kes(1));
    assert!(matches!(batch.execute(&capital(1)), Outcome::New(_)));
    let outcomes = batch.execute_linked(&[capital(2), capital(1)]);
    let transfer = capital(1).id();
    assert_eq!(*refusal(&outcomes[1]), Rejection::PartLanded { transfer });
    assert_eq!(*refusal(&outcomes[0]), Rejection::Linked { culprit: transfer });
    let outcomes = batch.execute_linked(&[capital(2), capital(2)]);
    assert!(matches!(refusal(&outcomes[1]), Rejection::PartLanded { .. }));
    let other = rules::capital_in(intent(1), float(), kes(2));
    let outcomes = batch.execute_linked(&[capital(2), other]);
    assert!(matches!(refusal(&outcomes[1]), Rejection::KeyReused { .. }));
    assert_eq!(batch.rows.len(), 1);
}

#[test]
fn an_id_and_a_key_are_names_of_two_kinds() {
    let mut batch = batch(100);
    let capital = |intent| rules::capital_in(intent, float(), kes(1));
    let keyed = |number, key: &str| {
        Intent::new(TransferId(Uuid::from_u128(number)), &book(), IdempotencyKey::parse(key).unwrap())
    };
    assert!(matches!(batch.execute(&capital(intent(1))), Outcome::New(0)));
    assert!(matches!(batch.execute(&capital(intent(1))), Outcome::Within(0)));
    assert!(matches!(batch.execute(&capital(keyed(2, "k"))), Outcome::New(1)));
    assert!(matches!(batch.execute(&capital(keyed(3, "k"))), Outcome::Within(1)));
    let id = TransferId(Uuid::from_u128(1)).to_string();
    for used in [keyed(1, "other"), keyed(2, "other"), intent(2), keyed(4, &id)] {
        assert!(matches!(refusal(&batch.execute(&capital(used))), Rejection::IdReused { .. }));
    }
}

fn limited(batch: &mut Batch, floor: Option<i64>, velocity: &[(Measure, i64)]) -> Result<bool, Rejection> {
    let one = |&(measure, amount): &(Measure, i64)| {
        let amount = Amount::new(amount).unwrap();
        Velocity { measure, side: Side::Credit, period: Period::Day, amount }
    };
    let limit = Limit { floor, velocity: velocity.iter().map(one).collect() };
    batch.limit(&float(), &limit)
}

#[test]
fn a_credit_limit_is_a_floor_below_zero() {
    let mut batch = batch(10);
    assert_eq!(limited(&mut batch, Some(-5), &[]), Ok(true));
    assert_eq!(limited(&mut batch, Some(-5), &[]), Ok(false));
    assert_eq!(batch.rule, Some(Rule::Limit(0, Limit { floor: Some(-5), velocity: vec![] })));
    assert!(batch.slots[0].touched && batch.slots[0].lowest == 10);
    let out = |number, minor| rules::float_move_out(intent(number), float(), kes(minor));
    assert!(matches!(batch.execute(&out(1, 15)), Outcome::New(_)));
    assert!(matches!(
        refusal(&batch.execute(&out(2, 1))),
        Rejection::Overdraft { available: -6, floor: -5, .. }
    ));
    // Nobody is put under a floor he does not stand above, and nobody's credit is taken back while he uses
    // it.
    for floor in [Some(-4), None] {
        assert!(matches!(
            limited(&mut batch, floor, &[]),
            Err(Rejection::FloorTooHigh { available: -5, .. })
        ));
    }
    assert_eq!(limited(&mut self::batch(0), None, &[]), Ok(false));
}

#[test]
fn a_velocity_limit_counts_a_period() {
    let mut batch = batch(1_000);
    let limits = [(Measure::Net, 100), (Measure::Gross, 150)];
    assert_eq!(limited(&mut batch, None, &limits), Ok(true));
    let out = |number, minor| rules::float_move_out(intent(number), float(), kes(minor));
    let back = |number, minor| rules::float_move_in(intent(number), float(), kes(minor));
    // What came in before counts as come within the period, since nothing was posted before it.
    assert!(matches!(batch.execute(&out(1, 150)), Outcome::New(_)));
    let passed = batch.execute(&out(2, 1));
    let Rejection::LimitExceeded { limit, used, asked, .. } = refusal(&passed) else { panic!("{passed:?}") };
    assert_eq!((limit.measure, *used, *asked), (Measure::Gross, 150, 1));
    assert!(matches!(batch.execute(&back(3, 50)), Outcome::New(_)));
    assert!(matches!(refusal(&batch.execute(&out(4, 1))), Rejection::LimitExceeded { .. }));
}

#[test]
fn what_is_closed_stays_closed() {
    let mut batch = batch(100);
    let noon = batch.recorded_at;
    let day = |back| noon - TimeDelta::days(back);
    assert!(matches!(batch.close(noon + TimeDelta::microseconds(1)), Err(Rejection::PeriodNotOver { .. })));
    assert_eq!(batch.close(noon), Ok(true));
    batch.head.closed_before = Some(day(3));
    let closed_before = day(3);
    assert_eq!(batch.close(day(4)), Err(Rejection::PeriodClosed { closed_before }));
    assert_eq!(batch.close(day(3)), Ok(false));
    assert_eq!(batch.close(day(2)), Ok(true));
    assert_eq!(batch.rule, Some(Rule::Close(day(2))));
    let at = |number, at| rules::capital_in(intent(number).effective_at(at), float(), kes(1));
    let early = at(1, day(3) - TimeDelta::microseconds(1));
    assert_eq!(*refusal(&batch.execute(&early)), Rejection::PeriodClosed { closed_before });
    assert!(matches!(batch.execute(&at(2, day(3))), Outcome::New(_)));
}
