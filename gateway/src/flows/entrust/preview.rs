//! What an event would do to an escrow: every call of the chain and every posting that would follow.
//!
//! Invariant: the same arrows are asked as for the act itself, and nothing is written. What the chain would
//! answer is taken to be what it was asked for.

use std::collections::VecDeque;

use amana_ledger::id::{EscrowRef, PartyId};
use amana_ledger::money::{Amount, Money};
use amana_ledger::rules::{self, Paid};
use amana_ledger::transfer::Transfer;

use super::super::escrow::{Command, Decision, Event, Split, State, Status, Terms, Wish};
use super::super::float;
use super::super::pay::refund;
use super::super::payout::RAIL;
use super::super::store::escrow as rows;
use super::{decidable, expired};
use crate::app::App;
use crate::db::Tx;
use crate::error::{Code, Fault, Refusal, Result};
use crate::people::{self, PayoutMode};

/// What an event would do: nothing of it is done.
#[derive(Debug, Clone)]
pub struct Preview {
    /// Where the escrow would stand at once.
    pub status: Status,
    /// What would be asked of the chain, in order.
    pub calls: Vec<&'static str>,
    /// What would be posted when the chain has done it.
    pub transfers: Vec<Transfer>,
}

/// Tells what an event would do.
///
/// # Errors
/// Those of the event itself.
pub async fn preview(tx: &mut Tx, app: &App, reference: &EscrowRef, event: Event) -> Result<Preview> {
    let (terms, state) = found(tx, reference).await?;
    if matches!(event, Event::Expire) {
        expired(tx, app, reference).await?;
    }
    told(tx, app, (&terms, state), event).await
}

/// Tells what a decision would do.
///
/// # Errors
/// Those of [`super::decide`].
pub async fn preview_decision(
    tx: &mut Tx,
    app: &App,
    reference: &EscrowRef,
    decision: &Decision,
) -> Result<Preview> {
    let (terms, state) = found(tx, reference).await?;
    decidable(app, (&terms, &state), decision)?;
    told(tx, app, (&terms, state), Event::Decide(decision.split)).await
}

async fn found(tx: &mut Tx, reference: &EscrowRef) -> Result<(Terms, State)> {
    let found = rows::read(tx, reference.as_str()).await?;
    found.ok_or_else(|| Refusal::new(Code::NotFound, format!("no escrow {reference}")).into())
}

async fn told(tx: &mut Tx, app: &App, (terms, state): (&Terms, State), event: Event) -> Result<Preview> {
    let minted = if let State::Open { minted, .. } = state { Amount::new(minted).ok() } else { None };
    let (mut at, commands) = state.next(terms, event).map_err(Refusal::from)?;
    let mut told = Preview { status: at.status(), calls: vec![], transfers: vec![] };
    let mut waiting = VecDeque::from(commands);
    while let Some(command) = waiting.pop_front() {
        match command {
            Command::Chain(wish) => {
                told.calls.push(wish.name());
                if let Some(answer) = follows(tx, app, terms, (&at, minted, &wish), &mut told).await? {
                    let (next, more) = at.next(terms, answer).map_err(Refusal::from)?;
                    at = next;
                    waiting.extend(more);
                }
            }
            Command::Pay { employee, claim, .. } => paid(app, terms, (employee, claim), &mut told)?,
            Command::GiveBack { amount, .. } => {
                for (_, part) in refund::sources(tx, &terms.reference, amount.minor()).await? {
                    back(app, terms, part, &mut told)?;
                }
            }
            _ => {}
        }
    }
    Ok(told)
}

/// What would be posted when a wish is done, and what the chain would say.
async fn follows(
    tx: &mut Tx,
    app: &App,
    terms: &Terms,
    (at, minted, wish): (&State, Option<Amount>, &Wish),
    told: &mut Preview,
) -> Result<Option<Event>> {
    let intent = float::intent(app, &terms.book, &format!("preview:{}", terms.reference))?;
    let (asset, reference) = (terms.amount.asset, terms.reference.clone());
    let money = |amount: Amount| Money { asset, amount };
    Ok(match wish {
        Wish::Cancel => {
            let back = |amount| rules::cancelled(intent, reference, terms.employer, money(amount));
            told.transfers.extend(minted.map(back));
            Some(Event::Cancelled { event: String::new(), burned: minted })
        }
        Wish::Refund => {
            let (event, amount) = (String::new(), terms.amount.amount);
            told.transfers.push(rules::refunded(intent, reference, terms.employer, terms.amount));
            Some(Event::Refunded { event, amount })
        }
        Wish::Resolve(Split { to_payee, to_payer }) => {
            let (paid, back) = (Money::new(asset, *to_payee).ok(), Money::new(asset, *to_payer).ok());
            let (employee, employer) = (at.employee().zip(paid), back.map(|back| (terms.employer, back)));
            told.transfers.push(rules::resolved(intent, reference, employee, employer));
            let by_phone = match employee {
                Some((person, _)) => people::payout_mode(tx, person).await? == PayoutMode::Mobile,
                None => false,
            };
            let (event, to_payer) = (String::new(), back.map(|back| back.amount));
            Some(Event::Resolved { event, by_phone, to_payee: *to_payee, to_payer })
        }
        Wish::Burn { amount, .. } => {
            told.transfers.push(rules::burn_final(intent, money(*amount)));
            None
        }
        // A dispute freezes; what it moves is for the arbiter, or the clock, to say.
        _ => None,
    })
}

/// The employee's payout: held, paid, burned. What the rail will charge it says itself.
fn paid(
    app: &App,
    terms: &Terms,
    (employee, claim): (PartyId, i64),
    told: &mut Preview,
) -> Result<(), Fault> {
    let claim = Money::new(terms.amount.asset, claim).ok();
    let Some(amount) = claim.and_then(|claim| claim.split_whole().0) else { return Ok(()) };
    let intent = || float::intent(app, &terms.book, &format!("preview:{}", terms.reference));
    let rail = float::rail(RAIL)?;
    let held = rules::payout_hold(intent()?, employee, &rail, amount);
    let whole = Paid { amount, tariff: None, last: true };
    let paid = rules::payout_paid(intent()?, held.id(), &rail, whole);
    told.transfers.extend([held, paid, rules::burn_final(intent()?, amount)]);
    told.calls.push("burn");
    Ok(())
}

/// The refund to one payer: held and paid.
fn back(app: &App, terms: &Terms, part: i64, told: &mut Preview) -> Result<(), Fault> {
    let part = Money::new(terms.amount.asset, part).ok();
    let Some(amount) = part.and_then(|part| part.split_whole().0) else { return Ok(()) };
    let intent = || float::intent(app, &terms.book, &format!("preview:{}", terms.reference));
    let rail = float::rail(RAIL)?;
    let held = rules::refund_hold(intent()?, terms.employer, &rail, amount);
    let whole = Paid { amount, tariff: None, last: true };
    let paid = rules::refund_paid(intent()?, held.id(), &rail, whole);
    told.transfers.extend([held, paid]);
    Ok(())
}
