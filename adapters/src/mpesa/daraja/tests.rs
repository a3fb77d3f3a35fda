//! Every fixture read; every call made over real HTTP against the simulated desk.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use amana_ledger::id::Clock;
use amana_ledger::money::{Asset, Money};
use aws_lc_rs::rsa::{Pkcs1PrivateDecryptingKey, PrivateDecryptingKey};
use axum::Router;
use axum::body::Bytes;
use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use serde_json::{Value, json};

use super::*;
use crate::http::tests::client;
use crate::mpesa::sim::{Options, Payment, Shown, Sim};
use crate::mpesa::{Payer, answer, read_confirmation};
use crate::port::Msisdn;
use crate::sim::{Behaviour, Stage, When};

macro_rules! fixture {
    ($name:literal) => {
        &include_bytes!(concat!("../../../../tests/fixtures/daraja/", $name))[..]
    };
}

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 20, 8, 29, 45).unwrap()
}

fn kes(decimals: &str) -> Money {
    Money::parse_decimal(Asset::Kes, decimals).unwrap()
}

fn phone() -> Msisdn {
    Msisdn::parse("254712345126").unwrap()
}

fn heard(status: u16, body: &[u8]) -> Answer {
    Answer { status, body: body.to_vec(), retry_after: None }
}

#[test]
fn an_envelope_is_told_apart_by_code_and_words() {
    let of = |status: u16, body: &[u8]| classify(&heard(status, body));
    assert_eq!(of(404, fixture!("error_invalid_access_token.json")), Trouble::Stale);
    assert!(matches!(of(500, fixture!("error_spike_arrest.json")), Trouble::Busy(_)));
    assert!(matches!(of(500, fixture!("stk_push_error_subscriber_locked.json")), Trouble::Busy(_)));
    assert_eq!(of(500, fixture!("b2c_error_duplicate_originator.json")), Trouble::Duplicate);
    assert_eq!(of(500, fixture!("c2b_registerurl_error_already.json")), Trouble::Registered);
    let bad = Trouble::Refused("400.002.02".into(), "Bad Request - Invalid PhoneNumber".into());
    assert_eq!(of(400, fixture!("stk_push_error_bad_request.json")), bad);
    assert!(
        matches!(of(400, fixture!("oauth_error_grant.json")), Trouble::Refused(c, _) if c == "400.008.02")
    );
    let envelope = |code: &str, words: &str| {
        json!({ "requestId": "1", "errorCode": code, "errorMessage": words }).to_string().into_bytes()
    };
    for code in ["404.001.03", "400.003.01", "401.002.01", "401.003.01"] {
        assert_eq!(of(400, &envelope(code, "Invalid Access Token")), Trouble::Stale, "{code}");
    }
    let same_code = |words: &str| of(500, &envelope("500.001.1001", words));
    assert_eq!(same_code("The transaction is being processed"), Trouble::Underway);
    assert!(matches!(same_code("Merchant does not exist"), Trouble::NotLetIn(_)));
    assert!(matches!(same_code("Wrong credentials"), Trouble::NotLetIn(_)));
    assert!(matches!(same_code("[MerchantValidate] - something new"), Trouble::Unwell(_)));
    assert!(matches!(of(500, &envelope("500.003.02", "System is busy")), Trouble::Unwell(_)));
    assert!(matches!(of(500, &envelope("500.003.03", "Quota Violation")), Trouble::Busy(_)));
    assert!(matches!(of(503, b""), Trouble::Unwell(_)));
    let not_ours = "Invalid API call as no apiproduct match found";
    assert!(matches!(of(401, &envelope("401", not_ours)), Trouble::NotLetIn(_)));
    let front = json!({ "fault": { "faultstring": "Invalid access token" } }).to_string();
    assert_eq!(of(401, front.as_bytes()), Trouble::Stale);
}

#[test]
fn the_end_of_a_prompt_is_read() {
    let paid = read_callback(fixture!("stk_callback_success.json")).unwrap();
    assert_eq!(paid.checkout, "ws_CO_20112026112946117712345126");
    let PromptEnd::Paid { receipt, money, payer, at } = paid.end else { panic!("it was paid") };
    assert_eq!((receipt.as_str(), money), ("UKK41STK9P", kes("2500.00")));
    assert_eq!((payer, at), (Payer::Clear(phone()), Utc.with_ymd_and_hms(2026, 11, 20, 8, 30, 2).single()));
    for (raw, code) in [
        (fixture!("stk_callback_1.json"), "1"),
        (fixture!("stk_callback_1019.json"), "1019"),
        (fixture!("stk_callback_1032.json"), "1032"),
        (fixture!("stk_callback_1037.json"), "1037"),
        (fixture!("stk_callback_2001.json"), "2001"),
    ] {
        let PromptEnd::NotPaid { code: read, .. } = read_callback(raw).unwrap().end else { panic!("{code}") };
        assert_eq!(read, code);
    }
    let word = br#"{"Body":{"stkCallback":{"CheckoutRequestID":"x","ResultCode":"SFC_IC0003",
        "ResultDesc":"[STK_CB - ]No"}}}"#;
    let end = PromptEnd::NotPaid { code: "SFC_IC0003".into(), reason: "No".into() };
    assert_eq!(read_callback(word).unwrap().end, end);
    let mute = br#"{"Body":{"stkCallback":{"CheckoutRequestID":"x","ResultCode":0}}}"#;
    assert_eq!(read_callback(mute).unwrap().end, PromptEnd::PaidSomewhere);
    let cents = String::from_utf8_lossy(fixture!("stk_callback_success.json")).replace("2500.0", "2500.001");
    let bad = read_callback(cents.as_bytes()).unwrap_err();
    assert_eq!(bad.to_string(), "Amount the amount has more decimal places than its asset");
}

#[test]
fn a_payout_s_end_is_read() {
    let end = |raw: &[u8]| payout_end(&read_word(raw).unwrap()).unwrap();
    let PayoutEnd::Paid(paid) = end(fixture!("b2c_result_success.json")) else { panic!("paid") };
    assert_eq!(
        (paid.receipt.as_str(), paid.money, paid.left),
        ("UKK51B2C7R", kes("1200.00"), Some(34_880_000))
    );
    assert_eq!(paid.at, Utc.with_ymd_and_hms(2026, 11, 20, 8, 42, 8).single());
    for (raw, code) in [
        (fixture!("b2c_result_insufficient_funds.json"), "1"),
        (fixture!("b2c_result_initiator_invalid.json"), "2001"),
    ] {
        assert!(matches!(end(raw), PayoutEnd::Refused { code: read, .. } if read == code));
    }
    for code in ["17", "26", "15", "100000000", "a new one"] {
        let raw = json!({ "Result": { "ResultCode": code, "ResultDesc": "?" } }).to_string();
        assert!(matches!(end(raw.as_bytes()), PayoutEnd::Unknown { .. }), "{code}");
    }
    let late = read_word(fixture!("b2c_queue_timeout_ASSUMED.json")).unwrap();
    assert_eq!(late.conversation.as_deref(), Some("AG_20261120_20106e9209f64bebd05b"));
}

#[test]
fn a_payment_s_standing_is_read() {
    let word = read_word(fixture!("transaction_status_result_completed.json")).unwrap();
    let Asked::Known { receipt, money, state, originator, shortcode, payer, charge, at } =
        status_of(&word).unwrap()
    else {
        panic!("known")
    };
    assert_eq!((receipt.as_str(), money, state.as_str()), ("UKK51B2C7R", kes("1200"), "Completed"));
    assert_eq!(originator.as_deref(), Some("600112_po_01JD3ZB7K2M9"));
    assert_eq!((shortcode.as_deref(), charge), (Some("600112"), Some(kes("5.00"))));
    assert_eq!(payer, Some(Payer::Clear(phone())));
    assert_eq!(at, Utc.with_ymd_and_hms(2026, 11, 20, 8, 42, 8).single());
    let twice = json!({ "Result": { "ResultCode": "0", "ResultParameters": { "ResultParameter": [
        { "Key": "DebitPartyName", "Value": "254712345126 - A" },
        { "Key": "DebitPartyName", "Value": "600111 - B" },
        { "Key": "Receipt No", "Value": "X" }, { "Key": "ReceiptNo", "Value": "UKK1" },
        { "Key": "Transaction Status", "Value": "Completed" }, { "Key": "Amount", "Value": "7.5" } ] } } });
    let read = status_of(&read_word(twice.to_string().as_bytes()).unwrap()).unwrap();
    assert!(matches!(&read, Asked::Known { shortcode: Some(code), .. } if code == "600111"), "{read:?}");
    let unknown = json!({ "Result": { "ResultCode": 2032, "ResultDesc": "no such" } }).to_string();
    assert!(matches!(status_of(&read_word(unknown.as_bytes()).unwrap()), Ok(Asked::Unknown { .. })));
}

#[test]
fn balances_and_reversals_are_read() {
    let all = balances(&read_word(fixture!("account_balance_result.json")).unwrap()).unwrap();
    let of = |name: &str| all.iter().find(|account| account.name == name).map(|account| account.current);
    assert_eq!((of("Utility Account"), of("Charges Paid Account")), (Some(34_880_000), Some(-4_500)));
    assert_eq!(all.len(), 5);
    let again = read_word(fixture!("reversal_result_already_reversed.json")).unwrap();
    assert_eq!(again.code, "R000001");
    assert_eq!(read_word(fixture!("reversal_result_success.json")).unwrap().code, "0");
}

#[test]
fn a_list_is_read_row_by_row() {
    let rows = read_pulled(fixture!("pull_query_response.json")).unwrap().rows;
    let [Ok(first), Ok(second)] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((first.receipt.as_str(), first.money), ("UKK71XQ4ZD", kes("1500.00")));
    assert_eq!(first.payer, Payer::Clear(phone()));
    assert_eq!((second.money, second.typed_ref.as_str()), (kes("250.50"), "482"));
    assert_eq!(
        (first.at, second.at.is_some()),
        (Utc.with_ymd_and_hms(2026, 11, 20, 7, 15, 30).single(), true)
    );
    assert!(read_pulled(br#"{"ResponseCode":"1001","Response":[[]]}"#).unwrap().rows.is_empty());
    let odd = br#"{"RequestID":1,"ResponseCode":1000,
        "Response":[[{"transactionId":"A1","amount":5},{"amount":"1"}]]}"#;
    let rows = read_pulled(odd).unwrap().rows;
    assert!(rows[0].is_ok() && rows[1].as_ref().unwrap_err().field == "transactionId");
    assert!(read_pulled(br#"{"ResponseCode":"500"}"#).is_err());
}

#[test]
fn a_password_goes_under_the_certificate() {
    let key = String::from_utf8_lossy(fixture!("initiator.key"));
    let der: String = key.lines().filter(|line| !line.starts_with('-')).collect();
    let key = PrivateDecryptingKey::from_pkcs8(&STANDARD.decode(der).unwrap()).unwrap();
    let key = Pkcs1PrivateDecryptingKey::new(key).unwrap();
    let password = Secret::new("a-password");
    for certificate in [fixture!("initiator.cer"), fixture!("initiator.der")] {
        let sealed = STANDARD.decode(credential(certificate, &password).unwrap().expose()).unwrap();
        let mut plain = vec![0; key.min_output_size()];
        assert_eq!(key.decrypt(&sealed, &mut plain).unwrap(), password.expose().as_bytes());
    }
    assert_eq!(credential(b"no certificate", &password), Err(BadCertificate::Unreadable));
    let long = Secret::new("x".repeat(300));
    assert_eq!(credential(fixture!("initiator.cer"), &long), Err(BadCertificate::TooSmall));
}

/// Paths and bodies.
type Posts = Vec<(String, Vec<u8>)>;

/// Daraja, ourselves, and a door that keeps what is posted to it.
struct Scene {
    sim: Sim,
    daraja: Daraja,
    _stage: Stage,
    url: String,
    posted: Arc<Mutex<Posts>>,
}

struct At(DateTime<Utc>);

impl Clock for At {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
}

const PASSKEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

async fn scene() -> Scene {
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let options = Options {
        listen: anywhere,
        key: Secret::new("app"),
        secret: Secret::new("app-secret"),
        shortcode: "600111".into(),
        passkey: Secret::new(PASSKEY),
        initiator: ("gwapi01".into(), Secret::new("a-password")),
        opening: 10_000_000,
        pace: Duration::from_millis(1),
    };
    let sim = Sim::start(options, client(), Arc::new(At(now()))).await.unwrap();
    let posted: Arc<Mutex<Posts>> = Arc::default();
    let kept = posted.clone();
    let routes = Router::new().fallback(move |uri: axum::http::Uri, body: Bytes| async move {
        kept.lock().unwrap().push((uri.path().to_owned(), body.to_vec()));
        answer::ACK
    });
    let stage = Stage::open(anywhere, routes).await.unwrap();
    let sealed = credential(sim.certificate().as_bytes(), &Secret::new("a-password")).unwrap();
    let config = Config {
        url: format!("{}/", sim.url()),
        key: Secret::new("app"),
        secret: Secret::new("app-secret"),
        shortcode: "600111".into(),
        passkey: Some(Secret::new(PASSKEY)),
        initiator: Some(Initiator { name: "gwapi01".into(), credential: sealed }),
    };
    let url = format!("http://{}", stage.addr());
    Scene { daraja: Daraja::new(config, client()), sim, _stage: stage, url, posted }
}

impl Scene {
    async fn token(&self) -> Secret {
        let Outcome::Done(token) = self.daraja.token().await else { panic!("a token") };
        assert_eq!(token.expires_in_s, 3_599);
        token.secret
    }

    fn doors(&self) -> Doors {
        Doors { done: format!("{}/done", self.url), late: format!("{}/late", self.url) }
    }

    async fn posted(&self) -> Posts {
        self.sim.quiet().await;
        std::mem::take(&mut *self.posted.lock().unwrap())
    }

    fn sent(&self) -> Value {
        serde_json::from_slice(&self.sim.heard().last().unwrap().body).unwrap()
    }

    fn paid(&self, receipt: &str, amount: &str) {
        self.sim.paid(&Payment {
            receipt: receipt.into(),
            amount: amount.into(),
            shortcode: "600111".into(),
            typed_ref: "ESCROW_7KQ2M9XD5".into(),
            phone: phone(),
            shown: Shown::Masked,
            at: now(),
        });
    }
}

/// The fixture's fields, in spelling and in kind, are those that were sent.
fn same_shape(sent: &Value, fixture: &[u8]) {
    let theirs: Value = serde_json::from_slice(fixture).unwrap();
    let shape = |value: &Value| {
        let mut fields: Vec<(String, bool)> = value
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.clone(), value.is_string()))
            .collect();
        fields.sort();
        fields
    };
    assert_eq!(shape(sent), shape(&theirs));
}

#[tokio::test]
async fn a_new_token_kills_the_old_one() {
    let scene = scene().await;
    let old = scene.token().await;
    let new = scene.token().await;
    let window = (now() - TimeDelta::hours(2), now());
    assert_eq!(scene.daraja.pull(&old, window, 0).await, Called::Stale);
    assert!(matches!(scene.daraja.pull(&new, window, 0).await, Called::Ended(Outcome::Done(_))));
    scene.sim.behave(When::Next(1), Behaviour::Refuse("400.008.02 Invalid grant type passed".into()));
    assert!(matches!(scene.daraja.token().await, Outcome::Refused { code, .. } if code == "400.008.02"));
    scene.sim.behave(When::Next(1), Behaviour::Silent);
    assert!(matches!(scene.daraja.token().await, Outcome::Unknown { .. }));
}

#[tokio::test]
async fn a_prompt_is_made_told_and_asked_about() {
    let scene = scene().await;
    let token = scene.token().await;
    let prompt = Prompt {
        phone: phone(),
        money: kes("2500"),
        reference: "WLT-000731".into(),
        text: "Wallet topup".into(),
        callback_url: "https://pay.example.co.ke/in/stk/9f2c41d7".into(),
    };
    scene.sim.behave(When::Next(1), Behaviour::Stall);
    let Called::Ended(Outcome::Done(_)) = scene.daraja.push(&token, &prompt, now()).await else {
        panic!("taken")
    };
    let theirs: Value = serde_json::from_slice(fixture!("stk_push_request.json")).unwrap();
    assert_eq!(scene.sent(), theirs, "every field, the password among them");

    let prompt = Prompt { callback_url: format!("{}/prompt", scene.url), ..prompt };
    scene.sim.confirm_to(&format!("{}/confirm", scene.url));
    let Called::Ended(Outcome::Done(pushed)) = scene.daraja.push(&token, &prompt, now()).await else {
        panic!("taken")
    };
    let told = scene.posted().await;
    assert_eq!([told[0].0.as_str(), told[1].0.as_str()], ["/prompt", "/confirm"], "one payment, told twice");
    let ended = read_callback(&told[0].1).unwrap();
    let PromptEnd::Paid { receipt, money, .. } = ended.end else { panic!("paid") };
    assert_eq!((ended.checkout, money), (pushed.checkout.clone(), kes("2500.00")));
    assert_eq!(read_confirmation(&told[1].1).unwrap().receipt, receipt);
    let state = scene.daraja.prompted(&token, &pushed.checkout, now()).await;
    assert_eq!(state, Called::done(PromptEnd::PaidSomewhere));
    same_shape(&scene.sent(), fixture!("stk_query_request.json"));

    scene.sim.behave(When::Next(1), Behaviour::Stall);
    let Called::Ended(Outcome::Done(open)) = scene.daraja.push(&token, &prompt, now()).await else {
        panic!()
    };
    let state = scene.daraja.prompted(&token, &open.checkout, now()).await;
    assert_eq!(state, Called::done(PromptEnd::Underway), "a status of 500 that is no trouble");
    for (money, why) in [("0.50", "more decimals"), ("250001", "within")] {
        let bad = Prompt { money: kes(money), ..prompt.clone() };
        let ended = scene.daraja.push(&token, &bad, now()).await;
        assert!(
            matches!(&ended, Called::Ended(Outcome::Refused { code, reason })
                if code == "Amount" && reason.contains(why)),
            "{ended:?}"
        );
    }
}

#[tokio::test]
async fn states_of_prompts_are_read_as_the_page_has_them() {
    let paid: wire::PushEnd = serde_json::from_slice(fixture!("stk_query_response_paid.json")).unwrap();
    let cancelled: wire::PushEnd =
        serde_json::from_slice(fixture!("stk_query_response_cancelled.json")).unwrap();
    let code = |end: &wire::PushEnd| pairs::code(end.code.as_ref());
    assert_eq!((code(&paid).as_deref(), code(&cancelled).as_deref()), (Some("0"), Some("1032")));
    let pushed: wire::Pushed = serde_json::from_slice(fixture!("stk_push_response.json")).unwrap();
    assert_eq!(pushed.checkout.as_deref(), Some("ws_CO_20112026112946117712345126"));
    for raw in [fixture!("oauth_token_response.json"), fixture!("oauth_token_response_numeric.json")] {
        let Outcome::Done(token) = granted(&heard(200, raw)) else { panic!("granted") };
        assert_eq!((token.expires_in_s, token.secret.expose().len()), (3_599, 28));
    }
    let acked = fault::taken(&heard(200, fixture!("b2c_ack.json")));
    assert!(matches!(
        acked,
        Called::Ended(Outcome::Done(Taken { conversation: Some(_), before: false, .. }))
    ));
}

#[tokio::test]
async fn a_payout_is_made_once_under_its_id() {
    let scene = scene().await;
    let token = scene.token().await;
    let order = B2c {
        originator: "600111_po_01JD3ZB7K2M9".into(),
        phone: phone(),
        money: kes("1200"),
        remarks: "Payout po_01JD3ZB7K2M9".into(),
        doors: scene.doors(),
    };
    scene.sim.behave(When::Next(1), Behaviour::Silent);
    assert!(matches!(scene.daraja.pay(&token, &order, now()).await, Called::Ended(Outcome::Unknown { .. })));
    let Called::Ended(Outcome::Done(taken)) = scene.daraja.pay(&token, &order, now()).await else { panic!() };
    assert!(taken.before, "the first one had arrived");
    same_shape(&scene.sent(), fixture!("b2c_v3_request.json"));
    let told = scene.posted().await;
    assert_eq!(told.len(), 1);
    let PayoutEnd::Paid(paid) = payout_end(&read_word(&told[0].1).unwrap()).unwrap() else { panic!("paid") };
    assert_eq!((paid.money, paid.left), (kes("1200.00"), Some(9_880_000)));
    let about = About::Originator(order.originator.clone());
    let asked = scene.daraja.status(&token, &about, &scene.doors()).await;
    assert!(matches!(asked, Called::Ended(Outcome::Done(_))));
    same_shape(&scene.sent(), fixture!("transaction_status_request_by_originator.json"));
    let told = scene.posted().await;
    let Asked::Known { originator, money, .. } = status_of(&read_word(&told[0].1).unwrap()).unwrap() else {
        panic!("known")
    };
    assert_eq!((originator, money), (Some(order.originator.clone()), kes("1200.00")));

    scene.sim.behave(When::Next(1), Behaviour::Stall);
    let late = B2c { originator: "another".into(), ..order.clone() };
    assert!(matches!(scene.daraja.pay(&token, &late, now()).await, Called::Ended(Outcome::Done(_))));
    assert_eq!(scene.posted().await[0].0, "/late");
    let small = B2c { originator: "small".into(), money: kes("9"), ..order };
    assert!(matches!(scene.daraja.pay(&token, &small, now()).await, Called::Ended(Outcome::Refused { .. })));
}

#[tokio::test]
async fn a_payment_is_asked_about_listed_and_given_back() {
    let scene = scene().await;
    let token = scene.token().await;
    for n in 0..120 {
        scene.paid(&format!("UKK71XQ{n:03}"), "1500.00");
    }
    let about = About::Receipt("UKK71XQ007".into());
    let asked = scene.daraja.status(&token, &about, &scene.doors()).await;
    assert!(matches!(asked, Called::Ended(Outcome::Done(_))));
    same_shape(&scene.sent(), fixture!("transaction_status_request_by_receipt.json"));
    let told = scene.posted().await;
    let read = status_of(&read_word(&told[0].1).unwrap()).unwrap();
    assert!(matches!(&read, Asked::Known { shortcode: Some(code), state, .. }
            if code == "600111" && state == "Completed"));

    let window = (now() - TimeDelta::hours(2), now());
    let mut receipts = Vec::new();
    loop {
        let Called::Ended(Outcome::Done(raw)) = scene.daraja.pull(&token, window, receipts.len()).await
        else {
            panic!("a list")
        };
        let rows = read_pulled(&raw).unwrap().rows;
        if rows.is_empty() {
            break;
        }
        receipts.extend(rows.into_iter().map(|row| row.unwrap().receipt));
    }
    assert_eq!(receipts.len(), 120, "page by page");
    same_shape(&scene.sent(), fixture!("pull_query_request.json"));
    let _registered = scene.daraja.pull_register(&token, &phone(), "https://a.example/in/pull").await;
    same_shape(&scene.sent(), fixture!("pull_register_request.json"));

    let back = Reversal {
        receipt: "UKK71XQ007".into(),
        money: kes("1500"),
        remarks: "Wrong account".into(),
        doors: scene.doors(),
    };
    let taken = scene.daraja.reverse(&token, &back, now()).await;
    assert!(matches!(taken, Called::Ended(Outcome::Done(_))));
    same_shape(&scene.sent(), fixture!("reversal_request.json"));
    assert_eq!(read_word(&scene.posted().await[0].1).unwrap().code, "0");
    let _again = scene.daraja.reverse(&token, &back, now()).await;
    assert_eq!(read_word(&scene.posted().await[0].1).unwrap().code, "R000001");
    let _asked = scene.daraja.balance(&token, &scene.doors()).await;
    same_shape(&scene.sent(), fixture!("account_balance_request.json"));
    let all = balances(&read_word(&scene.posted().await[0].1).unwrap()).unwrap();
    assert!(all.iter().any(|account| account.current == scene.sim.balance()));
    assert!(scene.sim.statement().contains("UKK71XQ007"));
}
