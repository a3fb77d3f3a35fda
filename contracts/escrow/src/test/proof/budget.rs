//! What a call may cost: the committed numbers, compared with what the committed Wasm uses here, and the
//! limits nothing may pass.
//!
//! Invariant: a change that makes a call dearer changes `budget.txt`, so somebody has seen it.

extern crate std;

use std::format;
use std::string::{String, ToString as _};
use std::vec::Vec;

use soroban_sdk::Val;
use soroban_sdk::testutils::Ledger as _;
use soroban_sdk::xdr::ToXdr as _;

use crate::Terms;
use crate::test::words::{read, table};
use crate::test::world::{AMOUNT, Code, DEADLINE, Stage, UNIT, World};

const MOST_INSTRUCTIONS: i64 = 1_300_000;
const MOST_WASM: usize = 24 * 1024;
/// What the network charges rent for: key and value with their envelope.
const MOST_ENTRY: u32 = 480;
/// Of a ledger entry beside its key and value: when it changed, whose it is, how long it lives.
const ENVELOPE: u32 = 4 + 4 + 4 + 36 + 4 + 4;

/// Each call, and the state it leads to or is made from.
fn calls() -> Vec<(&'static str, World)> {
    let at = |stage| World::at(Code::Wasm, stage);
    let after = |stage, call: fn(&World)| {
        let world = at(stage);
        call(&world);
        world
    };
    Vec::from([
        ("create", at(Stage::Open)),
        ("create, 16 milestones", sixteen()),
        ("fund_deposit, a part", at(Stage::OpenInPart)),
        ("fund_deposit, the rest", at(Stage::Funded)),
        ("fund", at(Stage::OwnFunded)),
        ("assign", at(Stage::FundedMobile)),
        ("assign an address, signed by two", at(Stage::FundedAccount)),
        ("release to the vault, with a fee", at(Stage::ReleasedMobile)),
        ("release one of two milestones", at(Stage::FirstReleased)),
        ("release to an address, with a fee", at(Stage::ReleasedAccount)),
        ("release own tokens, with a fee", at(Stage::OwnReleased)),
        ("auto_release to an address", after(Stage::OwnRung, |w| w.client().auto_release(&w.reference))),
        ("refund to the vault", at(Stage::Refunded)),
        ("refund own tokens", at(Stage::OwnRefunded)),
        ("dispute", at(Stage::DisputedMobile)),
        ("resolve into the vault", at(Stage::Resolved)),
        ("resolve to two addresses", at(Stage::OwnResolved)),
        ("resolve, one address refuses", at(Stage::OwnDue)),
        (
            "resolve_timeout to two addresses",
            after(Stage::OwnDisputed, |w| {
                w.env.ledger().set_timestamp(DEADLINE);
                w.client().resolve_timeout(&w.reference);
            }),
        ),
        ("burn", at(Stage::ReleasedMobilePaid)),
        ("cancel, funded in part", at(Stage::CancelledInPart)),
        ("sweep", after(Stage::OwnReleased, |w| w.client().sweep(&1))),
        ("get", after(Stage::FundedMobile, |w| drop(w.client().get(&w.reference)))),
    ])
}

fn sixteen() -> World {
    let world = World::of(Code::Wasm);
    let mut amounts = soroban_sdk::Vec::new(&world.env);
    (0..16).for_each(|_| amounts.push_back(AMOUNT));
    world.create(&world.delegate, &Terms { amounts, ..world.terms() });
    world
}

/// `call | instructions | entries written | bytes written | bytes of events`, a line a call.
fn measured() -> Vec<String> {
    let line = |(call, world): (&str, World)| {
        let used = world.env.cost_estimate().resources();
        assert!(used.instructions <= MOST_INSTRUCTIONS, "{call}: {} instructions", used.instructions);
        let (written, events) = (used.write_bytes.into(), used.contract_events_size_bytes.into());
        let cells: [i64; 4] = [used.instructions, used.write_entries.into(), written, events];
        format!("{call} | {}", cells.map(|cell| cell.to_string()).join(" | "))
    };
    calls().into_iter().map(line).collect()
}

/// The size of an escrow's entry, as the network counts it.
fn size_of_record(world: &World) -> u32 {
    let key: Val = world.reference.to_val();
    let value: Val = world
        .env
        .as_contract(&world.contract, || world.env.storage().persistent().get(&world.reference).unwrap());
    // A value in XDR carries its own type, as in the entry.
    key.to_xdr(&world.env).len() + value.to_xdr(&world.env).len() + ENVELOPE
}

#[test]
fn the_committed_budget_is_what_is_used() {
    let mut found = measured();
    let world = World::at(Code::Wasm, Stage::Open);
    let (one, two) = (size_of_record(&world), size_of_record(&World::at(Code::Wasm, Stage::FirstReleased)));
    found.push(format!("entry, bytes | {one}"));
    found.push(format!("entry, bytes a milestone | {}", two - one));
    found.push(format!("Wasm, bytes | {}", include_bytes!("../../../escrow.wasm").len()));
    let found = found.join("\n") + "\n";
    assert_eq!(read("budget.txt"), found, "\nbudget.txt should be:\n{found}");
}

#[test]
fn the_readme_states_the_budget() {
    let rows: Vec<_> = table("Cost").into_iter().map(|row| row.join(" | ")).collect();
    let budget = read("budget.txt");
    let lines: Vec<_> = budget.lines().collect();
    assert_eq!(rows, lines[..rows.len()], "\n{budget}");
    for line in &lines[rows.len()..] {
        let (_, number) = line.split_once(" | ").unwrap();
        assert!(read("../README.md").contains(&format!("{number} bytes")), "{line}");
    }
}

/// With real accounts, whose addresses are four bytes longer than a contract's.
#[test]
fn no_limit_is_passed() {
    assert!(include_bytes!("../../../escrow.wasm").len() <= MOST_WASM);
    let accounts: u32 = 2 * 4;
    let one = size_of_record(&World::at(Code::Native, Stage::Open)) + accounts;
    assert!(one <= MOST_ENTRY, "{one} bytes");
    let most = size_of_record(&sixteen()) + accounts;
    assert!(most <= MOST_ENTRY + 15 * 20, "{most} bytes");
}

/// A listing is read with every call: the most there can be make no call too dear.
#[test]
fn a_full_list_keeps_within_the_limit() {
    let world = World::of(Code::Wasm);
    (1..8).for_each(|_| assert!(world.client().list(&world.token, &UNIT, &world.till) > 1));
    world.create(&world.owner, &world.own_terms());
    let calls: [fn(&World); 3] = [
        |w| w.client().fund(&w.reference, &AMOUNT),
        |w| w.client().assign(&w.reference, &w.bytes("person"), &Some(w.payee.clone())),
        |w| w.client().release(&w.reference, &0, &AMOUNT, &0),
    ];
    let used = |world: &World| world.env.cost_estimate().resources().instructions;
    assert!(used(&world) <= MOST_INSTRUCTIONS, "create: {}", used(&world));
    for (at, call) in calls.iter().enumerate() {
        call(&world);
        assert!(used(&world) <= MOST_INSTRUCTIONS, "call {at}: {}", used(&world));
    }
}
