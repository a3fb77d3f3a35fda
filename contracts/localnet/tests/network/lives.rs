//! The lives of entries: extended, ended, brought back by the next transaction or by one for that purpose.

use serde_json::{Value, json};
use soroban_env_host::xdr::*;

use crate::contracts::deployed;
use crate::support::*;

/// Beyond the 120 days an entry is born with, in ledgers.
const AGES: u32 = 2_500_000;

fn instance(contract: &ContractId) -> LedgerKey {
    LedgerKey::ContractData(LedgerKeyContractData {
        contract: ScAddress::Contract(contract.clone()),
        key: ScVal::LedgerKeyContractInstance,
        durability: ContractDataDurability::Persistent,
    })
}

async fn live_until(net: &Net, key: &LedgerKey) -> u64 {
    let answer = net.call("getLedgerEntries", json!({"keys": [b64(key)]})).await;
    answer["entries"][0]["liveUntilLedgerSeq"].as_u64().unwrap()
}

async fn latest(net: &Net) -> u64 {
    net.call("getLatestLedger", json!({})).await["sequence"].as_u64().unwrap()
}

/// A transaction whose footprint is given, simulated as the official tools do.
async fn with_footprint(net: &Net, body: OperationBody, footprint: LedgerFootprint) -> (Transaction, Value) {
    let mut tx = net.tx(&party(1), vec![body]).await;
    let resources = SorobanResources { footprint, instructions: 0, disk_read_bytes: 0, write_bytes: 0 };
    let ext = SorobanTransactionDataExt::V0;
    tx.ext = TransactionExt::V1(SorobanTransactionData { ext, resources, resource_fee: 0 });
    let simulated = net.simulate(&tx).await;
    (assemble(tx, &simulated), simulated)
}

#[tokio::test]
async fn archived_entries_come_back_with_the_next_call() {
    let net = net().await;
    let (payer, escrow, _) = deployed(&net).await;
    net.advance(400 * 86_400, AGES).await;
    let key = instance(&escrow);
    assert!(live_until(&net, &key).await < latest(&net).await);
    let tx = net.prepared(&payer, invoke(&escrow, "version", vec![])).await;
    let TransactionExt::V1(data) = &tx.ext else { panic!() };
    assert!(matches!(data.ext, SorobanTransactionDataExt::V1(_)), "nothing is to be restored");
    let mut unrestored = tx.clone();
    if let TransactionExt::V1(data) = &mut unrestored.ext {
        data.ext = SorobanTransactionDataExt::V0;
    }
    let got = net.submit(&envelope(tx, &[&payer])).await;
    assert!(matches!(returned(&got), ScVal::U32(_)));
    assert!(live_until(&net, &key).await > latest(&net).await);
    let TransactionMeta::V4(meta) = from_b64(&got["resultMetaXdr"]) else { panic!() };
    let restored =
        meta.operations[0].changes.0.iter().filter(|c| matches!(c, LedgerEntryChange::Restored(_)));
    assert!(restored.count() >= 4); // Instance and code, each with its TTL.
}

#[tokio::test]
async fn an_archived_entry_that_is_not_declared_stops_the_call() {
    let net = net().await;
    let (payer, escrow, _) = deployed(&net).await;
    let tx = net.prepared(&payer, invoke(&escrow, "version", vec![])).await;
    net.advance(400 * 86_400, AGES).await;
    let got = net.submit(&envelope(tx, &[&payer])).await;
    let archived = OperationResultTr::InvokeHostFunction(InvokeHostFunctionResult::EntryArchived);
    assert_eq!(operation_result(&got), OperationResult::OpInner(archived));
}

#[tokio::test]
async fn a_footprint_is_restored_and_extended() {
    let net = net().await;
    let (payer, escrow, _) = deployed(&net).await;
    net.advance(400 * 86_400, AGES).await;
    let key = instance(&escrow);
    let keys =
        LedgerFootprint { read_only: VecM::default(), read_write: vec![key.clone()].try_into().unwrap() };
    let restore = OperationBody::RestoreFootprint(RestoreFootprintOp { ext: ExtensionPoint::V0 });
    let (tx, _) = with_footprint(&net, restore, keys).await;
    assert_eq!(net.submit(&envelope(tx, &[&payer])).await["status"], "SUCCESS");
    let now = latest(&net).await;
    assert_eq!(live_until(&net, &key).await, now + 2_073_600 - 1);
    let keys =
        LedgerFootprint { read_only: vec![key.clone()].try_into().unwrap(), read_write: VecM::default() };
    let extend = OperationBody::ExtendFootprintTtl(ExtendFootprintTtlOp {
        ext: ExtensionPoint::V0,
        extend_to: 3_000_000,
    });
    let (tx, _) = with_footprint(&net, extend, keys).await;
    let got = net.submit(&envelope(tx, &[&payer])).await;
    assert_eq!(got["status"], "SUCCESS");
    assert_eq!(live_until(&net, &key).await, latest(&net).await + 3_000_000);
}

#[tokio::test]
async fn a_life_beyond_the_longest_is_refused() {
    let net = net().await;
    let (payer, escrow, _) = deployed(&net).await;
    let body = |extend_to| {
        OperationBody::ExtendFootprintTtl(ExtendFootprintTtlOp { ext: ExtensionPoint::V0, extend_to })
    };
    let keys = LedgerFootprint {
        read_only: vec![instance(&escrow)].try_into().unwrap(),
        read_write: VecM::default(),
    };
    let (mut tx, _) = with_footprint(&net, body(3_000_000), keys).await;
    tx.operations = vec![operation(body(u32::MAX))].try_into().unwrap();
    assert!(net.simulate(&tx).await["error"].is_string());
    let got = net.submit(&envelope(tx, &[&payer])).await;
    let malformed = OperationResultTr::ExtendFootprintTtl(ExtendFootprintTtlResult::Malformed);
    assert_eq!(operation_result(&got), OperationResult::OpInner(malformed));
}

#[tokio::test]
async fn idle_time_closes_ledgers_and_never_runs_back() {
    let net = net().await;
    let before = latest(&net).await;
    net.tick(52);
    let now = net.call("getLatestLedger", json!({})).await;
    assert_eq!(now["sequence"], before + 10);
    assert_eq!(now["closeTime"], (START + 50).to_string());
    net.clock.store(START - 1_000, std::sync::atomic::Ordering::SeqCst);
    net.funded(1).await;
    let later = net.call("getLatestLedger", json!({})).await;
    assert_eq!(later["closeTime"], (START + 50).to_string());
    assert_eq!(later["sequence"], before + 11);
}
