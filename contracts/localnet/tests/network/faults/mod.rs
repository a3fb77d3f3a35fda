//! What goes wrong on a public network, each kind by a script of its own, and schedules of all kinds.

mod door;
mod queue;
mod replay;
mod views;
mod weather;

use amana_localnet::{Fault, Faults, Rule};
use serde_json::{Value, json};
use soroban_env_host::xdr::*;

use crate::support::*;

/// A network with two funded parties that plays this script from then on.
pub(crate) async fn playing(faults: Faults) -> (Net, Party, Party) {
    let net = net().await;
    let (from, to) = (net.funded(1).await, net.funded(2).await);
    net.localnet.set_faults(faults).await.unwrap();
    (net, from, to)
}

/// One fault once, with a queue.
pub(crate) fn once(fault: Fault) -> Faults {
    Faults::queued([Rule::once(fault)])
}

/// A signed payment of seven stroops under the source's next number.
pub(crate) async fn payment(net: &Net, from: &Party, to: &Party) -> TransactionEnvelope {
    let tx = net.tx(from, vec![pay(to, Asset::Native, 7)]).await;
    envelope(tx, &[from])
}

pub(crate) fn hash_of(envelope: &TransactionEnvelope) -> Value {
    json!(hex::encode(envelope.hash(network_id()).unwrap()))
}

/// The word with which a sending is answered.
pub(crate) async fn word(net: &Net, envelope: &TransactionEnvelope) -> String {
    let sent = net.send(envelope).await;
    match refusal(&sent) {
        Some(result) => result.name().to_owned(),
        None => sent["status"].as_str().unwrap().to_owned(),
    }
}

pub(crate) async fn status(net: &Net, envelope: &TransactionEnvelope) -> String {
    net.get(&hash_of(envelope)).await["status"].as_str().unwrap().to_owned()
}

pub(crate) async fn latest(net: &Net) -> u64 {
    net.call("getLatestLedger", json!({})).await["sequence"].as_u64().unwrap()
}

#[tokio::test]
async fn scripts_come_over_the_wire_too() {
    let (net, from, to) = playing(Faults::default()).await;
    let script = json!({"rules": [{"fault": {"late": {"ledgers": 2}}, "times": 1}, {"fault": "lost"}]});
    let said = net.call("dev_faults", json!({"faults": script})).await;
    assert_eq!((&said["waiting"], &said["faults"]["queue"]), (&json!(0), &json!(false)));
    let (first, _) = (payment(&net, &from, &to).await, net.funded(3).await);
    assert_eq!(word(&net, &first).await, "PENDING");
    assert_eq!(word(&net, &first).await, "PENDING", "lost, so the queue never heard of the second");
    let said = net.call("dev_faults", json!({})).await;
    assert_eq!(said["waiting"], 1);
    assert_eq!(said["strikes"][0]["fault"], json!({"late": {"ledgers": 2}}));
    assert_eq!(
        said["strikes"][1],
        json!({
            "call": 3, "method": "sendTransaction", "hash": hash_of(&first), "rule": 1, "fault": "lost",
        })
    );
    assert_eq!(net.localnet.strikes().await.len(), 2);
}

#[tokio::test]
async fn scripts_that_cannot_be_played_are_refused() {
    let (net, ..) = playing(Faults::default()).await;
    let bad = [
        Rule::once(Fault::Lost).on("getEvents"),
        Rule::once(Fault::Stale { ledgers: 17 }),
        Rule::once(Fault::Sick { status: 200 }),
        Rule::once(Fault::HangUp).chance(1_001),
        Rule::once(Fault::Surge { fee: 0, ledgers: 1, refuses: true }),
    ];
    for rule in bad {
        let refused = net.localnet.set_faults(Faults::rules([Rule::once(Fault::Twice), rule])).await;
        assert_eq!(refused.unwrap_err().rule, 1);
    }
    let answer = net.ask("dev_strike", json!({"fault": "dropped"})).await;
    assert_eq!(answer["error"]["code"], -32602);
    let answer = net.ask("dev_faults", json!({"faults": {"rules": [{"fault": "flood"}]}})).await;
    assert_eq!(answer["error"]["code"], -32602);
    assert!(net.localnet.strikes().await.is_empty());
}
