//! Each error number, reached by the call it is there for; `matrix` has those that depend on the state alone.

extern crate std;

use std::collections::BTreeSet;
use std::vec::Vec;

use soroban_sdk::Address;
use soroban_sdk::testutils::Address as _;

use super::world::{AMOUNT, Code, DAY, EXPIRY, FEE, START, Stage, TO_PAYEE, UNIT, World, outcome};
use crate::storage::{Config, Key};
use crate::{Error, EscrowContract};

/// More than an account can hold, in whole units.
const TOO_LARGE: i128 = (i64::MAX as i128 / UNIT + 1) * UNIT;

struct Case {
    stage: Stage,
    call: fn(&World) -> Result<(), Error>,
    refusal: Error,
}

const fn case(stage: Stage, refusal: Error, call: fn(&World) -> Result<(), Error>) -> Case {
    Case { stage, call, refusal }
}

fn create(world: &World, payer: &Address, amount: i128, expiry: u64) -> Result<(), Error> {
    outcome(world.client().try_create(&world.reference, payer, &world.token, &amount, &expiry))
}

fn fund(world: &World, deposit: &str, amount: i128) -> Result<(), Error> {
    outcome(world.client().try_fund_deposit(&world.reference, &world.bytes(deposit), &amount))
}

fn assign(world: &World, to: &Address) -> Result<(), Error> {
    outcome(world.client().try_assign(&world.reference, &world.bytes("person"), &Some(to.clone())))
}

fn release(world: &World, milestone: u32, to_payee: i128, fee: i128) -> Result<(), Error> {
    outcome(world.client().try_release(&world.reference, &milestone, &to_payee, &fee))
}

fn burn(world: &World, amount: i128, vault_before: i128) -> Result<(), Error> {
    outcome(world.client().try_burn(&world.reference, &amount, &vault_before))
}

/// The same escrow, of an employer with a key of their own.
fn of_stranger(world: &World) -> Result<(), Error> {
    create(world, &world.stranger, AMOUNT, EXPIRY)
}

/// What a constructor answers, called again as a plain function inside a contract.
fn construct(world: &World, change: fn(&World, &mut Config)) -> Result<(), Error> {
    let mut config = world.client().config();
    change(world, &mut config);
    world.env.as_contract(&world.contract, || {
        let Config { admin, operator, delegate, arbiter, token, unit } = config;
        EscrowContract::__constructor(world.env.clone(), admin, operator, delegate, arbiter, token, unit)
    })
}

fn cases() -> Vec<Case> {
    let mut cases = by_state();
    cases.extend(by_amount());
    cases.extend(by_role());
    cases.extend(by_configuration());
    cases
}

fn by_state() -> Vec<Case> {
    Vec::from([
        case(Stage::Absent, Error::NotFound, |w| release(w, 0, AMOUNT, 0)),
        case(Stage::Open, Error::AlreadyExists, |w| create(w, &w.delegate, AMOUNT, EXPIRY)),
        case(Stage::Cancelled, Error::AlreadyExists, |w| create(w, &w.stranger, UNIT, EXPIRY)),
        case(Stage::OpenAssigned, Error::IsOpen, |w| release(w, 0, AMOUNT, 0)),
        case(Stage::Funded, Error::IsFunded, |w| fund(w, "third", UNIT)),
        case(Stage::ReleasedMobile, Error::IsReleased, |w| release(w, 0, TO_PAYEE, FEE)),
        case(Stage::Refunded, Error::IsRefunded, |w| release(w, 0, TO_PAYEE, FEE)),
        case(Stage::Cancelled, Error::IsCancelled, |w| fund(w, "third", UNIT)),
        case(Stage::Funded, Error::NotAssigned, |w| release(w, 0, TO_PAYEE, FEE)),
        case(Stage::FundedMobile, Error::AlreadyAssigned, |w| assign(w, &w.payee)),
        case(Stage::OpenInPart, Error::DepositUsed, |w| fund(w, "first", UNIT)),
        // A repeated deposit is told from an escrow that moved on meanwhile.
        case(Stage::Funded, Error::DepositUsed, |w| fund(w, "second", UNIT)),
        case(Stage::CancelledInPart, Error::DepositUsed, |w| fund(w, "first", AMOUNT - UNIT)),
        case(Stage::FundedMobile, Error::NoSuchMilestone, |w| release(w, 1, TO_PAYEE, FEE)),
        case(Stage::Open, Error::NotExpired, |w| {
            fund(w, "all", AMOUNT)?;
            outcome(w.client().try_refund(&w.reference))
        }),
        case(Stage::Absent, Error::ExpiryPast, |w| create(w, &w.delegate, AMOUNT, START)),
        case(Stage::Absent, Error::ExpiryTooFar, |w| create(w, &w.delegate, AMOUNT, START + 1_826 * DAY + 1)),
        case(Stage::Absent, Error::ExpiryTooFar, |w| create(w, &w.delegate, AMOUNT, EXPIRY * 1_000)),
        case(Stage::Absent, Error::ExpiryTooFar, |w| create(w, &w.delegate, AMOUNT, u64::MAX)),
    ])
}

fn by_amount() -> Vec<Case> {
    Vec::from([
        case(Stage::Absent, Error::NotPositive, |w| create(w, &w.delegate, 0, EXPIRY)),
        case(Stage::Absent, Error::NotPositive, |w| create(w, &w.delegate, -UNIT, EXPIRY)),
        case(Stage::Absent, Error::NotPositive, |w| create(w, &w.delegate, i128::MIN, EXPIRY)),
        case(Stage::Absent, Error::NotWholeUnits, |w| create(w, &w.delegate, AMOUNT + 1, EXPIRY)),
        case(Stage::Absent, Error::TooLarge, |w| create(w, &w.delegate, TOO_LARGE, EXPIRY)),
        case(Stage::Absent, Error::TooLarge, |w| create(w, &w.delegate, i128::MAX, EXPIRY)),
        case(Stage::Open, Error::NotPositive, |w| fund(w, "third", 0)),
        case(Stage::Open, Error::NotPositive, |w| fund(w, "third", -UNIT)),
        case(Stage::Open, Error::NotWholeUnits, |w| fund(w, "third", UNIT - 1)),
        case(Stage::Open, Error::Overfunded, |w| fund(w, "third", AMOUNT + UNIT)),
        case(Stage::OpenInPart, Error::Overfunded, |w| fund(w, "third", 2 * UNIT)),
        case(Stage::FundedMobile, Error::SumMismatch, |w| release(w, 0, AMOUNT, UNIT)),
        case(Stage::FundedMobile, Error::SumMismatch, |w| release(w, 0, AMOUNT - UNIT, 0)),
        case(Stage::FundedMobile, Error::NotPositive, |w| release(w, 0, 0, AMOUNT)),
        case(Stage::FundedMobile, Error::NotPositive, |w| release(w, 0, AMOUNT + UNIT, -UNIT)),
        case(Stage::FundedMobile, Error::NotWholeUnits, |w| release(w, 0, AMOUNT - 1, 1)),
        case(Stage::FundedMobile, Error::TooLarge, |w| release(w, 0, i128::MAX, i128::MAX)),
        case(Stage::ReleasedMobile, Error::VaultChanged, |w| burn(w, UNIT, TO_PAYEE - UNIT)),
        case(Stage::ReleasedMobile, Error::VaultChanged, |w| {
            burn(w, UNIT, TO_PAYEE)?;
            burn(w, UNIT, TO_PAYEE)
        }),
        case(Stage::ReleasedMobile, Error::VaultShort, |w| burn(w, TO_PAYEE + UNIT, TO_PAYEE)),
        case(Stage::ReleasedMobile, Error::NotPositive, |w| burn(w, 0, TO_PAYEE)),
        case(Stage::ReleasedMobile, Error::NotPositive, |w| burn(w, -UNIT, TO_PAYEE)),
        case(Stage::ReleasedMobile, Error::NotWholeUnits, |w| burn(w, 1, TO_PAYEE)),
        case(Stage::RefundedPaid, Error::VaultShort, |w| burn(w, UNIT, 0)),
    ])
}

fn by_role() -> Vec<Case> {
    Vec::from([
        case(Stage::Absent, Error::PayerNotAllowed, |w| create(w, &w.admin, AMOUNT, EXPIRY)),
        case(Stage::Absent, Error::PayerNotAllowed, |w| create(w, &w.operator, AMOUNT, EXPIRY)),
        case(Stage::Absent, Error::PayerNotAllowed, |w| create(w, &w.arbiter, AMOUNT, EXPIRY)),
        case(Stage::Absent, Error::PayerNotAllowed, |w| create(w, &w.token, AMOUNT, EXPIRY)),
        case(Stage::Absent, Error::PayerNotAllowed, |w| create(w, &w.contract, AMOUNT, EXPIRY)),
        case(Stage::Open, Error::PayeeNotAllowed, |w| assign(w, &w.admin)),
        case(Stage::Open, Error::PayeeNotAllowed, |w| assign(w, &w.operator)),
        case(Stage::Open, Error::PayeeNotAllowed, |w| assign(w, &w.delegate)),
        case(Stage::Open, Error::PayeeNotAllowed, |w| assign(w, &w.arbiter)),
        case(Stage::Open, Error::PayeeNotAllowed, |w| assign(w, &w.token)),
        case(Stage::Funded, Error::PayeeNotAllowed, |w| assign(w, &w.contract)),
        case(Stage::Absent, Error::PayeeNotAllowed, |w| {
            of_stranger(w)?;
            assign(w, &w.stranger)
        }),
        case(Stage::Absent, Error::NotDelegated, |w| {
            of_stranger(w)?;
            fund(w, "first", UNIT)
        }),
    ])
}

fn by_configuration() -> Vec<Case> {
    Vec::from([
        case(Stage::Absent, Error::TokenNotListed, |w| {
            let other = w.env.register_stellar_asset_contract_v2(w.stranger.clone()).address();
            outcome(w.client().try_create(&w.reference, &w.delegate, &other, &AMOUNT, &EXPIRY))
        }),
        case(Stage::Absent, Error::BadUnit, |w| construct(w, |_, config| config.unit = 0)),
        case(Stage::Absent, Error::BadUnit, |w| construct(w, |_, config| config.unit = -UNIT)),
        case(Stage::Absent, Error::BadUnit, |w| construct(w, |_, config| config.unit = TOO_LARGE)),
        case(Stage::Absent, Error::RolesNotDistinct, |w| construct(w, |w, c| c.arbiter = w.admin.clone())),
        case(Stage::Absent, Error::RolesNotDistinct, |w| {
            construct(w, |w, c| c.delegate = w.operator.clone())
        }),
        case(Stage::Absent, Error::RolesNotDistinct, |w| construct(w, |w, c| c.operator = w.token.clone())),
        case(Stage::Absent, Error::RolesNotDistinct, |w| construct(w, |w, c| c.admin = w.contract.clone())),
        case(Stage::Open, Error::NotConfigured, |w| {
            w.env.as_contract(&w.contract, || w.env.storage().instance().remove(&Key::Config));
            release(w, 0, AMOUNT, 0)
        }),
    ])
}

#[test]
fn each_refusal_is_exact() {
    for (i, case) in cases().iter().enumerate() {
        let world = World::at(Code::Native, case.stage);
        let found = (case.call)(&world);
        assert_eq!(found, Err(case.refusal), "case {i}, when {:?}", case.stage);
    }
}

#[test]
fn each_number_is_reached() {
    let reached: BTreeSet<u32> = cases().iter().map(|case| case.refusal as u32).collect();
    let known: BTreeSet<u32> = super::words::errors().into_iter().map(|(number, _)| number).collect();
    assert_eq!(reached, known);
}

/// The largest amount, unit and term are accepted.
#[test]
fn the_limits_are_inclusive() {
    let world = World::new();
    let largest = i128::from(i64::MAX) / UNIT * UNIT;
    create(&world, &world.delegate, largest, START + 1_826 * DAY).unwrap();
    fund(&world, "all", largest).unwrap();
    let payee = Address::generate(&world.env);
    assign(&world, &payee).unwrap();
    release(&world, 0, largest - UNIT, UNIT).unwrap();
    assert_eq!(world.tokens().balance(&payee), largest - UNIT);
    construct(&world, |_, config| config.unit = i128::from(i64::MAX)).unwrap();
}

/// A deployment with a bad configuration does not come into being.
#[test]
#[should_panic(expected = "Error(Contract, #142)")]
fn a_constructor_refuses() {
    let world = World::new();
    let arguments = (&world.admin, &world.admin, &world.delegate, &world.arbiter, &world.token, UNIT);
    world.env.register(EscrowContract, arguments);
}
