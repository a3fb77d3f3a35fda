//! Do the books, the rails and the chain agree? Answers for finance and for auditors, and a pass every few
//! minutes that opens a break where they do not.
//!
//! Absent, for now: laying a whole statement beside the ledger, and clearing suspense by hand.

pub mod attention;
pub mod audit;
pub mod breaks;
pub mod close;
pub mod compare;
pub mod listed;
pub mod proof;
mod store;
pub mod suspense;
pub mod trace;

pub use attention::{Failure, Suspended, failures, suspense};
pub use breaks::{Break, Pass, breaks, pass};
pub use compare::Difference;
pub use proof::{Line, Proof, proof};
pub use suspense::candidates;
pub use trace::{Trace, trace};
