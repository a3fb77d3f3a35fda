//! `/v1/ledger/…`: the trial balance, and an account's statement, page by page.
//!
//! Invariant: amounts are decimals of the book's currency on the account's normal side.

mod camt;
pub(in crate::http) mod export;
pub(in crate::http) mod reports;
pub(in crate::http) mod rules;

use std::fmt;
use std::str::FromStr;

use amana_ledger::balance::{self, Cursor, Wanted};
use amana_ledger::chart::{Account, Side};
use amana_ledger::money::{Asset, decimal};
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::Refusal;
use crate::http::Shared;
use crate::http::body::{Part, Query};
use crate::http::page::{PageQuery, cursor};
use crate::http::problem::Answer;

/// An account and what stands on it.
#[derive(Serialize, ToSchema)]
pub(crate) struct BalanceView {
    /// Its path: `float:mpesa:600111`.
    account: String,
    /// The side on which it grows.
    side: &'static str,
    /// All that was debited.
    debits: String,
    /// All that was credited.
    credits: String,
    /// What stands there.
    balance: String,
    /// What of that is held.
    held: String,
}

/// Every account of the book, and the two sums that must be one.
#[derive(Serialize, ToSchema)]
pub(crate) struct TrialBalanceView {
    /// The book.
    book: String,
    /// Its currency.
    currency: &'static str,
    /// The accounts, in order of path.
    accounts: Vec<BalanceView>,
    /// Sum of the balances on the debit side.
    debits: String,
    /// Sum of the balances on the credit side.
    credits: String,
    /// Whether the sums are one.
    balanced: bool,
}

/// One line of a statement.
#[derive(Serialize, ToSchema)]
pub(crate) struct LineView {
    /// The posting's number in the book.
    no: i64,
    /// Its transfer.
    transfer: String,
    /// The business event.
    event: String,
    /// The account on the other side.
    other: String,
    /// On which side this account stands.
    side: &'static str,
    /// How much.
    amount: String,
    /// `post`, `settle`, `hold`, `void`.
    phase: &'static str,
    /// When it happened in the world.
    effective_at: DateTime<Utc>,
    /// When the book heard of it.
    recorded_at: DateTime<Utc>,
    /// What stands there after it.
    balance: String,
}

/// What happened to an account.
#[derive(Serialize, ToSchema)]
pub(crate) struct StatementView {
    /// Its path.
    account: String,
    /// Its book.
    book: String,
    /// What stood there before.
    opening: String,
    /// What happened, in the order asked for.
    lines: Vec<LineView>,
    /// What stood there after.
    closing: String,
    /// Where the next page begins; null on the last.
    next_cursor: Option<String>,
    /// Whether there is a next page.
    has_more: bool,
}

/// Between which instants.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Span {
    /// From this instant (RFC 3339); 31 days ago if absent.
    from: Option<DateTime<Utc>>,
    /// Up to, not including, this instant; now if absent.
    to: Option<DateTime<Utc>>,
    /// `oldest` (if absent) or `newest`: which lines come first.
    first: Option<String>,
}

/// A cursor's place in a list: number and balance.
struct Place(Cursor);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0.no, self.0.balance)
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (no, balance) = text.split_once('/').ok_or(())?;
        let read = |text: &str| text.parse().map_err(|_| ());
        Ok(Self(Cursor { no: read(no)?, balance: read(balance)? }))
    }
}

/// Shows every account of the book and that they balance.
#[utoipa::path(get, path = "/v1/ledger/trial-balance", tag = "books",
    responses((status = 200, body = TrialBalanceView)))]
pub(in crate::http) async fn trial_balance(State(app): State<Shared>) -> Answer<Json<TrialBalanceView>> {
    let book = &app.config.book;
    let mut tx = app.db.begin().await?;
    let trial = balance::trial_balance(&mut tx, book).await?;
    let asset = trial.asset;
    let accounts = trial.lines.iter().map(|line| BalanceView {
        account: line.account.path(),
        side: side(line.side()),
        debits: decimal(asset, line.totals.debits_posted),
        credits: decimal(asset, line.totals.credits_posted),
        balance: decimal(asset, line.posted()),
        held: decimal(asset, line.held()),
    });
    Ok(Json(TrialBalanceView {
        book: book.to_string(),
        currency: asset.code(),
        accounts: accounts.collect(),
        debits: wide(asset, trial.debits),
        credits: wide(asset, trial.credits),
        balanced: trial.debits == trial.credits,
    }))
}

/// Shows what happened to an account, a page at a time.
#[utoipa::path(get, path = "/v1/ledger/accounts/{path}/statement", tag = "books",
    params(("path" = String, Path), Span, PageQuery),
    responses((status = 200, body = StatementView)))]
pub(in crate::http) async fn statement(
    State(app): State<Shared>,
    Part(path): Part,
    Query(span): Query<Span>,
    Query(page): Query<PageQuery>,
) -> Answer<Json<StatementView>> {
    let account =
        Account::parse(&path).map_err(|_| Refusal::field("path", "is not an account of the chart"))?;
    let to = span.to.unwrap_or_else(|| app.clock.now() + TimeDelta::seconds(1));
    let from = span.from.or_else(|| to.checked_sub_signed(TimeDelta::days(31)));
    let from = from.ok_or_else(|| Refusal::field("to", "is before the beginning of time"))?;
    let newest_first = match span.first.as_deref() {
        None | Some("oldest") => false,
        Some("newest") => true,
        Some(_) => return Err(Refusal::field("first", "must be oldest or newest").into()),
    };
    // A cursor of one account, or of one direction, is none of another's.
    let list = format!("statement:{path}:{newest_first}");
    let beyond = page.after::<Place>(&app, &list)?.map(|place| place.0);
    let limit = u32::try_from(page.limit()?).unwrap_or(u32::MAX);
    let book = &app.config.book;
    let mut tx = app.db.begin().await?;
    let wanted = Wanted { from, to, newest_first, beyond, limit };
    let statement = balance::page(&mut tx, book, &account, &wanted).await?;
    let asset = book.asset();
    let lines = statement.lines.into_iter().map(|line| LineView {
        no: line.no,
        transfer: line.transfer.to_string(),
        event: line.event.word().to_string(),
        other: line.other.path(),
        side: side(line.side),
        amount: decimal(asset, line.amount.minor()),
        phase: line.phase,
        effective_at: line.effective_at,
        recorded_at: line.recorded_at,
        balance: decimal(asset, line.balance),
    });
    Ok(Json(StatementView {
        account: account.path(),
        book: book.to_string(),
        opening: decimal(asset, statement.opening),
        lines: lines.collect(),
        closing: decimal(asset, statement.closing),
        has_more: statement.next.is_some(),
        next_cursor: statement.next.map(|next| cursor(&app, &list, &Place(next).to_string())),
    }))
}

fn side(side: Side) -> &'static str {
    match side {
        Side::Debit => "debit",
        Side::Credit => "credit",
    }
}

/// A sum over a whole book. Beyond what one account can hold it is still a sum, so it is shown as one.
fn wide(asset: Asset, minor: i128) -> String {
    i64::try_from(minor).map_or_else(|_| format!("{minor} minor units"), |minor| decimal(asset, minor))
}

/// An instant as it is written in reports.
fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
