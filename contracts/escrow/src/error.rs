//! The escrow's refusals, numbered.
//!
//! Invariant: numbers are frozen and only ever appended to; the 100s are about state, the 110s amounts, the
//! 120s roles, the 130s time, the 140s configuration. They start at 100 because a failing token call surfaces
//! as the token's own number, and the Stellar Asset Contract uses 1 to 15.

use soroban_sdk::contracterror;

/// Why a call was refused. `Is…` names the state an escrow was found in when the call does not fit that
/// state.
#[contracterror]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Error {
    /// No escrow has this reference.
    NotFound = 100,
    /// An escrow with this reference was created before.
    AlreadyExists = 101,
    /// The escrow is open: not yet fully funded.
    IsOpen = 102,
    /// The escrow is funded: nothing can be added to it or cancelled.
    IsFunded = 103,
    /// The escrow was released.
    IsReleased = 104,
    /// The escrow was refunded.
    IsRefunded = 105,
    /// The escrow was cancelled.
    IsCancelled = 106,
    /// No payee is assigned yet.
    NotAssigned = 107,
    /// A payee is assigned already.
    AlreadyAssigned = 108,
    /// This deposit was minted before.
    DepositUsed = 109,
    /// The amount must be greater than zero.
    NotPositive = 110,
    /// The amount is not a multiple of the token's unit.
    NotWholeUnits = 111,
    /// The amount is more than an account can hold.
    TooLarge = 112,
    /// The deposit is more than what remains to be funded.
    Overfunded = 113,
    /// The parts do not add up to the escrow's amount.
    SumMismatch = 114,
    /// The vault does not hold what the caller believes.
    VaultChanged = 115,
    /// The vault holds less than the amount.
    VaultShort = 116,
    /// The escrow has no such milestone.
    NoSuchMilestone = 117,
    /// This address cannot be a payer.
    PayerNotAllowed = 120,
    /// This address cannot be a payee.
    PayeeNotAllowed = 121,
    /// Deposits fund only escrows of the delegate.
    NotDelegated = 122,
    /// Before expiry only the payee's own address may refund.
    NotExpired = 130,
    /// The expiry is not in the future.
    ExpiryPast = 131,
    /// The expiry is further away than the longest term.
    ExpiryTooFar = 132,
    /// The token is not the listed one.
    TokenNotListed = 140,
    /// The unit must be greater than zero.
    BadUnit = 141,
    /// Admin, operator, delegate, arbiter, token and contract must be six different addresses.
    RolesNotDistinct = 142,
    /// The contract has no configuration.
    NotConfigured = 143,
}
