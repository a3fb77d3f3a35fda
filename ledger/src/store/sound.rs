//! The questions of the audit. Each counts what it looked at and names the first culprit it finds.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Fault;
use super::look::phase;
use super::read::hash;
use crate::batch::{GENESIS, Sealed};
use crate::chart::{Account, BookId};

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
        "restated_days" in "src/store/sound/restated_days.sql",
    })
}

/// Every path is of the chart, and under the kind the chart gives it.
pub(crate) async fn accounts_in_chart(conn: &mut PgConnection) -> Result<Found, Fault> {
    let rows = sqlx::query!("select book, path, kind from ledger.account").fetch_all(conn).await?;
    let strange =
        rows.iter().find(|row| !Account::parse(&row.path).is_ok_and(|it| it.kind().word() == row.kind));
    let culprit = strange.map(|row| format!("account {} of {}", row.path, row.book));
    Ok(Found { seen: rows.len() as i64, culprit })
}

/// How many batches are read at once.
const PAGE: i64 = 256;

/// Every root is the hash of its batch's rows, and every batch names its predecessor's root.
pub(crate) async fn roots_chain(conn: &mut PgConnection) -> Result<Found, Fault> {
    let books = sqlx::query_scalar!(r#"select book as "book: BookId" from ledger.book order by book"#)
        .fetch_all(&mut *conn)
        .await?;
    let mut seen = 0;
    for book in &books {
        let (mut no, mut prev) = (0, GENESIS);
        loop {
            let page = page(conn, book, no).await?;
            let (more, page) = (page.len() as i64 == PAGE, page);
            for batch in page {
                let wrong = |what: &str| Found {
                    seen,
                    culprit: Some(format!("{what} of batch {} of {book}", batch.no)),
                };
                if batch.prev != prev {
                    return Ok(wrong("predecessor"));
                }
                if batch.root != batch.sealed.root() {
                    return Ok(wrong("root"));
                }
                (no, prev, seen) = (batch.no, batch.root, seen + 1);
            }
            if !more {
                break;
            }
        }
    }
    Ok(Found { seen, culprit: None })
}

struct Page {
    no: i64,
    root: [u8; 32],
    prev: [u8; 32],
    sealed: Sealed,
    transfer: Option<Uuid>,
}

/// The batches after a number, with the bytes their rows give.
async fn page(conn: &mut PgConnection, book: &BookId, after: i64) -> Result<Vec<Page>, Fault> {
    let rows = sqlx::query!(
        r#"
        select b.no, b.root, b.prev, b.recorded_at, t.id, t.event, t.key, t.fingerprint, t.effective_at,
            p.no as posting, p.phase, d.path as debit, c.path as credit, p.amount
        from ledger.batch b
        join ledger.posting p on p.book = $1
            and p.no >= b.first_posting and p.no < b.first_posting + b.postings
        join ledger.transfer t on t.book = $1 and t.id = p.transfer
        join ledger.account d on d.book = $1 and d.account = p.debit
        join ledger.account c on c.book = $1 and c.account = p.credit
        where b.book = $1 and b.no > $2 and b.no <= $2 + $3
        order by p.no
        "#,
        book.as_str(),
        after,
        PAGE
    )
    .fetch_all(conn)
    .await?;
    let mut pages: Vec<Page> = Vec::new();
    for row in rows {
        if pages.last().is_none_or(|page| page.no != row.no) {
            let recorded_at: DateTime<Utc> = row.recorded_at;
            let sealed = Sealed::new(book, row.no, &row.prev, recorded_at);
            pages.push(Page {
                no: row.no,
                root: hash(&row.root)?,
                prev: hash(&row.prev)?,
                sealed,
                transfer: None,
            });
        }
        let Some(page) = pages.last_mut() else { continue };
        if page.transfer != Some(row.id) {
            page.transfer = Some(row.id);
            page.sealed.transfer(row.id, [&row.event, &row.key], &row.fingerprint[..16], row.effective_at);
        }
        page.sealed.posting(row.posting, phase(&row.phase)?, [&row.debit, &row.credit], row.amount);
    }
    Ok(pages)
}
