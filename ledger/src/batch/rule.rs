//! Entries that are no transfers: a limit of an account, the close of a period. Each has a batch of its own.

use chrono::{DateTime, Utc};

use super::{Batch, InForce, Rule};
use crate::chart::Account;
use crate::limit::Limit;
use crate::transfer::Rejection;

impl Batch {
    /// Puts an account under a limit, in place of the one it had. `false` if it stands under it already, so
    /// that there is nothing to be written.
    pub(crate) fn limit(&mut self, account: &Account, limit: &Limit) -> Result<bool, Rejection> {
        let at = self.slot(account);
        let slot = &mut self.slots[at];
        let in_force = slot.limit.as_ref().map(|force| &force.limit);
        if in_force.map_or(*limit == Limit::default(), |in_force| in_force == limit) {
            return Ok(false);
        }
        let available = slot.totals.available(account.kind().side());
        let floor = limit.floor.or(account.kind().floor());
        if let Some(floor) = floor.filter(|&floor| available < floor) {
            return Err(Rejection::FloorTooHigh { account: account.clone(), available, floor });
        }
        if slot.number.is_none() {
            slot.number = Some(self.next_account);
            self.next_account += 1;
        }
        let before = slot.limit.as_ref().map(|force| force.before).unwrap_or_default();
        slot.limit = Some(Box::new(InForce { limit: limit.clone(), before }));
        (slot.floor, slot.lowest, slot.touched) = (floor, available, true);
        self.rule = Some(Rule::Limit(at, limit.clone()));
        Ok(true)
    }

    /// Closes what is effective before an instant. `false` if it is closed already up to there.
    pub(crate) fn close(&mut self, closed_before: DateTime<Utc>) -> Result<bool, Rejection> {
        let micros = DateTime::from_timestamp_micros(closed_before.timestamp_micros());
        let closed_before = micros.unwrap_or(closed_before);
        if closed_before > self.recorded_at {
            return Err(Rejection::PeriodNotOver { closed_before, recorded_at: self.recorded_at });
        }
        match self.head.closed_before {
            Some(closed) if closed_before == closed => Ok(false),
            Some(closed) if closed_before < closed => Err(Rejection::PeriodClosed { closed_before: closed }),
            _ => {
                self.rule = Some(Rule::Close(closed_before));
                Ok(true)
            }
        }
    }
}
