//! `amana-bench`: the ledger beside its baselines and a peer, on one cluster, in one run, in one table.
//!
//! Absolute figures move twofold with whatever else the machine does; so contestants take turns, medians are
//! shown, and the ratios are what means something.
//!
//! Absent: floats, and a cluster. `deploy/with-postgres.sh --durable` starts one and removes it.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use crate::cluster::Cluster;
use crate::contestants::Stand;
use crate::figure::{Contestant, Record, Results};
use crate::ground::{Fault, Ground, grouped};
use crate::plan::{FEW, MANY, Plan, SOME, SOME_POSTINGS};

mod cells;
mod cluster;
mod contestants;
mod figure;
mod ground;
mod papers;
mod plan;
mod sustained;
mod table;

/// Measures transfers posted a second: the ledger, plain rows, row locks, cala-ledger.
#[derive(Parser)]
#[command(name = "amana-bench", version)]
struct Arguments {
    /// A migrated Postgres whose database nobody else uses.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database: Option<String>,
    /// Three minutes instead of twenty.
    #[arg(long)]
    short: bool,
    /// Postings of the sustained run.
    #[arg(long)]
    postings: Option<u64>,
    /// Only some of the parts: empty, wide, sustained; or reading, which is none of the whole table.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only some of the scenes of the empty journal, as clients x transfers a call: 64x1, 1x8192, 64x1hot.
    #[arg(long, value_delimiter = ',')]
    scene: Vec<String>,
    /// Shows the results of an earlier run instead of measuring.
    #[arg(long)]
    from: Option<PathBuf>,
    /// Where the results go, one JSON object a line.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Writes docs/performance.md and its plots, under the folder the program was started in.
    #[arg(long)]
    write_docs: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            say_aside(&format!("bench: {fault}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Fault> {
    let results = match &arguments.from {
        Some(path) => read(path)?,
        None => measure(&arguments).await?,
    };
    if let Some(machine) = results.machine() {
        say(&format!(
            "{} cores of {}, {} MiB, Postgres {}, {}\n",
            machine.cores,
            machine.processor,
            grouped(machine.memory_mib),
            machine.postgres,
            machine.settings
        ));
    }
    say(&table::text(&results));
    if arguments.write_docs {
        papers::write(&results)?;
    }
    Ok(())
}

fn read(path: &PathBuf) -> Result<Results, Fault> {
    let text = fs::read_to_string(path)?;
    Ok(Results(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?))
}

async fn measure(arguments: &Arguments) -> Result<Results, Fault> {
    let began = Instant::now();
    let url =
        arguments.database.as_deref().ok_or("no database: run under deploy/with-postgres.sh --durable")?;
    let mut plan = if arguments.short { Plan::short() } else { Plan::full() };
    plan.postings = arguments.postings.unwrap_or(plan.postings);
    plan.only.clone_from(&arguments.scene);
    let wanted = |part: &str| arguments.only.is_empty() || arguments.only.iter().any(|only| only == part);
    let mut cluster = Cluster::reach(url).await?;
    let command = if arguments.short { "make bench SHORT=1" } else { "make bench" };
    let machine = cluster.machine(command.to_owned()).await?;
    let mut results = Results::default();
    let mut lines = String::new();
    let mut tell = |record: Record| {
        progress(began, &record);
        // What is measured is kept even if the run ends early.
        if let (Some(path), Ok(line)) = (&arguments.json, serde_json::to_string(&record)) {
            lines.push_str(&line);
            lines.push('\n');
            if let Err(error) = fs::write(path, &lines) {
                say_aside(&format!("bench: {}: {error}", path.display()));
            }
        }
        results.0.push(record);
    };
    tell(Record::Machine(machine));
    let ground = Ground::of_machine();
    if wanted("empty") {
        cells::empty(&mut cluster, &plan, &ground, &mut tell).await?;
    }
    if wanted("wide") && plan.many() {
        wide(&mut cluster, &plan, &ground, &mut tell).await?;
    }
    if wanted("sustained") {
        sustained::run(&mut cluster, &plan, (FEW, true), None, &mut tell).await?;
        if plan.many() {
            let until = began + plan.budget;
            sustained::run(&mut cluster, &plan, (MANY, false), Some(until), &mut tell).await?;
        }
    }
    // Minutes of its own, so only who asks for it pays for it.
    if arguments.only.iter().any(|only| only == "reading") {
        plan.postings = arguments.postings.unwrap_or(SOME_POSTINGS);
        sustained::run(&mut cluster, &plan, (SOME, false), None, &mut tell).await?;
    }
    say_aside(&format!("done in {} s", began.elapsed().as_secs()));
    Ok(results)
}

/// The scenes with a million accounts share their stands: half a million funded accounts take a while.
async fn wide(
    cluster: &mut Cluster,
    plan: &Plan,
    ground: &Ground,
    tell: &mut dyn FnMut(Record),
) -> Result<(), Fault> {
    let ledger = Stand::raise(cluster, Contestant::Amana, MANY, ground).await?;
    let plain = Stand::raise(cluster, Contestant::Copy, MANY, ground).await?;
    let rows = Stand::raise(cluster, Contestant::Rows, MANY, ground).await?;
    let entered = [
        (Contestant::Amana, &ledger),
        (Contestant::Insert, &plain),
        (Contestant::Copy, &plain),
        (Contestant::Rows, &rows),
    ];
    for scene in plan.wide() {
        for figure in cells::on(cluster, scene, plan, &entered).await? {
            tell(Record::Figure(figure));
        }
    }
    for stand in [ledger, plain, rows] {
        stand.fell(cluster).await?;
    }
    Ok(())
}

fn progress(began: Instant, record: &Record) {
    let what = match record {
        Record::Machine(_) => return,
        Record::Figure(figure) => {
            format!(
                "{}: {} {}/s",
                table::named(&figure.scene),
                figure.contestant.name(),
                grouped(figure.rate)
            )
        }
        Record::Million(million) => sustained::progress(million),
        Record::Read(read) => format!("{}: {} µs", read.what, grouped(read.p50_us)),
    };
    say_aside(&format!("{:>5} s  {what}", began.elapsed().as_secs()));
}

#[expect(clippy::disallowed_macros, reason = "the table that a person at the terminal asked for")]
fn say(text: &str) {
    println!("{text}");
}

#[expect(clippy::disallowed_macros, reason = "progress and failure, for a person at the terminal")]
fn say_aside(text: &str) {
    eprintln!("{text}");
}
