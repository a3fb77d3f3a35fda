//! The anchor contract: the books' checkpoints on the chain, raised, read, and proved from a stored envelope.
//!
//! Invariant: writing a checkpoint is an instruction like any other (`ChainOp::Anchor`), with the same stored
//! bytes and the same verdicts. Reading needs no key.

mod deploy;
#[cfg(test)]
mod tests;
mod witness;

use stellar_xdr::ScVal;

use super::rpc::ChainFault;
use super::wire::{field, read_bytes32, read_count};

pub use deploy::{Plan, deploy};
pub use witness::{Claim, Flaw, witness};

/// A book's checkpoint as the contract has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// How many batches of the book's log it covers.
    pub size: i64,
    /// The Merkle root over them.
    pub root: [u8; 32],
    /// The ledger in which it was written down.
    pub ledger: u32,
    /// When that was, Unix seconds.
    pub timestamp: i64,
}

impl Anchor {
    pub(super) fn read(value: &ScVal) -> Result<Option<Self>, ChainFault> {
        let odd = || ChainFault::Malformed { method: "simulateTransaction", why: "no anchor".into() };
        match value {
            ScVal::Void => Ok(None),
            view => read(view).map(Some).ok_or_else(odd),
        }
    }
}

fn read(view: &ScVal) -> Option<Anchor> {
    let ledger = match field(view, "ledger")? {
        ScVal::U32(ledger) => *ledger,
        _ => return None,
    };
    let root = read_bytes32(field(view, "root")?)?;
    let count = |name| read_count(field(view, name)?);
    Some(Anchor { size: count("size")?, root, ledger, timestamp: count("timestamp")? })
}
