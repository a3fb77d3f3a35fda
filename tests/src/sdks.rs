//! A Python and a Node with the official Stellar SDKs in them, made once a build folder from the pinned lists
//! in `tests/chain/sdk/`. Node comes as a Python package, so that Python is all a machine must have.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What goes into the Python environment, and what into Node's.
const PYTHON_LIST: &str = include_str!("../chain/sdk/requirements.txt");
const NODE_LISTS: [(&str, &str); 2] = [
    ("package.json", include_str!("../chain/sdk/package.json")),
    ("package-lock.json", include_str!("../chain/sdk/package-lock.json")),
];

/// Plays a script of `tests/chain` (`.py` or `.cjs`) and reads the one JSON value it prints. `scratch` is a
/// test's `CARGO_TARGET_TMPDIR`.
pub fn play(scratch: &str, script: &str, words: &[&str]) -> Value {
    let target = Path::new(scratch).parent().expect("a build folder");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("chain").join(script);
    let mut command = if script.ends_with(".py") { python(target) } else { node(target) };
    serde_json::from_slice(&run(command.arg(path).args(words))).expect("it prints one JSON value")
}

/// A Python that has the SDK: the one `AMANA_TEST_PYTHON` names, or one of the build folder's, made here when
/// missing.
#[expect(clippy::disallowed_methods, reason = "a choice of the machine the tests run on, not of the product")]
fn python(target: &Path) -> Command {
    if let Some(named) = std::env::var_os("AMANA_TEST_PYTHON") {
        return Command::new(named);
    }
    Command::new(pyenv(target).join("bin/python"))
}

/// A Node that has the SDK: the one `AMANA_TEST_NODE` names, or one of the build folder's, made here when
/// missing.
#[expect(clippy::disallowed_methods, reason = "a choice of the machine the tests run on, not of the product")]
fn node(target: &Path) -> Command {
    if let Some(named) = std::env::var_os("AMANA_TEST_NODE") {
        return Command::new(named);
    }
    let (programs, home) = (pyenv(target).join("bin"), target.join("nodeenv"));
    made_once(&home, &NODE_LISTS.map(|(_, list)| list).concat(), || {
        fs::create_dir_all(&home).expect("the folder is made");
        for (name, list) in NODE_LISTS {
            fs::write(home.join(name), list).expect("the list is written");
        }
        let quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
        run(Command::new(programs.join("npm")).arg("ci").args(quiet).current_dir(&home));
    });
    let mut command = Command::new(programs.join("node"));
    command.env("NODE_PATH", home.join("node_modules"));
    command
}

fn pyenv(target: &Path) -> PathBuf {
    let home = target.join("pyenv");
    made_once(&home, PYTHON_LIST, || {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home));
        let list = home.join("requirements.txt");
        fs::write(&list, PYTHON_LIST).expect("the list is written");
        let words = ["-m", "pip", "install", "--quiet", "--no-input", "--no-deps", "-r"];
        run(Command::new(home.join("bin/python")).args(words).arg(&list));
    });
    home
}

/// Makes a folder unless it was made to the end from the same list.
fn made_once(home: &Path, list: &str, make: impl FnOnce()) {
    // Test binaries run side by side: one makes it, the others wait. The lock goes with the file handle.
    let lock = File::create(home.with_extension("lock")).expect("the lock is made");
    lock.lock().expect("the lock is taken");
    let made = home.join("made-from");
    if fs::read_to_string(&made).is_ok_and(|old| old == list) {
        return;
    }
    make();
    fs::write(made, list).expect("the list is noted");
}

fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    output.stdout
}
