//! One row that does not fit stops nobody else: a channel of yesterday, a text to somebody forgotten, a
//! stranger on the chain, a rail that speaks before it is spoken to.

use amana_adapters::port::{Outcome, PayoutState, PayoutStatus};
use amana_adapters::stellar::{ChainOp, Keypair};
use amana_gateway::app::App;
use amana_gateway::db::Db;
use amana_gateway::events::Actor;
use amana_gateway::flows::escrow::Status;
use amana_gateway::flows::{chain, float, index, pay};
use amana_gateway::people::{self, Role};
use amana_gateway::worker::{self, judge};
use amana_gateway::{outbox, recon};
use amana_ledger::id::{EscrowRef, PartyId};
use amana_tests::story::{kes, payment};
use amana_tests::world::World;
use chrono::{DateTime, TimeDelta, Utc};

const EMPLOYEE: &str = "0722345126";

async fn employer(world: &World) -> PartyId {
    world.person(Role::Employer, "0733345126").await
}

/// A funded job with an employee on it.
async fn working(world: &World, amount: &str) -> (PartyId, EscrowRef) {
    let employer = employer(world).await;
    let employee = world.person(Role::Employee, EMPLOYEE).await;
    let reference = world.open(&world.app, employer, amount).await.unwrap();
    world.hear(&world.app, &payment(world, "UKK81XQ4Z1", reference.as_str(), amount)).await.unwrap();
    world.settle().await;
    world.assign(&world.app, &reference, employee).await.unwrap();
    world.settle().await;
    (employee, reference)
}

async fn run(world: &World, sql: &'static str) {
    sqlx::query(sql).execute(&world.database.owner).await.unwrap();
}

async fn failures(world: &World) -> Vec<recon::Failure> {
    let mut tx = world.app.db.begin().await.unwrap();
    recon::failures(&mut tx, &world.app, DateTime::<Utc>::MAX_UTC, 50).await.unwrap()
}

/// The same gateway with another secret for the operator.
fn with_operator(world: &World, operator: Keypair) -> App {
    let mut config = world.app.config.clone();
    config.stellar.operator = operator;
    let db = Db::from_pool(world.database.app.clone());
    App::wire(config, db, world.clock.clone(), world.dice.clone()).unwrap()
}

/// Somebody calls the contract, and not through the flows. Gives the transaction's hash.
pub(crate) async fn on_chain(world: &World, op: ChainOp) -> String {
    let channel = &world.app.channels[0];
    let sequence = world.app.chain.sequence(&channel.address()).await.unwrap().unwrap();
    let Outcome::Done(built) = world.app.chain.build(&op, channel, sequence + 1).await else {
        panic!("it builds");
    };
    world.app.chain.send(&built.envelope_xdr).await;
    built.hash
}

#[tokio::test]
async fn anybody_may_have_an_expired_escrow_refunded_and_the_books_follow() {
    let world = World::new().await;
    world.capital().await;
    let (employee, reference) = working(&world, "500.00").await;
    // In steps: the network forgets its events after a week, and shows ten thousand ledgers a page.
    for _ in 0..31 {
        world.clock.advance(TimeDelta::days(6));
        for _ in 0..11 {
            index::read_page(&world.app).await.unwrap();
        }
    }
    on_chain(&world, ChainOp::Refund { key: reference.key() }).await;
    // The employer says "done" before the index has read it: that release comes to nothing.
    world.complete(&world.app, &reference).await.unwrap();
    world.settle().await;
    world.wait(TimeDelta::seconds(100)).await;
    assert_eq!(world.state(&reference).await.status(), Status::Refunded);
    assert_eq!(world.balance(&format!("escrow:{reference}")).await, "0.00");
    assert_eq!(world.balance(&format!("employee:{employee}")).await, "0.00");
    assert_eq!(world.balance("onchain:supply").await, "0.00", "the vault is burned");
    let paid: Vec<String> = world.rail.payouts().iter().map(|paid| paid.money.decimal()).collect();
    assert_eq!(paid, ["500.00"], "back to who had paid it");
    assert!(failures(&world).await.iter().any(|failure| failure.what.starts_with("release")));
    world.sound().await;
}

#[tokio::test]
async fn a_channel_taken_out_of_the_configuration_holds_nobody_up() {
    let world = World::new().await;
    run(&world, "insert into chain.channel (address) values ('GAAAAAAAAAAAAAAAAAAAAAAA')").await;
    let employer = employer(&world).await;
    let reference = world.open(&world.app, employer, "100.00").await.unwrap();
    world.settle().await;
    assert_eq!(world.chain_events(&reference, "created").await, 1);
}

#[tokio::test]
async fn what_was_done_on_chain_behind_our_back_stops_nobody_else() {
    let world = World::new().await;
    let employer = employer(&world).await;
    let ours = world.open(&world.app, employer, "100.00").await.unwrap();
    let other = world.open(&world.app, employer, "200.00").await.unwrap();
    world.hear(&world.app, &payment(&world, "UKK81XQ4Z1", ours.as_str(), "100.00")).await.unwrap();
    world.settle().await;
    // The delegate's key names a payee we know nothing of, and releases.
    let key = ours.key();
    on_chain(&world, ChainOp::Assign { key, payee: [5; 32], to: None }).await;
    world.settle().await;
    let hash = on_chain(&world, ChainOp::Release { key, milestone: 0, to_payee: 10_000, fee: 0 }).await;
    world.hear(&world.app, &payment(&world, "UKK81XQ4Z2", other.as_str(), "200.00")).await.unwrap();
    world.settle().await;
    assert_eq!(world.state(&other).await.status(), Status::Funded);
    assert_eq!(world.state(&ours).await.status(), Status::Funded, "nothing is guessed");
    assert_eq!(world.chain_events(&ours, "released").await, 1, "it is kept");
    let listed = failures(&world).await;
    let shown = listed.iter().find(|failure| failure.what == "released").expect("ops see it");
    assert_eq!(shown.subject, hash);
    world.sound().await;
}

#[tokio::test]
async fn anybody_may_end_what_expired_unfunded_and_a_deposit_that_comes_too_late_goes_back() {
    let world = World::new().await;
    world.capital().await;
    let employer = employer(&world).await;
    let reference = world.open(&world.app, employer, "500.00").await.unwrap();
    let deposit = |receipt, amount| payment(&world, receipt, reference.as_str(), amount);
    world.hear(&world.app, &deposit("UKK81XQ4Z1", "200.00")).await.unwrap();
    world.settle().await;
    world.clock.advance(TimeDelta::days(181));
    world.settle().await;
    // Booked, and its mint wished for; before that is sent, a stranger ends the escrow.
    world.hear(&world.app, &deposit("UKK81XQ4Z2", "100.00")).await.unwrap();
    assert!(judge::next(&world.app).await.unwrap());
    on_chain(&world, ChainOp::Cancel { key: reference.key() }).await;
    // The index has a week to read, half a day a page.
    for _ in 0..20 {
        world.wait(TimeDelta::seconds(100)).await;
        world.rail.quiet().await;
    }
    assert_eq!(world.state(&reference).await.status(), Status::Cancelled);
    let mut back: Vec<String> = world.rail.payouts().iter().map(|paid| paid.money.decimal()).collect();
    back.sort();
    assert_eq!(back, ["100.00", "200.00"], "each payer has what they paid");
    for account in [format!("escrow:{reference}"), format!("employer:{employer}"), "onchain:supply".into()] {
        assert_eq!(world.balance(&account).await, "0.00", "{account}");
    }
    let pass = recon::pass(&world.app).await.unwrap().expect("the index comes along");
    assert_eq!(pass.open, []);
    world.sound().await;
}

#[tokio::test]
async fn a_text_to_somebody_forgotten_holds_nobody_up() {
    let world = World::new().await;
    let employer = employer(&world).await;
    let gone = world.person(Role::Employee, EMPLOYEE).await;
    let mut tx = world.app.db.begin().await.unwrap();
    outbox::sms_to_party(&mut tx, &world.app, gone, "hello").await.unwrap();
    people::forget(&mut tx, &world.app, Actor::Worker, gone).await.unwrap();
    outbox::sms_to_party(&mut tx, &world.app, employer, "hello").await.unwrap();
    tx.commit().await.unwrap();
    world.settle().await;
    assert_eq!(world.texts_to("0733345126"), ["hello"]);
    assert!(world.texts_to(EMPLOYEE).is_empty());
    assert!(failures(&world).await.iter().any(|failure| failure.kind == "message"));
}

#[tokio::test]
async fn a_payout_the_rail_has_spoken_about_is_not_sent() {
    let world = World::new().await;
    world.capital().await;
    let (employee, reference) = working(&world, "500.00").await;
    world.complete(&world.app, &reference).await.unwrap();
    // Everything but saying it: the instruction waits in the outbox.
    let app = &*world.app;
    while judge::next(app).await.unwrap()
        || chain::step(app).await.unwrap()
        || index::read_page(app).await.unwrap()
    {}
    let mut tx = app.db.begin().await.unwrap();
    let payout = pay::of_escrow(&mut tx, &reference).await.unwrap().remove(0);
    let status = PayoutStatus {
        reference: payout.terms.reference,
        provider_id: Some("INT1".into()),
        state: PayoutState::Completed,
        money: None,
        fee: None,
        reason: None,
    };
    pay::told(&mut tx, app, status).await.unwrap();
    tx.commit().await.unwrap();
    world.wait(TimeDelta::seconds(100)).await;
    assert!(world.rail.payouts().is_empty(), "sent after all");
    assert_eq!(world.balance(&format!("employee:{employee}")).await, "0.00");
    world.sound().await;
}

#[tokio::test]
async fn who_is_paid_how_is_settled_when_they_are_assigned() {
    let world = World::new().await;
    world.capital().await;
    let (employee, reference) = working(&world, "500.00").await;
    run(
        &world,
        "update people.person set payout_mode = 'stellar', stellar_account_id = 'G' where role = 'employee'",
    )
    .await;
    world.complete(&world.app, &reference).await.unwrap();
    world.settle().await;
    for _ in 0..4 {
        world.rail.quiet().await;
        world.wait(TimeDelta::seconds(100)).await;
    }
    assert_eq!(world.rail.payouts().len(), 1, "the vault's money goes to the phone it was promised to");
    assert_eq!(world.balance(&format!("employee:{employee}")).await, "0.00");
    world.sound().await;
}

#[tokio::test]
async fn a_wrong_key_is_told_at_the_start_and_loses_no_wish() {
    let world = World::new().await;
    worker::fits(&world.app).await.unwrap();
    let wrong = with_operator(&world, world.app.config.stellar.delegate.clone());
    let why = worker::fits(&wrong).await.unwrap_err().to_string();
    assert!(why.contains("operator"), "{why}");
    let employer = employer(&world).await;
    let reference = world.open(&world.app, employer, "100.00").await.unwrap();
    world.settle().await;
    world.hear(&world.app, &payment(&world, "UKK81XQ4Z3", reference.as_str(), "100.00")).await.unwrap();
    worker::run_until_idle(&wrong).await.unwrap();
    assert_eq!(world.state(&reference).await.status(), Status::PendingDeposit);
    world.wait(TimeDelta::seconds(300)).await;
    assert_eq!(world.state(&reference).await.status(), Status::Funded, "carried out with the right key");
    world.sound().await;
}

#[tokio::test]
async fn a_tariff_the_float_cannot_bear_waits_and_nobody_waits_for_it() {
    let world = World::new().await;
    let mut tx = world.app.db.begin().await.unwrap();
    let rail = float::named(&world.app, "intersend").unwrap();
    float::capital_in(&mut tx, &world.app, Actor::Worker, (rail, kes("500.00")), "tight").await.unwrap();
    tx.commit().await.unwrap();
    let (employee, reference) = working(&world, "500.00").await;
    world.complete(&world.app, &reference).await.unwrap();
    for _ in 0..4 {
        world.settle().await;
        world.rail.quiet().await;
        world.clock.advance(TimeDelta::seconds(100));
    }
    assert_eq!(world.balance(&format!("employee:{employee}")).await, "500.00", "paid, and not booked yet");
    world.capital().await;
    world.settle().await;
    world.wait(TimeDelta::seconds(100)).await;
    assert_eq!(world.balance(&format!("employee:{employee}")).await, "0.00");
    assert_eq!(world.rail.payouts().len(), 1);
    world.sound().await;
}

#[tokio::test]
async fn wishes_lie_still_while_every_channel_is_busy() {
    let world = World::new().await;
    let employer = employer(&world).await;
    let channels = world.app.channels.len();
    for _ in 0..=channels {
        world.open(&world.app, employer, "100.00").await.unwrap();
    }
    // The rail of wishes is full: each channel carries one envelope that was built and not sent.
    run(&world, "update chain.intent set due_at = due_at - interval '1 day'").await;
    for _ in 0..channels {
        assert!(chain::step(&world.app).await.unwrap());
        run(&world, "update chain.intent set due_at = due_at + interval '2 days' where tries > 0").await;
    }
    assert!(!chain::step(&world.app).await.unwrap(), "nothing can be done for the last one");
    let tries: Vec<i32> = sqlx::query_scalar("select tries from chain.intent order by tries")
        .fetch_all(&world.database.owner)
        .await
        .unwrap();
    assert_eq!((tries[0], tries.len()), (0, channels + 1));
    run(&world, "update chain.intent set due_at = created_at").await;
    world.settle().await;
    assert_eq!(world.app.chain.totals().await.unwrap().supply(), 0);
    let open: i64 = sqlx::query_scalar("select count(*) from chain.intent where status = 'open'")
        .fetch_one(&world.database.owner)
        .await
        .unwrap();
    assert_eq!(open, 0);
}

#[tokio::test]
async fn the_fee_is_what_was_told_when_the_escrow_was_opened() {
    let world = World::with(|environment| environment.set("AMANA_ESCROW_FEE_BPS", "100")).await;
    world.capital().await;
    let (employee, reference) = working(&world, "500.00").await;
    let mut config = world.app.config.clone();
    config.escrow_fee_bps = 1_000;
    let db = Db::from_pool(world.database.app.clone());
    let dearer = App::wire(config, db, world.clock.clone(), world.dice.clone()).unwrap();
    world.complete(&dearer, &reference).await.unwrap();
    world.settle().await;
    for _ in 0..4 {
        world.rail.quiet().await;
        world.wait(TimeDelta::seconds(100)).await;
    }
    assert_eq!(world.balance("income:fee").await, "5.00");
    assert_eq!(world.rail.payouts()[0].money.decimal(), "495.00");
    assert_eq!(world.balance(&format!("employee:{employee}")).await, "0.00");
    world.sound().await;
}
