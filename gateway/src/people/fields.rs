//! What people may write about themselves: names, emails, Stellar accounts.
//!
//! Invariant: a value of these types was checked; the messages never repeat it.

use crate::error::Refusal;

/// An email address, as typed but trimmed.
#[derive(Clone, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// Reads an address. Only its shape is checked: whether it exists, only a letter to it can tell.
    ///
    /// # Errors
    /// A refusal naming `email`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let text = text.trim();
        let shaped = text.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && !domain.contains('@')
                && domain.contains('.')
                && domain.split('.').all(|label| !label.is_empty())
        });
        let clean = text.len() <= 254 && !text.chars().any(|c| c.is_whitespace() || c.is_control());
        if shaped && clean {
            Ok(Self(text.to_owned()))
        } else {
            Err(Refusal::field("email", "is not an email address"))
        }
    }

    /// As typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As compared: without case.
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }
}

/// A given or family name.
#[derive(Clone, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// Reads the name in `field`: 1 to 100 characters, none of them a control character.
    ///
    /// # Errors
    /// A refusal naming `field`.
    pub fn parse(field: &str, text: &str) -> Result<Self, Refusal> {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        match text.chars().count() {
            0 => Err(Refusal::field(field, "is empty")),
            1..=100 if !text.chars().any(char::is_control) => Ok(Self(text)),
            _ => Err(Refusal::field(field, "must be 1 to 100 printable characters")),
        }
    }
}

impl From<Name> for String {
    fn from(name: Name) -> String {
        name.0
    }
}

/// Checks a Stellar account id (`G…`): its version byte and its checksum.
///
/// # Errors
/// A refusal naming `stellar_account_id`.
pub fn stellar_account_id(text: &str) -> Result<String, Refusal> {
    match stellar_strkey::ed25519::PublicKey::from_string(text.trim()) {
        Ok(_) => Ok(text.trim().to_owned()),
        Err(_) => Err(Refusal::field("stellar_account_id", "is not a Stellar account id")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emails() {
        assert!(
            Email::parse(" Employer@Example.test ")
                .is_ok_and(|email| email.folded() == "employer@example.test")
        );
        for odd in
            ["", "employer", "@example.test", "a@b", "a@.test", "a b@example.test", "a@b@c.test", "a@b..test"]
        {
            assert!(Email::parse(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn names_are_squeezed() {
        let name: String = Name::parse("first_name", "  Mary\n Ann ").unwrap().into();
        assert_eq!(name, "Mary Ann");
        assert_eq!(Name::parse("last_name", " ").err().unwrap().field.as_deref(), Some("last_name"));
        assert!(Name::parse("first_name", &"x".repeat(101)).is_err());
        assert!(Name::parse("first_name", "a\u{0}b").is_err());
    }

    #[test]
    fn a_stellar_account_is_checked_to_its_last_character() {
        let account = stellar_strkey::ed25519::PublicKey([7; 32]).to_string();
        assert!(stellar_account_id(&account).is_ok());
        let mut typo = account.to_string();
        typo.replace_range(10..11, if &typo[10..11] == "A" { "B" } else { "A" });
        assert!(stellar_account_id(&typo).is_err());
    }
}
