//! Event handlers.

use super::{NAME_MAX, VALUE_MAX, hit};
use crate::payload::scan::{Scan, View};
use crate::payload::text::{at, contains, is_word, places_of, skip, skip_spaces, slice, trim};

/// Handlers of values that already stand inside of a tag: `" onmouseover=alert(1) x="`.
pub(super) fn handlers(scan: &mut Scan<'_>, view: &View<'_>) {
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
