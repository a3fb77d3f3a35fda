//! One batch on its way to the database, in a task of its own.
//!
//! Invariant: the chunks of a batch, and what was attached to it, are written only after the batch before it
//! was committed, under the book's lock; if that one failed, or somebody else took the lock in between, this
//! one is rolled back. Absent: retries.

use std::collections::HashMap;
use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use sqlx::{Connection, PgConnection};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{Attach, Job};
use crate::batch::{Posted, Receipt};
use crate::id::TransferId;
use crate::store::write::Draft;
use crate::store::{Constraint, Fault, read};
use crate::transfer::Rejection;

/// What is answered when the batch is committed.
pub(super) enum Answer {
    Ready(Result<Posted, Rejection>),
    /// It landed before: the first answer is read from the journal.
    Before(TransferId),
}

/// What a flight carries.
pub(super) struct Cargo<I> {
    pub(super) jobs: Vec<Job<I>>,
    /// For each job, for each of its transfers.
    pub(super) answers: Vec<Vec<Answer>>,
    /// `None` if nothing is to be written.
    pub(super) draft: Option<Draft>,
    pub(super) book: i32,
    /// The newest batch when it was executed, as far as the owner knew.
    pub(super) on: i64,
    /// Whether its transaction is open and has the lock already.
    pub(super) locked: bool,
}

/// How it ended.
pub(super) struct Landed<I> {
    pub(super) cargo: Cargo<I>,
    /// The connection, unless it is of no use any more.
    pub(super) conn: Option<PgConnection>,
    pub(super) end: Result<HashMap<TransferId, Receipt>, End>,
}

/// Why it did not land.
pub(super) enum End {
    Fault(Fault),
    /// The batch before it did not land, or another owner's did.
    Predecessor,
    /// These jobs' attachments were refused.
    Refused(Vec<usize>),
}

impl From<Fault> for End {
    fn from(fault: Fault) -> Self {
        End::Fault(fault)
    }
}

impl From<sqlx::Error> for End {
    fn from(error: sqlx::Error) -> Self {
        End::Fault(error.into())
    }
}

/// Ends with nothing if the task was lost.
type Task<I> = Pin<Box<dyn Future<Output = Option<Landed<I>>> + Send>>;

/// A flight on its way.
pub(super) struct Flight<I> {
    pub(super) task: Task<I>,
    /// What the next flight hears of this one.
    pub(super) next: Option<Before>,
}

/// What a flight hears of the one before it, each once.
pub(super) struct Before {
    /// It has the book's lock; nothing comes if it never tells.
    locked: oneshot::Receiver<()>,
    /// Whether it landed.
    landed: oneshot::Receiver<bool>,
}

impl Before {
    /// Waits until the batch before has the book's lock, or ended.
    async fn has_lock(&mut self) {
        // Without word it ended, and whether it landed is asked next.
        let _ = (&mut self.locked).await;
    }

    /// Waits until the batch before is committed.
    async fn cleared(self) -> Result<(), End> {
        if self.landed.await.unwrap_or(false) { Ok(()) } else { Err(End::Predecessor) }
    }
}

impl<I: Send + Sync + 'static> Flight<I> {
    /// Sets off, behind a flight that is still on its way, if there is one. One of a single statement goes on
    /// as its owner waits for it, as to wake another task would take longer than what there is to do; all
    /// others are tasks of their own.
    pub(super) fn off<A: Attach<Item = I>>(
        attach: Arc<A>,
        mut conn: PgConnection,
        mut cargo: Cargo<I>,
        before: Option<Before>,
    ) -> Self {
        let (tell, landed) = oneshot::channel();
        let (lock, locked) = oneshot::channel();
        let few = !cargo.locked && cargo.draft.as_ref().is_some_and(Draft::is_one_statement);
        let flight = async move {
            let end = fly(&*attach, &mut conn, &mut cargo, (before, lock)).await;
            // Nobody listens if there is no next flight.
            let _ = tell.send(end.is_ok());
            let conn = match &end {
                Ok(_) => Some(conn),
                // To close it is to roll back.
                Err(End::Fault(Fault::Database(_))) => None,
                Err(_) if cargo.locked => None,
                // What was dropped is rolled back with the next statement, and others wait for it.
                Err(_) => conn.ping().await.ok().map(|()| conn),
            };
            Landed { cargo, conn, end }
        };
        let task: Task<I> = if few {
            let mut flight = Box::pin(flight);
            // Its statement is sent now; the owner asks again, under its own name.
            match flight.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(landed) => Box::pin(ready(Some(landed))),
                Poll::Pending => Box::pin(async { Some(flight.await) }),
            }
        } else {
            let task = tokio::spawn(flight);
            Box::pin(async { task.await.ok() })
        };
        Self { task, next: Some(Before { locked, landed }) }
    }
}

async fn fly<A: Attach>(
    attach: &A,
    conn: &mut PgConnection,
    cargo: &mut Cargo<A::Item>,
    (before, lock): (Option<Before>, oneshot::Sender<()>),
) -> Result<HashMap<TransferId, Receipt>, End> {
    let draft = cargo.draft.take();
    let items = landed_items(cargo);
    match draft {
        Some(mut draft) if cargo.locked => {
            // Nobody listens if there is no next flight.
            let _ = lock.send(());
            draft.write(conn).await?;
            attached(attach, conn, &items).await?;
            read::commit(conn).await?;
        }
        None if cargo.locked => read::commit(conn).await?,
        Some(mut draft) if draft.is_one_statement() && items.is_empty() => {
            cleared(before).await?;
            draft.write(conn).await?;
        }
        Some(mut draft) => {
            let mut tx;
            if let Some(mut before) = before {
                // Only now: were the one before still waiting for the lock, whoever has it could come to wait
                // for our number, and we wait for the one before. Postgres sees no such circle.
                before.has_lock().await;
                tx = conn.begin().await?;
                draft.begin(&mut tx).await?;
                before.cleared().await?;
                // Whoever holds the lock now came in between and waits for our number: to wait for them too
                // would be a deadlock, so this flight gives way.
                if !read::try_lock(&mut tx, cargo.book).await? {
                    return Err(Fault::Refused(Constraint::Fence).into());
                }
                let _ = lock.send(());
            } else {
                tx = read::begin_locked(conn, cargo.book).await?;
                let _ = lock.send(());
                draft.begin(&mut tx).await?;
            }
            draft.end(&mut tx).await?;
            attached(attach, &mut tx, &items).await?;
            tx.commit().await?;
        }
        None => {
            cleared(before).await?;
            // Nothing is written, so nothing would notice that another owner wrote: a refusal may be out of
            // date, and nobody is told no because of what was so before.
            let refused = cargo.answers.iter().flatten().any(Answer::refused);
            if refused && read::newest(conn, cargo.book).await? != cargo.on {
                return Err(End::Predecessor);
            }
        }
    }
    let before: Vec<Uuid> = cargo.answers.iter().flatten().filter_map(Answer::before).collect();
    if before.is_empty() {
        return Ok(HashMap::new());
    }
    Ok(read::receipts(conn, cargo.book, &before).await?)
}

async fn cleared(before: Option<Before>) -> Result<(), End> {
    match before {
        Some(before) => before.cleared().await,
        None => Ok(()),
    }
}

/// Writes what came with the jobs, unless some of it is refused.
async fn attached<A: Attach>(
    attach: &A,
    conn: &mut PgConnection,
    items: &Items<'_, A::Item>,
) -> Result<(), End> {
    if items.is_empty() {
        return Ok(());
    }
    let refused = attach.attach(conn, &items.items).await?;
    if refused.is_empty() {
        return Ok(());
    }
    Err(End::Refused(refused.iter().filter_map(|at| items.jobs.get(*at).copied()).collect()))
}

/// What came with the jobs of which every transfer lands now, and the places of the jobs.
struct Items<'a, I> {
    jobs: Vec<usize>,
    items: Vec<(&'a I, Vec<&'a Receipt>)>,
}

impl<I> Items<'_, I> {
    fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }
}

fn landed_items<I>(cargo: &Cargo<I>) -> Items<'_, I> {
    let mut landed = Items { jobs: Vec::new(), items: Vec::new() };
    for (at, (job, answers)) in cargo.jobs.iter().zip(&cargo.answers).enumerate() {
        let Some(item) = &job.item else { continue };
        let receipts: Vec<&Receipt> = answers.iter().filter_map(Answer::landed).collect();
        if receipts.len() == answers.len() {
            landed.jobs.push(at);
            landed.items.push((item, receipts));
        }
    }
    landed
}

impl Answer {
    fn refused(&self) -> bool {
        matches!(self, Answer::Ready(Err(_)))
    }

    fn landed(&self) -> Option<&Receipt> {
        match self {
            Answer::Ready(Ok(Posted::New(receipt))) => Some(receipt),
            _ => None,
        }
    }

    fn before(&self) -> Option<Uuid> {
        match self {
            Answer::Before(id) => Some(id.0),
            Answer::Ready(_) => None,
        }
    }

    /// What the caller hears, with the first answers of what landed before.
    pub(super) fn ready(
        self,
        before: &HashMap<TransferId, Receipt>,
    ) -> Result<Result<Posted, Rejection>, Fault> {
        match self {
            Answer::Ready(answer) => Ok(answer),
            Answer::Before(id) => match before.get(&id) {
                Some(receipt) => Ok(Ok(Posted::Replayed(receipt.clone()))),
                None => Err(Fault::Unreadable("a transfer has no postings")),
            },
        }
    }
}
