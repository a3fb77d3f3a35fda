//! What happened since the state file was written, a line a ledger, so that a killed process forgets nothing
//! it has answered for, and a transaction costs a line and not the whole file.
//!
//! Invariant: a line is written before its ledger is answered for. Lines follow one another by the hash of
//! the header before; a last line that was not finished was never answered for and does not count.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde::{Deserialize, Serialize};
use soroban_env_host::xdr::{LedgerEntry, LedgerKey};

use super::Ledger;
use super::history::Close;
use super::saved::{SavedClose, load_close, save_close};
use super::state::{Changes, State};
use crate::SaveError;
use crate::encoding::{b64_of, decode_b64};

/// The log is folded into the state file when it outgrows this and the file itself, in bytes.
const LEAST_FOLD: u64 = 4 << 20;

#[derive(Serialize, Deserialize)]
struct Line {
    offset_s: u64,
    close: SavedClose,
    changes: Vec<SavedChange>,
}

#[derive(Serialize, Deserialize)]
struct SavedChange {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    live_until: Option<u32>,
}

/// A closed ledger as a line.
pub(super) fn line(close: &Close, changes: &Changes, offset_s: u64) -> String {
    let changes = changes.iter().map(|(key, after)| SavedChange {
        key: b64_of(&**key),
        entry: after.as_ref().map(|(entry, _)| b64_of(&**entry)),
        live_until: after.as_ref().and_then(|(_, live_until)| *live_until),
    });
    let line = Line { offset_s, close: save_close(close), changes: changes.collect() };
    let mut text = serde_json::to_string(&line).unwrap_or_default();
    text.push('\n');
    text
}

/// A network as far as it has been read back.
pub(super) struct Read {
    pub(super) state: State,
    pub(super) closes: Vec<Close>,
    pub(super) offset_s: u64,
}

/// Lets happen again what the log beside `path` says.
///
/// # Errors
/// What is wrong with the log.
pub(super) fn replay(path: &Path, read: &mut Read) -> Result<(), String> {
    let text = match std::fs::read_to_string(log_of(path)) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(format!("its log cannot be read: {e}")),
    };
    let finished = text.rfind('\n').map_or("", |end| &text[..end]);
    for (number, text) in finished.lines().enumerate() {
        let broken = || format!("its log is broken in line {}", number + 1);
        let line: Line = serde_json::from_str(text).map_err(|_| broken())?;
        let close = load_close(&line.close).ok_or_else(broken)?;
        let last = read.closes.last().ok_or_else(broken)?;
        if close.sequence() <= last.sequence() {
            continue; // Folded into the file already; the process ended before the log was emptied.
        }
        if close.header.previous_ledger_hash.0 != last.hash {
            return Err(broken());
        }
        read.state.absorb(load_changes(&line.changes).ok_or_else(broken)?);
        read.offset_s = line.offset_s;
        read.closes.push(close);
    }
    Ok(())
}

fn load_changes(saved: &[SavedChange]) -> Option<Changes> {
    let mut changes = Changes::new();
    for change in saved {
        let key: LedgerKey = decode_b64(&change.key)?;
        let after = match &change.entry {
            Some(text) => Some((Rc::new(decode_b64::<LedgerEntry>(text)?), change.live_until)),
            None => None,
        };
        changes.insert(Rc::new(key), after);
    }
    Some(changes)
}

fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".log");
    PathBuf::from(name)
}

/// Keeps a network's state file and its log.
pub(crate) struct Keeper {
    path: PathBuf,
    log: File,
    log_bytes: u64,
    fold_at: u64,
    /// A line was lost: only the whole file helps.
    torn: bool,
}

impl Keeper {
    /// Writes the whole state and starts an empty log beside it.
    ///
    /// # Errors
    /// If either cannot be written.
    pub(crate) fn open(path: PathBuf, ledger: &mut Ledger) -> Result<Self, SaveError> {
        ledger.start_log();
        let fault = |source| SaveError { path: log_of(&path), source };
        let log = OpenOptions::new().create(true).append(true).open(log_of(&path)).map_err(fault)?;
        let mut keeper = Self { path, log, log_bytes: 0, fold_at: LEAST_FOLD, torn: false };
        keeper.fold(ledger)?;
        Ok(keeper)
    }

    /// Whether this is the file that is kept.
    pub(crate) fn keeps(&self, path: &Path) -> bool {
        self.path == path
    }

    /// Writes down what has happened since the last time.
    pub(crate) fn keep(&mut self, ledger: &mut Ledger) {
        let lines = ledger.take_log();
        if lines.is_empty() {
            return;
        }
        let kept = if self.torn || self.log_bytes > self.fold_at {
            self.fold(ledger)
        } else {
            self.append(&lines.concat())
        };
        if let Err(e) = kept {
            self.torn = true;
            tracing::error!(error = %e, "the local network's state was not kept");
        }
    }

    fn append(&mut self, text: &str) -> Result<(), SaveError> {
        let written = self.log.write_all(text.as_bytes()).and_then(|()| self.log.sync_data());
        written.map_err(|source| SaveError { path: log_of(&self.path), source })?;
        self.log_bytes += text.len() as u64;
        Ok(())
    }

    /// Writes the whole state, after which the log begins anew.
    ///
    /// # Errors
    /// If the file cannot be written or the log not be emptied.
    pub(crate) fn fold(&mut self, ledger: &mut Ledger) -> Result<(), SaveError> {
        ledger.save(&self.path)?;
        ledger.take_log();
        let emptied = self.log.set_len(0);
        emptied.map_err(|source| SaveError { path: log_of(&self.path), source })?;
        let size = std::fs::metadata(&self.path).map_or(0, |m| m.len());
        (self.log_bytes, self.fold_at, self.torn) = (0, size.max(LEAST_FOLD), false);
        Ok(())
    }
}
