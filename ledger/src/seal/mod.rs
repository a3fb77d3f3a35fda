//! The sealing of the journal: hashes from which a stranger can tell that nothing was changed.
//!
//! Invariant: pure. The same bytes give the same root on any machine, with or without a database.

pub mod tree;
