//! Marks of serialized objects that run code when they are read back.

use super::category::Category::Deserialization;
use super::scan::{Scan, View};
use super::text::{at, contains, find, from, is_token, places_of, skip, slice, trim};

/// Looks for the marks of each format.
pub(crate) fn check(scan: &mut Scan<'_>, view: &View<'_>) {
    scan.walked(view.lower.len().saturating_mul(4));
    if let Some((at, words)) = binary(view.original).or_else(|| encoded(view.original)) {
        hit(scan, view, at, "serialized_binary", words);
    }
    if let Some(at) = php(view) {
        hit(scan, view, at, "serialized_php", "a serialized object of PHP");
    }
    named(scan, view);
    python(scan, view);
}

fn hit(scan: &mut Scan<'_>, view: &View<'_>, at: usize, name: &'static str, words: &'static str) {
    scan.hit(view, at, (Deserialization, 1.0), name, words);
}

/// Formats by their first bytes.
fn binary(value: &[u8]) -> Option<(usize, &'static str)> {
    if let Some(at) = find(value, b"\xac\xed\x00\x05") {
        return Some((at, "a serialized object of Java"));
    }
    // The zero byte is gone once the value was decoded.
    if value.starts_with(b"\xac\xed\x05") {
        return Some((0, "a serialized object of Java"));
    }
    if value.starts_with(b"\x04\x08")
        && matches!(at(value, 2), b'o' | b'[' | b'{' | b'I' | b'c' | b'e' | b'u' | b'U')
    {
        return Some((0, "a serialized object of Ruby"));
    }
    let is_pickle =
        at(value, 0) == 0x80 && (2..=5).contains(&at(value, 1)) && value.last() == Some(&b'.');
    if is_pickle {
        return Some((0, "a pickle of Python"));
    }
    (value.starts_with(b"\x00\x01\x00\x00\x00\xff\xff\xff\xff"))
        .then_some((0, "a serialized object of .NET"))
}

/// The same in base64 and in hexadecimal digits: first bytes give first letters.
fn encoded(value: &[u8]) -> Option<(usize, &'static str)> {
    let starts: [(&[u8], usize, &'static str); 10] = [
        (b"yv66vg", 8, "a class of Java in base64"),
        (b"rO0AB", 8, "a serialized object of Java in base64"),
        (b"aced0005", 10, "a serialized object of Java in hexadecimal digits"),
        (b"ACED0005", 10, "a serialized object of Java in hexadecimal digits"),
        (b"AAEAAAD/////", 14, "a serialized object of .NET in base64"),
        (b"/wEy", 24, "a view state with an object of .NET"),
        (b"BAhvOi", 12, "a serialized object of Ruby in base64"),
        (b"BAhbC", 12, "a serialized object of Ruby in base64"),
        (b"BAhvO", 10, "a serialized object of Ruby in base64"),
        (b"H4sIAAAAAAAAA", 4000, "a compressed serialized object"),
    ];
    for (start, length_min, words) in starts {
        for at in places_of(value, start).take(8) {
            let before = at.checked_sub(1).map_or(b' ', |before| super::text::at(value, before));
            if !before.is_ascii_alphanumeric() && value.len() - at >= length_min {
                return Some((at, words));
            }
        }
    }
    // Pickles of protocols 2 to 5; a binary name of a module or a reduction makes them dangerous.
    let bare = trim(value);
    let is_pickle =
        [&b"gASV"[..], b"gAN", b"gAJ", b"gAR", b"gAWV"].iter().any(|start| bare.starts_with(start));
    if is_pickle
        && bare.len() >= 16
        && bare.iter().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_' | b'%')
        })
    {
        return pickle_in_base64(bare).then_some((0, "a pickle of Python in base64"));
    }
    None
}

fn pickle_in_base64(value: &[u8]) -> bool {
    let ends = value.iter().rposition(|&byte| byte != b'=').is_some_and(|last| {
        // A pickle ends with a full stop: its last bits are those of `.`
        matches!(
            at(value, last),
            b'u' | b'4' | b'C' | b'S' | b'i' | b'y' | b'g' | b'L' | b'5' | b'D'
        ) || value.len() > 24
    });
    ends && !value.iter().all(u8::is_ascii_lowercase)
}

/// `O:4:"User":1:{…}`, `a:1:{i:0;O:…`, `C:11:"ArrayObject":…`
fn php(view: &View<'_>) -> Option<usize> {
    let text = view.lower;
    for at_colon in places_of(text, b":\"").take(64) {
        // Backwards over digits to the letter.
        let window = slice(text, at_colon.saturating_sub(8), at_colon);
        let digits = window.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let colon = at_colon.checked_sub(digits + 1)?;
        if digits == 0 || at(text, colon) != b':' || colon == 0 {
            continue;
        }
        let is_object = matches!(at(text, colon - 1), b'o' | b'c') || at(text, colon - 1) == b'+';
        let before = colon.checked_sub(2).map_or(b' ', |before| at(text, before));
        if !is_object || before.is_ascii_alphanumeric() {
            continue;
        }
        let rest = from(text, at_colon + 2);
        let end = rest.iter().take(128).position(|&byte| byte == b'"')?;
        let after = slice(rest, end + 1, end + 12);
        let count = skip(after, 1, |byte| byte.is_ascii_digit());
        if at(after, 0) == b':' && count > 1 && at(after, count) == b':' {
            return Some(colon - 1);
        }
    }
    // `O:+4:"…`, as filters look for digits only.
    find(text, b"o:+").filter(|&start| at(text, start + 3).is_ascii_digit())
}

/// Formats that name the class to make.
fn named(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.lower;
    for (mark, words) in [
        (&b"_$$nd_func$$_"[..], "a function of node-serialize"),
        (b"__js_function", "a function of a serializer of JavaScript"),
        (b"!!python/", "an object of Python in YAML"),
        (b"!python/", "an object of Python in YAML"),
        (b"!!javax.", "an object of Java in YAML"),
        (b"!!java.", "an object of Java in YAML"),
        (b"!!com.", "an object of Java in YAML"),
        (b"!!org.", "an object of Java in YAML"),
        (b"!!sun.", "an object of Java in YAML"),
        (b"!ruby/", "an object of Ruby in YAML"),
        (b"!!ruby/", "an object of Ruby in YAML"),
        (b"!php/object", "an object of PHP in YAML"),
        (b"tag:yaml.org,2002:python/", "an object of Python in YAML"),
        (b"templatesimpl", "a class that loads code of Java"),
        (b"jdbcrowsetimpl", "a class that loads code of Java"),
        (b"com.sun.rowset", "a class that loads code of Java"),
        (b"$$bcel$$", "code of Java in a name of a class"),
        (b"objectdataprovider", "a class that calls methods of .NET"),
        (b"system.windows.data", "a class that calls methods of .NET"),
        (b"typeconfusedelegate", "a class that calls methods of .NET"),
        (b"system.configuration.install", "a class that calls methods of .NET"),
        (b"<dynamic-proxy", "a proxy of XStream"),
        (b"jdk.nashorn.internal", "a class of a known chain of Java"),
        (b"expandedwrapper", "a class that calls methods of .NET"),
        (b"java.beans.eventhandler", "a handler of XStream"),
        (b"java.beans.xmldecoder", "a decoder of Java beans"),
        (b"org.apache.commons.collections.functors", "a class of a known chain of Java"),
        (b"commons-collections", "a class of a known chain of Java"),
        (b"org.apache.xalan", "a class that loads code of Java"),
        (b"org.springframework.context.support.filesystemxml", "a class that loads code of Java"),
        (b"py/object", "an object of jsonpickle"),
        (b"py/reduce", "an object of jsonpickle"),
        (b"invokertransformer", "a class of a known chain of Java"),
        (b"instantiatetransformer", "a class of a known chain of Java"),
        (b"chainedtransformer", "a class of a known chain of Java"),
        (b"constanttransformer", "a class of a known chain of Java"),
        (b"clonetransformer", "a class of a known chain of Java"),
        (b"instantiatefactory", "a class of a known chain of Java"),
        (b"prototypeclonefactory", "a class of a known chain of Java"),
        (b"prototypeserializationfactory", "a class of a known chain of Java"),
        (b"whileclosure", "a class of a known chain of Java"),
        (b"forclosure", "a class of a known chain of Java"),
        (b"ysoserial", "a known generator of such objects"),
        (b"pickle.loads(", "a pickle that is read"),
        (b"marshal.loads(", "a serialized object that is read"),
    ] {
        if let Some(at) = find(text, mark) {
            // Whoever writes about them does not write what makes one.
            let is_used = is_token(text)
                || mark.iter().any(|byte| !byte.is_ascii_alphanumeric() && *byte != b'-')
                    && !mark.starts_with(b"org.")
                || view.lower.contains(&b'{')
                || view.lower.contains(&b'<');
            if is_used {
                hit(scan, view, at, "serialized_class", words);
                return;
            }
        }
    }
    for key in [
        &b"\"@type\""[..],
        b"\"$type\"",
        b"\"@class\"",
        b"\"__class__\"",
        b"'@type'",
        b"\"json_class\"",
        b"\"^o\"",
        b"\"__type\"",
        b"$type",
    ] {
        for start in places_of(text, key).take(16) {
            let rest = slice(text, start + key.len(), start + key.len() + 96);
            let is_class = [
                &b"com."[..],
                b"org.",
                b"java.",
                b"javax.",
                b"system.",
                b"sun.",
                b"ch.qos",
                b"oracle.",
                b"net.sf",
                b"os.system",
                b"subprocess",
                b"builtins",
                b"gem::",
                b"kernel",
                b"activesupport::",
                b"erb",
            ]
            .iter()
            .any(|package| contains(slice(rest, 0, 24), package));
            if is_class {
                hit(scan, view, start, "serialized_class", "a key that names the class to make");
                return;
            }
        }
    }
    // The same where the key is the name of the place.
    let place = scan.place;
    let names_class = place.is_named_like(&[
        "@type",
        "@class",
        "$type",
        "json_class",
        "__class__",
        "__type",
        "^o",
    ]);
    let bare = trim(text);
    const PACKAGES: [&[u8]; 17] = [
        b"java.",
        b"javax.",
        b"sun.",
        b"com.sun.",
        b"org.apache.",
        b"org.springframework.",
        b"ch.qos.logback",
        b"oracle.",
        b"net.sf.",
        b"com.mchange.",
        b"com.zaxxer.",
        b"org.hibernate.",
        b"system.",
        b"microsoft.",
        b"gem::",
        b"activesupport::",
        b"kernel",
    ];
    if names_class && PACKAGES.iter().any(|package| bare.starts_with(package)) {
        hit(scan, view, 0, "serialized_class", "a key that names the class to make");
    }
    let decodes = contains(text, b"<java") && contains(text, b"class=\"java.beans")
        || contains(text, b"<object class=\"java.")
        || contains(text, b"<void method=\"start\"");
    if decodes {
        hit(scan, view, 0, "serialized_class", "a bean of Java in XML");
    }
    let stream = [
        &b"<sorted-set>"[..],
        b"<tree-map>",
        b"<java.util.priorityqueue",
        b"<linked-hash-set>",
        b"<map><entry><jdk.nashorn",
    ];
    if let Some(at) = stream.iter().find_map(|mark| find(text, mark))
        && (contains(text, b"class=") || contains(text, b"java."))
    {
        hit(scan, view, at, "serialized_class", "a collection of XStream");
    }
}

/// Pickles of protocol 0 are text: `cos\nsystem\n(S'id'\ntR.`
fn python(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.lower;
    for mark in [
        &b"cos\nsystem"[..],
        b"cposix\nsystem",
        b"cnt\nsystem",
        b"csubprocess\n",
        b"c__builtin__\n",
        b"cbuiltins\n",
        b"csys\n",
        b"cos\\nsystem",
        b"cposix\\nsystem",
        b"c__builtin__\\n",
        b"csubprocess\\n",
        b"cos\r\nsystem",
        b"c__main__\n",
    ] {
        if let Some(at) = find(text, mark) {
            hit(scan, view, at, "serialized_pickle", "a pickle of Python that calls a function");
            return;
        }
    }
    // `(lp0`: a list or a dictionary that is remembered, as in every other pickle.
    let bare = trim(text);
    let digits = skip(bare, 3, |byte| byte.is_ascii_digit());
    if (bare.starts_with(b"(lp") || bare.starts_with(b"(dp"))
        && digits > 3
        && at(bare, digits) == b'\n'
        && bare.ends_with(b".")
    {
        hit(scan, view, 0, "serialized_pickle", "a pickle of Python");
    }
    if let Some(at) = find(text, b"__reduce__") {
        scan.hit(
            view,
            at,
            (Deserialization, 0.5),
            "serialized_reduce",
            "a method that pickles run",
        );
    }
}
