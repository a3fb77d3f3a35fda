//! What the phone shows, in English and Swahili: one function a screen.
//!
//! Invariant: every screen stays within 160 characters of the GSM alphabet whatever it is given; people's
//! words are cut to fit. At most five choices beside the way back.

use amana_ledger::money::{Asset, decimal};

use crate::people::Language;
use crate::people::Language::{En, Sw};

/// A screen of fixed text.
fn pick(language: Language, en: &'static str, sw: &'static str) -> String {
    match language {
        En => en.into(),
        Sw => sw.into(),
    }
}

pub(super) fn trouble() -> &'static str {
    "Sorry, that did not work. Samahani, jaribu tena baadaye. Please dial again later."
}

pub(super) fn welcome(language: Language) -> String {
    pick(
        language,
        "Kazi Trust: your pay is held safely\n1 Hire\n2 Work\n3 Kiswahili",
        "Kazi Trust: malipo yako yako salama\n1 Ajiri\n2 Fanya kazi\n3 English",
    )
}

pub(super) fn first_name(language: Language) -> String {
    pick(language, "Your first name?\n0 Back", "Jina lako la kwanza?\n0 Rudi")
}

pub(super) fn last_name(language: Language) -> String {
    pick(language, "Your last name?\n0 Back", "Jina lako la mwisho?\n0 Rudi")
}

pub(super) fn enrolled(language: Language) -> String {
    pick(
        language,
        "Welcome to Kazi Trust. Your PIN is on its way by SMS. Dial again to begin.",
        "Karibu Kazi Trust. PIN yako inakuja kwa SMS. Piga tena kuanza.",
    )
}

pub(super) fn resume(language: Language) -> String {
    pick(
        language,
        "Your last call broke off.\n1 Go on\n2 Start again",
        "Simu yako ya mwisho ilikatika.\n1 Endelea\n2 Anza upya",
    )
}

pub(super) fn home(language: Language, hires: bool) -> String {
    match (language, hires) {
        (En, true) => "Kazi Trust\n1 My jobs\n3 Money\n4 Check a receipt\n5 Language".into(),
        (En, false) => "Kazi Trust\n1 My jobs\n2 Find work\n3 Money\n4 Check a receipt\n5 Language".into(),
        (Sw, true) => "Kazi Trust\n1 Kazi zangu\n3 Pesa\n4 Angalia risiti\n5 Lugha".into(),
        (Sw, false) => "Kazi Trust\n1 Kazi zangu\n2 Tafuta kazi\n3 Pesa\n4 Angalia risiti\n5 Lugha".into(),
    }
}

pub(super) fn languages() -> String {
    "1 English\n2 Kiswahili\n0 Back / Rudi".into()
}

/// A list of up to four lines.
pub(super) fn list(language: Language, title: (&str, &str), lines: &[String], more: bool) -> String {
    let (title, back, next) = match language {
        En => (title.0, "0 Back", "98 More"),
        Sw => (title.1, "0 Rudi", "98 Zaidi"),
    };
    let mut out = title.to_owned();
    for (no, line) in (1..).zip(lines.iter().take(4)) {
        out += &format!("\n{no} {}", cut(line, 29));
    }
    if more { format!("{out}\n{next} {back}") } else { format!("{out}\n{back}") }
}

/// A line of a list: the title, cut so that the amount stays.
pub(super) fn line(title: &str, asset: Asset, minor: i64) -> String {
    let amount = short(asset, minor);
    format!("{} {amount}", cut(title, 28usize.saturating_sub(amount.len())))
}

pub(super) fn nothing(language: Language) -> String {
    pick(language, "Nothing here yet.\n0 Back", "Hakuna kitu bado.\n0 Rudi")
}

/// A job of one's own. `release` and `pay`: whether those can be chosen.
pub(super) fn job(
    language: Language,
    (title, status): (&str, &str),
    money: &str,
    (release, pay): (bool, bool),
) -> String {
    let words = match language {
        En => ["1 Release the pay", "2 How to pay", "0 Back"],
        Sw => ["1 Toa malipo", "2 Jinsi ya kulipa", "0 Rudi"],
    };
    let chosen = [(release, words[0]), (pay, words[1]), (true, words[2])];
    let choices: Vec<&str> = chosen.iter().filter(|choice| choice.0).map(|choice| choice.1).collect();
    format!("{}\n{money}: {}\n{}", cut(title, 50), status_word(language, status), choices.join("\n"))
}

fn status_word(language: Language, status: &str) -> &str {
    match (language, status) {
        (En, "open") => "open",
        (En, "assigned") => "assigned, not paid in",
        (En, "in_progress") => "paid in, in progress",
        (En, "completed") => "completed",
        (En, "cancelled") => "cancelled",
        (Sw, "open") => "wazi",
        (Sw, "assigned") => "imepewa mtu, haijalipiwa",
        (Sw, "in_progress") => "imelipiwa, inaendelea",
        (Sw, "completed") => "imekamilika",
        (Sw, "cancelled") => "imefutwa",
        (_, other) => other,
    }
}

pub(super) fn how_to_pay(language: Language, paybill: &str, account: &str, money: &str) -> String {
    match language {
        En => format!("M-Pesa, Pay Bill {paybill}, account {account}, amount {money}."),
        Sw => format!("M-Pesa, Pay Bill {paybill}, akaunti {account}, kiasi {money}."),
    }
}

pub(super) fn confirm(language: Language, name: &str, money: &str, fee: &str) -> String {
    let name = cut(name, 40);
    match language {
        En => format!("Release {money} to {name}? Fee {fee}. This cannot be undone.\n1 Yes\n0 Back"),
        Sw => format!("Toa {money} kwa {name}? Ada {fee}. Haiwezi kurudishwa.\n1 Ndiyo\n0 Rudi"),
    }
}

pub(super) fn ask_pin(language: Language) -> String {
    pick(language, "Enter your Kazi Trust PIN\n0 Back", "Weka PIN yako ya Kazi Trust\n0 Rudi")
}

pub(super) fn wrong_pin(language: Language, left: i16) -> String {
    match language {
        En => format!("Wrong PIN, {left} more before it is locked. Enter your Kazi Trust PIN"),
        Sw => format!("PIN si sahihi, umebakisha {left}. Weka PIN yako ya Kazi Trust"),
    }
}

pub(super) fn locked(language: Language) -> String {
    pick(
        language,
        "Your PIN is locked for 24 hours after three wrong tries.",
        "PIN yako imefungwa kwa saa 24 baada ya majaribio matatu.",
    )
}

pub(super) fn no_pin(language: Language) -> String {
    pick(
        language,
        "You had no PIN yet. It is on its way by SMS. Dial again to go on.",
        "Hukuwa na PIN. Inakuja kwa SMS. Piga tena kuendelea.",
    )
}

pub(super) fn released(language: Language, name: &str, money: &str) -> String {
    let name = cut(name, 40);
    match language {
        En => format!("Done. {money} is on its way to {name}, who will get an SMS."),
        Sw => format!("Tayari. {money} inatumwa kwa {name}, ambaye atapata SMS."),
    }
}

pub(super) fn not_now(language: Language, soon: bool) -> String {
    match (language, soon) {
        (En, true) => "Your payment is being confirmed. Try again in a minute.".into(),
        (En, false) => "This job cannot be released now.".into(),
        (Sw, true) => "Malipo yako yanathibitishwa. Jaribu tena baada ya dakika moja.".into(),
        (Sw, false) => "Kazi hii haiwezi kulipwa sasa.".into(),
    }
}

/// A job one could apply for.
pub(super) fn offer(language: Language, title: &str, description: &str, money: &str) -> String {
    let (title, description) = (cut(title, 40), cut(description, 60));
    match language {
        En => format!("{title}\n{description}\n{money}\n1 Apply\n0 Back"),
        Sw => format!("{title}\n{description}\n{money}\n1 Omba\n0 Rudi"),
    }
}

pub(super) fn applied(language: Language) -> String {
    pick(
        language,
        "You applied. The employer will choose; you will see it under My jobs.",
        "Umeomba. Mwajiri atachagua; utaona kwenye Kazi zangu.",
    )
}

pub(super) fn gone(language: Language) -> String {
    pick(language, "This job is not open any more.", "Kazi hii haiko wazi tena.")
}

pub(super) fn money(language: Language) -> String {
    pick(language, "Money\n1 Balance\n2 Last payments\n0 Back", "Pesa\n1 Salio\n2 Malipo ya mwisho\n0 Rudi")
}

pub(super) fn balance(language: Language, money: &str) -> String {
    match language {
        En => format!("With us for you: {money}\n0 Back"),
        Sw => format!("Pesa zako kwetu: {money}\n0 Rudi"),
    }
}

pub(super) fn payments(language: Language, lines: &[String]) -> String {
    let lines: Vec<String> = lines.iter().take(3).map(|line| cut(line, 40)).collect();
    match language {
        En => format!("Last payments\n{}\n0 Back", lines.join("\n")),
        Sw => format!("Malipo ya mwisho\n{}\n0 Rudi", lines.join("\n")),
    }
}

pub(super) fn ask_receipt(language: Language) -> String {
    pick(language, "Enter the receipt's code\n0 Back", "Weka nambari ya risiti\n0 Rudi")
}

/// What a receipt stands for.
pub(super) fn receipt(money: &str, name: &str, to: &str, state: &str) -> String {
    format!("{money} {} -> {to} {state}", cut(name, 40))
}

pub(super) fn no_receipt(language: Language) -> String {
    pick(language, "No payment of yours has this code.", "Hakuna malipo yako yenye nambari hii.")
}

pub(super) fn pin_message(language: Language, digits: &str) -> String {
    match language {
        En => format!(
            "Your Kazi Trust PIN is {digits}. Keep it to yourself; we will never ask for it by phone or SMS."
        ),
        Sw => format!("PIN yako ya Kazi Trust ni {digits}. Iweke siri; hatutakuuliza kwa simu wala SMS."),
    }
}

pub(super) fn locked_message(language: Language) -> String {
    match language {
        En => "Three wrong PINs were entered from your phone. Your PIN is locked for 24 hours.".into(),
        Sw => "PIN isiyo sahihi iliwekwa mara tatu kwenye simu yako. PIN imefungwa kwa saa 24.".into(),
    }
}

/// Money with its currency, thousands apart: `KES 50,000`, with cents only if there are any.
pub(super) fn cash(asset: Asset, minor: i64) -> String {
    format!("{} {}", asset.code(), short(asset, minor))
}

fn short(asset: Asset, minor: i64) -> String {
    let text = decimal(asset, minor);
    let (whole, cents) = text.split_once('.').unwrap_or((&text, ""));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let mut out = String::from(sign);
    for (no, digit) in digits.chars().enumerate() {
        if no > 0 && (digits.len() - no) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if cents.bytes().all(|byte| byte == b'0') { out } else { format!("{out}.{cents}") }
}

/// The first characters of a text, its blanks squeezed.
fn cut(text: &str, most: usize) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() <= most {
        text
    } else {
        text.chars().take(most.saturating_sub(1)).chain(['.']).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use amana_adapters::africastalking::{SCREEN_GOOD, UssdReply};

    /// Every screen at its longest.
    fn all(language: Language) -> Vec<String> {
        let long =
            "Quite a long title of a job that somebody typed without looking at the end of it ".repeat(4);
        let most = cash(Asset::Kes, i64::MAX);
        let many = cash(Asset::Kes, 99_999_999_999);
        let lines = vec![line(&long, Asset::Kes, 99_999_999_999); 9];
        let mut screens = vec![
            trouble().to_owned(),
            welcome(language),
            first_name(language),
            last_name(language),
            enrolled(language),
            resume(language),
            home(language, true),
            home(language, false),
            languages(),
            list(language, ("My jobs", "Kazi zangu"), &lines, true),
            nothing(language),
            how_to_pay(language, "6001112", "ESCROW_7K3M9QX2A", &most),
            confirm(language, &long, &most, &most),
            ask_pin(language),
            wrong_pin(language, 2),
            locked(language),
            no_pin(language),
            released(language, &long, &most),
            not_now(language, true),
            not_now(language, false),
            offer(language, &long, &long, &most),
            applied(language),
            gone(language),
            money(language),
            balance(language, &most),
            payments(language, &lines),
            ask_receipt(language),
            receipt(&most, &long, "2547***678", "completed"),
            no_receipt(language),
            pin_message(language, "123456"),
            locked_message(language),
        ];
        let statuses = ["open", "assigned", "in_progress", "completed", "cancelled"];
        screens.extend(statuses.map(|status| job(language, (&long, status), &many, (true, true))));
        screens
    }

    #[test]
    fn every_screen_fits_and_has_few_choices() {
        for screen in [En, Sw].into_iter().flat_map(all) {
            let rendered = UssdReply::Con(screen.clone()).render();
            assert!(rendered.is_ok() && screen.chars().count() <= SCREEN_GOOD, "{} {screen}", screen.len());
            let choices = screen.lines().filter(|line| line.starts_with(|c: char| ('1'..='7').contains(&c)));
            assert!(choices.count() <= 5, "{screen}");
        }
    }

    #[test]
    fn money_is_read_at_a_glance() {
        assert_eq!(cash(Asset::Kes, 5_000_000), "KES 50,000");
        assert_eq!(cash(Asset::Kes, 123_456_789), "KES 1,234,567.89");
        assert_eq!(cash(Asset::Kes, 0), "KES 0");
        assert_eq!(
            line("Website Development for a shop", Asset::Kes, 5_000_000),
            "Website Development f. 50,000"
        );
    }
}
