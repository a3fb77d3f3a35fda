//! The admin: two steps to hand over, a week's notice for other code, a list that is only added to.

extern crate std;

use soroban_sdk::testutils::Ledger as _;

use super::world::{AMOUNT, Code, DAY, FEE, START, Stage, UNIT, World, outcome};
use crate::{Error, Phase};

#[test]
fn an_admin_hands_over_in_two_steps() {
    for code in [Code::Native, Code::Wasm] {
        let world = World::of(code);
        let (client, candidate) = (world.client(), Some(world.stranger.clone()));
        client.propose_admin(&candidate);
        assert_eq!(client.config().admin, world.admin, "nothing changes before they accept");
        client.propose_admin(&None);
        assert_eq!(outcome(client.try_accept_admin()), Err(Error::NothingProposed), "taken back");
        client.propose_admin(&candidate);
        client.accept_admin();
        assert_eq!((client.config().admin, client.config().candidate), (world.stranger.clone(), None));
        assert_eq!(outcome(client.try_accept_admin()), Err(Error::NothingProposed), "once");
    }
}

/// The other code here is the anchor's: any would do.
#[test]
fn other_code_runs_after_a_week_and_not_before() {
    let world = World::at(Code::Wasm, Stage::FundedMobile);
    let client = world.client();
    let anchor = include_bytes!("../../../anchor/anchor.wasm").as_slice();
    let code = world.env.deployer().upload_contract_wasm(anchor);
    client.propose_upgrade(&Some(code.clone()));
    assert_eq!((client.config().code, client.config().ready_at), (Some(code.clone()), START + 7 * DAY));
    world.env.ledger().set_timestamp(START + 7 * DAY - 1);
    assert_eq!(outcome(client.try_upgrade()), Err(Error::TooEarly));
    client.propose_upgrade(&None);
    world.env.ledger().set_timestamp(START + 30 * DAY);
    assert_eq!(outcome(client.try_upgrade()), Err(Error::NothingProposed), "taken back");
    client.propose_upgrade(&Some(code));
    assert_eq!(outcome(client.try_upgrade()), Err(Error::TooEarly), "a new proposal waits anew");
    assert_eq!((client.version(), world.escrow().state), (2, Phase::Funded));
    world.env.ledger().set_timestamp(START + 37 * DAY);
    client.upgrade();
    assert_eq!(client.version(), 1, "the anchor's");
}

/// An escrow's fees go to the recipient that was listed when it was created.
#[test]
fn a_new_listing_changes_nothing_for_an_old_escrow() {
    for code in [Code::Native, Code::Wasm] {
        let world = World::at(code, Stage::OwnAssigned);
        let client = world.client();
        client.unlist(&1);
        assert_eq!(client.list(&world.coin, &(2 * UNIT), &world.stranger), 2);
        client.release(&world.reference, &0, &(AMOUNT - FEE), &FEE);
        client.sweep(&1);
        assert_eq!((world.coins().balance(&world.till), world.coins().balance(&world.stranger)), (FEE, 0));
        assert_eq!((client.totals(&1).fees, client.totals(&2).came), (0, 0));
    }
}

/// A recipient who cannot be paid holds up no release.
#[test]
fn a_recipient_who_cannot_be_paid_waits_alone() {
    let world = World::at(Code::Native, Stage::OwnAssigned);
    world.freeze(&world.till, true);
    world.client().release(&world.reference, &0, &(AMOUNT - FEE), &FEE);
    assert!(world.client().try_sweep(&1).is_err());
    assert_eq!((world.escrow().state, world.client().totals(&1).fees), (Phase::Released, FEE));
    world.freeze(&world.till, false);
    world.client().sweep(&1);
    assert_eq!(world.coins().balance(&world.till), FEE);
}
