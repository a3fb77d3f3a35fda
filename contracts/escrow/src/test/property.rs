//! Random calls in random order with time passing, against a model that only adds and subtracts.
//!
//! Invariant, after every call: what the escrows owe together is what the contract holds, and that is what
//! was minted less what was burned and what was paid to accounts; no escrow gives more than it got; a state
//! never goes back, one that is over absorbs everything; a deposit is accepted once, however much later.

extern crate std;

use std::collections::BTreeMap;
use std::vec::Vec;

use proptest::prelude::*;
use soroban_sdk::testutils::Ledger as _;
use soroban_sdk::{Address, BytesN};

use super::world::{DAY, UNIT, World, outcome};
use crate::{Error, EscrowView, Phase, Totals};

const ESCROWS: usize = 3;

#[derive(Clone, Copy, Debug)]
enum Call {
    Create { units: i128, days: u64, delegated: bool },
    Fund { deposit: u8, units: i128 },
    Assign { account: bool },
    Release { to_payee: i128, fee: i128 },
    ReleaseAll { fee: i128 },
    Refund,
    Cancel,
    Burn { units: i128, missed: i128 },
    Wait { days: u32 },
}

/// Small numbers, so that random calls fit each other often enough to get far.
fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        3 => (1..5_i128, 1..60_u64, proptest::bool::weighted(0.9))
            .prop_map(|(units, days, delegated)| Call::Create { units, days, delegated }),
        6 => (0..16_u8, -1..5_i128).prop_map(|(deposit, units)| Call::Fund { deposit, units }),
        3 => any::<bool>().prop_map(|account| Call::Assign { account }),
        1 => (-1..5_i128, -1..3_i128).prop_map(|(to_payee, fee)| Call::Release { to_payee, fee }),
        3 => (0..3_i128).prop_map(|fee| Call::ReleaseAll { fee }),
        2 => Just(Call::Refund),
        1 => Just(Call::Cancel),
        3 => (-1..5_i128, 0..2_i128).prop_map(|(units, missed)| Call::Burn { units, missed }),
        1 => prop_oneof![1..20_u32, 1..20_u32, 200..500_u32].prop_map(|days| Call::Wait { days }),
    ]
}

/// What came into and went out of one escrow, added up from the calls that were accepted.
#[derive(Clone, Copy, Debug, Default)]
struct Flow {
    minted: i128,
    burned: i128,
    paid: i128,
}

struct Model<'a> {
    world: &'a World,
    flows: [Flow; ESCROWS],
    deposits: BTreeMap<u8, usize>,
}

impl Model<'_> {
    fn reference(&self, escrow: usize) -> BytesN<32> {
        self.world.bytes(&std::format!("escrow {escrow}"))
    }

    fn view(&self, escrow: usize) -> Option<EscrowView> {
        self.world.client().get(&self.reference(escrow))
    }

    /// Makes a call and books what an accepted one moved.
    fn make(&mut self, escrow: usize, call: Call) -> Result<(), Error> {
        let (world, reference) = (self.world, self.reference(escrow));
        let client = world.client();
        let before = self.view(escrow);
        let flow = &mut self.flows[escrow];
        match call {
            Call::Create { units, days, delegated } => {
                let payer: &Address = if delegated { &world.delegate } else { &world.stranger };
                let expiry = world.env.ledger().timestamp() + days * DAY;
                outcome(client.try_create(&reference, payer, &world.token, &(units * UNIT), &expiry))?;
            }
            Call::Fund { deposit, units } => {
                let id = world.bytes(&std::format!("deposit {deposit}"));
                outcome(client.try_fund_deposit(&reference, &id, &(units * UNIT)))?;
                flow.minted += units * UNIT;
                assert_eq!(self.deposits.insert(deposit, escrow), None, "a deposit was accepted twice");
            }
            Call::Assign { account } => {
                let to = account.then(|| world.payee.clone());
                outcome(client.try_assign(&reference, &world.bytes("person"), &to))?;
            }
            Call::Release { to_payee, fee } => {
                outcome(client.try_release(&reference, &0, &(to_payee * UNIT), &(fee * UNIT)))?;
                flow.release(before, to_payee * UNIT, fee * UNIT);
            }
            Call::ReleaseAll { fee } => {
                let to_payee = before.as_ref().map_or(0, |escrow| escrow.amount) - fee * UNIT;
                outcome(client.try_release(&reference, &0, &to_payee, &(fee * UNIT)))?;
                flow.release(before, to_payee, fee * UNIT);
            }
            Call::Refund => outcome(client.try_refund(&reference))?,
            Call::Cancel => {
                outcome(client.try_cancel(&reference))?;
                flow.burned += before.map_or(0, |escrow| escrow.funded);
            }
            Call::Burn { units, missed } => {
                let vault = before.map_or(0, |escrow| escrow.vault) - missed * UNIT;
                outcome(client.try_burn(&reference, &(units * UNIT), &vault))?;
                assert_eq!(missed, 0, "a burn was accepted on a vault it did not know");
                flow.burned += units * UNIT;
            }
            Call::Wait { days } => world.env.ledger().with_mut(|ledger| {
                ledger.sequence_number += days * 17_280;
                ledger.timestamp += u64::from(days) * DAY;
            }),
        }
        Ok(())
    }

    fn audit(&self) {
        let sum = |of: fn(&Flow) -> i128| self.flows.iter().map(of).sum::<i128>();
        let (minted, burned, paid) = (sum(|f| f.minted), sum(|f| f.burned), sum(|f| f.paid));
        assert_eq!(self.world.client().totals(), Totals { minted, burned, paid });
        assert_eq!(self.world.held(), minted - burned - paid);
        assert_eq!(self.world.tokens().balance(&self.world.payee), paid);
        for escrow in 0..ESCROWS {
            let Some(view) = self.view(escrow) else { continue };
            let Flow { minted, burned, paid } = self.flows[escrow];
            let (owed, refunded) = match view.state {
                Phase::Open | Phase::Funded => (view.funded, 0),
                Phase::Released => (view.vault, 0),
                Phase::Refunded => (view.vault, view.amount),
                Phase::Cancelled => (0, view.funded),
            };
            assert_eq!(owed, minted - burned - paid, "{view:?}");
            assert_eq!(view.funded, minted, "{view:?}");
            assert!(
                view.to_payee + view.fee + refunded <= view.funded && view.funded <= view.amount,
                "{view:?}"
            );
            assert_eq!(
                view.state == Phase::Open,
                view.funded < view.amount && view.state != Phase::Cancelled
            );
            assert!(view.vault >= 0 && (view.payer == self.world.delegate || view.funded == 0), "{view:?}");
        }
        for (deposit, escrow) in &self.deposits {
            let id = self.world.bytes(&std::format!("deposit {deposit}"));
            assert_eq!(self.world.client().deposit(&id), Some(self.reference(*escrow)));
        }
    }
}

impl Flow {
    fn release(&mut self, before: Option<EscrowView>, to_payee: i128, fee: i128) {
        self.burned += fee;
        if before.is_some_and(|escrow| escrow.to.is_some()) {
            self.paid += to_payee;
        }
    }
}

/// Whether one accepted call may lead from one view of an escrow to the next.
fn may_follow(before: Option<&EscrowView>, after: &EscrowView) -> bool {
    let Some(before) = before else { return after.state == Phase::Open && after.funded == 0 };
    let over = matches!(before.state, Phase::Released | Phase::Refunded | Phase::Cancelled);
    let terms = before.payer == after.payer && before.amount == after.amount && before.expiry == after.expiry;
    let payee = before.payee.is_none() || (before.payee == after.payee && before.to == after.to);
    let state = match before.state {
        Phase::Open => matches!(after.state, Phase::Open | Phase::Funded | Phase::Cancelled),
        Phase::Funded => matches!(after.state, Phase::Funded | Phase::Released | Phase::Refunded),
        _ => after.state == before.state,
    };
    let vault = !over || (after.vault < before.vault && after.to_payee == before.to_payee);
    terms && payee && state && vault
}

fn play(calls: Vec<(usize, Call)>) {
    let world = World::new();
    let mut model = Model { world: &world, flows: [Flow::default(); ESCROWS], deposits: BTreeMap::new() };
    for (escrow, call) in calls {
        let before = model.view(escrow);
        let accepted = model.make(escrow, call).is_ok();
        let after = model.view(escrow);
        if !accepted || matches!(call, Call::Wait { .. }) {
            assert_eq!(after, before, "{call:?} was refused and changed something");
        } else {
            assert!(may_follow(before.as_ref(), after.as_ref().unwrap()), "{before:?} {call:?} {after:?}");
        }
        model.audit();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn owed_is_held_is_minted_less_burned_less_paid(
        calls in proptest::collection::vec((0..ESCROWS, call()), 1..60)
    ) {
        play(calls);
    }
}
