//! Random schedules: seeds of escrows that end in every way there is, on a network that errs, with workers
//! that die between any two steps. Each escrow comes to its one right end, and nothing happens twice.
//!
//! A seed is played in one order, which follows from the seed alone: `AMANA_TEST_SEED=7` plays seed 7 again,
//! step by step. `AMANA_TEST_SEEDS` and `AMANA_TEST_ESCROWS` say how many there are, and of how many escrows.
//! Absent: HTTP's doors to jobs. Deposits come in where a callback is stored, people act where a door has
//! checked their rights.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use amana_tests::ground::Ground;
use amana_tests::told;

mod hands;
mod outside;
mod plan;
mod play;
mod proof;

use play::{Stage, Told};

/// Seeds of an ordinary run.
const SEEDS: u64 = 200;
/// Escrows of a seed.
const ESCROWS: usize = 20;

/// Plays a seed and proves it; gives what it came to, and all that happened in one string.
async fn played(seed: u64, escrows: usize) -> (Told, String) {
    let mut stage = Stage::new(seed, escrows).await;
    stage.play().await;
    proof::right(&stage).await;
    let traced = traced(&stage).await;
    let Stage { world, told, .. } = stage;
    world.leave().await;
    (told, traced)
}

/// What was sent, struck, heard and posted, in order.
async fn traced(stage: &Stage) -> String {
    let rows = sqlx::query_scalar::<_, String>(
        "select string_agg(line, E'\n' order by line) from (
             select concat_ws(' ', 'event', ledger, tx_hash, no, kind) as line from chain.event
             union all
             select concat_ws(' ', 'attempt', created_at, hash, sent, status, reason) from chain.attempt
             union all
             select concat_ws(' ', 'message', created_at, id, attempts, done_at) from outbox.message
         ) lines",
    );
    rows.fetch_one(&stage.world.database.owner).await.expect("it reads")
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

#[test]
fn every_escrow_comes_to_its_one_right_end() {
    let escrows = told("AMANA_TEST_ESCROWS").map_or(ESCROWS, |told| usize::try_from(told).unwrap());
    let seeds = match told("AMANA_TEST_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..told("AMANA_TEST_SEEDS").unwrap_or(SEEDS),
    };
    let (next, sum, failed) = (AtomicU64::new(seeds.start), Mutex::new(Told::default()), Mutex::new(vec![]));
    let began = Instant::now();
    Ground::here();
    let player = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            match catch_unwind(AssertUnwindSafe(|| runtime().block_on(played(seed, escrows)))) {
                Ok((told, _)) => sum.lock().unwrap().add(&told),
                Err(_) => {
                    let again = format!("AMANA_TEST_SEED={seed} AMANA_TEST_ESCROWS={escrows}");
                    let command = "cargo test --workspace --test sim right_end";
                    eprintln!("seed {seed} failed; again: {again} {command}");
                    failed.lock().unwrap().push(seed);
                }
            }
        }
    };
    // One more than there are cores: each waits for Postgres and the network now and then.
    let players = std::thread::available_parallelism().map_or(2, usize::from) + 1;
    std::thread::scope(|scope| (0..players).for_each(|_| drop(scope.spawn(player))));
    let (sum, failed) = (sum.into_inner().unwrap(), failed.into_inner().unwrap());
    println!(
        "{} seeds of {escrows} escrows in {} s: {} steps, {} kills, {} faults; failed: {failed:?}",
        seeds.end - seeds.start,
        began.elapsed().as_secs(),
        sum.steps,
        sum.kills,
        sum.strikes
    );
    assert_eq!(failed, Vec::<u64>::new());
}

#[test]
fn a_seed_plays_the_same_again() {
    let (first, second) = (runtime().block_on(played(3, ESCROWS)), runtime().block_on(played(3, ESCROWS)));
    assert_eq!(first.1, second.1);
}
