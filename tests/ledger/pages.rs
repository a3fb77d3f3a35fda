//! Statements page by page, and balances made anew from the journal.

use amana_ledger::audit::rebuild::Rebuild;
use amana_ledger::balance::{self, Cursor, Line, Statement, Wanted};
use amana_ledger::chart::Account;
use amana_ledger::id::Clock;
use amana_ledger::limit::Limit;
use amana_ledger::rules::{self, Paid};
use amana_ledger::transfer::Transfer;
use amana_ledger::{export::Range, journal};
use amana_tests::programs::both_accept;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgConnection, Row};

use crate::ground::{Ground, Seeded, float, kes, party, rail};
use crate::random::mix::{Mix, Which};

/// Every line of a span, in pages of a size.
async fn paged(conn: &mut PgConnection, ground: &Ground, mut wanted: Wanted) -> (Vec<Line>, Statement) {
    let mut lines = Vec::new();
    loop {
        let page = balance::page(conn, &ground.book, &float(), &wanted).await.unwrap();
        assert!(page.lines.len() <= wanted.limit as usize);
        lines.extend(page.lines.clone());
        wanted.beyond = page.next;
        if page.next.is_none() {
            return (lines, page);
        }
        assert_eq!(page.lines.len(), wanted.limit as usize, "a page with another behind it is full");
    }
}

fn since(from: DateTime<Utc>, to: DateTime<Utc>) -> Wanted {
    Wanted { from, to, newest_first: false, beyond: None, limit: 7 }
}

#[tokio::test]
async fn pages_are_the_statement_in_either_direction() {
    let ground = Ground::new().await;
    let (rng, begun, employee) = (Seeded::of(5), ground.clock.now(), ground.employee());
    let mut instants = vec![begun];
    for round in 0..40u64 {
        let mut batch: Vec<Transfer> = (0..1 + rng.below(12))
            .map(|_| rules::capital_in(ground.intent(), float(), kes(50 + rng.below(50) as i64)))
            .collect();
        batch.push(rules::float_move_out(ground.intent(), float(), kes(40)));
        if round % 3 == 0 {
            batch.push(rules::collection_suspended(ground.intent(), &crate::ground::paybill(), kes(1)));
        }
        let escrow = ground.escrow();
        let part = Some((escrow.clone(), kes(20)));
        let booked = rules::collection_booked(ground.intent(), &crate::ground::paybill(), part, None);
        batch.extend([booked, rules::mint_final(ground.intent(), kes(20))]);
        batch.push(rules::released(ground.intent(), escrow, employee, kes(20), None));
        let hold = rules::payout_hold(ground.intent(), employee, &rail(), kes(20));
        let paid = Paid { amount: kes(5), tariff: None, last: false };
        batch.push(rules::payout_paid(ground.intent(), hold.id(), &rail(), paid));
        batch.insert(batch.len() - 1, hold);
        assert!(ground.post(&batch).await.iter().all(Result::is_ok));
        if rng.below(3) == 0 {
            ground.clock.forward(TimeDelta::minutes(1));
            instants.push(ground.clock.now());
        }
    }
    let mut conn = ground.db.app.acquire().await.unwrap();
    let at = |rng: &Seeded| instants[rng.below(instants.len() as u64) as usize];
    for limit in [1, 2, 7, 64, 1_000] {
        let (from, to) = (at(&rng), at(&rng).max(begun) + TimeDelta::seconds(1));
        let whole = balance::statement(&mut conn, &ground.book, &float(), [from, to]).await.unwrap();
        let wanted = Wanted { limit, ..since(from, to) };
        let (lines, last) = paged(&mut conn, &ground, wanted).await;
        assert_eq!(lines, whole.lines);
        assert_eq!((last.opening, last.closing), (whole.opening, whole.closing));
        let (mut back, _) = paged(&mut conn, &ground, Wanted { newest_first: true, ..wanted }).await;
        back.reverse();
        assert_eq!(back, whole.lines, "limit {limit}");
        if let Some(last) = lines.last() {
            assert_eq!(last.balance, whole.closing);
        }
    }
    let ever = [begun, at(&rng) + TimeDelta::days(1)];
    let all = balance::statement(&mut conn, &ground.book, &float(), ever).await.unwrap();
    let ought = balance::balance(&mut conn, &ground.book, &float()).await.unwrap().posted();
    assert_eq!((all.opening, all.closing), (0, ought));
    assert!(all.lines.len() > 300, "{}", all.lines.len());
    let stranger = Account::Employee(party(99));
    let nothing = balance::page(&mut conn, &ground.book, &stranger, &since(begun, begun)).await.unwrap();
    assert!(nothing.lines.is_empty() && nothing.next.is_none());
}

/// Rows of the journal that this connection has read so far in its transaction: by an index, and by reading
/// on and on.
async fn read_so_far(conn: &mut PgConnection) -> (i64, i64) {
    let sql = "select sum(coalesce(idx_tup_fetch, 0))::bigint, sum(coalesce(seq_tup_read, 0))::bigint
        from pg_stat_xact_user_tables where schemaname = 'ledger' and relname in ('posting', 'chunk')";
    let row = sqlx::query(sql).fetch_one(conn).await.unwrap();
    (row.get(0), row.get(1))
}

#[tokio::test]
async fn a_page_reads_what_it_shows_however_long_the_history() {
    let ground = Ground::new().await;
    let begun = ground.clock.now();
    for size in [1_000; 20].into_iter().chain([1; 300]) {
        let batch: Vec<Transfer> =
            (0..size).map(|_| rules::capital_in(ground.intent(), float(), kes(1))).collect();
        assert!(ground.post(&batch).await.iter().all(Result::is_ok));
        ground.clock.forward(TimeDelta::minutes(1));
    }
    sqlx::query("analyze ledger.posting, ledger.chunk, ledger.batch")
        .execute(&ground.db.owner)
        .await
        .unwrap();
    let to = ground.clock.now();
    for newest_first in [false, true] {
        for no in [None, Some(3), Some(14_321), Some(19_999), Some(20_010)] {
            let mut tx = ground.db.app.begin().await.unwrap();
            let balance = no.unwrap_or_default() - i64::from(newest_first);
            let beyond = no.map(|no| Cursor { no, balance });
            let wanted = Wanted { newest_first, beyond, limit: 50, ..since(begun, to) };
            let before = read_so_far(&mut tx).await;
            let page = balance::page(&mut tx, &ground.book, &float(), &wanted).await.unwrap();
            let after = read_so_far(&mut tx).await;
            let (indexed, scanned) = (after.0 - before.0, after.1 - before.1);
            assert!(!page.lines.is_empty());
            assert!(page.lines.iter().all(|line| line.balance == line.no), "each moved one cent");
            // At most a chunk and a posting a line, and the few rows that bound the span.
            assert!(indexed <= 2 * 51 + 8 && scanned == 0, "{newest_first} {no:?}: {indexed}, {scanned}");
        }
    }
}

async fn differences(conn: &mut PgConnection, ground: &Ground) -> Vec<String> {
    let mut rebuild = Rebuild::begin(conn, &ground.book).await.unwrap().unwrap();
    let mut found = Vec::new();
    while let Some(differences) = rebuild.next(conn).await.unwrap() {
        found.extend(differences.iter().map(ToString::to_string));
    }
    found
}

#[tokio::test]
async fn a_rebuild_finds_no_difference_in_what_was_posted() {
    let ground = Ground::new().await;
    let mut conn = ground.db.app.acquire().await.unwrap();
    assert!(differences(&mut conn, &ground).await.is_empty());
    let mix = Mix::new(&ground.book, 21);
    for number in 1..160 {
        let _ = ground.one(mix.request(Which::of(number)).transfer).await;
        if number % 20 == 0 {
            let floor = Limit { floor: Some(-i64::try_from(number).unwrap()), ..Limit::default() };
            let (mut tx, party) = (ground.db.app.begin().await.unwrap(), party(1 + u128::from(number % 3)));
            let account = Account::Employer(party);
            journal::limit(&mut tx, &ground.clock, &ground.book, &account, &floor).await.unwrap().unwrap();
            tx.commit().await.unwrap();
        }
    }
    assert_eq!(differences(&mut conn, &ground).await, [""; 0]);
    both_accept(&mut conn, &ground.book, Range::default()).await;
    ground.audited().await;
}

#[tokio::test]
async fn a_rebuild_names_what_differs() {
    let ground = Ground::new().await;
    for _ in 0..3 {
        let batch: Vec<Transfer> =
            (0..5).map(|_| rules::capital_in(ground.intent(), float(), kes(10))).collect();
        assert!(ground.post(&batch).await.iter().all(Result::is_ok));
    }
    ground.land(rules::float_move_out(ground.intent(), float(), kes(3))).await;
    let cases = [
        (
            "update ledger.chunk set debits_posted = debits_posted + 1 where account = 1 and batch = 2",
            "after batch 2",
        ),
        (
            "update ledger.chunk set debits_posted = debits_posted + 1 where account = 1 and batch = 4",
            "balance of",
        ),
        ("update ledger.chunk set debits_pending = 1 where account = 2 and batch = 1", "held 1"),
        ("update ledger.chunk set lowest = lowest - 1 where account = 1 and batch = 4", "at the lowest"),
        ("update ledger.chunk set posting_nos = '{0,1,2,3}' where account = 2 and batch = 2", "postings at"),
        ("delete from ledger.chunk where account = 2 and batch = 1", "stored is nothing"),
        (
            "insert into ledger.chunk
             select 2, 0, debits_posted, credits_posted, debits_pending, credits_pending, lowest, floor, book,
                3, limits, side, posting_nos
             from ledger.chunk where batch = 4 and account = 1",
            "chunks of",
        ),
        ("update ledger.posting set amount = amount + 1 where no = 7", "after batch 2"),
    ];
    for (sql, said) in cases {
        let mut tx = ground.db.owner.begin().await.unwrap();
        let off = "set local session_replication_role = replica;
            alter table ledger.chunk disable trigger user; alter table ledger.posting disable trigger user;
            alter table ledger.chunk drop constraint chunk_lowest;";
        sqlx::raw_sql(off).execute(&mut *tx).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut *tx).await.unwrap();
        let found = differences(&mut tx, &ground).await;
        assert!(found.iter().any(|difference| difference.contains(said)), "{sql}: {found:#?}");
    }
    let mut conn = ground.db.app.acquire().await.unwrap();
    assert!(differences(&mut conn, &ground).await.is_empty());
}
