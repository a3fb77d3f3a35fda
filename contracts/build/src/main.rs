//! Builds the escrow's Wasm, drops the spec entries it does not use, and writes what others rely on.
//!
//! Invariant: the same sources, lock file and toolchain give the same bytes in any checkout; `--check` writes
//! nothing.
//! Absent: `wasm-opt`. Whoever reads the hash can reproduce it with this repository and Rust alone.

#![expect(clippy::disallowed_macros, reason = "a tool for people at a terminal")]

mod compile;
mod fault;
mod interface;
mod outputs;
mod wasm;

use std::process::ExitCode;

use fault::Fault;
use outputs::Output;

const USAGE: &str = "\
Builds contracts/escrow to Wasm and writes what others rely on:

  contracts/escrow/escrow.wasm           the contract, spec shaken
  contracts/escrow/escrow.wasm.sha256    its hash and its sources', for sha256sum --check
  contracts/escrow/interface.json        its functions, events, errors and types

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
    println!("building the escrow for {} …", compile::TARGET);
    let built = compile::build(&place)?;
    let shaken = wasm::shake(&built)?;
    let folder = place.root.join("contracts/escrow");
    let outputs = outputs::of(&shaken.bytes, &folder)?;
    println!(
        "  {} bytes, {} before shaking; {} of {} spec entries kept",
        shaken.bytes.len(),
        built.len(),
        shaken.kept,
        shaken.found
    );
    println!("  sha256 {}", outputs::sha256(&shaken.bytes));
    if mode == Mode::Check { check(&folder, &outputs) } else { write(&folder, &outputs) }
}

fn write(folder: &std::path::Path, outputs: &[Output]) -> Result<ExitCode, Fault> {
    for output in outputs {
        let news = if output.difference(folder)?.is_some() { "written" } else { "unchanged" };
        output.write(folder)?;
        println!("  {news:9} contracts/escrow/{}", output.name);
    }
    Ok(ExitCode::SUCCESS)
}

fn check(folder: &std::path::Path, outputs: &[Output]) -> Result<ExitCode, Fault> {
    let mut code = ExitCode::SUCCESS;
    for output in outputs {
        match output.difference(folder)? {
            None => println!("  same      contracts/escrow/{}", output.name),
            Some(difference) => {
                code = ExitCode::FAILURE;
                println!("  differs   contracts/escrow/{}: {difference}", output.name);
            }
        }
    }
    if code != ExitCode::SUCCESS {
        eprintln!("error: the committed contract is not the one these sources build");
        eprintln!("       run `cargo run -p amana-contract-build` and commit what it writes");
    }
    Ok(code)
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
