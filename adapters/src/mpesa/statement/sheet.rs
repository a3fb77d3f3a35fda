//! A file of rows and cells: CSV in any of its manners, or a workbook of Excel's.
//!
//! Invariant: a cell's number is its shortest decimal text; a workbook keeps numbers as doubles, and the
//! shortest text that gives the same double is what was entered, for every amount below ten trillion.

use std::io::Cursor;

use calamine::{Data, Reader, open_workbook_auto_from_rs};
use chrono::NaiveDateTime;

use super::BadStatement;
use crate::mpesa::encoding;

/// What stands in a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Text(String),
    /// Excel's own date.
    Moment(NaiveDateTime),
}

impl Cell {
    pub(super) fn text(&self) -> &str {
        match self {
            Cell::Text(text) => text,
            Cell::Moment(_) => "",
        }
    }
}

/// A row and the line of the file it begins on, counted from one.
pub(super) type Line = (u64, Vec<Cell>);

/// Workbooks begin like archives, or like the older compound files.
const ARCHIVE: &[u8] = b"PK\x03\x04";
const COMPOUND: &[u8] = b"\xd0\xcf\x11\xe0";

/// Every row of the file; of a workbook, of its first sheet.
pub(super) fn lines(raw: &[u8]) -> Result<Vec<Line>, BadStatement> {
    if raw.starts_with(ARCHIVE) || raw.starts_with(COMPOUND) { workbook(raw) } else { separated(raw) }
}

fn workbook(raw: &[u8]) -> Result<Vec<Line>, BadStatement> {
    let bad = |what: &str| BadStatement { line: 1, reason: format!("the workbook {what}") };
    let mut book = open_workbook_auto_from_rs(Cursor::new(raw)).map_err(|_| bad("does not open"))?;
    let sheet = book.worksheet_range_at(0).ok_or_else(|| bad("has no sheet"))?;
    let sheet = sheet.map_err(|_| bad("has a sheet that does not read"))?;
    let first = u64::from(sheet.start().map_or(0, |(row, _)| row)) + 1;
    Ok((first..).zip(sheet.rows().map(|row| row.iter().map(cell).collect())).collect())
}

fn cell(value: &Data) -> Cell {
    match value {
        Data::DateTime(at) => match at.as_datetime() {
            Some(at) => Cell::Moment(at),
            None => Cell::Text(String::new()),
        },
        Data::Empty | Data::Error(_) => Cell::Text(String::new()),
        value => Cell::Text(value.to_string().trim().to_owned()),
    }
}

fn separated(raw: &[u8]) -> Result<Vec<Line>, BadStatement> {
    let text = encoding::text(raw);
    let head = text.lines().find(|line| line.to_ascii_lowercase().contains("receipt")).unwrap_or("");
    let count = |mark: u8| head.bytes().filter(|b| *b == mark).count();
    let mark =
        [b',', b';', b'\t'].into_iter().max_by_key(|mark| (count(*mark), *mark == b',')).unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new();
    let mut reader = reader.has_headers(false).flexible(true).delimiter(mark).from_reader(text.as_bytes());
    let mut lines = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|_| BadStatement { line: 1, reason: "is no table".to_owned() })?;
        let line = record.position().map_or(0, csv::Position::line);
        lines.push((line, record.iter().map(|cell| Cell::Text(cell.trim().to_owned())).collect()));
    }
    Ok(lines)
}
