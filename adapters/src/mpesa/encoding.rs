//! Bytes as text, whatever wrote them: UTF-8, with or without a mark; UTF-16 with one; else Latin-1, in which
//! every byte is a character. A name in another encoding is no reason to lose money.

use std::borrow::Cow;

/// The text.
pub(in crate::mpesa) fn text(raw: &[u8]) -> Cow<'_, str> {
    match raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw) {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        // No mark, but ASCII in every second byte only.
        raw @ [b'{' | b'[', 0, ..] => wide(raw, u16::from_le_bytes),
        raw @ [0, b'{' | b'[', ..] => wide(raw, u16::from_be_bytes),
        raw => match std::str::from_utf8(raw) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => Cow::Owned(raw.iter().copied().map(char::from).collect()),
        },
    }
}

fn wide(raw: &[u8], unit: fn([u8; 2]) -> u16) -> Cow<'static, str> {
    let units = raw.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    Cow::Owned(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_encodings_are_one_text() {
        let plain = "{\"FirstName\":\"NJOROGÉ\"}";
        let wide = |mark: [u8; 2], unit: fn(u16) -> [u8; 2]| {
            [mark.to_vec(), plain.encode_utf16().flat_map(unit).collect()].concat()
        };
        let latin: Vec<u8> = plain.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        for raw in [
            plain.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", plain.as_bytes()].concat(),
            wide([0xff, 0xfe], u16::to_le_bytes),
            wide([0xfe, 0xff], u16::to_be_bytes),
            wide([0xff, 0xfe], u16::to_le_bytes)[2..].to_vec(),
            latin,
        ] {
            assert_eq!(text(&raw), plain);
        }
    }
}
