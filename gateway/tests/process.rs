//! The binary as a process: it comes up whole, forgets nothing when it is killed, and leaves nothing running.
#![expect(clippy::unwrap_used, reason = "a test fails by unwrapping")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A folder of the test's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        Self(PathBuf::from(format!("/tmp/amana-{name}-{}", std::process::id())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn amana(words: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_amana"));
    command
        .args(words)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .envs(variables.iter().copied());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A deployment that was started and told where it answers.
struct Deployment {
    child: Child,
    said: String,
}

impl Deployment {
    fn start(folder: &Path) -> Self {
        let any = "127.0.0.1:0";
        let variables = [
            ("AMANA_DATA_DIR", folder.to_str().unwrap()),
            ("AMANA_LISTEN", any),
            ("AMANA_ESCROW_LISTEN", any),
            ("AMANA_STELLAR_LISTEN", any),
        ];
        let mut child = amana(&["serve", "--embedded"], &variables).stderr(Stdio::null()).spawn().unwrap();
        let mut said = String::new();
        let mut out = BufReader::new(child.stdout.as_mut().unwrap());
        // The last line of the welcome is the last log-in.
        while !said.contains("demo-approver") {
            assert_ne!(out.read_line(&mut said).unwrap(), 0, "it ended: {said}");
        }
        Self { child, said }
    }

    /// The word after `label` in the welcome.
    fn told(&self, label: &str) -> String {
        let line = self.said.lines().find(|line| line.trim_start().starts_with(label)).unwrap();
        line.trim_start()[label.len()..].split_whitespace().next().unwrap().to_owned()
    }

    fn contract(&self) -> String {
        self.said.split("contract ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned()
    }

    fn get(&self, path: &str) -> String {
        let address = self.told("API").replace("http://", "");
        let mut stream = TcpStream::connect(&address).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

/// Waits for something that the operating system does in its own time.
fn soon(what: &str, is: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < Duration::from_secs(60), "not within a minute: {what}");
        #[expect(clippy::disallowed_methods, reason = "no runtime runs here that could be stopped")]
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_deployment_survives_its_process_and_leaves_nothing_running() {
    let folder = Folder::new("process");
    let is_down = || !folder.0.join("postgres/data/postmaster.pid").exists();

    let mut killed = Deployment::start(&folder.0);
    assert!(killed.get("/readyz").starts_with("HTTP/1.0 200"), "{}", killed.get("/readyz"));
    let contract = killed.contract();
    killed.child.kill().unwrap();
    killed.child.wait().unwrap();
    soon("postgres stops when nobody is left who needs it", is_down);

    let mut told = Deployment::start(&folder.0);
    assert_eq!(told.contract(), contract, "the chain remembers");
    assert!(told.get("/readyz").starts_with("HTTP/1.0 200"));
    let pid = told.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(told.child.wait().unwrap().success());
    assert!(is_down(), "postgres has stopped before the process ends");
}

#[test]
fn the_demo_tells_its_story_and_leaves_nothing_behind() {
    let child = amana(&["demo"], &[]).spawn().unwrap();
    let pid = child.id();
    let out = child.wait_with_output().unwrap();
    let (said, wrong) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{wrong}");
    assert!(said.contains("agree to the cent"), "{said}");
    assert!(!Path::new(&format!("/tmp/amana-pg-{pid}-0")).exists(), "its postgres is gone");
}

#[test]
fn who_decides_disputes_is_given_one_key_and_no_other() {
    let secret = "SCZANGBA5YHTNYVVV4C3U252E2B6P6F5T3U6MM63WBSBZATAQI3EBTQ4";
    let variables = [("AMANA_STELLAR_ARBITER_SECRET", secret), ("AMANA_STELLAR_OPERATOR_SECRET", secret)];
    let output = amana(&["arbiter"], &variables).output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    for line in ["AMANA_STELLAR_OPERATOR_SECRET: must not be", "AMANA_STELLAR_CONTRACT: is required"] {
        assert!(said.contains(line), "{said}");
    }
    assert!(!said.contains(secret), "{said}");
}

#[test]
fn a_wrong_environment_is_told_whole() {
    let variables =
        [("AMANA_LISTEM", "127.0.0.1:1"), ("AMANA_LISTEN", "here"), ("AMANA_MASTER_KEY", "planted")];
    let out = amana(&["serve"], &variables).output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(!out.status.success());
    for name in ["AMANA_LISTEM", "AMANA_LISTEN", "AMANA_MASTER_KEY", "DATABASE_URL", "AMANA_MPESA_ALLOW"] {
        assert!(said.contains(&format!("{name}: ")), "{name} in {said}");
    }
    assert!(!said.contains("planted"), "{said}");
}
