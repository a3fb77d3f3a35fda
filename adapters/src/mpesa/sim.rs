//! A customer with a phone, and Daraja between him and us: posts validations and confirmations to the
//! gateway's doors over real HTTP, in every manner in which they are known to come. Daraja's own desk, which
//! is asked, is in `sim/desk.rs`.

mod desk;
mod till;

use std::time::Duration;

use chrono::{DateTime, Datelike, Utc};
use serde::Serialize;
use tokio::task::JoinSet;

use super::local;
use super::register::OnSilence;
use crate::http::{Answer, Call, Client, NoAnswer};
use crate::port::Msisdn;

pub use desk::{Options, Sim};
pub use till::{Line, What};

/// The two URLs a shortcode has registered.
#[derive(Clone, Debug)]
pub struct Doors {
    /// Asked first, if external validation is switched on.
    pub validation: Option<String>,
    /// Told of the money.
    pub confirmation: String,
    /// What happens when validation does not answer.
    pub on_silence: OnSilence,
}

/// In which form the payer's number is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// `254712345678`.
    Clear,
    /// `2547 ***** 678`, as version 2 does.
    Masked,
    /// SHA-256 in hex, as version 1 does.
    Hashed,
}

/// One payment to a paybill.
#[derive(Clone, Debug)]
pub struct Payment {
    /// M-Pesa's receipt; see [`receipt`].
    pub receipt: String,
    /// As Daraja would write it: `"50000.00"`.
    pub amount: String,
    /// The paybill.
    pub shortcode: String,
    /// What the payer types as account number.
    pub typed_ref: String,
    /// Who pays.
    pub phone: Msisdn,
    /// How the number is told.
    pub shown: Shown,
    /// When.
    pub at: DateTime<Utc>,
}

/// How the news of one payment arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Validation, then confirmation.
    Once,
    /// The same confirmation so many times, one after the other.
    Times(u32),
    /// The same confirmation so many times at once.
    Parallel(u32),
    /// The confirmation after a while.
    Late(Duration),
    /// The payer paid and the confirmation never comes.
    Lost,
    /// The confirmation comes before the validation.
    ConfirmationFirst,
    /// Two confirmations of one receipt, the second with this amount.
    Contradictory(String),
}

/// What the gateway answered.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// To the validation, if there was one.
    pub validation: Option<Result<Answer, NoAnswer>>,
    /// To each confirmation; none if the payment was rejected or the news lost.
    pub confirmations: Vec<Result<Answer, NoAnswer>>,
}

impl Told {
    /// How many confirmations were answered with result code 0.
    pub fn acknowledged(&self) -> usize {
        let acked = |answer: &Answer| result_code(&answer.body).is_some_and(|code| code == "0");
        self.confirmations.iter().flatten().filter(|answer| answer.is_success() && acked(answer)).count()
    }
}

/// The customer's side of a paybill.
#[derive(Clone, Debug)]
pub struct Customer {
    http: Client,
    doors: Doors,
}

impl Customer {
    /// A customer whose payments reach these doors.
    pub fn new(http: Client, doors: Doors) -> Self {
        Self { http, doors }
    }

    /// Pays, and delivers the news in the given manner. A payment rejected at validation is not made.
    pub async fn pay(&self, payment: &Payment, delivery: Delivery) -> Told {
        let mut told = Told::default();
        if delivery == Delivery::ConfirmationFirst {
            told.confirmations.push(self.confirm(payment).await);
            told.validation = self.validate(payment).await;
            return told;
        }
        told.validation = self.validate(payment).await;
        if self.turned_away(told.validation.as_ref()) {
            return told;
        }
        told.confirmations = self.deliver(payment, delivery).await;
        told
    }

    async fn deliver(&self, payment: &Payment, delivery: Delivery) -> Vec<Result<Answer, NoAnswer>> {
        let mut heard = Vec::new();
        match delivery {
            Delivery::Once | Delivery::ConfirmationFirst => heard.push(self.confirm(payment).await),
            Delivery::Times(times) => {
                for _ in 0..times {
                    heard.push(self.confirm(payment).await);
                }
            }
            Delivery::Parallel(times) => {
                let mut all = JoinSet::new();
                for _ in 0..times {
                    let (customer, payment) = (self.clone(), payment.clone());
                    all.spawn(async move { customer.confirm(&payment).await });
                }
                heard = all.join_all().await;
            }
            Delivery::Late(after) => {
                tokio::time::sleep(after).await;
                heard.push(self.confirm(payment).await);
            }
            Delivery::Lost => {}
            Delivery::Contradictory(amount) => {
                heard.push(self.confirm(payment).await);
                heard.push(self.confirm(&Payment { amount, ..payment.clone() }).await);
            }
        }
        heard
    }

    /// Posts one confirmation.
    ///
    /// # Errors
    /// When the gateway gave no answer.
    pub async fn confirm(&self, payment: &Payment) -> Result<Answer, NoAnswer> {
        self.post(&self.doors.confirmation, payment.body(true)).await
    }

    /// Posts these bytes as a confirmation, whatever they are.
    ///
    /// # Errors
    /// When the gateway gave no answer.
    pub async fn confirm_raw(&self, body: Vec<u8>) -> Result<Answer, NoAnswer> {
        self.post(&self.doors.confirmation, body).await
    }

    async fn validate(&self, payment: &Payment) -> Option<Result<Answer, NoAnswer>> {
        let door = self.doors.validation.as_ref()?;
        Some(self.post(door, payment.body(false)).await)
    }

    /// A whole answer decides by its code; silence by what was registered.
    fn turned_away(&self, validation: Option<&Result<Answer, NoAnswer>>) -> bool {
        match validation {
            None => false,
            Some(Ok(answer)) if answer.is_success() => {
                result_code(&answer.body).is_none_or(|code| code != "0")
            }
            Some(_) => self.doors.on_silence == OnSilence::Cancelled,
        }
    }

    async fn post(&self, url: &str, body: Vec<u8>) -> Result<Answer, NoAnswer> {
        self.http.tell(&Call::post("daraja-sim", url, "application/json", body)).await
    }
}

/// `ResultCode`, which Daraja takes as text or number.
fn result_code(body: &[u8]) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_slice(body).ok()?;
    match answer.get("ResultCode")? {
        serde_json::Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Body<'a> {
    transaction_type: &'a str,
    #[serde(rename = "TransID")]
    trans_id: &'a str,
    trans_time: String,
    trans_amount: &'a str,
    business_short_code: &'a str,
    bill_ref_number: &'a str,
    invoice_number: &'a str,
    org_account_balance: &'a str,
    #[serde(rename = "ThirdPartyTransID")]
    third_party_trans_id: &'a str,
    #[serde(rename = "MSISDN")]
    msisdn: String,
    first_name: &'a str,
    middle_name: &'a str,
    last_name: &'a str,
}

impl Payment {
    /// The body as Daraja writes it; the paybill's balance is blank until the money is there.
    pub fn body(&self, confirmed: bool) -> Vec<u8> {
        let body = Body {
            transaction_type: "Pay Bill",
            trans_id: &self.receipt,
            trans_time: local(self.at).format("%Y%m%d%H%M%S").to_string(),
            trans_amount: &self.amount,
            business_short_code: &self.shortcode,
            bill_ref_number: &self.typed_ref,
            invoice_number: "",
            org_account_balance: if confirmed { "44210.00" } else { "" },
            third_party_trans_id: "",
            msisdn: self.shown.number(&self.phone),
            first_name: "PAYER",
            middle_name: "",
            last_name: "",
        };
        // Texts always serialise.
        serde_json::to_vec(&body).unwrap_or_default()
    }
}

impl Shown {
    fn number(self, phone: &Msisdn) -> String {
        let digits = phone.digits();
        match self {
            Shown::Clear => digits.to_owned(),
            Shown::Masked => format!("{} ***** {}", &digits[..4], &digits[digits.len() - 3..]),
            Shown::Hashed => phone.hashed(),
        }
    }
}

/// A receipt in M-Pesa's manner: year, month and day as letters, then seven characters, here a count. The
/// same count on the same day is the same receipt.
pub fn receipt(at: DateTime<Utc>, count: u32) -> String {
    const DIGITS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let day = local(at);
    // 2024 is S; the letters last from 2006 to 2031.
    let year = (day.year() - 2006).clamp(0, 25) as usize;
    let mut text = String::with_capacity(10);
    text.push(char::from(DIGITS[10 + year]));
    text.push(char::from(DIGITS[9 + day.month() as usize]));
    text.push(char::from(DIGITS[day.day() as usize]));
    let places = (0..7u32).rev().map(|place| 36u64.pow(place));
    text.extend(places.map(|place| char::from(DIGITS[(u64::from(count) / place % 36) as usize])));
    text
}
