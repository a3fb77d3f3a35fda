//! Rows of `flow.collection`: what rails brought in.

pub mod clearing;

use amana_ledger::id::{EscrowRef, ExternalRef};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::db::Tx;
use crate::error::Fault;
use crate::privacy::Sealed;

/// A collection to be written.
#[derive(Debug, Clone)]
pub struct New<'a> {
    /// Ours.
    pub id: Uuid,
    /// The rail's: provider, shortcode, receipt.
    pub external: &'a ExternalRef,
    /// The book it settles in.
    pub book: &'a str,
    /// The callback that told us.
    pub callback: Uuid,
    /// Minor units.
    pub amount: i64,
    /// What the payer typed, and who the payer is, as they came.
    pub typed_ref: Option<Sealed>,
    /// See above.
    pub payer: Option<Sealed>,
    /// Its name on chain.
    pub deposit_id: [u8; 32],
    /// By which door its receipt was first seen.
    pub door: &'static str,
    /// `trusted`, or `waiting` for the rail's own word.
    pub trust: &'static str,
    /// When we booked it.
    pub at: DateTime<Utc>,
}

/// Writes it in suspense; `false` if the receipt was heard before.
///
/// # Errors
/// The database's.
pub async fn insert(tx: &mut Tx, new: New<'_>) -> Result<bool, Fault> {
    let done = sqlx::query!(
        "insert into flow.collection (id, provider, shortcode, receipt, book, callback, amount, typed_ref,
         payer,
             deposit_id, status, booked_at, door, trust)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'suspense', $11, $12, $13)
         on conflict (provider, shortcode, receipt) do nothing",
        new.id,
        new.external.provider,
        new.external.account,
        new.external.id,
        new.book,
        new.callback,
        new.amount,
        new.typed_ref as Option<Sealed>,
        new.payer as Option<Sealed>,
        &new.deposit_id[..],
        new.at,
        new.door,
        new.trust
    )
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A collection as whoever hears of it again finds it.
#[derive(Debug, Clone)]
pub struct Known {
    /// Ours.
    pub id: Uuid,
    /// Minor units.
    pub amount: i64,
    /// The escrow it was matched to.
    pub escrow: Option<String>,
    /// `pending`, `completed`, `suspense`, `reversed`.
    pub status: String,
    /// `trusted`, `waiting`, `disputed`.
    pub trust: String,
    /// How often the rail was asked about it.
    pub asked: i32,
    /// The receipt under which the rail took it back.
    pub taken_back: Option<String>,
    /// What the payer typed, sealed.
    pub typed_ref: Option<Sealed>,
    /// Who the payer is, sealed.
    pub payer: Option<Sealed>,
}

impl Known {
    /// Whether it waits for the rail's own word.
    pub fn waits(&self) -> bool {
        self.trust == "waiting" && self.taken_back.is_none()
    }

    /// Whether it lies in suspense, whoever is to say whose it is.
    pub fn is_suspended(&self) -> bool {
        self.status == "suspense" && self.escrow.is_none()
    }
}

/// The collection with this receipt.
///
/// # Errors
/// The database's.
pub async fn find(tx: &mut Tx, external: &ExternalRef) -> Result<Option<Known>, Fault> {
    Ok(sqlx::query_as!(
        Known,
        r#"select id, amount, escrow, status, trust, asked, taken_back, typed_ref as "typed_ref: Sealed",
             payer as "payer: Sealed"
         from flow.collection where provider = $1 and shortcode = $2 and receipt = $3"#,
        external.provider,
        external.account,
        external.id
    )
    .fetch_optional(&mut **tx)
    .await?)
}

/// The same, its row locked. Where an escrow is locked too, it is locked before.
///
/// # Errors
/// The database's.
pub async fn lock(tx: &mut Tx, external: &ExternalRef) -> Result<Option<Known>, Fault> {
    Ok(sqlx::query_as!(
        Known,
        r#"select id, amount, escrow, status, trust, asked, taken_back, typed_ref as "typed_ref: Sealed",
             payer as "payer: Sealed"
         from flow.collection where provider = $1 and shortcode = $2 and receipt = $3 for update"#,
        external.provider,
        external.account,
        external.id
    )
    .fetch_optional(&mut **tx)
    .await?)
}

/// Says what it is worth now: `trusted`, or `disputed` with what the rail said.
///
/// # Errors
/// The database's.
pub async fn trust(tx: &mut Tx, id: Uuid, trust: &str, said: Option<&str>) -> Result<(), Fault> {
    sqlx::query!("update flow.collection set trust = $2, said = $3 where id = $1", id, trust, said)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Counts one more question.
///
/// # Errors
/// The database's.
pub async fn asked(tx: &mut Tx, id: Uuid) -> Result<(), Fault> {
    sqlx::query!("update flow.collection set asked = asked + 1 where id = $1", id).execute(&mut **tx).await?;
    Ok(())
}

/// The rail took it back under this receipt. What was credited stays where it went.
///
/// # Errors
/// The database's.
pub async fn taken_back(tx: &mut Tx, id: Uuid, receipt: &str) -> Result<(), Fault> {
    sqlx::query!(
        "update flow.collection set taken_back = $2,
             status = case when escrow is null then 'reversed' else status end
         where id = $1",
        id,
        receipt
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The collections of an escrow that the rail took back.
///
/// # Errors
/// The database's.
pub async fn gone(tx: &mut Tx, escrow: &EscrowRef) -> Result<Vec<Uuid>, Fault> {
    Ok(sqlx::query_scalar!(
        "select id from flow.collection where escrow = $1 and taken_back is not null",
        escrow.as_str()
    )
    .fetch_all(&mut **tx)
    .await?)
}

/// A collection about which the rail says something else than was booked.
#[derive(Debug, Clone)]
pub struct OddRow {
    /// Ours.
    pub id: Uuid,
    /// Its receipt.
    pub receipt: String,
    /// What the rail said that differs.
    pub said: Option<String>,
    /// The receipt under which the rail took it back.
    pub taken_back: Option<String>,
    /// When it was booked.
    pub booked_at: DateTime<Utc>,
}

/// The disputed and the taken back, newest first, booked before `before`.
///
/// # Errors
/// The database's.
pub async fn odd(tx: &mut Tx, before: DateTime<Utc>, most: i64) -> Result<Vec<OddRow>, Fault> {
    Ok(sqlx::query_as!(
        OddRow,
        "select id, receipt, said, taken_back, booked_at from flow.collection
         where (trust = 'disputed' or taken_back is not null) and booked_at < $1
         order by booked_at desc limit $2",
        before,
        most
    )
    .fetch_all(&mut **tx)
    .await?)
}

/// Says where it went: how much into which escrow, the rest to its employer.
///
/// # Errors
/// The database's.
pub async fn matched(tx: &mut Tx, id: Uuid, escrow: &EscrowRef, to_escrow: i64) -> Result<(), Fault> {
    let status = if to_escrow > 0 { "pending" } else { "completed" };
    sqlx::query!(
        "update flow.collection set escrow = $2, to_escrow = $3, status = $4 where id = $1",
        id,
        escrow.as_str(),
        to_escrow,
        status
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The chain confirmed the deposit with this name. Gives the receipt.
///
/// # Errors
/// The database's.
pub async fn confirmed(tx: &mut Tx, deposit_id: &[u8; 32]) -> Result<Option<String>, Fault> {
    Ok(sqlx::query_scalar!(
        "update flow.collection set status = 'completed' where deposit_id = $1 and status = 'pending'
         returning receipt",
        &deposit_id[..]
    )
    .fetch_optional(&mut **tx)
    .await?)
}

/// A collection as the doors show it.
#[derive(Debug, Clone)]
pub struct Row {
    /// Ours.
    pub id: Uuid,
    /// The rail.
    pub provider: String,
    /// Where it was paid to.
    pub shortcode: String,
    /// The rail's receipt.
    pub receipt: String,
    /// The book.
    pub book: String,
    /// The escrow it was matched to.
    pub escrow: Option<String>,
    /// Minor units.
    pub amount: i64,
    /// How much of it went into the escrow, minor units.
    pub to_escrow: i64,
    /// `pending`, `completed`, `failed`, `suspense`, `reversed`.
    pub status: String,
    /// When we booked it.
    pub booked_at: DateTime<Utc>,
    /// What the payer typed, sealed.
    pub typed_ref: Option<Sealed>,
    /// Who the payer is, sealed.
    pub payer: Option<Sealed>,
}

/// The collections of an escrow, in order.
///
/// # Errors
/// The database's.
pub async fn of_escrow(tx: &mut Tx, escrow: &str) -> Result<Vec<Row>, Fault> {
    Ok(sqlx::query_as!(
        Row,
        r#"select id, provider, shortcode, receipt, book, escrow, amount, to_escrow, status, booked_at,
             typed_ref as "typed_ref: Sealed", payer as "payer: Sealed"
         from flow.collection where escrow = $1 order by booked_at, receipt"#,
        escrow
    )
    .fetch_all(&mut **tx)
    .await?)
}

/// The collection that the chain knows as this deposit.
///
/// # Errors
/// The database's.
pub async fn by_deposit(tx: &mut Tx, deposit_id: &[u8; 32]) -> Result<Option<Uuid>, Fault> {
    let id = sqlx::query_scalar!("select id from flow.collection where deposit_id = $1", &deposit_id[..]);
    Ok(id.fetch_optional(&mut **tx).await?)
}

/// Who paid a collection, sealed.
///
/// # Errors
/// The database's.
pub async fn payer(tx: &mut Tx, id: Uuid) -> Result<Option<Sealed>, Fault> {
    let payer =
        sqlx::query_scalar!(r#"select payer as "payer: Sealed" from flow.collection where id = $1"#, id);
    Ok(payer.fetch_optional(&mut **tx).await?.flatten())
}

/// What lies in suspense, oldest first, after the row `after`.
///
/// # Errors
/// The database's.
pub async fn in_suspense(tx: &mut Tx, after: Option<Uuid>, most: i64) -> Result<Vec<Row>, Fault> {
    Ok(sqlx::query_as!(
        Row,
        r#"select id, provider, shortcode, receipt, book, escrow, amount, to_escrow, status, booked_at,
             typed_ref as "typed_ref: Sealed", payer as "payer: Sealed"
         from flow.collection where status = 'suspense' and ($1::uuid is null or id > $1) order by id
         limit $2"#,
        after,
        most
    )
    .fetch_all(&mut **tx)
    .await?)
}

/// A collection, if it is in suspense.
///
/// # Errors
/// The database's.
pub async fn suspended(tx: &mut Tx, id: Uuid) -> Result<Option<Row>, Fault> {
    Ok(sqlx::query_as!(
        Row,
        r#"select id, provider, shortcode, receipt, book, escrow, amount, to_escrow, status, booked_at,
             typed_ref as "typed_ref: Sealed", payer as "payer: Sealed"
         from flow.collection where id = $1 and status = 'suspense'"#,
        id
    )
    .fetch_optional(&mut **tx)
    .await?)
}
