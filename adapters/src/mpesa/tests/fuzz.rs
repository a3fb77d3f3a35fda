//! What the wire can hold and the samples lack: fields absent, null, of another kind, twice; unknown ones;
//! other encodings; large bodies; and no body at all.
//!
//! Every sample goes through every reader, spoilt in every manner; nothing panics, and whatever is read as
//! money is the sample's money or none.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::http::Answer;
use crate::mpesa::daraja::{Asked, PayoutEnd, PromptEnd};
use crate::mpesa::daraja::{
    balances, classify, payout_end, read_callback, read_pulled, read_word, status_of,
};
use crate::mpesa::{read_confirmation, read_validation, statement};

macro_rules! samples {
    ($($name:literal),* $(,)?) => {
        &[$(include_str!(concat!("../../../../tests/fixtures/daraja/", $name))),*]
    };
}

const SAMPLES: &[&str] = samples![
    "account_balance_result.json",
    "b2c_ack.json",
    "b2c_error_duplicate_originator.json",
    "b2c_queue_timeout_ASSUMED.json",
    "b2c_result_initiator_invalid.json",
    "b2c_result_insufficient_funds.json",
    "b2c_result_success.json",
    "c2b_confirmation_clear_sparse.json",
    "c2b_v1_confirmation_hashed.json",
    "c2b_v2_confirmation.json",
    "c2b_v2_confirmation_masked_nospace.json",
    "c2b_v2_validation_request.json",
    "error_invalid_access_token.json",
    "error_spike_arrest.json",
    "oauth_token_response.json",
    "pull_query_response.json",
    "reversal_result_already_reversed.json",
    "reversal_result_success.json",
    "stk_callback_1.json",
    "stk_callback_1037.json",
    "stk_callback_success.json",
    "stk_push_response.json",
    "stk_query_response_paid.json",
    "transaction_status_result_completed.json",
];

/// Minor units of every amount that any reader finds in these bytes.
fn read_all(raw: &[u8]) -> Vec<i64> {
    let mut found = Vec::new();
    found.extend(read_confirmation(raw).map(|heard| heard.money.minor()));
    found.extend(read_validation(raw).map(|heard| heard.money.minor()));
    if let Ok(PromptEnd::Paid { money, .. }) = read_callback(raw).map(|told| told.end) {
        found.push(money.minor());
    }
    if let Ok(pulled) = read_pulled(raw) {
        found.extend(pulled.rows.into_iter().flatten().map(|row| row.money.minor()));
    }
    if let Ok(word) = read_word(raw) {
        if let Ok(PayoutEnd::Paid(paid)) = payout_end(&word) {
            found.push(paid.money.minor());
        }
        if let Ok(Asked::Known { money, .. }) = status_of(&word) {
            found.push(money.minor());
        }
        let _accounts = balances(&word);
    }
    for status in [200, 400, 401, 404, 500, 503] {
        let _trouble = classify(&Answer { status, body: raw.to_vec(), retry_after: None });
    }
    let _statement = statement::read(raw);
    found
}

/// Every place in a document, as a pointer.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| places(value, &format!("{at}/{name}"), found));
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(n, value)| places(value, &format!("{at}/{n}"), found));
        }
        _ => {}
    }
}

/// Spoils one place in one manner. Numbers and texts are only dressed as the other.
fn spoil(document: &mut Value, place: &str, manner: u8) {
    let Some(value) = document.pointer_mut(place) else { return };
    match manner {
        0 => *value = Value::Null,
        1 => *value = json!([]),
        2 => *value = json!({ "unknown": [1, { "deeper": null }] }),
        3 => *value = json!(true),
        4 => *value = json!(""),
        5 => *value = json!("\u{0}\u{ffff}é✓"),
        6 => match value.clone() {
            Value::Number(number) => *value = json!(number.to_string()),
            Value::String(text) => {
                if let Ok(number @ Value::Number(_)) = serde_json::from_str(&text) {
                    *value = number;
                }
            }
            _ => {}
        },
        7 => {
            if let Value::Object(fields) = value {
                fields.insert("Unknown".to_owned(), json!({ "a": [1, 2] }));
            }
        }
        8 => {
            if let Value::Object(fields) = value
                && let Some(first) = fields.keys().next().cloned()
            {
                fields.remove(&first);
            }
        }
        _ => {
            if let Value::Array(list) = value {
                let again = list.clone();
                list.extend(again);
            }
        }
    }
}

/// The same text by another hand.
fn written(text: &str, hand: u8) -> Vec<u8> {
    let wide = |mark: &[u8], unit: fn(u16) -> [u8; 2]| {
        [mark.to_vec(), text.encode_utf16().flat_map(unit).collect::<Vec<u8>>()].concat()
    };
    match hand {
        0 => text.as_bytes().to_vec(),
        1 => [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        2 => wide(b"\xff\xfe", u16::to_le_bytes),
        3 => wide(b"\xfe\xff", u16::to_be_bytes),
        4 => wide(b"", u16::to_le_bytes),
        _ => text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect(),
    }
}

#[test]
fn every_sample_is_read_whatever_hand_wrote_it() {
    for sample in SAMPLES {
        let plain = read_all(sample.as_bytes());
        for hand in 0..6 {
            assert_eq!(read_all(&written(sample, hand)), plain, "{hand} {sample}");
        }
    }
}

#[test]
fn large_and_deep_bodies_end() {
    let deep = "[".repeat(1 << 20);
    let marks = b"\xef\xbb\xbf".repeat(1 << 18);
    let rows = format!("{{\"ResponseCode\":1000,\"Response\":[[{}{{}}]]}}", "{\"amount\":1},".repeat(70_000));
    let long = format!("{{\"TransID\":\"{}\"}}", "A".repeat(1 << 20));
    let digits = format!("{{\"TransAmount\":{}}}", "9".repeat(1 << 20));
    for raw in
        [deep.as_bytes(), &marks, rows.as_bytes(), long.as_bytes(), digits.as_bytes(), &vec![0; 1 << 20]]
    {
        assert!(read_all(raw).is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn spoilt_samples_give_their_own_money_or_none(
        which in 0..SAMPLES.len(),
        wounds in proptest::collection::vec((any::<usize>(), 0..10u8), 1..5),
        hand in 0..6u8,
        cut in proptest::option::of(any::<usize>()),
    ) {
        let own = read_all(SAMPLES[which].as_bytes());
        let mut document: Value = serde_json::from_str(SAMPLES[which]).unwrap();
        for (at, manner) in wounds {
            let mut all = Vec::new();
            places(&document, "", &mut all);
            let place = all[at % all.len()].clone();
            spoil(&mut document, &place, manner);
        }
        let mut raw = written(&document.to_string(), hand);
        if let Some(cut) = cut {
            raw.truncate(cut % (raw.len() + 1));
        }
        for minor in read_all(&raw) {
            prop_assert!(own.contains(&minor), "{minor} of {own:?} in {document}");
        }
    }

    #[test]
    fn any_bytes_end(raw in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _found = read_all(&raw);
    }

    #[test]
    fn any_amount_is_exact_or_refused(text in "-?[0-9]{0,20}(\\.[0-9]{0,6})?(e[0-9])?") {
        let body = json!({ "TransID": "A1", "TransAmount": text, "MSISDN": "x", "BillRefNumber": "" });
        if let Ok(heard) = read_confirmation(body.to_string().as_bytes()) {
            let (whole, cents) = text.split_once('.').unwrap_or((&text, ""));
            let number = |text: &str| text.parse::<i128>().unwrap();
            let exact = number(whole) * 100 + number(&format!("{cents:0<2.2}"));
            prop_assert_eq!(i128::from(heard.money.minor()), exact);
            prop_assert!(cents.len() <= 2 || cents[2..].bytes().all(|b| b == b'0'));
        }
    }
}
