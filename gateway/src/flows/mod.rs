//! Money in motion: each flow is an enum of states with one pure `next`, and one driver carries them all.
//!
//! ```text
//!   collection   what a rail says came in      one step, in the transaction that judges the callback
//!   escrow       one per job                   deposits → funded on chain → released
//!   payout       one per escrow and person     held → sent → paid → burned, or unknown until the rail says
//!   chain        wishes to the network, and what the network says happened
//! ```
//!
//! Invariant: a flow's state, its postings, its messages and its steps commit together or not at all. After
//! an instruction left the house, only the other side's word ends it: nothing is undone on a guess.

use std::future::Future;

use amana_ledger::id::TransferId;
use amana_ledger::journal;
use amana_ledger::transfer::Transfer;

use crate::app::App;
use crate::db::Tx;
use crate::error::{Code, Fault, Refusal, Result};
use crate::events::Actor;

pub mod chain;
pub mod collection;
pub mod entrust;
pub mod escrow;
pub mod float;
pub mod index;
pub mod pay;
pub mod payout;
pub mod store;
pub mod words;

/// An event met a state that has no arrow for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutOfOrder {
    /// Why, in words for the caller.
    pub why: String,
    /// Whether the same event will be in order soon (the chain has to confirm first).
    pub soon: bool,
}

impl OutOfOrder {
    /// Never in order from this state.
    pub fn wrong(why: impl Into<String>) -> Self {
        Self { why: why.into(), soon: false }
    }

    /// In order as soon as the chain has confirmed.
    pub fn not_yet(why: impl Into<String>) -> Self {
        Self { why: why.into(), soon: true }
    }
}

impl From<OutOfOrder> for Refusal {
    fn from(order: OutOfOrder) -> Self {
        match order.soon {
            true => Self::new(Code::NotYet, order.why).retry_after(5),
            false => Self::new(Code::WrongState, order.why),
        }
    }
}

/// A state machine stored in a row.
pub trait Flow: Sized + Send {
    /// What never changes about it.
    type Terms: Send + Sync;
    /// What can happen to it.
    type Event: Send;
    /// What it wants done.
    type Command: Send;

    /// The next state and what has to be done, or why the event is out of order. Pure: all arrows stand in
    /// one match.
    ///
    /// # Errors
    /// No arrow leads from this state by this event.
    fn next(
        self,
        terms: &Self::Terms,
        event: Self::Event,
    ) -> std::result::Result<(Self, Vec<Self::Command>), OutOfOrder>;

    /// Reads and locks the row.
    fn load(tx: &mut Tx, id: &str) -> impl Future<Output = Result<(Self::Terms, Self)>> + Send;

    /// Writes the state back.
    fn save(
        &self,
        tx: &mut Tx,
        app: &App,
        terms: &Self::Terms,
    ) -> impl Future<Output = std::result::Result<(), Fault>> + Send;

    /// Does one command inside the transaction. What it learns comes back as the next event.
    fn carry_out(
        tx: &mut Tx,
        app: &App,
        terms: &Self::Terms,
        command: Self::Command,
    ) -> impl Future<Output = Result<Option<Self::Event>>> + Send;
}

/// Lets `event` happen to the flow `id` and carries out what follows, all inside the caller's transaction.
///
/// # Errors
/// A refusal when the event is out of order; a fault when the database is in trouble. The caller rolls back.
pub async fn drive<F: Flow>(tx: &mut Tx, app: &App, id: &str, event: F::Event) -> Result<F> {
    let (terms, mut state) = F::load(tx, id).await?;
    let mut events = std::collections::VecDeque::from([event]);
    while let Some(event) = events.pop_front() {
        let (next, commands) = state.next(&terms, event).map_err(Refusal::from)?;
        state = next;
        state.save(tx, app, &terms).await?;
        for command in commands {
            events.extend(F::carry_out(tx, app, &terms, command).await?);
        }
    }
    Ok(state)
}

/// The postings of one business event, under one key. What the ledger refuses is refused as a whole.
///
/// # Errors
/// The ledger's rejection as a refusal, or its fault.
pub(crate) async fn post(tx: &mut Tx, app: &App, transfer: Transfer) -> Result<TransferId> {
    match journal::post_one(tx, &*app.clock, &transfer).await? {
        Ok(posted) => Ok(posted.receipt().transfer),
        Err(rejection) => Err(Refusal::new(Code::Ledger, rejection.to_string()).into()),
    }
}

/// Who acted, when nobody of ours did.
pub(crate) const WORKER: Actor = Actor::Worker;
