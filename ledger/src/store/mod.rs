//! The only SQL of the crate, and the map from the names of constraints to words of ours.
//!
//! Invariant: error prose is never parsed. What the database refuses is known by the name of the rule alone.

pub(crate) mod know;
pub(crate) mod limits;
pub(crate) mod look;
pub(crate) mod page;
pub(crate) mod past;
pub(crate) mod read;
pub(crate) mod seal;
pub(crate) mod sound;
pub(crate) mod walk;
pub(crate) mod write;
pub(crate) mod written;

use std::fmt;

/// What went wrong with the machinery, not with the business. The caller rolls back; shown to others as "try
/// again", logged once at the boundary.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The database, or the way to it, failed.
    #[error("the database failed")]
    Database(#[source] sqlx::Error),
    /// The database refused what the crate wrote: another wrote the same batch number, or there is a bug. The
    /// transaction is lost, so this answers for the whole batch; after a [`Constraint::Fence`] try again.
    #[error("the database refused: {0}")]
    Refused(Constraint),
    /// The owner of the book's door ended, or gave up, before it could answer: the transfer may or may not be
    /// in the journal, and asking again under the same id tells.
    #[error("the book's door gave no answer")]
    Unanswered,
    /// A row of the journal does not read as what the crate would have written.
    #[error("the journal cannot be read: {0}")]
    Unreadable(&'static str),
}

impl Fault {
    /// Whether the same call may succeed in a new transaction.
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self {
            Fault::Database(_) | Fault::Unanswered => true,
            Fault::Refused(constraint) => matches!(constraint, Constraint::Fence),
            Fault::Unreadable(_) => false,
        }
    }

    /// Whether it is that somebody held a lock for too long (`lock_not_available`).
    pub(crate) fn waited(&self) -> bool {
        let Fault::Database(sqlx::Error::Database(error)) = self else { return false };
        error.code().as_deref() == Some("55P03")
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        let constraint =
            error.as_database_error().and_then(|error| error.constraint()).and_then(Constraint::of);
        constraint.map_or(Fault::Database(error), Fault::Refused)
    }
}

macro_rules! constraints {
    ($($(#[$doc:meta])* $variant:ident = $($name:literal),+;)*) => {
        /// What the database refuses, by the names of its constraints. Where business can run into one, the
        /// [`Rejection`](crate::transfer::Rejection) that says the same beforehand is named.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Constraint {
            $($(#[$doc])* $variant,)*
        }

        impl Constraint {
            /// Every constraint.
            pub const ALL: &[Constraint] = &[$(Constraint::$variant),*];

            /// Its names in the schema; the first is the one it is shown under.
            #[must_use]
            pub const fn names(self) -> &'static [&'static str] {
                match self {
                    $(Constraint::$variant => &[$($name),+],)*
                }
            }
        }
    };
}

constraints! {
    /// Another wrote this batch first.
    Fence = "batch_pkey", "posting_pkey", "chunk_pkey", "account_pkey", "account_path";
    /// `Rejection::Overdraft`.
    Overdraft = "chunk_floor", "chunk_lowest";
    /// `Rejection::TooLarge`: totals are zero or more.
    Totals = "chunk_totals";
    /// `Rejection::LimitExceeded`.
    LimitExceeded = "limit_exceeded";
    /// `Rejection::PeriodClosed`.
    PeriodClosed = "period_closed";
    /// `Rejection::IdReused`.
    IdReused = "transfer_pkey";
    /// `Rejection::KeyReused`.
    KeyReused = "transfer_key";
    /// `Rejection::AlreadyCounted`.
    AlreadyCounted = "external_once", "external_one_a_transfer";
    /// `Rejection::SameAccount`.
    SameAccount = "posting_two_accounts";
    /// `Rejection::HoldClosed`.
    HoldClosed = "hold_once", "hold_open", "hold_pkey", "hold_one_a_transfer";
    /// `Rejection::HoldExceeded`.
    HoldExceeded = "hold_parts", "hold_verb";
    /// `Rejection::UnknownHold`.
    UnknownHold = "hold_continues";
    /// `Rejection::AlreadyReversed`.
    AlreadyReversed = "reversal_once", "reversal_one_a_transfer";
    /// `Rejection::UnknownBook`.
    UnknownBook = "batch_book";
    /// A book's name and its asset disagree.
    BadBook = "book_pkey", "book_once", "book_asset", "book_name";
    /// An amount that is not positive, or a word outside the journal's.
    BadPosting = "posting_amount", "posting_phase", "posting_leg", "posting_key";
    /// A change of what was written.
    AppendOnly = "append_only";
    /// A row outside a batch of its own transaction.
    InBatch = "in_batch";
    /// A batch that does not continue its predecessor.
    BatchContinues = "batch_continues";
    /// A batch without its rows.
    BatchIsWhole = "batch_is_whole", "batch_shape";
    /// Postings that are not exactly the batch's numbers and transfers.
    PostingsNumber = "postings_number";
    /// Postings that do not come to the batch's sketch.
    PostingsSketch = "postings_sketch";
    /// Chunks that are not what stood there and what was posted.
    ChunksAddUp = "chunks_add_up";
    /// Accounts outside the chart, or numbered with a gap.
    AccountsNumber = "accounts_number", "account_path_of_kind";
    /// A hold that is not what its postings say.
    HoldsAgree = "holds_agree";
    /// A reversal that is not its original turned round, or of what does not exist.
    ReversalsMirror = "reversals_mirror", "reversal_of_another";
    /// A transfer linked twice.
    Linked = "link_pkey", "link_one_a_transfer";
    /// Metadata that is given twice, or in strange words.
    Metadata = "metadata_pkey", "metadata_once", "metadata_words";
    /// A restated posting that makes no sense.
    Restated = "restated_pkey", "restated_side", "restated_amount", "restated_apart";
    /// A limit that makes no sense, or two in one batch.
    BadLimit = "account_limit_pkey", "account_limit_newest", "account_limit_shape", "velocity_pkey",
        "velocity_words";
    /// A period closed twice.
    BadClose = "close_pkey", "close_grows";
    /// A checkpoint, a tree, an anchor or liabilities written twice, of nothing, or in a wrong shape.
    BadSeal = "checkpoint_pkey", "checkpoint_root", "checkpoint_batch", "checkpoint_shape", "subtree_pkey",
        "subtree_shape", "anchor_pkey", "anchor_of_checkpoint", "anchor_shape", "liability_pkey",
        "liability_of_checkpoint", "liability_shape";
    /// The reference tables.
    Reference = "asset_pkey", "kind_pkey", "kind_class", "kind_side", "event_pkey", "event_word";
}

impl Constraint {
    /// The constraint of a name, also as it is called on a shard of a distributed table, where a key or a
    /// check bears the shard's number behind its own name: `batch_pkey_102106`.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let exact = |name: &str| Self::ALL.iter().copied().find(|known| known.names().contains(&name));
        exact(name).or_else(|| {
            let (name, shard) = name.rsplit_once('_')?;
            let number = !shard.is_empty() && shard.bytes().all(|byte| byte.is_ascii_digit());
            if number { exact(name) } else { None }
        })
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.names()[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_with_and_without_a_shard() {
        for constraint in Constraint::ALL {
            for name in constraint.names() {
                assert_eq!(Constraint::of(name), Some(*constraint));
                assert_eq!(Constraint::of(&format!("{name}_102010")), Some(*constraint));
                assert_eq!(Constraint::of(&format!("{name}_x")), None);
            }
        }
        assert_eq!(Constraint::of("jobs_pkey"), None);
        assert_eq!(Constraint::of(""), None);
    }
}
