//! What we answer Daraja, to the byte.

use serde::Serialize;

/// The answer to every confirmation, whatever we make of it: the money has moved, and an error would not move
/// it back.
pub const ACK: &str = r#"{"ResultCode":0,"ResultDesc":"Success"}"#;

/// Why a payment is turned away at validation; the code picks the message the payer gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reject {
    /// The payer's number.
    Msisdn,
    /// The account number typed.
    Account,
    /// The amount.
    Amount,
    /// Identity papers.
    Kyc,
    /// The paybill.
    Shortcode,
    /// Anything else.
    Other,
}

impl Reject {
    /// Daraja's code.
    pub fn code(self) -> &'static str {
        match self {
            Reject::Msisdn => "C2B00011",
            Reject::Account => "C2B00012",
            Reject::Amount => "C2B00013",
            Reject::Kyc => "C2B00014",
            Reject::Shortcode => "C2B00015",
            Reject::Other => "C2B00016",
        }
    }
}

#[derive(Serialize)]
struct Verdict<'a> {
    #[serde(rename = "ResultCode")]
    code: &'a str,
    #[serde(rename = "ResultDesc")]
    text: &'a str,
    #[serde(rename = "ThirdPartyTransID", skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
}

/// Lets a payment pass validation. Daraja echoes `id` in the confirmation, which ties the two together.
pub fn accept(id: Option<&str>) -> String {
    verdict(&Verdict { code: "0", text: "Accepted", id })
}

/// Turns a payment away at validation.
pub fn reject(why: Reject) -> String {
    verdict(&Verdict { code: why.code(), text: "Rejected", id: None })
}

fn verdict(verdict: &Verdict<'_>) -> String {
    // Three texts always serialise; the fallback is Daraja's "accept", since money refused by our own fault
    // is worse than money in suspense.
    serde_json::to_string(verdict)
        .unwrap_or_else(|_| r#"{"ResultCode":"0","ResultDesc":"Accepted"}"#.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(ours: &str, fixture: &[u8]) {
        let ours: serde_json::Value = serde_json::from_str(ours).unwrap();
        let theirs: serde_json::Value = serde_json::from_slice(fixture).unwrap();
        assert_eq!(ours, theirs);
    }

    #[test]
    fn answers_are_darajas() {
        same(ACK, include_bytes!("../../../tests/fixtures/daraja/c2b_confirmation_ack.json"));
        let accepted = include_bytes!("../../../tests/fixtures/daraja/c2b_validation_accept.json");
        same(&accept(Some("vld_01JD3Z8Q5F")), accepted);
        let rejected = include_bytes!("../../../tests/fixtures/daraja/c2b_validation_reject_account.json");
        same(&reject(Reject::Account), rejected);
        assert_eq!(accept(None), r#"{"ResultCode":"0","ResultDesc":"Accepted"}"#);
    }
}
