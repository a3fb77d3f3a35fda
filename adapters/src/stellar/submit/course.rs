//! Every word that can be heard about an envelope, and what follows from it: one table.
//!
//! Invariant: each result code of the protocol's types has exactly one row (tested), so a new protocol with a
//! new code fails a test before it surprises a worker.
//! Absent: times. Whatever the word, a new attempt is built only when the old one can never be applied any
//! more, which `verdict` decides.

/// Where a word is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The `status` with which `sendTransaction` answers.
    Sent,
    /// The transaction's result beside that status: it did not get into the queue.
    Refused,
    /// The `status` with which `getTransaction` answers.
    Found,
    /// The transaction's result in a ledger: it failed there.
    Included,
    /// The result of its operation.
    Operation,
    /// The result of a contract call.
    Invoked,
    /// The result of prolonging entries' lives.
    Extended,
    /// The result of bringing entries back from the archive.
    Restored,
    /// No answer of the protocol's: a JSON-RPC error, or none at all.
    Wire,
}

/// What the next attempt needs that the last one lacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing but a look at the chain as it is now.
    Fresh,
    /// More instructions and bytes than a simulation says.
    Resources,
    /// More for rent and events than a simulation says.
    Rent,
}

/// What follows from a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// It is in a ledger.
    Done,
    /// Look again after a ledger. Nothing is sent meanwhile.
    Wait,
    /// The same bytes again after a ledger.
    Retry,
    /// The same transaction again, under a higher fee.
    Raise,
    /// The next attempt, from a new simulation, once this one can no longer be applied.
    Rebuild(Need),
    /// No repetition helps before a person has put something right.
    Stop,
}

use Course::{Done, Raise, Rebuild, Retry, Stop, Wait};
use Stage::{Extended, Found, Included, Invoked, Operation, Refused, Restored, Sent, Wire};

/// Again, as the chain is now.
const FRESH: Course = Rebuild(Need::Fresh);

/// The table.
#[rustfmt::skip]
pub const TABLE: &[(Stage, &str, Course)] = &[
    // In the queue: two ledgers later it is in one, or was dropped, or the fees have risen above ours.
    (Sent, "PENDING",                       Wait),
    (Sent, "DUPLICATE",                     Wait),
    // The queue is full, another of the channel's waits, or this one was applied a moment ago.
    (Sent, "TRY_AGAIN_LATER",               Retry),
    // The result beside it says why.
    (Sent, "ERROR",                         Wait),

    // Not said to an envelope that is refused; if it is, only a look tells.
    (Refused, "TxFeeBumpInnerSuccess",      Wait),
    (Refused, "TxSuccess",                  Wait),
    (Refused, "TxFailed",                   FRESH),
    (Refused, "TxFeeBumpInnerFailed",       FRESH),
    // We set no earliest time: the server's clock is behind.
    (Refused, "TxTooEarly",                 Retry),
    // The server's clock is ahead of its ledgers: soon one closes past the bound.
    (Refused, "TxTooLate",                  Wait),
    // Said of a good number too: for a ledger after the channel's last transaction, or once it was applied.
    (Refused, "TxBadSeq",                   Retry),
    (Refused, "TxInsufficientFee",          Raise),
    // Passes when the channel is topped up, or with another channel.
    (Refused, "TxInsufficientBalance",      Retry),
    (Refused, "TxNoAccount",                FRESH),
    (Refused, "TxInternalError",            Retry),
    // The declared resources no longer fit the network, or an entry's state: a new simulation knows.
    (Refused, "TxSorobanInvalid",           FRESH),
    (Refused, "TxFrozenKeyAccessed",        Retry),
    // The channel's key no longer signs for it, or this is another network.
    (Refused, "TxBadAuth",                  Stop),
    (Refused, "TxBadAuthExtra",             Stop),
    // We write none of these.
    (Refused, "TxMissingOperation",         Stop),
    (Refused, "TxNotSupported",             Stop),
    (Refused, "TxBadSponsorship",           Stop),
    (Refused, "TxBadMinSeqAgeOrGap",        Stop),
    (Refused, "TxMalformed",                Stop),

    (Found, "SUCCESS",                      Done),
    // The result says why.
    (Found, "FAILED",                       FRESH),
    // Means nothing before a ledger closed past its time.
    (Found, "NOT_FOUND",                    Wait),

    // In a ledger: its number is used up and its fee paid, so whatever it is, it is over.
    (Included, "TxFeeBumpInnerSuccess",     Done),
    (Included, "TxSuccess",                 Done),
    // The operation's result says why.
    (Included, "TxFailed",                  FRESH),
    (Included, "TxFeeBumpInnerFailed",      FRESH),
    (Included, "TxTooEarly",                FRESH),
    (Included, "TxTooLate",                 FRESH),
    (Included, "TxBadSeq",                  FRESH),
    (Included, "TxInsufficientBalance",     FRESH),
    (Included, "TxNoAccount",               FRESH),
    (Included, "TxInsufficientFee",         FRESH),
    (Included, "TxInternalError",           FRESH),
    (Included, "TxSorobanInvalid",          FRESH),
    (Included, "TxFrozenKeyAccessed",       FRESH),
    (Included, "TxBadAuth",                 Stop),
    (Included, "TxBadAuthExtra",            Stop),
    (Included, "TxMissingOperation",        Stop),
    (Included, "TxNotSupported",            Stop),
    (Included, "TxBadSponsorship",          Stop),
    (Included, "TxBadMinSeqAgeOrGap",       Stop),
    (Included, "TxMalformed",               Stop),

    // The inner result says why.
    (Operation, "OpInner",                  FRESH),
    (Operation, "OpBadAuth",                Stop),
    (Operation, "OpNoAccount",              FRESH),
    (Operation, "OpNotSupported",           Stop),
    (Operation, "OpTooManySubentries",      Stop),
    (Operation, "OpExceededWorkLimit",      Rebuild(Need::Resources)),
    (Operation, "OpTooManySponsoring",      Stop),

    (Invoked, "Success",                    Done),
    (Invoked, "Malformed",                  Stop),
    // The contract, the token or an authorisation said no: the next simulation says which.
    (Invoked, "Trapped",                    FRESH),
    (Invoked, "ResourceLimitExceeded",      Rebuild(Need::Resources)),
    // The next simulation restores it within the call.
    (Invoked, "EntryArchived",              FRESH),
    (Invoked, "InsufficientRefundableFee",  Rebuild(Need::Rent)),

    (Extended, "Success",                   Done),
    (Extended, "Malformed",                 Stop),
    (Extended, "ResourceLimitExceeded",     Rebuild(Need::Resources)),
    (Extended, "InsufficientRefundableFee", Rebuild(Need::Rent)),

    (Restored, "Success",                   Done),
    (Restored, "Malformed",                 Stop),
    (Restored, "ResourceLimitExceeded",     Rebuild(Need::Resources)),
    (Restored, "InsufficientRefundableFee", Rebuild(Need::Rent)),

    // No connection, a deadline, a proxy's status: it may have been sent.
    (Wire, "unreachable",                   Retry),
    (Wire, "malformed",                     Retry),
    // A server that cannot parse what others can; too many calls; its own trouble.
    (Wire, "-32700",                        Retry),
    (Wire, "-32600",                        Retry),
    (Wire, "-32603",                        Retry),
    // Not a Stellar RPC server: somebody is putting up another.
    (Wire, "-32601",                        Retry),
    // It read our bytes and found no transaction in them.
    (Wire, "-32602",                        Stop),
];

impl Course {
    /// What follows from a word at sending. One that is not in the table proves nothing.
    pub fn on_sending(word: &str) -> Self {
        find(&[Refused, Sent, Wire], word).unwrap_or(Wait)
    }

    /// What follows from the word of a transaction that is in a ledger and failed there.
    pub fn on_failure(word: &str) -> Self {
        match find(&[Invoked, Extended, Restored, Operation, Included], word) {
            None | Some(Done) => FRESH,
            Some(course) => course,
        }
    }
}

fn find(stages: &[Stage], word: &str) -> Option<Course> {
    let row = |stage: &Stage| TABLE.iter().find(|(known, name, _)| known == stage && *name == word);
    stages.iter().find_map(row).map(|row| row.2)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use stellar_xdr::{
        ExtendFootprintTtlResultCode, InvokeHostFunctionResultCode, OperationResultCode,
        RestoreFootprintResultCode, TransactionResultCode,
    };

    use super::*;

    fn rows(stage: Stage) -> Vec<&'static str> {
        TABLE.iter().filter(|row| row.0 == stage).map(|row| row.1).collect()
    }

    #[test]
    fn every_code_of_the_protocol_has_one_row() {
        let transaction = &TransactionResultCode::VARIANTS_STR[..];
        let kinds = [
            (Refused, transaction),
            (Included, transaction),
            (Operation, &OperationResultCode::VARIANTS_STR[..]),
            (Invoked, &InvokeHostFunctionResultCode::VARIANTS_STR[..]),
            (Extended, &ExtendFootprintTtlResultCode::VARIANTS_STR[..]),
            (Restored, &RestoreFootprintResultCode::VARIANTS_STR[..]),
            (Sent, &["PENDING", "DUPLICATE", "TRY_AGAIN_LATER", "ERROR"]),
            (Found, &["SUCCESS", "FAILED", "NOT_FOUND"]),
        ];
        for (stage, codes) in kinds {
            let rows = rows(stage);
            let (have, want): (BTreeSet<_>, BTreeSet<_>) =
                (rows.iter().copied().collect(), codes.iter().copied().collect());
            assert_eq!(have, want, "{stage:?}");
            assert_eq!(rows.len(), codes.len(), "{stage:?}: no row twice");
        }
    }

    #[test]
    fn what_failed_in_a_ledger_is_never_waited_for() {
        for (stage, word, _) in TABLE.iter().filter(|row| [Included, Operation, Invoked].contains(&row.0)) {
            let course = Course::on_failure(word);
            assert!(matches!(course, Rebuild(_) | Stop), "{stage:?} {word}: {course:?}");
        }
        assert_eq!(Course::on_failure("TxOfTomorrow"), FRESH);
        assert_eq!(Course::on_failure("ResourceLimitExceeded"), Rebuild(Need::Resources));
        assert_eq!(Course::on_failure("InsufficientRefundableFee"), Rebuild(Need::Rent));
        assert_eq!(Course::on_failure("EntryArchived"), FRESH);
    }

    #[test]
    fn a_word_nobody_knows_proves_nothing() {
        assert_eq!(Course::on_sending("TxOfTomorrow"), Wait);
        assert_eq!(Course::on_sending("unexplained"), Wait);
    }
}
