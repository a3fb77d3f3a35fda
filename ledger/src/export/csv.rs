//! One posting a line, for spreadsheets: RFC 4180, with a line of names.
//!
//! Invariant: no cell is a formula. A spreadsheet runs what begins with one of `= + - @`, a tab or a carriage
//! return, and a receipt number is a stranger's text; such a cell begins with an apostrophe instead, which
//! spreadsheets take as "this is text" (OWASP, CSV injection).
//! Absent: a library. What is written is one rule of quoting; the tests read it back with Python's.

use super::{Form, Head, instant};
use crate::store::{Fault, written::Written};

pub(super) struct Csv;

const COLUMNS: [&str; 20] = [
    "no",
    "book",
    "batch",
    "transfer",
    "event",
    "key",
    "effective_at",
    "recorded_at",
    "phase",
    "debit",
    "credit",
    "amount",
    "currency",
    "hold",
    "reverses",
    "external_provider",
    "external_account",
    "external_id",
    "link",
    "metadata",
];

impl Form for Csv {
    fn head(&self, out: &mut String, _: &Head) {
        line(out, COLUMNS.map(str::to_owned));
    }

    fn transfer(&self, out: &mut String, head: &Head, written: &Written) -> Result<(), Fault> {
        let fact = written.external.as_ref();
        let said: Vec<_> = written.metadata.iter().map(|(name, value)| format!("{name}={value}")).collect();
        for (no, phase, posting) in &written.postings {
            line(
                out,
                [
                    no.to_string(),
                    head.book.to_string(),
                    written.batch.to_string(),
                    written.id.to_string(),
                    written.event.word().to_owned(),
                    written.key.as_str().to_owned(),
                    instant(written.effective_at),
                    instant(written.recorded_at),
                    (*phase).to_owned(),
                    posting.debit.path(),
                    posting.credit.path(),
                    posting.money.decimal(),
                    head.asset().code().to_owned(),
                    written.hold.map(|hold| hold.to_string()).unwrap_or_default(),
                    written.reverses.map(|of| of.to_string()).unwrap_or_default(),
                    fact.map(|fact| fact.provider.clone()).unwrap_or_default(),
                    fact.map(|fact| fact.account.clone()).unwrap_or_default(),
                    fact.map(|fact| fact.id.clone()).unwrap_or_default(),
                    written.link.map(|first| first.to_string()).unwrap_or_default(),
                    said.join("\n"),
                ],
            );
        }
        Ok(())
    }
}

fn line(out: &mut String, cells: [String; COLUMNS.len()]) {
    out.push_str(&cells.map(|text| cell(&text)).join(","));
    out.push_str("\r\n");
}

/// A text as a cell, quoted where it has to be, and never a formula.
#[must_use]
pub fn cell(text: &str) -> String {
    let mark = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{mark}{}\"", text.replace('"', "\"\""))
    } else {
        format!("{mark}{text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_never_run() {
        assert_eq!(cell("mpesa:600111"), "mpesa:600111");
        assert_eq!(cell("a,\"b\"\r\n"), "\"a,\"\"b\"\"\r\n\"");
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"] {
            assert_eq!(cell(formula), format!("'{formula}"));
        }
        assert_eq!(cell("=cmd|'/c calc'!A1,\"x\""), "\"'=cmd|'/c calc'!A1,\"\"x\"\"\"");
    }
}
