//! What needs a person: suspense, and everything that failed, with what to do next.
//!
//! Invariant: nothing here names a person. Payers are shown masked; what a payer typed is opened for ops
//! alone.

use amana_adapters::port::Msisdn;
use amana_ledger::chart::BookId;
use amana_ledger::money::decimal;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::listed;
use crate::app::App;
use crate::db::Tx;
use crate::error::{Fault, Result};
use crate::flows::store::{collection, odd, payout};
use crate::privacy::Sealed;
use crate::{inbox, outbox};

/// Money that came and nobody knows whose it is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Suspended {
    /// The collection.
    pub id: Uuid,
    /// The rail's receipt.
    pub receipt: String,
    /// Where it was paid to.
    pub shortcode: String,
    /// In decimals of the currency.
    pub amount: String,
    /// The currency.
    pub currency: String,
    /// What the payer typed as account number.
    pub typed_reference: Option<String>,
    /// The payer, masked.
    pub payer: Option<String>,
    /// Since when.
    pub since: DateTime<Utc>,
    /// What to do.
    pub next_action: &'static str,
}

/// What lies in suspense, oldest first, after the collection `after`.
///
/// # Errors
/// A fault.
pub async fn suspense(tx: &mut Tx, app: &App, after: Option<Uuid>, most: i64) -> Result<Vec<Suspended>> {
    let mut all = Vec::new();
    for row in collection::in_suspense(tx, after, most).await? {
        let book =
            BookId::parse(&row.book).map_err(|_| Fault::Stored(format!("book of collection {}", row.id)))?;
        all.push(Suspended {
            id: row.id,
            amount: decimal(book.asset(), row.amount),
            currency: book.asset().code().into(),
            typed_reference: open(tx, app, row.typed_ref.as_ref()).await?,
            payer: open(tx, app, row.payer.as_ref()).await?.map(|payer| masked(&payer)),
            receipt: row.receipt,
            shortcode: row.shortcode,
            since: row.booked_at,
            next_action: "match it to an escrow, or refund it to the number it came from",
        });
    }
    Ok(all)
}

/// A destroyed key means that the person was forgotten: the money stays, what they typed is gone.
pub(super) async fn open(
    tx: &mut Tx,
    app: &App,
    sealed: Option<&Sealed>,
) -> std::result::Result<Option<String>, Fault> {
    let Some(sealed) = sealed else { return Ok(None) };
    match app.privacy.open(tx, sealed).await {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(Fault::Sealed(_)) => Ok(None),
        Err(fault) => Err(fault),
    }
}

fn masked(payer: &str) -> String {
    match Msisdn::parse(payer) {
        Ok(phone) => phone.masked(),
        Err(_) if payer.contains('*') => payer.into(),
        Err(_) => "not shown".into(),
    }
}

/// Something that failed and waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Failure {
    /// Its row.
    pub id: Uuid,
    /// `callback`, `collection`, `listed`, `message`, `chain`, `payout`.
    pub kind: &'static str,
    /// What it is about.
    pub subject: String,
    /// What is wrong, in a word.
    pub what: String,
    /// And in more.
    pub reason: Option<String>,
    /// Since when.
    pub since: DateTime<Utc>,
    /// What to do.
    pub next_action: &'static str,
}

/// Everything that failed before `before`, newest first.
///
/// # Errors
/// A fault.
pub async fn failures(tx: &mut Tx, app: &App, before: DateTime<Utc>, most: i64) -> Result<Vec<Failure>> {
    let mut all = [outside(tx, app, before, most).await?, money_in(tx, before, most).await?].concat();
    for heard in inbox::odd(tx, before, most).await? {
        all.push(Failure {
            id: heard.id,
            kind: "callback",
            subject: heard.subject.unwrap_or(heard.source),
            next_action: match heard.verdict.as_str() {
                "wrong_shortcode" => "find out who registered our address for that shortcode",
                "unknown_question" => "find out who posts to addresses we did not give",
                "unknown_payout" => "ask the rail which payout it means",
                "stuck" => "read the log: judging it fails each time",
                _ => "compare it with the rail's statement",
            },
            what: heard.verdict,
            reason: heard.reason,
            since: heard.heard_at,
        });
    }
    all.extend(outbox::dead(tx, before, most).await?.into_iter().map(|dead| Failure {
        id: dead.id,
        kind: "message",
        subject: dead.subject,
        what: dead.kind,
        reason: dead.reason,
        since: dead.done_at,
        next_action: "reach the person another way",
    }));
    for event in odd::misfits(tx, before, most).await? {
        all.push(Failure {
            id: Uuid::nil(),
            kind: "chain",
            subject: event.tx_hash,
            what: event.kind,
            reason: Some(event.refused),
            since: event.closed_at,
            next_action: "find out who did this on chain; nothing was posted for it",
        });
    }
    for wish in odd::refused(tx, before, most).await? {
        all.push(Failure {
            id: wish.id,
            kind: "chain",
            subject: wish.about,
            what: wish.key,
            reason: wish.reason,
            since: wish.since,
            next_action: "read the escrow on chain and in its trace",
        });
    }
    for payout in payout::troubled(tx, before, most).await? {
        all.push(Failure {
            id: payout.id,
            kind: "payout",
            subject: payout.reference,
            next_action: match payout.status.as_str() {
                "failed" => "correct what the rail objects to, then retry it",
                "unknown" => "wait for the rail; if its statement shows nothing, retry it",
                _ => "move money into the payout rail's float, or see why the rail cannot be reached",
            },
            what: payout.status,
            reason: payout.reason,
            since: payout.updated_at,
        });
    }
    all.sort_by_key(|failure| std::cmp::Reverse(failure.since));
    all.truncate(usize::try_from(most).unwrap_or(0));
    Ok(all)
}

/// What the rail says otherwise about money that came, and rows of its lists nothing could be done about.
async fn money_in(tx: &mut Tx, before: DateTime<Utc>, most: i64) -> std::result::Result<Vec<Failure>, Fault> {
    let mut all = Vec::new();
    for odd in collection::odd(tx, before, most).await? {
        all.push(Failure {
            id: odd.id,
            kind: "collection",
            subject: odd.receipt,
            what: if odd.taken_back.is_some() { "taken_back" } else { "disputed" }.into(),
            next_action: match odd.taken_back {
                Some(_) => "recover it from whom it was credited to; its escrow goes on",
                None => "ask the rail: it lies in suspense, and may never have come",
            },
            reason: odd.said.or(odd.taken_back.map(|under| format!("under {under}"))),
            since: odd.booked_at,
        });
    }
    for odd in listed::store::odd(tx, before, most).await? {
        all.push(Failure {
            id: odd.id,
            kind: "listed",
            subject: odd.receipt,
            what: odd.verdict,
            reason: None,
            since: odd.seen_at,
            next_action: "compare the rail's row with what was booked for its receipt",
        });
    }
    Ok(all)
}

/// Tokens are made and unmade by the escrow contract alone; what a stranger burned is a break
/// `burned_outside`.
async fn outside(
    tx: &mut Tx,
    app: &App,
    before: DateTime<Utc>,
    most: i64,
) -> std::result::Result<Vec<Failure>, Fault> {
    let network = app.chain.network();
    let asset = app.config.book.asset();
    let failures =
        odd::outside(tx, &network.contract, before, most).await?.into_iter().map(|event| Failure {
            id: Uuid::nil(),
            kind: "chain",
            subject: event.tx_hash,
            what: if event.kind == "token_burn" { "burned_outside" } else { "minted_outside" }.into(),
            reason: Some(format!("{} {}", asset.code(), decimal(asset, event.amount))),
            since: event.closed_at,
            next_action: "book the difference with an auditor: the chain has other tokens than the ledger",
        });
    Ok(failures.collect())
}
