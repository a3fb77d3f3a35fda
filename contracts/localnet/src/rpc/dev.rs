//! What only a test may ask of a network: time, faults, weather.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Desk, RpcError, read};
use crate::faults::{BadScript, Draw, Fault, Faults};

#[derive(Deserialize)]
struct Advance {
    seconds: Option<u64>,
    ledgers: Option<u32>,
}

/// Steps of more would run out of ledger numbers or years.
const MAX_ADVANCE: u64 = 1_000_000_000;

#[derive(Deserialize)]
struct Script {
    faults: Option<Faults>,
}

#[derive(Deserialize)]
struct Weather {
    fault: Fault,
}

/// Answers a method whose name begins with `dev_`.
pub(super) fn call(desk: &mut Desk, method: &str, params: Value) -> Answer {
    match method {
        "dev_advance" => advance(desk, &read(params)?),
        "dev_faults" => faults(desk, read(params)?),
        "dev_strike" => strike(desk, &read(params)?),
        _ => Err(RpcError { code: -32601, message: format!("method {method} not found") }),
    }
}

fn advance(desk: &mut Desk, ahead: &Advance) -> Answer {
    let (seconds, ledgers) = (ahead.seconds.unwrap_or(0), ahead.ledgers.unwrap_or(0));
    if seconds > MAX_ADVANCE || u64::from(ledgers) > MAX_ADVANCE {
        return Err(RpcError::params("seconds and ledgers must be at most 1000000000"));
    }
    desk.network.advance(seconds, ledgers);
    let ledger = &desk.network.ledger;
    Ok(json!({"sequence": ledger.sequence(), "closeTime": ledger.close_time().to_string()}))
}

/// Begins a script from now on, which ends the one that was played.
///
/// # Errors
/// If the script cannot be played; the old one goes on then.
pub(crate) fn set_faults(desk: &mut Desk, script: Faults) -> Result<(), BadScript> {
    script.check()?;
    desk.network.queued = script.queue;
    if !script.is_none() {
        desk.network.keep_past();
    }
    desk.faults = Draw::new(script);
    Ok(())
}

/// Begins a script, if one is given; answers with the one being played and whom it has struck.
fn faults(desk: &mut Desk, params: Script) -> Answer {
    if let Some(script) = params.faults {
        set_faults(desk, script).map_err(|bad| RpcError::params(bad.to_string()))?;
    }
    Ok(json!({
        "faults": desk.faults.script(),
        "strikes": desk.faults.strikes(),
        "waiting": desk.network.queue.len(),
    }))
}

/// Lets a fault of the weather happen at once.
fn strike(desk: &mut Desk, params: &Weather) -> Answer {
    let alone = Faults::rules([crate::faults::Rule::once(params.fault.clone())]);
    alone.check().map_err(|bad| RpcError::params(bad.to_string()))?;
    if !params.fault.is_weather() {
        return Err(RpcError::params("only surge, jump and forget happen by themselves"));
    }
    desk.network.suffer(&params.fault);
    let ledger = &desk.network.ledger;
    Ok(json!({"sequence": ledger.sequence(), "oldest": ledger.history.oldest()}))
}
