//! What we tell people by text message: one function a message, each within one GSM-7 message of 160
//! characters.
//!
//! Invariant: amounts and references only; no name, no number, no link, no secret.

use amana_ledger::id::EscrowRef;
use amana_ledger::money::{Asset, Money, decimal};

/// The escrow is funded on chain.
pub fn funded(reference: &EscrowRef, amount: &Money) -> String {
    format!("{reference}: {amount} is held safely until you confirm the work. Do not pay again.")
}

/// Less came than is due.
pub fn under(reference: &EscrowRef, paid: &Money, asset: Asset, due: i64) -> String {
    format!(
        "{reference}: {paid} received, {} {} still due. Pay the rest with the same account number.",
        asset.code(),
        decimal(asset, due)
    )
}

/// More came than was due.
pub fn over(reference: &EscrowRef, paid: &Money, rest: &Money) -> String {
    format!("{reference}: {paid} received, {rest} more than was due. The rest goes back to your phone.")
}

/// An employer's money was sent back.
pub fn refunded(reference: &EscrowRef, amount: &Money, receipt: Option<&str>) -> String {
    match receipt {
        Some(receipt) => format!("{amount} paid for {reference} was sent back to you. Receipt {receipt}."),
        None => format!("{amount} paid for {reference} was sent back to you."),
    }
}

/// Money came and we do not know whose it is.
pub fn suspended(paid: &Money, receipt: &str) -> String {
    format!("{paid} received (receipt {receipt}), but we do not know the account number. Call us.")
}

/// The employee is paid.
pub fn paid(reference: &EscrowRef, amount: &Money, receipt: Option<&str>) -> String {
    match receipt {
        Some(receipt) => format!("{amount} for {reference} was sent to your phone. Receipt {receipt}."),
        None => format!("{amount} for {reference} was sent to your phone."),
    }
}

/// How a deposit was split, for the trace.
pub fn split(paid: Money, into: Option<Money>, over: Option<Money>) -> String {
    let part = |amount: Option<Money>| decimal(paid.asset, amount.map_or(0, Money::minor));
    format!("{paid}: {} into the escrow, {} to the employer", part(into), part(over))
}

/// How a disputed escrow is to be parted, for the trace.
pub fn parted(asset: Asset, to_payee: i64, to_payer: i64) -> String {
    let part = |minor| decimal(asset, minor);
    format!("{} {} to the employee, {} to the employer", asset.code(), part(to_payee), part(to_payer))
}
