//! The on-chain escrow: each entry point is one load, one transition, one signature, one write, one event.
//!
//! Invariant: the contract is the admin of the token it mints for deposits; what its escrows of a token owe
//! together, with fees not swept yet, is what it holds. Signatures are asked of addresses read from storage,
//! never of a caller's choice (the payer of `create` excepted, who thereby becomes the one stored). No single
//! key moves a funded escrow to anyone but its payer and its payee.
//! Order: load, state check, signature, effects, token calls, event.
#![no_std]
#![allow(
    missing_docs,
    reason = "the contract macros generate public items without docs; ours end up in the Wasm's spec"
)]

mod case;
mod error;
mod escrow;
mod event;
mod house;
mod record;
mod storage;
mod terms;
#[cfg(test)]
mod test;
mod token;

pub use error::Error;
pub use event::{Assigned, Changed, Created, Funded, Governed, Listed};
pub use record::{EscrowView, Phase, Terms};
pub use storage::{Config, Listing, Totals};

use case::Case;
use escrow::Payee;
use record::Record;
use soroban_sdk::{Address, BytesN, Env, Symbol, contract, contractimpl, symbol_short};
use terms::Unit;
use token::Asset;

/// Changes with the interface.
const VERSION: u32 = 2;

/// The contract.
#[contract]
pub struct EscrowContract;

#[contractimpl]
impl EscrowContract {
    /// Sets the roles, the token that is minted for deposits, and that token's unit in stroops.
    pub fn __constructor(
        env: Env,
        admin: Address,
        operator: Address,
        delegate: Address,
        arbiter: Address,
        token: Address,
        unit: i128,
    ) -> Result<(), Error> {
        Unit::new(unit)?;
        let config = Config {
            admin,
            operator,
            delegate,
            arbiter,
            paused: false,
            listed: 0,
            candidate: None,
            code: None,
            ready_at: 0,
        };
        config.distinct(&env, &config.admin, &token)?;
        storage::set_config(&env, &config);
        let fee_to = env.current_contract_address();
        storage::add_listing(&env, 0, &Listing { token, unit, fee_to, open: false });
        Ok(())
    }

    /// Opens an escrow on these terms. Signed by `payer`.
    pub fn create(env: Env, reference: BytesN<32>, payer: Address, terms: Terms) -> Result<(), Error> {
        let config = storage::config(&env);
        config.running()?;
        if storage::exists(&env, &reference) {
            return Err(Error::AlreadyExists);
        }
        if config.is_house(&env, &payer) || payer == terms.token {
            return Err(Error::PayerNotAllowed);
        }
        let asset = Asset::find(&env, &config, &payer, &terms.token)?;
        let listing = asset.listing;
        let agreed = terms.check(&env, asset.unit)?;
        payer.require_auth();
        let amount = agreed.1.amount.into();
        let Terms { token, expiry, .. } = terms;
        let record = Record::open(reference.clone(), payer.clone(), listing, agreed);
        storage::set_record(&env, &reference, &record, Some(expiry));
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
        let mut case = Case::load(&env, reference);
        let config = storage::config(&env);
        config.running()?;
        if storage::deposit(&env, &deposit_id).is_some() {
            return Err(Error::DepositUsed);
        }
        let minted = case.escrow.fund(amount, case.asset.unit, case.now)?;
        let Config { operator, .. } = config;
        operator.require_auth();
        storage::set_deposit(&env, &deposit_id, &case.reference);
        case.store();
        case.asset.mint(&env, minted);
        let remaining = (case.escrow.terms.amount - case.escrow.funded()).into();
        let reference = case.reference;
        event::Funded { reference, operator, deposit_id, amount, remaining }.publish(&env);
        Ok(())
    }

    /// Takes the whole amount out of the payer's own tokens. Signed by the payer.
    pub fn fund(env: Env, reference: BytesN<32>, amount: i128) -> Result<(), Error> {
        let mut case = Case::load(&env, reference);
        storage::config(&env).running()?;
        let taken = case.escrow.pay_in(amount, case.now)?;
        case.payer.require_auth();
        case.store();
        case.asset.take(&env, &case.payer, taken);
        case.tell(symbol_short!("paid_in"), Some(case.payer.clone()));
        Ok(())
    }

    /// Names who is paid, once: a pseudonym, and an address if paid in tokens. Signed by the payer; the
    /// operator signs too when the delegate names an address.
    pub fn assign(
        env: Env,
        reference: BytesN<32>,
        payee: BytesN<32>,
        to: Option<Address>,
    ) -> Result<(), Error> {
        let mut case = Case::load(&env, reference);
        case.escrow.assign(to.clone().map_or(Payee::Mobile, Payee::Account), case.now)?;
        let config = storage::config(&env);
        if let Some(to) = &to {
            if config.is_house(&env, to) || [&config.delegate, &case.payer, &case.asset.token].contains(&to) {
                return Err(Error::PayeeNotAllowed);
            }
            if case.asset.listing == 0 {
                config.operator.require_auth();
            }
        }
        case.payer.require_auth();
        case.person = payee.clone();
        case.store();
        event::Assigned { reference: case.reference, payer: case.payer, payee, to }.publish(&env);
        Ok(())
    }

    /// Pays a milestone of a funded escrow; payee's part and fee add up to it. Signed by the payer.
    pub fn release(
        env: Env,
        reference: BytesN<32>,
        milestone: u32,
        to_payee: i128,
        fee: i128,
    ) -> Result<(), Error> {
        let mut case = Case::load(&env, reference);
        let worth = case.amounts.get(milestone);
        case.escrow.release((milestone, worth), to_payee, fee, case.asset.unit)?;
        case.payer.require_auth();
        case.finish(symbol_short!("released"), Some(case.payer.clone()), 0, true);
        Ok(())
    }

    /// Pays all that is left once the payee's clock has rung. Signed by nobody.
    pub fn auto_release(env: Env, reference: BytesN<32>) -> Result<(), Error> {
        let mut case = Case::load(&env, reference);
        case.escrow.auto_release(case.now)?;
        case.finish(Symbol::new(&env, "auto_released"), None, 0, false);
        Ok(())
    }

    /// Gives what is left back. Signed by the payee's address; from expiry on by nobody.
    pub fn refund(env: Env, reference: BytesN<32>) -> Result<(), Error> {
        let mut case = Case::load(&env, reference);
        let by = case.escrow.refund(case.now)?;
        if let Some(payee) = &by {
            payee.require_auth();
        }
        case.finish(symbol_short!("refunded"), by, 0, false);
        Ok(())
    }

    /// Ends an escrow that is not funded and burns what came. Signed by the payer; from expiry on by nobody.
    pub fn cancel(env: Env, reference: BytesN<32>) -> Result<(), Error> {
        let mut case = Case::load(&env, reference);
        let burned = case.escrow.cancel()?;
        let by = Some(case.payer.clone()).filter(|_| case.now < case.escrow.terms.expiry);
        if let Some(payer) = &by {
            payer.require_auth();
        }
        case.finish(symbol_short!("cancelled"), by, burned, false);
        Ok(())
    }

    /// Freezes a funded escrow until it is decided. Signed by `by`: the payer, the payee's address, or the
    /// operator for a payee without one.
    pub fn dispute(env: Env, reference: BytesN<32>, by: Address) -> Result<(), Error> {
        let mut case = Case::load(&env, reference);
        case.escrow.dispute(case.now)?;
        if by != case.payer && by != case.to().unwrap_or_else(|| storage::config(&env).operator) {
            return Err(Error::NotAParty);
        }
        by.require_auth();
        case.store();
        case.tell(symbol_short!("disputed"), Some(by));
        Ok(())
    }

    /// Parts what is left of a disputed escrow: this to the payee, the rest to the payer. Signed by the
    /// arbiter.
    pub fn resolve(env: Env, reference: BytesN<32>, to_payee: i128) -> Result<(), Error> {
        let mut case = Case::load(&env, reference);
        case.escrow.resolve(to_payee, case.asset.unit, case.now)?;
        let Config { arbiter, .. } = storage::config(&env);
        arbiter.require_auth();
        case.finish(symbol_short!("resolved"), Some(arbiter), 0, false);
        Ok(())
    }

    /// Parts what is left as the terms say, after the dispute's deadline. Signed by nobody.
    pub fn resolve_timeout(env: Env, reference: BytesN<32>) -> Result<(), Error> {
        let mut case = Case::load(&env, reference);
        case.escrow.resolve_timeout(case.now)?;
        case.finish(symbol_short!("resolved"), None, 0, false);
        Ok(())
    }

    /// Pays what an account could not take when it was due. Signed by nobody.
    pub fn claim(env: Env, reference: BytesN<32>) -> Result<(), Error> {
        let mut case = Case::load(&env, reference);
        let before = case.escrow.given.due;
        case.settle(0, false);
        if case.escrow.given.due == before {
            return Err(Error::NothingPaid);
        }
        case.tell(symbol_short!("claimed"), None);
        Ok(())
    }

    /// Burns what a rail paid out of a vault that holds `vault_before`. Signed by the operator.
    pub fn burn(env: Env, reference: BytesN<32>, amount: i128, vault_before: i128) -> Result<(), Error> {
        let mut case = Case::load(&env, reference);
        let burned = case.escrow.burn(amount, vault_before, case.asset.unit)?;
        let Config { operator, .. } = storage::config(&env);
        operator.require_auth();
        case.finish(symbol_short!("burned"), Some(operator), burned, false);
        Ok(())
    }

    /// An escrow, if there is one.
    pub fn get(env: Env, reference: BytesN<32>) -> Option<EscrowView> {
        storage::exists(&env, &reference).then(|| Case::load(&env, reference).view())
    }

    /// The escrow a deposit was minted into, if it was.
    pub fn deposit(env: Env, deposit_id: BytesN<32>) -> Option<BytesN<32>> {
        storage::deposit(&env, &deposit_id)
    }

    /// The version of this interface.
    pub fn version() -> u32 {
        VERSION
    }
}
