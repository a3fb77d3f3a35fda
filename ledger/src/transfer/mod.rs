//! What can be written down: postings, transfers, and the reasons for which a transfer is refused.
//!
//! Invariant: a posting is a pair of accounts and one positive amount, so nothing unbalanced can be said. A
//! [`Transfer`] is built only in `rules.rs`.
//! Absent: execution. Whether a transfer lands depends on balances, and those are the journal's.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::chart::{Account, BookId};
use crate::id::{ExternalRef, IdempotencyKey, TransferId, sha256};
use crate::money::Money;

mod metadata;
mod rejection;
mod words;

pub use metadata::Metadata;
pub use rejection::Rejection;
pub(crate) use words::Words;

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
    Resolved,
    RefundHold,
    RefundPaid,
    CollectionReversed,
}

impl Event {
    /// Every event.
    pub const ALL: [Event; 21] = [
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
        Event::Resolved,
        Event::RefundHold,
        Event::RefundPaid,
        Event::CollectionReversed,
    ];

    /// The number in rows: its place in [`Self::ALL`], from 1.
    #[must_use]
    pub const fn code(self) -> i16 {
        self as i16 + 1
    }

    /// The event of a number.
    #[must_use]
    pub fn of_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.code() == code)
    }

    /// The word in exports and seals.
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
            Event::Resolved => "resolved",
            Event::RefundHold => "refund_hold",
            Event::RefundPaid => "refund_paid",
            Event::CollectionReversed => "collection_reversed",
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
    /// `None` when the id itself is the key.
    pub(crate) key: Option<IdempotencyKey>,
    pub(crate) event: Event,
    pub(crate) postings: Vec<Posting>,
    pub(crate) hold: Option<HoldAct>,
    pub(crate) reverses: Option<TransferId>,
    pub(crate) effective_at: Option<DateTime<Utc>>,
    pub(crate) external: Option<ExternalRef>,
    pub(crate) metadata: Metadata,
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

    /// Our name of the intention: a key that was given to it, or its id.
    #[must_use]
    pub fn key(&self) -> IdempotencyKey {
        self.key.clone().unwrap_or_else(|| IdempotencyKey::of(self.id))
    }

    /// Whether it has a key of its own, beside its id.
    #[must_use]
    pub fn keyed(&self) -> bool {
        self.key.is_some()
    }

    /// Whether it refers to nothing that landed before it: no key, fact, hold or transfer.
    pub(crate) fn is_plain(&self) -> bool {
        let opens = matches!(self.hold, None | Some(HoldAct::Open { .. }));
        self.key.is_none() && self.external.is_none() && self.reverses.is_none() && opens
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

    /// What it sets aside, if it opens a hold.
    #[must_use]
    pub fn holds(&self) -> Option<&Posting> {
        if let Some(HoldAct::Open { posting, .. }) = &self.hold { Some(posting) } else { None }
    }

    /// What the caller says about it.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The first half of SHA-256 over everything a caller asked for, except the id and the key: a retry may
    /// mint another id, and the same key with another fingerprint is another intention under a used name.
    /// Whoever looks for two requests with one fingerprint needs 2^64 tries, and gains a refusal to himself.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 16] {
        self.fingerprint_in(&mut Words::default())
    }

    /// As [`Self::fingerprint`], in a buffer that is used again.
    pub(crate) fn fingerprint_in(&self, words: &mut Words) -> [u8; 16] {
        words.begin("amana:asked:v2");
        words.text(self.book.as_str()).text(self.event.word());
        words.number(self.postings.len() as i64);
        for posting in &self.postings {
            words.posting(posting);
        }
        match &self.hold {
            None => words.text("none"),
            Some(HoldAct::Open { posting, expires_at }) => {
                words.text("open").posting(posting).time(*expires_at)
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
        match &self.external {
            None => words.text("none"),
            Some(fact) => words.text("fact").text(&fact.provider).text(&fact.account).text(&fact.id),
        };
        words.number(self.metadata.pairs().len() as i64);
        for (name, value) in self.metadata.pairs() {
            words.text(name).text(value);
        }
        let mut half = [0; 16];
        half.copy_from_slice(&sha256(&[&words.0])[..16]);
        half
    }
}
