//! Ground on which many worlds stand alike: contracts deployed, people known, books open, made once a test
//! binary. A world of it costs a copy of a database and of a network's state.
//!
//! Invariant: a world of the same seed is the same world, on whatever ground was made from the same code:
//! nothing of it comes from the machine's own time or chance.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use amana_adapters::stellar::deploy::{Deployed, Purse, Site};
use amana_adapters::stellar::{Keypair, Network, Signers, Stellar};
use amana_adapters::{africastalking, intersend};
use amana_gateway::config::Environment;
use amana_gateway::embedded::{Means, Secrets, Sides, desk};
use amana_gateway::people::{PayoutMode, Role};
use amana_gateway::worker;
use amana_ledger::id::{Clock, PartyId};
use amana_ledger::money::{Asset, Money};
use amana_localnet::{Faults, Options, STANDALONE_PASSPHRASE};

use crate::forge;
use crate::pg::{self, Database};
use crate::world::{Dice, Hands, RAIL_FLOAT, World, client, setting};

/// The platform's fee on this ground, hundredths of a percent.
pub const FEE_BPS: i64 = 250;
/// What the rail charges a payout on this ground, minor units.
pub const RAIL_FEE: i64 = 1_500;
/// Employers, employees with a phone and employees with an account of their own.
const PEOPLE: usize = 4;
/// Accounts with which others than the house may pay for transactions.
const SEATS: usize = 12;

/// What every world of this ground has in common.
pub struct Ground {
    network: PathBuf,
    database: String,
    environment: Environment,
    deployed: Deployed,
    anchor: String,
    /// When its worlds begin, milliseconds of the Unix epoch.
    began: i64,
    /// Employers.
    pub employers: Vec<PartyId>,
    /// Employees who are paid by phone.
    pub employees: Vec<PartyId>,
    /// Who decides disputes.
    pub approver: PartyId,
    /// Employees who are paid in tokens, with the keys of their accounts.
    pub holders: Vec<(PartyId, Keypair)>,
}

static GROUND: OnceLock<Ground> = OnceLock::new();

/// A key that is known by its name.
fn key(name: &str, number: usize) -> Keypair {
    let mut seed = [0; 32];
    let name = format!("{name} {number}");
    seed[..name.len()].copy_from_slice(name.as_bytes());
    Keypair::from_seed(seed)
}

/// The house's, the same on each ground.
fn secrets() -> Secrets {
    Secrets::fresh(Dice::new(0).as_ref()).expect("secrets kept nowhere")
}

impl Ground {
    /// The binary's ground, made by the first who asks.
    pub fn here() -> &'static Self {
        GROUND.get_or_init(|| {
            // A thread of its own, because whoever asks first may stand inside a runtime already.
            std::thread::spawn(|| {
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(Self::made())
            })
            .join()
            .expect("the ground's thread")
        })
    }

    /// The accounts with which others than the house may pay for transactions.
    pub fn seats() -> Vec<Keypair> {
        (0..SEATS).map(|number| key("seat", number)).collect()
    }

    async fn made() -> Self {
        let (clock, dice, secrets) = (Hands::new(), Dice::new(0), secrets());
        let means = Means { clock: clock.clone(), rng: dice.clone(), http: client(&dice) };
        let database = Database::fresh().await;
        let sides = Sides::start(&setting(), &secrets, &means).await.expect("the other sides start");
        let mut environment = Environment::default();
        environment.set("AMANA_ESCROW_FEE_BPS", FEE_BPS.to_string());
        let mut described = environment.clone();
        sides.describe(&secrets, &mut described);
        let (deployed, anchor) = (sides.deployed.clone(), sides.anchor.clone());
        let world = World::wired((clock, dice, means.http), database, sides, &secrets, described);
        worker::prepare(&world.app).await.expect("the books are open");
        world.arbiter(None).await;
        world.capital().await;
        let accounts: Vec<Keypair> = (0..PEOPLE).map(|number| key("holder", number)).collect();
        open_accounts(&world, &secrets, &accounts).await;
        let (mut employers, mut employees, mut holders) = (vec![], vec![], vec![]);
        for (number, account) in accounts.into_iter().enumerate() {
            employers.push(world.person(Role::Employer, &format!("07333451{number:02}")).await);
            employees.push(world.person(Role::Employee, &format!("07223451{number:02}")).await);
            let mode = PayoutMode::Stellar(account.address());
            let phone = format!("07113451{number:02}");
            holders.push((world.person_paid(Role::Employee, &phone, mode).await, account));
        }
        let approver = world.person(Role::Approver, "0711345199").await;
        world.settle().await;
        let network = pg::folder().join("network.json");
        world.chain.save(&network).await.expect("the network is saved");
        world.database.rest().await;
        let began = world.clock.now().timestamp_millis();
        let database = world.database.name.clone();
        Self {
            network,
            database,
            environment,
            deployed,
            anchor,
            began,
            employers,
            employees,
            approver,
            holders,
        }
    }

    /// A world on this ground whose network follows a script.
    pub async fn world(&self, seed: u64, faults: Faults) -> World {
        let (clock, dice, secrets) = (Hands::at(self.began), Dice::new(seed), secrets());
        let http = client(&dice);
        let seconds = clock.clone();
        let seconds = Arc::new(move || u64::try_from(seconds.now().timestamp()).expect("after 1970"));
        let begin_with = Some(self.network.clone());
        let options = Options { begin_with, faults, ..Options::new(seconds) };
        let network = amana_localnet::start(options).await.expect("the network starts");
        let money = |minor| Money::new(Asset::Kes, minor).expect("money");
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let rail = intersend::sim::Options {
            listen: anywhere,
            key: secrets.rail_key.clone(),
            secret: secrets.rail_secret.clone(),
            callback_url: None,
            float: money(RAIL_FLOAT),
            fee: Some(money(RAIL_FEE)),
            pace: std::time::Duration::ZERO,
            state_file: None,
        };
        let rail = intersend::sim::Sim::start(rail, http.clone(), clock.clone()).await.expect("it starts");
        let texts = africastalking::sim::Options {
            listen: anywhere,
            username: "sandbox".into(),
            key: secrets.text_key.clone(),
            report_url: None,
            pace: std::time::Duration::ZERO,
        };
        let texts = africastalking::sim::Sim::start(texts, http.clone(), clock.clone()).await;
        let (deployed, anchor) = (self.deployed.clone(), self.anchor.clone());
        let means = Means { clock: clock.clone(), rng: dice.clone(), http: http.clone() };
        let daraja = desk(&secrets, &means, std::time::Duration::ZERO).await.expect("it starts");
        let texts = texts.expect("it starts");
        let sides = Sides { network, deployed, anchor, rail, texts, daraja, api_url: None };
        let mut environment = self.environment.clone();
        sides.describe(&secrets, &mut environment);
        // One connection: whoever comes next waits until what was dropped before is rolled back.
        let database = Database::like(&self.database, 1).await;
        World::wired((clock, dice, http), database, sides, &secrets, environment)
    }

    /// Somebody else on a world's chain, with a key of their own.
    pub fn stranger(&self, world: &World, key: &Keypair) -> Stellar {
        let network = Network::clone(world.app.chain.network());
        let signers = Signers { operator: key.clone(), delegate: key.clone() };
        Stellar::new(network, signers, world.http.clone(), world.dice.clone()).expect("it is a deployment")
    }
}

/// Opens the accounts of those who are paid in tokens, who accept the token, and of strangers.
async fn open_accounts(world: &World, secrets: &Secrets, holders: &[Keypair]) {
    let site = Site::new(client(&world.dice), &world.chain.url(), STANDALONE_PASSPHRASE, world.dice.clone());
    let new: Vec<String> = holders.iter().chain(&Ground::seats()).map(Keypair::address).collect();
    site.open_accounts(Purse::Friendbot, &new).await.expect("they are opened");
    for holder in holders {
        let sequence = world.app.chain.sequence(&holder.address()).await.expect("it reads").expect("opened");
        let trust = forge::trust(holder, sequence + 1, &secrets.issuer.address());
        let _ = world.app.chain.send(&trust.envelope_xdr).await;
        let balance = world.app.chain.token_balance(&holder.address()).await;
        assert_eq!(balance.expect("the token is accepted"), 0);
    }
}
