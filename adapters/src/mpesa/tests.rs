//! What Daraja sends, read; and what the simulated customer sends, heard by a door over real HTTP.

mod fuzz;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use chrono::{TimeZone, Utc};
use proptest::prelude::*;

use super::sim::{Customer, Delivery, Doors, Payment, Shown, receipt};
use super::*;
use crate::http::tests::client;
use crate::sim::Stage;

const CLEAR: &[u8] = include_bytes!("../../../tests/fixtures/daraja/c2b_confirmation_clear_sparse.json");
const MASKED: &[u8] = include_bytes!("../../../tests/fixtures/daraja/c2b_v2_confirmation.json");
const NO_SPACE: &[u8] =
    include_bytes!("../../../tests/fixtures/daraja/c2b_v2_confirmation_masked_nospace.json");
const HASHED: &[u8] = include_bytes!("../../../tests/fixtures/daraja/c2b_v1_confirmation_hashed.json");
const ASKED: &[u8] = include_bytes!("../../../tests/fixtures/daraja/c2b_v2_validation_request.json");

fn phone() -> Msisdn {
    Msisdn::parse("254712345126").unwrap()
}

#[test]
fn a_full_confirmation_is_read() {
    let read = read_confirmation(MASKED).unwrap();
    assert_eq!(read.receipt, "UKK71XQ4ZD");
    assert_eq!(read.money.decimal(), "1500.00");
    assert_eq!(read.shortcode.as_deref(), Some("600111"));
    assert_eq!(read.typed_ref, "ESCROW_7KQ2M9XD5");
    assert_eq!(read.payer, Payer::Masked("2547*****126".into()));
    assert_eq!(read.at, Some(Utc.with_ymd_and_hms(2026, 11, 20, 7, 15, 30).unwrap()), "Nairobi is UTC+3");
    assert_eq!(read.kind.as_deref(), Some("Pay Bill"));
    assert_eq!(read.validation_id, None);
    assert_eq!(read_validation(ASKED).unwrap(), read, "validation asks about the same payment");
}

#[test]
fn four_fields_are_enough() {
    let read = read_confirmation(CLEAR).unwrap();
    assert_eq!((read.receipt.as_str(), read.money.decimal().as_str()), ("RKTQDM7W6S", "50000.00"));
    assert_eq!((read.shortcode, read.at, read.kind), (None, None, None));
    assert_eq!(read.payer.phone().unwrap().digits(), "254712345678");
}

#[test]
fn the_payer_in_three_forms() {
    let other = Msisdn::parse("0712345127").unwrap();
    for raw in [MASKED, NO_SPACE, HASHED] {
        let payer = read_confirmation(raw).unwrap().payer;
        assert!(payer.may_be(&phone()) && !payer.may_be(&other), "{payer:?}");
        assert_eq!(payer.phone(), None);
    }
    let clear = read_confirmation(CLEAR).unwrap().payer;
    assert_eq!(format!("{clear:?}"), "Payer(2547***678)");
    let typed = with("BillRefNumber", "0712345678".into()).unwrap();
    assert!(!format!("{typed:?}").contains("0712345678"), "{typed:?}");
    assert!(matches!(Payer::read("till 12"), Payer::Other(_)));
    assert!(matches!(Payer::read("25470****149"), Payer::Masked(_)));
}

fn with(field: &str, value: serde_json::Value) -> Result<C2b, BadConfirmation> {
    let mut body: serde_json::Value = serde_json::from_slice(MASKED).unwrap();
    body[field] = value;
    read_confirmation(&serde_json::to_vec(&body).unwrap())
}

#[test]
fn numbers_in_place_of_texts_are_read_by_their_digits() {
    let raw = br#"{"TransID":"UKK71XQ4ZD","TransAmount":5.00,"MSISDN":254712345126,
        "BillRefNumber":12,"TransTime":20261120101530}"#;
    let read = read_confirmation(raw).unwrap();
    assert_eq!((read.money.decimal().as_str(), read.typed_ref.as_str()), ("5.00", "12"));
    assert_eq!(read.payer, Payer::Clear(phone()));
    assert!(read.at.is_some());
    assert_eq!(with("TransAmount", 10.into()).unwrap().money.decimal(), "10.00");
    assert_eq!(with("TransAmount", "10".into()).unwrap().money.decimal(), "10.00");
}

#[test]
fn what_is_wrong_is_named() {
    let huge = "92233720368547758.08";
    for (field, value, reason) in [
        ("TransAmount", "0".into(), "an amount is more than zero"),
        ("TransAmount", 0.into(), "an amount is more than zero"),
        ("TransAmount", "-5".into(), "an amount is digits, and at most one point followed by digits"),
        ("TransAmount", (-5).into(), "an amount is digits, and at most one point followed by digits"),
        ("TransAmount", "5,000.00".into(), "an amount is digits, and at most one point followed by digits"),
        ("TransAmount", "5.001".into(), "the amount has more decimal places than its asset"),
        ("TransAmount", huge.into(), "the amount is larger than the ledger can count"),
        ("TransAmount", "".into(), "is empty"),
        ("TransAmount", true.into(), "is neither a text nor a number"),
        ("TransAmount", serde_json::Value::Null, "is missing"),
        ("TransID", serde_json::Value::Null, "is missing"),
        ("TransID", " ".into(), "is empty"),
        ("TransID", "A B".into(), "is not a receipt (up to 32 letters and digits)"),
        ("MSISDN", serde_json::Value::Null, "is missing"),
        ("BillRefNumber", serde_json::Value::Null, "is missing"),
        ("BillRefNumber", serde_json::json!({}), "is not a text"),
        ("BusinessShortCode", serde_json::json!([600111]), "is not a text"),
    ] {
        assert_eq!(with(field, value), Err(BadConfirmation { field, reason: reason.into() }), "{field}");
    }
}

#[test]
fn odd_fields_we_do_not_need_do_not_stop_the_money() {
    assert_eq!(with("TransTime", "yesterday".into()).unwrap().at, None);
    assert_eq!(with("TransTime", "20261320101530".into()).unwrap().at, None);
    assert_eq!(with("BusinessShortCode", "".into()).unwrap().shortcode, None);
    assert_eq!(with("FirstName", serde_json::Value::Null).unwrap().receipt, "UKK71XQ4ZD");
    assert_eq!(with("BillRefNumber", "".into()).unwrap().typed_ref, "");
    assert_eq!(with("BillRefNumber", " escrow\u{0}_7 ".into()).unwrap().typed_ref, "escrow_7");
    assert_eq!(with("TransID", "ukk71xq4zd".into()).unwrap().receipt, "UKK71XQ4ZD");
    assert_eq!(with("ThirdPartyTransID", "vld_1".into()).unwrap().validation_id.as_deref(), Some("vld_1"));
}

#[test]
fn a_body_that_is_no_object_is_refused_whole() {
    for raw in [&b""[..], b"not json", b"[\"Pay Bill\",\"X\"]", b"{\"TransID\":", b"\"x\""] {
        assert_eq!(read_confirmation(raw).unwrap_err().field, "body");
    }
    assert_eq!(read_confirmation(b"{\"TransID\":\"\xff\"}").unwrap_err().field, "TransID");
    let twice = br#"{"TransID":"A1","TransAmount":"5","TransAmount":"500",
        "MSISDN":"254712345126","BillRefNumber":"x"}"#;
    assert!(read_confirmation(twice).unwrap_err().reason.starts_with("has a field twice"));
    let marked = [b"\xef\xbb\xbf", CLEAR].concat();
    assert!(read_confirmation(&marked).is_ok(), "a byte order mark is not our payer's fault");
}

#[test]
fn receipts_carry_their_day() {
    let at = Utc.with_ymd_and_hms(2026, 11, 20, 7, 15, 30).unwrap();
    assert_eq!(receipt(at, 0), "UKK0000000");
    assert_eq!(receipt(at, 36), "UKK0000010");
    let late = Utc.with_ymd_and_hms(2024, 7, 5, 22, 0, 0).unwrap();
    assert!(receipt(late, 1).starts_with("SG6"), "the day is Nairobi's");
}

proptest! {
    #[test]
    fn no_bytes_panic(raw in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _read = read_confirmation(&raw);
    }

    #[test]
    fn what_is_written_is_read_back(minor in 1i64..=25_000_000, count in any::<u32>(), form in 0..3u8) {
        let amount = amana_ledger::money::decimal(amana_ledger::money::Asset::Kes, minor);
        let mut payment = payment(count);
        payment.amount = amount.clone();
        payment.shown = [Shown::Clear, Shown::Masked, Shown::Hashed][usize::from(form)];
        let read = read_confirmation(&payment.body(true)).unwrap();
        prop_assert_eq!(read.money.decimal(), amount);
        prop_assert_eq!(read.receipt, payment.receipt);
        prop_assert_eq!(read.at, Some(payment.at));
        prop_assert!(read.payer.may_be(&payment.phone));
    }
}

fn payment(count: u32) -> Payment {
    let at = Utc.with_ymd_and_hms(2026, 11, 20, 7, 15, 30).unwrap();
    Payment {
        receipt: receipt(at, count),
        amount: "50000.00".into(),
        shortcode: "600111".into(),
        typed_ref: "ESCROW_7KQ2M9XD5".into(),
        phone: phone(),
        shown: Shown::Masked,
        at,
    }
}

/// A gateway of paper: keeps the bodies, accepts or rejects, acknowledges.
async fn door(validation: &'static str) -> (Stage, Customer, Arc<Mutex<Vec<(bool, C2b)>>>) {
    let heard: Arc<Mutex<Vec<(bool, C2b)>>> = Arc::default();
    let (asked, told) = (heard.clone(), heard.clone());
    let routes = Router::new()
        .route(
            "/check",
            post(move |body: Bytes| async move {
                asked.lock().unwrap().push((false, read_validation(&body).unwrap()));
                validation
            }),
        )
        .route(
            "/confirm",
            post(move |body: Bytes| async move {
                told.lock().unwrap().push((true, read_confirmation(&body).unwrap()));
                answer::ACK
            }),
        );
    let stage = Stage::open(SocketAddr::from(([127, 0, 0, 1], 0)), routes).await.unwrap();
    let url = format!("http://{}", stage.addr());
    let doors = Doors {
        validation: Some(format!("{url}/check")),
        confirmation: format!("{url}/confirm"),
        on_silence: register::OnSilence::Completed,
    };
    (stage, Customer::new(client(), doors), heard)
}

#[tokio::test]
async fn a_payment_is_asked_about_and_confirmed() {
    let (_stage, customer, heard) = door(r#"{"ResultCode":"0","ResultDesc":"Accepted"}"#).await;
    let told = customer.pay(&payment(1), Delivery::Once).await;
    assert_eq!(told.acknowledged(), 1);
    assert_eq!(
        heard.lock().unwrap().iter().map(|(confirmed, _)| *confirmed).collect::<Vec<_>>(),
        [false, true]
    );
    let told = customer.pay(&payment(2), Delivery::ConfirmationFirst).await;
    assert_eq!(told.acknowledged(), 1);
    assert!(heard.lock().unwrap()[2].0 && !heard.lock().unwrap()[3].0);
}

#[tokio::test]
async fn news_comes_in_every_manner() {
    let (_stage, customer, heard) = door(r#"{"ResultCode":0}"#).await;
    let confirmed =
        |heard: &Mutex<Vec<(bool, C2b)>>| heard.lock().unwrap().iter().filter(|(c, _)| *c).count();
    assert_eq!(customer.pay(&payment(1), Delivery::Times(2)).await.acknowledged(), 2);
    assert_eq!(customer.pay(&payment(2), Delivery::Parallel(50)).await.acknowledged(), 50);
    assert_eq!(customer.pay(&payment(3), Delivery::Late(Duration::from_millis(5))).await.acknowledged(), 1);
    assert_eq!(customer.pay(&payment(4), Delivery::Lost).await.acknowledged(), 0);
    assert_eq!(confirmed(&heard), 53);
    customer.pay(&payment(5), Delivery::Contradictory("40000.00".into())).await;
    let heard = heard.lock().unwrap();
    let [.., (_, first), (_, second)] = &heard[..] else { panic!("two were told") };
    assert_eq!(first.receipt, second.receipt);
    assert_ne!(first.money, second.money);
}

#[tokio::test]
async fn a_rejected_payment_is_not_made() {
    let (_stage, customer, heard) = door(r#"{"ResultCode":"C2B00012","ResultDesc":"Rejected"}"#).await;
    let told = customer.pay(&payment(1), Delivery::Once).await;
    assert!(told.validation.is_some() && told.confirmations.is_empty());
    assert_eq!(heard.lock().unwrap().len(), 1);
}
