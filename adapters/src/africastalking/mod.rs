//! Africa's Talking: USSD in, short messages out.
//!
//! Invariant: what a person typed and what we wrote to him is never printed.
//! Absent: authenticity of what comes in, which the vendor does not offer; addresses and a secret path are
//! the gateway's.

mod form;
mod gsm;
pub mod sim;
mod sms;
#[cfg(test)]
mod tests;
mod ussd;

pub use form::BadForm;
pub use sms::{Config, Delivery, Report, Sms, SmsReceipt, read_report};
pub use ussd::{BadReply, Inputs, SCREEN_GOOD, SCREEN_MOST, UssdReply, UssdRequest, read_ussd};
