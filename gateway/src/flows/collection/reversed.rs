//! A payment the rail took back: nobody tells us, a statement shows it.
//!
//! Invariant: it is posted once, under the receipt of the taking back. What still lay in suspense leaves it;
//! what was credited is owed to us by whom it was credited to, and people are told: no escrow is touched, as
//! its money may be anybody's by now.

use amana_ledger::id::ExternalRef;
use amana_ledger::money::Money;
use amana_ledger::rules;
use serde_json::json;

use super::{PROVIDER, receipt_of};
use crate::app::App;
use crate::db::Tx;
use crate::error::Result;
use crate::events::emit;
use crate::flows::store::{Step, collection as rows, escrow as escrow_rows, step};
use crate::flows::{float, post};

/// Books that the payment `original` was taken back under the receipt `own`. The verdict in one word;
/// none, if nothing with that receipt is known yet.
///
/// # Errors
/// The database's or the ledger's trouble: the float is short, say. It is judged again later.
pub async fn taken_back(
    tx: &mut Tx,
    app: &App,
    (original, own): (&str, &str),
    money: Money,
) -> Result<Option<&'static str>> {
    let external = receipt_of(app, original);
    let Some(before) = rows::find(tx, &external).await? else { return Ok(None) };
    let escrow = match &before.escrow {
        Some(reference) => escrow_rows::lock(tx, reference).await?,
        None => None,
    };
    let Some(known) = rows::lock(tx, &external).await? else { return Ok(None) };
    if known.taken_back.is_some() {
        return Ok(Some("duplicate"));
    }
    if money.minor() != known.amount || known.escrow != before.escrow {
        return Ok(Some("contradiction"));
    }
    let credited = escrow.as_ref().map(|(terms, _)| terms.employer);
    let fact = ExternalRef::new(PROVIDER, app.config.mpesa.shortcode.as_str(), own);
    let intent = float::external_intent(app, "taken_back", &fact)?;
    let transfer = rules::collection_reversed(intent, &app.config.mpesa.shortcode, credited, money);
    let transfer = post(tx, app, transfer).await?;
    rows::taken_back(tx, known.id, own).await?;
    if let Some((terms, _)) = &escrow {
        let mut noted = Step {
            transfer: Some(transfer),
            receipt: Some(own.to_owned()),
            ..Step::named("deposit.taken_back")
        };
        noted.detail = Some(format!("the rail took {original} back; its payer's party owes it"));
        step(tx, app, &terms.reference, noted).await?;
    }
    tracing::error!(receipt = original, under = own, "the rail took a payment back");
    let body = json!({ "receipt": original, "under": own, "amount": money.decimal(),
        "receivable": credited.map(|party| party.to_string()) });
    let subject = format!("collection/{original}");
    emit(tx, app, crate::flows::WORKER, (&subject, "deposit.taken_back"), body).await?;
    Ok(Some("taken_back"))
}
