//! A list of payments, pulled: rows like confirmations, in other words.
//!
//! Invariant: a row that does not read stops no other row. A row's time is told in two ways and is not relied
//! on: what counts is the receipt. Absent: the paybill, the state and reversals, which the rows do not have.

use serde_json::Value;

use super::{pairs, wire};
use crate::mpesa::wire::Field;
use crate::mpesa::{BadConfirmation, C2b, Payer, bad, clean, encoding, of_nairobi, receipt};
use chrono::NaiveDateTime;

/// A list, read.
#[derive(Debug, Default)]
pub struct Pulled {
    /// Each row: a payment, or what is wrong with it.
    pub rows: Vec<Result<C2b, BadConfirmation>>,
}

/// Reads a list.
///
/// # Errors
/// [`BadConfirmation`] when it is none: no JSON, or a code that is neither "here" nor "nothing here".
pub fn read_pulled(raw: &[u8]) -> Result<Pulled, BadConfirmation> {
    let text = encoding::text(raw);
    if !text.trim_start().starts_with('{') {
        return Err(bad("body", "is not a json object".to_owned()));
    }
    let pulled: wire::Pulled = serde_json::from_str(&text)
        .map_err(|error| bad("body", format!("does not read at line {}", error.line())))?;
    let code = pairs::code(pulled.code.as_ref());
    if !matches!(code.as_deref(), Some("1000" | "1001")) {
        return Err(bad("ResponseCode", "is neither 1000 nor 1001".to_owned()));
    }
    let mut rows = Vec::new();
    flat(&pulled.rows, &mut rows);
    Ok(Pulled { rows })
}

/// Rows stand in a list within a list; how deep is nobody's promise.
fn flat(value: &Value, rows: &mut Vec<Result<C2b, BadConfirmation>>) {
    match value {
        Value::Array(list) => list.iter().for_each(|value| flat(value, rows)),
        Value::Object(_) => rows.push(row(value)),
        _ => {}
    }
}

fn row(value: &Value) -> Result<C2b, BadConfirmation> {
    let field = |name: &str| Field::of(value.get(name).cloned()).filled();
    let need = |name: &'static str| field(name).ok_or_else(|| bad(name, "is missing".to_owned()));
    Ok(C2b {
        receipt: receipt(need("transactionId")?)?,
        money: pairs::money(&need("amount")?).map_err(|why| bad("amount", why.to_string()))?,
        shortcode: None,
        typed_ref: clean(&field("billreference").unwrap_or_default()),
        payer: Payer::read(&field("msisdn").unwrap_or_default()),
        at: field("trxDate").and_then(|text| {
            let plain = text.trim_end_matches('Z').replace('T', " ");
            of_nairobi(NaiveDateTime::parse_from_str(&plain, "%Y-%m-%d %H:%M:%S").ok()?)
        }),
        kind: field("transactiontype"),
        validation_id: None,
    })
}
