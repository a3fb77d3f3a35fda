//! The obviously right ledger: a list of postings, summed up anew for every question.
//!
//! Invariant: it shares no code with the ledger but the words of accounts. It is slow on purpose.

use std::collections::BTreeMap;

/// How a posting counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Moved.
    Post,
    /// Set aside.
    Hold,
    /// Set aside before, moved now.
    Settle,
    /// Set aside before, free now.
    Void,
}

/// Debited path, credited path, minor units.
pub type Leg = (String, String, i64);

/// What is asked of a book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Post legs together.
    Post(Vec<Leg>),
    /// Set one leg aside until an instant, if any.
    Hold(Leg, Option<i64>),
    /// Post `part` of a hold, with further legs; after the `last` part free the rest.
    Settle {
        /// The key of the transfer that opened the hold.
        hold: String,
        /// How much.
        part: i64,
        /// Whether the rest is freed.
        last: bool,
        /// Legs posted with it.
        also: Vec<Leg>,
    },
    /// Free a hold.
    Void(String),
    /// Free a hold whose time is over.
    Expire(String),
    /// Turn a transfer round, by its key.
    Reverse(String),
}

/// What a book answers. A refusal is named by the word of the ledger's rejection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It landed.
    New,
    /// It had landed.
    Replayed,
    /// It was refused.
    Refused(&'static str),
}

struct Held {
    leg: Leg,
    left: i64,
    until: Option<i64>,
}

/// One book.
#[derive(Default)]
pub struct Naive {
    lines: Vec<(Leg, Phase)>,
    heard: BTreeMap<String, Op>,
    posted: BTreeMap<String, Vec<Leg>>,
    holds: BTreeMap<String, Held>,
    reversed: Vec<String>,
    /// What time it is.
    pub now: i64,
}

impl Naive {
    /// An empty book at an instant.
    pub fn at(now: i64) -> Self {
        Self { now, ..Self::default() }
    }

    /// Debits posted, credits posted, debits pending, credits pending of a path.
    pub fn totals(&self, path: &str) -> [i64; 4] {
        let mut totals = [0; 4];
        for ((debit, credit, amount), phase) in &self.lines {
            for (at, side) in [debit, credit].into_iter().enumerate() {
                if side == path {
                    totals[at] += if matches!(phase, Phase::Post | Phase::Settle) { *amount } else { 0 };
                    totals[at + 2] += match phase {
                        Phase::Post => 0,
                        Phase::Hold => *amount,
                        Phase::Settle | Phase::Void => -*amount,
                    };
                }
            }
        }
        totals
    }

    /// Every path that was ever touched.
    pub fn paths(&self) -> Vec<String> {
        let mut paths: Vec<String> =
            self.lines.iter().flat_map(|((debit, credit, _), _)| [debit.clone(), credit.clone()]).collect();
        paths.sort();
        paths.dedup();
        paths
    }

    /// Asks for something under a key.
    pub fn ask(&mut self, key: &str, op: &Op) -> Answer {
        if let Some(first) = self.heard.get(key) {
            return if first == op { Answer::Replayed } else { Answer::Refused("KeyReused") };
        }
        let before = self.lines.len();
        let outcome = self.try_op(key, op);
        let below = outcome.is_ok() && self.paths().iter().any(|path| self.below_floor(path));
        match outcome {
            Ok(()) if !below => {
                self.remember(key, op, before);
                Answer::New
            }
            Ok(()) => {
                self.lines.truncate(before);
                Answer::Refused("Overdraft")
            }
            Err(word) => {
                self.lines.truncate(before);
                Answer::Refused(word)
            }
        }
    }

    fn try_op(&mut self, key: &str, op: &Op) -> Result<(), &'static str> {
        match op {
            Op::Post(legs) => self.lines.extend(legs.iter().map(|leg| (leg.clone(), Phase::Post))),
            Op::Hold(leg, _) => self.lines.push((leg.clone(), Phase::Hold)),
            Op::Settle { hold, part, last, also } => {
                let held = self.open(hold)?;
                if held.until.is_some_and(|until| until <= self.now) {
                    return Err("HoldDue");
                }
                if *part > held.left {
                    return Err("HoldExceeded");
                }
                let (debit, credit, _) = held.leg.clone();
                let rest = held.left - part;
                self.lines.push(((debit.clone(), credit.clone(), *part), Phase::Settle));
                if *last && rest > 0 {
                    self.lines.push(((debit, credit, rest), Phase::Void));
                }
                self.lines.extend(also.iter().map(|leg| (leg.clone(), Phase::Post)));
            }
            Op::Void(hold) => {
                let held = self.open(hold)?;
                let (debit, credit, _) = held.leg.clone();
                self.lines.push(((debit, credit, held.left), Phase::Void));
            }
            Op::Expire(hold) => {
                let held = self.open(hold)?;
                if held.until.is_none_or(|until| until > self.now) {
                    return Err("HoldNotDue");
                }
                let (debit, credit, _) = held.leg.clone();
                self.lines.push(((debit, credit, held.left), Phase::Void));
            }
            Op::Reverse(of) => {
                let legs = self.posted.get(of).ok_or("UnknownTransfer")?;
                if self.reversed.contains(of) {
                    return Err("AlreadyReversed");
                }
                if legs.is_empty() || matches!(self.heard[of], Op::Reverse(_)) {
                    return Err("NotReversible");
                }
                let turned =
                    |(debit, credit, amount): &Leg| ((credit.clone(), debit.clone(), *amount), Phase::Post);
                self.lines.extend(legs.iter().map(turned).collect::<Vec<_>>());
            }
        }
        debug_assert!(!key.is_empty());
        Ok(())
    }

    fn open(&self, hold: &str) -> Result<&Held, &'static str> {
        let held = self.holds.get(hold).ok_or("UnknownHold")?;
        if held.left == 0 { Err("HoldClosed") } else { Ok(held) }
    }

    fn remember(&mut self, key: &str, op: &Op, before: usize) {
        let mine = &self.lines[before..];
        let posted = mine.iter().filter(|(_, phase)| matches!(phase, Phase::Post | Phase::Settle));
        self.posted.insert(key.to_owned(), posted.map(|(leg, _)| leg.clone()).collect());
        self.heard.insert(key.to_owned(), op.clone());
        match op {
            Op::Post(_) => {}
            Op::Hold(leg, until) => {
                self.holds.insert(key.to_owned(), Held { leg: leg.clone(), left: leg.2, until: *until });
            }
            Op::Settle { hold, part, last, .. } => {
                let held = self.holds.get_mut(hold).expect("it was open");
                held.left = if *last { 0 } else { held.left - part };
            }
            Op::Void(hold) | Op::Expire(hold) => self.holds.get_mut(hold).expect("it was open").left = 0,
            Op::Reverse(of) => self.reversed.push(of.clone()),
        }
    }

    /// Assets and liabilities may not fall below zero, what is held counted as gone.
    fn below_floor(&self, path: &str) -> bool {
        let [debits, credits, debits_held, credits_held] = self.totals(path);
        match path.split(':').next() {
            Some("float") => debits - credits - credits_held < 0,
            Some("clearing" | "onchain") if path != "clearing:burn" && path != "onchain:issued" => {
                debits - credits - credits_held < 0
            }
            Some("equity" | "income" | "expense") => false,
            _ => credits - debits - debits_held < 0,
        }
    }
}
