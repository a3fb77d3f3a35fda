//! Raising the anchor contract.
//!
//! Invariant: a run that was cut short is run again; what stands is found.

use stellar_xdr::ScVal;

use super::super::Keypair;
use super::super::deploy::{DeployFault, Purse, Site};
use super::super::wire::address;

/// What to deploy.
#[derive(Debug, Clone)]
pub struct Plan<'a> {
    /// Who may write checkpoints, `G…`.
    pub operator: String,
    /// Pays; with `salt` it determines the contract's address.
    pub deployer: &'a Keypair,
    /// Tells several contracts of one deployer apart.
    pub salt: [u8; 32],
    /// The contract's code.
    pub wasm: &'a [u8],
    /// Where new accounts get their first XLM.
    pub purse: Purse<'a>,
}

/// Raises the contract, or finds it raised: its address, `C…`.
///
/// # Errors
/// See [`DeployFault`]; the run may be repeated after each.
pub async fn deploy(site: &Site, plan: &Plan<'_>) -> Result<String, DeployFault> {
    site.open_accounts(plan.purse, &[plan.deployer.address()]).await?;
    let code = site.upload(plan.deployer, plan.wasm).await?;
    let operator = ScVal::Address(address(&plan.operator)?);
    site.create_contract((plan.deployer, plan.salt), &code, vec![operator]).await
}
