//! The log of a book on a real Postgres: checkpoints that go on from the last, proofs, bundles, what is owed.

use amana_ledger::chart::Account;
use amana_ledger::id::Clock;
use amana_ledger::limit::Limit;
use amana_ledger::rules::{self, Paid};
use amana_ledger::seal::note::{Checkpoint, Signer};
use amana_ledger::seal::{self, Anchor};
use amana_ledger::verify::line::Hex;
use amana_ledger::verify::{Failure, Reason, Verified, verify};
use amana_ledger::{Constraint, Fault, balance, journal};
use chrono::TimeDelta;

use crate::ground::{Ground, float, kes, paybill, rail, refused};

fn signer(ground: &Ground) -> Signer {
    Signer::new(&ground.book, &[7; 32]).unwrap()
}

async fn checkpoint(ground: &Ground) -> Option<Checkpoint> {
    let mut tx = ground.db.app.begin().await.unwrap();
    let made = seal::checkpoint(&mut tx, &ground.clock, &signer(ground)).await.unwrap();
    tx.commit().await.unwrap();
    made
}

async fn bundle(ground: &Ground, from: u64, to: Option<u64>) -> String {
    let mut conn = ground.db.app.acquire().await.unwrap();
    let mut file = Vec::new();
    seal::bundle(&mut conn, &signer(ground), (from, to), &mut file).await.unwrap();
    String::from_utf8(file).unwrap()
}

fn checked(ground: &Ground, file: &str) -> Result<Verified, Failure> {
    verify(file.as_bytes(), Some(signer(ground).key()))
}

/// Everything a journal may hold: holds in parts, a reversal, a fact, links, metadata, another time, a limit,
/// a close.
async fn everything(ground: &Ground) {
    let (escrow, employee) = (ground.escrow(), ground.employee());
    let funded = Some((escrow.clone(), kes(900)));
    let keyed = ground.keyed("mpesa:600111:RKTQDM7W6S").effective_at(ground.clock.now() - TimeDelta::days(2));
    let wrong = rules::capital_in(ground.intent(), float(), kes(77));
    let reversal = rules::reversal(ground.intent(), wrong.id());
    let hold = rules::payout_hold(ground.intent(), employee, &rail(), kes(400));
    let hold = rules::payout_hold_until(hold, ground.clock.now() + TimeDelta::days(9));
    let part = Paid { amount: kes(100), tariff: Some(kes(3)), last: false };
    let rest = Paid { amount: kes(200), tariff: None, last: true };
    let (first, second) = (
        rules::payout_paid(ground.intent(), hold.id(), &rail(), part),
        rules::payout_paid(ground.intent(), hold.id(), &rail(), rest),
    );
    let batch = [
        rules::capital_in(ground.intent(), float(), kes(1_000)),
        rules::collection_booked(keyed, &paybill(), funded, Some((employee, kes(7)))),
        wrong,
        reversal,
        rules::mint_final(ground.intent(), kes(900)),
        rules::released(ground.intent(), escrow, employee, kes(880), Some(kes(20))),
        hold,
    ];
    assert!(ground.post(&batch).await.iter().all(Result::is_ok));
    ground.land(first).await;
    ground.land(second).await;
    let linked = [
        rules::float_move_out(ground.intent(), float(), kes(50)),
        rules::float_move_in(ground.intent(), Account::FloatMpesa(paybill()), kes(50)),
    ];
    let mut tx = ground.db.app.begin().await.unwrap();
    let landed = journal::post_linked(&mut tx, &ground.clock, &ground.book, &linked).await.unwrap();
    assert!(landed.iter().all(Result::is_ok));
    tx.commit().await.unwrap();
    let mut tx = ground.db.app.begin().await.unwrap();
    let limit = Limit { floor: Some(-500), ..Limit::default() };
    journal::limit(&mut tx, &ground.clock, &ground.book, &float(), &limit).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    let mut tx = ground.db.app.begin().await.unwrap();
    let closed_before = ground.clock.now() - TimeDelta::days(1);
    journal::close(&mut tx, &ground.clock, &ground.book, closed_before).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    // Below the kind's floor, above its own.
    ground.land(rules::float_move_out(ground.intent(), float(), kes(1_000))).await;
}

#[tokio::test]
async fn a_journal_with_everything_is_exported_and_verified() {
    let ground = Ground::new().await;
    assert!(checkpoint(&ground).await.is_none(), "nothing to seal");
    everything(&ground).await;
    let size = checkpoint(&ground).await.unwrap().size;
    assert!(checkpoint(&ground).await.is_none(), "nothing new");
    ground.land(rules::capital_in(ground.intent(), float(), kes(5))).await;
    let newest = checkpoint(&ground).await.unwrap();
    assert_eq!(newest.size, size + 1);
    let whole = checked(&ground, &bundle(&ground, 1, None).await).unwrap();
    assert_eq!((whole.batches, whole.root.0, whole.checkpoints), ((1, newest.size), newest.root, 2));
    for from in 2..=newest.size {
        let part = checked(&ground, &bundle(&ground, from, None).await).unwrap();
        assert_eq!((part.batches, part.root, part.owed), ((from, newest.size), whole.root, whole.owed));
    }
    let older = checked(&ground, &bundle(&ground, 1, Some(size)).await).unwrap();
    assert_eq!(older.batches, (1, size));
    // Another key signs all of the file, whoever signed the checkpoints.
    let (other, mut file) = (Signer::new(&ground.book, &[8; 32]).unwrap(), Vec::new());
    let mut conn = ground.db.app.acquire().await.unwrap();
    seal::bundle(&mut conn, &other, (1, None), &mut file).await.unwrap();
    assert_eq!(verify(&file[..], Some(other.key())).unwrap().root, whole.root);
    // What is not covered by a checkpoint is not shown.
    ground.land(rules::capital_in(ground.intent(), float(), kes(6))).await;
    assert_eq!(checked(&ground, &bundle(&ground, 1, None).await).unwrap(), whole);
    ground.audited().await;
}

#[tokio::test]
async fn every_transfer_is_proven_in_a_long_log() {
    let ground = Ground::new().await;
    let mut ids = Vec::new();
    for round in 0..3 {
        for _ in 0..200 + round {
            ids.push(ground.land(rules::capital_in(ground.intent(), float(), kes(1))).await.transfer);
        }
        assert!(checkpoint(&ground).await.is_some());
    }
    let (signer, mut conn) = (signer(&ground), ground.db.app.acquire().await.unwrap());
    for id in ids.iter().step_by(13).chain(ids.last()) {
        let proof = seal::included(&mut conn, &ground.book, *id).await.unwrap().unwrap();
        assert_eq!(proof.check(&ground.book, signer.key()).unwrap().size, 603);
        let mut bent = proof.clone();
        bent.transfer.legs[0].3 += 1;
        assert_eq!(bent.check(&ground.book, signer.key()), Err(Reason::Leaf));
        let mut bent = proof;
        bent.log[0].0[0] ^= 1;
        assert_eq!(bent.check(&ground.book, signer.key()), Err(Reason::CheckpointRoot));
    }
    for (from, to) in [(200, 401), (200, 603), (401, 603), (603, 603)] {
        let grown = seal::grown(&mut conn, &ground.book, from, to).await.unwrap().unwrap();
        let [old, new] = grown.check(&ground.book, signer.key()).unwrap();
        assert_eq!((old.size, new.size), (from, to));
    }
    assert!(seal::grown(&mut conn, &ground.book, 201, 603).await.unwrap().is_none(), "no such checkpoint");
    ground.land(rules::capital_in(ground.intent(), float(), kes(1))).await;
    checked(&ground, &bundle(&ground, 300, None).await).unwrap();
    ground.audited().await;
}

#[tokio::test]
async fn each_finds_what_they_are_owed_inside_the_total() {
    let ground = Ground::new().await;
    let signer = signer(&ground);
    let employers: Vec<_> = (0..9).map(|_| ground.employee()).collect();
    for (employer, minor) in employers.iter().zip(1i64..) {
        let booked =
            rules::collection_booked(ground.intent(), &paybill(), None, Some((*employer, kes(minor))));
        ground.land(booked).await;
    }
    checkpoint(&ground).await.unwrap();
    let mut tx = ground.db.app.begin().await.unwrap();
    let signed = seal::liabilities(&mut tx, &ground.clock, &signer).await.unwrap().unwrap();
    // Asked again, it is the same and written once.
    assert_eq!(seal::liabilities(&mut tx, &ground.clock, &signer).await.unwrap().unwrap(), signed);
    tx.commit().await.unwrap();
    assert_eq!((signed.root.sum, signed.leaves), (45, 9));
    // What moves later does not change what was owed then.
    ground
        .land(rules::collection_booked(ground.intent(), &paybill(), None, Some((employers[0], kes(99)))))
        .await;
    let mut conn = ground.db.app.acquire().await.unwrap();
    for (employer, minor) in employers.iter().zip(1u64..) {
        let account = Account::Employer(*employer);
        let mut inside = seal::inside(&mut conn, &signer, &[account]).await.unwrap().remove(0);
        assert_eq!(inside.balance, minor);
        assert_eq!(inside.check(&ground.book, signer.key()), Ok(signed.clone()));
        inside.balance += 1;
        assert!(inside.check(&ground.book, signer.key()).is_err());
    }
    let nobody = Account::Employer(ground.employee());
    assert!(seal::inside(&mut conn, &signer, &[nobody]).await.unwrap().is_empty());
    ground.audited().await;
}

#[tokio::test]
async fn a_past_written_anew_is_found_by_its_anchor() {
    let ground = Ground::new().await;
    ground.land(rules::capital_in(ground.intent(), float(), kes(100))).await;
    let sealed = checkpoint(&ground).await.unwrap();
    let mut conn = ground.db.app.acquire().await.unwrap();
    assert_eq!(seal::unanchored(&mut conn, &ground.book).await.unwrap(), Some((1, sealed.root)));
    let anchor = Anchor {
        size: 1,
        root: Hex(sealed.root),
        contract: "CONTRACT".to_owned(),
        tx_hash: "ab".to_owned(),
        ledger: 9,
        at: ground.clock.now(),
        envelope: Some("AAAA".to_owned()),
    };
    let other = Anchor { root: Hex([9; 32]), ..anchor.clone() };
    let refusal = seal::anchored(&mut conn, &ground.book, &other).await.unwrap_err();
    assert!(matches!(refusal, Fault::Refused(Constraint::BadSeal)), "{refusal:?}");
    for _ in 0..2 {
        seal::anchored(&mut conn, &ground.book, &anchor).await.unwrap();
    }
    assert_eq!(seal::unanchored(&mut conn, &ground.book).await.unwrap(), None);
    ground.land(rules::capital_in(ground.intent(), float(), kes(1))).await;
    checkpoint(&ground).await.unwrap();
    assert_eq!(seal::unanchored(&mut conn, &ground.book).await.unwrap().unwrap().0, 2);
    let honest = bundle(&ground, 1, None).await;
    assert_eq!(checked(&ground, &honest).unwrap().anchors, (1, Some(anchor.clone())));

    // Another journal under the same key, with every hash as it should be, and the anchor that the chain has.
    let liar = Ground::new().await;
    liar.land(rules::capital_in(liar.intent(), float(), kes(1_000_000))).await;
    checkpoint(&liar).await.unwrap();
    let line = honest.lines().find(|line| line.starts_with("{\"anchor\"")).unwrap();
    let told = bundle(&liar, 1, None).await;
    let (head, tail) = told.split_at(told.find("{\"liabilit").unwrap());
    let failure = checked(&liar, &format!("{head}{line}\n{tail}")).unwrap_err();
    assert_eq!(failure.reason, Reason::AnchorRoot);
    ground.audited().await;
}

#[tokio::test]
async fn seals_are_written_once_and_of_what_is_there() {
    let ground = Ground::new().await;
    everything(&ground).await;
    checkpoint(&ground).await.unwrap();
    let app = &ground.db.app;
    let insert = "insert into ledger.checkpoint (book, size, root, edge, note, at)
        select book, size + 1000, root, edge, note, at from ledger.checkpoint";
    assert_eq!(refused(app, &[insert]).await, Some(Constraint::BadSeal));
    for sql in
        ["update ledger.checkpoint set note = ''", "delete from ledger.subtree", "delete from ledger.anchor"]
    {
        assert_eq!(refused(&ground.db.owner, &[sql]).await, Some(Constraint::AppendOnly), "{sql}");
    }
    let mut conn = app.acquire().await.unwrap();
    assert!(balance::trial_balance(&mut conn, &ground.book).await.is_ok());
    ground.audited().await;
}
