//! The only calls to tokens. The contract is the admin of the token it mints for deposits, and holds what all
//! escrows of a token owe in one balance.
//!
//! Invariant: a listing's sums are written before the call that makes them true, and both or neither land.
//! What a listing's escrows owe, with fees not swept yet, is came − burned − paid.

use soroban_sdk::token::{StellarAssetClient, TokenClient};
use soroban_sdk::{Address, Env};

use crate::error::Error;
use crate::storage::{self, Config};
use crate::terms::Unit;

/// The token an escrow is in.
pub(crate) struct Asset {
    /// Where it is in the list; 0 is what deposits are minted in.
    pub(crate) listing: u32,
    pub(crate) token: Address,
    pub(crate) unit: Unit,
}

impl Asset {
    /// The token of a listing.
    pub(crate) fn of(env: &Env, listing: u32) -> Self {
        let found = storage::listing(env, listing);
        Self { listing, token: found.token, unit: Unit::stored(found.unit) }
    }

    /// Where an escrow of this payer in this token is kept: deposits fund those of the delegate, everyone
    /// else brings tokens that are listed. The newest open listing counts.
    pub(crate) fn find(env: &Env, config: &Config, payer: &Address, token: &Address) -> Result<Self, Error> {
        let delegated = *payer == config.delegate;
        let mut listing = if delegated { 0 } else { config.listed };
        loop {
            let found = storage::listing(env, listing);
            // Number 0 is closed to everyone but the delegate.
            if found.token == *token && found.open != delegated {
                return Ok(Self { listing, token: found.token, unit: Unit::stored(found.unit) });
            }
            if listing <= 1 {
                return Err(Error::TokenNotListed);
            }
            listing -= 1;
        }
    }

    /// Mints into the contract's own balance.
    pub(crate) fn mint(&self, env: &Env, amount: i64) {
        self.count(env, [amount, 0, 0, 0]);
        StellarAssetClient::new(env, &self.token).mint(&env.current_contract_address(), &amount.into());
    }

    /// Takes a payer's tokens.
    pub(crate) fn take(&self, env: &Env, payer: &Address, amount: i64) {
        self.count(env, [amount, 0, 0, 0]);
        self.client(env).transfer(payer, env.current_contract_address(), &amount.into());
    }

    /// Burns from the contract's own balance; nothing for zero. The sums know already.
    pub(crate) fn burn(&self, env: &Env, amount: i64) {
        if amount > 0 {
            self.client(env).burn(&env.current_contract_address(), &amount.into());
        }
    }

    /// Pays, and returns what the account refused; if it `must` take it, a refusal undoes the whole call. The
    /// sums know already.
    pub(crate) fn pay(&self, env: &Env, to: Option<Address>, amount: i64, must: bool) -> i64 {
        let Some(to) = to.filter(|_| amount > 0) else { return 0 };
        let from = env.current_contract_address();
        if must {
            self.client(env).transfer(&from, &to, &amount.into());
            return 0;
        }
        match self.client(env).try_transfer(&from, &to, &amount.into()) {
            Ok(Ok(())) => 0,
            _ => amount,
        }
    }

    /// Sends the fees that were kept to their recipient.
    pub(crate) fn sweep(&self, env: &Env, to: &Address) -> Result<i128, Error> {
        let mut totals = storage::totals(env, self.listing);
        let fees = core::mem::take(&mut totals.fees);
        if fees == 0 {
            return Err(Error::NothingPaid);
        }
        totals.paid = totals.paid.wrapping_add(fees);
        storage::set_totals(env, self.listing, &totals);
        self.client(env).transfer(&env.current_contract_address(), to, &fees);
        Ok(fees)
    }

    /// Adds to the listing's sums: came, burned, paid, fees.
    #[inline(never)]
    pub(crate) fn count(&self, env: &Env, [came, burned, paid, fees]: [i64; 4]) {
        let mut totals = storage::totals(env, self.listing);
        // 2^64 calls of the largest amount fit: the check that the compiler would add is never of use.
        totals.came = totals.came.wrapping_add(came.into());
        totals.burned = totals.burned.wrapping_add(burned.into());
        totals.paid = totals.paid.wrapping_add(paid.into());
        totals.fees = totals.fees.wrapping_add(fees.into());
        storage::set_totals(env, self.listing, &totals);
    }

    fn client<'a>(&self, env: &Env) -> TokenClient<'a> {
        TokenClient::new(env, &self.token)
    }
}
