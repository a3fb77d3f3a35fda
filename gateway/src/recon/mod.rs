//! Do the books, the rails and the chain agree? Read-only answers for finance and for auditors.
//!
//! Absent, for now: statements of rails, matching, breaks and clearing suspense by hand.

pub mod attention;
pub mod proof;
pub mod trace;

pub use attention::{Failure, Suspended, failures, suspense};
pub use proof::{Line, Proof, proof};
pub use trace::{Trace, trace};
