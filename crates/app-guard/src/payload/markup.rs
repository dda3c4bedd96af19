//! Script in markup: tags and attributes as a browser reads them, values that break out of an attribute or of
//! a string of a script, and URLs whose scheme is a script.

use super::category::Category::CrossSiteScripting;
use super::scan::{Scan, View};
use super::text::{
    at, contains, find, from, is_space, is_word, places_of, skip, skip_spaces, slice, trim,
};

/// The longest name of a tag or attribute that means anything.
const NAME_MAX: usize = 64;
/// How far the start of an attribute's value, or of what follows a quote, is read.
const VALUE_MAX: usize = 256;

/// Looks for script in all contexts that the value could stand in.
pub(crate) fn check(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.lower;
    if memchr::memchr(b'<', text).is_some() {
        // Once as a browser reads it, and once without regard to quotes: what is quoted here may not be there.
        for respects_quotes in [true, false] {
            scan.walked(text.len().saturating_mul(2));
            tags(scan, view, respects_quotes);
        }
    }
    scan.walked(text.len().saturating_mul(3));
    handlers(scan, view);
    script_urls(scan, view);
    script_strings(scan, view);
}

fn hit(scan: &mut Scan<'_>, view: &View<'_>, at: usize, name: &'static str, words: &'static str) {
    scan.hit(view, at, (CrossSiteScripting, 1.0), name, words);
}

/// One tag as it is read.
struct Tag<'a> {
    start: usize,
    name: &'a [u8],
    closing: bool,
    attributes: usize,
}

fn tags(scan: &mut Scan<'_>, view: &View<'_>, respects_quotes: bool) {
    let text = view.lower;
    let scripts_end = memchr::memmem::rfind(text, b"</script").unwrap_or(0);
    let mut index = 0;
    while let Some(found) = memchr::memchr(b'<', from(text, index)) {
        let start = index + found;
        index = start + 1;
        let closing = at(text, index) == b'/';
        if closing {
            index += 1;
        }
        if !at(text, index).is_ascii_alphabetic() {
            if at(text, index) == b'!' && slice(text, index, index + 4) == b"!--#" {
                // Server side includes are code.
                continue;
            }
            continue;
        }
        let end = skip(text, index, |byte| {
            !is_space(byte)
                && !matches!(
                    byte,
                    b'/' | b'>' | b'<' | b'"' | b'\'' | b'`' | b'=' | b'(' | b',' | b';'
                )
        });
        let name = slice(text, index, end.min(index + NAME_MAX));
        // `<svg:script>`, `<x:script>`
        let name = name.rsplit(|&byte| byte == b':').next().unwrap_or(name);
        let mut tag = Tag { start, name, closing, attributes: 0 };
        index = attributes(scan, view, &mut tag, end, respects_quotes);
        bare_tag(scan, view, &tag, scripts_end);
    }
}

/// Reads the attributes of a tag; returns where it ends.
fn attributes(
    scan: &mut Scan<'_>,
    view: &View<'_>,
    tag: &mut Tag<'_>,
    start: usize,
    respects_quotes: bool,
) -> usize {
    let text = view.lower;
    let mut index = start;
    loop {
        index = skip(text, index, |byte| {
            is_space(byte) || matches!(byte, b'/' | b'"' | b'\'' | b'`' | b',')
        });
        match text.get(index) {
            None | Some(b'<') => return index,
            Some(b'>') => return index + 1,
            Some(_) => {}
        }
        let name_end = skip(text, index, |byte| {
            !is_space(byte) && !matches!(byte, b'/' | b'>' | b'<' | b'=' | b'"' | b'\'' | b'`')
        });
        let name = slice(text, index, name_end.min(index + NAME_MAX));
        let equals = skip_spaces(text, name_end);
        if at(text, equals) != b'=' {
            index = name_end.max(index + 1);
            continue;
        }
        tag.attributes += 1;
        let value_start = skip_spaces(text, equals + 1);
        let quote = at(text, value_start);
        let (value, after) = if matches!(quote, b'"' | b'\'' | b'`') {
            let inside = from(text, value_start + 1);
            let length = if respects_quotes {
                memchr::memchr(quote, inside).unwrap_or(inside.len())
            } else {
                // The value ends as if it had no quotes; only its start is judged.
                inside
                    .iter()
                    .position(|&byte| matches!(byte, b'<' | b'>') || byte == quote)
                    .unwrap_or(inside.len())
            };
            let after = value_start + 1 + length;
            let past_quote = respects_quotes || at(text, after) == quote;
            (slice(inside, 0, length), after + usize::from(past_quote))
        } else {
            let end =
                skip(text, value_start, |byte| !is_space(byte) && byte != b'>' && byte != b'<');
            (slice(text, value_start, end), end)
        };
        attribute(scan, view, tag, (name, index), value);
        index = after.max(index + 1).min(text.len().max(index + 1));
    }
}

fn attribute(
    scan: &mut Scan<'_>,
    view: &View<'_>,
    tag: &Tag<'_>,
    (name, start): (&[u8], usize),
    value: &[u8],
) {
    let is_handler = name.len() > 4
        && name.starts_with(b"on")
        && from(name, 2).iter().all(|byte| byte.is_ascii_lowercase());
    if is_handler && !trim(value).is_empty() {
        hit(scan, view, start, "xss_handler", "a tag with an event handler");
        return;
    }
    if name == b"attributename" && value.starts_with(b"on") {
        hit(scan, view, start, "xss_handler", "an animation that sets an event handler");
        return;
    }
    if name == b"srcdoc" {
        hit(scan, view, start, "xss_srcdoc", "a frame with a document of its own");
        return;
    }
    if name == b"style" && is_active_style(value) {
        hit(scan, view, start, "xss_style", "a style that runs script");
        return;
    }
    if name == b"http-equiv" && (value.starts_with(b"refresh") || value.starts_with(b"set-cookie"))
    {
        hit(scan, view, start, "xss_meta", "a meta tag that redirects or sets cookies");
        return;
    }
    // `to` and `values` of animations, `content` of a refresh, `list` of nobody: any value can become a URL.
    if starts_script_url(value)
        || (name == b"content" && contains(slice(value, 0, VALUE_MAX), b"url=javascript:"))
    {
        hit(scan, view, start, "xss_script_url", "an attribute whose URL is a script");
        return;
    }
    let is_external = |value: &[u8]| {
        let value = trim(value);
        value.starts_with(b"//")
            || value.starts_with(b"http:")
            || value.starts_with(b"https:")
            || value.starts_with(b"\\\\")
            || value.starts_with(b"data:")
    };
    let loads = match tag.name {
        b"iframe" | b"frame" | b"embed" | b"portal" => name == b"src",
        b"object" => name == b"data" || name == b"codebase",
        b"applet" => matches!(name, b"code" | b"codebase" | b"archive" | b"object"),
        b"base" => name == b"href",
        b"link" => {
            name == b"href" && is_external(value) || name == b"rel" && contains(value, b"import")
        }
        b"form" => name == b"action" && is_external(value),
        b"button" | b"input" => name == b"formaction" && is_external(value),
        b"use" | b"image" | b"animate" | b"set" => {
            (name == b"href" || name == b"xlink:href")
                && trim(value).starts_with(b"data:")
                && !value.starts_with(b"data:image/png")
        }
        _ => false,
    };
    if loads && !trim(value).is_empty() {
        hit(
            scan,
            view,
            tag.start,
            "xss_loading_tag",
            "a tag that loads or sends what the sender names",
        );
    }
}

/// Tags that do harm by being there.
fn bare_tag(scan: &mut Scan<'_>, view: &View<'_>, tag: &Tag<'_>, scripts_end: usize) {
    let text = view.lower;
    let is_script = tag.name == b"script" || tag.name.starts_with(b"script\0");
    if is_script {
        if is_only_named(text, tag, scripts_end) {
            return;
        }
        hit(scan, view, tag.start, "xss_script_tag", "a script tag");
    }
    if tag.closing {
        return;
    }
    let is_foreign = matches!(tag.name, b"isindex" | b"xss" | b"bgsound" | b"layer" | b"ilayer");
    if is_foreign && tag.attributes > 0 {
        hit(scan, view, tag.start, "xss_tag", "a tag that only attacks use");
    }
    if tag.name == b"style" {
        let content = slice(from(text, tag.start), 0, VALUE_MAX * 2);
        if contains(content, b"@import") || is_active_style(content) {
            hit(
                scan,
                view,
                tag.start,
                "xss_style",
                "a style that loads or runs what the sender names",
            );
        }
    }
}

/// `Vec<Script>` and `` `<script>` `` in prose name a tag or a type, where no end of a script follows.
fn is_only_named(text: &[u8], tag: &Tag<'_>, scripts_end: usize) -> bool {
    if tag.attributes > 0 {
        return false;
    }
    let end = tag.start + 1 + usize::from(tag.closing) + tag.name.len();
    let before = tag.start.checked_sub(1).map_or(0, |before| at(text, before));
    let bare = at(text, end) == b'>';
    let quoted = before == b'`' && at(text, end + 1) == b'`';
    let generic = (is_word(before) || before == b':') && !tag.closing && !tag.name.is_empty();
    bare && (quoted || generic)
        && scripts_end <= tag.start
        && !contains(slice(text, end, end + VALUE_MAX), b"(")
}

fn is_active_style(value: &[u8]) -> bool {
    let value = slice(value, 0, VALUE_MAX * 2);
    let mut bare = Vec::new();
    // `exp/**/ression`, `\65xpression`: comments and backslashes vanish.
    let mut index = 0;
    while let Some(&byte) = value.get(index) {
        if byte == b'/' && at(value, index + 1) == b'*' {
            index += 2 + find(from(value, index + 2), b"*/").map_or(0, |length| length + 2);
            continue;
        }
        if byte != b'\\' && !is_space(byte) {
            bare.push(byte);
        }
        index += 1;
    }
    [
        &b"expression("[..],
        b"javascript:",
        b"vbscript:",
        b"-moz-binding:",
        b"behavior:url",
        b"behaviour:url",
        b"url(data:text",
        b"@importurl(http",
        b"@import'http",
        b"@import\"http",
        b"@import//",
    ]
    .iter()
    .any(|part| contains(&bare, part))
}

/// Handlers of values that already stand inside of a tag: `" onmouseover=alert(1) x="`.
fn handlers(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.lower;
    let first_quote = memchr::memchr2(b'"', b'\'', text).unwrap_or(text.len());
    for start in places_of(text, b"on") {
        let before = start.checked_sub(1).map(|before| at(text, before));
        if before
            .is_some_and(|byte| is_word(byte) || matches!(byte, b'-' | b'.' | b'&' | b'?' | b'$'))
        {
            continue;
        }
        let end = skip(slice(text, 0, start + NAME_MAX), start, |byte| byte.is_ascii_lowercase());
        if end - start < 5 || !is_event(slice(text, start + 2, end)) {
            continue;
        }
        let equals = skip_spaces(slice(text, 0, end + 16), end);
        if at(text, equals) != b'=' || at(text, equals + 1) == b'=' || at(text, equals + 1) == b'>'
        {
            continue;
        }
        let value = slice(text, equals + 1, equals + 1 + VALUE_MAX);
        let value = trim(value);
        let breaks_out =
            first_quote < start || start == 0 || before == Some(b'/') || before == Some(0x0c);
        // In prose and code, `onclick = submit` does nothing. In an attribute it is script that is called.
        if is_script(value)
            || (breaks_out && start <= VALUE_MAX && !value.is_empty() && !value.starts_with(b"{"))
        {
            hit(
                scan,
                view,
                start,
                "xss_attribute",
                "an event handler for a tag that is already open",
            );
            return;
        }
    }
}

/// Whether there is an event of that name.
fn is_event(name: &[u8]) -> bool {
    const STARTS: [&[u8]; 44] = [
        b"mouse",
        b"key",
        b"pointer",
        b"touch",
        b"animation",
        b"transition",
        b"drag",
        b"before",
        b"after",
        b"webkit",
        b"page",
        b"media",
        b"gesture",
        b"device",
        b"fullscreen",
        b"selection",
        b"play",
        b"load",
        b"error",
        b"click",
        b"focus",
        b"blur",
        b"toggle",
        b"wheel",
        b"scroll",
        b"copy",
        b"paste",
        b"cut",
        b"submit",
        b"reset",
        b"change",
        b"input",
        b"select",
        b"invalid",
        b"resize",
        b"hash",
        b"pop",
        b"message",
        b"unload",
        b"contextmenu",
        b"dblclick",
        b"auxclick",
        b"security",
        b"unhandled",
    ];
    STARTS.iter().any(|start| name.starts_with(start))
        || matches!(
            name,
            b"start"
                | b"begin"
                | b"end"
                | b"repeat"
                | b"show"
                | b"open"
                | b"close"
                | b"cancel"
                | b"search"
                | b"storage"
                | b"online"
                | b"offline"
                | b"abort"
                | b"canplay"
                | b"canplaythrough"
                | b"cuechange"
                | b"durationchange"
                | b"emptied"
                | b"ended"
                | b"pause"
                | b"progress"
                | b"ratechange"
                | b"seeked"
                | b"seeking"
                | b"stalled"
                | b"suspend"
                | b"timeupdate"
                | b"volumechange"
                | b"waiting"
                | b"readystatechange"
                | b"propertychange"
                | b"filterchange"
                | b"finish"
                | b"bounce"
                | b"gotpointercapture"
                | b"lostpointercapture"
                | b"formdata"
                | b"slotchange"
                | b"languagechange"
                | b"rejectionhandled"
                | b"visibilitychange"
                | b"activate"
                | b"deactivate"
                | b"help"
                | b"losecapture"
                | b"layoutcomplete"
                | b"orientationchange"
        )
}

/// Whether an attribute's value does something.
fn is_script(value: &[u8]) -> bool {
    let value = value.strip_prefix(b"\"").or_else(|| value.strip_prefix(b"'")).unwrap_or(value);
    memchr::memchr3(b'(', b'`', b'[', value).is_some()
        || contains(value, b"location")
        || contains(value, b"document")
        || contains(value, b"javascript:")
        || contains(value, b"throw")
        || contains(value, b"import")
}

/// Whether a URL begins with a scheme that runs script; what browsers skip is skipped.
fn starts_script_url(value: &[u8]) -> bool {
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
fn script_urls(scan: &mut Scan<'_>, view: &View<'_>) {
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
    let rest = trim(rest);
    if rest.starts_with(b"//")
        || rest.starts_with(b"/*")
        || rest.starts_with(b"\"") && !spaced
        || rest.starts_with(b"'") && !spaced
    {
        return true;
    }
    // A call: a name directly before its parenthesis. In prose there is a space between.
    let first_space = rest.iter().position(|&byte| byte == b' ').unwrap_or(rest.len());
    let scope = if spaced { slice(rest, 0, first_space) } else { rest };
    scope.windows(2).any(|pair| matches!(pair, [before, b'(' | b'`' | b'['] if is_word(*before) || matches!(before, b')' | b']')))
        || (!spaced && rest.iter().take(64).any(|&byte| matches!(byte, b'=' | b'+' | b';' | b'{')) && !rest.contains(&b' '))
        || (!spaced && (rest.starts_with(b"(") || rest.starts_with(b"[") || rest.starts_with(b"void")))
}

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
fn script_strings(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.lower;
    let first_call = memchr::memchr(b'(', text).unwrap_or(text.len());
    for start in memchr::memchr3_iter(b'\'', b'"', b'`', text) {
        let next = skip(slice(text, 0, start + 16), start + 1, |byte| {
            is_space(byte) || matches!(byte, b')' | b'}' | b']' | b'\\')
        });
        if !matches!(
            at(text, next),
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
        ) {
            continue;
        }
        let code = skip(slice(text, 0, next + 32), next, |byte| {
            is_space(byte)
                || matches!(
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
                        | b'!'
                        | b'~'
                        | b'['
                        | b'{'
                        | b'}'
                        | b')'
                )
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
