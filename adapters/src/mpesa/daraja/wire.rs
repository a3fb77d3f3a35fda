//! Daraja's own words in requests and answers, spelt as they are there: `Occassion` in one, `Occasion` in
//! another, `RecieverIdentifierType`, `OffSetValue`, lower case in pull rows.

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(super) const TOKEN: &str = "/oauth/v1/generate?grant_type=client_credentials";
pub(super) const PUSH: &str = "/mpesa/stkpush/v1/processrequest";
pub(super) const PUSH_STATE: &str = "/mpesa/stkpushquery/v1/query";
pub(super) const PAY: &str = "/mpesa/b2c/v3/paymentrequest";
pub(super) const STATUS: &str = "/mpesa/transactionstatus/v1/query";
pub(super) const BALANCE: &str = "/mpesa/accountbalance/v1/query";
pub(super) const REVERSE: &str = "/mpesa/reversal/v1/request";
pub(super) const PULL_REGISTER: &str = "/pulltransactions/v1/register";
pub(super) const PULL: &str = "/pulltransactions/v1/query";

#[derive(Serialize, Deserialize)]
pub(super) struct Granted {
    pub(super) access_token: String,
    /// A text by one page, a number by another.
    pub(super) expires_in: Option<Value>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Envelope {
    pub(super) request_id: Option<Value>,
    pub(super) error_code: Option<String>,
    pub(super) error_message: Option<String>,
    /// The gateway before Daraja has words of its own: `{"fault":{"faultstring":…}}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fault: Option<Fault>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Fault {
    pub(super) faultstring: String,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Push {
    #[serde(rename = "BusinessShortCode")]
    pub(super) shortcode: String,
    #[serde(rename = "Password")]
    pub(super) password: String,
    #[serde(rename = "Timestamp")]
    pub(super) timestamp: String,
    #[serde(rename = "TransactionType")]
    pub(super) kind: String,
    #[serde(rename = "Amount")]
    pub(super) amount: String,
    #[serde(rename = "PartyA")]
    pub(super) from: String,
    #[serde(rename = "PartyB")]
    pub(super) to: String,
    #[serde(rename = "PhoneNumber")]
    pub(super) phone: String,
    #[serde(rename = "CallBackURL")]
    pub(super) callback_url: String,
    #[serde(rename = "AccountReference")]
    pub(super) reference: String,
    #[serde(rename = "TransactionDesc")]
    pub(super) text: String,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Pushed {
    #[serde(rename = "MerchantRequestID")]
    pub(super) merchant_request: Option<String>,
    #[serde(rename = "CheckoutRequestID")]
    pub(super) checkout: Option<String>,
    #[serde(rename = "ResponseCode")]
    pub(super) code: Option<Value>,
    #[serde(rename = "ResponseDescription")]
    pub(super) text: Option<String>,
    #[serde(rename = "CustomerMessage", skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct PushState {
    #[serde(rename = "BusinessShortCode")]
    pub(super) shortcode: String,
    #[serde(rename = "Password")]
    pub(super) password: String,
    #[serde(rename = "Timestamp")]
    pub(super) timestamp: String,
    #[serde(rename = "CheckoutRequestID")]
    pub(super) checkout: String,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct PushEnd {
    #[serde(rename = "ResponseCode")]
    pub(super) response: Option<Value>,
    #[serde(rename = "ResponseDescription")]
    pub(super) response_text: Option<String>,
    #[serde(rename = "MerchantRequestID")]
    pub(super) merchant_request: Option<String>,
    #[serde(rename = "CheckoutRequestID")]
    pub(super) checkout: Option<String>,
    /// A text here, a number in the callback.
    #[serde(rename = "ResultCode")]
    pub(super) code: Option<Value>,
    #[serde(rename = "ResultDesc")]
    pub(super) text: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Pay {
    #[serde(rename = "OriginatorConversationID")]
    pub(super) originator: String,
    #[serde(rename = "InitiatorName")]
    pub(super) initiator: String,
    #[serde(rename = "SecurityCredential")]
    pub(super) credential: String,
    #[serde(rename = "CommandID")]
    pub(super) command: String,
    #[serde(rename = "Amount")]
    pub(super) amount: String,
    #[serde(rename = "PartyA")]
    pub(super) from: String,
    #[serde(rename = "PartyB")]
    pub(super) to: String,
    #[serde(rename = "Remarks")]
    pub(super) remarks: String,
    #[serde(rename = "QueueTimeOutURL")]
    pub(super) late_url: String,
    #[serde(rename = "ResultURL")]
    pub(super) result_url: String,
    #[serde(rename = "Occassion")]
    pub(super) occasion: String,
}

/// What status, balance and reversal requests have in common; each sends the fields it has.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Ask {
    #[serde(rename = "Initiator")]
    pub(super) initiator: String,
    #[serde(rename = "SecurityCredential")]
    pub(super) credential: String,
    #[serde(rename = "CommandID")]
    pub(super) command: String,
    #[serde(rename = "TransactionID", skip_serializing_if = "Option::is_none")]
    pub(super) receipt: Option<String>,
    #[serde(rename = "OriginalConversationID", skip_serializing_if = "Option::is_none")]
    pub(super) original: Option<String>,
    #[serde(rename = "Amount", skip_serializing_if = "Option::is_none")]
    pub(super) amount: Option<String>,
    #[serde(rename = "PartyA", skip_serializing_if = "Option::is_none")]
    pub(super) party: Option<String>,
    #[serde(rename = "IdentifierType", skip_serializing_if = "Option::is_none")]
    pub(super) party_kind: Option<String>,
    #[serde(rename = "ReceiverParty", skip_serializing_if = "Option::is_none")]
    pub(super) receiver: Option<String>,
    #[serde(rename = "RecieverIdentifierType", skip_serializing_if = "Option::is_none")]
    pub(super) receiver_kind: Option<String>,
    #[serde(rename = "ResultURL")]
    pub(super) result_url: String,
    #[serde(rename = "QueueTimeOutURL")]
    pub(super) late_url: String,
    #[serde(rename = "Remarks")]
    pub(super) remarks: String,
    #[serde(rename = "Occasion", skip_serializing_if = "Option::is_none")]
    pub(super) occasion: Option<String>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Acked {
    #[serde(rename = "ConversationID")]
    pub(super) conversation: Option<String>,
    #[serde(rename = "OriginatorConversationID")]
    pub(super) originator: Option<String>,
    #[serde(rename = "ResponseCode")]
    pub(super) code: Option<Value>,
    #[serde(rename = "ResponseDescription")]
    pub(super) text: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Pull {
    #[serde(rename = "ShortCode")]
    pub(super) shortcode: String,
    #[serde(rename = "StartDate")]
    pub(super) from: String,
    #[serde(rename = "EndDate")]
    pub(super) until: String,
    #[serde(rename = "OffSetValue")]
    pub(super) offset: String,
}

#[derive(Serialize, Deserialize)]
pub(super) struct PullRegister {
    #[serde(rename = "ShortCode")]
    pub(super) shortcode: String,
    #[serde(rename = "RequestType")]
    pub(super) kind: String,
    #[serde(rename = "NominatedNumber")]
    pub(super) phone: String,
    #[serde(rename = "CallBackURL")]
    pub(super) callback_url: String,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Pulled {
    #[serde(rename = "ResponseRefID", alias = "RequestID", skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<Value>,
    #[serde(rename = "ResponseCode")]
    pub(super) code: Option<Value>,
    #[serde(rename = "ResponseMessage")]
    pub(super) text: Option<Value>,
    /// A list within a list.
    #[serde(rename = "Response")]
    pub(super) rows: Value,
}
