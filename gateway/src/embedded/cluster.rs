//! A private Postgres cluster: created, started, watched over, and stopped with the process that asked for
//! it.
//!
//! Invariant: no TCP port is opened; only a unix socket in a folder of mode 0700. Postgres never outlives us:
//! a small shell holds the reading end of a pipe whose writing end is ours alone, and stops Postgres when the
//! pipe closes, for whatever reason we ended.
//! Absent: SQL, roles and migrations. Whoever starts a cluster migrates it.

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::io::{self, BufRead, BufReader, Write as _};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

/// The oldest major version whose features the migrations use.
const OLDEST: u32 = 15;

/// A unix socket's whole path must fit into 107 bytes (`sun_path`), and the socket's name takes 15 of them.
const LONGEST_SOCKET_FOLDER: usize = 107 - "/.s.PGSQL.5432".len() - 1;

/// Settings of every private cluster: reachable through the socket alone.
const ALWAYS: &[&str] =
    &["listen_addresses=", "unix_socket_permissions=0700", "max_connections=400", "log_min_messages=warning"];

/// Settings of a cluster that is thrown away: nothing in it needs to survive a power cut.
const FORGETFUL: &[&str] = &["fsync=off", "synchronous_commit=off", "full_page_writes=off"];

/// Starts Postgres, says so, waits until our process has gone, stops it, and clears up where asked to.
const SUPERVISOR: &str = r#"
bin=$1 dir=$2 options=$3 keep=$4
"$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -o "$options" -w -t 120 start >/dev/null 2>&1 ||
    { echo failed; exit 1; }
echo ready
cat >/dev/null
"$bin/pg_ctl" -D "$dir/data" -m fast -w -t 60 stop >/dev/null 2>&1 ||
    "$bin/pg_ctl" -D "$dir/data" -m immediate -w stop >/dev/null 2>&1
[ "$keep" = keep ] || rm -rf "$dir"
"#;

/// Why there is no cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No Postgres new enough was found on this machine.
    #[error("no postgres {OLDEST} or newer found in PATH or /usr/lib/postgresql/*/bin: install postgresql")]
    NotInstalled,
    /// The socket's path would be longer than the operating system allows.
    #[error("the folder {0} is too deep for a unix socket: choose a shorter AMANA_DATA_DIR")]
    TooDeep(PathBuf),
    /// Postgres refuses to run as root, and this machine has no user to run it as.
    #[error("running as root, and neither user `postgres` nor `nobody` exists to run postgres as")]
    NoUser,
    /// A folder could not be made or a program not be run.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// The operating system's answer.
        source: io::Error,
    },
    /// `initdb` or the server gave up; the text is its own.
    #[error("{program} failed: {said}")]
    Failed {
        /// Which program.
        program: &'static str,
        /// The end of what it said.
        said: String,
    },
}

/// Adds what was being done to an I/O error.
fn doing(what: impl Into<String>) -> impl FnOnce(io::Error) -> ClusterError {
    let what = what.into();
    move |source| ClusterError::Io { what, source }
}

/// An unprivileged user to run Postgres as; nobody needs one who is not root.
#[derive(Debug, Clone, Copy)]
struct User {
    uid: u32,
    gid: u32,
}

/// What becomes of a cluster's folder, and how careful Postgres is with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Stays; durable.
    Kept,
    /// Goes; nothing is synced to disk.
    Forgetful,
}

/// A running private cluster. Dropping it stops Postgres and waits for that.
#[derive(Debug)]
pub struct Cluster {
    dir: PathBuf,
    supervisor: Child,
    lifeline: Option<ChildStdin>,
}

impl Cluster {
    /// A cluster in a temporary folder, quick and forgetful, removed when it stops. For tests and the demo.
    ///
    /// # Errors
    /// Postgres is not installed or does not start.
    pub fn temporary() -> Result<Self, ClusterError> {
        Self::temporary_in(Path::new("/tmp"))
    }

    /// As [`Cluster::temporary`], in a folder of the caller's choice: one in memory is quicker still.
    ///
    /// # Errors
    /// As [`Cluster::temporary`].
    pub fn temporary_in(parent: &Path) -> Result<Self, ClusterError> {
        let dir = fresh_folder(parent)?;
        let cluster = Self::start(&dir, Kind::Forgetful);
        if cluster.is_err() {
            // Best effort: the reason for the failure matters more than a folder left behind.
            let _ = fs::remove_dir_all(&dir);
        }
        cluster
    }

    /// A cluster whose data stays in `dir`, with Postgres's own durable settings; created there if new.
    ///
    /// # Errors
    /// Postgres is not installed or does not start; `dir` cannot be made or is in use by another cluster.
    pub fn durable(dir: &Path) -> Result<Self, ClusterError> {
        fs::create_dir_all(dir).map_err(doing(format!("create {}", dir.display())))?;
        Self::start(dir, Kind::Kept)
    }

    fn start(dir: &Path, kind: Kind) -> Result<Self, ClusterError> {
        let bin = find_binaries().ok_or(ClusterError::NotInstalled)?;
        let user = user_for(dir)?;
        prepare_folders(dir, user)?;
        if !dir.join("data/PG_VERSION").exists() {
            init(&bin, dir, user, kind)?;
        }
        let mut options = format!("-k {}", quoted(&socket_folder(dir)));
        for setting in ALWAYS.iter().chain(if kind == Kind::Forgetful { FORGETFUL } else { &[] }) {
            // Writing to a String cannot fail.
            let _ = write!(options, " -c {setting}");
        }
        let mut shell = command("/bin/sh", dir, user);
        shell.args(["-c", SUPERVISOR, "amana-postgres"]).arg(&bin).arg(dir).arg(options);
        shell.arg(if kind == Kind::Kept { "keep" } else { "remove" });
        // A process group of its own: Ctrl-C in the terminal must reach us and not the database first.
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        let mut supervisor = shell.spawn().map_err(doing("run /bin/sh"))?;
        let lifeline = supervisor.stdin.take();
        let mut word = String::new();
        if let Some(out) = supervisor.stdout.take() {
            BufReader::new(out).read_line(&mut word).map_err(doing("wait for postgres"))?;
        }
        let cluster = Self { dir: dir.to_owned(), supervisor, lifeline };
        if word.trim() == "ready" {
            return Ok(cluster);
        }
        Err(ClusterError::Failed { program: "postgres", said: tail(&dir.join("log")) })
    }

    /// Where `user` reaches `database`, through the socket.
    pub fn url(&self, user: &str, database: &str) -> String {
        format!("postgres://{user}@localhost/{database}?host={}", encoded(&socket_folder(&self.dir)))
    }

    /// The folder of the socket, for `psql -h`.
    pub fn socket_folder(&self) -> PathBuf {
        socket_folder(&self.dir)
    }

    /// Stops Postgres and waits until it has gone.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(mut pipe) = self.lifeline.take() {
            // Closing the pipe is the message; there may be nobody left to read.
            let _ = pipe.flush();
        }
        let _ = self.supervisor.wait();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.end();
    }
}

/// The folder of `initdb`, `pg_ctl` and `postgres`: the newest version of those found.
fn find_binaries() -> Option<PathBuf> {
    let mut places = vec![PathBuf::from("/usr/local/pgsql/bin"), PathBuf::from("/usr/local/bin")];
    for (parent, rest) in [("/usr/lib/postgresql", "bin"), ("/opt/homebrew/opt", "bin"), ("/usr", "bin")] {
        let found = fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path().join(rest));
        places.extend(found);
    }
    // The shell knows PATH; we read no environment here.
    let asked = Command::new("/bin/sh").args(["-c", "command -v pg_ctl"]).output().ok();
    let path = asked.and_then(|out| String::from_utf8(out.stdout).ok());
    places.extend(path.and_then(|path| Path::new(path.trim()).parent().map(Path::to_owned)));
    places.into_iter().filter_map(|bin| Some((version_of(&bin)?, bin))).max().map(|(_, bin)| bin)
}

/// The major version of the Postgres in `bin`, if it is whole and new enough.
fn version_of(bin: &Path) -> Option<u32> {
    if !["initdb", "pg_ctl", "postgres"].iter().all(|program| bin.join(program).exists()) {
        return None;
    }
    let said = Command::new(bin.join("postgres")).arg("--version").output().ok()?;
    major(&String::from_utf8_lossy(&said.stdout)).filter(|major| *major >= OLDEST)
}

/// `postgres (PostgreSQL) 15.18 (Debian …)` → 15; `17beta1` → 17.
fn major(said: &str) -> Option<u32> {
    let version = said.split(')').nth(1)?.trim();
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// Whom to run Postgres as: ourselves, or somebody without rights when we are root.
fn user_for(dir: &Path) -> Result<Option<User>, ClusterError> {
    // What we create belongs to us, which tells who we are without asking the C library.
    let probe = dir.join(".owner");
    fs::write(&probe, "").map_err(doing(format!("write into {}", dir.display())))?;
    let we = fs::metadata(&probe).map_err(doing("look at our own file"))?.uid();
    fs::remove_file(&probe).map_err(doing("remove our own file"))?;
    if we != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").map_err(doing("read /etc/passwd"))?;
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| user_named(&users, name))
        .map(Some)
        .ok_or(ClusterError::NoUser)
}

fn user_named(passwd: &str, name: &str) -> Option<User> {
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some(User { uid: fields.next()?.parse().ok()?, gid: fields.next()?.parse().ok()? })
}

/// The folder with its `data` and `run`, owned by whoever runs Postgres.
fn prepare_folders(dir: &Path, user: Option<User>) -> Result<(), ClusterError> {
    let run = socket_folder(dir);
    if run.as_os_str().len() > LONGEST_SOCKET_FOLDER {
        return Err(ClusterError::TooDeep(dir.to_owned()));
    }
    for folder in [dir.to_owned(), dir.join("data"), run] {
        let made = || -> io::Result<()> {
            fs::create_dir_all(&folder)?;
            fs::set_permissions(&folder, Permissions::from_mode(0o700))?;
            user.map_or(Ok(()), |user| chown(&folder, Some(user.uid), Some(user.gid)))
        };
        made().map_err(doing(format!("prepare {}", folder.display())))?;
    }
    Ok(())
}

fn init(bin: &Path, dir: &Path, user: Option<User>, kind: Kind) -> Result<(), ClusterError> {
    let mut initdb = command(bin.join("initdb"), dir, user);
    // `trust` is safe behind a socket folder that only its owner and root may enter.
    initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"]);
    if kind != Kind::Kept {
        initdb.arg("--no-sync");
    }
    let out = initdb.arg("-D").arg(dir.join("data")).output().map_err(doing("run initdb"))?;
    if out.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&out.stderr);
    Err(ClusterError::Failed { program: "initdb", said: last_lines(&said) })
}

/// A program run as `user`, in `dir`, with an environment that holds no `PG…` variable of the caller's.
fn command(program: impl AsRef<std::ffi::OsStr>, dir: &Path, user: Option<User>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_ALL", "C").current_dir(dir);
    if let Some(user) = user {
        command.uid(user.uid).gid(user.gid);
    }
    command
}

/// A folder nobody had before.
fn fresh_folder(parent: &Path) -> Result<PathBuf, ClusterError> {
    let process = std::process::id();
    for n in 0..1000_u32 {
        let dir = parent.join(format!("amana-pg-{process}-{n}"));
        match fs::create_dir(&dir) {
            Ok(()) => return Ok(dir),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(doing(format!("create {}", dir.display()))(error)),
        }
    }
    Err(ClusterError::TooDeep(parent.to_owned()))
}

fn socket_folder(dir: &Path) -> PathBuf {
    dir.join("run")
}

/// A path as one word of `pg_ctl -o`, which a shell reads.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

/// A path as a value in a URL's query.
fn encoded(path: &Path) -> String {
    let mut out = String::new();
    for byte in path.display().to_string().bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn tail(log: &Path) -> String {
    fs::read_to_string(log).map_or_else(|_| "it left no log".to_owned(), |text| last_lines(&text))
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_what_postgres_says() {
        assert_eq!(major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 18beta2"), Some(18));
        assert_eq!(major("command not found"), None);
    }

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let passwd = "postgresql:x:1:2::/:/bin/sh\npostgres:x:101:104:admin:/:/bin/sh\n";
        let user = user_named(passwd, "postgres").unwrap();
        assert_eq!((user.uid, user.gid), (101, 104));
        assert!(user_named(passwd, "nobody").is_none());
    }

    #[test]
    fn paths_are_quoted_for_the_shell_and_the_url() {
        assert_eq!(quoted(Path::new("/a b/it's")), r"'/a b/it'\''s'");
        assert_eq!(encoded(Path::new("/a b/ü")), "/a%20b/%C3%BC");
    }
}
