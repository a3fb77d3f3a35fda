//! What happened on the chain, as the escrow contract, its token and the anchor told it.
//!
//! Invariant: no event of these contracts is skipped: one of ours that cannot be read is an
//! error, so that a cursor is never moved past it. An effect is named by transaction hash and index, whether
//! heard from the event stream or from the transaction's own result.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use stellar_xdr::{ContractEvent, ContractEventBody, ContractEventType, ScVal, TransactionMeta};

use super::op::{Network, to_minor, unit};
use super::rpc::{ChainFault, EventAnswer, EventsAnswer, EventsFrom, Rpc};
use super::wire::{
    decode, field, hex32, read_address, read_bytes32, read_count, read_i128, read_string, read_symbol,
};

/// What an event means. Amounts are minor units; `key` is the escrow's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Effect {
    /// An escrow was opened.
    Created {
        /// The escrow.
        #[serde(with = "hex32")]
        key: [u8; 32],
        /// What it will hold.
        amount: i64,
    },
    /// A deposit was minted into an escrow.
    Funded {
        /// The escrow.
        #[serde(with = "hex32")]
        key: [u8; 32],
        /// The deposit, once for ever.
        #[serde(with = "hex32")]
        deposit_id: [u8; 32],
        /// How much.
        amount: i64,
        /// What is still missing.
        remaining: i64,
    },
    /// It was said who will be paid.
    Assigned {
        /// The escrow.
        #[serde(with = "hex32")]
        key: [u8; 32],
        /// Pseudonym of the person.
        #[serde(with = "hex32")]
        payee: [u8; 32],
        /// Their own address, when paid in tokens.
        to: Option<String>,
    },
    /// The work was paid; the fee was burned.
    Released {
        /// The escrow.
        #[serde(with = "hex32")]
        key: [u8; 32],
        /// The payee's part.
        to_payee: i64,
        /// The platform's part.
        fee: i64,
        /// Their own address, when paid in tokens.
        to: Option<String>,
    },
    /// A funded escrow went back to the payer's side.
    Refunded {
        /// The escrow.
        #[serde(with = "hex32")]
        key: [u8; 32],
        /// What is in the vault now.
        vault: i64,
    },
    /// An escrow ended before it was funded.
    Cancelled {
        /// The escrow.
        #[serde(with = "hex32")]
        key: [u8; 32],
        /// What had come and was burned.
        burned: i64,
    },
    /// What a phone was paid was burned.
    Burned {
        /// The escrow.
        #[serde(with = "hex32")]
        key: [u8; 32],
        /// How much.
        amount: i64,
        /// What is left in the vault.
        vault: i64,
    },
    /// The token came into being.
    TokenMint {
        /// Whose it is.
        to: String,
        /// How much.
        amount: i64,
        /// Token units below a minor unit; zero for everything the escrow contract does.
        dust: i64,
    },
    /// The token ceased to be, by whoever held it.
    TokenBurn {
        /// Whose it was.
        from: String,
        /// How much.
        amount: i64,
        /// Token units below a minor unit; zero for everything the escrow contract does.
        dust: i64,
    },
    /// The token changed hands.
    TokenTransfer {
        /// From whom.
        from: String,
        /// To whom.
        to: String,
        /// How much.
        amount: i64,
        /// Token units below a minor unit; zero for everything the escrow contract does.
        dust: i64,
    },
    /// A book's checkpoint was written down.
    Anchored {
        /// The ledger's name of the book.
        book: String,
        /// How many batches its log has.
        size: i64,
        /// The Merkle root over them.
        #[serde(with = "hex32")]
        root: [u8; 32],
    },
    /// An event we know nothing of: a newer contract's verb, the token's own housekeeping.
    Other {
        /// Its first topics, where they are words.
        words: Vec<String>,
    },
}

/// An effect, and where on the chain it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainEvent {
    /// The transaction, hex.
    pub tx_hash: String,
    /// Its place among the transaction's events; of an operation after the first, plus 10 000 an operation.
    pub index: i32,
    /// The ledger it is in.
    pub ledger: u32,
    /// When that ledger closed.
    pub closed_at: DateTime<Utc>,
    /// What happened.
    pub what: Effect,
}

/// From where to read on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cursor {
    /// From the first event of this ledger: before anything was read.
    Ledger(u32),
    /// After the page that ended here.
    After(String),
}

impl Cursor {
    /// The ledger it points into, as far as it can be told.
    pub fn ledger(&self) -> Option<u32> {
        match self {
            Self::Ledger(ledger) => Some(*ledger),
            Self::After(text) => place(text).map(|place| place.ledger),
        }
    }
}

/// A page of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPage {
    /// In order of the chain.
    pub events: Vec<ChainEvent>,
    /// The place after each of them: from where to read on once that one is stored.
    pub places: Vec<Cursor>,
    /// From where to read on, once these are stored.
    pub cursor: Cursor,
    /// Newest ledger the server knows.
    pub latest_ledger: u32,
    /// Oldest ledger it remembers.
    pub oldest_ledger: u32,
}

/// What came of reading on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A page, perhaps an empty one.
    Page(EventPage),
    /// The server has forgotten ledgers that were not read yet: stop, alarm, rebuild from the contract's
    /// entries.
    Gap {
        /// The first ledger not read to its end.
        wanted: u32,
        /// The oldest the server remembers.
        oldest: u32,
    },
}

/// Reads on from a cursor.
pub(super) async fn read_on(rpc: &Rpc, network: &Network, from: &Cursor) -> Result<Heard, ChainFault> {
    let health = rpc.health().await?;
    let gap = |oldest: u32| {
        let wanted = from.ledger()?;
        (wanted < oldest).then_some(Heard::Gap { wanted, oldest })
    };
    if let Some(gap) = health.oldest_ledger.and_then(gap) {
        return Ok(gap);
    }
    // A ledger that is not closed yet cannot be asked for; there is nothing to read then.
    if let (Cursor::Ledger(start), Some(latest)) = (from, health.latest_ledger)
        && *start > latest
    {
        let oldest_ledger = health.oldest_ledger.unwrap_or(0);
        let (events, places, cursor) = (vec![], vec![], from.clone());
        let page = EventPage { events, places, cursor, latest_ledger: latest, oldest_ledger };
        return Ok(Heard::Page(page));
    }
    let start = match from {
        Cursor::Ledger(ledger) => EventsFrom::Ledger(*ledger),
        Cursor::After(cursor) => EventsFrom::Cursor(cursor),
    };
    let contracts: Vec<&str> =
        [&network.contract, &network.token].into_iter().chain(&network.anchor).map(String::as_str).collect();
    let answer = rpc.events(&contracts, start).await?;
    // The window may have moved on between the two calls.
    if let Some(gap) = answer.oldest_ledger.and_then(gap) {
        return Ok(gap);
    }
    let oldest = answer.oldest_ledger.or(health.oldest_ledger).unwrap_or(0);
    page(network, from, answer, oldest).map(Heard::Page)
}

fn page(
    network: &Network,
    from: &Cursor,
    answer: EventsAnswer,
    oldest_ledger: u32,
) -> Result<EventPage, ChainFault> {
    let told = answer.events.unwrap_or_default();
    let last = told.last().map(|event| event.id.clone());
    let cursor = answer.cursor.filter(|c| !c.is_empty()).or(last).map_or_else(|| from.clone(), Cursor::After);
    let places = told.iter().map(|event| Cursor::After(event.id.clone())).collect();
    let events: Result<Vec<_>, _> = told.iter().map(|event| heard(network, event)).collect();
    Ok(EventPage { events: events?, places, cursor, latest_ledger: answer.latest_ledger, oldest_ledger })
}

pub(super) fn heard(network: &Network, event: &EventAnswer) -> Result<ChainEvent, ChainFault> {
    let bad = |why: String| ChainFault::Malformed { method: "getEvents", why };
    let topics: Result<Vec<ScVal>, _> = event.topic.iter().map(|topic| decode("ScVal", topic)).collect();
    let place = place(&event.id).ok_or_else(|| bad(format!("event id {}", event.id)))?;
    let closed_at = DateTime::parse_from_rfc3339(&event.ledger_closed_at)
        .map_err(|_| bad(format!("time {} of event {}", event.ledger_closed_at, event.id)))?;
    let contract = event.contract_id.as_deref().unwrap_or_default();
    Ok(ChainEvent {
        tx_hash: event.tx_hash.to_lowercase(),
        index: place.index,
        ledger: event.ledger,
        closed_at: closed_at.with_timezone(&Utc),
        what: meaning(network, contract, &topics?, &decode("ScVal", &event.value)?)?,
    })
}

/// Where an event or a cursor is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) ledger: u32,
    pub(super) index: i32,
}

/// Reads "LEDGER<<32 | TRANSACTION<<12 | OPERATION", a dash, and the event's number.
pub(super) fn place(id: &str) -> Option<Place> {
    let (packed, number) = id.split_once('-')?;
    let packed: u64 = packed.parse().ok()?;
    let operation = i32::try_from(packed & 0xfff).ok()?;
    // The end of a scanned window is written with the largest number there is; it is a cursor, no event.
    let number: u64 = number.parse().ok()?;
    let number = i32::try_from(number.min(9_999)).ok()?;
    Some(Place { ledger: u32::try_from(packed >> 32).ok()?, index: operation * 10_000 + number })
}

/// The effects of one transaction, read from its own result.
pub(super) fn of_meta(
    network: &Network,
    meta: &TransactionMeta,
    at: (&str, u32, DateTime<Utc>),
) -> Result<Vec<ChainEvent>, ChainFault> {
    let (tx_hash, ledger, closed_at) = at;
    let by_operation: Vec<&[ContractEvent]> = match meta {
        TransactionMeta::V4(meta) => meta.operations.iter().map(|op| op.events.as_slice()).collect(),
        TransactionMeta::V3(meta) => {
            meta.soroban_meta.iter().map(|soroban| soroban.events.as_slice()).collect()
        }
        _ => vec![],
    };
    let mut out = Vec::new();
    for (operation, events) in by_operation.into_iter().enumerate() {
        for (number, event) in events.iter().enumerate() {
            let contract = event.contract_id.as_ref().map(ToString::to_string).unwrap_or_default();
            let mut ours = [&network.contract, &network.token].into_iter().chain(&network.anchor);
            let ours = ours.any(|known| *known == contract);
            if !ours || event.type_ != ContractEventType::Contract {
                continue;
            }
            let ContractEventBody::V0(body) = &event.body;
            let index = i32::try_from(operation * 10_000 + number).map_err(|_| ChainFault::Malformed {
                method: "TransactionMeta",
                why: "too many events".into(),
            })?;
            let what = meaning(network, &contract, &body.topics, &body.data)?;
            out.push(ChainEvent { tx_hash: tx_hash.to_owned(), index, ledger, closed_at, what });
        }
    }
    Ok(out)
}

/// What an event of one of the contracts means.
pub(super) fn meaning(
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
    if !["created", "funded", "assigned", "released", "refunded", "cancelled", "burned"].contains(&verb) {
        return Ok(Effect::Other { words });
    }
    let unreadable = || ChainFault::Malformed { method: "getEvents", why: format!("event escrow/{verb}") };
    escrow_effect(network, verb, topics, value).ok_or_else(unreadable)
}

fn escrow_effect(network: &Network, verb: &str, topics: &[ScVal], value: &ScVal) -> Option<Effect> {
    let key = read_bytes32(topics.get(2)?)?;
    let minor = |name| to_minor(read_i128(field(value, name)?)?, network.exponent).ok();
    let bytes = |name| read_bytes32(field(value, name)?);
    let to = || match field(value, "to")? {
        ScVal::Void => Some(None),
        present => read_address(present).map(Some),
    };
    Some(match verb {
        "created" => Effect::Created { key, amount: minor("amount")? },
        "funded" => Effect::Funded {
            key,
            deposit_id: bytes("deposit_id")?,
            amount: minor("amount")?,
            remaining: minor("remaining")?,
        },
        "assigned" => Effect::Assigned { key, payee: bytes("payee")?, to: to()? },
        "released" => Effect::Released { key, to_payee: minor("to_payee")?, fee: minor("fee")?, to: to()? },
        "refunded" => Effect::Refunded { key, vault: minor("vault")? },
        "cancelled" => Effect::Cancelled { key, burned: minor("burned")? },
        "burned" => Effect::Burned { key, amount: minor("amount")?, vault: minor("vault")? },
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
