//! All that a batch refers to, read in at most one statement each, whatever the number of transfers; and only
//! what is not known already.
//!
//! Invariant: what was known before is not read again, except what may have changed behind an owner's back
//! without a new batch, which is nothing. Absent: execution.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Fault, read};
use crate::batch::{Head, Known, Map, Original, Set};
use crate::chart::{Account, BookId};
use crate::hold::Hold;
use crate::id::TransferId;
use crate::transfer::{HoldAct, Transfer};

/// Fills in what the transfers refer to. Ids above `horizon` are in `known` if they landed at all, so that
/// new ones, which are minted in order of time, cost no look-up.
pub(crate) async fn know(
    conn: &mut PgConnection,
    book: &BookId,
    (head, horizon): (&Head, Option<Uuid>),
    known: &mut Known,
    (transfers, at): (&[&Transfer], DateTime<Utc>),
) -> Result<(), Fault> {
    heard(conn, head, horizon, known, transfers).await?;

    let held: Vec<Uuid> = transfers.iter().copied().filter_map(hold_of).collect();
    known.holds = if held.is_empty() { Map::default() } else { read::holds(conn, head.book, &held).await? };
    known.to_reverse = transfers.iter().filter_map(|transfer| transfer.reverses).collect();
    let reversed: Vec<Uuid> = known.to_reverse.iter().map(|of| of.0).collect();
    known.originals = if reversed.is_empty() {
        Map::default()
    } else {
        read::originals(conn, book, head, &reversed).await?
    };
    let facts: Vec<_> = transfers.iter().filter_map(|transfer| transfer.external.as_ref()).collect();
    known.externals =
        if facts.is_empty() { HashMap::new() } else { read::externals(conn, head.book, &facts).await? };

    let missing: Vec<&Account> = touched(transfers, &known.holds, &known.originals)
        .into_iter()
        .filter(|account| !known.accounts.contains_key(account))
        .collect();
    if !missing.is_empty() {
        let read = read::accounts(conn, head, &missing, at).await?;
        known.accounts.extend(read);
    }
    Ok(())
}

/// Which keys and ids were heard before.
async fn heard(
    conn: &mut PgConnection,
    head: &Head,
    horizon: Option<Uuid>,
    known: &mut Known,
    transfers: &[&Transfer],
) -> Result<(), Fault> {
    let old = |id: &Uuid| horizon.is_some_and(|horizon| *id <= horizon);
    // A key that reads as an id may name a transfer that has no key but its id.
    let keyed = transfers.iter().filter_map(|transfer| transfer.key.as_ref());
    let keys: Vec<&str> = keyed.map(|key| key.as_str()).collect();
    let named = keys.iter().filter_map(|key| Uuid::try_parse(key).ok());
    let ids = transfers.iter().map(|transfer| transfer.id.0).chain(named).filter(old);
    let ids: Vec<Uuid> = ids.filter(|id| !known.ids.contains_key(&TransferId(*id))).collect();
    if keys.is_empty() && ids.is_empty() {
        return Ok(());
    }
    for (key, landed) in read::landed(conn, head.book, &keys, &ids).await? {
        known.ids.insert(landed.id, landed);
        if let Some(key) = key {
            known.keys.insert(key, landed);
        }
    }
    for key in transfers.iter().filter_map(|transfer| transfer.key.as_ref()) {
        let named = Uuid::try_parse(key.as_str()).ok().and_then(|id| known.ids.get(&TransferId(id)));
        if let Some(landed) = named.filter(|landed| !landed.keyed) {
            known.keys.insert(key.clone(), *landed);
        }
    }
    Ok(())
}

fn hold_of(transfer: &Transfer) -> Option<Uuid> {
    match transfer.hold {
        Some(HoldAct::Settle { hold, .. } | HoldAct::Void { hold } | HoldAct::Expire { hold }) => {
            Some(hold.0)
        }
        Some(HoldAct::Open { .. }) | None => None,
    }
}

fn touched<'a>(
    transfers: &[&'a Transfer],
    holds: &'a Map<TransferId, Hold>,
    originals: &'a Map<TransferId, Original>,
) -> Set<&'a Account> {
    let opened = transfers.iter().filter_map(|transfer| match &transfer.hold {
        Some(HoldAct::Open { posting, .. }) => Some(posting),
        _ => None,
    });
    let posted = transfers.iter().flat_map(|transfer| &transfer.postings);
    let turned = originals.values().flat_map(|original| &original.posted);
    let postings = posted.chain(opened).chain(turned).flat_map(|posting| [&posting.debit, &posting.credit]);
    let held = holds.values().flat_map(|hold| [&hold.debit, &hold.credit]);
    postings.chain(held).collect()
}
