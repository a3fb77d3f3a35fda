//! The two kinds of "no" of the gateway: a `Refusal` is an answer, a `Fault` is our trouble.
//!
//! Invariant: a refusal is safe to show, names the field or the thing, and never carries personal data.
//! Absent: HTTP. One file, `http/problem.rs`, knows which status a code becomes.

use std::fmt;

/// Why we said no: the closed list of machine-readable codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// A field is missing or malformed.
    BadField,
    /// No valid credential came with the call.
    Unauthenticated,
    /// The caller is known and may not do this.
    Forbidden,
    /// There is no such thing, or it is none of the caller's business.
    NotFound,
    /// The thing exists already.
    Exists,
    /// The thing is in a state that does not allow this.
    WrongState,
    /// The thing will allow this soon: the chain has not confirmed yet.
    NotYet,
    /// A money-moving call came without an idempotency key.
    KeyMissing,
    /// The idempotency key was used before with another body.
    KeyReused,
    /// The first call with this idempotency key is still being answered.
    KeyInProgress,
    /// The ledger refused: a floor, a closed account, a reversal twice.
    Ledger,
    /// Too many calls or too many wrong tries.
    TooMany,
}

/// An answer that says no.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The machine-readable reason.
    pub code: Code,
    /// The field at fault, as a name in the caller's body or query.
    pub field: Option<String>,
    /// The reason in words: lower-case, names the thing and its id.
    pub detail: String,
    /// What would be allowed instead, where that is a list.
    pub allowed: Vec<String>,
    /// Seconds after which the same call may succeed.
    pub retry_after_s: Option<u32>,
}

impl Refusal {
    /// A refusal with a code and a reason.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, field: None, detail: detail.into(), allowed: Vec::new(), retry_after_s: None }
    }

    /// A field is missing or malformed.
    pub fn field(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { field: Some(name.into()), ..Self::new(Code::BadField, detail) }
    }

    /// The same refusal, saying when to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// The same refusal, listing what would be allowed.
    #[must_use]
    pub fn allowing(mut self, allowed: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.allowed = allowed.into_iter().map(Into::into).collect();
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{field}: {}", self.detail),
            None => f.write_str(&self.detail),
        }
    }
}

/// Our trouble: database, network, a stored value we cannot read. Logged once, shown as "try again".
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The database did not do what it was asked.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// The ledger's own trouble.
    #[error("ledger: {0}")]
    Ledger(#[from] amana_ledger::Fault),
    /// A stored value is not what we once wrote.
    #[error("stored value: {0}")]
    Stored(String),
    /// Something on the other side of a wire, where no outcome type applies.
    #[error("outside: {0}")]
    Outside(String),
    /// Sealing or opening failed: a wrong master key, a destroyed data key, altered bytes.
    #[error("sealed bytes: {0}")]
    Sealed(&'static str),
    /// A test pulled the plug between two commits (`Db::with_fuse`).
    #[error("the process was killed here")]
    Killed,
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        // The message may quote the value: keep the place, drop the text.
        Self::Stored(format!("json at line {} column {}", error.line(), error.column()))
    }
}

/// Either kind of no.
#[derive(Debug)]
pub enum Error {
    /// An answer for the caller.
    Refused(Refusal),
    /// Our trouble.
    Fault(Fault),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Fault(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl From<amana_ledger::Fault> for Error {
    fn from(fault: amana_ledger::Fault) -> Self {
        Self::Fault(fault.into())
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Fault(error.into())
    }
}

/// What most of the gateway returns; what can only be our trouble returns `Result<T, Fault>`.
pub type Result<T, E = Error> = std::result::Result<T, E>;
