//! The sealing of the journal: hashes from which a stranger can tell that nothing was changed.
//!
//! The root of a batch is a leaf of its book's **log** ([`tree`]), the tree of RFC 6962 over all batches. A
//! **checkpoint** ([`note`]) signs how long the log is and what its root is. A **proof** ([`proof`]) shows
//! that a batch is in the log, or that a log only grew. **Liabilities** ([`liability`]) are summed in a tree
//! of their own, in which each person finds what they are owed.
//!
//! Invariant: pure. The same bytes give the same root on any machine, with or without a database.

pub mod liability;
pub mod note;
pub mod proof;
pub mod tree;
