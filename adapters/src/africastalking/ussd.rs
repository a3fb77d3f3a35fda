//! A USSD session, hop by hop: what the phone's owner has typed so far, and what he is shown next.
//!
//! Invariant: what was typed may be a PIN, so [`Inputs`] never prints itself; whoever stores a hop cuts the
//! PIN's places first (`cut`).
//! Absent: session state and menus. The same hop may come twice; the gateway makes that harmless.

use std::fmt;
use std::ops::Deref;

use super::form::{BadForm, Form};
use super::gsm;
use crate::port::Msisdn;

/// What fits one USSD screen by the standard.
pub const SCREEN_MOST: usize = 182;
/// What every phone of our users shows without cutting.
pub const SCREEN_GOOD: usize = 160;

/// Longer than any session's id: theirs have 38 bytes.
const SESSION_MOST: usize = 100;

/// One hop of a session, as the gateway company posts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UssdRequest {
    /// Theirs, the same through the session.
    pub session: String,
    /// What was dialled: `*384*111#`.
    pub service_code: String,
    /// Whose line it is: the telco's word, good for the line and not for the person.
    pub phone: Msisdn,
    /// The network's code, `63902`, where told.
    pub network: Option<String>,
    /// Everything typed so far, oldest first; empty on the first hop.
    pub inputs: Inputs,
}

/// What was typed, which may contain a PIN.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Inputs(Vec<String>);

impl Inputs {
    /// Splits what came in `text` at its stars. A star typed by a person is taken for a split too: the wire
    /// does not tell them apart.
    pub fn split(text: &str) -> Self {
        if text.is_empty() {
            Self::default()
        } else {
            Self(text.split('*').map(|i| i.trim().to_owned()).collect())
        }
    }

    /// The inputs with those at `places` (from 0) made empty: fit to be stored when they were PINs.
    pub fn cut(&self, places: &[usize]) -> Self {
        let kept = self.0.iter().enumerate();
        Self(
            kept.map(|(at, input)| if places.contains(&at) { String::new() } else { input.clone() })
                .collect(),
        )
    }

    /// As on the wire again, joined by stars.
    pub fn text(&self) -> String {
        self.0.join("*")
    }
}

impl Deref for Inputs {
    type Target = [String];

    fn deref(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Debug for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Inputs({} not shown)", self.0.len())
    }
}

/// Reads one hop.
///
/// # Errors
/// [`BadForm`] when session or phone is missing or the phone is not a mobile number of ours.
pub fn read_ussd(raw: &[u8]) -> Result<UssdRequest, BadForm> {
    let form = Form::read(raw)?;
    let phone = Msisdn::parse(form.required("phoneNumber")?);
    let session = form.required("sessionId")?.trim();
    if session.len() > SESSION_MOST || session.chars().any(char::is_control) {
        return Err(BadForm { field: "sessionId", reason: "is not a session's id" });
    }
    let filled = |name| form.get(name).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    Ok(UssdRequest {
        session: session.to_owned(),
        service_code: filled("serviceCode").unwrap_or_default(),
        phone: phone.map_err(|_| BadForm { field: "phoneNumber", reason: "is not a mobile number" })?,
        network: filled("networkCode"),
        inputs: Inputs::split(form.get("text").unwrap_or_default()),
    })
}

/// What the phone shows next.
#[derive(Clone, PartialEq, Eq)]
pub enum UssdReply {
    /// And asks for an answer.
    Con(String),
    /// And hangs up.
    End(String),
}

/// Screens name people and sums.
impl fmt::Debug for UssdReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if matches!(self, UssdReply::Con(_)) { "Con" } else { "End" };
        write!(f, "{kind}({} characters)", self.text().chars().count())
    }
}

/// Why a reply cannot be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadReply {
    /// Phones show it as a blank or not at all.
    #[error("{0:?} is not in the gsm alphabet")]
    Alphabet(char),
    /// The network cuts it or ends the session.
    #[error("{0} characters are more than a screen's 182")]
    TooLong(usize),
}

impl UssdReply {
    /// The text without its prefix.
    pub fn text(&self) -> &str {
        match self {
            UssdReply::Con(text) | UssdReply::End(text) => text,
        }
    }

    /// The body of the answer, `text/plain`. Above 160 characters it says so in the log, as some phones cut
    /// there.
    ///
    /// # Errors
    /// [`BadReply`]; [`UssdReply::fit`] makes any reply one that renders.
    pub fn render(&self) -> Result<String, BadReply> {
        let length = gsm::septets(self.text()).map_err(BadReply::Alphabet)?;
        if length > SCREEN_MOST {
            return Err(BadReply::TooLong(length));
        }
        if length > SCREEN_GOOD {
            tracing::warn!(length, "ussd screen above {SCREEN_GOOD} characters");
        }
        let prefix = match self {
            UssdReply::Con(_) => "CON",
            UssdReply::End(_) => "END",
        };
        Ok(format!("{prefix} {}", self.text()))
    }

    /// The same reply in the alphabet and within 160 characters: for texts with people's words in them.
    #[must_use]
    pub fn fit(self) -> Self {
        match self {
            UssdReply::Con(text) => UssdReply::Con(gsm::fold(&text, SCREEN_GOOD)),
            UssdReply::End(text) => UssdReply::End(gsm::fold(&text, SCREEN_GOOD)),
        }
    }

    /// Reads an answer's body, as the gateway company does: without a prefix the session is over and broken.
    pub fn read(body: &str) -> Option<Self> {
        let con =
            body.strip_prefix("CON").map(|text| UssdReply::Con(text.trim_start_matches(' ').to_owned()));
        con.or_else(|| Some(UssdReply::End(body.strip_prefix("END")?.trim_start_matches(' ').to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &[u8] = include_bytes!("../../../tests/fixtures/africastalking/ussd_first.form");
    const THIRD: &[u8] = include_bytes!("../../../tests/fixtures/africastalking/ussd_third_hop.form");

    #[test]
    fn hops_are_read() {
        let first = read_ussd(FIRST).unwrap();
        assert_eq!(
            (first.session.as_str(), first.service_code.as_str()),
            ("ATUid_5f2e8c6b1d9a4e71b0c3", "*384*111#")
        );
        assert_eq!((first.phone.e164(), first.network.as_deref()), ("+254712345126", Some("63902")));
        assert!(first.inputs.is_empty());
        let third = read_ussd(THIRD).unwrap();
        assert_eq!(&third.inputs[..], ["1", "500", "1"]);
        assert_eq!(third.session, first.session);
    }

    #[test]
    fn a_pin_is_not_printed_and_can_be_cut() {
        let request = read_ussd(b"sessionId=s&phoneNumber=0712345126&text=1*1*4821").unwrap();
        assert!(!format!("{request:?}").contains("4821"), "{request:?}");
        assert_eq!(request.inputs.cut(&[2]).text(), "1*1*");
        assert_eq!(request.inputs.last().map(String::as_str), Some("4821"));
    }

    #[test]
    fn odd_hops() {
        let why = |raw: &[u8]| read_ussd(raw).unwrap_err();
        assert_eq!(why(b""), BadForm { field: "phoneNumber", reason: "is missing" });
        assert_eq!(why(b"phoneNumber=%2B254712345126"), BadForm { field: "sessionId", reason: "is missing" });
        assert_eq!(why(b"sessionId=s&phoneNumber=x").reason, "is not a mobile number");
        assert!(
            read_ussd(b"sessionId=s&phoneNumber=+254712345126").is_ok(),
            "a plus left unescaped is a blank"
        );
        let inputs = read_ussd(b"sessionId=s&phoneNumber=0712345126&text=1**2*").unwrap().inputs;
        assert_eq!(&inputs[..], ["1", "", "2", ""]);
    }

    #[test]
    fn replies_are_written_as_they_must_be() {
        let con = include_str!("../../../tests/fixtures/africastalking/ussd_reply_con.txt");
        let end = include_str!("../../../tests/fixtures/africastalking/ussd_reply_end.txt");
        for body in [con, end] {
            assert_eq!(UssdReply::read(body).unwrap().render().unwrap(), body);
        }
        assert_eq!(UssdReply::read("Hello"), None);
        assert_eq!(UssdReply::Con("x".repeat(183)).render(), Err(BadReply::TooLong(183)));
        assert!(UssdReply::Con("x".repeat(170)).render().is_ok());
        assert_eq!(UssdReply::End("नमस्ते".into()).render(), Err(BadReply::Alphabet('न')));
        assert_eq!(UssdReply::End("x".repeat(500)).fit().render().unwrap().len(), 4 + 160);
    }
}
