//! Deploying: asset contracts, Wasm, the escrow with its constructor; and what the embedder refuses.

use soroban_env_host::xdr::*;

use crate::support::*;

#[tokio::test]
async fn an_asset_contract_mints_for_its_issuer_and_moves_for_its_holder() {
    let net = net().await;
    let (issuer, holder) = (net.funded(1).await, net.funded(2).await);
    let asset = kes(&issuer);
    net.run(&holder, vec![trust(&asset)]).await;
    let sac = contract_of(&returned(&net.invoke(&holder, deploy_sac(&asset)).await));
    let mint = invoke(&sac, "mint", vec![holder.scval(), i128_of(900)]);
    assert_eq!(net.invoke(&issuer, mint).await["status"], "SUCCESS");
    let transfer = invoke(&sac, "transfer", vec![holder.scval(), issuer.scval(), i128_of(400)]);
    assert_eq!(net.invoke(&holder, transfer).await["status"], "SUCCESS");
    let balance = invoke(&sac, "balance", vec![holder.scval()]);
    let tx = net.tx(&holder, vec![balance]).await;
    let simulated = net.simulate(&tx).await;
    assert_eq!(from_b64::<ScVal>(&simulated["results"][0]["xdr"]), i128_of(500));
}

#[tokio::test]
async fn wasm_is_uploaded_created_with_its_constructor_and_called() {
    let net = net().await;
    let (payer, escrow, _) = deployed(&net).await;
    let got = net.invoke(&payer, invoke(&escrow, "version", vec![])).await;
    assert!(matches!(returned(&got), ScVal::U32(_)));
    let key = LedgerKey::ContractCode(LedgerKeyContractCode { hash: Hash(sha256(WASM)) });
    let Some(LedgerEntryData::ContractCode(code)) = net.entry(key).await else { panic!() };
    assert_eq!(code.code.as_slice(), WASM);
    let args = vec![i128_of(1)];
    let tx = net.tx(&payer, vec![create_escrow(&payer, 2, args)]).await;
    assert!(net.simulate(&tx).await["error"].as_str().unwrap().starts_with("HostError"));
}

#[tokio::test]
async fn a_refund_gives_back_what_rent_and_events_did_not_need() {
    let net = net().await;
    let someone = net.funded(1).await;
    let tx = net.prepared(&someone, upload()).await;
    let before = net.account(&someone).await.balance;
    let got = net.submit(&envelope(tx.clone(), &[&someone])).await;
    let result: TransactionResult = from_b64(&got["resultXdr"]);
    assert!(result.fee_charged < i64::from(tx.fee));
    assert_eq!(net.account(&someone).await.balance, before - result.fee_charged);
    let TransactionMeta::V4(meta) = from_b64(&got["resultMetaXdr"]) else { panic!() };
    let SorobanTransactionMetaExt::V1(fees) = meta.soroban_meta.unwrap().ext else { panic!() };
    let resource =
        fees.total_non_refundable_resource_fee_charged + fees.total_refundable_resource_fee_charged;
    assert_eq!(result.fee_charged, 100 + resource);
    assert!(fees.rent_fee_charged > 0);
}

/// Changes the declared resources and answers what became of the upload.
async fn upload_with(
    net: &Net,
    change: impl FnOnce(&mut SorobanTransactionData),
) -> InvokeHostFunctionResult {
    let someone = party(1);
    let mut tx = net.prepared(&someone, upload()).await;
    let TransactionExt::V1(data) = &mut tx.ext else { panic!() };
    change(data);
    let sent = net.send(&envelope(tx, &[&someone])).await;
    if let Some(refused) = refusal(&sent) {
        assert_eq!(refused, TransactionResultResult::TxSorobanInvalid);
        return InvokeHostFunctionResult::Malformed;
    }
    match operation_result(&net.get(&sent["hash"]).await) {
        OperationResult::OpInner(OperationResultTr::InvokeHostFunction(result)) => result,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn resources_beyond_the_declared_or_the_allowed_are_refused() {
    use InvokeHostFunctionResult as R;
    let net = net().await;
    net.funded(1).await;
    let exceeded = R::ResourceLimitExceeded;
    assert_eq!(upload_with(&net, |d| d.resources.instructions /= 3).await, exceeded);
    assert_eq!(upload_with(&net, |d| d.resources.write_bytes -= 400).await, exceeded);
    assert_eq!(upload_with(&net, |d| d.resources.instructions = 500_000_000).await, R::Malformed);
    assert_eq!(upload_with(&net, |d| d.resources.write_bytes = 1_000_000).await, R::Malformed);
    assert_eq!(upload_with(&net, |d| d.resource_fee = 10).await, R::Malformed);
    assert_eq!(upload_with(&net, |d| d.resource_fee /= 2).await, R::InsufficientRefundableFee);
    let bare = upload_with(&net, |d| d.resources.footprint.read_write = VecM::default()).await;
    assert_eq!(bare, R::Trapped);
}

/// The token and the escrow, deployed; party 1 pays, and is no role of the escrow. Parties 11 to 14 are its
/// roles.
pub(crate) async fn deployed(net: &Net) -> (Party, ContractId, ContractId) {
    let payer = net.funded(1).await;
    let issuer = net.funded(2).await;
    let sac = contract_of(&returned(&net.invoke(&payer, deploy_sac(&kes(&issuer))).await));
    returned(&net.invoke(&payer, upload()).await);
    let mut args: Vec<ScVal> = Vec::new();
    for number in 11..15 {
        args.push(net.funded(number).await.scval());
    }
    args.extend([contract_scval(&sac), i128_of(100_000)]);
    let escrow = contract_of(&returned(&net.invoke(&payer, create_escrow(&payer, 1, args)).await));
    let give = invoke(&sac, "set_admin", vec![contract_scval(&escrow)]);
    assert_eq!(net.invoke(&issuer, give).await["status"], "SUCCESS");
    (payer, escrow, sac)
}
