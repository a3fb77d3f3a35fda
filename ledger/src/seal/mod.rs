//! The sealing of the journal: hashes from which a stranger can tell that nothing was changed.
//!
//! The root of a batch is a leaf of its book's **log** ([`tree`]), the tree of RFC 6962 over all batches. A
//! **checkpoint** ([`note`]) signs how long the log is and what its root is. A **proof** ([`proof`]) shows
//! that a batch is in the log, or that a log only grew. **Liabilities** ([`liability`]) are summed in a tree
//! of their own, in which each person finds what they are owed.
//!
//! These are pure: the same bytes give the same root on any machine, with or without a database. What is kept
//! of them, and read for a proof, is the log's ([`checkpoint`], [`included`], [`grown`]), the liabilities'
//! ([`liabilities`], [`inside`]) and the [`bundle`]'s, which holds all that a stranger needs.

mod bundle;
pub mod liability;
mod lines;
mod log;
pub mod note;
mod owed;
pub mod proof;
pub(crate) mod sound;
pub mod tree;

pub use crate::verify::inclusion::{Grown, Included};
pub use crate::verify::line::{Anchor, Hex};
pub use bundle::{Unwritten, bundle};
pub use log::{
    anchored, anchors, checkpoint, grown, included, is_close_unanchored, is_closed_since, newest,
    newest_anchor, unanchored,
};
pub use owed::{Inside, inside, liabilities};
