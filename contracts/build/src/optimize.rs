//! Runs `wasm-opt`, which makes the Wasm a fifth smaller: every byte of it pays rent.
//!
//! Invariant: one version, since another one may write other bytes.

use std::process::Command;

use crate::compile::Place;
use crate::fault::Fault;

/// Debian 12's binaryen; it takes the target's features, the first version of Wasm with mutable globals.
const VERSION: &str = "wasm-opt version 108";

/// The same module in fewer bytes.
///
/// # Errors
/// `Fault` if there is no `wasm-opt` of this version, or it fails.
pub(crate) fn shrink(place: &Place, wasm: &[u8]) -> Result<Vec<u8>, Fault> {
    let start = |cause| Fault::Start { program: "wasm-opt".into(), cause };
    let asked = Command::new("wasm-opt").arg("--version").output().map_err(start)?;
    let found = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
    if found != VERSION && !found.starts_with(&format!("{VERSION} ")) {
        return Err(Fault::Optimizer { wanted: VERSION, found });
    }
    let [before, after] = ["before", "after"].map(|name| place.target.join(format!("{name}.wasm")));
    std::fs::write(&before, wasm).map_err(|cause| Fault::Write { path: before.clone(), cause })?;
    let mut run = Command::new("wasm-opt");
    run.args(["-Oz", "--converge", "--strip-debug", "--strip-producers", "--strip-target-features"]);
    let status = run.arg(&before).arg("-o").arg(&after).status().map_err(start)?;
    if !status.success() {
        return Err(Fault::Failed("wasm-opt".into()));
    }
    std::fs::read(&after).map_err(|cause| Fault::Read { path: after, cause })
}
