//! What follows in an escrow's flow from a wish that the chain refused.
//!
//! Invariant: a flow never waits for an event that cannot come. Where the chain stands is asked, not guessed:
//! what ended there, or was frozen by another, is for `index` to bring.
//! Absent: refusals of other wishes than disputes, decisions and deposits that come too late; those are shown
//! to ops.

use amana_adapters::stellar::{ChainOp, EscrowState};
use amana_ledger::money::Amount;

use super::super::store::chain::{self as rows, Refused};
use crate::app::App;
use crate::error::{Error, Fault, Result};
use crate::flows::escrow::{Event, State};
use crate::flows::{drive, entrust};

/// Heeds the next refusal. `false` if there is none.
///
/// # Errors
/// A fault: it is heeded later.
pub async fn next(app: &App) -> Result<bool> {
    let mut tx = app.db.begin().await?;
    let Some(refused) = rows::unheeded(&mut tx).await? else { return Ok(false) };
    // The process that was refused had seen more of the chain, perhaps.
    let known = rows::known_as_of(&mut tx, &refused.escrow).await?;
    drop(tx);
    app.chain.saw(known.and_then(|ledger| u32::try_from(ledger).ok()).unwrap_or(0));
    let meaning = meaning(app, &refused).await?;
    let mut tx = app.db.begin().await?;
    match meaning {
        Meaning::None => {}
        Meaning::NeverMinted(amount, deposit) => {
            let name = refused.id.to_string();
            entrust::never_minted(&mut tx, app, &refused.escrow, (&name, amount), &deposit).await?;
        }
        Meaning::Event(event) => match drive::<State>(&mut tx, app, &refused.escrow, event).await {
            // The flow has moved on since.
            Ok(_) | Err(Error::Refused(_)) => {}
            Err(fault) => return Err(fault),
        },
    }
    rows::heeded(&mut tx, refused.id).await?;
    tx.commit().await?;
    Ok(true)
}

/// What follows from a refusal.
enum Meaning {
    /// Nothing that would not follow from the chain's own events.
    None,
    /// This happens to the flow.
    Event(Event),
    /// The chain ended the escrow before it could mint this deposit.
    NeverMinted(Amount, [u8; 32]),
}

/// What the refusal means, as the escrow stands on the chain.
async fn meaning(app: &App, refused: &Refused) -> Result<Meaning> {
    let op: ChainOp = serde_json::from_value(refused.op.clone())?;
    let (key, meaning, stands) = match &op {
        ChainOp::Dispute { key, .. } => (key, Meaning::Event(Event::DisputeRefused), EscrowState::Funded),
        ChainOp::Resolve { key, .. } => (key, Meaning::Event(Event::DecisionRefused), EscrowState::Disputed),
        ChainOp::Fund { key, amount, deposit_id } => {
            (key, Meaning::NeverMinted(*amount, *deposit_id), EscrowState::Cancelled)
        }
        _ => return Ok(Meaning::None),
    };
    let there = app.chain.escrow(key).await.map_err(|fault| Fault::Outside(fault.to_string()))?;
    Ok(there.filter(|escrow| escrow.state == stands).map_or(Meaning::None, |_| meaning))
}
