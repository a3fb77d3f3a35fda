//! What a caller says about a transfer: few and small words, to find it again.
//!
//! Invariant: sorted by name, each name once, so that one thing said has one fingerprint. Absent: meaning.
//! Nothing the ledger decides depends on it, and what names a person does not belong here.

use crate::id::BadName;

/// Names and values, sorted by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata(Vec<(String, String)>);

impl Metadata {
    /// The most pairs a transfer has.
    pub const MAX_PAIRS: usize = 16;
    /// The longest name, in bytes.
    pub const MAX_NAME: usize = 64;
    /// The longest value, in bytes.
    pub const MAX_VALUE: usize = 256;

    /// The pairs, sorted by name.
    #[must_use]
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// One more pair. A name is lower-case letters, digits, `_` and `.`; a value is any text without control
    /// characters, which no export could write.
    ///
    /// # Errors
    /// [`BadName`] for another shape, for a name that is there already, and for one pair too many.
    pub fn with(mut self, name: &str, value: &str) -> Result<Self, BadName> {
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.".contains(&byte);
        if !(1..=Self::MAX_NAME).contains(&name.len()) || !name.bytes().all(letter) {
            return Err(BadName("a name of metadata"));
        }
        if value.len() > Self::MAX_VALUE || value.chars().any(char::is_control) {
            return Err(BadName("a value of metadata"));
        }
        let at = self.0.binary_search_by(|(known, _)| known.as_str().cmp(name));
        match at {
            Err(at) if self.0.len() < Self::MAX_PAIRS => {
                self.0.insert(at, (name.to_owned(), value.to_owned()));
                Ok(self)
            }
            Err(_) => Err(BadName("so few pairs of metadata as a transfer may have")),
            Ok(_) => Err(BadName("a name of metadata that is not there yet")),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_sorted_small_and_few() {
        let said = Metadata::default().with("job", "7").unwrap().with("channel", "ussd").unwrap();
        assert_eq!(said.pairs()[0].0, "channel");
        let long = "x".repeat(Metadata::MAX_VALUE + 1);
        for (name, value) in [("", "x"), ("Job", "x"), ("job", "8"), ("a b", "x"), ("a", "x\n"), ("a", &long)]
        {
            assert!(said.clone().with(name, value).is_err(), "{name} {value}");
        }
        let full = (0..Metadata::MAX_PAIRS)
            .try_fold(Metadata::default(), |said, at| said.with(&format!("name_{at}"), ""));
        assert!(full.unwrap().with("one_more", "").is_err());
    }
}
