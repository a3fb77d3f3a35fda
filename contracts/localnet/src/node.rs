//! The one thread that owns the ledger, and the questions put to it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use crate::ledger::{Ledger, Rules};
use crate::rpc::{self, Desk, Funded, RpcError};
use crate::{Options, SaveError, StartError};

/// Questions waiting for the ledger's thread at most; beyond that callers wait.
const QUEUE: usize = 1024;

/// The host recurses as deep as contracts nest and values lie in one another; in bytes.
const STACK: usize = 16 << 20;

/// A question to the ledger's thread.
pub(crate) enum Ask {
    /// An RPC method.
    Call { method: String, params: Value, reply: oneshot::Sender<Result<Value, RpcError>> },
    /// Lumens for an account.
    Fund { address: String, reply: oneshot::Sender<Funded> },
    /// Write the state.
    Save { path: PathBuf, reply: oneshot::Sender<Result<(), SaveError>> },
    /// End.
    Stop,
}

/// The thread and the way to it.
pub(crate) struct Node {
    pub(crate) asks: mpsc::Sender<Ask>,
    pub(crate) thread: std::thread::JoinHandle<()>,
}

/// Starts the thread and waits until its ledger stands.
pub(crate) async fn spawn(options: Options, addr: SocketAddr) -> Result<Node, StartError> {
    let (asks, inbox) = mpsc::channel(QUEUE);
    let (ready, started) = oneshot::channel();
    let thread = std::thread::Builder::new()
        .name("amana-localnet".into())
        .stack_size(STACK)
        .spawn(move || {
            let state_file = options.state_file.clone();
            match open(options, addr) {
                Ok(desk) => {
                    if ready.send(Ok(())).is_ok() {
                        answer(desk, state_file.as_deref(), inbox);
                    }
                }
                Err(e) => drop(ready.send(Err(e))),
            }
        })
        .map_err(|e| StartError::Thread(e.to_string()))?;
    match started.await {
        Ok(Ok(())) => Ok(Node { asks, thread }),
        Ok(Err(e)) => Err(e),
        Err(_) => Err(StartError::Thread("it ended before its ledger stood".into())),
    }
}

fn open(options: Options, addr: SocketAddr) -> Result<Desk, StartError> {
    let rules = Rules { passphrase: options.passphrase, now: options.now, ledger_s: options.ledger_s };
    let ledger = match options.state_file.filter(|path| path.exists()) {
        Some(path) => Ledger::load(rules, &path)?,
        None => Ledger::genesis(rules)?,
    };
    Ok(Desk { ledger, dev_methods: options.dev_methods, addr })
}

fn answer(mut desk: Desk, state_file: Option<&Path>, mut inbox: mpsc::Receiver<Ask>) {
    while let Some(ask) = inbox.blocking_recv() {
        desk.ledger.keep_pace();
        // Whoever asked may have gone; then nobody minds that the answer is lost.
        match ask {
            Ask::Call { method, params, reply } => {
                let said = rpc::call(&mut desk, &method, params);
                if method == "sendTransaction" {
                    keep(&desk, state_file);
                }
                drop(reply.send(said));
            }
            Ask::Fund { address, reply } => {
                let said = rpc::fund(&mut desk, &address);
                keep(&desk, state_file);
                drop(reply.send(said));
            }
            Ask::Save { path, reply } => drop(reply.send(desk.ledger.save(&path))),
            Ask::Stop => return,
        }
    }
}

/// A network forgets nothing it has answered for, even if its process is killed the next instant.
fn keep(desk: &Desk, state_file: Option<&Path>) {
    if let Some(Err(e)) = state_file.map(|path| desk.ledger.save(path)) {
        tracing::error!(error = %e, "the local network's state was not kept");
    }
}
