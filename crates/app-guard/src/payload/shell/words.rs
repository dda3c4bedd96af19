//! Words as a shell reads them: without the quotes, backslashes and empty variables that hide them from filters.

use crate::payload::text::{at, is_space, is_word, skip, slice};

/// The longest word that is read.
pub(super) const WORD_MAX: usize = 64;

/// One word as a shell reads it, and where it ends.
pub(super) struct Word {
    pub(super) text: Vec<u8>,
    pub(super) end: usize,
    /// It was written in a way that hides it.
    pub(super) hidden: bool,
}

pub(super) fn read_word(text: &[u8], start: usize) -> Word {
    let mut word = Word { text: Vec::new(), end: start, hidden: false };
    let limit = text.len().min(start + WORD_MAX * 2);
    let mut index = start;
    while index < limit && word.text.len() < WORD_MAX {
        match at(text, index) {
            // Quotes inside of a word are part of nothing; before the first letter they close what was open.
            b'\'' | b'"' => {
                let inside = !word.text.is_empty()
                    && (is_word(at(text, index + 1))
                        || matches!(at(text, index + 1), b'\'' | b'"'));
                let around = word.text.is_empty() && is_word(at(text, index + 1));
                // `user's` is an apostrophe: what hides a word closes again.
                let quote = at(text, index);
                let closes = slice(text, index + 1, index + 1 + WORD_MAX)
                    .iter()
                    .take_while(|&&byte| {
                        is_word(byte) || byte == quote || matches!(byte, b'/' | b'.' | b'-')
                    })
                    .any(|&byte| byte == quote)
                    || closed_before(text, start, index, quote);
                if !(around || inside && closes) {
                    break;
                }
                word.hidden |= inside;
                index += 1;
            }
            b'\\' if at(text, index + 1) == b'\n' => index += 2,
            b'\\' if is_word(at(text, index + 1)) && !windows_path(&word.text) => {
                word.hidden = true;
                index += 1;
            }
            b'^' => {
                word.hidden = true;
                index += 1;
            }
            // `$'id'` is what it quotes.
            b'$' if matches!(at(text, index + 1), b'\'' | b'"') && is_word(at(text, index + 2)) => {
                word.hidden = true;
                index += 2;
            }
            b'$' => match expansion(text, index) {
                Some((end, is_space)) => {
                    if is_space {
                        break;
                    }
                    word.hidden = true;
                    index = end;
                }
                None => break,
            },
            byte if is_word(byte)
                || matches!(
                    byte,
                    b'/' | b'.' | b'-' | b'?' | b'*' | b'[' | b']' | b':' | b'~' | b'%'
                ) =>
            {
                word.text.push(byte);
                index += 1;
            }
            b'\\' => {
                word.text.push(b'\\');
                index += 1;
            }
            _ => break,
        }
    }
    word.end = index;
    word
}

/// Whether the quote at `index` closes one that was opened in the same word.
fn closed_before(text: &[u8], start: usize, index: usize, quote: u8) -> bool {
    slice(text, start, index).iter().filter(|&&byte| byte == quote).count() % 2 == 1
}

fn windows_path(word: &[u8]) -> bool {
    word.contains(&b':') || word.contains(&b'\\') || word.contains(&b'%')
}

/// `$@`, `$*`, `$1`, `${x}`, `$u`, `$()`: empty; `$IFS`, `${IFS}`: a space. Where it ends, and whether it is a space.
fn expansion(text: &[u8], start: usize) -> Option<(usize, bool)> {
    let next = at(text, start + 1);
    if next == b'{' {
        let inside = slice(text, start + 2, start + 2 + WORD_MAX);
        let length = inside.iter().position(|&byte| byte == b'}')?;
        return Some((start + 3 + length, inside.starts_with(b"ifs")));
    }
    if matches!(next, b'@' | b'*' | b'!' | b'#' | b'-') || next.is_ascii_digit() {
        return Some((start + 2, false));
    }
    // The output of nothing is nothing.
    if next == b'(' && at(text, start + 2) == b')' {
        return Some((start + 3, false));
    }
    let end = skip(slice(text, 0, start + WORD_MAX), start + 1, is_word);
    let name = slice(text, start + 1, end);
    if name == b"ifs" {
        return Some((
            if at(text, end) == b'$' && at(text, end + 1).is_ascii_digit() { end + 2 } else { end },
            true,
        ));
    }
    (!name.is_empty()).then_some((end, false))
}

/// White space as a shell sees it.
pub(super) fn skip_blanks(text: &[u8], start: usize) -> usize {
    let mut index = start;
    for _ in 0..WORD_MAX {
        if is_space(at(text, index)) && index < text.len()
            || matches!(at(text, index), b'{' | b'(' | b'!' | b'@')
        {
            index += 1;
        } else if at(text, index) == b'$'
            && let Some((end, true)) = expansion(text, index)
        {
            index = end;
        } else {
            break;
        }
    }
    index
}

/// The name of a program without its folder and `.exe`.
pub(super) fn last_part(word: &[u8]) -> &[u8] {
    let name = word.rsplit(|&byte| matches!(byte, b'/' | b'\\')).next().unwrap_or(word);
    name.strip_suffix(b".exe").unwrap_or(name)
}

pub(super) fn in_program_folder(word: &[u8]) -> bool {
    [&b"/bin/"[..], b"/usr/bin/", b"/sbin/", b"/usr/sbin/", b"/usr/local/bin/", b"/tmp/", b"./"]
        .iter()
        .any(|folder| word.starts_with(folder) && word.len() > folder.len())
}

/// `/???/c?t`, `/bin/c*`, `/[b]in/cat`: what only a shell resolves.
pub(super) fn globs(word: &[u8]) -> bool {
    (word.iter().any(|&byte| matches!(byte, b'?' | b'*')) || has_class(word))
        && word.iter().filter(|&&byte| byte == b'/').count() >= 2
        && at(word, 0) == b'/'
}

/// `[b]in`, `[a-z]in`, `[!x]in`; not `[slug]`, which routes have, nor `report[1]` and `[a].png`.
pub(super) fn has_class(word: &[u8]) -> bool {
    const LENGTH_MAX: usize = 5;
    memchr::memchr_iter(b'[', word).any(|open| {
        let inside = slice(word, open + 1, open + 2 + LENGTH_MAX);
        let Some(length) = inside.iter().position(|&byte| byte == b']') else { return false };
        let inside = slice(inside, 0, length);
        let before = open.checked_sub(1).map_or(0, |before| at(word, before));
        let is_in_word =
            before.is_ascii_alphabetic() || at(word, open + length + 2).is_ascii_alphabetic();
        let is_class = length == 1 && !at(inside, 0).is_ascii_digit()
            || matches!(at(inside, 0), b'!' | b'^')
            || matches!(inside, [first, b'-', last, ..] if first < last);
        is_in_word && is_class
    })
}
