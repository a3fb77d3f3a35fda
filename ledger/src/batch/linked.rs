//! Linked transfers: all of a group land, in order, or none does.
//!
//! Invariant: after a group that was refused the batch is what it was before it: numbers, accounts, totals,
//! holds, and which ids, keys and facts were heard.

use super::{Batch, Outcome, Slot, Totals};
use crate::hold::Hold;
use crate::id::TransferId;
use crate::transfer::{Rejection, Transfer};

/// What a group changed, to be changed back.
#[derive(Debug, Default)]
pub(super) struct Undo {
    slots: Vec<(usize, Stood)>,
    holds: Vec<(TransferId, Option<Hold>)>,
}

/// A slot as it stood before one transfer.
#[derive(Clone, Copy, Debug)]
struct Stood {
    number: Option<i64>,
    totals: Totals,
    touched: bool,
    lowest: i64,
    nos: usize,
}

impl Undo {
    pub(super) fn slot(&mut self, at: usize, slot: &Slot) {
        let &Slot { number, totals, touched, lowest, .. } = slot;
        self.slots.push((at, Stood { number, totals, touched, lowest, nos: slot.nos.len() }));
    }

    pub(super) fn hold(&mut self, id: TransferId, before: Option<Hold>) {
        self.holds.push((id, before));
    }
}

impl Batch {
    /// Tries a group, all or none. If all of it was heard before, each is answered as then; a group of which
    /// only a part is in the journal is refused. The culprit is answered with its own reason, the others
    /// with [`Rejection::Linked`].
    pub(crate) fn execute_linked(&mut self, group: &[Transfer]) -> Vec<Outcome> {
        if let [alone] = group {
            return vec![self.execute(alone)];
        }
        let mut heard = Vec::with_capacity(group.len());
        for transfer in group {
            let fingerprint = transfer.fingerprint_in(&mut self.words);
            heard.push(self.heard_before(transfer, &fingerprint));
        }
        if heard.iter().all(|outcome| matches!(outcome, Some(Outcome::Before(_) | Outcome::Within(_)))) {
            return heard.into_iter().flatten().collect();
        }
        for (at, outcome) in heard.into_iter().enumerate() {
            match outcome {
                Some(Outcome::Refused(why)) => return refused(group, at, why),
                Some(_) => return refused(group, at, Rejection::PartLanded { transfer: group[at].id }),
                None => {}
            }
        }
        let (rows, numbers) = (self.rows.len(), (self.next_posting, self.next_account));
        self.undo = Some(Undo::default());
        self.link = group.first().map(|first| first.id);
        let tried = group.iter().enumerate().try_for_each(|(at, transfer)| match self.execute(transfer) {
            Outcome::New(_) => Ok(()),
            Outcome::Refused(why) => Err((at, why)),
            // Twice in one group: the second is in the journal without the others.
            Outcome::Before(_) | Outcome::Within(_) => {
                Err((at, Rejection::PartLanded { transfer: transfer.id }))
            }
        });
        self.link = None;
        let undo = self.undo.take().unwrap_or_default();
        match tried {
            Ok(()) => (rows..self.rows.len()).map(Outcome::New).collect(),
            Err((at, why)) => {
                self.take_back(rows, undo);
                (self.next_posting, self.next_account) = numbers;
                refused(group, at, why)
            }
        }
    }

    fn take_back(&mut self, rows: usize, undo: Undo) {
        for (at, stood) in undo.slots.into_iter().rev() {
            let slot = &mut self.slots[at];
            (slot.number, slot.totals) = (stood.number, stood.totals);
            (slot.touched, slot.lowest) = (stood.touched, stood.lowest);
            slot.nos.truncate(stood.nos);
        }
        for (id, before) in undo.holds.into_iter().rev() {
            match before {
                Some(hold) => self.known.holds.insert(id, hold),
                None => self.known.holds.remove(&id),
            };
        }
        for row in self.rows.split_off(rows).iter().rev() {
            self.legs.truncate(self.legs.len() - row.legs);
            self.forget(row);
        }
    }
}

fn refused(group: &[Transfer], culprit: usize, why: Rejection) -> Vec<Outcome> {
    let linked = Rejection::Linked { culprit: group[culprit].id };
    let mut answers = vec![linked; group.len()];
    answers[culprit] = why;
    answers.into_iter().map(Outcome::Refused).collect()
}
