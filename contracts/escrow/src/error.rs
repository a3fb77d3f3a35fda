//! The escrow's refusals, numbered.
//!
//! Invariant: numbers are frozen and only ever appended to. The 100s are about state, the 110s amounts, the
//! 120s roles (127 to 129: the states that came later), the 130s time, the 140s configuration; there is no
//! gap, so that a caller can tell an unknown number. They start at 100 because a failing token call surfaces
//! as the token's own number, and the Stellar Asset Contract uses 1 to 15.

use soroban_sdk::{SpecShakingMarker, contracterror};

/// Writes the enum twice: once as it is used, which becomes a number by a cast, and once for the contract's
/// spec alone. What the macro makes of the second would turn 45 names into 45 numbers by a table of 0.6 KB.
macro_rules! numbered {
    ($(#[doc = $text:literal])+ Error { $($(#[doc = $doc:literal])+ $name:ident = $number:tt,)+ }) => {
        $(#[doc = $text])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u32)]
        pub enum Error {
            $($(#[doc = $doc])+ $name = $number,)+
        }

        impl Error {
            const ALL: &[Self] = &[$(Self::$name,)+];
        }

        mod spec {
            use super::contracterror;

            $(#[doc = $text])+
            #[contracterror]
            #[derive(Clone, Copy)]
            #[repr(u32)]
            pub enum Error {
                $($(#[doc = $doc])+ $name = $number,)+
            }
        }
    };
}

numbered! {
    /// Why a call was refused. `Is…` names the state an escrow was found in when the call does not fit that
    /// state.
    Error {
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
        /// An escrow has 1 to 16 milestones.
        BadMilestones = 118,
        /// The fee is more than what the terms leave of their cap, or a cap or default more than the amount.
        OverAmount = 119,
        /// This address cannot be a payer.
        PayerNotAllowed = 120,
        /// This address cannot be a payee.
        PayeeNotAllowed = 121,
        /// Deposits fund only escrows of the delegate.
        NotDelegated = 122,
        /// A dispute is opened by the payer, by the payee's address, or by the operator for a mobile payee.
        NotAParty = 123,
        /// Who is paid out of a payer's own tokens needs an address.
        AddressNeeded = 124,
        /// An escrow of the delegate is funded by deposits alone.
        FundedByDeposits = 125,
        /// Nothing is proposed.
        NothingProposed = 126,
        /// The escrow is disputed: frozen until it is decided.
        IsDisputed = 127,
        /// The escrow was resolved.
        IsResolved = 128,
        /// This milestone was released before.
        MilestoneReleased = 129,
        /// Before expiry only the payee's own address may refund.
        NotExpired = 130,
        /// The expiry is not in the future.
        ExpiryPast = 131,
        /// The expiry is further away than the longest term.
        ExpiryTooFar = 132,
        /// A clock has rung, or the dispute's deadline has passed.
        TooLate = 133,
        /// The time for this has not come.
        TooEarly = 134,
        /// The release clock must ring after now and before expiry.
        BadClock = 135,
        /// A dispute's deadline is 1 to 365 days away.
        BadWindow = 136,
        /// The payee's clock rang first: only a release is due.
        ReleaseDue = 137,
        /// Creating and funding are paused.
        Paused = 138,
        /// Nothing is due, or the account still cannot take it.
        NothingPaid = 139,
        /// The token is not listed, or not for this payer.
        TokenNotListed = 140,
        /// The unit must be greater than zero.
        BadUnit = 141,
        /// Admin, operator, delegate, arbiter, token and contract must be six different addresses.
        RolesNotDistinct = 142,
        /// The contract has no configuration.
        NotConfigured = 143,
        /// No more tokens can be listed.
        ListFull = 144,
    }
}

impl From<Error> for soroban_sdk::Error {
    #[inline(never)]
    fn from(error: Error) -> Self {
        Self::from_contract_error(error as u32)
    }
}

impl From<&Error> for soroban_sdk::Error {
    fn from(error: &Error) -> Self {
        (*error).into()
    }
}

impl SpecShakingMarker for Error {
    fn spec_shaking_marker() {
        spec::Error::spec_shaking_marker();
    }
}

/// What a caller of the contract reads out of its answer.
impl TryFrom<soroban_sdk::Error> for Error {
    type Error = soroban_sdk::Error;

    fn try_from(error: soroban_sdk::Error) -> Result<Self, soroban_sdk::Error> {
        Self::ALL.iter().copied().find(|known| soroban_sdk::Error::from(known) == error).ok_or(error)
    }
}
