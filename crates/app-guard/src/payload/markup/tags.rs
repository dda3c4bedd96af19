//! Tags and their attributes, as a browser reads them.

use super::script_urls::starts_script_url;
use super::{NAME_MAX, VALUE_MAX, hit};
use crate::payload::scan::{Scan, View};
use crate::payload::text::{
    at, contains, find, from, is_space, is_word, skip, skip_spaces, slice, trim,
};

/// One tag as it is read.
struct Tag<'a> {
    start: usize,
    name: &'a [u8],
    closing: bool,
    attributes: usize,
}

pub(super) fn tags(scan: &mut Scan<'_>, view: &View<'_>, respects_quotes: bool) {
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
            // A behaviour of old browsers; includes of the server are code, which is looked for elsewhere.
            if slice(text, index, index + 8) == b"?import " {
                hit(scan, view, start, "xss_tag", "a tag that only attacks use");
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
        if is_only_named(scan, view, tag, scripts_end) {
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
fn is_only_named(scan: &Scan<'_>, view: &View<'_>, tag: &Tag<'_>, scripts_end: usize) -> bool {
    let (original, text) = (view.original, view.lower);
    if tag.attributes > 0 {
        return false;
    }
    let end = tag.start + 1 + usize::from(tag.closing) + tag.name.len();
    let before = tag.start.checked_sub(1).map_or(0, |before| at(text, before));
    let bare = at(text, end) == b'>';
    let quoted = before == b'`' && at(text, end + 1) == b'`';
    // Types begin with a capital, in most languages; who writes of the others does so in a text.
    let is_capital = at(original, tag.start + 1).is_ascii_uppercase()
        && at(original, tag.start + 2).is_ascii_lowercase();
    let is_type = is_capital || scan.place.is_body();
    let generic = (is_word(before) || before == b':') && !tag.closing && is_type;
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
