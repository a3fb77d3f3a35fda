//! Scripts made by chance: what a test with many seeds plays.
//!
//! Invariant: the same seed and rates make the same script. Every rule ends after [`Rates::budget`] strikes,
//! so whatever is retried comes through in the end.

use super::draw::number;
use super::{Fault, Faults, Rule};

/// How often each fault strikes at most, of a thousand calls it fits. A script takes each fault or leaves it
/// out, by chance, and then strikes it at some rate up to this one: scripts with few kinds of fault reach
/// what scripts with all of them drown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rates {
    /// `TRY_AGAIN_LATER`.
    pub try_again_later: u16,
    /// txBAD_SEQ on a good number.
    pub bad_sequence: u16,
    /// Lost between server and queue.
    pub lost: u16,
    /// Never taken into a ledger.
    pub dropped: u16,
    /// Taken 1 to 12 ledgers later.
    pub late: u16,
    /// Taken at the edge of its time.
    pub last_moment: u16,
    /// HTTP 500 to 504 before anything was done.
    pub sick: u16,
    /// HTTP 500 to 504 afterwards.
    pub lost_answer: u16,
    /// Connection closed before.
    pub hang_up: u16,
    /// Connection closed afterwards.
    pub hang_up_after: u16,
    /// Asked twice.
    pub twice: u16,
    /// 1 to 5 ledgers behind.
    pub stale: u16,
    /// `NOT_FOUND` 1 to 3 ledgers after inclusion.
    pub not_found: u16,
    /// Fees rise tenfold to a thousandfold for 1 to 8 ledgers; half of the times low bids are refused.
    pub surge: u16,
    /// 1 to 3 600 seconds pass in 1 to 12 ledgers.
    pub jump: u16,
    /// The window shrinks to 1 to 64 ledgers.
    pub forget: u16,
    /// How often each rule strikes at most.
    pub budget: u32,
    /// Whether transactions wait for the network's pace.
    pub queue: bool,
}

impl Rates {
    /// Nothing goes wrong.
    pub fn calm() -> Self {
        Self {
            try_again_later: 0,
            bad_sequence: 0,
            lost: 0,
            dropped: 0,
            late: 0,
            last_moment: 0,
            sick: 0,
            lost_answer: 0,
            hang_up: 0,
            hang_up_after: 0,
            twice: 0,
            stale: 0,
            not_found: 0,
            surge: 0,
            jump: 0,
            forget: 0,
            budget: 0,
            queue: true,
        }
    }

    /// A bad day: up to a third of the sendings and a tenth of everything else. What RPC servers do not
    /// promise not to do, but no client can see through (`not_found`, `forget`), is left out.
    pub fn rough() -> Self {
        Self {
            try_again_later: 200,
            bad_sequence: 100,
            lost: 150,
            dropped: 150,
            late: 300,
            last_moment: 100,
            sick: 100,
            lost_answer: 100,
            hang_up: 100,
            hang_up_after: 100,
            twice: 100,
            stale: 200,
            surge: 20,
            jump: 10,
            budget: 25,
            ..Self::calm()
        }
    }
}

/// Throws of dice, one after the other.
struct Dice {
    seed: u64,
    thrown: u32,
}

impl Dice {
    /// A number from `least` to `most`.
    fn throw(&mut self, least: u64, most: u64) -> u64 {
        self.thrown += 1;
        least + number(&format!("{}:{}", self.seed, self.thrown)) % (most - least + 1)
    }

    fn small(&mut self, least: u32, most: u32) -> u32 {
        u32::try_from(self.throw(u64::from(least), u64::from(most))).unwrap_or(most)
    }

    fn status(&mut self) -> u16 {
        500 + u16::try_from(self.throw(0, 4)).unwrap_or(0)
    }
}

impl Faults {
    /// A script made by chance.
    pub fn random(seed: u64, rates: &Rates) -> Self {
        let mut dice = Dice { seed, thrown: 0 };
        let mut rules = Vec::new();
        for (most, fault) in every(&mut dice, rates) {
            // Both throws are made for every fault, so that a rate of 0 does not change the others.
            let (taken, share) = (dice.throw(0, 1) == 1, dice.throw(1, 4));
            let per_mille = u16::try_from(u64::from(most) * share / 4).unwrap_or(most);
            if taken && per_mille > 0 {
                rules.push(Rule { per_mille, ..Rule::times(fault, rates.budget) });
            }
        }
        Self { queue: rates.queue, seed, rules }
    }
}

/// Every fault once, the weather first, with its greatest rate.
fn every(dice: &mut Dice, rates: &Rates) -> Vec<(u16, Fault)> {
    let surge = Fault::Surge {
        fee: 100 * 10i64.pow(dice.small(1, 3)),
        ledgers: dice.small(1, 8),
        refuses: dice.throw(0, 1) == 1,
    };
    let jump = Fault::Jump { seconds: dice.throw(1, 3_600), ledgers: dice.small(1, 12) };
    vec![
        (rates.surge, surge),
        (rates.jump, jump),
        (rates.forget, Fault::Forget { ledgers: dice.small(1, 64) }),
        (rates.sick, Fault::Sick { status: dice.status() }),
        (rates.lost_answer, Fault::LostAnswer { status: dice.status() }),
        (rates.hang_up, Fault::HangUp),
        (rates.hang_up_after, Fault::HangUpAfter),
        (rates.twice, Fault::Twice),
        (rates.stale, Fault::Stale { ledgers: dice.small(1, 5) }),
        (rates.not_found, Fault::NotFound { ledgers: dice.small(1, 3) }),
        (rates.try_again_later, Fault::TryAgainLater),
        (rates.bad_sequence, Fault::BadSequence),
        (rates.lost, Fault::Lost),
        (rates.dropped, Fault::Dropped),
        (rates.last_moment, Fault::LastMoment),
        (rates.late / 2, Fault::Late { ledgers: dice.small(1, 3) }),
        (rates.late / 2, Fault::Late { ledgers: dice.small(4, 12) }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_one_script_and_every_script_can_be_played() {
        let rates = Rates { not_found: 50, forget: 5, ..Rates::rough() };
        let mut kinds = std::collections::HashSet::new();
        for seed in 0..500 {
            let script = Faults::random(seed, &rates);
            assert_eq!(script, Faults::random(seed, &rates));
            script.check().unwrap();
            kinds.extend(script.rules.iter().map(|rule| std::mem::discriminant(&rule.fault)));
        }
        assert_eq!(kinds.len(), 16, "every kind of fault comes up");
    }

    #[test]
    fn a_calm_network_has_a_queue_and_no_rules() {
        assert_eq!(Faults::random(3, &Rates::calm()), Faults { seed: 3, ..Faults::queue() });
    }

    #[test]
    fn a_rate_of_nothing_does_not_change_the_others() {
        let calmer = Rates { stale: 0, ..Rates::rough() };
        for seed in 0..50 {
            let mut with = Faults::random(seed, &Rates::rough());
            with.rules.retain(|rule| !matches!(rule.fault, Fault::Stale { .. }));
            assert_eq!(with, Faults::random(seed, &calmer));
        }
    }
}
