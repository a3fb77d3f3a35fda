//! A file of rows and cells: CSV in any of its manners, or a workbook of Excel's.
//!
//! Invariant: a cell's number is its shortest decimal text; a workbook keeps numbers as doubles, and the
//! shortest text that gives the same double is what was entered, for every amount below ten trillion.

use std::collections::BTreeMap;
use std::io::Cursor;

use calamine::{Data, Reader, Xlsx};
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

/// More than a year of a busy paybill; thirteen columns are usual.
const MOST_ROWS: u32 = 500_000;
const MOST_COLUMNS: u32 = 64;

/// Every row of the file; of a workbook, of its first sheet.
pub(super) fn lines(raw: &[u8]) -> Result<Vec<Line>, BadStatement> {
    if raw.starts_with(COMPOUND) {
        let reason = "is a workbook of the older kind: save it as xlsx or csv".to_owned();
        return Err(BadStatement { line: 1, reason });
    }
    if raw.starts_with(ARCHIVE) { workbook(raw) } else { separated(raw) }
}

/// A workbook's first sheet. Its reader panics on some broken files, and lays out whatever room their cells
/// ask for if asked for the whole sheet: so it is asked cell by cell, within bounds, and caught.
fn workbook(raw: &[u8]) -> Result<Vec<Line>, BadStatement> {
    let read = std::panic::catch_unwind(|| cells(raw)).unwrap_or(Err("does not read"));
    read.map_err(|what| BadStatement { line: 1, reason: format!("the workbook {what}") })
}

fn cells(raw: &[u8]) -> Result<Vec<Line>, &'static str> {
    let mut book = Xlsx::new(Cursor::new(raw)).map_err(|_| "does not open")?;
    let name = book.sheet_names().first().cloned().ok_or("has no sheet")?;
    let mut reader = book.worksheet_cells_reader(&name).map_err(|_| "has a sheet that does not read")?;
    let mut lines: BTreeMap<u32, Vec<Cell>> = BTreeMap::new();
    while let Some(found) = reader.next_cell().map_err(|_| "has a cell that does not read")? {
        let (row, column) = found.get_position();
        if row >= MOST_ROWS || column >= MOST_COLUMNS {
            return Err("is larger than a statement");
        }
        let line = lines.entry(row).or_default();
        let at = column as usize;
        line.resize(line.len().max(at + 1), Cell::Text(String::new()));
        line[at] = cell(&Data::from(found.get_value().clone()));
    }
    Ok(lines.into_iter().map(|(row, cells)| (u64::from(row) + 1, cells)).collect())
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
