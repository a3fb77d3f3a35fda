//! The seed's paths and words, verbatim.

pub(super) mod callbacks;
pub(super) mod escrow;
mod instructions;
pub(super) mod jobs;
pub(super) mod keyed;
pub(super) mod people;
