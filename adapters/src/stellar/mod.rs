//! The chain: our contracts on a Stellar network, spoken to over Stellar RPC.
//!
//! An instruction ([`ChainOp`]) is built into signed bytes ([`Built`]), the caller stores them,
//! [`Stellar::send`]s them as often as it likes, [`Stellar::look`]s what became of them, and [`verdict`] says
//! what to do next. What others did is heard through [`Stellar::events`].
//!
//! Invariant: amounts are minor units outside this folder and token units beyond it. Time is the network's.
//! Absent: the admin's calls.

pub mod anchor;
mod build;
mod contract;
pub mod deploy;
mod event;
mod op;
mod rpc;
mod sign;
mod submit;
mod wire;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use amana_ledger::id::Rng;
use stellar_xdr::{Hash, HostFunction, ScVal};

pub use build::{Built, Leeway, Limits};
pub use contract::{
    ANCHOR_ERRORS, CONTRACT_ERRORS, DAY, Entry, EscrowOnChain, EscrowState, MOST_KEYS, Observer, Pillar,
    Totals, error_name,
};
pub use event::{ChainEvent, Cursor, Effect, EventPage, Heard};
pub use op::{ChainOp, ChainTerms, Network, to_minor, to_token, unit};
pub use rpc::{ChainFault, Health, Rpc};
pub use sign::{BadSecret, Keypair};
pub use submit::raise::Raised;
pub use submit::{Attempt, Course, Look, Need, Next, Sent, Stage, TABLE, verdict};

use self::anchor::Anchor;
use crate::http::Client;
use crate::port::Outcome;

/// The keys that speak for the house on the chain. Channels are not among them: they only pay fees.
#[derive(Debug, Clone)]
pub struct Signers {
    /// Mints deposits and burns what was paid out.
    pub operator: Keypair,
    /// Pays for employers without a key of their own.
    pub delegate: Keypair,
}

/// Whose keys one process signs with: no process has all of them.
#[derive(Debug, Clone)]
enum Keys {
    /// Daily work.
    House(Signers),
    /// Decides disputes, and nothing else.
    Arbiter(Keypair),
}

/// Our contracts on one network.
#[derive(Clone)]
pub struct Stellar {
    network: Network,
    id: Hash,
    rpc: Rpc,
    keys: Keys,
    limits: Limits,
    rng: Arc<dyn Rng>,
    /// The newest ledger in which something of ours was seen to happen: no older answer is believed.
    seen: Arc<AtomicU32>,
}

impl std::fmt::Debug for Stellar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stellar").field("network", &self.network).finish_non_exhaustive()
    }
}

impl Stellar {
    /// Speaks to the contract of `network`.
    ///
    /// # Errors
    /// When an address is none, or the exponent is above 7.
    pub fn new(
        network: Network,
        signers: Signers,
        http: Client,
        rng: Arc<dyn Rng>,
    ) -> Result<Self, ChainFault> {
        Self::with_keys(network, Keys::House(signers), http, rng)
    }

    /// The same for the one who decides disputes. Who serves never has that key, and who has it nothing else.
    ///
    /// # Errors
    /// As [`Stellar::new`].
    pub fn arbiter(
        network: Network,
        key: Keypair,
        http: Client,
        rng: Arc<dyn Rng>,
    ) -> Result<Self, ChainFault> {
        Self::with_keys(network, Keys::Arbiter(key), http, rng)
    }

    fn with_keys(network: Network, keys: Keys, http: Client, rng: Arc<dyn Rng>) -> Result<Self, ChainFault> {
        wire::contract_id(&network.contract)?;
        wire::contract_id(&network.token)?;
        network.anchor.as_deref().map(wire::contract_id).transpose()?;
        unit(network.exponent)?;
        let rpc = Rpc::new(http, network.rpc_url.clone());
        let id = wire::network_id(&network.passphrase);
        let (limits, seen) = (Limits::default(), Arc::default());
        Ok(Self { network, id, rpc, keys, limits, rng, seen })
    }

    /// The same with other bounds on time and fee.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The deployment it speaks to.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The client beneath, for health checks.
    pub fn rpc(&self) -> &Rpc {
        &self.rpc
    }

    /// The same deployment, to be looked at only.
    pub fn observer(&self) -> Observer {
        Observer::sharing(&self.network, &self.rpc, &self.seen)
    }

    /// The keys of daily work; none where disputes are decided.
    pub fn house(&self) -> Option<&Signers> {
        if let Keys::House(signers) = &self.keys { Some(signers) } else { None }
    }

    /// What does not fit between our configuration and the chain: another network, another contract's roles,
    /// token or unit. `None` when all fits. Ask before the first instruction.
    ///
    /// # Errors
    /// When the server cannot be asked or understood.
    pub async fn misfit(&self) -> Result<Option<String>, ChainFault> {
        let theirs = self.rpc.network().await?.passphrase;
        if theirs != self.network.passphrase {
            return Ok(Some(format!("the network is {theirs:?}, not {:?}", self.network.passphrase)));
        }
        let call = op::invocation(&self.network.contract, "config", vec![])?;
        let config = match contract::view(&self.rpc, call, self.seen()).await? {
            Ok(config) => config,
            Err(error) => {
                let first = error.lines().next().unwrap_or_default();
                return Ok(Some(format!("{} is not our contract: {first}", self.network.contract)));
            }
        };
        let ours = match &self.keys {
            Keys::House(Signers { operator, delegate }) => {
                vec![("operator", operator.address()), ("delegate", delegate.address())]
            }
            Keys::Arbiter(arbiter) => vec![("arbiter", arbiter.address())],
        };
        for (name, ours) in ours {
            let theirs =
                wire::field(&config, name).and_then(wire::read_address).ok_or_else(|| odd("config"))?;
            if theirs != ours {
                return Ok(Some(format!("the contract's {name} is {theirs}, ours is {ours}")));
            }
        }
        // Under number 0 it lists what it mints for deposits.
        let call = op::invocation(&self.network.contract, "listing", vec![0_u32.into()])?;
        let listing = refused(contract::view(&self.rpc, call, self.seen()).await?)?;
        let theirs =
            wire::field(&listing, "token").and_then(wire::read_address).ok_or_else(|| odd("listing"))?;
        if theirs != self.network.token {
            return Ok(Some(format!("the contract's token is {theirs}, ours is {}", self.network.token)));
        }
        let theirs = wire::field(&listing, "unit").and_then(wire::read_i128).ok_or_else(|| odd("listing"))?;
        let ours = unit(self.network.exponent)?;
        if theirs != ours {
            return Ok(Some(format!("the contract's unit is {theirs}, ours is {ours}")));
        }
        match (&self.network.anchor, self.house()) {
            (Some(anchor), Some(house)) => self.anchor_misfit(anchor, &house.operator).await,
            _ => Ok(None),
        }
    }

    /// Builds and signs the transaction that does `op`, paid by `channel`, using up `sequence` (its last one
    /// plus one).
    ///
    /// Nothing is sent. `Refused` carries the contract's word (`AlreadyExists`, `DepositUsed`, …; the token's
    /// as `token_13`, the host's as `host_error`), found by running the call without applying it. Store what
    /// is built before sending it.
    pub async fn build(&self, op: &ChainOp, channel: &Keypair, sequence: i64) -> Outcome<Built> {
        self.rebuild(op, (channel, sequence), Leeway::default()).await
    }

    /// As [`Stellar::build`], knowing what earlier attempts failed for.
    pub async fn rebuild(
        &self,
        op: &ChainOp,
        (channel, sequence): (&Keypair, i64),
        leeway: Leeway,
    ) -> Outcome<Built> {
        let signers = match &self.keys {
            Keys::House(Signers { operator, delegate }) => vec![operator, delegate],
            Keys::Arbiter(arbiter) => vec![arbiter],
        };
        let desk = build::Desk {
            rpc: &self.rpc,
            network: &self.id,
            signers: &signers,
            limits: self.limits,
            rng: self.rng.as_ref(),
            seen: &self.seen,
            leeway,
        };
        let seat = build::Seat { channel, sequence };
        if let ChainOp::Extend { keys, to } = op {
            return build::extend(&desk, seat, (keys, *to)).await;
        }
        // Without a delegate nothing is opened: no address is none.
        let delegate = self.house().map_or_else(String::new, |house| house.delegate.address());
        let call = match op.call(&self.network, &delegate) {
            Ok(call) => call,
            Err(fault) => return Outcome::Refused { code: "unencodable".into(), reason: fault.to_string() },
        };
        build::build(&desk, seat, HostFunction::InvokeContract(call)).await
    }

    /// Hands stored bytes to the network. Sending them twice is sending them once.
    pub async fn send(&self, envelope_xdr: &str) -> Sent {
        submit::send(&self.rpc, envelope_xdr).await
    }

    /// Puts a stored transaction into an envelope that offers more than `newest`, the last one that was sent:
    /// because fees have risen above what that offers, or because it was `refused` for offering too little.
    /// `None` if neither is so, or the most anybody should pay is offered already. Store it before sending.
    ///
    /// # Errors
    /// As [`Stellar::look`].
    pub async fn raise(
        &self,
        stored: (&str, &str),
        payer: &Keypair,
        refused: bool,
    ) -> Result<Option<Raised>, ChainFault> {
        submit::raise::raise((&self.rpc, &self.id), stored, payer, refused, self.limits).await
    }

    /// What became of the transaction with this hash (hex).
    ///
    /// # Errors
    /// When the server cannot be asked or understood, which says nothing about the transaction; so for all
    /// below.
    pub async fn look(&self, hash: &str) -> Result<Look, ChainFault> {
        let look = submit::look(&self.rpc, &self.network, hash).await?;
        if let Look::Success { ledger, .. } | Look::Failed { ledger: Some(ledger), .. } = &look {
            self.saw(*ledger);
        }
        Ok(look)
    }

    /// The last sequence number an account used up; `None` when there is no such account.
    ///
    /// # Errors
    /// As [`Stellar::look`].
    pub async fn sequence(&self, account: &str) -> Result<Option<i64>, ChainFault> {
        Ok(build::account(&self.rpc, account, self.seen()).await?.map(|entry| entry.seq_num.0))
    }

    /// The escrow with this key, archived or not; `None` when there never was one.
    ///
    /// # Errors
    /// As [`Stellar::look`].
    pub async fn escrow(&self, key: &[u8; 32]) -> Result<Option<EscrowOnChain>, ChainFault> {
        Ok(self.observer().escrow(key).await?.1)
    }

    /// The key of the escrow this deposit was minted into; `None` when it was not.
    ///
    /// # Errors
    /// As [`Stellar::look`].
    pub async fn deposit(&self, deposit_id: &[u8; 32]) -> Result<Option<[u8; 32]>, ChainFault> {
        self.observer().deposit(deposit_id).await
    }

    /// Whether the contract shows that `op` was done, whoever sent it: what to ask when the server forgot an
    /// attempt, or when a refusal [`ChainOp::looks_done`].
    ///
    /// # Errors
    /// As [`Stellar::look`].
    pub async fn has_happened(&self, op: &ChainOp) -> Result<bool, ChainFault> {
        let seen = |(ledger, shown): (u32, bool)| {
            self.saw(if shown { ledger } else { 0 });
            shown
        };
        match (op, op.key()) {
            (ChainOp::Fund { key, deposit_id, .. }, _) => {
                let (ledger, into) = self.observer().deposit_as_of(deposit_id).await?;
                Ok(seen((ledger, into.as_ref() == Some(key))))
            }
            (ChainOp::Anchor { book, size, root }, _) => {
                Ok(self.anchored(book, *size).await?.is_some_and(|anchor| anchor.root == *root))
            }
            (ChainOp::Extend { keys, to }, _) => self.observer().live(keys, *to).await,
            (_, Some(key)) => {
                let (ledger, escrow) = self.observer().escrow(key).await?;
                Ok(seen((ledger, escrow.is_some_and(|escrow| escrow.shows(op)))))
            }
            (_, None) => Ok(false),
        }
    }

    /// A book's newest checkpoint on the chain; `None` before the first.
    ///
    /// # Errors
    /// As [`Stellar::look`]; also when no anchor contract is configured.
    pub async fn latest_anchor(&self, book: &str) -> Result<Option<Anchor>, ChainFault> {
        Anchor::read(&self.view_anchor("latest", vec![wire::string(book)?]).await?)
    }

    /// A book's checkpoint of this size on the chain; `None` when there is none.
    ///
    /// # Errors
    /// As [`Stellar::latest_anchor`].
    pub async fn anchored(&self, book: &str, size: i64) -> Result<Option<Anchor>, ChainFault> {
        Anchor::read(&self.view_anchor("at", vec![wire::string(book)?, op::count(size)?]).await?)
    }

    async fn anchor_misfit(&self, anchor: &str, operator: &Keypair) -> Result<Option<String>, ChainFault> {
        let call = op::invocation(anchor, "operator", vec![])?;
        let theirs = match contract::view(&self.rpc, call, self.seen()).await? {
            Ok(theirs) => wire::read_address(&theirs).ok_or_else(|| odd("operator"))?,
            Err(error) => {
                let first = error.lines().next().unwrap_or_default();
                return Ok(Some(format!("{anchor} is not our anchor contract: {first}")));
            }
        };
        let ours = operator.address();
        Ok((theirs != ours).then(|| format!("the anchor's operator is {theirs}, ours is {ours}")))
    }

    async fn view_anchor(&self, function: &str, args: Vec<ScVal>) -> Result<ScVal, ChainFault> {
        let call = op::invocation(self.network.anchor()?, function, args)?;
        refused(contract::view(&self.rpc, call, self.seen()).await?)
    }

    /// The contract's own sums.
    ///
    /// # Errors
    /// As [`Stellar::look`].
    pub async fn totals(&self) -> Result<Totals, ChainFault> {
        Ok(self.observer().totals().await?.1)
    }

    /// The token balance of an address (`G…`, `C…`), minor units, rounded down: strangers may hold fractions.
    ///
    /// # Errors
    /// As [`Stellar::look`]; also when the address has no trustline.
    pub async fn token_balance(&self, address: &str) -> Result<i64, ChainFault> {
        let call =
            op::invocation(&self.network.token, "balance", vec![ScVal::Address(wire::address(address)?)])?;
        let value = refused(contract::view(&self.rpc, call, self.seen()).await?)?;
        let units = wire::read_i128(&value).ok_or_else(|| odd("balance"))?;
        i64::try_from(units / unit(self.network.exponent)?).map_err(|_| odd("balance"))
    }

    /// Reads on in the events of the escrow contract and its token.
    ///
    /// # Errors
    /// As [`Stellar::look`]; also when one of the escrow's own events cannot be read. The cursor then stays.
    pub async fn events(&self, from: &Cursor) -> Result<Heard, ChainFault> {
        let heard = event::read_on(&self.rpc, &self.network, from).await?;
        if let Heard::Page(page) = &heard
            && let Some(last) = page.events.last()
        {
            self.saw(last.ledger);
        }
        Ok(heard)
    }

    /// The newest ledger: where to begin reading events of a contract not deployed yet.
    ///
    /// # Errors
    /// As [`Stellar::look`].
    pub async fn latest_ledger(&self) -> Result<u32, ChainFault> {
        Ok(self.rpc.latest_ledger().await?.sequence)
    }

    /// The newest ledger in which something of ours is known to have happened: no older answer is believed.
    pub fn seen(&self) -> u32 {
        self.seen.load(Ordering::Relaxed)
    }

    /// Tells of a ledger that another process has seen.
    pub fn saw(&self, ledger: u32) {
        self.seen.fetch_max(ledger, Ordering::Relaxed);
    }
}

fn refused(answer: Result<ScVal, String>) -> Result<ScVal, ChainFault> {
    answer.map_err(|message| ChainFault::Rpc { method: "simulateTransaction", code: 0, message })
}

fn odd(function: &str) -> ChainFault {
    ChainFault::Malformed { method: "simulateTransaction", why: format!("unexpected shape from {function}") }
}
