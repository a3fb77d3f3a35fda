//! The log of a book while a bundle is read: batch by batch, leaf by leaf.
//!
//! Invariant: a batch is a leaf of the log only once its contents gave its block and its root.

use chrono::{DateTime, Utc};

use super::accounts::Accounts;
use super::bytes;
use super::fault::Reason;
use super::line::{Closed, Heading, Limited, Moved, Opening, Standing};
use crate::chart::BookId;
use crate::seal::note::{Checkpoint, Key};
use crate::seal::proof;
use crate::seal::tree::{Edge, Hash};

pub(super) struct Log {
    pub(super) book: BookId,
    pub(super) accounts: Accounts,
    edge: Edge,
    /// The batch whose leaves are being read.
    begun: Option<Begun>,
    /// How many batches there are before the file.
    before: u64,
    prev: Hash,
    next_posting: u64,
    recorded_at: Option<DateTime<Utc>>,
    closed_before: Option<DateTime<Utc>>,
    transfers: u64,
    first_posting: u64,
}

struct Begun {
    heading: Heading,
    leaves: Edge,
    transfers: u64,
}

impl Log {
    pub(super) fn new(book: &BookId, from: u64) -> Self {
        Self {
            book: book.clone(),
            accounts: Accounts::default(),
            edge: Edge::new(),
            begun: None,
            before: from - 1,
            prev: [0; 32],
            next_posting: 1,
            recorded_at: None,
            closed_before: None,
            transfers: 0,
            first_posting: 1,
        }
    }

    /// The batch that is read, or was read last.
    pub(super) fn at(&self) -> Option<u64> {
        let begun = self.begun.as_ref().map(|begun| begun.heading.no);
        begun.or_else(|| Some(self.edge.size()).filter(|size| *size > self.before))
    }

    /// Transfers, postings, accounts.
    pub(super) fn counts(&self) -> [u64; 3] {
        [self.transfers, self.next_posting - self.first_posting, self.accounts.count()]
    }

    /// What was before the first batch of the file.
    pub(super) fn open(&mut self, opening: &Opening, key: &Key) -> Result<(), Reason> {
        if self.edge.size() != 0 || self.begun.is_some() || self.accounts.count() != 0 {
            return Err(Reason::Misplaced("an opening"));
        }
        let checkpoint = Checkpoint::open(&self.book, key, &opening.note)
            .map_err(|why| Reason::Note { what: "the opening", why })?;
        let peaks: Vec<Hash> = opening.peaks.iter().map(|peak| peak.0).collect();
        let path: Vec<Hash> = opening.path.iter().map(|hash| hash.0).collect();
        let size = checkpoint.size;
        let edge =
            Edge::of(size, &peaks).filter(|edge| size == self.before && edge.root() == checkpoint.root);
        let last = proof::included(opening.prev.0, size.saturating_sub(1), size, &path);
        match edge {
            Some(edge) if last == Some(checkpoint.root) => self.edge = edge,
            _ => return Err(Reason::OpeningLog),
        }
        self.prev = opening.prev.0;
        (self.next_posting, self.first_posting) = (opening.first_posting, opening.first_posting);
        (self.recorded_at, self.closed_before) = (Some(opening.recorded_at), opening.closed_before);
        Ok(())
    }

    pub(super) fn account(&mut self, standing: &Standing) -> Result<(), Reason> {
        if self.edge.size() == 0 || self.edge.size() != self.before || self.begun.is_some() {
            return Err(Reason::Misplaced("an account"));
        }
        self.accounts.opened(standing)
    }

    pub(super) fn batch(&mut self, heading: &Heading) -> Result<(), Reason> {
        self.finish()?;
        if self.edge.size() < self.before {
            return Err(Reason::Misplaced("a batch before the opening"));
        }
        if self.edge.size() == self.before && !self.accounts.balance() {
            return Err(Reason::Unbalanced);
        }
        let expected = self.edge.size() + 1;
        // A failure is about this batch from here on.
        self.begun = Some(Begun { heading: heading.clone(), leaves: Edge::new(), transfers: 0 });
        if heading.no != expected {
            return Err(Reason::BatchNumber { expected });
        }
        if heading.first_posting != self.next_posting {
            return Err(Reason::PostingNumber { expected: self.next_posting });
        }
        if self.recorded_at.is_some_and(|before| heading.recorded_at < before) {
            return Err(Reason::Backwards);
        }
        Ok(())
    }

    pub(super) fn transfer(&mut self, moved: &Moved) -> Result<(), Reason> {
        let begun = self.begun.as_mut().ok_or(Reason::Misplaced("a transfer"))?;
        if moved.no != self.next_posting {
            return Err(Reason::PostingNumber { expected: self.next_posting });
        }
        if bytes::transfer(&self.book, moved) != moved.leaf.0 {
            return Err(Reason::Leaf);
        }
        if moved.legs.is_empty() {
            return Err(Reason::Empty);
        }
        let effective_at = moved.effective_at.unwrap_or(begun.heading.recorded_at);
        if self.closed_before.is_some_and(|closed| effective_at < closed) {
            return Err(Reason::PeriodClosed);
        }
        self.accounts.moved(&moved.legs)?;
        let next = self.next_posting.checked_add(moved.legs.len() as u64);
        self.next_posting = next.ok_or(Reason::PostingNumber { expected: self.first_posting })?;
        self.transfers += 1;
        begun.transfers += 1;
        begun.leaves.push(moved.leaf.0);
        Ok(())
    }

    pub(super) fn limit(&mut self, limited: &Limited) -> Result<(), Reason> {
        let begun = self.begun.as_mut().ok_or(Reason::Misplaced("a limit"))?;
        if bytes::limit(&self.book, limited) != limited.leaf.0 {
            return Err(Reason::Leaf);
        }
        begun.leaves.push(limited.leaf.0);
        self.accounts.limited(&limited.path, limited.floor)
    }

    pub(super) fn close(&mut self, closed: &Closed) -> Result<(), Reason> {
        let begun = self.begun.as_mut().ok_or(Reason::Misplaced("a close"))?;
        if bytes::close(&self.book, closed) != closed.leaf.0 {
            return Err(Reason::Leaf);
        }
        if closed.closed_before > begun.heading.recorded_at
            || Some(closed.closed_before) <= self.closed_before
        {
            return Err(Reason::PeriodClosed);
        }
        begun.leaves.push(closed.leaf.0);
        self.closed_before = Some(closed.closed_before);
        Ok(())
    }

    /// The root of the log and its size, the batch that was begun included.
    pub(super) fn root(&mut self) -> Result<(Hash, u64), Reason> {
        self.finish()?;
        Ok((self.edge.root(), self.edge.size()))
    }

    /// All batches were read.
    pub(super) fn finished(&mut self, to: u64) -> Result<(), Reason> {
        self.finish()?;
        let found = self.edge.size();
        if found == to { Ok(()) } else { Err(Reason::Truncated { found, claimed: to }) }
    }

    /// The batch that was begun has all its leaves.
    fn finish(&mut self) -> Result<(), Reason> {
        let Some(Begun { heading, leaves, transfers }) = &self.begun else { return Ok(()) };
        let postings = self.next_posting - heading.first_posting;
        for (what, found, claimed) in [
            ("transfers", *transfers, heading.transfers),
            ("postings", postings, heading.postings),
            ("accounts", self.accounts.count(), heading.accounts),
        ] {
            if found != claimed {
                return Err(Reason::Count { what, found, claimed });
            }
        }
        if leaves.size() == 0 {
            return Err(Reason::Empty);
        }
        if leaves.root() != heading.block.0 {
            return Err(Reason::Block);
        }
        if bytes::batch(&self.book, heading, &self.prev) != heading.root.0 {
            return Err(Reason::Root);
        }
        self.edge.push(heading.root.0);
        (self.prev, self.recorded_at) = (heading.root.0, Some(heading.recorded_at));
        self.begun = None;
        Ok(())
    }
}
