//! How many escrows a second go through create, fund, name a payee and release on the local network: through
//! the gateway's own path, and the same calls driven straight at the network, in one run. And where a
//! worker's time goes.
//!
//! `escrows [COUNT]`. The network closes a ledger for each transaction at once, so nothing waits for a pace;
//! Postgres is the tests' own, which forgets at a power cut. Absent: payouts and text messages.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use amana_adapters::port::Outcome;
use amana_adapters::stellar::{ChainOp, ChainTerms, Look};
use amana_gateway::app::App;
use amana_gateway::db::Db;
use amana_gateway::flows::{chain, index};
use amana_gateway::worker::judge;
use amana_ledger::id::EscrowRef;
use amana_ledger::money::Amount;
use amana_localnet::Faults;
use amana_tests::ground::Ground;
use amana_tests::story::{payment, together};
use amana_tests::world::World;
use sqlx::postgres::PgPoolOptions;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// What each escrow holds, minor units.
const AMOUNT: i64 = 100_000;

/// Adds up how long what is done took, by what it is.
#[derive(Clone, Default)]
struct Watch(Arc<Mutex<BTreeMap<&'static str, Duration>>>);

/// What a span or an event says of itself.
#[derive(Default)]
struct Said {
    simulates: bool,
    is_commit: bool,
    elapsed: Duration,
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = format!("{value:?}");
        self.simulates |= field.name() == "method" && text.contains("simulateTransaction");
        self.is_commit |= field.name() == "summary" && text.contains("COMMIT");
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "elapsed_secs" {
            self.elapsed = Duration::from_secs_f64(value);
        }
    }
}

struct Began(&'static str, Instant);

impl Watch {
    fn add(&self, what: &'static str, took: Duration) {
        *self.0.lock().expect("nobody panics with it").entry(what).or_default() += took;
    }

    fn taken(&self) -> BTreeMap<&'static str, Duration> {
        std::mem::take(&mut *self.0.lock().expect("nobody panics with it"))
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Watch {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut said = Said::default();
        attributes.record(&mut said);
        let what = match attributes.metadata().name() {
            "rpc" if said.simulates => "simulation",
            "rpc" => "other RPC",
            "sign" => "signing",
            "begin" | "commit" => "database",
            _ => return,
        };
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(Began(what, Instant::now()));
        }
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            let mut said = Said::default();
            event.record(&mut said);
            if !said.is_commit {
                self.add("database", said.elapsed);
            }
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let began = context.span(&id).and_then(|span| span.extensions_mut().remove::<Began>());
        if let Some(Began(what, at)) = began {
            self.add(what, at.elapsed());
        }
    }
}

/// Carries out all that is wished, `side_by_side` carriers at once, and reads what the chain did.
async fn work(app: &App, side_by_side: usize) {
    loop {
        let carried = together((0..side_by_side).map(|_| chain::step(app)).collect()).await;
        let carried = carried.into_iter().any(|carried| carried.expect("the network is well"));
        let read = index::read_page(app).await.expect("the network is well");
        let judged = judge::next(app).await.expect("the books are open");
        if !(carried || read || judged) {
            return;
        }
    }
}

async fn through_the_gateway(world: &World, app: &App, count: usize, side_by_side: usize) -> Duration {
    let ground = Ground::here();
    let began = Instant::now();
    let mut all: Vec<EscrowRef> = Vec::new();
    for number in 0..count {
        let employer = ground.employers[number % ground.employers.len()];
        let reference = world.open(app, employer, "1000.00").await.expect("it opens");
        let receipt = format!("UB{number:06}{side_by_side:02}");
        world.hear(app, &payment(world, &receipt, reference.as_str(), "1000.00")).await.expect("heard");
        all.push(reference);
    }
    work(app, side_by_side).await;
    for (number, reference) in all.iter().enumerate() {
        let employee = ground.employees[number % ground.employees.len()];
        world.assign(app, reference, employee).await.expect("it is funded");
        world.complete(app, reference).await.expect("somebody is named");
    }
    work(app, side_by_side).await;
    let took = began.elapsed();
    for reference in &all {
        assert_eq!(world.chain_events(reference, "released").await, 1);
    }
    took
}

/// The same calls, as many at once as there are channels to pay for them.
async fn straight(world: &World, count: usize, side_by_side: usize) -> Duration {
    let began = Instant::now();
    let one = async |lane: usize| {
        let (app, mut number) = (&world.app, lane);
        let channel = &app.channels[lane];
        let mut sequence =
            app.chain.sequence(&channel.address()).await.expect("it reads").expect("it is there");
        while number < count {
            let mut key = [7; 32];
            key[..8].copy_from_slice(&(number * 100 + side_by_side).to_be_bytes());
            let amount = Amount::new(AMOUNT).expect("an amount");
            let expiry = app.clock.now().timestamp() + 86_400;
            let fee = AMOUNT / 40;
            let calls = [
                ChainOp::Create { key, amount, expiry, terms: ChainTerms::default() },
                ChainOp::Fund { key, deposit_id: key, amount },
                ChainOp::Assign { key, payee: [5; 32], to: None },
                ChainOp::Release { key, milestone: 0, to_payee: AMOUNT - fee, fee },
            ];
            for op in calls {
                sequence += 1;
                let Outcome::Done(built) = app.chain.build(&op, channel, sequence).await else {
                    panic!("it builds")
                };
                let _ = app.chain.send(&built.envelope_xdr).await;
                let look = app.chain.look(&built.hash).await.expect("the network is well");
                assert!(matches!(look, Look::Success { .. }), "{look:?}");
            }
            number += side_by_side;
        }
    };
    together((0..side_by_side).map(one).collect()).await;
    began.elapsed()
}

fn rate(count: usize, took: Duration) -> String {
    format!(
        "{:.1} escrows/s ({:.1} ms each)",
        count as f64 / took.as_secs_f64(),
        1_000.0 * took.as_secs_f64() / count as f64
    )
}

fn shares(watch: &Watch, took: Duration) -> String {
    let mut rest = took;
    let mut words = Vec::new();
    for (what, spent) in watch.taken() {
        rest = rest.saturating_sub(spent);
        words.push(format!("{what} {:.1} %", 100.0 * spent.as_secs_f64() / took.as_secs_f64()));
    }
    words.push(format!("our own code {:.1} %", 100.0 * rest.as_secs_f64() / took.as_secs_f64()));
    words.join(", ")
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let count = std::env::args().nth(1).map_or(100, |count| count.parse().expect("a number"));
    let world = Ground::here().world(1, Faults::default()).await;
    let pool = PgPoolOptions::new().max_connections(8).connect(&world.database.app_url()).await;
    let app = world.on(Db::from_pool(pool.expect("Postgres answers")));
    let watch = Watch::default();
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(watch.clone()));
    // Once for nothing: statements are planned, code is read.
    through_the_gateway(&world, &app, 8, 3).await;
    straight(&world, 8, 3).await;
    for side_by_side in [1, 4] {
        watch.taken();
        let gateway = through_the_gateway(&world, &app, count, side_by_side).await;
        let spent = shares(&watch, gateway);
        let bare = straight(&world, count, side_by_side).await;
        watch.taken();
        println!("{count} escrows, {side_by_side} at a time");
        println!("  through the gateway   {}", rate(count, gateway));
        println!("  straight              {}", rate(count, bare));
        println!("  the gateway costs     {:.2} x", gateway.as_secs_f64() / bare.as_secs_f64());
        if side_by_side == 1 {
            println!("  where its time goes   {spent}");
        }
    }
}
