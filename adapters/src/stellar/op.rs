//! What may be asked of our contracts, in our words and minor units, and how it is written as a
//! contract call.
//!
//! Invariant: minor units become token units here and nowhere else, exactly; a token amount that is no whole
//! number of minor units is an error, never rounded.
//! Absent: what only the admin signs, and funding from a payer's own tokens.

use std::fmt;

use amana_ledger::money::Amount;
use serde::{Deserialize, Serialize};
use stellar_xdr::{InvokeContractArgs, ScAddress, ScMap, ScVal, VecM};

use super::rpc::ChainFault;
use super::wire::{address, bytes32, contract_id, hex32, string, symbol};

/// A Stellar Asset Contract counts in ten-millionths.
const TOKEN_DECIMALS: u32 = 7;

/// One deployment of token and escrow contract, and where to reach it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// URL of a Stellar RPC server. Providers put keys into it: it is never shown.
    pub rpc_url: String,
    /// The network's name; every signature commits to it.
    pub passphrase: String,
    /// The escrow contract, `C…`.
    pub contract: String,
    /// The asset's contract, `C…`.
    pub token: String,
    /// The contract that keeps the books' checkpoints, `C…`, if there is one.
    pub anchor: Option<String>,
    /// Decimals of the asset's minor unit (KES: 2). At most 7.
    pub exponent: u32,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rpc_url: _, passphrase, contract, token, anchor, exponent } = self;
        let mut shown = f.debug_struct("Network");
        shown.field("passphrase", passphrase).field("contract", contract).field("token", token);
        shown.field("anchor", anchor).field("exponent", exponent).finish_non_exhaustive()
    }
}

impl Network {
    /// The anchor contract.
    pub(super) fn anchor(&self) -> Result<&str, ChainFault> {
        self.anchor.as_deref().ok_or_else(|| ChainFault::Encoding("no anchor contract is configured".into()))
    }
}

/// A number that is never negative, as the contracts count.
pub(super) fn count(number: i64) -> Result<ScVal, ChainFault> {
    u64::try_from(number).map(ScVal::U64).map_err(|_| ChainFault::Encoding(format!("{number} is negative")))
}

/// Token units in one minor unit of an asset with this exponent: 10^(7 − exponent).
///
/// # Errors
/// When the exponent is above 7: such an asset has units smaller than the token's.
pub fn unit(exponent: u32) -> Result<i128, ChainFault> {
    let steps = TOKEN_DECIMALS.checked_sub(exponent);
    steps
        .map(|n| 10_i128.pow(n))
        .ok_or_else(|| ChainFault::Encoding(format!("exponent {exponent} is above 7")))
}

/// Minor units → token units.
///
/// # Errors
/// When the exponent is above 7.
pub fn to_token(minor: i64, exponent: u32) -> Result<i128, ChainFault> {
    // |i64| × 10^7 < 2^63 × 2^24 = 2^87: it always fits.
    Ok(i128::from(minor) * unit(exponent)?)
}

/// Token units → minor units.
///
/// # Errors
/// When the amount is not a whole number of minor units, or does not fit.
pub fn to_minor(token: i128, exponent: u32) -> Result<i64, ChainFault> {
    let unit = unit(exponent)?;
    let bad = |why: &str| ChainFault::Malformed { method: "amount", why: format!("{token} {why}") };
    if token % unit != 0 {
        return Err(bad("is not a whole number of minor units"));
    }
    i64::try_from(token / unit).map_err(|_| bad("does not fit in 64 bits"))
}

/// One instruction to the escrow contract, or to the anchor. `key` is the SHA-256 of the escrow's reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum ChainOp {
    /// Open an escrow for `amount`; the payer is the delegate, who stands for employers without a key of
    /// their own.
    Create {
        /// The escrow.
        #[serde(with = "hex32")]
        key: [u8; 32],
        /// What it will hold when fully funded.
        amount: Amount,
        /// Unix seconds after which anyone may refund it.
        expiry: i64,
        /// The rest of what is agreed.
        #[serde(default)]
        terms: ChainTerms,
    },
    /// Mint what one deposit brought into the escrow. The contract takes each deposit id once for ever.
    Fund {
        /// The escrow.
        #[serde(with = "hex32")]
        key: [u8; 32],
        /// `ledger::id::deposit_id` of the receipt.
        #[serde(with = "hex32")]
        deposit_id: [u8; 32],
        /// At most what is still missing.
        amount: Amount,
    },
    /// Say who will be paid.
    Assign {
        /// The escrow.
        #[serde(with = "hex32")]
        key: [u8; 32],
        /// Pseudonym of the person.
        #[serde(with = "hex32")]
        payee: [u8; 32],
        /// Their own address, when they are paid in tokens; `None` when a phone is paid.
        to: Option<String>,
    },
    /// The work is done: a milestone, parted.
    Release {
        /// The escrow.
        #[serde(with = "hex32")]
        key: [u8; 32],
        /// Which, from 0.
        #[serde(default)]
        milestone: u32,
        /// The payee's part, minor units.
        to_payee: i64,
        /// The platform's part, minor units; may be zero. It is burned.
        fee: i64,
    },
    /// The phone was paid: what stood in the vault is redeemed.
    Burn {
        /// The escrow.
        #[serde(with = "hex32")]
        key: [u8; 32],
        /// How much, at most what is in the vault.
        amount: Amount,
        /// What is in the vault before, minor units: makes a repeated burn harmless.
        vault_before: i64,
    },
    /// Close an escrow that is not fully funded and burn what was minted into it.
    Cancel {
        /// The escrow.
        #[serde(with = "hex32")]
        key: [u8; 32],
    },
    /// Give an expired escrow back to its payer's side (through the vault).
    Refund {
        /// The escrow.
        #[serde(with = "hex32")]
        key: [u8; 32],
    },
    /// Release all that is left, as the payee's clock has rung; the fee is what the cap leaves of it.
    AutoRelease {
        /// The escrow.
        #[serde(with = "hex32")]
        key: [u8; 32],
    },
    /// Freeze a funded escrow until it is decided.
    Dispute {
        /// The escrow.
        #[serde(with = "hex32")]
        key: [u8; 32],
        /// Who signs: the payer, or for a payee without an address the operator (`Stellar::house`).
        by: String,
    },
    /// Part what is left of a disputed escrow. Only the arbiter can build it (`Stellar::arbiter`).
    Resolve {
        /// The escrow.
        #[serde(with = "hex32")]
        key: [u8; 32],
        /// The payee's part of what is left, minor units; the payer gets the rest.
        to_payee: i64,
    },
    /// Part what is left by the terms' default, as the dispute's deadline has passed.
    ResolveTimeout {
        /// The escrow.
        #[serde(with = "hex32")]
        key: [u8; 32],
    },
    /// Write down a book's checkpoint. The contract takes greater sizes only, and the same one twice as once.
    Anchor {
        /// The ledger's name of the book.
        book: String,
        /// How many batches its log has.
        size: i64,
        /// The Merkle root over them.
        #[serde(with = "hex32")]
        root: [u8; 32],
    },
    /// Let entries live for so many ledgers from now on. No contract is called.
    Extend {
        /// Their keys, XDR base64: see `Observer`.
        keys: Vec<String>,
        /// How many ledgers.
        to: u32,
    },
}

impl ChainOp {
    /// The escrow it is about, if it is about one.
    pub fn key(&self) -> Option<&[u8; 32]> {
        match self {
            Self::Anchor { .. } | Self::Extend { .. } => None,
            Self::Create { key, .. }
            | Self::Fund { key, .. }
            | Self::Assign { key, .. }
            | Self::Release { key, .. }
            | Self::Burn { key, .. }
            | Self::Cancel { key }
            | Self::Refund { key }
            | Self::AutoRelease { key }
            | Self::Dispute { key, .. }
            | Self::Resolve { key, .. }
            | Self::ResolveTimeout { key } => Some(key),
        }
    }

    /// The contract's function.
    pub fn function(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Fund { .. } => "fund_deposit",
            Self::Assign { .. } => "assign",
            Self::Release { .. } => "release",
            Self::Burn { .. } => "burn",
            Self::Cancel { .. } => "cancel",
            Self::Refund { .. } => "refund",
            Self::AutoRelease { .. } => "auto_release",
            Self::Dispute { .. } => "dispute",
            Self::Resolve { .. } => "resolve",
            Self::ResolveTimeout { .. } => "resolve_timeout",
            Self::Anchor { .. } => "anchor",
            Self::Extend { .. } => "extend_footprint_ttl",
        }
    }

    /// Whether this refusal of the contract is what a call gets that was made before. It proves nothing by
    /// itself: ask the contract whether it was *this* call (`Stellar::has_happened`).
    pub fn looks_done(&self, refusal: &str) -> bool {
        refusal
            == match self {
                Self::Create { .. } => "AlreadyExists",
                Self::Fund { .. } => "DepositUsed",
                Self::Assign { .. } => "AlreadyAssigned",
                Self::Release { .. } if refusal == "MilestoneReleased" => return true,
                Self::Release { .. } | Self::AutoRelease { .. } => "IsReleased",
                Self::Dispute { .. } => "IsDisputed",
                Self::Resolve { .. } | Self::ResolveTimeout { .. } => "IsResolved",
                Self::Burn { .. } => "VaultChanged",
                Self::Cancel { .. } => "IsCancelled",
                Self::Refund { .. } => "IsRefunded",
                // The contract takes what it has as done.
                Self::Anchor { .. } | Self::Extend { .. } => return false,
            }
    }

    /// The call, with arguments in the order of the contract's interface. `delegate` is the payer of
    /// `Create`.
    pub(super) fn call(&self, network: &Network, delegate: &str) -> Result<InvokeContractArgs, ChainFault> {
        let chain = |minor: i64| Ok::<_, ChainFault>(ScVal::from(to_token(minor, network.exponent)?));
        let place = |text: &str| Ok::<_, ChainFault>(ScVal::Address(address(text)?));
        let mut args: Vec<ScVal> = self.key().map(bytes32).transpose()?.into_iter().collect();
        let mut contract = network.contract.as_str();
        match self {
            Self::Create { amount, expiry, terms, .. } => {
                args.extend([place(delegate)?, terms.struct_for(network, amount.minor(), *expiry)?]);
            }
            Self::Fund { deposit_id, amount, .. } => {
                args.extend([bytes32(deposit_id)?, chain(amount.minor())?])
            }
            Self::Assign { payee, to, .. } => {
                let to = to.as_deref().map(place).transpose()?;
                args.extend([bytes32(payee)?, to.unwrap_or(ScVal::Void)]);
            }
            Self::Release { milestone, to_payee, fee, .. } => {
                args.extend([(*milestone).into(), chain(*to_payee)?, chain(*fee)?])
            }
            Self::Dispute { by, .. } => args.push(place(by)?),
            Self::Resolve { to_payee, .. } => args.push(chain(*to_payee)?),
            Self::Burn { amount, vault_before, .. } => {
                args.extend([chain(amount.minor())?, chain(*vault_before)?]);
            }
            Self::Cancel { .. }
            | Self::Refund { .. }
            | Self::AutoRelease { .. }
            | Self::ResolveTimeout { .. } => {}
            Self::Anchor { book, size, root } => {
                contract = network.anchor()?;
                args.extend([string(book)?, count(*size)?, bytes32(root)?]);
            }
            Self::Extend { .. } => return Err(ChainFault::Encoding("this calls no contract".into())),
        }
        invocation(contract, self.function(), args)
    }
}

/// What is agreed beside amount and expiry. Amounts are minor units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainTerms {
    /// One amount a milestone, together the escrow's; empty for one milestone.
    pub milestones: Vec<i64>,
    /// The most that may be taken as fee in all, and what an automatic release takes; `None`: the whole
    /// amount.
    pub fee_cap: Option<i64>,
    /// Unix seconds from when on anyone may release; 0 for never.
    pub release_at: i64,
    /// How long a dispute may last.
    pub dispute_s: u32,
    /// What the payee shall have got in all if nobody decides a dispute.
    pub default_to_payee: i64,
}

impl Default for ChainTerms {
    /// One milestone, no release clock; a dispute that nobody decides within a fortnight goes to the payer.
    fn default() -> Self {
        let dispute_s = 14 * 24 * 60 * 60;
        Self { milestones: vec![], fee_cap: None, release_at: 0, dispute_s, default_to_payee: 0 }
    }
}

impl ChainTerms {
    /// As the contract's `Terms`.
    fn struct_for(&self, network: &Network, amount: i64, expiry: i64) -> Result<ScVal, ChainFault> {
        let chain = |minor: i64| Ok::<_, ChainFault>(ScVal::from(to_token(minor, network.exponent)?));
        let whole = [amount];
        let milestones = if self.milestones.is_empty() { &whole[..] } else { &self.milestones };
        let amounts: Result<Vec<ScVal>, ChainFault> = milestones.iter().map(|minor| chain(*minor)).collect();
        let amounts = ScVal::try_from(amounts?).map_err(|()| ChainFault::Encoding("milestones".into()))?;
        let fields = [
            ("amounts", amounts),
            ("default_to_payee", chain(self.default_to_payee)?),
            ("dispute_s", self.dispute_s.into()),
            ("expiry", count(expiry)?),
            ("fee_cap", chain(self.fee_cap.unwrap_or(amount))?),
            ("release_at", count(self.release_at)?),
            ("token", ScVal::Address(address(&network.token)?)),
        ];
        let fields = fields.map(|(name, value)| Ok::<_, ChainFault>((ScVal::Symbol(symbol(name)?), value)));
        let fields: Result<Vec<_>, ChainFault> = fields.into_iter().collect();
        let map = ScMap::sorted_from_pairs(fields?.into_iter());
        map.map(|map| ScVal::Map(Some(map))).map_err(|_| ChainFault::Encoding("terms".into()))
    }
}

/// A call of `function` on the contract `C…`.
pub(super) fn invocation(
    contract: &str,
    function: &str,
    args: Vec<ScVal>,
) -> Result<InvokeContractArgs, ChainFault> {
    let args: VecM<ScVal> = args.try_into().map_err(|_| ChainFault::Encoding("too many arguments".into()))?;
    Ok(InvokeContractArgs {
        contract_address: ScAddress::Contract(contract_id(contract)?),
        function_name: symbol(function)?,
        args,
    })
}
