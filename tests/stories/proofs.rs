//! The same weeks as a bundle: verified offline, and falsified in every way we know.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use amana_gateway::roles::verify;
use amana_gateway::worker;
use amana_ledger::id::Clock;
use amana_ledger::seal::{self, Anchor};
use amana_ledger::verify::line::Hex;
use amana_ledger::verify::{Failure, Verified};
use amana_tests::world::World;
use serde_json::{Value, json};

use crate::months::weeks;

const SECRET: &str = "0707070707070707070707070707070707070707070707070707070707070707";

async fn world() -> World {
    World::with(|environment| environment.set("AMANA_CHECKPOINT_SECRET", SECRET)).await
}

/// What the worker and the chain's leg do from time to time.
async fn sealed(world: &World) {
    assert!(worker::seal::checkpoint(&world.app).await.unwrap());
    assert!(!worker::seal::checkpoint(&world.app).await.unwrap(), "not twice");
    let mut tx = world.app.db.begin().await.unwrap();
    let book = &world.app.config.book;
    let (size, root) = seal::unanchored(&mut tx, book).await.unwrap().unwrap();
    let contract = "CAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAD2KM".to_owned();
    let at = world.clock.now();
    let (root, tx_hash) = (Hex(root), "ab".repeat(32));
    let anchor = Anchor { size, root, contract, tx_hash, ledger: 77, at, envelope: None };
    seal::anchored(&mut tx, book, &anchor).await.unwrap();
    tx.commit().await.unwrap();
}

async fn bundle(world: &World) -> Vec<Value> {
    let mut tx = world.app.db.begin().await.unwrap();
    let mut file = Vec::new();
    seal::bundle(&mut tx, world.app.signer.as_ref().unwrap(), (1, None), &mut file).await.unwrap();
    String::from_utf8(file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Writes the lines into a file and runs the role on it.
fn judged(world: &World, lines: &[Value]) -> Result<Verified, Failure> {
    // A map of `serde_json` sorts its names; a bundle has them in the order of its lines' fields.
    let text = |line: &Value| {
        let line: amana_ledger::verify::line::Line = serde_json::from_value(line.clone()).unwrap();
        serde_json::to_string(&line).unwrap() + "\n"
    };
    let text: String = lines.iter().map(text).collect();
    let file: PathBuf = std::env::temp_dir().join(format!("amana-bundle-{}.ndjson", std::process::id()));
    std::fs::write(&file, text).unwrap();
    let key = world.app.signer.as_ref().unwrap().key().to_string();
    let verdict = verify::check(&file, Some(&key)).unwrap();
    std::fs::remove_file(&file).unwrap();
    println!("{}", verify::told(&verdict, true));
    verdict
}

/// The place of the nth line of a kind; from the end if negative.
fn place(lines: &[Value], kind: &str, nth: isize) -> usize {
    let places: Vec<usize> = (0..lines.len()).filter(|&at| !lines[at][kind].is_null()).collect();
    let at = if nth < 0 { places.len().checked_add_signed(nth).unwrap() } else { nth.unsigned_abs() };
    places[at]
}

type Tampering = (&'static str, fn(&mut Vec<Value>), &'static str);

/// What is done to the file, and what is said about it.
const TAMPERINGS: [Tampering; 16] = [
    ("amount", |lines| transfer(lines, 3)["legs"][0][3] = json!(1), "do not give its hash"),
    ("account", |lines| transfer(lines, 3)["legs"][0][2] = json!("equity:capital"), "do not give its hash"),
    ("phase", |lines| transfer(lines, 3)["legs"][0][0] = json!("h"), "do not give its hash"),
    (
        "effective time",
        |lines| transfer(lines, 3)["effective_at"] = json!("2026-01-01T00:00:00Z"),
        "do not give its hash",
    ),
    (
        "the transfer's name",
        |lines| transfer(lines, 3)["event"] = json!("capital_in"),
        "do not give its hash",
    ),
    (
        "order",
        |lines| {
            let (one, two) = (place(lines, "transfer", -3), place(lines, "transfer", -2));
            lines.swap(one, two);
        },
        "should follow: one was left out, doubled or moved",
    ),
    (
        "dropped leaf",
        |lines| drop(lines.remove(place(lines, "transfer", -3))),
        "should follow: one was left out, doubled or moved",
    ),
    (
        "doubled leaf",
        |lines| {
            let at = place(lines, "transfer", -3);
            lines.insert(at, lines[at].clone());
        },
        "should follow: one was left out, doubled or moved",
    ),
    (
        "swapped roots",
        |lines| {
            let (one, two) = (place(lines, "batch", 1), place(lines, "batch", 2));
            let (first, second) = (lines[one]["batch"]["root"].clone(), lines[two]["batch"]["root"].clone());
            (lines[one]["batch"]["root"], lines[two]["batch"]["root"]) = (second, first);
        },
        "does not give its root",
    ),
    (
        "forged checkpoint",
        |lines| {
            let at = place(lines, "checkpoint", 0);
            let note = lines[at]["checkpoint"]["note"].as_str().unwrap();
            let mut words: Vec<String> = note.split('\n').map(str::to_owned).collect();
            words[1] = "9999".to_owned();
            lines[at]["checkpoint"]["note"] = json!(words.join("\n"));
        },
        "the note's signature is wrong",
    ),
    (
        "another's checkpoint",
        |lines| {
            let (one, two) = (place(lines, "checkpoint", 0), place(lines, "checkpoint", 1));
            lines[one] = lines[two].clone();
        },
        "the checkpoint is of",
    ),
    (
        "truncated history",
        |lines| drop(lines.drain(place(lines, "batch", -1)..place(lines, "liability", 0))),
        "the journal was cut",
    ),
    ("no end", |lines| drop(lines.pop()), "it was cut, or written to behind its end"),
    (
        "changed key",
        |lines| {
            let other = "amana/kenya:KES+00000000+AQ";
            let at = place(lines, "header", 0);
            lines[at]["header"]["key"] = json!(other);
        },
        "the key of the file is not a key",
    ),
    (
        "forged anchor",
        |lines| {
            let at = place(lines, "anchor", 0);
            lines[at]["anchor"]["root"] = json!("09".repeat(32));
        },
        "the past was written anew, or the anchor is forged",
    ),
    (
        "liability left out",
        |lines| drop(lines.remove(place(lines, "liability", 0))),
        "do not give the signed root and total",
    ),
];

fn transfer(lines: &mut [Value], nth: isize) -> &mut Value {
    let at = place(lines, "transfer", nth);
    &mut lines[at]["transfer"]
}

#[tokio::test]
async fn the_weeks_around_a_new_year_are_proven_to_a_stranger() {
    let world = world().await;
    weeks(&world, sealed).await;
    world.wait(chrono::TimeDelta::hours(1)).await;
    sealed(&world).await;
    world.sound().await;
    let honest = bundle(&world).await;
    let begun = Instant::now();
    let verified = judged(&world, &honest).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!((verified.checkpoints, verified.anchors.0), (5, 5));
    assert!(verified.counts[0] > 30, "{:?}", verified.counts);
    for (what, tamper, reason) in TAMPERINGS {
        let mut lines = honest.clone();
        tamper(&mut lines);
        let failure = judged(&world, &lines).unwrap_err();
        assert!(failure.to_string().contains(reason), "{what}: {failure}");
    }

    // A past written anew, with every hash and signature as it should be, meets what the chain has.
    let liar = self::world().await;
    liar.capital().await;
    assert!(worker::seal::checkpoint(&liar.app).await.unwrap());
    let mut told = bundle(&liar).await;
    assert!(judged(&liar, &told).unwrap().anchors.1.is_none());
    let at = place(&told, "checkpoint", 0);
    let size = told[place(&told, "batch", -1)]["batch"]["no"].clone();
    let mut anchor = honest[place(&honest, "anchor", 0)].clone();
    anchor["anchor"]["size"] = size;
    told.insert(at + 1, anchor);
    let failure = judged(&liar, &told).unwrap_err().to_string();
    assert!(failure.contains("the past was written anew"), "{failure}");
}
