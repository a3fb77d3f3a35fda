//! One escrow: deposits come in, the chain confirms them, an employee is named, the work is done, the money
//! moves.
//!
//! ```text
//!   Open ──Booked/Minted──▶ Funded ──Complete──▶ Releasing ──Released──▶ Released
//!     │                        │                    │
//!     │                        ├──────Refunded──────┴──▶ Refunded
//!     │                        └──Dispute/Disputed──▶ Disputed ──Decide · Resolved──▶ Resolved
//!     │                        ▲                         │
//!     │                        └────DisputeRefused───────┘
//!     ├────Cancel──▶ Cancelling ──Cancelled──▶ Cancelled
//!     └────────────────Cancelled───────────────▶
//! ```
//!
//! Invariant: `minted ≤ booked ≤ amount`; what is booked beyond the amount never enters an escrow.
//! Absent: doing anything; `entrust` carries the commands out. Postings: a deposit is posted by `collection`,
//! a chain effect by `index`, each once.

mod status;

use amana_ledger::chart::BookId;
use amana_ledger::id::{EscrowRef, PartyId};
use amana_ledger::money::{Amount, Money};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::OutOfOrder;

pub use status::Status;

/// Where an escrow stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum State {
    /// Deposits are coming in. `booked`: the ledger has it; `minted`: the chain has it. Minor units.
    Open {
        /// What the ledger holds for it.
        booked: i64,
        /// What the chain has confirmed of that.
        minted: i64,
        /// Who will do the work, if already named.
        employee: Option<PartyId>,
    },
    /// The whole amount is on chain.
    Funded {
        /// Who does the work, once named.
        employee: Option<PartyId>,
        /// When the chain said so.
        at: DateTime<Utc>,
    },
    /// The employer said the work is done; the release is on its way to the chain.
    Releasing {
        /// Who gets it.
        employee: PartyId,
        /// When it was funded.
        at: DateTime<Utc>,
    },
    /// The chain released it.
    Released {
        /// Who got it.
        employee: PartyId,
        /// When it was funded.
        at: DateTime<Utc>,
    },
    /// One of the two objects: nothing moves until the arbiter decides, or the dispute's time is over.
    Disputed {
        /// Who does the work, once named.
        employee: Option<PartyId>,
        /// When it was funded.
        at: DateTime<Utc>,
        /// When the default stands, as the chain says; none while the chain has to hear of it.
        until: Option<DateTime<Utc>>,
        /// What was decided, while the chain has to hear of that.
        #[serde(default)]
        decided: Option<Split>,
    },
    /// The chain parted what was left.
    Resolved {
        /// Who did the work, if somebody was named.
        employee: Option<PartyId>,
        /// When it was funded.
        at: DateTime<Utc>,
    },
    /// The chain gave it back, as anybody may ask once it expired; the money is the employer's own again.
    Refunded,
    /// Withdrawn by the employer before it was funded; the chain has to hear it, and burns what had come.
    Cancelling,
    /// The chain cancelled it.
    Cancelled,
}

/// What never changes about an escrow.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Its reference, typed by the payer.
    pub reference: EscrowRef,
    /// The book it settles in.
    pub book: BookId,
    /// The job it belongs to, if one of ours.
    pub job: Option<i64>,
    /// Whose money it is.
    pub employer: PartyId,
    /// The whole amount.
    pub amount: Money,
    /// What we keep of it when it is released, minor units. Told at creation.
    pub fee: i64,
}

/// How what is left of a disputed escrow is parted, minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// The employee's part.
    pub to_payee: i64,
    /// The employer's part.
    pub to_payer: i64,
}

/// What somebody decided about a disputed escrow.
#[derive(Debug, Clone)]
pub struct Decision {
    /// Who decided: none of the two whose money it is.
    pub by: PartyId,
    /// Who gets what.
    pub split: Split,
    /// Why, in the decider's words.
    pub reason: String,
}

/// What can happen to an escrow.
#[derive(Debug, Clone)]
pub enum Event {
    /// A deposit was booked for it.
    Booked(Amount),
    /// The chain confirmed a deposit.
    Minted(Amount, DateTime<Utc>),
    /// The employer named who does the work.
    Assign(PartyId),
    /// The employer says the work is done.
    Complete,
    /// The chain released it.
    Released {
        /// The chain event that put the money into the vault, `hash:number`; `None` if it went to an
        /// address of the employee's own.
        surrender: Option<String>,
        /// What the employee got, minor units.
        to_payee: i64,
    },
    /// One of the two objects.
    Dispute(Side),
    /// The chain froze it, until then.
    Disputed(DateTime<Utc>),
    /// The chain would not freeze it, and it stands there as before.
    DisputeRefused,
    /// It is decided who gets what.
    Decide(Split),
    /// The chain would not part it so.
    DecisionRefused,
    /// The chain parted what was left.
    Resolved {
        /// The chain event that did it, `hash:number`.
        event: String,
        /// Whether the employee's part lies in the vault, too.
        by_phone: bool,
        /// What the employee got, minor units.
        to_payee: i64,
        /// What the employer got: it lies in the vault, to be burned.
        to_payer: Option<Amount>,
    },
    /// The chain gave it back: this much lies in the vault, to be burned.
    Refunded {
        /// The chain event that did it, `hash:number`.
        event: String,
        /// How much.
        amount: Amount,
    },
    /// Its time is over, and the employer wants the money back.
    Expire,
    /// The employer withdraws it.
    Cancel,
    /// The chain cancelled it.
    Cancelled {
        /// The chain event that did it, `hash:number`.
        event: String,
        /// What had come and was burned.
        burned: Option<Amount>,
    },
}

/// Who objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the product's own words")]
pub enum Side {
    Employer,
    Employee,
}

/// What an escrow wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Ask the chain.
    Chain(Wish),
    /// Say what happened.
    Emit(&'static str),
    /// Start paying the employee.
    Pay {
        /// Who.
        employee: PartyId,
        /// By which chain event the money became theirs.
        surrender: String,
        /// How much, minor units.
        claim: i64,
    },
    /// Send the employer's money back to where it came from.
    GiveBack {
        /// By which chain event it became theirs again.
        event: String,
        /// How much.
        amount: Amount,
    },
    /// Tell the employer.
    TellFunded,
    /// What was asked of the chain to end the dispute is not wanted any more.
    DropDecisions,
}

/// What an escrow asks of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the contract's own verbs")]
pub enum Wish {
    Assign(PartyId),
    Release {
        to_payee: i64,
        fee: i64,
    },
    Burn {
        amount: Amount,
        vault_before: i64,
    },
    Cancel,
    Refund,
    Dispute(Side),
    /// The arbiter's to sign.
    Resolve(Split),
    /// From then on: part what is left by default.
    ResolveTimeout(DateTime<Utc>),
}

impl Wish {
    /// The contract's function.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Assign(_) => "assign",
            Self::Release { .. } => "release",
            Self::Burn { .. } => "burn",
            Self::Cancel => "cancel",
            Self::Refund => "refund",
            Self::Dispute(_) => "dispute",
            Self::Resolve(_) => "resolve",
            Self::ResolveTimeout(_) => "resolve_timeout",
        }
    }
}

impl State {
    /// The next state and what has to be done: all arrows, with the reason behind each.
    ///
    /// # Errors
    /// No arrow leads from this state by this event.
    pub fn next(self, terms: &Terms, event: Event) -> Result<(Self, Vec<Command>), OutOfOrder> {
        use Command::{Chain, DropDecisions, Emit, GiveBack, Pay, TellFunded};
        let burn =
            |amount: Amount, beside: i64| Chain(Wish::Burn { amount, vault_before: amount.minor() + beside });
        let whole = terms.amount.minor();
        let reference = &terms.reference;
        Ok(match (self, event) {
            // The ledger has the money; the collection asks the chain to mint it.
            (Self::Open { booked, minted, employee }, Event::Booked(part))
                if booked + part.minor() <= whole =>
            {
                (Self::Open { booked: booked + part.minor(), minted, employee }, vec![])
            }
            // The chain has it. All of it: the escrow is funded, and if somebody is named the work begins.
            (Self::Open { booked, minted, employee }, Event::Minted(part, at)) => {
                let minted = minted + part.minor();
                if minted > booked {
                    let why = format!("{reference}: the chain confirmed more than was booked");
                    return Err(OutOfOrder::wrong(why));
                }
                match (minted == whole, employee) {
                    (false, _) => {
                        (Self::Open { booked, minted, employee }, vec![Emit("escrow.partially_funded")])
                    }
                    (true, None) => (Self::Funded { employee, at }, vec![Emit("escrow.funded"), TellFunded]),
                    (true, Some(_)) => (
                        Self::Funded { employee, at },
                        vec![Emit("escrow.funded"), Emit("job.started"), TellFunded],
                    ),
                }
            }
            // The person is named once; the chain keeps their pseudonym.
            (Self::Open { booked, minted, employee: None }, Event::Assign(person)) => {
                let commands = vec![Chain(Wish::Assign(person)), Emit("job.assigned")];
                (Self::Open { booked, minted, employee: Some(person) }, commands)
            }
            (Self::Funded { employee: None, at }, Event::Assign(person)) => {
                let commands = vec![Chain(Wish::Assign(person)), Emit("job.assigned"), Emit("job.started")];
                (Self::Funded { employee: Some(person), at }, commands)
            }
            (Self::Open { .. } | Self::Funded { .. }, Event::Assign(_)) => {
                return Err(OutOfOrder::wrong(format!("{reference} has an employee already")));
            }
            // The work is done.
            (Self::Funded { employee: Some(employee), at }, Event::Complete) => {
                let release = Wish::Release { to_payee: whole - terms.fee, fee: terms.fee };
                (Self::Releasing { employee, at }, vec![Emit("job.completed"), Chain(release)])
            }
            (Self::Funded { employee: None, .. }, Event::Complete) => {
                return Err(OutOfOrder::wrong(format!("{reference} has no employee assigned")));
            }
            (Self::Open { booked, employee, .. }, Event::Complete) => {
                return Err(match (booked == whole, employee) {
                    (_, None) => OutOfOrder::wrong(format!("{reference} has no employee assigned")),
                    (true, _) => {
                        OutOfOrder::not_yet(format!("{reference}: the chain has not confirmed the funding"))
                    }
                    (false, _) => OutOfOrder::wrong(format!("{reference} is not funded")),
                });
            }
            // Also one that was before the dispute on the chain.
            (
                Self::Releasing { employee, at }
                | Self::Disputed { employee: Some(employee), at, until: None, .. },
                Event::Released { surrender, to_payee },
            ) => {
                let pay = surrender.map(|surrender| Pay { employee, surrender, claim: to_payee });
                let commands = std::iter::once(Emit("escrow.released")).chain(pay).collect();
                (Self::Released { employee, at }, commands)
            }
            // Anybody may ask; the chain refuses it before its time. Until it answers nothing has changed.
            (Self::Funded { employee, at }, Event::Expire) => {
                (Self::Funded { employee, at }, vec![Emit("escrow.refund_asked"), Chain(Wish::Refund)])
            }
            // A release or a dispute that was on its way finds nothing to release or to freeze.
            (
                Self::Funded { .. } | Self::Releasing { .. } | Self::Disputed { until: None, .. },
                Event::Refunded { event, amount },
            ) => {
                let commands = vec![Emit("escrow.refunded"), burn(amount, 0), GiveBack { event, amount }];
                (Self::Refunded, commands)
            }
            // Who objects is heard while the money is there and somebody works for it. The chain freezes
            // it, or has released it.
            (Self::Funded { employee: None, .. }, Event::Dispute(_)) => {
                return Err(OutOfOrder::wrong(format!("{reference} has no employee assigned")));
            }
            (Self::Funded { employee, at }, Event::Dispute(side)) => {
                let commands = vec![Emit("escrow.dispute_asked"), Chain(Wish::Dispute(side))];
                (Self::Disputed { employee, at, until: None, decided: None }, commands)
            }
            // It may be asked for again.
            (Self::Disputed { employee, at, until: None, .. }, Event::DisputeRefused) => {
                (Self::Funded { employee, at }, vec![Emit("escrow.dispute_refused")])
            }
            // The chain's word, whoever asked: the parties' own keys may, too. What nobody decides is parted
            // by default, which anybody may ask for from then on.
            (
                Self::Funded { employee, at } | Self::Disputed { employee, at, until: None, .. },
                Event::Disputed(until),
            ) => (
                Self::Disputed { employee, at, until: Some(until), decided: None },
                vec![Emit("escrow.disputed"), Chain(Wish::ResolveTimeout(until))],
            ),
            (Self::Releasing { employee, at }, Event::Disputed(until)) => (
                Self::Disputed { employee: Some(employee), at, until: Some(until), decided: None },
                vec![Emit("escrow.disputed"), Chain(Wish::ResolveTimeout(until))],
            ),
            // Decided once. The arbiter's key says it on the chain; until then the default still may.
            (Self::Disputed { employee, at, until: Some(until), decided: None }, Event::Decide(split))
                if split.to_payee.checked_add(split.to_payer) == Some(whole) =>
            {
                let commands = vec![Chain(Wish::Resolve(split))];
                (Self::Disputed { employee, at, until: Some(until), decided: Some(split) }, commands)
            }
            (Self::Disputed { until: None, .. }, Event::Decide(_)) => {
                let why = format!("{reference}: the chain has not confirmed the dispute");
                return Err(OutOfOrder::not_yet(why));
            }
            (Self::Disputed { decided: Some(_), .. }, Event::Decide(_)) => {
                return Err(OutOfOrder::wrong(format!("{reference} is decided already")));
            }
            (Self::Disputed { employee, at, until, decided: Some(_) }, Event::DecisionRefused) => {
                let commands = vec![Emit("escrow.decision_refused")];
                (Self::Disputed { employee, at, until, decided: None }, commands)
            }
            (
                Self::Disputed { employee, at, .. },
                Event::Resolved { event, by_phone, to_payee, to_payer },
            ) => {
                let mut commands = vec![Emit("escrow.resolved"), DropDecisions];
                // The employer's part first: what a phone is to be paid stays behind it in the vault.
                let beside = if by_phone { to_payee } else { 0 };
                if let Some(amount) = to_payer {
                    commands.extend([burn(amount, beside), GiveBack { event: event.clone(), amount }]);
                }
                let paid = employee.filter(|_| by_phone && to_payee > 0);
                commands.extend(paid.map(|employee| Pay { employee, surrender: event, claim: to_payee }));
                (Self::Resolved { employee, at }, commands)
            }
            // Withdrawn before it is funded: what had come is burned in the same call; it is the employer's.
            (Self::Open { booked, minted, employee: None }, Event::Cancel) => {
                if booked != minted {
                    let why = format!("{reference}: the chain has not confirmed a deposit");
                    return Err(OutOfOrder::not_yet(why));
                }
                (Self::Cancelling, vec![Emit("job.cancelled"), Chain(Wish::Cancel)])
            }
            // The chain's word, whoever asked: once it expired, anybody may. A deposit that was booked and
            // not minted yet is refused there, and becomes the employer's own (`entrust::never_minted`).
            (Self::Cancelling | Self::Open { .. }, Event::Cancelled { event, burned }) => {
                let back = burned.map(|amount| GiveBack { event, amount });
                let commands = std::iter::once(Emit("escrow.cancelled")).chain(back).collect();
                (Self::Cancelled, commands)
            }
            (state, event) => {
                let why =
                    format!("{reference} is {}: {} is out of order", state.status().word(), event.word());
                return Err(OutOfOrder::wrong(why));
            }
        })
    }
}

impl Event {
    fn word(&self) -> &'static str {
        match self {
            Self::Booked(_) => "a deposit",
            Self::Minted(..) => "a mint",
            Self::Assign(_) => "assign",
            Self::Complete => "complete",
            Self::Released { .. } => "a release",
            Self::Refunded { .. } => "a refund",
            Self::Dispute(_) => "dispute",
            Self::Disputed(_) => "a dispute",
            Self::DisputeRefused => "a refused dispute",
            Self::Decide(_) => "resolve",
            Self::DecisionRefused => "a refused decision",
            Self::Resolved { .. } => "a decision",
            Self::Expire => "refund",
            Self::Cancel => "cancel",
            Self::Cancelled { .. } => "a cancellation",
        }
    }
}

#[cfg(test)]
mod tests;
