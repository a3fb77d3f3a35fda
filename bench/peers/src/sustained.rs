//! A long run: from an empty journal to many millions of postings, plain COPY beside it in turns, then what
//! is usually asked of such a journal.
//!
//! The book lives through ninety days in these minutes (`Ground::spread`), and one transfer in a thousand is
//! heard of ten to forty days late; otherwise "as of last month" would have an easy answer.

use std::time::{Duration, Instant};

use amana_ledger::balance::{self, Wanted};
use chrono::{DateTime, Duration as Days, Utc};

use crate::cells::{self, a_second, timed};
use crate::cluster::Cluster;
use crate::contestants::{Stand, amana};
use crate::figure::{Contestant, Million, Read, Record, Scene, percentiles};
use crate::ground::{Fault, Ground, grouped};
use crate::plan::{LONG_BATCH, Plan, SOME};

/// How much of a book's life passes in a run.
const DAYS: i64 = 90;
/// Lines of a page of a statement.
const LINES: u32 = 50;
/// How many trial balances are asked for.
const WHOLE_BOOKS: usize = 9;

/// A sustained run on `accounts` accounts that ends at the plan's postings or at `until`, whichever is first;
/// with `scenes`, what the scenes of the full journal show is measured at its end.
pub(crate) async fn run(
    cluster: &mut Cluster,
    plan: &Plan,
    (accounts, scenes): (u64, bool),
    until: Option<Instant>,
    tell: &mut dyn FnMut(Record),
) -> Result<(), Fault> {
    // Every transfer looks at the clock about once.
    let step_us = Days::days(DAYS).num_microseconds().unwrap_or(0) / i64::try_from(plan.postings.max(1))?;
    let ground = Ground::spread(DateTime::<Utc>::UNIX_EPOCH + Days::days(20_000), step_us);
    let ledger = Stand::raise(cluster, Contestant::Amana, accounts, &ground).await?;
    let plain = Stand::raise(cluster, Contestant::Copy, accounts, &ground).await?;
    let scene = Scene { prior: 0, accounts, hot: false, clients: 1, batch: LONG_BATCH };
    let (mut own, mut copy) =
        (ledger.client(Contestant::Amana, &scene).await?, plain.client(Contestant::Copy, &scene).await?);
    let mut postings = 0;
    while postings < plan.postings && until.is_none_or(|until| Instant::now() < until) {
        let before = cluster.reading().await?;
        let (posted, mut took) = stretch(&mut own, plan.step).await?;
        let mut spent = cluster.reading().await?.since(&before);
        for used in [&mut spent.wal_bytes, &mut spent.server_ns, &mut spent.client_ns] {
            *used /= posted.max(1);
        }
        let rate = a_second(posted, took.iter().sum());
        took.sort_unstable();
        let (copied, copy_took) = stretch(&mut copy, plan.step).await?;
        let copy_rate = a_second(copied, copy_took.iter().sum());
        postings += posted;
        let [_, p99_us] = percentiles(&took);
        tell(Record::Million(Million { accounts, postings, rate, copy_rate, p99_us, spent }));
    }
    drop((own, copy));
    if let Some(stand) = ledger.amana() {
        for read in questions(stand, plan, (accounts, postings)).await? {
            tell(Record::Read(read));
        }
        if accounts == SOME {
            for read in whole_books(stand, (accounts, postings)).await? {
                tell(Record::Read(read));
            }
        }
    }
    if scenes {
        let entered =
            [(Contestant::Amana, &ledger), (Contestant::Insert, &plain), (Contestant::Copy, &plain)];
        for scene in plan.on_top(postings) {
            for figure in cells::on(cluster, scene, plan, &entered).await? {
                tell(Record::Figure(figure));
            }
        }
    }
    ledger.fell(cluster).await?;
    plain.fell(cluster).await?;
    Ok(())
}

/// Posts `postings` and a little more: how many, and how long each call took.
async fn stretch(client: &mut crate::contestants::Client, postings: u64) -> Result<(u64, Vec<u64>), Fault> {
    let (mut posted, mut took) = (0, Vec::new());
    while posted < postings {
        took.push(timed(client, usize::try_from(LONG_BATCH)?).await?);
        posted += LONG_BATCH;
    }
    Ok((posted, took))
}

/// A page of a statement, a balance, and a balance as of last month, of random accounts.
async fn questions(
    stand: &amana::Stand,
    plan: &Plan,
    (accounts, postings): (u64, u64),
) -> Result<Vec<Read>, Fault> {
    let mut conn = stand.pool.acquire().await?;
    let (town, mut took) = (&stand.town, [const { Vec::new() }; 3]);
    let end = town.ground.clock.now();
    let life = usize::try_from(Days::days(DAYS).num_seconds())?;
    let (to, last_month) = (end, end - Days::days(30));
    for _ in 0..plan.questions {
        let account = town.account();
        let from = end - Days::seconds(i64::try_from(town.ground.below(life))?);
        let wanted = Wanted { from, to, newest_first: town.ground.below(2) == 0, beyond: None, limit: LINES };
        let began = Instant::now();
        balance::page(&mut conn, &town.book, &account, &wanted).await?;
        took[0].push(micros(began.elapsed()));
        let began = Instant::now();
        balance::balance(&mut conn, &town.book, &account).await?;
        took[1].push(micros(began.elapsed()));
        let began = Instant::now();
        balance::as_of(&mut conn, &town.book, &account, last_month, end).await?;
        took[2].push(micros(began.elapsed()));
    }
    let names = [&format!("a statement page of {LINES} lines"), "a balance", "a balance as of last month"];
    let read = |(what, mut took): (&str, Vec<u64>)| {
        took.sort_unstable();
        let [p50_us, p99_us] = percentiles(&took);
        Read { accounts, postings, what: what.to_owned(), p50_us, p99_us, under_ms: 2 }
    };
    Ok(names.into_iter().zip(took).map(read).collect())
}

/// The trial balance as of random moments of the book's life, as known at others, and a plain sum over the
/// postings heard by the same moments.
async fn whole_books(stand: &amana::Stand, (accounts, postings): (u64, u64)) -> Result<Vec<Read>, Fault> {
    let mut conn = stand.pool.acquire().await?;
    let (town, mut took) = (&stand.town, [const { Vec::new() }; 2]);
    let (end, life) = (town.ground.clock.now(), usize::try_from(Days::days(DAYS).num_seconds())?);
    for _ in 0..WHOLE_BOOKS {
        let moment = || Ok::<_, Fault>(end - Days::seconds(i64::try_from(town.ground.below(life))?));
        let (at, known_at) = (moment()?, moment()?);
        let began = Instant::now();
        balance::trial_as_of(&mut conn, &town.book, at, known_at).await?;
        took[0].push(micros(began.elapsed()));
        let began = Instant::now();
        let sum = "select debit, sum(amount) from ledger.posting
            where no <= (select coalesce(max(first_posting), 0) from ledger.batch where recorded_at < $1)
            group by debit";
        sqlx::query(sum).bind(at.min(known_at)).fetch_all(&mut *conn).await?;
        took[1].push(micros(began.elapsed()));
    }
    let names = [("a trial balance as of any past moment", 2_000), ("a plain sum over the same postings", 0)];
    let read = |((what, under_ms), mut took): ((&str, u64), Vec<u64>)| {
        took.sort_unstable();
        let [p50_us, p99_us] = percentiles(&took);
        Read { accounts, postings, what: what.to_owned(), p50_us, p99_us, under_ms }
    };
    Ok(names.into_iter().zip(took).map(read).collect())
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// One line of progress.
pub(crate) fn progress(million: &Million) -> String {
    format!(
        "{:>11} postings, {} accounts: {:>9}/s, COPY {:>9}/s",
        grouped(million.postings),
        grouped(million.accounts),
        grouped(million.rate),
        grouped(million.copy_rate)
    )
}
