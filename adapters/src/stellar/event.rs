//! What happened on the chain, as the escrow contract, its token and the anchor told it.
//!
//! Invariant: no event of these contracts is skipped: one of ours that cannot be read is an
//! error, so that a cursor is never moved past it. An effect is named by transaction hash and index, whether
//! heard from the event stream or from the transaction's own result.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use stellar_xdr::{ContractEvent, ContractEventBody, ContractEventType, ScVal, TransactionMeta};

use super::op::Network;
use super::rpc::{ChainFault, EventAnswer, EventsAnswer, EventsFrom, Rpc};
use super::wire::{decode, hex32};

mod meaning;

pub(super) use meaning::meaning;

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
    /// One of several milestones was paid; the fee was burned. The last one is told as `Released`.
    MilestoneReleased {
        /// The escrow.
        #[serde(with = "hex32")]
        key: [u8; 32],
        /// All that are released now, a bit each.
        milestones: u32,
        /// The payee's part of this one.
        to_payee: i64,
        /// The platform's part of this one.
        fee: i64,
        /// Their own address, when paid in tokens.
        to: Option<String>,
        /// What is left in the escrow.
        remaining: i64,
    },
    /// What was left of a funded escrow went back to the payer's side.
    Refunded {
        /// The escrow.
        #[serde(with = "hex32")]
        key: [u8; 32],
        /// How much.
        amount: i64,
    },
    /// An escrow was frozen until it is decided.
    Disputed {
        /// The escrow.
        #[serde(with = "hex32")]
        key: [u8; 32],
        /// Who asked for it.
        by: String,
        /// Unix seconds from when on the default stands.
        until: i64,
    },
    /// What was left of a disputed escrow was parted.
    Resolved {
        /// The escrow.
        #[serde(with = "hex32")]
        key: [u8; 32],
        /// The arbiter; `None` when nobody decided in time.
        by: Option<String>,
        /// The payee's part.
        to_payee: i64,
        /// The payer's part.
        to_payer: i64,
        /// The payee's own address, when paid in tokens.
        to: Option<String>,
    },
    /// An escrow of a payer with own tokens was funded.
    PaidIn {
        /// The escrow.
        #[serde(with = "hex32")]
        key: [u8; 32],
        /// How much.
        amount: i64,
    },
    /// An account took what it could not take before.
    Claimed {
        /// The escrow.
        #[serde(with = "hex32")]
        key: [u8; 32],
        /// What the payee's account still cannot take.
        due_payee: i64,
    },
    /// The contract's own house changed: a listing, a pause, a proposal, its admin, its code.
    House {
        /// What: `listed`, `paused`, `proposed`, `accepted`, `upgraded`.
        verb: String,
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
