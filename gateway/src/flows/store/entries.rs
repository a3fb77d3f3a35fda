//! Rows of the schemas `flow` and `chain` beside which the chain's entries are laid: escrows a page at a
//! time, what was heard of each, what was read of them instead.

use amana_ledger::chart::BookId;
use amana_ledger::id::EscrowRef;
use chrono::{DateTime, Utc};

use crate::db::Tx;
use crate::error::Fault;

/// An escrow, and the newest ledger of which anything was heard of it.
#[derive(Debug, Clone)]
pub struct Heard {
    /// Its reference.
    pub reference: EscrowRef,
    /// That ledger; 0 before anything was heard.
    pub newest: i64,
    /// Whether something was heard that does not fit.
    pub is_odd: bool,
    /// Whether its story is over, as far as we know.
    pub is_over: bool,
}

/// Up to `most` escrows of a book after `after`, in order of their references.
///
/// # Errors
/// The database's.
pub async fn page(tx: &mut Tx, book: &BookId, after: &str, most: i64) -> Result<Vec<Heard>, Fault> {
    let rows = sqlx::query!(
        r#"select e.reference, coalesce(max(v.ledger), 0) as "newest!",
                  coalesce(bool_or(v.refused is not null), false) as "is_odd!",
                  e.status in ('released', 'resolved', 'refunded', 'cancelled') as "is_over!"
           from flow.escrow e left join chain.event v on v.escrow = e.reference
           where e.book = $1 and e.reference > $2
           group by e.reference order by e.reference limit $3"#,
        book.as_str(),
        after,
        most
    )
    .fetch_all(&mut **tx)
    .await?;
    let stored = |reference: &str| Fault::Stored(format!("reference {reference}"));
    let heard = rows.into_iter().map(|row| {
        let reference = EscrowRef::parse(&row.reference).map_err(|_| stored(&row.reference))?;
        Ok(Heard { reference, newest: row.newest, is_odd: row.is_odd, is_over: row.is_over })
    });
    heard.collect()
}

/// What was heard of some escrows up to a ledger, and fitted, in the chain's order: each with its escrow.
///
/// # Errors
/// The database's.
pub async fn effects(
    tx: &mut Tx,
    escrows: &[String],
    until: i64,
) -> Result<Vec<(String, serde_json::Value)>, Fault> {
    let rows = sqlx::query!(
        r#"select escrow as "escrow!", effect from chain.event
           where escrow = any($1) and ledger <= $2 and refused is null and not contained
           order by ledger, tx_hash, no"#,
        escrows,
        until
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.escrow, row.effect)).collect())
}

/// The mints that were wished for into some escrows: each with its escrow.
///
/// # Errors
/// The database's.
pub async fn funding(tx: &mut Tx, escrows: &[String]) -> Result<Vec<(String, serde_json::Value)>, Fault> {
    let rows = sqlx::query!(
        r#"select escrow as "escrow!", op from chain.intent
           where escrow = any($1) and op ->> 'op' = 'fund' and not (status = 'refused' and heeded)
           order by escrow, no"#,
        escrows
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.escrow, row.op)).collect())
}

/// Notes that an escrow's effects up to this ledger were read from its entry.
///
/// # Errors
/// The database's.
pub async fn rebuilt(tx: &mut Tx, escrow: &str, ledger: i64, now: DateTime<Utc>) -> Result<(), Fault> {
    sqlx::query!(
        "insert into chain.rebuilt (escrow, ledger, at) values ($1, $2, $3)
         on conflict (escrow) do update set ledger = greatest(rebuilt.ledger, excluded.ledger), at = $3",
        escrow,
        ledger,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Marks an event as contained in what was read from its escrow's entry, if it is. The escrow must be locked.
///
/// # Errors
/// The database's.
pub async fn contain(tx: &mut Tx, escrow: &str, (tx_hash, no): (&str, i32)) -> Result<bool, Fault> {
    let done = sqlx::query!(
        "update chain.event e set contained = true from chain.rebuilt r
         where r.escrow = $1 and e.tx_hash = $2 and e.no = $3 and e.ledger <= r.ledger",
        escrow,
        tx_hash,
        no
    )
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Something the chain told of an escrow, as an auditor follows it.
#[derive(Debug, Clone)]
pub struct Trail {
    /// The escrow.
    pub escrow: String,
    /// The transaction.
    pub tx_hash: String,
    /// Its ledger.
    pub ledger: i64,
    /// What, in one word.
    pub kind: String,
    /// The ledger transfer that it caused.
    pub transfer: Option<uuid::Uuid>,
}

/// What was heard of some escrows, in the chain's order.
///
/// # Errors
/// The database's.
pub async fn trail(tx: &mut Tx, escrows: &[String]) -> Result<Vec<Trail>, Fault> {
    Ok(sqlx::query_as!(
        Trail,
        r#"select escrow as "escrow!", tx_hash, ledger, kind, transfer from chain.event
           where escrow = any($1) order by ledger, tx_hash, no"#,
        escrows
    )
    .fetch_all(&mut **tx)
    .await?)
}

/// Amount (minor units) and the product's word of some escrows.
///
/// # Errors
/// The database's.
pub async fn heads(tx: &mut Tx, escrows: &[String]) -> Result<Vec<(String, i64, String)>, Fault> {
    let rows =
        sqlx::query!("select reference, amount, status from flow.escrow where reference = any($1)", escrows)
            .fetch_all(&mut **tx)
            .await?;
    Ok(rows.into_iter().map(|row| (row.reference, row.amount, row.status)).collect())
}
