//! Lists of payments, pulled from the rail or exported by its portal: what no confirmation brought is
//! collected from here, and what was taken back is found here.
//!
//! Invariant: a list is stored raw before it is read; a row is kept once and judged once, in a transaction of
//! its own, whichever list it stands in again. A statement whose balance does not follow is refused whole.
//! Absent: payouts, charges and transfers between the paybill's own accounts, which are kept and not matched.

pub(crate) mod store;
pub mod sweep;

use amana_adapters::mpesa::daraja::read_pulled;
use amana_adapters::mpesa::statement::{self, BadStatement, Kind, Row};
use amana_adapters::mpesa::{C2b, Payer};
use amana_ledger::id::uuid_v7;
use amana_ledger::money::Money;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::db::Tx;
use crate::error::{Error, Fault, Result};
use crate::flows::collection::{self, Door, Sighting, Verdict, reversed};
use crate::inbox::{self, Judged, Unjudged};

/// A row about to be kept.
struct New {
    line: i64,
    account: String,
    receipt: String,
    kind: Kind,
    reason: String,
    paid_in: i64,
    withdrawn: i64,
    balance: Option<i64>,
    at: Option<DateTime<Utc>>,
    linked: Option<String>,
    person: Person,
}

/// What of a row is personal; sealed under the key of the raw list.
#[derive(Default, Serialize, Deserialize)]
struct Person {
    payer: String,
    typed: String,
}

/// A statement that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Taken {
    /// The raw file as it is kept.
    pub id: Uuid,
    /// The paybill.
    pub shortcode: String,
    /// Which of its accounts.
    pub account: String,
    /// How many rows it has.
    pub rows: i32,
    /// How many of them no earlier one had.
    pub new_rows: i32,
}

/// Reads a pulled list and keeps its rows.
///
/// # Errors
/// The database's; the list is judged again later.
pub async fn take_pulled(tx: &mut Tx, app: &App, list: &Unjudged, raw: &[u8]) -> Result<Judged> {
    let pulled = match read_pulled(raw) {
        Ok(pulled) => pulled,
        Err(bad) => {
            return Ok(Judged { verdict: "unreadable", reason: Some(bad.to_string()), subject: None });
        }
    };
    let (mut line, mut bad) = (0, 0);
    for row in pulled.rows {
        line += 1;
        let Ok(row) = row else {
            bad += 1;
            continue;
        };
        let new = New {
            line,
            account: String::new(),
            receipt: row.receipt,
            kind: Kind::Collection,
            reason: row.kind.unwrap_or_default(),
            paid_in: row.money.minor(),
            withdrawn: 0,
            balance: None,
            at: row.at,
            linked: None,
            person: Person { payer: payer_text(&row.payer), typed: row.typed_ref },
        };
        keep(tx, app, ("pull", app.config.mpesa.shortcode.as_str(), list), new).await?;
    }
    let reason = (bad > 0).then(|| format!("{bad} of {line} rows do not read"));
    Ok(Judged { verdict: if bad > 0 { "unreadable" } else { "listed" }, reason, subject: None })
}

/// Reads a statement and keeps its rows, or says where it breaks.
///
/// # Errors
/// The database's; the statement is judged again later.
pub async fn take_statement(tx: &mut Tx, app: &App, list: &Unjudged, raw: Vec<u8>) -> Result<Judged> {
    let read = tokio::task::spawn_blocking(move || statement::read(&raw)).await;
    let read = read.map_err(|error| Fault::Stored(format!("reading a statement: {error}")))?;
    let unreadable = |reason: String| Judged { verdict: "unreadable", reason: Some(reason), subject: None };
    let statement = match read {
        Ok(statement) => statement,
        Err(bad @ BadStatement { .. }) => return Ok(unreadable(bad.to_string())),
    };
    let own = app.config.mpesa.shortcode.as_str();
    if statement.shortcode.as_deref().is_some_and(|named| named != own) {
        return Ok(unreadable("it is the statement of a paybill that is not ours".to_owned()));
    }
    let many = i32::try_from(statement.rows.len()).unwrap_or(i32::MAX);
    let account = statement.account;
    let mut new_rows = 0;
    // What did not complete moved nothing, and may complete in a later statement.
    for row in statement.rows.into_iter().filter(|row| row.completed) {
        let new = of_statement(row, &account);
        new_rows += i32::from(keep(tx, app, ("statement", own, list), new).await?);
    }
    let taken = Taken { id: list.id, shortcode: own.to_owned(), account, rows: many, new_rows };
    store::took(tx, &taken, app.clock.now()).await?;
    let reason = Some(format!("{new_rows} of {many} rows are new"));
    Ok(Judged { verdict: "listed", reason, subject: None })
}

fn of_statement(row: Row, account: &str) -> New {
    New {
        line: i64::try_from(row.line).unwrap_or(i64::MAX),
        account: account.to_owned(),
        receipt: row.receipt,
        kind: row.kind,
        reason: row.reason,
        paid_in: row.paid_in,
        withdrawn: row.withdrawn,
        balance: Some(row.balance),
        at: Some(row.at),
        linked: row.linked,
        person: Person { payer: payer_text(&row.party), typed: row.typed_ref },
    }
}

async fn keep(
    tx: &mut Tx,
    app: &App,
    (source, shortcode, list): (&str, &str, &Unjudged),
    new: New,
) -> Result<bool> {
    let person = list.seal_like(tx, app, &serde_json::to_vec(&new.person)?).await?;
    let row = store::New {
        id: uuid_v7(&*app.clock, &*app.rng),
        source,
        callback: list.id,
        line: new.line,
        shortcode,
        account: &new.account,
        receipt: &new.receipt,
        kind: new.kind.word(),
        reason: &new.reason,
        paid_in: new.paid_in,
        withdrawn: new.withdrawn,
        balance: new.balance,
        at: new.at,
        linked: new.linked.as_deref(),
        person,
        seen_at: app.clock.now(),
    };
    Ok(store::keep(tx, row).await?)
}

/// Takes the statement that was stored under this id, unless somebody has. What came of it: the statement, or
/// why it is refused.
///
/// # Errors
/// A fault.
pub async fn take_stored(app: &App, id: Uuid) -> Result<std::result::Result<Taken, String>> {
    let mut tx = app.db.begin().await?;
    if let Some(list) = inbox::unjudged(&mut tx, id).await? {
        let raw = list.raw(&mut tx, app).await?;
        let judged = take_statement(&mut tx, app, &list, raw).await?;
        inbox::judged(&mut tx, app, id, &judged).await?;
    }
    let taken = store::taken(&mut tx, id).await?;
    let reason = inbox::reason(&mut tx, id).await?;
    tx.commit().await?;
    Ok(taken.ok_or_else(|| reason.unwrap_or_else(|| "it does not read".to_owned())))
}

/// Judges the next row nobody has judged. `false` if there is none.
///
/// # Errors
/// A fault; the row is taken up again.
pub async fn next(app: &App) -> Result<bool> {
    let mut tx = app.db.begin().await?;
    let Some(row) = store::next_unjudged(&mut tx, app.clock.now()).await? else { return Ok(false) };
    match judge(&mut tx, app, &row).await {
        Ok(Some(verdict)) => {
            store::judged(&mut tx, row.id, verdict, app.clock.now()).await?;
            tx.commit().await?;
        }
        Ok(None) => {
            store::wait(&mut tx, row.id, app.clock.now()).await?;
            tx.commit().await?;
        }
        Err(trouble) => {
            drop(tx);
            let mut tx = app.db.begin().await?;
            store::put_back(&mut tx, row.id, app.clock.now()).await?;
            tx.commit().await?;
            let Error::Refused(no) = trouble else { return Err(trouble) };
            tracing::error!(receipt = row.receipt, code = ?no.code, reason = %no, "a listed row is refused");
        }
    }
    Ok(true)
}

/// The verdict in one word; none, if it has to wait for what it is about.
async fn judge(tx: &mut Tx, app: &App, row: &store::Row) -> Result<Option<&'static str>> {
    let asset = app.config.book.asset();
    match (row.kind.as_str(), Money::new(asset, row.paid_in), Money::new(asset, row.withdrawn)) {
        ("collection", Ok(money), _) => {
            let person = person(tx, app, row).await?;
            let heard = C2b {
                receipt: row.receipt.clone(),
                money,
                shortcode: None,
                typed_ref: person.typed,
                payer: Payer::read(&person.payer),
                at: row.at,
                kind: None,
                validation_id: None,
            };
            let door = if row.source == "pull" { Door::Pull } else { Door::Statement };
            let sighting = Sighting { door, callback: row.callback, own: None };
            let verdict = collection::seen(tx, app, sighting, &heard).await?;
            if !matches!(verdict, Verdict::Duplicate) {
                tracing::warn!(
                    receipt = row.receipt,
                    source = row.source,
                    verdict = verdict.word(),
                    "a list brought what no confirmation had"
                );
            }
            Ok(Some(verdict.word()))
        }
        ("reversal", _, Ok(money)) => match &row.linked {
            Some(original) => reversed::taken_back(tx, app, (original, &row.receipt), money).await,
            None => Ok(None),
        },
        _ => Ok(Some("noted")),
    }
}

async fn person(tx: &mut Tx, app: &App, row: &store::Row) -> Result<Person> {
    let Some(sealed) = &row.person else { return Ok(Person::default()) };
    match app.privacy.open(tx, sealed).await {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
        Err(Fault::Sealed(_)) => Ok(Person::default()),
        Err(fault) => Err(fault.into()),
    }
}

fn payer_text(payer: &Payer) -> String {
    match payer {
        Payer::Clear(phone) => phone.e164().to_owned(),
        Payer::Masked(text) | Payer::Hashed(text) | Payer::Other(text) => text.clone(),
    }
}
