//! Registering our two URLs with Daraja, once a shortcode.
//!
//! Absent: sending it. It needs an access token and is done once by hand in production (`docs/runbooks`); the
//! request is built and checked here so that a URL Daraja would filter out is found at start-up, not on the
//! first payment.

use serde::Serialize;

/// Where the request goes, after Daraja's host.
pub const PATH: &str = "/mpesa/c2b/v2/registerurl";

/// Words Daraja refuses anywhere in a URL, whatever their case.
const FORBIDDEN: [&str; 11] =
    ["m-pesa", "mpesa", "safaricom", "exec", "exe", "cmd", "sql", "query", "ngrok", "mockbin", "requestbin"];

/// What Daraja does with a payment when our validation does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum OnSilence {
    /// Takes the money; it comes to us as a confirmation.
    Completed,
    /// Gives it back to the payer.
    Cancelled,
}

/// The body of the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RegisterUrls {
    short_code: String,
    response_type: OnSilence,
    #[serde(rename = "ConfirmationURL")]
    confirmation_url: String,
    #[serde(rename = "ValidationURL")]
    validation_url: String,
}

impl RegisterUrls {
    /// Both URLs checked for production.
    ///
    /// # Errors
    /// [`BadUrl`] for the first URL Daraja would not take.
    pub fn new(
        shortcode: &str,
        on_silence: OnSilence,
        confirmation_url: &str,
        validation_url: &str,
    ) -> Result<Self, BadUrl> {
        check_url(confirmation_url)?;
        check_url(validation_url)?;
        Ok(Self {
            short_code: shortcode.to_owned(),
            response_type: on_silence,
            confirmation_url: confirmation_url.to_owned(),
            validation_url: validation_url.to_owned(),
        })
    }
}

/// Why Daraja would not take a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// Production takes only https.
    #[error("url is not https")]
    NotHttps,
    /// A filtered word; it can stand in a random token by chance, so tokens are best hex.
    #[error("url contains {0:?}, which daraja refuses anywhere in a url")]
    Forbidden(&'static str),
}

/// Whether Daraja takes this URL in production.
///
/// # Errors
/// [`BadUrl`].
pub fn check_url(url: &str) -> Result<(), BadUrl> {
    let lower = url.to_ascii_lowercase();
    if !lower.starts_with("https://") {
        return Err(BadUrl::NotHttps);
    }
    check_words(&lower)
}

/// Whether a URL or a path is free of the words Daraja filters; for a path of ours whose host is not known
/// yet.
///
/// # Errors
/// [`BadUrl::Forbidden`].
pub fn check_words(text: &str) -> Result<(), BadUrl> {
    let lower = text.to_ascii_lowercase();
    match FORBIDDEN.into_iter().find(|word| lower.contains(word)) {
        Some(word) => Err(BadUrl::Forbidden(word)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_is_darajas() {
        let confirmation = "https://pay.example.co.ke/in/c2b/9f2c41d7/confirm";
        let validation = "https://pay.example.co.ke/in/c2b/9f2c41d7/check";
        let ours = RegisterUrls::new("600111", OnSilence::Completed, confirmation, validation).unwrap();
        let fixture = include_bytes!("../../../tests/fixtures/daraja/c2b_registerurl_request.json");
        let theirs: serde_json::Value = serde_json::from_slice(fixture).unwrap();
        assert_eq!(serde_json::to_value(&ours).unwrap(), theirs);
    }

    #[test]
    fn filtered_words_are_found_in_any_case() {
        assert_eq!(check_url("https://a.ke/webhooks/MPesa/x"), Err(BadUrl::Forbidden("mpesa")));
        assert_eq!(check_url("https://a.ke/stkQuery"), Err(BadUrl::Forbidden("query")));
        assert_eq!(check_url("https://a.ke/t/Zq7eXe1"), Err(BadUrl::Forbidden("exe")));
        assert_eq!(check_url("http://a.ke/c2b"), Err(BadUrl::NotHttps));
        assert_eq!(check_words("/api/callbacks/mpesa/deposit/"), Err(BadUrl::Forbidden("mpesa")));
        assert_eq!(check_words("/in/c2b/9f2c41d7/confirm"), Ok(()));
    }
}
