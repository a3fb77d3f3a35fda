//! Calls that somebody must authorise: as source, by a signed entry, or not at all.

use serde_json::json;
use soroban_env_host::xdr::*;

use crate::contracts::deployed;
use crate::support::*;

const OPERATOR: u8 = 12;
const DELEGATE: u8 = 13;

fn create(escrow: &ContractId, sac: &ContractId, reference: u8) -> OperationBody {
    let symbol = |text: &str| ScVal::Symbol(text.try_into().unwrap());
    let terms = [
        ("amounts", ScVal::Vec(Some(ScVec(vec![i128_of(500_000)].try_into().unwrap())))),
        ("default_to_payee", i128_of(0)),
        ("dispute_s", ScVal::U32(86_400)),
        ("expiry", ScVal::U64(START + 90 * 86_400)),
        ("fee_cap", i128_of(0)),
        ("release_at", ScVal::U64(0)),
        ("token", contract_scval(sac)),
    ];
    let terms = ScMap::sorted_from_pairs(terms.map(|(name, value)| (symbol(name), value)).into_iter());
    let args = vec![bytes32(reference), party(DELEGATE).scval(), ScVal::Map(Some(terms.unwrap()))];
    invoke(escrow, "create", args)
}

/// Signs an auth entry as the host checks it.
fn authorise(entry: &mut SorobanAuthorizationEntry, by: &Party, until: u32) {
    let SorobanCredentials::Address(credentials) = &mut entry.credentials else { panic!() };
    credentials.signature_expiration_ledger = until;
    let preimage = HashIdPreimage::SorobanAuthorization(HashIdPreimageSorobanAuthorization {
        network_id: Hash(network_id()),
        nonce: credentials.nonce,
        signature_expiration_ledger: until,
        invocation: entry.root_invocation.clone(),
    });
    let hash = sha256(&preimage.to_xdr(Limits::none()).unwrap());
    let signature = by.sign(&hash).signature.0;
    let symbol = |text: &str| ScVal::Symbol(text.try_into().unwrap());
    let bytes = |b: &[u8]| ScVal::Bytes(ScBytes(b.to_vec().try_into().unwrap()));
    let map = ScMap::sorted_from(vec![
        (symbol("public_key"), bytes(&by.key())),
        (symbol("signature"), bytes(signature.as_slice())),
    ]);
    credentials.signature = ScVal::Vec(Some(ScVec(vec![ScVal::Map(Some(map.unwrap()))].try_into().unwrap())));
}

/// The call with its auth entries signed by `signer`, sent and paid for by party 1.
async fn relayed(net: &Net, body: OperationBody, signer: &Party) -> serde_json::Value {
    let payer = party(1);
    let mut tx = net.prepared(&payer, body).await;
    let until = net.call("getLatestLedger", json!({})).await["sequence"].as_u64().unwrap() as u32 + 100;
    let mut operations = tx.operations.to_vec();
    if let OperationBody::InvokeHostFunction(op) = &mut operations[0].body {
        let mut auth = op.auth.to_vec();
        assert_eq!(auth.len(), 1);
        authorise(&mut auth[0], signer, until);
        op.auth = auth.try_into().unwrap();
    }
    tx.operations = operations.try_into().unwrap();
    // The signed entry is simulated once more, as its check costs and its nonce is written.
    let simulated = net.simulate(&tx).await;
    if simulated.get("error").is_some() {
        return net.submit(&envelope(tx, &[&payer])).await;
    }
    let tx = assemble(tx, &simulated);
    net.submit(&envelope(tx, &[&payer])).await
}

fn trapped(got: &serde_json::Value) -> bool {
    let wanted = InvokeHostFunctionResult::Trapped;
    operation_result(got) == OperationResult::OpInner(OperationResultTr::InvokeHostFunction(wanted))
}

#[tokio::test]
async fn the_source_signs_for_itself() {
    let net = net().await;
    let (_, escrow, sac) = deployed(&net).await;
    let got = net.invoke(&party(DELEGATE), create(&escrow, &sac, 7)).await;
    assert_eq!(got["status"], "SUCCESS");
    let again = net.tx(&party(DELEGATE), vec![create(&escrow, &sac, 7)]).await;
    let error = net.simulate(&again).await["error"].to_string();
    // The escrow's AlreadyExists, and the events that tell how it came to that.
    assert!(error.contains("Error(Contract, #101)") && error.contains("Event log"), "{error}");
}

#[tokio::test]
async fn a_signed_entry_lets_another_pay_and_a_stranger_s_does_not() {
    let net = net().await;
    let (_, escrow, sac) = deployed(&net).await;
    let got = relayed(&net, create(&escrow, &sac, 7), &party(DELEGATE)).await;
    assert_eq!(got["status"], "SUCCESS");
    let fund = invoke(&escrow, "fund_deposit", vec![bytes32(7), bytes32(8), i128_of(500_000)]);
    let strange = relayed(&net, fund.clone(), &party(1)).await;
    assert!(trapped(&strange));
    assert!(!strange["diagnosticEventsXdr"].as_array().unwrap().is_empty());
    assert_eq!(relayed(&net, fund, &party(OPERATOR)).await["status"], "SUCCESS");
    let tx = net.tx(&party(1), vec![invoke(&sac, "balance", vec![contract_scval(&escrow)])]).await;
    let balance = net.simulate(&tx).await;
    assert_eq!(from_b64::<ScVal>(&balance["results"][0]["xdr"]), i128_of(500_000));
}

#[tokio::test]
async fn an_unsigned_entry_traps_though_its_simulation_succeeded() {
    let net = net().await;
    let (payer, escrow, sac) = deployed(&net).await;
    let got = net.invoke(&payer, create(&escrow, &sac, 7)).await;
    assert_eq!(got["status"], "FAILED");
    assert!(trapped(&got));
}

#[tokio::test]
async fn simulation_enforces_and_records_as_it_is_told() {
    let net = net().await;
    let (payer, escrow, sac) = deployed(&net).await;
    let tx = net.tx(&payer, vec![create(&escrow, &sac, 7)]).await;
    let transaction = b64(&envelope(tx, &[]));
    let ask = async |params: serde_json::Value| net.call("simulateTransaction", params).await;
    let recorded = ask(json!({"transaction": transaction})).await;
    let entry: SorobanAuthorizationEntry = from_b64(&recorded["results"][0]["auth"][0]);
    assert!(matches!(entry.credentials, SorobanCredentials::Address(_)));
    let changes = recorded["stateChanges"].as_array().unwrap();
    assert!(
        changes.iter().any(|c| c["type"] == "created" && c["before"].is_null() && c["after"].is_string())
    );
    let newer = ask(json!({"transaction": transaction, "useUpgradedAuth": true})).await;
    let entry: SorobanAuthorizationEntry = from_b64(&newer["results"][0]["auth"][0]);
    assert!(matches!(entry.credentials, SorobanCredentials::AddressV2(_)));
    let enforced = ask(json!({"transaction": transaction, "authMode": "enforce"})).await;
    assert!(enforced["error"].as_str().unwrap().contains("Error(Auth"));
    let odd = ask(json!({"transaction": transaction, "authMode": "odd"})).await;
    assert!(odd["error"].as_str().unwrap().starts_with("optional 'authMode' must be one of"));
    let dearer =
        ask(json!({"transaction": transaction, "resourceConfig": {"instructionLeeway": 3_000_000}})).await;
    let instructions = |answer: &serde_json::Value| {
        from_b64::<SorobanTransactionData>(&answer["transactionData"]).resources.instructions
    };
    assert!(instructions(&dearer) > instructions(&recorded) + 2_500_000);
}
