//! A checkpoint: how long a book's log is and what its root is, signed. Text as in C2SP's tlog-checkpoint,
//! signed as in C2SP's signed-note, so that tools of others read it.
//!
//! Invariant: a note is read only if its every byte is as we would have written it, and one of its
//! signatures is the key's. Absent: where the secret comes from.

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::tree::Hash;
use crate::chart::BookId;
use crate::id::sha256;

/// The type byte of an Ed25519 key in a signed note.
const ED25519_NOTE: u8 = 1;

/// Why a note, a key or a checkpoint is not to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadNote {
    /// Not a text, a blank line and signature lines.
    #[error("not a signed note")]
    Shape,
    /// The text is not a checkpoint of this book.
    #[error("the note's text is not a checkpoint of the book")]
    Text,
    /// No line is signed by the key.
    #[error("the note is not signed by the key")]
    Unsigned,
    /// The key's signature is wrong.
    #[error("the note's signature is wrong")]
    Signature,
    /// Not `name+hash+key`, or the hash is not the key's.
    #[error("not a key")]
    Key,
}

/// What a book's log was at a size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The book.
    pub book: BookId,
    /// How many batches the log has.
    pub size: u64,
    /// The root over their roots.
    pub root: Hash,
}

/// The first line of a book's checkpoints, and the name of its key.
#[must_use]
pub fn origin(book: &BookId) -> String {
    format!("amana/{book}")
}

impl Checkpoint {
    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        Head { origin: origin(&self.book), size: self.size, hash: self.root, more: "" }.text()
    }

    /// Reads a signed checkpoint of the book.
    ///
    /// # Errors
    /// [`BadNote`] unless it is one, signed by the key.
    pub fn open(book: &BookId, key: &Key, note: &str) -> Result<Self, BadNote> {
        let Head { size, hash, .. } = Head::read(origin(book), key.open(note)?)?.alone()?;
        Ok(Self { book: book.clone(), size, root: hash })
    }
}

/// The end of a bundle: how many lines were before it, and their hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// The book.
    pub book: BookId,
    /// How many lines.
    pub lines: u64,
    /// SHA-256 over them.
    pub hash: Hash,
}

impl Ending {
    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        let origin = format!("{}/bundle", origin(&self.book));
        Head { origin, size: self.lines, hash: self.hash, more: "" }.text()
    }

    /// Reads the signed end of a bundle of the book.
    ///
    /// # Errors
    /// [`BadNote`] unless it is one, signed by the key.
    pub fn open(book: &BookId, key: &Key, note: &str) -> Result<Self, BadNote> {
        let origin = format!("{}/bundle", origin(book));
        let Head { size, hash, .. } = Head::read(origin, key.open(note)?)?.alone()?;
        Ok(Self { book: book.clone(), lines: size, hash })
    }
}

/// The text of every note we sign: what it is about, a size, a hash, and lines of its kind.
pub(super) struct Head<'a> {
    pub(super) origin: String,
    pub(super) size: u64,
    pub(super) hash: Hash,
    pub(super) more: &'a str,
}

impl<'a> Head<'a> {
    pub(super) fn text(&self) -> String {
        format!("{}\n{}\n{}\n{}", self.origin, self.size, BASE64.encode(self.hash), self.more)
    }

    /// Reads a text of this origin.
    pub(super) fn read(origin: String, text: &'a str) -> Result<Self, BadNote> {
        let mut lines = text.splitn(4, '\n').skip(1);
        let mut line = || lines.next().ok_or(BadNote::Text);
        let (size, hash, rest) = (line()?, line()?, line()?);
        let (size, hash) = (size.parse().map_err(|_| BadNote::Text)?, decoded(hash).ok_or(BadNote::Text)?);
        let head = Self { origin, size, hash, more: rest };
        // One head, one text: "007" or another book's name is another text.
        if head.text() == text { Ok(head) } else { Err(BadNote::Text) }
    }
}

impl Head<'_> {
    /// Nothing follows the hash.
    fn alone(self) -> Result<Self, BadNote> {
        if self.more.is_empty() { Ok(self) } else { Err(BadNote::Text) }
    }
}

fn decoded<const N: usize>(text: &str) -> Option<[u8; N]> {
    BASE64.decode(text).ok()?.try_into().ok()
}

/// Who signs: an Ed25519 key under the name of what it signs for.
pub struct Signer {
    book: BookId,
    pair: Ed25519KeyPair,
    key: Key,
    salts: [u8; 32],
}

impl Signer {
    /// The signer of a book's notes, from 32 secret bytes.
    ///
    /// # Errors
    /// [`BadNote::Key`] if the library refuses the bytes.
    pub fn new(book: &BookId, secret: &[u8; 32]) -> Result<Self, BadNote> {
        Self::named(book, &origin(book), secret)
    }

    fn named(book: &BookId, name: &str, secret: &[u8; 32]) -> Result<Self, BadNote> {
        let pair = Ed25519KeyPair::from_seed_unchecked(secret).map_err(|_| BadNote::Key)?;
        let bytes = pair.public_key().as_ref().try_into().map_err(|_| BadNote::Key)?;
        let salts = keyed(secret, &format!("amana:salts:v1 {name}"));
        Ok(Self { book: book.clone(), pair, key: Key { name: name.to_owned(), bytes }, salts })
    }

    /// The book it signs for.
    #[must_use]
    pub fn book(&self) -> &BookId {
        &self.book
    }

    /// The salt of an account among the liabilities.
    #[must_use]
    pub fn salt(&self, path: &str) -> Hash {
        keyed(&self.salts, path)
    }

    /// The key that checks what it signs.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// A signed note over a text, which ends with a newline.
    #[must_use]
    pub fn sign(&self, text: &str) -> String {
        let mut signature = self.key.hash().to_vec();
        signature.extend_from_slice(self.pair.sign(text.as_bytes()).as_ref());
        format!("{text}\n\u{2014} {} {}\n", self.key.name, BASE64.encode(signature))
    }
}

/// HMAC-SHA256: what nobody can tell from chance without the secret.
fn keyed(secret: &[u8; 32], text: &str) -> Hash {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes());
    let mut bytes = [0; 32];
    bytes.copy_from_slice(tag.as_ref());
    bytes
}

/// What checks a signer's notes. Written as `name+hash+key`, the form other tools call a vkey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    name: String,
    bytes: [u8; 32],
}

impl Key {
    /// Reads `name+hash+key`.
    ///
    /// # Errors
    /// [`BadNote::Key`] for anything else.
    pub fn parse(text: &str) -> Result<Self, BadNote> {
        let mut parts = text.splitn(3, '+');
        let mut part = || parts.next().filter(|part| !part.is_empty()).ok_or(BadNote::Key);
        let (name, hash, bytes) = (part()?, part()?, part()?);
        let bytes: [u8; 33] = decoded(bytes).ok_or(BadNote::Key)?;
        let (kind, bytes) = bytes.split_first().ok_or(BadNote::Key)?;
        let key = Self { name: name.to_owned(), bytes: bytes.try_into().map_err(|_| BadNote::Key)? };
        let is_ours = *kind == ED25519_NOTE && !name.contains(char::is_whitespace);
        if is_ours && hash == hex::encode(key.hash()) { Ok(key) } else { Err(BadNote::Key) }
    }

    /// What it signs for.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first four bytes of SHA-256(name ‖ newline ‖ type ‖ key): which key a signature line is of.
    fn hash(&self) -> [u8; 4] {
        let hash = sha256(&[self.name.as_bytes(), b"\n", &[ED25519_NOTE], &self.bytes]);
        [hash[0], hash[1], hash[2], hash[3]]
    }

    /// The text of a note that this key signed.
    ///
    /// # Errors
    /// [`BadNote`] if it is no note, or not this key's.
    pub fn open<'a>(&self, note: &'a str) -> Result<&'a str, BadNote> {
        let end = note.rfind("\n\n").ok_or(BadNote::Shape)? + 1;
        let (text, lines) = (&note[..end], note[end..].strip_prefix('\n').ok_or(BadNote::Shape)?);
        let lines = lines.strip_suffix('\n').ok_or(BadNote::Shape)?;
        let mut signed = Err(BadNote::Unsigned);
        for line in lines.split('\n') {
            let line = line.strip_prefix("\u{2014} ").ok_or(BadNote::Shape)?;
            let (name, signature) = line.split_once(' ').ok_or(BadNote::Shape)?;
            let bytes = BASE64.decode(signature).map_err(|_| BadNote::Shape)?;
            let (hash, signature) = bytes.split_at_checked(4).ok_or(BadNote::Shape)?;
            if name == self.name && hash == self.hash() {
                let key = UnparsedPublicKey::new(&ED25519, &self.bytes);
                key.verify(text.as_bytes(), signature).map_err(|_| BadNote::Signature)?;
                signed = Ok(text);
            }
        }
        signed
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![ED25519_NOTE];
        bytes.extend_from_slice(&self.bytes);
        write!(f, "{}+{}+{}", self.name, hex::encode(self.hash()), BASE64.encode(bytes))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The example of Go's `note` package, from which C2SP's signed-note was written down.
    const SECRET: &str = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const TEXT: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n";
    const NOTE: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\n\
        \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8p\
        AcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    fn signer() -> Signer {
        Signer::new(&book(), &[7; 32]).unwrap()
    }

    fn book() -> BookId {
        BookId::parse("kenya:KES").unwrap()
    }

    #[test]
    fn the_published_note() {
        let secret: [u8; 33] = decoded(SECRET).unwrap();
        let signer = Signer::named(&book(), "PeterNeumann", &secret[1..].try_into().unwrap()).unwrap();
        assert_eq!(signer.key().to_string(), KEY);
        assert_eq!(signer.sign(TEXT), NOTE);
        assert_eq!(Key::parse(KEY).unwrap().open(NOTE), Ok(TEXT));
    }

    #[test]
    fn a_checkpoint_is_read_back_and_no_other() {
        let checkpoint = Checkpoint { book: book(), size: 7, root: [3; 32] };
        assert!(checkpoint.text().starts_with("amana/kenya:KES\n7\nAwMD"), "{}", checkpoint.text());
        let (signer, note) = (signer(), signer().sign(&checkpoint.text()));
        assert_eq!(Checkpoint::open(&book(), signer.key(), &note), Ok(checkpoint.clone()));
        let other = BookId::parse("egypt:EGP").unwrap();
        assert_eq!(Checkpoint::open(&other, signer.key(), &note), Err(BadNote::Text));
        let stranger = Signer::new(&book(), &[8; 32]).unwrap();
        assert_eq!(Checkpoint::open(&book(), stranger.key(), &note), Err(BadNote::Unsigned));
        for text in ["amana/kenya:KES\n07\n", "amana/kenya:KES\n", "\n"] {
            let note = signer.sign(text);
            assert_eq!(Checkpoint::open(&book(), signer.key(), &note), Err(BadNote::Text), "{text}");
        }
        let more = signer.sign(&format!("{}more\n", checkpoint.text()));
        assert_eq!(Checkpoint::open(&book(), signer.key(), &more), Err(BadNote::Text));
    }

    #[test]
    fn a_second_signature_does_not_disturb() {
        let note = signer().sign("a\n");
        let witness = Signer::named(&book(), "witness", &[9; 32]).unwrap().sign("a\n");
        let both = format!("{note}{}", witness.strip_prefix("a\n\n").unwrap());
        assert_eq!(signer().key().open(&both), Ok("a\n"));
        assert_eq!(Key::parse(KEY).unwrap().open(&both), Err(BadNote::Unsigned));
    }

    proptest! {
        #[test]
        fn every_flipped_bit_is_found(at: prop::sample::Index, bit in 0u8..8) {
            let (signer, checkpoint) = (signer(), Checkpoint { book: book(), size: 7, root: [3; 32] });
            let mut note = signer.sign(&checkpoint.text()).into_bytes();
            let at = at.index(note.len());
            note[at] ^= 1 << bit;
            if let Ok(note) = String::from_utf8(note) {
                prop_assert!(signer.key().open(&note).is_err(), "{}", note);
            }
        }

        #[test]
        fn a_key_is_read_back_and_no_other(secret: [u8; 32], at: prop::sample::Index, bit in 0u8..8) {
            let key = Signer::new(&book(), &secret).unwrap().key().clone();
            prop_assert_eq!(Key::parse(&key.to_string()), Ok(key.clone()));
            let mut text = key.to_string().into_bytes();
            let at = at.index(text.len());
            text[at] ^= 1 << bit;
            if let Ok(text) = String::from_utf8(text) {
                prop_assert_ne!(Key::parse(&text), Ok(key));
            }
        }
    }
}
