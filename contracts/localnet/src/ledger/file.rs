//! The network's state in a file: the JSON of `soroban-ledger-snapshot`, which a contract SDK of the same
//! protocol reads too, and beside it what that format has no place for: the past.
//!
//! Invariant: the file is replaced in one step, so whoever reads it sees an old state or a new one, never
//! half of one.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde::{Deserialize, Serialize};
use soroban_env_host::xdr::LedgerEntry;

use super::history::Close;
use super::log::{self, Read};
use super::saved::{SavedClose, load_close, save_close};
use super::state::{Changes, State};
use super::{BASE_RESERVE, Ledger, PROTOCOL, Rules};
use crate::encoding::sha256;
use crate::{SaveError, StartError};

/// Version of what stands under `amana_localnet`.
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Saved {
    protocol_version: u32,
    sequence_number: u32,
    timestamp: u64,
    network_id: String,
    base_reserve: u32,
    min_persistent_entry_ttl: u32,
    min_temp_entry_ttl: u32,
    max_entry_ttl: u32,
    ledger_entries: Vec<SavedEntry>,
    amana_localnet: SavedPast,
}

#[derive(Serialize, Deserialize)]
struct SavedEntry {
    entry: LedgerEntry,
    live_until: Option<u32>,
}

#[derive(Serialize, Deserialize)]
struct SavedPast {
    format: u32,
    offset_s: u64,
    dropped_to: u32,
    closes: Vec<SavedClose>,
}

impl Ledger {
    /// Writes the whole network to `path`.
    ///
    /// # Errors
    /// If the file or its folder cannot be written; an older file then stays as it was.
    pub(crate) fn save(&self, path: &Path) -> Result<(), SaveError> {
        let fault = |source| SaveError { path: path.to_owned(), source };
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        let file = File::create(&beside).map_err(fault)?;
        let mut writer = BufWriter::new(file);
        serde_json::to_writer(&mut writer, &self.saved()).map_err(|e| fault(e.into()))?;
        writer.flush().map_err(fault)?;
        writer.get_ref().sync_all().map_err(fault)?;
        fs::rename(&beside, path).map_err(fault)?;
        match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            Some(folder) => File::open(folder).and_then(|f| f.sync_all()).map_err(fault),
            None => Ok(()),
        }
    }

    fn saved(&self) -> Saved {
        let mut ledger_entries = Vec::new();
        self.state.each(|_, (entry, live_until)| {
            ledger_entries.push(SavedEntry { entry: (**entry).clone(), live_until: *live_until });
        });
        Saved {
            protocol_version: PROTOCOL,
            sequence_number: self.sequence(),
            timestamp: self.close_time(),
            network_id: hex::encode(self.network_id),
            base_reserve: BASE_RESERVE,
            min_persistent_entry_ttl: self.config.min_persistent_entry_ttl,
            min_temp_entry_ttl: self.config.min_temp_entry_ttl,
            max_entry_ttl: self.config.max_entry_ttl,
            ledger_entries,
            amana_localnet: SavedPast {
                format: FORMAT,
                offset_s: self.offset_s,
                dropped_to: self.history.dropped_to(),
                closes: self.history.since(0).map(|close| save_close(close)).collect(),
            },
        }
    }

    /// The network as it was saved at `path`, with what its log says happened since.
    ///
    /// # Errors
    /// If the file cannot be read, is not such a state, or is of another network or protocol.
    pub(crate) fn load(rules: Rules, path: &Path) -> Result<Self, StartError> {
        let broken = |why: String| StartError::State { path: path.to_owned(), why };
        let file = File::open(path).map_err(|e| broken(e.to_string()))?;
        let saved: Saved =
            serde_json::from_reader(BufReader::new(file)).map_err(|e| broken(e.to_string()))?;
        if saved.network_id != hex::encode(sha256(rules.passphrase.as_bytes())) {
            return Err(broken("it belongs to a network with another passphrase".into()));
        }
        if (saved.protocol_version, saved.amana_localnet.format) != (PROTOCOL, FORMAT) {
            return Err(broken(format!("its protocol {} or format is not ours", saved.protocol_version)));
        }
        let mut changes = Changes::new();
        for SavedEntry { entry, live_until } in saved.ledger_entries {
            changes.insert(Rc::new(entry.to_key()), Some((Rc::new(entry), live_until)));
        }
        let state = State::default();
        state.absorb(changes);
        let past = saved.amana_localnet;
        let closes: Option<Vec<Close>> = past.closes.iter().map(load_close).collect();
        let closes = closes.filter(|c| !c.is_empty()).ok_or_else(|| broken("its past is broken".into()))?;
        let mut read = Read { state, closes, offset_s: past.offset_s };
        log::replay(path, &mut read).map_err(broken)?;
        Self::assemble(rules, read.state, read.closes, (read.offset_s, past.dropped_to))
    }
}
