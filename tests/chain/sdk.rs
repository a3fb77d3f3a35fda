//! The official SDK for Python, unchanged, against the same network: it sees what the adapter sees.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use amana_adapters::stellar::ChainOp;
use amana_localnet::STANDALONE_PASSPHRASE;
use serde_json::Value;

use crate::chain::{Chain, ready};

/// The SDK the test was written with.
const SDK: &str = "16.1.1";

/// A Python that has the SDK: the one `AMANA_TEST_PYTHON` names, or one of the build folder's, made here when
/// missing.
#[expect(clippy::disallowed_methods, reason = "a choice of the machine the tests run on, not of the product")]
fn python() -> PathBuf {
    if let Some(named) = std::env::var_os("AMANA_TEST_PYTHON") {
        return named.into();
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let (home, python) = (target.join("pyenv"), target.join("pyenv/bin/python"));
    // Test binaries run side by side: one makes it, the others wait. The lock goes with the file handle.
    let lock = File::create(target.join("pyenv.lock")).unwrap();
    lock.lock().unwrap();
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

#[tokio::test]
async fn the_official_sdk_reads_the_same_escrow_and_cannot_release_it_as_a_stranger() {
    let chain = Chain::start().await;
    let key = ready(&chain).await;
    let (url, contract) = (chain.net.url(), chain.deployed.contract.clone());
    let to_payee = "500003700000";
    let said = tokio::task::spawn_blocking(move || {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("chain/sdk.py");
        let words = [&url, STANDALONE_PASSPHRASE, &contract, &hex::encode(key), to_payee];
        run(Command::new(python()).arg(script).args(words))
    });
    let said: Value = serde_json::from_slice(&said.await.unwrap()).unwrap();
    let ours = chain.stellar.escrow(&key).await.unwrap().unwrap();
    for moment in ["before", "after"] {
        let theirs = &said[moment];
        let number = |name: &str| theirs[name].as_i64().unwrap();
        assert_eq!(number("amount"), ours.amount * 100_000, "{said}");
        assert_eq!(number("funded"), ours.funded * 100_000);
        assert_eq!((number("vault"), number("expiry"), number("state")), (0, ours.expiry, 1));
    }
    assert_eq!((&said["unsigned"], &said["signed_by_stranger"]), (&"FAILED".into(), &"FAILED".into()));
    chain.act(&ChainOp::Release { key, to_payee: ours.amount, fee: 0 }).await;
    assert_eq!(chain.stellar.escrow(&key).await.unwrap().unwrap().vault, ours.amount);
    chain.net.shutdown().await.unwrap();
}
