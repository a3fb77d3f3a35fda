//! Calls and reads against the contract's committed interface; a witness against every tampering.

use serde_json::Value;
use stellar_xdr::{
    HostFunction, InvokeHostFunctionOp, Limits, Memo, Operation, OperationBody, Preconditions, ReadXdr,
    ScMap, ScVal, SequenceNumber, SorobanAddressCredentials, SorobanAuthorizationEntry,
    SorobanAuthorizedFunction, SorobanAuthorizedInvocation, SorobanCredentials, Transaction,
    TransactionEnvelope, TransactionExt, WriteXdr,
};

use super::super::event::meaning;
use super::super::sign::{AuthTerms, sign_authorization, sign_transaction};
use super::super::wire::{
    address, bytes32, contract_of, deployed_preimage, muxed, network_id, string, symbol,
};
use super::super::{ANCHOR_ERRORS, ChainOp, Effect, Keypair, Network, error_name};
use super::{Anchor, Claim, Flaw, witness};

const PASSPHRASE: &str = "Standalone Network ; February 2017";
const BOOK: &str = "kenya:KES";
const ROOT: [u8; 32] = [3; 32];

fn key(byte: u8) -> Keypair {
    Keypair::from_seed([byte; 32])
}

fn contract(salt: u8) -> String {
    contract_of(&network_id(PASSPHRASE), &deployed_preimage([1; 32], [salt; 32])).unwrap().to_string()
}

fn network() -> Network {
    Network {
        rpc_url: "http://127.0.0.1:1".into(),
        passphrase: PASSPHRASE.into(),
        contract: contract(1),
        token: contract(2),
        anchor: Some(contract(3)),
        exponent: 2,
    }
}

fn op() -> ChainOp {
    ChainOp::Anchor { book: BOOK.into(), size: 42, root: ROOT }
}

fn interface() -> Value {
    serde_json::from_str(include_str!("../../../../contracts/anchor/interface.json")).unwrap()
}

fn named<'a>(interface: &'a Value, section: &str, name: &str) -> &'a Value {
    interface[section].as_array().unwrap().iter().find(|item| item["name"] == name).unwrap()
}

fn types(of: &Value, fields: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    of[fields].as_array().unwrap().iter().map(|field| (text(&field["name"]), text(&field["type"]))).collect()
}

fn pair(name: &str, kind: &str) -> (String, String) {
    (name.to_owned(), kind.to_owned())
}

fn map(pairs: Vec<(&str, ScVal)>) -> ScVal {
    let pairs = pairs.into_iter().map(|(name, value)| (ScVal::Symbol(symbol(name).unwrap()), value));
    ScVal::Map(Some(ScMap::sorted_from_pairs(pairs).unwrap()))
}

#[test]
fn the_call_fits_the_interface() {
    let call = op().call(&network(), &key(2).address()).unwrap();
    assert_eq!(call.contract_address, address(&contract(3)).unwrap());
    let inputs = types(named(&interface(), "functions", op().function()), "inputs");
    assert_eq!(inputs, [pair("book", "String"), pair("size", "u64"), pair("root", "BytesN<32>")]);
    let args = call.args.as_slice();
    assert_eq!(args, [string(BOOK).unwrap(), ScVal::U64(42), bytes32(&ROOT).unwrap()]);
    let nowhere = Network { anchor: None, ..network() };
    assert!(op().call(&nowhere, &key(2).address()).is_err());
    let negative = ChainOp::Anchor { book: BOOK.into(), size: -1, root: ROOT };
    assert!(negative.call(&network(), &key(2).address()).is_err());
}

#[test]
fn the_errors_are_the_interfaces() {
    let interface = interface();
    let theirs: Vec<(u64, &str)> = interface["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (error["number"].as_u64().unwrap(), error["name"].as_str().unwrap()))
        .collect();
    let ours: Vec<_> = ANCHOR_ERRORS.iter().map(|(number, name)| (u64::from(*number), *name)).collect();
    assert_eq!(ours, theirs);
    assert_eq!((error_name(200), error_name(201)), ("NotGrown".into(), "OtherRoot".into()));
    assert!(!op().looks_done("NotGrown") && !op().looks_done("OtherRoot"));
}

#[test]
fn what_is_read_has_the_interfaces_fields() {
    let fields = types(named(&interface(), "structs", "Anchor"), "fields");
    let expected = [("ledger", "u32"), ("root", "BytesN<32>"), ("size", "u64"), ("timestamp", "u64")];
    assert_eq!(fields, expected.map(|(name, kind)| pair(name, kind)));
    let view = map(vec![
        ("ledger", ScVal::U32(9)),
        ("root", bytes32(&ROOT).unwrap()),
        ("size", ScVal::U64(42)),
        ("timestamp", ScVal::U64(1_800_000_000)),
    ]);
    let anchor = Anchor { size: 42, root: ROOT, ledger: 9, timestamp: 1_800_000_000 };
    assert_eq!(Anchor::read(&view).unwrap(), Some(anchor));
    assert_eq!(Anchor::read(&ScVal::Void).unwrap(), None);
    assert!(Anchor::read(&map(vec![("size", ScVal::U64(42))])).is_err());
}

#[test]
fn the_event_is_understood_and_only_the_anchors() {
    let interface = interface();
    let event = named(&interface, "events", "Anchored");
    let topics = event["topics"].as_array().unwrap();
    assert_eq!(*topics, ["anchor", "anchored", "{book: String}"]);
    assert_eq!(types(event, "fields"), [pair("size", "u64"), pair("root", "BytesN<32>")]);
    let word = |text: &str| ScVal::Symbol(symbol(text).unwrap());
    let topics = [word("anchor"), word("anchored"), string(BOOK).unwrap()];
    let value = map(vec![("root", bytes32(&ROOT).unwrap()), ("size", ScVal::U64(42))]);
    let expected = Effect::Anchored { book: BOOK.into(), size: 42, root: ROOT };
    assert_eq!(meaning(&network(), &contract(3), &topics, &value).unwrap(), expected);
    for other in [contract(1), contract(2), contract(4)] {
        let heard = meaning(&network(), &other, &topics, &value).unwrap();
        assert!(matches!(heard, Effect::Other { .. }), "{heard:?}");
    }
    assert!(meaning(&network(), &contract(3), &topics, &ScVal::Void).is_err());
}

fn transaction(op: &ChainOp, operator: &Keypair) -> Transaction {
    let call = op.call(&network(), "").unwrap();
    let asked = SorobanAuthorizationEntry {
        credentials: SorobanCredentials::Address(SorobanAddressCredentials {
            address: address(&operator.address()).unwrap(),
            nonce: 0,
            signature_expiration_ledger: 0,
            signature: ScVal::Void,
        }),
        root_invocation: SorobanAuthorizedInvocation {
            function: SorobanAuthorizedFunction::ContractFn(call.clone()),
            sub_invocations: Default::default(),
        },
    };
    let terms = AuthTerms { nonce: 99, expires: 1_360 };
    let auth = sign_authorization(&network_id(PASSPHRASE), &asked, terms, operator).unwrap();
    let host_function = HostFunction::InvokeContract(call);
    let body = OperationBody::InvokeHostFunction(InvokeHostFunctionOp {
        host_function,
        auth: vec![auth].try_into().unwrap(),
    });
    Transaction {
        source_account: muxed(key(9).public()),
        fee: 100,
        seq_num: SequenceNumber(5),
        cond: Preconditions::None,
        memo: Memo::None,
        operations: vec![Operation { source_account: None, body }].try_into().unwrap(),
        ext: TransactionExt::V0,
    }
}

/// The envelope and its hash.
fn signed(tx: Transaction) -> (String, String) {
    let (envelope, hash) = sign_transaction(&network_id(PASSPHRASE), tx, &[&key(9)]).unwrap();
    (envelope.to_xdr_base64(Limits::none()).unwrap(), hex::encode(hash))
}

/// Checks an envelope against the true claim, changed.
fn check(envelope: &str, hash: &str, change: impl FnOnce(&mut Claim<'_>)) -> Result<(), Flaw> {
    let (contract, operator) = (contract(3), key(1).address());
    let mut claim = Claim {
        passphrase: PASSPHRASE,
        contract: &contract,
        operator: &operator,
        tx_hash: hash,
        book: BOOK,
        size: 42,
        root: &ROOT,
    };
    change(&mut claim);
    witness(envelope, &claim)
}

#[test]
fn a_true_envelope_is_a_witness() {
    let (envelope, hash) = signed(transaction(&op(), &key(1)));
    assert_eq!(check(&envelope, &hash, |_| {}), Ok(()));
}

#[test]
fn another_claim_is_not_witnessed() {
    let (envelope, hash) = signed(transaction(&op(), &key(1)));
    let other = |what| Err(Flaw::OtherCall(what));
    assert_eq!(check(&envelope, &hash, |claim| claim.book = "kenya:USD"), other("for another book"));
    assert_eq!(check(&envelope, &hash, |claim| claim.size = 41), other("for another size"));
    assert_eq!(check(&envelope, &hash, |claim| claim.root = &[4; 32]), other("for another root"));
    let another = contract(4);
    let flaw = check(&envelope, &hash, |claim| claim.contract = another.clone().leak());
    assert_eq!(flaw, other("another contract"));
    let flaw = check(&envelope, &hash, |claim| claim.passphrase = "Test Network");
    assert_eq!(flaw, Err(Flaw::Forged("operator")), "a signature is for one network");
    let stranger = key(2).address();
    let flaw = check(&envelope, &hash, |claim| claim.operator = stranger.clone().leak());
    assert_eq!(flaw, Err(Flaw::Unauthorised("another address did")));
    let flaw = check(&envelope, &"0".repeat(64), |_| {});
    assert_eq!(flaw, Err(Flaw::OtherTransaction { found: hash.clone() }));
    assert!(matches!(check(&envelope, &hash, |claim| claim.size = -1), Err(Flaw::Claim(_))));
    assert!(matches!(check(&envelope, &hash, |claim| claim.operator = "G"), Err(Flaw::Claim(_))));
}

#[test]
fn a_strangers_word_is_not_the_operators() {
    // The stranger's own authorisation.
    let (envelope, hash) = signed(transaction(&op(), &key(2)));
    assert_eq!(check(&envelope, &hash, |_| {}), Err(Flaw::Unauthorised("another address did")));
    // In the operator's name, with the stranger's signature.
    let named = |change: fn(&mut SorobanAuthorizationEntry)| {
        let mut tx = transaction(&op(), &key(2));
        let mut operation = tx.operations[0].clone();
        let OperationBody::InvokeHostFunction(call) = &mut operation.body else { panic!() };
        let mut entry = call.auth[0].clone();
        change(&mut entry);
        call.auth = vec![entry].try_into().unwrap();
        tx.operations = vec![operation].try_into().unwrap();
        let (envelope, hash) = signed(tx);
        check(&envelope, &hash, |_| {})
    };
    let flaw = named(|entry| {
        let SorobanCredentials::Address(credentials) = &mut entry.credentials else { panic!() };
        credentials.address = address(&key(1).address()).unwrap();
    });
    assert_eq!(flaw, Err(Flaw::Forged("operator")));
    let flaw = named(|entry| entry.credentials = SorobanCredentials::SourceAccount);
    assert_eq!(flaw, Err(Flaw::Unauthorised("the authorisation is not signed with one key")));
    let flaw = named(|entry| {
        let below = entry.root_invocation.clone();
        entry.root_invocation.sub_invocations = vec![below].try_into().unwrap();
    });
    assert_eq!(flaw, Err(Flaw::Unauthorised("something else was authorised")));
}

/// An authorisation for one checkpoint does not carry over to another.
#[test]
fn a_signature_is_for_one_checkpoint() {
    let earlier = ChainOp::Anchor { book: BOOK.into(), size: 41, root: ROOT };
    let (now, before) = (transaction(&op(), &key(1)), transaction(&earlier, &key(1)));
    let mut tx = now.clone();
    let (mut operation, old) = (now.operations[0].clone(), before.operations[0].clone());
    let OperationBody::InvokeHostFunction(call) = &mut operation.body else { panic!() };
    let OperationBody::InvokeHostFunction(old) = old.body else { panic!() };
    call.auth = old.auth;
    tx.operations = vec![operation].try_into().unwrap();
    let (envelope, hash) = signed(tx);
    let flaw = check(&envelope, &hash, |_| {});
    assert_eq!(flaw, Err(Flaw::Unauthorised("something else was authorised")));
}

#[test]
fn flipping_any_bit_of_the_envelope_is_found() {
    let (envelope, hash) = signed(transaction(&op(), &key(1)));
    let bytes = TransactionEnvelope::from_xdr_base64(&envelope, Limits::none()).unwrap();
    let bytes = bytes.to_xdr(Limits::none()).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let Ok(read) = TransactionEnvelope::from_xdr(&flipped, Limits::none()) else { continue };
        let text = read.to_xdr_base64(Limits::none()).unwrap();
        assert!(check(&text, &hash, |_| {}).is_err(), "bit {bit}");
    }
    for at in 0..envelope.len() {
        for bit in 0..8 {
            let mut flipped = envelope.clone().into_bytes();
            flipped[at] ^= 1 << bit;
            let Ok(text) = String::from_utf8(flipped) else { continue };
            assert!(check(&text, &hash, |_| {}).is_err(), "character {at}, bit {bit}");
        }
    }
    for text in ["", "AAAA", " ", &envelope[4..], &format!("{envelope}AAAA"), &format!(" {envelope}")] {
        assert!(matches!(check(text, &hash, |_| {}), Err(Flaw::Unreadable(_))), "{text:.8}");
    }
}

#[test]
fn an_unsigned_envelope_is_none() {
    let tx = transaction(&op(), &key(1));
    let (envelope, hash) = sign_transaction(&network_id(PASSPHRASE), tx.clone(), &[]).unwrap();
    let text = envelope.to_xdr_base64(Limits::none()).unwrap();
    let flaw = check(&text, &hex::encode(hash), |_| {});
    assert_eq!(flaw, Err(Flaw::Shape("it does not have exactly one signature")));
    let (envelope, hash) = sign_transaction(&network_id(PASSPHRASE), tx, &[&key(1)]).unwrap();
    let text = envelope.to_xdr_base64(Limits::none()).unwrap();
    assert_eq!(check(&text, &hex::encode(hash), |_| {}), Err(Flaw::Forged("channel")));
}
