//! Where a job stands, and which steps it may take from there: one table.
//!
//! Invariant: the words are those of `/api/…`, which others gave us. `in_progress` is reached by itself, when
//! an assigned job's escrow is funded.

use crate::error::{Code, Error, Refusal};
use crate::flows::escrow::Status as EscrowStatus;

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Looking for somebody.
    Open,
    /// Somebody is named; the money is not there yet.
    Assigned,
    /// Somebody is named and the money is there.
    InProgress,
    /// The employer said it is done.
    Completed,
    /// Withdrawn.
    Cancelled,
}

/// What an employer may ask of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Name who does it.
    Assign,
    /// Say it is done.
    Complete,
    /// Withdraw it.
    Cancel,
}

/// Every step there is: from, by, to.
pub const ARROWS: [(Status, Step, Status); 3] = [
    (Status::Open, Step::Assign, Status::Assigned),
    (Status::Open, Step::Cancel, Status::Cancelled),
    (Status::InProgress, Step::Complete, Status::Completed),
];

impl Status {
    /// Every status.
    pub const ALL: [Status; 5] =
        [Status::Open, Status::Assigned, Status::InProgress, Status::Completed, Status::Cancelled];

    /// Its word at the edge.
    pub fn word(self) -> &'static str {
        match self {
            Status::Open => "open",
            Status::Assigned => "assigned",
            Status::InProgress => "in_progress",
            Status::Completed => "completed",
            Status::Cancelled => "cancelled",
        }
    }

    /// The status with this word.
    pub fn parse(word: &str) -> Option<Status> {
        Status::ALL.into_iter().find(|status| status.word() == word)
    }

    /// The shown status of a job stored as `self`, given its escrow's.
    pub fn with(self, escrow: EscrowStatus) -> Status {
        match (self, escrow) {
            (Status::Assigned, EscrowStatus::InProgress | EscrowStatus::Disputed) => Status::InProgress,
            (Status::Assigned, EscrowStatus::Resolved) => Status::Completed,
            (Status::Open | Status::Assigned, EscrowStatus::Refunded) => Status::Cancelled,
            (stored, _) => stored,
        }
    }

    /// Where a step leads from here.
    pub fn after(self, step: Step) -> Option<Status> {
        ARROWS.iter().find(|(from, by, _)| *from == self && *by == step).map(|arrow| arrow.2)
    }

    /// The words of the statuses that can be asked for from here.
    pub fn next_words(self) -> Vec<&'static str> {
        ARROWS.iter().filter(|(from, ..)| *from == self).map(|(.., to)| to.word()).collect()
    }

    /// Refuses a step that does not lead anywhere from here.
    ///
    /// # Errors
    /// [`Code::WrongState`] with what would be allowed.
    pub fn check(self, job: i64, step: Step) -> Result<(), Refusal> {
        if self.after(step).is_some() { Ok(()) } else { Err(self.refuse(job)) }
    }

    /// The refusal to leave this status for one that no arrow leads to.
    pub fn refuse(self, job: i64) -> Refusal {
        let refusal = Refusal::new(Code::WrongState, format!("job {job} is {}", self.word()));
        refusal.allowing(self.next_words())
    }

    /// Adds to a flow's refusal what the job would allow.
    pub(super) fn explain(self, error: Error) -> Error {
        match error {
            Error::Refused(refusal) if matches!(refusal.code, Code::WrongState | Code::NotYet) => {
                Error::Refused(refusal.allowing(self.next_words()))
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_status_and_step() {
        use {Status::*, Step::*};
        let allowed = |status: Status| [Assign, Complete, Cancel].map(|step| status.after(step));
        assert_eq!(allowed(Open), [Some(Assigned), None, Some(Cancelled)]);
        assert_eq!(allowed(Assigned), [None, None, None]);
        assert_eq!(allowed(InProgress), [None, Some(Completed), None]);
        assert_eq!(allowed(Completed), [None, None, None]);
        assert_eq!(allowed(Cancelled), [None, None, None]);
    }

    #[test]
    fn a_refusal_says_what_would_be_allowed() {
        let refusal = Status::Open.check(7, Step::Complete).unwrap_err();
        assert_eq!((refusal.code, refusal.detail.as_str()), (Code::WrongState, "job 7 is open"));
        assert_eq!(refusal.allowed, ["assigned", "cancelled"]);
    }

    #[test]
    fn in_progress_is_derived() {
        assert_eq!(Status::Assigned.with(EscrowStatus::InProgress), Status::InProgress);
        assert_eq!(Status::Assigned.with(EscrowStatus::PendingDeposit), Status::Assigned);
        assert_eq!(Status::Completed.with(EscrowStatus::Released), Status::Completed);
        assert_eq!(Status::Open.with(EscrowStatus::Funded), Status::Open);
        assert_eq!(Status::Assigned.with(EscrowStatus::Refunded), Status::Cancelled);
    }

    #[test]
    fn words_are_read_as_written() {
        for status in Status::ALL {
            assert_eq!(Status::parse(status.word()), Some(status));
        }
        assert_eq!(Status::parse("released"), None);
    }
}
