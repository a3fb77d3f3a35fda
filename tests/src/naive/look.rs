//! What the model answers when it is asked how things stand or stood.

use super::{Landed, Limit, Naive, Phase};

/// A line of a statement: number, phase, whether debited, amount, and what stands after it.
pub type Line = (i64, Phase, bool, i64, i64);

impl Naive {
    /// Debits posted, credits posted, debits pending, credits pending of an account after a batch.
    pub fn totals(&self, account: usize, batch: u64) -> [i64; 4] {
        let mut totals = [0; 4];
        for landed in self.landed.iter().filter(|landed| landed.batch <= batch) {
            for ((debit, credit, amount), phase) in &landed.lines {
                let (posted, pending) = match phase {
                    Phase::Post => (*amount, 0),
                    Phase::Hold => (0, *amount),
                    Phase::Settle => (*amount, -*amount),
                    Phase::Void => (0, -*amount),
                };
                for (side, at) in [(debit, 0), (credit, 1)] {
                    if *side == account {
                        totals[at] += posted;
                        totals[at + 2] += pending;
                    }
                }
            }
        }
        totals
    }

    /// Debits and credits posted to an account by what was effective before an instant, as far as the book
    /// had heard of it by another.
    pub fn as_of(&self, account: usize, at: i64, known: i64) -> [i64; 2] {
        let seen = |landed: &&Landed| landed.effective < at && landed.recorded <= known;
        self.posted(account, seen)
    }

    pub(super) fn posted(&self, account: usize, seen: impl FnMut(&&Landed) -> bool) -> [i64; 2] {
        let lines = self.landed.iter().filter(seen).flat_map(|landed| &landed.lines);
        lines.filter(|(_, phase)| matches!(phase, Phase::Post | Phase::Settle)).fold(
            [0, 0],
            |[debits, credits], ((debit, credit, amount), _)| {
                let counted = |side: &usize| if *side == account { *amount } else { 0 };
                [debits + counted(debit), credits + counted(credit)]
            },
        )
    }

    /// Every account that was ever touched or limited, and its totals.
    pub fn balances(&self) -> Vec<(String, [i64; 4])> {
        let lines = || self.landed.iter().flat_map(|landed| &landed.lines);
        let touched = |at: usize| lines().any(|((debit, credit, _), _)| *debit == at || *credit == at);
        let seen = (0..self.paths.len()).filter(|&at| touched(at) || self.limits[at] != Limit::default());
        let mut all: Vec<_> = seen.map(|at| (self.paths[at].clone(), self.totals(at, u64::MAX))).collect();
        all.sort();
        all
    }

    /// The accounts of a transfer as they stood after its batch, in order of its lines.
    pub fn receipt(&self, id: u64) -> Vec<(String, [i64; 4])> {
        let landed = self.find(id).expect("it landed");
        let mut seen = Vec::new();
        for ((debit, credit, _), _) in &landed.lines {
            for side in [*debit, *credit] {
                if !seen.contains(&side) {
                    seen.push(side);
                }
            }
        }
        seen.into_iter().map(|at| (self.paths[at].clone(), self.totals(at, landed.batch))).collect()
    }

    /// What stood on an account before `from`, on its normal side, and its lines since, before `to`: number,
    /// phase, whether debited, amount, and what stands after it.
    pub fn statement(&self, account: usize, [from, to]: [i64; 2]) -> (i64, Vec<Line>) {
        let (mut opening, mut stands, mut lines) = (0, 0, Vec::new());
        let all = self.landed.iter().flat_map(|landed| landed.lines.iter().map(move |line| (landed, line)));
        for ((landed, ((debit, credit, amount), phase)), no) in all.zip(1..) {
            if ![*debit, *credit].contains(&account) {
                continue;
            }
            let debited = *debit == account;
            if matches!(phase, Phase::Post | Phase::Settle) {
                stands += if debited == self.grows_by_debits(account) { *amount } else { -*amount };
            }
            if landed.recorded < from {
                opening = stands;
            } else if landed.recorded < to {
                lines.push((no, *phase, debited, *amount, stands));
            }
        }
        (opening, lines)
    }
}
