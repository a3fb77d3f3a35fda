//! Daraja, where it is asked and not only heard: all of it or nothing.

use amana_adapters::mpesa::daraja::credential;

use super::{Rails, Reader, Secret, Verify, hidden, text, value};

/// Daraja as a client sees it.
#[derive(Debug, Clone)]
pub struct Daraja {
    /// Its address, without a trailing slash.
    pub url: String,
    /// The app.
    pub key: Secret,
    /// The app's secret.
    pub secret: Secret,
    /// For prompts; none, and none are made.
    pub passkey: Option<Secret>,
    /// Who asks and pays in the paybill's name.
    pub initiator: String,
    /// The initiator's password, sealed under Daraja's certificate.
    pub credential: Secret,
    /// Where answers reach us, without a trailing slash.
    pub public_url: String,
}

impl Reader<'_> {
    /// All of it where the address is set, nothing where it is not.
    pub(super) fn daraja(&mut self) -> Option<Option<Daraja>> {
        let url = self.optional("AMANA_DARAJA_URL", value::url)?;
        let Some(url) = url else { return Some(None) };
        let key = self.needed("AMANA_DARAJA_KEY", hidden);
        let secret = self.needed("AMANA_DARAJA_SECRET", hidden);
        let passkey = self.optional("AMANA_DARAJA_PASSKEY", hidden);
        let initiator = self.needed("AMANA_DARAJA_INITIATOR", text);
        let password = self.needed("AMANA_DARAJA_INITIATOR_PASSWORD", hidden);
        let certificate = self.needed("AMANA_DARAJA_CERTIFICATE", certificate);
        let public_url = self.needed("AMANA_PUBLIC_URL", value::url);
        let credential = match credential(&certificate?, &password?) {
            Ok(credential) => credential,
            Err(why) => {
                self.problem("AMANA_DARAJA_CERTIFICATE", &why.to_string());
                return None;
            }
        };
        Some(Some(Daraja {
            url,
            key: key?,
            secret: secret?,
            passkey: passkey?,
            initiator: initiator?,
            credential,
            public_url: public_url?,
        }))
    }

    /// Against a real rail every confirmation is asked about unless somebody decides otherwise; simulated,
    /// none.
    pub(super) fn verify(
        &mut self,
        asset: amana_ledger::money::Asset,
        rails: Rails,
        asks: bool,
    ) -> Option<Verify> {
        let set = self.optional("AMANA_MPESA_VERIFY", |text| Verify::parse(asset, text))?;
        let verify = set.unwrap_or(if rails == Rails::Real { Verify::Every } else { Verify::Off });
        if rails == Rails::Real && verify != Verify::Off && !asks {
            let why = "confirmations are to be asked about and Daraja is not configured: \
                set AMANA_DARAJA_URL and what belongs to it, or this to off";
            self.problem("AMANA_MPESA_VERIFY", why);
            return None;
        }
        Some(verify)
    }

    /// Required, once what it belongs to is configured.
    fn needed<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        match self.optional(name, parse)? {
            Some(value) => Some(value),
            None => {
                self.problem(name, "is required with AMANA_DARAJA_URL and not set");
                None
            }
        }
    }
}

/// The certificate itself, or the file it is in.
fn certificate(text: &str) -> Result<Vec<u8>, String> {
    if text.starts_with("-----BEGIN") {
        return Ok(text.as_bytes().to_vec());
    }
    std::fs::read(text)
        .map_err(|error| format!("is neither PEM nor a file that can be read: {}", error.kind()))
}
