//! What each call says: one event of the contract, with exactly these topics and values.

extern crate std;

use std::vec::Vec;

use soroban_sdk::testutils::{Events as _, Ledger as _};
use soroban_sdk::xdr::{ContractEventBody, ScVal};
use soroban_sdk::{Event, IntoVal as _, Symbol, TryFromVal as _};

use super::world::{AMOUNT, Code, DEADLINE, DEFAULT, EXPIRY, FEE, FIRST, Stage, TO_PAYEE, UNIT, World};
use crate::{Assigned, Changed, Created, Funded, Governed, Listed};

/// Asserts that the last call said this alone, under the topics `escrow`, the verb, the reference if it has
/// one.
fn assert_said(world: &World, verb: &str, event: &impl Event) {
    let said = world.env.events().all().filter_by_contract(&world.contract);
    assert_eq!(said, [event.to_xdr(&world.env, &world.contract)]);
    let ContractEventBody::V0(body) = &said.events()[0].body;
    let topics = (Symbol::new(&world.env, "escrow"), Symbol::new(&world.env, verb), &world.reference);
    let expected: soroban_sdk::Vec<soroban_sdk::Val> = topics.into_val(&world.env);
    let expected: Vec<ScVal> =
        expected.iter().map(|v| ScVal::try_from_val(&world.env, &v).unwrap()).collect();
    assert_eq!(body.topics.as_slice(), &expected[..body.topics.len()]);
}

/// What is said of an escrow that has one milestone and no address, and of which nothing was given.
fn changed(world: &World, verb: &str) -> Changed {
    Changed {
        verb: Symbol::new(&world.env, verb),
        reference: world.reference.clone(),
        by: None,
        to: None,
        milestones: 0,
        to_payee: 0,
        to_payer: 0,
        fee: 0,
        burned: 0,
        vault: 0,
        due_payee: 0,
        due_payer: 0,
        remaining: 0,
        until: 0,
    }
}

/// Brings an escrow to a stage and asserts what the last call said of it.
fn assert_changed(stage: Stage, verb: &str, wanted: fn(&World, Changed) -> Changed) {
    let world = World::at(Code::Native, stage);
    assert_said(&world, verb, &wanted(&world, changed(&world, verb)));
}

#[test]
fn created() {
    let world = World::at(Code::Native, Stage::Open);
    let (reference, payer, token) = (world.reference.clone(), world.delegate.clone(), world.token.clone());
    assert_said(&world, "created", &Created { reference, payer, token, amount: AMOUNT, expiry: EXPIRY });
}

#[test]
fn funded_in_part_and_whole() {
    for (stage, deposit, amount, remaining) in
        [(Stage::OpenInPart, "first", AMOUNT - UNIT, UNIT), (Stage::Funded, "second", UNIT, 0)]
    {
        let world = World::at(Code::Native, stage);
        let (reference, operator) = (world.reference.clone(), world.operator.clone());
        let deposit_id = world.bytes(deposit);
        let event = Funded { reference, operator, deposit_id, amount, remaining };
        assert_said(&world, "funded", &event);
    }
}

#[test]
fn assigned() {
    for (stage, to) in [(Stage::FundedMobile, false), (Stage::FundedAccount, true)] {
        let world = World::at(Code::Native, stage);
        let (reference, payer, payee) =
            (world.reference.clone(), world.delegate.clone(), world.bytes("person"));
        let to = to.then(|| world.payee.clone());
        assert_said(&world, "assigned", &Assigned { reference, payer, payee, to });
    }
}

#[test]
fn paid_in() {
    assert_changed(Stage::OwnFunded, "paid_in", |w, event| Changed {
        by: Some(w.owner.clone()),
        remaining: AMOUNT,
        ..event
    });
}

#[test]
fn released() {
    let given = |event| Changed { milestones: 1, to_payee: TO_PAYEE, fee: FEE, ..event };
    assert_changed(Stage::ReleasedMobile, "released", |w, event| {
        let event = Changed { milestones: 1, to_payee: TO_PAYEE, fee: FEE, ..event };
        Changed { by: Some(w.delegate.clone()), burned: FEE, vault: TO_PAYEE, ..event }
    });
    let world = World::at(Code::Native, Stage::OwnReleased);
    let (by, to) = (Some(world.owner.clone()), Some(world.payee.clone()));
    assert_said(&world, "released", &Changed { by, to, ..given(changed(&world, "released")) });
    assert_changed(Stage::FirstReleased, "released", |w, event| Changed {
        by: Some(w.delegate.clone()),
        milestones: 1,
        to_payee: FIRST - UNIT,
        fee: UNIT,
        burned: UNIT,
        vault: FIRST - UNIT,
        remaining: AMOUNT - FIRST,
        ..event
    });
}

#[test]
fn auto_released() {
    let world = World::at(Code::Native, Stage::OwnRung);
    world.client().auto_release(&world.reference);
    let event = changed(&world, "auto_released");
    let to = Some(world.payee.clone());
    assert_said(&world, "auto_released", &Changed { to, to_payee: TO_PAYEE, fee: FEE, ..event });
}

#[test]
fn refunded_by_time_and_by_the_payee() {
    let back = |event| Changed { to_payer: AMOUNT, vault: AMOUNT, ..event };
    assert_changed(Stage::Refunded, "refunded", |_, event| Changed {
        to_payer: AMOUNT,
        vault: AMOUNT,
        ..event
    });
    let world = World::at(Code::Native, Stage::FundedAccount);
    world.env.ledger().set_timestamp(EXPIRY - 1);
    world.client().refund(&world.reference);
    let (by, to) = (Some(world.payee.clone()), Some(world.payee.clone()));
    assert_said(&world, "refunded", &Changed { by, to, ..back(changed(&world, "refunded")) });
}

#[test]
fn cancelled() {
    assert_changed(Stage::CancelledInPart, "cancelled", |w, event| {
        let (by, came) = (Some(w.delegate.clone()), AMOUNT - UNIT);
        Changed { by, to_payer: came, burned: came, ..event }
    });
    let world = World::at(Code::Native, Stage::Open);
    world.env.ledger().set_timestamp(EXPIRY);
    world.client().cancel(&world.reference);
    assert_said(&world, "cancelled", &changed(&world, "cancelled"));
}

#[test]
fn disputed_and_resolved() {
    assert_changed(Stage::DisputedMobile, "disputed", |w, event| Changed {
        by: Some(w.operator.clone()),
        remaining: AMOUNT,
        until: DEADLINE,
        ..event
    });
    assert_changed(Stage::Resolved, "resolved", |w, event| {
        let event = Changed { to_payee: FIRST, to_payer: AMOUNT - FIRST, vault: AMOUNT, ..event };
        Changed { by: Some(w.arbiter.clone()), until: DEADLINE, ..event }
    });
    let world = World::at(Code::Native, Stage::DisputedPastDeadline);
    world.client().resolve_timeout(&world.reference);
    let event = Changed { until: DEADLINE, vault: AMOUNT, ..changed(&world, "resolved") };
    let event = Changed { to_payee: DEFAULT, to_payer: AMOUNT - DEFAULT, ..event };
    assert_said(&world, "resolved", &event);
}

#[test]
fn due_and_claimed() {
    let world = World::at(Code::Native, Stage::OwnDisputed);
    world.freeze(&world.payee, true);
    world.client().resolve(&world.reference, &FIRST);
    let event = Changed { until: DEADLINE, due_payee: FIRST, ..changed(&world, "resolved") };
    let event = Changed { to_payee: FIRST, to_payer: AMOUNT - FIRST, ..event };
    let (by, to) = (Some(world.arbiter.clone()), Some(world.payee.clone()));
    assert_said(&world, "resolved", &Changed { by, to, ..event });
    let world = World::at(Code::Native, Stage::OwnReleasedClaimable);
    world.client().claim(&world.reference);
    let event = Changed { to: Some(world.payee.clone()), ..changed(&world, "claimed") };
    assert_said(&world, "claimed", &event);
}

#[test]
fn burned() {
    let world = World::at(Code::Native, Stage::ReleasedMobile);
    world.client().burn(&world.reference, &UNIT, &TO_PAYEE);
    let event = Changed { milestones: 1, burned: UNIT, vault: TO_PAYEE - UNIT, ..changed(&world, "burned") };
    assert_said(&world, "burned", &Changed { by: Some(world.operator.clone()), ..event });
}

#[test]
fn listed_and_swept() {
    let world = World::at(Code::Native, Stage::OwnReleased);
    let (token, fee_to) = (world.coin.clone(), world.till.clone());
    let event = Listed { listing: 1, token, unit: UNIT, fee_to, open: true, swept: FEE };
    world.client().sweep(&1);
    assert_said(&world, "listed", &event);
    world.client().unlist(&1);
    assert_said(&world, "listed", &Listed { open: false, swept: 0, ..event.clone() });
    world.client().list(&world.coin, &UNIT, &world.till);
    assert_said(&world, "listed", &Listed { listing: 2, swept: 0, ..event });
}

#[test]
fn governed() {
    let world = World::new();
    let verb = |verb| Symbol::new(&world.env, verb);
    let by = world.admin.clone();
    let event = Governed { verb: verb("paused"), by, paused: true, candidate: None, code: None, ready_at: 0 };
    world.client().pause(&true);
    assert_said(&world, "paused", &event);
    let candidate = Some(world.stranger.clone());
    world.client().propose_admin(&candidate);
    let event = Governed { verb: verb("proposed"), candidate, ..event };
    assert_said(&world, "proposed", &event);
    world.client().accept_admin();
    let (by, candidate) = (world.stranger.clone(), None);
    assert_said(&world, "accepted", &Governed { verb: verb("accepted"), by, candidate, ..event });
}

/// Void values are written, so a reader may rely on a field being there.
#[test]
fn absent_addresses_are_written_as_void() {
    let world = World::at(Code::Native, Stage::Refunded);
    let said = world.env.events().all().filter_by_contract(&world.contract);
    let ContractEventBody::V0(body) = &said.events()[0].body;
    let ScVal::Map(Some(fields)) = &body.data else { panic!("not a map: {:?}", body.data) };
    assert_eq!(fields.len(), 12);
    assert_eq!(fields.iter().filter(|field| field.val == ScVal::Void).count(), 2, "by, to");
}
