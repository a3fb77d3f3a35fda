//! One seed: many escrows at once, through workers that go on step by step in an order set by chance, die by
//! chance, on a network that errs by chance, until each has come to its end.

mod people;

use std::collections::{BTreeSet, VecDeque};

use amana_adapters::sim::When;
use amana_adapters::stellar::{Keypair, Stellar};
use amana_gateway::flows::escrow::Status;
use amana_ledger::id::{Clock, EscrowRef};
use amana_ledger::money::{Asset, decimal};
use amana_localnet::{Faults, Rates};
use amana_tests::ground::Ground;
use amana_tests::story::misbehaviours;
use amana_tests::world::World;
use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::hands::{Hand, Step, Work};
use super::outside::Errand;
use super::plan::{Act, Plan};

/// Workers at once, each a process. The last is the arbiter's.
const HANDS: usize = 4;
/// Steps an escrow needs at most, of all kinds: many times what is usual.
const MOST_STEPS: usize = 1_500;
/// How often each rule of the network's script strikes at most, for each five escrows.
const BUDGET: u32 = 5;

/// An escrow and what is still to be done about it.
pub(crate) struct Job {
    pub(crate) number: usize,
    pub(crate) plan: Plan,
    pub(crate) reference: EscrowRef,
    beginning: VecDeque<Act>,
    ending: Vec<VecDeque<Act>>,
    afterwards: VecDeque<Act>,
    errand: Option<(Act, Errand)>,
}

/// What came of a seed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    pub(crate) steps: usize,
    pub(crate) kills: usize,
    pub(crate) strikes: usize,
}

impl Told {
    /// Adds what came of another.
    pub(crate) fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.kills += other.kills;
        self.strikes += other.strikes;
    }
}

/// A seed under way.
pub(crate) struct Stage {
    pub(crate) ground: &'static Ground,
    pub(crate) world: World,
    pub(crate) jobs: Vec<Job>,
    dice: StdRng,
    hands: Vec<Hand>,
    /// Kinds of work that may find something to do. What is forgotten here is found when time goes by.
    wet: BTreeSet<Work>,
    /// How often in a row nothing was found.
    idle: u32,
    /// Whether time went by because nothing was found.
    is_quiet: bool,
    began: DateTime<Utc>,
    /// How many days went by on purpose.
    days: i64,
    stranger: Stellar,
    holders: Vec<Stellar>,
    seats: VecDeque<Keypair>,
    pub(crate) told: Told,
}

/// Kinds of work that come round all the time.
const ROUND: [Work; 6] = [Work::Judge, Work::Carry, Work::Carry, Work::Read, Work::Heed, Work::Say];

impl Stage {
    /// Raises the curtain.
    pub(crate) async fn new(seed: u64, escrows: usize) -> Self {
        let ground = Ground::here();
        let mut dice = StdRng::seed_from_u64(seed);
        let budget = BUDGET * u32::try_from(escrows.div_ceil(5)).unwrap();
        let script = Faults::random(seed, &Rates { budget, ..Rates::rough() });
        let world = ground.world(seed, script).await;
        let mut jobs = Vec::new();
        for number in 0..escrows {
            let plan = Plan::draw(&mut dice, ground.employers.len());
            let amount = decimal(Asset::Kes, plan.amount);
            let reference =
                world.open(&world.app, ground.employers[plan.employer], &amount).await.expect("it opens");
            jobs.push(Job {
                number,
                beginning: plan.beginning(&mut dice).into(),
                ending: plan.ending().into_iter().map(VecDeque::from).collect(),
                afterwards: plan.afterwards().into(),
                errand: None,
                plan,
                reference,
            });
        }
        let hands = (0..HANDS).map(|number| Hand::new(&world, number == HANDS - 1, None)).collect();
        let stranger = ground.stranger(&world, &Ground::seats()[0]);
        let holders = ground.holders.iter().map(|(_, key)| ground.stranger(&world, key)).collect();
        let (began, seats, told) = (world.clock.now(), Ground::seats().into(), Told::default());
        let (wet, idle, is_quiet) = (ROUND.into(), 0, false);
        Self {
            ground,
            world,
            jobs,
            dice,
            hands,
            wet,
            idle,
            is_quiet,
            began,
            days: 0,
            stranger,
            holders,
            seats,
            told,
        }
    }

    /// Plays it to its end, and lets the network get well.
    pub(crate) async fn play(&mut self) {
        let absent = self.dice.random_ratio(1, 3).then(|| self.dice.random_range(1..=10));
        let steps = self.dice.random_range(100..2_000);
        self.go_on(steps).await;
        if let Some(days) = absent {
            // The house is down for days, and the network forgets what happened meanwhile.
            self.pass(TimeDelta::days(days)).await;
        }
        self.until_over(0).await;
        for days in [15, 181] {
            if self.jobs.iter().any(|job| job.plan.days() == days) {
                self.pass(self.began + TimeDelta::days(days) - self.world.clock.now()).await;
                self.days = days;
                self.until_over(days).await;
            }
        }
        self.told.strikes = self.world.chain.strikes().await.len();
        self.world.chain.set_faults(Faults::default()).await.expect("no faults are no bad script");
        self.world.rail.behave_well();
        for _ in 0..3 {
            self.world.wait(TimeDelta::seconds(600)).await;
            self.world.rail.quiet().await;
        }
    }

    async fn pass(&mut self, by: TimeDelta) {
        self.world.clock.advance(by.max(TimeDelta::zero()));
        self.look_round().await;
    }

    /// What there may be to do now. Events come with ledgers, and ledgers with time.
    async fn look_round(&mut self) {
        let due = sqlx::query_as::<_, (bool, bool, bool, bool, bool)>(
            "select exists (select from inbox.callback where verdict is null and due_at <= $1),
                    exists (select from chain.intent i where status = 'open' and due_at <= $1
                            and (lease_until is null or lease_until <= $1) and op ->> 'op' <> 'resolve'
                            and not exists (select from chain.intent e where e.escrow = i.escrow
                                            and e.no < i.no and e.status = 'open')),
                    exists (select from chain.intent where status = 'refused' and not heeded),
                    exists (select from outbox.message where done_at is null and due_at <= $1),
                    exists (select from chain.intent where status = 'open' and due_at <= $1
                            and op ->> 'op' = 'resolve')",
        );
        let due = due.bind(self.world.clock.now()).fetch_one(&self.world.database.owner).await;
        let (judge, carry, heed, say, decide) = due.expect("it reads");
        let kinds = [
            (Work::Judge, judge),
            (Work::Carry, carry),
            (Work::Heed, heed),
            (Work::Say, say),
            (Work::Decide, decide),
        ];
        self.wet = kinds.into_iter().filter_map(|(work, is_due)| is_due.then_some(work)).collect();
        self.wet.insert(Work::Read);
    }

    async fn go_on(&mut self, steps: usize) {
        for _ in 0..steps {
            self.step().await;
        }
    }

    /// Goes on until all is over that needs no more than so many days.
    async fn until_over(&mut self, days: i64) {
        let until = self.told.steps + MOST_STEPS * self.jobs.len();
        loop {
            self.step().await;
            if std::mem::take(&mut self.is_quiet) && self.left(days).await.is_none() {
                return;
            }
            if self.told.steps > until {
                let left = self.left(days).await.unwrap_or_default();
                panic!("it comes to no end: {left}\n{}", self.trouble().await);
            }
        }
    }

    /// One thing happens.
    async fn step(&mut self) {
        self.told.steps += 1;
        match self.dice.random_range(0..400) {
            0..40 => self.somebody().await,
            40..44 => self.kill(),
            44 => self.work(Some(Work::Reconcile)).await,
            45 | 46 => {
                let how = misbehaviours().choose(&mut self.dice).expect("there are some").clone();
                self.world.rail.behave(When::Next(1), how);
            }
            _ => self.work(None).await,
        }
        // What the rail does by itself is done before anybody goes on.
        self.world.rail.quiet().await;
    }

    /// A process is gone between two of its steps, and another takes its place, which may die in its turn.
    fn kill(&mut self) {
        let dies = self.dice.random_bool(0.5).then(|| self.dice.random_range(0..6));
        let number = self.dice.random_range(0..HANDS);
        self.hands[number] = Hand::new(&self.world, number == HANDS - 1, dies);
        self.told.kills += 1;
    }

    /// A worker goes on with what it is at, or takes something up.
    async fn work(&mut self, special: Option<Work>) {
        let number = self.dice.random_range(0..HANDS);
        if self.hands[number].is_free() {
            let round = if self.hands[number].is_arbiter() { &[Work::Decide][..] } else { &ROUND };
            let wet: Vec<Work> = round.iter().copied().filter(|work| self.wet.contains(work)).collect();
            let work = special.or_else(|| wet.choose(&mut self.dice).copied());
            let Some(work) = work else {
                if self.wet.is_empty() && self.hands.iter().all(Hand::is_free) {
                    match self.dice.random_ratio(1, 3) {
                        true => self.nothing_to_do().await,
                        false => self.somebody().await,
                    }
                }
                return;
            };
            self.hands[number].take(work);
        }
        match self.hands[number].step().await {
            Step::Under => {}
            Step::Over(work, true) => {
                self.idle = 0;
                self.wet.extend(work.leads_to());
            }
            Step::Over(work, false) | Step::Outside(work) => {
                self.wet.remove(&work);
            }
            Step::Died => {
                self.hands[number] = Hand::new(&self.world, number == HANDS - 1, None);
                self.told.kills += 1;
            }
        }
    }

    /// Time goes by: about a ledger, and more when nothing happens for long.
    async fn nothing_to_do(&mut self) {
        let most = 30i64 << self.idle.saturating_sub(8).min(8);
        self.idle += 1;
        self.is_quiet = true;
        let seconds = self.dice.random_range(5..=most);
        self.pass(TimeDelta::seconds(seconds)).await;
    }

    /// Something that is not over yet, though it needs no more than so many days.
    async fn left(&self, days: i64) -> Option<String> {
        let due = |job: &&Job| job.plan.days() <= days;
        let more = |job: &&Job| !job.beginning.is_empty() || due(job) && !job.afterwards.is_empty();
        if let Some(job) = self.jobs.iter().find(more) {
            return Some(format!("{} has more to come", job.number));
        }
        for (what, sql) in OPEN {
            let soon = self.world.clock.now() + TimeDelta::days(1);
            let count = sqlx::query_scalar::<_, i64>(sql).bind(soon);
            let count = count.fetch_one(&self.world.database.owner).await.expect("it counts");
            if count > 0 {
                return Some(format!("{count} {what}"));
            }
        }
        for job in self.jobs.iter().filter(due) {
            let status = self.status(&job.reference).await;
            if !ended(&status) || status == "cancelled" && self.cancelling(&job.reference).await {
                return Some(format!("{} {:?} is {status}", job.number, job.plan));
            }
        }
        None
    }

    /// What a person would look at: wishes that are not done, and events from which nothing followed.
    async fn trouble(&self) -> String {
        let lines = sqlx::query_scalar::<_, String>(
            "select concat_ws(' ', escrow, key, status, tries, due_at, reason) from chain.intent
             where status <> 'done'
             union all select concat_ws(' ', escrow, kind, ledger, refused) from chain.event
             where refused is not null
             union all select concat_ws(' ', escrow, reference, state) from flow.payout
             where state ->> 'is' <> 'settled'",
        );
        lines.fetch_all(&self.world.database.owner).await.expect("it reads").join("\n")
    }

    /// Where an escrow stands, in the house's word.
    async fn status(&self, reference: &EscrowRef) -> String {
        let status = sqlx::query_scalar("select status from flow.escrow where reference = $1");
        status.bind(reference.as_str()).fetch_one(&self.world.database.owner).await.expect("it reads")
    }

    async fn cancelling(&self, reference: &EscrowRef) -> bool {
        self.world.chain_events(reference, "cancelled").await == 0
    }
}

/// What may be under way, by the name it has in a failure.
const OPEN: [(&str, &str); 4] = [
    ("wishes", "select count(*) from chain.intent where status = 'open' and due_at <= $1"),
    ("messages", "select count(*) from outbox.message where done_at is null and created_at <= $1"),
    ("callbacks", "select count(*) from inbox.callback where verdict is null and heard_at <= $1"),
    ("payouts", "select count(*) from flow.payout where state ->> 'is' <> 'settled' and created_at <= $1"),
];

fn ended(status: &str) -> bool {
    [Status::Released, Status::Refunded, Status::Resolved, Status::Cancelled]
        .map(Status::word)
        .contains(&status)
}

impl Job {
    /// This was done; it is not to be done again.
    fn done(&mut self, act: Act) {
        if self.beginning.front() == Some(&act) {
            self.beginning.pop_front();
        } else if let Some(arm) = self.ending.iter_mut().find(|arm| arm.front() == Some(&act)) {
            arm.pop_front();
        } else if self.afterwards.front() == Some(&act) {
            self.afterwards.pop_front();
        }
        self.ending.retain(|arm| !arm.is_empty());
    }
}
