//! What the admin may do, and what anyone may do for the house: list tokens, pause, hand over, change the
//! code, sweep fees.
//!
//! Invariant: nothing here touches an escrow, and a pause stops only creating and funding: no exit depends on
//! the admin. Code changes only a week after everyone could read its hash; a new admin must sign for
//! themselves. A listing is never changed, only closed to new escrows, so an escrow keeps its fee recipient.
//! Absent: changing operator, delegate or arbiter. It takes an upgrade, and so a week's notice.

use soroban_sdk::{Address, BytesN, ContractExecutable, Env, Symbol, contractimpl, symbol_short};

use crate::error::Error;
use crate::storage::{self, Config, Listing, Totals};
use crate::terms::Unit;
use crate::token::Asset;
use crate::{EscrowContract, EscrowContractArgs, EscrowContractClient, event};

/// How long proposed code waits at least: long enough for whoever mistrusts it to leave.
const UPGRADE_DELAY_DAYS: u64 = 7;
const DAY_S: u64 = 24 * 60 * 60;
/// Listings are kept with the instance, which every call reads.
const MOST_LISTINGS: u32 = 8;

#[contractimpl]
impl EscrowContract {
    /// Lists a token for payers' own money, with its unit and who gets the fees. Signed by the admin, who
    /// has seen that its issuer can take nothing back.
    pub fn list(env: Env, token: Address, unit: i128, fee_to: Address) -> Result<u32, Error> {
        let mut config = storage::config(&env);
        Unit::new(unit)?;
        if config.listed == MOST_LISTINGS {
            return Err(Error::ListFull);
        }
        if [&env.current_contract_address(), &config.arbiter].contains(&&fee_to) {
            return Err(Error::RolesNotDistinct);
        }
        config.admin.require_auth();
        config.listed += 1;
        storage::set_config(&env, &config);
        let listing = Listing { token, unit, fee_to, open: true };
        storage::add_listing(&env, config.listed, &listing);
        tell(&env, config.listed, listing, 0);
        Ok(config.listed)
    }

    /// Closes a listing to new escrows. Signed by the admin.
    pub fn unlist(env: Env, listing: u32) -> Result<(), Error> {
        let mut found = storage::listing(&env, listing);
        storage::config(&env).admin.require_auth();
        found.open = false;
        storage::set_listing(&env, listing, &found);
        tell(&env, listing, found, 0);
        Ok(())
    }

    /// Stops creating and funding, or lets them go on. Signed by the admin.
    pub fn pause(env: Env, paused: bool) -> Result<(), Error> {
        let mut config = storage::config(&env);
        config.paused = paused;
        govern(&env, symbol_short!("paused"), &config);
        Ok(())
    }

    /// Proposes another admin, or nobody to take it back. Signed by the admin.
    pub fn propose_admin(env: Env, candidate: Option<Address>) -> Result<(), Error> {
        let mut config = storage::config(&env);
        if let Some(candidate) = &candidate {
            config.distinct(&env, candidate, &storage::listing(&env, 0).token)?;
        }
        config.candidate = candidate;
        govern(&env, symbol_short!("proposed"), &config);
        Ok(())
    }

    /// Makes the proposed admin the admin. Signed by them.
    pub fn accept_admin(env: Env) -> Result<(), Error> {
        let mut config = storage::config(&env);
        config.admin = config.candidate.take().ok_or(Error::NothingProposed)?;
        govern(&env, symbol_short!("accepted"), &config);
        Ok(())
    }

    /// Proposes the code with this hash, or nothing to take it back. Signed by the admin.
    pub fn propose_upgrade(env: Env, code: Option<BytesN<32>>) -> Result<(), Error> {
        let mut config = storage::config(&env);
        config.code = code;
        config.ready_at = env.ledger().timestamp() + UPGRADE_DELAY_DAYS * DAY_S;
        govern(&env, symbol_short!("proposed"), &config);
        Ok(())
    }

    /// Runs the proposed code from now on, a week after it was proposed. Signed by the admin.
    pub fn upgrade(env: Env) -> Result<(), Error> {
        let mut config = storage::config(&env);
        let code = config.code.clone().ok_or(Error::NothingProposed)?;
        if env.ledger().timestamp() < config.ready_at {
            return Err(Error::TooEarly);
        }
        govern(&env, symbol_short!("upgraded"), &config);
        config.code = None;
        storage::set_config(&env, &config);
        env.deployer().update_current_contract(ContractExecutable::Wasm(code));
        Ok(())
    }

    /// Sends a listing's fees to their recipient. Signed by nobody.
    pub fn sweep(env: Env, listing: u32) -> Result<(), Error> {
        let found = storage::listing(&env, listing);
        let asset = Asset { listing, token: found.token.clone(), unit: Unit::stored(found.unit) };
        let swept = asset.sweep(&env, &found.fee_to)?;
        tell(&env, listing, found, swept);
        Ok(())
    }

    /// A listing; 0 is the token minted for deposits.
    pub fn listing(env: Env, listing: u32) -> Listing {
        storage::listing(&env, listing)
    }

    /// Sums over all escrows of a listing; 0 is the token minted for deposits.
    pub fn totals(env: Env, listing: u32) -> Totals {
        storage::totals(&env, listing)
    }

    /// Roles, and what the admin proposed.
    pub fn config(env: Env) -> Config {
        storage::config(&env)
    }
}

/// Writes a changed configuration that its admin signs, and says so.
#[inline(never)]
fn govern(env: &Env, verb: Symbol, config: &Config) {
    config.admin.require_auth();
    storage::set_config(env, config);
    let Config { admin, paused, candidate, code, ready_at, .. } = config.clone();
    event::Governed { verb, by: admin, paused, candidate, code, ready_at }.publish(env);
}

#[inline(never)]
fn tell(env: &Env, listing: u32, found: Listing, swept: i128) {
    let Listing { token, unit, fee_to, open } = found;
    event::Listed { listing, token, unit, fee_to, open, swept }.publish(env);
}
