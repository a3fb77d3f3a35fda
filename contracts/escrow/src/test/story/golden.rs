//! The straight path: deposits come, the work is paid or the money goes back.

extern crate std;

use soroban_sdk::testutils::Ledger as _;
use soroban_sdk::{InvokeError, Vec};

use super::each;
use crate::test::world::{AMOUNT, DAY, DEFAULT, DISPUTE_DAYS, EXPIRY, FEE, TO_PAYEE, UNIT, World};
use crate::{EscrowView, Phase, Terms, Totals};

/// Funds the escrow in two parts.
fn fund(world: &World) {
    let (client, reference) = (world.client(), &world.reference);
    world.create(&world.delegate, &world.terms());
    client.fund_deposit(reference, &world.bytes("first"), &(AMOUNT - UNIT));
    assert_eq!(world.escrow().state, Phase::Open);
    client.fund_deposit(reference, &world.bytes("second"), &UNIT);
    assert_eq!(world.escrow().state, Phase::Funded);
    assert_eq!(world.held(), AMOUNT);
}

/// Sums without fees that wait for their recipient.
fn sums(came: i128, burned: i128, paid: i128) -> Totals {
    Totals { came, burned, paid, fees: 0 }
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
                listing: 0,
                amounts: Vec::from_array(&world.env, [AMOUNT]),
                milestones: 1,
                amount: AMOUNT,
                funded: AMOUNT,
                to_payee: TO_PAYEE,
                fee: FEE,
                vault: 93 * UNIT,
                due_payee: 0,
                due_payer: 0,
                fee_cap: FEE,
                default_to_payee: DEFAULT,
                expiry: EXPIRY,
                release_at: 0,
                dispute_s: DISPUTE_DAYS * DAY as u32,
                dispute_until: 0,
            }
        );
        assert_eq!(client.totals(&0), sums(AMOUNT, FEE + whole_shillings, 0));
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
        assert_eq!(client.totals(&0), sums(AMOUNT, 0, AMOUNT));
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
        assert_eq!(client.totals(&0), sums(AMOUNT, AMOUNT, 0));
        assert_eq!(world.held(), 0);
    });
}

#[test]
fn a_deposit_after_expiry_is_still_minted() {
    each(|world| {
        let (client, reference) = (world.client(), &world.reference);
        world.create(&world.delegate, &world.terms());
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
        world.create(&world.delegate, &world.terms());
        client.fund_deposit(reference, &world.bytes("first"), &UNIT);
        client.cancel(reference);
        assert_eq!((world.escrow().state, world.escrow().funded), (Phase::Cancelled, UNIT));
        assert_eq!(world.held(), 0);
        assert_eq!(client.totals(&0), sums(UNIT, UNIT, 0));
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
        let account = world.closed_account();
        client.assign(reference, &world.bytes("person"), &Some(account));
        let refusal = client.try_release(reference, &0, &TO_PAYEE, &FEE).unwrap_err();
        assert_eq!(refusal, Err(InvokeError::Contract(13)), "the token's number, below all of ours");
        assert_eq!((world.escrow().state, world.held()), (Phase::Funded, AMOUNT));
        assert_eq!(client.totals(&0), sums(AMOUNT, 0, 0));
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
        assert_eq!(client.totals(&0), sums(AMOUNT, 0, AMOUNT));
    });
}

#[test]
fn an_employer_with_a_key_creates_assigns_and_cancels() {
    each(|world| {
        let (client, reference) = (world.client(), &world.reference);
        world.create(&world.owner, &world.own_terms());
        client.assign(reference, &world.bytes("person"), &Some(world.payee.clone()));
        client.cancel(reference);
        assert_eq!((world.escrow().state, world.escrow().payer), (Phase::Cancelled, world.owner.clone()));
    });
}

#[test]
fn the_configuration_is_read_back() {
    each(|world| {
        let config = world.client().config();
        assert_eq!([config.admin, config.operator], [world.admin.clone(), world.operator.clone()]);
        assert_eq!([config.delegate, config.arbiter], [world.delegate.clone(), world.arbiter.clone()]);
        assert_eq!((config.paused, config.listed, config.candidate, config.code), (false, 1, None, None));
        let house = world.client().listing(&0);
        assert_eq!((house.token, house.unit, house.open), (world.token.clone(), UNIT, false));
        assert_eq!(world.client().version(), 2);
        assert_eq!(world.client().get(&world.reference), None);
        assert_eq!(world.client().deposit(&world.reference), None);
    });
}

/// A payee is named late, or the money comes late: a clock that rang before both were there is off, so that
/// nobody is paid in the moment they are named.
#[test]
fn a_release_clock_that_rang_too_early_is_off() {
    each(|world| {
        let (client, reference) = (world.client(), &world.reference);
        world.create(&world.delegate, &Terms { release_at: EXPIRY - 1, ..world.terms() });
        client.assign(reference, &world.bytes("person"), &None);
        client.fund_deposit(reference, &world.bytes("first"), &UNIT);
        assert_eq!(world.escrow().release_at, EXPIRY - 1);
        world.env.ledger().set_timestamp(EXPIRY - 1);
        client.fund_deposit(reference, &world.bytes("second"), &(AMOUNT - UNIT));
        assert_eq!(world.escrow().release_at, 0);
        assert!(client.try_auto_release(reference).is_err());
        client.release(reference, &0, &TO_PAYEE, &FEE);
    });
}
