//! What Daraja posts later: ends of prompts, results of instructions and questions, and the news that none
//! came in time.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Shared, prompted};
use crate::http::Call;
use crate::mpesa::sim::Payment;
use crate::mpesa::sim::till::{Line, What};
use crate::port::Msisdn;
use crate::sim::{Behaviour, lock};
use amana_ledger::money::{Asset, Money, decimal};

/// A prompt as it was asked for.
pub(super) struct Wish {
    pub(super) checkout: String,
    pub(super) phone: Msisdn,
    pub(super) money: Money,
    pub(super) reference: String,
    pub(super) callback_url: String,
}

/// Code, words and parameters of a result.
type End = (String, String, Vec<(&'static str, Value)>);

impl Shared {
    /// The customer answers the prompt: pays and is told twice over, or does what the script says.
    pub(super) fn prompt_later(self: &Arc<Self>, wish: Wish, behaviour: Behaviour) {
        let shared = self.clone();
        self.posts.run(async move {
            tokio::time::sleep(shared.options.pace).await;
            if let Behaviour::Fail(code) = &behaviour {
                shared.ended(&wish.checkout, code);
                let body = json!({ "Body": { "stkCallback": { "MerchantRequestID": "2654-4b64-97ff",
                    "CheckoutRequestID": wish.checkout, "ResultCode": code.parse::<i64>().unwrap_or(1),
                    "ResultDesc": "[STK_CB - ]told" } } });
                return shared.post(&wish.callback_url, body).await;
            }
            if behaviour == Behaviour::Stall {
                return;
            }
            let (callback, payment) = shared.pay_at_prompt(&wish);
            let confirmation = lock(&shared.doors).as_ref().map(|doors| doors.1.clone());
            if behaviour == Behaviour::Reversed
                && let Some(url) = &confirmation
            {
                shared.tell(url, &payment).await;
            }
            if behaviour != Behaviour::Mute {
                shared.post(&wish.callback_url, callback.clone()).await;
            }
            if behaviour == Behaviour::Twice {
                shared.post(&wish.callback_url, callback).await;
            }
            if let Some(url) =
                confirmation.filter(|_| !matches!(behaviour, Behaviour::Reversed | Behaviour::Mute))
            {
                shared.tell(&url, &payment).await;
            }
        });
    }

    fn pay_at_prompt(&self, wish: &Wish) -> (Value, Payment) {
        self.ended(&wish.checkout, "0");
        let at = self.clock.now();
        let receipt = lock(&self.till).receipt(at);
        let line = Line {
            receipt: receipt.clone(),
            what: What::PaidIn,
            minor: wish.money.minor(),
            at,
            phone: wish.phone.clone(),
            reference: wish.reference.clone(),
            linked: None,
        };
        let payment = prompted(receipt.clone(), &line, &self.options.shortcode);
        lock(&self.till).paid_in(&payment);
        let items = json!([
            { "Name": "Amount", "Value": number(&decimal(Asset::Kes, line.minor)) },
            { "Name": "MpesaReceiptNumber", "Value": receipt },
            { "Name": "Balance" },
            { "Name": "TransactionDate", "Value": number(&self.stamp()) },
            { "Name": "PhoneNumber", "Value": number(wish.phone.digits()) },
        ]);
        let callback = json!({ "Body": { "stkCallback": { "MerchantRequestID": "2654-4b64-97ff",
            "CheckoutRequestID": wish.checkout, "ResultCode": 0,
            "ResultDesc": "The service request is processed successfully.",
            "CallbackMetadata": { "Item": items } } } });
        (callback, payment)
    }

    fn ended(&self, checkout: &str, code: &str) {
        let mut prompts = lock(&self.prompts);
        if let Some(prompt) = prompts.iter_mut().find(|prompt| prompt.checkout == checkout) {
            prompt.end = Some(code.to_owned());
        }
    }

    /// An instruction or a question ends, by a result or by its absence.
    pub(super) fn end_later(
        self: &Arc<Self>,
        word: &str,
        (told, conversation): (Value, String),
        behaviour: Behaviour,
    ) {
        let end = match &behaviour {
            Behaviour::Fail(code) => (code.clone(), "refused by script".to_owned(), Vec::new()),
            _ => self.end(word, &told),
        };
        let url = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
        let (done, late) = (url("ResultURL"), url("QueueTimeOutURL"));
        let shared = self.clone();
        let originator = url("OriginatorConversationID");
        self.posts.run(async move {
            tokio::time::sleep(shared.options.pace).await;
            let body = body(&end, &conversation, &originator);
            match behaviour {
                Behaviour::Mute => {}
                Behaviour::Stall => shared.post(&late, body).await,
                Behaviour::Twice => {
                    shared.post(&done, body.clone()).await;
                    shared.post(&done, body).await;
                }
                _ => shared.post(&done, body).await,
            }
        });
    }

    fn end(&self, word: &str, told: &Value) -> End {
        let text = |name: &str| told[name].as_str().unwrap_or_default();
        let now = self.clock.now();
        let well =
            |pairs| ("0".to_owned(), "The service request is processed successfully.".to_owned(), pairs);
        let not = |code: &str, words: &str| (code.to_owned(), words.to_owned(), Vec::new());
        let mut till = lock(&self.till);
        match word {
            "pay" => {
                let paid = Msisdn::parse(text("PartyB"))
                    .ok()
                    .zip(Money::parse_decimal(Asset::Kes, text("Amount")).ok());
                let Some((phone, money)) = paid else { return not("21", "The request is not valid") };
                match till.pay_out((phone, money.minor()), text("OriginatorConversationID"), now) {
                    Some(receipt) => well(vec![
                        ("TransactionAmount", number(text("Amount"))),
                        ("TransactionReceipt", receipt.into()),
                        ("ReceiverPartyPublicName", format!("{} - PAYEE", text("PartyB")).into()),
                        (
                            "TransactionCompletedDateTime",
                            crate::mpesa::local(now).format("%d.%m.%Y %H:%M:%S").to_string().into(),
                        ),
                        ("B2CUtilityAccountAvailableFunds", number(&decimal(Asset::Kes, till.balance()))),
                    ]),
                    None => not("1", "The balance is insufficient for the transaction."),
                }
            }
            "status" => {
                let found = match told["TransactionID"].as_str() {
                    Some(receipt) => till.find(receipt),
                    None => till.paid_under(text("OriginalConversationID")),
                };
                match found {
                    Some(line) => well(self.standing(line, till.is_given_back(&line.receipt))),
                    None => not("2032", "The transaction does not exist"),
                }
            }
            "reverse" if till.is_given_back(text("TransactionID")) => {
                not("R000001", "The transaction has already been reversed")
            }
            "reverse" => match till.give_back(text("TransactionID"), now) {
                Some(_) => well(vec![("OriginalTransactionID", text("TransactionID").into())]),
                None => not("R000002", "The OriginalTransactionID is invalid."),
            },
            _ => {
                let held = decimal(Asset::Kes, till.balance());
                let text = format!(
                    "Working Account|KES|0.00|0.00|0.00|0.00&Utility Account|KES|{held}|{held}|0.00|0.00\
                    &Charges Paid Account|KES|-45.00|-45.00|0.00|0.00"
                );
                well(vec![("AccountBalance", text.into())])
            }
        }
    }

    /// A payment as the status question is answered: the second party under the first one's name, as the page
    /// prints it.
    fn standing(&self, line: &Line, is_given_back: bool) -> Vec<(&'static str, Value)> {
        let ours = format!("{} - Example Paybill Ltd", self.options.shortcode);
        let theirs = format!("{} - PAYER", line.phone.digits());
        let (debit, credit) = if line.what == What::PaidIn { (theirs, ours) } else { (ours, theirs) };
        let mut pairs: Vec<(&'static str, Value)> = vec![
            ("DebitPartyName", debit.into()),
            ("DebitPartyName", credit.into()),
            ("TransactionReason", Value::Null),
            ("TransactionStatus", if is_given_back { "Cancelled" } else { "Completed" }.into()),
            ("FinalisedTime", number(&crate::mpesa::local(line.at).format("%Y%m%d%H%M%S").to_string())),
            ("Amount", number(&decimal(Asset::Kes, line.minor))),
            ("ReceiptNo", line.receipt.clone().into()),
        ];
        if line.what == What::PaidOut {
            pairs.push(("OriginatorConversationID", line.reference.clone().into()));
            pairs.push(("DebitPartyCharges", "Fee For B2C Payment|KES|5.00".into()));
        }
        pairs
    }

    async fn tell(&self, url: &str, payment: &Payment) {
        let call = Call::post("daraja-sim", url, "application/json", payment.body(true));
        self.said(self.http.tell(&call).await.is_ok());
    }

    async fn post(&self, url: &str, body: Value) {
        let call = Call::post("daraja-sim", url, "application/json", body.to_string().into_bytes());
        self.said(self.http.tell(&call).await.is_ok());
    }

    /// Daraja does not repeat what was not taken.
    fn said(&self, is_taken: bool) {
        if !is_taken {
            tracing::debug!(shortcode = self.options.shortcode, "daraja simulator: a post was not taken");
        }
    }
}

fn body((code, words, pairs): &End, conversation: &str, originator: &str) -> Value {
    let pair = |(key, value): &(&str, Value)| match value {
        Value::Null => json!({ "Key": key }),
        value => json!({ "Key": key, "Value": value }),
    };
    let code = code.parse::<i64>().map_or_else(|_| json!(code), |number| json!(number));
    let mut result = json!({ "ResultType": 0, "ResultCode": code, "ResultDesc": words,
        "OriginatorConversationID": originator, "ConversationID": conversation,
        "TransactionID": "UKK0000000",
        "ReferenceData": { "ReferenceItem": { "Key": "QueueTimeoutURL", "Value": "https://a.example/" } } });
    if !pairs.is_empty() {
        let pairs: Vec<Value> = pairs.iter().map(pair).collect();
        result["ResultParameters"] = json!({ "ResultParameter": pairs });
    }
    json!({ "Result": result })
}

/// A bare number with these digits.
fn number(digits: &str) -> Value {
    serde_json::from_str(digits).unwrap_or(Value::Null)
}
