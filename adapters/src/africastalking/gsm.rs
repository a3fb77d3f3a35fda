//! The alphabet a simple phone can show (GSM 03.38), and how long a text is in it.

/// The default table without its escape: 127 characters, each one septet.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?\
¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿\
abcdefghijklmnopqrstuvwxyzäöñüà";

/// The extension table: an escape and a character, two septets.
const EXTENDED: &str = "\u{c}^{}\\[~]|€";

/// The septets a text takes, or the first character that is not in the alphabet.
pub(super) fn septets(text: &str) -> Result<usize, char> {
    text.chars().map(|c| width(c).ok_or(c)).sum()
}

fn width(c: char) -> Option<usize> {
    if BASIC.contains(c) {
        Some(1)
    } else if EXTENDED.contains(c) {
        Some(2)
    } else {
        None
    }
}

/// The text in the alphabet: typographic marks in their plain form, accents dropped where the letter remains,
/// everything else a question mark; cut, with three points, at so many septets.
pub(super) fn fold(text: &str, most: usize) -> String {
    let folded: String = text.chars().map(|c| if width(c).is_some() { c } else { plain(c) }).collect();
    if septets(&folded).is_ok_and(|length| length <= most) {
        return folded;
    }
    let mut cut = String::new();
    let mut length = 3;
    for c in folded.chars() {
        length += width(c).unwrap_or(1);
        if length > most {
            break;
        }
        cut.push(c);
    }
    cut + "..."
}

fn plain(c: char) -> char {
    match c {
        '\u{2018}' | '\u{2019}' | '\u{02bc}' | '`' | '´' => '\'',
        '\u{201c}' | '\u{201d}' | '«' | '»' => '"',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '\u{2022}' => '*',
        c if c.is_whitespace() => ' ',
        'á' | 'â' | 'ã' | 'ā' | 'ă' => 'a',
        'À' | 'Á' | 'Â' | 'Ã' | 'Ā' => 'A',
        'ê' | 'ë' | 'ē' | 'ĕ' => 'e',
        'È' | 'Ê' | 'Ë' | 'Ē' => 'E',
        'í' | 'î' | 'ï' | 'ī' | 'ĩ' => 'i',
        'Í' | 'Î' | 'Ï' | 'Ī' | 'Ĩ' => 'I',
        'ó' | 'ô' | 'õ' | 'ō' => 'o',
        'Ó' | 'Ô' | 'Õ' | 'Ō' => 'O',
        'ú' | 'û' | 'ū' | 'ũ' => 'u',
        'Ú' | 'Û' | 'Ū' | 'Ũ' => 'U',
        'ç' => 'c',
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_has_its_size() {
        // 128 places less the escape to the extension table.
        assert_eq!(BASIC.chars().count(), 127);
        assert_eq!(septets("KES 1,500.00\n0. Back"), Ok(20));
        assert_eq!(septets("[1]€"), Ok(7));
        assert_eq!(septets("شكرا"), Err('ش'));
    }

    #[test]
    fn folding_keeps_what_it_can() {
        assert_eq!(fold("Ngũgĩ\u{2019}s \u{201c}job\u{201d} \u{2013} ok", 160), "Ngugi's \"job\" - ok");
        assert_eq!(fold("धन", 160), "??");
        assert_eq!(fold(&"x".repeat(200), 160), "x".repeat(157) + "...");
        assert_eq!(fold(&"x".repeat(160), 160), "x".repeat(160));
        assert_eq!(septets(&fold(&"€".repeat(200), 160)), Ok(159));
    }
}
