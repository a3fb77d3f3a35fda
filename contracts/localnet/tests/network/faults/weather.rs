//! What happens to the network itself: time that jumps, entries that lapse, a past that ends.

use amana_localnet::{Fault, Faults, Rule};
use serde_json::json;
use soroban_env_host::xdr::*;

use super::*;
use crate::contracts::deployed;

#[tokio::test]
async fn between_simulation_and_sending_entries_lapse() {
    let net = net().await;
    let (payer, escrow, _) = deployed(&net).await;
    let jump = Fault::Jump { seconds: 400 * 86_400, ledgers: 2_500_000 };
    net.localnet.set_faults(Faults::rules([Rule::once(jump).on("sendTransaction")])).await.unwrap();
    let tx = net.prepared(&payer, invoke(&escrow, "version", vec![])).await;
    let got = net.submit(&envelope(tx, &[&payer])).await;
    let archived = OperationResultTr::InvokeHostFunction(InvokeHostFunctionResult::EntryArchived);
    assert_eq!(operation_result(&got), OperationResult::OpInner(archived));
    let again = net.prepared(&payer, invoke(&escrow, "version", vec![])).await;
    assert_eq!(net.submit(&envelope(again, &[&payer])).await["status"], "SUCCESS");
}

#[tokio::test]
async fn time_jumps_past_a_bound_while_the_transaction_waits() {
    let jump = Rule::once(Fault::Jump { seconds: 3_600, ledgers: 1 }).on("getTransaction");
    let (net, from, to) = playing(Faults::queued([jump])).await;
    let mut tx = net.tx(&from, vec![pay(&to, Asset::Native, 7)]).await;
    tx.cond = Preconditions::Time(TimeBounds { min_time: TimePoint(0), max_time: TimePoint(START + 60) });
    let sent = envelope(tx, &[&from]);
    assert_eq!(word(&net, &sent).await, "PENDING");
    let got = net.get(&hash_of(&sent)).await;
    assert_eq!(got["status"], "NOT_FOUND");
    assert_eq!(got["latestLedgerCloseTime"], (START + 3_600).to_string());
    assert_eq!(word(&net, &sent).await, "TRY_AGAIN_LATER", "thrown out, and not looked at for a while");
    net.advance(50, 10).await;
    assert_eq!(word(&net, &sent).await, "TxTooLate");
}

#[tokio::test]
async fn the_window_moves_past_a_cursor_and_past_a_transaction() {
    let (net, from, to) = playing(Faults::default()).await;
    let sent = payment(&net, &from, &to).await;
    let page = net.call("getEvents", json!({"startLedger": latest(&net).await})).await;
    assert_eq!(word(&net, &sent).await, "PENDING");
    net.advance(500, 100).await;
    let now = latest(&net).await;
    let cursor = json!({"pagination": {"cursor": page["cursor"]}});
    assert_eq!(net.call("getEvents", cursor.clone()).await["events"].as_array().unwrap().len(), 1);

    net.call("dev_strike", json!({"fault": {"forget": {"ledgers": 10}}})).await;
    let health = net.call("getHealth", json!({})).await;
    assert_eq!((&health["oldestLedger"], &health["latestLedger"]), (&json!(now - 9), &json!(now)));
    for params in [cursor, json!({"startLedger": now - 10})] {
        let error = net.ask("getEvents", params).await["error"].take();
        assert_eq!(error["code"], -32600);
        let message = format!("startLedger must be within the ledger range: {} - {now}", now - 9);
        assert_eq!(error["message"], message);
    }
    assert_eq!(net.call("getEvents", json!({"startLedger": now - 9})).await["events"], json!([]));
    let got = net.get(&hash_of(&sent)).await;
    assert_eq!((&got["status"], &got["oldestLedger"]), (&json!("NOT_FOUND"), &json!(now - 9)));
    let error = net.ask("getTransactions", json!({"startLedger": now - 10})).await["error"].take();
    assert_eq!(error["code"], -32600);
    assert_eq!(net.account(&to).await.balance, 100_000_000_007, "the state forgets nothing");
    assert_eq!(word(&net, &sent).await, "TxBadSeq");
}
