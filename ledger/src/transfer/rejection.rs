//! Why a transfer, a limit or a close was refused.
//!
//! Invariant: a closed list; each of them is tested. Absent: faults, which are `store::Fault`.

use chrono::{DateTime, Utc};

use crate::chart::{Account, BookId};
use crate::id::{ExternalRef, IdempotencyKey, TransferId};
use crate::limit::Velocity;
use crate::money::{Amount, Asset};

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
    /// Another of its linked transfers was refused, so none of them landed.
    #[error("transfer {culprit}, linked with it, was refused")]
    Linked {
        /// The one that was refused for a reason of its own.
        culprit: TransferId,
    },
    /// It is in the journal, but not all that are asked for together with it are.
    #[error("transfer {transfer} is in the journal without those linked with it")]
    PartLanded {
        /// The transfer that landed.
        transfer: TransferId,
    },
    /// It would take an account beyond a limit of its own within a period.
    #[error("transfer {transfer} would take {account} beyond {limit}: {used} used, {asked} asked")]
    LimitExceeded {
        /// The transfer.
        transfer: TransferId,
        /// The account.
        account: Account,
        /// The limit.
        limit: Velocity,
        /// What was used before it, minor units.
        used: i64,
        /// What it would add, minor units.
        asked: i64,
    },
    /// The account stands below the floor it was to be given.
    #[error("{account} stands at {available}, below a floor of {floor}")]
    FloorTooHigh {
        /// The account.
        account: Account,
        /// What can be spent there, minor units.
        available: i64,
        /// The floor asked for, minor units.
        floor: i64,
    },
    /// It is effective in a period that was closed.
    #[error("what happened before {closed_before} is closed")]
    PeriodClosed {
        /// What is effective before this is closed.
        closed_before: DateTime<Utc>,
    },
    /// A period can be closed when it is over, not before.
    #[error("what happens before {closed_before} is not over at {recorded_at}")]
    PeriodNotOver {
        /// Up to when was to be closed.
        closed_before: DateTime<Utc>,
        /// What time it is in the book.
        recorded_at: DateTime<Utc>,
    },
    /// What was to be written with it was refused.
    #[error("what came with transfer {transfer} was refused")]
    Unattached {
        /// The transfer.
        transfer: TransferId,
    },
}
