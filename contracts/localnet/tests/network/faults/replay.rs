//! Schedules made by chance: whatever a seed does to a stubborn sender, each payment is made once, and the
//! same seed does it again.

use amana_localnet::{Fault, Faults, Rates, Rule, Strike};
use serde_json::{Value, json};
use soroban_env_host::xdr::*;

use super::*;

/// A call that may get no answer.
async fn try_call(net: &Net, method: &str, params: Value) -> Option<Value> {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let answer = net.http.post(net.localnet.url()).body(body.to_string()).send().await.ok()?;
    if answer.status() != 200 {
        return None;
    }
    serde_json::from_str::<Value>(&answer.text().await.ok()?).ok().map(|mut answer| answer["result"].take())
}

/// Sends the same bytes until they are found or their time has passed; says whether they were applied.
async fn stubborn(net: &Net, sent: &TransactionEnvelope, max_time: u64) -> bool {
    for _ in 0..400 {
        try_call(net, "sendTransaction", json!({"transaction": b64(sent)})).await;
        net.advance(5, 1).await;
        let Some(got) = try_call(net, "getTransaction", json!({"hash": hash_of(sent)})).await else {
            continue;
        };
        match got["status"].as_str() {
            Some("SUCCESS") => return true,
            Some("NOT_FOUND") => {}
            other => panic!("{other:?}"),
        }
        let closed: u64 = got["latestLedgerCloseTime"].as_str().unwrap().parse().unwrap();
        if closed > max_time {
            return false;
        }
    }
    panic!("neither applied nor dead");
}

/// Plays a script against twelve payments; returns the strikes and the newest ledger's hash.
async fn play(script: Faults) -> (Vec<Strike>, Value) {
    let (net, from, to) = playing(Faults::default()).await;
    net.localnet.set_faults(script).await.unwrap();
    let mut sequence = (2i64 << 32) + 1;
    let (mut paid, mut now) = (0, START);
    while paid < 12 {
        let max_time = now + 120;
        let bounds = TimeBounds { min_time: TimePoint(0), max_time: TimePoint(max_time) };
        let tx = Transaction {
            source_account: from.muxed(),
            fee: 1_000_000,
            seq_num: SequenceNumber(sequence),
            cond: Preconditions::Time(bounds),
            memo: Memo::None,
            operations: vec![operation(pay(&to, Asset::Native, 7))].try_into().unwrap(),
            ext: TransactionExt::V0,
        };
        let applied = stubborn(&net, &envelope(tx, &[&from]), max_time).await;
        (paid, sequence) = (paid + i64::from(applied), sequence + i64::from(applied));
        let ahead = net.call("dev_advance", json!({"ledgers": 1})).await;
        now = ahead["closeTime"].as_str().unwrap().parse().unwrap();
    }
    let strikes = net.localnet.strikes().await;
    net.localnet.set_faults(Faults::queue()).await.unwrap();
    assert_eq!(net.account(&to).await.balance, 100_000_000_000 + 7 * 12);
    let newest = net.call("getLatestLedger", json!({})).await;
    net.localnet.shutdown().await.unwrap();
    (strikes, newest["id"].clone())
}

#[tokio::test]
async fn a_seed_plays_the_same_again() {
    let mut struck = 0;
    for seed in 0..8 {
        let script = Faults::random(seed, &Rates::rough());
        let first = play(script.clone()).await;
        struck += first.0.len();
        assert_eq!(first, play(script).await, "seed {seed}");
    }
    assert!(struck > 100, "{struck} strikes are no bad day");
}

#[tokio::test]
async fn everything_at_once_is_lived_through() {
    let faults = [
        Fault::Sick { status: 500 },
        Fault::LostAnswer { status: 504 },
        Fault::HangUp,
        Fault::HangUpAfter,
        Fault::Twice,
        Fault::Stale { ledgers: 3 },
        Fault::TryAgainLater,
        Fault::BadSequence,
        Fault::Lost,
        Fault::Dropped,
        Fault::Late { ledgers: 6 },
        Fault::LastMoment,
    ];
    let rules: Vec<Rule> = faults.into_iter().map(|fault| Rule::times(fault, 4).chance(300)).collect();
    let (strikes, _) = play(Faults { seed: 11, ..Faults::queued(rules) }).await;
    assert!(strikes.len() > 20, "{}", strikes.len());
}
