//! `/v1/reports/…`: reports as JSON, as CSV for spreadsheets, and as a page to read and print.
//!
//! Invariant: the three show the same cells; amounts are decimals of the book's currency.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use amana_ledger::chart::Account;
use amana_ledger::export::csv_cell;
use amana_ledger::money::{Asset, decimal};
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, LINK};
use axum::response::{IntoResponse, Response};
use axum::{Json, http::HeaderMap};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::IntoParams;

use super::{camt, stamp};
use crate::error::Refusal;
use crate::http::Shared;
use crate::http::body::{Part, Query};
use crate::http::docs::escape;
use crate::http::page::{cursor, place};
use crate::http::problem::{Answer, Problem};
use crate::reports::{self, Ask, Cell, Name, Place, Report, When};

/// What is asked of a report. Instants are RFC 3339; a day alone is a day in UTC, from its beginning, or up
/// to its end.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// For a stretch of time: what happened from here on; the first of the month of `as_of` if absent.
    from: Option<String>,
    /// What happened before this instant, or by the end of this day; now if absent.
    as_of: Option<String>,
    /// As far as the book had heard by then; now if absent.
    known_at: Option<String>,
    /// Of which account: for a statement.
    account: Option<String>,
    /// `json` (if absent), `csv`, `html`, or for a statement `camt.053` (ISO 20022).
    format: Option<String>,
    /// How many rows at most where there may be many, 1 to 10,000; 1,000 if absent.
    limit: Option<u16>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

const MOST: u16 = 10_000;

/// Lists the reports there are.
#[utoipa::path(get, path = "/v1/reports", tag = "books", responses((status = 200, body = Object)))]
pub(in crate::http) async fn list() -> Json<Value> {
    let about = |name: Name| json!({"report": name.word(), "title": name.title(), "spans": name.spans()});
    Json(json!({"data": Name::ALL.map(about)}))
}

/// Makes a report.
#[utoipa::path(get, path = "/v1/reports/{name}", tag = "books", params(("name" = String, Path), Asked),
    responses((status = 200, body = Object)))]
pub(in crate::http) async fn report(
    State(app): State<Shared>,
    Part(name): Part,
    Query(asked): Query<Asked>,
) -> Answer<Response> {
    let name: Name = name.parse().map_err(|()| Problem::no_such_path())?;
    let words = "must be json, csv or html; of a statement also camt.053";
    let show: Show = match asked.format.as_deref() {
        None | Some("json") => show_json,
        Some("csv") => show_csv,
        Some("html") => show_html,
        Some("camt.053") if name == Name::Statement => show_camt,
        Some(_) => return Err(Refusal::field("format", words).into()),
    };
    let account = asked.account.as_deref().map(Account::parse).transpose();
    let account = account.map_err(|_| Refusal::field("account", "is not an account of the chart"))?;
    let limit = asked.limit.unwrap_or(1_000);
    if !(1..=MOST).contains(&limit) {
        return Err(Refusal::field("limit", format!("must be 1 to {MOST}")).into());
    }
    // A cursor goes on with the report it came from, and with no other.
    let list = format!("report:{}:{account:?}", name.word());
    let going = asked.cursor.as_deref().map(|text| place(&app, &list, text)).transpose()?;
    let (when, after) = match going {
        Some(Going(when, after)) => (when, Some(after)),
        None => (when(&asked, app.clock.now())?, None),
    };
    let ask = Ask { when, account, after, limit };
    let report = reports::make(&app, name, &ask).await?;
    let next = report.next.clone().map(|next| cursor(&app, &list, &Going(when, next).to_string()));
    if next.is_some() && asked.format.as_deref() == Some("camt.053") {
        return Err(Refusal::field("limit", "is too small: a camt.053 is a whole statement").into());
    }
    Ok(show(&report, &ask, next))
}

/// How a report is shown.
type Show = fn(&Report, &Ask, Option<String>) -> Response;

/// Where a page ended, and of which time it was: the pages of a report are of one moment.
struct Going(When, Place);

impl fmt::Display for Going {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let When { from, as_of, known_at } = self.0;
        let [from, as_of, known_at] = [from, as_of, known_at].map(|at| at.timestamp_micros());
        write!(f, "{from}/{as_of}/{known_at}/{}", self.1)
    }
}

impl FromStr for Going {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let parts: Vec<&str> = text.splitn(4, '/').collect();
        let [from, as_of, known_at, place] = parts[..] else { return Err(()) };
        let at = |text: &str| DateTime::from_timestamp_micros(text.parse().ok()?);
        let read = |text| at(text).ok_or(());
        Ok(Self(When { from: read(from)?, as_of: read(as_of)?, known_at: read(known_at)? }, place.parse()?))
    }
}

fn when(asked: &Asked, now: DateTime<Utc>) -> Result<When, Refusal> {
    let now = now + TimeDelta::seconds(1);
    let as_of = instant("as_of", asked.as_of.as_deref(), true)?.unwrap_or(now);
    let known_at = instant("known_at", asked.known_at.as_deref(), true)?.unwrap_or(now);
    let month = || {
        // The month of the last moment asked for.
        let last = (as_of - TimeDelta::microseconds(1)).date_naive();
        chrono::Datelike::with_day(&last, 1).unwrap_or(last).and_time(NaiveTime::MIN).and_utc()
    };
    let from = instant("from", asked.from.as_deref(), false)?.unwrap_or_else(month);
    if from > as_of {
        return Err(Refusal::field("from", "is after as_of"));
    }
    Ok(When { from, as_of, known_at })
}

/// An instant, or a day: its beginning, or (`end`) the beginning of the next one.
fn instant(field: &str, text: Option<&str>, end: bool) -> Result<Option<DateTime<Utc>>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let bad = || Refusal::field(field, "must be an instant (2026-09-30T21:00:00Z) or a day (2026-09-30)");
    if let Ok(day) = text.parse::<NaiveDate>() {
        let day = if end { day.checked_add_days(Days::new(1)).ok_or_else(bad)? } else { day };
        return known(day.and_time(NaiveTime::MIN).and_utc()).map(Some).ok_or_else(bad);
    }
    let instant = DateTime::parse_from_rfc3339(text).map_err(|_| bad())?;
    known(instant.with_timezone(&Utc)).map(Some).ok_or_else(bad)
}

/// Within the years a book may know of.
fn known(at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    (1970..=9999).contains(&chrono::Datelike::year(&at)).then_some(at)
}

fn text(asset: Asset, cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => text.clone(),
        Cell::Money(minor) => money(asset, *minor),
        Cell::Count(count) => count.to_string(),
        Cell::At(at) => stamp(*at),
        Cell::Is(true) => "yes".into(),
        Cell::Is(false) => "no".into(),
        Cell::Nothing => String::new(),
    }
}

/// A sum beyond what one account can hold is still a sum, so it is shown as one.
fn money(asset: Asset, minor: i128) -> String {
    i64::try_from(minor).map_or_else(|_| format!("{minor} minor units"), |minor| decimal(asset, minor))
}

fn show_json(report: &Report, _: &Ask, next: Option<String>) -> Response {
    let asset = report.asset();
    let value = |cell: &Cell| match cell {
        Cell::Count(count) => json!(count),
        Cell::Is(is) => json!(is),
        Cell::Nothing => Value::Null,
        other => json!(text(asset, other)),
    };
    let row = |row: &Vec<Cell>| {
        let pairs = report.columns.iter().zip(row).map(|((key, _), cell)| ((*key).to_owned(), value(cell)));
        Value::Object(pairs.collect())
    };
    let totals: Map<String, Value> =
        report.totals.iter().map(|(key, _, sum)| ((*key).to_owned(), json!(money(asset, *sum)))).collect();
    let mut shown = json!({
        "report": report.name.word(),
        "title": report.name.title(),
        "book": report.book.as_str(),
        "currency": asset.code(),
        "as_of": stamp(report.when.as_of),
        "known_at": stamp(report.when.known_at),
        "rows": report.rows.iter().map(row).collect::<Vec<_>>(),
        "totals": totals,
        "agrees": report.agrees,
        "has_more": next.is_some(),
        "next_cursor": next,
    });
    if report.name.spans() {
        shown["from"] = json!(stamp(report.when.from));
    }
    Json(shown).into_response()
}

/// One line of names, one a row; what it adds up to is for the reader's own program to see.
fn show_csv(report: &Report, _: &Ask, next: Option<String>) -> Response {
    let asset = report.asset();
    let names: Vec<&str> = report.columns.iter().map(|(key, _)| *key).collect();
    let mut out = names.join(",") + "\r\n";
    for row in &report.rows {
        let cells: Vec<String> = row
            .iter()
            .map(|cell| match cell {
                // A negative amount is no formula.
                Cell::Money(minor) => money(asset, *minor),
                other => csv_cell(&text(asset, other)),
            })
            .collect();
        out += &cells.join(",");
        out += "\r\n";
    }
    let name = format!("attachment; filename=\"{}.csv\"", report.name.word());
    let mut headers = HeaderMap::new();
    let mut put = |name, value: String| {
        if let Ok(value) = value.parse() {
            headers.insert(name, value);
        }
    };
    put(CONTENT_TYPE, "text/csv; charset=utf-8; header=present".into());
    put(CONTENT_DISPOSITION, name);
    if let Some(next) = next {
        put(LINK, format!("<?cursor={next}>; rel=\"next\""));
    }
    (headers, out).into_response()
}

/// For people: seconds are enough of a time, and both ends of an id.
fn show_html(report: &Report, _: &Ask, next: Option<String>) -> Response {
    let asset = report.asset();
    let (name, title) = (report.name.word().replace('-', " "), report.name.title());
    let mut out = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>{name}</title>\
         <link rel=stylesheet href=/docs.css><body class=wide><h1>{name}</h1><p>{title}.</p><p>{} in {}, ",
        escape(report.book.as_str()),
        asset.code()
    );
    // Writing to a String cannot fail; so for all below.
    if report.name.spans() {
        let _ = write!(out, "from {} ", second(report.when.from));
    }
    let _ = write!(
        out,
        "as of {}, as known at {} (UTC).</p>",
        second(report.when.as_of),
        second(report.when.known_at)
    );
    match report.agrees {
        Some(true) => out += "<p class=good>Everything agrees.</p>",
        Some(false) => out += "<p class=bad>Something does not agree.</p>",
        None => {}
    }
    let is_number = |cell: &Cell| matches!(cell, Cell::Money(_) | Cell::Count(_));
    out += "<table><thead><tr>";
    for (at, (_, heading)) in report.columns.iter().enumerate() {
        let number = report.rows.iter().any(|row| is_number(&row[at]));
        let _ = write!(out, "<th{}>{heading}</th>", if number { " class=number" } else { "" });
    }
    out += "</tr></thead><tbody>";
    for row in &report.rows {
        out += if row.last() == Some(&Cell::Is(false)) { "<tr class=bad>" } else { "<tr>" };
        for (cell, (key, _)) in row.iter().zip(report.columns) {
            let shown = match cell {
                Cell::At(at) => second(*at),
                Cell::Text(id) if *key == "transfer" => ends(id),
                other => text(asset, other),
            };
            let class = if is_number(cell) { " class=number" } else { "" };
            let _ = write!(out, "<td{class}>{}</td>", escape(&shown));
        }
        out += "</tr>";
    }
    out += "</tbody></table><dl>";
    for (_, heading, sum) in &report.totals {
        let _ = write!(out, "<dt>{heading}</dt><dd>{}</dd>", money(asset, *sum));
    }
    out += "</dl>";
    if next.is_some() {
        out += "<p>There is more: ask for a larger limit, or for JSON, which is paged.</p>";
    }
    ([(CONTENT_TYPE, "text/html; charset=utf-8")], out).into_response()
}

fn second(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}

fn ends(id: &str) -> String {
    match (id.get(..8), id.get(id.len().saturating_sub(4)..)) {
        (Some(begin), Some(end)) => format!("{begin}…{end}"),
        _ => id.to_owned(),
    }
}

fn show_camt(report: &Report, ask: &Ask, _: Option<String>) -> Response {
    let document =
        ask.account.as_ref().and_then(|account| camt::statement(report, account, ask.when.known_at));
    match document {
        Some(xml) => ([(CONTENT_TYPE, "application/xml; charset=utf-8")], xml).into_response(),
        None => Problem::no_such_path().into_response(),
    }
}
