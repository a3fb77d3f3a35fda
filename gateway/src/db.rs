//! The one way into Postgres: a pool, and transactions whose commit a test can interrupt.
//!
//! Invariant: nothing is committed except through `Tx::commit`, so that "killed between any two commits" is a
//! number a test can count through.
//! Absent: SQL. It lives in the `store` files, `inbox.rs`, `outbox.rs` and `events.rs`.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::task::Poll;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{PgPool, Postgres, Transaction};

use crate::error::Fault;

/// Every migration of the house, in order.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../migrations");

/// A plug that a test pulls: after a number of commits, everything fails as if the process had died.
#[derive(Debug)]
pub struct Fuse {
    left: AtomicI64,
    after: bool,
}

impl Fuse {
    /// Dies at the `n`th commit (from 0): just before it, or just `after` it.
    pub fn new(n: i64, after: bool) -> Arc<Self> {
        Arc::new(Self { left: AtomicI64::new(n), after })
    }

    /// Whether it has blown.
    pub fn blown(&self) -> bool {
        self.left.load(Ordering::SeqCst) < 0
    }
}

/// A turnstile that a test keeps: nobody begins a transaction before being let through, one at a time. So a
/// test decides in which order several workers go on, step by step, and may stop one for good between two.
#[derive(Debug, Default)]
pub struct Turnstile {
    open: AtomicBool,
    waited_at: AtomicBool,
}

impl Turnstile {
    /// Lets one transaction begin. Whoever waits finds out when polled again.
    pub fn let_through(&self) {
        self.waited_at.store(false, Ordering::SeqCst);
        self.open.store(true, Ordering::SeqCst);
    }

    /// Whether somebody stands before it.
    pub fn is_waited_at(&self) -> bool {
        self.waited_at.load(Ordering::SeqCst)
    }

    async fn pass(&self) {
        std::future::poll_fn(|_| match self.open.swap(false, Ordering::SeqCst) {
            true => Poll::Ready(()),
            false => {
                self.waited_at.store(true, Ordering::SeqCst);
                Poll::Pending
            }
        })
        .await;
    }
}

/// The pool, and the plug and the turnstile if a test brought them.
#[derive(Clone)]
pub struct Db {
    pool: PgPool,
    fuse: Option<Arc<Fuse>>,
    turnstile: Option<Arc<Turnstile>>,
}

impl Db {
    /// Opens a pool on `url`.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn connect(url: &str, connections: u32) -> Result<Self, Fault> {
        // A process that is stopped must not keep what others wait for: its transaction ends without it.
        let options: PgConnectOptions = url.parse()?;
        let options = options.options([("idle_in_transaction_session_timeout", "10s")]);
        let pool = PgPoolOptions::new().max_connections(connections).connect_with(options).await?;
        Ok(Self { pool, fuse: None, turnstile: None })
    }

    /// Uses a pool that exists.
    pub fn from_pool(pool: PgPool) -> Self {
        Self { pool, fuse: None, turnstile: None }
    }

    /// The same database, dying as `fuse` says.
    #[must_use]
    pub fn with_fuse(&self, fuse: Arc<Fuse>) -> Self {
        Self { fuse: Some(fuse), ..self.clone() }
    }

    /// The same database, behind a turnstile.
    #[must_use]
    pub fn behind(&self, turnstile: Arc<Turnstile>) -> Self {
        Self { turnstile: Some(turnstile), ..self.clone() }
    }

    /// Waits for its turn, unless the process is dead.
    async fn enter(&self) -> Result<(), Fault> {
        if let Some(turnstile) = &self.turnstile {
            turnstile.pass().await;
        }
        match self.fuse.as_ref().is_some_and(|fuse| fuse.blown()) {
            true => Err(Fault::Killed),
            false => Ok(()),
        }
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// No connection is to be had.
    #[tracing::instrument(name = "begin", level = "trace", skip_all)]
    pub async fn begin(&self) -> Result<Tx, Fault> {
        self.enter().await?;
        Ok(Tx { inner: self.pool.begin().await?, fuse: self.fuse.clone() })
    }

    /// Begins a transaction that only reads, and sees one moment from its first statement to its last.
    ///
    /// # Errors
    /// No connection is to be had.
    pub async fn snapshot(&self) -> Result<Tx, Fault> {
        self.enter().await?;
        let inner = self.pool.begin_with("begin isolation level repeatable read, read only").await?;
        Ok(Tx { inner, fuse: self.fuse.clone() })
    }

    /// The pool itself, for readiness and for shutting down.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }
}

/// A transaction. Dropped without `commit`, it rolls back.
pub struct Tx {
    inner: Transaction<'static, Postgres>,
    fuse: Option<Arc<Fuse>>,
}

impl Tx {
    /// Makes it all lasting.
    ///
    /// # Errors
    /// The database refused at the last moment (deferred checks), or could not be heard.
    #[tracing::instrument(name = "commit", level = "trace", skip_all)]
    pub async fn commit(self) -> Result<(), Fault> {
        let Some(fuse) = self.fuse else { return Ok(self.inner.commit().await?) };
        let blows = fuse.left.fetch_sub(1, Ordering::SeqCst) <= 0;
        if blows && !fuse.after {
            return Err(Fault::Killed);
        }
        self.inner.commit().await?;
        if blows { Err(Fault::Killed) } else { Ok(()) }
    }
}

impl Deref for Tx {
    type Target = PgConnection;
    fn deref(&self) -> &PgConnection {
        &self.inner
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.inner
    }
}
