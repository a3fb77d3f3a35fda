//! Money in: exact, in parts, too little, too much, twice, for nobody, and malformed.

mod lost;

use amana_gateway::flows::escrow::Status;
use amana_gateway::inbox;
use amana_gateway::people::Role;
use amana_ledger::id::{EscrowRef, PartyId};
use amana_tests::story::{payment, together};
use amana_tests::world::World;
use chrono::TimeDelta;
use serde_json::json;

const EMPLOYER: &str = "0733345126";
const PAYER: &str = "254712345126";

async fn begin(amount: &str) -> (World, PartyId, EscrowRef) {
    let world = World::new().await;
    let employer = world.person(Role::Employer, EMPLOYER).await;
    let reference = world.open(&world.app, employer, amount).await.unwrap();
    world.settle().await;
    (world, employer, reference)
}

async fn pay(world: &World, receipt: &str, typed: &str, amount: &str) {
    // Callbacks of one instant have no order.
    world.clock.advance(TimeDelta::seconds(1));
    world.hear(&world.app, &payment(world, receipt, typed, amount)).await.unwrap();
    world.settle().await;
}

#[tokio::test]
async fn the_exact_amount_funds_the_escrow() {
    let (world, _, reference) = begin("50000.00").await;
    pay(&world, "UKK71XQ4Z1", reference.as_str(), "50000.00").await;
    assert_eq!(world.state(&reference).await.status(), Status::Funded);
    assert_eq!(world.balance(&format!("escrow:{reference}")).await, "50000.00");
    assert_eq!(world.balance("onchain:supply").await, "50000.00");
    assert_eq!(world.texts_to(EMPLOYER).len(), 1, "the employer is told once");
    world.sound().await;
}

#[tokio::test]
async fn fifty_copies_in_parallel_are_one_deposit() {
    let (world, _, reference) = begin("50000.00").await;
    let paid = payment(&world, "UKK71XQ4Z2", reference.as_str(), "50000.00");
    let copies = (0..50).map(|_| world.hear(&world.app, &paid));
    for heard in together(copies.collect()).await {
        heard.unwrap();
    }
    // Several judges at once, as several processes would be.
    let judges =
        (0..4).map(|_| async { while amana_gateway::worker::judge::next(&world.app).await.unwrap() {} });
    together(judges.collect()).await;
    world.settle().await;
    assert_eq!(world.chain_events(&reference, "funded").await, 1, "one mint");
    let verdicts = world.verdicts().await;
    assert_eq!(verdicts.iter().filter(|verdict| *verdict == "booked").count(), 1);
    assert_eq!(verdicts.iter().filter(|verdict| *verdict == "duplicate").count(), 49);
    assert_eq!(world.balance("float:mpesa:600111").await, "50000.00");
    world.sound().await;
}

#[tokio::test]
async fn parts_add_up_and_too_little_is_told() {
    let (world, _, reference) = begin("50000.00").await;
    pay(&world, "UKK71XQ4Z3", reference.as_str(), "20000.00").await;
    assert_eq!(world.state(&reference).await.status(), Status::PartiallyFunded);
    let told = world.texts_to(PAYER);
    assert!(told[0].contains("30000.00"), "{told:?}");
    pay(&world, "UKK71XQ4Z4", reference.as_str(), "30000.00").await;
    assert_eq!(world.state(&reference).await.status(), Status::Funded);
    assert_eq!(world.chain_events(&reference, "funded").await, 2);
    world.sound().await;
}

#[tokio::test]
async fn too_much_is_the_employers_and_is_not_minted() {
    let (world, employer, reference) = begin("50000.00").await;
    pay(&world, "UKK71XQ4Z5", reference.as_str(), "50000.50").await;
    assert_eq!(world.balance(&format!("escrow:{reference}")).await, "50000.00");
    assert_eq!(world.balance(&format!("employer:{employer}")).await, "0.50");
    assert_eq!(world.balance("onchain:supply").await, "50000.00");
    // A second receipt for a full escrow is all the employer's.
    pay(&world, "UKK71XQ4Z6", reference.as_str(), "50000.00").await;
    assert_eq!(world.balance(&format!("employer:{employer}")).await, "50000.50");
    assert_eq!(world.chain_events(&reference, "funded").await, 1);
    world.sound().await;
}

#[tokio::test]
async fn nobody_s_money_waits_in_suspense_and_the_payer_is_told() {
    let (world, _, reference) = begin("50000.00").await;
    let near_miss = format!("{}Z", &reference.as_str()[..15]);
    for (n, typed) in ["ESCROW_NOSUCH99", "", "0712 345 126", &near_miss].into_iter().enumerate() {
        pay(&world, &format!("UKK71XQ5Z{n}"), typed, "100.00").await;
    }
    let told = world.texts_to(PAYER).len();
    assert_eq!(world.balance("suspense:mpesa:600111").await, "400.00");
    assert_eq!(told, 4);
    assert_eq!(world.balance(&format!("escrow:{reference}")).await, "0.00");
    let mut tx = world.app.db.begin().await.unwrap();
    let listed = amana_gateway::recon::suspense(&mut tx, &world.app, None, 10).await.unwrap();
    drop(tx);
    assert_eq!(listed.len(), 4);
    assert!(listed.iter().any(|money| money.typed_reference.as_deref() == Some("ESCROW_NOSUCH99")));
    for money in &listed {
        let payer = money.payer.as_deref().unwrap();
        assert!(payer.contains('*') && !payer.contains("712345126"), "{payer}");
    }
    world.sound().await;
}

#[tokio::test]
async fn a_reference_is_found_however_it_is_typed() {
    let (world, _, reference) = begin("1000.00").await;
    let full = reference.as_str();
    let (spaced, tail) = (full.to_lowercase().replace('_', " "), reference.tail().to_string());
    for (n, typed) in
        [spaced, full.replace('_', ""), tail, full.replace('0', "O").replace('1', "l")].iter().enumerate()
    {
        pay(&world, &format!("UKK71XQ6Z{n}"), typed, "250.00").await;
    }
    assert_eq!(world.state(&reference).await.status(), Status::Funded);
    world.sound().await;
}

#[tokio::test]
async fn what_cannot_be_believed_is_kept_and_shown() {
    let (world, _, reference) = begin("50000.00").await;
    let body = |amount: &str, shortcode: &str| {
        json!({ "TransID": "UKK71XQ7Z1", "TransAmount": amount, "MSISDN": PAYER,
            "BillRefNumber": reference.as_str(), "BusinessShortCode": shortcode })
        .to_string()
    };
    let bad = [
        body("0", "600111"),
        body("-5", "600111"),
        body("5,000.00", "600111"),
        body("10.001", "600111"),
        body("50000.00", "999999"),
        json!({ "TransID": "UKK71XQ7Z1", "MSISDN": PAYER, "BillRefNumber": "x" }).to_string(),
        "{\"TransID\": ".to_string(),
    ];
    for raw in &bad {
        inbox::hear(&world.app, inbox::C2B, "127.0.0.1", json!({}), raw.as_bytes()).await.unwrap();
    }
    world.settle().await;
    assert_eq!(world.balance("float:mpesa:600111").await, "0.00");
    let mut tx = world.app.db.begin().await.unwrap();
    let listed =
        amana_gateway::recon::failures(&mut tx, &world.app, chrono::DateTime::<chrono::Utc>::MAX_UTC, 50)
            .await
            .unwrap();
    drop(tx);
    assert_eq!(listed.len(), bad.len(), "{listed:#?}");
    assert!(
        listed.iter().any(|failure| failure.reason.as_deref().is_some_and(|why| why.contains("TransAmount")))
    );
    // The same receipt in good order is booked all the same; with another amount it is a contradiction.
    pay(&world, "UKK71XQ7Z1", reference.as_str(), "50000.00").await;
    pay(&world, "UKK71XQ7Z1", reference.as_str(), "50001.00").await;
    assert_eq!(world.balance("float:mpesa:600111").await, "50000.00");
    assert_eq!(world.verdicts().await.last().map(String::as_str), Some("contradiction"));
    world.sound().await;
}

#[tokio::test]
async fn what_must_be_asked_about_first_waits_in_suspense() {
    let world = World::with(|environment| environment.set("AMANA_MPESA_VERIFY", "above:1000.00")).await;
    let employer = world.person(Role::Employer, EMPLOYER).await;
    let reference = world.open(&world.app, employer, "3000.00").await.unwrap();
    pay(&world, "UKK71XQ8Z1", reference.as_str(), "1000.00").await;
    pay(&world, "UKK71XQ8Z2", reference.as_str(), "1000.01").await;
    assert_eq!(world.balance(&format!("escrow:{reference}")).await, "1000.00");
    assert_eq!(world.balance("suspense:mpesa:600111").await, "1000.01");
    world.sound().await;
}
