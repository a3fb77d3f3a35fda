//! A network with the contract on it, and the adapter in front.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use amana_adapters::http;
use amana_adapters::port::Outcome;
use amana_adapters::stellar::anchor;
use amana_adapters::stellar::deploy::{Deployed, Plan, Purse, Roles, Site, deploy, fund_channels};
use amana_adapters::stellar::{
    Attempt, Built, ChainEvent, ChainOp, Cursor, Heard, Keypair, Look, Network, Next, Sent, Signers, Stellar,
    verdict,
};
use amana_ledger::id::Rng;
use amana_ledger::money::Amount;
use amana_localnet::{Localnet, Options, STANDALONE_PASSPHRASE};
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};
use serde_json::{Value, json};

pub(crate) const WASM: &[u8] = include_bytes!("../../contracts/escrow/escrow.wasm");
pub(crate) const ANCHOR_WASM: &[u8] = include_bytes!("../../contracts/anchor/anchor.wasm");
/// When every network begins, Unix seconds.
pub(crate) const GENESIS: u64 = 1_795_000_000;

struct Seeded(Mutex<StdRng>);

impl Rng for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap().fill_bytes(bytes);
    }
}

pub(crate) fn rng() -> Arc<dyn Rng> {
    Arc::new(Seeded(Mutex::new(StdRng::seed_from_u64(7))))
}

pub(crate) fn client() -> http::Client {
    // A server that is struck by a script is well again at once: nobody gains by waiting.
    let limits = http::Limits { pause: Duration::from_millis(1), ..http::Limits::default() };
    http::Client::new(limits, rng()).unwrap()
}

/// The house's keys, by what they are for.
pub(crate) fn keypair(role: &str) -> Keypair {
    let mut seed = [0; 32];
    seed[..role.len()].copy_from_slice(role.as_bytes());
    Keypair::from_seed(seed)
}

pub(crate) fn signers() -> Signers {
    Signers { operator: keypair("operator"), delegate: keypair("delegate") }
}

pub(crate) fn roles() -> Roles {
    let address = |role| keypair(role).address();
    Roles {
        admin: address("admin"),
        operator: address("operator"),
        delegate: address("delegate"),
        arbiter: address("arbiter"),
    }
}

pub(crate) fn amount(minor: i64) -> Amount {
    Amount::new(minor).unwrap()
}

/// A network with nothing on it.
pub(crate) async fn bare() -> Localnet {
    let mut options = Options::new(Arc::new(|| GENESIS));
    options.dev_methods = true;
    amana_localnet::start(options).await.unwrap()
}

pub(crate) fn site(net: &Localnet) -> Site {
    Site::new(client(), &net.url(), STANDALONE_PASSPHRASE, rng())
}

/// Deploys with the keys of [`keypair`].
pub(crate) async fn raise(site: &Site) -> Deployed {
    let (issuer, deployer) = (keypair("issuer"), keypair("deployer"));
    let plan = Plan {
        asset_code: "KES",
        exponent: 2,
        issuer: &issuer,
        deployer: &deployer,
        salt: [0; 32],
        roles: roles(),
        wasm: WASM,
        purse: Purse::Friendbot,
    };
    deploy(site, &plan).await.unwrap()
}

/// Deploys the anchor contract with the keys of [`keypair`].
pub(crate) async fn raise_anchor(site: &Site) -> String {
    let plan = anchor::Plan {
        operator: keypair("operator").address(),
        deployer: &keypair("deployer"),
        salt: [1; 32],
        wasm: ANCHOR_WASM,
        purse: Purse::Friendbot,
    };
    anchor::deploy(site, &plan).await.unwrap()
}

/// A network with token, escrow and anchor contract, and two channels.
pub(crate) struct Chain {
    pub(crate) net: Localnet,
    pub(crate) stellar: Stellar,
    pub(crate) deployed: Deployed,
    pub(crate) channel: Keypair,
    pub(crate) other_channel: Keypair,
}

impl Chain {
    pub(crate) async fn start() -> Self {
        let net = bare().await;
        let site = site(&net);
        let deployed = raise(&site).await;
        let anchor = Some(raise_anchor(&site).await);
        let (channel, other_channel) = (keypair("channel 1"), keypair("channel 2"));
        fund_channels(&site, Purse::Friendbot, &[channel.clone(), other_channel.clone()]).await.unwrap();
        let network = Network {
            rpc_url: net.url(),
            passphrase: STANDALONE_PASSPHRASE.into(),
            contract: deployed.contract.clone(),
            token: deployed.token.clone(),
            anchor,
            exponent: 2,
        };
        let stellar = Stellar::new(network, signers(), client(), rng()).unwrap();
        Self { net, stellar, deployed, channel, other_channel }
    }

    pub(crate) async fn next_sequence(&self, channel: &Keypair) -> i64 {
        self.stellar.sequence(&channel.address()).await.unwrap().unwrap() + 1
    }

    pub(crate) async fn try_build(&self, op: &ChainOp, channel: &Keypair) -> Outcome<Built> {
        let sequence = self.next_sequence(channel).await;
        self.stellar.build(op, channel, sequence).await
    }

    pub(crate) async fn build(&self, op: &ChainOp, channel: &Keypair) -> Built {
        match self.try_build(op, channel).await {
            Outcome::Done(built) => built,
            other => panic!("{op:?}: {other:?}"),
        }
    }

    /// The word with which an instruction is refused before it is sent.
    pub(crate) async fn refusal(&self, op: &ChainOp) -> String {
        match self.try_build(op, &self.channel).await {
            Outcome::Refused { code, .. } => code,
            other => panic!("{op:?}: {other:?}"),
        }
    }

    /// Builds, sends and returns the effects.
    pub(crate) async fn act(&self, op: &ChainOp) -> Vec<ChainEvent> {
        let built = self.build(op, &self.channel).await;
        assert!(matches!(self.stellar.send(&built.envelope_xdr).await, Sent::Pending { .. }));
        match self.stellar.look(&built.hash).await.unwrap() {
            Look::Success { events, .. } => events,
            other => panic!("{op:?}: {other:?}"),
        }
    }

    /// What is to be done about a stored attempt, asking the network now.
    pub(crate) async fn fate(&self, built: &Built, sent: Option<&Sent>) -> Next {
        let look = self.stellar.look(&built.hash).await.unwrap();
        verdict(Attempt::from(built), sent, Some(look))
    }

    /// Everything that can be heard from a ledger on, page by page.
    pub(crate) async fn hear(&self, from: u32) -> (Vec<ChainEvent>, Cursor) {
        hear(&self.stellar, from).await
    }

    /// Calls a method of the network that the adapter has no use for.
    pub(crate) async fn raw(&self, method: &str, params: Value) -> Value {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let call =
            http::Call::post("localnet", self.net.url(), "application/json", body.to_string().into_bytes());
        let answer: Value = serde_json::from_slice(&client().tell(&call).await.unwrap().body).unwrap();
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// Lets time pass.
    pub(crate) async fn advance(&self, seconds: u64, ledgers: u32) {
        self.raw("dev_advance", json!({"seconds": seconds, "ledgers": ledgers})).await;
    }

    /// Hands the network an envelope that is not the adapter's, and says what became of it: `applied`,
    /// `failed`, or the code with which it was not even queued.
    pub(crate) async fn submit(&self, envelope_xdr: &str, hash: &str) -> String {
        match self.stellar.send(envelope_xdr).await {
            Sent::Pending { .. } => match self.stellar.look(hash).await.unwrap() {
                Look::Success { .. } => "applied".into(),
                Look::Failed { .. } => "failed".into(),
                other => panic!("{other:?}"),
            },
            Sent::Refused { code } => code,
            other => panic!("{other:?}"),
        }
    }
}

/// Everything that an adapter can hear from a ledger on, page by page.
pub(crate) async fn hear(stellar: &Stellar, from: u32) -> (Vec<ChainEvent>, Cursor) {
    let (mut heard, mut cursor) = (Vec::new(), Cursor::Ledger(from));
    loop {
        match stellar.events(&cursor).await.unwrap() {
            Heard::Page(page) if page.events.is_empty() => return (heard, page.cursor),
            Heard::Page(page) => {
                heard.extend(page.events);
                cursor = page.cursor;
            }
            Heard::Gap { wanted, oldest } => panic!("gap from {wanted} to {oldest}"),
        }
    }
}

/// An escrow of 50 000.37 that was created, and its key.
pub(crate) async fn created(chain: &Chain) -> [u8; 32] {
    let key = [1; 32];
    let expiry = i64::try_from(GENESIS).unwrap() + 30 * 86_400;
    chain.act(&ChainOp::Create { key, amount: amount(5_000_037), expiry, terms: Default::default() }).await;
    key
}

/// An escrow of 50 000.37 that is funded and assigned to a phone.
pub(crate) async fn ready(chain: &Chain) -> [u8; 32] {
    let key = created(chain).await;
    chain.act(&ChainOp::Fund { key, deposit_id: [9; 32], amount: amount(5_000_037) }).await;
    chain.act(&ChainOp::Assign { key, payee: [5; 32], to: None }).await;
    key
}
