//! Two processes with a door to one book; one sleeps, at any moment, also in the middle of a batch. The other
//! goes on, and the one that wakes finds its way.
//!
//! `AMANA_PAUSE_S=60` makes the long sleeps a minute. Without it they are just longer than Postgres lets a
//! transaction idle.

use std::time::{Duration, Instant};

use amana_tests::told;
use sqlx::PgConnection;

use crate::callers::{Callers, PATIENCE, Tally};
use crate::chance::Chance;
use crate::check;
use crate::place::Place;

/// Longer than the owner's `idle_in_transaction_session_timeout` of 5 s.
const LONG: Duration = Duration::from_secs(7);
/// Within this the other goes on, whatever the sleeper held: it waits 5 s for a lock, at worst twice, as it
/// ends only who has stood still for 4 s; and room for a busy machine.
const SECONDS: Duration = Duration::from_secs(20);

/// Where a sleeper was stopped, as the database sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Caught {
    /// No transaction was open, or it was about to end by itself.
    Between,
    /// Between two statements of a batch.
    InBatch,
    /// In the middle of `COPY`, where no time limit of Postgres holds.
    InCopy,
}

/// Where it stands, once its backends have done what they could do without it.
async fn look(conn: &mut PgConnection, name: &str) -> Caught {
    let sql = "select coalesce(bool_or(state = 'idle in transaction'), false),
                coalesce(bool_or(state = 'active' and wait_event = 'ClientRead'
                    and query like 'copy%'), false),
                coalesce(bool_or(state = 'active' and wait_event is distinct from 'ClientRead'), false)
               from pg_stat_activity where application_name = $1";
    loop {
        let (idle, copy, busy): (bool, bool, bool) =
            sqlx::query_as(sql).bind(name).fetch_one(&mut *conn).await.unwrap();
        match (copy, idle, busy) {
            (true, ..) => return Caught::InCopy,
            (_, true, _) => return Caught::InBatch,
            (_, _, false) => return Caught::Between,
            // It waits for its disk, or for the other's lock.
            _ => tokio::time::sleep(Duration::from_millis(2)).await,
        }
    }
}

/// Stops it, again and again, until it is caught where it is wanted.
async fn catch(conn: &mut PgConnection, callers: &Callers, wanted: Caught, chance: &mut Chance) {
    let begun = Instant::now();
    loop {
        callers.tally.goes_on().await;
        tokio::time::sleep(Duration::from_micros(chance.below(20_000))).await;
        callers.pause().await;
        // What a backend does and what it waits for are not read at one instant: looked at twice.
        if look(conn, &callers.name()).await == wanted {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if look(conn, &callers.name()).await == wanted {
                return;
            }
        }
        callers.wake().await;
        assert!(begun.elapsed() < PATIENCE, "never caught {wanted:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_sleeps_and_wakes_and_nothing_is_posted_twice() {
    let mut chance = Chance::of("pause");
    let long = told("AMANA_PAUSE_S").map_or(LONG, Duration::from_secs);
    let place = Place::fresh().await;
    let mut conn = place.connect().await;
    let tallies = [Tally::of(0), Tally::of(1)];
    let both = [Callers::start(&place, &tallies[0]), Callers::start(&place, &tallies[1])];
    for round in 0..8 {
        let (sleeper, other) = (&both[round % 2], &both[1 - round % 2]);
        sleeper.tally.more(1 + chance.below(50)).await;
        sleeper.pause().await;
        let caught = look(&mut conn, &sleeper.name()).await;
        tokio::time::sleep(Duration::from_millis(100 + chance.below(700))).await;
        sleeper.wake().await;
        let woken = Instant::now();
        sleeper.tally.goes_on().await;
        other.tally.goes_on().await;
        println!("caught {caught:?}; both went on {:?} after it woke", woken.elapsed());
    }
    for (at, wanted) in [(0, Caught::InBatch), (1, Caught::InCopy), (0, Caught::Between)] {
        let (sleeper, other) = (&both[at], &both[1 - at]);
        catch(&mut conn, sleeper, wanted, &mut chance).await;
        let asleep = Instant::now();
        other.tally.silence();
        other.tally.more(200).await;
        tokio::time::sleep(long.saturating_sub(asleep.elapsed())).await;
        let (slept, handed_over) = (asleep.elapsed(), other.tally.silence());
        assert!(handed_over < SECONDS, "{wanted:?}: the other was silent for {handed_over:?}");
        sleeper.wake().await;
        let woken = Instant::now();
        sleeper.tally.goes_on().await;
        let back = woken.elapsed();
        println!("{wanted:?}: the other waited {handed_over:?} at most; slept {slept:?}, back in {back:?}");
    }
    for callers in both {
        callers.end().await;
    }
    check::kept(&place, &tallies).await;
}
