//! One receipt, many doors: confirmed, prompted, asked about, pulled, exported; collected once whichever
//! comes first, and taken back once.

use std::sync::Arc;

use amana_adapters::http::{Client, Limits};
use amana_adapters::mpesa::register::OnSilence;
use amana_adapters::mpesa::sim::{Customer, Delivery, Doors, Payment};
use amana_adapters::sim::{Behaviour, When};
use amana_gateway::app::App;
use amana_gateway::flows::collection::prompt;
use amana_gateway::flows::entrust;
use amana_gateway::flows::escrow::Status;
use amana_gateway::people::Role;
use amana_gateway::recon::listed::{self, Taken, sweep};
use amana_gateway::reports::{self, Ask, Name};
use amana_gateway::{inbox, recon, worker};
use amana_ledger::id::{Clock, EscrowRef, PartyId};
use amana_tests::story::{kes, payment, together};
use amana_tests::world::World;
use chrono::TimeDelta;
use serde_json::json;

const EMPLOYER: &str = "0733345126";
const PAYER: &str = "254712345126";

async fn asking(verify: &str, amount: &str) -> (World, PartyId, EscrowRef) {
    let world = World::asking(|environment| environment.set("AMANA_MPESA_VERIFY", verify)).await;
    let employer = world.person(Role::Employer, EMPLOYER).await;
    let reference = world.open(&world.app, employer, amount).await.unwrap();
    world.settle().await;
    (world, employer, reference)
}

fn door(world: &World) -> String {
    format!("{}/api/callbacks/mpesa/deposit/", world.url.as_ref().unwrap())
}

/// Somebody pays, and the news comes in this manner to the door that stands open.
async fn pays(world: &World, paid: &Payment, delivery: Delivery) {
    world.daraja.paid(paid);
    let doors = Doors { validation: None, confirmation: door(world), on_silence: OnSilence::Completed };
    let http = Client::new(Limits::default(), world.dice.clone()).unwrap();
    Customer::new(http, doors).pay(paid, delivery).await;
}

/// What the worker does, with the rail's posts let in meanwhile.
async fn settle(world: &World) {
    for _ in 0..3 {
        world.settle().await;
        world.daraja.quiet().await;
    }
    world.settle().await;
}

/// A quarter of an hour goes by, and the lists are pulled.
async fn swept(world: &World) {
    world.clock.advance(TimeDelta::minutes(15));
    sweep::if_due(&world.app).await.unwrap();
    settle(world).await;
}

async fn uploads(world: &World, raw: &str) -> Result<Taken, String> {
    let id = inbox::hear(&world.app, inbox::STATEMENT, "party", json!({}), raw.as_bytes()).await.unwrap();
    let taken = listed::take_stored(&world.app, id).await.unwrap();
    settle(world).await;
    taken
}

async fn funded(world: &World, reference: &EscrowRef, (amount, parts): (&str, i64)) {
    assert_eq!(world.state(reference).await.status(), Status::Funded);
    assert_eq!(world.balance("float:mpesa:600111").await, amount);
    assert_eq!(world.balance("suspense:mpesa:600111").await, "0.00");
    assert_eq!(world.chain_events(reference, "funded").await, parts);
    world.sound().await;
}

/// Whether ops are shown this about a collection, and why.
async fn is_shown(world: &World, what: &str, why: &str) -> bool {
    let mut tx = world.app.db.begin().await.unwrap();
    let later = chrono::DateTime::<chrono::Utc>::MAX_UTC;
    let failures = recon::failures(&mut tx, &world.app, later, 10).await.unwrap();
    failures.iter().any(|failure| failure.what == what && failure.reason.as_deref() == Some(why))
}

#[tokio::test]
async fn every_confirmation_waits_until_the_rail_stands_by_it() {
    let (world, _, reference) = asking("every", "5000.00").await;
    // The rail does not answer the first question, and says to the second one that it cannot tell.
    world.daraja.behave(When::Names("status".into()), Behaviour::Mute);
    let paid = payment(&world, "UKK91XQ4Z1", reference.as_str(), "5000.00");
    pays(&world, &paid, Delivery::Times(2)).await;
    settle(&world).await;
    assert_eq!(world.balance("suspense:mpesa:600111").await, "5000.00");
    assert_eq!(world.state(&reference).await.status(), Status::PendingDeposit);
    assert_eq!(world.texts_to(PAYER).len(), 0, "nobody is told before it is known");
    world.sound().await;
    world.daraja.behave(When::Names("status".into()), Behaviour::Fail("17".into()));
    world.clock.advance(TimeDelta::seconds(31));
    settle(&world).await;
    assert_eq!(world.balance("suspense:mpesa:600111").await, "5000.00", "it is asked again");
    world.daraja.behave_well();
    world.clock.advance(TimeDelta::seconds(61));
    settle(&world).await;
    funded(&world, &reference, ("5000.00", 1)).await;
    let mut verdicts = world.verdicts().await;
    verdicts.sort();
    assert_eq!(verdicts, ["duplicate", "suspense", "unanswered", "verified"]);
    assert_eq!(world.daraja.tokens(), 1, "one token for all");
}

#[tokio::test]
async fn what_the_rail_knows_otherwise_is_disputed() {
    let (world, _, reference) = asking("above:1000.00", "5000.00").await;
    let paid = payment(&world, "UKK91XQ5Z1", reference.as_str(), "50.00");
    world.daraja.paid(&paid);
    let claimed = Payment { amount: "5000.00".into(), ..paid.clone() };
    world.hear(&world.app, &claimed).await.unwrap();
    settle(&world).await;
    assert_eq!(world.balance("suspense:mpesa:600111").await, "5000.00");
    let mut verdicts = world.verdicts().await;
    verdicts.sort();
    assert_eq!(verdicts, ["disputed", "suspense"]);
    assert!(is_shown(&world, "disputed", "the rail knows it with 50.00").await);
    // A receipt the rail never heard of waits, and is never booked.
    world.hear(&world.app, &payment(&world, "UKK91XQ5Z2", reference.as_str(), "5000.00")).await.unwrap();
    for _ in 0..6 {
        world.clock.advance(TimeDelta::hours(1));
        settle(&world).await;
    }
    assert_eq!(world.balance(&format!("escrow:{reference}")).await, "0.00");
    // Too little to be asked about.
    let small = payment(&world, "UKK91XQ5Z3", reference.as_str(), "1000.00");
    world.hear(&world.app, &small).await.unwrap();
    settle(&world).await;
    assert_eq!(world.balance(&format!("escrow:{reference}")).await, "1000.00");
    world.sound().await;
}

#[tokio::test]
async fn a_dropped_confirmation_is_healed_by_the_sweep() {
    let (world, _, reference) = asking("every", "5000.00").await;
    let paid = payment(&world, "UKK91XQ6Z1", reference.as_str(), "5000.00");
    pays(&world, &paid, Delivery::Lost).await;
    swept(&world).await;
    funded(&world, &reference, ("5000.00", 1)).await;
    // The confirmation comes after all, and later sweeps and the night's list it again.
    pays(&world, &paid, Delivery::Once).await;
    for _ in 0..3 {
        swept(&world).await;
    }
    world.clock.advance(TimeDelta::hours(24));
    swept(&world).await;
    assert_eq!(world.verdicts().await.iter().filter(|verdict| *verdict == "duplicate").count(), 1);
    funded(&world, &reference, ("5000.00", 1)).await;
}

#[tokio::test]
async fn money_that_waits_is_verified_by_a_list_too() {
    let (world, _, reference) = asking("every", "5000.00").await;
    world.daraja.behave(When::Names("status".into()), Behaviour::Mute);
    let paid = payment(&world, "UKK91XQ7Z1", reference.as_str(), "5000.00");
    pays(&world, &paid, Delivery::Once).await;
    settle(&world).await;
    assert_eq!(world.balance("suspense:mpesa:600111").await, "5000.00");
    swept(&world).await;
    funded(&world, &reference, ("5000.00", 1)).await;
}

#[tokio::test]
async fn a_prompt_told_twice_over_is_one_deposit_in_either_order() {
    for behaviour in [Behaviour::OnTime, Behaviour::Reversed, Behaviour::Twice, Behaviour::Mute] {
        let (world, _, reference) = asking("off", "5000.00").await;
        world.daraja.confirm_to(&door(&world));
        world.daraja.behave(When::Names("push".into()), behaviour.clone());
        let mut tx = world.app.db.begin().await.unwrap();
        let view = entrust::view(&mut tx, &reference).await.unwrap().unwrap();
        let wished = prompt::wish_due(&mut tx, &world.app, &view.terms, &view.state).await.unwrap();
        assert_eq!(wished.1, kes("5000.00"));
        let again = prompt::wish_due(&mut tx, &world.app, &view.terms, &view.state).await.unwrap_err();
        assert!(again.to_string().contains("a prompt is on the phone"), "{again}");
        tx.commit().await.unwrap();
        settle(&world).await;
        let mut booked = 1;
        if behaviour == Behaviour::Mute {
            // Paid, and neither callback nor confirmation came.
            assert_eq!(world.state(&reference).await.status(), Status::PendingDeposit);
            swept(&world).await;
            booked = 0;
        }
        funded(&world, &reference, ("5000.00", 1)).await;
        let verdicts = world.verdicts().await;
        assert_eq!(verdicts.iter().filter(|verdict| *verdict == "booked").count(), booked, "{verdicts:?}");
    }
}

#[tokio::test]
async fn a_statement_brings_what_is_missing_and_only_once() {
    let (world, _, reference) = asking("off", "5000.00").await;
    for (n, delivery) in [Delivery::Once, Delivery::Lost, Delivery::Lost].into_iter().enumerate() {
        let paid = payment(&world, &format!("UKK91XQ8Z{n}"), reference.as_str(), "1000.00");
        pays(&world, &paid, delivery).await;
        world.clock.advance(TimeDelta::seconds(1));
    }
    settle(&world).await;
    assert_eq!(world.balance(&format!("escrow:{reference}")).await, "1000.00");
    let statement = world.daraja.statement();
    let taken = uploads(&world, &statement).await.unwrap();
    assert_eq!((taken.rows, taken.new_rows, taken.account.as_str()), (3, 3, "Utility Account"));
    assert_eq!(world.balance(&format!("escrow:{reference}")).await, "3000.00");
    // The same again; then a later one that overlaps it, twice at once.
    assert_eq!(uploads(&world, &statement).await.unwrap().new_rows, 0);
    let paid = payment(&world, "UKK91XQ8Z9", reference.as_str(), "2000.00");
    pays(&world, &paid, Delivery::Lost).await;
    let later = world.daraja.statement();
    let both = together(vec![uploads(&world, &later), uploads(&world, &later)]).await;
    let new: i32 = both.iter().map(|taken| taken.as_ref().unwrap().new_rows).sum();
    assert_eq!(new, 1, "of two at once, one is first");
    funded(&world, &reference, ("5000.00", 4)).await;
    // One amount altered: refused whole, with the line.
    let spoilt = statement.replacen("\"1,000.00\"", "\"1,100.00\"", 1);
    let refused = uploads(&world, &spoilt).await.unwrap_err();
    assert!(refused.starts_with("line ") && refused.contains("balance"), "{refused}");
    // And the sweep finds nothing that is not there.
    swept(&world).await;
    funded(&world, &reference, ("5000.00", 4)).await;
}

#[tokio::test]
async fn what_the_rail_took_back_is_owed_to_us() {
    let (world, employer, reference) = asking("off", "5000.00").await;
    pays(&world, &payment(&world, "UKK91XQ9Z1", reference.as_str(), "5000.00"), Delivery::Once).await;
    world.clock.advance(TimeDelta::seconds(1));
    pays(&world, &payment(&world, "UKK91XQ9Z2", "ESCROW_NOSUCH99", "700.00"), Delivery::Once).await;
    settle(&world).await;
    world.clock.advance(TimeDelta::hours(1));
    let credited = world.daraja.give_back("UKK91XQ9Z1").unwrap();
    world.daraja.give_back("UKK91XQ9Z2").unwrap();
    settle(&world).await;
    assert_eq!(world.balance("float:mpesa:600111").await, "5700.00", "nobody told us");
    for _ in 0..2 {
        uploads(&world, &world.daraja.statement()).await.unwrap();
        assert_eq!(world.balance("float:mpesa:600111").await, "0.00");
        assert_eq!(world.balance(&format!("receivable:{employer}")).await, "5000.00");
        assert_eq!(world.balance("suspense:mpesa:600111").await, "0.00", "nobody's money just left");
        assert_eq!(world.balance(&format!("escrow:{reference}")).await, "5000.00", "the escrow goes on");
    }
    assert!(is_shown(&world, "taken_back", &format!("under {credited}")).await);
    world.sound().await;
}

#[tokio::test]
async fn many_askers_share_one_token_and_a_dead_one_is_replaced_once() {
    let (world, _, reference) = asking("every", "50000.00").await;
    for n in 0..8 {
        let paid = payment(&world, &format!("UKK92XQ1Z{n}"), reference.as_str(), "1000.00");
        world.daraja.paid(&paid);
        world.hear(&world.app, &paid).await.unwrap();
    }
    while worker::judge::next(&world.app).await.unwrap() {}
    let others: Vec<Arc<App>> = (0..4).map(|_| world.restarted(None)).collect();
    let say = |app: Arc<App>| async move { while worker::say::next(&app).await.unwrap() {} };
    together(others.into_iter().map(say).collect()).await;
    assert_eq!(world.daraja.tokens(), 1, "four processes, one token");
    // Somebody outside fetched one of their own: ours is dead.
    settle(&world).await;
    world.daraja.kill_token();
    let paid = payment(&world, "UKK92XQ1Z9", reference.as_str(), "1000.00");
    world.daraja.paid(&paid);
    world.hear(&world.app, &paid).await.unwrap();
    settle(&world).await;
    assert_eq!(world.daraja.tokens(), 2);
    assert_eq!(world.balance(&format!("escrow:{reference}")).await, "9000.00");
    world.sound().await;
}

#[tokio::test]
async fn what_was_taken_back_is_not_sent_back_too() {
    let (world, employer, reference) = asking("off", "5000.00").await;
    world.capital().await;
    for (n, amount) in ["3000.00", "1000.00"].into_iter().enumerate() {
        let paid = payment(&world, &format!("UKK93XQ9Z{n}"), reference.as_str(), amount);
        pays(&world, &paid, Delivery::Once).await;
        world.clock.advance(TimeDelta::seconds(1));
    }
    settle(&world).await;
    world.daraja.give_back("UKK93XQ9Z0").unwrap();
    uploads(&world, &world.daraja.statement()).await.unwrap();
    let mut tx = world.app.db.begin().await.unwrap();
    entrust::cancel_unfunded(&mut tx, &world.app, &reference).await.unwrap();
    tx.commit().await.unwrap();
    for _ in 0..12 {
        settle(&world).await;
        world.rail.quiet().await;
        world.clock.advance(TimeDelta::seconds(400));
    }
    let sent: Vec<String> = world.rail.payouts().iter().map(|paid| paid.money.decimal()).collect();
    assert_eq!(sent, ["1000.00"], "the other deposit only");
    assert_eq!(world.balance(&format!("employer:{employer}")).await, "3000.00");
    assert_eq!(world.balance(&format!("receivable:{employer}")).await, "3000.00");
    let now = world.clock.now();
    let when = reports::When { from: now, as_of: now, known_at: now };
    let ask = Ask { when, account: None, after: None, limit: 100 };
    let tied = reports::make(&world.app, Name::TieOut, &ask).await.unwrap();
    assert_eq!(tied.agrees, Some(true), "{:?}", tied.rows);
    let owed = reports::make(&world.app, Name::ReceivablesAgeing, &ask).await.unwrap();
    let ages: Vec<i128> = owed.totals.iter().map(|total| total.2).collect();
    assert_eq!(ages, [300_000, 300_000, 0, 0, 0, 0], "{owed:?}");
    world.sound().await;
}
