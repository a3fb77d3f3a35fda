//! Money out, over a rail that answers late, never, twice, backwards and wrongly: the employee is paid once.

use amana_adapters::port::PayoutState;
use amana_adapters::sim::{Behaviour, When};
use amana_gateway::events::Actor;
use amana_gateway::flows::pay;
use amana_gateway::people::Role;
use amana_ledger::id::{EscrowRef, PartyId};
use amana_tests::story::{misbehaviours, payment, together};
use amana_tests::world::World;
use chrono::TimeDelta;

const EMPLOYEE: &str = "0722345126";

/// A funded job with an employee on it; what happens at the rail is the story.
async fn working(amount: &str) -> (World, PartyId, EscrowRef) {
    let world = World::new().await;
    world.capital().await;
    let employer = world.person(Role::Employer, "0733345126").await;
    let employee = world.person(Role::Employee, EMPLOYEE).await;
    let reference = world.open(&world.app, employer, amount).await.unwrap();
    world.hear(&world.app, &payment(&world, "UKK81XQ4Z1", reference.as_str(), amount)).await.unwrap();
    world.settle().await;
    world.assign(&world.app, &reference, employee).await.unwrap();
    world.settle().await;
    (world, employee, reference)
}

async fn payout(world: &World, reference: &EscrowRef) -> pay::View {
    let mut tx = world.app.db.begin().await.unwrap();
    pay::of_escrow(&mut tx, reference).await.unwrap().remove(0)
}

/// An hour and more in which everything that is due is done.
async fn an_hour(world: &World) {
    for _ in 0..12 {
        world.rail.quiet().await;
        world.wait(TimeDelta::seconds(400)).await;
    }
}

async fn paid_once(world: &World, employee: PartyId, reference: &EscrowRef) {
    let view = payout(world, reference).await;
    assert_eq!(view.state.word(), "completed", "{:?}", view.state);
    let at_the_rail = world.rail.payouts();
    assert_eq!(at_the_rail.len(), 1);
    assert_eq!(at_the_rail[0].state, PayoutState::Completed);
    assert_eq!(world.chain_events(reference, "burned").await, 1);
    assert_eq!(world.balance(&format!("employee:{employee}")).await, "0.00");
    assert_eq!(world.texts_to(EMPLOYEE).len(), 1, "told once");
    world.sound().await;
}

#[tokio::test]
async fn whatever_the_rail_does_the_employee_is_paid_once() {
    for behaviour in misbehaviours() {
        let (world, employee, reference) = working("50000.00").await;
        world.rail.behave(When::Next(1), behaviour.clone());
        world.complete(&world.app, &reference).await.unwrap();
        world.settle().await;
        an_hour(&world).await;
        println!("{behaviour:?}");
        paid_once(&world, employee, &reference).await;
    }
}

#[tokio::test]
async fn a_definite_failure_gives_the_claim_back_and_a_retry_pays_it() {
    let (world, employee, reference) = working("50000.00").await;
    world.rail.behave(When::Next(1), Behaviour::Fail("recipient_unregistered".into()));
    world.complete(&world.app, &reference).await.unwrap();
    world.settle().await;
    an_hour(&world).await;
    let failed = payout(&world, &reference).await;
    assert_eq!(failed.state.word(), "failed", "{:?}", failed.state);
    assert_eq!(world.balance(&format!("employee:{employee}")).await, "50000.00", "the claim stands");
    assert_eq!(world.chain_events(&reference, "burned").await, 0, "the tokens stay in the vault");
    world.sound().await;
    let mut tx = world.app.db.begin().await.unwrap();
    let listed =
        amana_gateway::recon::failures(&mut tx, &world.app, chrono::DateTime::<chrono::Utc>::MAX_UTC, 50)
            .await
            .unwrap();
    assert!(
        listed.iter().any(|failure| failure.kind == "payout" && failure.subject == failed.terms.reference)
    );
    drop(tx);
    let refused = retry(&world, "PAYOUT_NOSUCH0000").await;
    assert!(refused.is_err());
    world.rail.behave_well();
    retry(&world, &failed.terms.reference).await.unwrap();
    world.settle().await;
    an_hour(&world).await;
    let again = payout(&world, &reference).await;
    assert_eq!(again.terms.reference, failed.terms.reference, "the reference is ours for ever");
    world.sound().await;
}

async fn retry(world: &World, reference: &str) -> Result<(), amana_gateway::error::Error> {
    let mut tx = world.app.db.begin().await?;
    pay::retry(&mut tx, &world.app, Actor::Worker, reference).await?;
    Ok(tx.commit().await?)
}

#[tokio::test]
async fn a_short_float_waits_until_there_is_money() {
    let world = World::new().await;
    let employer = world.person(Role::Employer, "0733345126").await;
    let employee = world.person(Role::Employee, EMPLOYEE).await;
    let reference = world.open(&world.app, employer, "50000.00").await.unwrap();
    world.hear(&world.app, &payment(&world, "UKK81XQ4Z1", reference.as_str(), "50000.00")).await.unwrap();
    world.settle().await;
    world.assign(&world.app, &reference, employee).await.unwrap();
    world.settle().await;
    world.complete(&world.app, &reference).await.unwrap();
    world.settle().await;
    assert_eq!(payout(&world, &reference).await.state.word(), "pending");
    assert!(world.rail.payouts().is_empty(), "nothing is sent that the float cannot carry");
    world.sound().await;
    world.capital().await;
    an_hour(&world).await;
    paid_once(&world, employee, &reference).await;
}

#[tokio::test]
async fn whole_shillings_are_paid_and_the_fraction_stays_the_claim() {
    let (world, employee, reference) = working("1234.56").await;
    world.complete(&world.app, &reference).await.unwrap();
    world.settle().await;
    an_hour(&world).await;
    assert_eq!(world.rail.payouts()[0].money.decimal(), "1234.00");
    assert_eq!(world.balance(&format!("employee:{employee}")).await, "0.56");
    assert_eq!(world.balance("onchain:supply").await, "0.56", "the fraction's tokens stay in the vault");
    world.sound().await;
}

#[tokio::test]
async fn fifty_completions_at_once_release_once() {
    let (world, employee, reference) = working("50000.00").await;
    let completions = (0..50).map(|_| world.complete(&world.app, &reference));
    let outcomes = together(completions.collect()).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "one of them did it");
    world.settle().await;
    an_hour(&world).await;
    assert_eq!(world.chain_events(&reference, "released").await, 1);
    paid_once(&world, employee, &reference).await;
}
