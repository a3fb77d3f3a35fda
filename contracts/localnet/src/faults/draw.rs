//! The script being played: which rule strikes which call.
//!
//! Invariant: a rule's chance depends on the seed, the rule, the transaction (or method) and how often the
//! rule has met it, and on nothing else.

use std::collections::HashMap;

use super::{Fault, Faults, Rule, Strike};
use crate::encoding::sha256;

/// Struck calls remembered at most, the newest of them.
const REMEMBERED: usize = 100_000;

/// What a rule asks about a call.
pub(crate) struct Call<'a> {
    pub(crate) method: &'a str,
    /// The hash of the transaction it is about, in hex.
    pub(crate) hash: Option<String>,
    /// The account whose transaction it is (G…).
    pub(crate) source: Option<String>,
}

/// A script and how far it has been played.
#[derive(Default)]
pub(crate) struct Draw {
    script: Faults,
    /// For each rule: how often it could have struck, and how often it did.
    counts: Vec<(u32, u32)>,
    /// How often each rule has met each transaction or method.
    met: HashMap<(usize, String), u32>,
    calls: u64,
    strikes: Vec<Strike>,
}

impl Draw {
    /// Begins a script.
    pub(crate) fn new(script: Faults) -> Self {
        let counts = vec![(0, 0); script.rules.len()];
        Self { script, counts, ..Self::default() }
    }

    /// The script.
    pub(crate) fn script(&self) -> &Faults {
        &self.script
    }

    /// What was struck so far.
    pub(crate) fn strikes(&self) -> &[Strike] {
        &self.strikes
    }

    /// The faults that strike this call: any weather, and then at most one other.
    pub(crate) fn strike(&mut self, call: &Call<'_>) -> Vec<Fault> {
        let mut struck = Vec::new();
        if self.script.rules.is_empty() {
            return struck;
        }
        self.calls += 1;
        for number in 0..self.script.rules.len() {
            if !self.hits(number, call) {
                continue;
            }
            let fault = self.script.rules[number].fault.clone();
            self.note(number, call, fault.clone());
            let is_last = !fault.is_weather();
            struck.push(fault);
            if is_last {
                break;
            }
        }
        struck
    }

    fn hits(&mut self, number: usize, call: &Call<'_>) -> bool {
        let rule = &self.script.rules[number];
        if !could_strike(rule, call) {
            return false;
        }
        let (seen, struck) = &mut self.counts[number];
        *seen += 1;
        if *seen <= rule.skip || rule.times.is_some_and(|most| *struck >= most) {
            return false;
        }
        let subject = call.hash.as_deref().unwrap_or(call.method);
        let nth = self.met.entry((number, subject.to_owned())).or_default();
        *nth += 1;
        let lucky = chance(self.script.seed, number, subject, *nth) < rule.per_mille;
        *struck += u32::from(lucky);
        lucky
    }

    fn note(&mut self, rule: usize, call: &Call<'_>, fault: Fault) {
        if self.strikes.len() >= REMEMBERED {
            self.strikes.drain(..REMEMBERED / 2);
        }
        let method = call.method.to_owned();
        self.strikes.push(Strike { call: self.calls, method, hash: call.hash.clone(), rule, fault });
    }
}

fn could_strike(rule: &Rule, call: &Call<'_>) -> bool {
    let method = rule.on.as_deref().is_none_or(|on| on == call.method);
    let source = rule.source.is_none() || rule.source == call.source;
    method && source && rule.fault.fits(call.method)
}

/// A number from 0 to 999.
fn chance(seed: u64, rule: usize, subject: &str, nth: u32) -> u16 {
    let text = format!("{seed}/{rule}/{subject}/{nth}");
    (number(&text) % 1_000) as u16
}

/// A number that follows from a text as from a throw of dice.
pub(super) fn number(text: &str) -> u64 {
    let hash = sha256(text.as_bytes());
    hash.iter().take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send(hash: &str) -> Call<'_> {
        Call { method: "sendTransaction", hash: Some(hash.to_owned()), source: Some("G1".into()) }
    }

    #[test]
    fn rules_count_skip_and_end() {
        let rule = Rule::times(Fault::Lost, 2).after(1);
        let mut draw = Draw::new(Faults::rules([rule]));
        let struck: Vec<usize> = (0..5).map(|_| draw.strike(&send("a")).len()).collect();
        assert_eq!(struck, [0, 1, 1, 0, 0]);
        assert_eq!(draw.strikes().iter().map(|s| s.call).collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn weather_lets_another_rule_strike_too() {
        let jump = Fault::Jump { seconds: 5, ledgers: 1 };
        let rules = [Rule::always(jump.clone()), Rule::always(Fault::Lost), Rule::always(Fault::Dropped)];
        let mut draw = Draw::new(Faults::rules(rules));
        assert_eq!(draw.strike(&send("a")), [jump.clone(), Fault::Lost]);
        let read = Call { method: "getHealth", hash: None, source: None };
        assert_eq!(draw.strike(&read), [jump]);
    }

    #[test]
    fn only_what_fits_is_struck() {
        let rules = [Rule::always(Fault::HangUp).on("getEvents"), Rule::always(Fault::Lost).of("G2")];
        let mut draw = Draw::new(Faults::rules(rules));
        assert_eq!(draw.strike(&send("a")), []);
        let events = Call { method: "getEvents", hash: None, source: None };
        assert_eq!(draw.strike(&events), [Fault::HangUp]);
    }

    #[test]
    fn chance_does_not_depend_on_who_comes_first() {
        fn play<'a>(order: &[&'a str]) -> Vec<&'a str> {
            let script = Faults::rules([Rule::always(Fault::Lost).chance(300)]);
            let mut draw = Draw::new(Faults { seed: 7, ..script });
            let mut struck: Vec<_> =
                order.iter().filter(|hash| !draw.strike(&send(hash)).is_empty()).copied().collect();
            struck.sort_unstable();
            struck
        }
        let hashes: Vec<String> = (0..1_000).map(|n| n.to_string()).collect();
        let forth: Vec<&str> = hashes.iter().map(String::as_str).collect();
        let back: Vec<&str> = forth.iter().rev().copied().collect();
        assert_eq!(play(&forth), play(&back));
        assert!((200..400).contains(&play(&forth).len()));
    }
}
