//! Byte for byte what the official Python SDK writes: calls, addresses, ids, signatures, hashes.

use stellar_xdr::{
    HostFunction, InvokeHostFunctionOp, Memo, Operation, OperationBody, Preconditions, SequenceNumber,
    SorobanAuthorizationEntry, TimeBounds, TimePoint, Transaction, TransactionExt,
};

use super::super::sign::{AuthTerms, sign_authorization, sign_transaction};
use super::super::wire::{asset, contract_of, decode, deployed_preimage, encode, muxed, network_id};
use super::super::{ChainOp, Keypair, to_minor, to_token};
use super::{key, network, ops, text, vectors};

#[test]
fn every_call_is_written_as_the_sdk_writes_it() {
    let (vectors, network) = (vectors(), network());
    for (name, op) in ops() {
        let call = op.call(&network, &key(2).address()).unwrap();
        assert_eq!(encode(&call).unwrap(), text(&vectors, &format!("/calls/{name}")), "{name}");
    }
}

#[test]
fn what_is_stored_of_an_instruction_reads_back() {
    for (name, op) in ops() {
        let stored = serde_json::to_string(&op).unwrap();
        assert_eq!(serde_json::from_str::<ChainOp>(&stored).unwrap(), op, "{name}");
    }
    let (_, cancel) = ops().swap_remove(6);
    let wanted =
        r#"{"op":"cancel","key":"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"}"#;
    assert_eq!(serde_json::to_string(&cancel).unwrap(), wanted);
}

#[test]
fn keys_have_the_sdks_addresses_and_never_show() {
    let vectors = vectors();
    for (byte, name) in [(1, "operator"), (2, "delegate"), (3, "channel"), (4, "payee_account")] {
        assert_eq!(key(byte).address(), text(&vectors, &format!("/{name}")));
    }
    let secret = key(1).reveal();
    assert_eq!(Keypair::parse(&secret).unwrap(), key(1));
    let shown = format!("{:?}", key(1));
    assert!(!shown.contains(&secret) && shown.contains(&key(1).address()), "{shown}");
    let error = Keypair::parse(&secret[..55]).unwrap_err();
    assert!(!error.to_string().contains(&secret[..10]));
    assert!(Keypair::parse(&key(1).address()).is_err(), "a public key is no secret");
}

#[test]
fn contracts_get_the_sdks_ids() {
    let vectors = vectors();
    let id = network_id(&network().passphrase);
    for code in ["KES", "KESTOKEN"] {
        let preimage = stellar_xdr::ContractIdPreimage::Asset(asset(code, key(1).public()).unwrap());
        let found = contract_of(&id, &preimage).unwrap().to_string();
        assert_eq!(found, text(&vectors, &format!("/asset_contract_{code}")));
    }
    let found = contract_of(&id, &deployed_preimage(key(2).public(), [6; 32])).unwrap().to_string();
    assert_eq!(found, text(&vectors, "/deployed_contract"));
    for bad in ["", "THIRTEENCHARS", "K-S", "K€S"] {
        assert!(asset(bad, [0; 32]).is_err(), "{bad}");
    }
}

#[test]
fn an_authorisation_and_an_envelope_are_signed_as_the_sdk_signs_them() {
    let (vectors, network) = (vectors(), network());
    let id = network_id(&network.passphrase);
    let unsigned: SorobanAuthorizationEntry = decode("entry", text(&vectors, "/authorisation")).unwrap();
    let terms = AuthTerms { nonce: 1_234_567_890_123_456_789, expires: 4_242 };
    let signed = sign_authorization(&id, &unsigned, terms, &key(1)).unwrap();
    assert_eq!(encode(&signed).unwrap(), text(&vectors, "/authorisation_signed"));

    let (_, fund) = ops().swap_remove(1);
    let call = fund.call(&network, &key(2).address()).unwrap();
    let host_function = HostFunction::InvokeContract(call);
    let auth = vec![signed].try_into().unwrap();
    let body = OperationBody::InvokeHostFunction(InvokeHostFunctionOp { host_function, auth });
    let max_time = TimePoint(1_800_000_090);
    let tx = Transaction {
        source_account: muxed(key(3).public()),
        fee: 100,
        seq_num: SequenceNumber(42),
        cond: Preconditions::Time(TimeBounds { min_time: TimePoint(0), max_time }),
        memo: Memo::None,
        operations: vec![Operation { source_account: None, body }].try_into().unwrap(),
        ext: TransactionExt::V0,
    };
    let (envelope, hash) = sign_transaction(&id, tx, &[&key(3)]).unwrap();
    assert_eq!(hex::encode(hash), text(&vectors, "/hash"));
    assert_eq!(encode(&envelope).unwrap(), text(&vectors, "/envelope"));
}

#[test]
fn minor_units_become_token_units_exactly_and_back() {
    assert_eq!(to_token(1, 2).unwrap(), 100_000);
    assert_eq!(to_token(i64::MAX, 0).unwrap(), i128::from(i64::MAX) * 10_000_000);
    assert_eq!(to_token(5, 7).unwrap(), 5);
    assert!(to_token(1, 8).is_err());
    for minor in [0, 1, 99, 5_000_000, i64::MAX, -7] {
        assert_eq!(to_minor(to_token(minor, 2).unwrap(), 2).unwrap(), minor);
    }
    assert!(to_minor(99_999, 2).is_err(), "a part of a cent is never rounded");
    assert!(to_minor(i128::MAX / 100_000 * 100_000, 2).is_err(), "beyond 64 bits");
}
