//! Wishes on their way to the chain: channels leased once, faults that hold nobody up, a network that says no
//! for good.

use amana_gateway::error::{Error, Fault};
use amana_gateway::flows::chain;
use amana_gateway::people::Role;
use amana_gateway::recon;
use amana_gateway::worker;
use amana_ledger::id::EscrowRef;
use amana_localnet::{Fault as Trouble, Faults, Rule};
use amana_tests::story::together;
use amana_tests::world::World;
use chrono::{DateTime, TimeDelta, Utc};

/// Escrows that are wished for and not created.
async fn wishes(world: &World, count: usize) -> Vec<EscrowRef> {
    let employer = world.person(Role::Employer, "0733345126").await;
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(world.open(&world.app, employer, "100.00").await.unwrap());
    }
    all
}

async fn run(world: &World, sql: &'static str) {
    sqlx::query(sql).execute(&world.database.owner).await.unwrap();
}

async fn count(world: &World, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&world.database.owner).await.unwrap()
}

#[tokio::test]
async fn workers_side_by_side_never_want_the_same_channel() {
    let world = World::new().await;
    let channels = world.app.channels.len();
    wishes(&world, channels + 2).await;
    let turns = (0..channels + 2).map(|_| chain::step(&world.app)).collect();
    for carried in together(turns).await {
        carried.unwrap();
    }
    let taken = "select count(*) from chain.intent where reason = 'the channel was taken'";
    assert_eq!(count(&world, taken).await, 0);
    let twice = "select count(*) - count(distinct channel) from chain.attempt where status = 'open'";
    assert_eq!(count(&world, twice).await, 0);
    let loose = "select count(*) from chain.channel c where lease_until is null
                 and exists (select from chain.attempt where channel = c.address and status = 'open')";
    assert_eq!(count(&world, loose).await, 0, "what carries an envelope is leased");
    world.settle().await;
    assert_eq!(
        count(&world, "select count(*) from chain.intent where status = 'done'").await,
        channels as i64 + 2
    );
    assert_eq!(count(&world, "select count(*) from chain.channel where lease_until is not null").await, 0);
    world.sound().await;
}

#[tokio::test]
async fn after_a_fault_a_wish_is_back_at_once_and_its_channel_free() {
    let world = World::new().await;
    wishes(&world, 1).await;
    run(&world, "update chain.intent set op = jsonb_build_object('kept', op)").await;
    let fault = chain::step(&world.app).await.unwrap_err();
    assert!(matches!(fault, Error::Fault(_)), "{fault}");
    let rests = "select count(*) from chain.intent where lease_until is null
                 and due_at between created_at + interval '1 s' and created_at + interval '10 s'";
    assert_eq!(count(&world, rests).await, 1);
    assert_eq!(count(&world, "select count(*) from chain.channel where lease_until is not null").await, 0);
    run(&world, "update chain.intent set op = op -> 'kept'").await;
    world.wait(TimeDelta::seconds(10)).await;
    assert_eq!(count(&world, "select count(*) from chain.intent where status = 'done'").await, 1);
    world.sound().await;
}

#[tokio::test]
async fn a_word_that_no_repetition_helps_is_shown_and_the_wish_is_not_lost() {
    let world = World::new().await;
    let escrow = wishes(&world, 1).await.remove(0);
    assert!(chain::step(&world.app).await.unwrap());
    // Built and handed over; the network does not let this channel sign.
    run(
        &world,
        "update chain.attempt set sent = 1, answer = '{\"sent\": \"refused\", \"code\": \"TxBadAuth\"}'",
    )
    .await;
    world.settle().await;
    assert_eq!(count(&world, "select count(*) from chain.attempt where status = 'open'").await, 1, "in time");
    world.wait(TimeDelta::seconds(100)).await;
    assert_eq!(count(&world, "select count(*) from chain.attempt where status = 'dead'").await, 1);
    let mut tx = world.app.db.begin().await.unwrap();
    let shown = recon::failures(&mut tx, &world.app, DateTime::<Utc>::MAX_UTC, 10).await.unwrap();
    drop(tx);
    assert_eq!(shown.iter().map(|one| one.reason.as_deref()).collect::<Vec<_>>(), [Some("TxBadAuth")]);
    assert_eq!(world.chain_events(&escrow, "created").await, 0);
    world.wait(TimeDelta::seconds(3_600)).await;
    assert_eq!(world.chain_events(&escrow, "created").await, 1, "somebody had put it right");
    world.sound().await;
}

#[tokio::test]
async fn what_a_ledger_found_too_little_is_more_the_next_time() {
    let world = World::new().await;
    let escrow = wishes(&world, 1).await.remove(0);
    assert!(chain::step(&world.app).await.unwrap());
    let first: String = sqlx::query_scalar("select envelope from chain.attempt")
        .fetch_one(&world.database.owner)
        .await
        .unwrap();
    run(&world, "update chain.attempt set status = 'failed', reason = 'ResourceLimitExceeded'").await;
    run(&world, "update chain.channel set lease_until = null").await;
    assert!(chain::step(&world.app).await.unwrap());
    let second: String = sqlx::query_scalar("select envelope from chain.attempt where status = 'open'")
        .fetch_one(&world.database.owner)
        .await
        .unwrap();
    let (first, second) = (instructions(&first), instructions(&second));
    assert!(second > first + first / 5, "{second} after {first}");
    world.settle().await;
    assert_eq!(world.chain_events(&escrow, "created").await, 1);
    world.sound().await;
}

fn instructions(envelope: &str) -> u32 {
    use stellar_xdr::{Limits, ReadXdr, TransactionEnvelope, TransactionExt};
    let TransactionEnvelope::Tx(envelope) =
        TransactionEnvelope::from_xdr_base64(envelope, Limits::none()).unwrap()
    else {
        panic!("a plain transaction")
    };
    let TransactionExt::V1(soroban) = envelope.tx.ext else { panic!("a call") };
    soroban.resources.instructions
}

/// A network on which transactions wait for its pace, and these things go wrong.
async fn suffer(world: &World, rules: Vec<Rule>) {
    world.chain.set_faults(Faults { queue: true, seed: 7, rules }).await.unwrap();
}

/// The worker works as it would: what a server could not tell it asks again later.
async fn work(world: &World, by: TimeDelta) {
    world.clock.advance(by);
    for _ in 0..20 {
        match worker::run_until_idle(&world.app).await {
            Err(Error::Fault(Fault::Outside(_))) => {}
            done => return done.unwrap(),
        }
    }
}

/// The worker works and ledgers close, until the escrow is on the chain. Gives how many ledgers that took.
async fn until_created(world: &World, escrow: &EscrowRef) -> u32 {
    for ledgers in 0..60 {
        work(world, TimeDelta::zero()).await;
        if world.chain_events(escrow, "created").await > 0 {
            return ledgers;
        }
        world.clock.advance(TimeDelta::seconds(5));
    }
    panic!("not created: {:?}", world.chain.strikes().await);
}

#[tokio::test]
async fn what_others_outbid_is_offered_again_for_more_and_both_hashes_are_looked_for() {
    for refuses in [true, false] {
        let world = World::new().await;
        let escrow = wishes(&world, 1).await.remove(0);
        // From the first sending on, for longer than an envelope lives.
        let surge = Trouble::Surge { fee: 50_000, ledgers: 40, refuses };
        suffer(&world, vec![Rule::once(surge).on("sendTransaction")]).await;
        let ledgers = until_created(&world, &escrow).await;
        assert!(ledgers < 18, "before its time ran out: {ledgers}");
        let attempts = "select count(*) from chain.attempt";
        assert_eq!(count(&world, attempts).await, 1, "the same transaction all the while");
        assert!(count(&world, "select count(*) from chain.alias").await > 0);
        let under = "select count(*) from chain.attempt a join chain.alias l on l.hash = a.applied
                     join chain.event e on e.tx_hash = l.hash where a.status = 'success'";
        assert!(count(&world, under).await > 0, "found in a ledger under the hash that offered more");
        let steps = "select count(*) from chain.intent where status = 'done'";
        assert_eq!(count(&world, steps).await, 1);
        world.sound().await;
    }
}

#[tokio::test]
async fn however_the_network_errs_a_wish_is_carried_out_once() {
    use Trouble::*;
    let troubles: Vec<(&str, Vec<Rule>)> = vec![
        ("later", vec![Rule::times(TryAgainLater, 3)]),
        ("a good number called bad", vec![Rule::times(BadSequence, 2)]),
        ("lost", vec![Rule::times(Lost, 2)]),
        ("dropped after four ledgers", vec![Rule::once(Dropped)]),
        ("late", vec![Rule::once(Late { ledgers: 3 })]),
        ("forgotten, and in a ledger after all", vec![Rule::once(Late { ledgers: 8 })]),
        ("at the last moment", vec![Rule::once(LastMoment)]),
        ("sick", vec![Rule::times(Sick { status: 503 }, 9).chance(500)]),
        ("the answer lost", vec![Rule::once(LostAnswer { status: 502 }).on("sendTransaction")]),
        ("hung up", vec![Rule::once(HangUpAfter).on("sendTransaction"), Rule::times(HangUp, 3)]),
        ("asked twice", vec![Rule::always(Twice).on("sendTransaction")]),
        ("behind", vec![Rule::always(Stale { ledgers: 3 }).chance(400)]),
        ("not found though it was there", vec![Rule::times(NotFound { ledgers: 40 }, 24)]),
    ];
    // A few at a time: they mostly wait for a client's second try.
    for some in troubles.chunks(4) {
        together(some.iter().map(|(trouble, rules)| through(trouble, rules)).collect()).await;
    }
}

async fn through(trouble: &str, rules: &[Rule]) {
    let world = World::new().await;
    let escrow = wishes(&world, 1).await.remove(0);
    suffer(&world, rules.to_vec()).await;
    until_created(&world, &escrow).await;
    for _ in 0..40 {
        work(&world, TimeDelta::seconds(5)).await;
    }
    suffer(&world, vec![]).await;
    world.wait(TimeDelta::seconds(300)).await;
    assert_eq!(world.chain_events(&escrow, "created").await, 1, "{trouble}");
    let done = "select count(*) from chain.intent where status = 'done'";
    assert_eq!(count(&world, done).await, 1, "{trouble}");
    let busy = "select count(*) from chain.channel where lease_until is not null";
    assert_eq!(count(&world, busy).await, 0, "{trouble}");
    let pass = recon::pass(&world.app).await.unwrap().expect("the index comes along");
    assert_eq!(pass.open, [], "{trouble}");
    world.sound().await;
}

#[tokio::test]
async fn when_the_window_is_lost_the_contract_is_asked() {
    let world = World::new().await;
    let escrow = wishes(&world, 1).await.remove(0);
    // It is done, and nobody hears of it; when somebody asks, the network has forgotten.
    suffer(&world, vec![Rule::once(Trouble::LostAnswer { status: 502 }).on("sendTransaction")]).await;
    assert!(chain::step(&world.app).await.unwrap() && chain::step(&world.app).await.unwrap());
    world.clock.advance(TimeDelta::seconds(600));
    let forget = Trouble::Forget { ledgers: 5 };
    suffer(&world, vec![Rule::once(forget)]).await;
    world.settle().await;
    let reasons = "select count(*) from chain.attempt where reason = 'the contract shows it'";
    assert_eq!(count(&world, reasons).await, 1);
    assert_eq!(count(&world, "select count(*) from chain.attempt").await, 1);
    assert_eq!(world.chain_events(&escrow, "created").await, 1, "read from its entry");
    world.sound().await;
}

#[tokio::test]
async fn a_server_that_is_behind_refuses_nothing_for_good() {
    let world = World::new().await;
    suffer(&world, vec![]).await;
    let escrow = wishes(&world, 1).await.remove(0);
    until_created(&world, &escrow).await;
    let employee = world.person(Role::Employee, "0722345126").await;
    world.assign(&world.app, &escrow, employee).await.unwrap();
    // A process that has seen nothing yet asks a server that has not heard of the escrow.
    let behind = Trouble::Stale { ledgers: 16 };
    suffer(&world, vec![Rule::times(behind, 4).on("simulateTransaction")]).await;
    let fresh = world.restarted(None);
    for _ in 0..40 {
        let _ = worker::run_until_idle(&fresh).await;
        world.clock.advance(TimeDelta::seconds(5));
    }
    assert!(!world.chain.strikes().await.is_empty());
    assert_eq!(count(&world, "select count(*) from chain.intent where status = 'refused'").await, 0);
    assert_eq!(world.chain_events(&escrow, "assigned").await, 1);
    world.sound().await;
}
