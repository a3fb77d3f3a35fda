//! getEvents: contract events by ledger or cursor, filtered by type, contract and topics.
//!
//! Invariant: a page's cursor continues exactly after what the page has covered, so that following cursors
//! sees every event once.

use serde::Deserialize;
use serde_json::{Value, json};
use soroban_env_host::xdr::{ContractEvent, ContractEventBody, ContractEventType, ScVal};
use stellar_strkey::Contract;

use super::ledgers::Pagination;
use super::view::View;
use super::{Answer, RpcError, only_base64};
use crate::encoding::{b64_of, decode_b64};
use crate::ledger::history::{Applied, Close};

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 10_000;
/// Ledgers looked through in one call at most.
const SCAN_LEDGERS: u32 = 10_000;
/// Filters, contracts of a filter, and topic patterns of a filter at most.
const MAX_FILTERS: usize = 5;
/// Topics of an event at most.
const MAX_SEGMENTS: usize = 4;

/// How events are asked for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Params {
    start_ledger: Option<u32>,
    end_ledger: Option<u32>,
    filters: Option<Vec<FilterParams>>,
    pagination: Option<Pagination>,
    xdr_format: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FilterParams {
    #[serde(rename = "type")]
    kinds: Option<String>,
    contract_ids: Option<Vec<String>>,
    topics: Option<Vec<Vec<String>>>,
}

/// A place in the past: ledger, transaction, operation, event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    ledger: u32,
    transaction: u32,
    operation: u32,
    event: u32,
}

const TRANSACTION_BITS: u64 = 0xF_FFFF;
const OPERATION_BITS: u64 = 0xFFF;

impl Place {
    /// `<ledger << 32 | transaction << 12 | operation>-<event>`, in 19 and 10 digits.
    fn id(self) -> String {
        let upper = (u64::from(self.ledger) << 32) | (u64::from(self.transaction) << 12);
        format!("{:019}-{:010}", upper | u64::from(self.operation), self.event)
    }

    fn parse(text: &str) -> Option<Self> {
        let (place, event) = text.split_once('-')?;
        let place: u64 = place.parse().ok()?;
        Some(Self {
            ledger: u32::try_from(place >> 32).ok()?,
            transaction: u32::try_from((place >> 12) & TRANSACTION_BITS).ok()?,
            operation: u32::try_from(place & OPERATION_BITS).ok()?,
            event: event.parse().ok()?,
        })
    }

    /// The last place there can be in a ledger.
    fn end_of(ledger: u32) -> Self {
        Self {
            ledger,
            transaction: TRANSACTION_BITS as u32,
            operation: OPERATION_BITS as u32,
            event: u32::MAX,
        }
    }
}

enum Segment {
    Any,
    Exactly(ScVal),
}

/// A topic pattern: its segments, and whether more topics may follow (`**`).
struct Pattern {
    segments: Vec<Segment>,
    open: bool,
}

struct Filter {
    kinds: Vec<ContractEventType>,
    contracts: Vec<[u8; 32]>,
    patterns: Vec<Pattern>,
}

/// A page of events.
pub(super) fn get(view: &View<'_>, params: Params) -> Answer {
    only_base64(params.xdr_format.as_deref())?;
    let cursor = cursor_of(&params)?;
    let limit = params.pagination.as_ref().and_then(|p| p.limit).filter(|n| *n > 0).unwrap_or(DEFAULT_LIMIT);
    if limit > MAX_LIMIT {
        return Err(RpcError::params(format!("limit must not exceed {MAX_LIMIT}")));
    }
    let filters = read_filters(params.filters.unwrap_or_default())?;
    let start = cursor.map_or(params.start_ledger.unwrap_or(0), |place| place.ledger);
    let (oldest, latest) = (view.oldest(), view.sequence());
    if start < oldest || start > latest {
        let message = format!("startLedger must be within the ledger range: {oldest} - {latest}");
        return Err(RpcError::request(message));
    }
    let mut end = start.saturating_add(SCAN_LEDGERS).min(latest.saturating_add(1));
    if let Some(asked) = params.end_ledger.filter(|n| *n != 0) {
        end = end.min(asked);
    }
    let mut found: Vec<(Place, Value)> = Vec::new();
    'scan: for close in view.since(start).take_while(|close| close.sequence() < end) {
        for (place, applied, event) in events_of(close) {
            let wanted = filters.is_empty() || filters.iter().any(|f| f.matches(event));
            if cursor.is_some_and(|c| place <= c) || !wanted {
                continue;
            }
            found.push((place, info(close, applied, (place, event))));
            if found.len() == limit {
                break 'scan;
            }
        }
    }
    let next = match found.last() {
        Some((place, _)) if found.len() == limit => *place,
        _ => Place::end_of(end.saturating_sub(1)),
    };
    Ok(json!({
        "events": found.into_iter().map(|(_, info)| info).collect::<Vec<_>>(),
        "cursor": next.id(),
        "latestLedger": latest,
        "oldestLedger": oldest,
        "latestLedgerCloseTime": view.close_time().to_string(),
        "oldestLedgerCloseTime": view.oldest_close_time().to_string(),
    }))
}

fn cursor_of(params: &Params) -> Result<Option<Place>, RpcError> {
    let text = params.pagination.as_ref().and_then(|p| p.cursor.as_deref()).filter(|text| !text.is_empty());
    let start = params.start_ledger.unwrap_or(0);
    match text {
        Some(_) if start != 0 || params.end_ledger.unwrap_or(0) != 0 => {
            Err(RpcError::params("ledger ranges and cursor cannot both be set"))
        }
        Some(text) => match Place::parse(text) {
            Some(place) => Ok(Some(place)),
            None => Err(RpcError::params(format!("invalid cursor: {text}"))),
        },
        None if start == 0 => Err(RpcError::params("startLedger must be positive")),
        None => Ok(None),
    }
}

/// The events of a ledger's transactions. Transactions count from 1, operations and events from 0.
fn events_of(close: &Close) -> impl Iterator<Item = (Place, &Applied, &ContractEvent)> {
    let ledger = close.sequence();
    let operations = close.applied.iter().zip(1u32..).flat_map(|(applied, transaction)| {
        applied.events.iter().zip(0u32..).map(move |(events, at)| (applied, events, (transaction, at)))
    });
    operations.flat_map(move |(applied, events, (transaction, operation))| {
        events
            .iter()
            .zip(0u32..)
            .map(move |(event, at)| (Place { ledger, transaction, operation, event: at }, applied, event))
    })
}

fn info(close: &Close, applied: &Applied, (place, event): (Place, &ContractEvent)) -> Value {
    let ContractEventBody::V0(body) = &event.body;
    let contract = event.contract_id.as_ref().map(|id| Contract(id.0.0).to_string());
    json!({
        "type": if event.type_ == ContractEventType::System { "system" } else { "contract" },
        "ledger": place.ledger,
        "ledgerClosedAt": rfc3339(close.close_time()),
        "contractId": contract.map(|c| c.to_string()).unwrap_or_default(),
        "id": place.id(),
        "operationIndex": place.operation,
        "transactionIndex": place.transaction,
        "txHash": hex::encode(applied.hash),
        "topic": body.topics.iter().map(b64_of).collect::<Vec<_>>(),
        "value": b64_of(&body.data),
    })
}

fn read_filters(filters: Vec<FilterParams>) -> Result<Vec<Filter>, RpcError> {
    if filters.len() > MAX_FILTERS {
        return Err(RpcError::params("maximum 5 filters per request"));
    }
    let numbered = filters.into_iter().zip(1..);
    numbered
        .map(|(filter, n)| {
            Filter::read(filter).map_err(|why| RpcError::params(format!("filter {n} invalid: {why}")))
        })
        .collect()
}

impl Filter {
    fn read(params: FilterParams) -> Result<Self, String> {
        let contract_ids = params.contract_ids.unwrap_or_default();
        let topics = params.topics.unwrap_or_default();
        if contract_ids.len() > MAX_FILTERS {
            return Err("maximum 5 contract IDs per filter".into());
        }
        if topics.len() > MAX_FILTERS {
            return Err("maximum 5 topics per filter".into());
        }
        let kinds = params.kinds.unwrap_or_default();
        let kinds = kinds.split(',').filter(|word| !word.is_empty()).map(|word| match word {
            "contract" => Ok(ContractEventType::Contract),
            "system" => Ok(ContractEventType::System),
            _ => Err("filter type invalid: if set, type must be either 'system' or 'contract'".to_owned()),
        });
        let contracts = contract_ids.iter().zip(1..).map(|(text, n)| {
            Contract::from_string(text).map(|c| c.0).map_err(|_| format!("contract ID {n} invalid"))
        });
        let patterns = topics
            .into_iter()
            .zip(1..)
            .map(|(topic, n)| Pattern::read(topic).map_err(|why| format!("topic {n} invalid: {why}")));
        Ok(Self {
            kinds: kinds.collect::<Result<_, _>>()?,
            contracts: contracts.collect::<Result<_, _>>()?,
            patterns: patterns.collect::<Result<_, _>>()?,
        })
    }

    fn matches(&self, event: &ContractEvent) -> bool {
        let ContractEventBody::V0(body) = &event.body;
        let contract = event.contract_id.as_ref().map(|id| id.0.0);
        (self.kinds.is_empty() || self.kinds.contains(&event.type_))
            && (self.contracts.is_empty() || contract.is_some_and(|id| self.contracts.contains(&id)))
            && (self.patterns.is_empty() || self.patterns.iter().any(|p| p.matches(&body.topics)))
    }
}

impl Pattern {
    fn read(mut words: Vec<String>) -> Result<Self, String> {
        if words.is_empty() {
            return Err("topic must have at least 1 segment".into());
        }
        let open = words.last().is_some_and(|word| word == "**");
        if open {
            words.pop();
        }
        if words.len() > MAX_SEGMENTS {
            return Err("topic cannot have more than 4 segments".into());
        }
        let segments = words.iter().zip(1..).map(|(word, n)| match word.as_str() {
            "*" => Ok(Segment::Any),
            "**" => Err(format!("segment {n} invalid: wildcard '**' is only allowed as the last segment")),
            text => decode_b64(text)
                .map(Segment::Exactly)
                .ok_or_else(|| format!("segment {n} invalid: neither a wildcard nor an ScVal")),
        });
        Ok(Self { segments: segments.collect::<Result<_, _>>()?, open })
    }

    fn matches(&self, topics: &[ScVal]) -> bool {
        let length_fits =
            if self.open { topics.len() >= self.segments.len() } else { topics.len() == self.segments.len() };
        length_fits
            && self.segments.iter().zip(topics).all(|(segment, topic)| match segment {
                Segment::Any => true,
                Segment::Exactly(wanted) => wanted == topic,
            })
    }
}

/// Seconds of the Unix epoch as `2026-11-20T09:00:00Z`; the civil calendar by Hinnant's `civil_from_days`.
fn rfc3339(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_server_writes_them() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(rfc3339(1_795_164_011), "2026-11-20T08:40:11Z");
        assert_eq!(rfc3339(4_107_542_399), "2100-02-28T23:59:59Z");
    }

    #[test]
    fn a_place_reads_back() {
        let place = Place { ledger: 7, transaction: 1, operation: 2, event: 3 };
        assert_eq!(place.id(), "0000000030064775170-0000000003");
        assert_eq!(Place::parse(&place.id()), Some(place));
        assert!(
            place < Place::end_of(7)
                && Place::end_of(7) < Place { ledger: 8, transaction: 0, operation: 0, event: 0 }
        );
    }
}
