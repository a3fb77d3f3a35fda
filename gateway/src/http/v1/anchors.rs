//! `/v1/books/{book}/anchors`: where the chain keeps the book's checkpoints.
//!
//! Invariant: whoever reads this can ask the chain itself, or check the envelope offline; nothing here has to
//! be believed.

use amana_ledger::seal::{self, Anchor};
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::reads::most;
use crate::error::{Code, Refusal};
use crate::http::Shared;
use crate::http::body::{Part, Query};
use crate::http::page::{Page, PageQuery};
use crate::http::problem::Answer;

/// A checkpoint, and where the chain keeps it.
#[derive(Serialize, ToSchema)]
pub(crate) struct AnchorView {
    /// How many batches of the book's log it covers.
    size: u64,
    /// The Merkle root over them, hex.
    root: String,
    /// The contract that keeps it.
    contract: String,
    /// The transaction that wrote it down.
    tx_hash: String,
    /// The number of the chain's ledger.
    ledger: u64,
    /// When that ledger closed.
    at: DateTime<Utc>,
    /// The signed envelope (XDR, base64): shows offline that the operator said it.
    envelope: Option<String>,
}

/// Lists the book's checkpoints on the chain, newest first, to anybody.
#[utoipa::path(get, path = "/v1/books/{book}/anchors", tag = "books",
    params(("book" = String, Path), PageQuery), responses((status = 200, body = Page<AnchorView>)))]
pub(in crate::http) async fn anchors(
    State(app): State<Shared>,
    Part(book): Part,
    Query(page): Query<PageQuery>,
) -> Answer<Page<AnchorView>> {
    if book != app.config.book.as_str() {
        return Err(Refusal::new(Code::NotFound, "there is no such book here").into());
    }
    let (limit, before) = (page.limit()?, page.after(&app, "anchors")?);
    let mut tx = app.db.begin().await?;
    let rows = seal::anchors(&mut tx, &app.config.book, before, most(limit)).await?;
    Ok(Page::of(&app, "anchors", limit, rows, |row| row.size).map(shown))
}

fn shown(anchor: Anchor) -> AnchorView {
    let Anchor { size, root, contract, tx_hash, ledger, at, envelope } = anchor;
    AnchorView { size, root: root.into(), contract, tx_hash, ledger, at, envelope }
}
