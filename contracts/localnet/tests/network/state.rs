//! Saving and loading.

use std::path::{Path, PathBuf};

use amana_localnet::{Faults, Options, StartError, start};
use serde_json::json;
use soroban_env_host::xdr::*;

use crate::contracts::deployed;
use crate::support::*;

fn file(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("amana-localnet-{}-{name}.json", std::process::id()));
    remove(&path);
    path
}

fn remove(path: &Path) {
    let _ = std::fs::remove_file(path);
    let _ = std::fs::remove_file(path.with_extension("json.log"));
}

/// A ledger that holds two transactions.
async fn close_one_of_two(net: &Net, payer: &Party) {
    let other = net.funded(77).await;
    net.localnet.set_faults(Faults::queue()).await.unwrap();
    for (from, to) in [(payer, &other), (&other, payer)] {
        let tx = net.tx(from, vec![pay(to, Asset::Native, 7)]).await;
        assert_eq!(net.send(&envelope(tx, &[from])).await["status"], "PENDING");
    }
    net.advance(5, 1).await;
    net.localnet.set_faults(Faults::default()).await.unwrap();
}

#[tokio::test]
async fn a_network_goes_on_where_it_was_saved() {
    let path = file("goes-on");
    let net = net_with(Some(path.clone())).await;
    let (payer, escrow, _) = deployed(&net).await;
    let failed = net.run(&payer, vec![pay(&party(99), Asset::Native, 1)]).await;
    close_one_of_two(&net, &payer).await;
    net.advance(3_600, 3).await;
    let questions = [
        ("getLatestLedger", json!({})),
        ("getHealth", json!({})),
        ("getEvents", json!({"startLedger": 1})),
        ("getTransactions", json!({"startLedger": 1})),
        ("getTransaction", json!({"hash": failed["txHash"]})),
    ];
    let mut before = Vec::new();
    for (method, params) in &questions {
        before.push(net.call(method, params.clone()).await);
    }
    let account = net.account(&payer).await;
    net.localnet.shutdown().await.unwrap();

    let again = net_with(Some(path.clone())).await;
    for ((method, params), known) in questions.iter().zip(&before) {
        assert!(&again.call(method, params.clone()).await == known, "{method} answers otherwise");
    }
    assert_eq!(again.account(&payer).await, account);
    let got = again.invoke(&payer, invoke(&escrow, "version", vec![])).await;
    assert!(matches!(returned(&got), ScVal::U32(_)));
    assert_eq!(got["ledger"], before[0]["sequence"].as_u64().unwrap() + 1);
    again.localnet.shutdown().await.unwrap();
    remove(&path);
}

#[tokio::test]
async fn a_killed_network_forgets_nothing_it_answered_for() {
    let path = file("killed");
    let net = net_with(Some(path.clone())).await;
    let (payer, escrow, _) = deployed(&net).await;
    close_one_of_two(&net, &payer).await;
    net.tick(47);
    let questions = [
        ("getLatestLedger", json!({})),
        ("getEvents", json!({"startLedger": 1})),
        ("getTransactions", json!({"startLedger": 1})),
    ];
    let mut before = Vec::new();
    for (method, params) in &questions {
        before.push(net.call(method, params.clone()).await);
    }
    // As after a kill: what the files hold now is all there is. A half line was not answered for.
    let (copy, log) = (file("killed-copy"), path.with_extension("json.log"));
    let copy_log = copy.with_extension("json.log");
    std::fs::copy(&path, &copy).unwrap();
    let mut text = std::fs::read_to_string(&log).unwrap();
    assert!(text.lines().count() > 10);
    text.push_str("{\"offset_s\":0,\"close\":{\"hea");
    std::fs::write(&copy_log, &text).unwrap();

    let again = net_with(Some(copy.clone())).await;
    again.tick(47);
    for ((method, params), known) in questions.iter().zip(&before) {
        assert!(&again.call(method, params.clone()).await == known, "{method} answers otherwise");
    }
    let got = again.invoke(&payer, invoke(&escrow, "version", vec![])).await;
    assert!(matches!(returned(&got), ScVal::U32(_)));
    again.localnet.shutdown().await.unwrap();
    assert_eq!(std::fs::metadata(&copy_log).unwrap().len(), 0);

    std::fs::write(&copy_log, text.replacen("offset_s", "offset", 1)).unwrap();
    let mut options = Options::new(std::sync::Arc::new(|| START));
    options.state_file = Some(copy.clone());
    assert!(matches!(start(options).await, Err(StartError::State { .. })));
    net.localnet.shutdown().await.unwrap();
    remove(&path);
    remove(&copy);
}

#[tokio::test]
async fn a_saved_state_is_a_snapshot_others_can_read() {
    let path = file("snapshot");
    let net = net().await;
    deployed(&net).await;
    net.localnet.save(&path).await.unwrap();
    let saved: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let fields = ["protocol_version", "sequence_number", "timestamp", "network_id", "base_reserve"];
    assert!(fields.iter().all(|field| !saved[field].is_null()));
    let entries = saved["ledger_entries"].as_array().unwrap();
    assert!(
        entries
            .iter()
            .any(|e| e["entry"]["data"].get("contract_code").is_some() && e["live_until"].is_number())
    );
    assert!(net.localnet.save(&path.join("nowhere")).await.is_err());
    std::fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn a_state_that_does_not_fit_is_refused() {
    let path = file("refused");
    let options = |passphrase: &str| {
        let mut options = Options::new(std::sync::Arc::new(|| START));
        options.passphrase = passphrase.to_owned();
        options.state_file = Some(path.clone());
        options
    };
    start(options("one network")).await.unwrap().shutdown().await.unwrap();
    assert!(matches!(start(options("another")).await, Err(StartError::State { .. })));
    std::fs::write(&path, "{}").unwrap();
    assert!(matches!(start(options("one network")).await, Err(StartError::State { .. })));
    remove(&path);
}

#[tokio::test]
async fn a_taken_address_is_told() {
    let first = net().await;
    let mut options = Options::new(std::sync::Arc::new(|| START));
    options.listen = first.localnet.addr();
    assert!(matches!(start(options).await, Err(StartError::Listen { .. })));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn shutdown_leaves_no_thread() {
    let mut options = Options::new(std::sync::Arc::new(|| START));
    options.passphrase = "thread".into();
    let net = start(options).await.unwrap();
    let addr = net.addr();
    net.shutdown().await.unwrap();
    assert!(tokio::net::TcpStream::connect(addr).await.is_err());
}
