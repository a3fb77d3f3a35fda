//! What others than the house do on the chain: payees with accounts of their own, and strangers. They keep at
//! it until it is done or was done differently, through the same bad network.

use std::collections::VecDeque;

use amana_adapters::port::Outcome;
use amana_adapters::stellar::{Built, ChainOp, Keypair, Next, Sent, Stellar, verdict};

/// Somebody's intention.
pub(crate) struct Errand {
    op: ChainOp,
    attempt: Option<(Keypair, Built, Option<Sent>)>,
}

/// How an errand stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Not done yet.
    Open,
    /// Done, by whomever.
    Done,
    /// It cannot be done any more: something else was first.
    Lost,
}

/// Refusals of a contract that has ended the escrow otherwise, or frozen it.
const TOO_LATE: [&str; 5] = ["IsReleased", "IsRefunded", "IsResolved", "IsCancelled", "IsDisputed"];

impl Errand {
    pub(crate) fn new(op: ChainOp) -> Self {
        Self { op, attempt: None }
    }

    /// One step on. Who is about to send something takes a seat; when that is over, the seat is free again.
    pub(crate) async fn step(&mut self, by: &Stellar, seats: &mut VecDeque<Keypair>) -> Standing {
        let Some((seat, built, sent)) = self.attempt.take() else {
            let Some(seat) = seats.pop_front() else { return Standing::Open };
            return self.begin(by, seat, seats).await;
        };
        let look = by.look(&built.hash).await.ok();
        let standing = match verdict((&built).into(), sent.as_ref(), look) {
            Next::ResendSame | Next::Stuck | Next::Raise => {
                let sent = Some(by.send(&built.envelope_xdr).await);
                self.attempt = Some((seat, built, sent));
                return Standing::Open;
            }
            Next::Wait => {
                self.attempt = Some((seat, built, sent));
                return Standing::Open;
            }
            Next::AskContract => match by.has_happened(&self.op).await {
                Ok(true) => Standing::Done,
                Ok(false) => Standing::Open,
                Err(_) => {
                    self.attempt = Some((seat, built, sent));
                    return Standing::Open;
                }
            },
            Next::Rebuild | Next::FailedOnChain { .. } => Standing::Open,
            Next::Done { .. } => Standing::Done,
        };
        seats.push_back(seat);
        standing
    }

    /// Gives it up: the seat it had.
    pub(crate) fn given_up(self) -> Option<Keypair> {
        self.attempt.map(|(seat, ..)| seat)
    }

    async fn begin(&mut self, by: &Stellar, seat: Keypair, seats: &mut VecDeque<Keypair>) -> Standing {
        let outcome = match by.sequence(&seat.address()).await {
            Ok(Some(sequence)) => by.build(&self.op, &seat, sequence + 1).await,
            Ok(None) => panic!("a seat is an account"),
            Err(fault) => Outcome::NotSent { why: fault.to_string() },
        };
        let standing = match outcome {
            Outcome::Done(built) => {
                self.attempt = Some((seat, built, None));
                return Standing::Open;
            }
            Outcome::Refused { code, .. } if self.op.looks_done(&code) => Standing::Done,
            Outcome::Refused { code, .. } if TOO_LATE.contains(&code.as_str()) => Standing::Lost,
            _ => Standing::Open,
        };
        seats.push_back(seat);
        standing
    }
}
