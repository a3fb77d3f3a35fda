//! `/v1/books/{book}/export`: the journal for other programs, as a stream.
//!
//! Invariant: between two pieces no connection to the database is held, so a slow reader keeps nobody
//! waiting; and a stream that fails breaks off, so that half a journal is never taken for a whole one.

use amana_ledger::export::{Export, Format, Range};
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use chrono::NaiveDate;
use futures_util::stream;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::error::{Code, Fault, Refusal};
use crate::http::Shared;
use crate::http::body::{Part, Query};
use crate::http::problem::Answer;

/// What is wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// `hledger`, `beancount`, `ndjson` or `csv`.
    format: Option<String>,
    /// The first day (UTC) on which the book heard: 2026-09-01; its first if absent.
    from: Option<String>,
    /// The last day, included; the newest batch if absent.
    to: Option<String>,
}

/// Streams a book's journal. Dates inside are when things happened; days that are over give the same bytes
/// for ever.
#[utoipa::path(get, path = "/v1/books/{book}/export", tag = "books",
    params(("book" = String, Path), Wanted),
    responses((status = 200, description = "The journal", body = String, content_type = "text/plain")))]
pub(in crate::http) async fn export(
    State(app): State<Shared>,
    Part(book): Part,
    Query(wanted): Query<Wanted>,
) -> Answer<Response> {
    let format: Format = match wanted.format.as_deref().map(str::parse) {
        Some(Ok(format)) => format,
        _ => return Err(Refusal::field("format", "must be hledger, beancount, ndjson or csv").into()),
    };
    let range = Range { from: day("from", wanted.from)?, to: day("to", wanted.to)? };
    if range.from.is_some_and(|from| range.to.is_some_and(|to| from > to)) {
        return Err(Refusal::field("to", "is before from").into());
    }
    let missing = || Refusal::new(Code::NotFound, "there is no such book here");
    if book != app.config.book.as_str() {
        return Err(missing().into());
    }
    let export = Export::begin(&mut *app.db.begin().await?, &app.config.book, range, format).await?;
    let export = export.ok_or_else(missing)?;
    let name = format!("attachment; filename=\"{}.{}\"", book.replace(':', "-"), format.extension());
    let pieces = stream::try_unfold((app, export), |(app, export)| async {
        next(app, export).await.inspect_err(|fault| tracing::error!("an export broke off: {fault}"))
    });
    let headers = [(CONTENT_TYPE, format.media_type().to_owned()), (CONTENT_DISPOSITION, name)];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

async fn next(app: Shared, mut export: Export) -> Result<Option<(String, (Shared, Export))>, Fault> {
    let mut tx = app.db.begin().await?;
    let piece = export.next(&mut tx).await?;
    drop(tx);
    Ok(piece.map(|piece| (piece, (app, export))))
}

fn day(field: &str, text: Option<String>) -> Result<Option<NaiveDate>, Refusal> {
    let read = |text: String| text.parse().map_err(|_| Refusal::field(field, "must be a day: 2026-09-01"));
    text.map(read).transpose()
}
