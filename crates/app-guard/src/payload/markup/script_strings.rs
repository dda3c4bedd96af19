//! Values that break out of a string of a script, and script that needs no markup around it.

use super::{VALUE_MAX, hit};
use crate::payload::scan::{Scan, View};
use crate::payload::text::{at, contains, find, from, is_space, places_of, skip, slice, trim};

/// Calls that attacks end in.
const SINKS: [&[u8]; 24] = [
    b"alert(",
    b"alert`",
    b"confirm(",
    b"confirm`",
    b"prompt(",
    b"prompt`",
    b"eval(",
    b"atob(",
    b"fetch(",
    b"document.",
    b"window.",
    b"window[",
    b"top[",
    b"self[",
    b"settimeout(",
    b"setinterval(",
    b"location",
    b"import(",
    b"string.fromcharcode",
    b"constructor(",
    b"xmlhttprequest",
    b"function(",
    b"sendbeacon(",
    b"alert.call",
];

/// Values that break out of a string of a script: `';alert(1)//`, `"-alert(1)-"`, `${alert(1)}`.
pub(super) fn script_strings(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.lower;
    let first_call = memchr::memchr(b'(', text).unwrap_or(text.len());
    for start in memchr::memchr3_iter(b'\'', b'"', b'`', text) {
        let next = skip(slice(text, 0, start + 16), start + 1, |byte| {
            is_space(byte) || matches!(byte, b')' | b'}' | b']' | b'\\')
        });
        if !joins(at(text, next)) {
            continue;
        }
        let code = skip(slice(text, 0, next + 32), next, |byte| {
            is_space(byte) || joins(byte) || matches!(byte, b'!' | b'~' | b'[' | b'{' | b'}' | b')')
        });
        let code = slice(text, code, code + 32);
        let is_sink = SINKS.iter().any(|sink| code.starts_with(sink))
            || [&b"var "[..], b"throw ", b"new function", b"(alert)", b"this["]
                .iter()
                .any(|word| code.starts_with(word) && contains(code, b"("));
        // Before the quote there is a value, not code: code has called something already.
        if is_sink && first_call > start && !code.starts_with(b"function(") {
            hit(
                scan,
                view,
                start,
                "xss_script_string",
                "script behind a quote that closes a string",
            );
            return;
        }
    }
    cookie_thief(scan, view);
}

/// `alert(1)` and nothing else: what is written where a value goes into a script without quotes. Who only names the
/// function gives it nothing to show.
fn is_bare_call(bare: &[u8]) -> bool {
    let bare = [&b"window."[..], b"self.", b"top.", b"parent.", b"this.", b"frames."]
        .iter()
        .find_map(|object| bare.strip_prefix(*object))
        .unwrap_or(bare);
    let arguments = [&b"alert("[..], b"confirm(", b"prompt(", b"eval(", b"(alert)(", b"(confirm)("]
        .iter()
        .find_map(|call| bare.strip_prefix(*call));
    let Some(arguments) = arguments else { return false };
    let ends = bare.len() <= VALUE_MAX && arguments.contains(&b')') && !bare.contains(&b' ');
    let shows = matches!(at(arguments, 0), b'0'..=b'9' | b'\'' | b'"' | b'/' | b'`')
        || [&b"document."[..], b"window.", b"origin", b"self.", b"string.", b"atob("]
            .iter()
            .any(|start| arguments.starts_with(start));
    ends && shows
}

/// `window.location='//evil.example'`, `document.write('<…')`, and nothing before it.
fn is_bare_assignment(bare: &[u8]) -> bool {
    let rest = [&b"window."[..], b"document.", b"self.", b"top.", b"parent."]
        .iter()
        .find_map(|object| bare.strip_prefix(*object))
        .unwrap_or(bare);
    if let Some(written) = rest.strip_prefix(b"write(").or_else(|| rest.strip_prefix(b"writeln(")) {
        return matches!(at(written, 0), b'\'' | b'"' | b'`') && at(written, 1) == b'<';
    }
    let Some(rest) = rest.strip_prefix(b"location") else { return false };
    let rest = rest.strip_prefix(b".href").unwrap_or(rest);
    let Some(value) = rest.strip_prefix(b"=") else { return false };
    // Others have a field called location: only the page's own leads anywhere.
    let leads = rest.len() < bare.len() - b"location".len()
        || [&b"//"[..], b"http", b"javascript", b"data:"]
            .iter()
            .any(|start| from(value, 1).starts_with(start));
    matches!(at(value, 0), b'\'' | b'"' | b'`') && leads && !bare.contains(&b' ')
}

/// `(![]+[])[+!+[]]`: numbers and letters are made of empty lists and their truth.
fn is_symbols_only(bare: &[u8]) -> bool {
    // In a form, `+` is a space.
    let symbols = |byte: &u8| {
        matches!(byte, b'[' | b']' | b'(' | b')' | b'!' | b'+' | b'{' | b'}' | b' ' | b';')
    };
    let negates =
        contains(bare, b"!![") || contains(bare, b"![]") && places_of(bare, b"[]").count() >= 2;
    negates && bare.iter().all(symbols)
}

/// What stands between the end of a string and the code that follows it.
fn joins(byte: u8) -> bool {
    matches!(
        byte,
        b';' | b'-'
            | b'+'
            | b'*'
            | b'/'
            | b'|'
            | b'&'
            | b'^'
            | b'%'
            | b'<'
            | b'>'
            | b'?'
            | b','
            | b':'
            | b'='
            | b'('
    )
}

/// Script that sends away what belongs to the page, whatever stands around it.
fn cookie_thief(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.lower;
    let template = places_of(text, b"${").any(|start| {
        let code = slice(text, start + 2, start + 34);
        SINKS.iter().take(9).any(|sink| code.starts_with(sink))
            && !code.starts_with(b"fetch(")
            && !code.starts_with(b"atob(")
    });
    if template {
        hit(scan, view, 0, "xss_script_string", "a call inside of a template string");
    }
    let bare = trim(text);
    if is_symbols_only(bare) {
        hit(scan, view, 0, "xss_symbols", "script that is written without letters");
    }
    if is_bare_call(bare) || is_bare_assignment(bare) {
        hit(scan, view, 0, "xss_script_string", "a call that shows that script runs");
    }
    let tagged = [&b"call`"[..], b"call `", b"apply`", b"constructor`"]
        .iter()
        .find_map(|call| find(text, call));
    if let Some(start) = tagged
        && (contains(slice(text, start, start + 32), b"${")
            || slice(text, start, start + 12) == b"constructor`")
    {
        hit(scan, view, start, "xss_script_string", "a call by a template string");
    }
    if let Some(start) = find(text, b"+adw-")
        && from(text, start + 5)
            .first()
            .is_some_and(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'/' | b'+'))
    {
        hit(scan, view, start, "xss_utf7", "a tag in an encoding that few filters read");
    }
    let timed = [&b"settimeout("[..], b"setinterval(", b"expression("].iter().any(|call| {
        let rest = bare.strip_prefix(*call).unwrap_or_default();
        let code = slice(rest, 0, VALUE_MAX);
        SINKS.iter().any(|sink| contains(code, sink))
    });
    if timed {
        hit(scan, view, 0, "xss_script_string", "script in a call that runs it");
    }
    let Some(cookie) = find(text, b"document.cookie") else { return };
    let sends = [
        &b"location"[..],
        b"fetch(",
        b"new image",
        b".src",
        b"xmlhttprequest",
        b"sendbeacon",
        b"open(",
        b"alert(",
        b"http://",
        b"https://",
        b"write(",
    ];
    if sends.iter().any(|word| contains(text, word)) {
        hit(scan, view, cookie, "xss_cookie", "script that sends the cookies of a page");
    }
}
