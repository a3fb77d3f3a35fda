//! The only calls to the token; the contract is the token's admin and holds what all escrows owe in one
//! balance.
//!
//! Invariant: a counter moves before its call, and both or neither land. Minted − burned is the supply this
//! contract made; less what was paid to accounts, it is what the escrows owe.

use soroban_sdk::{
    Address, Env,
    token::{StellarAssetClient, TokenClient},
};

use crate::storage::{self, Config, Totals};

/// Mints into the contract's own balance.
pub(crate) fn mint(env: &Env, config: &Config, amount: i128) {
    let totals = storage::totals(env);
    storage::set_totals(env, &Totals { minted: totals.minted + amount, ..totals });
    StellarAssetClient::new(env, &config.token).mint(&env.current_contract_address(), &amount);
}

/// Burns from the contract's own balance; nothing for zero.
pub(crate) fn burn(env: &Env, config: &Config, amount: i128) {
    if amount > 0 {
        let totals = storage::totals(env);
        storage::set_totals(env, &Totals { burned: totals.burned + amount, ..totals });
        TokenClient::new(env, &config.token).burn(&env.current_contract_address(), &amount);
    }
}

/// Pays out of the contract's own balance.
pub(crate) fn pay(env: &Env, config: &Config, to: &Address, amount: i128) {
    let totals = storage::totals(env);
    storage::set_totals(env, &Totals { paid: totals.paid + amount, ..totals });
    TokenClient::new(env, &config.token).transfer(&env.current_contract_address(), to, &amount);
}
