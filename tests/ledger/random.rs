//! Random requests against the obviously right ledger: alone, and from many connections at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use amana_ledger::balance;
use amana_ledger::chart::{Account, BookId};
use amana_ledger::id::{EscrowRef, IdempotencyKey, TransferId};
use amana_ledger::journal::{self, Posted};
use amana_ledger::rules::{self, Intent, Paid};
use amana_ledger::transfer::{Rejection, Transfer};
use amana_tests::naive::{Answer, Naive, Op};
use chrono::{DateTime, TimeDelta};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::ground::{Ground, NOON, Seeded, kes, party, paybill, rail};

/// A request in both languages, under the number of its intention: the key says it, and the id is made of it.
pub(crate) struct Request {
    pub(crate) key: String,
    pub(crate) op: Op,
    pub(crate) transfer: Transfer,
}

fn key(number: u64) -> String {
    format!("intention:{number}")
}

fn id(number: u64) -> TransferId {
    TransferId(Uuid::from_u64_pair(0x0190_0000_0000_7000, 0x8000_0000_0000_0000 | number))
}

fn escrow(number: u64) -> EscrowRef {
    struct Fixed(u8);
    impl amana_ledger::id::Rng for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }
    EscrowRef::mint(&Fixed(number as u8))
}

fn leg(debit: &Account, credit: &Account, amount: i64) -> (String, String, i64) {
    (debit.path(), credit.path(), amount)
}

/// The same intention always asks the same, unless `other` twists it: a used key with another request.
pub(crate) fn request(book: &BookId, seed: u64, number: u64, other: bool) -> Request {
    let rng = Seeded::of(seed ^ number.wrapping_mul(0xff51_afd7_ed55_8ccd));
    let amount = 1 + rng.below(40) as i64 + i64::from(other) * 50;
    let intent = Intent::new(id(number), book, IdempotencyKey::parse(&key(number)).unwrap());
    let (paybill, rail) = (paybill(), rail());
    let (float, payout) = (Account::FloatMpesa(paybill.clone()), Account::FloatRail(rail.clone()));
    let (employer, employee) = (party(1 + u128::from(rng.below(3))), party(10 + u128::from(rng.below(3))));
    let reference = escrow(rng.below(3));
    let (owner, worker) = (Account::Employer(employer), Account::Employee(employee));
    let held = Account::Escrow(reference.clone());
    let minting = leg(&Account::ClearingMint, &Account::OnchainControl, amount);
    let earlier = number.saturating_sub(1 + rng.below(12));
    let (op, transfer) = match rng.below(12) {
        0 => (
            Op::Post(vec![leg(&payout, &Account::Capital, amount)]),
            rules::capital_in(intent, payout, kes(amount)),
        ),
        1 | 2 => (
            Op::Post(vec![leg(&float, &held, amount), minting, leg(&float, &owner, amount)]),
            rules::collection_booked(
                intent,
                &paybill,
                Some((reference, kes(amount))),
                Some((employer, kes(amount))),
            ),
        ),
        3 => (
            Op::Post(vec![leg(&owner, &held, amount), minting]),
            rules::employer_funded(intent, employer, reference, kes(amount)),
        ),
        4 => (
            Op::Post(vec![leg(&Account::OnchainSupply, &Account::ClearingMint, amount)]),
            rules::mint_final(intent, kes(amount)),
        ),
        5 => (
            Op::Post(vec![
                leg(&held, &worker, amount),
                leg(&held, &Account::FeeIncome, 1),
                leg(&Account::OnchainControl, &Account::OnchainSupply, 1),
            ]),
            rules::released(intent, reference, employee, kes(amount), Some(kes(1))),
        ),
        6 | 7 => {
            let until = (rng.below(3) == 0).then(|| NOON + rng.below(200) as i64 * 1_000_000);
            let transfer = rules::payout_hold(intent, employee, &rail, kes(amount));
            let due = until.and_then(DateTime::from_timestamp_micros);
            let transfer = due.map_or(transfer.clone(), |due| rules::payout_hold_until(transfer, due));
            (Op::Hold(leg(&worker, &payout, amount), until), transfer)
        }
        8 => {
            let (part, last) = (1 + rng.below(20) as i64, rng.below(2) == 0);
            let also = vec![
                leg(&Account::OnchainControl, &Account::ClearingBurn, part),
                leg(&Account::Tariff, &payout, 1),
            ];
            let paid = Paid { amount: kes(part), tariff: Some(kes(1)), last };
            let op = Op::Settle { hold: key(earlier), part, last, also };
            (op, rules::payout_paid(intent, id(earlier), &rail, paid))
        }
        9 => (Op::Void(key(earlier)), rules::payout_failed(intent, id(earlier))),
        10 => (Op::Expire(key(earlier)), rules::payout_expired(intent, id(earlier))),
        _ => (Op::Reverse(key(earlier)), rules::reversal(intent, id(earlier))),
    };
    Request { key: key(number), op, transfer }
}

/// The ledger's answer in the model's words.
fn answer(answer: &Result<Posted, Rejection>) -> Answer {
    match answer {
        Ok(Posted::New(_)) => Answer::New,
        Ok(Posted::Replayed(_)) => Answer::Replayed,
        Err(rejection) => Answer::Refused(word(rejection)),
    }
}

fn word(rejection: &Rejection) -> &'static str {
    let known = [
        "KeyReused",
        "Overdraft",
        "UnknownHold",
        "HoldClosed",
        "HoldExceeded",
        "HoldDue",
        "HoldNotDue",
        "UnknownTransfer",
        "AlreadyReversed",
        "NotReversible",
    ];
    let said = format!("{rejection:?}");
    known.into_iter().find(|word| said.starts_with(&format!("{word} "))).unwrap_or("another")
}

/// Balances in the ledger are those of the model, and the books are sound.
async fn agree(ground: &Ground, book: &BookId, naive: &Naive) {
    let mut conn = ground.db.app.acquire().await.unwrap();
    let trial = balance::trial_balance(&mut conn, book).await.unwrap();
    assert_eq!(trial.debits, trial.credits);
    let stands: BTreeMap<String, [i64; 4]> = trial
        .lines
        .iter()
        .map(|line| {
            let totals = line.totals;
            let four =
                [totals.debits_posted, totals.credits_posted, totals.debits_pending, totals.credits_pending];
            (line.account.path(), four)
        })
        .collect();
    let ought: BTreeMap<String, [i64; 4]> =
        naive.paths().into_iter().map(|path| (path.clone(), naive.totals(&path))).collect();
    assert_eq!(stands, ought);
    ground.audited().await;
}

async fn alone(seed: u64) {
    let ground = Ground::new().await;
    let (rng, mut naive) = (Seeded::of(seed), Naive::at(NOON));
    let (mut number, mut seen) = (1u64, BTreeMap::<String, u32>::new());
    for _ in 0..60 {
        let batch: Vec<Request> = (0..1 + rng.below(9))
            .map(|_| {
                number += 1;
                let again = rng.below(8) == 0;
                let which = if again { number.saturating_sub(rng.below(10)) } else { number };
                request(&ground.book, seed, which, again && rng.below(3) == 0)
            })
            .collect();
        let transfers: Vec<Transfer> = batch.iter().map(|request| request.transfer.clone()).collect();
        let answers = ground.post(&transfers).await;
        for (request, got) in batch.iter().zip(&answers) {
            let ought = naive.ask(&request.key, &request.op);
            assert_eq!(answer(got), ought, "seed {seed}, {}: {got:?}", request.key);
            *seen.entry(format!("{ought:?}")).or_default() += 1;
        }
        if rng.below(6) == 0 {
            ground.clock.forward(TimeDelta::seconds(17));
            naive.now += 17_000_000;
        }
    }
    agree(&ground, &ground.book, &naive).await;
    // A run that never refuses or never repeats would show nothing.
    assert!(seen["New"] > 60 && seen["Replayed"] > 5 && seen.len() > 6, "{seen:?}");
}

#[tokio::test]
async fn the_ledger_answers_as_the_model_does() {
    for seed in 1..=4 {
        alone(seed).await;
    }
}

type Answered = (Vec<u64>, Vec<Result<Posted, Rejection>>);

/// One of many posters: takes the next numbers, sometimes numbers others took as well, and sometimes dies
/// before it commits and comes back with the same batch.
async fn poster(ground: Arc<Ground>, book: BookId, seed: u64) -> Vec<Answered> {
    let (rng, mut answered) = (Seeded::of(seed), Vec::new());
    for round in 0..25u64 {
        let numbers: Vec<u64> = (0..1 + rng.below(6)).map(|_| 1 + round * 8 + rng.below(24)).collect();
        let batch: Vec<Transfer> =
            numbers.iter().map(|&number| request(&book, 99, number, false).transfer).collect();
        if rng.below(5) == 0 {
            let mut tx = ground.db.app.begin().await.unwrap();
            let lost = journal::post(&mut tx, &ground.clock, &book, &batch).await.unwrap();
            assert_eq!(lost.len(), batch.len());
            tx.rollback().await.unwrap();
        }
        answered.push((numbers, ground.post(&batch).await));
    }
    answered
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_posters_are_as_good_as_one() {
    let ground = Arc::new(Ground::new().await);
    let books = [ground.open("kenya:KES").await, ground.open("mombasa:KES").await];
    let mut posters = JoinSet::new();
    for (at, book) in books.iter().enumerate() {
        for seed in 0..5u64 {
            let (ground, book) = (ground.clone(), book.clone());
            posters.spawn(async move { (at, poster(ground, book, seed).await) });
        }
    }
    let mut batches: [Vec<Answered>; 2] = Default::default();
    while let Some(done) = posters.join_next().await {
        let (at, answered) = done.unwrap();
        batches[at].extend(answered);
    }
    for (book, mut batches) in books.iter().zip(batches) {
        // What landed says which batch it was; a batch of which nothing landed changed nothing and has no
        // place.
        let place = |(_, answers): &Answered| {
            answers.iter().find_map(|answer| match answer {
                Ok(Posted::New(receipt)) => Some(receipt.batch),
                _ => None,
            })
        };
        batches.retain(|batch| place(batch).is_some());
        batches.sort_by_key(|batch| place(batch));
        let mut naive = Naive::at(NOON);
        for (numbers, answers) in &batches {
            for (&number, got) in numbers.iter().zip(answers) {
                let Request { key, op, .. } = request(book, 99, number, false);
                assert_eq!(answer(got), naive.ask(&key, &op), "{key}: {got:?}");
            }
        }
        agree(&ground, book, &naive).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_want_the_last_money_one_gets_it() {
    let ground = Arc::new(Ground::new().await);
    let employee = party(10);
    ground.land(rules::capital_in(ground.intent(), Account::FloatRail(rail()), kes(1_000))).await;
    let (reference, paybill) = (escrow(1), paybill());
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
