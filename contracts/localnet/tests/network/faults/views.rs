//! Servers that lag behind, and one that does not find what is there.

use amana_localnet::{Fault, Faults, Rule};
use serde_json::json;

use super::*;
use crate::contracts::deployed;

#[tokio::test]
async fn a_server_that_lags_is_old_in_all_it_says() {
    let (net, from, to) = playing(Faults::default()).await;
    let lag = Faults::rules([Rule::always(Fault::Stale { ledgers: 1 })]);
    net.localnet.set_faults(lag).await.unwrap();
    net.advance(5, 1).await;
    let before = (latest(&net).await, net.account(&from).await);
    net.localnet.set_faults(Faults::default()).await.unwrap();
    let sent = payment(&net, &from, &to).await;
    assert_eq!(word(&net, &sent).await, "PENDING");
    let now = latest(&net).await;
    assert_eq!(status(&net, &sent).await, "SUCCESS");

    net.localnet.set_faults(Faults::rules([Rule::always(Fault::Stale { ledgers: 1 })])).await.unwrap();
    assert_eq!((latest(&net).await, net.account(&from).await), (now - 1, before.1.clone()));
    let got = net.get(&hash_of(&sent)).await;
    assert_eq!((&got["status"], &got["latestLedger"]), (&json!("NOT_FOUND"), &json!(now - 1)));
    assert_eq!(net.call("getHealth", json!({})).await["latestLedger"], now - 1);
    assert_eq!(net.call("getEvents", json!({"startLedger": now - 1})).await["events"], json!([]));
    let beyond = net.ask("getEvents", json!({"startLedger": now})).await;
    assert_eq!(beyond["error"]["code"], -32600, "{beyond}");
    let listed = net.call("getTransactions", json!({"startLedger": now - 1})).await;
    assert_eq!(listed["transactions"], json!([]));
    assert_eq!(word(&net, &sent).await, "DUPLICATE", "the queue itself is never old");

    net.localnet.set_faults(Faults::default()).await.unwrap();
    assert_eq!(status(&net, &sent).await, "SUCCESS");
    assert_eq!(net.account(&from).await.seq_num.0, before.1.seq_num.0 + 1);
}

#[tokio::test]
async fn an_older_view_goes_back_as_far_as_asked() {
    let (net, from, to) = playing(Faults::queue()).await;
    let mut balances = vec![net.account(&to).await.balance];
    for _ in 0..5 {
        assert_eq!(word(&net, &payment(&net, &from, &to).await).await, "PENDING");
        net.advance(5, 1).await;
        balances.push(net.account(&to).await.balance);
    }
    let now = latest(&net).await;
    for behind in 1..=5 {
        let lag = Faults::queued([Rule::always(Fault::Stale { ledgers: behind })]);
        net.localnet.set_faults(lag).await.unwrap();
        assert_eq!(latest(&net).await, now - u64::from(behind));
        assert_eq!(net.account(&to).await.balance, balances[5 - behind as usize]);
    }
    net.localnet.set_faults(Faults::queue()).await.unwrap();
    net.advance(1_000, 200).await;
    let lag = Faults::queued([Rule::always(Fault::Stale { ledgers: 3 })]);
    net.localnet.set_faults(lag).await.unwrap();
    let header = net.call("getLatestLedger", json!({})).await;
    assert_eq!(header["sequence"], now + 197, "idle ledgers are old one by one too");
    assert_eq!(header["closeTime"], (START + 25 + 985).to_string());
}

#[tokio::test]
async fn a_simulation_on_an_old_state_knows_nothing_of_what_came_since() {
    let net = net().await;
    net.localnet.set_faults(Faults::queue()).await.unwrap();
    net.localnet.set_faults(Faults::default()).await.unwrap();
    let (payer, escrow, _) = deployed(&net).await;
    let tx = net.tx(&payer, vec![invoke(&escrow, "version", vec![])]).await;
    assert!(net.simulate(&tx).await.get("error").is_none());
    let lag = Faults::rules([Rule::always(Fault::Stale { ledgers: 5 })]);
    net.localnet.set_faults(lag).await.unwrap();
    let old = net.simulate(&tx).await;
    assert!(old["error"].is_string(), "the contract is not there yet: {old}");
}

#[tokio::test]
async fn what_was_just_included_is_not_found_for_a_while() {
    let (net, from, to) = playing(Faults::rules([Rule::always(Fault::NotFound { ledgers: 2 })])).await;
    let sent = payment(&net, &from, &to).await;
    assert_eq!(word(&net, &sent).await, "PENDING");
    let now = latest(&net).await;
    for age in 0..2 {
        let got = net.get(&hash_of(&sent)).await;
        assert_eq!((&got["status"], &got["latestLedger"]), (&json!("NOT_FOUND"), &json!(now + age)));
        net.advance(5, 1).await;
    }
    assert_eq!(status(&net, &sent).await, "SUCCESS");
}
