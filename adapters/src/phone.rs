//! A mobile number, whole and checked, from every spelling people and rails use.
//!
//! The patterns are those of libphonenumber 9.0.33 for the mobile ranges of our three countries, written out:
//! three countries do not carry a metadata file and a regex engine, and a prefix is only a hint anyway
//! (numbers are portable); the rail has the last word.
//!
//! Invariant: a `Msisdn` is E.164 of a mobile line in [`Country`]; `Debug` and `Display` mask it, and it has
//! no serde, so that it leaves in clear only where `e164` or `digits` is written.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};

/// A country whose mobile numbers we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Country {
    /// Kenya, +254.
    Ke,
    /// Egypt, +20.
    Eg,
    /// Nepal, +977.
    Np,
}

impl Country {
    const ALL: [Country; 3] = [Country::Ke, Country::Eg, Country::Np];

    /// The calling code without plus.
    pub fn calling_code(self) -> &'static str {
        match self {
            Country::Ke => "254",
            Country::Eg => "20",
            Country::Np => "977",
        }
    }

    /// Whether the digits are a national mobile number, without trunk zero.
    fn is_mobile(self, national: &str) -> bool {
        let d = national.as_bytes();
        match self {
            // (?:1(?:0[0-8]|1\d|2[014]|30|4[0-5])|7\d\d)\d{6}
            Country::Ke => d.len() == 9 && (d[0] == b'7' || (d[0] == b'1' && kenya_01(d[1], d[2]))),
            // 1[0-25]\d{8}
            Country::Eg => d.len() == 10 && d[0] == b'1' && matches!(d[1], b'0'..=b'2' | b'5'),
            // 9(?:00|6[0-3]|7[0-24-6]|8[0-24-68])\d{7}
            Country::Np => d.len() == 10 && d[0] == b'9' && nepal_9(d[1], d[2]),
        }
    }
}

fn kenya_01(second: u8, third: u8) -> bool {
    match second {
        b'0' => third <= b'8',
        b'1' => true,
        b'2' => matches!(third, b'0' | b'1' | b'4'),
        b'3' => third == b'0',
        b'4' => third <= b'5',
        _ => false,
    }
}

fn nepal_9(second: u8, third: u8) -> bool {
    match second {
        b'0' => third == b'0',
        b'6' => third <= b'3',
        b'7' => matches!(third, b'0'..=b'2' | b'4'..=b'6'),
        b'8' => matches!(third, b'0'..=b'2' | b'4'..=b'6' | b'8'),
        _ => false,
    }
}

/// A mobile number in E.164.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Msisdn(String);

impl Msisdn {
    /// Reads a number the way a person in Kenya writes it: `0712…`, `712…`, `254…`, `+254…`, `00254…`, `01…`,
    /// with spaces, dashes, dots and brackets, in Western, Arabic-Indic, Persian or Devanagari digits.
    ///
    /// # Errors
    /// [`BadMsisdn`], which never repeats the text.
    pub fn parse(text: &str) -> Result<Self, BadMsisdn> {
        Self::parse_in(Country::Ke, text)
    }

    /// As [`Msisdn::parse`], for a person whose local spelling is `home`'s.
    ///
    /// # Errors
    /// As [`Msisdn::parse`].
    pub fn parse_in(home: Country, text: &str) -> Result<Self, BadMsisdn> {
        let (abroad, digits) = dialled(text)?;
        let international = |digits: &str| {
            Country::ALL.into_iter().find_map(|country| {
                let rest = digits.strip_prefix(country.calling_code())?;
                Some((country, national(country, rest)?))
            })
        };
        let local = |digits: &str| Some((home, national(home, digits)?));
        let found = if abroad {
            international(&digits)
        } else {
            local(&digits).or_else(|| international(&digits)).or_else(|| {
                // "00254…", and "000254…" as dialled from behind some exchanges
                international(digits.strip_prefix("000").or_else(|| digits.strip_prefix("00"))?)
            })
        };
        let (country, national) = found.ok_or(BadMsisdn::NotMobile)?;
        Ok(Self(format!("+{}{national}", country.calling_code())))
    }

    /// In clear, `+254712345678`.
    pub fn e164(&self) -> &str {
        &self.0
    }

    /// In clear and without plus, as rails want it: `254712345678`.
    pub fn digits(&self) -> &str {
        &self.0[1..]
    }

    /// In clear and as written at home: `0712345678`; Nepal has no trunk zero.
    pub fn local(&self) -> String {
        let country = self.country();
        let trunk = if country == Country::Np { "" } else { "0" };
        format!("{trunk}{}", &self.digits()[country.calling_code().len()..])
    }

    /// Whose number it is.
    pub fn country(&self) -> Country {
        let known = |country: &Country| self.digits().starts_with(country.calling_code());
        Country::ALL.into_iter().find(known).unwrap_or(Country::Ke)
    }

    /// SHA-256 of [`Msisdn::digits`] in lower-case hex: what Daraja's older callbacks put in place of the
    /// number. The number space is small enough to reverse it, so it is as personal as the number.
    pub fn hashed(&self) -> String {
        hex::encode(digest(&SHA256, self.digits().as_bytes()))
    }

    /// What people may see of it: `2547***678`.
    pub fn masked(&self) -> String {
        let digits = self.digits();
        let shown = self.country().calling_code().len() + 1;
        format!("{}***{}", &digits[..shown], &digits[digits.len() - 3..])
    }
}

impl fmt::Display for Msisdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Debug for Msisdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Msisdn({})", self.masked())
    }
}

/// A stranger's prose, fit for logs and people: one line of at most 200 characters, in which every run of
/// seven or more digits (a phone number, as rails like to repeat it in their errors) is cut to its last
/// three.
pub fn scrub(prose: &str) -> String {
    let mut text = String::new();
    let mut run = String::new();
    let end = std::iter::once('\n');
    for c in prose.chars().take(200).chain(end) {
        if western(c).is_some() {
            run.push(c);
            continue;
        }
        let length = run.chars().count();
        if length >= 7 {
            text.push_str("***");
            text.extend(run.chars().skip(length - 3));
            run.clear();
        } else {
            text.push_str(&run);
            run.clear();
        }
        text.push(if c.is_control() { ' ' } else { c });
    }
    text.trim().to_owned()
}

/// Why a text is not a mobile number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMsisdn {
    /// No digits.
    #[error("is empty")]
    Empty,
    /// A letter, a star, a second plus.
    #[error("has a character that is not part of a phone number")]
    OddCharacter,
    /// Too short, too long, a landline, or a country we do not serve.
    #[error("is not a mobile number of Kenya, Egypt or Nepal")]
    NotMobile,
}

/// The digits of a text and whether a plus stood before them.
fn dialled(text: &str) -> Result<(bool, String), BadMsisdn> {
    let mut plus = false;
    let mut digits = String::new();
    for c in text.chars() {
        match c {
            '+' | '＋' if !plus && digits.is_empty() => plus = true,
            c if is_separator(c) => {}
            c => digits.push(western(c).ok_or(BadMsisdn::OddCharacter)?),
        }
    }
    if digits.is_empty() { Err(BadMsisdn::Empty) } else { Ok((plus, digits)) }
}

/// Marks people and address books put between digits, and the invisible ones that right-to-left text brings
/// along.
fn is_separator(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '-' | '.' | '(' | ')' | '[' | ']' | '/' | '\u{2010}'..='\u{2015}' | '\u{2212}')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A decimal digit of the scripts our users write, as ASCII: Arabic-Indic, Persian, Devanagari, full width.
fn western(c: char) -> Option<char> {
    const ZEROS: [char; 5] = ['0', '\u{0660}', '\u{06f0}', '\u{0966}', '\u{ff10}'];
    ZEROS.into_iter().find_map(|zero| char::from_digit((c as u32).checked_sub(zero as u32)?, 10))
}

/// The national number, its trunk zero (also the one people leave in after the country's code) taken off.
fn national(country: Country, digits: &str) -> Option<String> {
    let trunk = if country == Country::Np { None } else { digits.strip_prefix('0') };
    [Some(digits), trunk].into_iter().flatten().find(|n| country.is_mobile(n)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_kenyan_spelling_is_one_number() {
        for text in [
            "0712345678",
            "712345678",
            "254712345678",
            "+254712345678",
            "00254712345678",
            "000254712345678",
            "0712 345 678",
            "+254 (0) 712-345-678",
            "(0712) 345.678",
            "\u{202a}+254\u{a0}712\u{2011}345\u{2011}678\u{202c}",
            "٠٧١٢٣٤٥٦٧٨",
            "۰۷۱۲۳۴۵۶۷۸",
            "०७१२३४५६७८",
            "＋２５４７１２３４５６７８",
            " 254712345678\n",
        ] {
            assert_eq!(
                Msisdn::parse(text).map(|m| m.e164().to_owned()),
                Ok("+254712345678".into()),
                "{text}"
            );
        }
        assert_eq!(Msisdn::parse("0110 000 001").unwrap().digits(), "254110000001");
        assert_eq!(Msisdn::parse("0712345678").unwrap().local(), "0712345678");
    }

    #[test]
    fn neighbours_by_their_own_spelling() {
        let eg = Msisdn::parse_in(Country::Eg, "010 0000 0001").unwrap();
        assert_eq!(
            (eg.e164(), eg.country(), eg.local().as_str()),
            ("+201000000001", Country::Eg, "01000000001")
        );
        let np = Msisdn::parse_in(Country::Np, "९८४००००००१").unwrap();
        assert_eq!(
            (np.e164(), np.country(), np.local().as_str()),
            ("+9779840000001", Country::Np, "9840000001")
        );
        assert_eq!(Msisdn::parse("+20 100 000 0001").unwrap(), eg);
        assert_eq!(Msisdn::parse("009779840000001").unwrap(), np);
    }

    #[test]
    fn what_is_not_a_mobile_number_is_refused() {
        for (text, why) in [
            ("", BadMsisdn::Empty),
            (" - ", BadMsisdn::Empty),
            ("07123 45x78", BadMsisdn::OddCharacter),
            ("254 7** *** 126", BadMsisdn::OddCharacter),
            ("0712345678+", BadMsisdn::OddCharacter),
            ("071234567", BadMsisdn::NotMobile),
            ("07123456789", BadMsisdn::NotMobile),
            ("020 2000000", BadMsisdn::NotMobile),
            ("0190000000", BadMsisdn::NotMobile),
            ("+0712345678", BadMsisdn::NotMobile),
            ("+14155550100", BadMsisdn::NotMobile),
            ("7", BadMsisdn::NotMobile),
        ] {
            assert_eq!(Msisdn::parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn it_is_masked_wherever_it_is_printed() {
        let phone = Msisdn::parse("0712345678").unwrap();
        assert_eq!(phone.to_string(), "2547***678");
        assert_eq!(format!("{phone:?}"), "Msisdn(2547***678)");
    }

    #[test]
    fn prose_is_scrubbed_of_numbers() {
        assert_eq!(scrub("bad number +254712345678.\n"), "bad number +***678.");
        assert_eq!(scrub("code 123456 of 0712345678"), "code 123456 of ***678");
        assert_eq!(scrub(&"x".repeat(300)).len(), 200);
    }

    #[test]
    fn its_hash_is_the_one_daraja_sends() {
        let phone = Msisdn::parse("254712345126").unwrap();
        assert_eq!(phone.hashed(), "68ef1a0b1369ee8fbf3245670a585b5fbfabd3bccc588ffd5ff8ce759675158d");
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_read_reads_again(text in "[+0-9 ٠-٩०-९-]{0,20}|.*") {
            if let Ok(phone) = Msisdn::parse(&text) {
                prop_assert_eq!(Msisdn::parse(phone.e164()), Ok(phone.clone()));
                prop_assert_eq!(Msisdn::parse(phone.digits()), Ok(phone.clone()));
                prop_assert_eq!(Msisdn::parse_in(phone.country(), &phone.local()), Ok(phone));
            }
        }
    }
}
