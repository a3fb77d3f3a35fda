//! Intersend's signature: `sha256=` and the hex of HMAC-SHA256 under the shared secret, over the timestamp, a
//! point, and the body byte by byte (nothing after the point for a GET).
//!
//! Invariant: a signature is compared in constant time and before the body is parsed.

use aws_lc_rs::hmac;

use crate::port::Secret;

const SCHEME: &str = "sha256=";

/// The signature header's value.
pub(super) fn sign(secret: &Secret, timestamp: &str, body: &[u8]) -> String {
    let mut context = hmac::Context::with_key(&key(secret));
    context.update(timestamp.as_bytes());
    context.update(b".");
    context.update(body);
    format!("{SCHEME}{}", hex::encode(context.sign()))
}

/// Whether the header's value is the signature of that timestamp and body.
pub(super) fn is_signed(secret: &Secret, timestamp: &str, body: &[u8], header: &str) -> bool {
    let Some(Ok(tag)) = header.strip_prefix(SCHEME).map(hex::decode) else { return false };
    let signed = [timestamp.as_bytes(), b".", body].concat();
    hmac::verify(&key(secret), &signed, &tag).is_ok()
}

fn key(secret: &Secret) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with `openssl dgst -sha256 -hmac` over the fixture.
    #[test]
    fn vectors() {
        let secret = Secret::new("intersend-test-secret-0001");
        let body = include_bytes!("../../../tests/fixtures/intersend/payout_send_request.json");
        let post = "sha256=d7b371ae0f3e2728a250085bb44308b677fcd0201c2fa54539e1418e1d20f1e4";
        let get = "sha256=8f2563587274102acfc535e44f16e3c2e4849a9533726ae364c87e4dcf0059b8";
        assert_eq!(sign(&secret, "1763632800", body), post);
        assert_eq!(sign(&secret, "1763632800", b""), get);
        assert!(is_signed(&secret, "1763632800", body, post));
        assert!(is_signed(&secret, "1763632800", b"", get));
        assert!(!is_signed(&secret, "1763632801", body, post), "another time");
        assert!(!is_signed(&secret, "1763632800", b"", post), "another body");
        assert!(!is_signed(&Secret::new("other"), "1763632800", body, post), "another secret");
        for odd in ["", "sha256=", "sha256=zz", &post[7..], &post[..70], "sha512=d7b3"] {
            assert!(!is_signed(&secret, "1763632800", body, odd), "{odd}");
        }
    }
}
