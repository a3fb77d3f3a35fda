//! The reports over the weeks around a new year: they tie with each other and with the rows they stand for,
//! and one shilling that is missing somewhere is shown there.

use amana_gateway::reports::{self, Ask, Cell, Name, Report, When};
use amana_ledger::balance;
use amana_ledger::chart::{Account, Class};
use amana_ledger::id::Clock;
use amana_tests::world::World;
use chrono::{DateTime, TimeDelta, Utc};

use crate::months::weeks;

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

async fn report(world: &World, name: Name, when: When) -> Report {
    let account = (name == Name::Statement).then(|| Account::parse("float:mpesa:600111").unwrap());
    let ask = Ask { when, account, after: None, limit: 10_000 };
    let report = reports::make(&world.app, name, &ask).await.unwrap();
    assert!(report.rows.iter().all(|row| row.len() == report.columns.len()), "{report:?}");
    report
}

fn total(report: &Report, key: &str) -> i128 {
    report.totals.iter().find(|total| total.0 == key).unwrap().2
}

/// A row's amounts.
fn amounts(row: &[Cell]) -> Vec<i128> {
    row.iter().filter_map(|cell| if let Cell::Money(minor) = cell { Some(*minor) } else { None }).collect()
}

fn beginning(row: &[Cell]) -> &str {
    match row.first() {
        Some(Cell::Text(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_reports_of_the_weeks_tie() {
    let world = World::new().await;
    weeks(&world, async |_| ()).await;
    let now = world.clock.now() + TimeDelta::seconds(1);
    let christmas = at("2026-12-24T00:00:00Z");
    let new_year = at("2027-01-01T00:00:00Z");
    for (as_of, known_at) in [(now, now), (new_year, now), (new_year, new_year), (christmas, now)] {
        let when = When { from: christmas, as_of, known_at };
        let trial = report(&world, Name::TrialBalance, when).await;
        assert_eq!(trial.agrees, Some(true), "{trial:?}");
        let sheet = report(&world, Name::BalanceSheet, when).await;
        assert_eq!(sheet.agrees, Some(true), "{sheet:?}");
        let assets: i128 = trial
            .rows
            .iter()
            .filter(|row| Account::parse(beginning(row)).unwrap().kind().class() == Class::Asset)
            .map(|row| amounts(row)[2])
            .sum();
        assert_eq!(total(&sheet, "assets"), assets);
        let float = report(&world, Name::Float, when).await;
        assert_eq!(float.agrees, Some(true), "{float:?}");
        let statement = report(&world, Name::Statement, when).await;
        assert_eq!(statement.agrees, Some(true), "{statement:?}");
        let paybill = float.rows.iter().find(|row| beginning(row) == "float:mpesa:600111").unwrap();
        let (opening, closing) = (total(&statement, "opening"), total(&statement, "closing"));
        assert_eq!((amounts(paybill)[0], amounts(paybill)[3]), (opening, closing));
        let journal = report(&world, Name::Journal, When { from: DateTime::UNIX_EPOCH, ..when }).await;
        assert_eq!(total(&journal, "amount"), total(&trial, "debits"));
        let escrows = report(&world, Name::Escrows, when).await;
        let held = trial.rows.iter().filter(|row| beginning(row).starts_with("escrow:"));
        assert_eq!(total(&escrows, "held"), held.map(|row| amounts(row)[3]).sum::<i128>());
        for name in [Name::SuspenseAgeing, Name::EmployersAgeing, Name::ReceivablesAgeing] {
            let ageing = report(&world, name, when).await;
            assert_eq!(ageing.agrees, Some(true), "{ageing:?}");
        }
    }

    // What was heard late changes what is known of the old year, and not what was known.
    let of = |known_at| When { from: DateTime::UNIX_EPOCH, as_of: new_year, known_at };
    let [then, later] = [of(new_year), of(now)];
    let then = total(&report(&world, Name::BalanceSheet, then).await, "assets");
    assert_eq!(total(&report(&world, Name::BalanceSheet, later).await, "assets") - then, 100_000 - 999);

    let late = When { from: new_year, as_of: new_year, known_at: now };
    let changes = report(&world, Name::Changes, late).await;
    assert_eq!((changes.rows.len(), total(&changes, "amount")), (2, 100_000 + 999), "{changes:?}");

    // Four came that nobody could place, a fortnight apart; they get older and none goes.
    let when = When { from: DateTime::UNIX_EPOCH, as_of: now, known_at: now };
    let suspense = report(&world, Name::SuspenseAgeing, when).await;
    assert_eq!(total(&suspense, "balance"), 4 * 7_750);
    assert!(total(&suspense, "to_90_days") > 0 && total(&suspense, "to_1_day") == 0, "{suspense:?}");

    let payouts = report(&world, Name::Payouts, when).await;
    assert_eq!(payouts.rows.len(), 4);
    let income = report(&world, Name::IncomeStatement, when).await;
    assert_eq!(total(&income, "result"), total(&income, "income") - total(&income, "expense"));
    let sheet = report(&world, Name::BalanceSheet, when).await;
    let earned =
        sheet.rows.iter().find(|row| matches!(&row[1], Cell::Text(text) if text.starts_with("earned")));
    assert_eq!(amounts(earned.unwrap()), [total(&income, "result")]);
}

#[tokio::test]
async fn a_missing_shilling_is_shown_where_it_is() {
    let world = World::new().await;
    weeks(&world, async |_| ()).await;
    let now = world.clock.now() + TimeDelta::seconds(1);
    let when = When { from: now, as_of: now, known_at: now };
    let sound = report(&world, Name::TieOut, when).await;
    assert_eq!(sound.agrees, Some(true), "{sound:?}");
    assert!(sound.rows.len() >= 8 && sound.rows.iter().all(|row| row.last() == Some(&Cell::Is(true))));

    let cases = [
        (
            "update flow.collection set amount = amount + $1, to_escrow = to_escrow + $1
             where receipt = 'UKM11XQYZ1'",
            "collections, by receipt",
            "mpesa 600111 UKM11XQYZ1",
        ),
        (
            "update flow.collection set to_escrow = to_escrow + $1 where escrow in
             (select reference from flow.escrow where status = 'in_progress')",
            "escrows, by reference",
            "",
        ),
    ];
    // One more escrow that holds something.
    let employer = world.person(amana_gateway::people::Role::Employer, "0733345127").await;
    let employee = world.person(amana_gateway::people::Role::Employee, "0722345127").await;
    let open = world.open(&world.app, employer, "300.00").await.unwrap();
    let payment = amana_tests::story::payment(&world, "UKM91XQYZ1", open.as_str(), "300.00");
    world.hear(&world.app, &payment).await.unwrap();
    world.settle().await;
    world.assign(&world.app, &open, employee).await.unwrap();
    world.settle().await;
    for (sql, section, subject) in cases {
        for shilling in [-100i64, 100] {
            sqlx::query(sql).bind(shilling).execute(world.app.db.pool()).await.unwrap();
            let report = report(&world, Name::TieOut, when).await;
            if shilling > 0 {
                assert_eq!(report.agrees, Some(true), "{section}: {report:?}");
                continue;
            }
            let wrong: Vec<_> =
                report.rows.iter().filter(|row| row.last() == Some(&Cell::Is(false))).collect();
            let subject = if subject.is_empty() { open.as_str() } else { subject };
            let text = |cell: &str| Cell::Text(cell.to_owned());
            assert_eq!(wrong.len(), 2, "{section}: {wrong:?}");
            assert_eq!(wrong[0][..2], [text(section), text("sum")]);
            assert_eq!(wrong[1][..2], [text(section), text(subject)]);
            assert!(wrong.iter().all(|row| row[4] == Cell::Money(100)), "{wrong:?}");
        }
    }
    let mut tx = world.app.db.begin().await.unwrap();
    let trial = balance::trial_balance(&mut tx, &world.app.config.book).await.unwrap();
    assert_eq!(trial.debits, trial.credits);
}
