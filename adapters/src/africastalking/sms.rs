//! Short messages out, and the reports on their delivery.
//!
//! Absent: any retry. A message that may have gone out is not sent again by this file; whether two are worse
//! than none is for whoever knows the message.

use serde::Deserialize;

use super::form::{self, BadForm, Form};
use crate::http::{Answer, Call, Client};
use crate::port::{Msisdn, Outcome, Secret, scrub};

/// Where messages are ordered, after the host.
pub(super) const PATH: &str = "/version1/messaging";
/// The header of the key.
pub(super) const KEY: &str = "apikey";

/// Where Africa's Talking is and who we are to it.
#[derive(Clone, Debug)]
pub struct Config {
    /// Scheme and host, `https://api.africastalking.com`.
    pub url: String,
    /// The application's name there.
    pub username: String,
    /// Its key.
    pub key: Secret,
    /// The sender shown, if one is registered.
    pub sender: Option<String>,
}

/// The sender of messages.
#[derive(Clone, Debug)]
pub struct Sms {
    config: Config,
    http: Client,
}

/// A message on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmsReceipt {
    /// Theirs; delivery reports carry it.
    pub message_id: String,
    /// 100 processed, 101 sent, 102 queued.
    pub status_code: u16,
    /// As they write it, `KES 0.8000`.
    pub cost: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Reply {
    #[serde(rename = "SMSMessageData")]
    message: ReplyMessage,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ReplyMessage {
    recipients: Vec<Recipient>,
    message: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recipient {
    status_code: u16,
    status: Option<String>,
    message_id: Option<String>,
    cost: Option<String>,
}

impl Sms {
    /// The sender at `config`; a slash at the URL's end does not matter.
    pub fn new(mut config: Config, http: Client) -> Self {
        config.url.truncate(config.url.trim_end_matches('/').len());
        Self { config, http }
    }

    /// Sends one message to one phone, once. `reference` is ours, for the log; the wire has no place for it.
    ///
    /// `Refused` is a definite no for this phone (blocked, not a mobile, no route), `NotSent` a no that may
    /// pass (the account's balance, a hold, not let in), `Unknown` anything without a clear word.
    pub async fn send(&self, to: &Msisdn, text: &str, reference: &str) -> Outcome<SmsReceipt> {
        let mut fields =
            vec![("username", self.config.username.as_str()), ("to", to.e164()), ("message", text)];
        if let Some(sender) = &self.config.sender {
            fields.push(("from", sender));
        }
        let url = format!("{}{PATH}", self.config.url);
        let form = form::write(&fields);
        let call = Call::post("africastalking", url, "application/x-www-form-urlencoded", form)
            .header("accept", "application/json")
            .header(KEY, self.config.key.expose());
        let outcome = match self.http.tell(&call).await {
            Ok(answer) => taken(&answer),
            Err(none) => none.into(),
        };
        tracing::debug!(reference, taken = matches!(outcome, Outcome::Done(_)), "sms ordered");
        outcome
    }
}

fn taken(answer: &Answer) -> Outcome<SmsReceipt> {
    if answer.turned_away() {
        return Outcome::NotSent { why: format!("turned away with {}", answer.status) };
    }
    if answer.status == 400 {
        return Outcome::Refused {
            code: "400".to_owned(),
            reason: scrub(&String::from_utf8_lossy(&answer.body)),
        };
    }
    let odd = |what: &str| Outcome::Unknown { why: format!("answered {} {what}", answer.status) };
    if !answer.is_success() {
        return odd("instead of a receipt");
    }
    let Ok(reply) = serde_json::from_slice::<Reply>(&answer.body) else {
        return odd("in words that do not read");
    };
    let mut recipients = reply.message.recipients;
    match (recipients.pop(), recipients.is_empty()) {
        (Some(recipient), true) => verdict(recipient),
        // With no recipient the reason stands in the message: an unknown sender, an empty account.
        (None, _) => Outcome::NotSent { why: scrub(&reply.message.message.unwrap_or_default()) },
        (Some(_), false) => odd("about more than one phone"),
    }
}

/// The codes' meanings are those of the vendor's table as several clients copy it.
fn verdict(recipient: Recipient) -> Outcome<SmsReceipt> {
    let status = scrub(&recipient.status.unwrap_or_default());
    let code = recipient.status_code;
    match (code, recipient.message_id) {
        (100..=102, Some(message_id)) => {
            Outcome::Done(SmsReceipt { message_id, status_code: code, cost: recipient.cost })
        }
        // 401 held for risk, 405 balance, 500 and 501 their own or the network's trouble.
        (401 | 405 | 500 | 501, _) => Outcome::NotSent { why: format!("{code} {status}") },
        // 402 sender, 403 number, 404 kind of number, 406 and 409 the person does not want it, 407 no route,
        // 502 rejected.
        (402 | 403 | 404 | 406 | 407 | 409 | 502, _) => {
            Outcome::Refused { code: code.to_string(), reason: status }
        }
        _ => Outcome::Unknown { why: format!("recipient status {code} {status}") },
    }
}

/// Where a message stands. The order is that of news: what is further on wins, and the last three end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Delivery {
    /// With the network.
    Submitted,
    /// Waiting at the network for the phone.
    Buffered,
    /// Out to the phone.
    Sent,
    /// The network would not have it.
    Rejected,
    /// The phone did not get it.
    Failed,
    /// The phone has it.
    Success,
}

impl Delivery {
    /// Whether nothing better can come.
    pub fn is_final(self) -> bool {
        self >= Delivery::Rejected
    }

    /// What holds after this news: reports repeat and fall back, and a final word is kept.
    #[must_use]
    pub fn after(self, known: Option<Delivery>) -> Delivery {
        known.map_or(self, |known| known.max(self))
    }
}

/// A delivery report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The id of [`SmsReceipt`].
    pub message_id: String,
    /// Where it stands.
    pub delivery: Delivery,
    /// Whose phone, if it reads.
    pub phone: Option<Msisdn>,
    /// Why not, in their word: `UserInBlackList`.
    pub reason: Option<String>,
}

/// Reads a delivery report.
///
/// # Errors
/// [`BadForm`] when the id is missing or the status is a word we do not know.
pub fn read_report(raw: &[u8]) -> Result<Report, BadForm> {
    let form = Form::read(raw)?;
    let delivery = match form.required("status")? {
        "Submitted" => Delivery::Submitted,
        "Buffered" => Delivery::Buffered,
        "Sent" => Delivery::Sent,
        "Rejected" => Delivery::Rejected,
        "Failed" => Delivery::Failed,
        "Success" => Delivery::Success,
        _ => return Err(BadForm { field: "status", reason: "is a word we do not know" }),
    };
    Ok(Report {
        message_id: form.required("id")?.to_owned(),
        delivery,
        phone: form.get("phoneNumber").and_then(|text| Msisdn::parse(text).ok()),
        reason: form.get("failureReason").filter(|text| !text.is_empty()).map(scrub),
    })
}
