//! Daraja's secrets: the password of a prompt, and the initiator's password under the given certificate.

use aws_lc_rs::rsa::{Pkcs1PublicEncryptingKey, PublicEncryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pki_types::pem::PemObject;
use pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use webpki::EndEntityCert;

use crate::port::Secret;

/// The password of a prompt: shortcode, passkey and the timestamp that stands in the request beside it.
pub(in crate::mpesa) fn password(shortcode: &str, passkey: &Secret, timestamp: &str) -> String {
    STANDARD.encode(format!("{shortcode}{}{timestamp}", passkey.expose()))
}

/// Why a certificate is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCertificate {
    /// Neither PEM nor DER of a certificate or a public key.
    #[error("is neither a certificate nor a public key in PEM")]
    Unreadable,
    /// Not an RSA key, or too small a one.
    #[error("holds no RSA key of 2048 bits or more")]
    NotRsa,
    /// The password does not fit under the key.
    #[error("is too small for the password")]
    TooSmall,
}

/// `SecurityCredential`: the initiator's password under the environment's certificate, RSA with PKCS#1 v1.5
/// padding, in base64. Each call of this gives another text for the same password; any of them will do for
/// ever.
///
/// # Errors
/// [`BadCertificate`].
pub fn credential(certificate: &[u8], password: &Secret) -> Result<Secret, BadCertificate> {
    let key = PublicEncryptingKey::from_der(&public_key(certificate)?);
    let key = key.ok().filter(|key| key.key_size_bits() >= 2048).ok_or(BadCertificate::NotRsa)?;
    let key = Pkcs1PublicEncryptingKey::new(key).map_err(|_| BadCertificate::NotRsa)?;
    let mut sealed = vec![0; key.ciphertext_size()];
    let sealed = key.encrypt(password.expose().as_bytes(), &mut sealed);
    Ok(Secret::new(STANDARD.encode(sealed.map_err(|_| BadCertificate::TooSmall)?)))
}

/// The subject's public key of a certificate in PEM or DER, or a public key in PEM.
fn public_key(certificate: &[u8]) -> Result<Vec<u8>, BadCertificate> {
    if let Ok(key) = SubjectPublicKeyInfoDer::from_pem_slice(certificate) {
        return Ok(key.as_ref().to_vec());
    }
    let der = CertificateDer::from_pem_slice(certificate)
        .unwrap_or_else(|_| CertificateDer::from(certificate.to_vec()));
    let end = EndEntityCert::try_from(&der).map_err(|_| BadCertificate::Unreadable)?;
    Ok(end.subject_public_key_info().as_ref().to_vec())
}
