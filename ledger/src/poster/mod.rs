//! The write door for traffic: callers queue their transfers, and what queued while one batch was written is
//! the next batch. No timer, no lease: one task owns a book's balances in memory, executes in order, and only
//! appends.
//!
//! # Phases of a batch
//!
//! | phase | where | what |
//! | --- | --- | --- |
//! | gather | owner | everything that waits, up to [`LIMIT`] transfers |
//! | know | database, if any | accounts not seen yet; ids at or below the horizon; holds and the like |
//! | execute | owner | one answer a transfer, rows, the seal; memory goes on to what stands after it |
//! | begin | database | by `COPY`, postings, while the batch before is still being committed |
//! | end | database | the book's lock, chunks, what callers attached, commit: in order of the batches |
//! | answer | owner | callers hear, only now |
//!
//! # Several owners
//!
//! Nobody leases a book. Whoever writes another batch first wins by the primary key of the batch number; the
//! loser forgets what it knew, reads again and executes again, so a process that slept for a minute wakes to
//! nothing worse than a lost batch. The same way out serves a lost connection: whether the commit came
//! through is found by executing again, since what landed answers as replayed. For a while after a loss it
//! takes the lock first ([`CONTESTED`]), so that two who are both busy write in turn.
//!
//! Invariant: what was answered is committed, and is never answered before. Absent: durability of the queue.
//! A caller that got no answer asks again under the same id.

mod flight;
mod job;
mod memory;

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::batch::{Batch, GENESIS, Outcome, seal};
pub use crate::batch::{Posted, Receipt};
use crate::chart::BookId;
use crate::id::Clock;
use crate::store::write::Draft;
use crate::store::{Constraint, Fault, know, read};
use crate::transfer::{Rejection, Transfer};
use flight::{Answer, Cargo, End, Flight, Landed};
use job::Job;
use memory::Memory;

/// The most transfers of one batch. More gains nothing: from 8,192 on the work a transfer is the same.
const LIMIT: usize = 8_192;
/// From so many waiting transfers on the next batch begins before the last is committed.
const EARLY: usize = 128;
/// From so many on even before the one before the last is.
const THIRD: usize = 2_048;
/// How often an owner looks in vain whether callers that were just answered come again: some microseconds in
/// all.
const PATIENCE: u32 = 64;
/// How many callers may wait before the next one waits to be let in.
const QUEUE: usize = 65_536;
/// For so many batches after it lost one to another owner, an owner takes the book's lock before it reads,
/// and begins none early. Lost batches are wasted work, and whoever reads before the lock while the other
/// goes on from memory could lose for ever; those who wait for the lock get it in turn.
const CONTESTED: u32 = 32;
/// How often a batch is tried again before its callers hear of the fault: half a minute, in which a database
/// that was killed is up again.
const TRIES: u32 = 120;
/// The longest wait between two tries, and so the longest time it takes to notice that the database is back.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// What a caller hears of each of its transfers.
pub type Answers = Vec<Result<Posted, Rejection>>;

/// Rows of the callers' own, committed with the transfers they came with.
pub trait Attach: Send + Sync + 'static {
    /// What comes with the transfers of one caller.
    type Item: Send + Sync + 'static;

    /// Writes what came with transfers that landed now, in a number of statements that does not depend on how
    /// many they are. The places it answers with are refused: their transfers must not land after all, and
    /// the batch is executed again without them.
    fn attach(
        &self,
        conn: &mut PgConnection,
        landed: &[(&Self::Item, Vec<&Receipt>)],
    ) -> impl Future<Output = Result<Vec<usize>, Fault>> + Send;
}

/// For callers that have no rows of their own.
#[derive(Clone, Copy, Debug)]
pub struct Nothing;

impl Attach for Nothing {
    type Item = ();

    async fn attach(&self, _: &mut PgConnection, _: &[(&(), Vec<&Receipt>)]) -> Result<Vec<usize>, Fault> {
        Ok(Vec::new())
    }
}

/// A batch as it was executed: the connection it goes by, answers, rows, and the numbers of the book and of
/// the batch before.
type Executed = (PgConnection, Vec<Vec<Answer>>, Option<Draft>, (i32, i64));

/// A door to one book; clones lead to the same owner.
#[derive(Debug)]
pub struct Poster<A: Attach = Nothing> {
    queue: mpsc::Sender<Job<A::Item>>,
}

impl<A: Attach> Clone for Poster<A> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}

impl<A: Attach> Poster<A> {
    /// Begins to own a book. The task ends when the last clone of the door is gone and all is answered.
    pub fn open(
        options: &PgConnectOptions,
        clock: Arc<dyn Clock>,
        book: &BookId,
        attach: A,
    ) -> (Self, JoinHandle<()>) {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let owner = Owner {
            options: connection(options),
            clock,
            book: book.clone(),
            attach: Arc::new(attach),
            jobs,
            waiting: VecDeque::new(),
            weight: 0,
            tangled: 0,
            flights: VecDeque::new(),
            idle: Vec::new(),
            memory: None,
            tries: 0,
            alone: 0,
            contested: 0,
            answered: 0,
        };
        (Self { queue }, tokio::spawn(owner.run()))
    }

    /// Posts one transfer.
    ///
    /// # Errors
    /// The inner error is a refusal; the outer one a fault, after which the same transfer may be posted
    /// again.
    pub async fn post(&self, transfer: Transfer) -> Result<Result<Posted, Rejection>, Fault> {
        let answers = self.ask(vec![transfer], false, None).await?;
        answers.into_iter().next().ok_or(Fault::Unreadable("a batch of one has no answer"))
    }

    /// Posts several, each on its own, in order.
    ///
    /// # Errors
    /// As [`Poster::post`].
    pub async fn post_all(&self, transfers: Vec<Transfer>) -> Result<Answers, Fault> {
        self.ask(transfers, false, None).await
    }

    /// Posts several that land together or not at all.
    ///
    /// # Errors
    /// As [`Poster::post`].
    pub async fn post_linked(&self, transfers: Vec<Transfer>) -> Result<Answers, Fault> {
        self.ask(transfers, true, None).await
    }

    /// Posts several that land together or not at all, and with them what [`Attach`] makes of an item.
    ///
    /// # Errors
    /// As [`Poster::post`].
    pub async fn post_with(&self, transfers: Vec<Transfer>, item: A::Item) -> Result<Answers, Fault> {
        self.ask(transfers, true, Some(item)).await
    }

    async fn ask(
        &self,
        transfers: Vec<Transfer>,
        linked: bool,
        item: Option<A::Item>,
    ) -> Result<Answers, Fault> {
        let (answer, heard) = oneshot::channel();
        let linked = linked && transfers.len() > 1;
        let job = Job { transfers, linked, item, refused: false, answer };
        self.queue.send(job).await.map_err(|_| Fault::Unanswered)?;
        heard.await.map_err(|_| Fault::Unanswered)?
    }
}

/// How an owner's connections are set up. Should the process be stopped in the middle of a batch, Postgres
/// ends its transaction after a few seconds, and others go on; should it be stopped in the middle of a
/// statement, those who wait for it end it ([`read::end_stalled`]), as soon as they waited in vain.
fn connection(options: &PgConnectOptions) -> PgConnectOptions {
    options.clone().options([
        ("idle_in_transaction_session_timeout", "5s"),
        ("lock_timeout", "5s"),
        ("plan_cache_mode", "force_generic_plan"),
        ("jit", "off"),
    ])
}

/// The task that owns a book in this process.
struct Owner<A: Attach> {
    options: PgConnectOptions,
    clock: Arc<dyn Clock>,
    book: BookId,
    attach: Arc<A>,
    jobs: mpsc::Receiver<Job<A::Item>>,
    waiting: VecDeque<Job<A::Item>>,
    /// Transfers that wait.
    weight: usize,
    /// Jobs that wait and refer to what may be on its way.
    tangled: usize,
    flights: VecDeque<Flight<A::Item>>,
    idle: Vec<PgConnection>,
    memory: Option<Memory>,
    tries: u32,
    /// How many of those that wait are tried one by one, because the database refused them together.
    alone: usize,
    /// How many batches are still written with the lock taken first.
    contested: u32,
    /// How many callers were answered by the batch that ended last.
    answered: usize,
}

impl<A: Attach> Owner<A> {
    async fn run(mut self) {
        let mut open = true;
        loop {
            self.take_in().await;
            if self.may_begin() {
                self.begin().await;
                continue;
            }
            tokio::select! {
                biased;
                landed = first(&mut self.flights), if !self.flights.is_empty() => self.landed(landed).await,
                job = self.jobs.recv(), if open && self.weight < LIMIT => match job {
                    Some(job) => self.wait(job),
                    None => open = false,
                },
                else => break,
            }
        }
    }

    /// Takes in all that is queued, and lets callers that were just answered come again first: else the first
    /// of them would be a batch alone, and all others would wait for it. As they may be on another thread, it
    /// is patient until half of them came.
    async fn take_in(&mut self) {
        let (answered, mut patience) = (std::mem::take(&mut self.answered), PATIENCE);
        loop {
            let waited = self.waiting.len();
            while self.weight < LIMIT
                && let Ok(job) = self.jobs.try_recv()
            {
                self.wait(job);
            }
            if self.weight >= LIMIT {
                return;
            }
            if self.waiting.len() == waited {
                if waited >= answered / 2 || patience == 0 {
                    return;
                }
                patience -= 1;
            }
            tokio::task::yield_now().await;
        }
    }

    fn wait(&mut self, job: Job<A::Item>) {
        self.count(&job);
        self.waiting.push_back(job);
    }

    fn count(&mut self, job: &Job<A::Item>) {
        self.weight += job.transfers.len();
        self.tangled += usize::from(!job.is_plain());
    }

    /// One batch is on its way at a time; two if the next one is large, and three if it is very large: one
    /// that ends, one whose postings are copied meanwhile, and one that is executed. What sets off early
    /// refers to nothing that those before may change without these balances showing it.
    fn may_begin(&self) -> bool {
        let enough = match self.flights.len() {
            0 => return !self.waiting.is_empty(),
            1 => EARLY,
            2 => THIRD,
            _ => return false,
        };
        self.weight >= enough && self.alone + self.tangled == 0 && self.contested == 0
    }

    /// The jobs of the next batch.
    fn gather(&mut self) -> Vec<Job<A::Item>> {
        let (mut jobs, mut size) = (Vec::new(), 0);
        while let Some(job) = self.waiting.front() {
            size += job.transfers.len();
            if !jobs.is_empty() && (size > LIMIT || self.alone > 0) {
                break;
            }
            jobs.extend(self.pop());
        }
        self.alone = self.alone.saturating_sub(1);
        jobs
    }

    async fn begin(&mut self) {
        let jobs = self.gather();
        match self.execute(&jobs).await {
            Ok((conn, answers, draft, (book, on))) => {
                let cargo = Cargo { jobs, answers, draft, book, on, locked: self.contested > 0 };
                let before = self.flights.back_mut().and_then(|flight| flight.next.take());
                self.flights.push_back(Flight::off(self.attach.clone(), conn, cargo, before));
            }
            Err(fault) => {
                // What is on its way lands or not, and goes first; these are tried again after it.
                let count = jobs.len();
                self.again(jobs);
                while !self.flights.is_empty() {
                    let landed = first(&mut self.flights).await;
                    self.landed(landed).await;
                }
                self.failed(fault, count).await;
            }
        }
    }

    /// Executes a batch on what is known, reading what is not.
    async fn execute(&mut self, jobs: &[Job<A::Item>]) -> Result<Executed, Fault> {
        let mut conn = match self.idle.pop() {
            Some(conn) => conn,
            None => PgConnection::connect_with(&self.options).await?,
        };
        if self.contested > 0 {
            read::take_book(&mut conn, &self.book).await?;
            if let Some(memory) = &self.memory
                && read::newest(&mut conn, memory.head.book).await? != memory.head.no
            {
                self.memory = None;
            }
        }
        if self.memory.is_none() {
            let head = read::head(&mut conn, &self.book).await?;
            self.memory = head.map(|head| Memory::of(head, self.clock.now()));
        }
        let Some(memory) = &mut self.memory else {
            let unknown = || Answer::Ready(Err(Rejection::UnknownBook { book: self.book.clone() }));
            let answers = jobs.iter().map(|job| job.transfers.iter().map(|_| unknown()).collect()).collect();
            return Ok((conn, answers, None, (0, 0)));
        };
        let at = Batch::time(&memory.head, self.clock.now());
        let mut known = memory.lend(at);
        let transfers: Vec<&Transfer> =
            jobs.iter().filter(|job| !job.refused).flat_map(|job| &job.transfers).collect();
        know::know(&mut conn, &self.book, (&memory.head, memory.horizon()), &mut known, (&transfers, at))
            .await?;
        let mut batch = Batch::new(&self.book, memory.head.clone(), known, at);
        let outcomes: Vec<Vec<Outcome>> = jobs.iter().map(|job| job.execute(&mut batch)).collect();
        let answer = |outcome| match outcome {
            Outcome::New(row) => Answer::Ready(Ok(Posted::New(batch.receipt(row)))),
            Outcome::Within(row) => Answer::Ready(Ok(Posted::Replayed(batch.receipt(row)))),
            Outcome::Refused(rejection) => Answer::Ready(Err(rejection)),
            Outcome::Before(id) => Answer::Before(id),
        };
        let answers = outcomes.into_iter().map(|all| all.into_iter().map(answer).collect()).collect();
        let (mut draft, mut root) = (None, GENESIS);
        if !batch.is_empty() {
            let seal = seal(&batch);
            (draft, root) = (Some(Draft::of(&batch, seal)?), seal.root);
        }
        let on = (batch.head.book, batch.head.no);
        memory.learn(batch, root);
        Ok((conn, answers, draft, on))
    }

    /// The first flight ended.
    async fn landed(&mut self, landed: Option<Landed<A::Item>>) {
        self.flights.pop_front();
        let Some(Landed { cargo: Cargo { mut jobs, answers, .. }, conn, end }) = landed else {
            // Its task was lost, and its callers hear that nobody answers.
            self.memory = None;
            return;
        };
        self.idle.extend(conn);
        let end = match end {
            Ok(before) => {
                self.tries = 0;
                self.contested = self.contested.saturating_sub(1);
                self.answered = jobs.len();
                for (job, answers) in jobs.into_iter().zip(answers) {
                    let answers = answers.into_iter().map(|answer| answer.ready(&before)).collect();
                    // A caller that went away is not waiting for the answer.
                    let _ = job.answer.send(answers);
                }
                return;
            }
            Err(end) => end,
        };
        self.memory = None;
        if matches!(end, End::Predecessor | End::Fault(Fault::Refused(Constraint::Fence))) {
            self.contested = CONTESTED;
        }
        if let End::Refused(places) = &end {
            places.iter().for_each(|&at| jobs[at].refused = true);
        }
        let count = jobs.len();
        // Those behind do not land either. They go back to those who wait, the last one first, which keeps
        // the order.
        let mut behind = Vec::new();
        while !self.flights.is_empty() {
            if let Some(Landed { cargo, conn, .. }) = first(&mut self.flights).await {
                self.idle.extend(conn);
                behind.push(cargo.jobs);
            }
            self.flights.pop_front();
        }
        behind.into_iter().rev().for_each(|jobs| self.again(jobs));
        self.again(jobs);
        if let End::Fault(fault) = end {
            self.failed(fault, count).await;
        }
    }

    /// Puts jobs back before all that wait.
    fn again(&mut self, jobs: Vec<Job<A::Item>>) {
        for job in jobs.into_iter().rev() {
            self.count(&job);
            self.waiting.push_front(job);
        }
    }

    /// A batch of the first `count` jobs that wait failed: decides who hears of it, and when it is tried
    /// again.
    async fn failed(&mut self, fault: Fault, count: usize) {
        self.memory = None;
        if matches!(fault, Fault::Refused(Constraint::Fence)) {
            return;
        }
        if !fault.retryable() {
            // One of them is not as the database wants it: each is tried alone, and that one hears why.
            self.alone = count;
            if count == 1
                && let Some(job) = self.pop()
            {
                self.alone = 0;
                let _ = job.answer.send(Err(fault));
            }
            return;
        }
        self.idle.clear();
        if fault.waited()
            && let Ok(mut conn) = PgConnection::connect_with(&self.options).await
        {
            // Who cannot be ended is waited for again.
            let _ = read::end_stalled(&mut conn).await;
        }
        self.tries += 1;
        if self.tries < TRIES {
            let pause = Duration::from_millis(10 << self.tries.min(8)).min(LONGEST_PAUSE);
            tokio::time::sleep(pause).await;
            return;
        }
        self.tries = 0;
        let mut fault = Some(fault);
        while let Some(job) = self.pop() {
            // The first hears the reason, which cannot be said twice.
            let _ = job.answer.send(Err(fault.take().unwrap_or(Fault::Unanswered)));
        }
    }

    fn pop(&mut self) -> Option<Job<A::Item>> {
        let job = self.waiting.pop_front()?;
        self.weight -= job.transfers.len();
        self.tangled -= usize::from(!job.is_plain());
        Some(job)
    }
}

/// Waits for the first flight to end; `None` if its task was lost.
async fn first<I: Send + Sync + 'static>(flights: &mut VecDeque<Flight<I>>) -> Option<Landed<I>> {
    let flight = flights.front_mut()?;
    (&mut flight.task).await
}
