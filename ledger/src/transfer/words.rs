//! Canonical bytes: what is hashed is written down here, word by word.

use chrono::{DateTime, Utc};

use super::Posting;
use crate::chart::Account;

/// Canonical bytes: every word is preceded by its length, so two different lists never give the same bytes.
#[derive(Debug, Default)]
pub(crate) struct Words(pub(crate) Vec<u8>);

impl Words {
    pub(crate) fn new(domain: &str) -> Self {
        let mut words = Self(Vec::with_capacity(512));
        words.text(domain);
        words
    }

    /// Forgets what was written, but not the room it took.
    pub(crate) fn begin(&mut self, domain: &str) {
        self.0.clear();
        self.text(domain);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    pub(crate) fn number(&mut self, number: i64) -> &mut Self {
        self.bytes(&number.to_be_bytes())
    }

    pub(crate) fn time(&mut self, time: Option<DateTime<Utc>>) -> &mut Self {
        match time {
            Some(time) => self.number(time.timestamp_micros()),
            None => self.bytes(&[]),
        }
    }

    /// The path of an account, written in place.
    pub(crate) fn account(&mut self, account: &Account) -> &mut Self {
        let at = self.0.len();
        self.0.extend_from_slice(&[0; 8]);
        account.write_path(&mut self.0);
        let length = (self.0.len() - at - 8) as u64;
        self.0[at..at + 8].copy_from_slice(&length.to_be_bytes());
        self
    }

    pub(super) fn posting(&mut self, posting: &Posting) -> &mut Self {
        self.account(&posting.debit).account(&posting.credit);
        self.text(posting.money.asset.code()).number(posting.money.minor())
    }
}
