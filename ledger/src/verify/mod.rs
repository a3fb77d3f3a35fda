//! Checks a bundle ([`line`]) offline: with nothing but the file and, if the reader has it from elsewhere,
//! the key.
//!
//! Everything that can be recomputed is: each leaf, each block, each root, the log at each checkpoint and
//! anchor, what stands on each account. What is left to trust is said in [`Verified`]: that the key is the
//! issuer's, that the chain has what the anchors say, and, if the file does not begin with the first batch,
//! the opening balances.
//!
//! Invariant: memory grows with the accounts and liabilities, not with the transfers. The first thing that is
//! wrong is named by its line, batch and transfer.
//! Absent: database, network, clock.

mod accounts;
mod bytes;
mod fault;
pub mod inclusion;
pub mod line;
mod log;
#[cfg(test)]
mod tests;

use std::io::BufRead;

use aws_lc_rs::digest;

pub use fault::{Failure, Reason};
use line::{Anchor, Hex, Line, Noted};
use log::Log;

use crate::chart::BookId;
use crate::seal::liability::{self, Liabilities, Sum};
use crate::seal::note::{Checkpoint, Ending, Key};

/// What a bundle proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The book.
    pub book: BookId,
    /// The key that signed it.
    pub key: String,
    /// The first and the last batch.
    pub batches: (u64, u64),
    /// How many transfers, postings, accounts.
    pub counts: [u64; 3],
    /// The root of the log after the last batch.
    pub root: Hex<32>,
    /// How many checkpoints there are.
    pub checkpoints: u64,
    /// How many anchors there are, and the newest.
    pub anchors: (u64, Option<Anchor>),
    /// What is owed in all, and what stands in floats and on the way between them; minor units.
    pub owed: Option<(u64, i128)>,
}

/// Reads a bundle to its end.
///
/// # Errors
/// [`Failure`]: the first thing that is wrong.
pub fn verify(mut file: impl BufRead, key: Option<&Key>) -> Result<Verified, Failure> {
    let mut reading = Reading { asked: key, at: 0, hash: digest::Context::new(&digest::SHA256), seen: None };
    let mut text = String::new();
    loop {
        text.clear();
        reading.at += 1;
        match file.read_line(&mut text) {
            Ok(0) => return Err(reading.failure(Reason::NoEnd, None)),
            Ok(_) => {}
            Err(error) => return Err(reading.failure(Reason::Unreadable(error.to_string()), None)),
        }
        let parsed: Line = text
            .strip_suffix('\n')
            .and_then(|text| serde_json::from_str(text).ok())
            .ok_or_else(|| reading.failure(Reason::NotALine, None))?;
        if let Line::End(noted) = &parsed {
            let done = reading.end(noted).and_then(|done| {
                // The signed hash is over what came before, so nothing may follow it.
                let canonical = serde_json::to_string(&parsed).is_ok_and(|again| again + "\n" == text);
                let alone = file.fill_buf().is_ok_and(<[u8]>::is_empty);
                if canonical && alone { Ok(done) } else { Err(Reason::NoEnd) }
            });
            return done.map_err(|reason| reading.failure(reason, None));
        }
        reading.line(&parsed).map_err(|reason| reading.failure(reason, Some(&parsed)))?;
        let canonical = serde_json::to_string(&parsed).is_ok_and(|again| again + "\n" == text);
        if !canonical {
            return Err(reading.failure(Reason::NotCanonical, Some(&parsed)));
        }
        reading.hash.update(text.as_bytes());
    }
}

/// How far the file was read.
struct Reading<'a> {
    asked: Option<&'a Key>,
    at: u64,
    hash: digest::Context,
    seen: Option<Seen>,
}

/// What was read, from the header on.
struct Seen {
    key: Key,
    stretch: (u64, u64),
    log: Log,
    anchors: (u64, Option<Anchor>),
    checkpoints: (u64, u64),
    leaves: Vec<Sum>,
    liabilities: Option<Liabilities>,
}

impl Reading<'_> {
    fn failure(&self, reason: Reason, line: Option<&Line>) -> Failure {
        let transfer = match line {
            Some(Line::Transfer(moved)) => Some((moved.id, moved.no)),
            _ => None,
        };
        let batch = self.seen.as_ref().and_then(|seen| seen.log.at());
        Failure { line: self.at, batch, transfer, reason }
    }

    fn line(&mut self, line: &Line) -> Result<(), Reason> {
        if let Line::Header(header) = line {
            if self.seen.is_some() {
                return Err(Reason::Misplaced("a second header"));
            }
            self.seen = Some(Seen::begin(header, self.asked)?);
            return Ok(());
        }
        let seen = self.seen.as_mut().ok_or(Reason::Misplaced("a line before the header"))?;
        if !seen.leaves.is_empty() && !matches!(line, Line::Liability(_) | Line::Liabilities(_))
            || seen.liabilities.is_some()
        {
            return Err(Reason::Misplaced("a line behind the liabilities"));
        }
        match line {
            Line::Header(_) | Line::End(_) => Ok(()),
            Line::Opening(opening) => {
                if seen.stretch.0 == 1 {
                    return Err(Reason::Misplaced("an opening of the first batch"));
                }
                seen.log.open(opening, &seen.key)
            }
            Line::Account(standing) => seen.log.account(standing),
            Line::Batch(heading) if heading.no > seen.stretch.1 => {
                Err(Reason::Misplaced("a batch behind the last"))
            }
            Line::Batch(heading) => seen.log.batch(heading),
            Line::Transfer(moved) => seen.log.transfer(moved),
            Line::Limit(limited) => seen.log.limit(limited),
            Line::Close(closed) => seen.log.close(closed),
            Line::Checkpoint(noted) => seen.checkpoint(noted),
            Line::Anchor(anchor) => seen.anchor(anchor),
            Line::Liability(owed) => seen.liability(Sum { hash: owed.hash.0, sum: owed.sum }),
            Line::Liabilities(noted) => seen.liabilities(noted),
        }
    }

    /// The last line: nothing is missing, and the file is as it was signed.
    fn end(&mut self, noted: &Noted) -> Result<Verified, Reason> {
        let seen = self.seen.as_mut().ok_or(Reason::Misplaced("a line before the header"))?;
        let (root, size) = seen.log.root()?;
        if size != seen.stretch.1 {
            return Err(Reason::Truncated { found: size, claimed: seen.stretch.1 });
        }
        if seen.checkpoints.1 != size {
            return Err(Reason::NoCheckpoint);
        }
        if !seen.log.accounts.balance() {
            return Err(Reason::Unbalanced);
        }
        if !seen.leaves.is_empty() && seen.liabilities.is_none() {
            return Err(Reason::OwedRoot);
        }
        let ending = Ending::open(&seen.log.book, &seen.key, &noted.note)
            .map_err(|why| Reason::Note { what: "the end", why })?;
        let hash = self.hash.clone().finish();
        if ending.lines != self.at - 1 || ending.hash != hash.as_ref() {
            return Err(Reason::Changed);
        }
        let owed = seen.liabilities.as_ref().map(|owed| (owed.root.sum, seen.log.accounts.floats()));
        Ok(Verified {
            book: seen.log.book.clone(),
            key: seen.key.to_string(),
            batches: seen.stretch,
            counts: seen.log.counts(),
            root: Hex(root),
            checkpoints: seen.checkpoints.0,
            anchors: seen.anchors.clone(),
            owed,
        })
    }
}

impl Seen {
    fn begin(header: &line::Header, asked: Option<&Key>) -> Result<Self, Reason> {
        if header.format != line::FORMAT {
            return Err(Reason::Format);
        }
        let (from, to) = (header.from, header.to);
        if from == 0 || to < from {
            return Err(Reason::Stretch { from, to });
        }
        let key = Key::parse(&header.key).map_err(|_| Reason::Key)?;
        if asked.is_some_and(|asked| *asked != key) {
            return Err(Reason::OtherKey);
        }
        if key.name() != crate::seal::note::origin(&header.book) {
            return Err(Reason::Key);
        }
        let log = Log::new(&header.book, from);
        let (leaves, liabilities) = (Vec::new(), None);
        Ok(Self {
            key,
            stretch: (from, to),
            log,
            anchors: (0, None),
            checkpoints: (0, 0),
            leaves,
            liabilities,
        })
    }

    fn checkpoint(&mut self, noted: &Noted) -> Result<(), Reason> {
        let (root, at) = self.log.root()?;
        let found = Checkpoint::open(&self.log.book, &self.key, &noted.note)
            .map_err(|why| Reason::Note { what: "the checkpoint", why })?;
        if found.size != at {
            return Err(Reason::CheckpointSize { found: found.size, at });
        }
        if found.root != root {
            return Err(Reason::CheckpointRoot);
        }
        self.checkpoints = (self.checkpoints.0 + 1, at);
        Ok(())
    }

    fn anchor(&mut self, anchor: &Anchor) -> Result<(), Reason> {
        let (root, at) = self.log.root()?;
        if anchor.size != at {
            return Err(Reason::AnchorSize { found: anchor.size, at });
        }
        if anchor.root.0 != root {
            return Err(Reason::AnchorRoot);
        }
        self.anchors = (self.anchors.0 + 1, Some(anchor.clone()));
        Ok(())
    }

    fn liability(&mut self, leaf: Sum) -> Result<(), Reason> {
        self.log.finished(self.stretch.1)?;
        if self.leaves.last().is_some_and(|last| last.hash >= leaf.hash) {
            return Err(Reason::OwedOrder);
        }
        self.leaves.push(leaf);
        Ok(())
    }

    fn liabilities(&mut self, noted: &Noted) -> Result<(), Reason> {
        self.log.finished(self.stretch.1)?;
        let signed = Liabilities::open(&self.log.book, &self.key, &noted.note)
            .map_err(|why| Reason::Note { what: "the liabilities", why })?;
        let root = liability::root(&self.leaves).ok_or(Reason::OwedTotal)?;
        let size = self.leaves.len() as u64;
        if signed.root != root || signed.leaves != size || signed.batches != self.stretch.1 {
            return Err(Reason::OwedRoot);
        }
        self.log.accounts.owes(&self.leaves)?;
        self.liabilities = Some(signed);
        Ok(())
    }
}
