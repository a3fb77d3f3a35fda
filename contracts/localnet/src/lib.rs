//! An embedded Soroban network in one process: the real host executes the real Wasm, and Stellar RPC's
//! protocol is spoken over HTTP, so the official SDKs use it unchanged. `README.md` lists what differs from
//! the public network.
//!
//! Invariant: one thread owns the ledger. Unless [`Faults`] say otherwise, nothing goes wrong and each
//! accepted transaction closes a ledger of its own before it is answered.
//! Absent: consensus.

mod apply;
mod encoding;
pub mod faults;
mod ledger;
mod network;
mod node;
mod queue;
mod rpc;
mod server;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use faults::{BadScript, Fault, Faults, Rates, Rule, Strike};
use node::{Ask, Node};

/// Seconds of the Unix epoch, from wherever the embedder takes its time.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The passphrase under which the official tools take a network for a local one.
pub const STANDALONE_PASSPHRASE: &str = "Standalone Network ; February 2017";

/// How long open connections may take to finish when the network stops.
const GRACE: Duration = Duration::from_secs(2);

/// How a network is to run.
#[derive(Clone)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The passphrase, from which the network's id and its first account follow.
    pub passphrase: String,
    /// Where the state is loaded from at the start, if the file is there, and kept from then on: whatever was
    /// answered for is written before (to a log beside the file, folded into it when it grows and at the
    /// end).
    pub state_file: Option<PathBuf>,
    /// A saved state that it begins with and leaves alone, where `state_file` has none: many networks may
    /// begin as one and the same.
    pub begin_with: Option<PathBuf>,
    /// The wall clock. Ledger time follows it and never goes back.
    pub now: Clock,
    /// Whether `dev_advance`, `dev_faults` and `dev_strike` are answered.
    pub dev_methods: bool,
    /// Seconds after which a ledger closes though nothing was sent (the public network's pace is 5).
    pub ledger_s: u64,
    /// What goes wrong, from the start.
    pub faults: Faults,
}

impl Options {
    /// A fresh network on a free local port, without a state file and without test methods.
    pub fn new(now: Clock) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            passphrase: STANDALONE_PASSPHRASE.to_owned(),
            state_file: None,
            begin_with: None,
            now,
            dev_methods: false,
            ledger_s: 5,
            faults: Faults::default(),
        }
    }
}

/// Why a network did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken, or not ours.
    #[error("cannot listen on {addr}: {source}")]
    Listen {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The state file is there but cannot be used.
    #[error("cannot use the state file {path}: {why}")]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The network's settings do not fit the host.
    #[error("cannot use the network settings: {0}")]
    Settings(String),
    /// The script of faults cannot be played.
    #[error("cannot play the script of faults: {0}")]
    Faults(BadScript),
    /// The thread that owns the ledger could not be started.
    #[error("cannot start the ledger's thread: {0}")]
    Thread(String),
}

/// Why a state was not saved.
#[derive(Debug, thiserror::Error)]
#[error("cannot save the state to {path}: {source}")]
pub struct SaveError {
    path: PathBuf,
    source: std::io::Error,
}

/// A running network. Dropping it stops listening; [`Localnet::shutdown`] also saves and waits for the end.
pub struct Localnet {
    addr: SocketAddr,
    asks: tokio::sync::mpsc::Sender<Ask>,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
    thread: std::thread::JoinHandle<()>,
    state_file: Option<PathBuf>,
}

/// Starts a network and returns once it listens.
///
/// # Errors
/// If the address cannot be listened on, or a state file is there that cannot be used.
pub async fn start(options: Options) -> Result<Localnet, StartError> {
    let listen = options.listen;
    let fault = |source| StartError::Listen { addr: listen, source };
    let listener = tokio::net::TcpListener::bind(listen).await.map_err(fault)?;
    let addr = listener.local_addr().map_err(fault)?;
    let state_file = options.state_file.clone();
    let Node { asks, thread } = node::spawn(options, addr).await?;
    let (stop, stopped) = oneshot::channel();
    let app = server::app(asks.clone());
    let server = tokio::spawn(async move {
        let until = async {
            // A dropped handle stops the server as well as a word does.
            let _ = stopped.await;
        };
        if let Err(e) = axum::serve(listener, app).with_graceful_shutdown(until).await {
            tracing::error!(error = %e, "the local network stopped listening");
        }
    });
    Ok(Localnet { addr, asks, stop: Some(stop), server, thread, state_file })
}

impl Localnet {
    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The URL of its RPC.
    pub fn url(&self) -> String {
        format!("http://{}", rpc::reachable(self.addr))
    }

    /// Begins a script of faults from now on; the one that was played ends.
    ///
    /// # Errors
    /// The first rule that cannot be played; nothing changes then.
    pub async fn set_faults(&self, script: Faults) -> Result<(), BadScript> {
        let (reply, answer) = oneshot::channel();
        // A network that has stopped has no faults either.
        if self.asks.send(Ask::SetFaults { script, reply }).await.is_err() {
            return Ok(());
        }
        answer.await.unwrap_or(Ok(()))
    }

    /// The calls that the script has struck, in order.
    pub async fn strikes(&self) -> Vec<Strike> {
        let (reply, answer) = oneshot::channel();
        if self.asks.send(Ask::Strikes { reply }).await.is_err() {
            return Vec::new();
        }
        answer.await.unwrap_or_default()
    }

    /// Lets a fault of the weather happen at once: a surge, a jump, forgetting. Any other changes nothing.
    pub async fn suffer(&self, weather: Fault) {
        let (reply, done) = oneshot::channel();
        if self.asks.send(Ask::Suffer { weather, reply }).await.is_ok() {
            // A network that stops meanwhile has suffered enough.
            let _ = done.await;
        }
    }

    /// Saves the state to `path`, replacing the file in one step.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub async fn save(&self, path: &Path) -> Result<(), SaveError> {
        let (reply, answer) = oneshot::channel();
        let gone = || SaveError {
            path: path.to_owned(),
            source: std::io::Error::other("the local network has stopped"),
        };
        self.asks.send(Ask::Save { path: path.to_owned(), reply }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Stops listening, folds the log into the state file if there is one, and waits until no thread is left.
    ///
    /// # Errors
    /// If the state cannot be saved; the network has stopped all the same.
    pub async fn shutdown(mut self) -> Result<(), SaveError> {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        // Connections that are idle close at once; one that is not may finish its call.
        if tokio::time::timeout(GRACE, &mut self.server).await.is_err() {
            self.server.abort();
        }
        let saved = match self.state_file.take() {
            Some(path) => self.save(&path).await,
            None => Ok(()),
        };
        let Self { asks, thread, .. } = self;
        let _ = asks.send(Ask::Stop).await;
        let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        saved
    }
}
