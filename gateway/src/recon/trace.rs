//! The trace of one escrow: every step with its time, the ledger transfer, the chain transaction and the
//! receipt, and whether ledger and chain agree.
//!
//! Invariant: it is shown to the escrow's parties and to those who look after it; why a dispute was decided
//! so is theirs to read, and gone once the key of these words is destroyed.

use amana_adapters::stellar::{EscrowOnChain, EscrowState};
use amana_ledger::balance;
use amana_ledger::chart::Account;
use amana_ledger::id::EscrowRef;
use amana_ledger::money::decimal;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::compare::state_word;
use crate::app::App;
use crate::db::Tx;
use crate::error::{Code, Fault, Refusal, Result};
use crate::flows::escrow::{State, Terms};
use crate::flows::index::known::Known;
use crate::flows::payout::Purpose;
use crate::flows::store::{attempt, collection, escrow, payout, steps};

/// One step.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StepView {
    /// Its place.
    pub no: i32,
    /// When.
    pub at: DateTime<Utc>,
    /// What, in the words of the events.
    pub step: String,
    /// The ledger transfer, if one was posted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer: Option<String>,
    /// The chain transaction, if one was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tx_hash: Option<String>,
    /// The rail's receipt, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// What else belongs to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// A deposit.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DepositView {
    /// M-Pesa's receipt.
    pub transaction_reference: String,
    /// All that was paid.
    pub amount: String,
    /// What of it went into the escrow.
    pub to_escrow: String,
    /// `pending`, `completed`, `suspense`, …
    pub status: String,
    /// When it was booked.
    pub booked_at: DateTime<Utc>,
}

/// A transaction sent to the chain.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AttemptView {
    /// What it was to do: `fund:mpesa:600111:RECEIPT`.
    pub wish: String,
    /// Which try.
    pub no: i32,
    /// Its hash.
    pub tx_hash: String,
    /// `open`, `success`, `failed`, `dead`.
    pub status: String,
    /// The ledger that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ledger: Option<i64>,
}

/// An exchange with the payout rail.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ExchangeView {
    /// `send`, `ask`, `news`.
    pub kind: String,
    /// When.
    pub at: DateTime<Utc>,
    /// What came back, in a word.
    pub answer: String,
    /// And in more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// A payout.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PayoutView {
    /// Ours, the same on every attempt.
    pub reference: String,
    /// `wage`: to the employee. `refund`: an employer's money, back to where it came from.
    pub purpose: &'static str,
    /// What the person has to get.
    pub claim: String,
    /// What the rail was asked to pay: whole units; the rest stays its owner's.
    pub amount: String,
    /// `pending`, `processing`, `completed`, `failed`, `unknown`.
    pub status: String,
    /// The rail's receipt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction_reference: Option<String>,
    /// Every exchange about it.
    pub attempts: Vec<ExchangeView>,
}

/// A decision about a dispute.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DecisionView {
    /// When.
    pub at: DateTime<Utc>,
    /// The employee's part of what was left.
    pub to_payee: String,
    /// The employer's part.
    pub to_payer: String,
    /// Why, in the decider's words; absent once the employer was forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The two sides of one escrow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Sides {
    /// What the ledger holds in it.
    pub ledger: String,
    /// What of that the chain has still to confirm.
    pub minting: String,
    /// What the chain holds in it: minted and not released.
    pub chain: String,
    /// What lies released in its vault on chain.
    pub vault: String,
    /// The chain's word for where it stands.
    pub chain_status: String,
    /// Whether both say the same.
    pub agrees: bool,
}

/// The whole story of an escrow.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Trace {
    /// Its reference.
    pub escrow: String,
    /// The product's word for where it stands.
    pub status: String,
    /// The whole amount.
    pub amount: String,
    /// Its currency.
    pub currency: String,
    /// Its name on chain, hex.
    pub escrow_key: String,
    /// The contract that holds it.
    pub stellar_contract_id: String,
    /// What happened, in order.
    pub steps: Vec<StepView>,
    /// What came in.
    pub deposits: Vec<DepositView>,
    /// What was sent to the chain.
    pub chain: Vec<AttemptView>,
    /// How a dispute was decided: mostly once, again if the chain refused.
    pub decisions: Vec<DecisionView>,
    /// What went out.
    pub payouts: Vec<PayoutView>,
    /// Ledger and chain, side by side.
    pub sides: Sides,
}

/// Tells the story.
///
/// # Errors
/// No such escrow; a fault of database or chain.
pub async fn trace(app: &App, reference: &EscrowRef) -> Result<Trace> {
    let mut tx = app.db.begin().await?;
    let Some((terms, state)) = escrow::read(&mut tx, reference.as_str()).await? else {
        return Err(Refusal::new(Code::NotFound, format!("no escrow {reference}")).into());
    };
    let asset = terms.amount.asset;
    let steps = steps(&mut tx, reference).await?.into_iter().map(|row| StepView {
        no: row.no,
        at: row.at,
        step: row.step.name,
        transfer: row.step.transfer.map(|id| id.to_string()),
        tx_hash: row.step.tx_hash,
        receipt: row.step.receipt,
        detail: row.step.detail,
    });
    let deposits =
        collection::of_escrow(&mut tx, reference.as_str()).await?.into_iter().map(|row| DepositView {
            transaction_reference: row.receipt,
            amount: decimal(asset, row.amount),
            to_escrow: decimal(asset, row.to_escrow),
            status: row.status,
            booked_at: row.booked_at,
        });
    let (steps, deposits) = (steps.collect(), deposits.collect());
    let attempts = attempt::of_escrow(&mut tx, reference.as_str()).await?.into_iter().map(|row| {
        AttemptView { wish: row.key, no: row.no, tx_hash: row.hash, status: row.status, ledger: row.ledger }
    });
    let chain = attempts.collect();
    let payouts = payouts(&mut tx, reference).await?;
    let decisions = decisions(&mut tx, app, &terms).await?;
    let account = Account::Escrow(reference.clone());
    let held = balance::balance(&mut tx, &terms.book, &account).await?.posted();
    let told = super::breaks::told(&mut tx, &[reference.to_string()], i64::MAX).await?;
    let known = told.into_values().next().unwrap_or_default();
    drop(tx);
    let sides = sides(app, &terms, (&state, held), &known).await?;
    Ok(Trace {
        escrow: reference.to_string(),
        status: state.status().word().into(),
        amount: terms.amount.decimal(),
        currency: asset.code().into(),
        escrow_key: hex::encode(reference.key()),
        stellar_contract_id: app.chain.network().contract.clone(),
        steps,
        deposits,
        chain,
        decisions,
        payouts,
        sides,
    })
}

async fn decisions(tx: &mut Tx, app: &App, terms: &Terms) -> std::result::Result<Vec<DecisionView>, Fault> {
    let mut views = Vec::new();
    for row in escrow::decisions(tx, terms.reference.as_str()).await? {
        let reason = match app.privacy.open(tx, &row.reason).await {
            Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            Err(Fault::Sealed(_)) => None,
            Err(fault) => return Err(fault),
        };
        let part = |minor| decimal(terms.amount.asset, minor);
        let (to_payee, to_payer) = (part(row.to_payee), part(row.to_payer));
        views.push(DecisionView { at: row.at, to_payee, to_payer, reason });
    }
    Ok(views)
}

async fn payouts(tx: &mut Tx, reference: &EscrowRef) -> std::result::Result<Vec<PayoutView>, Fault> {
    let mut views = Vec::new();
    for (terms, state) in payout::of_escrow(tx, reference.as_str()).await? {
        let attempts =
            payout::attempts(tx, &terms.reference).await?.into_iter().map(|attempt| ExchangeView {
                kind: attempt.kind,
                at: attempt.at,
                answer: attempt.answer,
                detail: attempt.detail,
            });
        views.push(PayoutView {
            purpose: if terms.purpose == Purpose::Wage { "wage" } else { "refund" },
            attempts: attempts.collect(),
            claim: terms.claim.decimal(),
            amount: terms.amount.decimal(),
            status: state.word().into(),
            transaction_reference: state.receipt().and_then(|receipt| receipt.id.clone()),
            reference: terms.reference,
        });
    }
    Ok(views)
}

/// Ledger and chain on one escrow, side by side: its state, what the ledger holds in it, what its events
/// told, what the chain says.
async fn sides(app: &App, terms: &Terms, (state, held): (&State, i64), known: &Known) -> Result<Sides> {
    let minted = match state {
        State::Open { minted, .. } => *minted,
        State::Cancelled | State::Cancelling => 0,
        _ => held,
    };
    let key = terms.reference.key();
    let on_chain = app.chain.escrow(&key).await.map_err(|fault| Fault::Outside(fault.to_string()))?;
    let asset = terms.amount.asset;
    let (chain, vault, word) = match &on_chain {
        Some(it) => (held_on_chain(it), it.vault, state_word(it.state)),
        None => (0, 0, "absent"),
    };
    let minting = held - minted;
    Ok(Sides {
        ledger: decimal(asset, held),
        minting: decimal(asset, minting),
        chain: decimal(asset, chain),
        vault: decimal(asset, vault),
        chain_status: word.into(),
        agrees: held - minting == chain && known.agrees(on_chain.as_ref()),
    })
}

/// What an escrow holds for its parties: minted, and neither released, refunded nor burned.
fn held_on_chain(escrow: &EscrowOnChain) -> i64 {
    match escrow.state {
        EscrowState::Open => escrow.funded,
        EscrowState::Funded | EscrowState::Disputed => escrow.remaining(),
        EscrowState::Released | EscrowState::Refunded | EscrowState::Cancelled | EscrowState::Resolved => 0,
    }
}
