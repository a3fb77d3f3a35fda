//! The table of what to do about an attempt.

use chrono::DateTime;

use super::super::{Attempt, Look, Next, Sent, verdict};

const ATTEMPT: Attempt = Attempt { max_time: 1_000, first_ledger: 50 };

fn absent(latest_close: i64, latest_ledger: u32, oldest_ledger: u32) -> Option<Look> {
    Some(Look::NotFound { latest_close, latest_ledger, oldest_ledger })
}

fn refused(code: &str) -> Sent {
    Sent::Refused { code: code.into() }
}

fn every_answer() -> Vec<Sent> {
    vec![
        Sent::Pending { ledger: Some(60) },
        Sent::Pending { ledger: None },
        Sent::Duplicate { ledger: Some(60) },
        Sent::TryLater,
        Sent::BadSequence,
        Sent::TooLate,
        refused("TxInsufficientFee"),
        refused("TxBadAuth"),
        Sent::Unknown { why: "deadline".into() },
    ]
}

#[test]
fn what_the_chain_says_ends_it_whatever_the_server_said_on_sending() {
    let closed_at = DateTime::from_timestamp(990, 0).unwrap();
    for sent in every_answer() {
        let success = Look::Success { ledger: 61, closed_at, events: vec![] };
        let done = Next::Done { ledger: 61, closed_at, events: vec![] };
        assert_eq!(verdict(ATTEMPT, Some(&sent), Some(success)), done, "{sent:?}");
        let failed = Look::Failed { ledger: Some(61), code: "Trapped".into(), contract_error: Some(104) };
        let wanted =
            Next::FailedOnChain { ledger: Some(61), code: "Trapped".into(), contract_error: Some(104) };
        assert_eq!(verdict(ATTEMPT, Some(&sent), Some(failed)), wanted, "{sent:?}");
    }
}

#[test]
fn while_it_may_still_be_applied_it_is_never_rebuilt() {
    let mut answers: Vec<Option<Sent>> = every_answer().into_iter().map(Some).collect();
    answers.push(None);
    for sent in answers {
        for look in [absent(999, 70, 1), absent(1_000, 70, 1), absent(1_000, 70, 69), None] {
            let next = verdict(ATTEMPT, sent.as_ref(), look.clone());
            assert!(
                matches!(next, Next::ResendSame | Next::Wait | Next::Stuck | Next::Raise),
                "{sent:?} {look:?} {next:?}"
            );
        }
    }
}

#[test]
fn past_its_time_it_is_dead_if_the_server_remembers_all_it_could_be_in() {
    for sent in every_answer() {
        assert_eq!(verdict(ATTEMPT, Some(&sent), absent(1_001, 70, 50)), Next::Rebuild, "{sent:?}");
        assert_eq!(verdict(ATTEMPT, Some(&sent), absent(1_001, 70, 1)), Next::Rebuild, "{sent:?}");
        assert_eq!(verdict(ATTEMPT, Some(&sent), absent(1_001, 70, 51)), Next::AskContract, "{sent:?}");
    }
    assert_eq!(verdict(ATTEMPT, None, absent(1_001, 70, 50)), Next::Rebuild, "also when never sent");
}

#[test]
fn not_found_in_time_is_sent_again_or_waited_for() {
    let now = |ledger| absent(900, ledger, 1);
    let table: Vec<(Option<Sent>, u32, Next)> = vec![
        (None, 60, Next::ResendSame),
        (Some(Sent::Unknown { why: "deadline".into() }), 60, Next::ResendSame),
        (Some(Sent::TryLater), 60, Next::ResendSame),
        (Some(Sent::BadSequence), 60, Next::ResendSame),
        (Some(refused("TxInsufficientFee")), 60, Next::Raise),
        (Some(refused("TxInsufficientBalance")), 60, Next::ResendSame),
        (Some(refused("TxBadAuth")), 60, Next::Wait),
        (Some(refused("TxSorobanInvalid")), 60, Next::Wait),
        (Some(Sent::TooLate), 60, Next::Wait),
        (Some(Sent::Pending { ledger: Some(60) }), 60, Next::Wait),
        (Some(Sent::Pending { ledger: Some(60) }), 61, Next::Wait),
        (Some(Sent::Pending { ledger: Some(60) }), 62, Next::Stuck),
        (Some(Sent::Duplicate { ledger: Some(60) }), 61, Next::Wait),
        (Some(Sent::Duplicate { ledger: Some(60) }), 62, Next::Stuck),
        (Some(Sent::Pending { ledger: None }), 60, Next::Stuck),
    ];
    for (sent, ledger, wanted) in table {
        assert_eq!(verdict(ATTEMPT, sent.as_ref(), now(ledger)), wanted, "{sent:?} at {ledger}");
    }
}

#[test]
fn when_the_server_cannot_be_asked_only_what_was_never_sent_is_sent() {
    assert_eq!(verdict(ATTEMPT, None, None), Next::ResendSame);
    for sent in every_answer() {
        assert_eq!(verdict(ATTEMPT, Some(&sent), None), Next::Wait, "{sent:?}");
    }
}
