//! Rows of `recon.listed`, `recon.statement` and `recon.sweep`.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Taken;
use crate::db::Tx;
use crate::error::Fault;
use crate::privacy::Sealed;

/// A row to be kept.
#[derive(Debug)]
pub(super) struct New<'a> {
    pub(super) id: Uuid,
    pub(super) source: &'a str,
    pub(super) callback: Uuid,
    pub(super) line: i64,
    pub(super) shortcode: &'a str,
    pub(super) account: &'a str,
    pub(super) receipt: &'a str,
    pub(super) kind: &'a str,
    pub(super) reason: &'a str,
    pub(super) paid_in: i64,
    pub(super) withdrawn: i64,
    pub(super) balance: Option<i64>,
    pub(super) at: Option<DateTime<Utc>>,
    pub(super) linked: Option<&'a str>,
    pub(super) person: Sealed,
    pub(super) seen_at: DateTime<Utc>,
}

/// Keeps a row; `false` if it stood in an earlier list.
///
/// # Errors
/// The database's; so for all here.
pub(super) async fn keep(tx: &mut Tx, new: New<'_>) -> Result<bool, Fault> {
    let done = sqlx::query!(
        "insert into recon.listed (id, source, callback, line, shortcode, account, receipt, kind, reason,
             paid_in, withdrawn, balance, at, linked, person, seen_at, due_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $16)
         on conflict do nothing",
        new.id,
        new.source,
        new.callback,
        new.line,
        new.shortcode,
        new.account,
        new.receipt,
        new.kind,
        new.reason,
        new.paid_in,
        new.withdrawn,
        new.balance,
        new.at,
        new.linked,
        new.person as Sealed,
        new.seen_at
    )
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A row as it is judged.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: Uuid,
    pub(super) source: String,
    pub(super) callback: Uuid,
    pub(super) receipt: String,
    pub(super) kind: String,
    pub(super) paid_in: i64,
    pub(super) withdrawn: i64,
    pub(super) at: Option<DateTime<Utc>>,
    pub(super) linked: Option<String>,
    pub(super) person: Option<Sealed>,
}

/// The oldest row that is due, its row locked. What was listed together is judged in its order, so a payment
/// before its taking back.
pub(super) async fn next_unjudged(tx: &mut Tx, now: DateTime<Utc>) -> Result<Option<Row>, Fault> {
    Ok(sqlx::query_as!(
        Row,
        r#"select id, source, callback, receipt, kind, paid_in, withdrawn, at, linked,
             person as "person: Sealed"
           from recon.listed where verdict is null and due_at <= $1 order by due_at, at nulls first, id
           limit 1 for update skip locked"#,
        now
    )
    .fetch_optional(&mut **tx)
    .await?)
}

/// Writes the verdict; what was personal of the row is gone then.
pub(super) async fn judged(tx: &mut Tx, id: Uuid, verdict: &str, now: DateTime<Utc>) -> Result<(), Fault> {
    sqlx::query!(
        "update recon.listed set verdict = $2, judged_at = $3, person = null where id = $1",
        id,
        verdict,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Puts a row off by an hour: what it is about is not known yet.
pub(super) async fn wait(tx: &mut Tx, id: Uuid, now: DateTime<Utc>) -> Result<(), Fault> {
    sqlx::query!(
        "update recon.listed set tries = tries + 1, due_at = $2::timestamptz + interval '1 hour'
         where id = $1 and verdict is null",
        id,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Puts a row back: 1 s, doubling, at most 5 minutes.
pub(super) async fn put_back(tx: &mut Tx, id: Uuid, now: DateTime<Utc>) -> Result<(), Fault> {
    sqlx::query!(
        "update recon.listed set tries = tries + 1,
             due_at = $2::timestamptz + least(interval '5 minutes', interval '1 second' * (1 << least(tries,
             9)))
         where id = $1 and verdict is null",
        id,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Writes that a statement was taken.
pub(super) async fn took(tx: &mut Tx, taken: &Taken, now: DateTime<Utc>) -> Result<(), Fault> {
    sqlx::query!(
        "insert into recon.statement (callback, shortcode, account, rows, new_rows, taken_at)
         values ($1, $2, $3, $4, $5, $6)",
        taken.id,
        taken.shortcode,
        taken.account,
        taken.rows,
        taken.new_rows,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The statement that was taken from these bytes.
pub(super) async fn taken(tx: &mut Tx, id: Uuid) -> Result<Option<Taken>, Fault> {
    Ok(sqlx::query_as!(
        Taken,
        "select callback as id, shortcode, account, rows, new_rows from recon.statement where callback = $1",
        id
    )
    .fetch_optional(&mut **tx)
    .await?)
}

/// Begins a sweep, unless one of its kind began after `before`.
pub(super) async fn begin(
    tx: &mut Tx,
    (kind, shortcode): (&str, &str),
    (now, before): (DateTime<Utc>, DateTime<Utc>),
) -> Result<bool, Fault> {
    let done = sqlx::query!(
        "insert into recon.sweep (kind, shortcode, began_at) values ($1, $2, $3)
         on conflict (kind, shortcode) do update set began_at = $3 where sweep.began_at <= $4",
        kind,
        shortcode,
        now,
        before
    )
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A listed row about which nothing could be done.
#[derive(Debug)]
pub(crate) struct Odd {
    pub(crate) id: Uuid,
    pub(crate) receipt: String,
    pub(crate) verdict: String,
    pub(crate) seen_at: DateTime<Utc>,
}

/// Rows that need a person, newest first, seen before `before`.
pub(crate) async fn odd(tx: &mut Tx, before: DateTime<Utc>, most: i64) -> Result<Vec<Odd>, Fault> {
    Ok(sqlx::query_as!(
        Odd,
        r#"select id, receipt, coalesce(verdict, 'stuck') as "verdict!", seen_at from recon.listed
           where (verdict = 'contradiction' or (verdict is null and tries >= 3))
             and seen_at < $1
           order by seen_at desc limit $2"#,
        before,
        most
    )
    .fetch_all(&mut **tx)
    .await?)
}
