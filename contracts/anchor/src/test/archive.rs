//! What is kept for how long, and that an archived checkpoint is never mistaken for an absent one.

extern crate std;

use soroban_sdk::testutils::Ledger as _;
use soroban_sdk::testutils::storage::{Instance as _, Persistent as _};

use super::world::{BOOK, World};
use crate::Error;
use crate::storage::Key;

const LEDGERS_A_DAY: u32 = 17_280;

fn world() -> World {
    let world = World::new();
    world.env.ledger().with_mut(|ledger| {
        ledger.min_persistent_entry_ttl = 7 * LEDGERS_A_DAY;
        ledger.max_entry_ttl = 180 * LEDGERS_A_DAY;
    });
    world
}

fn wait(world: &World, days: u32) {
    world.env.ledger().with_mut(|ledger| ledger.sequence_number += days * LEDGERS_A_DAY);
}

fn days_left(world: &World, key: &Key) -> u32 {
    world.env.as_contract(&world.contract, || world.env.storage().persistent().get_ttl(key)) / LEDGERS_A_DAY
}

fn instance_days_left(world: &World) -> u32 {
    world.env.as_contract(&world.contract, || world.env.storage().instance().get_ttl()) / LEDGERS_A_DAY
}

#[test]
fn a_checkpoint_is_kept_sixty_days_and_the_newest_ones_size_with_it() {
    let world = world();
    world.anchor(BOOK, 5, 5).unwrap();
    let (newest, first) = (Key::Newest(world.book()), Key::At(world.book(), 5));
    assert_eq!((days_left(&world, &newest), days_left(&world, &first)), (60, 60));
    wait(&world, 20);
    world.anchor(BOOK, 5, 5).unwrap();
    assert_eq!((days_left(&world, &newest), days_left(&world, &first)), (40, 40), "done is not done again");
    world.anchor(BOOK, 6, 6).unwrap();
    assert_eq!((days_left(&world, &newest), days_left(&world, &first)), (60, 40));
    assert_eq!(days_left(&world, &Key::At(world.book(), 6)), 60);
}

#[test]
fn the_contract_is_kept_sixty_days_ahead_in_steps_of_a_week() {
    let world = world();
    let before = instance_days_left(&world);
    world.anchor(BOOK, 1, 1).unwrap();
    assert_eq!(instance_days_left(&world), before + 7);
    for size in 2..14 {
        world.anchor(BOOK, size, size).unwrap();
    }
    assert_eq!(instance_days_left(&world), 60);
}

/// Four hundred days later everything is archived; the host restores it, and the past stands.
#[test]
fn an_archived_checkpoint_is_still_written() {
    let world = world();
    world.anchor(BOOK, 5, 5).unwrap();
    world.anchor(BOOK, 9, 9).unwrap();
    wait(&world, 400);
    assert_eq!(world.anchor(BOOK, 5, 6), Err(Error::OtherRoot));
    assert_eq!(world.anchor(BOOK, 7, 7), Err(Error::NotGrown));
    assert_eq!(world.anchor(BOOK, 9, 9), Ok(()));
    let client = world.client();
    assert_eq!(client.latest(&world.book()).unwrap().root, world.root(9));
    assert_eq!(client.at(&world.book(), &5).unwrap().root, world.root(5));
}

/// A checkpoint is one entry beside its book's pointer: its rent is what a year of anchors costs.
#[test]
fn one_entry_a_checkpoint_and_one_a_book() {
    let world = world();
    for size in 1..4 {
        world.anchor(BOOK, size, size).unwrap();
    }
    let entries = world.env.as_contract(&world.contract, || world.env.storage().persistent().all());
    assert_eq!(entries.len(), 4, "three checkpoints and the pointer");
}
