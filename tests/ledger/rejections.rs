//! Every word the ledger refuses with, each from the door.

use amana_ledger::chart::Account;
use amana_ledger::id::{ExternalRef, IdempotencyKey, TransferId};
use amana_ledger::journal::Posted;
use amana_ledger::money::{Asset, Money};
use amana_ledger::rules::{self, Intent, Paid};
use amana_ledger::transfer::Rejection;
use chrono::TimeDelta;
use uuid::Uuid;

use crate::ground::{Ground, book, float, kes, party, paybill, rail};

#[tokio::test]
async fn a_story_lands() {
    let ground = Ground::new().await;
    let (escrow, employee) = (ground.escrow(), ground.employee());
    ground.land(rules::capital_in(ground.intent(), float(), kes(10_000_000))).await;
    let booked =
        rules::collection_booked(ground.intent(), &paybill(), Some((escrow.clone(), kes(5_000_000))), None);
    ground.land(booked).await;
    ground.land(rules::mint_final(ground.intent(), kes(5_000_000))).await;
    ground.land(rules::released(ground.intent(), escrow, employee, kes(4_900_000), Some(kes(100_000)))).await;
    let hold = ground.land(rules::payout_hold(ground.intent(), employee, &rail(), kes(4_900_000))).await;
    let paid = Paid { amount: kes(4_900_000), tariff: Some(kes(1_300)), last: true };
    let paid = rules::payout_paid(ground.intent(), hold.transfer, &rail(), paid);
    let receipt = ground.land(paid.clone()).await;
    assert!(matches!(ground.one(paid).await, Ok(Posted::Replayed(again)) if again == receipt));
}
