//! What must be true in the end, whatever died: every answer is kept, and the books are sound.

use std::collections::BTreeMap;
use std::sync::Arc;

use amana_ledger::seal::note::Signer;
use amana_ledger::verify::verify;
use amana_ledger::{audit, seal};
use amana_tests::load::{Asked, Request, Ticking, book};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::callers::Tally;
use crate::place::Place;

fn signer() -> Signer {
    Signer::new(&book(), &[7; 32]).unwrap()
}

/// Signs where the book's log stands.
pub(crate) async fn checkpoint(conn: &mut PgConnection) {
    let mut tx = conn.begin().await.unwrap();
    seal::checkpoint(&mut tx, &Ticking::late_by(0), &signer()).await.unwrap().expect("something was posted");
    tx.commit().await.unwrap();
}

/// The whole journal is proven without the database, with every checkpoint that was signed on the way.
async fn proven(conn: &mut PgConnection) {
    checkpoint(conn).await;
    let mut file = Vec::new();
    let last = seal::bundle(conn, &signer(), (1, None), &mut file).await.unwrap();
    let found = verify(&file[..], Some(signer().key())).unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(found.batches, (1, last));
    println!("{} batches proven under {} checkpoints", last, found.checkpoints);
}

/// Everything was answered in the end, and the journal holds what was answered, once.
pub(crate) async fn kept(place: &Place, tallies: &[Arc<Tally>]) {
    let mut conn = place.connect().await;
    let report = audit::audit(&mut conn).await.unwrap();
    assert!(report.ok(), "{report}");
    gapless(&mut conn).await;
    proven(&mut conn).await;
    let mut journal = journal(&mut conn).await;
    let (mut landed, mut new) = (0, 0);
    for tally in tallies {
        let heard = tally.heard();
        assert_eq!(heard.faults, [""; 0], "callers hear of no fault");
        assert!(heard.open.is_empty(), "{:?} were not answered", heard.open);
        for (&number, answers) in &heard.answers {
            let request = Request { stream: tally.stream, number };
            let found = answered(request, answers, &mut journal);
            landed += found;
            new += answers.iter().flat_map(|answer| answer.chars()).filter(|letter| *letter == 'n').count();
        }
    }
    assert!(journal.is_empty(), "nobody heard that these landed: {journal:?}");
    println!("{landed} transfers landed, {} were told only when asked again", landed - new);
}

/// The answers to one request agree with each other and with the journal, from which its transfers are taken
/// away; gives how many there were.
fn answered(request: Request, answers: &[String], journal: &mut BTreeMap<Uuid, i64>) -> usize {
    let (asked, linked) = match request.asked(&book()) {
        Asked::Each(transfers) => (transfers.len(), false),
        Asked::Linked(transfers) => (transfers.len(), true),
    };
    let mut landed = 0;
    for place in 0..asked {
        let said: String = answers
            .iter()
            .map(|answer| answer.as_bytes().get(place).map_or('?', |b| char::from(*b)))
            .collect();
        // Refusals are not remembered; then it lands, here or unheard; from then on it is replayed.
        let rest = said.trim_start_matches('x');
        let rest = rest.strip_prefix('n').unwrap_or(rest);
        assert!(rest.chars().all(|letter| letter == 'r'), "{request:?} {place}: {said}");
        let batches = journal.remove(&request.id(place as u64).0);
        let ought = if said.ends_with('x') { None } else { Some(1) };
        assert_eq!(batches, ought, "{request:?} {place}: {said}");
        landed += usize::from(ought.is_some());
    }
    assert!(!linked || landed == 0 || landed == asked, "{request:?}: half of what is linked");
    landed
}

/// Numbers of postings and batches go from one to as many as there are.
async fn gapless(conn: &mut PgConnection) {
    for table in ["posting", "batch"] {
        let sql = format!("select min(no) = 1 and max(no) = count(*) from ledger.{table}");
        let sql = sqlx::query_scalar(sqlx::AssertSqlSafe(sql));
        let gapless: bool = sql.fetch_one(&mut *conn).await.unwrap();
        assert!(gapless, "{table}");
    }
}

/// Every transfer of the journal, and in how many pieces it lies there: one, unless it is torn or doubled.
async fn journal(conn: &mut PgConnection) -> BTreeMap<Uuid, i64> {
    let sql = "select transfer, count(distinct batch)
                + (max(no) - min(no) + 1 - count(*)) + (max(leg) + 1 - count(*)) + abs(min(leg))
               from ledger.posting group by transfer";
    sqlx::query_as(sql).fetch_all(conn).await.unwrap().into_iter().collect()
}
