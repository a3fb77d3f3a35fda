//! Random calls in random order with time passing, each checked against what the books of any escrow must
//! keep.
//!
//! Invariant, after every call: what the escrows of a token owe, with fees not swept yet, is what the
//! contract holds of it and what came less what was burned and paid; to the payee, fee, back to the payer and
//! left are together what was funded; a call changes one escrow by exactly what it moved; a state never goes
//! back, one that is over absorbs everything; a reference and a deposit are accepted once, however much
//! later.
//! Absent: signatures; everyone signs whatever is asked.

extern crate std;

use core::fmt::Debug;
use std::collections::BTreeSet;
use std::format;
use std::vec::Vec;

use soroban_sdk::testutils::Ledger as _;
use soroban_sdk::{Address, BytesN, InvokeError};

use crate::test::world::{Code, DAY, UNIT, World};
use crate::{Error, EscrowView, Phase, Terms, Totals};

const ESCROWS: u8 = 4;

/// Which call, on which escrow, with what. Small numbers, so that random calls fit each other often enough to
/// get far.
type Word = [u8; 4];

/// Done, or refused by whomever.
type Told = Result<(), ()>;

/// What the token says of an account that is frozen.
const FROZEN: u32 = 11;

fn told<T: Debug, C: Debug>(answer: Result<Result<T, C>, Result<Error, InvokeError>>) -> Told {
    match answer {
        Ok(Ok(_)) => Ok(()),
        Err(Ok(_) | Err(InvokeError::Contract(FROZEN))) => Err(()),
        other => panic!("neither a result nor a refusal: {other:?}"),
    }
}

/// What was seen between two calls.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    escrows: Vec<Option<EscrowView>>,
    totals: [Totals; 2],
    /// Of the contract, of payee and payer.
    held: [i128; 2],
    theirs: [i128; 2],
}

struct Model {
    world: World,
    created: BTreeSet<u8>,
    deposits: BTreeSet<u8>,
}

/// Plays a random story.
pub(crate) fn play(words: &[Word]) {
    let mut model =
        Model { world: World::of(Code::Native), created: BTreeSet::new(), deposits: BTreeSet::new() };
    let mut before = model.look();
    for word in words {
        let answer = model.call(*word);
        let after = model.look();
        check(&before, &after, word[1] % ESCROWS, answer.is_ok(), *word);
        before = after;
    }
}

impl Model {
    fn reference(&self, escrow: u8) -> BytesN<32> {
        self.world.bytes(&format!("escrow {escrow}"))
    }

    fn look(&self) -> Seen {
        let client = self.world.client();
        let (tokens, coins) = (self.world.tokens(), self.world.coins());
        let both = |token: &soroban_sdk::token::TokenClient<'_>| {
            token.balance(&self.world.payee) + token.balance(&self.world.owner)
        };
        Seen {
            escrows: (0..ESCROWS).map(|escrow| client.get(&self.reference(escrow))).collect(),
            totals: [client.totals(&0), client.totals(&1)],
            held: [tokens.balance(&self.world.contract), coins.balance(&self.world.contract)],
            theirs: [both(&tokens), both(&coins)],
        }
    }

    fn call(&mut self, [kind, escrow, a, b]: Word) -> Told {
        let reference = self.reference(escrow % ESCROWS);
        let (world, client) = (&self.world, self.world.client());
        let view = client.get(&reference);
        let own = view.as_ref().is_some_and(|view| view.listing != 0);
        match kind % 20 {
            0 | 1 => self.create(&reference, escrow % ESCROWS, [a, b]),
            2..=4 => {
                let id = world.bytes(&format!("deposit {}", a % 16));
                told(client.try_fund_deposit(&reference, &id, &(i128::from(b % 6) * UNIT)))?;
                assert!(self.deposits.insert(a % 16), "a deposit was accepted twice");
                Ok(())
            }
            5 => {
                let amount = view.map_or(0, |view| view.amount) + i128::from(a % 4 / 3) * UNIT;
                told(client.try_fund(&reference, &amount))
            }
            6 | 7 => {
                let to = (own || a % 2 == 0).then(|| world.payee.clone());
                told(client.try_assign(&reference, &world.bytes("person"), &to))
            }
            8 | 9 => {
                let milestone = u32::from(a % 4);
                let worth = view.and_then(|view| view.amounts.get(milestone)).unwrap_or(UNIT);
                let fee = i128::from(b % 3) * UNIT;
                told(client.try_release(&reference, &milestone, &(worth - fee), &fee))
            }
            10 => told(client.try_auto_release(&reference)),
            11 => told(client.try_refund(&reference)),
            12 => told(client.try_cancel(&reference)),
            13 => {
                let parties = [&world.delegate, &world.owner, &world.payee, &world.operator];
                told(client.try_dispute(&reference, parties[usize::from(a % 4)]))
            }
            14 => told(client.try_resolve(&reference, &(i128::from(a % 8) * UNIT))),
            15 => told(client.try_resolve_timeout(&reference)),
            16 => told(client.try_claim(&reference)),
            17 => {
                let vault = view.map_or(0, |view| view.vault) - i128::from(b % 8 / 7) * UNIT;
                told(client.try_burn(&reference, &(i128::from(a % 5) * UNIT), &vault))
            }
            18 => {
                let whom: [&Address; 2] = [&world.payee, &world.owner];
                world.freeze(whom[usize::from(a % 2)], b % 3 == 0);
                told(client.try_sweep(&1))
            }
            _ => {
                let days = if a % 8 == 0 { 400 } else { u32::from(b % 24) };
                world.env.ledger().with_mut(|ledger| {
                    ledger.sequence_number += days * 17_280;
                    ledger.timestamp += u64::from(days) * DAY;
                });
                Ok(())
            }
        }
    }

    fn create(&mut self, reference: &BytesN<32>, escrow: u8, [a, b]: [u8; 2]) -> Told {
        let world = &self.world;
        let payer = if a % 2 == 0 { &world.delegate } else { &world.owner };
        let plain = if a % 2 == 0 { world.terms() } else { world.own_terms() };
        let now = world.env.ledger().timestamp();
        let mut amounts = soroban_sdk::Vec::new(&world.env);
        (0..=a / 2 % 3).for_each(|n| amounts.push_back(i128::from(1 + (b >> n) % 3) * UNIT));
        let whole: i128 = amounts.iter().sum();
        let terms = Terms {
            amounts,
            fee_cap: (i128::from(b % 4) * UNIT).min(whole),
            default_to_payee: (i128::from(b / 4 % 4) * UNIT).min(whole),
            expiry: now + u64::from(10 + a % 40) * DAY,
            release_at: if b % 2 == 0 { 0 } else { now + u64::from(1 + b % 9) * DAY },
            ..plain
        };
        told(world.client().try_create(reference, payer, &terms))?;
        assert!(self.created.insert(escrow), "a reference was accepted twice");
        Ok(())
    }
}

fn is_over(phase: Phase) -> bool {
    matches!(phase, Phase::Released | Phase::Refunded | Phase::Cancelled | Phase::Resolved)
}

fn left(view: &EscrowView) -> i128 {
    match view.state {
        Phase::Open => view.funded,
        Phase::Funded | Phase::Disputed => view.funded - view.to_payee - view.fee,
        _ => 0,
    }
}

fn owed(view: &Option<EscrowView>) -> i128 {
    view.as_ref().map_or(0, |view| left(view) + view.vault + view.due_payee + view.due_payer)
}

fn check(before: &Seen, after: &Seen, escrow: u8, accepted: bool, word: Word) {
    for listing in [0, 1] {
        let of = |view: &&Option<EscrowView>| view.as_ref().is_some_and(|view| view.listing == listing);
        let owed: i128 = after.escrows.iter().filter(of).map(owed).sum();
        let at = listing as usize;
        let Totals { came, burned, paid, fees } = &after.totals[at];
        assert_eq!(owed + fees, after.held[at], "{word:?}");
        assert_eq!(after.held[at], came - burned - paid, "{word:?}");
    }
    // What deposits were minted for and is out there was paid to the payee; own tokens only change hands.
    assert_eq!(after.theirs[0], after.totals[0].paid);
    assert!(after.totals[1].burned == 0 && after.totals[0].fees == 0);
    for (at, (old, new)) in before.escrows.iter().zip(&after.escrows).enumerate() {
        let waited = word[0] % 20 >= 18;
        if !accepted || waited || at != usize::from(escrow) {
            assert_eq!(old, new, "{word:?} changed an escrow it was not about, or was refused");
            continue;
        }
        let new = new.as_ref().unwrap();
        assert!(may_follow(old.as_ref(), new), "{old:?} {word:?} {new:?}");
        let at = new.listing as usize;
        let moved = |of: fn(&Totals) -> i128| of(&after.totals[at]) - of(&before.totals[at]);
        let change = moved(|t| t.came) - moved(|t| t.burned) - moved(|t| t.paid) - moved(|t| t.fees);
        assert_eq!(owed(&Some(new.clone())) - owed(old), change, "{word:?} {new:?}");
    }
    if !accepted {
        assert_eq!((&before.totals, &before.held), (&after.totals, &after.held), "{word:?}");
    }
}

/// Whether one accepted call may lead from one view of an escrow to the next.
fn may_follow(before: Option<&EscrowView>, after: &EscrowView) -> bool {
    let whole: i128 = after.amounts.iter().sum();
    let sums = whole == after.amount && after.fee <= after.fee_cap && after.funded <= after.amount;
    let given = [after.to_payee, after.fee, after.vault, after.due_payee, after.due_payer];
    let given = given.iter().all(|amount| *amount >= 0) && after.to_payee + after.fee <= after.amount;
    let Some(before) = before else { return sums && after.state == Phase::Open && after.funded == 0 };
    let terms = (before.payer == after.payer && before.amounts == after.amounts)
        && (before.expiry == after.expiry && before.fee_cap == after.fee_cap)
        && (before.release_at == after.release_at || after.release_at == 0);
    let payee = before.payee.is_none() || (before.payee == after.payee && before.to == after.to);
    let grows = before.milestones & after.milestones == before.milestones
        && before.to_payee <= after.to_payee
        && before.fee <= after.fee;
    let state = match before.state {
        Phase::Open => matches!(after.state, Phase::Open | Phase::Funded | Phase::Cancelled),
        Phase::Funded => !matches!(after.state, Phase::Open | Phase::Cancelled | Phase::Resolved),
        // What was released before, a rail may still pay.
        Phase::Disputed if after.state == Phase::Disputed => before.to_payee == after.to_payee,
        Phase::Disputed => after.state == Phase::Resolved,
        over => after.state == over,
    };
    let absorbed = !is_over(before.state)
        || (before.to_payee == after.to_payee && before.fee == after.fee)
            && after.vault + after.due_payee + after.due_payer
                < before.vault + before.due_payee + before.due_payer;
    sums && given && terms && payee && grows && state && absorbed
}
