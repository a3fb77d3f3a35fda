//! References typed wrongly: the money waits in suspense, and the right escrow is the first that a person is
//! shown.

use amana_gateway::people::Role;
use amana_gateway::recon;
use amana_ledger::id::EscrowRef;
use amana_tests::story::payment;
use amana_tests::world::World;
use chrono::TimeDelta;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

const LETTERS: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// What fingers make of a reference: one slip or two, now and then without the prefix, in small letters, or
/// with blanks; never something that can be read as it was meant.
fn mistyped(reference: &EscrowRef, dice: &mut StdRng) -> String {
    loop {
        let whole = if dice.random_bool(0.5) { reference.as_str() } else { reference.tail() };
        let mut text: Vec<u8> = whole.as_bytes().to_vec();
        for _ in 0..dice.random_range(1..=2) {
            let at = dice.random_range(0..text.len() - 1);
            match dice.random_range(0..4) {
                0 => drop(text.remove(at)),
                1 => text.insert(at, *LETTERS.choose(dice).unwrap()),
                2 => text[at] = *LETTERS.choose(dice).unwrap(),
                _ => text.swap(at, at + 1),
            }
        }
        let mut text = String::from_utf8(text).unwrap();
        if dice.random_bool(0.3) {
            text.make_ascii_lowercase();
        }
        if dice.random_bool(0.2) {
            text.insert(text.len() / 2, ' ');
        }
        // Paybills take twenty letters.
        if text.len() <= 20 && EscrowRef::fold(&text).as_ref() != Some(reference) {
            return text;
        }
    }
}

#[tokio::test]
async fn a_reference_typed_wrongly_finds_its_escrow_and_is_not_credited() {
    let world = World::new().await;
    let mut dice = StdRng::seed_from_u64(20_261_120);
    let employer = world.person(Role::Employer, "0733345126").await;
    let mut escrows = Vec::new();
    for _ in 0..40 {
        escrows.push(world.open(&world.app, employer, "500.00").await.unwrap());
    }
    world.settle().await;
    let mut meant = Vec::new();
    for number in 0..200u32 {
        let reference = escrows.choose(&mut dice).unwrap();
        let typed = mistyped(reference, &mut dice);
        let receipt = format!("UKM{:06}Z", 100_000 + number);
        world.clock.advance(TimeDelta::seconds(1));
        world.hear(&world.app, &payment(&world, &receipt, &typed, "77.50")).await.unwrap();
        meant.push((receipt, typed, reference.to_string()));
    }
    world.settle().await;
    assert_eq!(world.balance("suspense:mpesa:600111").await, "15500.00", "none is credited by itself");

    let mut tx = world.app.db.begin().await.unwrap();
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = recon::suspense(&mut tx, &world.app, after, 100).await.unwrap();
        after = page.last().map(|row| row.id);
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    assert_eq!(all.len(), 200);
    let mut first = 0;
    for row in &all {
        let (_, typed, reference) = meant.iter().find(|meant| meant.0 == row.receipt).unwrap();
        let found = recon::candidates(&mut tx, &world.app, row.id).await.unwrap().unwrap();
        assert!(found.len() <= 10 && found.is_sorted_by(|one, next| one.score >= next.score));
        for one in &found {
            assert_eq!(one.score, one.reasons.iter().map(|reason| reason.points).sum::<u32>());
        }
        if found.first().is_some_and(|candidate| candidate.reference == *reference) {
            first += 1;
        } else {
            println!("{typed} was meant to be {reference}; found {:?}", found.first());
        }
    }
    println!("{first} of 200 first");
    assert!(first >= 190, "{first} of 200");
    drop(tx);
    world.sound().await;
}
