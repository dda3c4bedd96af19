//! Reads the labelled corpus, and looks at a sample as a request would bring it.

use ringwall_app_guard::payload::{Category, Detector, Finding, Place};

/// One line of the corpus.
pub(crate) struct Sample {
    /// What kind of attack it is; nothing where it is none.
    pub(crate) category: Option<Category>,
    place: String,
    value: Vec<u8>,
    /// The line as it is written.
    pub(crate) line: String,
}

const ATTACKS: [&str; 2] = [include_str!("attacks.txt"), include_str!("attacks_held_out.txt")];
const BENIGN: [&str; 2] = [include_str!("benign.txt"), include_str!("benign_held_out.txt")];

/// All attacks.
pub(crate) fn attacks() -> Vec<Sample> {
    ATTACKS.iter().flat_map(|file| samples(file, true)).collect()
}

/// All values that are none.
pub(crate) fn benign() -> Vec<Sample> {
    BENIGN.iter().flat_map(|file| samples(file, false)).collect()
}

fn samples(file: &str, are_attacks: bool) -> Vec<Sample> {
    file.lines()
        .filter(|line| !line.starts_with("# ") && !line.is_empty())
        .map(|line| sample(line, are_attacks))
        .collect()
}

fn sample(line: &str, is_attack: bool) -> Sample {
    let (category, rest) = if is_attack {
        let (name, rest) = line.split_once('\t').expect("a category and a tab");
        (Some(Category::from_name(name).expect("a known category")), rest)
    } else {
        (None, line)
    };
    let (place, value) = rest.split_once('\t').expect("a place and a tab");
    Sample { category, place: place.to_owned(), value: unescaped(value), line: line.to_owned() }
}

/// `\n`, `\r`, `\t`, `\0`, `\\` and `\xNN`.
fn unescaped(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let (&kind, after) = rest.split_first().expect("something behind a backslash");
        rest = after;
        match kind {
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'0' => out.push(0),
            b'x' => {
                let (digits, after) = rest.split_at(2);
                let digits = std::str::from_utf8(digits).expect("digits");
                out.push(u8::from_str_radix(digits, 16).expect("two digits"));
                rest = after;
            }
            other => out.push(other),
        }
    }
    out
}

/// What is found in a sample.
pub(crate) fn look(detector: &Detector, sample: &Sample) -> Vec<Finding> {
    let mut found = Vec::new();
    let (kind, name) = sample.place.split_once(':').unwrap_or((&sample.place, ""));
    let value = sample.value.as_slice();
    let body = |content_type: &str, found: &mut Vec<Finding>| {
        let mut body = detector.body(Some(content_type));
        body.feed(value, found);
        body.finish(found);
    };
    match kind {
        "query" => detector.scan(Place::QueryParameter(name), value, &mut found),
        "name" => detector.scan(Place::QueryName, value, &mut found),
        "path" => detector.scan(Place::Path, value, &mut found),
        "header" => detector.scan(Place::Header(name), value, &mut found),
        "body" => detector.scan(Place::BodyField(name), value, &mut found),
        "file" => detector.scan(Place::FileName("file"), value, &mut found),
        "upload" => detector.scan(Place::FileContent("file"), value, &mut found),
        "json" => body("application/json", &mut found),
        "form" => body("application/x-www-form-urlencoded", &mut found),
        "text" => body("text/plain", &mut found),
        other => panic!("unknown place `{other}`"),
    }
    found
}
