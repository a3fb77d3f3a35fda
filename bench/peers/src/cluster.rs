//! The cluster under measurement: databases made and dropped in it, and what its processes used.
//!
//! Invariant: nothing is measured on a cluster that would lose a commit; `reach` refuses it.

use std::fs;

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::figure::{Machine, Spent};
use crate::ground::Fault;

/// Linux counts processor time in hundredths of a second, whatever the kernel was built with (`USER_HZ`).
const NANOS_A_TICK: u64 = 10_000_000;

/// A cluster, seen from a connection of its superuser.
pub(crate) struct Cluster {
    url: String,
    admin: PgConnection,
    postmaster: u32,
    made: u32,
}

/// What had been used up to a moment.
#[derive(Clone, Copy)]
pub(crate) struct Reading {
    wal: u64,
    server: u64,
    client: u64,
}

impl Reading {
    /// What was used between two readings.
    pub(crate) fn since(&self, before: &Reading) -> Spent {
        Spent {
            wal_bytes: self.wal.saturating_sub(before.wal),
            server_ns: self.server.saturating_sub(before.server),
            client_ns: self.client.saturating_sub(before.client),
        }
    }
}

/// What a fresh database is made of.
#[derive(Clone, Copy)]
pub(crate) enum Mould {
    /// Ours, with every migration.
    Migrated,
    /// Nothing.
    Empty,
}

impl Cluster {
    /// Reaches the cluster of `url`, whose database `postgres` is migrated and used by nobody.
    pub(crate) async fn reach(url: &str) -> Result<Self, Fault> {
        // A database is copied only while nobody is in it, so we stay out of the one that is the mould.
        let mut admin = PgConnection::connect(&with_database(url, "template1")?).await?;
        let own: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut admin).await?;
        let postmaster =
            stat(&format!("/proc/{own}/stat")).ok_or("cannot read /proc: Linux is needed")?.parent;
        let cluster = Self { url: url.to_owned(), admin, postmaster, made: 0 };
        cluster.durable().await
    }

    async fn durable(mut self) -> Result<Self, Fault> {
        for name in ["fsync", "synchronous_commit", "data_checksums", "full_page_writes"] {
            if self.setting(name).await? != "on" {
                return Err(format!("{name} is off: figures of such a cluster mean nothing").into());
            }
        }
        Ok(self)
    }

    async fn setting(&mut self, name: &str) -> Result<String, Fault> {
        let asked = sqlx::query_scalar("select current_setting($1)").bind(name);
        Ok(asked.fetch_one(&mut self.admin).await?)
    }

    /// Makes a database and says where it is.
    pub(crate) async fn make(&mut self, mould: Mould) -> Result<String, Fault> {
        self.made += 1;
        let name = format!("bench_{}", self.made);
        let template = match mould {
            Mould::Migrated => "postgres",
            Mould::Empty => "template0",
        };
        let sql = format!("create database {name} template {template}");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.admin).await?;
        with_database(&self.url, &name)
    }

    /// Drops a database that [`make`](Self::make) made.
    pub(crate) async fn unmake(&mut self, url: &str) -> Result<(), Fault> {
        let sql = format!("drop database {} with (force)", database_of(url)?);
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.admin).await?;
        Ok(())
    }

    /// Deadlocks that a database has seen.
    pub(crate) async fn deadlocks(&mut self, url: &str) -> Result<u64, Fault> {
        let asked = sqlx::query_scalar("select deadlocks from pg_stat_database where datname = $1");
        let seen: Option<i64> = asked.bind(database_of(url)?).fetch_optional(&mut self.admin).await?;
        Ok(seen.unwrap_or(0).unsigned_abs())
    }

    /// A checkpoint, so that none begins by itself in what is measured next.
    pub(crate) async fn settle(&mut self) -> Result<(), Fault> {
        sqlx::raw_sql("checkpoint").execute(&mut self.admin).await?;
        Ok(())
    }

    /// What has been used so far: WAL, and the processor time of Postgres and of ourselves.
    pub(crate) async fn reading(&mut self) -> Result<Reading, Fault> {
        let wal: i64 = sqlx::query_scalar("select (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint")
            .fetch_one(&mut self.admin)
            .await?;
        let client = stat("/proc/self/stat").ok_or("cannot read /proc/self/stat")?.own;
        Ok(Reading { wal: wal.unsigned_abs(), server: self.server_time(), client: client * NANOS_A_TICK })
    }

    /// Processor time of the postmaster, its children, and the children that have ended.
    fn server_time(&self) -> u64 {
        let found = fs::read_dir("/proc").into_iter().flatten().flatten();
        let times = found.filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = stat(&format!("/proc/{pid}/stat"))?;
            if pid == self.postmaster {
                Some(stat.own + stat.ended)
            } else {
                (stat.parent == self.postmaster).then_some(stat.own)
            }
        });
        times.sum::<u64>() * NANOS_A_TICK
    }

    /// The machine and how Postgres is set on it.
    pub(crate) async fn machine(&mut self, arguments: String) -> Result<Machine, Fault> {
        let mut settings = Vec::new();
        for name in ["fsync", "synchronous_commit", "data_checksums", "shared_buffers", "max_wal_size"] {
            settings.push(format!("{name}={}", self.setting(name).await?));
        }
        let memory = line_of("/proc/meminfo", "MemTotal");
        let kib: u64 = memory.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0);
        Ok(Machine {
            processor: line_of("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(0, |n| n.get() as u64),
            memory_mib: kib / 1024,
            postgres: self.setting("server_version").await?,
            settings: settings.join(", "),
            arguments,
        })
    }
}

struct Stat {
    parent: u32,
    /// Ticks of the process itself.
    own: u64,
    /// Ticks of the children it has waited for.
    ended: u64,
}

/// Reads `/proc/<pid>/stat` (proc_pid_stat(5)); the name in parentheses may hold anything.
fn stat(path: &str) -> Option<Stat> {
    let text = fs::read_to_string(path).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Stat {
        parent: u32::try_from(number(1)?).ok()?,
        own: number(11)? + number(12)?,
        ended: number(13)? + number(14)?,
    })
}

/// What stands behind `name` and a colon.
fn line_of(path: &str, name: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_once(':')).map_or_else(String::new, |(_, rest)| rest.trim().to_owned())
}

/// The same place, another database.
fn with_database(url: &str, name: &str) -> Result<String, Fault> {
    let (before, query) = url.split_once('?').unwrap_or((url, ""));
    let (place, _) = before.rsplit_once('/').ok_or("the database's address has no path")?;
    Ok(format!("{place}/{name}?{query}"))
}

fn database_of(url: &str) -> Result<&str, Fault> {
    let before = url.split('?').next().unwrap_or(url);
    Ok(before.rsplit_once('/').ok_or("the database's address has no path")?.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_their_database() {
        let url = with_database("postgres://postgres@localhost/postgres?host=/tmp/x", "bench_1").unwrap();
        assert_eq!(url, "postgres://postgres@localhost/bench_1?host=/tmp/x");
        assert_eq!(database_of(&url).unwrap(), "bench_1");
    }

    #[test]
    fn our_own_time_can_be_read() {
        assert!(stat("/proc/self/stat").is_some_and(|stat| stat.parent > 0));
    }
}
