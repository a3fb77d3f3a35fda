//! What Daraja answers at once: tokens, acknowledgements, states of prompts, lists.

use std::sync::Arc;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{Prompt, Shared};
use crate::mpesa::sim::Shown;
use crate::mpesa::{local, of_nairobi};
use crate::port::Msisdn;
use crate::sim::{Behaviour, lock};
use amana_ledger::money::{Asset, Money, decimal};

/// Rows of one list.
const PAGE: usize = 50;

impl Shared {
    pub(super) fn act(self: &Arc<Self>, word: &str, told: &Value, behaviour: &Behaviour) -> Response {
        let text = |name: &str| told[name].as_str().unwrap_or_default();
        match word {
            "oauth" => self.grant(),
            "register" => self.register(text("ValidationURL"), text("ConfirmationURL")),
            "push" => self.push(told, behaviour),
            "push_state" => self.push_state(text("CheckoutRequestID")),
            "pay" if lock(&self.taken).contains(&text("OriginatorConversationID").to_owned()) => {
                refusal("500.002.1001 Duplicate OriginatorConversationID.")
            }
            "pay" | "status" | "balance" | "reverse" => {
                let conversation = format!("AG_{}_{:020x}", self.stamp(), self.turn());
                if word == "pay" {
                    lock(&self.taken).push(text("OriginatorConversationID").to_owned());
                }
                self.end_later(word, (told.clone(), conversation.clone()), behaviour.clone());
                let own = format!("{:04x}-4c19-b3aa", self.turn());
                let originator = Some(text("OriginatorConversationID")).filter(|id| !id.is_empty());
                json(json!({ "ConversationID": conversation,
                    "OriginatorConversationID": originator.unwrap_or(&own), "ResponseCode": "0",
                    "ResponseDescription": "Accept the service request successfully." }))
            }
            "pull_register" => json(json!({ "ResponseRefID": "feb5e3f2", "ResponseStatus": "1000",
                "ShortCode": self.options.shortcode,
                "ResponseDescription": "Shortcode Registered Successfully" })),
            "pull" => self.list(text("StartDate"), text("EndDate"), text("OffSetValue")),
            _ => bare(404),
        }
    }

    fn grant(&self) -> Response {
        let mut token = lock(&self.token);
        token.0 += 1;
        token.1 = format!("token-number-{}", token.0);
        json(json!({ "access_token": token.1, "expires_in": "3599" }))
    }

    fn register(&self, validation: &str, confirmation: &str) -> Response {
        let mut doors = lock(&self.doors);
        if doors.is_some() {
            return refusal("500.003.1001 Urls are already registered.");
        }
        *doors = Some((validation.to_owned(), confirmation.to_owned()));
        json(json!({ "OriginatorCoversationID": "6e86-45dd-91ac", "ResponseCode": "0",
            "ResponseDescription": "Success" }))
    }

    fn push(self: &Arc<Self>, told: &Value, behaviour: &Behaviour) -> Response {
        let text = |name: &str| told[name].as_str().unwrap_or_default();
        let (Ok(phone), Ok(money)) =
            (Msisdn::parse(text("PhoneNumber")), Money::parse_decimal(Asset::Kes, text("Amount")))
        else {
            return refusal("400.002.02 Bad Request - Invalid PhoneNumber");
        };
        let options = &self.options;
        let right =
            crate::mpesa::daraja::prompt_password(&options.shortcode, &options.passkey, text("Timestamp"));
        if right != text("Password") {
            return refusal("500.001.1001 Wrong credentials");
        }
        if text("Amount").contains('.') || text("AccountReference").len() > 12 {
            return refusal("400.002.02 Bad Request - Invalid Amount");
        }
        let checkout = format!("ws_CO_{}{}{}", self.stamp(), phone.digits(), self.turn());
        lock(&self.prompts).push(Prompt { checkout: checkout.clone(), end: None });
        let wish = super::later::Wish {
            checkout: checkout.clone(),
            phone,
            money,
            reference: text("AccountReference").to_owned(),
            callback_url: text("CallBackURL").to_owned(),
        };
        self.prompt_later(wish, behaviour.clone());
        json(json!({ "MerchantRequestID": "2654-4b64-97ff", "CheckoutRequestID": checkout,
            "ResponseCode": "0", "ResponseDescription": "Success. Request accepted for processing",
            "CustomerMessage": "Success. Request accepted for processing" }))
    }

    fn push_state(&self, checkout: &str) -> Response {
        let prompts = lock(&self.prompts);
        match prompts.iter().find(|prompt| prompt.checkout == checkout).map(|prompt| &prompt.end) {
            None => refusal("400.002.02 Bad Request - Invalid CheckoutRequestID"),
            Some(None) => refusal("500.001.1001 The transaction is being processed"),
            Some(Some(code)) => json(json!({ "ResponseCode": "0",
                "ResponseDescription": "The service request has been accepted successfully",
                "MerchantRequestID": "2654-4b64-97ff", "CheckoutRequestID": checkout, "ResultCode": code,
                "ResultDesc": "told" })),
        }
    }

    fn list(&self, from: &str, until: &str, offset: &str) -> Response {
        let at = |text: &str| of_nairobi(NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok()?);
        let (Some(from), Some(until), Ok(offset)) = (at(from), at(until), offset.parse::<usize>()) else {
            return refusal("400.002.02 Bad Request - Invalid StartDate");
        };
        let oldest = self.clock.now() - TimeDelta::hours(48);
        // Whole seconds are all the request can say.
        let found = lock(&self.till).between(from.max(oldest), until + TimeDelta::seconds(1));
        let row = |line: &super::Line| {
            json!({ "transactionId": line.receipt, "trxDate": at_text(line.at),
                "msisdn": Shown::Masked.number(&line.phone), "sender": "PAYER",
                "transactiontype": "c2b-pay-bill-debit", "billreference": line.reference,
                "amount": decimal(Asset::Kes, line.minor), "organizationname": "Example Paybill Ltd" })
        };
        let rows: Vec<Value> = found.iter().skip(offset).take(PAGE).map(row).collect();
        let code = if rows.is_empty() { "1001" } else { "1000" };
        json(json!({ "ResponseRefID": "26178-42530199-2", "ResponseCode": code, "ResponseMessage": "Success",
            "Response": [rows] }))
    }

    pub(super) fn stamp(&self) -> String {
        local(self.clock.now()).format("%Y%m%d%H%M%S").to_string()
    }

    /// A number nobody had yet.
    fn turn(&self) -> usize {
        self.record.all().len()
    }
}

fn at_text(at: DateTime<Utc>) -> String {
    local(at).format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

pub(super) fn json(body: Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// An envelope: code, blank, words. The status is the code's first three digits.
pub(super) fn refusal(words: &str) -> Response {
    let (code, words) = words.split_once(' ').unwrap_or((words, ""));
    let status = code.get(..3).and_then(|digits| digits.parse().ok()).unwrap_or(500);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = json!({ "requestId": "16813-15-1", "errorCode": code, "errorMessage": words });
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

pub(super) fn bare(status: u16) -> Response {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response()
}
