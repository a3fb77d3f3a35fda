//! Every state against every call: what is allowed leads to the state named here, what is not is refused by
//! the exact error and changes nothing.

extern crate std;

use super::world::{AMOUNT, Code, DAY, EXPIRY, FEE, Stage, TO_PAYEE, UNIT, World, outcome};
use crate::Error::{
    AlreadyAssigned, AlreadyExists, IsCancelled, IsFunded, IsOpen, IsRefunded, IsReleased, NotAssigned,
    NotExpired, NotFound, VaultShort,
};
use crate::Phase::{Cancelled, Funded, Open, Refunded, Released};
use crate::{Error, Phase};

#[derive(Clone, Copy, Debug)]
enum Call {
    Create,
    Fund,
    Assign,
    Release,
    Refund,
    Cancel,
    Burn,
}

const CALLS: [Call; 7] =
    [Call::Create, Call::Fund, Call::Assign, Call::Release, Call::Refund, Call::Cancel, Call::Burn];

type Cell = Result<Phase, Error>;

const OPEN: Cell = Ok(Open);
const FUNDED: Cell = Ok(Funded);
const RELEASED: Cell = Ok(Released);
const REFUNDED: Cell = Ok(Refunded);
const CANCELLED: Cell = Ok(Cancelled);

/// One row a state, one column a call, in the order of `CALLS`; deposits are of one unit. In capitals the
/// state that a call leads to, in small letters its refusal.
#[rustfmt::skip]
const TABLE: [(Stage, [Cell; 7]); 16] = {
    let (nothing, exists): (Cell, Cell) = (Err(NotFound), Err(AlreadyExists));
    let (nobody, twice): (Cell, Cell) = (Err(NotAssigned), Err(AlreadyAssigned));
    let (open, funded): (Cell, Cell) = (Err(IsOpen), Err(IsFunded));
    let (gone, back, off): (Cell, Cell, Cell) = (Err(IsReleased), Err(IsRefunded), Err(IsCancelled));
    let (early, dry): (Cell, Cell) = (Err(NotExpired), Err(VaultShort));
    [
        //                            create   fund     assign   release   refund    cancel     burn
        (Stage::Absent,              [OPEN,    nothing, nothing, nothing,  nothing,  nothing,   nothing]),
        (Stage::Open,                [exists,  OPEN,    OPEN,    open,     open,     CANCELLED, open]),
        (Stage::OpenInPart,          [exists,  FUNDED,  OPEN,    open,     open,     CANCELLED, open]),
        (Stage::OpenAssigned,        [exists,  OPEN,    twice,   open,     open,     CANCELLED, open]),
        (Stage::Funded,              [exists,  funded,  FUNDED,  nobody,   early,    funded,    funded]),
        (Stage::FundedMobile,        [exists,  funded,  twice,   RELEASED, early,    funded,    funded]),
        (Stage::FundedAccount,       [exists,  funded,  twice,   RELEASED, REFUNDED, funded,    funded]),
        (Stage::FundedExpired,       [exists,  funded,  FUNDED,  nobody,   REFUNDED, funded,    funded]),
        (Stage::FundedMobileExpired, [exists,  funded,  twice,   RELEASED, REFUNDED, funded,    funded]),
        (Stage::ReleasedMobile,      [exists,  gone,    gone,    gone,     gone,     gone,      RELEASED]),
        (Stage::ReleasedMobilePaid,  [exists,  gone,    gone,    gone,     gone,     gone,      dry]),
        (Stage::ReleasedAccount,     [exists,  gone,    gone,    gone,     gone,     gone,      dry]),
        (Stage::Refunded,            [exists,  back,    back,    back,     back,     back,      REFUNDED]),
        (Stage::RefundedPaid,        [exists,  back,    back,    back,     back,     back,      dry]),
        (Stage::Cancelled,           [exists,  off,     off,     off,      off,      off,       off]),
        (Stage::CancelledInPart,     [exists,  off,     off,     off,      off,      off,       off]),
    ]
};

fn make(world: &World, call: Call) -> Result<(), Error> {
    let (client, reference) = (world.client(), &world.reference);
    match call {
        Call::Create => {
            outcome(client.try_create(reference, &world.delegate, &world.token, &AMOUNT, &(EXPIRY + DAY)))
        }
        Call::Fund => outcome(client.try_fund_deposit(reference, &world.bytes("another"), &UNIT)),
        Call::Assign => {
            outcome(client.try_assign(reference, &world.bytes("other"), &Some(world.stranger.clone())))
        }
        Call::Release => outcome(client.try_release(reference, &0, &TO_PAYEE, &FEE)),
        Call::Refund => outcome(client.try_refund(reference)),
        Call::Cancel => outcome(client.try_cancel(reference)),
        Call::Burn => {
            let vault = client.get(reference).map_or(0, |escrow| escrow.vault);
            outcome(client.try_burn(reference, &UNIT, &vault))
        }
    }
}

#[test]
fn every_call_in_every_state() {
    for (stage, row) in TABLE {
        for (call, expected) in CALLS.into_iter().zip(row) {
            let world = World::at(Code::Native, stage);
            let look = || (world.client().get(&world.reference), world.client().totals(), world.held());
            let before = look();
            let found = make(&world, call).map(|()| world.escrow().state);
            assert_eq!(found, expected, "{call:?} when {stage:?}");
            if found.is_err() {
                assert_eq!(look(), before, "{call:?} when {stage:?} was refused and changed something");
            } else {
                assert_ne!(look(), before, "{call:?} when {stage:?} changed nothing");
            }
            let owed = world.client().get(&world.reference).map_or(0, |escrow| match escrow.state {
                Open | Funded => escrow.funded,
                Released | Refunded | Cancelled => escrow.vault,
            });
            assert_eq!(world.held(), owed, "{call:?} when {stage:?}");
        }
    }
}
