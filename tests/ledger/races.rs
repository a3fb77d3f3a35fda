//! Many at once, and a connection that dies: what is counted is counted once.

use std::sync::Arc;

use amana_ledger::balance;
use amana_ledger::chart::Account;
use amana_ledger::journal;
use amana_ledger::rules;
use tokio::task::JoinSet;

use crate::ground::{Ground, kes, party, paybill, rail};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_want_the_last_money_one_gets_it() {
    let ground = Arc::new(Ground::new().await);
    let employee = party(10);
    ground.land(rules::capital_in(ground.intent(), Account::FloatRail(rail()), kes(1_000))).await;
    let (reference, paybill) = (ground.escrow(), paybill());
    let booked =
        rules::collection_booked(ground.intent(), &paybill, Some((reference.clone(), kes(100))), None);
    ground.land(booked).await;
    ground.land(rules::released(ground.intent(), reference, employee, kes(100), None)).await;
    let mut racers = JoinSet::new();
    for _ in 0..20 {
        let ground = ground.clone();
        racers.spawn(async move {
            ground.one(rules::payout_hold(ground.intent(), employee, &rail(), kes(60))).await.is_ok()
        });
    }
    let won = racers.join_all().await.into_iter().filter(|won| *won).count();
    assert_eq!(won, 1);
    ground.audited().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hot_account_counts_everything_once() {
    let ground = Arc::new(Ground::new().await);
    let mut posters = JoinSet::new();
    for _ in 0..12 {
        let ground = ground.clone();
        posters.spawn(async move {
            for _ in 0..20 {
                ground.land(rules::capital_in(ground.intent(), Account::FloatRail(rail()), kes(1))).await;
            }
        });
    }
    posters.join_all().await;
    let mut conn = ground.db.app.acquire().await.unwrap();
    let float = balance::balance(&mut conn, &ground.book, &Account::FloatRail(rail())).await.unwrap();
    assert_eq!(float.posted(), 240);
    ground.audited().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_times_the_same_is_once() {
    let ground = Arc::new(Ground::new().await);
    let mut posters = JoinSet::new();
    for _ in 0..50 {
        let ground = ground.clone();
        posters.spawn(async move {
            let intent = ground.keyed("mpesa:600111:RKTQDM7W6S");
            ground.one(rules::collection_suspended(intent, &paybill(), kes(5_000))).await.unwrap()
        });
    }
    let answers = posters.join_all().await;
    assert_eq!(answers.iter().filter(|posted| posted.is_new()).count(), 1);
    assert!(answers.iter().all(|posted| posted.receipt() == answers[0].receipt()));
    ground.audited().await;
}

/// The connection dies between the posting and the commit; whoever asks again gets it once.
#[tokio::test]
async fn a_crash_before_commit_leaves_nothing() {
    let ground = Ground::new().await;
    let transfer = rules::capital_in(ground.intent(), Account::FloatRail(rail()), kes(5));
    for round in 0..3 {
        let mut tx = ground.db.app.begin().await.unwrap();
        let posted = journal::post_one(&mut tx, &ground.clock, &transfer).await.unwrap().unwrap();
        assert!(posted.is_new() && posted.receipt().batch == 1, "round {round}");
        let kill = "select pg_terminate_backend($1)";
        let pid: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut *tx).await.unwrap();
        sqlx::query(kill).bind(pid).execute(&ground.db.owner).await.unwrap();
        assert!(tx.commit().await.is_err());
    }
    assert!(ground.one(transfer.clone()).await.unwrap().is_new());
    assert!(!ground.one(transfer).await.unwrap().is_new());
    ground.audited().await;
}
