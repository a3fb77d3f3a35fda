//! What becomes of stored envelopes: sent twice, sent late, never sent.

use amana_adapters::stellar::{ChainOp, Look, Next, Sent};

use crate::chain::{Chain, GENESIS, amount};

fn create(key: u8) -> ChainOp {
    let expiry = i64::try_from(GENESIS).unwrap() + 30 * 86_400;
    ChainOp::Create { key: [key; 32], amount: amount(100), expiry, terms: Default::default() }
}

#[tokio::test]
async fn bytes_that_were_applied_can_be_sent_again_for_ever() {
    let chain = Chain::start().await;
    let built = chain.build(&create(1), &chain.channel).await;
    assert_eq!(chain.fate(&built, None).await, Next::ResendSame, "stored, not sent");
    let sent = chain.stellar.send(&built.envelope_xdr).await;
    assert!(matches!(sent, Sent::Pending { .. }), "{sent:?}");
    let sent = chain.stellar.send(&built.envelope_xdr).await;
    assert!(matches!(sent, Sent::Duplicate { .. }), "{sent:?}");
    assert!(matches!(chain.fate(&built, Some(&sent)).await, Next::Done { .. }));

    chain.advance(10, 2).await;
    let sent = chain.stellar.send(&built.envelope_xdr).await;
    assert_eq!(sent, Sent::TryLater, "applied a moment ago");
    assert!(matches!(chain.fate(&built, Some(&sent)).await, Next::Done { .. }));

    chain.advance(60, 12).await;
    let sent = chain.stellar.send(&built.envelope_xdr).await;
    assert_eq!(sent, Sent::BadSequence, "its number is used up");
    let Next::Done { events, .. } = chain.fate(&built, Some(&sent)).await else { panic!() };
    assert_eq!(events.len(), 1);

    chain.advance(3_600, 720).await;
    let sent = chain.stellar.send(&built.envelope_xdr).await;
    assert!(matches!(sent, Sent::TooLate | Sent::BadSequence), "{sent:?}");
    assert!(matches!(chain.fate(&built, Some(&sent)).await, Next::Done { .. }), "not even then");
    chain.net.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_envelope_that_is_too_late_is_dead_and_replaced_under_the_same_number() {
    let chain = Chain::start().await;
    let built = chain.build(&create(1), &chain.channel).await;
    assert!(built.max_time > i64::try_from(GENESIS).unwrap());
    chain.advance(91, 18).await;
    let sent = chain.stellar.send(&built.envelope_xdr).await;
    assert_eq!(sent, Sent::TooLate);
    assert!(matches!(chain.stellar.look(&built.hash).await.unwrap(), Look::NotFound { .. }));
    assert_eq!(chain.fate(&built, Some(&sent)).await, Next::Rebuild);
    assert_eq!(chain.fate(&built, None).await, Next::Rebuild, "also when it was never sent");

    let again = chain.build(&create(1), &chain.channel).await;
    assert_eq!(again.sequence, built.sequence, "a dead attempt uses up nothing");
    assert_ne!(again.hash, built.hash);
    assert!(matches!(chain.stellar.send(&again.envelope_xdr).await, Sent::Pending { .. }));
    assert!(matches!(chain.fate(&again, None).await, Next::Done { .. }));
    chain.net.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_number_that_is_not_next_is_waited_for() {
    let chain = Chain::start().await;
    let ahead = chain.next_sequence(&chain.channel).await + 1;
    let built = match chain.stellar.build(&create(1), &chain.channel, ahead).await {
        amana_adapters::port::Outcome::Done(built) => built,
        other => panic!("{other:?}"),
    };
    let sent = chain.stellar.send(&built.envelope_xdr).await;
    assert_eq!(sent, Sent::BadSequence);
    assert_eq!(chain.fate(&built, Some(&sent)).await, Next::ResendSame);
    chain.act(&create(2)).await;
    let sent = chain.stellar.send(&built.envelope_xdr).await;
    assert!(matches!(sent, Sent::Pending { .. }), "{sent:?}");
    assert!(matches!(chain.fate(&built, Some(&sent)).await, Next::Done { .. }));
    chain.net.shutdown().await.unwrap();
}

#[tokio::test]
async fn when_the_network_forgot_an_attempt_only_the_contract_is_asked() {
    let chain = Chain::start().await;
    let built = chain.build(&create(1), &chain.channel).await;
    chain.stellar.send(&built.envelope_xdr).await;
    chain.advance(60 * 86_400, 1_000_000).await;
    assert_eq!(chain.fate(&built, None).await, Next::AskContract);
    assert!(chain.stellar.has_happened(&create(1)).await.unwrap());
    chain.net.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_gone_is_unknown_when_sending_and_not_sent_when_building() {
    let chain = Chain::start().await;
    let built = chain.build(&create(1), &chain.channel).await;
    let Chain { net, stellar, channel, .. } = chain;
    net.shutdown().await.unwrap();
    assert!(matches!(stellar.send(&built.envelope_xdr).await, Sent::Unknown { .. }));
    assert!(stellar.look(&built.hash).await.is_err());
    let outcome = stellar.build(&create(1), &channel, built.sequence).await;
    assert!(matches!(outcome, amana_adapters::port::Outcome::NotSent { .. }), "{outcome:?}");
}
