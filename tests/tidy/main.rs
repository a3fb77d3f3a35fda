//! The house's law as tests: limits, directions, homes, words, papers. What `docs/style.md` says is checked
//! here.
//!
//! Invariant: each rule is shown to fail on a bad snippet beside it, so that a rule that sees nothing is
//! noticed.
//! Absent: parsing Rust. A scanner that blanks comments and strings sees enough.

mod code;
mod directions;
mod homes;
mod limits;
mod migrations;
mod papers;
mod tree;
mod words;

/// Fails with the list, one problem a line.
#[track_caller]
fn none(problems: Vec<String>) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

/// Fails unless a bad snippet was noticed once.
#[track_caller]
fn caught(problems: Vec<String>) {
    assert_eq!(problems.len(), 1, "{problems:?}");
}
