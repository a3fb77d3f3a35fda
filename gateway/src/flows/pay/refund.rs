//! An employer's own money goes out again: what an escrow gave back, and what was paid beyond its amount.
//!
//! Invariant: each deposit goes back to the number it came from, and never more than it brought; one payout
//! for each deposit and cause, by a unique key. Of several deposits the oldest goes back first, so that what
//! a split leaves out is the newest money.
//! Absent: keeping money for the next job. What is below a whole unit of the currency stays the employer's,
//! as rails pay whole units.

use amana_adapters::port::Msisdn;
use amana_ledger::chart::BookId;
use amana_ledger::id::{EscrowRef, PartyId};
use uuid::Uuid;

use super::super::payout::Purpose;
use super::super::store::collection;
use super::{Surrender, send_out};
use crate::app::App;
use crate::db::Tx;
use crate::error::{Fault, Result};

/// Whose money it is, and what it was in.
#[derive(Debug, Clone)]
pub struct Owner {
    /// The book.
    pub book: BookId,
    /// The escrow it was paid for.
    pub escrow: EscrowRef,
    /// The employer.
    pub employer: PartyId,
}

/// An escrow ended, and by the chain event `event` this much of it is the employer's again: it goes back to
/// where it came from. Returns at once; the payouts go on by themselves.
///
/// # Errors
/// The database's or the ledger's fault; a float that is short is no error.
pub async fn ended(tx: &mut Tx, app: &App, owner: &Owner, (event, minor): (&str, i64)) -> Result<()> {
    for (source, part) in sources(tx, &owner.escrow, minor).await? {
        let cause = source.map_or_else(|| format!("{event}/rest"), |source| format!("{event}/{source}"));
        back(tx, app, owner, (cause, source, part)).await?;
    }
    Ok(())
}

/// More came by this collection than an escrow had room for.
///
/// # Errors
/// As [`ended`].
pub async fn over(tx: &mut Tx, app: &App, owner: &Owner, (source, minor): (Uuid, i64)) -> Result<()> {
    back(tx, app, owner, (format!("over/{source}"), Some(source), minor)).await
}

/// A collection was booked into an escrow that ended before the chain could mint it there.
///
/// # Errors
/// As [`ended`].
pub async fn never_minted(tx: &mut Tx, app: &App, owner: &Owner, (source, minor): (Uuid, i64)) -> Result<()> {
    back(tx, app, owner, (format!("never_minted/{source}"), Some(source), minor)).await
}

async fn back(
    tx: &mut Tx,
    app: &App,
    owner: &Owner,
    (event, source, claim): (String, Option<Uuid>, i64),
) -> Result<()> {
    let Owner { book, escrow, employer } = owner.clone();
    send_out(tx, app, Surrender { book, escrow, owner: employer, event, claim }, Purpose::Refund { source })
        .await
}

/// Which collections so much of an escrow is to go back to, with each one's part; none for what the rail has
/// taken back.
///
/// # Errors
/// The database's.
pub async fn sources(tx: &mut Tx, escrow: &EscrowRef, minor: i64) -> Result<Vec<(Option<Uuid>, i64)>, Fault> {
    let brought = collection::of_escrow(tx, escrow.as_str()).await?;
    // What the chain never minted was not in what it gives back.
    let minted = brought.iter().filter(|row| row.status == "completed");
    let brought: Vec<_> = minted.map(|row| (row.id, row.to_escrow)).collect();
    // What the rail took back went back already: it stays the employer's, beside what they owe us for it.
    let gone = collection::gone(tx, escrow).await?;
    let mut parts = parts(&brought, minor);
    parts.retain(|(source, _)| source.is_none_or(|source| !gone.contains(&source)));
    Ok(parts)
}

/// Parts `minor` among what each deposit brought, in order; what none of them brought is nobody's in
/// particular.
fn parts(brought: &[(Uuid, i64)], minor: i64) -> Vec<(Option<Uuid>, i64)> {
    let (mut left, mut parts) = (minor, Vec::new());
    for (source, most) in brought {
        let part = left.min(*most);
        if part > 0 {
            parts.push((Some(*source), part));
            left -= part;
        }
    }
    parts.extend((left > 0).then_some((None, left)));
    parts
}

/// The number a collection came from, where it came in clear and its person was not forgotten.
///
/// # Errors
/// The database's.
pub(super) async fn payer(tx: &mut Tx, app: &App, source: Uuid) -> Result<Option<Msisdn>, Fault> {
    let Some(sealed) = collection::payer(tx, source).await? else { return Ok(None) };
    match app.privacy.open(tx, &sealed).await {
        Ok(bytes) => Ok(std::str::from_utf8(&bytes).ok().and_then(|text| Msisdn::parse(text).ok())),
        Err(Fault::Sealed(_)) => Ok(None),
        Err(fault) => Err(fault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_back_first_and_none_more_than_it_brought() {
        let [first, second, third] = [1, 2, 3].map(Uuid::from_u128);
        let brought = [(first, 300), (second, 0), (third, 200)];
        assert_eq!(parts(&brought, 500), [(Some(first), 300), (Some(third), 200)]);
        assert_eq!(parts(&brought, 250), [(Some(first), 250)]);
        assert_eq!(parts(&brought, 301), [(Some(first), 300), (Some(third), 1)]);
        assert_eq!(parts(&brought, 510), [(Some(first), 300), (Some(third), 200), (None, 10)]);
        assert_eq!(parts(&[], 10), [(None, 10)]);
        assert!(parts(&brought, 0).is_empty());
    }
}
