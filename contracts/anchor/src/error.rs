//! The refusals, numbered.
//!
//! Invariant: numbers are frozen and only ever appended to. They begin at 200, beyond the escrow's, so that
//! a number alone names the refusal.

use soroban_sdk::contracterror;

/// Why a call was refused.
#[contracterror]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Error {
    /// The book has a checkpoint of this size or a greater one, and it is not this one.
    NotGrown = 200,
    /// The book's checkpoint of this size has another root.
    OtherRoot = 201,
    /// A book's name has 1 to 64 bytes.
    BadBook = 210,
    /// The contract has no operator.
    NotConfigured = 240,
}
