//! What each call says: one event of the contract, with exactly these topics and values.

extern crate std;

use std::vec::Vec;

use soroban_sdk::testutils::{Events as _, Ledger as _};
use soroban_sdk::xdr::{ContractEventBody, ScVal};
use soroban_sdk::{Event, IntoVal as _, Symbol, TryFromVal as _};

use super::world::{AMOUNT, Code, EXPIRY, FEE, Stage, TO_PAYEE, UNIT, World};
use crate::{Assigned, Burned, Cancelled, Created, Funded, Refunded, Released};

/// Asserts that the last call said this alone, under the topics `escrow`, the verb, the reference.
fn assert_said(world: &World, verb: &str, event: &impl Event) {
    let said = world.env.events().all().filter_by_contract(&world.contract);
    assert_eq!(said, [event.to_xdr(&world.env, &world.contract)]);
    let ContractEventBody::V0(body) = &said.events()[0].body;
    let topics = (Symbol::new(&world.env, "escrow"), Symbol::new(&world.env, verb), &world.reference);
    let expected: soroban_sdk::Vec<soroban_sdk::Val> = topics.into_val(&world.env);
    let expected: Vec<ScVal> =
        expected.iter().map(|v| ScVal::try_from_val(&world.env, &v).unwrap()).collect();
    assert_eq!(body.topics.as_slice(), expected);
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
fn released() {
    for (stage, vault) in [(Stage::ReleasedMobile, TO_PAYEE), (Stage::ReleasedAccount, 0)] {
        let world = World::at(Code::Native, stage);
        let event = Released {
            reference: world.reference.clone(),
            payer: world.delegate.clone(),
            milestone: 0,
            to_payee: TO_PAYEE,
            fee: FEE,
            to: (vault == 0).then(|| world.payee.clone()),
            vault,
        };
        assert_said(&world, "released", &event);
    }
}

#[test]
fn refunded_by_time_and_by_the_payee() {
    let world = World::at(Code::Native, Stage::Refunded);
    let reference = world.reference.clone();
    assert_said(&world, "refunded", &Refunded { reference, by: None, vault: AMOUNT });

    let world = World::at(Code::Native, Stage::FundedAccount);
    world.env.ledger().set_timestamp(EXPIRY - 1);
    world.client().refund(&world.reference);
    let (reference, by) = (world.reference.clone(), Some(world.payee.clone()));
    assert_said(&world, "refunded", &Refunded { reference, by, vault: AMOUNT });
}

#[test]
fn cancelled() {
    for (stage, burned) in [(Stage::Cancelled, 0), (Stage::CancelledInPart, AMOUNT - UNIT)] {
        let world = World::at(Code::Native, stage);
        let (reference, payer) = (world.reference.clone(), world.delegate.clone());
        assert_said(&world, "cancelled", &Cancelled { reference, payer, burned });
    }
}

#[test]
fn burned() {
    let world = World::at(Code::Native, Stage::ReleasedMobile);
    world.client().burn(&world.reference, &UNIT, &TO_PAYEE);
    let (reference, operator) = (world.reference.clone(), world.operator.clone());
    let event = Burned { reference, operator, amount: UNIT, vault: TO_PAYEE - UNIT };
    assert_said(&world, "burned", &event);
}

/// Void values are written, so a reader may rely on a field being there.
#[test]
fn absent_addresses_are_written_as_void() {
    let world = World::at(Code::Native, Stage::Refunded);
    let said = world.env.events().all().filter_by_contract(&world.contract);
    let ContractEventBody::V0(body) = &said.events()[0].body;
    let ScVal::Map(Some(fields)) = &body.data else { panic!("not a map: {:?}", body.data) };
    let names: Vec<_> = fields.iter().map(|field| std::format!("{:?}", field.key)).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert_eq!(fields[0].val, ScVal::Void);
}
