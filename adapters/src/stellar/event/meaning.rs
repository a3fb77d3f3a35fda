//! What the events of our contracts mean, one by one.
//!
//! Invariant: an event of an escrow of ours is understood or is an error; one of a stranger's escrow in a
//! token of their own is none of our business and never one.

use stellar_xdr::ScVal;

use super::super::op::{Network, to_minor, unit};
use super::super::rpc::ChainFault;
use super::super::wire::{
    field, read_address, read_bytes32, read_count, read_i128, read_string, read_symbol,
};
use super::Effect;

/// What an event of one of the contracts means.
pub(in super::super) fn meaning(
    network: &Network,
    contract: &str,
    topics: &[ScVal],
    value: &ScVal,
) -> Result<Effect, ChainFault> {
    let words: Vec<String> = topics.iter().map_while(read_symbol).collect();
    if contract == network.token {
        let verb = words.first().map(String::as_str).unwrap_or_default();
        if !["mint", "burn", "clawback", "transfer"].contains(&verb) {
            return Ok(Effect::Other { words });
        }
        let unreadable =
            || ChainFault::Malformed { method: "getEvents", why: format!("event {verb} of the token") };
        return token_effect(network, verb, topics, value).ok_or_else(unreadable);
    }
    if network.anchor.as_deref() == Some(contract) {
        let verb: Vec<&str> = words.iter().map(String::as_str).collect();
        let unreadable =
            || ChainFault::Malformed { method: "getEvents", why: "event anchor/anchored".into() };
        return match verb.as_slice() {
            ["anchor", "anchored"] => anchored(topics, value).ok_or_else(unreadable),
            _ => Ok(Effect::Other { words }),
        };
    }
    if contract != network.contract || words.first().map(String::as_str) != Some("escrow") {
        return Ok(Effect::Other { words });
    }
    let verb = words.get(1).map(String::as_str).unwrap_or_default();
    if HOUSE.contains(&verb) {
        return Ok(Effect::House { verb: verb.to_owned() });
    }
    if !ESCROW.contains(&verb) || (field(value, "remaining").is_some() && is_elsewhere(network, value)) {
        return Ok(Effect::Other { words });
    }
    let unreadable = || ChainFault::Malformed { method: "getEvents", why: format!("event escrow/{verb}") };
    escrow_effect(network, verb, topics, value).ok_or_else(unreadable)
}

/// What is said about the contract, and what about an escrow.
const HOUSE: &[&str] = &["listed", "paused", "proposed", "accepted", "upgraded"];
const ESCROW: &[&str] = &[
    "created",
    "funded",
    "assigned",
    "paid_in",
    "released",
    "auto_released",
    "refunded",
    "cancelled",
    "disputed",
    "resolved",
    "claimed",
    "burned",
];

/// An escrow of ours moves whole minor units, which the contract sees to: any other amount is of a stranger's
/// escrow in a token of their own, and none of our business.
fn is_elsewhere(network: &Network, value: &ScVal) -> bool {
    let ScVal::Map(Some(fields)) = value else { return false };
    let amounts = fields.iter().filter_map(|field| read_i128(&field.val));
    amounts.into_iter().any(|units| to_minor(units, network.exponent).is_err())
}

fn escrow_effect(network: &Network, verb: &str, topics: &[ScVal], value: &ScVal) -> Option<Effect> {
    let key = read_bytes32(topics.get(2)?)?;
    let minor = |name| to_minor(read_i128(field(value, name)?)?, network.exponent).ok();
    let bytes = |name| read_bytes32(field(value, name)?);
    let whom = |name| match field(value, name)? {
        ScVal::Void => Some(None),
        present => read_address(present).map(Some),
    };
    let (to, by) = (|| whom("to"), || whom("by"));
    Some(match verb {
        "created" => match field(value, "token").and_then(read_address)? {
            token if token == network.token => Effect::Created { key, amount: minor("amount")? },
            _ => Effect::Other { words: vec!["escrow".into(), verb.into()] },
        },
        "funded" => Effect::Funded {
            key,
            deposit_id: bytes("deposit_id")?,
            amount: minor("amount")?,
            remaining: minor("remaining")?,
        },
        "assigned" => Effect::Assigned { key, payee: bytes("payee")?, to: to()? },
        "released" | "auto_released" => {
            let (to_payee, fee, to, remaining) =
                (minor("to_payee")?, minor("fee")?, to()?, minor("remaining")?);
            match (remaining, field(value, "milestones")?) {
                (0, _) => Effect::Released { key, to_payee, fee, to },
                (_, ScVal::U32(milestones)) => {
                    let milestones = *milestones;
                    Effect::MilestoneReleased { key, milestones, to_payee, fee, to, remaining }
                }
                _ => return None,
            }
        }
        "refunded" => Effect::Refunded { key, amount: minor("to_payer")? },
        "cancelled" => Effect::Cancelled { key, burned: minor("burned")? },
        "burned" => Effect::Burned { key, amount: minor("burned")?, vault: minor("vault")? },
        "disputed" => Effect::Disputed { key, by: by()??, until: read_count(field(value, "until")?)? },
        "resolved" => Effect::Resolved {
            key,
            by: by()?,
            to_payee: minor("to_payee")?,
            to_payer: minor("to_payer")?,
            to: to()?,
        },
        "paid_in" => Effect::PaidIn { key, amount: minor("remaining")? },
        "claimed" => Effect::Claimed { key, due_payee: minor("due_payee")? },
        _ => return None,
    })
}

fn anchored(topics: &[ScVal], value: &ScVal) -> Option<Effect> {
    Some(Effect::Anchored {
        book: read_string(topics.get(2)?)?,
        size: read_count(field(value, "size")?)?,
        root: read_bytes32(field(value, "root")?)?,
    })
}

/// The token's topics are the verb, one or two addresses, and the asset's name; older hosts also put the
/// admin before the receiver of a mint, which is why the last address is taken.
fn token_effect(network: &Network, verb: &str, topics: &[ScVal], value: &ScVal) -> Option<Effect> {
    let addresses: Vec<String> = topics.iter().filter_map(read_address).collect();
    let units = read_i128(value).or_else(|| read_i128(field(value, "amount")?))?;
    let unit = unit(network.exponent).ok()?;
    let amount = i64::try_from(units / unit).ok()?;
    let dust = i64::try_from(units % unit).ok()?;
    match (verb, addresses.as_slice()) {
        ("mint", [.., to]) => Some(Effect::TokenMint { to: to.clone(), amount, dust }),
        ("burn" | "clawback", [.., from]) => Some(Effect::TokenBurn { from: from.clone(), amount, dust }),
        ("transfer", [from, to]) => {
            Some(Effect::TokenTransfer { from: from.clone(), to: to.clone(), amount, dust })
        }
        _ => None,
    }
}
