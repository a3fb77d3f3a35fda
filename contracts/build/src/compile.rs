//! Runs cargo for a contract, so that neither the checkout's path nor the caller's settings reach the
//! bytes.

#![expect(
    clippy::disallowed_methods,
    reason = "what it must keep from the compiler is the environment itself"
)]

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fault::Fault;

/// The only target the network runs.
pub(crate) const TARGET: &str = "wasm32v1-none";

/// The SDK refuses to build unless the caller promises to shake the spec, which `wasm::shake` does.
const PROMISE: &str = "SOROBAN_SDK_BUILD_SYSTEM_SUPPORTS_SPEC_SHAKING_V2";

/// Where things are on this machine.
pub(crate) struct Place {
    /// The checkout.
    pub(crate) root: PathBuf,
    /// Where to build.
    pub(crate) target: PathBuf,
    cargo_home: PathBuf,
    sysroot: PathBuf,
}

impl Place {
    /// # Errors
    /// `Fault` if cargo or rustc cannot be asked, or the target is missing.
    pub(crate) fn find() -> Result<Self, Fault> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let mut ask = Command::new(cargo());
        ask.args(["metadata", "--no-deps", "--locked", "--format-version", "1", "--manifest-path"]);
        let metadata: serde_json::Value = serde_json::from_slice(&output(ask.arg(manifest))?)?;
        let path =
            |key| metadata.get(key).and_then(|v| v.as_str()).map(PathBuf::from).ok_or(Fault::Metadata(key));
        let root = path("workspace_root")?;
        let mut ask = Command::new("rustc");
        ask.args(["--print", "sysroot"]).current_dir(&root);
        let sysroot = PathBuf::from(String::from_utf8_lossy(&output(&mut ask)?).trim());
        if !sysroot.join("lib/rustlib").join(TARGET).is_dir() {
            return Err(Fault::NoTarget(TARGET));
        }
        let home = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let cargo_home = home("CARGO_HOME")
            .or_else(|| Some(home("HOME")?.join(".cargo")))
            .ok_or(Fault::Metadata("home"))?;
        Ok(Self { target: path("target_directory")?.join("contract"), root, cargo_home, sysroot })
    }

    /// The compiler writes source paths into panic messages; these names stand for them everywhere.
    fn flags(&self) -> OsString {
        let mut flags = OsString::new();
        let names = [(&self.cargo_home, "/cargo"), (&self.sysroot, "/rust"), (&self.root, "/amana")];
        for (path, name) in names {
            if !flags.is_empty() {
                flags.push("\u{1f}");
            }
            flags.push("--remap-path-prefix=");
            flags.push(path);
            flags.push("=");
            flags.push(name);
        }
        flags
    }
}

/// Builds the contract `name` and returns the compiler's Wasm.
///
/// # Errors
/// `Fault` if cargo fails.
pub(crate) fn build(place: &Place, name: &str) -> Result<Vec<u8>, Fault> {
    let mut command = Command::new(cargo());
    for (variable, _) in std::env::vars_os() {
        let variable = variable.to_string_lossy().into_owned();
        if reaches_the_bytes(&variable) {
            command.env_remove(variable);
        }
    }
    let package = format!("amana-{name}");
    command
        .current_dir(&place.root)
        .env(PROMISE, "1")
        .env("CARGO_ENCODED_RUSTFLAGS", place.flags())
        .args(["rustc", "--package", &package, "--lib", "--crate-type", "cdylib"])
        .args(["--target", TARGET, "--release", "--locked", "--target-dir"])
        .arg(&place.target);
    let status = command.status().map_err(|cause| Fault::Start { program: "cargo".into(), cause })?;
    if !status.success() {
        return Err(Fault::Failed(format!("cargo rustc --package {package}")));
    }
    let path = place.target.join(TARGET).join(format!("release/amana_{name}.wasm"));
    std::fs::read(&path).map_err(|cause| Fault::Read { path, cause })
}

/// Settings of the caller that would change what is built, and what the cargo that runs us sets for us.
fn reaches_the_bytes(name: &str) -> bool {
    let prefixes = ["CARGO_PROFILE_", "CARGO_BUILD_", "CARGO_TARGET_", "CARGO_PKG_", "CARGO_MANIFEST_"];
    let names = [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "CARGO_INCREMENTAL",
    ];
    names.contains(&name) || prefixes.iter().any(|prefix| name.starts_with(prefix))
}

fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn output(command: &mut Command) -> Result<Vec<u8>, Fault> {
    let program = command.get_program().to_string_lossy().into_owned();
    let answer = command
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|cause| Fault::Start { program: program.clone(), cause })?;
    if answer.status.success() { Ok(answer.stdout) } else { Err(Fault::Failed(program)) }
}
