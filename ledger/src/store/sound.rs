//! The questions of the audit. Each counts what it looked at and names the first culprit it finds.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::read::hash;
use super::{Fault, limits, written};
use crate::batch::{GENESIS, Heading, Seal};
use crate::chart::{Account, BookId};
use crate::transfer::Words;

/// How much was looked at, and the first that is wrong.
pub(crate) struct Found {
    pub(crate) seen: i64,
    pub(crate) culprit: Option<String>,
}

macro_rules! ask {
    ($conn:ident, $($name:literal in $file:literal,)*) => {
        vec![$({
            let row = sqlx::query_file!($file).fetch_one(&mut *$conn).await?;
            ($name, Found { seen: row.seen, culprit: row.culprit })
        }),*]
    };
}

/// The questions that one statement answers, each on its own.
pub(crate) async fn questions(conn: &mut PgConnection) -> Result<Vec<(&'static str, Found)>, Fault> {
    Ok(ask! { conn,
        "books_sum_to_zero" in "src/store/sound/books_sum_to_zero.sql",
        "chunks_fold" in "src/store/sound/chunks_fold.sql",
        "chunks_chain" in "src/store/sound/chunks_chain.sql",
        "holds_equal_pending" in "src/store/sound/holds_equal_pending.sql",
        "floors_stand" in "src/store/sound/floors_stand.sql",
        "numbers_gapless" in "src/store/sound/numbers_gapless.sql",
        "transfers_share" in "src/store/sound/transfers_share.sql",
        "reversals_mirror" in "src/store/sound/reversals_mirror.sql",
        "restated_apart" in "src/store/sound/restated_apart.sql",
        "limits_stand" in "src/store/sound/limits_stand.sql",
        "periods_stay_closed" in "src/store/sound/periods_stay_closed.sql",
    })
}

/// Every path is of the chart, and under the kind the chart gives it.
pub(crate) async fn accounts_in_chart(conn: &mut PgConnection) -> Result<Found, Fault> {
    let rows = sqlx::query!(
        "select k.name, a.path, a.kind from ledger.account a join ledger.book k on k.book = a.book"
    )
    .fetch_all(conn)
    .await?;
    let strange =
        rows.iter().find(|row| !Account::parse(&row.path).is_ok_and(|it| it.kind().word() == row.kind));
    let culprit = strange.map(|row| format!("account {} of {}", row.path, row.name));
    Ok(Found { seen: rows.len() as i64, culprit })
}

/// How many batches are read at once.
const BATCHES: i64 = 256;
/// About how many postings are read at once.
const POSTINGS: i64 = 10_000;

/// Every block is the tree over its batch's entries, every root the hash of its batch, and every batch names
/// its predecessor's root.
pub(crate) async fn roots_chain(conn: &mut PgConnection) -> Result<Found, Fault> {
    let books = sqlx::query!(r#"select book, name as "name: BookId" from ledger.book order by book"#)
        .fetch_all(&mut *conn)
        .await?;
    let mut found = Found { seen: 0, culprit: None };
    for book in &books {
        let (mut no, mut prev) = (0, GENESIS);
        loop {
            let batches = batches(conn, book.book, no).await?;
            let Some(last) = batches.last() else { break };
            no = last.no;
            let mut rest = batches.as_slice();
            while !rest.is_empty() {
                let (mut some, mut size) = (0, 0);
                while some < rest.len() && (some == 0 || size + rest[some].postings <= POSTINGS) {
                    size += rest[some].postings;
                    some += 1;
                }
                let (run, behind) = rest.split_at(some);
                if let Some(culprit) = strange_seal(conn, &book.name, run, &mut prev).await? {
                    found.culprit = Some(culprit);
                    return Ok(found);
                }
                found.seen += some as i64;
                rest = behind;
            }
        }
    }
    Ok(found)
}

/// The first batch of a run whose seal is not that of its rows.
async fn strange_seal(
    conn: &mut PgConnection,
    book: &BookId,
    run: &[Standing],
    prev: &mut [u8; 32],
) -> Result<Option<String>, Fault> {
    let after = run.first().map_or(0, |batch| batch.first_posting - 1);
    let postings = run.iter().map(|batch| batch.postings).sum();
    let written = written::page(conn, book, after, postings).await?;
    let (mut written, mut words) = (written.iter().peekable(), Words::default());
    for batch in run {
        let mut leaves = Vec::new();
        while let Some(transfer) = written.next_if(|transfer| transfer.batch == batch.no) {
            leaves.push(transfer.leaf(book, &mut words));
        }
        if batch.postings == 0 {
            leaves.extend(limits::leaf(conn, book, batch.no).await?);
        }
        if batch.prev != *prev {
            return Ok(Some(format!("predecessor of batch {} of {book}", batch.no)));
        }
        let heading = Heading {
            book: book.as_str(),
            no: batch.no,
            first_posting: batch.first_posting,
            postings: batch.postings,
            transfers: batch.transfers,
            accounts: batch.accounts,
            recorded_at: batch.recorded_at,
            prev,
        };
        if heading.seal(&leaves) != batch.seal {
            return Ok(Some(format!("root of batch {} of {book}", batch.no)));
        }
        *prev = batch.seal.root;
    }
    Ok(None)
}

/// A batch as it stands.
struct Standing {
    no: i64,
    first_posting: i64,
    postings: i64,
    transfers: i64,
    accounts: i64,
    recorded_at: DateTime<Utc>,
    prev: [u8; 32],
    seal: Seal,
}

/// The batches after a number.
async fn batches(conn: &mut PgConnection, book: i32, after: i64) -> Result<Vec<Standing>, Fault> {
    let rows = sqlx::query!(
        "select no, first_posting, postings, transfers, accounts, recorded_at, prev, block, root
         from ledger.batch where book = $1 and no > $2 order by no limit $3",
        book,
        after,
        BATCHES
    )
    .fetch_all(conn)
    .await?;
    let standing = rows.into_iter().map(|row| {
        Ok(Standing {
            no: row.no,
            first_posting: row.first_posting,
            postings: row.postings.into(),
            transfers: row.transfers.into(),
            accounts: row.accounts,
            recorded_at: row.recorded_at,
            prev: hash(&row.prev)?,
            seal: Seal { block: hash(&row.block)?, root: hash(&row.root)? },
        })
    });
    standing.collect()
}
