//! The messages as a page, for whoever plays the people of a demo.

use super::Message;

/// Newest first; the page asks for itself again every few seconds, without a script.
pub(super) fn render(messages: &[Message]) -> String {
    let mut page = String::from(concat!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta http-equiv=refresh content=3>",
        "<title>Phones</title><style>body{font:16px system-ui;margin:2rem;max-width:48rem}",
        "li{margin:.5rem 0}small{color:#666}</style><h1>Phones</h1>",
        "<p>Short messages as the people of this simulation receive them.</p><ul>",
    ));
    for message in messages.iter().rev() {
        let (to, at) = (message.to.e164(), message.at.format("%Y-%m-%d %H:%M:%S UTC"));
        page.push_str(&format!("<li><small>{to} · {at}</small><br>{}</li>", escaped(&message.text)));
    }
    page.push_str("</ul>");
    if messages.is_empty() {
        page.push_str("<p>None yet.");
    }
    page
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("<br>"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_text_and_not_markup() {
        assert_eq!(escaped("<b>\"1 & 2\"\n"), "&lt;b&gt;&quot;1 &amp; 2&quot;<br>");
    }
}
