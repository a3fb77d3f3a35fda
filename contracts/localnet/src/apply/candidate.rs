//! A transaction as it was handed in: the inner one, its signatures, and the fee bump around it if there is
//! one.

use soroban_env_host::xdr::{
    AccountId, DecoratedSignature, FeeBumpTransactionInnerTx, Hash, InnerTransactionResult,
    InnerTransactionResultExt, InnerTransactionResultPair, InnerTransactionResultResult, Operation,
    OperationBody, SorobanTransactionData, Transaction, TransactionEnvelope, TransactionExt,
    TransactionResult, TransactionResultExt, TransactionResultResult,
};

use crate::encoding::{account_of, bytes_of};
use crate::ledger::BASE_FEE;

/// Who pays in place of the source, and how much at most.
pub(crate) struct Bump {
    pub(crate) payer: AccountId,
    pub(crate) fee: i64,
    pub(crate) signatures: Vec<DecoratedSignature>,
}

/// A decoded, not yet checked transaction.
pub(crate) struct Candidate {
    pub(crate) envelope: TransactionEnvelope,
    /// The hash getTransaction knows it by: that of the fee bump, if there is one.
    pub(crate) hash: [u8; 32],
    pub(crate) tx: Transaction,
    pub(crate) tx_hash: [u8; 32],
    pub(crate) signatures: Vec<DecoratedSignature>,
    /// Size of the inner envelope, for which the resource fee pays.
    pub(crate) tx_bytes: u32,
    pub(crate) bump: Option<Bump>,
}

impl Candidate {
    /// Takes an envelope apart.
    ///
    /// # Errors
    /// txNOT_SUPPORTED for the envelopes of before protocol 13.
    pub(crate) fn read(
        envelope: TransactionEnvelope,
        network_id: &[u8; 32],
    ) -> Result<Self, Box<TransactionResult>> {
        let unsupported = || Box::new(plain_result(0, TransactionResultResult::TxNotSupported));
        let hash = envelope.hash(*network_id).map_err(|_| unsupported())?;
        let (inner, bump) = match &envelope {
            TransactionEnvelope::TxV0(_) => return Err(unsupported()),
            TransactionEnvelope::Tx(v1) => (v1.clone(), None),
            TransactionEnvelope::TxFeeBump(outer) => {
                let FeeBumpTransactionInnerTx::Tx(inner) = &outer.tx.inner_tx;
                let bump = Bump {
                    payer: account_of(&outer.tx.fee_source),
                    fee: outer.tx.fee,
                    signatures: outer.signatures.to_vec(),
                };
                (inner.clone(), Some(bump))
            }
        };
        let tx_bytes = u32::try_from(bytes_of(&TransactionEnvelope::Tx(inner.clone())).len());
        Ok(Self {
            hash,
            tx_hash: inner.hash(*network_id).map_err(|_| unsupported())?,
            tx_bytes: tx_bytes.unwrap_or(u32::MAX),
            signatures: inner.signatures.to_vec(),
            tx: inner.tx,
            envelope,
            bump,
        })
    }

    /// The account whose sequence number it takes.
    pub(crate) fn source(&self) -> AccountId {
        account_of(&self.tx.source_account)
    }

    /// The account that pays the fee.
    pub(crate) fn payer(&self) -> AccountId {
        self.bump.as_ref().map_or_else(|| self.source(), |b| b.payer.clone())
    }

    /// The account an operation acts for.
    pub(crate) fn operation_source(&self, operation: &Operation) -> AccountId {
        operation.source_account.as_ref().map_or_else(|| self.source(), account_of)
    }

    /// What it declares to use of the contract machinery.
    pub(crate) fn soroban(&self) -> Option<&SorobanTransactionData> {
        match &self.tx.ext {
            TransactionExt::V1(data) => Some(data),
            TransactionExt::V0 => None,
        }
    }

    /// Whether it holds an operation that only the contract machinery can run.
    pub(crate) fn is_soroban(&self) -> bool {
        self.tx.operations.iter().any(|op| {
            matches!(
                op.body,
                OperationBody::InvokeHostFunction(_)
                    | OperationBody::ExtendFootprintTtl(_)
                    | OperationBody::RestoreFootprint(_)
            )
        })
    }

    /// The resource fee it offers, zero for a classic transaction.
    pub(crate) fn resource_fee(&self) -> i64 {
        self.soroban().map_or(0, |data| data.resource_fee)
    }

    /// The most it offers to pay, resource fee included.
    pub(crate) fn fee_bid(&self) -> i64 {
        self.bump.as_ref().map_or(i64::from(self.tx.fee), |b| b.fee)
    }

    /// The least inclusion fee: one base fee an operation, one more for a fee bump.
    pub(crate) fn least_inclusion_fee(&self) -> i64 {
        self.weight() * i64::from(BASE_FEE)
    }

    /// What it bids for being included, without the resource fee.
    pub(crate) fn inclusion_bid(&self) -> i64 {
        self.fee_bid().saturating_sub(self.resource_fee())
    }

    /// Operations it counts for: a fee bump is one more.
    pub(crate) fn weight(&self) -> i64 {
        (self.tx.operations.len() as i64 + i64::from(self.bump.is_some())).max(1)
    }

    /// What is taken at first: the ledger's fee an operation, whatever more was bid.
    pub(crate) fn fee_taken(&self, base_fee: i64) -> i64 {
        self.resource_fee().saturating_add(self.weight().saturating_mul(base_fee)).min(self.fee_bid())
    }

    /// A result of the whole: for a fee bump, the inner result in its wrapping.
    pub(crate) fn result(&self, fee_charged: i64, inner: InnerTransactionResultResult) -> TransactionResult {
        let success = matches!(inner, InnerTransactionResultResult::TxSuccess(_));
        if self.bump.is_none() {
            return plain_result(fee_charged, outer_of(inner));
        }
        let pair = InnerTransactionResultPair {
            transaction_hash: Hash(self.tx_hash),
            result: InnerTransactionResult {
                fee_charged: 0,
                result: inner,
                ext: InnerTransactionResultExt::V0,
            },
        };
        let result = if success {
            TransactionResultResult::TxFeeBumpInnerSuccess(pair)
        } else {
            TransactionResultResult::TxFeeBumpInnerFailed(pair)
        };
        plain_result(fee_charged, result)
    }
}

/// A result without wrapping.
pub(crate) fn plain_result(fee_charged: i64, result: TransactionResultResult) -> TransactionResult {
    TransactionResult { fee_charged, result, ext: TransactionResultExt::V0 }
}

/// The same word in the outer vocabulary; both enums share their numbers, the outer one has two more.
fn outer_of(inner: InnerTransactionResultResult) -> TransactionResultResult {
    use InnerTransactionResultResult as In;
    use TransactionResultResult as Out;
    match inner {
        In::TxSuccess(results) => Out::TxSuccess(results),
        In::TxFailed(results) => Out::TxFailed(results),
        In::TxTooEarly => Out::TxTooEarly,
        In::TxTooLate => Out::TxTooLate,
        In::TxMissingOperation => Out::TxMissingOperation,
        In::TxBadSeq => Out::TxBadSeq,
        In::TxBadAuth => Out::TxBadAuth,
        In::TxInsufficientBalance => Out::TxInsufficientBalance,
        In::TxNoAccount => Out::TxNoAccount,
        In::TxInsufficientFee => Out::TxInsufficientFee,
        In::TxBadAuthExtra => Out::TxBadAuthExtra,
        In::TxInternalError => Out::TxInternalError,
        In::TxNotSupported => Out::TxNotSupported,
        In::TxBadSponsorship => Out::TxBadSponsorship,
        In::TxBadMinSeqAgeOrGap => Out::TxBadMinSeqAgeOrGap,
        In::TxMalformed => Out::TxMalformed,
        In::TxSorobanInvalid => Out::TxSorobanInvalid,
        In::TxFrozenKeyAccessed => Out::TxFrozenKeyAccessed,
    }
}
