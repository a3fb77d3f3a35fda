//! The protocol itself: shapes, types, error codes, limits.

use serde_json::{Value, json};
use soroban_env_host::xdr::*;

use crate::support::*;

#[tokio::test]
async fn the_network_tells_about_itself_in_the_right_types() {
    let net = net().await;
    let health = net.call("getHealth", json!({})).await;
    assert_eq!((&health["status"], &health["latestLedger"]), (&json!("healthy"), &json!(1)));
    let network = net.call("getNetwork", Value::Null).await;
    assert_eq!(network["passphrase"], amana_localnet::STANDALONE_PASSPHRASE);
    assert_eq!(network["friendbotUrl"], format!("{}/friendbot", net.localnet.url()));
    let latest = net.call("getLatestLedger", json!({})).await;
    let header: LedgerHeader = from_b64(&latest["headerXdr"]);
    assert_eq!((header.ledger_seq, header.ledger_version), (1, 30));
    assert_eq!(latest["closeTime"], START.to_string());
    let LedgerCloseMeta::V2(meta) = from_b64(&latest["metadataXdr"]) else { panic!() };
    assert_eq!(hex::encode(meta.ledger_header.hash.0), latest["id"].as_str().unwrap());
    let fees = net.call("getFeeStats", json!({})).await;
    assert_eq!(fees["sorobanInclusionFee"]["p99"], "100");
    assert_eq!(net.call("getVersionInfo", json!({})).await["protocolVersion"], 30);
}

#[tokio::test]
async fn headers_form_a_chain_and_lists_come_in_pages() {
    let net = net().await;
    for number in 1..=4 {
        net.funded(number).await;
    }
    let first = net.call("getLedgers", json!({"startLedger": 1, "pagination": {"limit": 3}})).await;
    let params = json!({"pagination": {"limit": 3, "cursor": first["cursor"]}});
    let second = net.call("getLedgers", params).await;
    let both = first["ledgers"].as_array().unwrap().iter().chain(second["ledgers"].as_array().unwrap());
    let headers: Vec<LedgerHeaderHistoryEntry> = both.map(|l| from_b64(&l["headerXdr"])).collect();
    assert_eq!(headers.len(), 5);
    assert!(headers.windows(2).all(|pair| pair[1].header.previous_ledger_hash == pair[0].hash));
    let first = net.call("getTransactions", json!({"startLedger": 1, "pagination": {"limit": 3}})).await;
    let params = json!({"pagination": {"limit": 3, "cursor": first["cursor"]}});
    let second = net.call("getTransactions", params).await;
    let ledgers = |page: &Value| -> Vec<u64> {
        page["transactions"].as_array().unwrap().iter().map(|t| t["ledger"].as_u64().unwrap()).collect()
    };
    assert_eq!((ledgers(&first), ledgers(&second)), (vec![2, 3, 4], vec![5]));
}

#[tokio::test]
async fn errors_have_the_codes_of_the_real_server() {
    let net = net().await;
    let code = async |method: &str, params: Value| net.ask(method, params).await["error"]["code"].as_i64();
    assert_eq!(code("getNothing", json!({})).await, Some(-32601));
    assert_eq!(code("sendTransaction", json!({"transaction": "AAAA"})).await, Some(-32602));
    assert_eq!(code("getTransaction", json!({"hash": "12"})).await, Some(-32602));
    assert_eq!(code("getLedgerEntries", json!({"keys": ["?"]})).await, Some(-32602));
    assert_eq!(code("getLedgerEntries", json!([])).await, Some(-32602));
    let unknown = net.call("getTransaction", json!({"hash": "ab".repeat(32)})).await;
    assert_eq!(unknown["status"], "NOT_FOUND");
    let parse = |answer: (u16, String)| serde_json::from_str::<Value>(&answer.1).unwrap();
    assert_eq!(parse(net.post("/rpc", "{".into()).await)["error"]["code"], -32700);
    assert_eq!(parse(net.post("/", "{}".into()).await)["error"]["code"], -32600);
    let note = json!({"jsonrpc": "2.0", "method": "getHealth"}).to_string();
    assert_eq!(net.post("/", note.clone()).await.0, 204);
    let call = json!({"jsonrpc": "2.0", "id": "x", "method": "getHealth"}).to_string();
    let batch = parse(net.post("/", format!("[{note},{call}]")).await);
    assert_eq!((batch.as_array().unwrap().len(), &batch[0]["id"]), (1, &json!("x")));
    assert_eq!(net.post("/", " ".repeat(600 * 1024)).await.0, 413);
}

#[tokio::test]
async fn time_is_not_moved_where_that_is_not_allowed() {
    let options = amana_localnet::Options::new(std::sync::Arc::new(|| START));
    let localnet = amana_localnet::start(options).await.unwrap();
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "dev_advance", "params": {"ledgers": 5}});
    let request = reqwest::Client::new().post(localnet.url()).body(body.to_string());
    let text = request.send().await.unwrap().text().await.unwrap();
    assert!(text.contains("-32601"), "{text}");
    localnet.shutdown().await.unwrap();
}

#[tokio::test]
async fn many_at_once_are_taken_one_after_the_other() {
    let net = std::sync::Arc::new(net().await);
    let (from, to) = (net.funded(1).await, net.funded(2).await);
    let tx = net.tx(&from, vec![pay(&to, Asset::Native, 7)]).await;
    let sent = envelope(tx, &[&from]);
    let tries: Vec<_> = (0..50)
        .map(|_| {
            let (net, sent) = (net.clone(), sent.clone());
            tokio::spawn(async move { net.send(&sent).await["status"].as_str().unwrap().to_owned() })
        })
        .collect();
    let mut pending = 0;
    for one in tries {
        pending += usize::from(one.await.unwrap() == "PENDING");
    }
    assert_eq!(pending, 1);
    assert_eq!(net.account(&to).await.balance, 100_000_000_007);
}
