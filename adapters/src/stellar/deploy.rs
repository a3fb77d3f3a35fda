//! Raising a deployment: accounts, the asset's contract, the escrow's code and contract, and the locks that
//! make the token mean something.
//!
//! Invariant: every step first looks whether it is done, so a run that was cut short is run again. At the end
//! only the escrow contract can mint: the token's admin is the contract, and the issuer, whose payments would
//! be mints, can sign nothing any more. An issuer with flags or other signers is refused: balances are
//! pooled, nobody may be able to freeze or take them.
//! Absent: upgrades, and the roles' secrets; only the issuer and the deployer sign here.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use amana_ledger::id::Rng;
use stellar_xdr::{
    AccountId, Asset, ContractDataDurability, ContractExecutable, ContractId, ContractIdPreimage,
    CreateAccountOp, CreateContractArgs, CreateContractArgsV2, Hash, HostFunction, LedgerEntryData,
    LedgerKey, LedgerKeyContractCode, LedgerKeyContractData, OperationBody, ScAddress, ScVal, SetOptionsOp,
};

use super::build::{Built, Desk, Leeway, Limits, Seat, account, build, build_classic};
use super::contract::view;
use super::op::{Network, invocation, unit};
use super::rpc::{ChainFault, Rpc};
use super::sign::Keypair;
use super::submit::{Attempt, Next, look, send, verdict};
use super::wire::{
    account_id, account_key, address, asset, contract_of, decode, deployed_preimage, encode, network_id,
    read_address, sha256,
};
use crate::http::Client;
use crate::port::Outcome;

/// The largest fee a transaction can name is 2^32 − 1 stroops, about 429 XLM; code is dear to store.
const DEPLOY_LIMITS: Limits = Limits { lifetime_s: 180, auth_ledgers: 360, max_fee: 4_294_967_295 };

/// How many seconds a step is waited for: its lifetime, and as much again for a server that is slow to
/// answer.
const PATIENCE: usize = 360;

/// Why a deployment stopped. What was done stays done; run it again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeployFault {
    /// The network could not be asked or understood.
    #[error(transparent)]
    Chain(#[from] ChainFault),
    /// The network refused a step.
    #[error("{step}: {code}: {reason}")]
    Refused {
        /// Which step.
        step: &'static str,
        /// Their word.
        code: String,
        /// Their reason.
        reason: String,
    },
    /// A step's transaction was neither applied nor refused in its time.
    #[error("{step}: transaction {hash} did not end in its time")]
    Stuck {
        /// Which step.
        step: &'static str,
        /// The transaction.
        hash: String,
    },
    /// The issuer is not one to build on.
    #[error("issuer {issuer}: {why}")]
    BadIssuer {
        /// The issuer.
        issuer: String,
        /// What is wrong with it.
        why: String,
    },
    /// A contract stands at the address with other code.
    #[error("contract {contract} runs code {found}, not {wanted}")]
    OtherCode {
        /// The contract.
        contract: String,
        /// Hash of its code.
        found: String,
        /// Hash of ours.
        wanted: String,
    },
}

/// A network to deploy on.
#[derive(Clone)]
pub struct Site {
    rpc: Rpc,
    passphrase: String,
    id: Hash,
    rng: Arc<dyn Rng>,
    seen: Arc<AtomicU32>,
}

/// Where accounts get their first XLM.
#[derive(Debug, Clone, Copy)]
pub enum Purse<'a> {
    /// The network gives it away.
    Friendbot,
    /// This account pays.
    From {
        /// Its key.
        key: &'a Keypair,
        /// How much each new account gets, stroops of XLM.
        each: i64,
    },
}

/// What to deploy.
#[derive(Debug, Clone)]
pub struct Plan<'a> {
    /// The asset's code, `KES`.
    pub asset_code: &'a str,
    /// Decimals of its minor unit.
    pub exponent: u32,
    /// Issues the asset; locked at the end.
    pub issuer: &'a Keypair,
    /// Pays for the deployment; with `salt` it determines the contract's address.
    pub deployer: &'a Keypair,
    /// Tells several contracts of one deployer apart.
    pub salt: [u8; 32],
    /// Who is who in the contract.
    pub roles: Roles,
    /// The contract's code.
    pub wasm: &'a [u8],
    /// Where new accounts get their first XLM.
    pub purse: Purse<'a>,
}

/// The contract's roles, as addresses (`G…`, `C…`), all different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles {
    /// Configures.
    pub admin: String,
    /// Mints deposits, burns payouts.
    pub operator: String,
    /// Pays for employers without a key of their own.
    pub delegate: String,
    /// Decides disputes.
    pub arbiter: String,
}

/// What stands in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployed {
    /// The escrow contract, `C…`.
    pub contract: String,
    /// The asset's contract, `C…`.
    pub token: String,
    /// SHA-256 of the escrow's code, hex.
    pub wasm_hash: String,
}

/// Raises a deployment, or finds it raised.
///
/// # Errors
/// See [`DeployFault`]; the run may be repeated after each.
pub async fn deploy(site: &Site, plan: &Plan<'_>) -> Result<Deployed, DeployFault> {
    let roles = &plan.roles;
    let mut accounts = vec![plan.issuer.address(), plan.deployer.address()];
    let people = [&roles.admin, &roles.operator, &roles.delegate, &roles.arbiter];
    accounts.extend(people.into_iter().filter(|role| role.starts_with('G')).cloned());
    site.open_accounts(plan.purse, &accounts).await?;
    site.check_issuer(plan.issuer).await?;
    let asset = asset(plan.asset_code, plan.issuer.public())?;
    let token = site.deploy_token(plan.deployer, &asset).await?;
    let code = site.upload(plan.deployer, plan.wasm).await?;
    let constructor = constructor(plan, &token)?;
    let contract = site.create_contract((plan.deployer, plan.salt), &code, constructor).await?;
    site.hand_over(plan.issuer, &token, &contract).await?;
    site.lock_issuer(plan.issuer).await?;
    Ok(Deployed { contract, token, wasm_hash: hex::encode(code.0) })
}

/// The arguments of the escrow's constructor.
fn constructor(plan: &Plan<'_>, token: &str) -> Result<Vec<ScVal>, ChainFault> {
    let roles = &plan.roles;
    let mut args = Vec::new();
    for place in [&roles.admin, &roles.operator, &roles.delegate, &roles.arbiter, &token.to_owned()] {
        args.push(ScVal::Address(address(place)?));
    }
    args.push(unit(plan.exponent)?.into());
    Ok(args)
}

/// Opens the channels' accounts where they are missing.
///
/// # Errors
/// See [`DeployFault`].
pub async fn fund_channels(site: &Site, purse: Purse<'_>, channels: &[Keypair]) -> Result<(), DeployFault> {
    let addresses: Vec<String> = channels.iter().map(Keypair::address).collect();
    site.open_accounts(purse, &addresses).await
}

impl Site {
    /// The network with this passphrase behind this RPC server.
    pub fn new(http: Client, rpc_url: &str, passphrase: &str, rng: Arc<dyn Rng>) -> Self {
        let rpc = Rpc::new(http, rpc_url);
        let seen = Arc::default();
        Self { rpc, passphrase: passphrase.to_owned(), id: network_id(passphrase), rng, seen }
    }

    /// SHA-256 of the code a contract runs, hex; `None` when there is no such contract (or it runs no code of
    /// its own).
    ///
    /// # Errors
    /// When the network cannot be asked or understood.
    pub async fn code_hash(&self, contract: &str) -> Result<Option<String>, ChainFault> {
        Ok(match self.executable(contract).await? {
            Some(ContractExecutable::Wasm(hash)) => Some(hex::encode(hash.0)),
            _ => None,
        })
    }

    /// Opens the accounts that do not exist.
    ///
    /// # Errors
    /// See [`DeployFault`].
    pub async fn open_accounts(&self, purse: Purse<'_>, addresses: &[String]) -> Result<(), DeployFault> {
        let mut missing = Vec::new();
        for address in addresses {
            if account(&self.rpc, address, 0).await?.is_none() {
                missing.push(address);
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        match purse {
            Purse::Friendbot => {
                let url = self.friendbot().await?;
                for address in missing {
                    self.rpc.friendbot(&url, address).await?;
                }
                Ok(())
            }
            Purse::From { key, each } => {
                // A transaction holds at most 100 operations.
                for some in missing.chunks(100) {
                    let open = |address: &&String| {
                        let destination: AccountId = account_id(account_key(address)?);
                        Ok(OperationBody::CreateAccount(CreateAccountOp {
                            destination,
                            starting_balance: each,
                        }))
                    };
                    let operations: Result<Vec<_>, ChainFault> = some.iter().map(open).collect();
                    self.do_classic("open accounts", key, operations?).await?;
                }
                Ok(())
            }
        }
    }

    async fn friendbot(&self) -> Result<String, ChainFault> {
        if let Some(url) = self.rpc.network().await?.friendbot_url.filter(|url| !url.is_empty()) {
            return Ok(url);
        }
        // A standalone network has it beside the RPC.
        let url = self.rpc.url();
        let after_scheme = url.find("://").map_or(0, |at| at + 3);
        let origin = url[after_scheme..].find('/').map_or(url, |slash| &url[..after_scheme + slash]);
        Ok(format!("{origin}/friendbot"))
    }

    async fn check_issuer(&self, issuer: &Keypair) -> Result<(), DeployFault> {
        let bad = |why: String| DeployFault::BadIssuer { issuer: issuer.address(), why };
        let found =
            account(&self.rpc, &issuer.address(), 0).await?.ok_or_else(|| bad("does not exist".into()))?;
        if found.flags != 0 {
            return Err(bad(format!("has flags {:#x}: balances could be frozen or taken", found.flags)));
        }
        if !found.signers.is_empty() {
            return Err(bad("has other signers, who could mint".into()));
        }
        Ok(())
    }

    async fn deploy_token(&self, payer: &Keypair, asset: &Asset) -> Result<String, DeployFault> {
        let preimage = ContractIdPreimage::Asset(asset.clone());
        let token = contract_of(&self.id, &preimage)?.to_string();
        if self.executable(&token).await?.is_none() {
            let executable = ContractExecutable::StellarAsset;
            let args = CreateContractArgs { contract_id_preimage: preimage, executable };
            self.run("deploy token", payer, HostFunction::CreateContract(args)).await?;
        }
        Ok(token)
    }

    pub(super) async fn upload(&self, payer: &Keypair, wasm: &[u8]) -> Result<Hash, DeployFault> {
        let hash = Hash(sha256(wasm));
        let key = encode(&LedgerKey::ContractCode(LedgerKeyContractCode { hash: hash.clone() }))?;
        let found = self.rpc.ledger_entries(&[key]).await?;
        let live = |entry: &super::rpc::LedgerEntryAnswer| {
            entry.live_until_ledger_seq.is_none_or(|until| until >= found.latest_ledger)
        };
        if !found.entries.iter().flatten().any(live) {
            let code = wasm.try_into().map_err(|_| ChainFault::Encoding("the code is too large".into()))?;
            self.run("upload code", payer, HostFunction::UploadContractWasm(code)).await?;
        }
        Ok(hash)
    }

    /// Creates the contract that deployer and salt name, or finds it with this code.
    pub(super) async fn create_contract(
        &self,
        (deployer, salt): (&Keypair, [u8; 32]),
        code: &Hash,
        constructor_args: Vec<ScVal>,
    ) -> Result<String, DeployFault> {
        let preimage = deployed_preimage(deployer.public(), salt);
        let contract: ContractId = contract_of(&self.id, &preimage)?;
        let text = contract.to_string();
        match self.executable(&text).await? {
            Some(ContractExecutable::Wasm(found)) if found == *code => return Ok(text),
            Some(ContractExecutable::Wasm(found)) => {
                let (found, wanted) = (hex::encode(found.0), hex::encode(code.0));
                return Err(DeployFault::OtherCode { contract: text, found, wanted });
            }
            Some(_) => {
                let wanted = hex::encode(code.0);
                return Err(DeployFault::OtherCode { contract: text, found: "(not Wasm)".into(), wanted });
            }
            None => {}
        }
        let args = CreateContractArgsV2 {
            contract_id_preimage: preimage,
            executable: ContractExecutable::Wasm(code.clone()),
            constructor_args: constructor_args
                .try_into()
                .map_err(|_| ChainFault::Encoding("constructor arguments".into()))?,
        };
        self.run("create contract", deployer, HostFunction::CreateContractV2(args)).await?;
        Ok(text)
    }

    /// Makes the contract the token's admin.
    async fn hand_over(&self, issuer: &Keypair, token: &str, contract: &str) -> Result<(), DeployFault> {
        let step = "hand over token";
        let asked = view(&self.rpc, invocation(token, "admin", vec![])?, 0).await?;
        let admin = asked.ok().as_ref().and_then(read_address);
        if admin.as_deref() == Some(contract) {
            return Ok(());
        }
        if admin.is_some_and(|admin| admin != issuer.address()) {
            let reason = "the token's admin is neither the issuer nor this contract".into();
            return Err(DeployFault::Refused { step, code: "other_admin".into(), reason });
        }
        let call = invocation(token, "set_admin", vec![ScVal::Address(address(contract)?)])?;
        self.run(step, issuer, HostFunction::InvokeContract(call)).await
    }

    /// Takes the issuer's own signature away, for ever.
    async fn lock_issuer(&self, issuer: &Keypair) -> Result<(), DeployFault> {
        let found = account(&self.rpc, &issuer.address(), 0).await?;
        if found.is_some_and(|account| account.thresholds.0[0] == 0) {
            return Ok(());
        }
        let lock = OperationBody::SetOptions(SetOptionsOp {
            inflation_dest: None,
            clear_flags: None,
            set_flags: None,
            master_weight: Some(0),
            low_threshold: None,
            med_threshold: None,
            high_threshold: None,
            home_domain: None,
            signer: None,
        });
        self.do_classic("lock issuer", issuer, vec![lock]).await
    }

    async fn executable(&self, contract: &str) -> Result<Option<ContractExecutable>, ChainFault> {
        let ScAddress::Contract(id) = address(contract)? else {
            return Err(ChainFault::Encoding(format!("not a contract: {contract}")));
        };
        let key = encode(&LedgerKey::ContractData(LedgerKeyContractData {
            contract: ScAddress::Contract(id),
            key: ScVal::LedgerKeyContractInstance,
            durability: ContractDataDurability::Persistent,
        }))?;
        let found = self.rpc.ledger_entries(&[key]).await?.entries.unwrap_or_default();
        let Some(entry) = found.first() else { return Ok(None) };
        match decode("LedgerEntryData", &entry.xdr)? {
            LedgerEntryData::ContractData(stellar_xdr::ContractDataEntry {
                val: ScVal::ContractInstance(instance),
                ..
            }) => Ok(Some(instance.executable)),
            _ => Err(ChainFault::Malformed {
                method: "getLedgerEntries",
                why: format!("instance of {contract}"),
            }),
        }
    }

    fn desk(&self) -> Desk<'_> {
        Desk {
            rpc: &self.rpc,
            network: &self.id,
            signers: &[],
            limits: DEPLOY_LIMITS,
            rng: self.rng.as_ref(),
            seen: &self.seen,
            leeway: Leeway::default(),
        }
    }

    async fn seat<'a>(&self, step: &'static str, key: &'a Keypair) -> Result<Seat<'a>, DeployFault> {
        let found = account(&self.rpc, &key.address(), 0).await?;
        let absent = || DeployFault::Refused { step, code: "no_account".into(), reason: key.address() };
        Ok(Seat { channel: key, sequence: found.ok_or_else(absent)?.seq_num.0 + 1 })
    }

    async fn run(
        &self,
        step: &'static str,
        payer: &Keypair,
        function: HostFunction,
    ) -> Result<(), DeployFault> {
        let seat = self.seat(step, payer).await?;
        match build(&self.desk(), seat, function).await {
            Outcome::Done(built) => self.settle(step, &built).await,
            Outcome::Refused { code, reason } => Err(DeployFault::Refused { step, code, reason }),
            Outcome::NotSent { why } | Outcome::Unknown { why } => {
                Err(DeployFault::Refused { step, code: "not_built".into(), reason: why })
            }
        }
    }

    async fn do_classic(
        &self,
        step: &'static str,
        payer: &Keypair,
        operations: Vec<OperationBody>,
    ) -> Result<(), DeployFault> {
        let seat = self.seat(step, payer).await?;
        let built = build_classic(&self.desk(), seat, operations).await?;
        self.settle(step, &built).await
    }

    /// Sends until the transaction's fate is known. A deployment is watched by somebody and keeps nothing:
    /// what is stored and resumed elsewhere is simply waited for here.
    async fn settle(&self, step: &'static str, built: &Built) -> Result<(), DeployFault> {
        let network = Network {
            rpc_url: String::new(),
            passphrase: self.passphrase.clone(),
            contract: String::new(),
            token: String::new(),
            anchor: None,
            exponent: 0,
        };
        let mut sent = send(&self.rpc, &built.envelope_xdr).await;
        for _ in 0..PATIENCE {
            let seen = look(&self.rpc, &network, &built.hash).await.ok();
            match verdict(Attempt::from(built), Some(&sent), seen) {
                Next::Done { .. } => return Ok(()),
                Next::FailedOnChain { code, contract_error, .. } => {
                    let reason = contract_error.map_or_else(String::new, super::contract::error_name);
                    return Err(DeployFault::Refused { step, code, reason });
                }
                Next::Rebuild | Next::AskContract => {
                    return Err(DeployFault::Stuck { step, hash: built.hash.clone() });
                }
                Next::ResendSame | Next::Stuck | Next::Raise => {
                    sent = send(&self.rpc, &built.envelope_xdr).await;
                }
                Next::Wait => {}
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Err(DeployFault::Stuck { step, hash: built.hash.clone() })
    }
}
