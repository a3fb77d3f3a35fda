//! Envelopes that the adapter would never write: forged signatures, an issuer's payment, a holder's
//! trustline.

use amana_adapters::stellar::{Built, Keypair};
use amana_localnet::STANDALONE_PASSPHRASE;
use sha2::{Digest, Sha256};
use stellar_xdr::{
    AccountId, AlphaNum4, Asset, AssetCode4, ChangeTrustAsset, ChangeTrustOp, DecoratedSignature, Hash,
    HashIdPreimage, HashIdPreimageSorobanAuthorization, Limits, Memo, MuxedAccount, Operation, OperationBody,
    PaymentOp, Preconditions, ReadXdr, ScVal, SequenceNumber, SetOptionsOp, Signature, SignatureHint,
    SorobanCredentials, Transaction, TransactionEnvelope, TransactionExt, TransactionV1Envelope, Uint256,
    VecM, WriteXdr,
};

/// An envelope, and the hash it will be known by.
pub struct Forged {
    /// Signed, XDR base64.
    pub envelope_xdr: String,
    /// Hex.
    pub hash: String,
}

fn transaction(built: &Built) -> Transaction {
    match TransactionEnvelope::from_xdr_base64(&built.envelope_xdr, Limits::none()).unwrap() {
        TransactionEnvelope::Tx(envelope) => envelope.tx,
        other => panic!("{other:?}"),
    }
}

fn sign(tx: Transaction, key: &Keypair) -> Forged {
    let hash = tx.hash(Sha256::digest(STANDALONE_PASSPHRASE).into()).unwrap();
    let [.., a, b, c, d] = key.public();
    let signature = Signature(key.sign(&hash).try_into().unwrap());
    let signatures =
        vec![DecoratedSignature { hint: SignatureHint([a, b, c, d]), signature }].try_into().unwrap();
    let envelope = TransactionEnvelope::Tx(TransactionV1Envelope { tx, signatures });
    Forged { envelope_xdr: envelope.to_xdr_base64(Limits::none()).unwrap(), hash: hex::encode(hash) }
}

fn with_call(
    mut tx: Transaction,
    change: impl FnOnce(&mut stellar_xdr::InvokeHostFunctionOp),
) -> Transaction {
    let mut operations = tx.operations.to_vec();
    match &mut operations[0].body {
        OperationBody::InvokeHostFunction(call) => change(call),
        other => panic!("{other:?}"),
    }
    tx.operations = operations.try_into().unwrap();
    tx
}

/// The same call, its authorisation signed by `signer` instead, the envelope by `channel`.
pub fn resigned(built: &Built, signer: &Keypair, channel: &Keypair) -> Forged {
    let tx = with_call(transaction(built), |call| {
        let mut auth = call.auth.to_vec();
        for entry in &mut auth {
            let invocation = entry.root_invocation.clone();
            let SorobanCredentials::Address(credentials) = &mut entry.credentials else {
                panic!("{entry:?}")
            };
            let preimage = HashIdPreimage::SorobanAuthorization(HashIdPreimageSorobanAuthorization {
                network_id: Hash(Sha256::digest(STANDALONE_PASSPHRASE).into()),
                nonce: credentials.nonce,
                signature_expiration_ledger: credentials.signature_expiration_ledger,
                invocation,
            });
            let digest = Sha256::digest(preimage.to_xdr(Limits::none()).unwrap());
            let public = ScVal::try_from(&signer.public()).unwrap();
            let signed = ScVal::try_from(signer.sign(&digest).to_vec()).unwrap();
            let pair = [("public_key", public), ("signature", signed)];
            let pair = pair.map(|(name, value)| (ScVal::Symbol(name.try_into().unwrap()), value));
            let map = stellar_xdr::ScMap::sorted_from_pairs(pair.into_iter()).unwrap();
            credentials.signature = ScVal::try_from(vec![ScVal::Map(Some(map))]).unwrap();
        }
        call.auth = auth.try_into().unwrap();
    });
    sign(tx, channel)
}

/// The same call without any authorisation.
pub fn unauthorised(built: &Built, channel: &Keypair) -> Forged {
    sign(with_call(transaction(built), |call| call.auth = VecM::default()), channel)
}

fn classic(key: &Keypair, sequence: i64, body: OperationBody) -> Forged {
    let tx = Transaction {
        source_account: MuxedAccount::Ed25519(Uint256(key.public())),
        fee: 100,
        seq_num: SequenceNumber(sequence),
        cond: Preconditions::None,
        memo: Memo::None,
        operations: vec![Operation { source_account: None, body }].try_into().unwrap(),
        ext: TransactionExt::V0,
    };
    sign(tx, key)
}

fn kes(issuer: AccountId) -> AlphaNum4 {
    AlphaNum4 { asset_code: AssetCode4(*b"KES\0"), issuer }
}

/// `holder` accepts KES of `issuer`.
pub fn trust(holder: &Keypair, sequence: i64, issuer: &str) -> Forged {
    let line = ChangeTrustAsset::CreditAlphanum4(kes(issuer.parse().unwrap()));
    classic(holder, sequence, OperationBody::ChangeTrust(ChangeTrustOp { line, limit: i64::MAX }))
}

/// `issuer` pays KES of its own, which would be a mint.
pub fn payment(issuer: &Keypair, sequence: i64, to: &str, amount: i64) -> Forged {
    let asset = Asset::CreditAlphanum4(kes(issuer.address().parse().unwrap()));
    let destination: MuxedAccount = to.parse().unwrap();
    classic(issuer, sequence, OperationBody::Payment(PaymentOp { destination, asset, amount }))
}

/// `account` takes powers over its asset.
pub fn set_flags(account: &Keypair, sequence: i64, flags: u32) -> Forged {
    let options = SetOptionsOp {
        inflation_dest: None,
        clear_flags: None,
        set_flags: Some(flags),
        master_weight: None,
        low_threshold: None,
        med_threshold: None,
        high_threshold: None,
        home_domain: None,
        signer: None,
    };
    classic(account, sequence, OperationBody::SetOptions(options))
}
