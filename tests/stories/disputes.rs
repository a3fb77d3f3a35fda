//! Somebody objects, or withdraws: the money is frozen, parted, given back, and the books follow the chain.

use amana_adapters::stellar::ChainOp;
use amana_gateway::error::Error;
use amana_gateway::flows::escrow::{Decision, Event, Side, Split, Status};
use amana_gateway::flows::{entrust, index};
use amana_gateway::people::Role;
use amana_ledger::id::{EscrowRef, PartyId};
use amana_tests::story::payment;
use amana_tests::world::World;
use chrono::TimeDelta;
use uuid::Uuid;

use crate::strangers::on_chain;

/// An escrow of 500 shillings into which `paid` came, with an employee on it if it is all.
async fn paid(world: &World, paid: &str) -> (PartyId, EscrowRef) {
    let employer = world.person(Role::Employer, "0733345126").await;
    let reference = world.open(&world.app, employer, "500.00").await.unwrap();
    world.hear(&world.app, &payment(world, "UKK81XQ4Z1", reference.as_str(), paid)).await.unwrap();
    world.settle().await;
    if paid == "500.00" {
        let employee = world.person(Role::Employee, "0722345126").await;
        world.assign(&world.app, &reference, employee).await.unwrap();
        world.settle().await;
    }
    (employer, reference)
}

async fn dispute(world: &World, reference: &EscrowRef, side: Side) -> Status {
    let mut tx = world.app.db.begin().await.unwrap();
    let status = entrust::dispute(&mut tx, &world.app, reference, side).await.unwrap();
    tx.commit().await.unwrap();
    world.settle().await;
    status
}

#[tokio::test]
async fn what_nobody_decides_goes_back_by_default_when_its_time_is_over() {
    for side in [Side::Employer, Side::Employee] {
        let world = World::new().await;
        world.capital().await;
        let (employer, reference) = paid(&world, "500.00").await;
        assert_eq!(dispute(&world, &reference, side).await, Status::Disputed);
        assert_eq!(world.chain_events(&reference, "disputed").await, 1);
        assert!(world.complete(&world.app, &reference).await.is_err(), "frozen");
        // Before the deadline nothing moves.
        world.days(12).await;
        assert_eq!(world.state(&reference).await.status(), Status::Disputed);
        assert_eq!(world.balance(&format!("escrow:{reference}")).await, "500.00");
        world.days(3).await;
        world.rail.quiet().await;
        world.wait(TimeDelta::seconds(400)).await;
        assert_eq!(world.state(&reference).await.status(), Status::Resolved);
        assert_eq!(world.balance(&format!("escrow:{reference}")).await, "0.00");
        assert_eq!(world.balance("onchain:supply").await, "0.00", "the vault is burned");
        let paid: Vec<String> = world.rail.payouts().iter().map(|paid| paid.money.decimal()).collect();
        assert_eq!(paid, ["500.00"], "back to who had paid it");
        assert_eq!(world.balance(&format!("employer:{employer}")).await, "0.00");
        world.sound().await;
    }
}

#[tokio::test]
async fn a_partly_funded_escrow_is_withdrawn_and_what_had_come_is_the_employers() {
    let world = World::new().await;
    let (employer, reference) = paid(&world, "200.00").await;
    let mut tx = world.app.db.begin().await.unwrap();
    let preview = entrust::preview(&mut tx, &world.app, &reference, Event::Cancel);
    let told = preview.await.unwrap();
    assert_eq!((told.status, told.calls.as_slice()), (Status::Cancelled, &["cancel"][..]));
    let amounts: Vec<String> =
        told.transfers.iter().flat_map(|t| t.postings()).map(|p| p.money.decimal()).collect();
    assert_eq!(amounts, ["200.00", "200.00"]);
    drop(tx);
    assert_eq!(world.state(&reference).await.status(), Status::PartiallyFunded, "nothing was done");

    let mut tx = world.app.db.begin().await.unwrap();
    entrust::cancel_unfunded(&mut tx, &world.app, &reference).await.unwrap();
    tx.commit().await.unwrap();
    world.settle().await;
    assert_eq!(world.state(&reference).await.status(), Status::Cancelled);
    assert_eq!(world.balance(&format!("employer:{employer}")).await, "200.00");
    assert_eq!(world.balance(&format!("escrow:{reference}")).await, "0.00");
    assert_eq!(world.balance("onchain:supply").await, "0.00");
    world.sound().await;
}

#[tokio::test]
async fn nothing_can_be_frozen_that_is_not_there() {
    let world = World::new().await;
    let (_, reference) = paid(&world, "200.00").await;
    let mut tx = world.app.db.begin().await.unwrap();
    let refused = entrust::dispute(&mut tx, &world.app, &reference, Side::Employer).await.unwrap_err();
    assert!(refused.to_string().contains("is partially_funded"), "{refused}");
}

const EMPLOYEE: &str = "0722345126";

async fn decide(world: &World, reference: &EscrowRef, parts: (i64, i64)) -> Result<Status, Error> {
    let by = PartyId(Uuid::from_u128(7));
    let split = Split { to_payee: parts.0, to_payer: parts.1 };
    let decision = Decision { by, split, reason: "half of it was delivered".into() };
    let mut tx = world.app.db.begin().await?;
    let status = entrust::decide(&mut tx, &world.app, reference, &decision).await?;
    tx.commit().await?;
    world.settle().await;
    Ok(status)
}

/// Goes on past an escrow's expiry. In steps: the network forgets its events after a week, and shows ten
/// thousand ledgers a page.
pub(crate) async fn half_a_year(world: &World) {
    for _ in 0..31 {
        world.clock.advance(TimeDelta::days(6));
        for _ in 0..11 {
            index::read_page(&world.app).await.unwrap();
        }
    }
}

/// How often this was said about an escrow.
async fn said(world: &World, reference: &EscrowRef, name: &str) -> i64 {
    let count = sqlx::query_scalar("select count(*) from event.event where subject = $1 and name = $2");
    let count = count.bind(format!("escrow/{reference}")).bind(name);
    count.fetch_one(&world.database.owner).await.unwrap()
}

#[tokio::test]
async fn a_decision_waits_for_the_arbiter_and_parts_what_is_left() {
    let world = World::new().await;
    world.capital().await;
    let (employer, reference) = paid(&world, "500.00").await;
    dispute(&world, &reference, Side::Employee).await;
    let refused = decide(&world, &reference, (30_000, 20_001)).await.unwrap_err();
    assert_eq!(refused.to_string(), "to_payer: must be 20000: 50000 is left");
    assert_eq!(decide(&world, &reference, (30_000, 20_000)).await.unwrap(), Status::Disputed);
    let again = decide(&world, &reference, (50_000, 0)).await.unwrap_err();
    assert!(again.to_string().contains("is decided already"), "{again}");

    // The house has no key for it, however long it works.
    world.days(2).await;
    assert_eq!(world.state(&reference).await.status(), Status::Disputed);
    assert_eq!(world.chain_events(&reference, "resolved").await, 0);
    assert_eq!(world.balance(&format!("escrow:{reference}")).await, "500.00");

    world.arbitrate().await;
    world.rail.quiet().await;
    world.wait(TimeDelta::seconds(400)).await;
    assert_eq!(world.state(&reference).await.status(), Status::Resolved);
    assert_eq!(world.chain_events(&reference, "resolved").await, 1);
    assert_eq!(world.balance(&format!("escrow:{reference}")).await, "0.00");
    assert_eq!(world.texts_to(EMPLOYEE).len(), 1, "the employee is paid");
    assert_eq!(world.balance("onchain:supply").await, "0.00");
    assert_eq!(world.balance(&format!("employer:{employer}")).await, "0.00");
    assert_eq!(world.rail.payouts().len(), 2, "the employer's part went back");
    // The clock that would have parted it by default finds nothing to do.
    world.days(15).await;
    assert_eq!(world.chain_events(&reference, "resolved").await, 1);
    world.sound().await;
}

#[tokio::test]
async fn a_decision_that_no_arbiter_carried_gives_way_to_the_default() {
    let world = World::new().await;
    world.capital().await;
    let (_, reference) = paid(&world, "500.00").await;
    dispute(&world, &reference, Side::Employer).await;
    decide(&world, &reference, (50_000, 0)).await.unwrap();
    world.days(16).await;
    assert_eq!(world.state(&reference).await.status(), Status::Resolved);
    world.arbitrate().await;
    assert_eq!(world.chain_events(&reference, "resolved").await, 1);
    assert_eq!(world.balance("onchain:supply").await, "0.00", "what is burned waits for no arbiter");
    world.sound().await;
}

#[tokio::test]
async fn a_dispute_that_the_chain_refuses_leaves_the_escrow_as_the_chain_has_it() {
    let world = World::new().await;
    world.capital().await;
    let (_, reference) = paid(&world, "500.00").await;
    half_a_year(&world).await;
    // Too late: it stays as it was, and can be asked about again.
    for times in 1..=2 {
        assert_eq!(dispute(&world, &reference, Side::Employee).await, Status::Disputed);
        assert_eq!(world.state(&reference).await.status(), Status::InProgress);
        assert_eq!(said(&world, &reference, "escrow.dispute_refused").await, times);
        assert_eq!(said(&world, &reference, "chain.refused").await, times);
    }
    // Over already: what the chain did is what the flow becomes.
    on_chain(&world, ChainOp::Refund { key: reference.key() }).await;
    assert_eq!(dispute(&world, &reference, Side::Employer).await, Status::Disputed);
    assert_eq!(world.state(&reference).await.status(), Status::Refunded);
    assert_eq!(said(&world, &reference, "escrow.dispute_refused").await, 2);
    world.sound().await;
}

#[tokio::test]
async fn a_decision_that_the_chain_refuses_can_be_made_anew() {
    let world = World::new().await;
    world.capital().await;
    let (_, reference) = paid(&world, "500.00").await;
    dispute(&world, &reference, Side::Employee).await;
    decide(&world, &reference, (50_000, 0)).await.unwrap();
    // Something between us and the chain altered the wish.
    let spoilt =
        "update chain.intent set op = jsonb_set(op, '{to_payee}', '50001') where op ->> 'op' = 'resolve'";
    sqlx::query(spoilt).execute(&world.database.owner).await.unwrap();
    world.arbitrate().await;
    assert_eq!(said(&world, &reference, "escrow.decision_refused").await, 1);
    assert_eq!(world.state(&reference).await.status(), Status::Disputed);
    decide(&world, &reference, (50_000, 0)).await.unwrap();
    world.arbitrate().await;
    assert_eq!(world.state(&reference).await.status(), Status::Resolved);
    assert_eq!(world.balance(&format!("escrow:{reference}")).await, "0.00");
    world.sound().await;
}
