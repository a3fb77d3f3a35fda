//! The one thread that owns the ledger, and the questions put to it.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use crate::faults::{BadScript, Draw, Fault, Faults, Strike};
use crate::ledger::log::Keeper;
use crate::ledger::{Ledger, Rules};
use crate::network::Network;
use crate::rpc::{self, Desk, Funded, Reply};
use crate::{Options, SaveError, StartError};

/// Questions waiting for the ledger's thread at most; beyond that callers wait.
const QUEUE: usize = 1024;

/// The host recurses as deep as contracts nest and values lie in one another; in bytes.
const STACK: usize = 16 << 20;

/// A question to the ledger's thread.
pub(crate) enum Ask {
    /// An RPC method.
    Call { method: String, params: Value, reply: oneshot::Sender<Reply> },
    /// Lumens for an account.
    Fund { address: String, reply: oneshot::Sender<Funded> },
    /// Begin a script of faults.
    SetFaults { script: Faults, reply: oneshot::Sender<Result<(), BadScript>> },
    /// Let weather happen.
    Suffer { weather: Fault, reply: oneshot::Sender<()> },
    /// What the script has struck.
    Strikes { reply: oneshot::Sender<Vec<Strike>> },
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
        .spawn(move || match open(options, addr) {
            Ok((desk, keeper)) => {
                if ready.send(Ok(())).is_ok() {
                    answer(desk, keeper, inbox);
                }
            }
            Err(e) => drop(ready.send(Err(e))),
        })
        .map_err(|e| StartError::Thread(e.to_string()))?;
    match started.await {
        Ok(Ok(())) => Ok(Node { asks, thread }),
        Ok(Err(e)) => Err(e),
        Err(_) => Err(StartError::Thread("it ended before its ledger stood".into())),
    }
}

fn open(options: Options, addr: SocketAddr) -> Result<(Desk, Option<Keeper>), StartError> {
    let rules = Rules { passphrase: options.passphrase, now: options.now, ledger_s: options.ledger_s };
    let kept = options.state_file.as_ref().filter(|path| path.exists());
    let mut ledger = match kept.or(options.begin_with.as_ref()) {
        Some(path) => Ledger::load(rules, path)?,
        None => Ledger::genesis(rules)?,
    };
    let keeper = match options.state_file {
        Some(path) => {
            let fault = |e: SaveError| StartError::State { path: path.clone(), why: e.to_string() };
            Some(Keeper::open(path.clone(), &mut ledger).map_err(fault)?)
        }
        None => None,
    };
    let network = Network::new(ledger);
    let mut desk = Desk { network, faults: Draw::default(), dev_methods: options.dev_methods, addr };
    rpc::set_faults(&mut desk, options.faults).map_err(StartError::Faults)?;
    Ok((desk, keeper))
}

/// Answers until told to stop. What an answer rests on is written down before it is given.
fn answer(mut desk: Desk, mut keeper: Option<Keeper>, mut inbox: mpsc::Receiver<Ask>) {
    while let Some(ask) = inbox.blocking_recv() {
        desk.network.keep_pace();
        // Whoever asked may have gone; then nobody minds that the answer is lost.
        match ask {
            Ask::Call { method, params, reply } => {
                let answer = rpc::serve(&mut desk, &method, params);
                keep(&mut desk, &mut keeper);
                drop(reply.send(answer));
            }
            Ask::Fund { address, reply } => {
                let answer = rpc::fund(&mut desk, &address);
                keep(&mut desk, &mut keeper);
                drop(reply.send(answer));
            }
            Ask::SetFaults { script, reply } => drop(reply.send(rpc::set_faults(&mut desk, script))),
            Ask::Suffer { weather, reply } => {
                desk.network.suffer(&weather);
                keep(&mut desk, &mut keeper);
                let _ = reply.send(());
            }
            Ask::Strikes { reply } => drop(reply.send(desk.faults.strikes().to_vec())),
            Ask::Save { path, reply } => {
                let saved = match keeper.as_mut().filter(|keeper| keeper.keeps(&path)) {
                    Some(keeper) => keeper.fold(&mut desk.network.ledger),
                    None => desk.network.ledger.save(&path),
                };
                drop(reply.send(saved));
            }
            Ask::Stop => return,
        }
    }
}

fn keep(desk: &mut Desk, keeper: &mut Option<Keeper>) {
    if let Some(keeper) = keeper {
        keeper.keep(&mut desk.network.ledger);
    }
}
