//! The log of a book in rows: checkpoints, the middle of its tree, anchors, what was owed.
//!
//! Invariant: only what is committed in order is read: the roots of batches up to a number never change.

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::Fault;
use super::read::hash;
use crate::chart::{Account, BookId};
use crate::seal::liability::Sum;
use crate::seal::tree::{Edge, Hash};
use crate::verify::line::{Anchor, Heading, Hex, Standing};

/// A checkpoint as it stands.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) edge: Edge,
    pub(crate) root: Hash,
    pub(crate) note: String,
    pub(crate) at: DateTime<Utc>,
}

/// A book as the sealing needs it: its number, how many batches it has, and when it was closed last, if no
/// checkpoint covers that.
pub(crate) struct Length {
    pub(crate) book: i32,
    pub(crate) size: u64,
    pub(crate) closed: bool,
}

fn big(number: u64) -> Result<i64, Fault> {
    i64::try_from(number).map_err(|_| Fault::Unreadable("a number is larger than the database counts"))
}

fn small(number: i64) -> Result<u64, Fault> {
    u64::try_from(number).map_err(|_| Fault::Unreadable("a number is negative"))
}

/// Waits until nobody else seals the book. The first number says whose lock it is ("seal").
pub(crate) async fn lock(conn: &mut PgConnection, book: &BookId) -> Result<(), Fault> {
    sqlx::query!(
        "select pg_advisory_xact_lock(1936023916, book) from ledger.book where name = $1",
        book.as_str()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How long a book's log is; `None` for a book that was never opened.
pub(crate) async fn length(conn: &mut PgConnection, book: &BookId) -> Result<Option<Length>, Fault> {
    let row = sqlx::query!(
        r#"
        select k.book, coalesce(b.no, 0) as "size!", coalesce(c.batch, 0) > coalesce(p.size, 0) as "closed!"
        from ledger.book k
        left join lateral (select no from ledger.batch where book = k.book order by no desc limit 1) b on true
        left join lateral (
            select batch from ledger.close where book = k.book order by batch desc limit 1
        ) c on true
        left join lateral (
            select size from ledger.checkpoint where book = k.book order by size desc limit 1
        ) p on true
        where k.name = $1
        "#,
        book.as_str()
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| Ok(Length { book: row.book, size: small(row.size)?, closed: row.closed })).transpose()
}

/// A checkpoint's columns.
struct KeptRow {
    size: i64,
    root: Vec<u8>,
    edge: Vec<u8>,
    note: String,
    at: DateTime<Utc>,
}

impl TryFrom<KeptRow> for Kept {
    type Error = Fault;

    fn try_from(row: KeptRow) -> Result<Self, Fault> {
        let peaks: Vec<Hash> = row.edge.chunks(32).map(hash).collect::<Result<_, _>>()?;
        let edge = Edge::of(small(row.size)?, &peaks).ok_or(Fault::Unreadable("a checkpoint's edge"))?;
        Ok(Self { edge, root: hash(&row.root)?, note: row.note, at: row.at })
    }
}

/// The newest checkpoint of at most a size.
pub(crate) async fn newest(conn: &mut PgConnection, book: i32, size: u64) -> Result<Option<Kept>, Fault> {
    let row = sqlx::query_as!(
        KeptRow,
        "select size, root, edge, note, at from ledger.checkpoint where book = $1 and size <= $2
         order by size desc limit 1",
        book,
        big(size)?
    )
    .fetch_optional(conn)
    .await?;
    row.map(Kept::try_from).transpose()
}

/// The checkpoints within a range of sizes, in order.
pub(crate) async fn checkpoints(
    conn: &mut PgConnection,
    book: i32,
    sizes: RangeInclusive<u64>,
) -> Result<Vec<Kept>, Fault> {
    let rows = sqlx::query_as!(
        KeptRow,
        "select size, root, edge, note, at from ledger.checkpoint
         where book = $1 and size between $2 and $3 order by size",
        book,
        big(*sizes.start())?,
        big(*sizes.end())?
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Kept::try_from).collect()
}

/// Every book, by its number and name.
pub(crate) async fn books(conn: &mut PgConnection) -> Result<Vec<(i32, BookId)>, Fault> {
    let rows = sqlx::query!(r#"select book, name as "name: BookId" from ledger.book order by book"#)
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().map(|row| (row.book, row.name)).collect())
}

/// Writes a checkpoint down.
pub(crate) async fn keep(conn: &mut PgConnection, book: i32, kept: &Kept) -> Result<(), Fault> {
    sqlx::query!(
        "insert into ledger.checkpoint (book, size, root, edge, note, at) values ($1, $2, $3, $4, $5, $6)",
        book,
        big(kept.edge.size())?,
        &kept.root[..],
        kept.edge.peaks().concat(),
        kept.note,
        kept.at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The roots of batches: leaves `from` up to, not including, `to` of the log, which are the batches with one
/// number more.
pub(crate) async fn leaves(
    conn: &mut PgConnection,
    book: i32,
    from: u64,
    to: u64,
) -> Result<Vec<Hash>, Fault> {
    let rows = sqlx::query_scalar!(
        "select root from ledger.batch where book = $1 and no > $2 and no <= $3 order by no",
        book,
        big(from)?,
        big(to)?
    )
    .fetch_all(conn)
    .await?;
    whole(rows, from, to)
}

/// The roots of perfect trees of a height, `from` up to, not including, `to`.
pub(crate) async fn subtrees(
    conn: &mut PgConnection,
    book: i32,
    height: u32,
    from: u64,
    to: u64,
) -> Result<Vec<Hash>, Fault> {
    let rows = sqlx::query_scalar!(
        "select root from ledger.subtree where book = $1 and height = $2 and place >= $3 and place < $4
         order by place",
        book,
        height as i16,
        big(from)?,
        big(to)?
    )
    .fetch_all(conn)
    .await?;
    whole(rows, from, to)
}

fn whole(rows: Vec<Vec<u8>>, from: u64, to: u64) -> Result<Vec<Hash>, Fault> {
    if rows.len() as u64 != to - from {
        return Err(Fault::Unreadable("the log has a gap"));
    }
    rows.iter().map(|root| hash(root)).collect()
}

/// Writes the roots of perfect trees of a height down, from a place on.
pub(crate) async fn grow(
    conn: &mut PgConnection,
    book: i32,
    height: u32,
    from: u64,
    roots: &[Hash],
) -> Result<(), Fault> {
    let roots: Vec<Vec<u8>> = roots.iter().map(|root| root.to_vec()).collect();
    sqlx::query!(
        "insert into ledger.subtree (book, height, place, root)
         select $1, $2, $3 + place - 1, root from unnest($4::bytea[]) with ordinality as u (root, place)",
        book,
        height as i16,
        big(from)?,
        &roots
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The newest checkpoint, unless it or a newer one is anchored.
pub(crate) async fn unanchored(conn: &mut PgConnection, book: &BookId) -> Result<Option<(u64, Hash)>, Fault> {
    let row = sqlx::query!(
        "select c.size, c.root from ledger.book k
         cross join lateral (
             select size, root from ledger.checkpoint where book = k.book order by size desc limit 1
         ) c
         where k.name = $1 and not exists (select from ledger.anchor where book = k.book and size >= c.size)",
        book.as_str()
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| Ok((small(row.size)?, hash(&row.root)?))).transpose()
}

/// Writes down where the chain keeps a checkpoint. One that is written already is done.
pub(crate) async fn anchored(conn: &mut PgConnection, book: &BookId, anchor: &Anchor) -> Result<(), Fault> {
    sqlx::query!(
        "insert into ledger.anchor (book, size, root, contract, tx_hash, ledger, at, envelope)
         select book, $2, $3, $4, $5, $6, $7, $8 from ledger.book where name = $1
         on conflict do nothing",
        book.as_str(),
        big(anchor.size)?,
        &anchor.root.0[..],
        anchor.contract,
        anchor.tx_hash,
        big(anchor.ledger)?,
        anchor.at,
        anchor.envelope
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// An anchor's columns.
struct AnchorRow {
    size: i64,
    root: Vec<u8>,
    contract: String,
    tx_hash: String,
    ledger: i64,
    at: DateTime<Utc>,
    envelope: Option<String>,
}

impl TryFrom<AnchorRow> for Anchor {
    type Error = Fault;

    fn try_from(row: AnchorRow) -> Result<Self, Fault> {
        let AnchorRow { size, root, contract, tx_hash, ledger, at, envelope } = row;
        let (size, ledger) = (small(size)?, small(ledger)?);
        Ok(Self { size, root: Hex(hash(&root)?), contract, tx_hash, ledger, at, envelope })
    }
}

/// The anchors within a range of sizes, in order.
pub(crate) async fn anchors(
    conn: &mut PgConnection,
    book: i32,
    sizes: RangeInclusive<u64>,
) -> Result<Vec<Anchor>, Fault> {
    let rows = sqlx::query_as!(
        AnchorRow,
        "select size, root, contract, tx_hash, ledger, at, envelope from ledger.anchor
         where book = $1 and size between $2 and $3 order by size",
        book,
        big(*sizes.start())?,
        big(*sizes.end())?
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Anchor::try_from).collect()
}

/// The anchors of less than a size, the newest first.
pub(crate) async fn newest_anchors(
    conn: &mut PgConnection,
    book: &BookId,
    before: Option<u64>,
    limit: i64,
) -> Result<Vec<Anchor>, Fault> {
    let rows = sqlx::query_as!(
        AnchorRow,
        "select a.size, a.root, a.contract, a.tx_hash, a.ledger, a.at, a.envelope
         from ledger.book k join ledger.anchor a on a.book = k.book
         where k.name = $1 and a.size < $2 order by a.size desc limit $3",
        book.as_str(),
        before.map_or(Ok(i64::MAX), big)?,
        limit
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Anchor::try_from).collect()
}

/// Whether the newest close of a period is in a checkpoint and in no anchor.
pub(crate) async fn is_close_unanchored(conn: &mut PgConnection, book: &BookId) -> Result<bool, Fault> {
    Ok(sqlx::query_scalar!(
        r#"select exists (
               select from ledger.book k
               cross join lateral (
                   select batch from ledger.close where book = k.book order by batch desc limit 1
               ) c
               where k.name = $1
                 and exists (select from ledger.checkpoint where book = k.book and size >= c.batch)
                 and not exists (select from ledger.anchor where book = k.book and size >= c.batch)
           ) as "is!""#,
        book.as_str()
    )
    .fetch_one(conn)
    .await?)
}

/// Batches with a number above `after` and not above `to`, and their predecessors' roots.
pub(crate) async fn batches(
    conn: &mut PgConnection,
    book: i32,
    after: u64,
    to: u64,
    limit: i64,
) -> Result<Vec<(Heading, Hash)>, Fault> {
    let rows = sqlx::query!(
        "select no, first_posting, postings, transfers, accounts, recorded_at, block, root, prev
         from ledger.batch where book = $1 and no > $2 and no <= $3 order by no limit $4",
        book,
        big(after)?,
        big(to)?,
        limit
    )
    .fetch_all(conn)
    .await?;
    let headings = rows.into_iter().map(|row| {
        let heading = Heading {
            no: small(row.no)?,
            first_posting: small(row.first_posting)?,
            postings: small(row.postings.into())?,
            transfers: small(row.transfers.into())?,
            accounts: small(row.accounts)?,
            recorded_at: row.recorded_at,
            block: Hex(hash(&row.block)?),
            root: Hex(hash(&row.root)?),
        };
        Ok((heading, hash(&row.prev)?))
    });
    headings.collect()
}

/// The end of what was closed, after a batch.
pub(crate) async fn closed_before(
    conn: &mut PgConnection,
    book: i32,
    batch: u64,
) -> Result<Option<DateTime<Utc>>, Fault> {
    let closed = sqlx::query_scalar!(
        "select closed_before from ledger.close where book = $1 and batch <= $2 order by batch desc limit 1",
        book,
        big(batch)?
    );
    Ok(closed.fetch_optional(conn).await?)
}

/// Accounts with a number above `after` as they stood after a batch, with the floor of their own that was in
/// force; the number of each.
pub(crate) async fn standing(
    conn: &mut PgConnection,
    book: i32,
    batch: u64,
    after: i32,
    limit: i64,
) -> Result<Vec<(i32, Standing)>, Fault> {
    let rows = sqlx::query!(
        r#"
        select a.account, a.path, c.debits_posted, c.credits_posted, c.debits_pending, c.credits_pending,
            l.floor as "floor?"
        from ledger.account a
        cross join lateral (
            select * from ledger.chunk where book = a.book and account = a.account and batch <= $2
            order by batch desc limit 1
        ) c
        left join lateral (
            select floor from ledger.account_limit where book = a.book and account = a.account and batch <= $2
            order by batch desc limit 1
        ) l on true
        where a.book = $1 and a.account > $3 and a.batch <= $2
        order by a.account limit $4
        "#,
        book,
        big(batch)?,
        after,
        limit
    )
    .fetch_all(conn)
    .await?;
    let standing = rows.into_iter().map(|row| {
        let totals = [row.debits_posted, row.credits_posted, row.debits_pending, row.credits_pending];
        (row.account, Standing { path: row.path, totals, floor: row.floor })
    });
    Ok(standing.collect())
}

/// What was owed to the accounts of some kinds after a batch, if anything, in order of path.
pub(crate) async fn owed(
    conn: &mut PgConnection,
    book: i32,
    batch: u64,
    kinds: &[&str],
) -> Result<Vec<(Account, i64)>, Fault> {
    let rows = sqlx::query!(
        r#"
        select a.path as "account: Account", c.credits_posted - c.debits_posted as "owed!"
        from ledger.account a
        cross join lateral (
            select * from ledger.chunk where book = a.book and account = a.account and batch <= $2
            order by batch desc limit 1
        ) c
        where a.book = $1 and a.kind = any($3::text[]) and c.credits_posted > c.debits_posted
        "#,
        book,
        big(batch)?,
        kinds as _
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.account, row.owed)).collect())
}

/// What was owed at a checkpoint, in one hash.
pub(crate) struct Owed {
    pub(crate) size: u64,
    pub(crate) root: Sum,
    pub(crate) note: String,
    pub(crate) at: DateTime<Utc>,
}

/// The newest liabilities.
pub(crate) async fn liability(conn: &mut PgConnection, book: i32) -> Result<Option<Owed>, Fault> {
    let row = sqlx::query!(
        "select size, root, total, note, at from ledger.liability where book = $1 order by size desc limit 1",
        book
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        let root = Sum { hash: hash(&row.root)?, sum: small(row.total)? };
        Ok(Owed { size: small(row.size)?, root, note: row.note, at: row.at })
    })
    .transpose()
}

/// Writes liabilities down. Those of a size that stand there already are the same.
pub(crate) async fn owe(conn: &mut PgConnection, book: i32, owed: &Owed, leaves: u64) -> Result<(), Fault> {
    sqlx::query!(
        "insert into ledger.liability (book, size, leaves, total, root, note, at)
         values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing",
        book,
        big(owed.size)?,
        big(leaves)?,
        big(owed.root.sum)?,
        &owed.root.hash[..],
        owed.note,
        owed.at
    )
    .execute(conn)
    .await?;
    Ok(())
}
