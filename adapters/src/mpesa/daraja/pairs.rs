//! Lists of named values, as results and callbacks carry them: read as lists, since a name may stand twice.
//!
//! Invariant: a value is taken by its own digits, quoted or bare; a name counts without its blanks
//! (`Conversation ID` is `ConversationID`). Absent: what the values mean.

use amana_ledger::money::{Asset, BadAmount, Money};
use serde_json::Value;

use crate::mpesa::wire::Field;

/// Named values in their order; a value may be missing.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Pairs(Vec<(String, Option<String>)>);

impl Pairs {
    /// Reads `[{"Key": …, "Value": …}]`, or one such object alone, whatever the two are called.
    pub(super) fn read(list: Option<&Value>, (name, value): (&str, &str)) -> Self {
        let rows = match list {
            Some(Value::Array(rows)) => rows.as_slice(),
            Some(row @ Value::Object(_)) => std::slice::from_ref(row),
            _ => &[],
        };
        let pair = |row: &Value| {
            let named = Field::of(row.get(name).cloned()).filled()?;
            let bare: String = named.chars().filter(|c| !c.is_whitespace()).collect();
            Some((bare, Field::of(row.get(value).cloned()).filled()))
        };
        Self(rows.iter().filter_map(pair).collect())
    }

    /// The first value of that name.
    pub(super) fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().filter(|(own, _)| own == name).find_map(|(_, value)| value.as_deref())
    }

    /// Every value of that name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(own, _)| own == name).filter_map(|(_, value)| value.as_deref())
    }
}

/// An amount as the rail writes it. Trailing zeros beyond the minor unit are none (`1500.000`), anything else
/// beyond it is refused.
pub(in crate::mpesa) fn money(text: &str) -> Result<Money, BadAmount> {
    let plain = match text.split_once('.') {
        Some((whole, fraction)) if fraction.len() > 2 && !fraction.is_empty() => {
            let (kept, rest) = (fraction.get(..2), fraction.get(2..));
            match (kept, rest) {
                (Some(kept), Some(rest)) if rest.bytes().all(|b| b == b'0') => format!("{whole}.{kept}"),
                _ => text.to_owned(),
            }
        }
        _ => text.to_owned(),
    };
    Money::parse_decimal(Asset::Kes, &plain)
}

/// A code, which is a text in one place and a number in another.
pub(super) fn code(value: Option<&Value>) -> Option<String> {
    Field::of(value.cloned()).filled()
}
