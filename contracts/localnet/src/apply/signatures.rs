//! Who signed, and with what weight.
//!
//! Invariant: a signature counts once per question asked, and one that answered no question makes the
//! transaction txBAD_AUTH_EXTRA.
//! Absent: pre-authorised transactions as signers (SetOptions refuses to add them).

use ed25519_dalek::{Signature, VerifyingKey};
use soroban_env_host::xdr::{AccountEntry, DecoratedSignature, SignerKey, Uint256};

use crate::encoding::{key_of, sha256};

/// The signatures of one envelope and which of them have been of use.
pub(crate) struct Signatures<'a> {
    hash: [u8; 32],
    list: &'a [DecoratedSignature],
    used: Vec<bool>,
}

impl<'a> Signatures<'a> {
    /// Signatures over `hash`.
    pub(crate) fn new(hash: [u8; 32], list: &'a [DecoratedSignature]) -> Self {
        Self { hash, list, used: vec![false; list.len()] }
    }

    /// Whether the account's signers together reach `needed`. A threshold of 0 still wants one valid
    /// signature, so an account whose master weight is 0 and that has no signers can never act.
    pub(crate) fn reach(&mut self, account: &AccountEntry, needed: u8) -> bool {
        let mut signers: Vec<(SignerKey, u32)> =
            account.signers.iter().map(|s| (s.key.clone(), s.weight)).collect();
        let master = u32::from(account.thresholds.0[0]);
        signers.push((SignerKey::Ed25519(Uint256(key_of(&account.account_id))), master));
        signers.retain(|(_, weight)| *weight > 0);
        self.weigh(signers, u32::from(needed))
    }

    /// Whether this one key signed.
    pub(crate) fn has(&mut self, key: SignerKey) -> bool {
        self.weigh(vec![(key, 1)], 1)
    }

    fn weigh(&mut self, mut signers: Vec<(SignerKey, u32)>, needed: u32) -> bool {
        let mut total = 0u32;
        for (index, signature) in self.list.iter().enumerate() {
            let Some(at) = signers.iter().position(|(key, _)| self.matches(signature, key)) else { continue };
            self.used[index] = true;
            total += signers.swap_remove(at).1.min(255);
            if total >= needed {
                return true;
            }
        }
        false
    }

    /// Whether every signature was of use.
    pub(crate) fn all_used(&self) -> bool {
        self.used.iter().all(|used| *used)
    }

    fn matches(&self, decorated: &DecoratedSignature, key: &SignerKey) -> bool {
        let hint = decorated.hint.0;
        let signature = decorated.signature.0.as_slice();
        match key {
            SignerKey::Ed25519(Uint256(key)) => hint == tail(key) && signed_by(key, &self.hash, signature),
            SignerKey::HashX(Uint256(hash)) => hint == tail(hash) && sha256(signature) == *hash,
            SignerKey::Ed25519SignedPayload(signed) => {
                let Uint256(key) = &signed.ed25519;
                let payload = signed.payload.as_slice();
                let mut expected = tail(key);
                let mask = payload_hint(payload);
                expected.iter_mut().zip(mask).for_each(|(a, b)| *a ^= b);
                hint == expected && signed_by(key, payload, signature)
            }
            SignerKey::PreAuthTx(_) => false,
        }
    }
}

/// The last four bytes, by which a signature hints at its key.
fn tail(key: &[u8; 32]) -> [u8; 4] {
    [key[28], key[29], key[30], key[31]]
}

/// CAP-40: the last four bytes of the payload, padded with zeros when it is shorter.
fn payload_hint(payload: &[u8]) -> [u8; 4] {
    let mut hint = [0; 4];
    let end = &payload[payload.len().saturating_sub(4)..];
    hint[..end.len()].copy_from_slice(end);
    hint
}

fn signed_by(key: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    let (Ok(key), Ok(signature)) = (VerifyingKey::from_bytes(key), Signature::from_slice(signature)) else {
        return false;
    };
    key.verify_strict(message, &signature).is_ok()
}
