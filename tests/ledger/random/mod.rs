//! Random requests against the obviously right ledger: everything in the mix, book by book, and from many
//! connections at once.
//!
//! A run that fails names its seed; put into `ONLY`, it is run alone.

mod many;
pub(crate) mod mix;

use std::collections::BTreeMap;
use std::sync::Arc;

use amana_ledger::balance::{self, Balance, Wanted};
use amana_ledger::chart::{BookId, Side};
use amana_ledger::journal::{self, Posted};
use amana_ledger::poster::{Answers, Nothing, Poster};
use amana_ledger::rules::Intent;
use amana_ledger::transfer::{Rejection, Transfer};
use amana_tests::naive::{Answer, Line, Naive, Phase};
use chrono::TimeDelta;
use tokio::task::JoinSet;

use crate::ground::{Ground, NOON, Seeded, Told};
use mix::{Both, DAY, Mix, Which, at, id, paths};

/// Operations of one book, and how many books: 100,000 together, and never fewer.
const STEPS: u64 = 76;
const BOOKS: u64 = 128;
const OPERATIONS: u64 = 100_000;
/// A seed to be run alone.
const ONLY: Option<u64> = None;

/// What was answered how often, and how many operations that were.
type Seen = BTreeMap<String, u64>;

/// One book and its model.
struct Run {
    ground: Arc<Ground>,
    clock: Arc<Told>,
    /// The other door to the same book, which remembers what it wrote and must notice what it did not.
    poster: Poster,
    mix: Mix,
    naive: Naive,
    rng: Seeded,
    /// The greatest number that was used.
    number: u64,
    /// Groups that were asked for before.
    groups: Vec<Vec<Which>>,
    /// First ones of linked sets with holds.
    sets: Vec<u64>,
    seen: Seen,
}

/// The ledger's answer in the model's words.
fn answer(answer: &Result<Posted, Rejection>, known: impl Fn(&Posted) -> u64) -> Answer {
    match answer {
        Ok(Posted::New(_)) => Answer::New,
        Ok(replayed) => Answer::Replayed(known(replayed)),
        Err(rejection) => Answer::Refused(word(rejection)),
    }
}

/// The name of a rejection, as it is written in the code.
fn word(rejection: &Rejection) -> &'static str {
    let said = format!("{rejection:?}");
    let name = said.split([' ', '{']).next();
    WORDS.into_iter().find(|word| Some(*word) == name).unwrap_or("another")
}

fn number_of(posted: &Posted) -> u64 {
    posted.receipt().transfer.0.as_u64_pair().1 & 0x7fff_ffff_ffff_ffff
}

fn four(balance: &Balance) -> (String, [i64; 4]) {
    let totals = balance.totals;
    let four = [totals.debits_posted, totals.credits_posted, totals.debits_pending, totals.credits_pending];
    (balance.account.path(), four)
}

impl Run {
    async fn new(ground: Arc<Ground>, seed: u64) -> Self {
        let book = ground.open(&format!("seed_{seed}:KES")).await;
        let (rng, naive) = (Seeded::of(seed), Naive::at(NOON, paths()));
        let (clock, mix) = (Arc::new(Told::noon()), Mix::new(&book, seed));
        let (poster, _) = Poster::open(&ground.db.app.connect_options(), clock.clone(), &book, Nothing);
        let (groups, sets, seen) = (Vec::new(), Vec::new(), Seen::new());
        Self { ground, clock, poster, mix, naive, rng, number: 0, groups, sets, seen }
    }

    fn seed(&self) -> u64 {
        self.mix.seed
    }

    fn count(&mut self, answer: &Answer) {
        let word = match answer {
            Answer::New => "New",
            Answer::Replayed(_) => "Replayed",
            Answer::Refused(word) => word,
        };
        *self.seen.entry(word.to_owned()).or_default() += 1;
    }

    fn next(&mut self) -> Which {
        self.number += 1;
        Which::of(self.number)
    }

    /// A new request mostly, and sometimes one that was made before, as it was or another under its name.
    fn which(&mut self) -> Which {
        if self.rng.below(9) > 0 || self.number == 0 {
            return self.next();
        }
        let number = 1 + self.number - (1 + self.rng.below(12)).min(self.number);
        let retried = (self.rng.below(3) == 0).then(|| self.next().number);
        Which { number, hold: false, twisted: self.rng.below(3) == 0, id: retried }
    }

    async fn step(&mut self) {
        self.naive.batch += 1;
        match self.rng.below(24) {
            0..11 => {
                let many = 1 + self.rng.below(42);
                let batch: Vec<Which> = (0..many).map(|_| self.which()).collect();
                self.post(&batch, false).await;
            }
            11..13 => {
                let one = self.which();
                self.post(&[one], false).await;
            }
            13..20 => {
                let group = self.group();
                self.post(&group, true).await;
            }
            20..22 => self.limit().await,
            22 => self.close().await,
            _ => self.void_linked().await,
        }
        if self.rng.below(2) == 0 {
            let by = 1 + self.rng.below(9 * 3_600_000_000).cast_signed();
            self.clock.forward(TimeDelta::microseconds(by));
            self.naive.now += by;
        }
    }

    /// Linked transfers: new ones, several holds, or a group of before, whole, in part, or with one more.
    fn group(&mut self) -> Vec<Which> {
        if !self.groups.is_empty() && self.rng.below(5) == 0 {
            let at = self.rng.below(self.groups.len() as u64) as usize;
            let mut group = self.groups[at].clone();
            match self.rng.below(4) {
                0 => group.truncate(group.len() - 1),
                1 => group.push(self.next()),
                _ => {}
            }
            return group;
        }
        let (many, holds) = (2 + self.rng.below(4), self.rng.below(3) == 0);
        let mut group: Vec<Which> = (0..many).map(|_| Which { hold: holds, ..self.next() }).collect();
        if self.rng.below(12) == 0 {
            group[1] = group[0];
        }
        self.groups.push(group.clone());
        group
    }

    async fn post(&mut self, batch: &[Which], linked: bool) {
        let batch: Vec<Both> = batch.iter().map(|which| self.mix.request(*which)).collect();
        self.ask(&batch, linked).await;
    }

    async fn ask(&mut self, batch: &[Both], linked: bool) {
        let transfers: Vec<Transfer> = batch.iter().map(|both| both.transfer.clone()).collect();
        let models: Vec<_> = batch.iter().map(|both| both.model.clone()).collect();
        let ought = match linked {
            true => self.naive.ask_linked(&models),
            false => models.iter().map(|request| self.naive.ask(request)).collect(),
        };
        let answers = self.through_a_door(transfers, linked).await;
        assert_eq!(answers.len(), ought.len());
        for ((request, got), ought) in models.iter().zip(&answers).zip(&ought) {
            assert_eq!(answer(got, number_of), *ought, "seed {}: {request:?}: {got:?}", self.seed());
            if let Ok(posted) = got {
                let balances: Vec<_> = posted.receipt().balances.iter().map(four).collect();
                assert_eq!(balances, self.naive.receipt(number_of(posted)), "seed {}", self.seed());
            }
            self.count(ought);
        }
        if linked && ought.len() > 1 && ought.iter().all(|answer| *answer == Answer::New) {
            self.sets.push(models[0].id);
        }
    }

    async fn through_a_door(&self, transfers: Vec<Transfer>, linked: bool) -> Answers {
        match (self.rng.below(2) == 0, linked) {
            (true, true) => return self.poster.post_linked(transfers).await.unwrap(),
            (true, false) => return self.poster.post_all(transfers).await.unwrap(),
            _ => {}
        }
        let mut tx = self.ground.db.app.begin().await.unwrap();
        let (clock, book) = (&*self.clock, &self.mix.book);
        let answers = match linked {
            true => journal::post_linked(&mut tx, clock, book, &transfers).await.unwrap(),
            false => journal::post(&mut tx, clock, book, &transfers).await.unwrap(),
        };
        tx.commit().await.unwrap();
        answers
    }

    async fn limit(&mut self) {
        let (place, model, limit) = self.mix.limit(&self.rng);
        let ought = self.naive.limit(place, &model);
        let mut tx = self.ground.db.app.begin().await.unwrap();
        let account = self.mix.account(place);
        let got = journal::limit(&mut tx, &*self.clock, &self.mix.book, account, &limit).await.unwrap();
        tx.commit().await.unwrap();
        self.ruled(got, &ought);
    }

    async fn close(&mut self) {
        let before = self.naive.now - 9 * DAY + self.rng.below(12 * DAY.cast_unsigned()).cast_signed();
        let before = if self.rng.below(4) == 0 { before } else { before.min(self.naive.now - 4 * DAY) };
        let ought = self.naive.close(before);
        let mut tx = self.ground.db.app.begin().await.unwrap();
        let got = journal::close(&mut tx, &*self.clock, &self.mix.book, at(before)).await.unwrap();
        tx.commit().await.unwrap();
        self.ruled(got, &ought);
    }

    fn ruled(&mut self, got: Result<bool, Rejection>, ought: &Answer) {
        let got = match got {
            Ok(true) => Answer::New,
            Ok(false) => Answer::Replayed(0),
            Err(rejection) => Answer::Refused(word(&rejection)),
        };
        assert_eq!(got, *ought, "seed {}", self.seed());
        self.count(ought);
    }

    /// Frees every hold that a linked set opened, or none.
    async fn void_linked(&mut self) {
        let Some(&first) = self.sets.last() else { return };
        let open = self.naive.open_of(first);
        let voids: Vec<Both> = open
            .iter()
            .map(|&hold| {
                let number = self.next().number;
                self.mix.void(number, hold)
            })
            .collect();
        let models: Vec<_> = voids.iter().map(|both| both.model.clone()).collect();
        let ought = if models.is_empty() { Vec::new() } else { self.naive.ask_linked(&models) };
        let book = self.mix.book.clone();
        let intent = |hold| {
            let at = open.iter().position(|&open| id(open) == hold).expect("it is open");
            Intent::minted(id(models[at].id), &book)
        };
        let mut tx = self.ground.db.app.begin().await.unwrap();
        let answers = journal::void_linked(&mut tx, &*self.clock, &book, id(first), intent).await.unwrap();
        tx.commit().await.unwrap();
        let got: Vec<Answer> = answers.iter().map(|got| answer(got, number_of)).collect();
        assert_eq!(got, ought, "seed {}", self.seed());
        ought.iter().for_each(|answer| self.count(answer));
        *self.seen.entry("void_linked".to_owned()).or_default() += ought.len() as u64;
        self.sets.pop();
    }

    /// Balances as of any instant, as known at any other.
    async fn look_back(&self) {
        let mut conn = self.ground.db.app.acquire().await.unwrap();
        let span = (self.naive.now - NOON + 8 * DAY).cast_unsigned();
        let any = || NOON - 7 * DAY + self.rng.below(span).cast_signed();
        for _ in 0..3 {
            let place = self.rng.below(paths().len() as u64) as usize;
            let landed = self.naive.landed();
            // Half of the instants are those at which something happened: there an off-by-one would show.
            let exact = landed.get(self.rng.below(1 + 2 * landed.len() as u64) as usize);
            let (of, known) = (exact.map_or_else(any, |landed| landed.effective), any());
            let account = self.mix.account(place);
            let got = balance::as_of(&mut conn, &self.mix.book, account, at(of), at(known)).await.unwrap();
            let ought = self.naive.as_of(place, of, known);
            assert_eq!([got.debits, got.credits], ought, "seed {}: {account} {of} {known}", self.seed());
        }
    }

    /// What the book learned between two instants, the whole book as of one of them, and what is found by
    /// what was said of it.
    async fn look_wide(&self) {
        let mut conn = self.ground.db.app.acquire().await.unwrap();
        let (conn, book, naive) = (&mut *conn, &self.mix.book, &self.naive);
        let span = (naive.now - NOON + 8 * DAY).cast_unsigned();
        let any = || NOON - 7 * DAY + self.rng.below(span).cast_signed();
        let (of, mut known) = (any(), [any(), any()]);
        known.sort_unstable();
        let seed = self.seed();
        let differences = balance::difference(conn, book, at(of), known.map(at)).await.unwrap();
        let trial = balance::trial_as_of(conn, book, at(of), at(known[1])).await.unwrap();
        for (place, path) in paths().into_iter().enumerate() {
            let [before, after] = known.map(|known| naive.as_of(place, of, known));
            let different = differences.iter().find(|one| one.before.account.path() == path);
            let two = |one: &balance::Difference| {
                [&one.before, &one.after].map(|standing| [standing.debits, standing.credits])
            };
            let ought = (before != after).then_some([before, after]);
            assert_eq!(different.map(two), ought, "seed {seed}: {path} {of} {known:?}");
            let line = trial.iter().find(|line| line.account.path() == path);
            let stood = line.map_or([0, 0], |line| [line.debits, line.credits]);
            assert_eq!(stood, after, "seed {seed}: {path} {of} {known:?}");
        }
        let pair = ("job".to_owned(), self.rng.below(5).to_string());
        let found = balance::by_metadata(conn, book, ["job", &pair.1], None, 1_000).await.unwrap();
        let said = naive.landed().iter().filter(|landed| landed.request.asked.metadata.contains(&pair));
        let mut said: Vec<u64> = said.map(|landed| landed.request.id).collect();
        said.sort_unstable();
        let found: Vec<_> = found.into_iter().map(|transfer| transfer.id).collect();
        assert_eq!(found, said.into_iter().map(id).collect::<Vec<_>>(), "seed {seed}");
    }

    /// A statement of any account, any span, in pages of any size, from either end.
    async fn look_closely(&self) {
        let mut conn = self.ground.db.app.acquire().await.unwrap();
        let span = (self.naive.now - NOON + DAY).cast_unsigned();
        let any = || NOON + self.rng.below(span).cast_signed();
        let (place, mut ends) = (self.rng.below(paths().len() as u64) as usize, [any(), any()]);
        ends.sort_unstable();
        let (opening, mut ought) = self.naive.statement(place, ends);
        let closing = ought.last().map_or(opening, |(.., stands)| *stands);
        let newest_first = self.rng.below(2) == 0;
        let (beyond, limit) = (None, 9 + self.rng.below(60) as u32);
        let mut wanted = Wanted { from: at(ends[0]), to: at(ends[1]), newest_first, beyond, limit };
        let mut lines: Vec<Line> = Vec::new();
        loop {
            let account = self.mix.account(place);
            let page = balance::page(&mut conn, &self.mix.book, account, &wanted).await.unwrap();
            assert_eq!((page.opening, page.closing), (opening, closing), "seed {}", self.seed());
            lines.extend(page.lines.iter().map(|line| {
                let phase = PHASES.into_iter().find(|(word, _)| *word == line.phase).unwrap().1;
                (line.no, phase, line.side == Side::Debit, line.amount.minor(), line.balance)
            }));
            wanted.beyond = page.next;
            if page.next.is_none() {
                break;
            }
        }
        if newest_first {
            ought.reverse();
        }
        assert_eq!(lines, ought, "seed {}: {} {ends:?}", self.seed(), paths()[place]);
    }

    /// Balances in the ledger are those of the model.
    async fn agree(&self) {
        agree(&self.ground, &self.mix.book, &self.naive).await;
    }
}

async fn agree(ground: &Ground, book: &BookId, naive: &Naive) {
    let mut conn = ground.db.app.acquire().await.unwrap();
    let trial = balance::trial_balance(&mut conn, book).await.unwrap();
    assert_eq!(trial.debits, trial.credits);
    let stands: Vec<_> = trial.lines.iter().map(four).collect();
    assert_eq!(stands, naive.balances(), "{book}");
}

async fn run(ground: Arc<Ground>, seed: u64) -> Seen {
    let mut run = Run::new(ground, seed).await;
    for step in 0..STEPS {
        run.step().await;
        if step % 12 == 11 {
            run.look_back().await;
            run.look_wide().await;
            run.look_closely().await;
        }
    }
    run.agree().await;
    run.seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ledger_answers_as_the_model_does() {
    let ground = Arc::new(Ground::new().await);
    let mut left: Vec<u64> = ONLY.map_or_else(|| (1..=BOOKS).collect(), |seed| vec![seed]);
    let (mut runs, mut seen) = (JoinSet::new(), Seen::new());
    while !(left.is_empty() && runs.is_empty()) {
        while runs.len() < 6 && !left.is_empty() {
            runs.spawn(run(ground.clone(), left.remove(0)));
        }
        for (word, times) in runs.join_next().await.unwrap().unwrap() {
            *seen.entry(word).or_default() += times;
        }
    }
    ground.audited().await;
    println!("{seen:?}");
    if ONLY.is_none() {
        assert!(seen.values().sum::<u64>() >= OPERATIONS, "{seen:?}");
        // A run that never meets a refusal shows nothing about it.
        for word in WORDS {
            assert!(seen.get(word).is_some_and(|times| *times >= 10), "{word}: {seen:?}");
        }
    }
}

const PHASES: [(&str, Phase); 4] =
    [("post", Phase::Post), ("hold", Phase::Hold), ("settle", Phase::Settle), ("void", Phase::Void)];

/// Every answer there is, but that of a book that was never opened.
const WORDS: [&str; 26] = [
    "New",
    "Replayed",
    "void_linked",
    "WrongBook",
    "WrongAsset",
    "NothingToPost",
    "SameAccount",
    "Overdraft",
    "TooLarge",
    "KeyReused",
    "IdReused",
    "AlreadyCounted",
    "UnknownHold",
    "HoldClosed",
    "HoldExceeded",
    "HoldDue",
    "HoldNotDue",
    "UnknownTransfer",
    "AlreadyReversed",
    "NotReversible",
    "Linked",
    "PartLanded",
    "LimitExceeded",
    "FloorTooHigh",
    "PeriodClosed",
    "PeriodNotOver",
];
