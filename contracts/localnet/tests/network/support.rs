//! A network to test against, and envelopes for it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use amana_localnet::{Localnet, Options, STANDALONE_PASSPHRASE, start};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use soroban_env_host::xdr::*;

pub(crate) const START: u64 = 1_800_000_000;
pub(crate) const WASM: &[u8] = include_bytes!("../../../escrow/escrow.wasm");

/// A running network whose clock stands until a test moves it.
pub(crate) struct Net {
    pub(crate) localnet: Localnet,
    pub(crate) clock: Arc<AtomicU64>,
    pub(crate) http: reqwest::Client,
}

pub(crate) async fn net() -> Net {
    net_with(None).await
}

pub(crate) async fn net_with(state_file: Option<PathBuf>) -> Net {
    let clock = Arc::new(AtomicU64::new(START));
    let hand = clock.clone();
    let mut options = Options::new(Arc::new(move || hand.load(Ordering::SeqCst)));
    options.dev_methods = true;
    options.state_file = state_file;
    Net { localnet: start(options).await.unwrap(), clock, http: reqwest::Client::new() }
}

/// Somebody with a key.
#[derive(Clone)]
pub(crate) struct Party(pub(crate) SigningKey);

pub(crate) fn party(number: u8) -> Party {
    Party(SigningKey::from_bytes(&[number; 32]))
}

impl Party {
    pub(crate) fn key(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    pub(crate) fn id(&self) -> AccountId {
        AccountId(PublicKey::PublicKeyTypeEd25519(Uint256(self.key())))
    }

    pub(crate) fn muxed(&self) -> MuxedAccount {
        MuxedAccount::Ed25519(Uint256(self.key()))
    }

    pub(crate) fn address(&self) -> String {
        stellar_strkey::ed25519::PublicKey(self.key()).to_string().to_string()
    }

    pub(crate) fn scval(&self) -> ScVal {
        ScVal::Address(ScAddress::Account(self.id()))
    }

    pub(crate) fn sign(&self, hash: &[u8; 32]) -> DecoratedSignature {
        self.sign_message(hash)
    }

    pub(crate) fn sign_message(&self, message: &[u8]) -> DecoratedSignature {
        let hint = self.key()[28..].try_into().unwrap();
        let signature = self.0.sign(message).to_bytes().to_vec().try_into().unwrap();
        DecoratedSignature { hint: SignatureHint(hint), signature: Signature(signature) }
    }
}

pub(crate) fn network_id() -> [u8; 32] {
    sha256(STANDALONE_PASSPHRASE.as_bytes())
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

pub(crate) fn b64(value: &impl WriteXdr) -> String {
    value.to_xdr_base64(Limits::none()).unwrap()
}

pub(crate) fn from_b64<T: ReadXdr>(value: &Value) -> T {
    T::from_xdr_base64(value.as_str().unwrap(), Limits::none()).unwrap()
}

/// Signs with every given key.
pub(crate) fn envelope(tx: Transaction, signers: &[&Party]) -> TransactionEnvelope {
    let hash = tx.hash(network_id()).unwrap();
    let signatures: Vec<_> = signers.iter().map(|party| party.sign(&hash)).collect();
    TransactionEnvelope::Tx(TransactionV1Envelope { tx, signatures: signatures.try_into().unwrap() })
}

pub(crate) fn operation(body: OperationBody) -> Operation {
    Operation { source_account: None, body }
}

impl Net {
    /// A method's result.
    pub(crate) async fn call(&self, method: &str, params: Value) -> Value {
        let mut answer = self.ask(method, params).await;
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].take()
    }

    /// A method's whole answer.
    pub(crate) async fn ask(&self, method: &str, params: Value) -> Value {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        serde_json::from_str(&self.post("/", body.to_string()).await.1).unwrap()
    }

    /// The status and text of a raw POST.
    pub(crate) async fn post(&self, path: &str, body: String) -> (u16, String) {
        let url = format!("{}{path}", self.localnet.url());
        let answer = self.http.post(url).body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    pub(crate) async fn friendbot(&self, address: &str) -> (u16, Value) {
        let (status, text) = self.post(&format!("/friendbot?addr={address}"), String::new()).await;
        (status, serde_json::from_str(&text).unwrap())
    }

    /// A funded party.
    pub(crate) async fn funded(&self, number: u8) -> Party {
        let party = party(number);
        assert_eq!(self.friendbot(&party.address()).await.0, 200);
        party
    }

    pub(crate) async fn entry(&self, key: LedgerKey) -> Option<LedgerEntryData> {
        let answer = self.call("getLedgerEntries", json!({"keys": [b64(&key)]})).await;
        answer["entries"].get(0).map(|entry| from_b64(&entry["xdr"]))
    }

    pub(crate) async fn account(&self, party: &Party) -> AccountEntry {
        let key = LedgerKey::Account(LedgerKeyAccount { account_id: party.id() });
        match self.entry(key).await {
            Some(LedgerEntryData::Account(account)) => account,
            other => panic!("no account: {other:?}"),
        }
    }

    /// An unsigned transaction with the source's next sequence number and the least fee.
    pub(crate) async fn tx(&self, source: &Party, bodies: Vec<OperationBody>) -> Transaction {
        let sequence = self.account(source).await.seq_num.0 + 1;
        let operations: Vec<_> = bodies.into_iter().map(operation).collect();
        Transaction {
            source_account: source.muxed(),
            fee: 100 * operations.len() as u32,
            seq_num: SequenceNumber(sequence),
            cond: Preconditions::None,
            memo: Memo::None,
            operations: operations.try_into().unwrap(),
            ext: TransactionExt::V0,
        }
    }

    pub(crate) async fn send(&self, envelope: &TransactionEnvelope) -> Value {
        self.call("sendTransaction", json!({"transaction": b64(envelope)})).await
    }

    pub(crate) async fn get(&self, hash: &Value) -> Value {
        self.call("getTransaction", json!({"hash": hash})).await
    }

    /// Sends what must be taken, and answers getTransaction's words on it.
    pub(crate) async fn submit(&self, envelope: &TransactionEnvelope) -> Value {
        let sent = self.send(envelope).await;
        assert_eq!(sent["status"], "PENDING", "{:?}", refusal(&sent));
        self.get(&sent["hash"]).await
    }

    /// Builds, signs, sends; the transaction must be taken.
    pub(crate) async fn run(&self, source: &Party, bodies: Vec<OperationBody>) -> Value {
        let tx = self.tx(source, bodies).await;
        self.submit(&envelope(tx, &[source])).await
    }

    pub(crate) async fn simulate(&self, tx: &Transaction) -> Value {
        self.call("simulateTransaction", json!({"transaction": b64(&envelope(tx.clone(), &[]))})).await
    }

    /// A contract transaction with the resources and the auth its simulation found.
    pub(crate) async fn prepared(&self, source: &Party, body: OperationBody) -> Transaction {
        let tx = self.tx(source, vec![body]).await;
        let simulated = self.simulate(&tx).await;
        assemble(tx, &simulated)
    }

    /// Prepares, signs and sends a contract transaction that must be taken.
    pub(crate) async fn invoke(&self, source: &Party, body: OperationBody) -> Value {
        let tx = self.prepared(source, body).await;
        self.submit(&envelope(tx, &[source])).await
    }

    pub(crate) async fn advance(&self, seconds: u64, ledgers: u32) {
        self.call("dev_advance", json!({"seconds": seconds, "ledgers": ledgers})).await;
    }

    pub(crate) fn tick(&self, seconds: u64) {
        self.clock.fetch_add(seconds, Ordering::SeqCst);
    }
}

/// Puts a simulation's findings into the transaction, as SDKs do.
pub(crate) fn assemble(mut tx: Transaction, simulated: &Value) -> Transaction {
    assert!(simulated.get("error").is_none(), "{}", simulated["error"]);
    let fee: u32 = simulated["minResourceFee"].as_str().unwrap().parse().unwrap();
    tx.fee = 100 + fee;
    tx.ext = TransactionExt::V1(from_b64(&simulated["transactionData"]));
    let mut operations = tx.operations.to_vec();
    if let OperationBody::InvokeHostFunction(op) = &mut operations[0].body
        && op.auth.is_empty()
    {
        let auth: Vec<SorobanAuthorizationEntry> =
            simulated["results"][0]["auth"].as_array().unwrap().iter().map(from_b64).collect();
        op.auth = auth.try_into().unwrap();
    }
    tx.operations = operations.try_into().unwrap();
    tx
}

/// The result with which a transaction was refused.
pub(crate) fn refusal(sent: &Value) -> Option<TransactionResultResult> {
    let text = sent.get("errorResultXdr").filter(|v| v.is_string())?;
    Some(from_b64::<TransactionResult>(text).result)
}

/// The result of the only operation of an applied transaction.
pub(crate) fn operation_result(got: &Value) -> OperationResult {
    match from_b64::<TransactionResult>(&got["resultXdr"]).result {
        TransactionResultResult::TxSuccess(results) | TransactionResultResult::TxFailed(results) => {
            results[0].clone()
        }
        other => panic!("{other:?}"),
    }
}

/// What an applied contract call returned.
pub(crate) fn returned(got: &Value) -> ScVal {
    assert_eq!(got["status"], "SUCCESS", "{:?}", operation_result(got));
    match from_b64::<TransactionMeta>(&got["resultMetaXdr"]) {
        TransactionMeta::V4(v4) => v4.soroban_meta.unwrap().return_value.unwrap(),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn pay(to: &Party, asset: Asset, amount: i64) -> OperationBody {
    OperationBody::Payment(PaymentOp { destination: to.muxed(), asset, amount })
}

pub(crate) fn kes(issuer: &Party) -> Asset {
    Asset::CreditAlphanum4(AlphaNum4 { asset_code: AssetCode4(*b"KES\0"), issuer: issuer.id() })
}

pub(crate) fn trust(asset: &Asset) -> OperationBody {
    let line = match asset.clone() {
        Asset::CreditAlphanum4(a) => ChangeTrustAsset::CreditAlphanum4(a),
        other => panic!("{other:?}"),
    };
    OperationBody::ChangeTrust(ChangeTrustOp { line, limit: i64::MAX })
}

pub(crate) fn options() -> SetOptionsOp {
    SetOptionsOp {
        inflation_dest: None,
        clear_flags: None,
        set_flags: None,
        master_weight: None,
        low_threshold: None,
        med_threshold: None,
        high_threshold: None,
        home_domain: None,
        signer: None,
    }
}

pub(crate) fn host(function: HostFunction) -> OperationBody {
    OperationBody::InvokeHostFunction(InvokeHostFunctionOp { host_function: function, auth: VecM::default() })
}

pub(crate) fn upload() -> OperationBody {
    host(HostFunction::UploadContractWasm(WASM.try_into().unwrap()))
}

pub(crate) fn invoke(contract: &ContractId, function: &str, args: Vec<ScVal>) -> OperationBody {
    host(HostFunction::InvokeContract(InvokeContractArgs {
        contract_address: ScAddress::Contract(contract.clone()),
        function_name: function.try_into().unwrap(),
        args: args.try_into().unwrap(),
    }))
}

pub(crate) fn deploy_sac(asset: &Asset) -> OperationBody {
    host(HostFunction::CreateContract(CreateContractArgs {
        contract_id_preimage: ContractIdPreimage::Asset(asset.clone()),
        executable: ContractExecutable::StellarAsset,
    }))
}

pub(crate) fn create_escrow(by: &Party, salt: u8, args: Vec<ScVal>) -> OperationBody {
    host(HostFunction::CreateContractV2(CreateContractArgsV2 {
        contract_id_preimage: ContractIdPreimage::Address(ContractIdPreimageFromAddress {
            address: ScAddress::Account(by.id()),
            salt: Uint256([salt; 32]),
        }),
        executable: ContractExecutable::Wasm(Hash(sha256(WASM))),
        constructor_args: args.try_into().unwrap(),
    }))
}

pub(crate) fn contract_of(value: &ScVal) -> ContractId {
    match value {
        ScVal::Address(ScAddress::Contract(id)) => id.clone(),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn contract_scval(id: &ContractId) -> ScVal {
    ScVal::Address(ScAddress::Contract(id.clone()))
}

pub(crate) fn i128_of(amount: i128) -> ScVal {
    ScVal::I128(Int128Parts { hi: (amount >> 64) as i64, lo: amount as u64 })
}

pub(crate) fn bytes32(fill: u8) -> ScVal {
    ScVal::Bytes(ScBytes([fill; 32].to_vec().try_into().unwrap()))
}
