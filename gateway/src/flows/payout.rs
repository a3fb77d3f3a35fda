//! One payout: the employee's claim is held, the rail is instructed, its word is awaited, the tokens are
//! burned. A refund takes the same way with an employer's own money, and ends when it is paid.
//!
//! ```text
//!   Due ──Held──▶ Sending ──Sent──▶ Accepted ──completed──▶ Paid ──Burned──▶ Settled
//!    ▲               │                 │  ▲
//!    │               └──no answer──▶ Unknown (asked about, never sent again on a guess)
//!  Retry                               │
//!    └── Failed ◀──said twice── Doubted ◀──said once
//! ```
//!
//! Invariant: money set aside for a payout is freed only after the rail said "failed" twice, once to a
//! question of ours. Silence, a lost answer and "I do not know that reference" never free it.
//! Absent: doing anything. `pay` carries the commands out. Choosing a rail, splitting under its caps,
//! schedules.

use amana_adapters::port::{Outcome, PayoutState, PayoutStatus};
use amana_ledger::chart::BookId;
use amana_ledger::id::{EscrowRef, PartyId, TransferId};
use amana_ledger::money::Money;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::OutOfOrder;

/// The rail of this payout's book.
pub const RAIL: &str = "intersend";

/// Where a payout stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum State {
    /// Nothing is held and nothing is sent. `short`: why the last try to hold was refused.
    Due {
        /// The ledger's reason, if it refused.
        short: Option<String>,
    },
    /// Held; the instruction is in the outbox.
    Sending {
        /// The hold.
        hold: TransferId,
        /// How often it was surely or possibly sent.
        sends: u32,
        /// How often since then it surely was not.
        waits: u32,
    },
    /// The rail has it.
    Accepted {
        /// The hold.
        hold: TransferId,
        /// How often we asked.
        asks: u32,
    },
    /// We do not know whether the rail has it.
    Unknown {
        /// The hold.
        hold: TransferId,
        /// How often we asked.
        asks: u32,
        /// How often it was sent.
        sends: u32,
    },
    /// The rail said it failed, once, unasked. It is asked before it is believed.
    Doubted {
        /// The hold.
        hold: TransferId,
        /// What the rail said.
        reason: String,
        /// How often we asked.
        asks: u32,
    },
    /// It failed for sure; nothing is held. The claim is the employee's as before.
    Failed {
        /// What the rail said.
        reason: String,
    },
    /// The rail said failed, then completed. The money left after all and has to be held again.
    Recovering {
        /// What the rail says it paid.
        paid: Receipt,
    },
    /// The rail paid; the burn is on its way to the chain.
    Paid {
        /// The rail's receipt.
        paid: Receipt,
    },
    /// Paid and burned: the end.
    Settled {
        /// The rail's receipt.
        paid: Receipt,
    },
}

/// What the rail says about a payment it made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The rail's own id of it.
    pub id: Option<String>,
    /// What the rail charged, minor units.
    pub fee: i64,
}

/// Whose money it is, and where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// What an employee earned, to their phone. Tokens in a vault stand behind it.
    Wage,
    /// An employer's own, back to the number from which this collection came; to the employer's phone where
    /// none is known. No token stands behind it.
    Refund {
        /// The collection.
        source: Option<Uuid>,
    },
}

/// What never changes about a payout.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Ours, the same on every attempt.
    pub reference: String,
    /// The book it settles in.
    pub book: BookId,
    /// The escrow it came from.
    pub escrow: EscrowRef,
    /// Whose money it is.
    pub beneficiary: PartyId,
    /// Why it goes out.
    pub purpose: Purpose,
    /// What the person has to get.
    pub claim: Money,
    /// What the rail is asked to pay: whole units of the currency.
    pub amount: Money,
}

impl Terms {
    /// Whether the rail speaks about what was ordered.
    fn fits(&self, status: &PayoutStatus) -> bool {
        status.reference == self.reference && status.money.is_none_or(|money| money == self.amount)
    }
}

/// What can happen to a payout.
#[derive(Debug, Clone)]
pub enum Event {
    /// Start, or try again for want of float.
    Start,
    /// The ledger holds the money.
    Held(TransferId),
    /// The ledger refused to hold it.
    Short(String),
    /// The rail answered the instruction, or did not.
    Sent(Outcome<PayoutStatus>),
    /// The rail answered a question, or did not. `None`: it does not know the reference.
    Answered(Outcome<Option<PayoutStatus>>),
    /// The rail told us something unasked.
    Told(PayoutStatus),
    /// Somebody of ours says: try again.
    Retry,
    /// The chain burned the tokens.
    Burned,
}

/// What a payout wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Set the money aside, on its owner's account and on the float.
    Hold,
    /// Free it.
    Void(TransferId),
    /// It is paid: settle the hold, post the tariff, take a wage's tokens out of the vault.
    Settle(TransferId, Receipt),
    /// Put the instruction into the outbox, after `delay_s`.
    Send {
        /// Seconds to wait first.
        delay_s: u32,
    },
    /// Put a question into the outbox, after `delay_s`.
    Ask {
        /// Seconds to wait first.
        delay_s: u32,
    },
    /// Try to start again, after `delay_s`.
    StartLater {
        /// Seconds to wait first.
        delay_s: u32,
    },
    /// Say what happened.
    Emit(&'static str),
    /// Tell who got it.
    TellPaid(Receipt),
}

impl State {
    /// The product's word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Due { .. } | Self::Sending { .. } => "pending",
            Self::Accepted { .. } | Self::Doubted { .. } => "processing",
            Self::Unknown { .. } | Self::Recovering { .. } => "unknown",
            Self::Failed { .. } => "failed",
            Self::Paid { .. } | Self::Settled { .. } => "completed",
        }
    }

    /// The rail's receipt, once it paid.
    pub fn receipt(&self) -> Option<&Receipt> {
        match self {
            Self::Recovering { paid } | Self::Paid { paid } | Self::Settled { paid } => Some(paid),
            _ => None,
        }
    }

    fn hold(&self) -> Option<TransferId> {
        match self {
            Self::Sending { hold, .. }
            | Self::Accepted { hold, .. }
            | Self::Unknown { hold, .. }
            | Self::Doubted { hold, .. } => Some(*hold),
            _ => None,
        }
    }

    fn asks(&self) -> u32 {
        match self {
            Self::Accepted { asks, .. } | Self::Unknown { asks, .. } | Self::Doubted { asks, .. } => *asks,
            _ => 0,
        }
    }
}

/// How long to wait before the `n`th question: 5 s, doubling, at most an hour.
fn patience(n: u32) -> u32 {
    5u32.saturating_mul(1 << n.min(10)).min(3600)
}

/// How often the rail must deny a reference before the same instruction goes again: at 5 + 10 + 20 s, well
/// past the deadline of the send.
const NEVER_HEARD: u32 = 3;

/// Seconds between tries while the float is short.
const FLOAT_WAIT_S: u32 = 60;

impl State {
    /// The next state and what has to be done: all arrows, with the reason behind each.
    ///
    /// # Errors
    /// No arrow leads from this state by this event.
    pub fn next(self, terms: &Terms, event: Event) -> Result<(Self, Vec<Command>), OutOfOrder> {
        use Command::{Ask, Emit, Hold, Send, StartLater, Void};
        use Event::{Answered, Burned, Held, Retry, Sent, Short, Start, Told};
        // A word about another amount is no word about this payout.
        let why = "the rail names another amount".to_string();
        let event = match event {
            Sent(Outcome::Done(status)) if !terms.fits(&status) => Sent(Outcome::Unknown { why }),
            Answered(Outcome::Done(Some(status))) if !terms.fits(&status) => {
                Answered(Outcome::Unknown { why })
            }
            Told(status) if !terms.fits(&status) => return Ok((self, vec![Emit("payout.amount_differs")])),
            event => event,
        };
        Ok(match (self, event) {
            (Self::Due { short }, Start) => (Self::Due { short }, vec![Hold]),
            (Self::Due { .. }, Held(hold)) => {
                (Self::Sending { hold, sends: 0, waits: 0 }, vec![Emit("payout.held"), Send { delay_s: 0 }])
            }
            // The float cannot carry it now. The claim stays; it is tried again, and said once.
            (Self::Due { short }, Short(why)) => {
                let mut commands = vec![StartLater { delay_s: FLOAT_WAIT_S }];
                if short.is_none() {
                    commands.push(Emit("payout.waiting_for_float"));
                }
                (Self::Due { short: Some(why) }, commands)
            }
            // No connection was made, so nothing can have been paid: the same instruction may go again.
            (Self::Sending { hold, sends, waits }, Sent(Outcome::NotSent { .. })) => {
                let again = vec![Send { delay_s: patience(waits) }];
                (Self::Sending { hold, sends, waits: waits + 1 }, again)
            }
            (Self::Sending { hold, sends, .. }, Sent(Outcome::Done(status))) => {
                return Self::Unknown { hold, asks: 0, sends: sends + 1 }.heard(terms, status, true);
            }
            // Refused at the door on the first try: the rail never took it.
            (Self::Sending { hold, sends: 0, .. }, Sent(Outcome::Refused { code, reason })) => {
                let reason = format!("{code}: {reason}");
                (Self::Failed { reason }, vec![Void(hold), Emit("payout.failed")])
            }
            // The answer was lost, or an earlier send may have been taken: ask, never send again on a guess.
            (Self::Sending { hold, sends, .. }, Sent(_)) => {
                let commands = vec![Emit("payout.unknown"), Ask { delay_s: patience(0) }];
                (Self::Unknown { hold, asks: 0, sends: sends + 1 }, commands)
            }
            // An answer to our question is believed.
            (state, Answered(Outcome::Done(Some(status)))) => return state.heard(terms, status, true),
            // The rail keeps saying it never heard of it, long after the send's deadline. Not a proof of
            // failure, so nothing is freed; but the same reference may go again, as the rail pays one
            // reference once.
            (Self::Unknown { hold, asks, sends }, Answered(Outcome::Done(None)))
                if asks + 1 >= NEVER_HEARD =>
            {
                (
                    Self::Sending { hold, sends, waits: 0 },
                    vec![Emit("payout.sent_again"), Send { delay_s: 0 }],
                )
            }
            // No answer, or "unknown reference": proves nothing.
            (state, Answered(_)) => state.ask_again(),
            // What comes unasked is believed when good, asked about when bad.
            (state, Told(status)) => return state.heard(terms, status, false),
            (Self::Failed { .. } | Self::Due { .. }, Retry) => (Self::Due { short: None }, vec![Hold]),
            // An operator may have the same reference sent again: the rail pays one reference once.
            (Self::Unknown { hold, sends, .. }, Retry) => (
                Self::Sending { hold, sends, waits: 0 },
                vec![Emit("payout.sent_again"), Send { delay_s: 0 }],
            ),
            // The rail paid after it had said "failed": the money is gone, so the claim is taken after all.
            (Self::Recovering { paid }, Start) => (Self::Recovering { paid }, vec![Hold]),
            (Self::Recovering { paid }, Held(hold)) => Self::paid(terms, hold, paid),
            (Self::Recovering { paid }, Short(_)) => {
                (Self::Recovering { paid }, vec![StartLater { delay_s: FLOAT_WAIT_S }])
            }
            (Self::Paid { paid }, Burned) => (Self::Settled { paid }, vec![Emit("payout.settled")]),
            // A timer that came late.
            (state, Start | Sent(_)) => (state, vec![]),
            (state, event) => {
                let why =
                    format!("payout {} is {}: {event:?} is out of order", terms.reference, state.word());
                return Err(OutOfOrder::wrong(why));
            }
        })
    }
}

impl State {
    /// The rail paid. A wage's tokens are to be burned; a refund has none.
    fn paid(terms: &Terms, hold: TransferId, paid: Receipt) -> (Self, Vec<Command>) {
        use Command::{Emit, Settle, TellPaid};
        let commands = vec![Settle(hold, paid.clone()), Emit("payout.completed"), TellPaid(paid.clone())];
        match terms.purpose {
            Purpose::Wage => (Self::Paid { paid }, commands),
            Purpose::Refund { .. } => (Self::Settled { paid }, commands),
        }
    }

    /// The rail speaks about this payout. `asked`: in answer to us.
    fn heard(
        self,
        terms: &Terms,
        status: PayoutStatus,
        asked: bool,
    ) -> Result<(Self, Vec<Command>), OutOfOrder> {
        use Command::{Ask, Emit, Hold, Void};
        let paid = Receipt { id: status.provider_id.clone(), fee: status.fee.map_or(0, |fee| fee.minor()) };
        Ok(match (self.hold(), status.state) {
            (Some(hold), PayoutState::Completed) => Self::paid(terms, hold, paid),
            (Some(hold), PayoutState::Failed) if asked => {
                let reason = status.reason.unwrap_or_else(|| "no reason given".into());
                (Self::Failed { reason }, vec![Void(hold), Emit("payout.failed")])
            }
            (Some(hold), PayoutState::Failed) => {
                let reason = status.reason.unwrap_or_else(|| "no reason given".into());
                (Self::Doubted { hold, reason, asks: 0 }, vec![Ask { delay_s: 0 }])
            }
            (Some(hold), PayoutState::Pending | PayoutState::Processing) => match self {
                // Old news after a "failed": the question is already on its way.
                Self::Doubted { .. } if !asked => (self, vec![]),
                Self::Accepted { .. } if !asked => (self, vec![]),
                _ => {
                    let asks = self.asks() + 1;
                    (Self::Accepted { hold, asks }, vec![Ask { delay_s: patience(asks) }])
                }
            },
            // "Failed", then "completed".
            (None, PayoutState::Completed) if matches!(self, Self::Failed { .. } | Self::Due { .. }) => {
                (Self::Recovering { paid }, vec![Emit("payout.contradicted"), Hold])
            }
            (None, PayoutState::Failed) if self.receipt().is_some() => {
                (self, vec![Emit("payout.contradicted")])
            }
            // Said before, or old news.
            (None, _) => (self, vec![]),
        })
    }

    /// The question brought nothing: ask again, later each time.
    fn ask_again(self) -> (Self, Vec<Command>) {
        let asks = self.asks() + 1;
        let ask = vec![Command::Ask { delay_s: patience(asks) }];
        match self {
            Self::Accepted { hold, .. } => (Self::Accepted { hold, asks }, ask),
            Self::Unknown { hold, sends, .. } => (Self::Unknown { hold, asks, sends }, ask),
            Self::Doubted { hold, reason, .. } => (Self::Doubted { hold, reason, asks }, ask),
            state => (state, vec![]),
        }
    }
}

impl Event {
    /// What was said, in a word and in more, for the record of the conversation.
    pub fn in_words(&self) -> (&'static str, Option<String>) {
        match self {
            Self::Sent(outcome) => outcome_words(outcome, status_words),
            Self::Answered(outcome) => outcome_words(outcome, |status| {
                status.as_ref().map_or(("unknown_reference", None), status_words)
            }),
            Self::Told(status) => status_words(status),
            Self::Start => ("start", None),
            Self::Held(_) => ("held", None),
            Self::Short(why) => ("short", Some(why.clone())),
            Self::Retry => ("retry", None),
            Self::Burned => ("burned", None),
        }
    }
}

type Words = (&'static str, Option<String>);

fn outcome_words<T>(outcome: &Outcome<T>, done: impl FnOnce(&T) -> Words) -> Words {
    match outcome {
        Outcome::Done(answer) => done(answer),
        Outcome::Refused { code, reason } => ("refused", Some(format!("{code}: {reason}"))),
        Outcome::NotSent { why } => ("not_sent", Some(why.clone())),
        Outcome::Unknown { why } => ("no_answer", Some(why.clone())),
    }
}

fn status_words(status: &PayoutStatus) -> Words {
    match status.state {
        PayoutState::Pending => ("pending", None),
        PayoutState::Processing => ("processing", None),
        PayoutState::Completed => ("completed", status.provider_id.clone()),
        PayoutState::Failed => ("failed", status.reason.clone()),
    }
}

#[cfg(test)]
mod tests;
