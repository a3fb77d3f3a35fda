//! getEvents: filters, wildcards, cursors, limits.

use serde_json::{Value, json};
use soroban_env_host::xdr::*;

use crate::support::*;

/// A token whose holder has sent 1, 2, 3, 4 and 5 stroops back to the issuer.
async fn busy(net: &Net) -> (String, String) {
    let (issuer, holder) = (net.funded(1).await, net.funded(2).await);
    let asset = kes(&issuer);
    net.run(&holder, vec![trust(&asset)]).await;
    let sac = contract_of(&returned(&net.invoke(&holder, deploy_sac(&asset)).await));
    net.invoke(&issuer, invoke(&sac, "mint", vec![holder.scval(), i128_of(100)])).await;
    for amount in 1..=5 {
        let burn = invoke(&sac, "burn", vec![holder.scval(), i128_of(amount)]);
        assert_eq!(net.invoke(&holder, burn).await["status"], "SUCCESS");
    }
    (stellar_strkey::Contract(sac.0.0).to_string().to_string(), b64(&holder.scval()))
}

fn symbol(text: &str) -> String {
    b64(&ScVal::Symbol(text.try_into().unwrap()))
}

fn amounts(answer: &Value) -> Vec<ScVal> {
    answer["events"].as_array().unwrap().iter().map(|e| from_b64(&e["value"])).collect()
}

#[tokio::test]
async fn filters_choose_by_contract_and_topics() {
    let net = net().await;
    let (sac, holder) = busy(&net).await;
    let count = async |filter: Value| {
        let answer = net.call("getEvents", json!({"startLedger": 1, "filters": [filter]})).await;
        answer["events"].as_array().unwrap().len()
    };
    assert_eq!(count(json!({"type": "contract", "contractIds": [sac]})).await, 6);
    assert_eq!(count(json!({"topics": [[symbol("burn"), "*", "*"]]})).await, 5);
    assert_eq!(count(json!({"topics": [[symbol("burn"), holder, "**"]]})).await, 5);
    assert_eq!(count(json!({"topics": [["*", "*"]]})).await, 0);
    assert_eq!(count(json!({"topics": [["**"]], "contractIds": [sac]})).await, 6);
    assert_eq!(count(json!({"topics": [[symbol("mint"), "**"], [symbol("burn"), "**"]]})).await, 6);
    assert_eq!(count(json!({"type": "system"})).await, 0);
    let other = stellar_strkey::Contract([9; 32]).to_string().to_string();
    assert_eq!(count(json!({"contractIds": [other]})).await, 0);
}

#[tokio::test]
async fn following_the_cursor_sees_every_event_once() {
    let net = net().await;
    let (sac, _) = busy(&net).await;
    let filters = json!([{"contractIds": [sac], "topics": [[symbol("burn"), "**"]]}]);
    let mut seen = Vec::new();
    let mut params = json!({"startLedger": 1, "filters": filters, "pagination": {"limit": 2}});
    for _ in 0..5 {
        let page = net.call("getEvents", params).await;
        seen.extend(amounts(&page));
        params = json!({"filters": filters, "pagination": {"limit": 2, "cursor": page["cursor"]}});
    }
    assert_eq!(seen, (1..=5).map(i128_of).collect::<Vec<_>>());
    let page = net.call("getEvents", params.clone()).await;
    assert_eq!(page["events"], json!([]));
    let latest = page["latestLedger"].as_u64().unwrap();
    let end: u64 = page["cursor"].as_str().unwrap().split('-').next().unwrap().parse().unwrap();
    assert_eq!(end >> 32, latest);
}

#[tokio::test]
async fn an_event_says_where_it_is_from() {
    let net = net().await;
    let (sac, _) = busy(&net).await;
    let params = json!({"startLedger": 1, "filters": [{"contractIds": [sac]}], "pagination": {"limit": 1}});
    let answer = net.call("getEvents", params).await;
    let event = &answer["events"][0];
    assert_eq!(event["type"], "contract");
    assert_eq!(event["contractId"], sac);
    assert_eq!((&event["operationIndex"], &event["transactionIndex"]), (&json!(0), &json!(1)));
    assert_eq!(event["ledgerClosedAt"], "2027-01-15T08:00:00Z");
    assert_eq!(event["id"], answer["cursor"]);
    let got = net.get(&event["txHash"]).await;
    assert_eq!(got["ledger"], event["ledger"]);
    assert_eq!(got["events"]["contractEventsXdr"][0].as_array().unwrap().len(), 1);
    assert!(answer["latestLedgerCloseTime"].is_string() && answer["latestLedger"].is_number());
}

#[tokio::test]
async fn payments_speak_in_the_words_of_the_asset_s_contract() {
    let net = net().await;
    let (issuer, holder, other) = (net.funded(1).await, net.funded(2).await, net.funded(3).await);
    let asset = kes(&issuer);
    net.run(&holder, vec![trust(&asset)]).await;
    net.run(&other, vec![trust(&asset)]).await;
    let sac = contract_of(&returned(&net.invoke(&holder, deploy_sac(&asset)).await));
    net.run(&issuer, vec![pay(&holder, asset.clone(), 9)]).await;
    net.run(&holder, vec![pay(&other, asset.clone(), 5)]).await;
    net.run(&other, vec![pay(&issuer, asset.clone(), 2)]).await;
    let contract = stellar_strkey::Contract(sac.0.0).to_string().to_string();
    let filters = json!([{"contractIds": [contract]}]);
    let classic = net.call("getEvents", json!({"startLedger": 1, "filters": filters})).await;
    assert_eq!(amounts(&classic), [9, 5, 2].map(i128_of));
    let transfer = invoke(&sac, "transfer", vec![holder.scval(), other.scval(), i128_of(1)]);
    net.invoke(&holder, transfer).await;
    let both = net.call("getEvents", json!({"startLedger": 1, "filters": filters})).await;
    // The contract's own transfer and the payment's differ in nothing but amount and place.
    assert_eq!(both["events"][1]["topic"], both["events"][3]["topic"]);
}

#[tokio::test]
async fn what_cannot_be_answered_is_refused() {
    let net = net().await;
    let code = async |params: Value| net.ask("getEvents", params).await["error"]["code"].as_i64();
    assert_eq!(code(json!({})).await, Some(-32602));
    assert_eq!(code(json!({"startLedger": 900})).await, Some(-32600));
    let past = "0000000030064775168-0000000000";
    assert_eq!(code(json!({"startLedger": 1, "pagination": {"cursor": past}})).await, Some(-32602));
    assert_eq!(code(json!({"startLedger": 1, "pagination": {"limit": 10_001}})).await, Some(-32602));
    assert_eq!(code(json!({"startLedger": 1, "filters": [{"topics": [["**", "*"]]}]})).await, Some(-32602));
    assert_eq!(code(json!({"startLedger": 1, "filters": [{"type": "diagnostic"}]})).await, Some(-32602));
    assert_eq!(code(json!({"startLedger": 1, "filters": [{"contractIds": ["C1"]}]})).await, Some(-32602));
    assert_eq!(code(json!({"startLedger": 1})).await, None);
}
