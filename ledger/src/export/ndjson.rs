//! One transfer a line, as JSON: all that the journal knows of it and that cannot change later.
//!
//! Amounts are decimals in strings, as in the API: a number of JSON is a float to many who read it. That a
//! transfer was reversed stands at its reversal, or the same day would read otherwise a month later.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Form, Head, instant};
use crate::store::{Fault, written::Written};

pub(super) struct Ndjson;

#[derive(Serialize)]
struct Line<'a> {
    no: i64,
    book: &'a str,
    batch: i64,
    id: String,
    event: &'a str,
    key: &'a str,
    effective_at: String,
    recorded_at: String,
    currency: &'a str,
    postings: Vec<Leg>,
    hold: Option<Hold<'a>>,
    reverses: Option<String>,
    external: Option<Fact<'a>>,
    link: Option<String>,
    metadata: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
struct Hold<'a> {
    id: String,
    verb: &'a str,
    expires_at: Option<String>,
}

#[derive(Serialize)]
struct Leg {
    no: i64,
    phase: &'static str,
    debit: String,
    credit: String,
    amount: String,
}

#[derive(Serialize)]
struct Fact<'a> {
    provider: &'a str,
    account: &'a str,
    id: &'a str,
}

impl Form for Ndjson {
    fn transfer(&self, out: &mut String, head: &Head, written: &Written) -> Result<(), Fault> {
        let legs = written.postings.iter().map(|(no, phase, posting)| Leg {
            no: *no,
            phase,
            debit: posting.debit.path(),
            credit: posting.credit.path(),
            amount: posting.money.decimal(),
        });
        let line = Line {
            no: written.postings.first().map_or(0, |(no, ..)| *no),
            book: head.book.as_str(),
            batch: written.batch,
            id: written.id.to_string(),
            event: written.event.word(),
            key: written.key.as_str(),
            effective_at: instant(written.effective_at),
            recorded_at: instant(written.recorded_at),
            currency: head.asset().code(),
            postings: legs.collect(),
            hold: written.hold.zip(written.held.as_ref()).map(|(hold, (verb, expires_at))| Hold {
                id: hold.to_string(),
                verb,
                expires_at: expires_at.map(instant),
            }),
            reverses: written.reverses.map(|of| of.to_string()),
            external: written.external.as_ref().map(|fact| Fact {
                provider: &fact.provider,
                account: &fact.account,
                id: &fact.id,
            }),
            link: written.link.map(|first| first.to_string()),
            metadata: written.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        };
        let line = serde_json::to_string(&line).map_err(|_| Fault::Unreadable("a transfer is no JSON"))?;
        out.push_str(&line);
        out.push('\n');
        Ok(())
    }
}
