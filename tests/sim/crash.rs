//! Fail at each step, repeat each step: whatever the instant at which the process dies, the end is the same.

use std::sync::Arc;

use amana_gateway::app::App;
use amana_gateway::db::Fuse;
use amana_gateway::error::{Error, Fault};
use amana_gateway::flows::escrow::Status;
use amana_gateway::people::Role;
use amana_gateway::worker;
use amana_ledger::id::{EscrowRef, PartyId};
use amana_tests::story::payment;
use amana_tests::world::World;
use chrono::TimeDelta;

/// One job from the first deposit to the last burn, for one process: dies where the fuse says.
async fn play(world: &World, app: &App, job: &Job) -> Result<(), Error> {
    let paid = payment(world, &job.receipt, job.reference.as_str(), "50000.00");
    world.hear(app, &paid).await?;
    worker::run_until_idle(app).await?;
    forgiving(world.assign(app, &job.reference, job.employee).await)?;
    worker::run_until_idle(app).await?;
    forgiving(world.complete(app, &job.reference).await)?;
    worker::run_until_idle(app).await
}

/// A caller who was not answered calls again, and may be told that it is done.
fn forgiving(outcome: Result<(), Error>) -> Result<(), Error> {
    match outcome {
        Err(Error::Refused(_)) | Ok(()) => Ok(()),
        Err(fault) => Err(fault),
    }
}

struct Job {
    reference: EscrowRef,
    employee: PartyId,
    receipt: String,
}

async fn job(world: &World, people: (PartyId, PartyId), n: i64, after: bool) -> Job {
    let reference = world.open(&world.app, people.0, "50000.00").await.unwrap();
    Job { reference, employee: people.1, receipt: format!("UKK{n:06}{}", if after { 'A' } else { 'B' }) }
}

async fn the_end_is_the_same(world: &World, job: &Job) {
    let state = world.state(&job.reference).await;
    assert_eq!(state.status(), Status::Released, "{}", job.receipt);
    for kind in ["created", "funded", "assigned", "released", "burned"] {
        assert_eq!(world.chain_events(&job.reference, kind).await, 1, "{kind} of {}", job.receipt);
    }
    let mut tx = world.app.db.begin().await.unwrap();
    let payouts = amana_gateway::flows::pay::of_escrow(&mut tx, &job.reference).await.unwrap();
    assert_eq!(payouts.len(), 1);
    assert_eq!(payouts[0].state.word(), "completed", "{}: {:?}", job.receipt, payouts[0].state);
    let reference = &payouts[0].terms.reference;
    let paid: Vec<_> = world.rail.payouts().into_iter().filter(|paid| &paid.reference == reference).collect();
    assert_eq!(paid.len(), 1, "the rail paid once");
    let deposits = sqlx::query_scalar::<_, i64>("select count(*) from flow.collection where receipt = $1");
    let deposits = deposits.bind(&job.receipt).fetch_one(&world.database.owner).await.unwrap();
    assert_eq!(deposits, 1, "one deposit");
}

#[tokio::test]
async fn killed_between_any_two_commits() {
    let world = World::new().await;
    world.capital().await;
    let employer = world.person(Role::Employer, "0712345126").await;
    let employee = world.person(Role::Employee, "0722345126").await;
    for after in [false, true] {
        let mut survived = false;
        for n in 0.. {
            let job = job(&world, (employer, employee), n, after).await;
            let fuse = Fuse::new(n, after);
            let dying = world.restarted(Some(fuse.clone()));
            match play(&world, &dying, &job).await {
                Err(Error::Fault(Fault::Killed)) => assert!(fuse.blown()),
                Ok(()) => survived = !fuse.blown(),
                Err(other) => panic!("commit {n}: {other}"),
            }
            // A new process: leases run out, the callers call again, what was begun is found and ended.
            let again: Arc<App> = world.restarted(None);
            // The longest way: the lease of a send runs out, three questions are denied, the send goes again.
            for _ in 0..8 {
                play(&world, &again, &job)
                    .await
                    .unwrap_or_else(|trouble| panic!("after commit {n}: {trouble}"));
                if world.chain_events(&job.reference, "burned").await > 0 {
                    break;
                }
                world.clock.advance(TimeDelta::seconds(130));
            }
            play(&world, &again, &job).await.unwrap();
            the_end_is_the_same(&world, &job).await;
            world.sound().await;
            if survived {
                println!("{n} commits, killed {} each", if after { "after" } else { "before" });
                assert!(n > 20, "the whole path has more commits than {n}");
                break;
            }
        }
    }
}
