//! Many callers at both doors of one book at once: what landed says in which order, and in that order the
//! model answers the same.

use std::sync::Arc;

use amana_ledger::journal::{self, Posted};
use amana_ledger::poster::{Nothing, Poster};
use amana_ledger::transfer::{Rejection, Transfer};
use amana_tests::naive::Naive;
use tokio::task::JoinSet;

use super::mix::{Mix, Which, paths};
use super::{agree, answer, number_of};
use crate::ground::{Ground, NOON, Seeded, Told};

type Answered = (Vec<u64>, Vec<Result<Posted, Rejection>>);

/// One of many: takes the next numbers, sometimes numbers others took as well, and sometimes dies before it
/// commits and comes back with the same batch. Goes through a poster if it is given one.
async fn one_of_many(ground: Arc<Ground>, mix: Arc<Mix>, seed: u64, poster: Option<Poster>) -> Vec<Answered> {
    let (rng, mut answered) = (Seeded::of(seed), Vec::new());
    for round in 0..25u64 {
        // So many now and then that the next batch begins before the last one is committed.
        let many = if rng.below(6) == 0 { 150 } else { 1 + rng.below(6) };
        let numbers: Vec<u64> = (0..many).map(|_| 1 + round * 8 + rng.below(24 + many)).collect();
        let batch: Vec<Transfer> =
            numbers.iter().map(|&number| mix.request(Which::of(number)).transfer).collect();
        if let Some(poster) = &poster {
            answered.push((numbers, poster.post_all(batch).await.unwrap()));
            continue;
        }
        let mut tx = ground.db.app.begin().await.unwrap();
        if rng.below(5) == 0 {
            let lost = journal::post(&mut tx, &ground.clock, &mix.book, &batch).await.unwrap();
            assert_eq!(lost.len(), batch.len());
            tx.rollback().await.unwrap();
            tx = ground.db.app.begin().await.unwrap();
        }
        let answers = journal::post(&mut tx, &ground.clock, &mix.book, &batch).await.unwrap();
        tx.commit().await.unwrap();
        answered.push((numbers, answers));
    }
    answered
}

/// Two owners, several callers each, and others at the other door.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_both_doors_are_as_good_as_one() {
    let ground = Arc::new(Ground::new().await);
    let books = [ground.open("kenya:KES").await, ground.open("mombasa:KES").await];
    let mixes = books.map(|book| Arc::new(Mix::new(&book, 99)));
    let mut callers = JoinSet::new();
    for (at, mix) in mixes.iter().enumerate() {
        let options = ground.db.app.connect_options();
        let owner = || Poster::open(&options, Arc::new(Told::noon()), &mix.book, Nothing).0;
        let owners = [owner(), owner()];
        for seed in 0..9u64 {
            let poster = owners.get((seed % 3) as usize).cloned();
            let (ground, mix) = (ground.clone(), mix.clone());
            callers.spawn(async move { (at, one_of_many(ground, mix, seed, poster).await) });
        }
    }
    let mut batches: [Vec<Answered>; 2] = Default::default();
    while let Some(done) = callers.join_next().await {
        let (at, answered) = done.unwrap();
        batches[at].extend(answered);
    }
    for (mix, mut batches) in mixes.iter().zip(batches) {
        // What landed says in which order it did; of those of whom nothing landed nothing changed, and they
        // have no place.
        let place = |(_, answers): &Answered| {
            answers.iter().find_map(|answer| match answer {
                Ok(Posted::New(receipt)) => Some(*receipt.numbers.start()),
                _ => None,
            })
        };
        batches.retain(|batch| place(batch).is_some());
        batches.sort_by_key(|batch| place(batch));
        let mut naive = Naive::at(NOON, paths());
        for (numbers, answers) in &batches {
            for (&number, got) in numbers.iter().zip(answers) {
                let request = mix.request(Which::of(number)).model;
                assert_eq!(answer(got, number_of), naive.ask(&request), "{request:?}: {got:?}");
            }
        }
        agree(&ground, &mix.book, &naive).await;
    }
    ground.audited().await;
}
