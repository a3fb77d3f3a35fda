//! The server's door: sick before or after it acted, lines that go dead, proxies that ask twice.

use amana_localnet::{Fault, Faults, Rule};
use serde_json::json;
use soroban_env_host::xdr::TransactionEnvelope;

use super::*;

/// What a client hears of one sending: the HTTP status, or nothing.
async fn heard(net: &Net, sent: &TransactionEnvelope) -> Option<u16> {
    let params = json!({"transaction": b64(sent)});
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "sendTransaction", "params": params});
    let call = net.http.post(net.localnet.url()).body(body.to_string()).send();
    call.await.ok().map(|answer| answer.status().as_u16())
}

#[tokio::test]
async fn a_sick_server_has_done_nothing_or_everything() {
    let cases = [
        (Fault::Sick { status: 503 }, Some(503), "NOT_FOUND"),
        (Fault::LostAnswer { status: 502 }, Some(502), "SUCCESS"),
        (Fault::HangUp, None, "NOT_FOUND"),
        (Fault::HangUpAfter, None, "SUCCESS"),
    ];
    for (fault, answer, fate) in cases {
        let (net, from, to) = playing(Faults::rules([Rule::once(fault.clone()).on("sendTransaction")])).await;
        let sent = payment(&net, &from, &to).await;
        assert_eq!(heard(&net, &sent).await, answer, "{fault:?}");
        assert_eq!(status(&net, &sent).await, fate, "{fault:?}");
        assert_eq!(heard(&net, &sent).await, Some(200), "{fault:?}: once");
        assert_eq!(net.account(&to).await.balance, 100_000_000_007, "{fault:?}");
    }
}

#[tokio::test]
async fn a_line_goes_dead_without_a_byte() {
    let (net, ..) = playing(Faults::rules([Rule::always(Fault::HangUp)])).await;
    let mut line = tokio::net::TcpStream::connect(net.localnet.addr()).await.unwrap();
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "getHealth"}).to_string();
    let request = format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    tokio::io::AsyncWriteExt::write_all(&mut line, request.as_bytes()).await.unwrap();
    let mut said = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut line, &mut said).await;
    assert!(said.is_empty(), "{}", String::from_utf8_lossy(&said));
}

#[tokio::test]
async fn what_a_proxy_asks_twice_is_a_duplicate_and_done_once() {
    let (net, from, to) = playing(Faults::rules([Rule::once(Fault::Twice)])).await;
    let sent = envelope(net_tx(&from, &to), &[&from]);
    assert_eq!(word(&net, &sent).await, "DUPLICATE");
    assert_eq!(status(&net, &sent).await, "SUCCESS");
    assert_eq!(net.account(&to).await.balance, 100_000_000_007);
}

/// The first payment of an account that was born in ledger 2, without asking the network for its number.
fn net_tx(from: &Party, to: &Party) -> soroban_env_host::xdr::Transaction {
    use soroban_env_host::xdr::*;
    Transaction {
        source_account: from.muxed(),
        fee: 100,
        seq_num: SequenceNumber((2 << 32) + 1),
        cond: Preconditions::None,
        memo: Memo::None,
        operations: vec![operation(pay(to, Asset::Native, 7))].try_into().unwrap(),
        ext: TransactionExt::V0,
    }
}

#[tokio::test]
async fn later_is_said_and_nothing_was_taken() {
    let rules = [Rule::once(Fault::TryAgainLater), Rule::once(Fault::Lost)];
    let (net, from, to) = playing(Faults::rules(rules)).await;
    let sent = payment(&net, &from, &to).await;
    assert_eq!(word(&net, &sent).await, "TRY_AGAIN_LATER");
    assert_eq!(word(&net, &sent).await, "PENDING");
    assert_eq!(status(&net, &sent).await, "NOT_FOUND", "lost on the way to the queue");
    assert_eq!(word(&net, &sent).await, "PENDING");
    assert_eq!(status(&net, &sent).await, "SUCCESS");
}

#[tokio::test]
async fn only_the_named_account_is_struck() {
    let rule = Rule::always(Fault::TryAgainLater).of(&party(2).address());
    let (net, from, to) = playing(Faults::rules([rule])).await;
    assert_eq!(word(&net, &payment(&net, &from, &to).await).await, "PENDING");
    assert_eq!(word(&net, &payment(&net, &to, &from).await).await, "TRY_AGAIN_LATER");
}

#[tokio::test]
async fn a_batch_is_lost_as_a_whole_and_done_as_a_whole() {
    let (net, from, to) =
        playing(Faults::rules([Rule::once(Fault::LostAnswer { status: 500 }).on("getHealth")])).await;
    let sent = payment(&net, &from, &to).await;
    let one = json!({"jsonrpc": "2.0", "id": 1, "method": "getHealth"});
    let params = json!({"transaction": b64(&sent)});
    let two = json!({"jsonrpc": "2.0", "id": 2, "method": "sendTransaction", "params": params});
    assert_eq!(net.post("/", json!([one, two]).to_string()).await, (500, String::new()));
    assert_eq!(status(&net, &sent).await, "SUCCESS");
}
