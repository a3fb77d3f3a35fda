//! Wakes what waits: judges what came in, says what must go out, carries wishes to the chain and reads what
//! it did.
//!
//! Invariant: every pass is one small step that a crash may end anywhere; what it began is found again in the
//! tables.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use amana_adapters::stellar::{Keypair, Stellar};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app::App;
use crate::error::{Error, Fault, Result};
use crate::flows::chain::heed;
use crate::flows::store::attempt as store;
use crate::flows::{chain, float, index};
use crate::recon::listed;
use arbiter::Arbiter;

pub mod anchor;
pub mod arbiter;
pub mod judge;
pub mod keep;
pub mod say;
pub mod seal;

/// How long a loop sleeps when it found nothing to do.
const IDLE: Duration = Duration::from_millis(200);
/// How long a loop sleeps whose work is due every few minutes.
const SLOW: Duration = Duration::from_secs(5);
/// How long a loop sleeps after a fault.
const TROUBLED: Duration = Duration::from_secs(2);
/// Passes after which `run_until_idle` says that something goes round in circles.
const MOST_PASSES: usize = 20_000;

/// Readies the database for this configuration: the book is open, the channel accounts are known.
///
/// # Errors
/// The database's.
pub async fn prepare(app: &App) -> Result<()> {
    let mut tx = app.db.begin().await?;
    float::open_book(&mut tx, app).await?;
    let addresses: Vec<String> = app.channels.iter().map(Keypair::address).collect();
    store::register_channels(&mut tx, &addresses).await?;
    Ok(tx.commit().await?)
}

/// Asks the chain whether it is the one that is configured. One that cannot be asked now is no reason not to
/// hear what the rails say.
///
/// # Errors
/// It is another network, or the contract has other roles, another token or unit.
pub async fn fits(app: &App) -> Result<()> {
    fit(&app.chain).await
}

async fn fit(chain: &Stellar) -> Result<()> {
    match chain.misfit().await {
        Ok(None) => Ok(()),
        Ok(Some(why)) => Err(Fault::Outside(format!("the chain does not fit: {why}")).into()),
        Err(fault) => {
            tracing::warn!(%fault, "the chain could not be asked whether it fits");
            Ok(())
        }
    }
}

/// Does all that is due, in a fixed order, until nothing is. For tests and for the demo.
///
/// # Errors
/// The first fault.
pub async fn run_until_idle(app: &App) -> Result<()> {
    for _ in 0..MOST_PASSES {
        let judged = judge::next(app).await?;
        let listed = listed::next(app).await?;
        let carried = chain::step(app).await?;
        let read = index::read_page(app).await?;
        let heeded = heed::next(app).await?;
        let said = say::next(app).await?;
        let anchored = anchor::next(app).await?;
        if !(judged || listed || carried || read || heeded || said || anchored) {
            return Ok(());
        }
    }
    Err(Fault::Stored("the worker goes round in circles".into()).into())
}

/// The worker's loops. Dropped, they stop at once; `stop` lets each finish its pass.
pub struct Worker {
    tell: watch::Sender<bool>,
    loops: JoinSet<()>,
}

/// Starts the worker's loops.
pub fn spawn(app: &Arc<App>) -> Worker {
    let (tell, told) = watch::channel(false);
    let mut loops = JoinSet::new();
    loops.spawn(keep_on("judge", app.clone(), told.clone(), |app| async move { judge::next(&app).await }));
    let rows = |app: Arc<App>| async move { listed::next(&app).await };
    loops.spawn(keep_on("listed", app.clone(), told.clone(), rows));
    if app.daraja.is_some() {
        let pull = |app: Arc<App>| async move { listed::sweep::if_due(&app).await };
        loops.spawn(now_and_then("pull", app.clone(), told.clone(), pull));
    }
    loops.spawn(keep_on("say", app.clone(), told.clone(), |app| async move { say::next(&app).await }));
    loops.spawn(keep_on("heed", app.clone(), told.clone(), |app| async move { heed::next(&app).await }));
    loops.spawn(keep_on("anchor", app.clone(), told.clone(), |app| async move { anchor::next(&app).await }));
    // One a channel: an account carries one open transaction at a time. None where another host's escrow
    // service, an `amana` on the same database that has the keys, carries out what is wished here.
    let carriers = if app.config.stellar.service_url.is_some() { 0 } else { app.channels.len().max(1) };
    for _ in 0..carriers {
        loops.spawn(keep_on(
            "chain",
            app.clone(),
            told.clone(),
            |app| async move { chain::step(&app).await },
        ));
    }
    if app.signer.is_some() {
        let seal = |app: Arc<App>| async move { seal::checkpoint(&app).await };
        loops.spawn(keep_on("seal", app.clone(), told.clone(), seal));
    }
    loops.spawn(keep_on(
        "index",
        app.clone(),
        told.clone(),
        |app| async move { index::read_page(&app).await },
    ));
    let reconcile = |app: Arc<App>| async move { keep::reconcile(&app).await };
    loops.spawn(now_and_then("reconcile", app.clone(), told, reconcile));
    Worker { tell, loops }
}

/// Starts the loop that carries decisions.
pub fn arbitrate(arbiter: &Arc<Arbiter>) -> Worker {
    let (tell, told) = watch::channel(false);
    let mut loops = JoinSet::new();
    let step = |arbiter: Arc<Arbiter>| async move { arbiter.step().await };
    loops.spawn(keep_on("arbiter", arbiter.clone(), told, step));
    Worker { tell, loops }
}

impl Worker {
    /// Lets every loop finish its pass, and waits for that.
    pub async fn stop(mut self) {
        // Nobody listening means every loop has ended already.
        let _ = self.tell.send(true);
        while self.loops.join_next().await.is_some() {}
    }
}

async fn keep_on<T, F, W>(name: &'static str, app: Arc<T>, told: watch::Receiver<bool>, pass: F)
where
    F: Fn(Arc<T>) -> W,
    W: Future<Output = Result<bool>>,
{
    rounds((name, IDLE), app, told, pass).await;
}

async fn now_and_then<F, W>(name: &'static str, app: Arc<App>, told: watch::Receiver<bool>, pass: F)
where
    F: Fn(Arc<App>) -> W,
    W: Future<Output = Result<bool>>,
{
    rounds((name, SLOW), app, told, pass).await;
}

async fn rounds<T, F, W>(
    (name, idle): (&'static str, Duration),
    app: Arc<T>,
    mut told: watch::Receiver<bool>,
    pass: F,
) where
    F: Fn(Arc<T>) -> W,
    W: Future<Output = Result<bool>>,
{
    while !*told.borrow() {
        let rest = match pass(app.clone()).await {
            Ok(true) => continue,
            Ok(false) => idle,
            Err(Error::Refused(refusal)) => {
                tracing::error!(worker = name, code = ?refusal.code, reason = %refusal, "a pass was refused");
                TROUBLED
            }
            Err(Error::Fault(fault)) => {
                tracing::error!(worker = name, %fault, "a pass failed");
                TROUBLED
            }
        };
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            _ = told.changed() => {}
        }
    }
}
