//! How long and how wide: limits that make a reader's day.

use std::collections::BTreeMap;

use crate::tree::Tree;
use crate::{caught, none};

const FILE: usize = 500;
const FUNCTION: usize = 70;
const ARGUMENTS: usize = 5;
const FOLDER: usize = 10;
const LINE: usize = 110;

fn files(tree: &Tree) -> Vec<String> {
    let rust = tree.files.iter().filter(|file| file.path.ends_with(".rs"));
    let long = rust.filter(|file| file.text.lines().count() > FILE);
    long.map(|file| format!("{}: {} lines, {FILE} are allowed", file.path, file.text.lines().count()))
        .collect()
}

/// All arrows of a flow stand in one match, however long: `next` in `gateway/src/flows`.
fn is_flow_match(path: &str, name: &str) -> bool {
    path.starts_with("gateway/src/flows/") && name == "next"
}

fn functions(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    for source in tree.rust() {
        for function in source.functions() {
            let place = format!("{}:{}: fn {}", source.path, function.line, function.name);
            if function.lines > FUNCTION && !is_flow_match(&source.path, &function.name) {
                problems.push(format!("{place}: {} lines, {FUNCTION} are allowed", function.lines));
            }
            // A contract is born in one call, with everything it must know.
            if function.arguments > ARGUMENTS && function.name != "__constructor" {
                problems.push(format!("{place}: {} arguments, {ARGUMENTS} are allowed", function.arguments));
            }
        }
    }
    problems
}

fn folders(tree: &Tree) -> Vec<String> {
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for file in tree.files.iter().filter(|file| file.path.ends_with(".rs")) {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        *count.entry(folder).or_default() += 1;
    }
    let crowded = count.into_iter().filter(|(_, files)| *files > FOLDER);
    crowded.map(|(folder, files)| format!("{folder}: {files} files, {FOLDER} are allowed")).collect()
}

fn lines(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    let narrow =
        |path: &str| path.ends_with(".rs") || path.ends_with(".sql") && !path.ends_with("/schema.sql");
    for file in tree.files.iter().filter(|file| narrow(&file.path)) {
        for (at, line) in file.text.lines().enumerate() {
            let width = line.chars().count();
            if width > LINE {
                problems.push(format!("{}:{}: {width} columns, {LINE} are allowed", file.path, at + 1));
            }
        }
    }
    problems
}

fn openings(tree: &Tree) -> Vec<String> {
    let rust = tree.files.iter().filter(|file| file.path.ends_with(".rs"));
    let mute = rust.filter(|file| !opens_with_doc(&file.text));
    mute.map(|file| format!("{}: does not open with `//!` and one sentence of what it is", file.path))
        .collect()
}

/// Attributes of the whole file may stand before.
fn opens_with_doc(text: &str) -> bool {
    let mut lines = text.lines().skip_while(|line| line.trim().is_empty() || line.starts_with("#!["));
    lines
        .next()
        .is_some_and(|line| line.starts_with("//! ") && line.len() > 10 && !line.contains("laceholder"))
}

#[test]
fn files_are_short() {
    none(files(&Tree::here()));
    caught(files(&Tree::of("a.rs", &"\n".repeat(501))));
}

#[test]
fn functions_are_short_and_take_few_arguments() {
    none(functions(&Tree::here()));
    let long = format!("fn next() {{\n{}}}\n", "a();\n".repeat(70));
    caught(functions(&Tree::of("a.rs", &long)));
    none(functions(&Tree::of("gateway/src/flows/payout.rs", &long)));
    caught(functions(&Tree::of("a.rs", "fn f(a: A, b: B, c: C, d: D, e: E, f: F) {}")));
    none(functions(&Tree::of("a.rs", "fn f(&self, b: B, c: C, d: D, e: E, f: F<A, B>) {}")));
}

#[test]
fn folders_are_small() {
    none(folders(&Tree::here()));
    let eleven = (0..11).fold(Tree::of("a/0.rs", ""), |tree, n| tree.and(&format!("a/b{n}.rs"), ""));
    caught(folders(&eleven));
}

#[test]
fn lines_are_narrow() {
    none(lines(&Tree::here()));
    caught(lines(&Tree::of("a.sql", &"-".repeat(111))));
}

#[test]
fn every_file_says_what_it_is() {
    none(openings(&Tree::here()));
    caught(openings(&Tree::of("a.rs", "use std::fmt;")));
    none(openings(&Tree::of("a.rs", "#![no_std]\n//! The escrow on the chain.\n")));
}
