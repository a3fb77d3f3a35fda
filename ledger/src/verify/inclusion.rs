//! What is handed out about one transfer, or about two checkpoints, and how its reader checks it.
//!
//! Invariant: checked with the key alone.

use serde::{Deserialize, Serialize};

use super::bytes;
use super::fault::Reason;
use super::line::{Heading, Hex, Moved};
use crate::chart::BookId;
use crate::seal::note::{Checkpoint, Key};
use crate::seal::proof;
use crate::seal::tree::Hash;

/// A transfer is in its batch, and the batch in the log of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Included {
    /// The transfer, with all that is hashed.
    pub transfer: Moved,
    /// Its place among the batch's transfers, from 0.
    pub index: u64,
    /// The path of its leaf in the batch's block.
    pub path: Vec<Hex<32>>,
    /// The batch.
    pub batch: Heading,
    /// The root of the batch before.
    pub prev: Hex<32>,
    /// The path of the batch's root in the log.
    pub log: Vec<Hex<32>>,
    /// The signed checkpoint.
    pub checkpoint: String,
}

impl Included {
    /// Checks it from the transfer's fields up to the signature.
    ///
    /// # Errors
    /// [`Reason`]: the first step that does not hold.
    pub fn check(&self, book: &BookId, key: &Key) -> Result<Checkpoint, Reason> {
        let leaf = bytes::transfer(book, &self.transfer);
        if leaf != self.transfer.leaf.0 {
            return Err(Reason::Leaf);
        }
        let block = proof::included(leaf, self.index, self.batch.transfers, &plain(&self.path));
        if block != Some(self.batch.block.0) {
            return Err(Reason::Block);
        }
        let root = bytes::batch(book, &self.batch, &self.prev.0);
        if root != self.batch.root.0 {
            return Err(Reason::Root);
        }
        let checkpoint = Checkpoint::open(book, key, &self.checkpoint)
            .map_err(|why| Reason::Note { what: "the checkpoint", why })?;
        let place = self.batch.no.checked_sub(1).ok_or(Reason::BatchNumber { expected: 1 })?;
        let found = proof::included(root, place, checkpoint.size, &plain(&self.log));
        if found == Some(checkpoint.root) { Ok(checkpoint) } else { Err(Reason::CheckpointRoot) }
    }
}

/// The log of a newer checkpoint begins with that of an older one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grown {
    /// The older signed checkpoint.
    pub old: String,
    /// The newer one.
    pub new: String,
    /// The consistency proof.
    pub path: Vec<Hex<32>>,
}

impl Grown {
    /// Checks both signatures and the path between them.
    ///
    /// # Errors
    /// [`Reason`]: what does not hold.
    pub fn check(&self, book: &BookId, key: &Key) -> Result<[Checkpoint; 2], Reason> {
        let open = |note| {
            let opened = Checkpoint::open(book, key, note);
            opened.map_err(|why| Reason::Note { what: "the checkpoint", why })
        };
        let (old, new) = (open(&self.old)?, open(&self.new)?);
        let grown = proof::grown((old.size, &old.root), (new.size, &new.root), &plain(&self.path));
        if grown { Ok([old, new]) } else { Err(Reason::CheckpointRoot) }
    }
}

fn plain(path: &[Hex<32>]) -> Vec<Hash> {
    path.iter().map(|hash| hash.0).collect()
}
