//! The one table, what it must show, and how near another ledger's published figures it comes.

use std::fmt::Write as _;

use crate::figure::{Contestant, Figure, Results, Scene, per_cent};
use crate::ground::{grouped, thousandths};
use crate::plan::{FEW, MANY};

/// What a run has to show: a share of something beside it, per cent, or a time.
pub(crate) struct Claim {
    pub(crate) what: String,
    pub(crate) need: String,
    pub(crate) got: String,
    pub(crate) holds: bool,
}

/// TigerBeetle's rates (1 July 2026, its own benchmark, two shared cores), and a one-row INSERT from 16
/// clients in the same hours: the ratio to that INSERT is what can be compared.
const THEIRS: [(&str, Scene, u64); 5] = [
    ("batch 1, one client", scene(false, 1), 2_739),
    ("batch 64", scene(false, 64), 84_571),
    ("batch 1,024", scene(false, 1_024), 170_668),
    ("batch 8,192", scene(false, 8_192), 348_969),
    ("batch 8,192, one hot account", scene(true, 8_192), 369_241),
];
const THEIR_INSERT: u64 = 23_121;

const fn scene(hot: bool, batch: u64) -> Scene {
    Scene { prior: 0, accounts: FEW, hot, clients: 1, batch }
}

const fn crowd(hot: bool, clients: u64) -> Scene {
    Scene { prior: 0, accounts: FEW, hot, clients, batch: 1 }
}

/// A scene in words.
pub(crate) fn named(scene: &Scene) -> String {
    let journal = match scene.prior {
        0 => "empty".to_owned(),
        few @ ..1_000_000 => format!("{} k", few / 1_000),
        many => format!("{} M", many / 1_000_000),
    };
    let accounts = if scene.accounts >= 1_000_000 { "1 M" } else { "1 k" };
    let spread = if scene.hot { "hot" } else { "random" };
    let plural = if scene.clients == 1 { "client" } else { "clients" };
    let who = format!("{} {plural}, batch {}", grouped(scene.clients), grouped(scene.batch));
    format!("{who} · journal {journal} · {accounts} accounts, {spread}")
}

/// The cells of one line: contestant, rate, p50, p99, WAL, server, client, deadlocks, share.
pub(crate) fn cells(results: &Results, figure: &Figure) -> [String; 9] {
    let own = results.of(Contestant::Amana, figure.scene).map_or(0, |own| own.rate);
    let share = match figure.contestant {
        Contestant::Amana => String::new(),
        _ => share(own, figure.rate),
    };
    [
        figure.contestant.name().to_owned(),
        grouped(figure.rate),
        thousandths(figure.p50_us),
        thousandths(figure.p99_us),
        grouped(figure.spent.wal_bytes),
        thousandths(figure.spent.server_ns),
        thousandths(figure.spent.client_ns),
        if figure.deadlocks == 0 { String::new() } else { grouped(figure.deadlocks) },
        share,
    ]
}

/// What the cells are.
pub(crate) const HEADINGS: [&str; 9] =
    ["", "transfers/s", "p50 ms", "p99 ms", "WAL B", "server µs", "client µs", "deadlocks", "amana ÷ it"];

/// `0.53` or `12.40`: one rate over another.
fn share(own: u64, other: u64) -> String {
    match per_cent(own, other) {
        u64::MAX => "–".to_owned(),
        share => format!("{}.{:02}", share / 100, share % 100),
    }
}

/// All of a run, as text for a terminal.
pub(crate) fn text(results: &Results) -> String {
    let mut out = String::new();
    for scene in results.scenes() {
        line(&mut out, format_args!("{}", named(&scene)));
        for figure in results.figures().filter(|figure| figure.scene == scene) {
            row(&mut out, &cells(results, figure));
        }
    }
    if !out.is_empty() {
        let mut head = String::new();
        row(&mut head, &HEADINGS.map(str::to_owned));
        out = head + &out;
    }
    for (title, lines) in [
        ("sustained", sustained(results)),
        ("must show", claims(results).iter().map(claim_line).collect()),
        ("beside TigerBeetle, each over the one-row INSERT of 16 clients in its own run", theirs(results)),
    ] {
        if !lines.is_empty() {
            line(&mut out, format_args!("\n{title}"));
            lines.iter().for_each(|text| line(&mut out, format_args!("  {text}")));
        }
    }
    out
}

fn row(out: &mut String, cells: &[String; 9]) {
    const WIDTHS: [usize; 9] = [16, 12, 9, 9, 8, 10, 10, 10, 11];
    let mut text = String::new();
    for (at, (cell, width)) in cells.iter().zip(WIDTHS).enumerate() {
        // Writing to a String cannot fail.
        let _ = if at == 0 { write!(text, "  {cell:<width$}") } else { write!(text, "{cell:>width$}") };
    }
    line(out, format_args!("{}", text.trim_end()));
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = writeln!(out, "{text}");
}

fn claim_line(claim: &Claim) -> String {
    let Claim { what, need, got, holds } = claim;
    format!("{} {what}: {got} (needed {need})", if *holds { "holds" } else { "FAILS" })
}

/// What the issue asks for, as far as this run measured it.
pub(crate) fn claims(results: &Results) -> Vec<Claim> {
    use Contestant::{Cala, Copy, Insert, Rows};
    let ratios = [
        ("batch 8,192 beside plain COPY with the same indexes", Copy, scene(false, 8_192), 90),
        ("64 clients beside cala-ledger", Cala, crowd(false, 64), 4_000),
        ("64 clients beside a function that locks rows", Rows, crowd(false, 64), 1_000),
        ("64 clients on a hot account beside that function", Rows, crowd(true, 64), 1_500),
        ("one client, batch 1, beside a one-row INSERT", Insert, scene(false, 1), 50),
    ];
    let mut claims = Vec::new();
    // Beyond what is asked: several batches under way, which is how the door for traffic is meant to be used.
    let four = Scene { clients: 4, ..scene(false, 8_192) };
    let (own, copy) = (results.of(Contestant::Amana, four), results.of(Copy, scene(false, 8_192)));
    if let (Some(own), Some(copy)) = (own, copy) {
        claims.push(Claim {
            what: "4 clients, batch 8,192, beside plain COPY from its one connection".to_owned(),
            need: "≥ 0.90 ×".to_owned(),
            got: format!("{} ×", share(own.rate, copy.rate)),
            holds: per_cent(own.rate, copy.rate) >= 90,
        });
    }
    for (what, other, scene, need) in ratios {
        if let (Some(own), Some(other)) = (results.of(Contestant::Amana, scene), results.of(other, scene)) {
            claims.push(Claim {
                what: what.to_owned(),
                need: format!("≥ {} ×", share(need, 100)),
                got: format!("{} ×", share(own.rate, other.rate)),
                holds: per_cent(own.rate, other.rate) >= need,
            });
        }
    }
    claims.extend(fall(results));
    for read in results.reads().filter(|read| read.under_ms > 0) {
        claims.push(Claim {
            what: format!("{} of {} accounts, median", read.what, grouped(read.accounts)),
            need: format!("< {} ms", grouped(read.under_ms)),
            got: format!("{} ms (p99 {})", thousandths(read.p50_us), thousandths(read.p99_us)),
            holds: read.p50_us < read.under_ms * 1_000,
        });
    }
    claims
}

/// How the end of the sustained run compares with its beginning: medians of a fifth of it each, since one
/// stretch alone is as quick as the disk was at that moment.
fn ends(results: &Results, accounts: u64) -> Option<[[u64; 2]; 2]> {
    let millions = results.millions(accounts);
    let few = (millions.len() / 5).max(1);
    let median = |rates: &mut Vec<u64>| {
        rates.sort_unstable();
        rates.get(rates.len() / 2).copied()
    };
    let mut both = [[0; 2]; 2];
    for (at, some) in [millions.get(..few)?, millions.get(millions.len() - few..)?].into_iter().enumerate() {
        both[0][at] = median(&mut some.iter().map(|million| million.rate).collect())?;
        both[1][at] = median(&mut some.iter().map(|million| million.copy_rate).collect())?;
    }
    Some(both)
}

/// What is left of the throughput, beside what is left of `COPY`'s in the same stretches: disk and machine
/// move both.
fn fall(results: &Results) -> Option<Claim> {
    let [own, copy] = ends(results, FEW)?;
    let (kept, theirs) = (per_cent(own[1], own[0]), per_cent(copy[1], copy[0]));
    let beside = per_cent(own[1].saturating_mul(copy[0]), own[0].saturating_mul(copy[1]));
    let postings = results.millions(FEW).last().map_or(0, |million| million.postings);
    Some(Claim {
        what: format!("throughput beside COPY at {} postings, of that at the beginning", grouped(postings)),
        need: "≥ 90 %".to_owned(),
        got: format!("{beside} % ({kept} % where COPY kept {theirs} %)"),
        holds: beside >= 90,
    })
}

pub(crate) fn sustained(results: &Results) -> Vec<String> {
    let mut lines = Vec::new();
    for accounts in [FEW, MANY] {
        let millions = results.millions(accounts);
        let (Some(last), Some([own, copy])) = (millions.last(), ends(results, accounts)) else { continue };
        let mut rates: Vec<u64> = millions.iter().map(|million| million.rate).collect();
        rates.sort_unstable();
        lines.push(format!(
            "{} accounts to {} postings: median {}/s; first {}/s, last {}/s ({} %); COPY {}/s, {}/s ({} %)",
            grouped(accounts),
            grouped(last.postings),
            grouped(rates.get(rates.len() / 2).copied().unwrap_or(0)),
            grouped(own[0]),
            grouped(own[1]),
            per_cent(own[1], own[0]),
            grouped(copy[0]),
            grouped(copy[1]),
            per_cent(copy[1], copy[0]),
        ));
    }
    lines
}

/// TigerBeetle's ratio to its one-row INSERT, ours to ours, and how near we came.
pub(crate) fn theirs(results: &Results) -> Vec<String> {
    let Some(insert) = results.of(Contestant::Insert, crowd(false, 16)) else { return Vec::new() };
    let compare = |what: &str, own: &Figure, their: u64| {
        let (ours, theirs) = (per_cent(own.rate, insert.rate), per_cent(their, THEIR_INSERT));
        format!(
            "{what}: TigerBeetle {} ×, amana {} ×: {} % of it",
            share(their, THEIR_INSERT),
            share(own.rate, insert.rate),
            per_cent(ours, theirs)
        )
    };
    let mut lines = Vec::new();
    for (what, scene, their) in THEIRS {
        lines.extend(results.of(Contestant::Amana, scene).map(|own| compare(what, own, their)));
        let wide = Scene { accounts: MANY, ..scene };
        let what = format!("{what}, 1 M accounts (theirs: 1 k)");
        lines.extend(results.of(Contestant::Amana, wide).map(|own| compare(&what, own, their)));
    }
    lines
}
