//! `GET /api/escrow/{id}`: an escrow as the ledger has it, as the chain has it, and whether the two agree.

use amana_ledger::id::EscrowRef;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::jobs::watches;
use super::people::time;
use crate::app::App;
use crate::error::{Code, Refusal, Result};
use crate::flows::entrust::{self, View};
use crate::http::Shared;
use crate::http::body::Part;
use crate::http::problem::Answer;
use crate::people;
use crate::people::session::Caller;
use crate::recon;
use crate::recon::trace::{AttemptView, DepositView, PayoutView, Trace};

/// An escrow.
#[derive(Serialize, ToSchema)]
#[schema(as = Escrow)]
pub(crate) struct EscrowView {
    /// Its reference, which the payer types.
    #[schema(example = "ESCROW_7K3M9QX2A")]
    contract_id: String,
    /// The contract on the chain that holds it (`C…`).
    stellar_contract_id: String,
    /// Its name in that contract: SHA-256 of the reference, hex.
    escrow_key: String,
    /// The transaction that created it, once the chain confirmed one.
    tx_hash: Option<String>,
    /// The job it belongs to.
    job_listing: Option<i64>,
    /// Whose money it is.
    employer: Option<i64>,
    /// Who will be paid.
    employee: Option<i64>,
    /// The whole amount.
    #[schema(example = "50000.00")]
    amount: String,
    /// Its currency.
    currency: String,
    /// `pending_deposit`, `partially_funded`, `funded`, `in_progress`, `completed`, `released`, `refunded`,
    /// `cancelled`.
    status: String,
    /// Whether the whole amount lies on chain, not released.
    is_funded: bool,
    /// Since when.
    funded_at: Option<String>,
    /// What the ledger says.
    ledger: LedgerSide,
    /// What the chain says.
    chain: ChainSide,
    /// Whether both say the same.
    agrees: bool,
    /// What came in.
    deposits: Vec<DepositView>,
    /// What went out.
    payouts: Vec<PayoutView>,
    /// What was sent to the chain.
    transactions: Vec<AttemptView>,
}

/// What the ledger says.
#[derive(Serialize, ToSchema)]
pub(crate) struct LedgerSide {
    /// What it holds in this escrow.
    balance: String,
    /// What of that the chain has still to confirm.
    minting: String,
}

/// What the chain says.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChainSide {
    /// Where the escrow stands there; `absent` until it is created.
    status: String,
    /// What it holds.
    balance: String,
    /// What was released to its vault and waits to be burned.
    vault: String,
}

/// Shows an escrow to those it concerns.
#[utoipa::path(get, path = "/api/escrow/{id}", tag = "escrow", params(("id" = String, Path)),
    responses((status = 200, body = EscrowView)))]
pub(in crate::http) async fn status(
    State(app): State<Shared>,
    caller: Caller,
    Part(id): Part,
) -> Answer<Json<EscrowView>> {
    let view = concerning(&app, &caller, &id).await?;
    Ok(Json(shown(&app, view).await?))
}

/// The escrow that `id` names, if it concerns the caller. Case, blanks and dashes make no difference.
pub(in crate::http) async fn concerning(app: &App, caller: &Caller, id: &str) -> Result<View> {
    let view = named(app, id).await?;
    let party = Some(caller.party);
    if watches(caller) || Some(view.terms.employer) == party || view.state.employee() == party {
        return Ok(view);
    }
    Err(unknown().into())
}

/// The escrow that `id` names.
pub(super) async fn named(app: &App, id: &str) -> Result<View> {
    let reference = EscrowRef::fold(id).ok_or_else(unknown)?;
    let mut tx = app.db.begin().await?;
    Ok(entrust::view(&mut tx, &reference).await?.ok_or_else(unknown)?)
}

/// The escrow with both its sides.
pub(super) async fn shown(app: &App, view: View) -> Result<EscrowView> {
    let trace = recon::trace(app, &view.terms.reference).await?;
    let parties: Vec<_> = [Some(view.terms.employer), view.state.employee()].into_iter().flatten().collect();
    let mut tx = app.db.begin().await?;
    let ids = people::ids_of(&mut tx, &parties).await?;
    let id = |party| ids.get(&party).copied();
    let Trace { sides, deposits, payouts, chain, .. } = trace;
    let created =
        chain.iter().find(|attempt| attempt.wish.starts_with("create") && attempt.status == "success");
    Ok(EscrowView {
        contract_id: trace.escrow,
        stellar_contract_id: trace.stellar_contract_id,
        escrow_key: trace.escrow_key,
        tx_hash: created.map(|attempt| attempt.tx_hash.clone()),
        job_listing: view.terms.job,
        employer: id(view.terms.employer),
        employee: view.state.employee().and_then(id),
        amount: trace.amount,
        currency: trace.currency,
        status: trace.status,
        is_funded: view.state.is_funded(),
        funded_at: view.state.funded_at().map(time),
        ledger: LedgerSide { balance: sides.ledger, minting: sides.minting },
        chain: ChainSide { status: sides.chain_status, balance: sides.chain, vault: sides.vault },
        agrees: sides.agrees,
        deposits,
        payouts,
        transactions: chain,
    })
}

/// The reference is not repeated: it may be anything somebody typed.
fn unknown() -> Refusal {
    Refusal::new(Code::NotFound, "no such escrow")
}
