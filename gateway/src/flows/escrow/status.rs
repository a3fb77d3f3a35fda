//! Where an escrow stands, in the product's words; and what else its state tells whoever looks.

use amana_ledger::id::PartyId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{State, Terms};

/// The product's words for where an escrow stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words are the product's own")]
pub enum Status {
    PendingDeposit,
    PartiallyFunded,
    Funded,
    InProgress,
    Completed,
    Released,
    Disputed,
    Resolved,
    Refunded,
    Cancelled,
}

impl Status {
    /// The word as the API writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::PendingDeposit => "pending_deposit",
            Self::PartiallyFunded => "partially_funded",
            Self::Funded => "funded",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Released => "released",
            Self::Disputed => "disputed",
            Self::Resolved => "resolved",
            Self::Refunded => "refunded",
            Self::Cancelled => "cancelled",
        }
    }
}

impl State {
    /// The product's word.
    pub fn status(&self) -> Status {
        match self {
            Self::Open { minted: 0, .. } => Status::PendingDeposit,
            Self::Open { .. } => Status::PartiallyFunded,
            Self::Funded { employee: None, .. } => Status::Funded,
            Self::Funded { employee: Some(_), .. } => Status::InProgress,
            Self::Releasing { .. } => Status::Completed,
            Self::Released { .. } => Status::Released,
            Self::Disputed { .. } => Status::Disputed,
            Self::Resolved { .. } => Status::Resolved,
            Self::Refunded => Status::Refunded,
            Self::Cancelling | Self::Cancelled => Status::Cancelled,
        }
    }

    /// Who does the work, once named.
    pub fn employee(&self) -> Option<PartyId> {
        match self {
            Self::Open { employee, .. }
            | Self::Funded { employee, .. }
            | Self::Disputed { employee, .. }
            | Self::Resolved { employee, .. } => *employee,
            Self::Releasing { employee, .. } | Self::Released { employee, .. } => Some(*employee),
            Self::Refunded | Self::Cancelling | Self::Cancelled => None,
        }
    }

    /// When the chain confirmed the whole amount.
    pub fn funded_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Funded { at, .. }
            | Self::Releasing { at, .. }
            | Self::Released { at, .. }
            | Self::Disputed { at, .. }
            | Self::Resolved { at, .. } => Some(*at),
            Self::Open { .. } | Self::Refunded | Self::Cancelling | Self::Cancelled => None,
        }
    }

    /// Whether the whole amount lies on chain and is not released.
    pub fn is_funded(&self) -> bool {
        matches!(self, Self::Funded { .. } | Self::Releasing { .. } | Self::Disputed { .. })
    }

    /// How much more a deposit can put in, minor units.
    pub fn due(&self, terms: &Terms) -> i64 {
        match self {
            Self::Open { booked, .. } => terms.amount.minor() - booked,
            _ => 0,
        }
    }
}
