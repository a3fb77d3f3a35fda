//! A Python with the official Stellar SDK in it, made once a build folder.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The SDK the test was written with.
const SDK: &str = "16.1.1";

/// A Python that has the SDK: the one `AMANA_TEST_PYTHON` names, or one of the build folder's, made here when
/// missing.
#[expect(clippy::disallowed_methods, reason = "a choice of the machine the tests run on, not of the product")]
fn python(target: &Path) -> PathBuf {
    if let Some(named) = std::env::var_os("AMANA_TEST_PYTHON") {
        return named.into();
    }
    let (home, python) = (target.join("pyenv"), target.join("pyenv/bin/python"));
    // Test binaries run side by side: one makes it, the others wait. The lock goes with the file handle.
    let lock = File::create(target.join("pyenv.lock")).expect("it works");
    lock.lock().expect("it works");
    if !has_sdk(&python) {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home));
        let sdk = format!("stellar-sdk=={SDK}");
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--no-input", &sdk]));
        assert!(has_sdk(&python), "{} has no stellar-sdk {SDK}", python.display());
    }
    python
}

fn has_sdk(python: &Path) -> bool {
    let ask = "import stellar_sdk; print(stellar_sdk.__version__)";
    let answer = Command::new(python).args(["-c", ask]).output();
    answer.is_ok_and(|found| found.status.success() && found.stdout.trim_ascii() == SDK.as_bytes())
}

fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    output.stdout
}

/// Plays a script of `tests/chain` and reads the one JSON value it prints. `scratch` is a test's
/// `CARGO_TARGET_TMPDIR`.
pub fn play(scratch: &str, script: &str, words: &[&str]) -> Value {
    let target = Path::new(scratch).parent().expect("a build folder");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("chain").join(script);
    let said = run(Command::new(python(target)).arg(script).args(words));
    serde_json::from_slice(&said).expect("it works")
}
