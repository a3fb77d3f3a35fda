//! The stories an escrow is made for, each told by this crate and by the committed Wasm.

extern crate std;

use soroban_sdk::testutils::{Address as _, Ledger as _};
use soroban_sdk::{Address, BytesN};

use super::world::{AMOUNT, Code, DAY, EXPIRY, UNIT, World};
use crate::{EscrowView, Phase, Totals};

/// An escrow funded in two parts.
fn funded(world: &World) -> BytesN<32> {
    let reference = world.bytes("escrow");
    let client = world.client();
    client.create(&reference, &world.delegate, &world.token, &AMOUNT, &EXPIRY);
    client.fund_deposit(&reference, &world.bytes("first"), &(AMOUNT - UNIT));
    assert_eq!(world.escrow(&reference).state, Phase::Open);
    client.fund_deposit(&reference, &world.bytes("second"), &UNIT);
    assert_eq!(world.escrow(&reference).state, Phase::Funded);
    assert_eq!(world.held(), AMOUNT);
    reference
}

fn each(story: impl Fn(World)) {
    for code in [Code::Native, Code::Wasm] {
        story(World::of(code));
    }
}

#[test]
fn a_mobile_payee_is_paid_through_the_vault() {
    each(|world| {
        let reference = funded(&world);
        let client = world.client();
        client.assign(&reference, &world.bytes("person"), &None);
        client.release(&reference, &0, &(AMOUNT - 7 * UNIT), &(7 * UNIT));
        let vault = AMOUNT - 7 * UNIT;
        assert_eq!(world.held(), vault);
        let whole_shillings = vault - vault % (100 * UNIT);
        client.burn(&reference, &whole_shillings, &vault);
        assert_eq!(
            world.escrow(&reference),
            EscrowView {
                state: Phase::Released,
                payer: world.delegate.clone(),
                payee: Some(world.bytes("person")),
                to: None,
                amount: AMOUNT,
                funded: AMOUNT,
                to_payee: vault,
                fee: 7 * UNIT,
                vault: vault - whole_shillings,
                expiry: EXPIRY,
            }
        );
        assert_eq!(client.totals(), Totals { minted: AMOUNT, burned: 7 * UNIT + whole_shillings, paid: 0 });
        assert_eq!(world.held(), 93 * UNIT);
    });
}

#[test]
fn a_payee_with_an_address_is_paid_in_tokens() {
    each(|world| {
        let reference = funded(&world);
        let client = world.client();
        let payee = Address::generate(&world.env);
        client.assign(&reference, &world.bytes("person"), &Some(payee.clone()));
        client.release(&reference, &0, &AMOUNT, &0);
        assert_eq!(world.tokens().balance(&payee), AMOUNT);
        assert_eq!(world.held(), 0);
        assert_eq!(world.escrow(&reference).vault, 0);
        assert_eq!(client.totals(), Totals { minted: AMOUNT, burned: 0, paid: AMOUNT });
    });
}

#[test]
fn a_stranger_refunds_after_expiry() {
    each(|world| {
        let reference = funded(&world);
        let client = world.client();
        world.env.ledger().set_timestamp(EXPIRY + DAY);
        world.env.set_auths(&[]);
        client.refund(&reference);
        assert_eq!(world.escrow(&reference).vault, AMOUNT);
        world.env.mock_all_auths();
        client.burn(&reference, &AMOUNT, &AMOUNT);
        assert_eq!(client.totals(), Totals { minted: AMOUNT, burned: AMOUNT, paid: 0 });
    });
}

#[test]
fn cancelling_burns_what_came() {
    each(|world| {
        let reference = world.bytes("escrow");
        let client = world.client();
        client.create(&reference, &world.delegate, &world.token, &AMOUNT, &EXPIRY);
        client.fund_deposit(&reference, &world.bytes("first"), &UNIT);
        client.cancel(&reference);
        assert_eq!(world.escrow(&reference).state, Phase::Cancelled);
        assert_eq!(world.held(), 0);
        assert_eq!(client.totals(), Totals { minted: UNIT, burned: UNIT, paid: 0 });
        assert_eq!(client.deposit(&world.bytes("first")), Some(reference));
        assert_eq!(client.version(), 1);
    });
}
