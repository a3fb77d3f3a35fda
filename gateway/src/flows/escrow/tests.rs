//! Every arrow of an escrow, and the amounts on them.

use super::*;
use amana_ledger::money::Asset;
use uuid::Uuid;

const WHOLE: i64 = 5_000_000;

fn terms() -> Terms {
    Terms {
        reference: EscrowRef::mint(&Fixed),
        book: BookId::parse("kenya:KES").unwrap(),
        job: Some(1),
        employer: PartyId(Uuid::from_u128(1)),
        amount: Money::new(Asset::Kes, WHOLE).unwrap(),
        fee: 0,
    }
}

struct Fixed;
impl amana_ledger::id::Rng for Fixed {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

fn part(minor: i64) -> Amount {
    Amount::new(minor).unwrap()
}

fn at() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000, 0).unwrap()
}

fn employee() -> PartyId {
    PartyId(Uuid::from_u128(2))
}

const SPLIT: Split = Split { to_payee: WHOLE - 300, to_payer: 300 };

fn disputed(until: Option<DateTime<Utc>>, decided: Option<Split>) -> State {
    State::Disputed { employee: Some(employee()), at: at(), until, decided }
}

/// Every state and every event: who accepts whom, and nothing else.
fn states() -> Vec<(&'static str, State)> {
    let worker = Some(employee());
    vec![
        ("empty", State::Open { booked: 0, minted: 0, employee: None }),
        ("named", State::Open { booked: 0, minted: 0, employee: worker }),
        ("booked", State::Open { booked: WHOLE, minted: 0, employee: worker }),
        ("funded", State::Funded { employee: None, at: at() }),
        ("working", State::Funded { employee: worker, at: at() }),
        ("releasing", State::Releasing { employee: employee(), at: at() }),
        ("released", State::Released { employee: employee(), at: at() }),
        ("asked", disputed(None, None)),
        ("disputed", disputed(Some(at()), None)),
        ("told", disputed(Some(at()), Some(SPLIT))),
        ("resolved", State::Resolved { employee: worker, at: at() }),
        ("refunded", State::Refunded),
        ("cancelling", State::Cancelling),
        ("cancelled", State::Cancelled),
    ]
}

fn events() -> Vec<(&'static str, Event)> {
    vec![
        ("booked", Event::Booked(part(WHOLE))),
        ("minted", Event::Minted(part(WHOLE), at())),
        ("assign", Event::Assign(employee())),
        ("complete", Event::Complete),
        ("released", Event::Released { surrender: Some("hash:0".into()), to_payee: WHOLE }),
        ("refunded", Event::Refunded { event: "hash:0".into(), amount: part(WHOLE) }),
        ("dispute", Event::Dispute(Side::Employer)),
        ("disputed", Event::Disputed(at())),
        ("unheard", Event::DisputeRefused),
        ("decide", Event::Decide(SPLIT)),
        ("overruled", Event::DecisionRefused),
        ("decided", resolved(0, WHOLE)),
        ("expire", Event::Expire),
        ("cancel", Event::Cancel),
        ("cancelled", Event::Cancelled { event: "hash:0".into(), burned: Some(part(100)) }),
    ]
}

fn resolved(to_payee: i64, to_payer: i64) -> Event {
    Event::Resolved { event: "hash:0".into(), by_phone: true, to_payee, to_payer: Amount::new(to_payer).ok() }
}

#[test]
fn the_arrows_are_these_and_no_others() {
    let arrows = [
        "empty booked",
        "empty assign",
        "empty cancel",
        "empty cancelled",
        "named booked",
        "named cancelled",
        "booked minted",
        "booked cancelled",
        "funded assign",
        "funded refunded",
        "funded expire",
        "funded disputed",
        "working complete",
        "working refunded",
        "working expire",
        "working dispute",
        "working disputed",
        "releasing released",
        "releasing refunded",
        "releasing disputed",
        "asked released",
        "asked refunded",
        "asked disputed",
        "asked unheard",
        "asked decided",
        "disputed decide",
        "disputed decided",
        "told overruled",
        "told decided",
        "cancelling cancelled",
    ];
    let terms = terms();
    for (state_name, state) in states() {
        for (event_name, event) in events() {
            let name = format!("{state_name} {event_name}");
            let taken = state.clone().next(&terms, event).is_ok();
            assert_eq!(taken, arrows.contains(&name.as_str()), "{name}");
        }
    }
}

#[test]
fn complete_before_the_chain_confirmed_is_not_yet() {
    let waiting = State::Open { booked: WHOLE, minted: 0, employee: Some(employee()) };
    assert!(waiting.next(&terms(), Event::Complete).unwrap_err().soon);
    let short = State::Open { booked: WHOLE - 1, minted: 0, employee: Some(employee()) };
    assert!(!short.next(&terms(), Event::Complete).unwrap_err().soon);
}

#[test]
fn a_decision_pays_one_and_burns_the_others_part() {
    let disputed = disputed(Some(at()), Some(SPLIT));
    let burn = |minor, vault_before| Command::Chain(Wish::Burn { amount: part(minor), vault_before });
    let commands = |event| disputed.clone().next(&terms(), event).unwrap().1;
    let back = |minor| Command::GiveBack { event: "hash:0".into(), amount: part(minor) };
    let both = commands(resolved(WHOLE - 300, 300));
    let pay = Command::Pay { employee: employee(), surrender: "hash:0".into(), claim: WHOLE - 300 };
    assert!(both.contains(&pay) && both.contains(&burn(300, WHOLE)) && both.contains(&back(300)));
    let all = commands(resolved(0, WHOLE));
    assert!(all.contains(&burn(WHOLE, WHOLE)) && all.contains(&back(WHOLE)));
    assert!(!all.iter().any(|command| matches!(command, Command::Pay { .. })));
}

#[test]
fn a_decision_parts_all_that_is_left_and_can_be_made_anew_if_it_is_refused() {
    let decide =
        |state: State, to_payee, to_payer| state.next(&terms(), Event::Decide(Split { to_payee, to_payer }));
    let (told, commands) = decide(disputed(Some(at()), None), WHOLE - 300, 300).unwrap();
    assert_eq!(commands, [Command::Chain(Wish::Resolve(SPLIT))]);
    for (to_payee, to_payer) in [(WHOLE, 300), (WHOLE - 301, 300), (i64::MAX, 1)] {
        assert!(decide(disputed(Some(at()), None), to_payee, to_payer).is_err());
    }
    assert!(decide(disputed(None, None), WHOLE - 300, 300).unwrap_err().soon, "the chain has to freeze it");
    assert!(decide(told.clone(), WHOLE, 0).unwrap_err().why.contains("decided already"));
    let (again, _) = told.next(&terms(), Event::DecisionRefused).unwrap();
    assert!(decide(again, WHOLE, 0).is_ok());
}

#[test]
fn what_was_stored_before_there_were_decisions_is_read() {
    let stored = serde_json::json!({"is": "disputed", "employee": null, "at": at(), "until": null});
    let read: State = serde_json::from_value(stored).unwrap();
    assert_eq!(read, State::Disputed { employee: None, at: at(), until: None, decided: None });
}

#[test]
fn nobody_objects_before_somebody_is_named() {
    for side in [Side::Employer, Side::Employee] {
        let nobody = State::Funded { employee: None, at: at() };
        assert!(nobody.next(&terms(), Event::Dispute(side)).unwrap_err().why.contains("no employee"));
        let working = State::Funded { employee: Some(employee()), at: at() };
        assert!(working.next(&terms(), Event::Dispute(side)).is_ok());
    }
}

#[test]
fn nothing_is_withdrawn_while_a_deposit_is_on_its_way() {
    let partly = |minted| State::Open { booked: 100, minted, employee: None };
    assert!(partly(40).next(&terms(), Event::Cancel).unwrap_err().soon);
    assert_eq!(partly(100).next(&terms(), Event::Cancel).unwrap().0, State::Cancelling);
}

#[test]
fn parts_add_up_in_any_order() {
    let terms = terms();
    for parts in [[1, WHOLE - 1], [WHOLE - 1, 1], [WHOLE / 2, WHOLE / 2]] {
        let mut state = State::Open { booked: 0, minted: 0, employee: None };
        for minor in parts {
            state = state.next(&terms, Event::Booked(part(minor))).unwrap().0;
        }
        assert_eq!(state.due(&terms), 0);
        assert!(state.clone().next(&terms, Event::Booked(part(1))).is_err(), "no shilling beyond the amount");
        for minor in parts {
            state = state.next(&terms, Event::Minted(part(minor), at())).unwrap().0;
        }
        assert_eq!(state.status(), Status::Funded);
    }
}

#[test]
fn the_fee_and_the_payee_share_the_whole() {
    let working = State::Funded { employee: Some(employee()), at: at() };
    let terms = Terms { fee: 125, ..terms() };
    let (_, commands) = working.next(&terms, Event::Complete).unwrap();
    assert!(commands.contains(&Command::Chain(Wish::Release { to_payee: WHOLE - 125, fee: 125 })));
}
