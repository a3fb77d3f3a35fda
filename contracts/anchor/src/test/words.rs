//! The committed interface and the README say what the code does.

extern crate std;

use std::collections::BTreeSet;
use std::string::{String, ToString as _};
use std::vec::Vec;
use std::{format, fs};

use serde_json::Value;
use soroban_sdk::xdr::{Limits, ReadXdr as _, ScSpecEntry};

use super::world::{BOOK, Code, World};
use crate::{AnchorContract, Anchored, Error};

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

/// `name(field, field)` of each function or event.
fn signatures(key: &str, fields: &str) -> BTreeSet<String> {
    let interface = interface();
    let of = |one: &Value| {
        let fields: Vec<_> = list(one, fields).iter().map(|field| text(field, "name")).collect();
        format!("{}({})", text(one, "name"), fields.join(", "))
    };
    list(&interface, key).iter().map(of).collect()
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
fn the_interface_has_what_the_code_has() {
    let functions = [
        spelled(&AnchorContract::spec_xdr___constructor()),
        spelled(&AnchorContract::spec_xdr_anchor()),
        spelled(&AnchorContract::spec_xdr_latest()),
        spelled(&AnchorContract::spec_xdr_at()),
        spelled(&AnchorContract::spec_xdr_operator()),
        spelled(&AnchorContract::spec_xdr_version()),
    ];
    assert_eq!(signatures("functions", "inputs"), BTreeSet::from(functions));
    assert_eq!(signatures("events", "fields"), BTreeSet::from([spelled(&Anchored::spec_xdr())]));
    let of_code = |number| {
        let error = Error::try_from(soroban_sdk::Error::from_contract_error(number)).ok()?;
        Some((u64::from(number), format!("{error:?}")))
    };
    let code: Vec<_> = (0..1_000).filter_map(of_code).collect();
    let interface = interface();
    let committed = list(&interface, "errors").iter();
    let committed: Vec<_> = committed.map(|e| (e["number"].as_u64().unwrap(), text(e, "name"))).collect();
    assert_eq!(committed, code);
    assert!(code.iter().all(|(number, _)| (200..250).contains(number)), "the escrow's are below");
}

/// The rows of the README's table under `heading`, as lists of cells.
fn table(heading: &str) -> Vec<Vec<String>> {
    let readme = read("../README.md");
    let section = readme.split("\n## ").find(|section| section.starts_with(heading)).unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_string()).collect()).collect()
}

fn first_cells(heading: &str) -> BTreeSet<String> {
    table(heading).into_iter().map(|row| row[0].trim_matches('`').to_string()).collect()
}

#[test]
fn the_readme_lists_calls_events_and_errors() {
    assert_eq!(first_cells("Anchor: calls"), signatures("functions", "inputs"));
    assert_eq!(first_cells("Anchor: events"), signatures("events", "fields"));
    let rows: Vec<_> = table("Anchor: errors").into_iter().map(|row| row.join(" | ")).collect();
    let interface = interface();
    let code = list(&interface, "errors").iter();
    let code: Vec<_> =
        code.map(|e| format!("{} | `{}` | {}", e["number"], text(e, "name"), text(e, "doc"))).collect();
    assert_eq!(rows, code);
}

#[test]
fn the_readme_names_the_hash_and_the_size() {
    let line = read("anchor.wasm.sha256");
    let line = line.lines().find(|line| line.ends_with("  anchor.wasm")).unwrap();
    let hash = line.split_whitespace().next().unwrap();
    let size = include_bytes!("../../anchor.wasm").len();
    let readme = read("../README.md");
    assert!(readme.contains(hash), "contracts/README.md does not name the hash {hash}");
    let size = format!("{size} bytes");
    assert!(readme.contains(&size), "contracts/README.md does not name the size, {size}");
}

/// What the network charges for, as the host of the tests counts it for the committed Wasm.
#[test]
fn the_readme_states_the_cost() {
    let calls: [(&str, &[u64]); 3] =
        [("anchor, a book's first", &[1]), ("anchor, the next", &[1, 2]), ("anchor, done before", &[1, 1])];
    let measured = calls.map(|(call, sizes)| {
        let world = World::at(Code::Wasm, sizes);
        let used = world.env.cost_estimate().resources();
        let (count, written) = (used.instructions, used.write_bytes);
        let cells =
            [count, used.write_entries.into(), written.into(), used.contract_events_size_bytes.into()];
        format!("{call} | {}", cells.map(|cell| cell.to_string()).join(" | "))
    });
    let rows: Vec<_> = table("Anchor: cost").into_iter().map(|row| row.join(" | ")).collect();
    assert_eq!(rows, measured, "\n{BOOK}:\n{}", measured.join("\n"));
}
