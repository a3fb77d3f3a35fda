//! What Daraja says instead of an answer: one code means several things, so code and words decide together.
//!
//! Invariant: only what the gateway before Daraja says of itself (slow down, wrong token) counts as "nothing
//! happened"; an error of Daraja's own depths counts as "nobody knows".

use super::wire::{Acked, Envelope};
use super::{Called, pairs};
use crate::http::Answer;
use crate::port::{Outcome, scrub};

/// What an answer that is no success means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The token is no longer the app's: nothing happened.
    Stale,
    /// Slow down, or come back later: nothing happened.
    Busy(String),
    /// It is under way still: no trouble at all, for a question.
    Underway,
    /// This id of ours was taken before: the first attempt did arrive.
    Duplicate,
    /// The URLs stand already.
    Registered,
    /// Read and refused; code and words.
    Refused(String, String),
    /// Not let in, by our own configuration: nothing happened.
    NotLetIn(String),
    /// Anything may have happened.
    Unwell(String),
}

/// Codes of a token that is not the current one.
const STALE: [&str; 4] = ["404.001.03", "400.003.01", "401.002.01", "401.003.01"];

/// Reads an answer's status and words.
pub fn classify(answer: &Answer) -> Trouble {
    let (code, words) = words(&answer.body);
    let has = |part: &str| words.to_ascii_lowercase().contains(part);
    let said = || scrub(&format!("{code} {words}"));
    if STALE.contains(&code.as_str()) || has("invalid access token") || has("access token expired") {
        return Trouble::Stale;
    }
    if has("spike arrest") || has("quota") || code == "500.003.03" || has("unable to lock subscriber") {
        return Trouble::Busy(said());
    }
    if has("being processed") || has("under processing") || has("still processing") {
        return Trouble::Underway;
    }
    if has("duplicate originatorconversationid") || code == "500.002.1001" {
        return Trouble::Duplicate;
    }
    if has("already registered") {
        return Trouble::Registered;
    }
    if has("no apiproduct match") || has("merchant does not exist") || has("wrong credentials") {
        return Trouble::NotLetIn(said());
    }
    match answer.status {
        401 => Trouble::Stale,
        429 => Trouble::Busy(said()),
        403..=405 => Trouble::NotLetIn(format!("turned away with {} {}", answer.status, said())),
        400..500 if !code.is_empty() => Trouble::Refused(scrub(&code), scrub(&words)),
        status => Trouble::Unwell(format!("answered {status} {}", said())),
    }
}

/// Code and words of an envelope, empty where there are none.
fn words(body: &[u8]) -> (String, String) {
    let envelope: Envelope = serde_json::from_slice(body).unwrap_or_default();
    let fault = envelope.fault.map(|fault| fault.faultstring);
    (envelope.error_code.unwrap_or_default(), envelope.error_message.or(fault).unwrap_or_default())
}

impl Trouble {
    /// How a call ends that met this.
    pub(super) fn end<T>(self) -> Called<T> {
        Called::Ended(match self {
            Trouble::Stale => return Called::Stale,
            Trouble::Busy(why) | Trouble::NotLetIn(why) => Outcome::NotSent { why },
            Trouble::Refused(code, reason) => Outcome::Refused { code, reason },
            Trouble::Unwell(why) => Outcome::Unknown { why },
            Trouble::Underway => Outcome::Unknown { why: "is under way".into() },
            Trouble::Duplicate => Outcome::Unknown { why: "was taken before".into() },
            Trouble::Registered => Outcome::Unknown { why: "stands already".into() },
        })
    }
}

/// What the rail gave to an instruction it took: not its end, only that there will be one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Their id of it, under which the result comes.
    pub conversation: Option<String>,
    /// Ours, or another one of theirs.
    pub originator: Option<String>,
    /// Whether this id had been taken before: the first attempt did arrive.
    pub before: bool,
}

/// The acknowledgement of an instruction whose result comes later.
pub(super) fn taken(answer: &Answer) -> Called<Taken> {
    if !answer.is_success() {
        return match classify(answer) {
            Trouble::Duplicate => Called::done(Taken { before: true, ..Taken::default() }),
            trouble => trouble.end(),
        };
    }
    let acked: Acked = match serde_json::from_slice(&answer.body) {
        Ok(acked) => acked,
        Err(_) => return Called::unknown("answered in words that do not read"),
    };
    match pairs::code(acked.code.as_ref()).as_deref() {
        Some("0") => Called::done(Taken {
            conversation: acked.conversation,
            originator: acked.originator,
            before: false,
        }),
        Some(code) => {
            let (code, reason) = (scrub(code), scrub(&acked.text.unwrap_or_default()));
            Called::Ended(Outcome::Refused { code, reason })
        }
        None => Called::unknown("answered without a code"),
    }
}
