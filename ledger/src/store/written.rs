//! Transfers as they stand in the journal, with all that was sealed with them: by id, and page by page.
//!
//! Absent: anything about accounts. What stands on them is `look.rs`'s.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Fault;
use super::look::{event, phase};
use crate::batch::Sealed;
use crate::chart::{Account, BookId};
use crate::id::{ExternalRef, IdempotencyKey, TransferId};
use crate::money::Money;
use crate::transfer::{Event, Posting, Words};

/// A transfer as it stands in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its id.
    pub id: TransferId,
    /// The business event.
    pub event: Event,
    /// The idempotency key it landed under: one given to it, or its id.
    pub key: IdempotencyKey,
    /// Whether the key was given to it.
    pub keyed: bool,
    /// What was asked, hashed: the first half of SHA-256.
    pub fingerprint: [u8; 16],
    /// The batch it landed in.
    pub batch: i64,
    /// When it happened in the world.
    pub effective_at: DateTime<Utc>,
    /// When the book heard of it.
    pub recorded_at: DateTime<Utc>,
    /// Its postings with their numbers and phases ("post", "hold", "settle", "void").
    pub postings: Vec<(i64, &'static str, Posting)>,
    /// The hold it opened or moved.
    pub hold: Option<TransferId>,
    /// What it did to the hold ("held", "settled", "voided", "expired"), and when the hold's time is over.
    pub held: Option<(String, Option<DateTime<Utc>>)>,
    /// What it reverses.
    pub reverses: Option<TransferId>,
    /// What reversed it.
    pub reversed_by: Option<TransferId>,
    /// The external fact it counted.
    pub external: Option<ExternalRef>,
    /// The first of the transfers it was posted linked with.
    pub link: Option<TransferId>,
    /// What was said about it, in order of name.
    pub metadata: Vec<(String, String)>,
}

impl Written {
    /// The hash of the entry in its batch's block; `words` is room that is used again.
    pub(crate) fn leaf(&self, book: &BookId, words: &mut Words) -> [u8; 32] {
        let paths: Vec<[String; 2]> =
            self.postings.iter().map(|(.., posting)| [posting.debit.path(), posting.credit.path()]).collect();
        let legs = self.postings.iter().zip(&paths).map(|((_, phase, posting), [debit, credit])| {
            // The words of the four phases begin with their letters.
            (phase.as_bytes()[0], debit.as_str(), credit.as_str(), posting.money.minor())
        });
        let legs: Vec<_> = legs.collect();
        let hold = self.held.as_ref().zip(self.hold);
        Sealed {
            book: book.as_str(),
            first_posting: self.postings.first().map_or(0, |(no, ..)| *no),
            id: self.id.0,
            event: self.event.word(),
            key: if self.keyed { self.key.as_str() } else { "" },
            fingerprint: &self.fingerprint,
            effective_at: (self.effective_at != self.recorded_at).then_some(self.effective_at),
            legs: &legs,
            hold: hold.map(|((verb, expires_at), hold)| (verb.as_str(), hold.0, *expires_at)),
            reverses: self.reverses.map(|of| of.0),
            external: self.external.as_ref(),
            link: self.link.map(|first| first.0),
            metadata: &self.metadata,
        }
        .leaf(words)
    }
}

/// One posting with all that is said of its transfer.
struct Row {
    id: Uuid,
    event: i16,
    key: Option<IdempotencyKey>,
    fingerprint: Option<Uuid>,
    batch: i64,
    effective_at: Option<DateTime<Utc>>,
    recorded_at: DateTime<Utc>,
    hold: Option<Uuid>,
    verb: Option<String>,
    expires_at: Option<DateTime<Utc>>,
    reverses: Option<Uuid>,
    reversed_by: Option<Uuid>,
    provider: Option<String>,
    external_account: Option<String>,
    external: Option<String>,
    link: Option<Uuid>,
    names: Vec<String>,
    values: Vec<String>,
    no: i64,
    phase: i8,
    amount: i64,
    debit: Account,
    credit: Account,
}

/// Transfers of a book by id, in order of their postings; those that are not there are left out.
pub(crate) async fn of_ids(
    conn: &mut PgConnection,
    book: &BookId,
    ids: &[Uuid],
) -> Result<Vec<Written>, Fault> {
    let rows =
        sqlx::query_file_as!(Row, "src/store/written/of_ids.sql", book.as_str(), ids).fetch_all(conn).await?;
    folded(book, rows)
}

/// The transfers whose first postings have the numbers after `after`, up to `postings` of them looked at; the
/// last one is whole. Empty at the journal's end only.
pub(crate) async fn page(
    conn: &mut PgConnection,
    book: &BookId,
    after: i64,
    postings: i64,
) -> Result<Vec<Written>, Fault> {
    let rows =
        sqlx::query_file_as!(Row, "src/store/written/page.sql", book.as_str(), after, after + postings)
            .fetch_all(conn)
            .await?;
    folded(book, rows)
}

fn folded(book: &BookId, rows: Vec<Row>) -> Result<Vec<Written>, Fault> {
    let mut written: Vec<Written> = Vec::new();
    for row in rows {
        let money = Money::new(book.asset(), row.amount)
            .map_err(|_| Fault::Unreadable("a posting's amount is not positive"))?;
        let posting = Posting { debit: row.debit.clone(), credit: row.credit.clone(), money };
        let posting = (row.no, phase(row.phase)?.word(), posting);
        match written.last_mut().filter(|last| last.id.0 == row.id) {
            Some(last) => last.postings.push(posting),
            None => written.push(first(row, posting)?),
        }
    }
    Ok(written)
}

fn first(row: Row, posting: (i64, &'static str, Posting)) -> Result<Written, Fault> {
    let id = TransferId(row.id);
    let external = match (row.provider, row.external_account, row.external) {
        (Some(provider), Some(account), Some(id)) => Some(ExternalRef { provider, account, id }),
        _ => None,
    };
    let fingerprint = row.fingerprint.ok_or(Fault::Unreadable("a transfer has no first posting"))?;
    Ok(Written {
        id,
        event: event(row.event)?,
        keyed: row.key.is_some(),
        key: row.key.unwrap_or_else(|| IdempotencyKey::of(id)),
        fingerprint: *fingerprint.as_bytes(),
        batch: row.batch,
        effective_at: row.effective_at.unwrap_or(row.recorded_at),
        recorded_at: row.recorded_at,
        postings: vec![posting],
        hold: row.hold.map(TransferId),
        held: row.verb.map(|verb| (verb, row.expires_at)),
        reverses: row.reverses.map(TransferId),
        reversed_by: row.reversed_by.map(TransferId),
        external,
        link: row.link.map(TransferId),
        metadata: row.names.into_iter().zip(row.values).collect(),
    })
}
