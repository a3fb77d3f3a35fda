//! Serving: the two listeners opened and the worker running, until told to stop.
//!
//! Invariant: listeners are bound before anything else begins, so that a taken port is known at once.
//! Stopping lets requests and the worker's passes finish.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app::App;
use crate::http;
use crate::worker::{self, Worker};

/// How long open requests may take to end once we were told to stop.
const GRACE: Duration = Duration::from_secs(10);

/// The two listeners, bound and not yet answering.
pub struct Listeners {
    api: TcpListener,
    escrow: TcpListener,
}

impl Listeners {
    /// Binds the API's and the escrow service's; port 0 takes a free one.
    ///
    /// # Errors
    /// An address is taken or not ours.
    pub async fn bind(api: SocketAddr, escrow: SocketAddr) -> io::Result<Self> {
        let bind = async |address: SocketAddr| {
            let named = |error: io::Error| {
                io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
            };
            TcpListener::bind(address).await.map_err(named)
        };
        Ok(Self { api: bind(api).await?, escrow: bind(escrow).await? })
    }

    /// Where the API answers.
    ///
    /// # Errors
    /// The operating system has forgotten.
    pub fn api_url(&self) -> io::Result<String> {
        Ok(format!("http://{}", self.api.local_addr()?))
    }

    /// Where the escrow service answers.
    ///
    /// # Errors
    /// The operating system has forgotten.
    pub fn escrow_url(&self) -> io::Result<String> {
        Ok(format!("http://{}", self.escrow.local_addr()?))
    }
}

/// A gateway that answers. Dropped, it stops at once; `stop` lets it finish.
pub struct Serving {
    tell: watch::Sender<bool>,
    doors: JoinSet<io::Result<()>>,
    worker: Option<Worker>,
}

impl Serving {
    /// Opens the doors; nothing works behind them until `with_worker`.
    pub fn start(app: &Arc<App>, listeners: Listeners) -> Self {
        let (tell, told) = watch::channel(false);
        let mut doors = JoinSet::new();
        doors.spawn(open(listeners.api, http::router(app.clone()), told.clone()));
        doors.spawn(open(listeners.escrow, http::escrow_router(app.clone()), told));
        Self { tell, doors, worker: None }
    }

    /// The same with a worker behind the doors.
    #[must_use]
    pub fn with_worker(mut self, app: &Arc<App>) -> Self {
        self.worker = Some(worker::spawn(app));
        self
    }

    /// Closes the doors, then lets the worker finish its passes.
    pub async fn stop(mut self) {
        // Nobody listening means the doors are closed already.
        let _ = self.tell.send(true);
        let closed = async { while self.doors.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, closed).await.is_err() {
            tracing::warn!("requests were still open after {} s", GRACE.as_secs());
        }
        if let Some(worker) = self.worker.take() {
            worker.stop().await;
        }
    }
}

async fn open(listener: TcpListener, router: Router, mut told: watch::Receiver<bool>) -> io::Result<()> {
    let until = async move {
        // An error means the sender is gone, which says the same.
        let _ = told.wait_for(|stop| *stop).await;
    };
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(until).await
}
