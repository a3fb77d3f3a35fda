//! The ground the simulators stand on: a real HTTP server on a real socket whose connections can be cut, a
//! record of what was heard, and a script of misbehaviour.
//!
//! Absent: what the other side does with a request; that is each rail's `sim.rs`.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// How the other side treats a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Acts, answers, calls back in order.
    OnTime,
    /// Acts, answers after a while.
    Late(Duration),
    /// Acts, then cuts the connection without a byte of answer.
    Silent,
    /// Answers with this status (5xx, 401, 429 …) and does not act.
    ErrorBefore(u16),
    /// Acts, then answers with this status.
    ErrorAfter(u16),
    /// Says no for good, with this code, and does not act.
    Refuse(String),
    /// Takes the request, then says that it failed, with this reason.
    Fail(String),
    /// Takes the request and leaves it pending for ever.
    Stall,
    /// Acts and answers, and every callback is lost.
    Mute,
    /// Sends every callback twice.
    Twice,
    /// Sends the callbacks last first: completed before processing.
    Reversed,
    /// Calls back that it failed, then that it was completed (and it was).
    Contradict,
}

/// Which requests a behaviour is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// All of them, for ever.
    Always,
    /// This many requests from now on.
    Next(u32),
    /// Those that name this phone (digits without plus) or this amount (as on the wire).
    Names(String),
}

/// The script: rules in the order they were given, the newest that fits wins; nothing that fits is `OnTime`.
#[derive(Debug, Default)]
pub(crate) struct Script(Mutex<Vec<(When, Behaviour)>>);

impl Script {
    pub(crate) fn add(&self, when: When, behaviour: Behaviour) {
        lock(&self.0).push((when, behaviour));
    }

    pub(crate) fn clear(&self) {
        lock(&self.0).clear();
    }

    /// The behaviour for a request with these names in it; uses up one of a `Next`.
    pub(crate) fn pick(&self, names: &[&str]) -> Behaviour {
        let mut rules = lock(&self.0);
        let fits = |when: &When| match when {
            When::Always => true,
            When::Next(left) => *left > 0,
            When::Names(name) => names.contains(&name.as_str()),
        };
        let Some((when, behaviour)) = rules.iter_mut().rev().find(|(when, _)| fits(when)) else {
            return Behaviour::OnTime;
        };
        if let When::Next(left) = when {
            *left -= 1;
        }
        behaviour.clone()
    }
}

/// A request as it was heard.
#[derive(Clone, PartialEq, Eq)]
pub struct Seen {
    /// The HTTP method.
    pub method: String,
    /// The path, with the query if there was one.
    pub path: String,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, byte by byte.
    pub body: Vec<u8>,
}

impl Seen {
    /// The first header of that (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// Headers carry keys and bodies carry phones.
impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({} bytes)", self.method, self.path, self.body.len())
    }
}

/// How many requests are remembered; a simulator left running for a day must not grow.
const REMEMBERED: usize = 10_000;

/// The record of what was heard, newest last.
#[derive(Debug, Default)]
pub(crate) struct Record(Mutex<VecDeque<Seen>>);

impl Record {
    pub(crate) fn keep(&self, parts: &axum::http::request::Parts, body: &[u8]) {
        let text = |v: &axum::http::HeaderValue| String::from_utf8_lossy(v.as_bytes()).into_owned();
        let seen = Seen {
            method: parts.method.to_string(),
            path: parts.uri.to_string(),
            headers: parts.headers.iter().map(|(n, v)| (n.to_string(), text(v))).collect(),
            body: body.to_vec(),
        };
        let mut record = lock(&self.0);
        if record.len() == REMEMBERED {
            record.pop_front();
        }
        record.push_back(seen);
    }

    pub(crate) fn all(&self) -> Vec<Seen> {
        lock(&self.0).iter().cloned().collect()
    }
}

/// A simulator must go on after a test's panic elsewhere, so a poisoned lock is just a lock.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a simulator does after it answered: its callbacks and reports, each on its way alone.
#[derive(Debug)]
pub(crate) struct Errands {
    tasks: Mutex<JoinSet<()>>,
    running: watch::Sender<usize>,
}

impl Default for Errands {
    fn default() -> Self {
        Self { tasks: Mutex::default(), running: watch::Sender::new(0) }
    }
}

impl Errands {
    pub(crate) fn run(&self, errand: impl Future<Output = ()> + Send + 'static) {
        self.running.send_modify(|running| *running += 1);
        let running = self.running.clone();
        let mut tasks = lock(&self.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            errand.await;
            running.send_modify(|running| *running -= 1);
        });
    }

    /// Waits until none is on its way.
    pub(crate) async fn quiet(&self) {
        let mut running = self.running.subscribe();
        // The sender lives as long as `self`, so this ends by the count alone.
        let _none = running.wait_for(|running| *running == 0).await;
    }

    pub(crate) fn stop(&self) {
        lock(&self.tasks).abort_all();
    }
}

/// A running server; it ends when dropped.
#[derive(Debug)]
pub struct Stage {
    addr: SocketAddr,
    task: JoinHandle<()>,
}

impl Stage {
    /// Serves `routes` on `listen` (port 0: any free one).
    ///
    /// # Errors
    /// When the socket cannot be had.
    pub async fn open(listen: SocketAddr, routes: Router) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let addr = listener.local_addr()?;
        let routes = routes.into_make_service_with_connect_info::<Line>();
        let task = tokio::spawn(async move {
            // It returns only when its task is aborted.
            let _ended = axum::serve(Lines(listener), routes).await;
        });
        Ok(Self { addr, task })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The line a request came over, which its answerer may cut.
#[derive(Clone, Debug, Default)]
pub struct Line(Arc<AtomicBool>);

impl Line {
    /// From now on not a byte goes back.
    pub fn cut(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn is_cut(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl Connected<IncomingStream<'_, Lines>> for Line {
    fn connect_info(stream: IncomingStream<'_, Lines>) -> Self {
        stream.remote_addr().clone()
    }
}

struct Lines(TcpListener);

impl Listener for Lines {
    type Io = CutStream;
    type Addr = Line;

    async fn accept(&mut self) -> (CutStream, Line) {
        let (stream, _) = Listener::accept(&mut self.0).await;
        let line = Line::default();
        (CutStream { stream, line: line.clone() }, line)
    }

    fn local_addr(&self) -> io::Result<Line> {
        Ok(Line::default())
    }
}

/// A connection that refuses to write once its line is cut; the server then drops it.
struct CutStream {
    stream: TcpStream,
    line: Line,
}

impl CutStream {
    fn alive(&self) -> io::Result<()> {
        if self.line.is_cut() { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl AsyncRead for CutStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for CutStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.alive()?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.alive()?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
