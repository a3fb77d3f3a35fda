//! What an owner knows of its book between batches: where the journal ends, what stands on the accounts it
//! touched, and which transfers landed of late.
//!
//! Invariant: it is right as long as nobody else wrote a batch since it was read; the fence refuses the next
//! batch if somebody did, and then all of it is forgotten. Absent: what may change without a batch.

use std::collections::VecDeque;

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use crate::batch::{Batch, Head, Known};
use crate::id::TransferId;

/// How many transfers are remembered by id; older ones are looked up. Two large batches, which is as far as
/// ids come out of order, and little enough to stay in a processor's cache.
const RECENT: usize = 20_000;
/// How many accounts are remembered; beyond it all of them are forgotten and read again as they come.
const ACCOUNTS: usize = 4_000_000;

pub(super) struct Memory {
    pub(super) head: Head,
    known: Known,
    recent: VecDeque<TransferId>,
    /// Every transfer that landed with an id above this is remembered.
    horizon: Option<Uuid>,
    /// The day the limits in `known` were counted for.
    day: NaiveDate,
}

impl Memory {
    pub(super) fn of(head: Head, at: DateTime<Utc>) -> Self {
        let horizon = head.newest;
        Self { head, known: Known::default(), recent: VecDeque::new(), horizon, day: at.date_naive() }
    }

    pub(super) fn horizon(&self) -> Option<Uuid> {
        self.horizon
    }

    /// Hands out what is known for a batch at an instant; [`Self::learn`] takes it back.
    pub(super) fn lend(&mut self, at: DateTime<Utc>) -> Known {
        if self.day != at.date_naive() {
            // What a limit counts from changed at midnight.
            self.day = at.date_naive();
            self.known.accounts.retain(|_, opened| opened.limit.is_none());
        }
        std::mem::take(&mut self.known)
    }

    /// Goes on from an executed batch, as if it were committed.
    pub(super) fn learn(&mut self, batch: Batch, seal: [u8; 32]) {
        let wrote = !batch.is_empty();
        let (mut head, landed, mut known) = batch.remembered();
        if wrote {
            head.root = seal;
            self.head = head;
        }
        if known.accounts.len() > ACCOUNTS {
            known.accounts.clear();
        }
        for landed in landed {
            known.ids.insert(landed.id, landed);
            self.recent.push_back(landed.id);
        }
        while self.recent.len() > RECENT {
            let Some(oldest) = self.recent.pop_front() else { break };
            known.ids.remove(&oldest);
            self.horizon = self.horizon.max(Some(oldest.0));
        }
        self.known = known;
    }
}
