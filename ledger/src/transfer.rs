//! What can be written down: postings, transfers, and the reasons for which a transfer is refused.
//!
//! Invariant: a posting is a pair of accounts and one positive amount, so nothing unbalanced can be said. A
//! [`Transfer`] is built only in `rules.rs`.
//! Absent: execution. Whether a transfer lands depends on balances, and those are the journal's.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::chart::{Account, BookId};
use crate::id::{ExternalRef, IdempotencyKey, TransferId, sha256};
use crate::money::{Amount, Asset, Money};

/// One amount, debited to one account and credited to another.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Posting {
    /// The debited account.
    pub debit: Account,
    /// The credited account.
    pub credit: Account,
    /// How much.
    pub money: Money,
}

impl Posting {
    /// The same amount the other way round.
    #[must_use]
    pub fn turned(&self) -> Self {
        Self { debit: self.credit.clone(), credit: self.debit.clone(), money: self.money }
    }
}

/// The business event a transfer writes down; one function of `rules.rs` each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // each word is documented at its rule
pub enum Event {
    CapitalIn,
    FloatMoveOut,
    FloatMoveIn,
    CollectionBooked,
    CollectionSuspended,
    SuspenseBooked,
    EmployerFunded,
    MintFinal,
    Released,
    Refunded,
    Cancelled,
    PayoutHold,
    PayoutPaid,
    PayoutFailed,
    PayoutExpired,
    BurnFinal,
    Reversal,
}

impl Event {
    /// Every event.
    pub const ALL: [Event; 17] = [
        Event::CapitalIn,
        Event::FloatMoveOut,
        Event::FloatMoveIn,
        Event::CollectionBooked,
        Event::CollectionSuspended,
        Event::SuspenseBooked,
        Event::EmployerFunded,
        Event::MintFinal,
        Event::Released,
        Event::Refunded,
        Event::Cancelled,
        Event::PayoutHold,
        Event::PayoutPaid,
        Event::PayoutFailed,
        Event::PayoutExpired,
        Event::BurnFinal,
        Event::Reversal,
    ];

    /// The word in the journal.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Event::CapitalIn => "capital_in",
            Event::FloatMoveOut => "float_move_out",
            Event::FloatMoveIn => "float_move_in",
            Event::CollectionBooked => "collection_booked",
            Event::CollectionSuspended => "collection_suspended",
            Event::SuspenseBooked => "suspense_booked",
            Event::EmployerFunded => "employer_funded",
            Event::MintFinal => "mint_final",
            Event::Released => "released",
            Event::Refunded => "refunded",
            Event::Cancelled => "cancelled",
            Event::PayoutHold => "payout_hold",
            Event::PayoutPaid => "payout_paid",
            Event::PayoutFailed => "payout_failed",
            Event::PayoutExpired => "payout_expired",
            Event::BurnFinal => "burn_final",
            Event::Reversal => "reversal",
        }
    }
}

/// What a transfer does to a hold. A transfer touches at most one, and a hold bears the id of the transfer
/// that opened it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HoldAct {
    /// Sets money aside; after `expires_at` it can only be expired.
    Open { posting: Posting, expires_at: Option<DateTime<Utc>> },
    /// Turns a part of the held money, or all of it, into posted money. After the `last` part what
    /// is left is freed.
    Settle { hold: TransferId, part: Money, last: bool },
    /// Frees what is left.
    Void { hold: TransferId },
    /// Frees what is left, because its time is over.
    Expire { hold: TransferId },
}

/// Postings that land together or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a transfer moves nothing until it is posted"]
pub struct Transfer {
    pub(crate) id: TransferId,
    pub(crate) book: BookId,
    pub(crate) key: IdempotencyKey,
    pub(crate) event: Event,
    pub(crate) postings: Vec<Posting>,
    pub(crate) hold: Option<HoldAct>,
    pub(crate) reverses: Option<TransferId>,
    pub(crate) effective_at: Option<DateTime<Utc>>,
    pub(crate) external: Option<ExternalRef>,
}

impl Transfer {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> TransferId {
        self.id
    }

    /// The book it is meant for.
    #[must_use]
    pub fn book(&self) -> &BookId {
        &self.book
    }

    /// Our name of the intention.
    #[must_use]
    pub fn key(&self) -> &IdempotencyKey {
        &self.key
    }

    /// The business event.
    #[must_use]
    pub fn event(&self) -> Event {
        self.event
    }

    /// What it posts outright, held and settled money not included.
    #[must_use]
    pub fn postings(&self) -> &[Posting] {
        &self.postings
    }

    /// SHA-256 over everything a caller asked for, except the id and the key: a retry may mint another id,
    /// and the same key with another fingerprint is another intention under a used name.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut words = Words::new("amana:transfer:v1");
        words.text(self.book.as_str()).text(self.event.word());
        words.number(self.postings.len() as i64);
        self.postings.iter().for_each(|posting| words.posting(posting));
        match &self.hold {
            None => words.text("none"),
            Some(HoldAct::Open { posting, expires_at }) => {
                words.text("open").posting(posting);
                words.time(*expires_at)
            }
            Some(HoldAct::Settle { hold, part, last }) => words
                .text("settle")
                .bytes(hold.0.as_bytes())
                .number(part.minor())
                .text(part.asset.code())
                .number(i64::from(*last)),
            Some(HoldAct::Void { hold }) => words.text("void").bytes(hold.0.as_bytes()),
            Some(HoldAct::Expire { hold }) => words.text("expire").bytes(hold.0.as_bytes()),
        };
        words.bytes(self.reverses.as_ref().map_or(&[], |of| of.0.as_bytes()));
        words.time(self.effective_at);
        if let Some(external) = &self.external {
            words.text(&external.provider).text(&external.account).text(&external.id);
        }
        sha256(&[&words.0])
    }
}

/// Canonical bytes: every word is preceded by its length, so two different lists never give the same bytes.
pub(crate) struct Words(pub(crate) Vec<u8>);

impl Words {
    pub(crate) fn new(domain: &str) -> Self {
        let mut words = Self(Vec::with_capacity(256));
        words.text(domain);
        words
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

    fn posting(&mut self, posting: &Posting) {
        self.text(&posting.debit.path()).text(&posting.credit.path());
        self.text(posting.money.asset.code()).number(posting.money.minor());
    }
}

/// Why a transfer was refused. Business said no: safe to show, and nothing was written. The constraint of the
/// same name ([`Rejection::word`]) is what the database would answer to one who tried without this crate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The book was never opened.
    #[error("book {book} does not exist")]
    UnknownBook {
        /// The missing book.
        book: BookId,
    },
    /// The transfer is meant for another book than the batch it was put in.
    #[error("transfer {transfer} is meant for book {book}")]
    WrongBook {
        /// The transfer.
        transfer: TransferId,
        /// The book it is meant for.
        book: BookId,
    },
    /// An amount in another asset than the book's.
    #[error("transfer {transfer} is in {asset}, which is not the asset of book {book}")]
    WrongAsset {
        /// The transfer.
        transfer: TransferId,
        /// The book.
        book: BookId,
        /// The asset that does not belong there.
        asset: Asset,
    },
    /// It has neither a posting nor a hold.
    #[error("transfer {transfer} posts nothing")]
    NothingToPost {
        /// The transfer.
        transfer: TransferId,
    },
    /// Debit and credit are one account.
    #[error("transfer {transfer} debits and credits {account}")]
    SameAccount {
        /// The transfer.
        transfer: TransferId,
        /// The account on both sides.
        account: Account,
    },
    /// It would take an account below its floor, held money counted as gone.
    #[error("transfer {transfer} would take {account} to {available}, below its floor of {floor}")]
    Overdraft {
        /// The transfer.
        transfer: TransferId,
        /// The account.
        account: Account,
        /// What would be left, minor units.
        available: i64,
        /// The least that may be left, minor units.
        floor: i64,
    },
    /// A total of the account would pass `i64::MAX`.
    #[error("transfer {transfer} would make {account} larger than the ledger can count")]
    TooLarge {
        /// The transfer.
        transfer: TransferId,
        /// The account.
        account: Account,
    },
    /// The idempotency key was used for another request.
    #[error("key {key} was used by transfer {first} for another request")]
    KeyReused {
        /// The key.
        key: IdempotencyKey,
        /// The transfer that has it.
        first: TransferId,
    },
    /// The id was used under another key.
    #[error("transfer {transfer} is already in the journal under another key")]
    IdReused {
        /// The id.
        transfer: TransferId,
    },
    /// The external fact was counted before, under another key.
    #[error("{external} was already counted by transfer {first}")]
    AlreadyCounted {
        /// The fact.
        external: ExternalRef,
        /// The transfer that counted it.
        first: TransferId,
    },
    /// There is no such hold in this book.
    #[error("hold {hold} does not exist")]
    UnknownHold {
        /// The missing hold.
        hold: TransferId,
    },
    /// The hold was settled, voided or expired.
    #[error("hold {hold} is {state}")]
    HoldClosed {
        /// The hold.
        hold: TransferId,
        /// "settled", "voided" or "expired".
        state: &'static str,
    },
    /// More than the hold has left.
    #[error("hold {hold} has {left} left, not {asked}")]
    HoldExceeded {
        /// The hold.
        hold: TransferId,
        /// What it has left.
        left: Amount,
        /// What was asked for.
        asked: Amount,
    },
    /// The hold's time is over: it can only be expired.
    #[error("hold {hold} was due at {expires_at}")]
    HoldDue {
        /// The hold.
        hold: TransferId,
        /// When its time was over.
        expires_at: DateTime<Utc>,
    },
    /// The hold's time is not over, or it has none: it cannot be expired.
    #[error("hold {hold} is not due")]
    HoldNotDue {
        /// The hold.
        hold: TransferId,
    },
    /// There is no such transfer in this book.
    #[error("transfer {of} does not exist")]
    UnknownTransfer {
        /// The transfer that was to be reversed.
        of: TransferId,
    },
    /// The transfer was reversed before.
    #[error("transfer {of} was already reversed by {by}")]
    AlreadyReversed {
        /// The transfer.
        of: TransferId,
        /// Its reversal.
        by: TransferId,
    },
    /// The transfer is itself a reversal, or posted nothing outright.
    #[error("transfer {of} cannot be reversed")]
    NotReversible {
        /// The transfer.
        of: TransferId,
    },
}
