//! As `crash`, for escrows that end otherwise: a deposit too large, a dispute that is parted, and one that is
//! withdrawn. Whatever the instant at which house and arbiter die, each payer gets back what is theirs, once.

use std::sync::Arc;

use amana_gateway::app::App;
use amana_gateway::db::Fuse;
use amana_gateway::error::{Error, Fault};
use amana_gateway::flows::escrow::{Decision, Side, Split, Status};
use amana_gateway::flows::payout::Purpose;
use amana_gateway::flows::{entrust, pay};
use amana_gateway::people::Role;
use amana_gateway::worker;
use amana_gateway::worker::arbiter::Arbiter;
use amana_ledger::id::{EscrowRef, PartyId};
use amana_tests::story::payment;
use amana_tests::world::World;
use chrono::TimeDelta;
use uuid::Uuid;

/// How it ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Parted by the arbiter: 300 to the employee, 200 to the employer.
    Split,
    /// Withdrawn before all of it came.
    Withdrawn,
}

struct Job {
    reference: EscrowRef,
    employer: PartyId,
    employee: PartyId,
    name: String,
    end: End,
}

/// A caller who was not answered calls again, and may be told that it is done.
async fn ask<T>(
    app: &App,
    act: impl AsyncFnOnce(&mut amana_gateway::db::Tx) -> Result<T, Error>,
) -> Result<(), Error> {
    let mut tx = app.db.begin().await?;
    match act(&mut tx).await {
        Ok(_) => tx.commit().await?,
        Err(Error::Refused(_)) => {}
        Err(fault) => return Err(fault),
    }
    Ok(())
}

/// The whole life of an escrow, for one house and one arbiter.
async fn play(world: &World, app: &App, arbiter: &Arbiter, job: &Job) -> Result<(), Error> {
    let (reference, split) = (&job.reference, job.end == End::Split);
    for (no, amount) in [("A", "100.00"), ("B", "420.00")].into_iter().take(if split { 2 } else { 1 }) {
        world.hear(app, &payment(world, &format!("{}{no}", job.name), reference.as_str(), amount)).await?;
    }
    worker::run_until_idle(app).await?;
    if split {
        ask(app, async |tx| entrust::assign(tx, app, reference, job.employee).await).await?;
        worker::run_until_idle(app).await?;
        ask(app, async |tx| entrust::dispute(tx, app, reference, Side::Employee).await).await?;
        worker::run_until_idle(app).await?;
        let split = Split { to_payee: 30_000, to_payer: 20_000 };
        let decision = Decision { by: PartyId(Uuid::from_u128(7)), split, reason: "so it was".into() };
        ask(app, async |tx| entrust::decide(tx, app, reference, &decision).await).await?;
        while arbiter.step().await? {}
    } else {
        ask(app, async |tx| entrust::cancel_unfunded(tx, app, reference).await).await?;
    }
    worker::run_until_idle(app).await
}

async fn is_over(world: &World, job: &Job) -> bool {
    let (employer, employee) = (format!("employer:{}", job.employer), format!("employee:{}", job.employee));
    for account in [employer, employee, format!("escrow:{}", job.reference), "clearing:burn".into()] {
        if world.balance(&account).await != "0.00" {
            return false;
        }
    }
    matches!(world.state(&job.reference).await.status(), Status::Resolved | Status::Cancelled)
}

async fn each_has_what_is_theirs(world: &World, job: &Job) {
    let (name, reference) = (&job.name, &job.reference);
    let (chain, sums): (&[(&str, i64)], _) = match job.end {
        // The wage; the employer's part, and what came beyond the amount.
        End::Split => (&[("funded", 2), ("disputed", 1), ("resolved", 1), ("burned", 2)], (30_000, 22_000)),
        End::Withdrawn => (&[("funded", 1), ("cancelled", 1), ("burned", 0)], (0, 10_000)),
    };
    for (kind, times) in chain {
        assert_eq!(world.chain_events(reference, kind).await, *times, "{kind} of {name}");
    }
    let mut tx = world.app.db.begin().await.unwrap();
    let payouts = pay::of_escrow(&mut tx, reference).await.unwrap();
    drop(tx);
    let mut paid = (0, 0);
    for payout in &payouts {
        assert_eq!(payout.state.word(), "completed", "{name}: {:?}", payout.state);
        let at_the_rail = world.rail.payouts();
        let same = at_the_rail.iter().filter(|paid| paid.reference == payout.terms.reference);
        assert_eq!(same.count(), 1, "the rail paid once");
        let sum = if payout.terms.purpose == Purpose::Wage { &mut paid.0 } else { &mut paid.1 };
        *sum += payout.terms.amount.minor();
    }
    assert_eq!(paid, sums, "{name}");
    // Whichever deposit was judged first: none gave back more than it had brought.
    let too_much = "select count(*) from (select from flow.payout p join flow.collection c on c.id = p.source
                    group by c.id having sum(p.amount) > c.amount) t";
    let too_much: i64 = sqlx::query_scalar(too_much).fetch_one(&world.database.owner).await.unwrap();
    assert_eq!(too_much, 0, "{name}");
    assert!(is_over(world, job).await, "{name}");
}

async fn killed_anywhere(end: End, after: bool, least: i64) {
    let world = World::new().await;
    world.capital().await;
    let employee = world.person(Role::Employee, "0722345126").await;
    for n in 0.. {
        let employer = world.person(Role::Employer, &format!("071{n:07}")).await;
        let reference = world.open(&world.app, employer, "500.00").await.unwrap();
        let job = Job { reference, employer, employee, name: format!("UKS{n:06}"), end };
        let fuse = Fuse::new(n, after);
        let (dying, deciding) =
            (world.restarted(Some(fuse.clone())), world.arbiter(Some(fuse.clone())).await);
        match play(&world, &dying, &deciding, &job).await {
            Err(Error::Fault(Fault::Killed)) => assert!(fuse.blown()),
            Ok(()) => {}
            Err(other) => panic!("commit {n}: {other}"),
        }
        // New processes: leases run out, the callers call again, what was begun is found and ended.
        let (again, arbiter): (Arc<App>, _) = (world.restarted(None), world.arbiter(None).await);
        for _ in 0..12 {
            let played = play(&world, &again, &arbiter, &job).await;
            played.unwrap_or_else(|why| panic!("after commit {n}: {why}"));
            world.rail.quiet().await;
            if is_over(&world, &job).await {
                break;
            }
            world.clock.advance(TimeDelta::seconds(130));
        }
        play(&world, &again, &arbiter, &job).await.unwrap();
        each_has_what_is_theirs(&world, &job).await;
        world.sound().await;
        if !fuse.blown() {
            println!("{n} commits, killed {} each", if after { "after" } else { "before" });
            assert!(n > least, "the whole path has more commits than {n}");
            return;
        }
    }
}

// A test each, so that they run beside each other.

#[tokio::test]
async fn a_parted_escrow_killed_before_any_commit_pays_everybody_once() {
    killed_anywhere(End::Split, false, 50).await;
}

#[tokio::test]
async fn a_parted_escrow_killed_after_any_commit_pays_everybody_once() {
    killed_anywhere(End::Split, true, 50).await;
}

#[tokio::test]
async fn a_withdrawn_escrow_killed_before_any_commit_goes_back_once() {
    killed_anywhere(End::Withdrawn, false, 15).await;
}

#[tokio::test]
async fn a_withdrawn_escrow_killed_after_any_commit_goes_back_once() {
    killed_anywhere(End::Withdrawn, true, 15).await;
}
