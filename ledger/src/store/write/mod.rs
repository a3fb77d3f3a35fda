//! Appending: a book, and a batch. A batch's regular rows go in one statement when they are few, and by
//! `COPY` when they are many: `COPY` costs half as much a row and some round trips more. Holds, reversals and
//! what else is rare follow in one statement each, if there are any.
//!
//! Invariant: the batch's own row comes first, its postings in one statement, its chunks in one: the checks
//! of the schema look at the rows of one statement together. Absent: decisions. A draft is what was executed.

mod copy;
mod rare;
pub(super) mod rows;
mod sketch;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::Fault;
use super::limits::RuleRow;
use copy::Rows;
use rare::Rare;
use rows::{Chunks, Legs, number, small};
use sketch::sketch;

use crate::batch::{Batch, Seal, Slot};
use crate::chart::BookId;

/// From so many postings on a batch is written by `COPY`. It takes six round trips where a statement takes
/// one, and on a quiet machine each of them costs two wake-ups.
const MANY: i64 = 200;

/// Opens a book if it is not open.
pub(crate) async fn book(conn: &mut PgConnection, book: &BookId, now: DateTime<Utc>) -> Result<(), Fault> {
    sqlx::query!(
        "insert into ledger.book (name, asset, opened_at) values ($1, $2, $3) on conflict do nothing",
        book.as_str(),
        book.asset().code(),
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A batch in rows, apart from the accounts in memory it came from: those may go on while it is written.
pub(crate) struct Draft {
    no: i64,
    book: i32,
    first_posting: i64,
    postings: i32,
    transfers: i32,
    chunks: i32,
    holds: i32,
    accounts: i64,
    sketch: i64,
    recorded_at: DateTime<Utc>,
    prev: [u8; 32],
    seal: Seal,
    opened: (Vec<i32>, Vec<String>, Vec<&'static str>),
    regular: Regular,
    rule: Option<RuleRow>,
    rare: Rare,
}

/// The rows every batch has: few as columns of one statement, many as `COPY` takes them.
enum Regular {
    Few(Box<(Legs, Chunks)>),
    Many { postings: Rows, chunks: Rows },
}

impl Draft {
    pub(crate) fn of(batch: &Batch, seal: Seal) -> Result<Self, Fault> {
        let opened: Vec<&Slot> = batch
            .slots
            .iter()
            .filter(|slot| slot.number.is_some_and(|no| no > batch.head.accounts))
            .collect();
        // A limit is written before the chunk that bears it, which one statement could not do; and new
        // accounts are rare enough to keep the statement without them.
        let regular = if batch.postings() < MANY && batch.rule.is_none() && opened.is_empty() {
            Regular::Few(Box::new((Legs::of(batch)?, Chunks::of(batch)?)))
        } else {
            Regular::Many { postings: rows::postings(batch)?, chunks: rows::chunks(batch)? }
        };
        Ok(Self {
            no: batch.no(),
            book: batch.head.book,
            first_posting: batch.head.next_posting,
            postings: small(batch.postings())?,
            transfers: small(batch.rows.len() as i64)?,
            chunks: small(rows::touched(batch).count() as i64)?,
            holds: small(batch.rows.iter().filter(|row| row.hold.is_some()).count() as i64)?,
            accounts: batch.accounts(),
            sketch: sketch(batch),
            recorded_at: batch.recorded_at,
            prev: batch.head.root,
            seal,
            opened: (
                opened.iter().map(|slot| number(slot)).collect::<Result<_, _>>()?,
                opened.iter().map(|slot| slot.account.path()).collect(),
                opened.iter().map(|slot| slot.account.kind().word()).collect(),
            ),
            regular,
            rule: RuleRow::of(batch)?,
            rare: Rare::of(batch)?,
        })
    }

    /// Whether one statement writes all of it.
    pub(crate) fn is_one_statement(&self) -> bool {
        matches!(self.regular, Regular::Few(_)) && self.rare.is_empty()
    }

    /// Writes all of it.
    pub(crate) async fn write(&mut self, conn: &mut PgConnection) -> Result<(), Fault> {
        self.begin(conn).await?;
        self.end(conn).await
    }

    /// Writes what does not look at the batch before it, if that is much: so it may go on while that one is
    /// not committed.
    pub(crate) async fn begin(&mut self, conn: &mut PgConnection) -> Result<(), Fault> {
        if let Regular::Many { postings, .. } = &mut self.regular {
            let postings = postings.take();
            self.head(conn).await?;
            match &self.rule {
                Some(rule) => rule.write(conn, self.book, self.no).await?,
                None => postings.send(conn, rows::COPY_POSTINGS).await?,
            }
        }
        Ok(())
    }

    /// Writes the rest. The accounts a batch opens are among it: their numbers follow those of the batch
    /// before.
    pub(crate) async fn end(&mut self, conn: &mut PgConnection) -> Result<(), Fault> {
        if matches!(self.regular, Regular::Many { .. }) {
            self.accounts(conn).await?;
        }
        match &mut self.regular {
            Regular::Many { chunks, .. } if self.chunks > 0 => {
                chunks.take().send(conn, rows::COPY_CHUNKS).await?;
            }
            Regular::Many { .. } => {}
            Regular::Few(_) => self.few(conn).await?,
        }
        self.rare.write(conn, self.book, self.no, self.recorded_at).await
    }

    async fn head(&self, conn: &mut PgConnection) -> Result<(), Fault> {
        sqlx::query!(
            "insert into ledger.batch (book, no, first_posting, postings, transfers, chunks, holds, accounts,
                sketch, recorded_at, block, prev, root)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            self.book,
            self.no,
            self.first_posting,
            self.postings,
            self.transfers,
            self.chunks,
            self.holds,
            self.accounts,
            self.sketch,
            self.recorded_at,
            self.seal.block.as_slice(),
            self.prev.as_slice(),
            self.seal.root.as_slice()
        )
        .execute(conn)
        .await?;
        Ok(())
    }

    async fn accounts(&self, conn: &mut PgConnection) -> Result<(), Fault> {
        let (numbers, paths, kinds) = &self.opened;
        if numbers.is_empty() {
            return Ok(());
        }
        sqlx::query!(
            "insert into ledger.account (book, account, path, kind, batch)
             select $1, account, path, kind, $2
             from unnest((select $3::int[]), (select $4::text[]), (select $5::text[]))
                as a (account, path, kind)",
            self.book,
            self.no,
            numbers,
            paths,
            kinds as _
        )
        .execute(conn)
        .await?;
        Ok(())
    }

    /// All regular rows of a batch of few, in one statement.
    async fn few(&self, conn: &mut PgConnection) -> Result<(), Fault> {
        let Regular::Few(few) = &self.regular else { return Ok(()) };
        let (legs, chunks) = few.as_ref();
        if let ([debit], [credit], [_, _]) = (&legs.debit[..], &legs.credit[..], &chunks.account[..]) {
            let debited = usize::from(chunks.account[0] != *debit);
            return self.one(conn, (legs, *debit, *credit), (chunks, debited, 1 - debited)).await;
        }
        sqlx::query_file!(
            "src/store/write/batch.sql",
            self.book,
            self.no,
            self.first_posting,
            self.postings,
            self.transfers,
            self.chunks,
            self.holds,
            self.accounts,
            self.sketch,
            self.recorded_at,
            self.seal.block.as_slice(),
            self.prev.as_slice(),
            self.seal.root.as_slice(),
            &legs.no,
            &legs.amount,
            &legs.effective_at as _,
            &legs.transfer,
            &legs.debit,
            &legs.credit,
            &legs.event,
            &legs.leg,
            &legs.phase as _,
            &legs.fingerprint as _,
            &legs.key as _,
            &chunks.account,
            &chunks.prev,
            &chunks.debits_posted,
            &chunks.credits_posted,
            &chunks.debits_pending,
            &chunks.credits_pending,
            &chunks.lowest,
            &chunks.floor as _,
            &chunks.limits,
            &chunks.side as _,
            &chunks.low,
            &chunks.high,
            &chunks.nos,
        )
        .execute(conn)
        .await?;
        Ok(())
    }

    /// A batch of one posting. `d` and `c` are the places of the chunks of its debited and credited account.
    async fn one(
        &self,
        conn: &mut PgConnection,
        (legs, debit, credit): (&Legs, i32, i32),
        (chunks, d, c): (&Chunks, usize, usize),
    ) -> Result<(), Fault> {
        sqlx::query_file!(
            "src/store/write/one.sql",
            self.book,
            self.no,
            self.first_posting,
            self.holds,
            self.accounts,
            self.sketch,
            self.recorded_at,
            self.seal.block.as_slice(),
            self.prev.as_slice(),
            self.seal.root.as_slice(),
            legs.amount[0],
            legs.effective_at[0],
            legs.transfer[0],
            debit,
            credit,
            legs.event[0],
            legs.phase[0] as _,
            legs.fingerprint[0],
            legs.key[0],
            chunks.prev[d],
            chunks.debits_posted[d],
            chunks.credits_posted[d],
            chunks.debits_pending[d],
            chunks.credits_pending[d],
            chunks.lowest[d],
            chunks.floor[d],
            chunks.limits[d],
            chunks.side[d] as _,
            chunks.prev[c],
            chunks.debits_posted[c],
            chunks.credits_posted[c],
            chunks.debits_pending[c],
            chunks.credits_pending[c],
            chunks.lowest[c],
            chunks.floor[c],
            chunks.limits[c],
            chunks.side[c] as _,
        )
        .execute(conn)
        .await?;
        Ok(())
    }
}
