//! For hledger: every account and the commodity declared, each transfer a transaction, and at the end the
//! balance of every account asserted. `hledger check --strict` accepts it, and no longer after any amount was
//! altered.
//!
//! hledger checks assertions in the order of dates, not of lines, and the journal is in the order in which
//! the book heard. So they stand only at the very end, on a day after which nothing is dated.
//!
//! Invariant: whatever stands in a key or an external reference, a tag is one line and one tag.

use std::fmt::Write;

use super::{Form, Head, aside, below, instant, moved};
use crate::chart::{Account, Class};
use crate::store::{Fault, written::Written};

pub(super) struct Hledger;

impl Form for Hledger {
    fn keeps_accounts(&self) -> bool {
        true
    }

    fn head(&self, out: &mut String, head: &Head) {
        let text = "\
; A date is the day a thing happened, the second date the day the book heard of it (UTC).
; Holds set money aside and move none. What is held or freed is a tag; only what is posted or settled is a
; posting here, and a transfer that moves nothing is marked (!).
";
        out.push_str(&format!("; Book {}{}\n{text}\n", head.book, super::heard(head)));
        out.push_str(&format!("decimal-mark .\ncommodity {}\n\n", head.amount(1000 * head.asset().whole())));
    }

    fn account(&self, out: &mut String, _: &Head, account: &Account) {
        out.push_str(&format!("account {}\n", name(account)));
    }

    fn opening(&self, out: &mut String, head: &Head) {
        let day = head.opening.unwrap_or(head.first);
        out.push_str(&format!("\n{day} * what stood before, which sums to zero by itself\n"));
    }

    fn opened(&self, out: &mut String, head: &Head, (account, minor): (&Account, i64)) {
        out.push_str(&format!("    {}  {}\n", name(account), head.amount(minor)));
    }

    fn transfer(&self, out: &mut String, head: &Head, written: &Written) -> Result<(), Fault> {
        let first = written.postings.first().map_or(0, |(no, ..)| *no);
        let (day, heard) = (written.effective_at.date_naive(), written.recorded_at.date_naive());
        let second = if day == heard { String::new() } else { format!("={heard}") };
        let moves = written.postings.iter().any(|(_, phase, posting)| moved(phase, posting).is_some());
        let mark = if moves { '*' } else { '!' };
        out.push_str(&format!("\n{day}{second} {mark} ({first}) {}\n", written.event.word()));
        let mut tag = |name: &str, value: &str| out.push_str(&format!("    ; {name}: {}\n", plain(value)));
        tag("id", &written.id.to_string());
        tag("key", written.key.as_str());
        tag("batch", &written.batch.to_string());
        tag("recorded", &instant(written.recorded_at));
        if written.effective_at != written.recorded_at {
            tag("effective", &instant(written.effective_at));
        }
        if let Some(hold) = written.hold {
            tag("hold", &hold.to_string());
        }
        if let Some(of) = written.reverses {
            tag("reverses", &of.to_string());
        }
        if let Some(fact) = &written.external {
            tag("external_provider", &fact.provider);
            tag("external_account", &fact.account);
            tag("external_id", &fact.id);
        }
        if let Some(first) = written.link {
            tag("link", &first.to_string());
        }
        // Behind a word of ours, as hledger gives `date:` and `type:` a meaning of its own.
        written.metadata.iter().for_each(|(name, value)| tag(&format!("meta.{name}"), value));
        for (_, phase, posting) in &written.postings {
            if let Some((verb, money)) = aside(phase, posting) {
                let (from, to) = (name(&posting.credit), name(&posting.debit));
                let amount = head.amount(money.minor());
                out.push_str(&format!("    ; {verb}: {amount} debit {to} credit {from}\n"));
            }
        }
        for (no, phase, posting) in &written.postings {
            for (account, minor) in moved(phase, posting).into_iter().flatten() {
                out.push_str(&format!("    {}  {}  ; no: {no}\n", name(&account), head.amount(minor)));
            }
        }
        Ok(())
    }

    fn closing(&self, out: &mut String, head: &Head) {
        out.push_str(&format!("\n{} * what stands on every account in the end\n", head.last));
    }

    fn closed(&self, out: &mut String, head: &Head, (account, minor): (&Account, i64)) {
        out.push_str(&format!("    {}  {} = {}\n", name(account), head.amount(0), head.amount(minor)));
    }
}

/// The account under the word by which hledger knows its type.
fn name(account: &Account) -> String {
    let (class, path) = below(account);
    let word = match class {
        Class::Asset => "assets",
        Class::Liability => "liabilities",
        Class::Equity => "equity",
        Class::Income => "income",
        Class::Expense => "expenses",
    };
    format!("{word}:{path}")
}

/// A tag's value ends at a comma or at the line's end, and blanks around it are lost: such characters are
/// written as in a URL.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || c.is_whitespace() || matches!(c, ',' | '%') {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                // A String takes everything.
                let _ = write!(plain, "%{byte:02X}");
            }
        } else {
            plain.push(c);
        }
    }
    plain
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn accounts_stand_under_their_class_once() {
        let named = |path: &str| name(&Account::parse(path).unwrap());
        assert_eq!(named("float:mpesa:600111"), "assets:float:mpesa:600111");
        assert_eq!(named("clearing:burn"), "liabilities:clearing:burn");
        assert_eq!(named("equity:capital"), "equity:capital");
        assert_eq!(named("income:fee"), "income:fee");
        assert_eq!(named("expense:tariff"), "expenses:tariff");
    }

    #[test]
    fn a_tag_is_one_line_and_one_tag() {
        assert_eq!(plain("mpesa:600111:RKT"), "mpesa:600111:RKT");
        assert_eq!(plain("a,b: c\n2026-01-01 x\u{2028}50%"), "a%2Cb:%20c%0A2026-01-01%20x%E2%80%A850%25");
    }
}
