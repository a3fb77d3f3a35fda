//! What a book owes, read from its accounts: the tree at a checkpoint, and each account's place in it.
//!
//! Invariant: the tree is computed from the chunks as they stood at the checkpoint, so it is the same
//! whenever it is asked for; what was signed once is compared with it.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::liability::{self, Liabilities, Sum};
use super::note::{BadNote, Key, Signer};
use crate::chart::{Account, BookId, Class, Kind};
use crate::id::Clock;
use crate::store::Fault;
use crate::store::seal as store;
use crate::verify::line::Hex;

/// An account inside the total: everything its owner needs to check that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inside {
    /// The account.
    pub account: String,
    /// What is owed to it, minor units.
    pub balance: u64,
    /// Known to the owner alone.
    pub salt: Hex<32>,
    /// The leaf's place, from 0.
    pub index: u64,
    /// The hashes and sums beside its way up, the nearest first.
    pub path: Vec<(Hex<32>, u64)>,
    /// The signed root and total.
    pub note: String,
}

impl Inside {
    /// Checks that the balance is inside the signed total.
    ///
    /// # Errors
    /// [`BadNote`] if the note is not the key's, or the path does not lead to it.
    pub fn check(&self, book: &BookId, key: &Key) -> Result<Liabilities, BadNote> {
        let signed = Liabilities::open(book, key, &self.note)?;
        let leaf = liability::leaf(&self.salt.0, &self.account, self.balance);
        let path: Vec<Sum> = self.path.iter().map(|(hash, sum)| Sum { hash: hash.0, sum: *sum }).collect();
        let root = liability::included(leaf, self.index, signed.leaves, &path);
        if root == Some(signed.root) { Ok(signed) } else { Err(BadNote::Text) }
    }
}

/// The leaves of a book at a checkpoint, in order, each with its account.
struct Tree {
    leaves: Vec<Sum>,
    accounts: Vec<(Account, u64)>,
    root: Sum,
}

async fn tree(conn: &mut PgConnection, signer: &Signer, book: i32, size: u64) -> Result<Tree, Fault> {
    let kinds: Vec<&str> =
        Kind::ALL.into_iter().filter(|kind| kind.class() == Class::Liability).map(Kind::word).collect();
    let owed = store::owed(conn, book, size, &kinds).await?;
    let owed = owed.into_iter().filter(|(account, _)| liability::owed(account));
    let mut leaves: Vec<(Sum, Account)> = Vec::new();
    for (account, minor) in owed {
        let balance = u64::try_from(minor).map_err(|_| Fault::Unreadable("a liability is negative"))?;
        let path = account.path();
        leaves.push((liability::leaf(&signer.salt(&path), &path, balance), account));
    }
    leaves.sort_unstable();
    let (leaves, accounts): (Vec<Sum>, Vec<Account>) = leaves.into_iter().unzip();
    let root = liability::root(&leaves).ok_or(Fault::Unreadable("more is owed than can be counted"))?;
    let accounts = accounts.into_iter().zip(&leaves).map(|(account, leaf)| (account, leaf.sum)).collect();
    Ok(Tree { leaves, accounts, root })
}

/// The leaves and the signed root at a checkpoint of a size.
pub(super) async fn signed(
    conn: &mut PgConnection,
    signer: &Signer,
    book: i32,
    size: u64,
) -> Result<(Vec<Sum>, Liabilities), Fault> {
    let Tree { leaves, root, .. } = tree(conn, signer, book, size).await?;
    let count = leaves.len() as u64;
    let signed = Liabilities { book: signer.book().clone(), leaves: count, batches: size, root };
    Ok((leaves, signed))
}

/// Writes down and signs what is owed at the newest checkpoint. `None` before the first one. The caller
/// commits.
///
/// # Errors
/// [`Fault`] when the database fails.
pub async fn liabilities(
    tx: &mut PgConnection,
    clock: &dyn Clock,
    signer: &Signer,
) -> Result<Option<Liabilities>, Fault> {
    store::lock(tx, signer.book()).await?;
    let Some(length) = store::length(tx, signer.book()).await? else { return Ok(None) };
    let Some(kept) = store::newest(tx, length.book, length.size).await? else { return Ok(None) };
    let size = kept.edge.size();
    let (_, signed) = signed(tx, signer, length.book, size).await?;
    let owed = store::Owed { size, root: signed.root, note: signer.sign(&signed.text()), at: clock.now() };
    store::owe(tx, length.book, &owed, signed.leaves).await?;
    Ok(Some(signed))
}

/// Where some accounts are inside the newest signed total; those that nothing was owed to are left out.
///
/// # Errors
/// [`Fault`] when the database fails, or the accounts no longer give what was signed.
pub async fn inside(
    conn: &mut PgConnection,
    signer: &Signer,
    accounts: &[Account],
) -> Result<Vec<Inside>, Fault> {
    let Some(length) = store::length(conn, signer.book()).await? else { return Ok(Vec::new()) };
    let Some(owed) = store::liability(conn, length.book).await? else { return Ok(Vec::new()) };
    let tree = tree(conn, signer, length.book, owed.size).await?;
    if tree.root != owed.root {
        return Err(Fault::Unreadable("the liabilities are not what was signed"));
    }
    let mut found = Vec::new();
    for (index, (account, balance)) in tree.accounts.iter().enumerate() {
        if !accounts.contains(account) {
            continue;
        }
        let path = liability::path(&tree.leaves, index).ok_or(Fault::Unreadable("a liability's path"))?;
        found.push(Inside {
            account: account.path(),
            balance: *balance,
            salt: Hex(signer.salt(&account.path())),
            index: index as u64,
            path: path.into_iter().map(|sum| (Hex(sum.hash), sum.sum)).collect(),
            note: owed.note.clone(),
        });
    }
    Ok(found)
}
