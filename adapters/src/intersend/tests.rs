//! The adapter against the simulated rail over real HTTP: what goes out byte by byte, and what every
//! misbehaviour means.

use std::sync::Arc;
use std::time::Duration;

use amana_ledger::id::Clock;
use amana_ledger::money::{Asset, Money};
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use chrono::{DateTime, TimeDelta};
use std::sync::Mutex;

use super::sim::{Options, Sim};
use super::*;
use crate::http::tests::{anywhere, client};
use crate::port::{Msisdn, PayoutState};
use crate::sim::{Behaviour, Stage, When};

const FIXTURE: &[u8] = include_bytes!("../../../tests/fixtures/intersend/payout_send_request.json");
const SECRET: &str = "intersend-test-secret-0001";
const REFERENCE: &str = "PAYOUT_01JD3ZB7K2M9";

/// The instant of the signature vectors.
fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_763_632_800, 0).unwrap()
}

struct Still;

impl Clock for Still {
    fn now(&self) -> DateTime<Utc> {
        now()
    }
}

fn kes(text: &str) -> Money {
    Money::parse_decimal(Asset::Kes, text).unwrap()
}

fn order(reference: &str) -> PayoutOrder {
    let phone = Msisdn::parse("0712345678").unwrap();
    PayoutOrder { phone, money: kes("50000.00"), reference: reference.to_owned() }
}

fn options() -> Options {
    Options {
        listen: anywhere(),
        key: Secret::new("intersend-test-key"),
        secret: Secret::new(SECRET),
        callback_url: None,
        float: kes("120000.00"),
        fee: Some(kes("33.00")),
        pace: Duration::ZERO,
        state_file: None,
    }
}

fn rail(sim: &Sim, http: Client) -> Intersend {
    let config =
        Config { url: sim.url() + "/", key: Secret::new("intersend-test-key"), secret: Secret::new(SECRET) };
    Intersend::new(config, http)
}

async fn pair() -> (Sim, Intersend) {
    let sim = Sim::start(options(), client(), Arc::new(Still)).await.unwrap();
    let rail = rail(&sim, client());
    (sim, rail)
}

fn done(outcome: Outcome<PayoutStatus>) -> PayoutStatus {
    match outcome {
        Outcome::Done(status) => status,
        other => panic!("{other:?}"),
    }
}

/// A gateway of paper: keeps what it hears, verified, and can be made to fail first.
struct Ear {
    url: String,
    heard: Arc<Mutex<Vec<PayoutState>>>,
    _stage: Stage,
}

async fn ear(rail: Intersend, failures: usize) -> Ear {
    let heard: Arc<Mutex<Vec<PayoutState>>> = Arc::default();
    let (kept, left) = (heard.clone(), Arc::new(Mutex::new(failures)));
    let hear = move |headers: HeaderMap, body: Bytes| async move {
        let mut left = left.lock().unwrap();
        if *left > 0 {
            *left -= 1;
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        let value = |name: &str| headers.get(name).unwrap().to_str().unwrap();
        let status = rail.heard(value(HEADERS.0), value(HEADERS.1), &body, now()).unwrap();
        kept.lock().unwrap().push(status.state);
        StatusCode::OK
    };
    let stage = Stage::open(anywhere(), Router::new().route("/cb", post(hear))).await.unwrap();
    Ear { url: format!("http://{}/cb", stage.addr()), heard, _stage: stage }
}

/// A rail that calls back to an ear, one payout in that manner, and what the ear heard.
async fn told(behaviour: Behaviour, failures: usize) -> (Sim, Intersend, Vec<PayoutState>) {
    let (_unused, words) = pair().await;
    let ear = ear(words, failures).await;
    let sim = Sim::start(options(), client(), Arc::new(Still)).await.unwrap();
    sim.call_back_to(&ear.url);
    let rail = rail(&sim, client());
    sim.behave(When::Always, behaviour);
    done(rail.send(&order(REFERENCE), now()).await);
    sim.quiet().await;
    let heard = ear.heard.lock().unwrap().clone();
    (sim, rail, heard)
}

#[tokio::test]
async fn an_order_is_byte_for_byte_the_documents() {
    let (sim, rail) = pair().await;
    let status = done(rail.send(&order(REFERENCE), now()).await);
    assert_eq!((status.reference.as_str(), status.provider_id.as_deref()), (REFERENCE, Some("ISP0000001")));
    assert_eq!((status.money, status.fee), (Some(kes("50000")), Some(kes("33"))));
    let seen = &sim.seen()[0];
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/v1/payouts/send"));
    assert_eq!(seen.body, FIXTURE);
    assert_eq!(seen.header("authorization"), Some("Bearer intersend-test-key"));
    assert_eq!(seen.header("x-intersend-timestamp"), Some("1763632800"));
    let signature = "sha256=d7b371ae0f3e2728a250085bb44308b677fcd0201c2fa54539e1418e1d20f1e4";
    assert_eq!(seen.header("x-intersend-signature"), Some(signature));
    sim.quiet().await;
    let Outcome::Done(Some(status)) = rail.inquire(REFERENCE, now()).await else { panic!("it is known") };
    assert_eq!(status.state, PayoutState::Completed);
    let signature = "sha256=8f2563587274102acfc535e44f16e3c2e4849a9533726ae364c87e4dcf0059b8";
    assert_eq!(sim.seen()[1].header("x-intersend-signature"), Some(signature), "over an empty body");
    assert_eq!(rail.inquire("PAYOUT_NOSUCH", now()).await, Outcome::Done(None));
    assert!(matches!(rail.inquire("../x?y", now()).await, Outcome::Refused { .. }));
}

#[tokio::test]
async fn a_reference_is_paid_once() {
    let (sim, rail) = pair().await;
    for _ in 0..3 {
        done(rail.send(&order(REFERENCE), now()).await);
    }
    sim.quiet().await;
    assert_eq!((sim.payouts().len(), sim.payouts()[0].asked, sim.float()), (1, 3, 12_000_000 - 5_003_300));
    let other = PayoutOrder { money: kes("1.00"), ..order(REFERENCE) };
    assert!(matches!(rail.send(&other, now()).await, Outcome::Unknown { .. }), "a conflict is asked about");
    assert_eq!(sim.payouts()[0].money, kes("50000"));
}

#[tokio::test]
async fn silence_and_server_errors_are_unknown_and_asked_about() {
    let (sim, rail) = pair().await;
    sim.behave(When::Next(1), Behaviour::Silent);
    assert!(matches!(rail.send(&order("PAYOUT_A"), now()).await, Outcome::Unknown { .. }));
    sim.behave(When::Next(1), Behaviour::ErrorAfter(500));
    assert!(matches!(rail.send(&order("PAYOUT_B"), now()).await, Outcome::Unknown { .. }));
    sim.behave(When::Next(1), Behaviour::ErrorBefore(502));
    assert!(matches!(rail.send(&order("PAYOUT_C"), now()).await, Outcome::Unknown { .. }));
    sim.quiet().await;
    for (reference, known) in [("PAYOUT_A", true), ("PAYOUT_B", true), ("PAYOUT_C", false)] {
        let Outcome::Done(status) = rail.inquire(reference, now()).await else { panic!("it answers") };
        assert_eq!(status.is_some(), known, "{reference}");
    }
}

#[tokio::test]
async fn late_is_unknown_to_the_hasty() {
    let (sim, _) = pair().await;
    let hasty = rail(&sim, client().with_deadline(Duration::from_millis(50)));
    sim.behave(When::Next(1), Behaviour::Late(Duration::from_secs(20)));
    assert!(matches!(hasty.send(&order(REFERENCE), now()).await, Outcome::Unknown { .. }));
    assert_eq!(sim.payouts().len(), 1, "it acted all the same");
    sim.behave(When::Next(1), Behaviour::Late(Duration::from_millis(5)));
    done(rail(&sim, client()).send(&order("PAYOUT_B"), now()).await);
}

#[tokio::test]
async fn a_definite_no_is_refused_and_a_closed_door_is_not_sent() {
    let (sim, rail) = pair().await;
    sim.behave(When::Names("254712345678".into()), Behaviour::Refuse("invalid_phone_number".into()));
    let refused = rail.send(&order(REFERENCE), now()).await;
    assert!(matches!(refused, Outcome::Refused { code, .. } if code == "invalid_phone_number"));
    for status in [401, 403, 404, 429] {
        sim.behave(When::Next(1), Behaviour::ErrorBefore(status));
        assert!(matches!(rail.send(&order(REFERENCE), now()).await, Outcome::NotSent { .. }), "{status}");
    }
    for status in [302, 408, 409, 418, 500] {
        sim.behave(When::Next(1), Behaviour::ErrorBefore(status));
        assert!(matches!(rail.send(&order(REFERENCE), now()).await, Outcome::Unknown { .. }), "{status}");
    }
    sim.behave(When::Next(1), Behaviour::ErrorBefore(400));
    assert!(
        matches!(rail.send(&order(REFERENCE), now()).await, Outcome::Unknown { .. }),
        "400 without their words"
    );
    assert_eq!(sim.payouts(), []);
    let url = sim.url();
    drop(sim);
    let config = Config { url, key: Secret::new("k"), secret: Secret::new("s") };
    let nobody = Intersend::new(config, client());
    assert!(!matches!(
        nobody.send(&order(REFERENCE), now()).await,
        Outcome::Done(_) | Outcome::Refused { .. }
    ));
}

#[tokio::test]
async fn the_rail_checks_who_asks() {
    let (sim, rail) = pair().await;
    let late = now() + TimeDelta::seconds(FRESH_S + 1);
    assert!(matches!(rail.send(&order(REFERENCE), late).await, Outcome::NotSent { .. }), "stale");
    for (key, secret) in [("intersend-test-key", "other"), ("other", SECRET)] {
        let config = Config { url: sim.url(), key: Secret::new(key), secret: Secret::new(secret) };
        let stranger = Intersend::new(config, client());
        assert!(matches!(stranger.send(&order(REFERENCE), now()).await, Outcome::NotSent { .. }));
        assert!(matches!(stranger.inquire(REFERENCE, now()).await, Outcome::NotSent { .. }));
    }
    assert_eq!(sim.payouts(), []);
}

#[tokio::test]
async fn news_comes_in_every_manner() {
    use PayoutState::{Completed, Failed, Processing};
    assert_eq!(told(Behaviour::OnTime, 0).await.2, [Processing, Completed]);
    assert_eq!(told(Behaviour::Twice, 0).await.2, [Processing, Processing, Completed, Completed]);
    assert_eq!(told(Behaviour::Reversed, 0).await.2, [Completed, Processing]);
    assert_eq!(told(Behaviour::OnTime, 2).await.2, [Processing, Completed], "news is told until it is taken");
    let (sim, rail, heard) = told(Behaviour::Mute, 0).await;
    assert_eq!((heard, sim.payouts()[0].state), (vec![], Completed));
    assert!(matches!(rail.inquire(REFERENCE, now()).await, Outcome::Done(Some(s)) if s.state == Completed));
    let (sim, _, heard) = told(Behaviour::Contradict, 0).await;
    assert_eq!((heard, sim.float()), (vec![Processing, Failed, Completed], 12_000_000 - 5_003_300));
    let (sim, _, heard) = told(Behaviour::Fail("recipient_limit".into()), 0).await;
    assert_eq!((heard, sim.float()), (vec![Processing, Failed], 12_000_000));
    let (sim, _, heard) = told(Behaviour::Stall, 0).await;
    assert_eq!((heard, sim.payouts()[0].state), (vec![], PayoutState::Pending));
    sim.finish(REFERENCE, Completed).await;
    assert_eq!(sim.payouts()[0].state, Completed);
}

#[tokio::test]
async fn a_short_float_fails_and_is_not_debited() {
    let (sim, rail) = pair().await;
    for reference in ["PAYOUT_A", "PAYOUT_B", "PAYOUT_C"] {
        done(rail.send(&order(reference), now()).await);
    }
    sim.quiet().await;
    let Outcome::Done(Some(third)) = rail.inquire("PAYOUT_C", now()).await else { panic!("it is known") };
    assert_eq!((third.state, third.reason.as_deref()), (PayoutState::Failed, Some("insufficient_float")));
    assert_eq!(sim.float(), 12_000_000 - 2 * 5_003_300);
    sim.top_up(kes("100.00"));
    assert_eq!(sim.float(), 12_000_000 - 2 * 5_003_300 + 10_000);
}

#[tokio::test]
async fn the_rail_remembers_across_a_restart() {
    let file = std::env::temp_dir().join(format!("amana-intersend-{}.json", std::process::id()));
    let _absent = std::fs::remove_file(&file);
    let options = Options { state_file: Some(file.clone()), pace: Duration::from_secs(60), ..options() };
    let sim = Sim::start(options.clone(), client(), Arc::new(Still)).await.unwrap();
    done(rail(&sim, client()).send(&order(REFERENCE), now()).await);
    drop(sim);
    let options = Options { pace: Duration::ZERO, ..options };
    let sim = Sim::start(options, client(), Arc::new(Still)).await.unwrap();
    sim.quiet().await;
    assert_eq!((sim.payouts()[0].state, sim.float()), (PayoutState::Completed, 12_000_000 - 5_003_300));
    let again = done(rail(&sim, client()).send(&order(REFERENCE), now()).await);
    assert_eq!((again.state, sim.float()), (PayoutState::Completed, 12_000_000 - 5_003_300));
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn a_callback_must_be_fresh_signed_and_read() {
    let config = Config { url: "http://x".into(), key: Secret::new("k"), secret: Secret::new(SECRET) };
    let limits = crate::http::Limits::default();
    let rail =
        Intersend::new(config.clone(), Client::new(limits, Arc::new(crate::http::tests::Fixed)).unwrap());
    let heard = |at: &str, body: &str| {
        let signature = sign::sign(&config.secret, at, body.as_bytes());
        rail.heard(at, &signature, body.as_bytes(), now())
    };
    let body = r#"{"reference":"P_1","transaction_reference":"X","status":"completed",
        "amount":1200.00,"currency":"KES","fee":"0.00","reason":""}"#;
    let status = heard("1763632800", body).unwrap();
    assert_eq!((status.money, status.fee, status.reason), (Some(kes("1200")), None, None));
    assert!(heard("1763633100", body).is_ok() && heard("1763632500", body).is_ok());
    for stale in ["1763633101", "1763632499", "", "-1", "1763632800.0", "now", "99999999999999999999"] {
        assert_eq!(heard(stale, body), Err(BadCallback::Stale), "{stale}");
    }
    assert_eq!(rail.heard("1763632800", "sha256=00", body.as_bytes(), now()), Err(BadCallback::NotSigned));
    for unreadable in [
        "",
        "[]",
        "{",
        r#"{"reference":"P_1"}"#,
        r#"{"reference":"P_1","status":"paid"}"#,
        r#"{"reference":"P_1","status":"completed","amount":"5,000.00","currency":"KES"}"#,
        r#"{"reference":"P_1","status":"completed","amount":"5.00"}"#,
        r#"{"reference":"P_1","status":"completed","amount":"5.00","currency":"USD"}"#,
        r#"{"reference":"P_1","status":"completed","status":"failed"}"#,
        r#"{"reference":"P_1","status":"completed","fee":"-1","currency":"KES"}"#,
    ] {
        assert!(matches!(heard("1763632800", unreadable), Err(BadCallback::Unreadable(_))), "{unreadable}");
    }
    let bare =
        heard("1763632800", r#"{"reference":"P_1","status":"failed","reason":"no line 254712345678"}"#)
            .unwrap();
    assert_eq!((bare.money, bare.reason.as_deref()), (None, Some("no line ***678")));
}
