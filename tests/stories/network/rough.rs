//! One job on a network with a queue, and on its bad days: whatever is lost, late, stale or refused there,
//! the money moves once.

use amana_gateway::people::Role;
use amana_gateway::worker;
use amana_localnet::{Faults, Rates};
use amana_tests::story::payment;
use amana_tests::world::World;
use chrono::TimeDelta;

/// Plays a job to its last burn while the network follows a script; returns how often that struck.
async fn job_under(seed: u64, script: Faults) -> usize {
    let world = World::seeded(seed).await;
    world.capital().await;
    let employer = world.person(Role::Employer, "0712345126").await;
    let employee = world.person(Role::Employee, "0722345126").await;
    world.chain.set_faults(script).await.unwrap();
    let job = world.open(&world.app, employer, "50000.00").await.unwrap();
    world.hear(&world.app, &payment(&world, "UKK000001A", job.as_str(), "50000.00")).await.unwrap();
    let (mut assigned, mut completed) = (false, false);
    for round in 0.. {
        assert!(round < 500, "seed {seed}: assigned {assigned}, completed {completed}");
        // A fault of the network is no fault of the worker's: it comes back to what is due.
        let _ = worker::run_until_idle(&world.app).await;
        world.clock.advance(TimeDelta::seconds(5));
        assigned = assigned || world.assign(&world.app, &job, employee).await.is_ok();
        completed = completed || (assigned && world.complete(&world.app, &job).await.is_ok());
        if completed && world.chain_events(&job, "burned").await == 1 {
            break;
        }
    }
    let strikes = world.chain.strikes().await.len();
    // What is late comes now, if it still may.
    world.chain.set_faults(Faults::default()).await.unwrap();
    world.wait(TimeDelta::seconds(600)).await;
    for kind in ["created", "funded", "assigned", "released", "burned"] {
        assert_eq!(world.chain_events(&job, kind).await, 1, "{kind}, seed {seed}");
    }
    world.sound().await;
    strikes
}

#[tokio::test]
async fn a_job_waits_for_the_ledgers_of_a_network_with_a_queue() {
    assert_eq!(job_under(1, Faults::queue()).await, 0);
}

#[tokio::test]
async fn a_job_comes_through_bad_days() {
    let mut strikes = 0;
    for seed in 2..6 {
        strikes += job_under(seed, Faults::random(seed, &Rates::rough())).await;
    }
    assert!(strikes > 40, "{strikes} strikes are no bad days");
}
