//! Appending: a book, and a batch. All of a batch's regular rows go in one statement, because the checks of
//! the schema look at the rows of one statement together; holds, reversals, external references and
//! restated postings are rarer and follow in one statement each, if there are any.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Fault;
use crate::batch::{Batch, Slot};
use crate::chart::{BookId, Side};
use crate::id::IdempotencyKey;
use crate::money::Amount;

/// Opens a book if it is not open.
pub(crate) async fn book(conn: &mut PgConnection, book: &BookId, now: DateTime<Utc>) -> Result<(), Fault> {
    sqlx::query!(
        "insert into ledger.book (book, asset, opened_at) values ($1, $2, $3) on conflict do nothing",
        book.as_str(),
        book.asset().code(),
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes a batch that has at least one row.
pub(crate) async fn batch(conn: &mut PgConnection, batch: &Batch, root: &[u8; 32]) -> Result<(), Fault> {
    regular(conn, batch, root).await?;
    holds(conn, batch).await?;
    references(conn, batch).await?;
    restated(conn, batch).await
}

/// The columns of the chunk rows; postings' numbers of all accounts in one array, each account's run given by
/// its ends, as an array of arrays of different lengths is none in SQL.
#[derive(Default)]
struct Chunks {
    account: Vec<i64>,
    debits_posted: Vec<i64>,
    credits_posted: Vec<i64>,
    debits_pending: Vec<i64>,
    credits_pending: Vec<i64>,
    lowest: Vec<i64>,
    floor: Vec<Option<i64>>,
    side: Vec<&'static str>,
    low: Vec<i32>,
    high: Vec<i32>,
    nos: Vec<i64>,
}

impl Chunks {
    fn of(batch: &Batch) -> Result<Self, Fault> {
        let mut chunks = Self::default();
        for slot in batch.slots.iter().filter(|slot| !slot.nos.is_empty()) {
            let kind = slot.account.kind();
            let place =
                |at: usize| i32::try_from(at).map_err(|_| Fault::Unreadable("the batch is too large"));
            chunks.account.push(number(slot)?);
            chunks.debits_posted.push(slot.totals.debits_posted);
            chunks.credits_posted.push(slot.totals.credits_posted);
            chunks.debits_pending.push(slot.totals.debits_pending);
            chunks.credits_pending.push(slot.totals.credits_pending);
            chunks.lowest.push(slot.lowest);
            chunks.floor.push(slot.floor);
            chunks.side.push(kind.side().word());
            chunks.low.push(place(chunks.nos.len() + 1)?);
            chunks.nos.extend_from_slice(&slot.nos);
            chunks.high.push(place(chunks.nos.len())?);
        }
        Ok(chunks)
    }
}

fn number(slot: &Slot) -> Result<i64, Fault> {
    slot.number.ok_or(Fault::Unreadable("a touched account has no number"))
}

async fn regular(conn: &mut PgConnection, batch: &Batch, root: &[u8; 32]) -> Result<(), Fault> {
    let accounts =
        || batch.slots.iter().filter(|slot| slot.number.is_some_and(|no| no > batch.head.accounts));
    let numbers: Vec<i64> = batch.slots.iter().map(|slot| slot.number.unwrap_or_default()).collect();
    let chunks = Chunks::of(batch)?;
    let rows = &batch.rows;
    sqlx::query_file!(
        "src/store/write/batch.sql",
        batch.book.as_str(),
        batch.no(),
        batch.head.next_posting,
        batch.postings(),
        rows.len() as i64,
        batch.accounts(),
        root.as_slice(),
        batch.head.root.as_slice(),
        batch.recorded_at,
        &accounts().map(number).collect::<Result<Vec<_>, _>>()?,
        &accounts().map(|slot| slot.account.path()).collect::<Vec<_>>(),
        &accounts().map(|slot| slot.account.kind().word()).collect::<Vec<_>>() as _,
        &rows.iter().map(|row| row.id.0).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.event.word()).collect::<Vec<_>>() as _,
        &rows
            .iter()
            .map(|row| String::from(row.key.clone().unwrap_or_else(|| IdempotencyKey::of(row.id))))
            .collect::<Vec<_>>(),
        &rows.iter().map(|row| [row.fingerprint, [0; 16]].concat()).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.effective_at).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.first_posting).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.legs as i64).collect::<Vec<_>>(),
        &batch.numbered().map(|(no, _, _)| no).collect::<Vec<_>>(),
        &batch.numbered().map(|(_, row, _)| row.id.0).collect::<Vec<_>>(),
        &batch.numbered().map(|(_, _, leg)| numbers[leg.debit]).collect::<Vec<_>>(),
        &batch.numbered().map(|(_, _, leg)| numbers[leg.credit]).collect::<Vec<_>>(),
        &batch.numbered().map(|(_, _, leg)| leg.amount.minor()).collect::<Vec<_>>(),
        &batch.numbered().map(|(_, _, leg)| leg.phase.word()).collect::<Vec<_>>() as _,
        &chunks.account,
        &chunks.debits_posted,
        &chunks.credits_posted,
        &chunks.debits_pending,
        &chunks.credits_pending,
        &chunks.lowest,
        &chunks.floor as _,
        &chunks.side as _,
        &chunks.low,
        &chunks.high,
        &chunks.nos,
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn holds(conn: &mut PgConnection, batch: &Batch) -> Result<(), Fault> {
    let held: Vec<_> = batch.rows.iter().filter_map(|row| Some((row.id, row.hold.as_ref()?))).collect();
    if held.is_empty() {
        return Ok(());
    }
    let slots = |pick: fn(&crate::batch::HoldRow) -> usize| {
        held.iter().map(|(_, hold)| number(&batch.slots[pick(hold)])).collect::<Result<Vec<_>, _>>()
    };
    let minor = |amount: Option<Amount>| amount.map(Amount::minor);
    sqlx::query!(
        r#"
        insert into ledger.hold
            (book, hold, transfer, batch, debit, credit, was, settled, voided, remaining, verb, expires_at)
        select $1, hold, transfer, $2, debit, credit, was, settled, voided, remaining, verb, expires_at
        from unnest(
            $3::uuid[], $4::uuid[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[],
            $10::bigint[], $11::text[], $12::timestamptz[]
        ) as h (hold, transfer, debit, credit, was, settled, voided, remaining, verb, expires_at)
        "#,
        batch.book.as_str(),
        batch.no(),
        &held.iter().map(|(_, hold)| hold.hold.0).collect::<Vec<_>>(),
        &held.iter().map(|(id, _)| id.0).collect::<Vec<_>>(),
        &slots(|hold| hold.debit)?,
        &slots(|hold| hold.credit)?,
        &held.iter().map(|(_, hold)| minor(hold.was)).collect::<Vec<_>>() as _,
        &held.iter().map(|(_, hold)| minor(hold.settled).unwrap_or(0)).collect::<Vec<_>>(),
        &held.iter().map(|(_, hold)| minor(hold.voided).unwrap_or(0)).collect::<Vec<_>>(),
        &held.iter().map(|(_, hold)| minor(hold.remaining).unwrap_or(0)).collect::<Vec<_>>(),
        &held.iter().map(|(_, hold)| hold.verb.word()).collect::<Vec<_>>() as _,
        &held.iter().map(|(_, hold)| hold.expires_at).collect::<Vec<_>>() as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn references(conn: &mut PgConnection, batch: &Batch) -> Result<(), Fault> {
    let reversals: (Vec<Uuid>, Vec<Uuid>) =
        batch.rows.iter().filter_map(|row| Some((row.id.0, row.reverses?.0))).unzip();
    if !reversals.0.is_empty() {
        sqlx::query!(
            "insert into ledger.reversal (book, transfer, reverses, batch)
             select $1, transfer, reverses, $2 from unnest($3::uuid[], $4::uuid[]) as r (transfer, reverses)",
            batch.book.as_str(),
            batch.no(),
            &reversals.0,
            &reversals.1
        )
        .execute(&mut *conn)
        .await?;
    }
    let facts: Vec<_> =
        batch.rows.iter().filter_map(|row| Some((row.id.0, row.external.as_ref()?))).collect();
    if !facts.is_empty() {
        sqlx::query!(
            "insert into ledger.external (book, provider, account, id, transfer, batch)
             select $1, provider, account, id, transfer, $2
             from unnest($3::text[], $4::text[], $5::text[], $6::uuid[])
                as e (provider, account, id, transfer)",
            batch.book.as_str(),
            batch.no(),
            &facts.iter().map(|(_, fact)| fact.provider.clone()).collect::<Vec<_>>(),
            &facts.iter().map(|(_, fact)| fact.account.clone()).collect::<Vec<_>>(),
            &facts.iter().map(|(_, fact)| fact.id.clone()).collect::<Vec<_>>(),
            &facts.iter().map(|(transfer, _)| *transfer).collect::<Vec<_>>()
        )
        .execute(conn)
        .await?;
    }
    Ok(())
}

/// Postings whose effective day (in UTC) is not the day they were recorded, once for each account they
/// posted to.
async fn restated(conn: &mut PgConnection, batch: &Batch) -> Result<(), Fault> {
    let today = batch.recorded_at.date_naive();
    let other_day = batch.numbered().filter(|(_, row, _)| row.effective_at.date_naive() != today);
    let posted = other_day.filter(|(_, _, leg)| leg.phase.posts());
    let sides = posted.flat_map(|(no, row, leg)| {
        [(leg.debit, Side::Debit), (leg.credit, Side::Credit)].map(|(slot, side)| (no, row, leg, slot, side))
    });
    let rows: Vec<_> = sides.collect();
    if rows.is_empty() {
        return Ok(());
    }
    let accounts: Result<Vec<_>, _> =
        rows.iter().map(|(_, _, _, slot, _)| number(&batch.slots[*slot])).collect();
    sqlx::query!(
        "insert into ledger.restated (book, account, posting, batch, side, amount, effective_at, recorded_at)
         select $1, account, posting, $2, side, amount, effective_at, $3
         from unnest($4::bigint[], $5::bigint[], $6::text[], $7::bigint[], $8::timestamptz[])
            as r (account, posting, side, amount, effective_at)",
        batch.book.as_str(),
        batch.no(),
        batch.recorded_at,
        &accounts?,
        &rows.iter().map(|(no, ..)| *no).collect::<Vec<_>>(),
        &rows.iter().map(|(.., side)| side.word()).collect::<Vec<_>>() as _,
        &rows.iter().map(|(_, _, leg, ..)| leg.amount.minor()).collect::<Vec<_>>(),
        &rows.iter().map(|(_, row, ..)| row.effective_at).collect::<Vec<_>>()
    )
    .execute(conn)
    .await?;
    Ok(())
}
