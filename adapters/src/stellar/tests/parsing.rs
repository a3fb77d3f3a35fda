//! Answers of Stellar RPC servers, as different servers and versions write them.

use std::sync::atomic::AtomicU32;

use serde_json::{Value, json};

use super::super::contract::refusal;
use super::super::event::{heard, place};
use super::super::rpc::{EventAnswer, Simulation, read_answer};
use super::super::submit::{read_look, read_sent};
use super::super::wire::decode;
use super::super::{
    ChainFault, ChainOp, Cursor, Effect, EscrowOnChain, EscrowState, Look, Sent, Totals, error_name,
};
use super::{amount, key, network, text, vectors};
use crate::port::Outcome;

fn answer<T: serde::de::DeserializeOwned>(result: &Value) -> Result<T, ChainFault> {
    read_answer("test", json!({"jsonrpc": "2.0", "id": 1, "result": result}).to_string().as_bytes())
}

#[test]
fn numbers_are_read_as_numbers_and_as_strings() {
    for (ledger, time) in [(json!(50), json!("1700000000")), (json!("50"), json!(1_700_000_000))] {
        let result = json!({"id": "aa", "sequence": ledger, "protocolVersion": 30, "closeTime": time});
        let latest: super::super::rpc::LatestLedger = answer(&result).unwrap();
        assert_eq!((latest.sequence, latest.close_time), (50, Some(1_700_000_000)));
    }
    let bare: super::super::rpc::LatestLedger = answer(&json!({"id": "aa", "sequence": 50})).unwrap();
    assert_eq!(bare.close_time, None, "older servers do not tell the time");
    let odd = answer::<super::super::rpc::LatestLedger>(&json!({"sequence": "fifty"}));
    assert!(matches!(odd, Err(ChainFault::Malformed { .. })), "{odd:?}");
    let fees = json!({"sorobanInclusionFee": {"max": "210", "p90": "120"}, "inclusionFee": {"p90": "100"}});
    let fees: super::super::rpc::FeeStats = answer(&fees).unwrap();
    assert_eq!(fees.soroban_inclusion_fee.p90, 120);
}

#[test]
fn an_error_and_nonsense_are_told_apart() {
    let told =
        br#"{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"startLedger must be within range"}}"#;
    let fault = read_answer::<Value>("getEvents", told).unwrap_err();
    let wanted = "stellar rpc getEvents: error -32600: startLedger must be within range";
    assert_eq!(fault.to_string(), wanted);
    for nonsense in [&b"<html>Bad gateway</html>"[..], b"", b"{}", br#"{"result":{"status":1}}"#] {
        let fault = read_answer::<super::super::rpc::SendAnswer>("sendTransaction", nonsense).unwrap_err();
        assert!(matches!(fault, ChainFault::Malformed { .. }), "{fault}");
    }
    let long = json!({"error": {"code": 1, "message": "x".repeat(10_000)}}).to_string();
    let fault = read_answer::<Value>("test", long.as_bytes()).unwrap_err();
    assert!(fault.to_string().len() < 500);
}

#[test]
fn every_answer_to_an_envelope_is_understood() {
    let vectors = vectors();
    let sent = |status: &str, result: Option<&str>| {
        let told = json!({"status": status, "hash": "aa", "latestLedger": 7, "latestLedgerCloseTime": "9",
            "errorResultXdr": result.map(|name| text(&vectors, &format!("/results/{name}")))});
        read_sent(&answer(&told).unwrap())
    };
    assert_eq!(sent("PENDING", None), Sent::Pending { ledger: Some(7) });
    assert_eq!(sent("DUPLICATE", None), Sent::Duplicate { ledger: Some(7) });
    assert_eq!(sent("TRY_AGAIN_LATER", None), Sent::TryLater);
    assert_eq!(sent("ERROR", Some("bad_seq")), Sent::BadSequence);
    assert_eq!(sent("ERROR", Some("too_late")), Sent::TooLate);
    assert_eq!(sent("ERROR", Some("insufficient_fee")), Sent::Refused { code: "TxInsufficientFee".into() });
    assert_eq!(sent("ERROR", Some("bad_auth")), Sent::Refused { code: "TxBadAuth".into() });
    assert_eq!(sent("ERROR", None), Sent::Refused { code: "unexplained".into() });
    assert!(matches!(sent("QUEUED", None), Sent::Unknown { .. }));
}

#[test]
fn what_became_of_a_transaction_is_understood() {
    let vectors = vectors();
    let look = |told: &Value| read_look(&network(), "AA", &answer(told).unwrap());
    let window = json!({"latestLedger": 90, "latestLedgerCloseTime": "1700000090", "oldestLedger": 40,
        "oldestLedgerCloseTime": "1700000040", "status": "NOT_FOUND"});
    let wanted = Look::NotFound { latest_close: 1_700_000_090, latest_ledger: 90, oldest_ledger: 40 };
    assert_eq!(look(&window).unwrap(), wanted);

    let mut failed = window.clone();
    failed["status"] = json!("FAILED");
    failed["ledger"] = json!(80);
    failed["createdAt"] = json!("1700000080");
    failed["resultXdr"] = json!(text(&vectors, "/results/trapped"));
    let wanted = Look::Failed { ledger: Some(80), code: "Trapped".into(), contract_error: None };
    assert_eq!(look(&failed).unwrap(), wanted);

    let mut blank = failed.clone();
    blank["status"] = json!("SUCCESS");
    assert!(look(&blank).is_err(), "a success whose effects are not told is not understood");
    blank["status"] = json!("MAYBE");
    assert!(look(&blank).is_err());
}

fn run_at(ledger: u32, error: Option<&str>) -> Simulation {
    answer(&json!({"error": error, "latestLedger": ledger})).unwrap()
}

#[test]
fn a_refusal_is_named_by_whose_it_is() {
    let seven = AtomicU32::new(7);
    let code = |text: &str| match refusal::<()>(&run_at(7, Some(text)), &seven) {
        Some(Outcome::Refused { code, .. }) => code,
        other => panic!("{other:?}"),
    };
    let ours = "HostError: Error(Contract, #109)\n\nEvent log (newest first):\n   0: [Diagnostic Event] …";
    assert_eq!(code(ours), "DepositUsed");
    assert_eq!(code("HostError: Error(Contract, #13)\nEvent log: Error(Contract, #109)"), "token_13");
    assert_eq!(code("HostError: Error(Contract, #199)"), "contract_199");
    assert_eq!(code("HostError: Error(Auth, InvalidAction)"), "host_error");
    assert_eq!(error_name(101), "AlreadyExists");
    assert_eq!(refusal::<()>(&run_at(7, None), &seven), None);
}

#[test]
fn a_server_that_failed_or_is_behind_refuses_nothing() {
    let seven = AtomicU32::new(7);
    let sick = refusal::<()>(&run_at(7, Some("could not read the latest ledger")), &seven);
    assert!(matches!(sick, Some(Outcome::NotSent { .. })), "{sick:?}");
    let stale = refusal::<()>(&run_at(6, Some("HostError: Error(Contract, #102)")), &seven);
    assert!(
        matches!(stale, Some(Outcome::NotSent { .. })),
        "open, before the ledger that funded it: {stale:?}"
    );
    let newer = refusal::<()>(&run_at(9, Some("HostError: Error(Contract, #102)")), &seven);
    assert!(matches!(newer, Some(Outcome::Refused { .. })), "{newer:?}");
    assert_eq!(seven.into_inner(), 9, "what is refused is seen");
}

#[test]
fn a_url_with_a_key_in_it_is_never_shown() {
    let network = super::super::Network { rpc_url: "https://rpc.example/v1/KEY".into(), ..network() };
    assert!(!format!("{network:?}").contains("KEY"));
}

fn told(vectors: &Value, name: &str, id: &str) -> EventAnswer {
    let mut event = vectors["events"][name].clone();
    event["id"] = json!(id);
    event["type"] = json!("contract");
    event["txHash"] = json!("AB".repeat(32));
    event["ledger"] = json!(3);
    event["ledgerClosedAt"] = json!("2026-11-20T09:00:05Z");
    serde_json::from_value(event).unwrap()
}

#[test]
fn events_are_understood_in_minor_units() {
    let (vectors, network) = (vectors(), network());
    let id = "0000000012884905984-0000000002";
    let effect = |name| heard(&network, &told(&vectors, name, id)).map(|event| event.what);
    let reference = std::array::from_fn(|n| u8::try_from(n).unwrap());
    let funded =
        Effect::Funded { key: reference, deposit_id: [9; 32], amount: 2_500_050, remaining: 2_499_950 };
    assert_eq!(effect("funded").unwrap(), funded);
    let mint = Effect::TokenMint { to: network.contract.clone(), amount: 2_500_050, dust: 0 };
    assert_eq!(effect("mint").unwrap(), mint);
    let burn = Effect::TokenBurn { from: key(4).address(), amount: 1, dust: 1 };
    assert_eq!(effect("burn_by_stranger").unwrap(), burn);
    assert!(matches!(effect("unknown_verb").unwrap(), Effect::Other { .. }));
    assert!(effect("broken").is_err(), "an event of ours that cannot be read stops the reader");

    let event = heard(&network, &told(&vectors, "mint", id)).unwrap();
    assert_eq!((event.index, event.ledger), (2, 3));
    assert_eq!(event.tx_hash, "ab".repeat(32));
    assert_eq!(event.closed_at.to_rfc3339(), "2026-11-20T09:00:05+00:00");
    let stored = serde_json::to_string(&event).unwrap();
    assert_eq!(serde_json::from_str::<super::super::ChainEvent>(&stored).unwrap(), event);
}

#[test]
fn places_are_read_from_ids_and_cursors() {
    let at = |id: &str| place(id).map(|place| (place.ledger, place.index));
    assert_eq!(at("0000000012884905984-0000000002"), Some((3, 2)));
    assert_eq!(at("0000000012884905986-0000000002"), Some((3, 20_002)), "third operation");
    assert_eq!(at("12884905984"), None);
    assert_eq!(at("x-1"), None);
    let end = Cursor::After("0000429496729599-4294967295".into());
    assert_eq!(end.ledger(), Some(99), "the end of a scanned window");
    assert_eq!(Cursor::Ledger(7).ledger(), Some(7));
}

#[test]
fn an_escrow_and_the_sums_are_read() {
    let vectors = vectors();
    let view = decode("ScVal", text(&vectors, "/view")).unwrap();
    let escrow = EscrowOnChain::read(&view, 2).unwrap();
    let wanted = EscrowOnChain {
        state: EscrowState::Released,
        payer: key(2).address(),
        payee: Some([5; 32]),
        to: None,
        amount: 5_000_000,
        funded: 5_000_000,
        to_payee: 4_900_000,
        fee: 100_000,
        vault: 4_900_000,
        expiry: 1_800_000_000,
        milestones: 1,
        due_payee: 0,
        release_at: 0,
        dispute_until: 0,
    };
    assert_eq!(escrow, wanted);
    assert!(EscrowOnChain::read(&view, 7).is_some());
    assert!(EscrowOnChain::read(&stellar_xdr::ScVal::Void, 2).is_none());

    let key = [1; 32];
    assert!(escrow.shows(&ChainOp::Create {
        key,
        amount: amount(5_000_000),
        expiry: 1_800_000_000,
        terms: Default::default()
    }));
    assert!(!escrow.shows(&ChainOp::Create {
        key,
        amount: amount(5_000_001),
        expiry: 1_800_000_000,
        terms: Default::default()
    }));
    assert!(escrow.shows(&ChainOp::Assign { key, payee: [5; 32], to: None }));
    assert!(!escrow.shows(&ChainOp::Assign { key, payee: [6; 32], to: None }));
    assert!(escrow.shows(&ChainOp::Release { key, milestone: 0, to_payee: 4_900_000, fee: 100_000 }));
    assert!(!escrow.shows(&ChainOp::Release { key, milestone: 0, to_payee: 5_000_000, fee: 0 }));
    assert!(!escrow.shows(&ChainOp::Burn { key, amount: amount(4_900_000), vault_before: 4_900_000 }));
    assert!(!escrow.shows(&ChainOp::Cancel { key }) && !escrow.shows(&ChainOp::Refund { key }));
    let burned = EscrowOnChain { vault: 0, ..escrow };
    assert!(burned.shows(&ChainOp::Burn { key, amount: amount(4_900_000), vault_before: 4_900_000 }));

    let totals = Totals { minted: 900, burned: 300, paid: 100 };
    assert_eq!((totals.supply(), totals.owed()), (600, 500));
}
