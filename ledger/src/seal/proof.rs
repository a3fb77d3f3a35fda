//! Proofs over the tree of RFC 6962: that a leaf is in it, and that it grew from a smaller one.
//!
//! Invariant: a proof is checked with nothing but the roots it is about. Absent: reading. A proof is first
//! named as ranges of leaves, and a range as perfect trees, so that whoever keeps the leaves reads a few of
//! them in one go.

use std::ops::Range;

use super::tree::{Hash, node};

/// The ranges of leaves whose roots prove that leaf `index` is in a tree of `size`, the nearest first
/// (RFC 6962, 2.1.1). Nothing unless `index < size`.
#[must_use]
pub fn inclusion(index: u64, size: u64) -> Vec<Range<u64>> {
    let (mut path, mut within) = (Vec::new(), 0..size);
    while index < size && within.end - within.start > 1 {
        let (left, right) = halves(&within);
        let (inside, beside) = if left.contains(&index) { (left, right) } else { (right, left) };
        path.push(beside);
        within = inside;
    }
    path.reverse();
    path
}

/// The ranges whose roots prove that a tree of `old` leaves is the beginning of one of `new` (RFC 6962,
/// 2.1.2). Nothing unless `0 < old < new`.
#[must_use]
pub fn consistency(old: u64, new: u64) -> Vec<Range<u64>> {
    let (mut path, mut within) = (Vec::new(), 0..new);
    if old == 0 || old >= new {
        return path;
    }
    while within.end != old {
        let (left, right) = halves(&within);
        let (inside, beside) = if old <= left.end { (left, right) } else { (right, left) };
        path.push(beside);
        within = inside;
    }
    // The old tree itself is known to who asks, unless it is only a part of the tree it was found in.
    if within.start != 0 {
        path.push(within);
    }
    path.reverse();
    path
}

/// A list is split at the largest power of two below its length.
fn halves(of: &Range<u64>) -> (Range<u64>, Range<u64>) {
    let length = of.end - of.start;
    let middle = of.start + (1 << (u64::BITS - 1 - (length - 1).leading_zeros()));
    (of.start..middle, middle..of.end)
}

/// The perfect trees a range of [`inclusion`] or [`consistency`] is made of, the largest first: height, and
/// place among the trees of this height. [`joined`] puts their roots together again.
#[must_use]
pub fn perfect(range: &Range<u64>) -> Vec<(u32, u64)> {
    let (mut trees, mut start) = (Vec::new(), range.start);
    while start < range.end {
        let height = u64::BITS - 1 - (range.end - start).leading_zeros();
        trees.push((height, start >> height));
        start += 1 << height;
    }
    trees
}

/// The root over perfect trees of falling size; `None` of none.
#[must_use]
pub fn joined(roots: &[Hash]) -> Option<Hash> {
    let (last, others) = roots.split_last()?;
    Some(others.iter().rev().fold(*last, |right, left| node(left, &right)))
}

/// The root of the tree of `size` in which `path` puts the leaf at `index`; `None` if the path does not fit
/// (RFC 9162, 2.1.3.2). The caller compares it with the root they trust.
#[must_use]
pub fn included(leaf: Hash, index: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    let mut climb = Climb::new(index, size)?;
    let root = path.iter().try_fold(leaf, |hash, beside| {
        let is_right = climb.step()?;
        Some(if is_right { node(beside, &hash) } else { node(&hash, beside) })
    })?;
    climb.is_done().then_some(root)
}

/// Whether the tree of `old` leaves is the beginning of the tree of `new` ones (RFC 9162, 2.1.4.2).
#[must_use]
pub fn grown(old: (u64, &Hash), new: (u64, &Hash), path: &[Hash]) -> bool {
    let ((size, root), (new_size, new_root)) = (old, new);
    if size == new_size {
        return root == new_root && path.is_empty();
    }
    if size == 0 || size > new_size {
        return false;
    }
    let whole = size.is_power_of_two();
    let Some((seed, path)) = (if whole { Some((root, path)) } else { path.split_first() }) else {
        return false;
    };
    let Some(mut climb) = Climb::new(size - 1, new_size) else { return false };
    climb.skip_rights();
    let both = path.iter().try_fold((*seed, *seed), |(older, newer), beside| {
        let is_right = climb.step()?;
        Some(if is_right {
            (node(beside, &older), node(beside, &newer))
        } else {
            (older, node(&newer, beside))
        })
    });
    climb.is_done() && both == Some((*root, *new_root))
}

/// The way from a node up to the root: its place at each height, and the last node's.
struct Climb {
    at: u64,
    last: u64,
}

impl Climb {
    fn new(index: u64, size: u64) -> Option<Self> {
        (index < size).then(|| Self { at: index, last: size - 1 })
    }

    /// Past the heights at which the node is a right child: what the old tree knows of itself.
    fn skip_rights(&mut self) {
        while self.at & 1 == 1 {
            (self.at, self.last) = (self.at >> 1, self.last >> 1);
        }
    }

    /// Up to the next node that has a sibling; whether the sibling is on the left.
    fn step(&mut self) -> Option<bool> {
        if self.last == 0 {
            return None;
        }
        let is_right = self.at & 1 == 1 || self.at == self.last;
        while is_right && self.at & 1 == 0 && self.at != 0 {
            (self.at, self.last) = (self.at >> 1, self.last >> 1);
        }
        (self.at, self.last) = (self.at >> 1, self.last >> 1);
        Some(is_right)
    }

    fn is_done(&self) -> bool {
        self.last == 0
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::seal::tree::{leaf, root};
    use proptest::prelude::*;

    fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|no| leaf(&no.to_be_bytes())).collect()
    }

    fn part(range: &Range<u64>) -> Range<usize> {
        range.start as usize..range.end as usize
    }

    fn hashes(leaves: &[Hash], ranges: &[Range<u64>]) -> Vec<Hash> {
        ranges.iter().map(|range| root(&leaves[part(range)])).collect()
    }

    #[test]
    fn every_leaf_of_every_small_tree() {
        let leaves = leaves(70);
        for size in 1..=70u64 {
            let whole = root(&leaves[..size as usize]);
            for index in 0..size {
                let path = hashes(&leaves, &inclusion(index, size));
                assert_eq!(included(leaves[index as usize], index, size, &path), Some(whole));
            }
        }
        assert_eq!(inclusion(5, 5), []);
        assert_eq!(included(leaves[0], 5, 5, &[]), None);
    }

    #[test]
    fn every_growth_of_every_small_tree() {
        let leaves = leaves(70);
        for new in 1..=70u64 {
            for old in 1..=new {
                let path = hashes(&leaves, &consistency(old, new));
                let (before, after) = (root(&leaves[..old as usize]), root(&leaves[..new as usize]));
                assert!(grown((old, &before), (new, &after), &path), "{old} {new}");
            }
        }
    }

    /// The example of RFC 6962, 2.1.3: seven leaves; paths of d0, d3, d4, d6; growth from 3, 4 and 6.
    #[test]
    fn the_example_of_the_standard() {
        assert_eq!(inclusion(0, 7), [1..2, 2..4, 4..7]);
        assert_eq!(inclusion(3, 7), [2..3, 0..2, 4..7]);
        assert_eq!(inclusion(4, 7), [5..6, 6..7, 0..4]);
        assert_eq!(inclusion(6, 7), [4..6, 0..4]);
        assert_eq!(consistency(3, 7), [2..3, 3..4, 0..2, 4..7]);
        assert_eq!(consistency(4, 7), vec![Range { start: 4, end: 7 }]);
        assert_eq!(consistency(6, 7), [4..6, 6..7, 0..4]);
    }

    proptest! {
        #[test]
        fn a_wrong_path_leads_elsewhere(size in 2u64..200, seed: u64, bit in 0usize..256, which: usize) {
            let (leaves, index) = (leaves(size), seed % size);
            let whole = root(&leaves);
            let mut path = hashes(&leaves, &inclusion(index, size));
            let at = which % path.len();
            path[at][bit / 8] ^= 1 << (bit % 8);
            prop_assert_ne!(included(leaves[index as usize], index, size, &path), Some(whole));
            path[at][bit / 8] ^= 1 << (bit % 8);
            let other = (index + 1) % size;
            prop_assert_ne!(included(leaves[index as usize], other, size, &path), Some(whole));
            prop_assert_ne!(included(leaves[other as usize], index, size, &path), Some(whole));
            let more: Vec<Hash> = path.iter().copied().chain([whole]).collect();
            prop_assert_eq!(included(leaves[index as usize], index, size, &more), None);
            prop_assert_eq!(included(leaves[index as usize], index, size, &path[1..]), None);
        }

        #[test]
        fn a_changed_past_did_not_grow(new in 2u64..200, seed: u64, at: u64) {
            let (mut leaves, old) = (leaves(new), 1 + seed % (new - 1));
            let before = root(&leaves[..old as usize]);
            leaves[(at % old) as usize][0] ^= 1;
            let (after, path) = (root(&leaves), hashes(&leaves, &consistency(old, new)));
            prop_assert!(!grown((old, &before), (new, &after), &path));
        }

        #[test]
        fn ranges_are_made_of_perfect_trees(new in 2u64..3000, seed: u64) {
            let (leaves, index) = (leaves(new), seed % new);
            for range in inclusion(index, new).iter().chain(&consistency(index, new)) {
                let trees = perfect(range);
                let tree = |&(height, at): &(u32, u64)| {
                    root(&leaves[part(&(at << height..(at + 1) << height))])
                };
                let roots: Vec<Hash> = trees.iter().map(tree).collect();
                prop_assert_eq!(joined(&roots), Some(root(&leaves[part(range)])));
            }
        }
    }
}
