//! Text from hosts, made safe to look at.
//!
//! Names and command lines are written by whoever runs the process. Control characters would
//! command the terminal, marks that reverse the reading direction would show another text than
//! there is (CVE-2021-42574). Each becomes a visible mark: `⟨ESC⟩[31m`. The dashboard shows the
//! same marks.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// More marks without width on one letter are a tower, not a language.
const MARKS_MAX: usize = 4;

/// The text on one line, with a visible mark in the place of all that deceives.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if deceives(character) {
            out.push('⟨');
            match name(character) {
                Some(name) => out.push_str(name),
                None => out.push_str(&format!("U+{:04X}", u32::from(character))),
            }
            out.push('⟩');
            continue;
        }
        if !is_mark(character) {
            out.push(character);
            continue;
        }
        let mut marks = String::from(character);
        while let Some(next) = characters.next_if(|next| is_mark(*next) && !deceives(*next)) {
            marks.push(next);
        }
        match marks.chars().count() {
            few if few <= MARKS_MAX => out.push_str(&marks),
            many => out.push_str(&format!("⟨{many} marks⟩")),
        }
    }
    out
}

/// The visible text in exactly so many columns: filled up with blanks, or cut and marked with `…`.
pub fn fitted(text: &str, columns: usize) -> String {
    let mut text = visible(text);
    if text.width() > columns {
        let mut width = 0;
        let end = text.char_indices().find_map(|(at, character)| {
            width += character.width().unwrap_or(0);
            (width >= columns).then_some(at)
        });
        text.truncate(end.unwrap_or(text.len()));
        if columns > 0 {
            text.push('…');
        }
    }
    let missing = columns.saturating_sub(text.width());
    text.extend(std::iter::repeat_n(' ', missing));
    text
}

/// Whether a character is something else than what it looks like.
pub fn deceives(character: char) -> bool {
    matches!(character,
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' // C0, DEL, C1
        | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{3164}' | '\u{ffa0}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202f}' // no width, bidi, separators
        | '\u{205f}'..='\u{206f}'
        | '\u{feff}' | '\u{fff0}'..='\u{fffc}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{e0000}'..='\u{e0fff}' // tags, variation selectors
        | '\u{1d173}'..='\u{1d17a}')
}

fn is_mark(character: char) -> bool {
    character.width() == Some(0)
}

/// The short name of a character that shows none: RFC 20, Unicode.
fn name(character: char) -> Option<&'static str> {
    const CONTROLS: [&str; 32] = [
        "NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS", "TAB", "LF", "VT", "FF",
        "CR", "SO", "SI", "DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM",
        "SUB", "ESC", "FS", "GS", "RS", "US",
    ];
    let code = u32::from(character);
    if let Some(name) = usize::try_from(code).ok().and_then(|code| CONTROLS.get(code)) {
        return Some(name);
    }
    Some(match code {
        0x7f => "DEL",
        0x200b => "ZWSP",
        0x200c => "ZWNJ",
        0x200d => "ZWJ",
        0x200e => "LRM",
        0x200f => "RLM",
        0x202a => "LRE",
        0x202b => "RLE",
        0x202c => "PDF",
        0x202d => "LRO",
        0x202e => "RLO",
        0x2066 => "LRI",
        0x2067 => "RLI",
        0x2068 => "FSI",
        0x2069 => "PDI",
        0xfeff => "BOM",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dashboard_shows_the_same_marks() {
        check("sleep 300", "sleep 300");
        check("\u{1b}[31mred\u{1b}[0m", "⟨ESC⟩[31mred⟨ESC⟩[0m");
        check("a\0b\u{7}c\u{7f}", "a⟨NUL⟩b⟨BEL⟩c⟨DEL⟩");
        check("two\nlines\r\n", "two⟨LF⟩lines⟨CR⟩⟨LF⟩");
        check("\u{9b}2J", "⟨U+009B⟩2J");
        check("photo_\u{202e}gpj.exe", "photo_⟨RLO⟩gpj.exe");
        check("pay\u{200b}pal", "pay⟨ZWSP⟩pal");
        check("line\u{2028}separator", "line⟨U+2028⟩separator");
        check("tag\u{e0041}", "tag⟨U+E0041⟩");
        check("grüße, 世界, שלום, 😀", "grüße, 世界, שלום, 😀");
        check("e\u{301} is a letter", "e\u{301} is a letter");
        check(&format!("z{}algo", "\u{301}".repeat(40)), "z⟨40 marks⟩algo");
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(visible(text), expected, "text {text:?}");
    }

    #[test]
    fn a_text_is_cut_or_filled_up() {
        assert_eq!(fitted("sleep", 7), "sleep  ");
        assert_eq!(fitted("sleep 300", 7), "sleep …");
        assert_eq!(fitted("世界世界", 4), "世… ");
        assert_eq!(fitted("\u{1b}[31m", 20), "⟨ESC⟩[31m           ");
        assert_eq!(fitted("x", 0), "");
    }

    proptest::proptest! {
        #[test]
        fn a_fitted_text_has_its_columns(text: String, columns in 0usize..60) {
            proptest::prop_assert_eq!(fitted(&text, columns).width(), columns);
        }

        #[test]
        fn nothing_that_deceives_is_left(text: String) {
            proptest::prop_assert!(!visible(&text).chars().any(deceives));
        }
    }
}
