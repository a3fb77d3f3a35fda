//! What is kept for how long, and that an archived entry is never mistaken for an absent one.

extern crate std;

use soroban_sdk::testutils::Ledger as _;
use soroban_sdk::testutils::storage::{Instance as _, Persistent as _};
use soroban_sdk::xdr::ToXdr as _;
use soroban_sdk::{BytesN, Val};

use super::matrix::TABLE;
use super::world::{AMOUNT, Code, DAY, EXPIRY, FEE, START, Stage, TO_PAYEE, UNIT, World, outcome};
use crate::{Error, Phase, Terms};

const LEDGERS_A_DAY: u32 = 17_280;
/// The public network's limits on entries, with the test network's short first life.
const FIRST_LIFE: u32 = 7 * LEDGERS_A_DAY;
const LONGEST_LIFE: u32 = 180 * LEDGERS_A_DAY;

fn world() -> World {
    let world = World::new();
    world.env.ledger().with_mut(|ledger| {
        ledger.min_persistent_entry_ttl = FIRST_LIFE;
        ledger.max_entry_ttl = LONGEST_LIFE;
    });
    world
}

fn wait(world: &World, days: u32) {
    world.env.ledger().with_mut(|ledger| {
        ledger.sequence_number += days * LEDGERS_A_DAY;
        ledger.timestamp += u64::from(days) * DAY;
    });
}

fn create(world: &World, expiry: u64) {
    world.create(&world.delegate, &Terms { expiry, ..world.terms() });
}

/// How many days the escrow's entry has left.
fn days_left(world: &World) -> u32 {
    let key = &world.reference;
    world.env.as_contract(&world.contract, || world.env.storage().persistent().get_ttl(key)) / LEDGERS_A_DAY
}

fn instance_days_left(world: &World) -> u32 {
    world.env.as_contract(&world.contract, || world.env.storage().instance().get_ttl()) / LEDGERS_A_DAY
}

#[test]
fn an_escrow_lives_until_thirty_days_past_expiry() {
    let world = world();
    create(&world, EXPIRY);
    assert_eq!(days_left(&world), 60);
    wait(&world, 20);
    world.client().fund_deposit(&world.reference, &world.bytes("first"), &AMOUNT);
    assert_eq!(days_left(&world), 40);
    wait(&world, 20);
    world.client().assign(&world.reference, &world.bytes("person"), &None);
    assert_eq!(days_left(&world), 30, "past expiry the thirty days begin now");
}

#[test]
fn no_entry_is_asked_to_live_longer_than_the_network_allows() {
    let world = world();
    create(&world, START + 365 * DAY);
    assert_eq!(days_left(&world), 179, "the ledger it is written in counts as the first");
    wait(&world, 100);
    world.client().assign(&world.reference, &world.bytes("person"), &None);
    assert_eq!(days_left(&world), 179);
}

#[test]
fn an_escrow_that_is_over_is_left_to_lapse() {
    let world = world();
    create(&world, EXPIRY);
    wait(&world, 45);
    assert_eq!(days_left(&world), 15);
    world.client().cancel(&world.reference);
    assert_eq!(days_left(&world), 15);
}

#[test]
fn a_full_vault_keeps_an_escrow_alive() {
    let world = world();
    create(&world, EXPIRY);
    world.client().fund_deposit(&world.reference, &world.bytes("first"), &AMOUNT);
    wait(&world, 55);
    world.client().refund(&world.reference);
    assert_eq!(days_left(&world), 30);
    wait(&world, 25);
    world.client().burn(&world.reference, &AMOUNT, &AMOUNT);
    assert_eq!(days_left(&world), 5);
}

#[test]
fn the_contract_is_kept_sixty_days_ahead_in_steps_of_a_week() {
    let world = world();
    let before = instance_days_left(&world);
    create(&world, EXPIRY);
    assert_eq!(instance_days_left(&world), before + 7);
    for _ in 0..12 {
        world.client().fund_deposit(&world.reference, &world.bytes(&std::format!("{}", world.held())), &UNIT);
    }
    assert_eq!(instance_days_left(&world), 60);
}

/// Four hundred days later everything is archived; the host restores it, and nothing can be done a second
/// time.
#[test]
fn an_archived_reference_and_an_archived_deposit_are_still_taken() {
    let world = world();
    create(&world, EXPIRY);
    let client = world.client();
    client.fund_deposit(&world.reference, &world.bytes("first"), &UNIT);
    client.cancel(&world.reference);
    wait(&world, 400);
    let expiry = START + 430 * DAY;
    let terms = Terms { expiry, ..world.terms() };
    let again = client.try_create(&world.reference, &world.delegate, &terms);
    assert_eq!(outcome(again), Err(Error::AlreadyExists));
    let other = world.bytes("other escrow");
    client.create(&other, &world.delegate, &terms);
    let again = client.try_fund_deposit(&other, &world.bytes("first"), &UNIT);
    assert_eq!(outcome(again), Err(Error::DepositUsed));
}

#[test]
fn an_archived_escrow_still_pays() {
    let world = world();
    create(&world, START + 365 * DAY);
    let client = world.client();
    client.fund_deposit(&world.reference, &world.bytes("first"), &AMOUNT);
    client.assign(&world.reference, &world.bytes("person"), &None);
    wait(&world, 300);
    client.release(&world.reference, &0, &TO_PAYEE, &FEE);
    wait(&world, 300);
    client.burn(&world.reference, &TO_PAYEE, &TO_PAYEE);
    assert_eq!((world.escrow().state, world.escrow().vault, world.held()), (Phase::Released, 0, 0));
}

/// Rent is paid by size: what an escrow costs is paid at its creation, not by whoever comes later.
#[test]
fn an_entry_has_one_size_from_birth() {
    let size = |stage| {
        let world = World::at(Code::Native, stage);
        let key = &world.reference;
        let value: Val =
            world.env.as_contract(&world.contract, || world.env.storage().persistent().get(key)).unwrap();
        value.to_xdr(&world.env).len()
    };
    let born = size(Stage::Open);
    for (stage, _) in TABLE {
        match stage {
            Stage::Absent => {}
            Stage::FundedInTwo | Stage::FirstReleased | Stage::DisputedFirstReleased => {
                assert_eq!(size(stage), born + 12, "a milestone takes 12 bytes");
            }
            // An account's address is four bytes longer than a contract's.
            Stage::OwnDue => assert_eq!(size(stage), born + 4),
            _ => assert_eq!(size(stage), born, "{stage:?}"),
        }
    }
}

/// A contract's storage holds what `storage` says and nothing else: an entry an escrow, an entry a deposit.
#[test]
fn one_entry_an_escrow_and_one_a_deposit() {
    let world = World::at(Code::Native, Stage::RefundedPaid);
    let entries = world.env.as_contract(&world.contract, || world.env.storage().persistent().all());
    assert_eq!(
        entries.len(),
        5,
        "the escrow, two deposits, and what two accounts hold of tokens: {entries:?}"
    );
    let deposit: Option<BytesN<32>> = world.client().deposit(&world.bytes("second"));
    assert_eq!(deposit, Some(world.reference.clone()));
}
