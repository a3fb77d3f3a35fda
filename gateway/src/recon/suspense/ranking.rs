//! Whose may it be? Escrows ranked for money in suspense, each with the reasons.
//!
//! Invariant: pure; the score is the sum of its reasons; nothing is credited by it, however high it is. A
//! near miss of a reference is a hint for a person, since its check character says that something was
//! mistyped.

use amana_ledger::id::{EscrowRef, PartyId};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

/// Money that nobody could place.
#[derive(Debug, Clone)]
pub struct Lost {
    /// What the payer typed, if it may still be read.
    pub typed: Option<String>,
    /// Who pays from that number, if it is one of ours.
    pub payer: Option<PartyId>,
    /// Minor units.
    pub amount: i64,
    /// When it came.
    pub at: DateTime<Utc>,
}

/// An escrow that may be meant.
#[derive(Debug, Clone)]
pub struct Open {
    /// Its reference.
    pub reference: EscrowRef,
    /// Whose money it is.
    pub employer: PartyId,
    /// The whole amount, minor units.
    pub amount: i64,
    /// What is still due of it.
    pub due: i64,
    /// Since when it is there.
    pub created_at: DateTime<Utc>,
}

/// One reason for a candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Reason {
    /// In words.
    pub why: String,
    /// How much it counts.
    pub points: u32,
}

/// A candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Candidate {
    /// The escrow.
    pub reference: String,
    /// The sum of the reasons, 0 to 110.
    pub score: u32,
    /// Why.
    pub reasons: Vec<Reason>,
}

/// What a reference without a slip would count; each slip takes some of it.
const REFERENCE: u32 = 60;
const A_SLIP: u32 = 12;
/// More slips than these are another reference.
const SLIPS: usize = 4;

/// The most likely escrows first; those without a reason are left out. Of equals, the younger one.
pub fn ranked(lost: &Lost, escrows: &[Open], most: usize) -> Vec<Candidate> {
    let typed = lost.typed.as_deref().map(folded).filter(|typed| !typed.is_empty());
    let mut all: Vec<(u32, &Open, Vec<Reason>)> = escrows
        .iter()
        .map(|open| {
            let reasons = reasons(lost, typed.as_deref(), open);
            (reasons.iter().map(|reason| reason.points).sum(), open, reasons)
        })
        .filter(|(score, ..)| *score > 0)
        .collect();
    all.sort_by(|one, other| {
        let by_score = other.0.cmp(&one.0);
        by_score.then(other.1.created_at.cmp(&one.1.created_at)).then(one.1.reference.cmp(&other.1.reference))
    });
    all.truncate(most);
    let candidate = |(score, open, reasons): (u32, &Open, _)| Candidate {
        reference: open.reference.to_string(),
        score,
        reasons,
    };
    all.into_iter().map(candidate).collect()
}

fn reasons(lost: &Lost, typed: Option<&str>, open: &Open) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let mut because = |why: String, points| reasons.push(Reason { why, points });
    if let Some(slips) = typed.map(|typed| slips(typed, &open.reference)).filter(|slips| *slips <= SLIPS) {
        let points = REFERENCE - A_SLIP * u32::try_from(slips).unwrap_or(0);
        let plural = if slips == 1 { "slip" } else { "slips" };
        because(format!("what was typed is {slips} {plural} away from its reference"), points);
    }
    if lost.payer == Some(open.employer) {
        because("it came from the employer's number".into(), 25);
    }
    if open.due > 0 && lost.amount == open.due {
        because("it is what is due".into(), 15);
    } else if lost.amount == open.amount {
        because("it is the whole amount".into(), 10);
    }
    let age = lost.at - open.created_at;
    if !reasons.is_empty() && age >= TimeDelta::zero() && age <= TimeDelta::days(2) {
        reasons.push(Reason { why: "the escrow was at most two days old".into(), points: 10 });
    }
    reasons
}

/// How many letters were changed, left out, put in, or swapped with their neighbour; with the prefix or
/// without it, whichever is closer.
fn slips(typed: &str, reference: &EscrowRef) -> usize {
    let whole = folded(reference.as_str());
    let tail = folded(reference.tail());
    strsim::osa_distance(typed, &whole).min(strsim::osa_distance(typed, &tail))
}

/// Letters and digits alone, as [`EscrowRef::fold`] takes them.
fn folded(text: &str) -> String {
    let fold = |c: char| match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    text.chars().filter(|c| c.is_alphanumeric()).take(60).map(fold).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn open(reference: &str, due: i64) -> Open {
        Open {
            reference: EscrowRef::fold(reference).unwrap(),
            employer: PartyId(uuid::Uuid::from_u128(1)),
            amount: 5_000,
            due,
            created_at: DateTime::UNIX_EPOCH,
        }
    }

    fn lost(typed: &str) -> Lost {
        let at = DateTime::UNIX_EPOCH + TimeDelta::days(10);
        Lost { typed: Some(typed.into()), payer: None, amount: 77, at }
    }

    #[test]
    fn slips_are_counted_with_the_prefix_or_without() {
        let reference = EscrowRef::fold("ESCROW_000000000").unwrap();
        for (typed, expected) in [
            ("escrow 000000000", 0),
            ("ooooooooo", 0),
            ("00000000", 1),
            ("ESCROW_0000001000", 1),
            ("ESROW 00000000", 2),
            ("", 9),
        ] {
            assert_eq!(slips(&folded(typed), &reference), expected, "{typed}");
        }
    }

    #[test]
    fn the_score_is_the_sum_of_its_reasons() {
        let mut lost = lost("ESCROW_00000000");
        (lost.payer, lost.amount) = (Some(PartyId(uuid::Uuid::from_u128(1))), 3_000);
        lost.at = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let found = ranked(&lost, &[open("000000000", 3_000)], 10);
        assert_eq!(found[0].score, 48 + 25 + 15 + 10);
        assert_eq!(found[0].score, found[0].reasons.iter().map(|reason| reason.points).sum::<u32>());
        assert_eq!(found[0].reasons.len(), 4);
    }

    #[test]
    fn without_a_reason_there_is_no_candidate() {
        assert_eq!(ranked(&lost("rent for march"), &[open("000000000", 3_000)], 10), []);
        let nothing = Lost { typed: None, ..lost("") };
        assert_eq!(ranked(&nothing, &[open("000000000", 3_000)], 10), []);
    }
}
