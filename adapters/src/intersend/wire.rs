//! Intersend's own words: what is sent, and the one object that every answer, inquiry and callback carries.

use amana_ledger::money::{Asset, BadAmount, Money};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::port::{PayoutOrder, PayoutState, PayoutStatus, scrub};

/// Where a payout is ordered, after the configured URL.
pub(super) const SEND: &str = "/payouts/send";
/// Where one is asked about, before the reference.
pub(super) const PAYOUTS: &str = "/payouts/";
/// When a message was signed, in seconds since 1970.
pub(super) const TIMESTAMP: &str = "x-intersend-timestamp";
/// The signature over timestamp and body.
pub(super) const SIGNATURE: &str = "x-intersend-signature";

/// An order as it is written; the fields' order is the wire's.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    pub(super) phone_number: String,
    pub(super) amount: String,
    pub(super) currency: String,
    pub(super) reference: String,
}

impl Order {
    pub(super) fn of(order: &PayoutOrder) -> Self {
        Self {
            phone_number: order.phone.digits().to_owned(),
            amount: order.money.decimal(),
            currency: order.money.asset.code().to_owned(),
            reference: order.reference.clone(),
        }
    }
}

/// A payout's standing, as Intersend tells it.
#[derive(Serialize, Deserialize)]
pub(super) struct Standing {
    pub(super) reference: String,
    pub(super) transaction_reference: Option<String>,
    pub(super) status: String,
    pub(super) amount: Option<Value>,
    pub(super) currency: Option<String>,
    pub(super) fee: Option<Value>,
    pub(super) reason: Option<String>,
}

/// A refusal. Fields it lacks stay empty: the status already said no.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Refusal {
    pub(super) code: String,
    pub(super) reason: String,
}

pub(super) fn state(word: &str) -> Option<PayoutState> {
    match word {
        "pending" => Some(PayoutState::Pending),
        "processing" => Some(PayoutState::Processing),
        "completed" => Some(PayoutState::Completed),
        "failed" => Some(PayoutState::Failed),
        _ => None,
    }
}

pub(super) fn word(state: PayoutState) -> &'static str {
    match state {
        PayoutState::Pending => "pending",
        PayoutState::Processing => "processing",
        PayoutState::Completed => "completed",
        PayoutState::Failed => "failed",
    }
}

/// Reads a standing; what is wrong with it is said without its content.
pub(super) fn read_standing(raw: &[u8]) -> Result<PayoutStatus, String> {
    if !raw.trim_ascii_start().starts_with(b"{") {
        return Err("body is not a json object".to_owned());
    }
    let standing: Standing = serde_json::from_slice(raw)
        .map_err(|error| format!("body does not read at line {} column {}", error.line(), error.column()))?;
    let state = state(&standing.status).ok_or("status is a word we do not know")?;
    let (money, fee) = sums(&standing)?;
    let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
    Ok(PayoutStatus {
        reference: standing.reference,
        provider_id: filled(standing.transaction_reference),
        state,
        money,
        fee,
        reason: filled(standing.reason).map(|reason| scrub(&reason)),
    })
}

/// Amount and fee, both in the standing's currency. An amount without a currency cannot be read.
fn sums(standing: &Standing) -> Result<(Option<Money>, Option<Money>), String> {
    let Some(code) = &standing.currency else {
        let bare = standing.amount.is_some() || standing.fee.is_some();
        return if bare { Err("currency is missing".to_owned()) } else { Ok((None, None)) };
    };
    let asset = Asset::parse(code).map_err(|_| "currency is not one of ours")?;
    let read = |value: Option<&Value>| text(value).map(|text| Money::parse_decimal(asset, text.trim()));
    let money = read(standing.amount.as_ref()).transpose().map_err(|why| format!("amount: {why}"))?;
    let fee = match read(standing.fee.as_ref()) {
        // A sign is not even a number here, so this is zero: no fee.
        None | Some(Err(BadAmount::NotPositive)) => None,
        Some(fee) => Some(fee.map_err(|why| format!("fee: {why}"))?),
    };
    Ok((money, fee))
}

/// An amount's text, whether it came quoted or bare; `""` for what is neither, which then fails to read.
fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => Some(String::new()),
    }
}
