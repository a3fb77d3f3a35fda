//! What the chain does is heard once, or read once from its entries; and where ledger and chain differ, a
//! pass says so by name.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use amana_adapters::http::{Client, Limits};
use amana_adapters::stellar::{ChainOp, DAY};
use amana_gateway::config::Site;
use amana_gateway::db::{Db, Turnstile};
use amana_gateway::flows::escrow::Status;
use amana_gateway::flows::{chain, index};
use amana_gateway::people::Role;
use amana_gateway::recon::{self, Break};
use amana_gateway::roles::audit;
use amana_gateway::worker::{judge, keep};
use amana_ledger::chart::BookId;
use amana_ledger::id::{EscrowRef, IdempotencyKey, TransferId};
use amana_ledger::rules::{Intent, mint_final};
use amana_ledger::{journal, rules};
use amana_tests::story::{kes, payment};
use amana_tests::world::World;
use chrono::TimeDelta;

use crate::strangers::on_chain;

async fn run(world: &World, sql: &'static str) {
    sqlx::query(sql).execute(&world.database.owner).await.unwrap();
}

async fn count(world: &World, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&world.database.owner).await.unwrap()
}

/// An escrow, created and empty.
async fn created(world: &World, amount: &str) -> EscrowRef {
    let employer = world.person(Role::Employer, "0733345126").await;
    let reference = world.open(&world.app, employer, amount).await.unwrap();
    world.settle().await;
    reference
}

/// One that is funded.
async fn funded(world: &World) -> EscrowRef {
    let reference = created(world, "500.00").await;
    world.hear(&world.app, &payment(world, "UKK81XQ4Z1", reference.as_str(), "500.00")).await.unwrap();
    world.settle().await;
    reference
}

/// What one pass finds, by name and subject.
async fn found(world: &World) -> Vec<(String, String)> {
    let pass = recon::pass(&world.app).await.unwrap().expect("the index comes along");
    pass.open.into_iter().map(|open| (open.kind.to_owned(), open.subject)).collect()
}

async fn breaks(world: &World, all: bool) -> Vec<Break> {
    let mut tx = world.app.db.begin().await.unwrap();
    recon::breaks(&mut tx, &world.app, None, (all, 50)).await.unwrap()
}

fn named(kind: &str, subject: impl ToString) -> (String, String) {
    (kind.to_owned(), subject.to_string())
}

/// Carries wishes to the chain and reads nothing of what it says.
async fn unheard(world: &World) {
    while judge::next(&world.app).await.unwrap() || chain::step(&world.app).await.unwrap() {}
}

#[tokio::test]
async fn a_mint_without_a_posting_is_found_in_one_pass() {
    let world = World::new().await;
    let reference = created(&world, "500.00").await;
    assert_eq!(found(&world).await, []);
    // Somebody with the operator's key mints a deposit that never was.
    let forged = ChainOp::Fund { key: reference.key(), deposit_id: [9; 32], amount: kes("120.00").amount };
    let hash = on_chain(&world, forged).await;
    assert_eq!(
        found(&world).await,
        [named("mint_without_posting", &reference), named("mint_without_posting", &hash)]
    );
    let open = breaks(&world, false).await;
    let of_mint = open.iter().find(|open| open.subject == hash).unwrap();
    assert_eq!(of_mint.ledger, "no posting");
    assert!(of_mint.chain.starts_with("KES 120.00 minted for C"), "{}", of_mint.chain);
    let of_escrow = open.iter().find(|open| open.subject == reference.as_str()).unwrap();
    assert!(of_escrow.ledger.starts_with("open, funded 0.00"), "{}", of_escrow.ledger);
    assert!(of_escrow.chain.starts_with("open, funded 120.00"), "{}", of_escrow.chain);
    // The same again is the same breaks.
    found(&world).await;
    assert_eq!(breaks(&world, true).await.len(), 2);
    assert_eq!(count(&world, "select count(*) from event.event where name = 'break.found'").await, 2);
}

#[tokio::test]
async fn a_posting_without_a_mint_is_found_in_one_pass() {
    let world = World::new().await;
    let reference = created(&world, "500.00").await;
    world.hear(&world.app, &payment(&world, "UKK81XQ4Z1", reference.as_str(), "500.00")).await.unwrap();
    while judge::next(&world.app).await.unwrap() {}
    assert_eq!(found(&world).await, [], "what is on its way is no difference");
    // The ledger says that it arrived, and nobody minted.
    let book = BookId::parse("kenya:KES").unwrap();
    let key = IdempotencyKey::parse("planted").unwrap();
    let id = TransferId::mint(&*world.app.clock, &*world.app.rng);
    let planted = mint_final(Intent::new(id, &book, key), kes("200.00"));
    let mut tx = world.app.db.begin().await.unwrap();
    let _ = journal::post_one(&mut tx, &*world.app.clock, &planted).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    assert_eq!(
        found(&world).await,
        [named("posting_without_mint", "onchain:supply"), named("clearing_differs", "clearing:mint")]
    );
    let open = breaks(&world, false).await;
    let supply = open.iter().find(|open| open.kind == "posting_without_mint").unwrap();
    assert_eq!(supply.ledger, "KES 200.00");
    assert_eq!(supply.chain, "KES 0.00 by the events that were posted");
    // Turned round, and both are healed by the next pass.
    let key = IdempotencyKey::parse("turned").unwrap();
    let back = TransferId::mint(&*world.app.clock, &*world.app.rng);
    let reversal = rules::reversal(Intent::new(back, &book, key), id);
    let mut tx = world.app.db.begin().await.unwrap();
    let _ = journal::post_one(&mut tx, &*world.app.clock, &reversal).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    world.clock.advance(TimeDelta::seconds(1));
    assert_eq!(found(&world).await, []);
    assert!(breaks(&world, false).await.is_empty());
    let healed = breaks(&world, true).await;
    assert!(healed.len() == 2 && healed.iter().all(|one| one.healed_at.is_some()), "{healed:?}");
    assert_eq!(count(&world, "select count(*) from event.event where name = 'break.healed'").await, 2);
    world.settle().await;
    assert_eq!(found(&world).await, []);
    world.sound().await;
}

#[tokio::test]
async fn a_state_changed_behind_the_ledgers_back_is_found_in_one_pass() {
    let world = World::new().await;
    let reference = funded(&world).await;
    let key = reference.key();
    on_chain(&world, ChainOp::Assign { key, payee: [5; 32], to: None }).await;
    assert_eq!(found(&world).await, [], "heard, and nothing follows from it");
    on_chain(&world, ChainOp::Release { key, milestone: 0, to_payee: 50_000, fee: 0 }).await;
    assert_eq!(found(&world).await, [named("escrow_state_differs", &reference)]);
    let open = breaks(&world, false).await.remove(0);
    assert!(open.ledger.starts_with("funded,") && open.chain.starts_with("released,"), "{open:?}");
}

#[tokio::test]
async fn rows_that_were_tampered_with_are_found_and_healed_when_restored() {
    let world = World::new().await;
    let reference = funded(&world).await;
    assert_eq!(found(&world).await, []);
    run(&world, "update chain.event set refused = 'x' where kind = 'funded'").await;
    assert_eq!(found(&world).await, [named("mint_without_posting", &reference)]);
    run(&world, "update chain.event set refused = null").await;
    world.clock.advance(TimeDelta::seconds(1));
    assert_eq!(found(&world).await, []);
    // The event that a posting stands on is taken away: the posting, the escrow and the token stand alone.
    run(&world, "create table kept as select * from chain.event where kind = 'funded'").await;
    run(&world, "delete from chain.event where kind = 'funded'").await;
    let kinds: Vec<String> = found(&world).await.into_iter().map(|(kind, _)| kind).collect();
    for kind in ["mint_without_posting", "posting_without_mint", "clearing_differs"] {
        assert!(kinds.iter().any(|found| found == kind), "{kind} in {kinds:?}");
    }
    run(&world, "insert into chain.event select * from kept").await;
    world.clock.advance(TimeDelta::seconds(1));
    assert_eq!(found(&world).await, []);
    // A stranger's burn, which no posting of ours can stand for.
    run(
        &world,
        "insert into chain.event (tx_hash, no, ledger, closed_at, kind, amount, effect)
         values ('ab', 0, 3, now(), 'token_burn', 700, '{\"effect\": \"token_burn\", \"from\": \"G1\"}')",
    )
    .await;
    assert_eq!(found(&world).await, [named("burned_outside", "ab")]);
    run(&world, "delete from chain.event where tx_hash = 'ab'").await;
    world.clock.advance(TimeDelta::seconds(1));
    assert_eq!(found(&world).await, []);
    world.sound().await;
}

#[tokio::test]
async fn what_the_network_forgot_before_we_heard_it_is_read_from_the_entries() {
    let world = World::new().await;
    let reference = created(&world, "500.00").await;
    world.hear(&world.app, &payment(&world, "UKK81XQ4Z1", reference.as_str(), "500.00")).await.unwrap();
    unheard(&world).await;
    assert_eq!(world.state(&reference).await.status(), Status::PendingDeposit, "nobody has heard of it");
    // Six days later the payee is named, and two days after that the network has forgotten the mint alone.
    world.clock.advance(TimeDelta::days(6));
    on_chain(&world, ChainOp::Assign { key: reference.key(), payee: [5; 32], to: None }).await;
    world.clock.advance(TimeDelta::days(2));
    let newest = world.app.chain.latest_ledger().await.unwrap();
    assert!(index::catch_up(&world.app, newest).await.unwrap());
    assert_eq!(world.state(&reference).await.status(), Status::Funded, "its effect is known");
    for (kind, times) in [("funded", 1), ("assigned", 2), ("token_mint", 1)] {
        let rows = sqlx::query_scalar::<_, i64>("select count(*) from chain.event where kind = $1");
        assert_eq!(rows.bind(kind).fetch_one(&world.database.owner).await.unwrap(), times, "{kind}");
    }
    let contained = "select count(*) from chain.event where contained and kind = 'assigned'";
    assert_eq!(count(&world, contained).await, 1, "heard later, kept, not followed again");
    assert_eq!(count(&world, "select count(*) from event.event where name = 'chain.gap'").await, 1);
    assert_eq!(world.balance("onchain:supply").await, "500.00");
    assert_eq!(found(&world).await, []);
    world.sound().await;
}

#[tokio::test]
async fn a_gap_in_which_nothing_happened_changes_nothing() {
    let world = World::new().await;
    let reference = funded(&world).await;
    world.clock.advance(TimeDelta::days(30));
    world.settle().await;
    assert_eq!(count(&world, "select count(*) from event.event where name = 'chain.gap'").await, 1);
    assert_eq!(count(&world, "select count(*) from chain.rebuilt").await, 0);
    assert_eq!(world.state(&reference).await.status(), Status::Funded);
    assert_eq!(found(&world).await, []);
    world.sound().await;
}

#[tokio::test]
async fn what_is_open_is_kept_alive_and_so_is_what_it_stands_on() {
    let world = World::new().await;
    let reference = funded(&world).await;
    let observer = world.app.chain.observer();
    let mut prolonged = 0;
    // Beyond the longest life that the network gives an entry at once.
    for _ in 0..9 {
        let pass = recon::pass(&world.app).await.unwrap().unwrap();
        prolonged += keep::alive(&world.app, &pass).await.unwrap();
        world.settle().await;
        let (ledger, entries) = observer.escrows(&[reference.key()]).await.unwrap();
        let least = ledger + 29 * DAY;
        assert!(entries[0].unwrap().live_until > least, "the escrow");
        for pillar in observer.pillars().await.unwrap().1 {
            assert!(pillar.entry.unwrap().live_until > least, "{}", pillar.name);
        }
        let again = recon::pass(&world.app).await.unwrap().unwrap();
        assert_eq!(keep::alive(&world.app, &again).await.unwrap(), 0, "once");
        world.clock.advance(TimeDelta::days(25));
        let newest = world.app.chain.latest_ledger().await.unwrap();
        assert!(index::catch_up(&world.app, newest).await.unwrap());
    }
    assert!(prolonged > 5, "{prolonged}");
    assert_eq!(world.state(&reference).await.status(), Status::Funded);
    world.sound().await;
}

#[tokio::test]
async fn an_auditor_who_may_only_read_sees_every_escrow_on_both_sides() {
    let world = World::new().await;
    let reference = funded(&world).await;
    let site = Site {
        book: world.app.config.book.clone(),
        passphrase: world.app.chain.network().passphrase.clone(),
        contract: world.deployed.contract.clone(),
        token: world.deployed.token.clone(),
        anchor: world.app.chain.network().anchor.clone(),
    };
    let reader = Db::from_pool(world.database.pool_as("amana_reader"));
    let http = || Client::new(Limits::default(), world.dice.clone()).unwrap();
    let look = async || {
        let books = recon::audit::read(&reader, &site).await.unwrap();
        // As a file would carry it.
        let books = serde_json::from_str(&serde_json::to_string(&books).unwrap()).unwrap();
        audit::report(books, world.chain.url(), http()).await.unwrap()
    };
    let report = look().await;
    let text = audit::table(&report);
    assert!(report.is_clean(), "{text}");
    assert_eq!((report.agree, report.differ, report.moved), (1, 0, 0));
    let line = &report.escrows[0];
    assert_eq!((line.escrow.as_str(), line.state.as_str()), (reference.as_str(), "funded"));
    assert_eq!((line.ledger.as_str(), line.chain.as_str()), ("500.00", "500.00"));
    assert_eq!(
        line.transactions.iter().map(|it| it.kind.as_str()).collect::<Vec<_>>(),
        ["created", "funded"]
    );
    assert_eq!(line.transfers.len(), 2, "booked, and minted: {:?}", line.transfers);
    assert!(report.code.len() == 2 && report.code.iter().all(|code| code.same), "{:?}", report.code);
    assert_eq!(report.supply, ["500.00", "500.00", "500.00"]);
    assert!(text.ends_with("nothing differs"), "{text}");

    // Changed on the chain since our books were read: neither agreement nor difference.
    let stale = recon::audit::read(&reader, &site).await.unwrap();
    world.clock.advance(TimeDelta::seconds(60));
    on_chain(&world, ChainOp::Assign { key: reference.key(), payee: [5; 32], to: None }).await;
    let (amount, terms) = (kes("9.00").amount, Default::default());
    let other = ChainOp::Create { key: [8; 32], amount, expiry: 1_900_000_000, terms };
    on_chain(&world, other).await;
    assert!(audit::report(stale, world.chain.url(), http()).await.unwrap().is_clean());
    world.settle().await;

    // A row that was tampered with is a difference that names both sides, and so is another code.
    run(&world, "update chain.event set refused = 'x' where kind = 'funded'").await;
    let report = look().await;
    let text = audit::table(&report);
    assert!(!report.is_clean() && report.differ == 1, "{text}");
    assert!(text.contains("mint_without_posting: our books say open, funded 0.00"), "{text}");
    assert!(text.ends_with("LEDGER AND CHAIN DIFFER"), "{text}");
}

/// A process of its own whose transactions wait at a turnstile.
fn waiting(world: &World) -> (Arc<amana_gateway::app::App>, Arc<Turnstile>) {
    let turnstile = Arc::new(Turnstile::default());
    let db = Db::from_pool(world.database.app.clone()).behind(turnstile.clone());
    (world.on(db), turnstile)
}

/// Lets it go on to its next transaction; what it came to, if that was the last.
async fn go_on<T>(mut work: std::pin::Pin<&mut impl Future<Output = T>>, turnstile: &Turnstile) -> Option<T> {
    turnstile.let_through();
    std::future::poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if turnstile.is_waited_at() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}

#[tokio::test]
async fn who_is_overtaken_has_not_come_through_before_the_other_has() {
    let world = World::new().await;
    let reference = created(&world, "500.00").await;
    world.hear(&world.app, &payment(&world, "UKK81XQ4Z1", reference.as_str(), "500.00")).await.unwrap();
    unheard(&world).await;
    let newest = world.app.chain.latest_ledger().await.unwrap();
    // Ledgers close meanwhile: the page that is read next reaches beyond the one that is wanted.
    world.clock.advance(TimeDelta::seconds(60));
    let ((one, first), (other, second)) = (waiting(&world), waiting(&world));
    let mut catching_up = pin!(index::catch_up(&one, newest));
    let mut reading = pin!(index::read_page(&other));
    // One has read the page with both events; another is faster, and stops between the two.
    assert!(go_on(catching_up.as_mut(), &first).await.is_none());
    for _ in 0..2 {
        assert!(go_on(reading.as_mut(), &second).await.is_none());
    }
    let came = loop {
        if let Some(came) = go_on(catching_up.as_mut(), &first).await {
            break came.unwrap();
        }
    };
    assert!(came);
    assert_eq!(world.state(&reference).await.status(), Status::Funded, "all of it is applied");
    assert_eq!(count(&world, "select count(*) from chain.event where kind = 'token_mint'").await, 1);
    world.sound().await;
}
