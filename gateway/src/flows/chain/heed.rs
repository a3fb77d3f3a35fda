//! What follows in an escrow's flow from a wish that the chain refused.
//!
//! Invariant: a flow never waits for an event that cannot come. Where the chain stands is asked, not guessed:
//! what ended there, or was frozen by another, is for `index` to bring.
//! Absent: refusals of other wishes than disputes and decisions; those are shown to ops.

use amana_adapters::stellar::{ChainOp, EscrowState};

use super::super::store::chain::{self as rows, Refused};
use crate::app::App;
use crate::error::{Error, Fault, Result};
use crate::flows::drive;
use crate::flows::escrow::{Event, State};

/// Heeds the next refusal. `false` if there is none.
///
/// # Errors
/// A fault: it is heeded later.
pub async fn next(app: &App) -> Result<bool> {
    let mut tx = app.db.begin().await?;
    let Some(refused) = rows::unheeded(&mut tx).await? else { return Ok(false) };
    drop(tx);
    let event = event(app, &refused).await?;
    let mut tx = app.db.begin().await?;
    if let Some(event) = event {
        match drive::<State>(&mut tx, app, &refused.escrow, event).await {
            // The flow has moved on since.
            Ok(_) | Err(Error::Refused(_)) => {}
            Err(fault) => return Err(fault),
        }
    }
    rows::heeded(&mut tx, refused.id).await?;
    tx.commit().await?;
    Ok(true)
}

/// What the refusal means to the flow, as the escrow stands on the chain.
async fn event(app: &App, refused: &Refused) -> Result<Option<Event>> {
    let op: ChainOp = serde_json::from_value(refused.op.clone())?;
    let (key, event, stands) = match &op {
        ChainOp::Dispute { key, .. } => (key, Event::DisputeRefused, EscrowState::Funded),
        ChainOp::Resolve { key, .. } => (key, Event::DecisionRefused, EscrowState::Disputed),
        _ => return Ok(None),
    };
    let there = app.chain.escrow(key).await.map_err(|fault| Fault::Outside(fault.to_string()))?;
    Ok(there.filter(|escrow| escrow.state == stands).map(|_| event))
}
