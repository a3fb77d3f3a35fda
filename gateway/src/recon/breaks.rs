//! A pass of reconciliation: every escrow and the supply of a book's asset, ledger beside chain. A difference
//! is a break until a pass no longer finds it.
//!
//! Invariant: the two sides are of the same ledger. What the chain shows as of a ledger is laid beside what
//! was heard up to that ledger, after the index has come so far; our own rows are read in one snapshot. So
//! what is on its way is never a difference, however busy the house is. Nothing is put right here: a break
//! is for people.

use std::collections::HashMap;

use amana_adapters::stellar::{ChainFault, ChainOp, Effect, EscrowOnChain};
use amana_ledger::balance;
use amana_ledger::chart::Account;
use amana_ledger::id::{EscrowRef, uuid_v7};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::compare::{Accounts, Difference, Words};
use super::{proof, store};
use crate::app::App;
use crate::db::Tx;
use crate::error::{Error, Fault, Result};
use crate::events::{Actor, emit};
use crate::flows::index::walk::Walk;
use crate::flows::index::{self, known::Known};
use crate::flows::store::entries;

/// Minutes from one pass to the next.
const EVERY_MIN: i64 = 5;

/// Something on which ledger and chain do not agree, or did not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Break {
    /// Its row.
    pub id: Uuid,
    /// What it is called: `mint_without_posting`, `posting_without_mint`, `escrow_state_differs`, …
    #[schema(example = "mint_without_posting")]
    pub kind: String,
    /// What it is about: an escrow, a transaction, an account.
    pub subject: String,
    /// What our books say.
    pub ledger: String,
    /// What the chain says.
    pub chain: String,
    /// When a pass first found it.
    pub found_at: DateTime<Utc>,
    /// When a pass last found it.
    pub seen_at: DateTime<Utc>,
    /// When a pass no longer found it; absent while it is open.
    pub healed_at: Option<DateTime<Utc>>,
}

/// The breaks of our book, newest first, before the one named: open ones, or `all`.
///
/// # Errors
/// A fault.
pub async fn breaks(tx: &mut Tx, app: &App, before: Option<Uuid>, page: (bool, i64)) -> Result<Vec<Break>> {
    let rows = store::breaks(tx, &app.config.book, before, page).await?;
    let shown = rows.into_iter().map(|row| Break {
        id: row.id,
        kind: row.kind,
        subject: row.subject,
        ledger: row.ledger_side,
        chain: row.chain_side,
        found_at: row.found_at,
        seen_at: row.seen_at,
        healed_at: row.healed_at,
    });
    Ok(shown.collect())
}

/// What a pass found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// How many escrows it looked at.
    pub escrows: usize,
    /// All that is open after it.
    pub open: Vec<Difference>,
    /// The escrows whose story goes on and whose entries live: until which ledger.
    pub lives: Vec<(EscrowRef, u32)>,
}

/// Makes a pass if one is due. Of several processes one makes it.
///
/// # Errors
/// A fault; the next one is due at its time.
pub async fn pass_if_due(app: &App) -> Result<Option<Pass>> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let before = now - TimeDelta::minutes(EVERY_MIN);
    if !store::begin(&mut tx, &app.config.book, (now, before)).await? {
        return Ok(None);
    }
    tx.commit().await?;
    let made = pass(app).await?;
    if made.is_none() {
        tracing::warn!("no reconciliation: the index does not come to the newest ledger");
    }
    Ok(made)
}

/// An escrow as the chain shows it, as of a ledger.
type Shown = (u32, Option<EscrowOnChain>);

/// Lays ledger and chain beside each other, and opens and closes breaks. `None` if the index does not come so
/// far that they can be.
///
/// # Errors
/// A fault.
pub async fn pass(app: &App) -> Result<Option<Pass>> {
    let observer = app.chain.observer();
    let (mut newest, totals) = observer.totals().await.map_err(outside)?;
    let as_of = newest;
    let (mut pages, mut lives) = (Vec::new(), Vec::new());
    let mut walk = Walk::new(app, &observer);
    loop {
        let page = walk.next().await?;
        if page.is_empty() {
            break;
        }
        let mut shown: Vec<(EscrowRef, Option<Shown>)> = Vec::new();
        for (heard, entry) in page {
            // Each change is told by one event: what changed last in the ledger of which we heard last, and
            // always told what fits, is as it was told.
            let modified = entry.map_or(0, |entry| i64::from(entry.modified));
            let look = heard.is_odd || modified != heard.newest;
            let asked = match look {
                true => Some(observer.escrow(&heard.reference.key()).await.map_err(outside)?),
                false => None,
            };
            if let Some(entry) = entry.filter(|_| !heard.is_over) {
                lives.push((heard.reference.clone(), entry.live_until));
            }
            newest = newest.max(asked.as_ref().map_or(0, |(ledger, _)| *ledger));
            shown.push((heard.reference, asked));
        }
        pages.push(shown);
    }
    if !index::catch_up(app, newest).await? {
        return Ok(None);
    }
    let mut open = Vec::new();
    let mut snapshot = app.db.snapshot().await?;
    for page in &pages {
        open.extend(escrows(&mut snapshot, app, page).await?);
    }
    open.extend(book(&mut snapshot, app, (i64::from(as_of), totals.supply())).await?);
    drop(snapshot);
    let escrows = pages.iter().map(Vec::len).sum();
    keep(app, escrows, &open).await?;
    Ok(Some(Pass { escrows, open, lives }))
}

fn outside(fault: ChainFault) -> Error {
    Fault::Outside(fault.to_string()).into()
}

/// A page of escrows: what was told of each beside what is shown, and what the ledger holds in it.
async fn escrows(tx: &mut Tx, app: &App, page: &[(EscrowRef, Option<Shown>)]) -> Result<Vec<Difference>> {
    let words = Words(app.config.book.asset());
    let names: Vec<String> = page.iter().map(|(reference, _)| reference.to_string()).collect();
    let told = told(tx, &names, i64::MAX).await?;
    let funding = funding(tx, &names).await?;
    let accounts: Vec<Account> =
        page.iter().map(|(reference, _)| Account::Escrow(reference.clone())).collect();
    let balances = balance::balances(tx, &app.config.book, &accounts).await?;
    let mut found = Vec::new();
    for (((_, shown), name), balance) in page.iter().zip(&names).zip(&balances) {
        let known = told.get(name).cloned().unwrap_or_default();
        let minting = minting(&funding, name, &known);
        found.extend(words.of_balance(name, balance.posted(), (known.held(), minting)));
        if let Some((ledger, shown)) = shown {
            let then = self::told(tx, std::slice::from_ref(name), i64::from(*ledger)).await?;
            let then = then.get(name).cloned().unwrap_or_default();
            found.extend(words.of_escrow(name, &then, shown.as_ref()));
        }
    }
    Ok(found)
}

/// Deposits and amounts that were wished into escrows.
type Funding = HashMap<String, Vec<([u8; 32], i64)>>;

pub(super) async fn funding(tx: &mut Tx, names: &[String]) -> Result<Funding> {
    let mut funding = Funding::new();
    for (escrow, op) in entries::funding(tx, names).await? {
        if let ChainOp::Fund { deposit_id, amount, .. } = serde_json::from_value(op)? {
            funding.entry(escrow).or_default().push((deposit_id, amount.minor()));
        }
    }
    Ok(funding)
}

/// What was wished into an escrow and is not minted.
pub(super) fn minting(funding: &Funding, name: &str, known: &Known) -> i64 {
    let is_open = |(deposit, _): &&([u8; 32], i64)| !known.deposits.contains(deposit);
    funding.get(name).into_iter().flatten().filter(is_open).map(|(_, amount)| amount).sum()
}

pub(super) async fn told(tx: &mut Tx, names: &[String], until: i64) -> Result<HashMap<String, Known>> {
    let mut effects: HashMap<String, Vec<Effect>> = HashMap::new();
    for (escrow, effect) in entries::effects(tx, names, until).await? {
        effects.entry(escrow).or_default().push(serde_json::from_value(effect)?);
    }
    Ok(effects.into_iter().map(|(escrow, effects)| (escrow, Known::of(&effects))).collect())
}

/// The book's supply: accounts beside what was heard and wished, what was heard beside the contract's count.
async fn book(tx: &mut Tx, app: &App, (as_of, counted): (i64, i64)) -> Result<Vec<Difference>> {
    let words = Words(app.config.book.asset());
    let contract = &app.chain.network().contract;
    let lines = balance::trial_balance(tx, &app.config.book).await?.lines;
    let accounts: Accounts = proof::accounts(&lines);
    let sums = store::sums(tx, contract, as_of).await?;
    let mut found = words.of_book(&sums, &accounts, counted);
    found.extend(store::unposted(tx, as_of).await?.iter().map(|lonely| words.of_unposted(lonely, contract)));
    found.extend(store::untold(tx, as_of).await?.iter().map(|lonely| words.of_untold(lonely)));
    Ok(found)
}

/// Opens what is new, closes what is gone, and says both.
async fn keep(app: &App, escrows: usize, open: &[Difference]) -> Result<()> {
    let (book, now) = (&app.config.book, app.clock.now());
    let mut tx = app.db.begin().await?;
    for found in open {
        let id = uuid_v7(&*app.clock, &*app.rng);
        if store::see(&mut tx, (id, book), found, now).await? {
            tracing::error!(kind = found.kind, subject = found.subject, "ledger and chain differ");
            let body = json!({ "break": id, "kind": found.kind, "subject": found.subject,
                "ledger": found.ledger, "chain": found.chain });
            emit(&mut tx, app, Actor::Worker, (&format!("break/{id}"), "break.found"), body).await?;
        }
    }
    for healed in store::heal(&mut tx, book, now).await? {
        let body = json!({ "break": healed.id, "kind": healed.kind, "subject": healed.subject });
        emit(&mut tx, app, Actor::Worker, (&format!("break/{}", healed.id), "break.healed"), body).await?;
    }
    let counts = (i64::try_from(escrows).unwrap_or(0), i64::try_from(open.len()).unwrap_or(0));
    store::end(&mut tx, book, counts, now).await?;
    Ok(tx.commit().await?)
}
