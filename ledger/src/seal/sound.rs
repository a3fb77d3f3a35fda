//! Is the log sound? Every checkpoint and every kept tree is computed again from the batches' roots.
//!
//! Invariant: it only reads, and keeps no more than a page. Absent: the batches themselves; the audit's other
//! questions compute their roots.

use sqlx::PgConnection;

use super::log::{PAGE, STEP};
use super::tree::{Edge, Hash};
use crate::chart::BookId;
use crate::store::sound::Found;
use crate::store::{Fault, seal as store};

/// Every checkpoint's root and edge, and every kept tree, is what the batches give.
pub(crate) async fn checkpoints_stand(conn: &mut PgConnection) -> Result<Found, Fault> {
    let mut found = Found { seen: 0, culprit: None };
    for (number, book) in store::books(conn).await? {
        let Some(newest) = store::newest(conn, number, i64::MAX.unsigned_abs()).await? else { continue };
        let (mut edge, mut trees) = (Edge::new(), vec![Edge::new(); (u64::BITS / STEP) as usize]);
        while edge.size() < newest.edge.size() && found.culprit.is_none() {
            let (from, to) = (edge.size(), newest.edge.size().min(edge.size() + PAGE));
            let mut kept = store::checkpoints(conn, number, from + 1..=to).await?.into_iter().peekable();
            let mut grown: Vec<(u32, Hash)> = Vec::new();
            for leaf in store::leaves(conn, number, from, to).await? {
                edge.push(leaf);
                push(&mut trees, leaf, &mut grown);
                if let Some(kept) = kept.next_if(|kept| kept.edge.size() == edge.size()) {
                    found.seen += 1;
                    if kept.edge != edge || kept.root != edge.root() {
                        found.culprit = Some(format!("checkpoint {} of {book}", edge.size()));
                    }
                }
            }
            let range = from..to;
            found.culprit = match found.culprit {
                None => strange_tree(conn, (number, &book), range, &grown).await?,
                culprit => culprit,
            };
        }
    }
    Ok(found)
}

/// Appends a leaf to the trees of every height, each one of 256 of those below.
fn push(trees: &mut [Edge], leaf: Hash, grown: &mut Vec<(u32, Hash)>) {
    let (mut hash, mut height) = (leaf, 0);
    for tree in trees {
        tree.push(hash);
        height += STEP;
        if tree.size() < 1 << STEP {
            return;
        }
        hash = tree.root();
        *tree = Edge::new();
        grown.push((height, hash));
    }
}

/// The first kept tree that is not what its leaves give.
async fn strange_tree(
    conn: &mut PgConnection,
    (number, book): (i32, &BookId),
    batches: std::ops::Range<u64>,
    grown: &[(u32, Hash)],
) -> Result<Option<String>, Fault> {
    for height in (STEP..u64::BITS).step_by(STEP as usize) {
        let (from, to) = (batches.start >> height, batches.end >> height);
        let computed = grown.iter().filter(|(at, _)| *at == height).map(|(_, root)| *root);
        let kept = store::subtrees(conn, number, height, from, to).await;
        match kept {
            Ok(kept) if kept.iter().copied().eq(computed) => {}
            Ok(_) | Err(Fault::Unreadable(_)) => {
                return Ok(Some(format!("trees {from} to {to} of height {height} of {book}")));
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(None)
}
