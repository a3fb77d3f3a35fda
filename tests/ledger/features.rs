//! What a ledger is asked for beside posting: groups, limits, closed periods, words to find a transfer by,
//! and what was known when.

use amana_ledger::balance::{self, Standing};
use amana_ledger::chart::{Account, Side};
use amana_ledger::id::{Clock, TransferId};
use amana_ledger::journal;
use amana_ledger::limit::{Limit, Measure, Period, Velocity};
use amana_ledger::money::Amount;
use amana_ledger::rules::{self, Paid};
use amana_ledger::transfer::{Rejection, Transfer};
use chrono::{DateTime, TimeDelta, Utc};

use crate::ground::{Ground, float, kes, party, paybill, rail};

async fn linked(ground: &Ground, group: &[Transfer]) -> Vec<Result<bool, Rejection>> {
    let mut tx = ground.db.app.begin().await.unwrap();
    let answers = journal::post_linked(&mut tx, &ground.clock, &ground.book, group).await.unwrap();
    tx.commit().await.unwrap();
    answers.into_iter().map(|answer| answer.map(|posted| posted.is_new())).collect()
}

async fn limit(ground: &Ground, account: &Account, limit: &Limit) -> Result<bool, Rejection> {
    let mut tx = ground.db.app.begin().await.unwrap();
    let limited = journal::limit(&mut tx, &ground.clock, &ground.book, account, limit).await.unwrap();
    tx.commit().await.unwrap();
    limited
}

async fn close(ground: &Ground, before: DateTime<Utc>) -> Result<bool, Rejection> {
    let mut tx = ground.db.app.begin().await.unwrap();
    let closed = journal::close(&mut tx, &ground.clock, &ground.book, before).await.unwrap();
    tx.commit().await.unwrap();
    closed
}

/// So much of what an employee earned, with a float behind it.
async fn earned(ground: &Ground, employee: u128, minor: i64) {
    let (reference, paybill) = (ground.escrow(), paybill());
    ground.land(rules::capital_in(ground.intent(), float(), kes(minor))).await;
    let escrow = Some((reference.clone(), kes(minor)));
    ground.land(rules::collection_booked(ground.intent(), &paybill, escrow, None)).await;
    ground.land(rules::released(ground.intent(), reference, party(employee), kes(minor), None)).await;
}

#[tokio::test]
async fn a_group_lands_whole_or_not_at_all() {
    let ground = Ground::new().await;
    earned(&ground, 10, 100).await;
    let hold = |minor| rules::payout_hold(ground.intent(), party(10), &rail(), kes(minor));
    let group = [hold(30), hold(30), hold(30)];
    assert_eq!(linked(&ground, &group).await, [Ok(true), Ok(true), Ok(true)]);
    assert_eq!(linked(&ground, &group).await, [Ok(false), Ok(false), Ok(false)]);
    let more = [hold(5), hold(6)];
    let culprit = more[1].id();
    let answers = linked(&ground, &more).await;
    assert_eq!(answers[0], Err(Rejection::Linked { culprit }));
    assert!(matches!(answers[1], Err(Rejection::Overdraft { available: -1, .. })));
    let part = [group[0].clone(), hold(5)];
    let culprit = group[0].id();
    let answers = linked(&ground, &part).await;
    assert_eq!(answers[0], Err(Rejection::PartLanded { transfer: culprit }));
    assert_eq!(answers[1], Err(Rejection::Linked { culprit }));

    // One of the three was used; what is left of the set is freed by naming its first.
    let paid = Paid { amount: kes(30), tariff: None, last: true };
    ground.land(rules::payout_paid(ground.intent(), group[1].id(), &rail(), paid)).await;
    let first = group[0].id();
    let void = async || {
        let mut tx = ground.db.app.begin().await.unwrap();
        let intent = |_: TransferId| ground.intent();
        let voided = journal::void_linked(&mut tx, &ground.clock, &ground.book, first, intent).await.unwrap();
        tx.commit().await.unwrap();
        voided.into_iter().filter(|answer| answer.as_ref().is_ok_and(|posted| posted.is_new())).count()
    };
    assert_eq!(void().await, 2);
    assert_eq!(void().await, 0);
    let mut conn = ground.db.app.acquire().await.unwrap();
    let left = balance::balance(&mut conn, &ground.book, &Account::Employee(party(10))).await.unwrap();
    assert_eq!((left.posted(), left.held()), (70, 0));
    let ids: Vec<TransferId> = group.iter().map(Transfer::id).collect();
    let written = balance::transfers(&mut conn, &ground.book, &ids).await.unwrap();
    assert!(written.iter().all(|transfer| transfer.link == Some(first)));
    ground.audited().await;
}

#[tokio::test]
async fn a_credit_limit_is_given_used_and_not_taken_back_while_used() {
    let ground = Ground::new().await;
    earned(&ground, 10, 100).await;
    let account = Account::Employee(party(10));
    let credit = |minor: i64| Limit { floor: Some(-minor), velocity: Vec::new() };
    assert_eq!(limit(&ground, &account, &credit(50)).await, Ok(true));
    assert_eq!(limit(&ground, &account, &credit(50)).await, Ok(false));
    let capital = rules::capital_in(ground.intent(), float(), kes(1_000));
    ground.land(capital).await;
    let hold = |minor| rules::payout_hold(ground.intent(), party(10), &rail(), kes(minor));
    assert!(ground.one(hold(150)).await.is_ok());
    let beyond = ground.one(hold(1)).await;
    assert!(matches!(beyond, Err(Rejection::Overdraft { available: -51, floor: -50, .. })));
    let refused = limit(&ground, &account, &Limit::default()).await;
    assert_eq!(refused, Err(Rejection::FloorTooHigh { account, available: -50, floor: 0 }));
    // A reserve, on an account that nothing has touched yet.
    let reserve = Limit { floor: Some(1), velocity: Vec::new() };
    let refused = limit(&ground, &Account::Employee(party(11)), &reserve).await;
    assert!(matches!(refused, Err(Rejection::FloorTooHigh { available: 0, floor: 1, .. })));
    ground.audited().await;
}

#[tokio::test]
async fn a_limit_over_time_begins_anew_with_its_period() {
    let ground = Ground::new().await;
    earned(&ground, 10, 1_000).await;
    let account = Account::Employee(party(10));
    let day = Velocity {
        measure: Measure::Gross,
        side: Side::Debit,
        period: Period::Day,
        amount: Amount::new(100).unwrap(),
    };
    let week = Velocity { period: Period::Week, amount: Amount::new(150).unwrap(), ..day };
    let both = Limit { floor: None, velocity: vec![day, week] };
    assert_eq!(limit(&ground, &account, &both).await, Ok(true));
    let hold = |minor| rules::payout_hold(ground.intent(), party(10), &rail(), kes(minor));
    let first = ground.land(hold(100)).await.transfer;
    let refused = ground.one(hold(1)).await;
    assert!(
        matches!(refused, Err(Rejection::LimitExceeded { limit, used: 100, asked: 1, .. }) if limit == day)
    );
    // What is given back may be used again.
    ground.land(rules::payout_failed(ground.intent(), first)).await;
    let second = ground.land(hold(90)).await.transfer;
    let paid = Paid { amount: kes(90), tariff: None, last: true };
    ground.land(rules::payout_paid(ground.intent(), second, &rail(), paid)).await;
    // The next day has its own hundred, but the week (it began on Monday, and this is Monday) has sixty left.
    ground.clock.forward(TimeDelta::days(1));
    let refused = ground.one(hold(61)).await;
    assert!(matches!(refused, Err(Rejection::LimitExceeded { limit, used: 90, .. }) if limit == week));
    let third = ground.land(hold(60)).await.transfer;
    ground.clock.forward(TimeDelta::days(7));
    // What was held before counts as long as it is held, and when it is settled.
    assert!(matches!(ground.one(hold(41)).await, Err(Rejection::LimitExceeded { used: 60, .. })));
    let paid = Paid { amount: kes(60), tariff: None, last: true };
    ground.land(rules::payout_paid(ground.intent(), third, &rail(), paid)).await;
    assert!(matches!(ground.one(hold(41)).await, Err(Rejection::LimitExceeded { used: 60, .. })));
    ground.land(hold(40)).await;
    ground.audited().await;
}

#[tokio::test]
async fn a_closed_period_takes_nothing_more() {
    let ground = Ground::new().await;
    let noon = ground.clock.now();
    let midnight = Period::Day.start(noon);
    let late = rules::capital_in(ground.intent().effective_at(midnight), float(), kes(1));
    assert!(ground.one(late).await.is_ok());
    let ahead = close(&ground, noon + TimeDelta::seconds(1)).await;
    assert!(matches!(ahead, Err(Rejection::PeriodNotOver { .. })));
    assert_eq!(close(&ground, midnight).await, Ok(true));
    assert_eq!(close(&ground, midnight).await, Ok(false));
    let back = close(&ground, midnight - TimeDelta::days(1)).await;
    assert_eq!(back, Err(Rejection::PeriodClosed { closed_before: midnight }));
    let before = midnight - TimeDelta::microseconds(1);
    let too_late = rules::capital_in(ground.intent().effective_at(before), float(), kes(1));
    assert_eq!(ground.one(too_late).await, Err(Rejection::PeriodClosed { closed_before: midnight }));
    let in_time = rules::capital_in(ground.intent().effective_at(midnight), float(), kes(1));
    assert!(ground.one(in_time).await.is_ok());
    ground.audited().await;
}

#[tokio::test]
async fn a_transfer_is_found_by_what_was_said_of_it() {
    let ground = Ground::new().await;
    for at in 0..5 {
        ground.clock.forward(TimeDelta::seconds(1));
        let intent = ground.intent().metadata("job", "7").unwrap();
        let intent = intent.metadata("number", &at.to_string()).unwrap();
        ground.land(rules::capital_in(intent, float(), kes(1))).await;
    }
    ground.land(rules::capital_in(ground.intent().metadata("job", "70").unwrap(), float(), kes(1))).await;
    let mut conn = ground.db.app.acquire().await.unwrap();
    let mut after = None;
    let mut numbers = Vec::new();
    loop {
        let page = balance::by_metadata(&mut conn, &ground.book, ["job", "7"], after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        numbers.extend(page.iter().map(|transfer| transfer.metadata[1].1.clone()));
    }
    assert_eq!(numbers, ["0", "1", "2", "3", "4"]);
    ground.audited().await;
}

#[tokio::test]
async fn what_was_known_then_and_what_was_learned_since() {
    let ground = Ground::new().await;
    let float = float();
    ground.land(rules::capital_in(ground.intent(), float.clone(), kes(100))).await;
    ground.clock.forward(TimeDelta::days(2));
    let noon = ground.clock.now();
    let (then, at) = (noon, Period::Day.start(noon));
    ground.clock.forward(TimeDelta::days(1));
    // To the second before and to the second after: half a minute makes the difference.
    let back = |seconds: i64| ground.intent().effective_at(at - TimeDelta::seconds(seconds));
    let learned = ground.land(rules::float_move_out(back(30), float.clone(), kes(7))).await;
    ground.land(rules::float_move_out(back(-30), float.clone(), kes(20))).await;
    let now = ground.clock.now();

    let mut conn = ground.db.app.acquire().await.unwrap();
    let posted = |standing: &Standing| standing.posted();
    let known = balance::as_of(&mut conn, &ground.book, &float, at, then).await.unwrap();
    assert_eq!(posted(&known), 100);
    let known = balance::as_of(&mut conn, &ground.book, &float, at, now).await.unwrap();
    assert_eq!(posted(&known), 93);
    let differences = balance::difference(&mut conn, &ground.book, at, [then, now]).await.unwrap();
    let [clearing, changed] = &differences[..] else { panic!("{differences:?}") };
    assert_eq!(clearing.before.account, Account::ClearingFloat);
    assert_eq!((posted(&changed.before), posted(&changed.after)), (100, 93));
    let [why] = &changed.learned[..] else { panic!("{changed:?}") };
    assert_eq!((why.transfer, why.amount.minor()), (learned.transfer, 7));
    let trial = balance::trial_as_of(&mut conn, &ground.book, at, now).await.unwrap();
    assert_eq!(trial.iter().map(|line| line.debits - line.credits).sum::<i64>(), 0);
    assert!(trial.contains(&changed.after));
    assert!(balance::difference(&mut conn, &ground.book, at, [now, now]).await.unwrap().is_empty());
    ground.audited().await;
}
