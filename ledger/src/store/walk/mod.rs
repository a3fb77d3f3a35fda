//! Walking along a journal, or along one account of it, a page at a time.
//!
//! Invariant: a page costs what it shows, wherever it stands. What lies up to a batch never changes, so pages
//! that were read at different moments belong together.

pub(crate) mod lines;
pub(crate) mod replay;
