//! The committed interface and the README say what the code does.

extern crate std;

use std::collections::BTreeSet;
use std::string::{String, ToString as _};
use std::vec::Vec;
use std::{format, fs};

use serde_json::Value;
use soroban_sdk::xdr::{Limits, ReadXdr as _, ScSpecEntry};

use super::world::{Code, Stage, World};
use crate::{Assigned, Burned, Cancelled, Created, Error, EscrowContract, Funded, Refunded, Released};

fn read(path: &str) -> String {
    fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn interface() -> Value {
    serde_json::from_str(&read("interface.json")).unwrap()
}

fn list<'a>(of: &'a Value, key: &str) -> &'a Vec<Value> {
    of[key].as_array().unwrap()
}

fn text(of: &Value, key: &str) -> String {
    of[key].as_str().unwrap().to_string()
}

/// `name(field, field)`.
fn signature(of: &Value, fields: &str) -> String {
    let fields: Vec<_> = list(of, fields).iter().map(|field| text(field, "name")).collect();
    format!("{}({})", text(of, "name"), fields.join(", "))
}

fn signatures(key: &str, fields: &str) -> BTreeSet<String> {
    list(&interface(), key).iter().map(|one| signature(one, fields)).collect()
}

/// Number and name of each error, as committed.
pub(super) fn errors() -> Vec<(u32, String)> {
    let number = |error: &Value| u32::try_from(error["number"].as_u64().unwrap()).unwrap();
    list(&interface(), "errors").iter().map(|error| (number(error), text(error, "name"))).collect()
}

/// The same, out of what the macros wrote into this crate.
fn spelled(spec: &[u8]) -> String {
    let (name, fields): (_, Vec<_>) = match ScSpecEntry::from_xdr(spec, Limits::none()).unwrap() {
        ScSpecEntry::FunctionV0(f) => {
            (f.name.to_utf8_string_lossy(), f.inputs.iter().map(|i| i.name.to_utf8_string_lossy()).collect())
        }
        ScSpecEntry::EventV0(e) => (
            e.name.to_utf8_string_lossy(),
            e.params.iter().skip(1).map(|p| p.name.to_utf8_string_lossy()).collect(),
        ),
        other => panic!("neither a function nor an event: {other:?}"),
    };
    format!("{name}({})", fields.join(", "))
}

#[test]
fn the_interface_has_the_functions_of_the_code() {
    let code = [
        spelled(&EscrowContract::spec_xdr___constructor()),
        spelled(&EscrowContract::spec_xdr_create()),
        spelled(&EscrowContract::spec_xdr_fund_deposit()),
        spelled(&EscrowContract::spec_xdr_assign()),
        spelled(&EscrowContract::spec_xdr_release()),
        spelled(&EscrowContract::spec_xdr_refund()),
        spelled(&EscrowContract::spec_xdr_cancel()),
        spelled(&EscrowContract::spec_xdr_burn()),
        spelled(&EscrowContract::spec_xdr_get()),
        spelled(&EscrowContract::spec_xdr_deposit()),
        spelled(&EscrowContract::spec_xdr_totals()),
        spelled(&EscrowContract::spec_xdr_config()),
        spelled(&EscrowContract::spec_xdr_version()),
    ];
    assert_eq!(signatures("functions", "inputs"), BTreeSet::from(code));
}

#[test]
fn the_interface_has_the_events_of_the_code() {
    let code = [
        spelled(&Created::spec_xdr()),
        spelled(&Funded::spec_xdr()),
        spelled(&Assigned::spec_xdr()),
        spelled(&Released::spec_xdr()),
        spelled(&Refunded::spec_xdr()),
        spelled(&Cancelled::spec_xdr()),
        spelled(&Burned::spec_xdr()),
    ];
    assert_eq!(signatures("events", "fields"), BTreeSet::from(code));
}

#[test]
fn the_interface_has_the_errors_of_the_code() {
    let of_code = |number| {
        let error = Error::try_from(soroban_sdk::Error::from_contract_error(number)).ok()?;
        Some((number, format!("{error:?}")))
    };
    let code: Vec<_> = (0..1_000).filter_map(of_code).collect();
    assert_eq!(errors(), code);
    assert!(code.iter().all(|(number, _)| (100..150).contains(number)), "below 100 are the token's own");
}

/// The rows of the README's table under `heading`, as lists of cells.
fn table(heading: &str) -> Vec<Vec<String>> {
    let readme = read("../README.md");
    let section = readme.split("\n## ").find(|section| section.starts_with(heading)).unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_string()).collect()).collect()
}

#[test]
fn the_readme_lists_the_errors() {
    let rows: Vec<_> = table("Errors").into_iter().map(|row| row.join(" | ")).collect();
    let interface = interface();
    let code = list(&interface, "errors").iter();
    let code: Vec<_> =
        code.map(|e| format!("{} | `{}` | {}", e["number"], text(e, "name"), text(e, "doc"))).collect();
    assert_eq!(rows, code);
}

#[test]
fn the_readme_lists_the_functions() {
    let rows: BTreeSet<_> =
        table("Calls").into_iter().map(|row| row[0].trim_matches('`').to_string()).collect();
    assert_eq!(rows, signatures("functions", "inputs"));
}

#[test]
fn the_readme_lists_the_events() {
    let rows: BTreeSet<_> =
        table("Events").into_iter().map(|row| row[0].trim_matches('`').to_string()).collect();
    assert_eq!(rows, signatures("events", "fields"));
}

#[test]
fn the_readme_names_the_hash_and_the_size() {
    let line = read("escrow.wasm.sha256");
    let hash = line.split_whitespace().next().unwrap();
    let size = include_bytes!("../../escrow.wasm").len();
    let readme = read("../README.md");
    assert!(readme.contains(hash), "contracts/README.md does not name the hash {hash}");
    assert!(
        readme.contains(&format!("{size} bytes")),
        "contracts/README.md does not name the size, {size} bytes"
    );
}

/// What the network charges for, as the host of the tests counts it for the committed Wasm.
#[test]
fn the_readme_states_the_cost() {
    let calls = [
        ("create", Stage::Open),
        ("fund_deposit, a part", Stage::OpenInPart),
        ("fund_deposit, the rest", Stage::Funded),
        ("assign", Stage::FundedMobile),
        ("release to the vault, with a fee", Stage::ReleasedMobile),
        ("release to an address, with a fee", Stage::ReleasedAccount),
        ("refund", Stage::Refunded),
        ("burn", Stage::ReleasedMobilePaid),
        ("cancel, funded in part", Stage::CancelledInPart),
    ];
    let measured = calls.map(|(call, stage)| {
        let world = World::at(Code::Wasm, stage);
        let used = world.env.cost_estimate().resources();
        let (count, written) = (used.instructions, used.write_bytes);
        let cells =
            [count, used.write_entries.into(), written.into(), used.contract_events_size_bytes.into()];
        format!("{call} | {}", cells.map(|cell| cell.to_string()).join(" | "))
    });
    let rows: Vec<_> = table("Cost").into_iter().map(|row| row.join(" | ")).collect();
    assert_eq!(rows, measured, "\n{}", measured.join("\n"));
}
