//! `application/x-www-form-urlencoded`, both ways.
//!
//! Absent: the query extractor of the web framework, which lets a repeated field pass or not depending on the
//! type; here a field said twice is refused, as it is two answers to one question.

/// Why a form does not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {reason}")]
pub struct BadForm {
    /// The field's name on the wire, or `body`.
    pub field: &'static str,
    /// What is wrong with it, without its content.
    pub reason: &'static str,
}

/// The fields of a form, decoded.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    pub(super) fn read(raw: &[u8]) -> Result<Self, BadForm> {
        let mut fields: Vec<(String, String)> = Vec::new();
        for pair in raw.trim_ascii().split(|b| *b == b'&').filter(|pair| !pair.is_empty()) {
            let end = pair.iter().position(|b| *b == b'=');
            let (name, value) =
                (&pair[..end.unwrap_or(pair.len())], &pair[end.map_or(pair.len(), |end| end + 1)..]);
            let (Some(name), Some(value)) = (decode(name), decode(value)) else {
                return Err(BadForm { field: "body", reason: "is not utf-8" });
            };
            if fields.iter().any(|(known, _)| *known == name) {
                return Err(BadForm { field: "body", reason: "has a field twice" });
            }
            fields.push((name, value));
        }
        Ok(Self(fields))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn required(&self, name: &'static str) -> Result<&str, BadForm> {
        let value = self.get(name).ok_or(BadForm { field: name, reason: "is missing" })?;
        if value.trim().is_empty() { Err(BadForm { field: name, reason: "is empty" }) } else { Ok(value) }
    }
}

/// A percent sign that no two hex digits follow stands for itself, as browsers and the URL standard have it.
fn decode(text: &[u8]) -> Option<String> {
    let hex = |at: usize| text.get(at).and_then(|b| char::from(*b).to_digit(16));
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        match (text[at], hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                at += 2;
            }
            (b'+', _, _) => bytes.push(b' '),
            (byte, _, _) => bytes.push(byte),
        }
        at += 1;
    }
    String::from_utf8(bytes).ok()
}

/// Writes a form, fields in the order given.
pub(super) fn write(fields: &[(&str, &str)]) -> Vec<u8> {
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&").into_bytes()
}

fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'*' | b'-' | b'.' | b'_' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn odd_forms() {
        let form = Form::read(b"a=1%2B2+3&b=100%&&c&d=%zz&e=x=y\n").unwrap();
        let get = |name| form.get(name).unwrap();
        assert_eq!([get("a"), get("b"), get("c"), get("d"), get("e")], ["1+2 3", "100%", "", "%zz", "x=y"]);
        assert_eq!(form.required("c").unwrap_err(), BadForm { field: "c", reason: "is empty" });
        assert_eq!(form.required("f").unwrap_err(), BadForm { field: "f", reason: "is missing" });
        assert!(Form::read(b"a=1&a=2").is_err() && Form::read(b"a=%ff").is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value in "\\PC*", other in ".*") {
            let form = Form::read(&write(&[("one", &value), ("two", &other)])).unwrap();
            prop_assert_eq!(form.get("one"), Some(value.as_str()));
            prop_assert_eq!(form.get("two"), Some(other.as_str()));
        }

        #[test]
        fn no_bytes_panic(raw in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _read = Form::read(&raw);
        }
    }
}
