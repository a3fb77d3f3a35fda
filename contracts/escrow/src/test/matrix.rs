//! Every state against every call: what is allowed leads to the state named here, what is not is refused by
//! the exact error and changes nothing.

extern crate std;

use soroban_sdk::testutils::Ledger as _;

use super::world::{AMOUNT, Code, DAY, EXPIRY, FEE, FIRST, Stage, UNIT, World, outcome};
use crate::Error::{
    AddressNeeded, AlreadyAssigned, AlreadyExists, FundedByDeposits, IsCancelled, IsDisputed, IsFunded,
    IsOpen, IsRefunded, IsReleased, IsResolved, NotAssigned, NotDelegated, NotExpired, NotFound, NothingPaid,
    ReleaseDue, TooEarly, TooLate, VaultShort,
};
use crate::Phase::{Cancelled, Disputed, Funded, Open, Refunded, Released, Resolved};
use crate::{Error, Phase, Terms};

#[derive(Clone, Copy, Debug)]
pub(super) enum Call {
    Create,
    Deposit,
    PayIn,
    Assign,
    Release,
    AutoRelease,
    Refund,
    Cancel,
    Dispute,
    Resolve,
    ResolveTimeout,
    Claim,
    Burn,
}

pub(super) const CALLS: [(Call, &str); 13] = [
    (Call::Create, "create"),
    (Call::Deposit, "fund_deposit"),
    (Call::PayIn, "fund"),
    (Call::Assign, "assign"),
    (Call::Release, "release"),
    (Call::AutoRelease, "auto_release"),
    (Call::Refund, "refund"),
    (Call::Cancel, "cancel"),
    (Call::Dispute, "dispute"),
    (Call::Resolve, "resolve"),
    (Call::ResolveTimeout, "resolve_timeout"),
    (Call::Claim, "claim"),
    (Call::Burn, "burn"),
];

pub(super) type Cell = Result<Phase, Error>;

const OPN: Cell = Ok(Open);
const FUN: Cell = Ok(Funded);
const PAI: Cell = Ok(Released);
const BAC: Cell = Ok(Refunded);
const SPL: Cell = Ok(Resolved);
const DIS: Cell = Ok(Disputed);
const END: Cell = Ok(Cancelled);

/// One row a state, one column a call, in the order of `CALLS`; deposits are of one unit, a release is of the
/// first milestone that is left. In capitals the state that a call leads to, in small letters its refusal.
#[rustfmt::skip]
pub(super) const TABLE: [(Stage, [Cell; 13]); 40] = {
    let (non, old): (Cell, Cell) = (Err(NotFound), Err(AlreadyExists));
    let (nob, two): (Cell, Cell) = (Err(NotAssigned), Err(AlreadyAssigned));
    let (opn, fun): (Cell, Cell) = (Err(IsOpen), Err(IsFunded));
    let (pai, bac, end): (Cell, Cell, Cell) = (Err(IsReleased), Err(IsRefunded), Err(IsCancelled));
    let (dis, spl): (Cell, Cell) = (Err(IsDisputed), Err(IsResolved));
    let (ter, due): (Cell, Cell) = (Err(NotExpired), Err(ReleaseDue));
    let (soo, lat): (Cell, Cell) = (Err(TooEarly), Err(TooLate));
    let (dry, nil): (Cell, Cell) = (Err(VaultShort), Err(NothingPaid));
    let (dep, own, adr): (Cell, Cell, Cell) = (Err(FundedByDeposits), Err(NotDelegated), Err(AddressNeeded));
    [
        //                             cre  dep  fun  ass  rel  aut  ref  can  dis  res  tim  cla  bur
        (Stage::Absent,               [OPN, non, non, non, non, non, non, non, non, non, non, non, non]),
        (Stage::Open,                 [old, OPN, dep, OPN, opn, opn, opn, END, opn, opn, opn, nil, opn]),
        (Stage::OpenInPart,           [old, FUN, dep, OPN, opn, opn, opn, END, opn, opn, opn, nil, opn]),
        (Stage::OpenAssigned,         [old, OPN, dep, two, opn, opn, opn, END, opn, opn, opn, nil, opn]),
        (Stage::OpenExpired,          [old, FUN, dep, OPN, opn, opn, opn, END, opn, opn, opn, nil, opn]),
        (Stage::Funded,               [old, fun, fun, FUN, nob, nob, ter, fun, nob, fun, fun, nil, dry]),
        (Stage::FundedMobile,         [old, fun, fun, two, PAI, soo, ter, fun, DIS, fun, fun, nil, dry]),
        (Stage::FundedAccount,        [old, fun, fun, two, PAI, soo, BAC, fun, DIS, fun, fun, nil, dry]),
        (Stage::FundedExpired,        [old, fun, fun, FUN, nob, nob, BAC, fun, nob, fun, fun, nil, dry]),
        (Stage::FundedMobileExpired,  [old, fun, fun, two, PAI, soo, BAC, fun, lat, fun, fun, nil, dry]),
        (Stage::FundedMobileRung,     [old, fun, fun, two, PAI, PAI, due, fun, lat, fun, fun, nil, dry]),
        (Stage::FundedInTwo,          [old, fun, fun, two, FUN, soo, ter, fun, DIS, fun, fun, nil, dry]),
        (Stage::FirstReleased,        [old, fun, fun, two, PAI, soo, ter, fun, DIS, fun, fun, nil, FUN]),
        (Stage::DisputedMobile,       [old, dis, dis, dis, dis, dis, dis, dis, dis, SPL, soo, nil, dry]),
        (Stage::DisputedFirstReleased,[old, dis, dis, dis, dis, dis, dis, dis, dis, SPL, soo, nil, DIS]),
        (Stage::DisputedAccount,      [old, dis, dis, dis, dis, dis, dis, dis, dis, SPL, soo, nil, dry]),
        (Stage::DisputedPastDeadline, [old, dis, dis, dis, dis, dis, dis, dis, dis, lat, SPL, nil, dry]),
        (Stage::ReleasedMobile,       [old, pai, pai, pai, pai, pai, pai, pai, pai, pai, pai, nil, PAI]),
        (Stage::ReleasedMobilePaid,   [old, pai, pai, pai, pai, pai, pai, pai, pai, pai, pai, nil, dry]),
        (Stage::ReleasedAccount,      [old, pai, pai, pai, pai, pai, pai, pai, pai, pai, pai, nil, dry]),
        (Stage::Refunded,             [old, bac, bac, bac, bac, bac, bac, bac, bac, bac, bac, nil, BAC]),
        (Stage::RefundedPaid,         [old, bac, bac, bac, bac, bac, bac, bac, bac, bac, bac, nil, dry]),
        (Stage::Resolved,             [old, spl, spl, spl, spl, spl, spl, spl, spl, spl, spl, nil, SPL]),
        (Stage::ResolvedPaid,         [old, spl, spl, spl, spl, spl, spl, spl, spl, spl, spl, nil, dry]),
        (Stage::Cancelled,            [old, end, end, end, end, end, end, end, end, end, end, nil, end]),
        (Stage::CancelledInPart,      [old, end, end, end, end, end, end, end, end, end, end, nil, end]),
        (Stage::OwnOpen,              [old, own, FUN, adr, opn, opn, opn, END, opn, opn, opn, nil, opn]),
        (Stage::OwnOpenAssigned,      [old, own, FUN, two, opn, opn, opn, END, opn, opn, opn, nil, opn]),
        (Stage::OwnFunded,            [old, own, fun, adr, nob, nob, ter, fun, nob, fun, fun, nil, dry]),
        (Stage::OwnAssigned,          [old, own, fun, two, PAI, soo, BAC, fun, DIS, fun, fun, nil, dry]),
        (Stage::OwnRung,              [old, own, fun, two, PAI, PAI, BAC, fun, lat, fun, fun, nil, dry]),
        (Stage::OwnExpired,           [old, own, fun, two, PAI, soo, BAC, fun, lat, fun, fun, nil, dry]),
        (Stage::OwnDisputed,          [old, own, dis, dis, dis, dis, dis, dis, dis, SPL, soo, nil, dry]),
        (Stage::OwnReleased,          [old, own, pai, pai, pai, pai, pai, pai, pai, pai, pai, nil, dry]),
        (Stage::OwnRefunded,          [old, own, bac, bac, bac, bac, bac, bac, bac, bac, bac, nil, dry]),
        (Stage::OwnResolved,          [old, own, spl, spl, spl, spl, spl, spl, spl, spl, spl, nil, dry]),
        (Stage::OwnDue,               [old, own, spl, spl, spl, spl, spl, spl, spl, spl, spl, nil, dry]),
        (Stage::OwnReleasedClaimable, [old, own, pai, pai, pai, pai, pai, pai, pai, pai, pai, PAI, dry]),
        (Stage::OwnRefundedClaimable, [old, own, bac, bac, bac, bac, bac, bac, bac, bac, bac, BAC, dry]),
        (Stage::OwnResolvedClaimable, [old, own, spl, spl, spl, spl, spl, spl, spl, spl, spl, SPL, dry]),
    ]
};

fn make(world: &World, call: Call) -> Result<(), Error> {
    let (client, reference) = (world.client(), &world.reference);
    let view = client.get(reference);
    match call {
        Call::Create => {
            let terms = Terms { expiry: EXPIRY + DAY, ..world.terms() };
            outcome(client.try_create(reference, &world.delegate, &terms))
        }
        Call::Deposit => outcome(client.try_fund_deposit(reference, &world.bytes("another"), &UNIT)),
        Call::PayIn => outcome(client.try_fund(reference, &AMOUNT)),
        Call::Assign => outcome(client.try_assign(reference, &world.bytes("other"), &None)),
        Call::Release => {
            let two = view.as_ref().is_some_and(|view| view.amounts.len() == 2);
            let (milestone, worth) = match (two, view.map_or(0, |view| view.milestones)) {
                (false, _) => (0, AMOUNT),
                (true, 0) => (0, FIRST),
                (true, _) => (1, AMOUNT - FIRST),
            };
            let fee = if milestone == 0 { FEE } else { UNIT };
            outcome(client.try_release(reference, &milestone, &(worth - fee), &fee))
        }
        Call::AutoRelease => outcome(client.try_auto_release(reference)),
        Call::Refund => outcome(client.try_refund(reference)),
        Call::Cancel => outcome(client.try_cancel(reference)),
        Call::Dispute => {
            let payer = view.map_or_else(|| world.delegate.clone(), |view| view.payer);
            outcome(client.try_dispute(reference, &payer))
        }
        Call::Resolve => outcome(client.try_resolve(reference, &UNIT)),
        Call::ResolveTimeout => outcome(client.try_resolve_timeout(reference)),
        Call::Claim => outcome(client.try_claim(reference)),
        Call::Burn => {
            let vault = view.map_or(0, |view| view.vault);
            outcome(client.try_burn(reference, &UNIT, &vault))
        }
    }
}

#[test]
fn every_call_in_every_state() {
    for (stage, row) in TABLE {
        for ((call, _), expected) in CALLS.into_iter().zip(row) {
            let world = World::at(Code::Native, stage);
            let totals = |listing| world.client().totals(&listing);
            let held = || (world.held(), world.coins().balance(&world.contract));
            let look = || (world.client().get(&world.reference), totals(0), totals(1), held());
            let before = look();
            let found = make(&world, call).map(|()| world.escrow().state);
            assert_eq!(found, expected, "{call:?} when {stage:?}");
            if found.is_err() {
                assert_eq!(look(), before, "{call:?} when {stage:?} was refused and changed something");
            } else {
                assert_ne!(look(), before, "{call:?} when {stage:?} changed nothing");
            }
            let owed = world.client().get(&world.reference).map_or(0, |escrow| {
                let left = match escrow.state {
                    Open => escrow.funded,
                    Funded | Disputed => escrow.funded - escrow.to_payee - escrow.fee,
                    Released | Refunded | Resolved | Cancelled => 0,
                };
                left + escrow.vault + escrow.due_payee + escrow.due_payer
            });
            let (deposits, coins) = held();
            assert_eq!(deposits + coins - totals(1).fees, owed, "{call:?} when {stage:?}");
        }
    }
}

/// Paused, creating and funding are refused and every other cell is as it was.
#[test]
fn a_pause_blocks_creating_and_funding_and_nothing_else() {
    for (stage, row) in TABLE {
        for ((call, name), running) in CALLS.into_iter().zip(row) {
            let world = World::at(Code::Native, stage);
            world.client().pause(&true);
            let blocked = matches!(call, Call::Create | Call::Deposit | Call::PayIn);
            let expected = match running {
                Err(NotFound) => running,
                _ if blocked => Err(Error::Paused),
                _ => running,
            };
            let found = make(&world, call).map(|()| world.escrow().state);
            assert_eq!(found, expected, "{name} when {stage:?} and paused");
        }
    }
}

/// What is due is paid once the account can take it.
#[test]
fn a_claim_pays_once() {
    let world = World::at(Code::Native, Stage::OwnDue);
    let view = world.escrow();
    assert_eq!((view.due_payee, view.due_payer), (FIRST, 0));
    world.env.ledger().set_timestamp(EXPIRY + 100 * DAY);
    assert_eq!(make(&world, Call::Claim), Err(NothingPaid));
    let to = view.to.unwrap();
    world.trust(&to);
    world.env.set_auths(&[]);
    make(&world, Call::Claim).unwrap();
    assert_eq!((world.escrow().due_payee, world.coins().balance(&to)), (0, FIRST));
    assert_eq!(make(&world, Call::Claim), Err(NothingPaid));
}
