//! Our words for the world outside: what an outcome is, who a phone is, what a payout is.
//!
//! Invariant: silence is `Outcome::Unknown`, never a failure. A phone number and a secret never leave through
//! `Debug` or `Display`; whoever needs them in clear asks for them by name (`e164`, `digits`, `expose`).
//! Absent: traits a rail must implement. Each rail is one struct with these words in its signatures; a trait
//! appears with the second rail of a kind.

use std::fmt;

use amana_ledger::money::Money;

pub use crate::phone::{BadMsisdn, Country, Msisdn, scrub};

/// How a call to the other side ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Outcome<T> {
    /// The other side took it, and said this.
    Done(T),
    /// The other side read it and said no, for good: this attempt had no effect, and the same call would be
    /// refused again. An earlier attempt of unknown end may have had one all the same.
    Refused {
        /// Their word for the reason, short and stable.
        code: String,
        /// Their prose, fit to show to operators.
        reason: String,
    },
    /// This attempt surely had no effect (no connection, not let in, told to slow down): the same call may be
    /// made again later. Says nothing of earlier attempts.
    NotSent {
        /// What stood in the way.
        why: String,
    },
    /// It may have happened. Ask again by reference; never assume either way.
    Unknown {
        /// What was heard instead of an answer.
        why: String,
    },
}

impl<T> Outcome<T> {
    /// The same outcome with another thing inside `Done`.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Outcome<U> {
        match self {
            Outcome::Done(thing) => Outcome::Done(change(thing)),
            Outcome::Refused { code, reason } => Outcome::Refused { code, reason },
            Outcome::NotSent { why } => Outcome::NotSent { why },
            Outcome::Unknown { why } => Outcome::Unknown { why },
        }
    }
}

/// A key, token or password: kept, compared, put on the wire, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps the secret's text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret in clear, for a header or a signature and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// One instruction to pay a phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayoutOrder {
    /// Who is paid.
    pub phone: Msisdn,
    /// How much reaches the phone; what the rail charges comes on top and is told in [`PayoutStatus::fee`].
    pub money: Money,
    /// Ours, one a payout, the same on every retry: the rail pays a reference once.
    pub reference: String,
}

/// Where the rail says a payout stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PayoutState {
    /// Taken, not begun.
    Pending,
    /// Begun.
    Processing,
    /// The phone has the money.
    Completed,
    /// The phone has not and will not get it under this reference.
    Failed,
}

impl PayoutState {
    /// Whether the rail considers the payout over. Rails do contradict themselves: what a second final word
    /// means is the flow's to decide.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }
}

/// The rail's word on one payout, as heard in an answer, an inquiry or a callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayoutStatus {
    /// Our reference.
    pub reference: String,
    /// The rail's own id of the payout, its receipt.
    pub provider_id: Option<String>,
    /// Where it stands.
    pub state: PayoutState,
    /// The money the rail says it is about; to be compared with the order by whoever knows the order.
    pub money: Option<Money>,
    /// What the rail charged on top; `None` for nothing or not said.
    pub fee: Option<Money>,
    /// Why it failed, in the rail's words.
    pub reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        assert_eq!(format!("{:?}", Secret::new("hunter")), "Secret(***)");
    }

    #[test]
    fn an_outcome_keeps_its_kind() {
        assert_eq!(Outcome::Done(1).map(|n| n + 1), Outcome::Done(2));
        let unknown: Outcome<u8> = Outcome::Unknown { why: "cut".into() };
        assert_eq!(unknown.clone().map(|n| n + 1), unknown);
    }

    #[test]
    fn only_completed_and_failed_are_final() {
        use PayoutState::{Completed, Failed, Pending, Processing};
        assert_eq!(
            [Pending, Processing, Completed, Failed].map(PayoutState::is_final),
            [false, false, true, true]
        );
    }
}
