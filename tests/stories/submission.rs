//! Wishes on their way to the chain: channels leased once, faults that hold nobody up, a network that says no
//! for good.

use amana_gateway::error::Error;
use amana_gateway::flows::chain;
use amana_gateway::people::Role;
use amana_gateway::recon;
use amana_ledger::id::EscrowRef;
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
