//! A server between the adapter and the network that loses things, and a worker that comes through all the
//! same.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use amana_adapters::http::Call;
use amana_adapters::port::Outcome;
use amana_adapters::stellar::{Attempt, Built, ChainOp, Effect, Look, Network, Next, Sent, Stellar, verdict};
use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use stellar_xdr::{TransactionResult, TransactionResultExt, TransactionResultResult, WriteXdr};

use crate::chain::{Chain, GENESIS, amount, client, rng, signers};

/// What happens to one `sendTransaction`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It reaches the network; the answer does not come back.
    LostAnswer,
    /// It is called pending and thrown away, as a full queue may do.
    Dropped,
    /// The server is sick before it does anything.
    Sick,
    /// It is refused: others pay more.
    TooCheap,
}

pub(crate) type Faults = Arc<Mutex<VecDeque<Fault>>>;

/// An adapter that reaches the network of `chain` only through a server with these faults, one a sending.
pub(crate) async fn through(chain: &Chain, faults: &[Fault]) -> (Stellar, Faults) {
    let faults: Faults = Arc::new(Mutex::new(faults.iter().copied().collect()));
    let (url, todo) = (chain.net.url(), faults.clone());
    let app = Router::new().fallback(move |body: Bytes| {
        let (url, todo) = (url.clone(), todo.clone());
        async move { pass(&url, &todo, body).await }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let rpc_url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let network = Network { rpc_url, ..chain.stellar.network().clone() };
    (Stellar::new(network, signers(), client(), rng()).unwrap(), faults)
}

async fn pass(url: &str, faults: &Faults, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap();
    let sends = request["method"] == "sendTransaction";
    let fault = if sends { faults.lock().unwrap().pop_front() } else { None };
    if fault == Some(Fault::Sick) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    if fault == Some(Fault::Dropped) {
        let latest = ask(url, &json!({"jsonrpc": "2.0", "id": 1, "method": "getLatestLedger"})).await;
        let result = json!({"status": "PENDING", "hash": "", "latestLedger": latest["result"]["sequence"]});
        return axum::Json(json!({"jsonrpc": "2.0", "id": 1, "result": result})).into_response();
    }
    if fault == Some(Fault::TooCheap) {
        let result = TransactionResult {
            fee_charged: 40_000,
            result: TransactionResultResult::TxInsufficientFee,
            ext: TransactionResultExt::V0,
        };
        let result = result.to_xdr_base64(stellar_xdr::Limits::none()).unwrap();
        let result = json!({"status": "ERROR", "hash": "", "errorResultXdr": result, "latestLedger": 3});
        return axum::Json(json!({"jsonrpc": "2.0", "id": 1, "result": result})).into_response();
    }
    let answer = ask(url, &request).await;
    match fault {
        Some(Fault::LostAnswer) => StatusCode::BAD_GATEWAY.into_response(),
        _ => axum::Json(answer).into_response(),
    }
}

async fn ask(url: &str, request: &Value) -> Value {
    let call = Call::post("localnet", url, "application/json", request.to_string().into_bytes());
    serde_json::from_slice(&client().tell(&call).await.unwrap().body).unwrap()
}

/// What a worker does with an instruction until it is done, a ledger a round; returns the bytes it built.
pub(crate) async fn work(chain: &Chain, stellar: &Stellar, op: &ChainOp) -> Vec<Built> {
    let mut built: Vec<Built> = Vec::new();
    let mut sent: Option<Sent> = None;
    let mut next = Next::Rebuild;
    for _ in 0..60 {
        match next {
            Next::Done { .. } => return built,
            Next::Rebuild => {
                let sequence = chain.next_sequence(&chain.channel).await;
                match stellar.build(op, &chain.channel, sequence).await {
                    Outcome::Done(fresh) => built.push(fresh),
                    other => panic!("{other:?}"),
                }
                sent = None;
            }
            Next::ResendSame | Next::Stuck => {
                sent = Some(stellar.send(&built.last().unwrap().envelope_xdr).await);
            }
            Next::Wait => chain.advance(5, 1).await,
            other => panic!("{other:?}"),
        }
        let attempt = built.last().unwrap();
        let look = stellar.look(&attempt.hash).await.ok();
        next = verdict(Attempt::from(attempt), sent.as_ref(), look);
    }
    panic!("not done after 60 rounds: {next:?}");
}

fn create() -> ChainOp {
    let expiry = i64::try_from(GENESIS).unwrap() + 30 * 86_400;
    ChainOp::Create { key: [1; 32], amount: amount(100), expiry }
}

#[tokio::test]
async fn a_lost_answer_is_unknown_and_then_found_done() {
    let chain = Chain::start().await;
    let (stellar, _) = through(&chain, &[Fault::LostAnswer]).await;
    let sequence = chain.next_sequence(&chain.channel).await;
    let Outcome::Done(built) = stellar.build(&create(), &chain.channel, sequence).await else { panic!() };
    let sent = stellar.send(&built.envelope_xdr).await;
    assert!(matches!(sent, Sent::Unknown { .. }), "{sent:?}");
    let look = stellar.look(&built.hash).await.unwrap();
    assert!(matches!(look, Look::Success { .. }), "{look:?}");
    chain.net.shutdown().await.unwrap();
}

#[tokio::test]
async fn whatever_is_lost_it_happens_once() {
    use Fault::{Dropped, LostAnswer, Sick};
    for faults in [&[][..], &[LostAnswer], &[Sick, Sick, LostAnswer], &[Dropped], &[Dropped, Sick, Dropped]] {
        let chain = Chain::start().await;
        let (stellar, left) = through(&chain, faults).await;
        let built = work(&chain, &stellar, &create()).await;
        assert_eq!(built.len(), 1, "{faults:?}: the same bytes did it");
        assert!(left.lock().unwrap().is_empty(), "{faults:?}");
        let (events, _) = chain.hear(2).await;
        let mut created = events.iter().filter(|event| matches!(event.what, Effect::Created { .. }));
        assert_eq!(created.next().map(|event| &event.tx_hash), Some(&built[0].hash), "{faults:?}");
        assert_eq!(created.next(), None, "{faults:?}");
        chain.net.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn what_offers_too_little_is_offered_again_for_more_and_happens_once() {
    use Fault::TooCheap;
    let chain = Chain::start().await;
    let (stellar, _) = through(&chain, &[TooCheap, TooCheap]).await;
    let sequence = chain.next_sequence(&chain.channel).await;
    let Outcome::Done(built) = stellar.build(&create(), &chain.channel, sequence).await else { panic!() };
    let attempt = Attempt::from(&built);
    let (mut newest, mut fees, mut hash) = (built.envelope_xdr.clone(), vec![built.fee], built.hash.clone());
    for _ in 0..2 {
        let sent = stellar.send(&newest).await;
        let look = stellar.look(&hash).await.ok();
        assert_eq!(verdict(attempt, Some(&sent), look), Next::Raise, "{sent:?}");
        let raised =
            stellar.raise((&built.envelope_xdr, &newest), &chain.channel, true).await.unwrap().unwrap();
        assert_ne!(raised.hash, built.hash);
        fees.push(raised.fee);
        (newest, hash) = (raised.envelope_xdr, raised.hash);
    }
    // Each offers ten times as much for its place, and the same for its resources.
    let resources = built.fee - 100;
    assert_eq!(fees, [resources + 100, resources + 2_000, resources + 20_000]);
    assert!(matches!(stellar.send(&newest).await, Sent::Pending { .. }));
    assert!(matches!(stellar.look(&hash).await.unwrap(), Look::Success { .. }), "found under its own hash");
    // What is inside, sent late, is past its number.
    let sent = stellar.send(&built.envelope_xdr).await;
    assert!(matches!(sent, Sent::BadSequence | Sent::TryLater | Sent::Duplicate { .. }), "{sent:?}");
    let (events, _) = chain.hear(2).await;
    let created: Vec<_> =
        events.iter().filter(|event| matches!(event.what, Effect::Created { .. })).collect();
    assert_eq!(created.iter().map(|event| &event.tx_hash).collect::<Vec<_>>(), [&hash]);
    // Nobody pays without end.
    let mut raised = stellar.raise((&built.envelope_xdr, &newest), &chain.channel, true).await.unwrap();
    for _ in 0..3 {
        let Some(again) = raised else { break };
        assert!(again.fee <= resources + 2_000_000);
        raised =
            stellar.raise((&built.envelope_xdr, &again.envelope_xdr), &chain.channel, true).await.unwrap();
    }
    assert_eq!(raised, None);
    let calm = stellar.raise((&built.envelope_xdr, &built.envelope_xdr), &chain.channel, false).await;
    assert_eq!(calm.unwrap(), None, "while nobody pays more there is nothing to raise");
    chain.net.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_queue_that_never_takes_it_is_outlived() {
    let chain = Chain::start().await;
    let (stellar, _) = through(&chain, &[Fault::Dropped; 12]).await;
    let built = work(&chain, &stellar, &create()).await;
    assert_eq!(built.len(), 2, "the first was dropped until its time was over");
    assert_eq!(built[0].sequence, built[1].sequence);
    assert!(chain.stellar.has_happened(&create()).await.unwrap());
    chain.net.shutdown().await.unwrap();
}
