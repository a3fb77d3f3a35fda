//! A Postgres of one test's own, with all its care for durability, that can be killed and started again.
//!
//! Invariant: the cluster's supervisor (`amana_gateway::embedded::cluster`) stops whatever runs in its folder
//! and removes the folder when the test ends, however it ends.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use amana_gateway::db::MIGRATIONS;
use amana_gateway::embedded::cluster::Cluster;
use amana_ledger::journal;
use amana_tests::load::{Ticking, book};
use sqlx::{Connection, Executor, PgConnection};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

use crate::callers::PATIENCE;

const DATABASE: &str = "crash";

pub(crate) struct Place {
    /// Of our own, so that it is buried when it was killed: not every machine's first process does that.
    postmaster: Mutex<Option<Child>>,
    cluster: Cluster,
    /// The folder of its rows.
    rows: PathBuf,
    /// How the server was started: its path, then its words.
    started_as: Vec<String>,
}

impl Place {
    /// A migrated database with the book of the traffic open.
    pub(crate) async fn fresh() -> Self {
        let cluster = tokio::task::spawn_blocking(Cluster::temporary).await.unwrap().expect("postgres");
        let rows = cluster.socket_folder().parent().unwrap().join("data");
        // The path, then each word within quotation marks. What a temporary cluster forgets, this one keeps.
        let opts = fs::read_to_string(rows.join("postmaster.opts")).unwrap();
        let words = opts.split('"').map(str::trim).filter(|word| !word.is_empty());
        let started_as = words.map(|word| word.replace("=off", "=on")).collect();
        let place = Self { postmaster: Mutex::default(), cluster, rows, started_as };
        place.pg_ctl(&["stop", "-m", "fast"]).await;
        place.start().await;
        let mut admin = PgConnection::connect(&place.cluster.url("postgres", "postgres")).await.unwrap();
        for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
            let sql = sqlx::query_scalar("select current_setting($1)").bind(setting);
            let value: String = sql.fetch_one(&mut admin).await.unwrap();
            assert_eq!(value, "on", "{setting}");
        }
        admin.execute(sqlx::AssertSqlSafe(format!("create database {DATABASE}"))).await.unwrap();
        let mut owner = place.connect().await;
        MIGRATIONS.run(&mut owner).await.unwrap();
        let mut app = PgConnection::connect(&place.url("test")).await.unwrap();
        journal::open(&mut app, &Ticking::late_by(0), &book()).await.unwrap();
        place
    }

    /// Where the gateway's role reaches it, under a name that `pg_stat_activity` shows.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("{}&application_name={name}", self.cluster.url("amana_app", DATABASE))
    }

    /// As the superuser.
    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.cluster.url("postgres", DATABASE)).await.unwrap()
    }

    /// Kills the postmaster and every process of its own at once.
    pub(crate) async fn kill(&self) {
        let mut postmaster = self.postmaster.lock().await.take().unwrap();
        let pid = postmaster.id().unwrap();
        // It must not start another while we look.
        stop(pid).await;
        let children = children(pid);
        signal("KILL", &[&children[..], &[pid]].concat()).await;
        postmaster.wait().await.unwrap();
        while children.iter().any(|pid| is_alive(*pid)) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// As an operator does who has no patience: no checkpoint, every backend is told to quit at once.
    pub(crate) async fn stop_immediately(&self) {
        let mut postmaster = self.postmaster.lock().await.take().unwrap();
        let (stopped, ended) = tokio::join!(self.pg_ctl(&["stop", "-m", "immediate"]), postmaster.wait());
        let ((), _) = (stopped, ended.unwrap());
    }

    /// Starts it, again after either, with the words it had, and waits until it lets somebody in.
    pub(crate) async fn start(&self) {
        let mut command = self.as_owner(&self.started_as[0]);
        let log = fs::File::options().append(true).open(self.rows.with_file_name("log")).unwrap();
        command.args(&self.started_as[1..]).stdout(Stdio::null()).stderr(log);
        // If we are killed the supervisor stops it.
        let child = command.process_group(0).spawn().unwrap();
        *self.postmaster.lock().await = Some(child);
        let (begun, url) = (Instant::now(), self.cluster.url("postgres", "postgres"));
        while let Err(error) = PgConnection::connect(&url).await {
            assert!(begun.elapsed() < PATIENCE, "postgres does not start: {error}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn pg_ctl(&self, words: &[&str]) {
        let mut command = self.as_owner(Path::new(&self.started_as[0]).with_file_name("pg_ctl"));
        let command = command.args(words).arg("-D").arg(&self.rows).args(["-w", "-t", "60"]);
        let output = command.output().await.unwrap();
        assert!(output.status.success(), "pg_ctl {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A program as the user whose the cluster is.
    fn as_owner(&self, program: impl AsRef<OsStr>) -> Command {
        let owner = fs::metadata(&self.rows).unwrap();
        let mut command = Command::new(program);
        command.current_dir(&self.rows).stdin(Stdio::null());
        if fs::metadata("/proc/self").unwrap().uid() != owner.uid() {
            command.uid(owner.uid()).gid(owner.gid());
        }
        command
    }
}

/// Sends a signal to processes, by their ids.
pub(crate) async fn signal(name: &str, pids: &[u32]) {
    let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
    let mut kill = Command::new("/bin/sh");
    kill.args(["-c", r#"kill -s "$0" "$@""#, name]).args(pids);
    // One of them may have gone by itself.
    let _ = kill.stderr(Stdio::null()).status().await.unwrap();
}

/// Stops a process, and waits until each of its threads stands still: the signal itself does not.
pub(crate) async fn stop(pid: u32) {
    signal("STOP", &[pid]).await;
    let threads = || fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let runs = |path: PathBuf| stat(&path).is_some_and(|(state, _)| state != "T");
    while threads().any(|thread| runs(thread.path())) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// What stands after the name in a process's or a thread's `stat`: the state, then the parent.
fn stat(place: &Path) -> Option<(String, u32)> {
    let text = fs::read_to_string(place.join("stat")).ok()?;
    let mut fields = text.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}

fn of(pid: u32) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}"))
}

fn is_alive(pid: u32) -> bool {
    stat(&of(pid)).is_some_and(|(state, _)| state != "Z" && state != "X")
}

fn children(parent: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| stat(&of(*pid)).is_some_and(|(_, of)| of == parent)).collect()
}
