//! Fifty deaths under load: Postgres killed, Postgres stopped without patience, the posting process killed.
//! What was acknowledged is there, once.

use std::time::{Duration, Instant};

use crate::callers::{Callers, Tally};
use crate::chance::Chance;
use crate::check;
use crate::place::Place;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Death {
    /// `kill -9` of the postmaster and all its processes.
    Killed,
    /// `pg_ctl stop -m immediate`.
    Stopped,
    /// `kill -9` of the process that posts.
    Callers,
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_fifty_times_under_load() {
    let mut chance = Chance::of("kill");
    let mut deaths = [vec![Death::Killed; 20], vec![Death::Stopped; 10], vec![Death::Callers; 20]].concat();
    chance.shuffle(&mut deaths);
    let (place, tally) = (Place::fresh().await, Tally::of(0));
    let mut callers = Callers::start(&place, &tally);
    let (mut longest, mut both) = (Duration::ZERO, 0);
    for (at, death) in deaths.into_iter().enumerate() {
        tally.more(1 + chance.below(150)).await;
        tokio::time::sleep(Duration::from_micros(chance.below(40_000))).await;
        match death {
            Death::Callers => {
                callers.kill().await;
                callers = Callers::start(&place, &tally);
            }
            Death::Killed => place.kill().await,
            Death::Stopped => place.stop_immediately().await,
        }
        if death != Death::Callers {
            // Sometimes both lie dead.
            if chance.below(4) == 0 {
                callers.kill().await;
                callers = Callers::start(&place, &tally);
                both += 1;
            }
            place.start().await;
        }
        let up = Instant::now();
        tally.goes_on().await;
        longest = longest.max(up.elapsed());
        if at % 10 == 9 {
            check::checkpoint(&mut place.connect().await).await;
        }
    }
    callers.kill().await;
    // Whatever is still open is asked by one who is let end.
    Callers::start(&place, &tally).end().await;
    println!("50 deaths, {both} of them with both dead; went on {longest:?} after the start at the latest");
    check::kept(&place, &[tally]).await;
}
