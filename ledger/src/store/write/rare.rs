//! What few transfers have: holds, reversals, external facts, links, metadata, another time; one statement
//! each, if there are any.
//!
//! Absent: order among them. Each depends on the batch and its postings alone.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::rows::{letter, number};
use crate::batch::Batch;
use crate::chart::Side;
use crate::money::Amount;
use crate::store::Fault;

/// The columns of all of them.
#[derive(Default)]
pub(crate) struct Rare {
    holds: Holds,
    reversals: [Vec<Uuid>; 2],
    externals: (Vec<Uuid>, [Vec<String>; 3]),
    links: [Vec<Uuid>; 2],
    metadata: (Vec<Uuid>, [Vec<String>; 2]),
    restated: Restated,
}

#[derive(Default)]
struct Holds {
    ids: [Vec<Uuid>; 2],
    accounts: [Vec<i32>; 2],
    was: Vec<Option<i64>>,
    parts: [Vec<i64>; 3],
    verb: Vec<&'static str>,
    expires_at: Vec<Option<DateTime<Utc>>>,
}

#[derive(Default)]
struct Restated {
    account: Vec<i32>,
    reach: Vec<i16>,
    effective_at: Vec<DateTime<Utc>>,
    posting: Vec<i64>,
    side: Vec<i8>,
    amount: Vec<i64>,
}

impl Rare {
    pub(crate) fn of(batch: &Batch) -> Result<Self, Fault> {
        let mut rare = Self::default();
        let minor = |amount: Option<Amount>| amount.map_or(0, Amount::minor);
        for row in &batch.rows {
            let id = row.id.0;
            if let Some(hold) = &row.hold {
                let holds = &mut rare.holds;
                put(&mut holds.ids, [hold.hold.0, id]);
                put(
                    &mut holds.accounts,
                    [number(&batch.slots[hold.debit])?, number(&batch.slots[hold.credit])?],
                );
                holds.was.push(hold.was.map(Amount::minor));
                put(&mut holds.parts, [hold.settled, hold.voided, hold.remaining].map(minor));
                holds.verb.push(hold.verb.word());
                holds.expires_at.push(hold.expires_at);
            }
            if let Some(of) = row.reverses {
                put(&mut rare.reversals, [id, of.0]);
            }
            if let Some(fact) = &row.external {
                rare.externals.0.push(id);
                put(&mut rare.externals.1, [&fact.provider, &fact.account, &fact.id].map(String::clone));
            }
            if let Some(first) = row.link {
                put(&mut rare.links, [first.0, id]);
            }
            for (name, value) in row.metadata.pairs() {
                rare.metadata.0.push(id);
                put(&mut rare.metadata.1, [name.clone(), value.clone()]);
            }
        }
        for (no, row, leg) in batch.numbered() {
            if row.effective_at == batch.recorded_at || !leg.phase.posts() {
                continue;
            }
            for (slot, side) in [(leg.debit, Side::Debit), (leg.credit, Side::Credit)] {
                let restated = &mut rare.restated;
                restated.account.push(number(&batch.slots[slot])?);
                restated.reach.push(reach(row.effective_at, batch.recorded_at));
                restated.effective_at.push(row.effective_at);
                restated.posting.push(no);
                restated.side.push(letter(side).cast_signed());
                restated.amount.push(leg.amount.minor());
            }
        }
        Ok(rare)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.holds.was.is_empty()
            && self.reversals[0].is_empty()
            && self.externals.0.is_empty()
            && self.links[0].is_empty()
            && self.metadata.0.is_empty()
            && self.restated.posting.is_empty()
    }

    /// Writes them under a batch.
    pub(crate) async fn write(
        &self,
        conn: &mut PgConnection,
        book: i32,
        batch: i64,
        recorded_at: DateTime<Utc>,
    ) -> Result<(), Fault> {
        self.holds(conn, book, batch).await?;
        self.references(conn, book, batch).await?;
        self.words(conn, book, batch).await?;
        self.restated(conn, (book, batch), recorded_at).await
    }

    async fn holds(&self, conn: &mut PgConnection, book: i32, batch: i64) -> Result<(), Fault> {
        let Holds { ids: [hold, transfer], accounts: [debit, credit], was, parts, verb, expires_at } =
            &self.holds;
        let [settled, voided, remaining] = parts;
        if hold.is_empty() {
            return Ok(());
        }
        sqlx::query!(
            "insert into ledger.hold
                (book, hold, transfer, batch, debit, credit, was, settled, voided, remaining, verb,
                    expires_at)
             select $1, hold, transfer, $2, debit, credit, was, settled, voided, remaining, verb, expires_at
             from unnest(
                (select $3::uuid[]), (select $4::uuid[]), (select $5::int[]), (select $6::int[]),
                (select $7::bigint[]), (select $8::bigint[]), (select $9::bigint[]), (select $10::bigint[]),
                (select $11::text[]), (select $12::timestamptz[])
             ) as h (hold, transfer, debit, credit, was, settled, voided, remaining, verb, expires_at)",
            book,
            batch,
            hold,
            transfer,
            debit,
            credit,
            was as _,
            settled,
            voided,
            remaining,
            verb as _,
            expires_at as _,
        )
        .execute(conn)
        .await?;
        Ok(())
    }

    async fn references(&self, conn: &mut PgConnection, book: i32, batch: i64) -> Result<(), Fault> {
        let [reversal, reverses] = &self.reversals;
        if !reversal.is_empty() {
            sqlx::query!(
                "insert into ledger.reversal (book, transfer, reverses, batch)
                 select $1, transfer, reverses, $2
                 from unnest((select $3::uuid[]), (select $4::uuid[])) as r (transfer, reverses)",
                book,
                batch,
                reversal,
                reverses
            )
            .execute(&mut *conn)
            .await?;
        }
        let (transfer, [provider, account, id]) = &self.externals;
        if !transfer.is_empty() {
            sqlx::query!(
                "insert into ledger.external (book, provider, account, id, transfer, batch)
                 select $1, provider, account, id, transfer, $2
                 from unnest((select $3::text[]), (select $4::text[]), (select $5::text[]),
                    (select $6::uuid[])) as e (provider, account, id, transfer)",
                book,
                batch,
                provider,
                account,
                id,
                transfer
            )
            .execute(conn)
            .await?;
        }
        Ok(())
    }

    async fn words(&self, conn: &mut PgConnection, book: i32, batch: i64) -> Result<(), Fault> {
        let [first, linked] = &self.links;
        if !linked.is_empty() {
            sqlx::query!(
                "insert into ledger.link (book, first, transfer, batch)
                 select $1, first, transfer, $2
                 from unnest((select $3::uuid[]), (select $4::uuid[])) as l (first, transfer)",
                book,
                batch,
                first,
                linked
            )
            .execute(&mut *conn)
            .await?;
        }
        let (transfer, [name, value]) = &self.metadata;
        if !transfer.is_empty() {
            sqlx::query!(
                "insert into ledger.metadata (book, name, value, transfer, batch)
                 select $1, name, value, transfer, $2
                 from unnest((select $3::text[]), (select $4::text[]), (select $5::uuid[]))
                    as m (name, value, transfer)",
                book,
                batch,
                name,
                value,
                transfer
            )
            .execute(conn)
            .await?;
        }
        Ok(())
    }

    /// Postings that happened at another instant than they were recorded, once for each account they posted
    /// to.
    async fn restated(
        &self,
        conn: &mut PgConnection,
        (book, batch): (i32, i64),
        recorded_at: DateTime<Utc>,
    ) -> Result<(), Fault> {
        let Restated { account, reach, effective_at, posting, side, amount } = &self.restated;
        if posting.is_empty() {
            return Ok(());
        }
        sqlx::query!(
            r#"
            insert into ledger.restated
                (book, account, reach, effective_at, posting, batch, side, amount, recorded_at)
            select $1, account, reach, effective_at, posting, $2, side, amount, $3
            from unnest(
                (select $4::int[]), (select $5::smallint[]), (select $6::timestamptz[]),
                (select $7::bigint[]), (select $8::"char"[]), (select $9::bigint[])
            ) as r (account, reach, effective_at, posting, side, amount)
            "#,
            book,
            batch,
            recorded_at,
            account,
            reach,
            effective_at,
            posting,
            side as _,
            amount
        )
        .execute(conn)
        .await?;
        Ok(())
    }
}

/// One value on each column.
fn put<T, const N: usize>(columns: &mut [Vec<T>; N], values: [T; N]) {
    columns.iter_mut().zip(values).for_each(|(column, value)| column.push(value));
}

/// How far the world's time lies from the book's: the bits of the distance in seconds, negative where the
/// world is ahead. Never 0.
fn reach(effective_at: DateTime<Utc>, recorded_at: DateTime<Utc>) -> i16 {
    let apart: TimeDelta = recorded_at - effective_at;
    let seconds = apart.num_seconds().unsigned_abs();
    // A number of seconds has at most 64 bits.
    let bits = (u64::BITS - seconds.leading_zeros()).max(1) as i16;
    if apart > TimeDelta::zero() { bits } else { -bits }
}
