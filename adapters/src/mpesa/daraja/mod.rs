//! Daraja as we call it: a token, prompts on a customer's phone, payouts, and questions whose answers are
//! posted to us later.
//!
//! Invariant: a call is made under a token its caller holds, and says when that token is not the current one;
//! it fetches none by itself, since each new one kills the one before. An acknowledgement is not an end: the
//! money is told by a result, a receipt, a row. Amounts are whole shillings where Daraja takes no others.
//! Absent: a clock, and where the one token of the app is kept (the gateway's).

mod ask;
mod fault;
mod heard;
mod pairs;
mod pull;
mod push;
mod sign;
#[cfg(test)]
mod tests;
mod wire;

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::NaiveDate;
use serde::Serialize;

pub use ask::{About, B2c, Doors, Reversal};
pub use fault::{Taken, Trouble, classify};
pub(in crate::mpesa) use heard::signed;
pub use heard::{AccountBalance, Asked, Paid, PayoutEnd, Word, balances, payout_end, read_word, status_of};
pub(in crate::mpesa) use pairs::money;
pub use pull::{Pulled, read_pulled};
pub use push::{Prompt, PromptEnd, Prompted, Pushed, read_callback};
pub(in crate::mpesa) use sign::password as prompt_password;
pub use sign::{BadCertificate, credential};

use crate::http::{Answer, Call, Client};
use crate::mpesa::terms::{BadTerms, Terms};
use crate::port::{Outcome, Secret, scrub};
use amana_ledger::money::Money;

/// Where Daraja is and who we are to it.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address, `https://api.safaricom.co.ke`.
    pub url: String,
    /// The app's name.
    pub key: Secret,
    /// The app's secret.
    pub secret: Secret,
    /// The paybill.
    pub shortcode: String,
    /// For prompts; none, and none are made.
    pub passkey: Option<Secret>,
    /// Who asks and pays, and the sealed password; none, and nothing of the kind is done.
    pub initiator: Option<Initiator>,
}

/// Who instructs in the paybill's name.
#[derive(Clone, Debug)]
pub struct Initiator {
    /// The name.
    pub name: String,
    /// See [`credential`].
    pub credential: Secret,
}

/// Daraja.
#[derive(Clone, Debug)]
pub struct Daraja {
    config: Config,
    http: Client,
}

/// How a call under a token ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Called<T> {
    /// As outcomes go.
    Ended(Outcome<T>),
    /// The token is not, or no longer, the app's. Nothing happened: call again under the current one.
    Stale,
}

impl<T> Called<T> {
    fn done(thing: T) -> Self {
        Called::Ended(Outcome::Done(thing))
    }

    fn unknown(why: &str) -> Self {
        Called::Ended(Outcome::Unknown { why: why.to_owned() })
    }

    /// The same with another thing inside.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Called<U> {
        match self {
            Called::Ended(outcome) => Called::Ended(outcome.map(change)),
            Called::Stale => Called::Stale,
        }
    }
}

/// An access token and how long it lives.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// Sent as bearer.
    pub secret: Secret,
    /// Seconds from now.
    pub expires_in_s: u32,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({} s)", self.expires_in_s)
    }
}

/// How long a token lives if the answer does not say.
const TOKEN_S: u32 = 3_599;

impl Daraja {
    /// Daraja at `config`; a slash at the URL's end does not matter.
    pub fn new(mut config: Config, http: Client) -> Self {
        config.url.truncate(config.url.trim_end_matches('/').len());
        Self { config, http }
    }

    /// Which app this is, in the words of no secret: a token belongs to one.
    pub fn app(&self) -> String {
        let name = aws_lc_rs::digest::digest(
            &aws_lc_rs::digest::SHA256,
            format!("{}\0{}", self.config.url, self.config.key.expose()).as_bytes(),
        );
        hex::encode(&name.as_ref()[..12])
    }

    /// Whether there is somebody to instruct in the paybill's name.
    pub fn may_instruct(&self) -> bool {
        self.config.initiator.is_some()
    }

    /// Whether prompts can be made.
    pub fn may_prompt(&self) -> bool {
        self.config.passkey.is_some()
    }

    /// Fetches a new token, which kills the one before: for the one who holds the app's lock.
    pub async fn token(&self) -> Outcome<Token> {
        let basic = format!("{}:{}", self.config.key.expose(), self.config.secret.expose());
        let call = Call::get("daraja", format!("{}{}", self.config.url, wire::TOKEN))
            .header("authorization", format!("Basic {}", STANDARD.encode(basic)));
        // Whoever fetches it holds a lock in a transaction meanwhile, which must end within ten seconds.
        let http = self.http.with_deadline(Duration::from_secs(8));
        // Once: a second try would kill what the first one's answer, still on its way, may hold.
        match http.tell(&call).await {
            Ok(answer) if answer.is_success() => granted(&answer),
            Ok(answer) => match classify(&answer) {
                Trouble::Refused(code, reason) => Outcome::Refused { code, reason },
                trouble => Outcome::NotSent { why: format!("no token: {trouble:?}") },
            },
            Err(none) => none.into(),
        }
    }

    /// An instruction, once.
    async fn tell(&self, token: &Secret, path: &str, body: &impl Serialize) -> Result<Answer, Called<()>> {
        let call = self.call(token, path, body)?;
        self.http.tell(&call).await.map_err(|none| Called::Ended(none.into()))
    }

    /// A question, again where the first try gave no answer.
    async fn ask(&self, token: &Secret, path: &str, body: &impl Serialize) -> Result<Answer, Called<()>> {
        let call = self.call(token, path, body)?;
        self.http.ask(&call).await.map_err(|none| Called::Ended(none.into()))
    }

    fn call(&self, token: &Secret, path: &str, body: &impl Serialize) -> Result<Call, Called<()>> {
        let unsent = |_| Called::Ended(Outcome::NotSent { why: "request does not serialise".to_owned() });
        let body = serde_json::to_vec(body).map_err(unsent)?;
        let call = Call::post("daraja", format!("{}{path}", self.config.url), "application/json", body);
        Ok(call.header("authorization", format!("Bearer {}", token.expose())))
    }
}

impl Called<()> {
    /// What did not come to an answer ends so for whatever was asked.
    fn of<T>(self) -> Called<T> {
        match self {
            Called::Stale => Called::Stale,
            Called::Ended(Outcome::Done(())) => Called::unknown("nothing was said"),
            Called::Ended(Outcome::Refused { code, reason }) => Called::refused(&code, &reason),
            Called::Ended(Outcome::NotSent { why }) => Called::Ended(Outcome::NotSent { why }),
            Called::Ended(Outcome::Unknown { why }) => Called::Ended(Outcome::Unknown { why }),
        }
    }
}

impl<T> Called<T> {
    fn refused(code: &str, reason: &str) -> Self {
        Called::Ended(Outcome::Refused { code: code.to_owned(), reason: reason.to_owned() })
    }
}

fn granted(answer: &Answer) -> Outcome<Token> {
    let Ok(granted) = serde_json::from_slice::<wire::Granted>(&answer.body) else {
        return Outcome::Unknown { why: "answered with no token".to_owned() };
    };
    let life = pairs::code(granted.expires_in.as_ref()).and_then(|text| text.parse().ok());
    let secret = Secret::new(granted.access_token);
    Outcome::Done(Token { secret, expires_in_s: life.unwrap_or(TOKEN_S) })
}

/// The least and the most of a kind of payment, minor units.
type Bounds = fn(&Terms) -> (i64, i64);

/// An amount as the rail takes it, whole shillings within what is allowed that day; else the field's name and
/// what is wrong with it.
fn whole(field: &str, money: Money, (kind, on): (Bounds, NaiveDate)) -> Result<String, (String, String)> {
    let bad = |why: String| (field.to_owned(), why);
    let terms = Terms::on(on).map_err(|BadTerms| bad("no limits are known for that day".to_owned()))?;
    let (least, most) = kind(&terms);
    match money.split_whole() {
        (_, Some(_)) => Err(bad("has more decimals than whole shillings".to_owned())),
        (Some(whole), None) if (least..=most).contains(&whole.minor()) => {
            Ok((whole.minor() / whole.asset.whole()).to_string())
        }
        _ => Err(bad(format!("is not within {} and {} shillings", least / 100, most / 100))),
    }
}

/// A text fit for a field that takes so many characters: plain ones only.
fn short(text: &str, most: usize) -> String {
    scrub(text).chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(most).collect()
}
