//! The queue: what waits, what is refused beside it, what is dropped, late, or too cheap.

use amana_localnet::{Fault, Faults, Rule};
use serde_json::json;
use soroban_env_host::xdr::*;

use super::*;
use crate::classic::bumps::bump;

#[tokio::test]
async fn accepted_transactions_wait_for_the_next_ledger_together() {
    let (net, from, to) = playing(Faults::queue()).await;
    let before = latest(&net).await;
    let (one, two) = (payment(&net, &from, &to).await, payment(&net, &to, &from).await);
    for sent in [&one, &two] {
        assert_eq!(word(&net, sent).await, "PENDING");
        assert_eq!(status(&net, sent).await, "NOT_FOUND");
        assert_eq!(word(&net, sent).await, "DUPLICATE");
    }
    let mut next = net.tx(&from, vec![pay(&to, Asset::Native, 8)]).await;
    next.seq_num.0 += 1;
    let next = envelope(next, &[&from]);
    assert_eq!(word(&net, &next).await, "TRY_AGAIN_LATER", "one a source");
    assert_eq!(latest(&net).await, before);

    net.tick(5);
    assert_eq!(latest(&net).await, before + 1);
    let (first, second) = (net.get(&hash_of(&one)).await, net.get(&hash_of(&two)).await);
    assert_eq!((&first["status"], &second["status"]), (&json!("SUCCESS"), &json!("SUCCESS")));
    assert_eq!((&first["ledger"], &second["ledger"]), (&json!(before + 1), &json!(before + 1)));
    let mut places = [&first["applicationOrder"], &second["applicationOrder"]].map(|n| n.as_u64().unwrap());
    places.sort_unstable();
    assert_eq!(places, [1, 2]);

    assert_eq!(word(&net, &one).await, "TRY_AGAIN_LATER", "applied a moment ago");
    assert_eq!(word(&net, &next).await, "PENDING", "its turn has come");
    net.advance(55, 11).await;
    assert_eq!(word(&net, &one).await, "TxBadSeq");
    assert_eq!(status(&net, &next).await, "SUCCESS");
}

#[tokio::test]
async fn a_ledger_of_several_is_read_page_by_page() {
    let (net, from, to) = playing(Faults::queue()).await;
    let start = latest(&net).await + 1;
    for sent in [payment(&net, &from, &to).await, payment(&net, &to, &from).await] {
        assert_eq!(word(&net, &sent).await, "PENDING");
    }
    net.advance(5, 1).await;
    let mut hashes = Vec::new();
    for list in ["transactions", "events"] {
        let method = if list == "events" { "getEvents" } else { "getTransactions" };
        let mut seen = Vec::new();
        let mut params = json!({"startLedger": start, "pagination": {"limit": 1}});
        for _ in 0..2 {
            let page = net.call(method, params).await;
            assert_eq!(page[list].as_array().unwrap().len(), 1, "{page}");
            seen.push(page[list][0]["txHash"].clone());
            params = json!({"pagination": {"limit": 1, "cursor": page["cursor"]}});
        }
        assert_eq!(net.call(method, params).await[list], json!([]));
        assert_ne!(seen[0], seen[1]);
        hashes.push(seen);
    }
    assert_eq!(hashes[0], hashes[1]);
    let header = net.call("getLedgers", json!({"startLedger": start})).await;
    let LedgerCloseMeta::V2(meta) = from_b64(&header["ledgers"][0]["metadataXdr"]) else { panic!() };
    assert_eq!(meta.tx_processing.len(), 2);
    let GeneralizedTransactionSet::V1(set) = &meta.tx_set;
    let TransactionPhase::V0(phase) = &set.phases[0] else { panic!() };
    let TxSetComponent::TxsetCompTxsMaybeDiscountedFee(component) = &phase[0];
    assert_eq!(component.txs.len(), 2);
}

#[tokio::test]
async fn what_is_dropped_blocks_its_source_for_four_ledgers_and_itself_for_ten_more() {
    let (net, from, to) = playing(once(Fault::Dropped)).await;
    let (sent, other) = (payment(&net, &from, &to).await, payment(&net, &to, &from).await);
    let rival = envelope(net.tx(&from, vec![pay(&to, Asset::Native, 9)]).await, &[&from]);
    assert_eq!(word(&net, &sent).await, "PENDING");
    assert_eq!(word(&net, &other).await, "PENDING");
    for age in 1..=3 {
        net.advance(5, 1).await;
        assert_eq!(word(&net, &sent).await, "DUPLICATE", "after {age}");
        assert_eq!(word(&net, &rival).await, "TRY_AGAIN_LATER");
    }
    assert_eq!(status(&net, &other).await, "SUCCESS", "others are not held up");
    for _ in 0..10 {
        net.advance(5, 1).await;
        assert_eq!(word(&net, &sent).await, "TRY_AGAIN_LATER", "banned");
    }
    net.advance(5, 1).await;
    assert_eq!(status(&net, &sent).await, "NOT_FOUND");
    assert_eq!(word(&net, &sent).await, "PENDING", "the fault struck once");
    net.advance(5, 1).await;
    assert_eq!(status(&net, &sent).await, "SUCCESS");
}

#[tokio::test]
async fn a_forgotten_transaction_leaves_its_number_to_another() {
    let (net, from, to) = playing(once(Fault::Dropped)).await;
    let sent = payment(&net, &from, &to).await;
    let rival = envelope(net.tx(&from, vec![pay(&to, Asset::Native, 9)]).await, &[&from]);
    assert_eq!(word(&net, &sent).await, "PENDING");
    net.advance(20, 4).await;
    assert_eq!(word(&net, &rival).await, "PENDING");
    net.advance(100, 20).await;
    assert_eq!(status(&net, &rival).await, "SUCCESS");
    assert_eq!(word(&net, &sent).await, "TxBadSeq");
}

#[tokio::test]
async fn late_ones_come_though_the_server_has_forgotten_them() {
    for ledgers in [0, 2, 7] {
        let (net, from, to) = playing(once(Fault::Late { ledgers })).await;
        let sent = payment(&net, &from, &to).await;
        let before = latest(&net).await;
        assert_eq!(word(&net, &sent).await, "PENDING");
        net.advance(u64::from(ledgers) * 5, ledgers).await;
        let expected = if ledgers >= 4 { "TRY_AGAIN_LATER" } else { "DUPLICATE" };
        if ledgers > 0 {
            assert_eq!(status(&net, &sent).await, "NOT_FOUND");
            assert_eq!(word(&net, &sent).await, expected, "{ledgers}");
            net.advance(5, 1).await;
        } else {
            assert_eq!(status(&net, &sent).await, "SUCCESS", "advance closes one at least");
        }
        let got = net.get(&hash_of(&sent)).await;
        assert_eq!(
            (&got["status"], &got["ledger"]),
            (&json!("SUCCESS"), &json!(before + 1 + u64::from(ledgers)))
        );
    }
}

#[tokio::test]
async fn of_a_late_one_and_its_replacement_one_is_applied() {
    let (net, from, to) = playing(once(Fault::Late { ledgers: 7 })).await;
    let sent = payment(&net, &from, &to).await;
    let rival = envelope(net.tx(&from, vec![pay(&to, Asset::Native, 9)]).await, &[&from]);
    assert_eq!(word(&net, &sent).await, "PENDING");
    net.advance(35, 7).await;
    assert_eq!(word(&net, &rival).await, "PENDING", "the server has forgotten the first");
    net.advance(5, 1).await;
    let both = [status(&net, &sent).await, status(&net, &rival).await];
    assert_eq!(both.iter().filter(|s| *s == "SUCCESS").count(), 1, "{both:?}");
    assert_eq!(both.iter().filter(|s| *s == "NOT_FOUND").count(), 1, "{both:?}");
}

#[tokio::test]
async fn the_last_moment_is_the_last_ledger_within_the_time_bound() {
    let (net, from, to) = playing(once(Fault::LastMoment)).await;
    let mut tx = net.tx(&from, vec![pay(&to, Asset::Native, 7)]).await;
    let max_time = START + 62;
    tx.cond = Preconditions::Time(TimeBounds { min_time: TimePoint(0), max_time: TimePoint(max_time) });
    let sent = envelope(tx, &[&from]);
    assert_eq!(word(&net, &sent).await, "PENDING");
    net.advance(55, 11).await;
    assert_eq!(status(&net, &sent).await, "NOT_FOUND");
    net.advance(50, 10).await;
    let got = net.get(&hash_of(&sent)).await;
    assert_eq!((&got["status"], &got["createdAt"]), (&json!("SUCCESS"), &json!((START + 60).to_string())));
}

#[tokio::test]
async fn a_late_one_is_never_applied_after_its_time() {
    let (net, from, to) = playing(once(Fault::Late { ledgers: 20 })).await;
    let mut tx = net.tx(&from, vec![pay(&to, Asset::Native, 7)]).await;
    tx.cond = Preconditions::Time(TimeBounds { min_time: TimePoint(0), max_time: TimePoint(START + 62) });
    let sent = envelope(tx, &[&from]);
    assert_eq!(word(&net, &sent).await, "PENDING");
    net.advance(200, 40).await;
    assert_eq!(status(&net, &sent).await, "NOT_FOUND");
    assert_eq!(word(&net, &sent).await, "TxTooLate");
    assert_eq!(net.account(&to).await.balance, 100_000_000_000);
}

#[tokio::test]
async fn a_good_number_is_called_bad_and_then_taken() {
    let (net, from, to) = playing(once(Fault::BadSequence)).await;
    let sent = payment(&net, &from, &to).await;
    assert_eq!(word(&net, &sent).await, "TxBadSeq");
    assert_eq!(word(&net, &sent).await, "PENDING");
    net.advance(5, 1).await;
    assert_eq!(status(&net, &sent).await, "SUCCESS");
}

#[tokio::test]
async fn in_a_surge_low_bids_are_refused_with_the_least_fee() {
    let surge = Fault::Surge { fee: 500, ledgers: 3, refuses: true };
    let (net, from, to) = playing(Faults::queued([Rule::once(surge).on("sendTransaction")])).await;
    let sent = payment(&net, &from, &to).await;
    let refused = net.send(&sent).await;
    let result: TransactionResult = from_b64(&refused["errorResultXdr"]);
    assert_eq!(result.result, TransactionResultResult::TxInsufficientFee);
    assert_eq!(result.fee_charged, 500);
    assert_eq!(net.call("getFeeStats", json!({})).await["sorobanInclusionFee"]["p90"], "500");
    let mut dearer = net.tx(&from, vec![pay(&to, Asset::Native, 7)]).await;
    dearer.fee = 900;
    let dearer = envelope(dearer, &[&from]);
    assert_eq!(word(&net, &dearer).await, "PENDING");
    net.advance(5, 1).await;
    let result: TransactionResult = from_b64(&net.get(&hash_of(&dearer)).await["resultXdr"]);
    assert_eq!(result.fee_charged, 500, "the surge's fee, not the bid");
    net.advance(10, 2).await;
    let sent = payment(&net, &from, &to).await;
    assert_eq!(word(&net, &sent).await, "PENDING", "the surge is over");
    assert_eq!(net.call("getFeeStats", json!({})).await["sorobanInclusionFee"]["p90"], "100");
}

#[tokio::test]
async fn in_a_surge_a_low_bid_waits_until_a_tenfold_fee_takes_its_place() {
    let surge = Fault::Surge { fee: 500, ledgers: 50, refuses: false };
    let (net, from, to) = playing(Faults::queued([Rule::once(surge)])).await;
    let payer = net.funded(3).await;
    let inner = payment(&net, &from, &to).await;
    assert_eq!(word(&net, &inner).await, "PENDING");
    net.advance(10, 2).await;
    assert_eq!(status(&net, &inner).await, "NOT_FOUND");
    let refused = net.send(&bump(&inner, &payer, 1_999, &payer)).await;
    let result: TransactionResult = from_b64(&refused["errorResultXdr"]);
    assert_eq!(result.result, TransactionResultResult::TxInsufficientFee);
    assert_eq!(result.fee_charged, 2_000, "ten times the bid of 100 an operation, for two");
    let outer = bump(&inner, &payer, 2_000, &payer);
    assert_eq!(word(&net, &outer).await, "PENDING");
    assert_eq!(word(&net, &outer).await, "DUPLICATE");
    assert_eq!(word(&net, &inner).await, "DUPLICATE", "it waits inside the bump");
    net.advance(5, 1).await;
    for hash in [hash_of(&outer), hash_of(&inner)] {
        let got = net.get(&hash).await;
        assert_eq!((&got["status"], &got["feeBump"]), (&json!("SUCCESS"), &json!(true)));
        assert_eq!(from_b64::<TransactionResult>(&got["resultXdr"]).fee_charged, 1_000);
    }
    let cheap = payment(&net, &from, &to).await;
    assert_eq!(word(&net, &cheap).await, "PENDING");
    net.advance(20, 4).await;
    assert_eq!(word(&net, &cheap).await, "TRY_AGAIN_LATER", "it outlived the queue's patience");
}

#[tokio::test]
async fn who_pays_must_be_able_to_pay_for_all_that_waits() {
    let (net, from, to) = playing(Faults::queue()).await;
    let payer = net.funded(3).await;
    let all = 100_000_000_000 - 10_000_000;
    let (one, two) = (payment(&net, &from, &to).await, payment(&net, &to, &from).await);
    assert_eq!(word(&net, &bump(&one, &payer, all, &payer)).await, "PENDING");
    assert_eq!(word(&net, &bump(&two, &payer, 200, &payer)).await, "TxFeeBumpInnerFailed");
    net.advance(5, 1).await;
    assert_eq!(word(&net, &bump(&two, &payer, 200, &payer)).await, "PENDING");
}
