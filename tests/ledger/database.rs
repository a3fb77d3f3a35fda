//! What the database refuses by itself, whoever tries: no crate of ours in between.

use std::collections::BTreeSet;

use amana_ledger::chart::{Kind, Side};
use amana_ledger::id::Clock;
use amana_ledger::journal;
use amana_ledger::limit::{Limit, Measure, Period, Velocity};
use amana_ledger::money::Asset;
use amana_ledger::rules::{self, Paid};
use amana_ledger::transfer::Event;
use amana_ledger::{Constraint, Fault};
use sqlx::Row;

use crate::ground::{Ground, float, kes, paybill, rail, refused};

const JOURNAL: [&str; 20] = [
    "asset",
    "event",
    "book",
    "batch",
    "account",
    "posting",
    "chunk",
    "hold",
    "reversal",
    "external",
    "link",
    "metadata",
    "restated",
    "account_limit",
    "velocity",
    "close",
    "checkpoint",
    "subtree",
    "anchor",
    "liability",
];

/// A book with a little of everything in it: two batches, a hold with something left.
async fn written() -> Ground {
    let ground = Ground::new().await;
    let (escrow, employee) = (ground.escrow(), ground.employee());
    let hold = rules::payout_hold(ground.intent(), employee, &rail(), kes(40));
    let paid = Paid { amount: kes(10), tariff: None, last: false };
    let paid = rules::payout_paid(ground.intent(), hold.id(), &rail(), paid);
    let batch = [
        rules::capital_in(ground.intent(), float(), kes(1_000)),
        rules::collection_booked(ground.intent(), &paybill(), Some((escrow.clone(), kes(100))), None),
        rules::mint_final(ground.intent(), kes(100)),
        rules::released(ground.intent(), escrow, employee, kes(100), None),
        hold,
    ];
    assert!(ground.post(&batch).await.iter().all(Result::is_ok));
    ground.land(paid).await;
    ground
}

#[tokio::test]
async fn nobody_changes_the_past() {
    let ground = written().await;
    let owner = ground.db.pool_as("amana_owner");
    for table in JOURNAL {
        let column = match table {
            "asset" | "event" => table,
            "book" => "name",
            _ => "book",
        };
        let tries = [
            format!("update ledger.{table} set {column} = {column}"),
            format!("delete from ledger.{table}"),
            format!("truncate ledger.{table} cascade"),
        ];
        for sql in &tries {
            // The superuser meets the trigger; so does the owner, as far as grants let it come.
            assert_eq!(refused(&ground.db.owner, &[sql]).await, Some(Constraint::AppendOnly), "{sql}");
            for pool in [&owner, &ground.db.app] {
                let error = sqlx::query(sqlx::AssertSqlSafe(sql.clone())).execute(pool).await.unwrap_err();
                let code =
                    error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned();
                let by_rule = matches!(Fault::from(error), Fault::Refused(Constraint::AppendOnly));
                assert!(by_rule || code == "42501", "{sql}: {code}");
            }
        }
    }
    let replica = "set local session_replication_role = replica";
    let tried = refused(&ground.db.owner, &[replica, "delete from ledger.posting"]).await;
    assert_eq!(tried, Some(Constraint::AppendOnly));
    ground.audited().await;
}

#[tokio::test]
async fn who_does_not_post_cannot_write() {
    let ground = written().await;
    for role in ["amana_reader", "amana_vendor", "amana_retailer"] {
        let pool = ground.db.pool_as(role);
        for table in JOURNAL {
            let sql = format!("insert into ledger.{table} default values");
            let error = sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&pool).await.unwrap_err();
            assert_eq!(error.as_database_error().unwrap().code().unwrap(), "42501", "{role} {table}");
        }
        let reads = sqlx::query("select count(*) from ledger.posting").execute(&pool).await.is_ok();
        assert_eq!(reads, role == "amana_reader", "{role}");
    }
}

/// Pieces of a third batch that would be right, to be bent one at a time.
const BATCH: &str = "insert into ledger.batch
    (book, no, first_posting, postings, transfers, chunks, holds, accounts, sketch, block, root, prev,
        recorded_at)
    select book, no + 1, first_posting + postings, 1, 1, 2, 0, accounts,
        5 * (ledger.weight(1, 0) + ledger.weight(2, 1)) % 2147483647, root, root, root, recorded_at
    from ledger.batch where no = 2";
const POSTING: &str = "insert into ledger.posting
    (book, no, batch, transfer, debit, credit, amount, event, leg, phase, fingerprint)
    select book, first_posting + postings, 3, '01900000-0000-7000-8000-000000000000', 1, 2, 5, 1, 0, 'p',
        '01900000-0000-7000-8000-000000000000'
    from ledger.batch where no = 2";
const CHUNKS: &str = "insert into ledger.chunk
    (book, account, batch, prev, debits_posted, credits_posted, debits_pending, credits_pending, lowest,
        floor, limits, side, posting_nos)
    select c.book, c.account, 3, c.batch, c.debits_posted + case c.account when 1 then 5 else 0 end,
        c.credits_posted + case c.account when 2 then 5 else 0 end, c.debits_pending, c.credits_pending,
        1, c.floor, c.limits, c.side, array[0]
    from (select distinct on (account) * from ledger.chunk where account in (1, 2) order by account, batch
        desc) c";

fn bent(sql: &str, from: &str, to: &str) -> String {
    assert!(sql.contains(from), "{from}");
    sql.replacen(from, to, 1)
}

#[tokio::test]
async fn a_piece_of_a_batch_is_refused() {
    let ground = written().await;
    let try_all = async |statements: &[&str]| refused(&ground.db.app, statements).await;
    // Alone, each is refused.
    assert_eq!(try_all(&[BATCH]).await, Some(Constraint::BatchIsWhole));
    assert_eq!(try_all(&[POSTING]).await, Some(Constraint::PostingsNumber));
    assert_eq!(try_all(&[CHUNKS]).await, Some(Constraint::InBatch));
    let transfer = "'01900000-0000-7000-8000-000000000000'";
    for rows in [
        "account (book, account, path, kind, batch) select book, 99, 'employer:raw', 'employer', 2"
            .to_owned(),
        format!(
            "external (book, provider, account, id, transfer, batch)
             select book, 'mpesa', '600111', 'R', {transfer}, 2"
        ),
        format!("link (book, first, transfer, batch) select book, {transfer}, {transfer}, 2"),
        format!("metadata (book, name, value, transfer, batch) select book, 'a', 'b', {transfer}, 2"),
        "restated (book, account, reach, effective_at, posting, batch, side, amount, recorded_at)
            select book, 1, 1, opened_at, 1, 2, 'd', 5, opened_at + interval '1 s'"
            .to_owned(),
        "account_limit (book, account, batch, floor, limits) select book, 1, 2, -100, 0".to_owned(),
        "velocity (book, account, batch, place, side, measure, period, amount)
            select book, 1, 2, 1, 'd', 'gross', 'day', 5"
            .to_owned(),
        "close (book, batch, closed_before) select book, 2, opened_at".to_owned(),
    ] {
        let sql = format!("insert into ledger.{rows} from ledger.book");
        assert_eq!(try_all(&[&sql]).await, Some(Constraint::InBatch), "{rows}");
    }
    // Without one of them, the rest is refused, at the latest at commit.
    assert_eq!(try_all(&[BATCH, POSTING]).await, Some(Constraint::BatchIsWhole));
    assert_eq!(try_all(&[BATCH, CHUNKS]).await, Some(Constraint::BatchIsWhole));
    // A second helping is refused as well.
    assert_eq!(try_all(&[BATCH, POSTING, CHUNKS, CHUNKS]).await, Some(Constraint::Fence));
    ground.audited().await;
}

/// A whole batch with one piece bent, and the rule that refuses it.
fn bent_batches() -> Vec<(usize, String, Constraint)> {
    use Constraint as No;
    let (batch, posting, chunks) = (
        |from: &str, to: &str, no| (0, bent(BATCH, from, to), no),
        |from: &str, to: &str, no| (1, bent(POSTING, from, to), no),
        |from: &str, to: &str, no| (2, bent(CHUNKS, from, to), no),
    );
    vec![
        batch("root, root, root,", "root, root, sha256('x'),", No::BatchContinues),
        batch("no + 1", "no + 2", No::PostingsNumber),
        batch("recorded_at\n", "recorded_at - interval '1 s'\n", No::BatchContinues),
        batch("0, accounts", "0, accounts + 1", No::AccountsNumber),
        batch("0, accounts", "0, accounts - 1", No::AccountsNumber),
        batch("1, 1, 2, 0,", "2, 1, 2, 0,", No::PostingsNumber),
        batch("1, 1, 2, 0,", "1, 1, 3, 0,", No::ChunksAddUp),
        batch("1, 1, 2, 0,", "1, 1, 2, 1,", No::PostingsNumber),
        batch("5 * (", "6 * (", No::PostingsSketch),
        posting("first_posting + postings", "first_posting + postings + 1", No::PostingsNumber),
        posting("1, 2, 5, 1", "1, 2, 6, 1", No::PostingsSketch),
        posting("1, 2, 5, 1", "2, 1, 5, 1", No::PostingsSketch),
        posting("1, 2, 5, 1", "1, 3, 5, 1", No::PostingsSketch),
        posting("1, 2, 5, 1", "1, 1, 5, 1", No::SameAccount),
        posting("1, 2, 5, 1", "1, 2, -5, 1", No::BadPosting),
        posting("1, 2, 5, 1", "1, 2, 0, 1", No::BadPosting),
        posting("1, 0, 'p'", "1, 1, 'p'", No::BadPosting),
        posting("'p'", "'g'", No::BadPosting),
        posting("'p'", "'h'", No::PostingsNumber),
        chunks("case c.account when 2 then 5", "case c.account when 2 then 4", No::ChunksAddUp),
        chunks("account in (1, 2)", "account in (1, 2, 3)", No::ChunksAddUp),
        chunks("account in (1, 2)", "account in (1)", No::ChunksAddUp),
        chunks("c.account, 3,", "c.account + 1, 3,", No::ChunksAddUp),
        chunks("c.batch,", "c.batch - 1,", No::ChunksAddUp),
        chunks("c.batch,", "0,", No::ChunksAddUp),
        chunks("c.batch,", "2,", No::ChunksAddUp),
        chunks("1, c.floor,", "1, null,", No::ChunksAddUp),
        chunks("c.limits", "1", No::ChunksAddUp),
        chunks("c.side", "case c.side when 'd' then 'c'::\"char\" else 'd' end", No::Overdraft),
        chunks("1, c.floor", "-1, c.floor", No::Overdraft),
        chunks("1, c.floor", "9000000, c.floor", No::Overdraft),
        chunks("array[0]", "array[0, 0]", No::ChunksAddUp),
    ]
}

#[tokio::test]
async fn an_account_is_of_the_narrowest_kind_that_fits() {
    let ground = written().await;
    let batch = bent(BATCH, "0, accounts", "0, accounts + 1");
    for (path, kind, rule) in [
        ("float:mpesa:600222", "float", Constraint::AccountsNumber),
        ("wallet:1", "wallet", Constraint::AccountsNumber),
        ("employer:1", "employee", Constraint::AccountsNumber),
    ] {
        let account = format!(
            "insert into ledger.account (book, account, path, kind, batch)
             select book, accounts, '{path}', '{kind}', 3 from ledger.batch where no = 3"
        );
        let tried = refused(&ground.db.app, &[&batch, &account, POSTING, CHUNKS]).await;
        assert_eq!(tried, Some(rule), "{path}");
    }
    ground.audited().await;
}

#[tokio::test]
async fn a_bent_batch_is_refused_and_a_whole_one_stands() {
    let ground = written().await;
    let try_all = async |statements: &[&str]| refused(&ground.db.app, statements).await;
    let whole = [BATCH, POSTING, CHUNKS];
    for (at, sql, rule) in bent_batches() {
        let mut statements = whole;
        statements[at] = &sql;
        assert_eq!(try_all(&statements).await, Some(rule), "{sql}");
    }
    ground.audited().await;

    // Only the whole and right batch stands. (Its root is nonsense, and that is the audit's to find.)
    assert_eq!(try_all(&whole).await, None);
    let mut conn = ground.db.app.acquire().await.unwrap();
    let report = amana_ledger::audit::audit(&mut conn).await.unwrap();
    let broken: Vec<_> = report.checks.iter().filter(|check| !check.ok).map(|check| check.name).collect();
    assert_eq!(broken, ["roots_chain"]);
    // Nothing is added to a batch that stands.
    let late = bent(POSTING, "first_posting + postings, 3, '0190", "first_posting + postings + 1, 2, '0191");
    assert_eq!(try_all(&[&late]).await, Some(Constraint::PostingsNumber));
}

/// A book with a thousand in its float, and a second batch that says what may not be.
async fn ruled(limit: Option<i64>) -> Ground {
    let ground = Ground::new().await;
    ground.land(rules::capital_in(ground.intent(), float(), kes(1_000))).await;
    let mut tx = ground.db.app.begin().await.unwrap();
    let ruled = match limit {
        Some(most) => {
            let (measure, period, amount) = (Measure::Gross, Period::Day, kes(most).amount);
            let velocity = vec![Velocity { measure, side: Side::Debit, period, amount }];
            let limit = Limit { floor: None, velocity };
            journal::limit(&mut tx, &ground.clock, &ground.book, &float(), &limit).await
        }
        None => journal::close(&mut tx, &ground.clock, &ground.book, ground.clock.now()).await,
    };
    assert_eq!(ruled.unwrap(), Ok(true));
    tx.commit().await.unwrap();
    ground
}

#[tokio::test]
async fn a_limit_is_not_passed_whoever_tries() {
    let whole = [BATCH, POSTING, CHUNKS];
    let ground = ruled(Some(1_004)).await;
    assert_eq!(refused(&ground.db.app, &whole).await, Some(Constraint::LimitExceeded));
    let without = bent(CHUNKS, "c.limits", "0");
    let tried = refused(&ground.db.app, &[BATCH, POSTING, &without]).await;
    assert_eq!(tried, Some(Constraint::ChunksAddUp));
    ground.audited().await;
    assert_eq!(refused(&ruled(Some(1_005)).await.db.app, &whole).await, None);
}

#[tokio::test]
async fn a_closed_period_stays_closed_whoever_tries() {
    let ground = ruled(None).await;
    let at = |back: &str| {
        let column = bent(POSTING, "fingerprint)", "fingerprint, effective_at)");
        bent(
            &column,
            "\n    from ledger.batch",
            &format!(", recorded_at - interval '{back}'\n    from ledger.batch"),
        )
    };
    let tried = refused(&ground.db.app, &[BATCH, &at("1 us"), CHUNKS]).await;
    assert_eq!(tried, Some(Constraint::PeriodClosed));
    ground.audited().await;
    assert_eq!(refused(&ground.db.app, &[BATCH, &at("0 s"), CHUNKS]).await, None);
}

#[tokio::test]
async fn a_hold_is_not_settled_twice_whoever_tries() {
    let ground = written().await;
    let step = |was: i64, settled: i64, remaining: i64| {
        format!(
            "insert into ledger.hold
                (book, hold, transfer, batch, debit, credit, was, settled, voided, remaining, verb)
             select book, hold, '01900000-0000-7000-8000-000000000000', 3, debit, credit,
                {was}, {settled}, {was} - {settled} - {remaining}, {remaining}, 'settled'
             from ledger.hold where was is null"
        )
    };
    let pool = &ground.db.app;
    // The state of 40 was continued; there is no state of 35; and 30 can be continued only within a batch.
    assert_eq!(refused(pool, &[&step(40, 5, 35)]).await, Some(Constraint::HoldClosed));
    assert_eq!(refused(pool, &[&step(40, 40, 0)]).await, Some(Constraint::HoldClosed));
    assert_eq!(refused(pool, &[&step(35, 5, 30)]).await, Some(Constraint::HoldClosed));
    assert_eq!(refused(pool, &[&step(35, 5, 29)]).await, Some(Constraint::UnknownHold));
    assert_eq!(refused(pool, &[&step(30, 30, 0)]).await, Some(Constraint::HoldsAgree));
    assert_eq!(refused(pool, &[&step(0, 1, 0)]).await, Some(Constraint::HoldClosed));
    ground.audited().await;
}

#[tokio::test]
async fn a_book_says_its_asset() {
    let ground = Ground::new().await;
    for (name, asset) in [("kenya:KES", "EGP"), ("egypt:EGP", "KES"), ("kenya", "KES"), ("kenya:USD", "USD")]
    {
        let sql =
            format!("insert into ledger.book (name, asset, opened_at) values ('{name}', '{asset}', now())");
        assert_eq!(refused(&ground.db.app, &[&sql]).await, Some(Constraint::BadBook), "{name} {asset}");
    }
}

#[tokio::test]
async fn the_words_of_crate_and_schema_are_the_same() {
    let ground = Ground::new().await;
    let rows = sqlx::query(
        "select kind, class, case side when 'd' then 'debit' else 'credit' end, floor from ledger.kind",
    )
    .fetch_all(&ground.db.app)
    .await
    .unwrap();
    let row = |row: &sqlx::postgres::PgRow| {
        (
            row.get::<String, _>(0),
            row.get::<String, _>(1),
            row.get::<String, _>(2),
            row.get::<Option<i64>, _>(3),
        )
    };
    let kept: BTreeSet<_> = rows.iter().map(row).collect();
    let kind = |kind: Kind| {
        (kind.word().to_owned(), kind.class().word().to_owned(), kind.side().word().to_owned(), kind.floor())
    };
    assert_eq!(kept, Kind::ALL.into_iter().map(kind).collect());

    let rows = sqlx::query("select event, word from ledger.event order by event").fetch_all(&ground.db.app);
    let kept: Vec<(i16, String)> = rows.await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect();
    let event = |event: Event| (event.code(), event.word().to_owned());
    assert_eq!(kept, Event::ALL.into_iter().map(event).collect::<Vec<_>>());

    let rows =
        sqlx::query("select asset, exponent from ledger.asset").fetch_all(&ground.db.app).await.unwrap();
    let kept: BTreeSet<(String, u32)> =
        rows.iter().map(|row| (row.get(0), row.get::<i16, _>(1).unsigned_abs().into())).collect();
    assert_eq!(
        kept,
        Asset::ALL.into_iter().map(|asset| (asset.code().to_owned(), asset.exponent())).collect()
    );
}

#[tokio::test]
async fn every_constraint_has_a_word() {
    let ground = Ground::new().await;
    let sql = "
        select conname::text from pg_constraint where connamespace = 'ledger'::regnamespace and contype <> 't'
        union
        select (regexp_matches(prosrc, 'ledger\\.refuse\\(\\s*''(\\w+)''', 'g'))[1]
        from pg_proc where pronamespace = 'ledger'::regnamespace
        union select 'transfer_key'";
    let names: Vec<String> = sqlx::query_scalar(sql).fetch_all(&ground.db.owner).await.unwrap();
    let unknown: Vec<_> = names.iter().filter(|name| Constraint::of(name).is_none()).collect();
    assert!(unknown.is_empty() && names.len() > 40, "{unknown:?} of {}", names.len());
    let known = Constraint::ALL.iter().flat_map(|constraint| constraint.names());
    let gone: Vec<_> = known.filter(|known| !names.iter().any(|name| name == **known)).collect();
    assert!(gone.is_empty(), "{gone:?}");

    let sql = "
        select format('%s.%s', c.conrelid::regclass, c.conname) from pg_constraint c
        where c.connamespace = 'ledger'::regnamespace and c.contype in ('p', 'u')
            and c.conrelid not in ('ledger.asset'::regclass, 'ledger.kind'::regclass,
                'ledger.event'::regclass)
            and c.conname <> 'book_once'
            and (select attname from pg_attribute where attrelid = c.conrelid and attnum = c.conkey[1]) <>
                'book'";
    let strange: Vec<String> = sqlx::query_scalar(sql).fetch_all(&ground.db.owner).await.unwrap();
    assert!(strange.is_empty(), "a key does not begin with the book: {strange:?}");
}
