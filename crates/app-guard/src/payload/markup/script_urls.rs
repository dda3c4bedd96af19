//! URLs whose scheme is a script.

use super::{VALUE_MAX, hit};
use crate::payload::scan::{Scan, View};
use crate::payload::text::{at, contains, is_space, is_word, skip, slice, trim};

/// Whether a URL begins with a scheme that runs script; what browsers skip is skipped.
pub(super) fn starts_script_url(value: &[u8]) -> bool {
    let start = skip(value, 0, |byte| byte <= b' ' || byte == b'"' || byte == b'\'');
    scheme_end(value, start).is_some()
}

/// Where the code of a script URL begins whose scheme stands at `start`.
fn scheme_end(text: &[u8], start: usize) -> Option<usize> {
    for scheme in [&b"javascript"[..], b"vbscript", b"livescript", b"mocha"] {
        if let Some(end) = spelled(text, start, scheme)
            && at(text, end) == b':'
        {
            return Some(end + 1);
        }
    }
    let end = spelled(text, start, b"data").filter(|&end| at(text, end) == b':')?;
    let kind = slice(text, end + 1, end + 64);
    let kind = slice(kind, 0, kind.iter().position(|&byte| byte == b',').unwrap_or(kind.len()));
    let runs = [&b"html"[..], b"svg", b"xml", b"javascript", b"ecmascript", b"x-shockwave"];
    runs.iter().any(|part| contains(kind, part)).then_some(end + 1)
}

/// Where the word ends, spelled with control characters in between as browsers allow.
fn spelled(text: &[u8], start: usize, word: &[u8]) -> Option<usize> {
    const SKIPPED_MAX: usize = 64;
    let mut index = start;
    let mut skipped = 0;
    for &letter in word {
        while at(text, index) < b' ' && index < text.len() && skipped < SKIPPED_MAX {
            index += 1;
            skipped += 1;
        }
        if at(text, index) != letter {
            return None;
        }
        index += 1;
    }
    while at(text, index) < b' ' && index < text.len() && skipped < SKIPPED_MAX {
        index += 1;
        skipped += 1;
    }
    Some(index)
}

/// Script URLs that are the value, or stand in a link of a text.
pub(super) fn script_urls(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.lower;
    let first_solid = skip(text, 0, is_space);
    for start in memchr::memchr3_iter(b'j', b'v', b'd', text) {
        let before = start.checked_sub(1).map(|before| at(text, before));
        if before.is_some_and(|byte| is_word(byte) || matches!(byte, b'-' | b'.' | b'/')) {
            continue;
        }
        let Some(code) = scheme_end(text, start) else { continue };
        let rest = slice(text, code, code + VALUE_MAX);
        let is_whole = start == first_solid;
        let in_link =
            before.is_some_and(|byte| matches!(byte, b'(' | b'=' | b'"' | b'\'' | b'<' | b'['));
        if at(text, start) == b'd' {
            // Text of another kind than an image; where it is the whole value it is to be opened.
            if is_whole || in_link {
                hit(scan, view, start, "xss_data_url", "a data URL with a document");
            }
        } else if is_script_code(rest) && (is_whole || in_link || at(rest, 0) != b' ') {
            hit(scan, view, start, "xss_script_url", "a URL whose scheme is a script");
        }
    }
}

/// `alert(1)`, `//%0aalert(1)`, `location=…`; not `The Good Parts (2008)`.
fn is_script_code(rest: &[u8]) -> bool {
    let spaced = at(rest, 0) == b' ';
    let is_cut = rest.len() >= VALUE_MAX;
    let rest = trim(rest);
    if rest.starts_with(b"//")
        || rest.starts_with(b"/*")
        || rest.starts_with(b"\"") && !spaced
        || rest.starts_with(b"'") && !spaced
    {
        return true;
    }
    // `void(0) meaning`: nothing is run where nothing that could be follows.
    let is_run = |byte: &u8| {
        matches!(*byte, b'(' | b'`' | b'[' | b'=' | b'\\' | b'\n' | b'\r' | b'&' | b'%')
    };
    if let (true, Some(behind)) = (spaced && !is_cut, rest.strip_prefix(b"void(0)"))
        && !behind.iter().any(is_run)
    {
        return false;
    }
    // A call: a name directly before its parenthesis. In prose there is a space between.
    let first_space = rest.iter().position(|&byte| byte == b' ').unwrap_or(rest.len());
    let scope = if spaced { slice(rest, 0, first_space) } else { rest };
    scope.windows(2).any(|pair| matches!(pair, [before, b'(' | b'`' | b'['] if is_word(*before) || matches!(before, b')' | b']')))
        // A plus alone is a space of a query that nobody decoded: `JavaScript:+The+Good+Parts`.
        || (!spaced && rest.iter().take(64).any(|&byte| matches!(byte, b'=' | b';' | b'{')) && !rest.contains(&b' '))
        || (!spaced && (rest.starts_with(b"(") || rest.starts_with(b"[") || rest.starts_with(b"void")))
}
