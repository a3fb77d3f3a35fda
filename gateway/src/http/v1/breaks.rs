//! `/v1/breaks`: where ledger and chain do not agree.

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::reads::most;
use crate::error::Refusal;
use crate::http::Shared;
use crate::http::body::Query;
use crate::http::page::{Page, PageQuery};
use crate::http::problem::Answer;
use crate::recon::{self, Break};

/// Which breaks.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// `open` (if absent) or `all`: healed ones too.
    state: Option<String>,
}

/// Lists where ledger and chain do not agree, newest first. A break closes by itself when they agree again.
#[utoipa::path(get, path = "/v1/breaks", tag = "attention", params(Which, PageQuery),
    responses((status = 200, body = Page<Break>)))]
pub(in crate::http) async fn breaks(
    State(app): State<Shared>,
    Query(which): Query<Which>,
    Query(page): Query<PageQuery>,
) -> Answer<Page<Break>> {
    let all = match which.state.as_deref() {
        None | Some("open") => false,
        Some("all") => true,
        Some(_) => return Err(Refusal::field("state", "must be open or all").into()),
    };
    let list = format!("breaks:{all}");
    let (limit, before) = (page.limit()?, page.after(&app, &list)?);
    let mut tx = app.db.begin().await?;
    let rows = recon::breaks(&mut tx, &app, before, (all, most(limit))).await?;
    Ok(Page::of(&app, &list, limit, rows, |row| row.id))
}
