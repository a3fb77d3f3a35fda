//! A checkpoint goes onto the chain and comes back into the books; a past that was written anew does not.

use amana_adapters::stellar::ChainOp;
use amana_adapters::stellar::anchor::{Claim, Flaw, witness};
use amana_gateway::events::Actor;
use amana_gateway::flows::float;
use amana_gateway::recon::close;
use amana_gateway::roles::verify::{Chain, witnessed};
use amana_gateway::worker;
use amana_ledger::id::Clock;
use amana_ledger::seal::{self, Anchor};
use amana_localnet::STANDALONE_PASSPHRASE;
use amana_tests::story::kes;
use amana_tests::world::World;
use chrono::TimeDelta;

use crate::strangers::on_chain;

/// The anchors in the books, newest first.
async fn anchors(world: &World) -> Vec<Anchor> {
    let mut tx = world.app.db.begin().await.unwrap();
    seal::anchors(&mut tx, &world.app.config.book, None, 100).await.unwrap()
}

async fn count(world: &World, of: &str) -> i64 {
    let sql = format!("select count(*) from {of}");
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&world.database.owner).await.unwrap()
}

/// Something is posted, the book is sealed, and the worker does what follows.
async fn post(world: &World, key: &str) {
    let mut tx = world.app.db.begin().await.unwrap();
    let account = float::named(&world.app, "intersend").unwrap();
    float::capital_in(&mut tx, &world.app, Actor::Worker, (account, kes("100.00")), key).await.unwrap();
    tx.commit().await.unwrap();
    assert!(worker::seal::checkpoint(&world.app).await.unwrap());
    world.settle().await;
}

#[tokio::test]
async fn a_checkpoint_goes_onto_the_chain_and_its_proof_comes_back() {
    let world = World::new().await;
    post(&world, "first").await;
    let found = anchors(&world).await;
    let [anchor] = found.as_slice() else { panic!("{found:?}") };
    let network = world.app.chain.network();
    let contract = network.anchor.clone().unwrap();
    let book = world.app.config.book.as_str();
    let there = world.app.chain.latest_anchor(book).await.unwrap().unwrap();
    assert_eq!((u64::try_from(there.size).unwrap(), there.root), (anchor.size, anchor.root.0));
    assert_eq!((u64::from(there.ledger), there.timestamp), (anchor.ledger, anchor.at.timestamp()));
    let operator = world.app.config.stellar.operator.address();
    let claim = Claim {
        passphrase: STANDALONE_PASSPHRASE,
        contract: &contract,
        operator: &operator,
        tx_hash: &anchor.tx_hash,
        book,
        size: there.size,
        root: &there.root,
    };
    assert_eq!(witness(anchor.envelope.as_deref().unwrap(), &claim), Ok(()));

    // A bundle carries it to a stranger, who knows operator and contract from elsewhere.
    let mut tx = world.app.db.begin().await.unwrap();
    let mut file = Vec::new();
    seal::bundle(&mut tx, world.app.signer.as_ref().unwrap(), (1, None), &mut file).await.unwrap();
    let verified = amana_ledger::verify::verify(file.as_slice(), None).unwrap();
    let network = STANDALONE_PASSPHRASE.to_owned();
    let mut chain = Chain { operator: Some(operator), contract: Some(contract), network };
    assert_eq!(witnessed(&verified, &chain), Ok(true));
    chain.operator = Some(world.app.config.stellar.delegate.address());
    assert_eq!(witnessed(&verified, &chain), Err(Flaw::Unauthorised("another address did")));
    chain.operator = None;
    assert_eq!(witnessed(&verified, &chain), Ok(false));
}

#[tokio::test]
async fn the_newest_checkpoint_goes_every_quarter_of_an_hour_if_there_is_one() {
    let world = World::new().await;
    post(&world, "first").await;
    assert_eq!(anchors(&world).await.len(), 1);
    world.wait(TimeDelta::minutes(10)).await;
    post(&world, "second").await;
    assert_eq!(anchors(&world).await.len(), 1, "not every checkpoint goes");
    world.wait(TimeDelta::minutes(5)).await;
    assert_eq!(anchors(&world).await.len(), 2);
    world.wait(TimeDelta::minutes(20)).await;
    let two = anchors(&world).await;
    assert_eq!(two.len(), 2, "a book that stands still is not anchored again");
    assert!(two[0].size > two[1].size);
    assert_eq!(count(&world, "chain.intent where book is not null and status = 'done'").await, 2);
}

#[tokio::test]
async fn the_close_of_a_period_is_sealed_and_anchored_at_once() {
    let world = World::new().await;
    post(&world, "first").await;
    world.clock.advance(TimeDelta::minutes(1));
    let mut tx = world.app.db.begin().await.unwrap();
    let before = world.clock.now() - TimeDelta::days(1);
    let closed = close::close(&mut tx, &world.app, Actor::Worker, before, (&[], None)).await.unwrap();
    assert!(closed);
    tx.commit().await.unwrap();
    assert!(worker::seal::checkpoint(&world.app).await.unwrap(), "though none is due");
    world.settle().await;
    let two = anchors(&world).await;
    assert_eq!(two.len(), 2, "though none is due");
    let mut tx = world.app.db.begin().await.unwrap();
    assert_eq!(seal::unanchored(&mut tx, &world.app.config.book).await.unwrap(), None);
    assert!(!worker::seal::checkpoint(&world.app).await.unwrap());
    assert!(!worker::anchor::next(&world.app).await.unwrap());
}

/// A gateway that died after the network took it finds it done; one that sends it again does nothing.
#[tokio::test]
async fn an_answer_that_was_lost_is_found_and_nothing_is_written_twice() {
    let world = World::new().await;
    post(&world, "first").await;
    let before = anchors(&world).await;
    let forget = "update chain.attempt set status = 'dead' where intent in
                  (select id from chain.intent where book is not null)";
    sqlx::query(forget).execute(&world.database.owner).await.unwrap();
    let forget = "update chain.intent set status = 'open', done_at = null where book is not null";
    sqlx::query(forget).execute(&world.database.owner).await.unwrap();
    world.settle().await;
    assert_eq!(
        count(&world, "chain.attempt a join chain.intent i on i.id = a.intent and book is not null").await,
        2
    );
    assert_eq!(anchors(&world).await, before);
    assert_eq!(count(&world, "chain.event where kind = 'anchored'").await, 1);
}

/// A database put back to an older day, or a thief with the key: the chain has what we do not, and says no.
#[tokio::test]
async fn a_checkpoint_that_is_none_of_ours_is_shown_and_ours_are_refused_after_it() {
    let world = World::new().await;
    post(&world, "first").await;
    let book = world.app.config.book.to_string();
    on_chain(&world, ChainOp::Anchor { book, size: 1_000, root: [9; 32] }).await;
    world.settle().await;
    assert_eq!(anchors(&world).await.len(), 1, "it is not taken into the books");
    assert_eq!(count(&world, "chain.event where kind = 'anchored' and refused is not null").await, 1);
    world.clock.advance(TimeDelta::minutes(20));
    post(&world, "second").await;
    assert_eq!(count(&world, "chain.intent where status = 'refused' and reason like 'NotGrown%'").await, 1);
    assert_eq!(count(&world, "event.event where name = 'chain.refused' and subject like 'book/%'").await, 1);
}
