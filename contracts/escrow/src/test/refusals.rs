//! Each error number, reached by the call it is there for; `matrix` has those that depend on the state alone.

extern crate std;

use std::collections::BTreeSet;
use std::vec::Vec as List;

use soroban_sdk::testutils::{Address as _, Ledger as _};
use soroban_sdk::{Address, Vec};

use super::world::{AMOUNT, Code, DAY, EXPIRY, FEE, FIRST, START, Stage, TO_PAYEE, UNIT, World, outcome};
use crate::storage::{CONFIG, Config};
use crate::{Error, EscrowContract, Terms};

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
    let terms = if *payer == world.owner { world.own_terms() } else { world.terms() };
    let (fee_cap, default_to_payee) = (0, 0);
    let amounts = Vec::from_array(&world.env, [amount]);
    agree(world, payer, &Terms { amounts, expiry, fee_cap, default_to_payee, ..terms })
}

fn agree(world: &World, payer: &Address, terms: &Terms) -> Result<(), Error> {
    outcome(world.client().try_create(&world.reference, payer, terms))
}

/// The terms of the delegate's escrow, changed.
fn with(world: &World, change: fn(&mut Terms)) -> Result<(), Error> {
    let mut terms = world.terms();
    change(&mut terms);
    agree(world, &world.delegate, &terms)
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

fn fund_own(world: &World, amount: i128) -> Result<(), Error> {
    outcome(world.client().try_fund(&world.reference, &amount))
}

fn resolve(world: &World, to_payee: i128) -> Result<(), Error> {
    outcome(world.client().try_resolve(&world.reference, &to_payee))
}

fn dispute(world: &World, by: &Address) -> Result<(), Error> {
    outcome(world.client().try_dispute(&world.reference, by))
}

fn burn(world: &World, amount: i128, vault_before: i128) -> Result<(), Error> {
    outcome(world.client().try_burn(&world.reference, &amount, &vault_before))
}

/// The same escrow, of an employer with a key of their own.
fn of_owner(world: &World) -> Result<(), Error> {
    create(world, &world.owner, AMOUNT, EXPIRY)
}

/// What a constructor answers, called again as a plain function inside a contract.
fn construct(world: &World, change: fn(&World, &mut Config)) -> Result<(), Error> {
    let mut config = world.client().config();
    change(world, &mut config);
    construct_with(world, config, UNIT)
}

fn construct_with(world: &World, config: Config, unit: i128) -> Result<(), Error> {
    world.env.as_contract(&world.contract, || {
        let Config { admin, operator, delegate, arbiter, .. } = config;
        let token = world.token.clone();
        EscrowContract::__constructor(world.env.clone(), admin, operator, delegate, arbiter, token, unit)
    })
}

fn cases() -> List<Case> {
    let mut cases = by_state();
    cases.extend(by_amount());
    cases.extend(by_role());
    cases.extend(by_configuration());
    cases.extend(by_terms());
    cases.extend(by_time());
    cases.extend(by_the_admin());
    cases
}

fn by_state() -> List<Case> {
    List::from([
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

fn by_amount() -> List<Case> {
    List::from([
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

fn by_role() -> List<Case> {
    List::from([
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
            of_owner(w)?;
            assign(w, &w.owner)
        }),
        case(Stage::Absent, Error::NotDelegated, |w| {
            of_owner(w)?;
            fund(w, "first", UNIT)
        }),
    ])
}

fn by_configuration() -> List<Case> {
    List::from([
        case(Stage::Absent, Error::TokenNotListed, |w| {
            let other = w.env.register_stellar_asset_contract_v2(w.stranger.clone()).address();
            agree(w, &w.delegate, &Terms { token: other, ..w.terms() })
        }),
        case(Stage::Absent, Error::BadUnit, |w| construct_with(w, w.client().config(), 0)),
        case(Stage::Absent, Error::BadUnit, |w| construct_with(w, w.client().config(), -UNIT)),
        case(Stage::Absent, Error::BadUnit, |w| construct_with(w, w.client().config(), TOO_LARGE)),
        case(Stage::Absent, Error::RolesNotDistinct, |w| construct(w, |w, c| c.arbiter = w.admin.clone())),
        case(Stage::Absent, Error::RolesNotDistinct, |w| {
            construct(w, |w, c| c.delegate = w.operator.clone())
        }),
        case(Stage::Absent, Error::RolesNotDistinct, |w| construct(w, |w, c| c.operator = w.token.clone())),
        case(Stage::Absent, Error::RolesNotDistinct, |w| construct(w, |w, c| c.admin = w.contract.clone())),
        case(Stage::Open, Error::NotConfigured, |w| {
            w.env.as_contract(&w.contract, || w.env.storage().instance().remove(&CONFIG));
            outcome(w.client().try_pause(&true))
        }),
    ])
}

fn by_terms() -> List<Case> {
    fn many(world: &World, count: usize, worth: i128) -> Result<(), Error> {
        let mut amounts = Vec::new(&world.env);
        (0..count).for_each(|_| amounts.push_back(worth));
        agree(world, &world.delegate, &Terms { amounts, fee_cap: 0, default_to_payee: 0, ..world.terms() })
    }
    List::from([
        case(Stage::Absent, Error::BadMilestones, |w| many(w, 0, UNIT)),
        case(Stage::Absent, Error::BadMilestones, |w| many(w, 17, UNIT)),
        case(Stage::Absent, Error::TooLarge, |w| many(w, 2, i128::from(i64::MAX) / UNIT * UNIT)),
        case(Stage::Absent, Error::NotPositive, |w| many(w, 3, 0)),
        case(Stage::Absent, Error::OverAmount, |w| with(w, |terms| terms.fee_cap = AMOUNT + UNIT)),
        case(Stage::Absent, Error::OverAmount, |w| with(w, |terms| terms.default_to_payee = AMOUNT + UNIT)),
        case(Stage::Absent, Error::NotPositive, |w| with(w, |terms| terms.fee_cap = -UNIT)),
        case(Stage::Absent, Error::NotWholeUnits, |w| with(w, |terms| terms.default_to_payee = 1)),
        case(Stage::Absent, Error::BadClock, |w| with(w, |terms| terms.release_at = START)),
        case(Stage::Absent, Error::BadClock, |w| with(w, |terms| terms.release_at = EXPIRY)),
        case(Stage::Absent, Error::BadClock, |w| with(w, |terms| terms.release_at = u64::MAX)),
        case(Stage::Absent, Error::BadWindow, |w| with(w, |terms| terms.dispute_s = DAY as u32 - 1)),
        case(Stage::Absent, Error::BadWindow, |w| with(w, |terms| terms.dispute_s = 365 * DAY as u32 + 1)),
        case(Stage::FundedMobile, Error::OverAmount, |w| release(w, 0, TO_PAYEE - UNIT, FEE + UNIT)),
        case(Stage::FirstReleased, Error::MilestoneReleased, |w| release(w, 0, FIRST, 0)),
        case(Stage::FirstReleased, Error::NoSuchMilestone, |w| release(w, 2, FIRST, 0)),
        case(Stage::FirstReleased, Error::NoSuchMilestone, |w| release(w, 32, FIRST, 0)),
        case(Stage::FirstReleased, Error::NoSuchMilestone, |w| release(w, u32::MAX, FIRST, 0)),
        case(Stage::FirstReleased, Error::OverAmount, |w| release(w, 1, AMOUNT - FIRST - FEE, FEE)),
        case(Stage::DisputedMobile, Error::SumMismatch, |w| resolve(w, AMOUNT + UNIT)),
        case(Stage::DisputedMobile, Error::NotPositive, |w| resolve(w, -UNIT)),
        case(Stage::DisputedMobile, Error::NotWholeUnits, |w| resolve(w, 1)),
        case(Stage::OwnOpen, Error::SumMismatch, |w| fund_own(w, AMOUNT - UNIT)),
        case(Stage::OwnOpen, Error::SumMismatch, |w| fund_own(w, AMOUNT + UNIT)),
        case(Stage::Open, Error::FundedByDeposits, |w| fund_own(w, AMOUNT)),
        case(Stage::OwnOpen, Error::AddressNeeded, |w| {
            outcome(w.client().try_assign(&w.reference, &w.bytes("person"), &None))
        }),
        case(Stage::OwnOpen, Error::PayeeNotAllowed, |w| assign(w, &w.coin)),
    ])
}

fn by_time() -> List<Case> {
    List::from([
        case(Stage::FundedMobile, Error::IsFunded, |w| resolve(w, 0)),
        case(Stage::DisputedMobile, Error::IsDisputed, |w| release(w, 0, TO_PAYEE, FEE)),
        case(Stage::Resolved, Error::IsResolved, |w| release(w, 0, TO_PAYEE, FEE)),
        case(Stage::DisputedPastDeadline, Error::TooLate, |w| resolve(w, 0)),
        case(Stage::FundedMobileRung, Error::TooLate, |w| dispute(w, &w.operator)),
        case(Stage::FundedMobileExpired, Error::TooLate, |w| dispute(w, &w.delegate)),
        case(Stage::OwnOpen, Error::TooLate, |w| {
            w.env.ledger().set_timestamp(EXPIRY);
            fund_own(w, AMOUNT)
        }),
        case(Stage::FundedMobile, Error::TooEarly, |w| outcome(w.client().try_auto_release(&w.reference))),
        case(Stage::DisputedMobile, Error::TooEarly, |w| {
            outcome(w.client().try_resolve_timeout(&w.reference))
        }),
        case(Stage::FundedMobileRung, Error::ReleaseDue, |w| outcome(w.client().try_refund(&w.reference))),
        // The payee's clock rang first, so the payer's rings for nobody.
        case(Stage::FundedMobileRung, Error::ReleaseDue, |w| {
            w.env.ledger().set_timestamp(EXPIRY + DAY);
            outcome(w.client().try_refund(&w.reference))
        }),
        case(Stage::FundedMobile, Error::NotAParty, |w| dispute(w, &w.stranger)),
        case(Stage::FundedMobile, Error::NotAParty, |w| dispute(w, &w.arbiter)),
        case(Stage::FundedAccount, Error::NotAParty, |w| dispute(w, &w.operator)),
        case(Stage::OwnAssigned, Error::NotAParty, |w| dispute(w, &w.delegate)),
        case(Stage::Resolved, Error::NothingPaid, |w| outcome(w.client().try_claim(&w.reference))),
        case(Stage::Absent, Error::NothingPaid, |w| outcome(w.client().try_sweep(&1))),
    ])
}

fn by_the_admin() -> List<Case> {
    fn list(world: &World, token: &Address, unit: i128, fee_to: &Address) -> Result<(), Error> {
        outcome(world.client().try_list(token, &unit, fee_to)).map(drop)
    }
    List::from([
        case(Stage::Open, Error::Paused, |w| {
            w.client().pause(&true);
            fund(w, "first", UNIT)
        }),
        case(Stage::Absent, Error::ListFull, |w| {
            (1..8).for_each(|_| list(w, &w.coin, UNIT, &w.till).unwrap());
            list(w, &w.coin, UNIT, &w.till)
        }),
        case(Stage::Absent, Error::BadUnit, |w| list(w, &w.coin, 0, &w.till)),
        case(Stage::Absent, Error::RolesNotDistinct, |w| list(w, &w.coin, UNIT, &w.arbiter)),
        case(Stage::Absent, Error::RolesNotDistinct, |w| list(w, &w.coin, UNIT, &w.contract)),
        case(Stage::Absent, Error::TokenNotListed, |w| outcome(w.client().try_unlist(&2))),
        case(Stage::Absent, Error::TokenNotListed, |w| outcome(w.client().try_sweep(&2))),
        // What is minted for deposits is nobody's own, unless it is listed.
        case(Stage::Absent, Error::TokenNotListed, |w| agree(w, &w.owner, &w.terms())),
        case(Stage::Absent, Error::TokenNotListed, |w| agree(w, &w.delegate, &w.own_terms())),
        case(Stage::Absent, Error::TokenNotListed, |w| {
            w.client().unlist(&1);
            agree(w, &w.owner, &w.own_terms())
        }),
        case(Stage::Absent, Error::RolesNotDistinct, |w| {
            outcome(w.client().try_propose_admin(&Some(w.operator.clone())))
        }),
        case(Stage::Absent, Error::RolesNotDistinct, |w| {
            outcome(w.client().try_propose_admin(&Some(w.token.clone())))
        }),
        case(Stage::Absent, Error::NothingProposed, |w| outcome(w.client().try_accept_admin())),
        case(Stage::Absent, Error::NothingProposed, |w| outcome(w.client().try_upgrade())),
        case(Stage::Absent, Error::TooEarly, |w| {
            w.client().propose_upgrade(&Some(w.bytes("code")));
            w.env.ledger().set_timestamp(START + 7 * DAY - 1);
            outcome(w.client().try_upgrade())
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
    release(&world, 0, largest, 0).unwrap();
    assert_eq!(world.tokens().balance(&payee), largest);
    construct_with(&world, world.client().config(), i128::from(i64::MAX)).unwrap();
}

/// A deployment with a bad configuration does not come into being.
#[test]
#[should_panic(expected = "Error(Contract, #142)")]
fn a_constructor_refuses() {
    let world = World::new();
    let arguments = (&world.admin, &world.admin, &world.delegate, &world.arbiter, &world.token, UNIT);
    world.env.register(EscrowContract, arguments);
}
