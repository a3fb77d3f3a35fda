//! The committed interface and the README say what the code does.

extern crate std;

use std::collections::BTreeSet;
use std::string::{String, ToString as _};
use std::vec::Vec;
use std::{format, fs};

use serde_json::Value;
use soroban_sdk::xdr::{Limits, ReadXdr as _, ScSpecEntry, ScSpecEventParamLocationV0};

use super::matrix::{CALLS, TABLE};
use super::signatures::signers;
use super::world::{Code, World};
use crate::{Assigned, Changed, Created, Error, EscrowContract, Funded, Governed, Listed};

pub(super) fn read(path: &str) -> String {
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
            e.params
                .iter()
                .filter(|p| p.location == ScSpecEventParamLocationV0::Data)
                .map(|p| p.name.to_utf8_string_lossy())
                .collect(),
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
        spelled(&EscrowContract::spec_xdr_fund()),
        spelled(&EscrowContract::spec_xdr_assign()),
        spelled(&EscrowContract::spec_xdr_release()),
        spelled(&EscrowContract::spec_xdr_auto_release()),
        spelled(&EscrowContract::spec_xdr_refund()),
        spelled(&EscrowContract::spec_xdr_cancel()),
        spelled(&EscrowContract::spec_xdr_dispute()),
        spelled(&EscrowContract::spec_xdr_resolve()),
        spelled(&EscrowContract::spec_xdr_resolve_timeout()),
        spelled(&EscrowContract::spec_xdr_claim()),
        spelled(&EscrowContract::spec_xdr_burn()),
        spelled(&EscrowContract::spec_xdr_get()),
        spelled(&EscrowContract::spec_xdr_deposit()),
        spelled(&EscrowContract::spec_xdr_version()),
        spelled(&EscrowContract::spec_xdr_list()),
        spelled(&EscrowContract::spec_xdr_unlist()),
        spelled(&EscrowContract::spec_xdr_pause()),
        spelled(&EscrowContract::spec_xdr_propose_admin()),
        spelled(&EscrowContract::spec_xdr_accept_admin()),
        spelled(&EscrowContract::spec_xdr_propose_upgrade()),
        spelled(&EscrowContract::spec_xdr_upgrade()),
        spelled(&EscrowContract::spec_xdr_sweep()),
        spelled(&EscrowContract::spec_xdr_listing()),
        spelled(&EscrowContract::spec_xdr_totals()),
        spelled(&EscrowContract::spec_xdr_config()),
    ];
    assert_eq!(signatures("functions", "inputs"), BTreeSet::from(code));
}

#[test]
fn the_interface_has_the_events_of_the_code() {
    let code = [
        spelled(&Created::spec_xdr()),
        spelled(&Funded::spec_xdr()),
        spelled(&Assigned::spec_xdr()),
        spelled(&Changed::spec_xdr()),
        spelled(&Listed::spec_xdr()),
        spelled(&Governed::spec_xdr()),
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
pub(super) fn table(heading: &str) -> Vec<Vec<String>> {
    let readme = read("../README.md");
    let section = readme.split("\n## ").find(|section| section.starts_with(heading)).unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_string()).collect()).collect()
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

/// The arrows are those of the matrix, in which each cell was tried.
#[test]
fn the_readme_draws_every_arrow() {
    let rows: BTreeSet<_> = table("States").into_iter().map(|row| row.join(" | ")).collect();
    let mut code = BTreeSet::new();
    for (stage, row) in TABLE {
        let world = World::at(Code::Native, stage);
        let from = world.client().get(&world.reference);
        let from = from.map_or("–".to_string(), |escrow| format!("{:?}", escrow.state));
        for ((_, name), cell) in CALLS.into_iter().zip(row) {
            code.extend(cell.map(|to| format!("{from} | `{name}` | {to:?}")));
        }
    }
    assert_eq!(rows, code, "\n{code:#?}");
    let readme = read("../README.md");
    let picture = readme.split("```").nth(1).unwrap();
    for name in rows.iter().map(|row| row.split('`').nth(1).unwrap()) {
        let told = ["assign", "burn", "claim"].contains(&name) || picture.contains(name);
        assert!(told, "the picture lacks {name}");
    }
}

/// Who signs what is as the tests of signatures have it.
#[test]
fn the_readme_says_who_signs() {
    let signed = signers();
    for row in table("Calls") {
        let name = row[0].trim_matches('`').split('(').next().unwrap();
        let told: BTreeSet<_> =
            row[1].split(", ").filter(|word| !word.is_empty()).map(str::to_string).collect();
        let code =
            signed.iter().filter(|(call, _)| *call == name).map(|(_, role)| role.to_string()).collect();
        assert!(
            name == "__constructor" || told == code,
            "{name}: {told:?} in the README, {code:?} in the code"
        );
    }
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
