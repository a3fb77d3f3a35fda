//! Notes, numbers that are skipped, merged accounts; issuers who approve, revoke and take back.

use serde_json::{Value, json};
use soroban_env_host::xdr::*;

use crate::support::*;

fn inner(got: &Value) -> OperationResultTr {
    match operation_result(got) {
        OperationResult::OpInner(inner) => inner,
        other => panic!("{other:?}"),
    }
}

/// The result of an operation that is wrong whatever the ledger holds.
async fn malformed(net: &Net, source: &Party, body: OperationBody) -> OperationResult {
    let tx = net.tx(source, vec![body]).await;
    let sent = net.send(&envelope(tx, &[source])).await;
    match refusal(&sent) {
        Some(TransactionResultResult::TxFailed(results)) => results[0].clone(),
        other => panic!("{other:?}"),
    }
}

fn note(name: &str, value: Option<&str>) -> OperationBody {
    OperationBody::ManageData(ManageDataOp {
        data_name: String64(name.try_into().unwrap()),
        data_value: value.map(|text| DataValue(text.as_bytes().to_vec().try_into().unwrap())),
    })
}

#[tokio::test]
async fn notes_are_kept_replaced_and_removed() {
    let net = net().await;
    let owner = net.funded(1).await;
    let key = LedgerKey::Data(LedgerKeyData {
        account_id: owner.id(),
        data_name: String64("hello".try_into().unwrap()),
    });
    for word in ["world", "moon"] {
        assert_eq!(net.run(&owner, vec![note("hello", Some(word))]).await["status"], "SUCCESS");
        let Some(LedgerEntryData::Data(kept)) = net.entry(key.clone()).await else { panic!() };
        assert_eq!(kept.data_value.as_slice(), word.as_bytes());
        assert_eq!(net.account(&owner).await.num_sub_entries, 1);
    }
    assert_eq!(net.run(&owner, vec![note("hello", None)]).await["status"], "SUCCESS");
    assert!(net.entry(key).await.is_none());
    assert_eq!(net.account(&owner).await.num_sub_entries, 0);
    let got = net.run(&owner, vec![note("hello", None)]).await;
    assert_eq!(inner(&got), OperationResultTr::ManageData(ManageDataResult::NameNotFound));
    let nameless = malformed(&net, &owner, note("", Some("x"))).await;
    let wanted = OperationResultTr::ManageData(ManageDataResult::InvalidName);
    assert_eq!(nameless, OperationResult::OpInner(wanted));
}

#[tokio::test]
async fn numbers_can_be_skipped_and_never_come_back() {
    let net = net().await;
    let owner = net.funded(1).await;
    let now = net.account(&owner).await.seq_num.0;
    let to = |number| OperationBody::BumpSequence(BumpSequenceOp { bump_to: SequenceNumber(number) });
    assert_eq!(net.run(&owner, vec![to(now + 100)]).await["status"], "SUCCESS");
    assert_eq!(net.account(&owner).await.seq_num.0, now + 100);
    assert_eq!(net.run(&owner, vec![to(now)]).await["status"], "SUCCESS");
    assert_eq!(net.account(&owner).await.seq_num.0, now + 101, "back is no fault, and no move");
    let wanted = OperationResultTr::BumpSequence(BumpSequenceResult::BadSeq);
    assert_eq!(malformed(&net, &owner, to(-1)).await, OperationResult::OpInner(wanted));
}

#[tokio::test]
async fn an_account_is_merged_when_nothing_hangs_on_it() {
    let net = net().await;
    let (owner, heir) = (net.funded(1).await, net.funded(2).await);
    let merge = |to: &Party| OperationBody::AccountMerge(to.muxed());
    let result = |code| OperationResultTr::AccountMerge(code);
    let own = malformed(&net, &owner, merge(&owner)).await;
    assert_eq!(own, OperationResult::OpInner(result(AccountMergeResult::Malformed)));
    assert_eq!(inner(&net.run(&owner, vec![merge(&party(9))]).await), result(AccountMergeResult::NoAccount));
    net.run(&owner, vec![note("hello", Some("world"))]).await;
    assert_eq!(inner(&net.run(&owner, vec![merge(&heir)]).await), result(AccountMergeResult::HasSubEntries));
    net.run(&owner, vec![note("hello", None)]).await;

    let start = net.call("getLatestLedger", json!({})).await["sequence"].as_u64().unwrap();
    let left = net.account(&owner).await.balance - 100;
    let got = net.run(&owner, vec![merge(&heir)]).await;
    assert_eq!(inner(&got), result(AccountMergeResult::Success(left)));
    assert_eq!(net.account(&heir).await.balance, 100_000_000_000 + left);
    let key = LedgerKey::Account(LedgerKeyAccount { account_id: owner.id() });
    assert!(net.entry(key).await.is_none());
    let heard = net.call("getEvents", json!({"startLedger": start + 1})).await;
    assert_eq!(heard["events"][0]["topic"][0], b64(&symbol("transfer")));
    assert_eq!(heard["events"][0]["value"], b64(&i128_of(i128::from(left))));

    // Whoever comes back starts at numbers that were never used.
    net.funded(1).await;
    let far = OperationBody::BumpSequence(BumpSequenceOp { bump_to: SequenceNumber(i64::MAX - 1) });
    let got = net.run(&owner, vec![far, merge(&heir)]).await;
    let TransactionResultResult::TxFailed(results) = from_b64::<TransactionResult>(&got["resultXdr"]).result
    else {
        panic!()
    };
    assert_eq!(results[1], OperationResult::OpInner(result(AccountMergeResult::SeqnumTooFar)));
}

fn symbol(word: &str) -> ScVal {
    ScVal::Symbol(ScSymbol(word.try_into().unwrap()))
}

fn flags(holder: &Party, asset: &Asset, set: u32, clear: u32) -> OperationBody {
    OperationBody::SetTrustLineFlags(SetTrustLineFlagsOp {
        trustor: holder.id(),
        asset: asset.clone(),
        clear_flags: clear,
        set_flags: set,
    })
}

/// An issuer with these flags, and a holder who trusts its asset.
async fn issued(net: &Net, issuer_flags: u32) -> (Party, Party, Asset) {
    let (issuer, holder) = (net.funded(1).await, net.funded(2).await);
    let asset = kes(&issuer);
    let own = SetOptionsOp { set_flags: Some(issuer_flags), ..options() };
    assert_eq!(net.run(&issuer, vec![OperationBody::SetOptions(own)]).await["status"], "SUCCESS");
    assert_eq!(net.run(&holder, vec![trust(&asset)]).await["status"], "SUCCESS");
    (issuer, holder, asset)
}

#[tokio::test]
async fn an_issuer_approves_and_where_it_may_revokes() {
    let net = net().await;
    let (required, revocable) = (1, 2);
    let (issuer, holder, asset) = issued(&net, required).await;
    let mint = pay(&holder, asset.clone(), 5);
    let result = |code| OperationResultTr::SetTrustLineFlags(code);
    let got = net.run(&issuer, vec![mint.clone()]).await;
    assert_eq!(inner(&got), OperationResultTr::Payment(PaymentResult::NotAuthorized));
    let start = net.call("getLatestLedger", json!({})).await["sequence"].as_u64().unwrap();
    assert_eq!(net.run(&issuer, vec![flags(&holder, &asset, 1, 0)]).await["status"], "SUCCESS");
    let heard = net.call("getEvents", json!({"startLedger": start + 1})).await;
    assert_eq!(heard["events"][0]["topic"][0], b64(&symbol("set_authorized")));
    assert_eq!(heard["events"][0]["topic"][1], b64(&holder.scval()));
    assert_eq!(heard["events"][0]["value"], b64(&ScVal::Bool(true)));
    assert_eq!(net.run(&issuer, vec![mint]).await["status"], "SUCCESS");

    let revoke = flags(&holder, &asset, 0, 1);
    let got = net.run(&issuer, vec![revoke.clone()]).await;
    assert_eq!(inner(&got), result(SetTrustLineFlagsResult::CantRevoke));
    let own = SetOptionsOp { set_flags: Some(revocable), ..options() };
    net.run(&issuer, vec![OperationBody::SetOptions(own)]).await;
    let got = net.run(&issuer, vec![flags(&holder, &asset, 2, 0)]).await;
    assert_eq!(inner(&got), result(SetTrustLineFlagsResult::InvalidState), "not both kinds of approval");
    assert_eq!(net.run(&issuer, vec![revoke]).await["status"], "SUCCESS");
    let got = net.run(&holder, vec![pay(&issuer, asset.clone(), 1)]).await;
    assert_eq!(inner(&got), OperationResultTr::Payment(PaymentResult::SrcNotAuthorized));
    let got = net.run(&issuer, vec![flags(&party(9), &asset, 1, 0)]).await;
    assert_eq!(inner(&got), result(SetTrustLineFlagsResult::NoTrustLine));
    for wrong in [flags(&holder, &asset, 4, 0), flags(&holder, &asset, 1, 1), flags(&issuer, &asset, 1, 0)] {
        let wanted = OperationResult::OpInner(result(SetTrustLineFlagsResult::Malformed));
        assert_eq!(malformed(&net, &issuer, wrong).await, wanted);
    }
}

#[tokio::test]
async fn an_issuer_takes_back_where_the_trustline_allows_it() {
    let net = net().await;
    let (issuer, holder, asset) = issued(&net, 2 | 8).await;
    let claw =
        |amount| OperationBody::Clawback(ClawbackOp { asset: asset.clone(), from: holder.muxed(), amount });
    let result = |code| OperationResultTr::Clawback(code);
    net.run(&issuer, vec![pay(&holder, asset.clone(), 5)]).await;
    assert_eq!(inner(&net.run(&issuer, vec![claw(6)]).await), result(ClawbackResult::Underfunded));
    let start = net.call("getLatestLedger", json!({})).await["sequence"].as_u64().unwrap();
    assert_eq!(net.run(&issuer, vec![claw(3)]).await["status"], "SUCCESS");
    let heard = net.call("getEvents", json!({"startLedger": start + 1})).await;
    assert_eq!(heard["events"][0]["topic"][0], b64(&symbol("clawback")));
    let back = net.run(&holder, vec![pay(&issuer, asset.clone(), 3)]).await;
    assert_eq!(inner(&back), OperationResultTr::Payment(PaymentResult::Underfunded), "two are left");
    let freed = net.run(&issuer, vec![flags(&holder, &asset, 0, 4)]).await;
    assert_eq!(freed["status"], "SUCCESS");
    let got = net.run(&issuer, vec![claw(1)]).await;
    assert_eq!(inner(&got), result(ClawbackResult::NotClawbackEnabled));
    let wanted = OperationResult::OpInner(result(ClawbackResult::Malformed));
    assert_eq!(malformed(&net, &holder, claw(1)).await, wanted, "only the issuer");
}
