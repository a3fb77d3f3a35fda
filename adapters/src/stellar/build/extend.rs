//! Prolonging the lives of entries: an operation of the network's own, which no contract has to allow.

use stellar_xdr::{
    ExtendFootprintTtlOp, ExtensionPoint, LedgerFootprint, LedgerKey, OperationBody, SorobanResources,
    SorobanTransactionData, SorobanTransactionDataExt, TransactionExt, VecM,
};

use super::super::rpc::ChainFault;
use super::super::wire::decode;
use super::{Built, Desk, Seat, draft, now, priced, unsigned};
use crate::port::Outcome;

/// Builds the transaction that prolongs entries' lives, or says why not.
pub(in super::super) async fn extend(
    desk: &Desk<'_>,
    seat: Seat<'_>,
    (keys, to): (&[String], u32),
) -> Outcome<Built> {
    match try_extend(desk, seat, (keys, to)).await {
        Ok(outcome) => outcome,
        Err(ChainFault::Encoding(reason)) => Outcome::Refused { code: "unencodable".into(), reason },
        Err(fault) => Outcome::NotSent { why: fault.to_string() },
    }
}

async fn try_extend(
    desk: &Desk<'_>,
    seat: Seat<'_>,
    (keys, to): (&[String], u32),
) -> Result<Outcome<Built>, ChainFault> {
    let now = now(desk.rpc).await?;
    let keys: Result<Vec<LedgerKey>, _> = keys.iter().map(|key| decode("LedgerKey", key)).collect();
    let read_only = keys?.try_into().map_err(|_| ChainFault::Encoding("too many keys".into()))?;
    let body = ExtendFootprintTtlOp { ext: ExtensionPoint::V0, extend_to: to };
    let max_time = now.close_time + desk.limits.lifetime_s;
    let mut tx = draft(seat, max_time, vec![OperationBody::ExtendFootprintTtl(body)])?;
    tx.ext = TransactionExt::V1(SorobanTransactionData {
        ext: SorobanTransactionDataExt::V0,
        resources: SorobanResources {
            footprint: LedgerFootprint { read_only, read_write: VecM::default() },
            instructions: 0,
            disk_read_bytes: 0,
            write_bytes: 0,
        },
        resource_fee: 0,
    });
    let run = desk.rpc.simulate(&unsigned(tx.clone())?).await?;
    priced(desk, seat, (tx, now), &run).await
}
