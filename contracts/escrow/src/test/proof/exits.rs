//! Money is never stuck: from every state there is a way out that needs nobody's signature, only time; also
//! when everything is paused and an account refuses to be paid.

extern crate std;

use soroban_sdk::testutils::Ledger as _;

use crate::Phase;
use crate::test::matrix::TABLE;
use crate::test::world::{Code, DAY, EXPIRY, Stage, World, outcome};

/// What anyone may try without a signature.
fn try_all(world: &World) {
    let (client, reference) = (world.client(), &world.reference);
    let _ = outcome(client.try_auto_release(reference));
    let _ = outcome(client.try_refund(reference));
    let _ = outcome(client.try_cancel(reference));
    let _ = outcome(client.try_resolve_timeout(reference));
    let _ = outcome(client.try_claim(reference));
}

fn is_over(phase: Phase) -> bool {
    !matches!(phase, Phase::Open | Phase::Funded | Phase::Disputed)
}

/// With any one party gone, or all of them.
#[test]
fn time_alone_ends_every_escrow() {
    for (stage, _) in TABLE {
        if stage == Stage::Absent {
            continue;
        }
        let world = World::at(Code::Native, stage);
        world.client().pause(&true);
        world.env.ledger().set_timestamp(EXPIRY + 100 * DAY);
        world.env.set_auths(&[]);
        try_all(&world);
        let view = world.escrow();
        assert!(is_over(view.state), "{stage:?} is stuck: {view:?}");
        if view.listing == 0 || stage == Stage::OwnDue {
            continue;
        }
        assert_eq!((view.vault, view.due_payee, view.due_payer), (0, 0, 0), "{stage:?}");
        assert_eq!(world.coins().balance(&world.contract), world.client().totals(&1).fees, "{stage:?}");
    }
}

/// An account that refuses its part holds up only that part, and gets it later.
#[test]
fn a_party_that_cannot_be_paid_holds_up_nobody_else() {
    for stage in [Stage::OwnDisputed, Stage::OwnExpired, Stage::OwnRung] {
        for refuses_payee in [true, false] {
            let world = World::at(Code::Native, stage);
            let refuser = if refuses_payee { &world.payee } else { &world.owner };
            world.freeze(refuser, true);
            world.env.ledger().set_timestamp(EXPIRY + 100 * DAY);
            world.env.set_auths(&[]);
            try_all(&world);
            let view = world.escrow();
            assert!(is_over(view.state), "{stage:?}: {view:?}");
            let (due, nothing) = match refuses_payee {
                true => (view.due_payee, view.due_payer),
                false => (view.due_payer, view.due_payee),
            };
            assert_eq!(nothing, 0, "{stage:?}: the other was paid");
            world.env.mock_all_auths();
            world.freeze(refuser, false);
            world.env.set_auths(&[]);
            let before = world.coins().balance(refuser);
            try_all(&world);
            assert_eq!(world.coins().balance(refuser) - before, due, "{stage:?}");
            let view = world.escrow();
            assert_eq!((view.due_payee, view.due_payer), (0, 0), "{stage:?}");
        }
    }
}
