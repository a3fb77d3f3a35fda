//! The arrows of a payout, one story each: silence, denial, contradiction, repetition.

use super::*;
use amana_ledger::id::Rng;
use amana_ledger::money::Asset;
use uuid::Uuid;

struct Fixed;
impl Rng for Fixed {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

fn terms() -> Terms {
    let money = Money::new(Asset::Kes, 5_000_000).unwrap();
    Terms {
        reference: "PAYOUT_0000000001".into(),
        book: BookId::parse("kenya:KES").unwrap(),
        escrow: EscrowRef::mint(&Fixed),
        beneficiary: PartyId(Uuid::from_u128(2)),
        purpose: Purpose::Wage,
        claim: money,
        amount: money,
    }
}

fn hold() -> TransferId {
    TransferId(Uuid::from_u128(9))
}

fn status(state: PayoutState) -> PayoutStatus {
    PayoutStatus {
        reference: terms().reference,
        provider_id: Some("INT1".into()),
        state,
        money: None,
        fee: None,
        reason: None,
    }
}

fn go(state: State, events: Vec<Event>) -> (State, Vec<Command>) {
    let mut all = Vec::new();
    let mut state = state;
    for event in events {
        let (next, commands) = state.next(&terms(), event).unwrap();
        state = next;
        all.extend(commands);
    }
    (state, all)
}

fn frees(commands: &[Command]) -> bool {
    commands.iter().any(|command| matches!(command, Command::Void(_)))
}

fn sends(commands: &[Command]) -> usize {
    commands.iter().filter(|command| matches!(command, Command::Send { .. })).count()
}

#[test]
fn silence_frees_nothing_and_sends_nothing() {
    let start = State::Sending { hold: hold(), sends: 0, waits: 0 };
    let lost = || Outcome::Unknown { why: "no answer".into() };
    let mut events = vec![Event::Sent(lost())];
    events.extend((0..20).map(|_| Event::Answered(Outcome::Unknown { why: "no answer".into() })));
    let (state, commands) = go(start, events);
    assert_eq!(state.word(), "unknown");
    assert!(!frees(&commands));
    assert_eq!(sends(&commands), 0);
}

#[test]
fn an_unknown_reference_alone_frees_nothing() {
    let start = State::Unknown { hold: hold(), asks: 0, sends: 1 };
    let denied = || Event::Answered(Outcome::Done(None));
    let (state, commands) = go(start, vec![denied(), denied()]);
    assert_eq!((state.word(), sends(&commands), frees(&commands)), ("unknown", 0, false));
    // Denied long after the deadline, the same reference goes again; the money stays set aside.
    let (state, commands) = go(state, vec![denied()]);
    assert_eq!((state.hold(), sends(&commands), frees(&commands)), (Some(hold()), 1, false));
    // And a refusal of that second send is no proof about the first.
    let no = Outcome::Refused { code: "409".into(), reason: "other body".into() };
    let (state, commands) = go(state, vec![Event::Sent(no)]);
    assert_eq!((state.word(), frees(&commands)), ("unknown", false));
}

#[test]
fn failed_is_believed_only_in_answer_to_a_question() {
    let start = State::Accepted { hold: hold(), asks: 1 };
    let (state, commands) = go(start, vec![Event::Told(status(PayoutState::Failed))]);
    assert!(matches!(state, State::Doubted { .. }));
    assert!(!frees(&commands));
    let (paid, _) = go(state.clone(), vec![Event::Told(status(PayoutState::Completed))]);
    assert_eq!(paid.word(), "completed");
    let (failed, commands) =
        go(state, vec![Event::Answered(Outcome::Done(Some(status(PayoutState::Failed))))]);
    assert_eq!(failed.word(), "failed");
    assert!(frees(&commands));
}

#[test]
fn completed_is_settled_once_however_often_it_is_said() {
    let start = State::Accepted { hold: hold(), asks: 1 };
    let done = || Event::Told(status(PayoutState::Completed));
    let answered = Event::Answered(Outcome::Done(Some(status(PayoutState::Completed))));
    let late = Event::Told(status(PayoutState::Processing));
    let (state, commands) = go(start, vec![done(), done(), late, answered, Event::Burned, done()]);
    assert!(matches!(state, State::Settled { .. }));
    assert_eq!(commands.iter().filter(|command| matches!(command, Command::Settle(..))).count(), 1);
}

#[test]
fn paid_after_failed_is_taken_from_the_claim_after_all() {
    let failed = State::Failed { reason: "said so".into() };
    let (state, commands) = go(failed, vec![Event::Told(status(PayoutState::Completed))]);
    assert!(commands.contains(&Command::Hold));
    assert!(commands.contains(&Command::Emit("payout.contradicted")));
    let (state, commands) = go(state, vec![Event::Held(hold())]);
    assert_eq!(state.word(), "completed");
    assert!(commands.iter().any(|command| matches!(command, Command::Settle(..))));
}

#[test]
fn a_word_about_another_amount_settles_nothing() {
    let money = Some(Money::new(Asset::Kes, 5_000_100).unwrap());
    let wrong = PayoutStatus { money, ..status(PayoutState::Completed) };
    let start = State::Accepted { hold: hold(), asks: 1 };
    let (state, commands) = go(start.clone(), vec![Event::Told(wrong.clone())]);
    assert_eq!((state, commands), (start.clone(), vec![Command::Emit("payout.amount_differs")]));
    let (state, commands) = go(start, vec![Event::Answered(Outcome::Done(Some(wrong)))]);
    assert_eq!(state.word(), "processing");
    assert!(matches!(commands[..], [Command::Ask { .. }]));
}

#[test]
fn a_short_float_waits_and_tries_again() {
    let due = State::Due { short: None };
    let (state, commands) = go(due, vec![Event::Start, Event::Short("float is short".into())]);
    assert_eq!(state, State::Due { short: Some("float is short".into()) });
    assert!(commands.contains(&Command::StartLater { delay_s: FLOAT_WAIT_S }));
}

#[test]
fn a_float_that_stays_short_is_said_once() {
    let short = || Event::Short("float is short".into());
    let (state, commands) = go(State::Due { short: None }, vec![short(), Event::Start, short(), short()]);
    let said = commands.iter().filter(|command| matches!(command, Command::Emit(_))).count();
    assert_eq!(said, 1);
    let (_, commands) = go(state, vec![Event::Retry, short()]);
    assert!(commands.contains(&Command::Emit("payout.waiting_for_float")), "somebody asked");
}

#[test]
fn a_rail_that_cannot_be_reached_is_tried_ever_more_rarely() {
    let start = State::Sending { hold: hold(), sends: 0, waits: 0 };
    let down = || Event::Sent(Outcome::NotSent { why: "no connection".into() });
    let (state, commands) = go(start, (0..20).map(|_| down()).collect());
    let waited = commands.iter().map(|command| match command {
        Command::Send { delay_s } => *delay_s,
        other => panic!("{other:?}"),
    });
    let waited: Vec<u32> = waited.collect();
    assert_eq!((waited.first(), waited.last()), (Some(&5), Some(&3600)));
    assert!(waited.is_sorted());
    // It was never sent, so a refusal is still a definite one.
    let no = Outcome::Refused { code: "400".into(), reason: "no such number".into() };
    let (state, commands) = go(state, vec![Event::Sent(no)]);
    assert_eq!((state.word(), frees(&commands)), ("failed", true));
}

#[test]
fn a_refund_ends_when_it_is_paid_as_no_token_stands_behind_it() {
    let terms = Terms { purpose: Purpose::Refund { source: None }, ..terms() };
    let sending = State::Sending { hold: hold(), sends: 0, waits: 0 };
    let done = Event::Sent(Outcome::Done(status(PayoutState::Completed)));
    let (state, commands) = sending.next(&terms, done).unwrap();
    assert!(matches!(state, State::Settled { .. }));
    assert!(commands.iter().any(|command| matches!(command, Command::Settle(..))));
    // "Failed" twice, then "completed" after all: taken once more, and ended.
    let failed = State::Failed { reason: "x".into() };
    let (state, _) = failed.next(&terms, Event::Told(status(PayoutState::Completed))).unwrap();
    let (state, commands) = state.next(&terms, Event::Held(hold())).unwrap();
    assert!(matches!(state, State::Settled { .. }));
    assert_eq!(commands.iter().filter(|command| matches!(command, Command::Settle(..))).count(), 1);
}
