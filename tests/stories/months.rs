//! Weeks of the main job across a new year, and what two programs of other people say of the books.

use amana_adapters::sim::{Behaviour, When};
use amana_gateway::flows::index;
use amana_gateway::people::Role;
use amana_ledger::export::Range;
use amana_ledger::id::{Clock, IdempotencyKey, PartyId, TransferId};
use amana_ledger::journal;
use amana_ledger::rules::{self, Intent};
use amana_tests::programs::both_accept;
use amana_tests::story::{kes, payment};
use amana_tests::world::World;
use chrono::{DateTime, Datelike, TimeDelta};

/// One job from the employer's payment to the employee's, with some that nobody can place beside it.
async fn job(world: &World, number: usize, [employer, employee]: [PartyId; 2], amount: &str) {
    let reference = world.open(&world.app, employer, amount).await.unwrap();
    let paid = [("Y", reference.as_str(), amount), ("Z", "nobody", "77.50")];
    for (letter, typed, amount) in paid {
        world.clock.advance(TimeDelta::seconds(1));
        let receipt = format!("UKM{number}1XQ{letter}Z1");
        world.hear(&world.app, &payment(world, &receipt, typed, amount)).await.unwrap();
    }
    world.settle().await;
    world.assign(&world.app, &reference, employee).await.unwrap();
    world.settle().await;
    world.complete(&world.app, &reference).await.unwrap();
    world.settle().await;
    world.rail.quiet().await;
    world.wait(TimeDelta::seconds(400)).await;
}

/// Capital that came in before the book heard of it, and capital that was a mistake.
async fn corrections(world: &World) {
    let mut tx = world.app.db.begin().await.unwrap();
    let book = &world.app.config.book;
    let float = amana_ledger::chart::Account::parse("float:intersend").unwrap();
    let intent = |key: &str| {
        let id = TransferId::mint(world.clock.as_ref(), world.dice.as_ref());
        Intent::new(id, book, IdempotencyKey::parse(key).unwrap())
    };
    let christmas = DateTime::parse_from_rfc3339("2026-12-25T12:00:00Z").unwrap().to_utc();
    let late = rules::capital_in(intent("late").effective_at(christmas), float.clone(), kes("1000.00"));
    let wrong = rules::capital_in(intent("wrong"), float, kes("9.99"));
    let back = rules::reversal(intent("back").effective_at(christmas), wrong.id());
    let posted = journal::post(&mut tx, world.clock.as_ref(), book, &[late, wrong, back]).await.unwrap();
    assert!(posted.iter().all(Result::is_ok), "{posted:?}");
    tx.commit().await.unwrap();
}

/// Four jobs in as many fortnights, one of them with a payout that fails first; `between` sees the world
/// after each.
pub(crate) async fn weeks(world: &World, between: impl AsyncFn(&World)) {
    world.capital().await;
    let employer = world.person(Role::Employer, "0733345126").await;
    let employee = world.person(Role::Employee, "0722345126").await;
    for (number, amount) in ["50000.00", "1234.56", "800.00", "20.00"].into_iter().enumerate() {
        if number == 1 {
            world.rail.behave(When::Next(1), Behaviour::Fail("recipient_unregistered".into()));
        }
        job(world, number, [employer, employee], amount).await;
        // In steps: the network forgets its events after a week, and shows ten thousand ledgers a page.
        for _ in 0..2 {
            world.clock.advance(TimeDelta::days(6));
            for _ in 0..11 {
                index::read_page(&world.app).await.unwrap();
            }
        }
        world.settle().await;
        between(world).await;
    }
    corrections(world).await;
    world.sound().await;
}

#[tokio::test]
async fn hledger_and_beancount_accept_the_weeks_around_a_new_year() {
    let world = World::new().await;
    weeks(&world, async |_| ()).await;
    assert_eq!(world.clock.now().year(), 2027);
    let day = |text: &str| Some(text.parse().unwrap());
    let mut tx = world.app.db.begin().await.unwrap();
    for range in [
        Range::default(),
        Range { from: None, to: day("2026-12-31") },
        Range { from: day("2026-12-01"), to: day("2026-12-31") },
        Range { from: day("2027-01-01"), to: None },
    ] {
        let altered = both_accept(&mut tx, &world.app.config.book, range).await;
        assert!(altered > 4, "{range:?}: {altered}");
    }
}
