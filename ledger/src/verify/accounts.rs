//! What stands on each account while a bundle is read.
//!
//! Invariant: held to the ledger's own rules: no total is negative or too large, no account falls below its
//! floor, and debits equal credits over all of them.

use std::collections::{HashMap, HashSet};

use super::fault::Reason;
use super::line::{Leg, Standing};
use crate::batch::{Phase, Totals};
use crate::chart::{Account, Kind, Side};
use crate::money::Amount;
use crate::seal::liability::{Sum, owed};

#[derive(Debug)]
struct State {
    account: Account,
    totals: Totals,
    floor: Option<i64>,
}

/// All accounts of the book.
#[derive(Debug, Default)]
pub(super) struct Accounts(HashMap<String, State>);

impl Accounts {
    pub(super) fn count(&self) -> u64 {
        self.0.len() as u64
    }

    fn named(&mut self, path: &str) -> Result<&mut State, Reason> {
        if !self.0.contains_key(path) {
            let account = Account::parse(path).map_err(|_| Reason::NoAccount(path.to_owned()))?;
            let state = State { floor: account.kind().floor(), account, totals: Totals::default() };
            self.0.insert(path.to_owned(), state);
        }
        self.0.get_mut(path).ok_or_else(|| Reason::NoAccount(path.to_owned()))
    }

    /// An account as it stood before the first batch.
    pub(super) fn opened(&mut self, standing: &Standing) -> Result<(), Reason> {
        let count = self.count();
        let state = self.named(&standing.path)?;
        let [debits_posted, credits_posted, debits_pending, credits_pending] = standing.totals;
        state.totals = Totals { debits_posted, credits_posted, debits_pending, credits_pending };
        let bad = || Reason::Opening(standing.path.clone());
        // As in the ledger: posted and pending of a side fit together, so that no difference overflows.
        let fits = debits_posted.checked_add(debits_pending).is_some()
            && credits_posted.checked_add(credits_pending).is_some();
        if !fits || standing.totals.iter().any(|total| *total < 0) {
            return Err(bad());
        }
        if standing.floor.is_some() {
            state.floor = standing.floor;
        }
        state.above_floor()?;
        if self.count() == count { Err(bad()) } else { Ok(()) }
    }

    /// The postings of a transfer, and the floors after them.
    pub(super) fn moved(&mut self, legs: &[Leg]) -> Result<(), Reason> {
        for (letter, debit, credit, minor) in legs {
            let phase = phase(*letter).ok_or(Reason::Phase(*letter))?;
            let amount = Amount::new(*minor).map_err(|_| Reason::Amount(*minor))?;
            if debit == credit {
                return Err(Reason::SameAccount(debit.clone()));
            }
            for (path, side) in [(debit, Side::Debit), (credit, Side::Credit)] {
                let state = self.named(path)?;
                let totals = state.totals.moved(side, phase, amount);
                state.totals = totals.ok_or_else(|| Reason::Totals(path.clone()))?;
            }
        }
        let touched: HashSet<&String> =
            legs.iter().flat_map(|(_, debit, credit, _)| [debit, credit]).collect();
        touched.into_iter().try_for_each(|path| self.named(path)?.above_floor())
    }

    /// An account's floor from now on; the kind's, if none is said.
    pub(super) fn limited(&mut self, path: &str, floor: Option<i64>) -> Result<(), Reason> {
        let state = self.named(path)?;
        state.floor = floor.or(state.account.kind().floor());
        state.above_floor()
    }

    /// Whether debits equal credits, posted and pending, over all accounts.
    pub(super) fn balance(&self) -> bool {
        let sum = |total: fn(&Totals) -> i64| -> i128 {
            self.0.values().map(|state| i128::from(total(&state.totals))).sum()
        };
        sum(|totals| totals.debits_posted) == sum(|totals| totals.credits_posted)
            && sum(|totals| totals.debits_pending) == sum(|totals| totals.credits_pending)
    }

    /// Compares the leaves of the liabilities with what is owed: each balance is listed once.
    pub(super) fn owes(&self, listed: &[Sum]) -> Result<(), Reason> {
        let mut sums: HashMap<u64, i64> = HashMap::new();
        listed.iter().for_each(|leaf| *sums.entry(leaf.sum).or_default() += 1);
        let mut states: Vec<(&String, &State)> = self.0.iter().collect();
        states.sort_unstable_by_key(|(path, _)| *path);
        for (path, state) in states.into_iter().filter(|(_, state)| owed(&state.account)) {
            let Some(sum) = u64::try_from(state.posted()).ok().filter(|sum| *sum > 0) else { continue };
            let left = sums.entry(sum).or_default();
            *left -= 1;
            if *left < 0 {
                return Err(Reason::LeftOut { account: path.clone(), sum });
            }
        }
        match sums.iter().find(|(_, left)| **left > 0) {
            Some((&sum, _)) => Err(Reason::OwedToNobody { sum }),
            None => Ok(()),
        }
    }

    /// What stands in floats, and on the way between them.
    pub(super) fn floats(&self) -> i128 {
        let is_float = |kind| matches!(kind, Kind::FloatMpesa | Kind::FloatRail | Kind::ClearingFloat);
        let floats = self.0.values().filter(|state| is_float(state.account.kind()));
        floats.map(|state| i128::from(state.posted())).sum()
    }
}

impl State {
    fn posted(&self) -> i64 {
        self.totals.posted(self.account.kind().side())
    }

    fn above_floor(&self) -> Result<(), Reason> {
        let available = self.totals.available(self.account.kind().side());
        match self.floor {
            Some(floor) if available < floor => {
                Err(Reason::Floor { account: self.account.path(), available, floor })
            }
            _ => Ok(()),
        }
    }
}

fn phase(letter: char) -> Option<Phase> {
    Some(match letter {
        'p' => Phase::Post,
        'h' => Phase::Hold,
        's' => Phase::Settle,
        'v' => Phase::Void,
        _ => return None,
    })
}
