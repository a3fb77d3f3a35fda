//! The same transaction under a higher fee: an envelope around the one that is stuck.
//!
//! Invariant: what is inside stays the same bytes, so whichever of the two the network takes, it happens
//! once: they use up the same number.

use serde::{Deserialize, Serialize};
use stellar_xdr::{
    FeeBumpTransaction, FeeBumpTransactionEnvelope, FeeBumpTransactionExt, FeeBumpTransactionInnerTx, Hash,
    Transaction, TransactionEnvelope, TransactionExt, TransactionV1Envelope,
};

use super::super::build::{Limits, MAX_INCLUSION};
use super::super::rpc::{ChainFault, Rpc};
use super::super::sign::{Keypair, sign_hash};
use super::super::wire::{decode, encode, muxed};

/// A queue that holds a transaction takes another in its place from ten times its bid on.
const FACTOR: i64 = 10;
/// What is bumped has one operation, and the bump itself counts as one.
const OPERATIONS: i64 = 2;

/// A stored transaction in a new envelope: to be stored itself before it is sent the first time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raised {
    /// The signed envelope, XDR base64.
    pub envelope_xdr: String,
    /// Its hash, hex: another than that of what is in it. Either may be found in a ledger.
    pub hash: String,
    /// What it costs at most, stroops of XLM.
    pub fee: i64,
}

/// Puts `inner` into an envelope that offers more than `newest`, the last one sent: because fees have risen
/// above that, or because it was `refused` for offering too little. `None` if neither is so, or if it would
/// cost more than anybody should pay.
pub(in super::super) async fn raise(
    (rpc, network): (&Rpc, &Hash),
    (inner, newest): (&str, &str),
    payer: &Keypair,
    refused: bool,
    limits: Limits,
) -> Result<Option<Raised>, ChainFault> {
    let inner = match decode("TransactionEnvelope", inner)? {
        TransactionEnvelope::Tx(inner) => inner,
        _ => return Err(ChainFault::Encoding("only a plain transaction can be raised".into())),
    };
    let offered = bid(&decode("TransactionEnvelope", newest)?);
    let market = rpc.fee_stats().await?.soroban_inclusion_fee.p90;
    if !refused && market <= offered {
        return Ok(None);
    }
    let bid = market.max(offered.saturating_mul(FACTOR)).min(MAX_INCLUSION);
    let fee = resource_fee(&inner.tx).saturating_add(bid.saturating_mul(OPERATIONS));
    if bid <= offered || fee > limits.max_fee {
        return Ok(None);
    }
    wrap(network, inner, payer, fee).map(Some)
}

fn wrap(
    network: &Hash,
    inner: TransactionV1Envelope,
    payer: &Keypair,
    fee: i64,
) -> Result<Raised, ChainFault> {
    let tx = FeeBumpTransaction {
        fee_source: muxed(payer.public()),
        fee,
        inner_tx: FeeBumpTransactionInnerTx::Tx(inner),
        ext: FeeBumpTransactionExt::V0,
    };
    let hash = tx.hash(network.0).map_err(|e| ChainFault::Encoding(e.to_string()))?;
    let signatures = vec![sign_hash(payer, &hash)?];
    let signatures = signatures.try_into().map_err(|_| ChainFault::Encoding("signatures".into()))?;
    let envelope = TransactionEnvelope::TxFeeBump(FeeBumpTransactionEnvelope { tx, signatures });
    Ok(Raised { envelope_xdr: encode(&envelope)?, hash: hex::encode(hash), fee })
}

/// What an envelope offers for each operation beside its resources.
fn bid(envelope: &TransactionEnvelope) -> i64 {
    match envelope {
        TransactionEnvelope::Tx(plain) => i64::from(plain.tx.fee).saturating_sub(resource_fee(&plain.tx)),
        TransactionEnvelope::TxFeeBump(bump) => {
            let FeeBumpTransactionInnerTx::Tx(inner) = &bump.tx.inner_tx;
            bump.tx.fee.saturating_sub(resource_fee(&inner.tx)) / OPERATIONS
        }
        TransactionEnvelope::TxV0(_) => 0,
    }
}

fn resource_fee(tx: &Transaction) -> i64 {
    match &tx.ext {
        TransactionExt::V1(soroban) => soroban.resource_fee,
        TransactionExt::V0 => 0,
    }
}
