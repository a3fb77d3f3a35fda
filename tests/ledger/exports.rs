//! The export door: what other programs say of it, that it is the journal, and that it fits in a page.

use std::collections::BTreeMap;
use std::process::Command;

use amana_ledger::export::{Export, Format, Range};
use amana_ledger::id::{Clock, ExternalRef};
use amana_ledger::journal;
use amana_ledger::rules::{self, Paid};
use amana_ledger::transfer::Transfer;
use amana_tests::naive::Naive;
use amana_tests::programs::{both_accept, export, hledger_balances};
use chrono::{DateTime, NaiveDate, TimeDelta};

use crate::ground::{Ground, NOON, Seeded, book, float, kes, party, paybill, rail};
use crate::random::mix::{Mix, Which, paths};

const ALL: Range = Range { from: None, to: None };

fn day(text: &str) -> Option<NaiveDate> {
    Some(text.parse().unwrap())
}

/// Two days around a new year: holds that are settled, freed and open, a reversal, suspense, days before and
/// after, and names that bite. Leaves the clock on the second day.
async fn new_year(ground: &Ground) {
    let end_of_year = DateTime::parse_from_rfc3339("2026-12-31T22:00:00Z").unwrap().to_utc();
    ground.clock.forward(end_of_year - ground.clock.now());
    let bites = "a,b; c:\"\\\" 'd' {x} #t ^l\n2026-01-01 * \"x\"\n  =cmd|'/c'!A1 | %";
    let fact = ExternalRef::new("mpesa", "=600111", bites);
    let key = "k,\"\\;|#^{}[2026-01-01]%=@";
    let intent = ground.keyed(key);
    let (employee, escrow) = (party(3), ground.escrow());
    let said = intent.metadata("date", "=2026, ; date: 1").unwrap().metadata("a.b", "\"\\").unwrap();
    let booked = rules::collection_booked(
        said.external(fact),
        &paybill(),
        Some((escrow.clone(), kes(123_456))),
        Some((party(4), kes(44))),
    );
    let wrong = rules::capital_in(ground.intent(), float(), kes(9_999_999));
    let back = rules::reversal(ground.intent(), wrong.id());
    let first = [
        rules::capital_in(ground.intent(), float(), kes(5_000_000)),
        rules::collection_suspended(ground.intent(), &paybill(), kes(7_777)),
        booked,
        rules::mint_final(ground.intent(), kes(123_456)),
        rules::released(ground.intent(), escrow, employee, kes(100_000), Some(kes(500))),
        wrong,
        back,
    ];
    assert!(ground.post(&first).await.iter().all(Result::is_ok));
    let linked = [1, 2].map(|cents| rules::capital_in(ground.intent(), float(), kes(cents)));
    let mut tx = ground.db.app.begin().await.unwrap();
    let posted = journal::post_linked(&mut tx, &ground.clock, &ground.book, &linked).await.unwrap();
    assert!(posted.iter().all(Result::is_ok));
    tx.commit().await.unwrap();
    ground.clock.forward(TimeDelta::hours(4));
    let now = ground.clock.now();
    let (long_ago, soon) = (now - TimeDelta::days(400), now + TimeDelta::days(3));
    let holds: Vec<Transfer> =
        (0..3).map(|_| rules::payout_hold(ground.intent(), employee, &rail(), kes(20_000))).collect();
    let paid = Paid { amount: kes(15_000), tariff: Some(kes(23)), last: true };
    let second = [
        rules::payout_paid(ground.intent(), holds[0].id(), &rail(), paid),
        rules::payout_failed(ground.intent(), holds[1].id()),
        rules::float_move_out(ground.intent().effective_at(long_ago), float(), kes(1)),
        rules::float_move_in(ground.intent().effective_at(soon), float(), kes(1)),
    ];
    assert!(ground.post(&holds).await.iter().chain(&ground.post(&second).await).all(Result::is_ok));
}

#[tokio::test]
async fn both_programs_accept_a_new_year_and_any_part_of_it() {
    let ground = Ground::new().await;
    new_year(&ground).await;
    ground.audited().await;
    let mut conn = ground.db.app.acquire().await.unwrap();
    let (old, new) = (day("2026-12-31"), day("2027-01-01"));
    for range in [
        ALL,
        Range { from: None, to: old },
        Range { from: new, to: None },
        Range { from: new, to: new },
        Range { from: old, to: day("2027-12-31") },
        Range { from: day("2027-02-01"), to: None },
        Range { from: None, to: day("2020-01-01") },
    ] {
        let altered = both_accept(&mut conn, &ground.book, range).await;
        assert_eq!(altered > 0, range.to != day("2020-01-01"), "{range:?}");
    }
    assert_eq!(both_accept(&mut conn, &ground.open("mombasa:KES").await, ALL).await, 0);
    let unknown = Export::begin(&mut conn, &book("nowhere:KES"), ALL, Format::Csv).await.unwrap();
    assert!(unknown.is_none());
}

#[tokio::test]
async fn days_that_are_over_give_the_same_for_ever_and_add_up() {
    let ground = Ground::new().await;
    new_year(&ground).await;
    let mut conn = ground.db.app.acquire().await.unwrap();
    let (old, new) = (day("2026-12-31"), day("2027-01-01"));
    for format in Format::ALL {
        let before = export(&mut conn, &ground.book, Range { from: None, to: old }, format).await;
        // The book goes on.
        let first = rules::capital_in(ground.intent(), float(), kes(1));
        let back = rules::reversal(ground.intent(), first.id());
        assert!(ground.post(&[first, back]).await.iter().all(Result::is_ok));
        assert_eq!(export(&mut conn, &ground.book, Range { from: None, to: old }, format).await, before);
    }
    let all = export(&mut conn, &ground.book, ALL, Format::Ndjson).await;
    let parts = [Range { from: None, to: old }, Range { from: new, to: None }];
    let mut both = String::new();
    for part in parts {
        both += &export(&mut conn, &ground.book, part, Format::Ndjson).await;
    }
    assert_eq!(both, all);
}

#[tokio::test]
async fn lines_say_what_the_journal_says() {
    let ground = Ground::new().await;
    new_year(&ground).await;
    let mut conn = ground.db.app.acquire().await.unwrap();
    let lines = export(&mut conn, &ground.book, ALL, Format::Ndjson).await;
    let lines: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 16);
    let booked = &lines[2];
    assert_eq!((booked["event"].as_str(), booked["no"].as_i64()), (Some("collection_booked"), Some(3)));
    assert_eq!(booked["postings"].as_array().unwrap().len(), 3);
    assert_eq!(booked["postings"][0]["amount"], "1234.56");
    assert_eq!(booked["key"], "k,\"\\;|#^{}[2026-01-01]%=@");
    assert!(booked["external"]["id"].as_str().unwrap().contains("=cmd|'/c'!A1"));
    assert_eq!(lines[6]["reverses"], lines[5]["id"]);
    assert_eq!(lines[8]["link"], lines[7]["id"]);
    assert_eq!(booked["metadata"]["date"], "=2026, ; date: 1");
    assert_eq!(lines[12]["hold"]["id"], lines[9]["id"]);
    assert_eq!(lines[12]["hold"]["verb"], "settled");
    assert_eq!(lines[12]["postings"][1]["phase"], "void");

    // Python reads the table as it was meant, and no cell would run.
    let table = export(&mut conn, &ground.book, ALL, Format::Csv).await;
    let script =
        "import csv, json, sys; print(json.dumps(list(csv.DictReader(open(sys.argv[1], newline='')))))";
    let file = std::env::temp_dir().join(format!("amana-{}.csv", std::process::id()));
    std::fs::write(&file, &table).unwrap();
    let read = Command::new("python3").args(["-c", script]).arg(&file).output().unwrap();
    std::fs::remove_file(&file).unwrap();
    let rows: Vec<BTreeMap<String, String>> = serde_json::from_slice(&read.stdout).unwrap();
    let legs: usize = lines.iter().map(|line| line["postings"].as_array().unwrap().len()).sum();
    assert_eq!(rows.len(), legs);
    assert_eq!(rows[2]["external_id"], booked["external"]["id"].as_str().unwrap());
    assert_eq!(rows[2]["external_account"], "'=600111");
    assert_eq!(rows[2]["key"], booked["key"].as_str().unwrap());
    let runs = |cell: &String| cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    assert!(!rows.iter().flat_map(BTreeMap::values).any(runs));
}

/// hledger's name of a path, written down once more.
fn named(path: &str) -> String {
    match path.split(':').next().unwrap() {
        "equity" | "income" => path.to_owned(),
        "expense" => path.replacen("expense", "expenses", 1),
        "float" => format!("assets:{path}"),
        "clearing" | "onchain" if !["clearing:burn", "onchain:issued"].contains(&path) => {
            format!("assets:{path}")
        }
        _ => format!("liabilities:{path}"),
    }
}

#[tokio::test]
async fn hledger_counts_random_journals_as_the_model_does() {
    for seed in [11, 12] {
        let ground = Ground::new().await;
        let (rng, mut naive) = (Seeded::of(seed), Naive::at(NOON, paths()));
        let mix = Mix::new(&ground.book, seed);
        for number in 1..150 {
            let request = mix.request(Which::of(number));
            naive.ask(&request.model);
            let _ = ground.one(request.transfer).await;
            if rng.below(6) == 0 {
                ground.clock.forward(TimeDelta::seconds(17));
                naive.now += 17_000_000;
            }
        }
        let ought = naive.balances().into_iter().filter_map(|(path, [debits, credits, ..])| {
            (debits != credits).then(|| (named(&path), debits - credits))
        });
        let mut conn = ground.db.app.acquire().await.unwrap();
        let text = export(&mut conn, &ground.book, ALL, Format::Hledger).await;
        assert_eq!(hledger_balances(&text), ought.collect(), "seed {seed}");
        assert!(both_accept(&mut conn, &ground.book, ALL).await > 6);
    }
}

/// Kilobytes of this process that are in memory.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_hundred_thousand_postings_pass_through_a_page() {
    let ground = Ground::new().await;
    let mut conn = ground.db.app.acquire().await.unwrap();
    for _ in 0..50 {
        let batch: Vec<Transfer> = (0..1_000)
            .map(|at| {
                let escrow = Some((ground.escrow(), kes(1 + at)));
                rules::collection_booked(ground.intent(), &paybill(), escrow, None)
            })
            .collect();
        let mut tx = ground.db.app.begin().await.unwrap();
        journal::post(&mut tx, &ground.clock, &ground.book, &batch).await.unwrap();
        tx.commit().await.unwrap();
    }
    for format in Format::ALL {
        let export = Export::begin(&mut conn, &ground.book, ALL, format).await.unwrap();
        let (mut export, begun) = (export.unwrap(), resident());
        let (mut total, mut largest, mut most) = (0, 0, 0);
        while let Some(piece) = export.next(&mut conn).await.unwrap() {
            total += piece.len();
            largest = largest.max(piece.len());
            most = most.max(resident());
        }
        println!("{format:?}: {total} bytes, {largest} at once, {} kB more than before", most - begun);
        assert!(total > 10_000_000 && largest < total / 20, "{format:?}: {largest} of {total} at once");
        // Other tests of this process come and go; the whole text would not fit in.
        assert!(most.saturating_sub(begun) < 32_000, "{format:?}: from {begun} to {most} kB");
    }
}
