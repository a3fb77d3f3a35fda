//! Messages against the simulated vendor over real HTTP, reports back, and a phone that dials a menu.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use amana_ledger::id::Clock;
use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use chrono::{DateTime, Utc};

use super::sim::{Dialler, NoReply, Options, Sim};
use super::*;
use crate::http::tests::{anywhere, client};
use crate::http::{Call, NoAnswer};
use crate::port::{Msisdn, Outcome, Secret};
use crate::sim::{Behaviour, Stage, When};

const TEXT: &str = "KES 1,500.00 received. Ref UKK71XQ4ZD. New balance KES 3,250.00";

struct Still;

impl Clock for Still {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(1_763_632_800, 0).unwrap()
    }
}

fn phone() -> Msisdn {
    Msisdn::parse("0712345126").unwrap()
}

fn options(report_url: Option<String>) -> Options {
    let key = Secret::new("at-test-key");
    Options { listen: anywhere(), username: "amana".into(), key, report_url, pace: Duration::ZERO }
}

fn sender(sim: &Sim, key: &str) -> Sms {
    let sender = Some("AMANA".into());
    Sms::new(
        Config { url: sim.url() + "/", username: "amana".into(), key: Secret::new(key), sender },
        client(),
    )
}

async fn pair() -> (Sim, Sms) {
    let sim = Sim::start(options(None), client(), Arc::new(Still)).await.unwrap();
    let sms = sender(&sim, "at-test-key");
    (sim, sms)
}

#[tokio::test]
async fn a_message_is_byte_for_byte_the_vendors() {
    let (sim, sms) = pair().await;
    let Outcome::Done(receipt) = sms.send(&phone(), TEXT, "n_1").await else { panic!("it is taken") };
    assert_eq!((receipt.message_id.as_str(), receipt.status_code), ("ATXid_0000000001", 101));
    assert_eq!(receipt.cost.as_deref(), Some("KES 0.8000"));
    let seen = &sim.seen()[0];
    assert_eq!(seen.path, "/version1/messaging");
    assert_eq!(seen.body, include_bytes!("../../../tests/fixtures/africastalking/sms_send_request.form"));
    assert_eq!(
        (seen.header("apikey"), seen.header("accept")),
        (Some("at-test-key"), Some("application/json"))
    );
    assert_eq!(sim.inbox(&phone())[0].text, TEXT);
    assert!(!format!("{:?}", sim.messages()).contains("3,250"));
}

#[tokio::test]
async fn people_and_programs_can_read_the_messages() {
    let (sim, sms) = pair().await;
    assert!(matches!(sms.send(&phone(), "<b>1 & 2</b>", "n_1").await, Outcome::Done(_)));
    let page = client().ask(&Call::get("test", sim.url())).await.unwrap();
    let page = String::from_utf8(page.body).unwrap();
    assert!(page.contains("+254712345126") && page.contains("&lt;b&gt;1 &amp; 2&lt;/b&gt;"), "{page}");
    let list = client().ask(&Call::get("test", sim.url() + "/messages")).await.unwrap();
    let list: serde_json::Value = serde_json::from_slice(&list.body).unwrap();
    assert_eq!(list[0]["text"], "<b>1 & 2</b>");
}

#[tokio::test]
async fn what_an_answer_means() {
    let (sim, sms) = pair().await;
    let to = phone();
    let send = || sms.send(&to, TEXT, "n_1");
    sim.behave(When::Next(1), Behaviour::Silent);
    assert!(matches!(send().await, Outcome::Unknown { .. }));
    assert_eq!(sim.messages().len(), 1, "it went out all the same");
    for (behaviour, unknown) in [
        (Behaviour::ErrorBefore(503), true),
        (Behaviour::ErrorAfter(500), true),
        (Behaviour::ErrorBefore(429), false),
        (Behaviour::ErrorBefore(403), false),
        (Behaviour::Refuse("405".into()), false),
        (Behaviour::Refuse("501".into()), false),
        (Behaviour::Refuse("777".into()), true),
    ] {
        sim.behave(When::Next(1), behaviour.clone());
        match send().await {
            Outcome::Unknown { .. } => assert!(unknown, "{behaviour:?}"),
            Outcome::NotSent { .. } => assert!(!unknown, "{behaviour:?}"),
            other => panic!("{behaviour:?}: {other:?}"),
        }
    }
    for code in ["402", "403", "404", "406", "407", "409", "502"] {
        sim.behave(When::Names(phone().digits().into()), Behaviour::Refuse(code.into()));
        assert!(matches!(send().await, Outcome::Refused { code: said, .. } if said == code));
    }
    sim.behave_well();
    assert!(matches!(send().await, Outcome::Done(_)));
    let stranger = sender(&sim, "other").send(&phone(), TEXT, "n_1").await;
    assert_eq!(stranger, Outcome::NotSent { why: "turned away with 401".into() });
}

/// An answer's body, without the vendor.
async fn answered(status: u16, body: &'static str) -> Outcome<SmsReceipt> {
    let answer = move || async move { (StatusCode::from_u16(status).unwrap(), body) };
    let stage = Stage::open(anywhere(), Router::new().fallback(answer)).await.unwrap();
    let url = format!("http://{}", stage.addr());
    let config = Config { url, username: "amana".into(), key: Secret::new("k"), sender: None };
    Sms::new(config, client()).send(&phone(), TEXT, "n_1").await
}

#[tokio::test]
async fn the_vendors_own_answers() {
    let fixture = include_str!("../../../tests/fixtures/africastalking/sms_send_response.json");
    let Outcome::Done(receipt) = answered(201, fixture).await else { panic!("it is taken") };
    assert_eq!(receipt.message_id, "ATXid_7c1e0d9b2f");
    let empty = r#"{"SMSMessageData":{"Message":"InvalidSenderId","Recipients":[]}}"#;
    assert_eq!(answered(201, empty).await, Outcome::NotSent { why: "InvalidSenderId".into() });
    let two = r#"{"SMSMessageData":{"Recipients":[
        {"statusCode":101,"messageId":"a"},{"statusCode":101,"messageId":"b"}]}}"#;
    assert!(matches!(answered(201, two).await, Outcome::Unknown { .. }));
    assert!(matches!(answered(200, "<xml/>").await, Outcome::Unknown { .. }));
    assert!(matches!(answered(400, "no message to +254712345126").await,
        Outcome::Refused { reason, .. } if reason == "no message to +***126"));
}

#[tokio::test]
async fn reports_come_in_every_manner_and_a_final_word_is_kept() {
    let heard: Arc<Mutex<Vec<Report>>> = Arc::default();
    let kept = heard.clone();
    let hear = move |body: Bytes| async move { kept.lock().unwrap().push(read_report(&body).unwrap()) };
    let stage = Stage::open(anywhere(), Router::new().route("/report", post(hear))).await.unwrap();
    let url = format!("http://{}/report", stage.addr());
    let sim = Sim::start(options(Some(url)), client(), Arc::new(Still)).await.unwrap();
    let sms = sender(&sim, "at-test-key");
    for (behaviour, count, end) in [
        (Behaviour::OnTime, 2, Delivery::Success),
        (Behaviour::Twice, 4, Delivery::Success),
        (Behaviour::Reversed, 2, Delivery::Success),
        (Behaviour::Contradict, 2, Delivery::Success),
        (Behaviour::Fail("UserIsInactive".into()), 2, Delivery::Failed),
        (Behaviour::Stall, 1, Delivery::Submitted),
    ] {
        heard.lock().unwrap().clear();
        sim.behave(When::Next(1), behaviour.clone());
        assert!(matches!(sms.send(&phone(), TEXT, "n_1").await, Outcome::Done(_)));
        sim.quiet().await;
        let heard = heard.lock().unwrap();
        let known = heard.iter().fold(None, |known, report| Some(report.delivery.after(known)));
        assert_eq!((heard.len(), known), (count, Some(end)), "{behaviour:?}");
        assert_eq!(heard[0].phone, Some(phone()));
    }
}

#[test]
fn reports_are_read() {
    let failed = include_bytes!("../../../tests/fixtures/africastalking/sms_delivery_report_failed.form");
    let report = read_report(failed).unwrap();
    assert_eq!((report.message_id.as_str(), report.delivery), ("ATXid_7c1e0d9b2f", Delivery::Failed));
    assert_eq!(report.reason.as_deref(), Some("UserInBlackList"));
    assert!(report.delivery.is_final() && !Delivery::Sent.is_final());
    let success = include_bytes!("../../../tests/fixtures/africastalking/sms_delivery_report_success.form");
    assert_eq!(read_report(success).unwrap().delivery, Delivery::Success);
    assert_eq!(read_report(b"id=x&status=Perhaps").unwrap_err().field, "status");
    assert_eq!(read_report(b"status=Sent").unwrap_err().field, "id");
}

#[tokio::test]
async fn a_phone_walks_a_menu() {
    let menu = |body: Bytes| async move {
        let request = read_ussd(&body).unwrap();
        match request.inputs.len() {
            0 => (StatusCode::OK, UssdReply::Con("1 Hire 2 Work".into()).render().unwrap()),
            1 if request.inputs[0] == "9" => (StatusCode::OK, "no prefix".to_owned()),
            1 => (StatusCode::OK, UssdReply::Con("First name".into()).render().unwrap()),
            2 => (StatusCode::OK, UssdReply::End(request.inputs[1].clone()).render().unwrap()),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, String::new()),
        }
    };
    let stage = Stage::open(anywhere(), Router::new().route("/ussd", post(menu))).await.unwrap();
    let url = format!("http://{}/ussd", stage.addr());
    let mut phone = Dialler::new(client(), &url, "*384*111#", phone());
    assert_eq!(phone.press("1").await, Err(NoReply::Over));
    assert_eq!(phone.dial("s1").await, Ok(UssdReply::Con("1 Hire 2 Work".into())));
    assert_eq!(phone.press("2").await, Ok(UssdReply::Con("First name".into())));
    assert_eq!(phone.again().await, Ok(UssdReply::Con("First name".into())));
    assert_eq!(phone.press("PAYEE & co").await, Ok(UssdReply::End("PAYEE & co".into())));
    assert_eq!(phone.press("1").await, Err(NoReply::Over));
    assert_eq!(phone.walk("s2", &["1", "x"]).await, Ok(UssdReply::End("x".into())));
    assert_eq!(phone.walk("s3", &["9"]).await, Err(NoReply::Broken(200)));
    let mut nobody = Dialler::new(client(), "http://no-such-host.invalid/", "*1#", phone.phone().clone());
    assert!(matches!(nobody.dial("s4").await, Err(NoReply::NoAnswer(NoAnswer::NotSent(_)))));
}
