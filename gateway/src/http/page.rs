//! Pages of a list: `{data, next_cursor, has_more}`.
//!
//! Invariant: a cursor is a place in the list, not a count, so rows that arrive meanwhile move nothing; it
//! is opaque and signed for its list, so nobody can aim it.

use axum::Json;
use axum::http::HeaderValue;
use axum::http::header::LINK;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::error::Refusal;

/// Which page.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// How many rows at most, 1 to 100; 20 if absent.
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// The rows.
    pub data: Vec<T>,
    /// Where the next page begins; null on the last.
    pub next_cursor: Option<String>,
    /// Whether there is a next page.
    pub has_more: bool,
    /// How many rows were asked for.
    #[serde(skip)]
    limit: usize,
}

impl PageQuery {
    /// How many rows are wanted.
    pub(super) fn limit(&self) -> Result<usize, Refusal> {
        match self.limit.unwrap_or(20) {
            limit @ 1..=100 => Ok(limit.unsigned_abs() as usize),
            _ => Err(Refusal::field("limit", "must be 1 to 100")),
        }
    }

    /// After which place, in the list named `list`.
    pub(super) fn after<T: std::str::FromStr>(&self, app: &App, list: &str) -> Result<Option<T>, Refusal> {
        self.cursor.as_ref().map(|cursor| place(app, list, cursor)).transpose()
    }
}

/// The place a cursor of the list named `list` leads to.
pub(super) fn place<T: std::str::FromStr>(app: &App, list: &str, cursor: &str) -> Result<T, Refusal> {
    let bad = || Refusal::field("cursor", "is not a cursor of this list");
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).map_err(|_| bad())?;
    let (mark, place) = bytes.split_at_checked(MARK).ok_or_else(bad)?;
    if aws_lc_rs::constant_time::verify_slices_are_equal(mark, &signature(app, list, place)).is_err() {
        return Err(bad());
    }
    let place = std::str::from_utf8(place).map_err(|_| bad())?;
    place.parse().map_err(|_| bad())
}

impl<T> Page<T> {
    /// A page out of one row more than `limit`, if there are so many; `place` says where a row stands in the
    /// list.
    pub(super) fn of<P: ToString>(
        app: &App,
        list: &str,
        limit: usize,
        mut rows: Vec<T>,
        place: impl Fn(&T) -> P,
    ) -> Self {
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor =
            rows.last().filter(|_| has_more).map(|row| cursor(app, list, &place(row).to_string()));
        Page { data: rows, next_cursor, has_more, limit }
    }

    /// The same page with other rows.
    pub(super) fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        let data = self.data.into_iter().map(change).collect();
        Page { data, next_cursor: self.next_cursor, has_more: self.has_more, limit: self.limit }
    }
}

impl<T: Serialize> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        // Relative to the page asked for, so it is right behind any proxy.
        let next = self
            .next_cursor
            .as_ref()
            .map(|cursor| format!("<?limit={}&cursor={cursor}>; rel=\"next\"", self.limit));
        let mut response = Json(self).into_response();
        if let Some(Ok(link)) = next.map(HeaderValue::try_from) {
            response.headers_mut().insert(LINK, link);
        }
        response
    }
}

const MARK: usize = 16;

/// A cursor to a place in the list named `list`.
pub(super) fn cursor(app: &App, list: &str, place: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode([&signature(app, list, place.as_bytes()), place.as_bytes()].concat())
}

fn signature(app: &App, list: &str, place: &[u8]) -> [u8; MARK] {
    let mut mark = [0; MARK];
    mark.copy_from_slice(&app.privacy.blind(&format!("cursor:{list}"), place)[..MARK]);
    mark
}
