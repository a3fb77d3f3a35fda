//! `/v1/books/{book}/checkpoint`, `…/proofs/{transfer}`, `/v1/me/liability-proof`: what a stranger, an
//! auditor and a person can check without trusting us.
//!
//! Invariant: a caller sees the liabilities that are their own, and of others only sums.

use amana_ledger::chart::Account;
use amana_ledger::id::TransferId;
use amana_ledger::seal::{self, note::Signer};
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::app::App;
use crate::error::{Code, Fault, Refusal, Result};
use crate::flows::store::escrow;
use crate::http::Shared;
use crate::http::body::{Part, Parts};
use crate::http::problem::Answer;
use crate::people::session::Caller;

/// The newest checkpoint of a book.
#[derive(Serialize, ToSchema)]
pub(crate) struct CheckpointView {
    /// The book.
    book: String,
    /// The key that checks the note, as other tools write it.
    key: String,
    /// The signed note: how many batches the log has, and its root.
    note: String,
    /// When it was made.
    at: DateTime<Utc>,
    /// Where the chain keeps the newest one that is there.
    #[schema(value_type = Option<Object>)]
    anchor: Option<Value>,
}

/// A proof, and the key that checks it.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProofView {
    /// The book.
    book: String,
    /// The key that checks the note.
    key: String,
    /// The transfer, its path in its batch, and the batch's path in the log of the checkpoint.
    #[schema(value_type = Object)]
    proof: Value,
}

/// What is owed to the caller, inside what is owed to all.
#[derive(Serialize, ToSchema)]
pub(crate) struct LiabilityView {
    /// The book.
    book: String,
    /// The key that checks the note.
    key: String,
    /// Each account of the caller's to which something was owed: balance, salt, path to the signed total.
    #[schema(value_type = Vec<Object>)]
    inside: Vec<Value>,
}

/// Shows the newest checkpoint of a book, to anybody.
#[utoipa::path(get, path = "/v1/books/{book}/checkpoint", tag = "books",
    params(("book" = String, Path)), responses((status = 200, body = CheckpointView)))]
pub(in crate::http) async fn checkpoint(
    State(app): State<Shared>,
    Part(book): Part,
) -> Answer<Json<CheckpointView>> {
    let signer = signer(&app, &book)?;
    let mut tx = app.db.begin().await?;
    let newest = seal::newest(&mut tx, signer.book()).await?;
    let (note, at) = newest.ok_or_else(|| Refusal::new(Code::NotYet, "the book was not sealed yet"))?;
    let anchor = seal::newest_anchor(&mut tx, signer.book()).await?;
    let anchor = anchor.map(shown).transpose()?;
    Ok(Json(CheckpointView { book, key: signer.key().to_string(), note, at, anchor }))
}

/// Proves that a transfer is in the log of the newest checkpoint.
#[utoipa::path(get, path = "/v1/books/{book}/proofs/{transfer}", tag = "books",
    params(("book" = String, Path), ("transfer" = String, Path)),
    responses((status = 200, body = ProofView)))]
pub(in crate::http) async fn proof(
    State(app): State<Shared>,
    Parts(book, transfer): Parts,
) -> Answer<Json<ProofView>> {
    let signer = signer(&app, &book)?;
    let transfer: TransferId =
        transfer.parse().map_err(|_| Refusal::field("transfer", "is not a transfer's id"))?;
    let mut tx = app.db.begin().await?;
    let found = seal::included(&mut tx, signer.book(), transfer).await?;
    let found = found.ok_or_else(|| Refusal::new(Code::NotFound, "no checkpoint covers such a transfer"))?;
    Ok(Json(ProofView { book, key: signer.key().to_string(), proof: shown(found)? }))
}

/// Shows that what is owed to the caller is inside the signed total.
#[utoipa::path(get, path = "/v1/me/liability-proof", tag = "people",
    responses((status = 200, body = LiabilityView)))]
pub(in crate::http) async fn liability(
    State(app): State<Shared>,
    caller: Caller,
) -> Answer<Json<LiabilityView>> {
    let signer = signer(&app, app.config.book.as_str())?;
    let mut tx = app.db.begin().await?;
    let escrows = escrow::of_employer(&mut tx, caller.party).await?;
    let mut own: Vec<Account> = escrows.into_iter().map(Account::Escrow).collect();
    own.extend([Account::Employer(caller.party), Account::Employee(caller.party)]);
    let inside = seal::inside(&mut tx, signer, &own).await?;
    let inside = inside.into_iter().map(shown).collect::<Result<_>>()?;
    Ok(Json(LiabilityView { book: app.config.book.to_string(), key: signer.key().to_string(), inside }))
}

/// Who signs for the book, if it is ours and sealed at all.
fn signer<'a>(app: &'a App, book: &str) -> Result<&'a Signer> {
    let ours = app.signer.as_ref().filter(|signer| signer.book().as_str() == book);
    Ok(ours.ok_or_else(|| Refusal::new(Code::NotFound, "there is no such book here, or it is not sealed"))?)
}

fn shown(proof: impl Serialize) -> Result<Value> {
    Ok(serde_json::to_value(proof).map_err(|error| Fault::Stored(error.to_string()))?)
}
