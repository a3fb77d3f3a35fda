//! Somebody objects, or withdraws: the money is frozen, parted, given back, and the books follow the chain.

use amana_gateway::flows::entrust;
use amana_gateway::flows::escrow::{Side, Status};
use amana_gateway::people::Role;
use amana_ledger::id::{EscrowRef, PartyId};
use amana_tests::story::payment;
use amana_tests::world::World;

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
        assert_eq!(world.state(&reference).await.status(), Status::Resolved);
        assert_eq!(world.balance(&format!("escrow:{reference}")).await, "0.00");
        assert_eq!(world.balance(&format!("employer:{employer}")).await, "500.00");
        assert_eq!(world.balance("onchain:supply").await, "0.00", "the vault is burned");
        assert!(world.rail.payouts().is_empty());
        world.sound().await;
    }
}

#[tokio::test]
async fn a_partly_funded_escrow_is_withdrawn_and_what_had_come_is_the_employers() {
    let world = World::new().await;
    let (employer, reference) = paid(&world, "200.00").await;
    let mut tx = world.app.db.begin().await.unwrap();
    let preview =
        entrust::preview(&mut tx, &world.app, &reference, amana_gateway::flows::escrow::Event::Cancel);
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
