//! Every word the ledger refuses with, each from the door; what was refused left no trace.

use amana_ledger::chart::Account;
use amana_ledger::id::{ExternalRef, IdempotencyKey, TransferId};
use amana_ledger::journal::{self, Posted};
use amana_ledger::money::{Asset, Money};
use amana_ledger::rules::{self, Intent, Paid};
use amana_ledger::transfer::{Rejection, Transfer};
use amana_ledger::{Fault, balance};
use chrono::TimeDelta;
use sqlx::Connection;

use crate::ground::{Ground, book, float, kes, party, paybill, rail};

/// An employee with 1,000.00 earned, and a float to pay it from.
async fn earned() -> (Ground, amana_ledger::id::PartyId) {
    let ground = Ground::new().await;
    let (escrow, employee) = (ground.escrow(), ground.employee());
    let booked = Some((escrow.clone(), kes(100_000)));
    let batch = [
        rules::capital_in(ground.intent(), float(), kes(500_000)),
        rules::collection_booked(ground.intent(), &paybill(), booked, None),
        rules::mint_final(ground.intent(), kes(100_000)),
        rules::released(ground.intent(), escrow, employee, kes(100_000), None),
    ];
    assert!(ground.post(&batch).await.iter().all(Result::is_ok));
    (ground, employee)
}

async fn refusal(ground: &Ground, transfer: Transfer) -> Rejection {
    let before = state(ground).await;
    let rejection = ground.one(transfer).await.unwrap_err();
    assert_eq!(state(ground).await, before, "a refusal leaves no trace");
    rejection
}

async fn state(ground: &Ground) -> (Vec<balance::Balance>, i64) {
    let mut conn = ground.db.app.acquire().await.unwrap();
    let trial = balance::trial_balance(&mut conn, &ground.book).await.unwrap();
    let sql = "select (select count(*) from ledger.batch) + (select count(*) from ledger.account)";
    (trial.lines, sqlx::query_scalar(sql).fetch_one(&mut *conn).await.unwrap())
}

#[tokio::test]
async fn a_story_lands_and_is_answered_twice_alike() {
    let (ground, employee) = earned().await;
    let hold = ground.land(rules::payout_hold(ground.intent(), employee, &rail(), kes(100_000))).await;
    let paid = Paid { amount: kes(100_000), tariff: Some(kes(1_300)), last: true };
    let paid = rules::payout_paid(ground.intent(), hold.transfer, &rail(), paid);
    let receipt = ground.land(paid.clone()).await;
    assert_eq!(receipt.numbers.clone().count(), 3);
    ground.land(rules::burn_final(ground.intent(), kes(100_000))).await;
    assert!(matches!(ground.one(paid).await, Ok(Posted::Replayed(again)) if again == receipt));
    ground.audited().await;
}

#[tokio::test]
async fn books_and_assets_are_kept_apart() {
    let ground = Ground::new().await;
    let nowhere = rules::capital_in(ground.intent_in(&book("nowhere:KES")), float(), kes(1));
    assert_eq!(ground.one(nowhere).await, Err(Rejection::UnknownBook { book: book("nowhere:KES") }));

    let cairo = ground.open("egypt:EGP").await;
    let strayed = rules::capital_in(ground.intent_in(&cairo), float(), kes(1));
    let transfer = strayed.id();
    let mut tx = ground.db.app.begin().await.unwrap();
    let answers = journal::post(&mut tx, &ground.clock, &ground.book, std::slice::from_ref(&strayed)).await;
    assert_eq!(answers.unwrap()[0], Err(Rejection::WrongBook { transfer, book: cairo.clone() }));
    tx.commit().await.unwrap();
    let wrong = Rejection::WrongAsset { transfer, book: cairo, asset: Asset::Kes };
    assert_eq!(ground.one(strayed).await, Err(wrong));

    let pounds = Money::new(Asset::Egp, 5).unwrap();
    let mixed = rules::collection_booked(
        ground.intent(),
        &paybill(),
        Some((ground.escrow(), kes(5))),
        Some((party(1), pounds)),
    );
    assert!(matches!(refusal(&ground, mixed).await, Rejection::WrongAsset { asset: Asset::Egp, .. }));
    ground.audited().await;
}

#[tokio::test]
async fn amounts_have_two_accounts_and_a_floor() {
    let ground = Ground::new().await;
    let empty = rules::collection_booked(ground.intent(), &paybill(), None, None);
    assert!(matches!(refusal(&ground, empty).await, Rejection::NothingToPost { .. }));
    let same = rules::capital_in(ground.intent(), Account::Capital, kes(1));
    let account = Account::Capital;
    assert!(
        matches!(refusal(&ground, same).await, Rejection::SameAccount { account: it, .. } if it == account)
    );

    ground.land(rules::capital_in(ground.intent(), float(), kes(100))).await;
    let too_much = rules::float_move_out(ground.intent(), float(), kes(101));
    let transfer = too_much.id();
    let below = Rejection::Overdraft { transfer, account: float(), available: -1, floor: 0 };
    assert_eq!(
        below.to_string(),
        format!("transfer {transfer} would take float:intersend to -1, below its floor of 0")
    );
    assert_eq!(refusal(&ground, too_much).await, below);

    let most = rules::capital_in(ground.intent(), float(), kes(i64::MAX));
    assert!(
        matches!(refusal(&ground, most).await, Rejection::TooLarge { account, .. } if account == float())
    );
    ground.audited().await;
}

#[tokio::test]
async fn money_held_is_gone_on_both_sides() {
    let (ground, employee) = earned().await;
    ground.land(rules::payout_hold(ground.intent(), employee, &rail(), kes(60_000))).await;
    let second = rules::payout_hold(ground.intent(), employee, &rail(), kes(60_000));
    let refused = refusal(&ground, second).await;
    assert!(matches!(
        refused,
        Rejection::Overdraft { account: Account::Employee(_), available: -20_000, .. }
    ));
    let move_out = rules::float_move_out(ground.intent(), float(), kes(440_001));
    assert!(matches!(refusal(&ground, move_out).await, Rejection::Overdraft { available: -1, .. }));
    ground.land(rules::float_move_out(ground.intent(), float(), kes(440_000))).await;
    ground.audited().await;
}

#[tokio::test]
async fn keys_ids_and_facts_are_used_once() {
    let ground = Ground::new().await;
    let fact = ExternalRef::new("mpesa", "600111", "RKTQDM7W6S");
    let intent = || ground.keyed("mpesa:RKTQDM7W6S").external(fact.clone());
    let first = ground.land(rules::collection_suspended(intent(), &paybill(), kes(500))).await;
    let first_id = first.transfer;

    // Another id under the same key is the same request; another amount is not.
    let again = ground.one(rules::collection_suspended(intent(), &paybill(), kes(500))).await;
    assert_eq!(again, Ok(Posted::Replayed(first)));
    let other = rules::collection_suspended(intent(), &paybill(), kes(501));
    let key = IdempotencyKey::parse("mpesa:RKTQDM7W6S").unwrap();
    assert_eq!(refusal(&ground, other).await, Rejection::KeyReused { key: key.clone(), first: first_id });

    let fresh = Intent::new(first_id, &ground.book, IdempotencyKey::parse("another").unwrap());
    let same_id = rules::collection_suspended(fresh, &paybill(), kes(500));
    assert_eq!(refusal(&ground, same_id).await, Rejection::IdReused { transfer: first_id });

    let twice = rules::collection_suspended(ground.intent().external(fact.clone()), &paybill(), kes(500));
    let counted = Rejection::AlreadyCounted { external: fact, first: first_id };
    assert_eq!(refusal(&ground, twice).await, counted);
    ground.audited().await;
}

#[tokio::test]
async fn within_one_batch_as_between_batches() {
    let ground = Ground::new().await;
    let capital = |minor| rules::capital_in(ground.keyed("k"), float(), kes(minor));
    let overdraft = rules::float_move_out(ground.intent(), float(), kes(6));
    let move_out = rules::float_move_out(ground.intent(), float(), kes(5));
    let undo = rules::reversal(ground.intent(), move_out.id());
    let undo_again = rules::reversal(ground.intent(), move_out.id());
    let batch = [capital(5), capital(5), capital(6), overdraft, move_out, undo, undo_again];
    let answers = ground.post(&batch).await;
    assert!(matches!(answers[0], Ok(Posted::New(_))));
    assert!(
        matches!(&answers[1], Ok(Posted::Replayed(again)) if again == answers[0].as_ref().unwrap().receipt())
    );
    assert!(matches!(answers[2], Err(Rejection::KeyReused { .. })));
    assert!(matches!(answers[3], Err(Rejection::Overdraft { .. })));
    assert!(matches!((&answers[4], &answers[5]), (Ok(Posted::New(_)), Ok(Posted::New(_)))));
    assert!(matches!(answers[6], Err(Rejection::AlreadyReversed { .. })));
    // The first answer is the same when it is asked for in another batch.
    assert_eq!(ground.one(batch[0].clone()).await.unwrap().receipt(), answers[0].as_ref().unwrap().receipt());
    ground.audited().await;
}

#[tokio::test]
async fn holds_end_once() {
    let (ground, employee) = earned().await;
    let hold = |minor| rules::payout_hold(ground.intent(), employee, &rail(), kes(minor));
    let settle = |hold: TransferId, minor, last| {
        let paid = Paid { amount: kes(minor), tariff: None, last };
        rules::payout_paid(ground.intent(), hold, &rail(), paid)
    };
    let nothing = TransferId::mint(&ground.clock, &ground.rng);
    let unknown = rules::payout_failed(ground.intent(), nothing);
    assert_eq!(refusal(&ground, unknown).await, Rejection::UnknownHold { hold: nothing });

    let parts = ground.land(hold(50_000)).await.transfer;
    ground.land(settle(parts, 20_000, false)).await;
    let refused = refusal(&ground, settle(parts, 30_001, true)).await;
    let (left, asked) = (kes(30_000).amount, kes(30_001).amount);
    assert_eq!(refused, Rejection::HoldExceeded { hold: parts, left, asked });
    ground.land(settle(parts, 10_000, true)).await;
    let closed = |state| Rejection::HoldClosed { hold: parts, state };
    assert_eq!(refusal(&ground, settle(parts, 1, true)).await, closed("settled"));
    assert_eq!(refusal(&ground, rules::payout_failed(ground.intent(), parts)).await, closed("settled"));
    // A hold that is not a hold: a plain transfer's id.
    let mut conn = ground.db.app.acquire().await.unwrap();
    let balance = balance::balance(&mut conn, &ground.book, &Account::Employee(employee)).await.unwrap();
    assert_eq!((balance.posted(), balance.held()), (70_000, 0));

    let failed = ground.land(hold(70_000)).await.transfer;
    ground.land(rules::payout_failed(ground.intent(), failed)).await;
    let refused = refusal(&ground, settle(failed, 70_000, true)).await;
    assert_eq!(refused, Rejection::HoldClosed { hold: failed, state: "voided" });
    ground.audited().await;
}

#[tokio::test]
async fn holds_expire_when_due_and_not_before() {
    let (ground, employee) = earned().await;
    let due = amana_ledger::id::Clock::now(&ground.clock) + TimeDelta::minutes(10);
    let hold = rules::payout_hold(ground.intent(), employee, &rail(), kes(100));
    let hold = ground.land(rules::payout_hold_until(hold, due)).await.transfer;
    let early = rules::payout_expired(ground.intent(), hold);
    assert_eq!(refusal(&ground, early).await, Rejection::HoldNotDue { hold });
    ground.clock.forward(TimeDelta::minutes(10));
    let paid = Paid { amount: kes(100), tariff: None, last: true };
    let late = rules::payout_paid(ground.intent(), hold, &rail(), paid);
    assert_eq!(refusal(&ground, late).await, Rejection::HoldDue { hold, expires_at: due });
    ground.land(rules::payout_expired(ground.intent(), hold)).await;
    let again = rules::payout_expired(ground.intent(), hold);
    assert_eq!(refusal(&ground, again).await, Rejection::HoldClosed { hold, state: "expired" });
    ground.audited().await;
}

#[tokio::test]
async fn a_transfer_is_reversed_once_and_a_reversal_never() {
    let (ground, employee) = earned().await;
    let capital = ground.land(rules::capital_in(ground.intent(), float(), kes(7))).await.transfer;
    let reversal = ground.land(rules::reversal(ground.intent(), capital)).await.transfer;
    let again = rules::reversal(ground.intent(), capital);
    assert_eq!(refusal(&ground, again).await, Rejection::AlreadyReversed { of: capital, by: reversal });
    let back = rules::reversal(ground.intent(), reversal);
    assert_eq!(refusal(&ground, back).await, Rejection::NotReversible { of: reversal });
    let hold = ground.land(rules::payout_hold(ground.intent(), employee, &rail(), kes(5))).await.transfer;
    let held = rules::reversal(ground.intent(), hold);
    assert_eq!(refusal(&ground, held).await, Rejection::NotReversible { of: hold });
    let nothing = TransferId::mint(&ground.clock, &ground.rng);
    let unknown = rules::reversal(ground.intent(), nothing);
    assert_eq!(refusal(&ground, unknown).await, Rejection::UnknownTransfer { of: nothing });

    let mut conn = ground.db.app.acquire().await.unwrap();
    let both = balance::transfers(&mut conn, &ground.book, &[capital, reversal]).await.unwrap();
    assert_eq!((both[0].reversed_by, both[1].reverses), (Some(reversal), Some(capital)));
    assert_eq!(both[1].postings[0].2, both[0].postings[0].2.turned());
    ground.audited().await;
}

#[tokio::test]
async fn a_caller_with_an_old_view_is_fenced() {
    let ground = Ground::new().await;
    let mut old = ground.db.app.begin().await.unwrap();
    sqlx::query("set transaction isolation level repeatable read").execute(&mut *old).await.unwrap();
    sqlx::query("select count(*) from ledger.batch").execute(&mut *old).await.unwrap();
    ground.land(rules::capital_in(ground.intent(), float(), kes(1))).await;
    let late = rules::capital_in(ground.intent(), float(), kes(1));
    let fault = journal::post_one(&mut old, &ground.clock, &late).await.unwrap_err();
    assert!(
        matches!(&fault, Fault::Refused(amana_ledger::Constraint::Fence)) && fault.retryable(),
        "{fault:?}"
    );
    drop(old);
    ground.land(late).await;
    ground.audited().await;
}

#[tokio::test]
async fn a_caller_may_post_twice_and_take_the_second_back() {
    let ground = Ground::new().await;
    let capital = |minor| rules::capital_in(ground.intent(), float(), kes(minor));
    let mut tx = ground.db.app.begin().await.unwrap();
    let first = journal::post_one(&mut tx, &ground.clock, &capital(5)).await.unwrap().unwrap();
    let mut nested = tx.begin().await.unwrap();
    let lost = journal::post_one(&mut nested, &ground.clock, &capital(6)).await.unwrap().unwrap();
    nested.rollback().await.unwrap();
    let mut nested = tx.begin().await.unwrap();
    let second = journal::post_one(&mut nested, &ground.clock, &capital(7)).await.unwrap().unwrap();
    nested.commit().await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!((first.receipt().batch, lost.receipt().batch, second.receipt().batch), (1, 2, 2));
    let mut conn = ground.db.app.acquire().await.unwrap();
    let float = balance::balance(&mut conn, &ground.book, &float()).await.unwrap();
    assert_eq!((float.posted(), float.held(), float.available()), (12, 0, 12));
    ground.audited().await;
}
