//! When ledgers close and what gets into them: a ledger for each transaction at once, or whatever waits when
//! the network's pace, or a test, closes the next one.
//!
//! Invariant: every ledger is closed here; each candidate is checked again right before it is applied, in the
//! order of kind and hash.

use crate::apply::{Candidate, Verdict, apply, check};
use crate::faults::Fault;
use crate::ledger::{Ledger, Surge, past};
use crate::queue::{Fate, Queue, Sent};

/// The ledger and what waits to get into it.
pub(crate) struct Network {
    pub(crate) ledger: Ledger,
    pub(crate) queue: Queue,
    /// Whether transactions wait for the network's pace; otherwise each closes a ledger at once.
    pub(crate) queued: bool,
    /// So many of the newest ledgers are kept one by one.
    kept: u32,
}

impl Network {
    /// A network that closes a ledger for each transaction.
    pub(crate) fn new(ledger: Ledger) -> Self {
        Self { ledger, queue: Queue::default(), queued: false, kept: 0 }
    }

    /// From now on an older view on the network can be had.
    pub(crate) fn keep_past(&mut self) {
        self.kept = past::KEPT;
        self.ledger.keep_past();
    }

    /// Hands a transaction to the queue.
    pub(crate) fn send(&mut self, candidate: Candidate, fate: Fate) -> Sent {
        let sent = self.queue.offer(&self.ledger, candidate, fate);
        if matches!(sent, Sent::Pending) && fate == Fate::Next && !self.queued {
            self.close_now();
        }
        sent
    }

    /// Closes a ledger at once.
    pub(crate) fn close_now(&mut self) {
        self.close(1, self.ledger.closing().close_time);
    }

    /// Closes the ledgers that the network would have closed since it last did anything.
    pub(crate) fn keep_pace(&mut self) {
        if let Some((steps, until)) = self.ledger.missed() {
            self.pass(steps, until);
        }
    }

    /// Puts the network's time and sequence forward, for tests of expiry and archival.
    pub(crate) fn advance(&mut self, seconds: u64, ledgers: u32) {
        let until = self.ledger.put_forward(seconds);
        self.pass(ledgers.max(1), until);
    }

    /// Lets happen what changes the network itself; other faults change nothing here.
    pub(crate) fn suffer(&mut self, weather: &Fault) {
        match weather {
            Fault::Surge { fee, ledgers, refuses } => {
                let until = self.ledger.sequence().saturating_add(*ledgers);
                self.ledger.surge = Some(Surge { fee: *fee, until, refuses: *refuses });
            }
            Fault::Jump { seconds, ledgers } => self.advance(*seconds, *ledgers),
            Fault::Forget { ledgers } => {
                let first = self.ledger.sequence().saturating_sub((*ledgers).max(1) - 1);
                self.ledger.history.forget_before(first);
            }
            _ => {}
        }
    }

    /// Closes so many ledgers at even distances, the last of them `until` then: one by one as long as
    /// anything waits, and where they are to be kept one by one.
    fn pass(&mut self, steps: u32, until: u64) {
        let from = self.ledger.close_time();
        let span = u128::from(until.saturating_sub(from));
        let mut done = 0;
        while done < steps {
            let left = steps - done;
            let stride = match self.queue.is_empty() {
                true if self.kept == 0 => left,
                true => left.saturating_sub(self.kept).max(1),
                false => 1,
            };
            done += stride;
            let passed = span * u128::from(done) / u128::from(steps);
            self.close(stride, from.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX)));
        }
    }

    fn close(&mut self, steps: u32, at: u64) {
        let closing = self.ledger.closing_at(at);
        let mut included = match steps {
            1 => self.queue.take_due(closing, self.ledger.ledger_s()),
            _ => Vec::new(),
        };
        included.sort_by_key(|candidate| (candidate.is_soroban(), candidate.hash));
        let mut applied = Vec::new();
        for candidate in &included {
            match check(&self.ledger, candidate, closing) {
                Verdict::Fit => applied.push(apply(&mut self.ledger, candidate, closing)),
                Verdict::Refused(_) => self.queue.ban(candidate.hash, closing.sequence),
            }
        }
        self.ledger.close(steps, closing.close_time, applied);
        self.queue.grow_older(&self.ledger);
    }
}
