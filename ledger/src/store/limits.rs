//! Limits of accounts and the ends of periods: read as they are in force, written as entries of their own.
//!
//! Absent: what a limit counts. The rows say what stood when its period began.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::Fault;
use super::write::rows::{letter, number, small};
use crate::batch::{Batch, Before, Head, InForce, Map, Rule, close_leaf, limit_leaf};
use crate::chart::{BookId, Side};
use crate::limit::{Limit, Measure, Period, Velocity};
use crate::money::Amount;

/// The limits in force of some accounts, by their numbers, with what was posted before the periods around an
/// instant began.
pub(crate) async fn in_force(
    conn: &mut PgConnection,
    head: &Head,
    accounts: &[i32],
    at: DateTime<Utc>,
) -> Result<Map<i32, InForce>, Fault> {
    let rows = sqlx::query!(
        r#"
        select l.account as "account!", l.floor, v.side as "side?", v.measure as "measure?",
            v.period as "period?", v.amount as "amount?", o.debits_posted as "debits?",
            o.credits_posted as "credits?"
        from unnest((select $2::int[])) as u (account)
        cross join lateral (
            select * from ledger.account_limit where book = $1 and account = u.account
            order by batch desc limit 1
        ) l
        left join lateral (
            select * from ledger.velocity where book = $1 and account = l.account and batch = l.batch
        ) v on true
        left join lateral (
            select no from ledger.batch
            where book = $1 and recorded_at < date_trunc(v.period, $3 at time zone 'UTC') at time zone 'UTC'
            order by recorded_at desc, no desc limit 1
        ) b on true
        left join lateral (
            select * from ledger.chunk where book = $1 and account = l.account and batch <= b.no
            order by batch desc limit 1
        ) o on true
        order by l.account, v.place
        "#,
        head.book,
        accounts,
        at
    )
    .fetch_all(conn)
    .await?;
    let mut in_force: Map<i32, InForce> = Map::default();
    for row in rows {
        let force = in_force.entry(row.account).or_default();
        force.limit.floor = row.floor;
        let (Some(side), Some(measure), Some(period), Some(amount)) =
            (row.side, row.measure, row.period, row.amount)
        else {
            continue;
        };
        let velocity = velocity(&measure, &period, side, amount)?;
        force.limit.velocity.push(velocity);
        force.before[velocity.period as usize] =
            Before { debits: row.debits.unwrap_or(0), credits: row.credits.unwrap_or(0) };
    }
    Ok(in_force)
}

/// A batch's entry that is no transfer.
pub(crate) enum Said {
    Limit(String, Limit),
    Close(DateTime<Utc>),
}

impl Said {
    /// The hash of the entry.
    pub(crate) fn leaf(&self, book: &BookId) -> [u8; 32] {
        match self {
            Self::Limit(path, limit) => limit_leaf(book.as_str(), path, limit),
            Self::Close(closed_before) => close_leaf(book.as_str(), *closed_before),
        }
    }
}

/// The hash of a batch's entry that is no transfer, if it has one.
pub(crate) async fn leaf(
    conn: &mut PgConnection,
    book: &BookId,
    batch: i64,
) -> Result<Option<[u8; 32]>, Fault> {
    Ok(said(conn, book, batch).await?.map(|said| said.leaf(book)))
}

/// A batch's entry that is no transfer, if it has one.
pub(crate) async fn said(conn: &mut PgConnection, book: &BookId, batch: i64) -> Result<Option<Said>, Fault> {
    let row = sqlx::query!(
        r#"
        select a.path as "path?", l.floor, c.closed_before as "closed_before?",
            (select array_agg(v.measure order by v.place) from ledger.velocity v
                where v.book = k.book and v.account = l.account and v.batch = $2) as measures,
            (select array_agg(v.period order by v.place) from ledger.velocity v
                where v.book = k.book and v.account = l.account and v.batch = $2) as periods,
            (select array_agg(v.side order by v.place) from ledger.velocity v
                where v.book = k.book and v.account = l.account and v.batch = $2) as sides,
            (select array_agg(v.amount order by v.place) from ledger.velocity v
                where v.book = k.book and v.account = l.account and v.batch = $2) as amounts
        from ledger.book k
        left join ledger.account_limit l on l.book = k.book and l.batch = $2
        left join ledger.account a on a.book = k.book and a.account = l.account
        left join ledger.close c on c.book = k.book and c.batch = $2
        where k.name = $1
        "#,
        book.as_str(),
        batch
    )
    .fetch_one(conn)
    .await?;
    if let Some(closed_before) = row.closed_before {
        return Ok(Some(Said::Close(closed_before)));
    }
    let Some(path) = row.path else { return Ok(None) };
    let words = row.measures.unwrap_or_default().into_iter().zip(row.periods.unwrap_or_default());
    let rest = row.sides.unwrap_or_default().into_iter().zip(row.amounts.unwrap_or_default());
    let velocity =
        words.zip(rest).map(|((measure, period), (side, amount))| velocity(&measure, &period, side, amount));
    let limit = Limit { floor: row.floor, velocity: velocity.collect::<Result<_, _>>()? };
    Ok(Some(Said::Limit(path, limit)))
}

fn velocity(measure: &str, period: &str, side: i8, amount: i64) -> Result<Velocity, Fault> {
    const BAD: Fault = Fault::Unreadable("a limit has an unknown word");
    Ok(Velocity {
        measure: Measure::parse(measure).ok_or(BAD)?,
        period: Period::parse(period).ok_or(BAD)?,
        side: if side.cast_unsigned() == b'd' { Side::Debit } else { Side::Credit },
        amount: Amount::new(amount).map_err(|_| BAD)?,
    })
}

/// An entry that is no transfer, in rows.
pub(crate) enum RuleRow {
    Limit { account: i32, limit: Limit },
    Close(DateTime<Utc>),
}

impl RuleRow {
    pub(crate) fn of(batch: &Batch) -> Result<Option<Self>, Fault> {
        Ok(match &batch.rule {
            Some(Rule::Limit(slot, limit)) => {
                Some(Self::Limit { account: number(&batch.slots[*slot])?, limit: limit.clone() })
            }
            Some(Rule::Close(closed_before)) => Some(Self::Close(*closed_before)),
            None => None,
        })
    }

    pub(crate) async fn write(&self, conn: &mut PgConnection, book: i32, batch: i64) -> Result<(), Fault> {
        match self {
            Self::Limit { account, limit } => limited(conn, (book, batch), *account, limit).await,
            Self::Close(closed_before) => {
                sqlx::query!(
                    "insert into ledger.close (book, batch, closed_before) values ($1, $2, $3)",
                    book,
                    batch,
                    closed_before
                )
                .execute(conn)
                .await?;
                Ok(())
            }
        }
    }
}

async fn limited(
    conn: &mut PgConnection,
    (book, batch): (i32, i64),
    account: i32,
    limit: &Limit,
) -> Result<(), Fault> {
    sqlx::query!(
        "insert into ledger.account_limit (book, account, batch, floor, limits) values ($1, $2, $3, $4, $5)",
        book,
        account,
        batch,
        limit.floor,
        small::<i16>(limit.velocity.len() as i64)?
    )
    .execute(&mut *conn)
    .await?;
    if limit.velocity.is_empty() {
        return Ok(());
    }
    let each = &limit.velocity;
    sqlx::query!(
        r#"
        insert into ledger.velocity (book, account, batch, place, side, measure, period, amount)
        select $1, $2, $3, place::smallint, side, measure, period, amount
        from unnest($4::"char"[], $5::text[], $6::text[], $7::bigint[]) with ordinality
            as v (side, measure, period, amount, place)
        "#,
        book,
        account,
        batch,
        &each.iter().map(|one| letter(one.side).cast_signed()).collect::<Vec<_>>() as _,
        &each.iter().map(|one| one.measure.word()).collect::<Vec<_>>() as _,
        &each.iter().map(|one| one.period.word()).collect::<Vec<_>>() as _,
        &each.iter().map(|one| one.amount.minor()).collect::<Vec<_>>()
    )
    .execute(conn)
    .await?;
    Ok(())
}
