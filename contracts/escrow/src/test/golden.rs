//! The stories an escrow is made for, each told by this crate and by the committed Wasm.

extern crate std;

use soroban_sdk::InvokeError;
use soroban_sdk::testutils::Ledger as _;

use super::world::{AMOUNT, Code, DAY, EXPIRY, FEE, TO_PAYEE, UNIT, World};
use crate::{EscrowView, Phase, Totals};

/// Funds the escrow in two parts.
fn fund(world: &World) {
    let (client, reference) = (world.client(), &world.reference);
    client.create(reference, &world.delegate, &world.token, &AMOUNT, &EXPIRY);
    client.fund_deposit(reference, &world.bytes("first"), &(AMOUNT - UNIT));
    assert_eq!(world.escrow().state, Phase::Open);
    client.fund_deposit(reference, &world.bytes("second"), &UNIT);
    assert_eq!(world.escrow().state, Phase::Funded);
    assert_eq!(world.held(), AMOUNT);
}

fn each(story: impl Fn(World)) {
    for code in [Code::Native, Code::Wasm] {
        story(World::of(code));
    }
}

#[test]
fn a_mobile_payee_is_paid_through_the_vault() {
    each(|world| {
        fund(&world);
        let (client, reference) = (world.client(), &world.reference);
        client.assign(reference, &world.bytes("person"), &None);
        client.release(reference, &0, &TO_PAYEE, &FEE);
        assert_eq!(world.held(), TO_PAYEE);
        let whole_shillings = TO_PAYEE - TO_PAYEE % (100 * UNIT);
        client.burn(reference, &whole_shillings, &TO_PAYEE);
        assert_eq!(
            world.escrow(),
            EscrowView {
                state: Phase::Released,
                payer: world.delegate.clone(),
                payee: Some(world.bytes("person")),
                to: None,
                amount: AMOUNT,
                funded: AMOUNT,
                to_payee: TO_PAYEE,
                fee: FEE,
                vault: 93 * UNIT,
                expiry: EXPIRY,
            }
        );
        assert_eq!(client.totals(), Totals { minted: AMOUNT, burned: FEE + whole_shillings, paid: 0 });
        assert_eq!(world.held(), 93 * UNIT, "the fraction of a shilling stays");
    });
}

#[test]
fn a_payee_with_an_address_is_paid_in_tokens() {
    each(|world| {
        fund(&world);
        let (client, reference) = (world.client(), &world.reference);
        client.assign(reference, &world.bytes("person"), &Some(world.payee.clone()));
        assert_eq!(world.escrow().to, Some(world.payee.clone()));
        client.release(reference, &0, &AMOUNT, &0);
        assert_eq!(world.tokens().balance(&world.payee), AMOUNT);
        assert_eq!(world.held(), 0);
        assert_eq!(world.escrow().vault, 0);
        assert_eq!(client.totals(), Totals { minted: AMOUNT, burned: 0, paid: AMOUNT });
    });
}

#[test]
fn anyone_refunds_after_expiry() {
    each(|world| {
        fund(&world);
        let (client, reference) = (world.client(), &world.reference);
        world.env.ledger().set_timestamp(EXPIRY + DAY);
        world.env.set_auths(&[]);
        client.refund(reference);
        assert_eq!((world.escrow().state, world.escrow().vault), (Phase::Refunded, AMOUNT));
        world.env.mock_all_auths();
        client.burn(reference, &AMOUNT, &AMOUNT);
        assert_eq!(client.totals(), Totals { minted: AMOUNT, burned: AMOUNT, paid: 0 });
        assert_eq!(world.held(), 0);
    });
}

#[test]
fn a_deposit_after_expiry_is_still_minted() {
    each(|world| {
        let (client, reference) = (world.client(), &world.reference);
        client.create(reference, &world.delegate, &world.token, &AMOUNT, &EXPIRY);
        world.env.ledger().set_timestamp(EXPIRY + DAY);
        client.fund_deposit(reference, &world.bytes("late"), &AMOUNT);
        client.assign(reference, &world.bytes("person"), &None);
        client.release(reference, &0, &AMOUNT, &0);
        assert_eq!(world.escrow().vault, AMOUNT);
    });
}

#[test]
fn cancelling_burns_what_came() {
    each(|world| {
        let (client, reference) = (world.client(), &world.reference);
        client.create(reference, &world.delegate, &world.token, &AMOUNT, &EXPIRY);
        client.fund_deposit(reference, &world.bytes("first"), &UNIT);
        client.cancel(reference);
        assert_eq!((world.escrow().state, world.escrow().funded), (Phase::Cancelled, UNIT));
        assert_eq!(world.held(), 0);
        assert_eq!(client.totals(), Totals { minted: UNIT, burned: UNIT, paid: 0 });
        assert_eq!(client.deposit(&world.bytes("first")).as_ref(), Some(reference));
    });
}

/// What the payee's own account refuses (here it has no trustline) undoes the whole call; once that is put
/// right, or time has passed, the money moves.
#[test]
fn a_payee_who_cannot_receive_leaves_the_escrow_funded() {
    each(|world| {
        fund(&world);
        let (client, reference) = (world.client(), &world.reference);
        let account = world.env.register_stellar_asset_contract_v2(world.stranger.clone()).issuer().address();
        client.assign(reference, &world.bytes("person"), &Some(account));
        let refusal = client.try_release(reference, &0, &TO_PAYEE, &FEE).unwrap_err();
        assert_eq!(refusal, Err(InvokeError::Contract(13)), "the token's number, below all of ours");
        assert_eq!((world.escrow().state, world.held()), (Phase::Funded, AMOUNT));
        assert_eq!(client.totals(), Totals { minted: AMOUNT, burned: 0, paid: 0 });
        world.env.ledger().set_timestamp(EXPIRY);
        client.refund(reference);
        assert_eq!(world.escrow().vault, AMOUNT);
    });
}

/// Tokens that anyone sends to the contract unasked are owed to nobody and change no escrow.
#[test]
fn a_gift_stays_where_it_is() {
    each(|world| {
        fund(&world);
        let (client, reference) = (world.client(), &world.reference);
        client.assign(reference, &world.bytes("person"), &Some(world.payee.clone()));
        client.release(reference, &0, &AMOUNT, &0);
        world.tokens().transfer(&world.payee, &world.contract, &UNIT);
        assert_eq!((world.held(), world.escrow().vault), (UNIT, 0));
        assert_eq!(client.totals(), Totals { minted: AMOUNT, burned: 0, paid: AMOUNT });
    });
}

#[test]
fn an_employer_with_a_key_creates_assigns_and_cancels() {
    each(|world| {
        let (client, reference) = (world.client(), &world.reference);
        client.create(reference, &world.stranger, &world.token, &AMOUNT, &EXPIRY);
        client.assign(reference, &world.bytes("person"), &Some(world.payee.clone()));
        client.cancel(reference);
        assert_eq!((world.escrow().state, world.escrow().payer), (Phase::Cancelled, world.stranger.clone()));
    });
}

#[test]
fn the_configuration_is_read_back() {
    each(|world| {
        let config = world.client().config();
        assert_eq!([config.admin, config.operator], [world.admin.clone(), world.operator.clone()]);
        assert_eq!([config.delegate, config.arbiter], [world.delegate.clone(), world.arbiter.clone()]);
        assert_eq!((config.token, config.unit), (world.token.clone(), UNIT));
        assert_eq!(world.client().version(), 1);
        assert_eq!(world.client().get(&world.reference), None);
        assert_eq!(world.client().deposit(&world.reference), None);
    });
}
