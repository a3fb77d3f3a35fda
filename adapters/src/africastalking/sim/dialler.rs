//! A phone with a USSD session: dials, types, may repeat a hop or hang up.

use crate::africastalking::UssdReply;
use crate::africastalking::form;
use crate::http::{Call, Client, NoAnswer};
use crate::port::Msisdn;

/// A phone that dials a menu.
#[derive(Clone)]
pub struct Dialler {
    http: Client,
    url: String,
    service_code: String,
    phone: Msisdn,
    session: String,
    typed: Vec<String>,
    over: bool,
}

/// Why the phone shows nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoReply {
    /// The menu could not be reached.
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    /// The menu answered with an error status or without `CON` or `END`: the session ends.
    #[error("session broke with status {0}")]
    Broken(u16),
    /// The session is over; dial again.
    #[error("session is over")]
    Over,
}

impl Dialler {
    /// A phone and the menu's URL; nothing is dialled yet.
    pub fn new(http: Client, url: impl Into<String>, service_code: &str, phone: Msisdn) -> Self {
        let (url, service_code) = (url.into(), service_code.to_owned());
        Self { http, url, service_code, phone, session: String::new(), typed: Vec::new(), over: true }
    }

    /// Whose phone it is.
    pub fn phone(&self) -> &Msisdn {
        &self.phone
    }

    /// Dials: a new session of that id.
    ///
    /// # Errors
    /// [`NoReply`].
    pub async fn dial(&mut self, session: &str) -> Result<UssdReply, NoReply> {
        self.session = session.to_owned();
        self.typed.clear();
        self.over = false;
        self.again().await
    }

    /// Types an answer.
    ///
    /// # Errors
    /// [`NoReply`].
    pub async fn press(&mut self, input: &str) -> Result<UssdReply, NoReply> {
        if self.over {
            return Err(NoReply::Over);
        }
        self.typed.push(input.to_owned());
        self.again().await
    }

    /// Dials and types one answer after the other; the last screen. Stops where the session ends.
    ///
    /// # Errors
    /// [`NoReply`].
    pub async fn walk(&mut self, session: &str, inputs: &[&str]) -> Result<UssdReply, NoReply> {
        let mut shown = self.dial(session).await?;
        for input in inputs {
            shown = self.press(input).await?;
        }
        Ok(shown)
    }

    /// Posts the last hop again, as the company does when an answer is lost, even after the end.
    ///
    /// # Errors
    /// [`NoReply`].
    pub async fn again(&mut self) -> Result<UssdReply, NoReply> {
        let text = self.typed.join("*");
        let form = form::write(&[
            ("sessionId", &self.session),
            ("serviceCode", &self.service_code),
            ("phoneNumber", self.phone.e164()),
            ("networkCode", "63902"),
            ("text", &text),
        ]);
        let call = Call::post("ussd-sim", &self.url, "application/x-www-form-urlencoded", form);
        let answer = self.http.tell(&call).await?;
        let read = std::str::from_utf8(&answer.body).ok().and_then(UssdReply::read);
        match read {
            Some(reply) if answer.is_success() => {
                self.over = matches!(reply, UssdReply::End(_));
                Ok(reply)
            }
            _ => {
                self.over = true;
                Err(NoReply::Broken(answer.status))
            }
        }
    }
}
