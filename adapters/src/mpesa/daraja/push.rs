//! A prompt on the customer's phone: asked for, answered by a callback, asked about.
//!
//! Invariant: only a receipt is money. An answer to the request and a "0" in answer to a question are not:
//! neither names a receipt. Timestamps are Nairobi's.

use amana_ledger::money::Money;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::pairs::{self, Pairs};
use super::{Called, Daraja, Trouble, classify, short, sign, whole, wire};
use crate::mpesa::wire::Field;
use crate::mpesa::{BadConfirmation, Payer, bad, encoding, local, nairobi, receipt};
use crate::port::{Msisdn, scrub};

/// What is asked of a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// Whose phone.
    pub phone: Msisdn,
    /// How much, whole shillings.
    pub money: Money,
    /// The account number shown; twelve characters reach the phone.
    pub reference: String,
    /// What it is for; thirteen characters.
    pub text: String,
    /// Where the end of it is told.
    pub callback_url: String,
}

/// The rail's names for a prompt under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// What the callback names.
    pub checkout: String,
    /// The other one.
    pub merchant_request: Option<String>,
}

/// How a prompt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompted {
    /// The prompt.
    pub checkout: String,
    /// How.
    pub end: PromptEnd,
}

/// See [`Prompted`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PromptEnd {
    /// Paid, with what a receipt needs.
    Paid {
        /// M-Pesa's receipt.
        receipt: String,
        /// How much.
        money: Money,
        /// Who.
        payer: Payer,
        /// When, where it reads.
        at: Option<DateTime<Utc>>,
    },
    /// Said to be paid, without a receipt: a confirmation or a list has it.
    PaidSomewhere,
    /// Not paid, as far as is known: a phone that answered late may still pay.
    NotPaid {
        /// Their code.
        code: String,
        /// Their words.
        reason: String,
    },
    /// Nothing is decided yet.
    Underway,
}

/// The longest account number a prompt carries.
pub(super) const REFERENCE: usize = 12;

impl Daraja {
    /// Asks for a prompt, once: a second one would ask the customer twice.
    pub async fn push(
        &self,
        token: &crate::port::Secret,
        prompt: &Prompt,
        now: DateTime<Utc>,
    ) -> Called<Pushed> {
        let Some(passkey) = &self.config.passkey else {
            return Called::refused("passkey", "no passkey is configured");
        };
        let on = local(now).date();
        let amount = match whole("Amount", prompt.money, (|terms| (terms.least_in, terms.most), on)) {
            Ok(amount) => amount,
            Err((code, reason)) => return Called::refused(&code, &reason),
        };
        let timestamp = local(now).format("%Y%m%d%H%M%S").to_string();
        let shortcode = &self.config.shortcode;
        let body = wire::Push {
            shortcode: shortcode.clone(),
            password: sign::password(shortcode, passkey, &timestamp),
            timestamp,
            kind: "CustomerPayBillOnline".to_owned(),
            amount,
            from: prompt.phone.digits().to_owned(),
            to: shortcode.clone(),
            phone: prompt.phone.digits().to_owned(),
            callback_url: prompt.callback_url.clone(),
            reference: prompt.reference.chars().take(REFERENCE).collect(),
            text: short(&prompt.text, 13),
        };
        let answer = match self.tell(token, wire::PUSH, &body).await {
            Ok(answer) => answer,
            Err(none) => return none.of(),
        };
        if !answer.is_success() {
            return classify(&answer).end();
        }
        let pushed: wire::Pushed = serde_json::from_slice(&answer.body).unwrap_or_default();
        match (pairs::code(pushed.code.as_ref()).as_deref(), pushed.checkout) {
            (Some("0"), Some(checkout)) => {
                Called::done(Pushed { checkout, merchant_request: pushed.merchant_request })
            }
            (Some(code), _) if code != "0" => {
                Called::refused(&scrub(code), &scrub(&pushed.text.unwrap_or_default()))
            }
            _ => Called::unknown("answered without the prompt's name"),
        }
    }

    /// Asks how a prompt ended.
    pub async fn prompted(
        &self,
        token: &crate::port::Secret,
        checkout: &str,
        now: DateTime<Utc>,
    ) -> Called<PromptEnd> {
        let Some(passkey) = &self.config.passkey else {
            return Called::refused("passkey", "no passkey is configured");
        };
        let timestamp = local(now).format("%Y%m%d%H%M%S").to_string();
        let shortcode = &self.config.shortcode;
        let body = wire::PushState {
            shortcode: shortcode.clone(),
            password: sign::password(shortcode, passkey, &timestamp),
            timestamp,
            checkout: checkout.to_owned(),
        };
        // Once: "being processed" is a status of 500, and asking at once again gives the same.
        let answer = match self.tell(token, wire::PUSH_STATE, &body).await {
            Ok(answer) => answer,
            Err(none) => return none.of(),
        };
        if !answer.is_success() {
            return match classify(&answer) {
                Trouble::Underway => Called::done(PromptEnd::Underway),
                trouble => trouble.end(),
            };
        }
        let end: wire::PushEnd = serde_json::from_slice(&answer.body).unwrap_or_default();
        match pairs::code(end.code.as_ref()).as_deref() {
            Some("0") => Called::done(PromptEnd::PaidSomewhere),
            // A newer word for "being processed".
            Some("4999") => Called::done(PromptEnd::Underway),
            Some(code) => {
                let reason = scrub(&end.text.unwrap_or_default());
                Called::done(PromptEnd::NotPaid { code: scrub(code), reason })
            }
            None => Called::unknown("answered without a code"),
        }
    }
}

/// Reads the callback that ends a prompt.
///
/// # Errors
/// [`BadConfirmation`] when the body is none, or says "paid" and an amount or receipt that does not read.
pub fn read_callback(raw: &[u8]) -> Result<Prompted, BadConfirmation> {
    let text = encoding::text(raw);
    let body: Value = serde_json::from_str(&text)
        .map_err(|error| bad("body", format!("is broken json at line {}", error.line())))?;
    let told = &body["Body"]["stkCallback"];
    let field = |name: &str| Field::of(told.get(name).cloned()).filled();
    let checkout = field("CheckoutRequestID").ok_or_else(|| missing("CheckoutRequestID"))?;
    let code = field("ResultCode").ok_or_else(|| missing("ResultCode"))?;
    if code != "0" {
        let words = field("ResultDesc").unwrap_or_default();
        let reason = scrub(words.trim_start_matches("[STK_CB - ]").trim());
        return Ok(Prompted { checkout, end: PromptEnd::NotPaid { code: scrub(&code), reason } });
    }
    let items = Pairs::read(told["CallbackMetadata"].get("Item"), ("Name", "Value"));
    let Some(paid) = items.first("MpesaReceiptNumber") else {
        return Ok(Prompted { checkout, end: PromptEnd::PaidSomewhere });
    };
    let amount = items.first("Amount").ok_or_else(|| missing("Amount"))?;
    let end = PromptEnd::Paid {
        receipt: receipt(paid.to_owned())?,
        money: pairs::money(amount).map_err(|why| bad("Amount", why.to_string()))?,
        payer: Payer::read(items.first("PhoneNumber").unwrap_or_default()),
        at: items.first("TransactionDate").and_then(nairobi),
    };
    Ok(Prompted { checkout, end })
}

fn missing(field: &'static str) -> BadConfirmation {
    bad(field, "is missing".to_owned())
}
