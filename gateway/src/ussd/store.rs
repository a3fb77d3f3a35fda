//! The rows of schema `ussd`: what we remember of calls.

use chrono::{DateTime, TimeDelta, Utc};

use crate::db::Tx;
use crate::error::Fault;
use crate::privacy::Sealed;

/// A call.
pub(super) struct Row {
    /// How many inputs have been answered.
    pub(super) step: usize,
    pub(super) memory: Sealed,
    pub(super) ended: bool,
}

/// Lets one hop of a call in at a time, also the first, which has no row to lock.
pub(super) async fn hold(tx: &mut Tx, session: &str) -> Result<(), Fault> {
    sqlx::query_scalar!(
        "select pg_advisory_xact_lock(hashtextextended('ussd:' || $1::text, 0))::text",
        session
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn find(tx: &mut Tx, session: &str, phone: &[u8; 32]) -> Result<Option<Row>, Fault> {
    let row = sqlx::query!(
        r#"select step, memory as "memory: Sealed", ended from ussd.session
           where session = $1 and phone = $2"#,
        session,
        phone
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(|row| Row {
        step: usize::try_from(row.step).unwrap_or(0),
        memory: row.memory,
        ended: row.ended,
    }))
}

/// The memory of the phone's last other call, if that broke off after `since`.
pub(super) async fn broken_off(
    tx: &mut Tx,
    session: &str,
    phone: &[u8; 32],
    since: DateTime<Utc>,
) -> Result<Option<Sealed>, Fault> {
    let row = sqlx::query!(
        r#"select memory as "memory: Sealed", ended from ussd.session
           where phone = $1 and session <> $2 and touched_at >= $3 order by touched_at desc limit 1"#,
        phone,
        session,
        since
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.filter(|row| !row.ended).map(|row| row.memory))
}

/// Writes a call, and drops the phone's calls of days ago.
pub(super) async fn put(
    tx: &mut Tx,
    (session, phone): (&str, &[u8; 32]),
    row: Row,
    at: DateTime<Utc>,
) -> Result<(), Fault> {
    sqlx::query!(
        "insert into ussd.session (session, phone, step, memory, ended, touched_at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (session, phone) do update
         set step = excluded.step, memory = excluded.memory, ended = excluded.ended,
             touched_at = excluded.touched_at",
        session,
        phone,
        i32::try_from(row.step).unwrap_or(i32::MAX),
        row.memory as Sealed,
        row.ended,
        at
    )
    .execute(&mut **tx)
    .await?;
    let old = at - TimeDelta::days(1);
    sqlx::query!("delete from ussd.session where phone = $1 and touched_at < $2", phone, old)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
