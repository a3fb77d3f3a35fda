//! What people and strangers do about escrows: through the house, by a process that may die over it, or on
//! the chain with keys of their own.

use amana_adapters::stellar::{ChainOp, Stellar};
use amana_gateway::app::App;
use amana_gateway::db::Fuse;
use amana_gateway::error::{Error, Fault};
use amana_gateway::flows::entrust;
use amana_gateway::flows::escrow::{Decision, Side, Split, State, Status};
use amana_ledger::money::{Asset, decimal};
use amana_tests::ground::Ground;
use amana_tests::story::payment;
use amana_tests::world::World;
use rand::Rng;
use rand::seq::IndexedRandom;

use super::super::hands::{Hand, Work};
use super::super::outside::{Errand, Standing};
use super::super::plan::{Act, Payee, Plan};
use super::{Job, Stage, ended};

impl Stage {
    /// Some person or stranger does the next thing about some escrow.
    pub(super) async fn somebody(&mut self) {
        let able: Vec<usize> = (0..self.jobs.len()).filter(|number| self.is_able(*number)).collect();
        let Some(number) = able.choose(&mut self.dice).copied() else {
            if self.wet.is_empty() && self.hands.iter().all(Hand::is_free) {
                self.nothing_to_do().await;
            }
            return;
        };
        let status = self.status(&self.jobs[number].reference).await;
        let is_over = ended(&status);
        let job = &mut self.jobs[number];
        if is_over {
            job.beginning.clear();
            let deposits = job.ending.drain(..).flatten().filter(|act| matches!(act, Act::Deposit(_)));
            job.afterwards.extend(deposits);
            if let Some((_, errand)) = job.errand.take() {
                self.seats.extend(errand.given_up());
            }
        }
        if let Some((act, mut errand)) = job.errand.take() {
            let by = who(act, &job.plan, (&self.stranger, &self.holders));
            match errand.step(by, &mut self.seats).await {
                Standing::Open => job.errand = Some((act, errand)),
                Standing::Done => job.done(act),
                Standing::Lost => job.ending.retain(|arm| arm.front() != Some(&act)),
            }
            return;
        }
        let next = match (job.beginning.front(), is_over) {
            (Some(act), _) => Some(*act),
            (None, false) => job.ending.choose(&mut self.dice).and_then(|arm| arm.front()).copied(),
            (None, true) => job.afterwards.front().copied(),
        };
        let Some(act) = next else { return };
        if let Some(op) = self.on_chain(number, act, &status) {
            self.jobs[number].errand = Some((act, Errand::new(op)));
        } else if act != Act::Reclaim && (act != Act::Expire || self.days > 180) {
            self.through_the_house(number, act).await;
        }
    }

    /// Whether anybody may do anything about this escrow, as far as that is known without a look at it.
    fn is_able(&self, number: usize) -> bool {
        let job = &self.jobs[number];
        let mut acts = job.ending.iter().filter_map(|arm| arm.front());
        let is_due = job.plan.days() <= self.days && !job.afterwards.is_empty();
        let waits = |act: &Act| matches!(act, Act::Reclaim | Act::Expire) && self.days < 181;
        !job.beginning.is_empty() || acts.any(|act| !waits(act)) || is_due
    }

    /// The call with which somebody outside does this; none if it is done through the house, or not yet.
    fn on_chain(&self, number: usize, act: Act, status: &str) -> Option<ChainOp> {
        let job = &self.jobs[number];
        let key = job.reference.key();
        match act {
            Act::GiveBack => Some(ChainOp::Refund { key }),
            Act::Object => {
                let Payee::Account(payee) = job.plan.payee else { panic!("who objects has an account") };
                Some(ChainOp::Dispute { key, by: self.ground.holders[payee].1.address() })
            }
            Act::Reclaim if self.days < 181 => None,
            Act::Reclaim if ["pending_deposit", "partially_funded"].contains(&status) => {
                Some(ChainOp::Cancel { key })
            }
            Act::Reclaim => Some(ChainOp::Refund { key }),
            _ => None,
        }
    }

    /// The house is told, by way of a process that may die over it. Who was not answered says it again.
    async fn through_the_house(&mut self, number: usize, act: Act) {
        let dies = self.dice.random_ratio(1, 10);
        let fuse = dies.then(|| Fuse::new(0, self.dice.random()));
        let app = fuse.map_or_else(|| self.world.app.clone(), |fuse| self.world.restarted(Some(fuse)));
        let job = &self.jobs[number];
        let done = match told(&self.world, self.ground, &app, (job, act)).await {
            Ok(()) => true,
            Err(Error::Fault(Fault::Killed)) => {
                self.told.kills += 1;
                false
            }
            // It was done before, or it is too early.
            Err(Error::Refused(_)) => was_done(&self.world, job, act).await,
            Err(trouble) => panic!("escrow {number}, {act:?}: {trouble}"),
        };
        if done {
            self.jobs[number].done(act);
            self.idle = 0;
            self.wet.insert(match act {
                Act::Deposit(_) => Work::Judge,
                Act::Decide(_) => Work::Decide,
                _ => Work::Carry,
            });
        }
    }
}

/// Whose key does this on the chain.
fn who<'a>(act: Act, plan: &Plan, (stranger, holders): (&'a Stellar, &'a [Stellar])) -> &'a Stellar {
    match (act, plan.payee) {
        (Act::GiveBack | Act::Object, Payee::Account(number)) => &holders[number],
        _ => stranger,
    }
}

/// Somebody tells the house.
async fn told(world: &World, ground: &Ground, app: &App, (job, act): (&Job, Act)) -> Result<(), Error> {
    let reference = &job.reference;
    let payee = match job.plan.payee {
        Payee::Phone(number) => ground.employees[number],
        Payee::Account(number) => ground.holders[number].0,
    };
    let mut tx = match act {
        Act::Deposit(part) => {
            let receipt = format!("UK{:04}XQ{part:02}", job.number);
            let amount = decimal(Asset::Kes, job.plan.parts[part]);
            return world.hear(app, &payment(world, &receipt, reference.as_str(), &amount)).await;
        }
        Act::Assign => return world.assign(app, reference, payee).await,
        Act::Complete => return world.complete(app, reference).await,
        _ => app.db.begin().await?,
    };
    match act {
        Act::Cancel => _ = entrust::cancel_unfunded(&mut tx, app, reference).await?,
        Act::Dispute(side) => _ = entrust::dispute(&mut tx, app, reference, side).await?,
        Act::Expire => _ = entrust::refund_expired(&mut tx, app, reference).await?,
        Act::Decide(to_payee) => {
            let split = Split { to_payee, to_payer: job.plan.amount - to_payee };
            let decision = Decision { by: ground.approver, split, reason: "both were heard".into() };
            let _ = entrust::decide(&mut tx, app, reference, &decision).await?;
        }
        _ => panic!("{act:?} is done on the chain"),
    }
    Ok(tx.commit().await?)
}

/// Whether what was refused had been done before, by a process that died before it could say so.
async fn was_done(world: &World, job: &Job, act: Act) -> bool {
    let state = world.state(&job.reference).await;
    match act {
        Act::Assign => state.employee().is_some(),
        Act::Complete => state.status() == Status::Completed,
        Act::Dispute(Side::Employer | Side::Employee) => state.status() == Status::Disputed,
        Act::Decide(_) => matches!(state, State::Disputed { decided: Some(_), .. }),
        Act::Cancel => state.status() == Status::Cancelled,
        _ => false,
    }
}
