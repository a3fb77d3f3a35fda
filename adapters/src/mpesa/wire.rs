//! Daraja's own words for a customer's payment to a paybill: fields as they are spelt there, in the shapes
//! they are seen in.

use serde::Deserialize;
use serde_json::{Number, Value};

/// A C2B validation or confirmation, both of which have the same fields. By the page all are strings; samples
/// have numbers, nulls and absent fields too, so every one is read as whatever it is.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Notice {
    pub(super) transaction_type: Option<Value>,
    #[serde(rename = "TransID")]
    pub(super) trans_id: Option<Value>,
    pub(super) trans_time: Option<Value>,
    pub(super) trans_amount: Option<Value>,
    pub(super) business_short_code: Option<Value>,
    pub(super) bill_ref_number: Option<Value>,
    #[serde(rename = "ThirdPartyTransID")]
    pub(super) third_party_trans_id: Option<Value>,
    #[serde(rename = "MSISDN")]
    pub(super) msisdn: Option<Value>,
}

/// What stands in a field.
pub(super) enum Field {
    Absent,
    Text(String),
    Odd,
}

impl Field {
    pub(super) fn of(value: Option<Value>) -> Self {
        match value {
            None | Some(Value::Null) => Field::Absent,
            Some(Value::String(text)) => Field::Text(text.trim().to_owned()),
            // `arbitrary_precision` keeps a number's own digits: 5.00 stays "5.00", nothing passes through a
            // float.
            Some(Value::Number(number)) => Field::Text(Number::to_string(&number)),
            Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => Field::Odd,
        }
    }

    /// The text, if there is one that is not empty.
    pub(super) fn filled(self) -> Option<String> {
        match self {
            Field::Text(text) if !text.is_empty() => Some(text),
            Field::Text(_) | Field::Absent | Field::Odd => None,
        }
    }
}
