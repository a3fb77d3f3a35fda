//! A batch's postings and chunks as rows: as columns for a statement, as bytes for `COPY`.
//!
//! Invariant: both forms of one batch are the same rows. Absent: SQL beyond the two lists of columns.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::copy::Rows;
use crate::batch::{Batch, Leg, Row, Slot};
use crate::chart::Side;
use crate::id::IdempotencyKey;
use crate::store::Fault;

/// Where the rows of [`postings`] go.
pub(crate) const COPY_POSTINGS: &str = "copy ledger.posting (no, batch, amount, effective_at, transfer, book,
    debit, credit, event, leg, phase, fingerprint, key) from stdin (format binary)";

/// Where the rows of [`chunks`] go.
pub(crate) const COPY_CHUNKS: &str =
    "copy ledger.chunk (batch, prev, debits_posted, credits_posted, debits_pending,
    credits_pending, lowest, floor, book, account, limits, side, posting_nos) from stdin (format binary)";

/// The postings for `COPY`.
pub(crate) fn postings(batch: &Batch) -> Result<Rows, Fault> {
    let mut rows = Rows::new(batch.rows.len() * 160);
    let numbers = numbers(batch)?;
    for (no, row, leg, place) in numbered(batch) {
        rows.row(13)
            .int8(no)
            .int8(batch.no())
            .int8(leg.amount.minor())
            .option(given(batch, row), Rows::time)
            .uuid(row.id.0)
            .int4(batch.head.book)
            .int4(numbers[leg.debit])
            .int4(numbers[leg.credit])
            .int2(row.event.code())
            .int2(place)
            .char(leg.phase.letter())
            .option(fingerprint(row, place), Rows::uuid)
            .option(key(row, place), Rows::text);
    }
    Ok(rows)
}

/// The chunks for `COPY`.
pub(crate) fn chunks(batch: &Batch) -> Result<Rows, Fault> {
    let mut rows = Rows::new(batch.rows.len() * 96);
    for slot in touched(batch) {
        rows.row(13)
            .int8(batch.no())
            .int8(slot.prev)
            .int8(slot.totals.debits_posted)
            .int8(slot.totals.credits_posted)
            .int8(slot.totals.debits_pending)
            .int8(slot.totals.credits_pending)
            .int8(slot.lowest)
            .option(slot.floor, Rows::int8)
            .int4(batch.head.book)
            .int4(number(slot)?)
            .int2(limits(slot)?)
            .char(letter(slot.account.kind().side()))
            .int4s(&places(batch, slot)?);
    }
    Ok(rows)
}

/// The columns of the posting rows.
#[derive(Default)]
pub(crate) struct Legs {
    pub(crate) no: Vec<i64>,
    pub(crate) amount: Vec<i64>,
    pub(crate) effective_at: Vec<Option<DateTime<Utc>>>,
    pub(crate) transfer: Vec<Uuid>,
    pub(crate) debit: Vec<i32>,
    pub(crate) credit: Vec<i32>,
    pub(crate) event: Vec<i16>,
    pub(crate) leg: Vec<i16>,
    pub(crate) phase: Vec<i8>,
    pub(crate) fingerprint: Vec<Option<Uuid>>,
    pub(crate) key: Vec<Option<String>>,
}

impl Legs {
    pub(crate) fn of(batch: &Batch) -> Result<Self, Fault> {
        let (mut legs, numbers) = (Self::default(), numbers(batch)?);
        for (no, row, leg, place) in numbered(batch) {
            legs.no.push(no);
            legs.amount.push(leg.amount.minor());
            legs.effective_at.push(given(batch, row));
            legs.transfer.push(row.id.0);
            legs.debit.push(numbers[leg.debit]);
            legs.credit.push(numbers[leg.credit]);
            legs.event.push(row.event.code());
            legs.leg.push(place);
            legs.phase.push(leg.phase.letter().cast_signed());
            legs.fingerprint.push(fingerprint(row, place));
            legs.key.push(key(row, place).map(str::to_owned));
        }
        Ok(legs)
    }
}

/// The columns of the chunk rows; postings' places of all accounts in one array, each account's run given by
/// its ends, as an array of arrays of different lengths is none in SQL.
#[derive(Default)]
pub(crate) struct Chunks {
    pub(crate) account: Vec<i32>,
    pub(crate) prev: Vec<i64>,
    pub(crate) debits_posted: Vec<i64>,
    pub(crate) credits_posted: Vec<i64>,
    pub(crate) debits_pending: Vec<i64>,
    pub(crate) credits_pending: Vec<i64>,
    pub(crate) lowest: Vec<i64>,
    pub(crate) floor: Vec<Option<i64>>,
    pub(crate) limits: Vec<i16>,
    pub(crate) side: Vec<i8>,
    pub(crate) low: Vec<i32>,
    pub(crate) high: Vec<i32>,
    pub(crate) nos: Vec<i32>,
}

impl Chunks {
    pub(crate) fn of(batch: &Batch) -> Result<Self, Fault> {
        let mut chunks = Self::default();
        for slot in touched(batch) {
            chunks.account.push(number(slot)?);
            chunks.prev.push(slot.prev);
            chunks.debits_posted.push(slot.totals.debits_posted);
            chunks.credits_posted.push(slot.totals.credits_posted);
            chunks.debits_pending.push(slot.totals.debits_pending);
            chunks.credits_pending.push(slot.totals.credits_pending);
            chunks.lowest.push(slot.lowest);
            chunks.floor.push(slot.floor);
            chunks.limits.push(limits(slot)?);
            chunks.side.push(letter(slot.account.kind().side()).cast_signed());
            chunks.low.push(small(chunks.nos.len() as i64 + 1)?);
            chunks.nos.extend(places(batch, slot)?);
            chunks.high.push(small(chunks.nos.len() as i64)?);
        }
        Ok(chunks)
    }
}

/// The accounts the batch touched, or gave limits to.
pub(crate) fn touched(batch: &Batch) -> impl Iterator<Item = &Slot> {
    batch.slots.iter().filter(|slot| slot.touched)
}

/// An account's number in the book.
pub(crate) fn number(slot: &Slot) -> Result<i32, Fault> {
    slot.number.map_or(Err(Fault::Unreadable("a touched account has no number")), small)
}

/// How many limits over time an account has.
fn limits(slot: &Slot) -> Result<i16, Fault> {
    small(slot.limit.as_ref().map_or(0, |force| force.limit.velocity.len()) as i64)
}

/// Where an account's postings are in the batch, counted from its first.
fn places(batch: &Batch, slot: &Slot) -> Result<Vec<i32>, Fault> {
    slot.nos.iter().map(|no| small(no - batch.head.next_posting)).collect()
}

fn numbers(batch: &Batch) -> Result<Vec<i32>, Fault> {
    batch.slots.iter().map(|slot| small(slot.number.unwrap_or_default())).collect()
}

/// A number in a narrower column.
pub(crate) fn small<T: TryFrom<i64>>(number: i64) -> Result<T, Fault> {
    T::try_from(number).map_err(|_| Fault::Unreadable("the batch, or the book, is too large"))
}

/// The letter of a side.
pub(crate) const fn letter(side: Side) -> u8 {
    match side {
        Side::Debit => b'd',
        Side::Credit => b'c',
    }
}

/// The postings of the batch in order, with their numbers and their places in their transfers.
fn numbered(batch: &Batch) -> impl Iterator<Item = (i64, &Row, &Leg, i16)> {
    let rows = batch.rows.iter().flat_map(|row| (0i16..).take(row.legs).map(move |place| (row, place)));
    (batch.head.next_posting..)
        .zip(rows.zip(&batch.legs))
        .map(|(no, ((row, place), leg))| (no, row, leg, place))
}

/// When it happened in the world, if that is not when the book heard of it.
fn given(batch: &Batch, row: &Row) -> Option<DateTime<Utc>> {
    (row.effective_at != batch.recorded_at).then_some(row.effective_at)
}

fn fingerprint(row: &Row, place: i16) -> Option<Uuid> {
    (place == 0).then(|| Uuid::from_bytes(row.fingerprint))
}

/// The key a transfer's first posting bears, if it is not the id's own.
fn key(row: &Row, place: i16) -> Option<&str> {
    row.key.as_ref().filter(|_| place == 0).map(IdempotencyKey::as_str)
}
