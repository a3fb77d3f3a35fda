//! What one caller asks for, from the queue to the answer.
//!
//! Invariant: a job is answered once, or its caller hears that nobody answers. Absent: what other jobs are in
//! its batch.

use tokio::sync::oneshot;

use super::Answers;
use crate::batch::{Batch, Outcome};
use crate::store::Fault;
use crate::transfer::{Rejection, Transfer};

/// One caller's transfers on their way.
pub(super) struct Job<I> {
    pub(super) transfers: Vec<Transfer>,
    pub(super) linked: bool,
    pub(super) item: Option<I>,
    pub(super) refused: bool,
    pub(super) answer: oneshot::Sender<Result<Answers, Fault>>,
}

impl<I> Job<I> {
    /// Whether what it refers to is all in the owner's memory: no key, fact, hold or transfer of before.
    pub(super) fn is_plain(&self) -> bool {
        self.transfers.iter().all(Transfer::is_plain)
    }

    pub(super) fn execute(&self, batch: &mut Batch) -> Vec<Outcome> {
        if self.refused {
            let refused = |transfer: &Transfer| Rejection::Unattached { transfer: transfer.id };
            return self.transfers.iter().map(|transfer| Outcome::Refused(refused(transfer))).collect();
        }
        if self.linked {
            return batch.execute_linked(&self.transfers);
        }
        self.transfers.iter().map(|transfer| batch.execute(transfer)).collect()
    }
}
