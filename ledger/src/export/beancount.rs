//! For beancount: every account opened, each transfer a transaction, and on the day after all of them a
//! `balance` for every account. `bean-check` accepts it, and no longer after any amount was altered: the
//! tolerance is zero, where beancount's own would let a cent pass.
//!
//! Every transfer bears its id as a link, and beside it the link of the hold it moves or of the transfer it
//! reverses: so either end leads to the other.
//!
//! Invariant: different accounts have different names.

use super::{Form, Head, aside, below, instant, moved};
use crate::chart::{Account, Class};
use crate::store::{Fault, written::Written};

pub(super) struct Beancount;

impl Form for Beancount {
    fn keeps_accounts(&self) -> bool {
        true
    }

    fn head(&self, out: &mut String, head: &Head) {
        let text = "\
; A date is the day a thing happened; `recorded` says when the book heard of it (UTC).
; Holds set money aside and move none. What is held or freed is metadata; only what is posted or settled is a
; posting here, and a transfer that moves nothing is marked (!).
";
        let asset = head.asset();
        out.push_str(&format!("; Book {}{}\n{text}\n", head.book, super::heard(head)));
        out.push_str(&format!("option \"title\" {}\n", quoted(head.book.as_str())));
        out.push_str(&format!("option \"operating_currency\" \"{asset}\"\n"));
        out.push_str(&format!("{} commodity {asset}\n\n", head.first));
    }

    fn account(&self, out: &mut String, head: &Head, account: &Account) {
        let (day, asset, path) = (head.first, head.asset(), quoted(&account.path()));
        out.push_str(&format!("{day} open {} {asset}\n  path: {path}\n", name(account)));
    }

    fn opening(&self, out: &mut String, head: &Head) {
        let day = head.opening.unwrap_or(head.first);
        out.push_str(&format!("\n{day} * \"what stood before, which sums to zero by itself\"\n"));
    }

    fn opened(&self, out: &mut String, head: &Head, (account, minor): (&Account, i64)) {
        out.push_str(&format!("  {}  {}\n", name(account), head.amount(minor)));
    }

    fn transfer(&self, out: &mut String, head: &Head, written: &Written) -> Result<(), Fault> {
        let first = written.postings.first().map_or(0, |(no, ..)| *no);
        let moves = written.postings.iter().any(|(_, phase, posting)| moved(phase, posting).is_some());
        let (day, mark) = (written.effective_at.date_naive(), if moves { '*' } else { '!' });
        let (event, id) = (written.event.word(), written.id);
        out.push_str(&format!("\n{day} {mark} \"{event}\" ^{id}"));
        let others = [written.hold, written.reverses, written.link].into_iter().flatten();
        others.filter(|other| *other != id).for_each(|other| out.push_str(&format!(" ^{other}")));
        out.push_str(&format!("\n  no: {first}\n  batch: {}\n", written.batch));
        let mut text = |name: &str, text: &str| out.push_str(&format!("  {name}: {}\n", quoted(text)));
        text("id", &id.to_string());
        text("key", written.key.as_str());
        text("recorded", &instant(written.recorded_at));
        if written.effective_at != written.recorded_at {
            text("effective", &instant(written.effective_at));
        }
        if let Some(hold) = written.hold {
            text("hold", &hold.to_string());
        }
        if let Some(of) = written.reverses {
            text("reverses", &of.to_string());
        }
        if let Some(fact) = &written.external {
            text("external_provider", &fact.provider);
            text("external_account", &fact.account);
            text("external_id", &fact.id);
        }
        if let Some(first) = written.link {
            text("link", &first.to_string());
        }
        // A key of beancount's has no point in it, and a name of ours no hyphen.
        written
            .metadata
            .iter()
            .for_each(|(name, value)| text(&format!("meta-{}", name.replace('.', "-")), value));
        for (no, phase, posting) in &written.postings {
            if let Some((verb, money)) = aside(phase, posting) {
                let (debit, credit) = (name(&posting.debit), name(&posting.credit));
                let said = format!("{} debit {debit} credit {credit}", head.amount(money.minor()));
                out.push_str(&format!("  {verb}_{no}: \"{said}\"\n"));
            }
        }
        for (no, phase, posting) in &written.postings {
            for (account, minor) in moved(phase, posting).into_iter().flatten() {
                out.push_str(&format!("  {}  {}\n    no: {no}\n", name(&account), head.amount(minor)));
            }
        }
        Ok(())
    }

    fn closing(&self, out: &mut String, _: &Head) {
        out.push_str("\n; What stands on every account in the end.\n");
    }

    fn closed(&self, out: &mut String, head: &Head, (account, minor): (&Account, i64)) {
        // A balance is checked before all else of its day. On the calendar's last day there is none after it.
        let day = head.last.succ_opt().unwrap_or(head.last);
        let (amount, asset) = (super::decimal(head.asset(), minor), head.asset());
        out.push_str(&format!("{day} balance {}  {amount} ~ 0 {asset}\n", name(account)));
    }
}

fn name(account: &Account) -> String {
    let (class, path) = below(account);
    let word = match class {
        Class::Asset => "Assets",
        Class::Liability => "Liabilities",
        Class::Equity => "Equity",
        Class::Income => "Income",
        Class::Expense => "Expenses",
    };
    path.split(':').fold(word.to_owned(), |name, part| name + ":" + &segment(part))
}

/// A part of a path as beancount allows it: letters, digits and `-`, the first no small letter and no `-`.
/// Three shapes that cannot be mistaken for each other:
///
/// - small letters: the first made large, `_` written `--`: one capital at most, and it stands in front;
/// - capitals (`ESCROW_…`): `_` written `--`: two capitals at least, and no small letter;
/// - everything else: `XxX` and its bytes in hexadecimal: two capitals and a small letter.
fn segment(part: &str) -> String {
    let all = |letter: fn(char) -> bool| {
        part.chars().all(|c| letter(c) || c.is_ascii_digit() || matches!(c, '_' | '-'))
    };
    let marks: Vec<usize> = part.match_indices(['_', '-']).map(|(at, _)| at).collect();
    // A mark stands between two other characters, so `--` is always one `_`.
    let lone = marks.iter().all(|at| (1..part.len() - 1).contains(at))
        && marks.windows(2).all(|pair| pair[1] - pair[0] > 1);
    let capitals = part.chars().filter(char::is_ascii_uppercase).count();
    if lone && !part.is_empty() && all(|c| c.is_ascii_lowercase()) {
        let (first, rest) = part.split_at(1);
        return first.to_ascii_uppercase() + &rest.replace('_', "--");
    }
    if lone && capitals >= 2 && all(|c| c.is_ascii_uppercase()) {
        return part.replace('_', "--");
    }
    part.bytes().fold("XxX".to_owned(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// A string of beancount's: quotes and backslashes behind a backslash, and one line.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            // It has no escape for others, and none means anything in a name.
            c if c.is_control() => quoted.push('\u{fffd}'),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn accounts_are_readable() {
        let named = |path: &str| name(&Account::parse(path).unwrap());
        assert_eq!(named("float:mpesa:600111"), "Assets:Float:Mpesa:600111");
        assert_eq!(named("float:a_b"), "Assets:Float:A--b");
        assert_eq!(named("expense:tariff"), "Expenses:Tariff");
        assert_eq!(named("escrow:ESCROW_000000000"), "Liabilities:Escrow:ESCROW--000000000");
        assert_eq!(
            named("employee:0190e2a4-0000-7000-8000-000000000001"),
            "Liabilities:Employee:0190e2a4-0000-7000-8000-000000000001"
        );
        for odd in ["Float", "_a", "a_", "a__b", "a_-b", "", "é", "A"] {
            assert!(segment(odd).starts_with("XxX"), "{odd}");
        }
    }

    #[test]
    fn strings_end_where_they_end() {
        assert_eq!(quoted("a\"b\\c\nd\u{1}"), "\"a\\\"b\\\\c\\nd\u{fffd}\"");
    }

    /// What a segment was made of.
    fn read(segment: &str) -> String {
        if let Some(hex) = segment.strip_prefix("XxX") {
            let bytes = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap());
            return String::from_utf8(bytes.collect()).unwrap();
        }
        let text = segment.replace("--", "_");
        if text.chars().filter(char::is_ascii_uppercase).count() > 1 {
            return text;
        }
        let (first, rest) = text.split_at(1);
        first.to_ascii_lowercase() + rest
    }

    proptest! {
        #[test]
        fn names_are_allowed_and_read_back(part in "[-_a-cX-Zx0-1]{0,6}|\\PC{0,4}") {
            let name = segment(&part);
            prop_assert!(name.starts_with(|c: char| c.is_ascii_uppercase() || c.is_ascii_digit()));
            prop_assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
            prop_assert_eq!(read(&name), part);
        }
    }
}
