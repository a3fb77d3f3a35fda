//! Any seed: several jobs at once over rails that misbehave by chance, with processes killed by chance, in an
//! order set by chance. Whatever happens, in the end every shilling is where it belongs.
//!
//! `seeds.txt` keeps every seed that once failed; each run plays those and a few it picks from the day's
//! code.

use amana_adapters::sim::When;
use amana_gateway::app::App;
use amana_gateway::db::Fuse;
use amana_gateway::error::{Error, Fault};
use amana_gateway::flows::escrow::{Side, Status};
use amana_gateway::flows::payout::Purpose;
use amana_gateway::flows::{entrust, pay};
use amana_gateway::people::Role;
use amana_gateway::recon;
use amana_gateway::worker;
use amana_ledger::id::{EscrowRef, PartyId};
use amana_tests::story::{misbehaviours, payment};
use amana_tests::world::World;
use chrono::TimeDelta;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

const SEEDS: &str = include_str!("seeds.txt");
const JOBS: usize = 4;
/// What a person or a rail may do next, of one job.
const TURNS: usize = 60;

struct Job {
    reference: EscrowRef,
    employer: PartyId,
    employee: PartyId,
    receipts: Vec<(String, &'static str)>,
}

async fn jobs(world: &World) -> Vec<Job> {
    let mut jobs = Vec::new();
    for n in 0..JOBS {
        let employer = world.person(Role::Employer, &format!("07333451{n:02}")).await;
        let employee = world.person(Role::Employee, &format!("07223451{n:02}")).await;
        let reference = world.open(&world.app, employer, "3000.00").await.unwrap();
        let receipts = vec![(format!("UKK{n}XQ4ZA1"), "1000.00"), (format!("UKK{n}XQ4ZA2"), "2000.00")];
        jobs.push(Job { reference, employer, employee, receipts });
    }
    jobs
}

/// One thing happens to a job. Refusals are answers; a killed process is a new process.
async fn turn(world: &World, app: &App, job: &Job, dice: &mut StdRng) -> Result<(), Error> {
    let done = match dice.random_range(0..28) {
        0..8 => {
            let (receipt, amount) = job.receipts.choose(dice).unwrap();
            world.hear(app, &payment(world, receipt, job.reference.as_str(), amount)).await
        }
        8..12 => world.assign(app, &job.reference, job.employee).await,
        12..16 => world.complete(app, &job.reference).await,
        // Some object, and some think better of it.
        16 => object(app, job, dice).await,
        17 => withdraw(app, job).await,
        18..21 => worker::judge::next(app).await.map(drop),
        // Whatever is on its way, ledger and chain never differ.
        21..24 => {
            recon::pass(app).await.map(|pass| assert_eq!(pass.map(|pass| pass.open).unwrap_or_default(), []))
        }
        _ => worker::run_until_idle(app).await,
    };
    match done {
        Err(Error::Refused(_)) | Ok(()) => Ok(()),
        Err(fault) => Err(fault),
    }
}

async fn object(app: &App, job: &Job, dice: &mut StdRng) -> Result<(), Error> {
    let side = if dice.random() { Side::Employer } else { Side::Employee };
    let mut tx = app.db.begin().await?;
    entrust::dispute(&mut tx, app, &job.reference, side).await?;
    Ok(tx.commit().await?)
}

async fn withdraw(app: &App, job: &Job) -> Result<(), Error> {
    let mut tx = app.db.begin().await?;
    entrust::cancel_unfunded(&mut tx, app, &job.reference).await?;
    Ok(tx.commit().await?)
}

async fn play(seed: u64) {
    let mut dice = StdRng::seed_from_u64(seed);
    let world = World::seeded(seed).await;
    world.capital().await;
    let jobs = jobs(&world).await;
    let mut app = world.restarted(None);
    for _ in 0..TURNS {
        world.rail.behave(When::Next(1), misbehaviours().choose(&mut dice).unwrap().clone());
        if dice.random_ratio(1, 4) {
            app = world.restarted(Some(Fuse::new(dice.random_range(0..6), dice.random_bool(0.5))));
        }
        match turn(&world, &app, jobs.choose(&mut dice).unwrap(), &mut dice).await {
            Ok(()) => {}
            Err(Error::Fault(Fault::Killed)) => app = world.restarted(None),
            Err(other) => panic!("seed {seed}: {other}"),
        }
        world.clock.advance(TimeDelta::seconds(dice.random_range(0..200)));
    }
    world.rail.behave_well();
    for job in &jobs {
        finish(&world, job, seed).await;
    }
    let pass = recon::pass(&world.app).await.unwrap().expect("the index comes along");
    assert_eq!((pass.escrows, pass.open), (JOBS, vec![]), "seed {seed}");
    world.sound().await;
}

/// Everybody does their part until the job is over, one way or another.
async fn finish(world: &World, job: &Job, seed: u64) {
    let what = format!("seed {seed}, {}", job.reference);
    for _ in 0..30 {
        for (receipt, amount) in &job.receipts {
            world.hear(&world.app, &payment(world, receipt, job.reference.as_str(), amount)).await.unwrap();
        }
        world.wait(TimeDelta::seconds(300)).await;
        let _ = world.assign(&world.app, &job.reference, job.employee).await;
        let _ = world.complete(&world.app, &job.reference).await;
        world.wait(TimeDelta::seconds(300)).await;
        world.rail.quiet().await;
        match world.state(&job.reference).await.status() {
            Status::Cancelled if world.chain_events(&job.reference, "cancelled").await > 0 => break,
            // Nobody decides.
            Status::Disputed => world.days(15).await,
            Status::Released | Status::Resolved if world.chain_events(&job.reference, "burned").await > 0 => {
                break;
            }
            _ => {}
        }
    }
    // What is the employer's goes out last.
    for _ in 0..12 {
        world.rail.quiet().await;
        world.wait(TimeDelta::seconds(400)).await;
    }
    let paid = ended(world, job, &what).await;
    let mut tx = world.app.db.begin().await.unwrap();
    let payouts = pay::of_escrow(&mut tx, &job.reference).await.unwrap();
    drop(tx);
    let wages = payouts.iter().filter(|payout| payout.terms.purpose == Purpose::Wage).count();
    assert_eq!(wages, usize::from(paid), "{what}");
    let words: Vec<_> = payouts.iter().map(|payout| payout.state.word()).collect();
    assert!(words.iter().all(|word| *word == "completed"), "{what}: {words:?}");
    assert_eq!(world.balance(&format!("employer:{}", job.employer)).await, "0.00", "{what}");
    assert_eq!(world.balance(&format!("escrow:{}", job.reference)).await, "0.00", "{what}");
    assert_eq!(world.balance(&format!("employee:{}", job.employee)).await, "0.00", "{what}");
}

/// Looks whether each thing was done once on the chain. `true` if the employee was paid.
async fn ended(world: &World, job: &Job, what: &str) -> bool {
    let status = world.state(&job.reference).await.status();
    let times: &[(&str, i64)] = match status {
        Status::Released => &[("funded", 2), ("assigned", 1), ("released", 1), ("burned", 1)],
        Status::Resolved => {
            &[("funded", 2), ("disputed", 1), ("resolved", 1), ("burned", 1), ("released", 0)]
        }
        Status::Cancelled => &[("cancelled", 1), ("released", 0), ("burned", 0)],
        other => panic!("{what} is {}", other.word()),
    };
    for (kind, times) in [("created", 1)].iter().chain(times) {
        assert_eq!(world.chain_events(&job.reference, kind).await, *times, "{kind}: {what}");
    }
    status == Status::Released
}

#[tokio::test]
async fn any_seed_ends_with_sound_books() {
    let kept =
        SEEDS.lines().map(|line| line.split('#').next().unwrap().trim()).filter(|line| !line.is_empty());
    let kept: Vec<u64> = kept.map(|line| line.parse().unwrap()).collect();
    for seed in kept.into_iter().chain(1000..1006) {
        play(seed).await;
    }
}
