//! The two programs with which others keep books in plain text, and what they say of an export.
//!
//! Absent: their installation. `deploy/setup.sh hledger beancount` does it, and `make test` calls that.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use amana_ledger::chart::BookId;
use amana_ledger::export::{Export, Format, Range};
use sqlx::PgConnection;

/// Runs it; what it printed, or what it complained of.
fn run(command: &mut Command, input: &str) -> Result<String, String> {
    let named = format!("{command:?}");
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let missing = |error| panic!("{named}: {error}: run deploy/setup.sh hledger beancount");
    let mut child = command.spawn().unwrap_or_else(missing);
    let mut stdin = child.stdin.take().expect("it has an input");
    // A program that has seen enough may close its input; what it says is what counts.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(said(&output.stdout)) } else { Err(said(&output.stderr)) }
}

/// Whether hledger accepts a journal, as strictly as it can.
///
/// # Errors
/// What it complains of.
pub fn hledger(journal: &str) -> Result<(), String> {
    run(Command::new("hledger").args(["-f-", "check", "--strict"]), journal).map(drop)
}

/// What hledger says stands on every account that has anything, minor units.
pub fn hledger_balances(journal: &str) -> BTreeMap<String, i64> {
    let arguments = ["-f-", "bal", "--flat", "-N", "-O", "csv"];
    let table = run(Command::new("hledger").args(arguments), journal).expect("it reads the journal");
    let row = |line: &str| {
        let (account, amount) = line.split_once("\",\"")?;
        let minor = amount.split_once(' ')?.0.replace('.', "");
        Some((account.trim_start_matches('"').to_owned(), minor.parse().expect("an amount")))
    };
    table.lines().skip(1).filter_map(row).collect()
}

/// Whether beancount accepts a ledger.
///
/// # Errors
/// What it complains of.
pub fn bean_check(ledger: &str) -> Result<(), String> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    // It reads a file, not its input.
    let name = format!("amana-{}-{}.beancount", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let file = Gone(std::env::temp_dir().join(name));
    std::fs::write(&file.0, ledger).expect("the file is written");
    run(Command::new("bean-check").arg("--no-cache").arg(&file.0), "").map(drop)
}

/// A file that is removed in the end.
struct Gone(PathBuf);

impl Drop for Gone {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A whole export in memory, which only a test wants.
pub async fn export(conn: &mut PgConnection, book: &BookId, range: Range, format: Format) -> String {
    let export = Export::begin(conn, book, range, format).await.expect("it begins");
    let (mut export, mut text) = (export.expect("the book is open"), String::new());
    while let Some(piece) = export.next(conn).await.expect("it goes on") {
        text += &piece;
    }
    text
}

/// Both programs accept their exports, and neither does any more after an amount was altered: alone, which
/// unbalances its transfer, or with its counterpart, which only the balances at the end can show. Gives how
/// many altered texts were refused.
pub async fn both_accept(conn: &mut PgConnection, book: &BookId, range: Range) -> usize {
    let mut refused = 0;
    for (format, check) in [
        (Format::Hledger, hledger as fn(&str) -> Result<(), String>),
        (Format::Beancount, bean_check as fn(&str) -> Result<(), String>),
    ] {
        let text = export(conn, book, range, format).await;
        check(&text).unwrap_or_else(|complaint| panic!("{complaint}\n{text}"));
        for spoiled in spoiled(&text) {
            assert!(check(&spoiled).is_err(), "{format:?} accepts an altered amount:\n{spoiled}");
            refused += 1;
        }
    }
    refused
}

/// The text with an amount of a posting altered by one minor unit, here and there.
fn spoiled(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let posting = |line: &&str| {
        let body = line.trim_start();
        let comment = body.starts_with(';') || body.contains(": ") && !body.contains("  ");
        line.starts_with(' ') && !comment && body.contains('.') && body.contains("  ")
    };
    let at: Vec<usize> = (0..lines.len()).filter(|at| posting(&lines[*at])).collect();
    let with = |changes: &[usize]| {
        let line = |(at, line): (usize, &&str)| {
            if changes.contains(&at) { raised(line) } else { (*line).to_owned() }
        };
        lines.iter().enumerate().map(line).collect::<Vec<_>>().join("\n") + "\n"
    };
    let every = at.len() / 3 + 1;
    let pairs = at.windows(2).filter(|pair| opposite(lines[pair[0]], lines[pair[1]])).step_by(every);
    let alone = at.iter().step_by(every).map(|at| with(&[*at]));
    alone.chain(pairs.map(with)).collect()
}

/// The first amount of a line, and where it stands.
fn amount(line: &str) -> (usize, usize) {
    let point = line.find('.').expect("an amount has a point");
    let start = line[..point].rfind(' ').expect("a blank stands before it") + 1;
    (start, point + 3)
}

/// The same line with one minor unit more, away from zero.
fn raised(line: &str) -> String {
    let (start, end) = amount(line);
    let minor: i64 = line[start..end].replace('.', "").parse().expect("an amount");
    let sign = if line[start..].starts_with('-') { "-" } else { "" };
    let minor = minor.abs() + 1;
    format!("{}{sign}{}.{:02}{}", &line[..start], minor / 100, minor % 100, &line[end..])
}

fn opposite(one: &str, other: &str) -> bool {
    let text = |line: &str| {
        let (start, end) = amount(line);
        line[start..end].to_owned()
    };
    format!("-{}", text(one)) == text(other)
}
