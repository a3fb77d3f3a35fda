//! The house's workers, each a process of its own, taken on step by step: one transaction and what follows it
//! up to the next. Whoever is killed between two steps is a new process afterwards.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use amana_gateway::app::App;
use amana_gateway::db::{Db, Fuse, Turnstile};
use amana_gateway::error::{Error, Fault};
use amana_gateway::flows::chain::heed;
use amana_gateway::flows::{chain, index};
use amana_gateway::recon;
use amana_gateway::worker::arbiter::Arbiter;
use amana_gateway::worker::{judge, say};
use amana_tests::world::World;

/// What a worker can be at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Work {
    Judge,
    Carry,
    Read,
    Heed,
    Say,
    Reconcile,
    /// The arbiter's alone.
    Decide,
}

impl Work {
    /// For what there may be something to do when this has done something.
    pub(crate) fn leads_to(self) -> &'static [Work] {
        match self {
            Work::Judge => &[Work::Judge, Work::Carry, Work::Say],
            Work::Carry => &[Work::Carry],
            Work::Read => &[Work::Read, Work::Carry, Work::Say],
            Work::Heed => &[Work::Heed, Work::Carry],
            Work::Say => &[Work::Say, Work::Carry],
            Work::Reconcile => &[],
            Work::Decide => &[Work::Decide],
        }
    }
}

/// What a step came to.
#[derive(Debug)]
pub(crate) enum Step {
    /// The work goes on.
    Under,
    /// It is over; whether there was anything to do.
    Over(Work, bool),
    /// The network was of no use; the work is over for now.
    Outside(Work),
    /// The process died by its fuse.
    Died,
}

type Doing = Pin<Box<dyn Future<Output = Result<bool, Error>>>>;

/// Whose process it is.
enum Process {
    House(Arc<App>),
    Arbiter(Arc<Arbiter>),
}

/// One worker.
pub(crate) struct Hand {
    process: Process,
    turnstile: Arc<Turnstile>,
    doing: Option<(Work, Doing)>,
}

impl Hand {
    /// A new process, the house's or the arbiter's, which dies after so many commits if that is said.
    pub(crate) fn new(world: &World, is_arbiter: bool, dies: Option<i64>) -> Self {
        let turnstile = Arc::new(Turnstile::default());
        let db = Db::from_pool(world.database.app.clone()).behind(turnstile.clone());
        let db = match dies {
            Some(commits) => db.with_fuse(Fuse::new(commits, true)),
            None => db,
        };
        let process = match is_arbiter {
            true => Process::Arbiter(Arc::new(world.arbiter_on(db))),
            false => Process::House(world.on(db)),
        };
        Self { process, turnstile, doing: None }
    }

    pub(crate) fn is_arbiter(&self) -> bool {
        matches!(self.process, Process::Arbiter(_))
    }

    pub(crate) fn is_free(&self) -> bool {
        self.doing.is_none()
    }

    /// Begins this; the arbiter has one thing to do.
    pub(crate) fn take(&mut self, work: Work) {
        let app = match &self.process {
            Process::House(app) => app.clone(),
            Process::Arbiter(arbiter) => {
                let arbiter = arbiter.clone();
                self.doing = Some((Work::Decide, Box::pin(async move { arbiter.step().await })));
                return;
            }
        };
        let doing: Doing = match work {
            Work::Judge => Box::pin(async move { judge::next(&app).await }),
            Work::Carry => Box::pin(async move { chain::step(&app).await }),
            Work::Read => Box::pin(async move { index::read_page(&app).await }),
            Work::Heed => Box::pin(async move { heed::next(&app).await }),
            Work::Say => Box::pin(async move { say::next(&app).await }),
            Work::Decide => panic!("the house decides nothing"),
            Work::Reconcile => Box::pin(async move {
                // Whatever is on its way, ledger and chain never differ.
                let pass = recon::pass(&app).await?;
                assert_eq!(pass.map(|pass| pass.open).unwrap_or_default(), []);
                Ok(false)
            }),
        };
        self.doing = Some((work, doing));
    }

    /// Lets it go on to its next transaction.
    pub(crate) async fn step(&mut self) -> Step {
        let Some((work, doing)) = &mut self.doing else { return Step::Under };
        let (work, turnstile) = (*work, &self.turnstile);
        turnstile.let_through();
        let ended = std::future::poll_fn(|context| match doing.as_mut().poll(context) {
            Poll::Ready(ended) => Poll::Ready(Some(ended)),
            Poll::Pending if turnstile.is_waited_at() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        });
        let Some(ended) = ended.await else { return Step::Under };
        self.doing = None;
        match ended {
            Ok(something) => Step::Over(work, something),
            Err(Error::Fault(Fault::Outside(_))) => Step::Outside(work),
            Err(Error::Fault(Fault::Killed)) => Step::Died,
            Err(trouble) => panic!("{work:?}: {trouble}"),
        }
    }
}
