//! Proof without a network: a stored envelope shows that the operator signed exactly this checkpoint, for
//! exactly this contract and network.
//!
//! Invariant: every byte of the envelope counts. The transaction's hash covers all but its signature, which
//! is checked too; a text that decodes to the same bytes but is written differently is refused.
//! What it proves: the operator's key and the channel's key both signed, so neither forged it alone. What it
//! does not: that the network applied it. Whoever has a connection asks the contract (`at`), or looks up the
//! transaction's hash; operator and contract have to be known from elsewhere than the bundle.
//! A transaction whose fee was raised is found under the hash of the envelope around it; both are checked.
//! Absent: several operations, several signers; the adapter writes none.

use ed25519_dalek::{Signature, VerifyingKey};
use stellar_xdr::{
    DecoratedSignature, FeeBumpTransactionEnvelope, FeeBumpTransactionInnerTx, HostFunction,
    InvokeContractArgs, InvokeHostFunctionOp, MuxedAccount, OperationBody, ScVal, SorobanAddressCredentials,
    SorobanAuthorizationEntry, SorobanAuthorizedFunction, SorobanCredentials, TransactionEnvelope,
    TransactionV1Envelope,
};

use super::super::op::{count, invocation};
use super::super::rpc::ChainFault;
use super::super::sign::authorization_hash;
use super::super::wire::{
    account_key, address, bytes32, contract_id, decode, encode, field, network_id, read_bytes32, string,
};

/// What an envelope is said to show.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// The network's name, from a source that is trusted.
    pub passphrase: &'a str,
    /// The anchor contract, `C…`, from a source that is trusted.
    pub contract: &'a str,
    /// Whose word it is, `G…`, from a source that is trusted.
    pub operator: &'a str,
    /// The transaction, hex.
    pub tx_hash: &'a str,
    /// The ledger's name of the book.
    pub book: &'a str,
    /// How many batches its log has.
    pub size: i64,
    /// The Merkle root over them.
    pub root: &'a [u8; 32],
}

/// Why an envelope does not show what is claimed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The claim itself cannot be written as a call.
    #[error("the claim is malformed: {0}")]
    Claim(String),
    /// Not an envelope.
    #[error("the envelope cannot be read: {0}")]
    Unreadable(String),
    /// An envelope of another shape than the gateway writes.
    #[error("the envelope holds something else than one signed call: {0}")]
    Shape(&'static str),
    /// A call of something else.
    #[error("the envelope calls {0}")]
    OtherCall(&'static str),
    /// The operator's signature is missing.
    #[error("the operator did not authorise the call: {0}")]
    Unauthorised(&'static str),
    /// A signature that its key did not make over these bytes, for this network.
    #[error("the {0}'s signature is not over these bytes for this network")]
    Forged(&'static str),
    /// Another transaction.
    #[error("the envelope is the transaction {found}, not the one claimed")]
    OtherTransaction {
        /// Its hash, hex.
        found: String,
    },
}

/// Checks that the envelope (XDR, base64) is the operator's signed call for the claimed checkpoint.
///
/// # Errors
/// The first flaw found.
pub fn witness(envelope_xdr: &str, claim: &Claim<'_>) -> Result<(), Flaw> {
    let network = network_id(claim.passphrase);
    let expected = call(claim).map_err(|fault| Flaw::Claim(fault.to_string()))?;
    let operator = account_key(claim.operator).map_err(|fault| Flaw::Claim(fault.to_string()))?;
    let (envelope, bump) = read(envelope_xdr)?;
    let operation = only_call(&envelope)?;
    same_call(operation, &expected)?;
    let [entry] = operation.auth.as_slice() else {
        return Err(Flaw::Unauthorised("there is not exactly one authorisation"));
    };
    let credentials = credentials(entry, &expected)?;
    if Some(&credentials.address) != address(claim.operator).ok().as_ref() {
        return Err(Flaw::Unauthorised("another address did"));
    }
    let hash = authorization_hash(&network, entry).map_err(|fault| Flaw::Unreadable(fault.to_string()))?;
    let (key, signature) = account_signature(&credentials.signature)
        .ok_or(Flaw::Unauthorised("its signature is not of one key"))?;
    if key != operator || !is_signed(&operator, &hash, &signature) {
        return Err(Flaw::Forged("operator"));
    }
    let unreadable = |error: stellar_xdr::Error| Flaw::Unreadable(error.to_string());
    let hash = envelope.tx.hash(network.0).map_err(unreadable)?;
    only_signature((&envelope.tx.source_account, "channel"), &envelope.signatures, &hash)?;
    let hash = match &bump {
        None => hash,
        Some(bump) => {
            let hash = bump.tx.hash(network.0).map_err(unreadable)?;
            only_signature((&bump.tx.fee_source, "payer"), &bump.signatures, &hash)?;
            hash
        }
    };
    let found = hex::encode(hash);
    if found == claim.tx_hash { Ok(()) } else { Err(Flaw::OtherTransaction { found }) }
}

/// The account's own signature over this hash, and no other beside it.
fn only_signature(
    (account, who): (&MuxedAccount, &'static str),
    signatures: &[DecoratedSignature],
    hash: &[u8; 32],
) -> Result<(), Flaw> {
    let MuxedAccount::Ed25519(key) = account else {
        return Err(Flaw::Shape("its source is not a plain account"));
    };
    let [signature] = signatures else {
        return Err(Flaw::Shape("it does not have exactly one signature"));
    };
    let hint: Option<&[u8]> = key.0.get(28..);
    let signed = <[u8; 64]>::try_from(signature.signature.0.as_slice());
    let is_theirs = hint == Some(signature.hint.0.as_slice());
    if is_theirs && signed.is_ok_and(|signature| is_signed(&key.0, hash, &signature)) {
        return Ok(());
    }
    Err(Flaw::Forged(who))
}

fn call(claim: &Claim<'_>) -> Result<InvokeContractArgs, ChainFault> {
    contract_id(claim.contract)?;
    let args = vec![string(claim.book)?, count(claim.size)?, bytes32(claim.root)?];
    invocation(claim.contract, "anchor", args)
}

/// The transaction, and the envelope around it if its fee was raised. Base64 leaves bits over at its end, and
/// XDR texts may be followed by blanks: only our own writing counts.
fn read(envelope_xdr: &str) -> Result<(TransactionV1Envelope, Option<FeeBumpTransactionEnvelope>), Flaw> {
    let unreadable = |fault: ChainFault| Flaw::Unreadable(fault.to_string());
    let envelope: TransactionEnvelope = decode("TransactionEnvelope", envelope_xdr).map_err(unreadable)?;
    if encode(&envelope).map_err(unreadable)? != envelope_xdr {
        return Err(Flaw::Unreadable("it is not in canonical form".into()));
    }
    match envelope {
        TransactionEnvelope::Tx(envelope) => Ok((envelope, None)),
        TransactionEnvelope::TxFeeBump(bump) => {
            let FeeBumpTransactionInnerTx::Tx(inner) = bump.tx.inner_tx.clone();
            Ok((inner, Some(bump)))
        }
        _ => Err(Flaw::Shape("it is not a plain transaction")),
    }
}

fn only_call(envelope: &TransactionV1Envelope) -> Result<&InvokeHostFunctionOp, Flaw> {
    let [operation] = envelope.tx.operations.as_slice() else {
        return Err(Flaw::Shape("it does not have exactly one operation"));
    };
    match &operation.body {
        OperationBody::InvokeHostFunction(call) if operation.source_account.is_none() => Ok(call),
        _ => Err(Flaw::Shape("its operation is no plain call")),
    }
}

fn same_call(operation: &InvokeHostFunctionOp, expected: &InvokeContractArgs) -> Result<(), Flaw> {
    let HostFunction::InvokeContract(found) = &operation.host_function else {
        return Err(Flaw::OtherCall("no contract"));
    };
    let argument = |n: usize| found.args.get(n) == expected.args.get(n);
    let other = match () {
        () if found.contract_address != expected.contract_address => "another contract",
        () if found.function_name != expected.function_name => "another function",
        () if found.args.len() != expected.args.len() => "with other arguments",
        () if !argument(0) => "for another book",
        () if !argument(1) => "for another size",
        () if !argument(2) => "for another root",
        () => return Ok(()),
    };
    Err(Flaw::OtherCall(other))
}

/// The credentials under exactly this call, with nothing below it.
fn credentials<'a>(
    entry: &'a SorobanAuthorizationEntry,
    expected: &InvokeContractArgs,
) -> Result<&'a SorobanAddressCredentials, Flaw> {
    let root = &entry.root_invocation;
    match &root.function {
        SorobanAuthorizedFunction::ContractFn(call)
            if call == expected && root.sub_invocations.is_empty() => {}
        _ => return Err(Flaw::Unauthorised("something else was authorised")),
    }
    match &entry.credentials {
        SorobanCredentials::Address(found) | SorobanCredentials::AddressV2(found) => Ok(found),
        _ => Err(Flaw::Unauthorised("the authorisation is not signed with one key")),
    }
}

/// The one pair of key and signature in which a classic account presents its signature.
fn account_signature(value: &ScVal) -> Option<([u8; 32], [u8; 64])> {
    let ScVal::Vec(Some(pairs)) = value else { return None };
    let [pair] = pairs.as_slice() else { return None };
    let ScVal::Bytes(signature) = field(pair, "signature")? else { return None };
    Some((read_bytes32(field(pair, "public_key")?)?, signature.as_slice().try_into().ok()?))
}

fn is_signed(key: &[u8; 32], message: &[u8; 32], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(key)
        .is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
}
