//! A process with many callers (`tests/src/bin/caller.rs`), and what was heard of its stream over all the
//! processes that had it one after the other.
//!
//! Invariant: what a process said before it died is heard. Absent: judgement, see `check.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::place::{Place, signal, stop};

/// How long anything may take that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const CALLERS: u64 = 32;
/// How many requests that were answered are asked again by the next process.
const REPEATS: usize = 8;

/// What was heard of one stream.
pub(crate) struct Tally {
    pub(crate) stream: u64,
    heard: Mutex<Heard>,
    /// How many answers, and the greatest number among them.
    answered: watch::Sender<(u64, u64)>,
}

#[derive(Default)]
pub(crate) struct Heard {
    /// Every answer to a request, in order; none if it was asked and not answered.
    pub(crate) answers: BTreeMap<u64, Vec<String>>,
    /// Asked and not answered, or not answered since it was asked again.
    pub(crate) open: BTreeSet<u64>,
    pub(crate) faults: Vec<String>,
    /// When something was answered last, and the longest time without an answer since it was asked for.
    last: Option<Instant>,
    silence: Duration,
}

impl Heard {
    fn next(&self) -> u64 {
        self.answers.last_key_value().map_or(1, |(last, _)| last + 1)
    }
}

impl Tally {
    pub(crate) fn of(stream: u64) -> Arc<Self> {
        Arc::new(Self { stream, heard: Mutex::default(), answered: watch::Sender::new((0, 0)) })
    }

    pub(crate) fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap()
    }

    fn hear(&self, line: &str) {
        let (word, rest) = line.split_once(' ').expect("a word and a number");
        let (number, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let number: u64 = number.parse().expect("a number");
        let mut heard = self.heard();
        match word {
            "ask" => {
                heard.answers.entry(number).or_default();
                heard.open.insert(number);
            }
            "ack" => {
                let (now, last) = (Instant::now(), heard.last);
                heard.silence = heard.silence.max(now.duration_since(last.unwrap_or(now)));
                heard.last = Some(now);
                heard.open.remove(&number);
                heard.answers.entry(number).or_default().push(rest.to_owned());
                self.answered.send_modify(|(count, last)| (*count, *last) = (*count + 1, number.max(*last)));
            }
            _ => heard.faults.push(line.to_owned()),
        }
    }

    /// The longest time without an answer since this was asked last, up to now.
    pub(crate) fn silence(&self) -> Duration {
        let (now, mut heard) = (Instant::now(), self.heard());
        let since = now.duration_since(heard.last.replace(now).unwrap_or(now));
        std::mem::take(&mut heard.silence).max(since)
    }

    /// Waits for so many more answers.
    pub(crate) async fn more(&self, by: u64) {
        let until = self.answered.borrow().0 + by;
        self.wait(|(count, _)| *count >= until).await;
    }

    /// Waits until something is answered that was not yet asked when this was called.
    pub(crate) async fn goes_on(&self) {
        let from = self.heard().next();
        self.wait(|(_, last)| *last >= from).await;
    }

    async fn wait(&self, condition: impl FnMut(&(u64, u64)) -> bool) {
        let mut answered = self.answered.subscribe();
        let met = tokio::time::timeout(PATIENCE, answered.wait_for(condition)).await;
        let met = met.map(|met| met.map(drop));
        let heard = self.heard();
        assert!(matches!(met, Ok(Ok(()))), "stream {}: no answer; {:?}", self.stream, heard.faults);
    }
}

/// A running process. Dropped, it is killed.
pub(crate) struct Callers {
    child: Child,
    pub(crate) tally: Arc<Tally>,
    listener: JoinHandle<()>,
}

impl Callers {
    /// Goes on where the stream was left: asks again what was not answered, and a little of what was.
    pub(crate) fn start(place: &Place, tally: &Arc<Tally>) -> Self {
        let again: Vec<u64> = {
            let heard = tally.heard();
            let answered = heard.answers.keys().rev().filter(|number| !heard.open.contains(number));
            heard.open.iter().chain(answered.take(REPEATS)).copied().collect()
        };
        let mut command = Command::new(env!("CARGO_BIN_EXE_caller"));
        command.arg(place.url(&name(tally.stream)));
        let words = [tally.stream, tally.heard().next(), CALLERS];
        command.args(words.iter().chain(&again).map(u64::to_string));
        // A process group of its own: if we are killed while it is stopped, it is orphaned, and the system
        // ends a stopped group that is.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0).kill_on_drop(true);
        let mut child = command.spawn().expect("a process");
        let listener = tokio::spawn(listen(child.stdout.take().unwrap(), tally.clone()));
        Self { child, tally: tally.clone(), listener }
    }

    /// Its name in `pg_stat_activity`.
    pub(crate) fn name(&self) -> String {
        name(self.tally.stream)
    }

    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
        self.listener.await.unwrap();
    }

    /// Stops it where it stands.
    pub(crate) async fn pause(&self) {
        stop(self.child.id().unwrap()).await;
    }

    pub(crate) async fn wake(&self) {
        signal("CONT", &[self.child.id().unwrap()]).await;
    }

    /// Asks nothing more, waits for what is open, and goes.
    pub(crate) async fn end(mut self) {
        drop(self.child.stdin.take());
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends").unwrap();
        assert!(status.success(), "{status}");
        self.listener.await.unwrap();
    }
}

fn name(stream: u64) -> String {
    format!("callers-{stream}")
}

async fn listen(output: ChildStdout, tally: Arc<Tally>) {
    let mut lines = BufReader::new(output).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        tally.hear(&line);
    }
}
