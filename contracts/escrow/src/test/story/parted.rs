//! Milestones, disputes, clocks, and payers with tokens of their own.

extern crate std;

use soroban_sdk::Vec;
use soroban_sdk::testutils::Ledger as _;

use super::each;
use crate::test::world::{AMOUNT, DEADLINE, DEFAULT, FEE, FIRST, RING, TO_PAYEE, UNIT, World};
use crate::{Phase, Terms, Totals};

const REST: i128 = AMOUNT - FIRST;

fn terms(world: &World) -> Terms {
    Terms { amounts: Vec::from_array(&world.env, [FIRST, REST]), ..world.terms() }
}

/// A funded escrow of the delegate, for a mobile payee.
fn mobile(world: &World, terms: &Terms) {
    world.create(&world.delegate, terms);
    world.client().fund_deposit(&world.reference, &world.bytes("all"), &AMOUNT);
    world.client().assign(&world.reference, &world.bytes("person"), &None);
}

/// One of a payer with own tokens, for a payee with an address.
fn own(world: &World, terms: &Terms) {
    world.create(&world.owner, &Terms { token: world.coin.clone(), ..terms.clone() });
    world.client().fund(&world.reference, &AMOUNT);
    world.client().assign(&world.reference, &world.bytes("person"), &Some(world.payee.clone()));
}

#[test]
fn milestones_are_paid_one_by_one_in_any_order() {
    each(|world| {
        mobile(&world, &terms(&world));
        let (client, reference) = (world.client(), &world.reference);
        client.release(reference, &1, &(REST - 3 * UNIT), &(3 * UNIT));
        assert_eq!((world.escrow().state, world.escrow().milestones), (Phase::Funded, 0b10));
        // A rail pays the one while the other is still worked for.
        client.burn(reference, &(REST - 3 * UNIT), &(REST - 3 * UNIT));
        assert_eq!(world.held(), FIRST);
        client.release(reference, &0, &(FIRST - 4 * UNIT), &(4 * UNIT));
        let view = world.escrow();
        assert_eq!((view.state, view.milestones, view.fee), (Phase::Released, 0b11, FEE));
        assert_eq!((view.to_payee, view.vault), (TO_PAYEE, FIRST - 4 * UNIT));
    });
}

#[test]
fn a_refund_gives_back_what_is_left() {
    each(|world| {
        mobile(&world, &terms(&world));
        let (client, reference) = (world.client(), &world.reference);
        client.release(reference, &0, &FIRST, &0);
        world.env.ledger().set_timestamp(world.escrow().expiry);
        client.refund(reference);
        let view = world.escrow();
        assert_eq!((view.state, view.to_payee, view.vault), (Phase::Refunded, FIRST, AMOUNT));
        client.burn(reference, &AMOUNT, &AMOUNT);
        assert_eq!(world.held(), 0);
    });
}

#[test]
fn an_arbiter_parts_what_is_left_of_own_tokens() {
    each(|world| {
        let before = world.coins().balance(&world.owner);
        own(&world, &terms(&world));
        let (client, reference) = (world.client(), &world.reference);
        client.release(reference, &0, &FIRST, &0);
        client.dispute(reference, &world.owner);
        client.resolve(reference, &UNIT);
        assert_eq!(world.coins().balance(&world.payee), FIRST + UNIT);
        assert_eq!(world.coins().balance(&world.owner), before - FIRST - UNIT);
        assert_eq!(world.coins().balance(&world.contract), 0);
        let totals = Totals { came: AMOUNT, burned: 0, paid: AMOUNT, fees: 0 };
        assert_eq!(client.totals(&1), totals);
    });
}

/// The default counts what was released before.
#[test]
fn nobody_decides_and_the_default_stands() {
    for released in [false, true] {
        each(|world| {
            let default_to_payee = if released { DEFAULT } else { FIRST };
            own(&world, &Terms { default_to_payee, ..terms(&world) });
            let (client, reference) = (world.client(), &world.reference);
            if released {
                client.release(reference, &0, &(FIRST - UNIT), &UNIT);
            }
            client.dispute(reference, &world.payee);
            world.env.ledger().set_timestamp(DEADLINE);
            world.env.set_auths(&[]);
            client.resolve_timeout(reference);
            let view = world.escrow();
            assert_eq!((view.state, view.to_payee + view.fee), (Phase::Resolved, default_to_payee));
            assert_eq!(world.coins().balance(&world.payee), view.to_payee);
        });
    }
}

/// What was released before may be more than the default: nothing is taken back.
#[test]
fn a_default_takes_nothing_back() {
    each(|world| {
        own(&world, &Terms { default_to_payee: UNIT, ..terms(&world) });
        let (client, reference) = (world.client(), &world.reference);
        client.release(reference, &0, &FIRST, &0);
        client.dispute(reference, &world.owner);
        world.env.ledger().set_timestamp(DEADLINE);
        client.resolve_timeout(reference);
        assert_eq!(world.escrow().to_payee, FIRST);
    });
}

#[test]
fn a_payer_who_vanished_pays_when_the_clock_rings() {
    each(|world| {
        own(&world, &Terms { release_at: RING, ..terms(&world) });
        let (client, reference) = (world.client(), &world.reference);
        client.release(reference, &0, &(FIRST - UNIT), &UNIT);
        world.env.ledger().set_timestamp(RING);
        world.env.set_auths(&[]);
        client.auto_release(reference);
        let view = world.escrow();
        assert_eq!((view.state, view.fee, view.to_payee), (Phase::Released, FEE, TO_PAYEE));
        assert_eq!(world.coins().balance(&world.payee), TO_PAYEE);
        client.sweep(&1);
        assert_eq!(world.coins().balance(&world.till), FEE);
    });
}

/// A dispute stops both clocks: neither a release nor a refund happens by itself any more.
#[test]
fn a_dispute_stops_the_clocks() {
    each(|world| {
        mobile(&world, &Terms { release_at: RING, dispute_s: 365 * 86_400, ..terms(&world) });
        let (client, reference) = (world.client(), &world.reference);
        client.dispute(reference, &world.operator);
        world.env.ledger().set_timestamp(world.escrow().expiry + 1);
        assert!(client.try_auto_release(reference).is_err());
        assert!(client.try_refund(reference).is_err());
        client.resolve(reference, &AMOUNT);
        assert_eq!((world.escrow().to_payee, world.escrow().vault), (AMOUNT, AMOUNT));
    });
}
