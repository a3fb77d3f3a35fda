//! One scene: its contestants take turns, round by round, and the medians are the figures.
//!
//! Rates of one client are counted over the time in which it waited for an answer; of many, over the turn.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::cluster::Cluster;
use crate::contestants::{Client, Stand};
use crate::figure::{Contestant, Figure, Record, Scene, Spent, percentiles};
use crate::ground::{Fault, Ground};
use crate::plan::{FEW, Plan, takes_part};

/// What a contestant did in one turn.
struct Turn {
    rate: u64,
    transfers: u64,
    took_us: Vec<u64>,
    spent: Spent,
}

/// A contestant in a scene: its clients, its turns so far.
struct Entrant<'a> {
    contestant: Contestant,
    stand: &'a Stand,
    /// Deadlocks its database had seen before.
    deadlocks: u64,
    clients: Vec<Client>,
    turns: Vec<Turn>,
}

/// Measures the scenes of an empty journal. Whoever posts a million in a turn begins each scene in a fresh
/// database; the slow ones stay in theirs, which is as good as empty to the end. In a hurry all stay.
pub(crate) async fn empty(
    cluster: &mut Cluster,
    plan: &Plan,
    ground: &Ground,
    tell: &mut dyn FnMut(Record),
) -> Result<(), Fault> {
    let stays = |who: &Contestant| plan.in_a_hurry() || !matches!(who, Contestant::Amana | Contestant::Copy);
    let (staying, fresh): (Vec<_>, Vec<_>) = Contestant::ALL.into_iter().partition(stays);
    let kept = raise(cluster, &staying, ground).await?;
    for scene in plan.empty() {
        let wanted: Vec<_> = fresh.iter().copied().filter(|who| takes_part(*who, &scene)).collect();
        let made = raise(cluster, &wanted, ground).await?;
        let entered: Vec<_> = made.iter().chain(&kept).map(|stand| (stand.contestant, stand)).collect();
        on(cluster, scene, plan, &entered).await?.into_iter().for_each(|figure| tell(Record::Figure(figure)));
        for stand in made {
            stand.fell(cluster).await?;
        }
    }
    for stand in kept {
        stand.fell(cluster).await?;
    }
    Ok(())
}

async fn raise(cluster: &mut Cluster, who: &[Contestant], ground: &Ground) -> Result<Vec<Stand>, Fault> {
    let mut stands = Vec::new();
    for contestant in who {
        stands.push(Stand::raise(cluster, *contestant, FEW, ground).await?);
    }
    Ok(stands)
}

/// Measures a scene on stands that stay; one that is bare can be two baselines.
pub(crate) async fn on(
    cluster: &mut Cluster,
    scene: Scene,
    plan: &Plan,
    stands: &[(Contestant, &Stand)],
) -> Result<Vec<Figure>, Fault> {
    let mut entrants = Vec::new();
    cluster.settle().await?;
    for (contestant, stand) in stands.iter().filter(|(contestant, _)| takes_part(*contestant, &scene)) {
        let mut clients = Vec::new();
        for _ in 0..scene.clients {
            clients.push(stand.client(*contestant, &scene).await?);
        }
        let deadlocks = cluster.deadlocks(stand.url()).await?;
        entrants.push(Entrant { contestant: *contestant, stand, clients, turns: Vec::new(), deadlocks });
    }
    for entrant in &mut entrants {
        turn(cluster, scene, &mut entrant.clients, plan.warm).await?;
    }
    for _ in 0..plan.rounds {
        for entrant in &mut entrants {
            let done = turn(cluster, scene, &mut entrant.clients, plan.turn).await?;
            entrant.turns.push(done);
        }
    }
    let mut figures = Vec::new();
    for Entrant { contestant, stand, clients, turns, deadlocks } in entrants {
        drop(clients);
        let deadlocks = cluster.deadlocks(stand.url()).await?.saturating_sub(deadlocks);
        figures.push(Figure { deadlocks, ..figure(scene, contestant, turns) });
    }
    Ok(figures)
}

fn figure(scene: Scene, contestant: Contestant, turns: Vec<Turn>) -> Figure {
    let sorted = |of: &dyn Fn(&Turn) -> u64| {
        let mut values: Vec<u64> = turns.iter().map(of).collect();
        values.sort_unstable();
        values
    };
    let rates = sorted(&|turn| turn.rate);
    let middle = |values: &[u64]| values.get(values.len() / 2).copied().unwrap_or(0);
    let (median, range) =
        (middle(&rates), [rates.first(), rates.last()].map(|rate| rate.copied().unwrap_or(0)));
    // Medians here too: whatever tidies up in the background does so in some turn or other.
    let each = |used: fn(&Spent) -> u64| {
        middle(&sorted(&|turn| used(&turn.spent).checked_div(turn.transfers).unwrap_or(0)))
    };
    let spent = Spent {
        wal_bytes: each(|spent| spent.wal_bytes),
        server_ns: each(|spent| spent.server_ns),
        client_ns: each(|spent| spent.client_ns),
    };
    let mut took: Vec<u64> = turns.into_iter().flat_map(|turn| turn.took_us).collect();
    took.sort_unstable();
    let [p50_us, p99_us] = percentiles(&took);
    Figure { scene, contestant, rate: median, range, p50_us, p99_us, spent, deadlocks: 0 }
}

/// All clients post, each as soon as it was answered, until the time is over and the last was answered.
async fn turn(
    cluster: &mut Cluster,
    scene: Scene,
    clients: &mut Vec<Client>,
    length: Duration,
) -> Result<Turn, Fault> {
    let batch = usize::try_from(scene.batch)?;
    let before = cluster.reading().await?;
    let began = Instant::now();
    let mut posting = JoinSet::new();
    for mut client in clients.drain(..) {
        posting.spawn(async move {
            let mut took = Vec::new();
            while began.elapsed() < length {
                took.push(timed(&mut client, batch).await?);
            }
            Ok::<_, Fault>((client, took))
        });
    }
    let mut took_us = Vec::new();
    while let Some(done) = posting.join_next().await {
        let (client, took) = done??;
        clients.push(client);
        took_us.extend(took);
    }
    let wall = micros(began.elapsed());
    let spent = cluster.reading().await?.since(&before);
    let transfers = scene.batch * took_us.len() as u64;
    let busy = if scene.clients == 1 { took_us.iter().sum() } else { wall };
    Ok(Turn { rate: a_second(transfers, busy), transfers, took_us, spent })
}

/// Draws a load and posts it; how long posting took, in microseconds.
pub(crate) async fn timed(client: &mut Client, batch: usize) -> Result<u64, Fault> {
    let load = client.load(batch)?;
    let began = Instant::now();
    client.post(load).await?;
    Ok(micros(began.elapsed()))
}

/// So many in so many microseconds, a second.
pub(crate) fn a_second(n: u64, us: u64) -> u64 {
    (n * 1_000_000).checked_div(us).unwrap_or(0)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
