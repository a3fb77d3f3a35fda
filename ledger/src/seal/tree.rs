//! The Merkle tree of RFC 6962 (section 2.1): the hash of a leaf, of a node, and the root of a list.
//!
//! Invariant: a leaf is hashed after a 0 byte and a node after a 1 byte, so that no leaf can be passed for a
//! node. A list is split at the largest power of two below its length; no leaf is ever doubled.
//! Absent: proofs. They are in `proof.rs`, over the same hashes.

use aws_lc_rs::digest;

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// The hash of a leaf: SHA-256(0 ‖ bytes).
#[must_use]
pub fn leaf(bytes: &[u8]) -> Hash {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&[0]);
    context.update(bytes);
    taken(&context.finish())
}

/// The hash of a node: SHA-256(1 ‖ left ‖ right).
#[must_use]
pub fn node(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [1u8; 65];
    bytes[1..33].copy_from_slice(left);
    bytes[33..].copy_from_slice(right);
    taken(&digest::digest(&digest::SHA256, &bytes))
}

/// The root of a list of leaf hashes; of no leaves it is SHA-256 of nothing.
#[must_use]
pub fn root(leaves: &[Hash]) -> Hash {
    let mut edge = Edge::new();
    leaves.iter().for_each(|leaf| edge.push(*leaf));
    edge.root()
}

fn taken(digest: &digest::Digest) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest.as_ref());
    hash
}

/// The right edge of a growing tree: the roots of the perfect trees of which its list is made, the largest
/// first. It is all that is needed to append and to give the root: 64 hashes for 2⁶⁴ leaves.
#[derive(Clone, Debug)]
pub struct Edge {
    size: u64,
    /// One a set bit of `size`; what lies behind them is left over from merging.
    peaks: [Hash; 64],
}

impl PartialEq for Edge {
    fn eq(&self, other: &Self) -> bool {
        self.size == other.size && self.peaks() == other.peaks()
    }
}

impl Eq for Edge {}

impl Default for Edge {
    fn default() -> Self {
        Self::new()
    }
}

impl Edge {
    /// The edge of an empty tree.
    #[must_use]
    pub const fn new() -> Self {
        Self { size: 0, peaks: [[0; 32]; 64] }
    }

    /// The edge of a tree of `size`, if it has as many perfect trees.
    #[must_use]
    pub fn of(size: u64, peaks: &[Hash]) -> Option<Self> {
        let mut edge = Self { size, ..Self::new() };
        let is_whole = peaks.len() == size.count_ones() as usize;
        is_whole.then(|| {
            edge.peaks[..peaks.len()].copy_from_slice(peaks);
            edge
        })
    }

    /// How many leaves the tree has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends the hash of a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let (mut hash, mut top) = (leaf, self.size.count_ones() as usize);
        for _ in 0..self.size.trailing_ones() {
            top -= 1;
            hash = node(&self.peaks[top], &hash);
        }
        self.peaks[top] = hash;
        self.size += 1;
    }

    /// The root of all leaves appended so far.
    #[must_use]
    pub fn root(&self) -> Hash {
        let Some((last, others)) = self.peaks().split_last() else {
            return taken(&digest::digest(&digest::SHA256, &[]));
        };
        others.iter().rev().fold(*last, |right, left| node(left, &right))
    }

    /// The roots of the perfect trees, the largest first.
    #[must_use]
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks[..self.size.count_ones() as usize]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The leaves and roots published with RFC 6962's reference implementation.
    const PUBLISHED: [(&str, &str); 8] = [
        ("", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
        ("00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
        ("10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
        ("2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
        ("3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
        ("40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"),
        ("5051525354555657", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
        (
            "606162636465666768696a6b6c6d6e6f",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ),
    ];

    /// The definition of RFC 6962, word by word.
    fn defined(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => crate::id::sha256(&[]),
            [one] => *one,
            more => {
                let (left, right) = more.split_at(more.len().next_power_of_two() / 2);
                node(&defined(left), &defined(right))
            }
        }
    }

    #[test]
    fn the_published_roots() {
        let mut leaves = Vec::new();
        for (bytes, published) in PUBLISHED {
            leaves.push(leaf(&hex::decode(bytes).unwrap()));
            assert_eq!(hex::encode(root(&leaves)), published);
        }
        let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(hex::encode(root(&[])), nothing);
    }

    #[test]
    fn any_length_is_as_defined() {
        let leaves: Vec<Hash> = (0..300u32).map(|no| leaf(&no.to_be_bytes())).collect();
        for size in 0..=leaves.len() {
            assert_eq!(root(&leaves[..size]), defined(&leaves[..size]), "{size}");
        }
    }
}
