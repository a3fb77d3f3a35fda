//! The on-chain escrow: each entry point is one load, one transition, one signature, one write, one event.
//!
//! Invariant: the contract is its token's admin; what its escrows owe together is what it holds, and that is
//! what was minted less what was burned and what was paid to accounts. Signatures are asked of addresses read
//! from storage, never of a caller's choice (the payer of `create` excepted, who thereby becomes the one
//! stored).
//! Order: load, state check, signature, effects, token calls, event.
//! Absent: funding from a payer's own tokens, milestones, disputes, pause, upgrade.
#![no_std]
#![allow(
    missing_docs,
    reason = "the contract macros generate public items without docs; ours end up in the Wasm's spec"
)]

mod error;
mod escrow;
mod event;
mod storage;
#[cfg(test)]
mod test;
mod token;

pub use error::Error;
pub use event::{Assigned, Burned, Cancelled, Created, Funded, Refunded, Released};
pub use storage::{Config, EscrowView, Phase, Totals};

use escrow::{Consent, Escrow, Payee};
use soroban_sdk::{Address, BytesN, Env, contract, contractimpl};
use storage::Agreement;

/// Changes with the interface.
const VERSION: u32 = 1;

/// The contract.
#[contract]
pub struct EscrowContract;

#[contractimpl]
impl EscrowContract {
    /// Sets the roles, the one token the contract takes, and that token's unit in stroops.
    pub fn __constructor(
        env: Env,
        admin: Address,
        operator: Address,
        delegate: Address,
        arbiter: Address,
        token: Address,
        unit: i128,
    ) -> Result<(), Error> {
        let config = Config { admin, operator, delegate, arbiter, token, unit };
        config.check(&env.current_contract_address())?;
        storage::set_config(&env, &config);
        Ok(())
    }

    /// Opens an escrow. Signed by `payer`.
    pub fn create(
        env: Env,
        reference: BytesN<32>,
        payer: Address,
        token: Address,
        amount: i128,
        expiry: u64,
    ) -> Result<(), Error> {
        let config = storage::config(&env)?;
        if storage::agreement(&env, &reference).is_some() {
            return Err(Error::AlreadyExists);
        }
        if token != config.token {
            return Err(Error::TokenNotListed);
        }
        if config.is_house(&env, &payer) {
            return Err(Error::PayerNotAllowed);
        }
        let escrow = Escrow::open(amount, expiry, env.ledger().timestamp(), config.unit()?)?;
        payer.require_auth();
        let person = BytesN::from_array(&env, &[0; 32]);
        let agreement = Agreement { payer: payer.clone(), person, escrow };
        storage::set_agreement(&env, &reference, &agreement);
        event::Created { reference, payer, token, amount, expiry }.publish(&env);
        Ok(())
    }

    /// Mints a deposit into an escrow of the delegate, each deposit once. Signed by the operator.
    pub fn fund_deposit(
        env: Env,
        reference: BytesN<32>,
        deposit_id: BytesN<32>,
        amount: i128,
    ) -> Result<(), Error> {
        let (config, agreement) = load(&env, &reference)?;
        if storage::deposit(&env, &deposit_id).is_some() {
            return Err(Error::DepositUsed);
        }
        if agreement.payer != config.delegate {
            return Err(Error::NotDelegated);
        }
        let escrow = agreement.escrow.fund(amount, config.unit()?)?;
        config.operator.require_auth();
        let remaining = escrow.amount - escrow.funded();
        storage::set_deposit(&env, &deposit_id, &reference);
        storage::set_agreement(&env, &reference, &Agreement { escrow, ..agreement });
        token::mint(&env, &config, amount);
        let operator = config.operator;
        event::Funded { reference, operator, deposit_id, amount, remaining }.publish(&env);
        Ok(())
    }

    /// Names who is paid, once: a pseudonym, and an address if paid in tokens. Signed by the payer.
    pub fn assign(
        env: Env,
        reference: BytesN<32>,
        payee: BytesN<32>,
        to: Option<Address>,
    ) -> Result<(), Error> {
        let (config, agreement) = load(&env, &reference)?;
        let payer = agreement.payer.clone();
        let route = to.clone().map_or(Payee::Mobile, Payee::Account);
        let escrow = agreement.escrow.assign(route)?;
        if let Some(to) = &to
            && (config.is_house(&env, to) || *to == config.delegate || *to == payer)
        {
            return Err(Error::PayeeNotAllowed);
        }
        payer.require_auth();
        let agreement = Agreement { person: payee.clone(), escrow, ..agreement };
        storage::set_agreement(&env, &reference, &agreement);
        event::Assigned { reference, payer, payee, to }.publish(&env);
        Ok(())
    }

    /// Pays the payee of a funded escrow and burns the fee; both add up to its amount. Signed by the payer.
    pub fn release(
        env: Env,
        reference: BytesN<32>,
        milestone: u32,
        to_payee: i128,
        fee: i128,
    ) -> Result<(), Error> {
        let (config, agreement) = load(&env, &reference)?;
        let payer = agreement.payer.clone();
        let (escrow, to) = agreement.escrow.release(milestone, to_payee, fee, config.unit()?)?;
        payer.require_auth();
        let vault = escrow.vault();
        storage::set_agreement(&env, &reference, &Agreement { escrow, ..agreement });
        token::burn(&env, &config, fee);
        if let Some(to) = &to {
            token::pay(&env, &config, to, to_payee);
        }
        event::Released { reference, payer, milestone, to_payee, fee, to, vault }.publish(&env);
        Ok(())
    }

    /// Gives a funded escrow back. Signed by the payee's address; from expiry on by nobody.
    pub fn refund(env: Env, reference: BytesN<32>) -> Result<(), Error> {
        let (_, agreement) = load(&env, &reference)?;
        let (escrow, consent) = agreement.escrow.refund(env.ledger().timestamp())?;
        let by = match consent {
            Consent::Payee(to) => {
                to.require_auth();
                Some(to)
            }
            Consent::Nobody => None,
        };
        let vault = escrow.vault();
        storage::set_agreement(&env, &reference, &Agreement { escrow, ..agreement });
        event::Refunded { reference, by, vault }.publish(&env);
        Ok(())
    }

    /// Ends an escrow that is not funded and burns what came. Signed by the payer.
    pub fn cancel(env: Env, reference: BytesN<32>) -> Result<(), Error> {
        let (config, agreement) = load(&env, &reference)?;
        let payer = agreement.payer.clone();
        let (escrow, burned) = agreement.escrow.cancel()?;
        payer.require_auth();
        storage::set_agreement(&env, &reference, &Agreement { escrow, ..agreement });
        token::burn(&env, &config, burned);
        event::Cancelled { reference, payer, burned }.publish(&env);
        Ok(())
    }

    /// Burns what a rail paid out of a vault that holds `vault_before`. Signed by the operator.
    pub fn burn(env: Env, reference: BytesN<32>, amount: i128, vault_before: i128) -> Result<(), Error> {
        let (config, agreement) = load(&env, &reference)?;
        let escrow = agreement.escrow.burn(amount, vault_before, config.unit()?)?;
        config.operator.require_auth();
        let vault = escrow.vault();
        storage::set_agreement(&env, &reference, &Agreement { escrow, ..agreement });
        token::burn(&env, &config, amount);
        event::Burned { reference, operator: config.operator, amount, vault }.publish(&env);
        Ok(())
    }

    /// An escrow, if there is one.
    pub fn get(env: Env, reference: BytesN<32>) -> Option<EscrowView> {
        storage::agreement(&env, &reference).map(Agreement::view)
    }

    /// The escrow a deposit was minted into, if it was.
    pub fn deposit(env: Env, deposit_id: BytesN<32>) -> Option<BytesN<32>> {
        storage::deposit(&env, &deposit_id)
    }

    /// Sums over all escrows.
    pub fn totals(env: Env) -> Totals {
        storage::totals(&env)
    }

    /// Roles, token and unit.
    pub fn config(env: Env) -> Result<Config, Error> {
        storage::config(&env)
    }

    /// The version of this interface.
    pub fn version() -> u32 {
        VERSION
    }
}

fn load(env: &Env, reference: &BytesN<32>) -> Result<(Config, Agreement), Error> {
    let config = storage::config(env)?;
    let agreement = storage::agreement(env, reference).ok_or(Error::NotFound)?;
    Ok((config, agreement))
}
