//! An employer's money goes out again, to the numbers it came from, once each.

use amana_adapters::mpesa::sim::{Payment, Shown};
use amana_adapters::port::{Msisdn, PayoutState};
use amana_adapters::sim::{Behaviour, When};
use amana_gateway::error::Error;
use amana_gateway::events::Actor;
use amana_gateway::flows::escrow::{Decision, Event, Side, Split, Status};
use amana_gateway::flows::payout::Purpose;
use amana_gateway::flows::{entrust, pay};
use amana_gateway::people::Role;
use amana_ledger::id::{EscrowRef, PartyId};
use amana_tests::story::{misbehaviours, payment};
use amana_tests::world::World;
use chrono::TimeDelta;
use uuid::Uuid;

use crate::disputes::half_a_year;

const EMPLOYER: &str = "0733345126";
const FRIEND: &str = "0711345126";
const PAYER: &str = "0712345126";

/// An escrow of 500 shillings.
async fn begin() -> (World, PartyId, EscrowRef) {
    let world = World::new().await;
    world.capital().await;
    let employer = world.person(Role::Employer, EMPLOYER).await;
    let reference = world.open(&world.app, employer, "500.00").await.unwrap();
    (world, employer, reference)
}

async fn pay(world: &World, reference: &EscrowRef, (no, phone, shown): (u8, &str, Shown), amount: &str) {
    let phone = Msisdn::parse(phone).unwrap();
    let usual = payment(world, &format!("UKK81XQ4Z{no}"), reference.as_str(), amount);
    world.hear(&world.app, &Payment { phone, shown, ..usual }).await.unwrap();
    world.settle().await;
}

async fn cancel(world: &World, reference: &EscrowRef) {
    let mut tx = world.app.db.begin().await.unwrap();
    entrust::cancel_unfunded(&mut tx, &world.app, reference).await.unwrap();
    tx.commit().await.unwrap();
    world.settle().await;
}

/// An hour and more in which everything that is due is done.
async fn an_hour(world: &World) {
    for _ in 0..12 {
        world.rail.quiet().await;
        world.wait(TimeDelta::seconds(400)).await;
    }
}

/// What the rail paid, and to whom, in order.
fn sent(world: &World) -> Vec<(String, String)> {
    let paid = world.rail.payouts().into_iter().filter(|paid| paid.state == PayoutState::Completed);
    paid.map(|paid| (paid.phone.local(), paid.money.decimal())).collect()
}

fn to(phone: &str, amount: &str) -> (String, String) {
    (phone.to_owned(), amount.to_owned())
}

async fn refunds(world: &World, reference: &EscrowRef) -> Vec<pay::View> {
    let mut tx = world.app.db.begin().await.unwrap();
    let mut all = pay::of_escrow(&mut tx, reference).await.unwrap();
    all.retain(|view| view.terms.purpose != Purpose::Wage);
    all
}

async fn nothing_is_left(world: &World, employer: PartyId, reference: &EscrowRef) {
    assert_eq!(world.balance(&format!("employer:{employer}")).await, "0.00");
    assert_eq!(world.balance(&format!("escrow:{reference}")).await, "0.00");
    assert_eq!(world.balance("onchain:supply").await, "0.00");
    world.sound().await;
}

#[tokio::test]
async fn each_deposit_of_a_withdrawn_escrow_goes_back_to_the_number_it_came_from() {
    let (world, employer, reference) = begin().await;
    pay(&world, &reference, (1, PAYER, Shown::Clear), "100.00").await;
    pay(&world, &reference, (2, FRIEND, Shown::Masked), "150.00").await;
    pay(&world, &reference, (3, FRIEND, Shown::Clear), "50.00").await;
    cancel(&world, &reference).await;
    an_hour(&world).await;
    assert_eq!(world.state(&reference).await.status(), Status::Cancelled);
    // A masked number is none: that part goes to the employer's own phone.
    let mut sent = sent(&world);
    sent.sort();
    assert_eq!(sent, [to(FRIEND, "50.00"), to(PAYER, "100.00"), to(EMPLOYER, "150.00")]);
    assert!(world.texts_to(FRIEND).iter().any(|text| text.contains("50.00") && text.contains("sent back")));
    nothing_is_left(&world, employer, &reference).await;
}

#[tokio::test]
async fn of_a_split_the_oldest_deposit_goes_back_first() {
    let (world, employer, reference) = begin().await;
    pay(&world, &reference, (1, PAYER, Shown::Clear), "300.00").await;
    pay(&world, &reference, (2, FRIEND, Shown::Clear), "200.00").await;
    let employee = world.person(Role::Employee, "0722345126").await;
    world.assign(&world.app, &reference, employee).await.unwrap();
    world.settle().await;
    let mut tx = world.app.db.begin().await.unwrap();
    entrust::dispute(&mut tx, &world.app, &reference, Side::Employer).await.unwrap();
    tx.commit().await.unwrap();
    world.settle().await;
    let split = Split { to_payee: 15_000, to_payer: 35_000 };
    let decision = Decision { by: PartyId(Uuid::from_u128(7)), split, reason: "a third was done".into() };
    let mut tx = world.app.db.begin().await.unwrap();
    let told = entrust::preview_decision(&mut tx, &world.app, &reference, &decision).await.unwrap();
    let held: Vec<String> =
        told.transfers.iter().flat_map(|told| told.holds()).map(|p| p.money.decimal()).collect();
    assert_eq!(held, ["300.00", "50.00", "150.00"], "what would go out is told");
    entrust::decide(&mut tx, &world.app, &reference, &decision).await.unwrap();
    tx.commit().await.unwrap();
    world.arbitrate().await;
    an_hour(&world).await;
    let mut sent = sent(&world);
    sent.sort();
    assert_eq!(sent, [to(FRIEND, "50.00"), to(PAYER, "300.00"), to("0722345126", "150.00")]);
    assert_eq!(world.balance(&format!("employee:{employee}")).await, "0.00");
    nothing_is_left(&world, employer, &reference).await;
}

#[tokio::test]
async fn what_is_beyond_the_amount_goes_back_at_once_and_waits_for_float_if_it_must() {
    let world = World::new().await;
    let employer = world.person(Role::Employer, EMPLOYER).await;
    let reference = world.open(&world.app, employer, "500.00").await.unwrap();
    pay(&world, &reference, (1, PAYER, Shown::Clear), "520.50").await;
    pay(&world, &reference, (2, FRIEND, Shown::Clear), "70.00").await;
    assert_eq!(world.balance(&format!("employer:{employer}")).await, "90.50", "the float is short");
    assert!(world.rail.payouts().is_empty());
    world.capital().await;
    an_hour(&world).await;
    let mut sent = sent(&world);
    sent.sort();
    assert_eq!(sent, [to(FRIEND, "70.00"), to(PAYER, "20.00")]);
    // Rails pay whole shillings. The escrow goes on as if nothing had been.
    assert_eq!(world.balance(&format!("employer:{employer}")).await, "0.50");
    assert_eq!(world.state(&reference).await.status(), Status::Funded);
    world.sound().await;
}

#[tokio::test]
async fn whatever_the_rail_does_a_refund_is_sent_once() {
    for behaviour in misbehaviours() {
        let (world, employer, reference) = begin().await;
        pay(&world, &reference, (1, PAYER, Shown::Clear), "400.00").await;
        world.rail.behave(When::Next(1), behaviour.clone());
        cancel(&world, &reference).await;
        // Told twice, the rail's news and the chain's make no second one.
        pay(&world, &reference, (1, PAYER, Shown::Clear), "400.00").await;
        an_hour(&world).await;
        println!("{behaviour:?}");
        assert_eq!(sent(&world), [to(PAYER, "400.00")]);
        let refunds = refunds(&world, &reference).await;
        assert_eq!(refunds.len(), 1);
        assert_eq!(refunds[0].state.word(), "completed", "{:?}", refunds[0].state);
        nothing_is_left(&world, employer, &reference).await;
    }
}

#[tokio::test]
async fn a_refund_that_failed_for_sure_is_the_employers_again_and_is_tried_anew() {
    let (world, employer, reference) = begin().await;
    pay(&world, &reference, (1, PAYER, Shown::Clear), "400.00").await;
    world.rail.behave(When::Next(1), Behaviour::Fail("recipient_unregistered".into()));
    cancel(&world, &reference).await;
    an_hour(&world).await;
    let failed = refunds(&world, &reference).await.remove(0);
    assert_eq!(failed.state.word(), "failed");
    assert_eq!(world.balance(&format!("employer:{employer}")).await, "400.00");
    world.rail.behave_well();
    let mut tx = world.app.db.begin().await.unwrap();
    pay::retry(&mut tx, &world.app, Actor::Worker, &failed.terms.reference).await.unwrap();
    tx.commit().await.unwrap();
    an_hour(&world).await;
    world.sound().await;
}

#[tokio::test]
async fn what_was_not_released_in_time_goes_back_when_the_employer_asks() {
    let (world, employer, reference) = begin().await;
    pay(&world, &reference, (1, PAYER, Shown::Clear), "200.00").await;
    pay(&world, &reference, (2, FRIEND, Shown::Clear), "300.00").await;
    let ask = async || {
        let mut tx = world.app.db.begin().await.unwrap();
        let told = entrust::preview(&mut tx, &world.app, &reference, Event::Expire).await?;
        entrust::refund_expired(&mut tx, &world.app, &reference).await?;
        tx.commit().await?;
        Ok::<_, Error>(told)
    };
    let early = ask().await.unwrap_err();
    assert!(early.to_string().contains("can be refunded from"), "{early}");
    half_a_year(&world).await;
    for _ in 0..2 {
        let told = ask().await.unwrap();
        assert_eq!(told.calls, ["refund", "burn"]);
        let words: Vec<&str> = told.transfers.iter().map(|transfer| transfer.event().word()).collect();
        let each = ["refund_hold", "refund_paid"];
        assert_eq!(words, [&["refunded", "burn_final"][..], &each, &each].concat());
    }
    world.settle().await;
    an_hour(&world).await;
    assert_eq!(world.state(&reference).await.status(), Status::Refunded);
    assert_eq!(world.chain_events(&reference, "refunded").await, 1);
    let mut sent = sent(&world);
    sent.sort();
    assert_eq!(sent, [to(FRIEND, "300.00"), to(PAYER, "200.00")]);
    nothing_is_left(&world, employer, &reference).await;
}

#[tokio::test]
async fn a_preview_of_a_withdrawal_tells_what_would_go_back() {
    let (world, employer, reference) = begin().await;
    pay(&world, &reference, (1, PAYER, Shown::Clear), "400.00").await;
    let mut tx = world.app.db.begin().await.unwrap();
    let told = entrust::preview(&mut tx, &world.app, &reference, Event::Cancel).await.unwrap();
    drop(tx);
    let words: Vec<&str> = told.transfers.iter().map(|transfer| transfer.event().word()).collect();
    assert_eq!(words, ["cancelled", "refund_hold", "refund_paid"]);
    let held = told.transfers[1].holds().unwrap();
    assert_eq!((held.debit.path(), held.money.decimal()), (format!("employer:{employer}"), "400.00".into()));
    assert!(refunds(&world, &reference).await.is_empty());
}
