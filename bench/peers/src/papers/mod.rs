//! `docs/performance.md` and its plots, from the results of a run.
//!
//! Invariant: only what stands between the two marks is written; the words around them are people's.

use std::fmt::Write as _;
use std::fs;

use crate::figure::{Contestant, Results, Scene};
use crate::ground::{Fault, grouped, thousandths};
use crate::plan::{FEW, MANY};
use crate::table;

mod plot;

const PAPER: &str = "docs/performance.md";
const PLOTS: &str = "docs/performance";
const BEGIN: &str = "<!-- measured: written by amana-bench --write-docs -->";
const END: &str = "<!-- end of what was measured -->";

/// Writes the paper and its plots under the present folder.
pub(crate) fn write(results: &Results) -> Result<(), Fault> {
    let around = fs::read_to_string(PAPER).unwrap_or_else(|_| format!("# Performance\n\n{BEGIN}\n{END}\n"));
    let (before, rest) = around.split_once(BEGIN).ok_or("docs/performance.md has lost its first mark")?;
    let (_, after) = rest.split_once(END).ok_or("docs/performance.md has lost its last mark")?;
    fs::create_dir_all(PLOTS)?;
    let mut body = machine(results);
    for (name, drawn) in plots(results) {
        if let Some(svg) = drawn {
            fs::write(format!("{PLOTS}/{name}.svg"), svg)?;
            let _ = write!(body, "\n![{name}](performance/{name}.svg)\n");
        }
    }
    body += &tables(results);
    fs::write(PAPER, format!("{before}{BEGIN}\n{body}{END}{after}"))?;
    Ok(())
}

fn machine(results: &Results) -> String {
    let Some(machine) = results.machine() else { return String::new() };
    format!(
        "`{}` on {} cores of {}, {} MiB of memory, Postgres {}: {}.\n",
        machine.arguments,
        machine.cores,
        machine.processor,
        grouped(machine.memory_mib),
        machine.postgres,
        machine.settings
    )
}

fn plots(results: &Results) -> [(&'static str, Option<String>); 3] {
    let scene = |clients, batch| Scene { prior: 0, accounts: FEW, hot: false, clients, batch };
    let bars = |title: &str, scenes: &[Scene], group: fn(&Scene) -> String| {
        let series = Contestant::ALL.map(|who| plot::Series {
            name: who.name().to_owned(),
            points: (0..).zip(scenes).filter_map(|(at, s)| Some((at, results.of(who, *s)?.rate))).collect(),
        });
        plot::bars(title, &scenes.iter().map(group).collect::<Vec<_>>(), &series)
    };
    let clients = bars(
        "Single transfers a second, 1,000 random accounts, empty journal",
        &[1, 16, 64, 1_024].map(|clients| scene(clients, 1)),
        |scene| format!("{} clients", grouped(scene.clients)),
    );
    let batches = bars(
        "Transfers a second from one client, 1,000 random accounts, empty journal",
        &[1, 64, 1_024, 8_192].map(|batch| scene(1, batch)),
        |scene| format!("batch {}", grouped(scene.batch)),
    );
    let mut lines = Vec::new();
    for (accounts, words) in [(FEW, "1 k accounts"), (MANY, "1 M accounts")] {
        let millions = results.millions(accounts);
        let own = millions.iter().map(|million| (million.postings, million.rate)).collect();
        let copy = millions.iter().map(|million| (million.postings, million.copy_rate)).collect();
        lines.push(plot::Series { name: format!("amana, {words}"), points: own });
        lines.push(plot::Series { name: format!("COPY, {words}"), points: copy });
    }
    lines.retain(|series| !series.points.is_empty());
    [
        ("clients", clients),
        ("batches", batches),
        ("sustained", plot::lines("Transfers a second while the journal grows, batches of 8,192", &lines)),
    ]
}

fn tables(results: &Results) -> String {
    let mut out =
        String::from("\n## What it must show\n\n| | needed | measured | |\n| --- | --- | --- | --- |\n");
    for claim in table::claims(results) {
        let mark = if claim.holds { "holds" } else { "**fails**" };
        let _ = writeln!(out, "| {} | {} | {} | {mark} |", claim.what, claim.need, claim.got);
    }
    let theirs = table::theirs(results);
    if !theirs.is_empty() {
        out += "\n## Beside TigerBeetle\n\nEach over the one-row INSERT of 16 clients in its own run.\n\n";
        theirs.iter().for_each(|line| _ = writeln!(out, "- {line}"));
    }
    let sustained = table::sustained(results);
    if !sustained.is_empty() {
        out += "\n## Sustained\n\n";
        sustained.iter().for_each(|line| _ = writeln!(out, "- {line}"));
        for read in results.reads() {
            let (p50, p99) = (thousandths(read.p50_us), thousandths(read.p99_us));
            let at = grouped(read.postings);
            let _ = writeln!(out, "- {}, at {at} postings: p50 {p50}, p99 {p99} ms", read.what);
        }
    }
    out += "\n## All figures\n\n";
    let _ = writeln!(out, "| {} |", table::HEADINGS.join(" | "));
    let _ = writeln!(out, "| --- |{}", " ---: |".repeat(table::HEADINGS.len() - 1));
    for scene in results.scenes() {
        let _ = writeln!(out, "| **{}** |{}", table::named(&scene), " |".repeat(table::HEADINGS.len() - 1));
        for figure in results.figures().filter(|figure| figure.scene == scene) {
            let _ = writeln!(out, "| {} |", table::cells(results, figure).join(" | "));
        }
    }
    out + "\n"
}
