//! Callees that are no name: a string, what is in parentheses or brackets, a variable. `("sys"."tem")("id")` calls what
//! `system("id")` calls, in PHP and in JavaScript.

use super::calls::is_ellipsis;
use super::hit;
use crate::payload::scan::{Scan, View};
use crate::payload::text::{
    at, contains, from, is_space, is_word, places_of, skip, slice, trim, words_up_to,
};

/// How far before a parenthesis a callee is read.
const CALLEE_MAX: usize = 64;
/// The longest name of a variable that is read.
const NAME_MAX: usize = 48;

/// Looks before each parenthesis that opens.
pub(super) fn check(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.prose;
    for open in memchr::memchr_iter(b'(', text) {
        let callee = slice(text, open.saturating_sub(CALLEE_MAX), open);
        scan.walked(callee.len());
        if is_computed(callee) && !is_empty_call(text, open) {
            hit(
                scan,
                view,
                open,
                "code_computed_call",
                "a call of a function whose name is computed",
            );
            return;
        }
    }
    if let Some(start) = variable_call(scan, view) {
        hit(scan, view, start, "code_variable_call", "a call of what a variable of PHP names");
    } else if let Some(start) = negated(text) {
        hit(scan, view, start, "code_computed_call", "a call of a function whose name is computed");
    }
}

fn is_empty_call(text: &[u8], open: usize) -> bool {
    at(text, open + 1) == b')'
}

/// Whether the text ends with a name of a function in quotes, brackets or parentheses, in one piece or several.
fn is_computed(before: &[u8]) -> bool {
    let callee = before.trim_ascii_end();
    let spaced = callee.len() < before.len();
    let Some(&close) = callee.last() else { return false };
    // `the "system" ("OS")` is prose; a name in several pieces is none.
    let is_joined = contains(callee, b"\".") || contains(callee, b"'.");
    let is_close = matches!(close, b']' | b'}')
        || matches!(close, b'"' | b'\'') && (!spaced || is_joined)
        || close == b')' && !spaced;
    if !is_close {
        return false;
    }
    // Backwards over what computes a name; the letters are the name, from its end.
    let mut letters = [0; NAME_MAX];
    // Where the name begins that is filled in from the end.
    let mut first = NAME_MAX;
    let mut index = callee.len();
    let mut behind = close;
    while let Some(before) = index.checked_sub(1) {
        let byte = at(callee, before);
        let next = if is_space(byte) { at(callee, before.wrapping_sub(1)) } else { 0 };
        if is_space(byte) && is_word(next) {
            // `operating system)(`: two words are prose.
            if is_word(behind) {
                return false;
            }
            // `return "system"(…)`
            if matches!(behind, b'(' | b'[' | b'{' | b'"' | b'\'') {
                break;
            }
        }
        let is_part = is_word(byte)
            || is_space(byte)
            || matches!(
                byte,
                b'.' | b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'"' | b'\'' | b'+' | b'*' | b'/'
            );
        if !is_part {
            break;
        }
        if byte.is_ascii_alphabetic() || byte == b'_' {
            let Some(place) = first.checked_sub(1) else { break };
            first = place;
            if let Some(letter) = letters.get_mut(place) {
                *letter = byte;
            }
        }
        if !is_space(byte) {
            behind = byte;
        }
        index = before;
        // `x["exec"](…)`: the bracket alone is the name.
        if close == b']' && byte == b'[' && runs_code(from(&letters, first)) {
            return true;
        }
    }
    runs_code(from(&letters, first))
}

/// Whether a function of that name runs what it is given.
fn runs_code(name: &[u8]) -> bool {
    // `(string)"system"`
    let name = name.strip_prefix(b"string").unwrap_or(name);
    matches!(
        name,
        b"system"
            | b"exec"
            | b"shell_exec"
            | b"passthru"
            | b"popen"
            | b"proc_open"
            | b"pcntl_exec"
            | b"assert"
            | b"eval"
            | b"execsync"
            | b"spawn"
            | b"spawnsync"
            | b"phpinfo"
            | b"var_dump"
            | b"print_r"
            | b"scandir"
            | b"readfile"
            | b"show_source"
            | b"highlight_file"
            | b"file_get_contents"
            | b"file_put_contents"
            | b"call_user_func"
            | b"call_user_func_array"
            | b"create_function"
            | b"base64_decode"
            | b"__import__"
            | b"getattr"
    )
}

/// `$a('id')`, `$__['o'](5)`, `${'a'}(1)`, `x->$y(1)`: where the value is code and not words with a price among them.
fn variable_call(scan: &mut Scan<'_>, view: &View<'_>) -> Option<usize> {
    const WORDS_MIN: usize = 3;
    let text = view.prose;
    // Code is written there; what begins with a quote is to end one.
    let is_code = scan.place.is_for_code() || scan.place.is_named(&["template"]);
    if is_code && !matches!(at(trim(text), 0), b'\'' | b'"' | b'`') {
        return None;
    }
    scan.walked(text.len().saturating_mul(2));
    let start = memchr::memchr_iter(b'$', text).find(|&start| {
        let begins = start.checked_sub(1).is_none_or(|before| {
            matches!(
                at(text, before),
                b';' | b'=' | b'@' | b'(' | b'{' | b'>' | b':' | b'$' | b'\'' | b'"'
            )
        });
        begins && calls_variable(text, start)
    })?;
    (words_up_to(trim(text), WORDS_MIN) < WORDS_MIN).then_some(start)
}

fn calls_variable(text: &[u8], start: usize) -> bool {
    let mut end = skip(slice(text, 0, start + NAME_MAX), start, |byte| byte == b'$');
    if at(text, end) == b'{' {
        let inside = slice(text, end + 1, end + 1 + NAME_MAX);
        let Some(length) = inside.iter().position(|&byte| byte == b'}') else { return false };
        let first = at(inside, 0);
        if !(matches!(first, b'\'' | b'"' | b'@' | b'$') && length > 1) {
            return false;
        }
        end += length + 2;
    } else {
        let name = skip(slice(text, 0, end + NAME_MAX), end, is_word);
        if name == end || at(text, end).is_ascii_digit() {
            return false;
        }
        end = name;
    }
    // `[0]`, `['o']`, `{0}`
    for _ in 0..4 {
        let close = match at(text, end) {
            b'[' => b']',
            b'{' => b'}',
            _ => break,
        };
        let inside = slice(text, end + 1, end + 1 + NAME_MAX);
        let Some(length) = inside.iter().position(|&byte| byte == close) else { return false };
        if length == 0 {
            return false;
        }
        end += length + 2;
    }
    let open = skip(slice(text, 0, end + 8), end, is_space);
    at(text, open) == b'(' && !is_ellipsis(slice(text, open + 1, open + NAME_MAX))
}

/// `(~…)(~…)`, `("…"^"…")(…)`: a name out of bytes that are no text.
fn negated(text: &[u8]) -> Option<usize> {
    const NAME_MIN: usize = 2;
    let negated = places_of(text, b"(~").find(|&start| {
        let inside = slice(text, start + 2, start + 2 + NAME_MAX);
        let length = inside.iter().take_while(|&&byte| byte >= 0x80).count();
        length >= NAME_MIN && slice(inside, length, length + 2) == b")("
    });
    negated.or_else(|| {
        [&b"\"^\""[..], b"'^'"].into_iter().find_map(|operator| {
            places_of(text, operator)
                .find(|&start| contains(slice(text, start, start + NAME_MAX), b")("))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_through_what_computes_them() {
        for callee in [
            &b"(system)"[..],
            b"\"sys\".\"tem\"",
            b"(sy.(st).em)",
            b"[system][0]",
            b"[ system ] [ 0 ] ",
            b"(string) {[system][0]} ",
            b"x=child[\"exec\"]",
            b"return \"system\"",
        ] {
            check(callee, true);
        }
        for callee in
            [&b"the (operating system)"[..], b"(system) ", b"system", b"the group", b"(see above)"]
        {
            check(callee, false);
        }
    }

    #[track_caller]
    fn check(callee: &[u8], expected: bool) {
        assert_eq!(is_computed(callee), expected, "callee {:?}", String::from_utf8_lossy(callee));
    }
}
