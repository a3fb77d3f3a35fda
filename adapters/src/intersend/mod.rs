//! Intersend, the payout rail: orders a payout, asks where one stands, hears where one stands.
//!
//! Invariant: the same reference goes out with the same bytes however often it is sent, and the rail pays a
//! reference once. No answer, an odd answer and a server error are `Unknown`: only the rail's own `failed`,
//! heard in an answer, an inquiry or a signed callback, or a definite refusal says that nobody was paid.
//! Absent: any conclusion from an unknown reference (404): the order may still be on its way.

mod sign;
pub mod sim;
#[cfg(test)]
mod tests;
mod wire;

use chrono::{DateTime, Utc};

use crate::http::{Answer, Call, Client};
use crate::port::{Outcome, PayoutOrder, PayoutStatus, Secret, scrub};

/// How long a signed callback stays fresh, either way, in seconds: clocks differ and queues hold, a replay a
/// day later is not news.
pub const FRESH_S: i64 = 300;

/// Where Intersend is and who we are to it.
#[derive(Clone, Debug)]
pub struct Config {
    /// The API's address with its version, `https://api.intersend.com/v1`.
    pub url: String,
    /// Sent as bearer.
    pub key: Secret,
    /// Signs both ways.
    pub secret: Secret,
}

/// The rail.
#[derive(Clone, Debug)]
pub struct Intersend {
    config: Config,
    http: Client,
}

/// Why a callback is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCallback {
    /// The timestamp is not a time, or too far from now.
    #[error("timestamp is not within {FRESH_S} s of now")]
    Stale,
    /// The signature is missing or not Intersend's over these bytes.
    #[error("signature does not match")]
    NotSigned,
    /// Signed, and does not read.
    #[error("{0}")]
    Unreadable(String),
}

impl Intersend {
    /// The rail at `config`; a slash at the URL's end does not matter.
    pub fn new(mut config: Config, http: Client) -> Self {
        config.url.truncate(config.url.trim_end_matches('/').len());
        Self { config, http }
    }

    /// Orders a payout, once; to be repeated with the same order while nothing definite is heard.
    ///
    /// `Done` is the rail's standing (usually pending), `Refused` its definite no to a malformed order (400,
    /// 422), `NotSent` no connection or not let in (401, 403, 429), `Unknown` everything else, a conflict
    /// over the reference (409) included.
    pub async fn send(&self, order: &PayoutOrder, now: DateTime<Utc>) -> Outcome<PayoutStatus> {
        let Ok(body) = serde_json::to_vec(&wire::Order::of(order)) else {
            return Outcome::NotSent { why: "order does not serialise".to_owned() };
        };
        let timestamp = now.timestamp().to_string();
        let signature = sign::sign(&self.config.secret, &timestamp, &body);
        let url = format!("{}{}", self.config.url, wire::SEND);
        let call = Call::post("intersend", url, "application/json", body);
        match self.http.tell(&self.signed(call, timestamp, signature)).await {
            Ok(answer) => taken(&answer, &order.reference),
            Err(none) => none.into(),
        }
    }

    /// Asks where a payout stands. `Done(None)` is "no such reference", which proves nothing alone.
    pub async fn inquire(&self, reference: &str, now: DateTime<Utc>) -> Outcome<Option<PayoutStatus>> {
        if !is_segment(reference) {
            let reason = "reference is not fit for a url".to_owned();
            return Outcome::Refused { code: "bad_reference".to_owned(), reason };
        }
        let timestamp = now.timestamp().to_string();
        let signature = sign::sign(&self.config.secret, &timestamp, b"");
        let call = Call::get("intersend", format!("{}{}{reference}", self.config.url, wire::PAYOUTS));
        match self.http.ask(&self.signed(call, timestamp, signature)).await {
            Ok(answer) if answer.status == 404 => Outcome::Done(None),
            Ok(answer) if answer.turned_away() => turned_away(&answer),
            Ok(answer) => standing(&answer, reference).map(Some),
            Err(none) => none.into(),
        }
    }

    /// Hears a callback: the two headers as they came and the body byte by byte.
    ///
    /// # Errors
    /// [`BadCallback`]; a callback that is not fresh or not signed says nothing about any payout.
    pub fn heard(
        &self,
        timestamp: &str,
        signature: &str,
        raw: &[u8],
        now: DateTime<Utc>,
    ) -> Result<PayoutStatus, BadCallback> {
        if !sign::is_signed(&self.config.secret, timestamp, raw, signature) {
            return Err(BadCallback::NotSigned);
        }
        if !is_fresh(timestamp, now) {
            return Err(BadCallback::Stale);
        }
        wire::read_standing(raw).map_err(BadCallback::Unreadable)
    }

    fn signed(&self, call: Call, timestamp: String, signature: String) -> Call {
        call.header("authorization", format!("Bearer {}", self.config.key.expose()))
            .header("accept", "application/json")
            .header(wire::TIMESTAMP, timestamp)
            .header(wire::SIGNATURE, signature)
    }
}

/// The names of the two headers of a callback, timestamp and signature, in lower case.
pub const HEADERS: (&str, &str) = (wire::TIMESTAMP, wire::SIGNATURE);

fn taken(answer: &Answer, reference: &str) -> Outcome<PayoutStatus> {
    match answer.status {
        // Refused only in Intersend's own words: a page of something in between is not its no.
        400 | 422 => match serde_json::from_slice::<serde_json::Value>(&answer.body) {
            Ok(body) if body.is_object() => {
                let refusal: wire::Refusal = serde_json::from_value(body).unwrap_or_default();
                let code = if refusal.code.is_empty() { answer.status.to_string() } else { refusal.code };
                Outcome::Refused { code: scrub(&code), reason: scrub(&refusal.reason) }
            }
            _ => odd(answer, "in words that are not the rail's"),
        },
        _ if answer.turned_away() => turned_away(answer),
        _ => standing(answer, reference),
    }
}

fn standing(answer: &Answer, reference: &str) -> Outcome<PayoutStatus> {
    if !answer.is_success() {
        return odd(answer, "instead of a standing");
    }
    match wire::read_standing(&answer.body) {
        Ok(status) if status.reference == reference => Outcome::Done(status),
        Ok(_) => odd(answer, "about another reference"),
        Err(what) => odd(answer, &what),
    }
}

fn turned_away<T>(answer: &Answer) -> Outcome<T> {
    Outcome::NotSent { why: format!("turned away with {}", answer.status) }
}

fn odd<T>(answer: &Answer, what: &str) -> Outcome<T> {
    Outcome::Unknown { why: format!("answered {} {what}", answer.status) }
}

fn is_fresh(timestamp: &str, now: DateTime<Utc>) -> bool {
    let plain = !timestamp.is_empty() && timestamp.bytes().all(|b| b.is_ascii_digit());
    let at = if plain { timestamp.parse::<i64>().ok() } else { None };
    at.is_some_and(|at| at.abs_diff(now.timestamp()) <= FRESH_S.unsigned_abs())
}

/// Our references are letters, digits, `-` and `_`; anything else would ask about something else.
fn is_segment(reference: &str) -> bool {
    !reference.is_empty() && reference.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}
