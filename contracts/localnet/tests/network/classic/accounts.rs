//! Accounts, payments, signatures, sequence numbers, bounds.

use serde_json::Value;
use soroban_env_host::xdr::*;

use crate::support::*;

fn is_failure(result: &OperationResult, wanted: &OperationResultTr) -> bool {
    matches!(result, OperationResult::OpInner(inner) if inner == wanted)
}

#[tokio::test]
async fn friendbot_creates_an_account_once() {
    let net = net().await;
    let someone = net.funded(1).await;
    assert_eq!(net.account(&someone).await.balance, 100_000_000_000);
    let (status, body) = net.friendbot(&someone.address()).await;
    assert_eq!(status, 400);
    assert!(body["detail"].as_str().unwrap().contains("account already funded to starting balance"));
    assert_eq!(net.friendbot("nonsense").await.0, 400);
}

#[tokio::test]
async fn lumens_move_and_the_fee_is_the_least_one() {
    let net = net().await;
    let (from, to) = (net.funded(1).await, net.funded(2).await);
    let mut tx = net.tx(&from, vec![pay(&to, Asset::Native, 70_000_000)]).await;
    tx.fee = 5_000; // A bid; without competition only the base fee is taken.
    let got = net.submit(&envelope(tx, &[&from])).await;
    assert_eq!(got["status"], "SUCCESS");
    assert_eq!(net.account(&from).await.balance, 100_000_000_000 - 70_000_000 - 100);
    assert_eq!(net.account(&to).await.balance, 100_000_000_000 + 70_000_000);
}

#[tokio::test]
async fn a_payment_beyond_the_reserve_fails_and_still_costs() {
    let net = net().await;
    let (from, to) = (net.funded(1).await, net.funded(2).await);
    let got = net.run(&from, vec![pay(&to, Asset::Native, 100_000_000_000 - 10_000_000)]).await;
    assert_eq!(got["status"], "FAILED");
    let wanted = OperationResultTr::Payment(PaymentResult::Underfunded);
    assert!(is_failure(&operation_result(&got), &wanted));
    assert_eq!(net.account(&from).await.balance, 100_000_000_000 - 100);
}

#[tokio::test]
async fn operations_count_all_together_or_not_at_all() {
    let net = net().await;
    let (from, to) = (net.funded(1).await, net.funded(2).await);
    let got = net.run(&from, vec![pay(&to, Asset::Native, 1), pay(&party(9), Asset::Native, 1)]).await;
    assert_eq!(got["status"], "FAILED");
    assert_eq!(net.account(&to).await.balance, 100_000_000_000);
}

#[tokio::test]
async fn an_account_created_in_a_transaction_can_act_in_it() {
    let net = net().await;
    let (payer, issuer, fresh) = (net.funded(1).await, net.funded(2).await, party(3));
    let create = OperationBody::CreateAccount(CreateAccountOp {
        destination: fresh.id(),
        starting_balance: 30_000_000,
    });
    let mut tx = net.tx(&payer, vec![create, trust(&kes(&issuer))]).await;
    let mut operations = tx.operations.to_vec();
    operations[1].source_account = Some(fresh.muxed());
    tx.operations = operations.try_into().unwrap();
    let sent = net.send(&envelope(tx.clone(), &[&payer])).await;
    let Some(TransactionResultResult::TxFailed(results)) = refusal(&sent) else { panic!("{sent}") };
    assert_eq!(results[1], OperationResult::OpBadAuth);
    assert_eq!(net.submit(&envelope(tx, &[&payer, &fresh])).await["status"], "SUCCESS");
    assert_eq!(net.account(&fresh).await.num_sub_entries, 1);
}

#[tokio::test]
async fn a_foreign_or_superfluous_signature_is_refused() {
    let net = net().await;
    let (from, to) = (net.funded(1).await, net.funded(2).await);
    let tx = net.tx(&from, vec![pay(&to, Asset::Native, 1)]).await;
    let refused = |sent: Value| refusal(&sent).unwrap();
    let bad = net.send(&envelope(tx.clone(), &[&to])).await;
    assert_eq!(bad["status"], "ERROR");
    assert_eq!(refused(bad), TransactionResultResult::TxBadAuth);
    let extra = net.send(&envelope(tx.clone(), &[&from, &to])).await;
    assert_eq!(refused(extra), TransactionResultResult::TxBadAuthExtra);
    let mut spoilt = envelope(tx, &[&from]);
    if let TransactionEnvelope::Tx(v1) = &mut spoilt {
        v1.tx.fee += 1;
    }
    assert_eq!(refused(net.send(&spoilt).await), TransactionResultResult::TxBadAuth);
    assert_eq!(net.account(&from).await.balance, 100_000_000_000);
}

#[tokio::test]
async fn sequence_numbers_come_one_after_the_other() {
    let net = net().await;
    let (from, to) = (net.funded(1).await, net.funded(2).await);
    for off in [-1, 1, 1 << 32] {
        let mut tx = net.tx(&from, vec![pay(&to, Asset::Native, 1)]).await;
        tx.seq_num.0 += off;
        let sent = net.send(&envelope(tx, &[&from])).await;
        assert_eq!(refusal(&sent), Some(TransactionResultResult::TxBadSeq));
    }
}

#[tokio::test]
async fn what_was_sent_twice_counts_once() {
    let net = net().await;
    let (from, to) = (net.funded(1).await, net.funded(2).await);
    let tx = net.tx(&from, vec![pay(&to, Asset::Native, 1)]).await;
    let sent = envelope(tx, &[&from]);
    assert_eq!(net.send(&sent).await["status"], "PENDING");
    assert_eq!(net.send(&sent).await["status"], "DUPLICATE");
    net.advance(0, 1).await;
    assert_eq!(net.send(&sent).await["status"], "TRY_AGAIN_LATER");
    net.advance(0, 10).await;
    assert_eq!(refusal(&net.send(&sent).await), Some(TransactionResultResult::TxBadSeq));
    assert_eq!(net.account(&to).await.balance, 100_000_000_001);
}

#[tokio::test]
async fn bounds_of_time_and_ledger_hold() {
    let net = net().await;
    let (from, to) = (net.funded(1).await, net.funded(2).await);
    net.tick(100);
    let conditions = |times: (u64, u64), ledgers: (u32, u32)| {
        Preconditions::V2(PreconditionsV2 {
            time_bounds: Some(TimeBounds { min_time: TimePoint(times.0), max_time: TimePoint(times.1) }),
            ledger_bounds: Some(LedgerBounds { min_ledger: ledgers.0, max_ledger: ledgers.1 }),
            ..PreconditionsV2::default()
        })
    };
    let cases = [
        (conditions((0, START + 99), (0, 0)), Some(TransactionResultResult::TxTooLate)),
        (conditions((START + 101, 0), (0, 0)), Some(TransactionResultResult::TxTooEarly)),
        (conditions((0, 0), (1_000, 0)), Some(TransactionResultResult::TxTooEarly)),
        (conditions((0, 0), (0, 3)), Some(TransactionResultResult::TxTooLate)),
        (conditions((START + 100, START + 100), (0, 1_000)), None),
    ];
    for (cond, wanted) in cases {
        let mut tx = net.tx(&from, vec![pay(&to, Asset::Native, 1)]).await;
        tx.cond = cond;
        assert_eq!(refusal(&net.send(&envelope(tx, &[&from])).await), wanted);
    }
}

#[tokio::test]
async fn fees_below_the_least_are_refused() {
    let net = net().await;
    let (from, to) = (net.funded(1).await, net.funded(2).await);
    let mut tx = net.tx(&from, vec![pay(&to, Asset::Native, 1)]).await;
    tx.fee = 99;
    let sent = net.send(&envelope(tx, &[&from])).await;
    assert_eq!(refusal(&sent), Some(TransactionResultResult::TxInsufficientFee));
}

#[tokio::test]
async fn several_signers_reach_a_threshold_together() {
    let net = net().await;
    let (owner, to) = (net.funded(1).await, net.funded(2).await);
    let (second, third) = (party(3), party(4));
    let signer = |who: &Party| {
        let key = SignerKey::Ed25519(Uint256(who.key()));
        OperationBody::SetOptions(SetOptionsOp { signer: Some(Signer { key, weight: 1 }), ..options() })
    };
    let thresholds = OperationBody::SetOptions(SetOptionsOp {
        med_threshold: Some(2),
        high_threshold: Some(3),
        ..options()
    });
    let got = net.run(&owner, vec![signer(&second), signer(&third), thresholds]).await;
    assert_eq!(got["status"], "SUCCESS");
    let tx = net.tx(&owner, vec![pay(&to, Asset::Native, 1)]).await;
    let alone = refusal(&net.send(&envelope(tx.clone(), &[&owner])).await);
    assert!(
        matches!(alone, Some(TransactionResultResult::TxFailed(r)) if r[0] == OperationResult::OpBadAuth)
    );
    assert_eq!(net.submit(&envelope(tx, &[&second, &third])).await["status"], "SUCCESS");
    let more = OperationBody::SetOptions(SetOptionsOp { low_threshold: Some(1), ..options() });
    let tx = net.tx(&owner, vec![more]).await;
    assert_eq!(net.send(&envelope(tx.clone(), &[&second, &third])).await["status"], "ERROR");
    assert_eq!(net.submit(&envelope(tx, &[&second, &third, &owner])).await["status"], "SUCCESS");
}

#[tokio::test]
async fn other_kinds_of_signers_sign_too() {
    let net = net().await;
    let (owner, to, signer) = (net.funded(1).await, net.funded(2).await, party(3));
    let secret = b"a word only its owner knows".to_vec();
    let payload = b"what was agreed".to_vec();
    let keys = [
        SignerKey::HashX(Uint256(sha256(&secret))),
        SignerKey::Ed25519SignedPayload(SignerKeyEd25519SignedPayload {
            ed25519: Uint256(signer.key()),
            payload: payload.clone().try_into().unwrap(),
        }),
    ];
    let add = |key| Some(Signer { key, weight: 1 });
    let bodies =
        keys.clone().map(|key| OperationBody::SetOptions(SetOptionsOp { signer: add(key), ..options() }));
    assert_eq!(net.run(&owner, bodies.to_vec()).await["status"], "SUCCESS");
    let hash = sha256(&secret);
    let revealed = DecoratedSignature {
        hint: SignatureHint(hash[28..].try_into().unwrap()),
        signature: Signature(secret.try_into().unwrap()),
    };
    let mut agreed = signer.sign_message(&payload);
    let end: [u8; 4] = payload[payload.len() - 4..].try_into().unwrap();
    agreed.hint.0.iter_mut().zip(end).for_each(|(a, b)| *a ^= b);
    for signature in [revealed, agreed] {
        let tx = net.tx(&owner, vec![pay(&to, Asset::Native, 1)]).await;
        let signatures = vec![signature].try_into().unwrap();
        let sent = TransactionEnvelope::Tx(TransactionV1Envelope { tx, signatures });
        assert_eq!(net.submit(&sent).await["status"], "SUCCESS");
    }
    let pre_authorised = SignerKey::PreAuthTx(Uint256([7; 32]));
    let body = OperationBody::SetOptions(SetOptionsOp { signer: add(pre_authorised), ..options() });
    let tx = net.tx(&owner, vec![body]).await;
    assert_eq!(net.send(&envelope(tx, &[&owner])).await["status"], "ERROR");
}

#[tokio::test]
async fn age_gap_and_extra_signers_are_asked_for() {
    let net = net().await;
    let (from, to, witness) = (net.funded(1).await, net.funded(2).await, party(3));
    net.run(&from, vec![pay(&to, Asset::Native, 1)]).await;
    let conditions = Preconditions::V2(PreconditionsV2 {
        min_seq_age: Duration(60),
        min_seq_ledger_gap: 5,
        extra_signers: vec![SignerKey::Ed25519(Uint256(witness.key()))].try_into().unwrap(),
        ..PreconditionsV2::default()
    });
    let mut tx = net.tx(&from, vec![pay(&to, Asset::Native, 1)]).await;
    tx.cond = conditions;
    let both = envelope(tx.clone(), &[&from, &witness]);
    let early = Some(TransactionResultResult::TxBadMinSeqAgeOrGap);
    assert_eq!(refusal(&net.send(&both).await), early);
    net.advance(60, 1).await;
    assert_eq!(refusal(&net.send(&both).await), early);
    net.advance(0, 5).await;
    let alone = refusal(&net.send(&envelope(tx, &[&from])).await);
    assert_eq!(alone, Some(TransactionResultResult::TxBadAuth));
    assert_eq!(net.submit(&both).await["status"], "SUCCESS");
}

#[tokio::test]
async fn credit_moves_between_holders_and_a_locked_issuer_mints_no_more() {
    let net = net().await;
    let (issuer, holder, other) = (net.funded(1).await, net.funded(2).await, net.funded(3).await);
    let asset = kes(&issuer);
    let untrusted = net.run(&issuer, vec![pay(&holder, asset.clone(), 500)]).await;
    let wanted = OperationResultTr::Payment(PaymentResult::NoTrust);
    assert!(is_failure(&operation_result(&untrusted), &wanted));
    net.run(&holder, vec![trust(&asset)]).await;
    net.run(&other, vec![trust(&asset)]).await;
    assert_eq!(net.run(&issuer, vec![pay(&holder, asset.clone(), 500)]).await["status"], "SUCCESS");
    assert_eq!(net.run(&holder, vec![pay(&other, asset.clone(), 200)]).await["status"], "SUCCESS");
    let beyond = net.run(&holder, vec![pay(&other, asset.clone(), 301)]).await;
    let wanted = OperationResultTr::Payment(PaymentResult::Underfunded);
    assert!(is_failure(&operation_result(&beyond), &wanted));

    let lock = OperationBody::SetOptions(SetOptionsOp { master_weight: Some(0), ..options() });
    assert_eq!(net.run(&issuer, vec![lock]).await["status"], "SUCCESS");
    let mint = pay(&holder, asset.clone(), 500);
    let tx = net.tx(&issuer, vec![mint.clone()]).await;
    let sent = net.send(&envelope(tx, &[&issuer])).await;
    assert_eq!(refusal(&sent), Some(TransactionResultResult::TxBadAuth));
    let mut tx = net.tx(&other, vec![mint]).await;
    let mut operations = tx.operations.to_vec();
    operations[0].source_account = Some(issuer.muxed());
    tx.operations = operations.try_into().unwrap();
    let sent = net.send(&envelope(tx, &[&other, &issuer])).await;
    let Some(TransactionResultResult::TxFailed(results)) = refusal(&sent) else { panic!("{sent}") };
    assert_eq!(results[0], OperationResult::OpBadAuth);
}

#[tokio::test]
async fn trustlines_go_only_when_empty() {
    let net = net().await;
    let (issuer, holder) = (net.funded(1).await, net.funded(2).await);
    let asset = kes(&issuer);
    net.run(&holder, vec![trust(&asset)]).await;
    net.run(&issuer, vec![pay(&holder, asset.clone(), 5)]).await;
    let OperationBody::ChangeTrust(mut op) = trust(&asset) else { panic!() };
    op.limit = 0;
    let gone = OperationBody::ChangeTrust(op);
    let got = net.run(&holder, vec![gone.clone()]).await;
    let wanted = OperationResultTr::ChangeTrust(ChangeTrustResult::InvalidLimit);
    assert!(is_failure(&operation_result(&got), &wanted));
    net.run(&holder, vec![pay(&issuer, asset, 5)]).await;
    assert_eq!(net.run(&holder, vec![gone]).await["status"], "SUCCESS");
    assert_eq!(net.account(&holder).await.num_sub_entries, 0);
}

#[tokio::test]
async fn unknown_operations_are_refused_cleanly() {
    let net = net().await;
    let someone = net.funded(1).await;
    let tx = net.tx(&someone, vec![OperationBody::Inflation]).await;
    let sent = net.send(&envelope(tx, &[&someone])).await;
    let Some(TransactionResultResult::TxFailed(results)) = refusal(&sent) else { panic!("{sent}") };
    assert_eq!(results[0], OperationResult::OpNotSupported);
}
