//! Whether everything came to its one right end: what each plan says beside what the chain, the rail and the
//! books show.

use std::collections::BTreeMap;

use amana_adapters::port::PayoutState;
use amana_adapters::stellar::EscrowState;
use amana_gateway::flows::escrow::Status;
use amana_gateway::flows::pay;
use amana_gateway::flows::payout::Purpose;
use amana_gateway::recon;
use amana_ledger::money::{Asset, decimal};
use amana_tests::ground::RAIL_FEE;
use amana_tests::world::{RAIL_FLOAT, World};

use super::plan::{Left, Payee, Right};
use super::play::{Job, Stage};

/// Proves it.
pub(crate) async fn right(stage: &Stage) {
    let world = &stage.world;
    let mut sums = Sums::default();
    for job in &stage.jobs {
        let seen = seen(world, job).await;
        let rights = job.plan.rights();
        let right = rights.iter().find(|(right, _)| *right == seen);
        let (right, left) =
            right.unwrap_or_else(|| panic!("{} {:?}\nis {seen:?}\nnot {rights:?}", job.number, job.plan));
        sums.add(job, right, left);
    }
    sums.prove(stage).await;
    for (what, sql) in NONE {
        let count = sqlx::query_scalar::<_, i64>(sql).fetch_one(&world.database.owner).await.unwrap();
        assert_eq!(count, 0, "{what}");
    }
    let pass = recon::pass(&world.app).await.unwrap().expect("the index comes along");
    assert_eq!((pass.escrows, pass.open), (stage.jobs.len(), vec![]));
    world.sound().await;
}

/// What there must be none of in the end.
const NONE: [(&str, &str); 7] = [
    ("open wishes", "select count(*) from chain.intent where status = 'open'"),
    ("open attempts", "select count(*) from chain.attempt where status = 'open'"),
    ("busy channels", "select count(*) from chain.channel where lease_until is not null"),
    ("unsaid messages", "select count(*) from outbox.message where outcome is distinct from 'done'"),
    (
        "unjudged callbacks",
        "select count(*) from inbox.callback where verdict not in ('booked', 'duplicate')
      or verdict is null",
    ),
    ("events that contradict", "select count(*) from chain.event where refused is not null"),
    ("breaks that were found", "select count(*) from recon.break"),
];

/// An escrow as chain and rail show it, beside what the house says.
async fn seen(world: &World, job: &Job) -> Right {
    let reference = &job.reference;
    let shown = world.app.chain.escrow(&reference.key()).await.unwrap().expect("it is on the chain");
    let status = match shown.state {
        EscrowState::Released => Status::Released,
        EscrowState::Refunded => Status::Refunded,
        EscrowState::Resolved => Status::Resolved,
        EscrowState::Cancelled => Status::Cancelled,
        other => panic!("{} {:?} is {other:?} on the chain", job.number, job.plan),
    };
    assert_eq!(world.state(reference).await.status(), status, "{}: chain and house", job.number);
    let mut tx = world.app.db.begin().await.unwrap();
    let payouts = pay::of_escrow(&mut tx, reference).await.unwrap();
    drop(tx);
    let (mut paid, mut refunds) = (None, Vec::new());
    for payout in payouts {
        let name = &payout.terms.reference;
        let ours: Vec<_> = world.rail.payouts().into_iter().filter(|paid| &paid.reference == name).collect();
        assert_eq!(ours.len(), 1, "{}: the rail knows one payout", job.number);
        assert_eq!(ours[0].state, PayoutState::Completed, "{}", job.number);
        assert_eq!(ours[0].money, payout.terms.amount, "{}", job.number);
        match payout.terms.purpose {
            Purpose::Wage => {
                assert_eq!(paid.replace(payout.terms.amount.minor()), None, "{}: paid once", job.number);
            }
            Purpose::Refund { .. } => refunds.push(payout.terms.amount.minor()),
        }
    }
    refunds.sort_unstable();
    let said = sqlx::query_as::<_, (String, i64)>(
        "select kind, count(*) from chain.event where escrow = $1 and not contained group by kind",
    );
    let said = said.bind(reference.as_str()).fetch_all(&world.database.owner).await.unwrap();
    let word = |kind: String| KINDS.into_iter().find(|known| *known == kind).expect("a kind of event");
    let mut events: Vec<_> = said.into_iter().map(|(kind, times)| (word(kind), times)).collect();
    events.sort_unstable();
    Right {
        state: shown.state,
        funded: shown.funded,
        to_payee: shown.to_payee,
        fee: shown.fee,
        vault: shown.vault,
        paid,
        refunds,
        events,
    }
}

/// What the chain may say of an escrow of ours.
const KINDS: [&str; 9] =
    ["assigned", "burned", "cancelled", "created", "disputed", "funded", "refunded", "released", "resolved"];

/// What all ends together leave.
#[derive(Default)]
struct Sums {
    employers: BTreeMap<usize, i64>,
    employees: BTreeMap<usize, i64>,
    holders: BTreeMap<usize, i64>,
    held: BTreeMap<usize, i64>,
    paid_in: i64,
    paid: i64,
    payouts: i64,
    supply: i64,
}

impl Sums {
    fn add(&mut self, job: &Job, right: &Right, left: &Left) {
        *self.employers.entry(job.plan.employer).or_default() += left.employer;
        match job.plan.payee {
            Payee::Phone(number) => *self.employees.entry(number).or_default() += left.payee,
            Payee::Account(number) => {
                *self.holders.entry(number).or_default() += left.payee;
                *self.held.entry(number).or_default() += left.held;
            }
        }
        self.paid_in += job.plan.parts.iter().sum::<i64>();
        self.paid += right.paid.iter().chain(&right.refunds).sum::<i64>();
        self.payouts += i64::try_from(right.paid.iter().chain(&right.refunds).count()).unwrap();
        // Minted and not burned: what a vault or an account still holds.
        self.supply += right.vault + left.held;
    }

    /// Lays it beside the books, the rail and the chain.
    async fn prove(&self, stage: &Stage) {
        let (world, ground) = (&stage.world, stage.ground);
        let books = async |path: String, minor: i64| {
            assert_eq!(world.balance(&path).await, decimal(Asset::Kes, minor), "{path}");
        };
        let none = 0;
        for number in 0..ground.employers.len() {
            let of = |sums: &BTreeMap<usize, i64>| *sums.get(&number).unwrap_or(&none);
            books(format!("employer:{}", ground.employers[number]), of(&self.employers)).await;
            books(format!("employee:{}", ground.employees[number]), of(&self.employees)).await;
            books(format!("employee:{}", ground.holders[number].0), of(&self.holders)).await;
            let held = world.app.chain.token_balance(&ground.holders[number].1.address()).await.unwrap();
            assert_eq!(held, of(&self.held), "tokens of holder {number}");
        }
        for job in &stage.jobs {
            books(format!("escrow:{}", job.reference), 0).await;
        }
        let spent = self.paid + self.payouts * RAIL_FEE;
        books("float:mpesa:600111".into(), self.paid_in).await;
        books("float:intersend".into(), RAIL_FLOAT - spent).await;
        assert_eq!(world.rail.float(), RAIL_FLOAT - spent, "what the rail has of ours");
        assert_eq!(i64::try_from(world.rail.payouts().len()).unwrap(), self.payouts, "no other payout");
        books("onchain:supply".into(), self.supply).await;
        books("onchain:issued".into(), self.supply).await;
        books("clearing:mint".into(), 0).await;
        books("clearing:burn".into(), 0).await;
        let totals = world.app.chain.totals().await.unwrap();
        assert_eq!(totals.supply(), self.supply, "what the contract counts");
    }
}
