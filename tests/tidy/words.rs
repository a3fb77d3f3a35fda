//! One word a thing: names that say nothing, and names the glossary gave to something else.

use crate::code::words;
use crate::tree::Tree;
use crate::{caught, none};

/// Never, alone or in a compound.
const NEVER: [&str; 9] =
    ["manager", "helper", "helpers", "util", "utils", "handler", "misc", "withdrawal", "withdrawals"];

/// Never as a whole name, nor as the last word of a type's.
const NOT_ALONE: [&str; 10] =
    ["common", "core", "base", "handle", "data", "info", "service", "wallet", "entry", "transaction"];

/// Where the other side's words stand verbatim, and where the chain's own words are meant.
fn is_their_words(path: &str) -> bool {
    path.ends_with("/wire.rs")
        || path.starts_with("adapters/src/stellar/")
        || path.starts_with("contracts/localnet/")
        || path.starts_with("tests/")
}

/// `HttpClient` and `http_client` → `http`, `client`.
fn parts(name: &str) -> Vec<String> {
    let mut parts: Vec<String> = vec![String::new()];
    for c in name.chars() {
        if c == '_' || c.is_uppercase() {
            parts.push(String::new());
        }
        if let Some(last) = parts.last_mut().filter(|_| c != '_') {
            last.extend(c.to_lowercase());
        }
    }
    // A name in capitals is one part a letter: read it as one word a `_`.
    if name.chars().all(|c| c.is_uppercase() || c == '_') {
        return name.split('_').map(str::to_lowercase).collect();
    }
    parts.into_iter().filter(|part| !part.is_empty()).collect()
}

fn is_bad(kind: &str, name: &str) -> bool {
    let parts = parts(name);
    let is_type = matches!(kind, "struct" | "enum" | "trait" | "type");
    let is_verb = kind == "fn" && parts.first().is_some_and(|first| first == "handle" || first == "process");
    let last = parts.last().map_or("", String::as_str);
    parts.iter().any(|part| NEVER.contains(&part.as_str()))
        || NOT_ALONE.contains(&name.to_lowercase().as_str())
        || is_type && NOT_ALONE.contains(&last)
        || is_verb
}

fn names(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    for source in tree.rust().iter().filter(|source| !is_their_words(&source.path)) {
        let stem = source.path.rsplit('/').next().unwrap_or("").trim_end_matches(".rs");
        if is_bad("mod", stem) {
            problems.push(format!("{}: the file's name says nothing or something else", source.path));
        }
        for (line, kind, name) in source.items() {
            if is_bad(kind, &name) {
                problems.push(format!(
                    "{}:{line}: {kind} {name}: see the glossary in docs/style.md",
                    source.path
                ));
            }
        }
    }
    problems
}

/// Tables and columns are named by the same glossary.
fn tables(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.starts_with("migrations/")) {
        for (at, line) in file.text.lines().enumerate() {
            let code = line.split("--").next().unwrap_or("").to_lowercase();
            let Some(name) = code.trim().strip_prefix("create table ") else { continue };
            let last = words(name.split('(').next().unwrap_or("")).last().map_or("", |(_, word)| word);
            if is_bad("type", last) {
                problems.push(format!(
                    "{}:{}: table {last}: see the glossary in docs/style.md",
                    file.path,
                    at + 1
                ));
            }
        }
    }
    problems
}

#[test]
fn names_say_what_a_thing_is() {
    none(names(&Tree::here()));
    for bad in [
        "struct JobManager;",
        "fn handle_callback() {}",
        "mod utils {}",
        "enum PayoutInfo {}",
        "struct Wallet;",
    ] {
        caught(names(&Tree::of("gateway/src/a.rs", bad)));
    }
    caught(names(&Tree::of("gateway/src/helpers.rs", "")));
    none(names(&Tree::of("gateway/src/a.rs", "fn data_key() {} struct Entrance; const BASE32: u8 = 1;")));
}

#[test]
fn tables_are_called_by_the_same_words() {
    none(tables(&Tree::here()));
    caught(tables(&Tree::of("migrations/0001_a.sql", "create table ledger.wallet (")));
}
