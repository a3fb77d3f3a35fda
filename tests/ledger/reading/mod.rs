//! The read door: statements that run, days that are restated, and an audit that finds what is wrong.

mod tying;

use amana_ledger::chart::{Account, Side};
use amana_ledger::id::Clock;
use amana_ledger::limit::Period;
use amana_ledger::{balance, rules};
use chrono::{DateTime, TimeDelta};

use crate::ground::{Ground, float, kes, party, rail};

#[tokio::test]
async fn a_statement_runs_from_its_opening_to_its_closing() {
    let ground = Ground::new().await;
    ground.land(rules::capital_in(ground.intent(), float(), kes(100))).await;
    ground.clock.forward(TimeDelta::hours(1));
    let from = ground.clock.now();
    let out = rules::float_move_out(ground.intent(), float(), kes(30));
    let back = rules::reversal(ground.intent(), out.id());
    assert!(ground.post(&[out, back]).await.iter().all(Result::is_ok));
    ground.land(rules::float_move_out(ground.intent(), float(), kes(5))).await;
    ground.clock.forward(TimeDelta::hours(1));
    let to = ground.clock.now();
    ground.land(rules::float_move_out(ground.intent(), float(), kes(1))).await;

    let mut conn = ground.db.app.acquire().await.unwrap();
    let statement = balance::statement(&mut conn, &ground.book, &float(), [from, to]).await.unwrap();
    assert_eq!((statement.opening, statement.closing), (100, 95));
    let lines: Vec<_> = statement.lines.iter().map(|line| (line.no, line.side, line.balance)).collect();
    assert_eq!(lines, [(2, Side::Credit, 70), (3, Side::Debit, 100), (4, Side::Credit, 95)]);
    assert!(statement.lines.iter().all(|line| line.other == Account::ClearingFloat));

    let both =
        balance::balances(&mut conn, &ground.book, &[Account::Employee(party(9)), float()]).await.unwrap();
    assert_eq!((both[0].posted(), both[1].posted()), (0, 94));
    let trial = balance::trial_balance(&mut conn, &ground.book).await.unwrap();
    assert_eq!((trial.debits, trial.credits, trial.lines.len()), (100, 100, 3));
    ground.audited().await;
}

#[tokio::test]
async fn a_day_is_restated_by_what_comes_late() {
    let ground = Ground::new().await;
    let monday = ground.clock.now();
    ground.land(rules::capital_in(ground.intent(), float(), kes(100))).await;
    ground.clock.forward(TimeDelta::days(1));
    let tuesday = ground.clock.now();
    // Heard on Tuesday of Monday, and of Wednesday.
    let late = rules::capital_in(ground.intent().effective_at(monday), float(), kes(10));
    let early = tuesday + TimeDelta::days(1);
    let early = rules::float_move_out(ground.intent().effective_at(early), float(), kes(1));
    assert!(ground.post(&[late, early]).await.iter().all(Result::is_ok));
    ground.clock.forward(TimeDelta::days(1));
    let wednesday = ground.clock.now();
    // A reversal on the day of what it turns round leaves the day as if it had never been.
    let wrong = ground.land(rules::capital_in(ground.intent(), float(), kes(1_000))).await.transfer;
    ground.clock.forward(TimeDelta::days(1));
    ground.land(rules::reversal(ground.intent().effective_at(wednesday), wrong)).await;

    let mut conn = ground.db.app.acquire().await.unwrap();
    let now = ground.clock.now();
    let mut stood = async |day: DateTime<_>, known_at| {
        let end = Period::Day.start(day) + TimeDelta::days(1);
        balance::as_of(&mut conn, &ground.book, &float(), end, known_at).await.unwrap().posted()
    };
    assert_eq!(stood(monday - TimeDelta::days(1), now).await, 0);
    assert_eq!(stood(monday, monday).await, 100);
    assert_eq!(stood(monday, now).await, 110);
    assert_eq!(stood(tuesday, now).await, 110);
    assert_eq!(stood(tuesday, monday).await, 100);
    assert_eq!(stood(wednesday, tuesday).await, 109);
    assert_eq!(stood(wednesday, wednesday).await, 1_109);
    assert_eq!(stood(wednesday, now).await, 109);
    ground.audited().await;
}

#[tokio::test]
async fn time_does_not_go_back_within_a_book() {
    let ground = Ground::new().await;
    let first = ground.land(rules::capital_in(ground.intent(), float(), kes(1))).await;
    ground.clock.forward(TimeDelta::hours(-3));
    let second = ground.land(rules::capital_in(ground.intent(), float(), kes(1))).await;
    assert_eq!((first.recorded_at, first.batch + 1), (second.recorded_at, second.batch));
    assert_eq!(second.effective_at, second.recorded_at);
    ground.audited().await;
}

/// What the database refuses is broken with its triggers off, to see that the audit finds it.
#[tokio::test]
async fn the_audit_finds_what_is_wrong() {
    let cases = [
        ("update ledger.posting set amount = amount + 1 where no = 1", "chunks_fold"),
        (
            "update ledger.chunk set credits_posted = credits_posted + 1 where account = 1",
            "books_sum_to_zero",
        ),
        ("update ledger.chunk set lowest = -1 where account = 1", "floors_stand"),
        ("update ledger.chunk set posting_nos = '{}' where account = 1", "chunks_chain"),
        ("update ledger.hold set remaining = remaining + 1", "holds_equal_pending"),
        (
            "update ledger.batch set recorded_at = recorded_at + interval '1 day' where no = 1",
            "numbers_gapless",
        ),
        ("update ledger.posting set leg = 2 where event = 1", "transfers_share"),
        ("update ledger.posting set key = 'other' where event = 1", "roots_chain"),
        ("update ledger.account set kind = 'employer' where account = 1", "accounts_in_chart"),
        ("update ledger.restated set amount = amount + 1", "restated_apart"),
        (
            "update ledger.reversal set reverses = (select transfer from ledger.posting where event = 3)",
            "reversals_mirror",
        ),
    ];
    let ground = Ground::new().await;
    let moved = rules::float_move_out(ground.intent(), float(), kes(3));
    let back = rules::reversal(ground.intent(), moved.id());
    let late = ground.clock.now() - TimeDelta::days(2);
    let more = rules::float_move_out(ground.intent().effective_at(late), float(), kes(5));
    let arrived = rules::float_move_in(ground.intent(), float(), kes(5));
    let capital = rules::capital_in(ground.intent(), float(), kes(100));
    assert!(ground.post(&[capital, moved, back, more, arrived]).await.iter().all(Result::is_ok));
    let (employee, escrow) = (ground.employee(), ground.escrow());
    let booked = Some((escrow.clone(), kes(50)));
    ground.land(rules::collection_booked(ground.intent(), &crate::ground::paybill(), booked, None)).await;
    ground.land(rules::released(ground.intent(), escrow, employee, kes(50), None)).await;
    ground.land(rules::payout_hold(ground.intent(), employee, &rail(), kes(20))).await;
    ground.audited().await;

    for (sql, name) in cases {
        let mut tx = ground.db.owner.begin().await.unwrap();
        let off = "do $$ declare t text; begin
            foreach t in array array['posting', 'chunk', 'hold', 'batch', 'account', 'restated',
                'reversal']
            loop execute format('alter table ledger.%I disable trigger user', t); end loop; end $$;
            alter table ledger.posting drop constraint posting_leg;
            alter table ledger.chunk drop constraint chunk_floor, drop constraint chunk_lowest;
            alter table ledger.account drop constraint account_path_of_kind;
            alter table ledger.hold drop constraint hold_parts;";
        sqlx::raw_sql(off).execute(&mut *tx).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut *tx).await.unwrap();
        let report = amana_ledger::audit::audit(&mut tx).await.unwrap();
        let found = report.checks.iter().any(|check| check.name == name && !check.ok);
        assert!(found && !report.ok(), "{sql}:\n{report}");
    }
    ground.audited().await;
}
