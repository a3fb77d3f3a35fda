//! What stands in the journal as lines of a bundle.
//!
//! Invariant: the hash beside a line is made by the writer's code, and checked by the reader's.

use sqlx::PgConnection;

use crate::balance::Written;
use crate::chart::BookId;
use crate::limit::Limit;
use crate::store::limits::Said;
use crate::store::{Fault, limits};
use crate::transfer::{Posting, Words};
use crate::verify::line::{Closed, Hex, Limited, Line, Moved};

/// A transfer as a line.
pub(super) fn moved(book: &BookId, written: &Written, words: &mut Words) -> Moved {
    let leg = |(_, phase, posting): &(i64, &'static str, Posting)| {
        let letter = phase.chars().next().unwrap_or(' ');
        (letter, posting.debit.path(), posting.credit.path(), posting.money.minor())
    };
    let hold = written.held.as_ref().zip(written.hold);
    Moved {
        no: written.postings.first().map_or(0, |(no, ..)| no.unsigned_abs()),
        id: written.id.0,
        event: written.event.word().to_owned(),
        key: if written.keyed { written.key.as_str().to_owned() } else { String::new() },
        fingerprint: Hex(written.fingerprint),
        effective_at: (written.effective_at != written.recorded_at).then_some(written.effective_at),
        legs: written.postings.iter().map(leg).collect(),
        hold: hold.map(|((verb, expires_at), hold)| (verb.clone(), hold.0, *expires_at)),
        reverses: written.reverses.map(|of| of.0),
        external: written
            .external
            .as_ref()
            .map(|fact| [fact.provider.clone(), fact.account.clone(), fact.id.clone()]),
        link: written.link.map(|first| first.0),
        metadata: written.metadata.clone(),
        leaf: Hex(written.leaf(book, words)),
    }
}

/// The one leaf of a batch without postings.
pub(super) async fn rule(conn: &mut PgConnection, book: &BookId, batch: u64) -> Result<Line, Fault> {
    let batch = i64::try_from(batch).map_err(|_| Fault::Unreadable("a batch's number is too large"))?;
    let said = limits::said(conn, book, batch).await?;
    let said = said.ok_or(Fault::Unreadable("a batch has no contents"))?;
    let leaf = Hex(said.leaf(book));
    Ok(match said {
        Said::Limit(path, Limit { floor, velocity }) => {
            let each = velocity.into_iter().map(|one| {
                (one.measure.word().to_owned(), one.side, one.period.word().to_owned(), one.amount.minor())
            });
            Line::Limit(Limited { path, floor, velocity: each.collect(), leaf })
        }
        Said::Close(closed_before) => Line::Close(Closed { closed_before, leaf }),
    })
}
