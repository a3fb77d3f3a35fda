//! Fee bumps.

use serde_json::json;
use soroban_env_host::xdr::*;

use crate::support::*;

pub(crate) fn bump(
    inner: &TransactionEnvelope,
    payer: &Party,
    fee: i64,
    signer: &Party,
) -> TransactionEnvelope {
    let TransactionEnvelope::Tx(inner) = inner else { panic!() };
    let tx = FeeBumpTransaction {
        fee_source: payer.muxed(),
        fee,
        inner_tx: FeeBumpTransactionInnerTx::Tx(inner.clone()),
        ext: FeeBumpTransactionExt::V0,
    };
    let hash = tx.hash(network_id()).unwrap();
    let signatures = vec![signer.sign(&hash)].try_into().unwrap();
    TransactionEnvelope::TxFeeBump(FeeBumpTransactionEnvelope { tx, signatures })
}

#[tokio::test]
async fn another_account_pays_the_fee() {
    let net = net().await;
    let (from, to, payer) = (net.funded(1).await, net.funded(2).await, net.funded(3).await);
    let inner = envelope(net.tx(&from, vec![pay(&to, Asset::Native, 1_000)]).await, &[&from]);
    let outer = bump(&inner, &payer, 400, &payer);
    let got = net.submit(&outer).await;
    assert_eq!((&got["status"], &got["feeBump"]), (&json!("SUCCESS"), &json!(true)));
    let result: TransactionResult = from_b64(&got["resultXdr"]);
    assert_eq!(result.fee_charged, 200);
    assert!(matches!(result.result, TransactionResultResult::TxFeeBumpInnerSuccess(_)));
    assert_eq!(net.account(&from).await.balance, 100_000_000_000 - 1_000);
    assert_eq!(net.account(&payer).await.balance, 100_000_000_000 - 200);
    let inner_hash = hex::encode(inner.hash(network_id()).unwrap());
    assert_eq!(net.get(&json!(inner_hash)).await["status"], "SUCCESS");
}

#[tokio::test]
async fn bumps_that_are_cheap_forged_or_hollow_are_refused() {
    let net = net().await;
    let (from, to, payer) = (net.funded(1).await, net.funded(2).await, net.funded(3).await);
    let tx = net.tx(&from, vec![pay(&to, Asset::Native, 1_000)]).await;
    let inner = envelope(tx.clone(), &[&from]);
    let cheap = refusal(&net.send(&bump(&inner, &payer, 199, &payer)).await);
    assert_eq!(cheap, Some(TransactionResultResult::TxInsufficientFee));
    let forged = refusal(&net.send(&bump(&inner, &payer, 200, &from)).await);
    assert_eq!(forged, Some(TransactionResultResult::TxBadAuth));
    let unknown = party(9);
    let nobody = refusal(&net.send(&bump(&inner, &unknown, 200, &unknown)).await);
    assert_eq!(nobody, Some(TransactionResultResult::TxNoAccount));
    let unsigned = envelope(tx, &[&to]);
    let hollow = refusal(&net.send(&bump(&unsigned, &payer, 200, &payer)).await);
    let Some(TransactionResultResult::TxFeeBumpInnerFailed(pair)) = hollow else { panic!("{hollow:?}") };
    assert_eq!(pair.result.result, InnerTransactionResultResult::TxBadAuth);
}

#[tokio::test]
async fn the_surplus_of_a_bumped_contract_call_goes_to_who_paid() {
    let net = net().await;
    let (from, payer) = (net.funded(1).await, net.funded(3).await);
    let tx = net.prepared(&from, deploy_sac(&Asset::Native)).await;
    let fee = i64::from(tx.fee) + 1_000;
    let got = net.submit(&bump(&envelope(tx, &[&from]), &payer, fee, &payer)).await;
    assert_eq!(got["status"], "SUCCESS");
    let charged = from_b64::<TransactionResult>(&got["resultXdr"]).fee_charged;
    assert!(charged < fee);
    assert_eq!(net.account(&payer).await.balance, 100_000_000_000 - charged);
    assert_eq!(net.account(&from).await.balance, 100_000_000_000);
}
