//! Proof of liabilities: a Merkle-sum tree over what the book owes each account. Who is owed checks that
//! their balance is inside the published total, and learns of others only sums.
//!
//! A leaf is SHA-256(0 ‖ domain, salt, account, balance) beside its balance; a node is SHA-256(1 ‖ left
//! hash, left sum, right hash, right sum) beside the sum of both. A salt is derived for each account, so that
//! nobody finds an account by trying names. The tree has the shape of RFC 6962, the leaves in the order of
//! their hashes, so that a place says nothing either.
//!
//! Invariant: no balance is negative (the type has no sign) and no sum passes `i64::MAX`: a liability cannot
//! be hidden behind another. Absent: that the list is whole. That is shown by the sum of the book's
//! liability accounts, and by each person who looks.

use super::note::{BadNote, Head, Key, origin};
use super::proof;
use super::tree::Hash;
use crate::chart::{Account, BookId, Class};
use crate::id::sha256;
use crate::transfer::Words;

/// A leaf or node: its hash, and the sum of what is below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sum {
    /// The hash.
    pub hash: Hash,
    /// Minor units, at most `i64::MAX`.
    pub sum: u64,
}

/// The published root: what a book owed after so many batches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Liabilities {
    /// The book.
    pub book: BookId,
    /// How many accounts are owed something.
    pub leaves: u64,
    /// How many batches the log had.
    pub batches: u64,
    /// The root and the total.
    pub root: Sum,
}

impl Liabilities {
    /// The text that is signed: a checkpoint of this tree, with two lines more.
    #[must_use]
    pub fn text(&self) -> String {
        let more = format!("total {}\nbatches {}\n", self.root.sum, self.batches);
        Head { origin: Self::origin(&self.book), size: self.leaves, hash: self.root.hash, more: &more }.text()
    }

    fn origin(book: &BookId) -> String {
        format!("{}/liabilities", origin(book))
    }

    /// Reads the signed liabilities of the book.
    ///
    /// # Errors
    /// [`BadNote`] unless they are, signed by the key.
    pub fn open(book: &BookId, key: &Key, note: &str) -> Result<Self, BadNote> {
        let text = key.open(note)?;
        let head = Head::read(Self::origin(book), text)?;
        let mut lines = head.more.lines();
        let mut number = |name: &str| -> Result<u64, BadNote> {
            let line = lines.next().and_then(|line| line.strip_prefix(name)).ok_or(BadNote::Text)?;
            line.parse().map_err(|_| BadNote::Text)
        };
        let (sum, batches) = (number("total ")?, number("batches ")?);
        let root = Sum { hash: head.hash, sum };
        let read = Self { book: book.clone(), leaves: head.size, batches, root };
        if read.text() == text { Ok(read) } else { Err(BadNote::Text) }
    }
}

/// Whether what stands on an account is owed to somebody. The control account of what is owed in tokens says
/// the same again, and burns on the way are owed to nobody.
#[must_use]
pub fn owed(account: &Account) -> bool {
    let doubles = matches!(account, Account::OnchainControl | Account::ClearingBurn);
    account.kind().class() == Class::Liability && !doubles
}

/// The leaf of an account.
#[must_use]
pub fn leaf(salt: &Hash, path: &str, balance: u64) -> Sum {
    let mut words = Words::new("amana:liability:v1");
    words.bytes(salt).text(path).bytes(&balance.to_be_bytes());
    Sum { hash: sha256(&[&[0], &words.0]), sum: balance }
}

/// The node over two; `None` if the sum would be more than the ledger can count.
#[must_use]
pub fn node(left: &Sum, right: &Sum) -> Option<Sum> {
    let sum = left.sum.checked_add(right.sum).filter(|sum| i64::try_from(*sum).is_ok())?;
    let sums = [left.sum, right.sum].map(u64::to_be_bytes);
    let hash = sha256(&[&[1], &left.hash, &sums[0], &right.hash, &sums[1]]);
    Some(Sum { hash, sum })
}

/// The root over leaves in order; of none it is SHA-256 of nothing beside zero.
#[must_use]
pub fn root(leaves: &[Sum]) -> Option<Sum> {
    match leaves {
        [] => Some(Sum { hash: sha256(&[]), sum: 0 }),
        [one] => i64::try_from(one.sum).is_ok().then_some(*one),
        more => {
            let (left, right) = more.split_at(more.len().next_power_of_two() / 2);
            node(&root(left)?, &root(right)?)
        }
    }
}

/// The path that proves the leaf at `index`, the nearest first.
#[must_use]
pub fn path(leaves: &[Sum], index: usize) -> Option<Vec<Sum>> {
    let part = |range: std::ops::Range<u64>| {
        let (start, end) = (usize::try_from(range.start).ok()?, usize::try_from(range.end).ok()?);
        root(leaves.get(start..end)?)
    };
    proof::inclusion(index as u64, leaves.len() as u64).into_iter().map(part).collect()
}

/// The root under which `path` puts a leaf at `index` of `size`; `None` if the path does not fit or a sum is
/// too large. The caller compares it, hash and total, with what was published.
#[must_use]
pub fn included(leaf: Sum, index: u64, size: u64, path: &[Sum]) -> Option<Sum> {
    let ranges = proof::inclusion(index, size);
    if index >= size || ranges.len() != path.len() {
        return None;
    }
    ranges.iter().zip(path).try_fold(leaf, |below, (range, beside)| {
        if range.start > index { node(&below, beside) } else { node(beside, &below) }
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tree(balances: &[u64]) -> Vec<Sum> {
        let leaf = |(at, &balance): (usize, &u64)| {
            let path = format!("employee:{at}");
            leaf(&sha256(&[b"salt", path.as_bytes()]), &path, balance)
        };
        let mut leaves: Vec<Sum> = balances.iter().enumerate().map(leaf).collect();
        leaves.sort_unstable();
        leaves
    }

    #[test]
    fn what_is_owed_is_owed_once() {
        let paths = ["employee:00000000-0000-0000-0000-000000000007", "suspense:mpesa:600111"];
        assert!(paths.iter().all(|path| owed(&Account::parse(path).unwrap())));
        let others =
            ["onchain:issued", "clearing:burn", "clearing:mint", "equity:capital", "float:intersend"];
        assert!(!others.iter().any(|path| owed(&Account::parse(path).unwrap())));
    }

    #[test]
    fn a_sum_never_wraps() {
        let leaves = tree(&[i64::MAX.unsigned_abs(), 1]);
        assert_eq!(root(&leaves), None);
        assert_eq!(root(&tree(&[u64::MAX])), None);
        let most = root(&tree(&[i64::MAX.unsigned_abs() - 1, 1])).unwrap();
        assert_eq!(most.sum, i64::MAX.unsigned_abs());
    }

    proptest! {
        #[test]
        fn each_is_inside_the_total(balances in prop::collection::vec(0u64..1 << 40, 1..60)) {
            let leaves = tree(&balances);
            let whole = root(&leaves).unwrap();
            prop_assert_eq!(whole.sum, balances.iter().sum::<u64>());
            for (index, leaf) in leaves.iter().enumerate() {
                let path = path(&leaves, index).unwrap();
                let found = included(*leaf, index as u64, leaves.len() as u64, &path);
                prop_assert_eq!(found, Some(whole));
            }
        }

        #[test]
        fn no_sum_on_the_way_can_be_changed(
            balances in prop::collection::vec(0u64..1 << 40, 2..60),
            at: prop::sample::Index, which: prop::sample::Index, less in 1u64..1 << 40,
        ) {
            let leaves = tree(&balances);
            let (whole, index, size) = (root(&leaves), at.index(leaves.len()), leaves.len() as u64);
            let mut path = path(&leaves, index).unwrap();
            let beside = which.index(path.len());
            path[beside].sum = path[beside].sum.wrapping_sub(less);
            prop_assert_ne!(included(leaves[index], index as u64, size, &path), whole);
            path[beside].sum = path[beside].sum.wrapping_add(less);
            path[beside].hash[0] ^= 1;
            prop_assert_ne!(included(leaves[index], index as u64, size, &path), whole);
        }
    }
}
