//! What goes wrong on a public network, by script: which calls it strikes, how often, and what it does.
//!
//! Invariant: a script names everything that may happen. With the same script, the same calls and the same
//! clock the same calls are struck; chance is a function of the seed, the rule and the transaction, so that
//! workers that get ahead of one another do not change it.
//! Absent: what a fault does to the network (`rpc`, `network.rs`), and wall-clock delays.

mod draw;
mod schedule;

use serde::{Deserialize, Serialize};

use crate::ledger::past::KEPT;

pub(crate) use draw::{Call, Draw};
pub use schedule::Rates;

/// A script of faults. Without rules and without a queue the network is the friendliest there is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Whether accepted transactions wait, several together, for the ledger that closes next: at the
    /// network's pace, or when `dev_advance` closes it. Otherwise each closes a ledger of its own at once.
    pub queue: bool,
    /// What chance follows from.
    pub seed: u64,
    /// The rules, asked in this order. The first that strikes wins; rules that change the network itself
    /// (`Surge`, `Jump`, `Forget`) let the later ones be asked too.
    pub rules: Vec<Rule>,
}

/// When a fault strikes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What happens.
    pub fault: Fault,
    /// Only calls of this method; otherwise of every method that the fault fits.
    #[serde(default)]
    pub on: Option<String>,
    /// Only transactions of this account (G…).
    #[serde(default)]
    pub source: Option<String>,
    /// So many calls that it could have struck pass first.
    #[serde(default)]
    pub skip: u32,
    /// It strikes so many times at most.
    #[serde(default)]
    pub times: Option<u32>,
    /// Of a thousand calls it could strike, how many it does, by chance.
    #[serde(default = "always")]
    pub per_mille: u16,
}

fn always() -> u16 {
    1_000
}

impl Rule {
    /// Strikes every call the fault fits.
    pub fn always(fault: Fault) -> Self {
        Self { fault, on: None, source: None, skip: 0, times: None, per_mille: always() }
    }

    /// Strikes once.
    pub fn once(fault: Fault) -> Self {
        Self { times: Some(1), ..Self::always(fault) }
    }

    /// Strikes so many times.
    pub fn times(fault: Fault, times: u32) -> Self {
        Self { times: Some(times), ..Self::always(fault) }
    }

    /// Only calls of this method.
    #[must_use]
    pub fn on(self, method: &str) -> Self {
        Self { on: Some(method.to_owned()), ..self }
    }

    /// Only transactions of this account (G…).
    #[must_use]
    pub fn of(self, source: &str) -> Self {
        Self { source: Some(source.to_owned()), ..self }
    }

    /// Lets so many calls pass first.
    #[must_use]
    pub fn after(self, skip: u32) -> Self {
        Self { skip, ..self }
    }

    /// Strikes so many of a thousand.
    #[must_use]
    pub fn chance(self, per_mille: u16) -> Self {
        Self { per_mille, ..self }
    }
}

/// What can go wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", rename_all_fields = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// `sendTransaction` answers `TRY_AGAIN_LATER`; the transaction is not taken.
    TryAgainLater,
    /// `sendTransaction` answers txBAD_SEQ to a good number (stellar-rpc#1019); it is not taken.
    BadSequence,
    /// `sendTransaction` answers `PENDING`, but the queue never hears of it.
    Lost,
    /// The transaction waits until its turn is over: no ledger takes it, its source is blocked for four
    /// ledgers, its hash for ten more.
    Dropped,
    /// It gets into a ledger so many later than the next one. After four this server has forgotten it.
    Late {
        /// How many later.
        ledgers: u32,
    },
    /// It gets into the last ledger that its time bound allows.
    LastMoment,
    /// The server answers with this HTTP status and has done nothing.
    Sick {
        /// 500 to 599.
        status: u16,
    },
    /// The server does what it was asked and then answers with this HTTP status.
    LostAnswer {
        /// 500 to 599.
        status: u16,
    },
    /// The connection closes before anything was done.
    HangUp,
    /// The connection closes after it was done.
    HangUpAfter,
    /// A proxy asks twice and hands on the second answer: a first sending is a `DUPLICATE`.
    Twice,
    /// The server that answers lags behind: all it says is as of an older ledger.
    Stale {
        /// So many ledgers older, at most 16.
        ledgers: u32,
    },
    /// `getTransaction` answers `NOT_FOUND` for what was included so many ledgers ago or less, though the
    /// newest ledger it names is the true one. No RPC server promises not to; one behind a balancer may.
    NotFound {
        /// So many ledgers, 1 and up.
        ledgers: u32,
    },
    /// Before the call, fees rise for a while: a lower bid waits in the queue, or is refused there.
    Surge {
        /// What an operation must bid, in stroops.
        fee: i64,
        /// For so many ledgers.
        ledgers: u32,
        /// Whether lower bids are refused (txINSUFFICIENT_FEE, with the least fee).
        refuses: bool,
    },
    /// Before the call, ledgers close: entries age, time bounds pass.
    Jump {
        /// Seconds between the first and the last of them.
        seconds: u64,
        /// How many.
        ledgers: u32,
    },
    /// Before the call, the server's window on the past shrinks.
    Forget {
        /// To so many ledgers, the newest included.
        ledgers: u32,
    },
}

/// Methods whose answer can be an older one.
const READS: [&str; 8] = [
    "getHealth",
    "getLatestLedger",
    "getLedgers",
    "getLedgerEntries",
    "getTransaction",
    "getTransactions",
    "getEvents",
    "simulateTransaction",
];
/// The most a jump may cover, in seconds and in ledgers.
const MAX_JUMP: u64 = 1_000_000_000;

impl Fault {
    /// Whether it can strike calls of this method.
    pub fn fits(&self, method: &str) -> bool {
        use Fault::{BadSequence, Dropped, LastMoment, Late, Lost, NotFound, Stale, TryAgainLater};
        match self {
            TryAgainLater | BadSequence | Lost | Dropped | Late { .. } | LastMoment => {
                method == "sendTransaction"
            }
            Stale { .. } => READS.contains(&method),
            NotFound { .. } => method == "getTransaction",
            _ => !method.starts_with("dev_"),
        }
    }

    /// Whether it changes the network and not the call.
    pub fn is_weather(&self) -> bool {
        matches!(self, Fault::Surge { .. } | Fault::Jump { .. } | Fault::Forget { .. })
    }

    fn flaw(&self) -> Option<&'static str> {
        match self {
            Fault::Sick { status } | Fault::LostAnswer { status } if !(500..600).contains(status) => {
                Some("status must be 500 to 599")
            }
            Fault::Stale { ledgers } if !(1..=KEPT).contains(ledgers) => Some("ledgers must be 1 to 16"),
            Fault::Surge { fee, .. } if !(1..=1_000_000_000).contains(fee) => {
                Some("fee must be 1 to 1000000000")
            }
            Fault::Jump { seconds, ledgers } if (*seconds).max(u64::from(*ledgers)) > MAX_JUMP => {
                Some("a jump covers at most 1000000000 seconds and ledgers")
            }
            _ => None,
        }
    }
}

/// What is wrong with a script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rule {rule}: {why}")]
pub struct BadScript {
    /// Which rule, from 0.
    pub rule: usize,
    /// What is wrong with it.
    pub why: String,
}

impl Faults {
    /// Only a queue: ledgers close at the network's pace, and nothing goes wrong.
    pub fn queue() -> Self {
        Self { queue: true, ..Self::default() }
    }

    /// These rules, without a queue.
    pub fn rules(rules: impl Into<Vec<Rule>>) -> Self {
        Self { rules: rules.into(), ..Self::default() }
    }

    /// These rules, with a queue.
    pub fn queued(rules: impl Into<Vec<Rule>>) -> Self {
        Self { queue: true, ..Self::rules(rules) }
    }

    /// Whether there is anything in it.
    pub fn is_none(&self) -> bool {
        !self.queue && self.rules.is_empty()
    }

    /// Whether the script can be played.
    ///
    /// # Errors
    /// The first rule that cannot.
    pub fn check(&self) -> Result<(), BadScript> {
        for (number, rule) in self.rules.iter().enumerate() {
            let bad = |why: String| Err(BadScript { rule: number, why });
            if let Some(flaw) = rule.fault.flaw() {
                return bad(flaw.to_owned());
            }
            if let Some(method) = rule.on.as_deref().filter(|method| !rule.fault.fits(method)) {
                return bad(format!("this fault does not fit {method}"));
            }
            if rule.per_mille > 1_000 {
                return bad("per_mille must be at most 1000".into());
            }
        }
        Ok(())
    }
}

/// A call that was struck.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Strike {
    /// The call's number since the script was set, from 1.
    pub call: u64,
    /// Its method.
    pub method: String,
    /// The transaction's hash in hex, if it is about one.
    pub hash: Option<String>,
    /// Which rule, from 0.
    pub rule: usize,
    /// What happened.
    pub fault: Fault,
}
