//! `/api/…`: paths and words that others gave us, verbatim.

pub(super) mod callbacks;
pub(super) mod escrow;
pub(super) mod instructions;
pub(super) mod jobs;
pub(super) mod keyed;
pub(super) mod people;
