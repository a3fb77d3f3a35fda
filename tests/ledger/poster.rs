//! The door for traffic: many callers, one owner a book, and what happens when there are two.

use std::sync::Arc;

use amana_ledger::balance;
use amana_ledger::chart::Account;
use amana_ledger::id::{IdempotencyKey, TransferId};
use amana_ledger::poster::{Attach, Nothing, Poster, Receipt};
use amana_ledger::rules::{self, Intent};
use amana_ledger::transfer::{Rejection, Transfer};
use amana_ledger::{Fault, journal};
use chrono::TimeDelta;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::ground::{Ground, Told, float, kes, paybill};

fn open<A: Attach>(ground: &Ground, attach: A) -> Poster<A> {
    let options = ground.db.app.connect_options();
    Poster::open(&options, Arc::new(Told::noon()), &ground.book, attach).0
}

fn capital(ground: &Ground) -> Transfer {
    rules::capital_in(ground.intent(), float(), kes(1))
}

#[tokio::test(flavor = "multi_thread")]
async fn many_callers_each_hear_their_own_answer() {
    let ground = Arc::new(Ground::new().await);
    let poster = open(&ground, Nothing);
    let mut callers = Vec::new();
    for caller in 0..64 {
        let (poster, ground) = (poster.clone(), ground.clone());
        callers.push(tokio::spawn(async move {
            let mut landed = Vec::new();
            for turn in 0..20 {
                let (transfer, amount) = (capital(&ground), caller * 20 + turn);
                // Every fourth is more than there is: refused, and nobody else hears of it.
                if amount % 4 == 3 {
                    let to = rules::float_move_out(ground.intent(), float(), kes(1_000_000));
                    let refused = poster.post(to).await.unwrap().unwrap_err();
                    assert!(matches!(refused, Rejection::Overdraft { .. }), "{refused}");
                }
                let receipt = poster.post(transfer.clone()).await.unwrap().unwrap();
                assert!(receipt.is_new());
                let again = poster.post(transfer).await.unwrap().unwrap();
                assert!(!again.is_new());
                assert_eq!(again.receipt(), receipt.receipt());
                landed.push(receipt.receipt().numbers.clone());
            }
            landed
        }));
    }
    let mut numbers: Vec<i64> = Vec::new();
    for caller in callers {
        numbers.extend(caller.await.unwrap().into_iter().flatten());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=64 * 20).collect::<Vec<i64>>());
    ground.audited().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_batches_follow_each_other_without_a_gap() {
    let ground = Arc::new(Ground::new().await);
    let poster = open(&ground, Nothing);
    let employers: Vec<_> = (0..300).map(|_| ground.employee()).collect();
    let mut batches = Vec::new();
    for _ in 0..8 {
        let batch: Vec<Transfer> = (0..1_500)
            .map(|at| {
                let owner = Some((employers[at % 300], kes(2)));
                rules::collection_booked(ground.intent(), &paybill(), None, owner)
            })
            .collect();
        let poster = poster.clone();
        batches.push(tokio::spawn(async move { poster.post_all(batch).await.unwrap() }));
    }
    for batch in batches {
        assert!(batch.await.unwrap().iter().all(|answer| answer.as_ref().unwrap().is_new()));
    }
    let mut conn = ground.db.app.acquire().await.unwrap();
    let hot = Account::FloatMpesa(paybill());
    assert_eq!(balance::balance(&mut conn, &ground.book, &hot).await.unwrap().posted(), 24_000);
    ground.audited().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_owners_and_the_other_door_lose_nothing() {
    let ground = Arc::new(Ground::new().await);
    let posters = [open(&ground, Nothing), open(&ground, Nothing)];
    let mut callers = Vec::new();
    for caller in 0..8 {
        let (poster, ground) = (posters[caller % 2].clone(), ground.clone());
        callers.push(tokio::spawn(async move {
            for _ in 0..25 {
                assert!(poster.post(capital(&ground)).await.unwrap().unwrap().is_new());
            }
        }));
    }
    for _ in 0..25 {
        let mut tx = ground.db.app.begin().await.unwrap();
        let landed = journal::post_one(&mut tx, &ground.clock, &capital(&ground)).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        assert!(landed.is_new());
    }
    for caller in callers {
        caller.await.unwrap();
    }
    let mut conn = ground.db.app.acquire().await.unwrap();
    assert_eq!(balance::balance(&mut conn, &ground.book, &float()).await.unwrap().posted(), 225);
    ground.audited().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_one_intention_whichever_door_it_comes_through() {
    let ground = Ground::new().await;
    let poster = open(&ground, Nothing);
    let first = rules::capital_in(ground.keyed("one"), float(), kes(5));
    let same = rules::capital_in(ground.keyed("one"), float(), kes(5));
    let other = rules::capital_in(ground.keyed("one"), float(), kes(6));
    let landed = ground.land(first.clone()).await;
    assert_eq!(*poster.post(same).await.unwrap().unwrap().receipt(), landed);
    let refused = poster.post(other).await.unwrap().unwrap_err();
    assert!(matches!(refused, Rejection::KeyReused { .. }), "{refused}");
    // A key that is the id of a transfer without one names that transfer.
    let plain = ground.land(capital(&ground)).await;
    let id = TransferId::mint(&ground.clock, &ground.rng);
    let named = Intent::new(id, &ground.book, IdempotencyKey::of(plain.transfer));
    let refused = poster.post(rules::capital_in(named, float(), kes(9))).await.unwrap().unwrap_err();
    assert!(matches!(refused, Rejection::IdReused { .. } | Rejection::KeyReused { .. }), "{refused}");
    ground.audited().await;
}

/// Notes of callers, committed with their transfers; a note that is empty is refused.
struct Notes;

impl Attach for Notes {
    type Item = String;

    async fn attach(
        &self,
        conn: &mut PgConnection,
        landed: &[(&String, Vec<&Receipt>)],
    ) -> Result<Vec<usize>, Fault> {
        let strange = landed.iter().enumerate().filter(|(_, (note, _))| note.is_empty()).map(|(at, _)| at);
        let strange: Vec<usize> = strange.collect();
        if strange.is_empty() {
            let notes: Vec<String> = landed.iter().map(|(note, _)| (*note).clone()).collect();
            let ids: Vec<Uuid> = landed.iter().map(|(_, receipts)| receipts[0].transfer.0).collect();
            sqlx::query("insert into public.note select * from unnest($1::uuid[], $2::text[])")
                .bind(ids)
                .bind(notes)
                .execute(conn)
                .await?;
        }
        Ok(strange)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_attached_lands_with_its_transfer_or_not_at_all() {
    let ground = Arc::new(Ground::new().await);
    let table = "create table public.note (transfer uuid primary key, note text not null);
                 grant all on public.note to amana_app";
    sqlx::raw_sql(table).execute(&ground.db.owner).await.unwrap();
    let poster = open(&ground, Notes);
    let mut callers = Vec::new();
    for caller in 0..40 {
        let (poster, ground) = (poster.clone(), ground.clone());
        callers.push(tokio::spawn(async move {
            let note = if caller % 5 == 0 { String::new() } else { format!("note {caller}") };
            let transfer = capital(&ground);
            let answers = poster.post_with(vec![transfer.clone()], note.clone()).await.unwrap();
            match &answers[0] {
                Ok(posted) => assert!(posted.is_new() && !note.is_empty()),
                Err(Rejection::Unattached { transfer: refused }) => {
                    assert!(note.is_empty() && *refused == transfer.id());
                }
                Err(other) => panic!("{other}"),
            }
            // Asked again it is replayed, and nothing is attached twice.
            if !note.is_empty() {
                let again = poster.post_with(vec![transfer], note).await.unwrap();
                assert!(!again[0].as_ref().unwrap().is_new());
            }
        }));
    }
    for caller in callers {
        caller.await.unwrap();
    }
    let sql = "select count(*) from public.note n join ledger.posting p on p.transfer = n.transfer";
    let kept: i64 = sqlx::query_scalar(sql).fetch_one(&ground.db.owner).await.unwrap();
    let posted: i64 =
        sqlx::query_scalar("select count(*) from ledger.posting").fetch_one(&ground.db.owner).await.unwrap();
    assert_eq!((kept, posted), (32, 32));
    ground.audited().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_book_that_is_not_open_refuses_and_time_out_of_mind_is_found() {
    let ground = Ground::new().await;
    let closed = crate::ground::book("uganda:KES");
    let (poster, _) =
        Poster::open(&ground.db.app.connect_options(), Arc::new(Told::noon()), &closed, Nothing);
    let transfer = rules::capital_in(ground.intent_in(&closed), float(), kes(1));
    assert_eq!(poster.post(transfer).await.unwrap(), Err(Rejection::UnknownBook { book: closed }));

    // An owner that began after a transfer landed finds it by its id.
    let transfer = capital(&ground);
    let landed = ground.land(transfer.clone()).await;
    ground.clock.forward(TimeDelta::hours(1));
    ground.land(capital(&ground)).await;
    let poster = open(&ground, Nothing);
    assert_eq!(*poster.post(transfer).await.unwrap().unwrap().receipt(), landed);
    ground.audited().await;
}
