//! Prolonging the lives of entries: an operation of the network's own, which no contract has to allow.

use stellar_xdr::{
    ExtendFootprintTtlOp, ExtensionPoint, LedgerFootprint, LedgerKey, OperationBody, SorobanResources,
    SorobanTransactionData, SorobanTransactionDataExt, TransactionExt, VecM,
};

use super::super::contract::refusal;
use super::super::rpc::ChainFault;
use super::super::wire::decode;
use super::{Built, Desk, Seat, draft, finish, inclusion_fee, now, resources, unsigned};
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
    if let Some(refused) = refusal(&run, desk.at_least) {
        return Ok(refused);
    }
    let soroban = resources(&run, desk.leeway)?;
    let fee = soroban.resource_fee.saturating_add(inclusion_fee(desk.rpc).await);
    if fee > desk.limits.max_fee {
        let why = format!("fee of {fee} stroops is above the limit of {}", desk.limits.max_fee);
        return Ok(Outcome::NotSent { why });
    }
    tx.fee = u32::try_from(fee).map_err(|_| ChainFault::Encoding(format!("fee {fee}")))?;
    tx.ext = TransactionExt::V1(soroban);
    finish(desk.network, seat, tx, now).map(Outcome::Done)
}
