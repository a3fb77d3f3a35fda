//! Builds each contract's Wasm, drops the spec entries it does not use, and writes what others rely on.
//!
//! Invariant: the same sources, lock file and toolchain give the same bytes in any checkout; `--check` writes
//! nothing.
//! Whoever reads the hash can reproduce it with this repository, Rust, and one version of `wasm-opt`.

#![expect(clippy::disallowed_macros, reason = "a tool for people at a terminal")]

mod compile;
mod fault;
mod interface;
mod optimize;
mod outputs;
mod wasm;

use std::process::ExitCode;

use fault::Fault;
use outputs::Output;

/// The contracts: each is the package `amana-NAME` in the folder NAME.
const CONTRACTS: [&str; 2] = ["escrow", "anchor"];

const USAGE: &str = "\
Builds the contracts `escrow` and `anchor` to Wasm and writes what others rely on, in contracts/NAME:

  NAME.wasm           the contract, spec shaken, optimised
  NAME.wasm.sha256    its hash and its sources', for sha256sum --check
  interface.json      its functions, events, errors and types

Usage: cargo run -p amana-contract-build [-- --check]

  --check    build, compare with what is committed, write nothing; exit 1 if something differs
  --help     this text
";

/// What the command line asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Write,
    Check,
    Help,
}

fn main() -> ExitCode {
    match mode(std::env::args().skip(1)).and_then(run) {
        Ok(code) => code,
        Err(fault) => {
            eprintln!("error: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn mode(args: impl Iterator<Item = String>) -> Result<Mode, Fault> {
    let mut mode = Mode::Write;
    for arg in args {
        mode = match arg.as_str() {
            "--check" => Mode::Check,
            "--help" | "-h" => return Ok(Mode::Help),
            _ => return Err(Fault::Argument(arg)),
        };
    }
    Ok(mode)
}

fn run(mode: Mode) -> Result<ExitCode, Fault> {
    if mode == Mode::Help {
        print!("{USAGE}");
        return Ok(ExitCode::SUCCESS);
    }
    let place = compile::Place::find()?;
    let mut same = true;
    for name in CONTRACTS {
        same &= one(&place, name, mode)?;
    }
    if !same {
        eprintln!("error: a committed contract is not the one these sources build");
        eprintln!("       run `cargo run -p amana-contract-build` and commit what it writes");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds one contract and writes or compares. `false` if something differs from what is committed.
fn one(place: &compile::Place, name: &str, mode: Mode) -> Result<bool, Fault> {
    println!("building {name} for {} …", compile::TARGET);
    let built = compile::build(place, name)?;
    let shaken = wasm::shake(&built)?;
    let wasm = optimize::shrink(place, &shaken.bytes)?;
    let folder = place.root.join("contracts").join(name);
    let outputs = outputs::of(&wasm, &shaken.kept, &folder, name)?;
    let (kept, found) = (shaken.kept.len(), shaken.found);
    println!("  {kept} of {found} spec entries kept");
    let (size, before, compiled) = (wasm.len(), shaken.bytes.len(), built.len());
    println!("  {size} bytes; {before} before wasm-opt, {compiled} before shaking");
    println!("  sha256 {}", outputs::sha256(&wasm));
    if mode == Mode::Check { check(&folder, &outputs) } else { write(&folder, &outputs) }
}

fn write(folder: &std::path::Path, outputs: &[Output]) -> Result<bool, Fault> {
    for output in outputs {
        let news = if output.difference(folder)?.is_some() { "written" } else { "unchanged" };
        output.write(folder)?;
        println!("  {news:9} {}", output.name);
    }
    Ok(true)
}

fn check(folder: &std::path::Path, outputs: &[Output]) -> Result<bool, Fault> {
    let mut same = true;
    for output in outputs {
        match output.difference(folder)? {
            None => println!("  same      {}", output.name),
            Some(difference) => {
                same = false;
                println!("  differs   {}: {difference}", output.name);
            }
        }
    }
    Ok(same)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn reads_the_command_line() {
        let of = |args: &[&str]| mode(args.iter().map(ToString::to_string));
        assert!(matches!(of(&[]), Ok(Mode::Write)));
        assert!(matches!(of(&["--check"]), Ok(Mode::Check)));
        assert!(matches!(of(&["--check", "--help"]), Ok(Mode::Help)));
        assert!(matches!(of(&["check"]), Err(Fault::Argument(arg)) if arg == "check"));
    }
}
