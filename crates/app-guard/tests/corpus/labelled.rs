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

/// Where a sample can stand; a name follows some of them behind a colon.
const PLACES: [&str; 10] =
    ["query", "name", "path", "header", "body", "file", "upload", "json", "form", "text"];

const ATTACKS: [&str; 2] = [include_str!("attacks.txt"), include_str!("attacks_held_out.txt")];
const BENIGN: [&str; 2] = [include_str!("benign.txt"), include_str!("benign_held_out.txt")];

/// All attacks.
pub(crate) fn attacks() -> Vec<Sample> {
    let of_file = |file| parse(file, true).expect("the corpus is as its heading says");
    ATTACKS.into_iter().flat_map(of_file).collect()
}

/// All values that are none.
pub(crate) fn benign() -> Vec<Sample> {
    let of_file = |file| parse(file, false).expect("the corpus is as its heading says");
    BENIGN.into_iter().flat_map(of_file).collect()
}

/// The samples of a file in the form of the corpus.
///
/// # Errors
/// The number of the first line that is not in that form, and what is wrong with it.
pub(crate) fn parse(file: &str, are_attacks: bool) -> Result<Vec<Sample>, String> {
    let numbered = file.lines().enumerate();
    numbered
        .filter(|(_, line)| !line.starts_with("# ") && !line.is_empty())
        .map(|(index, line)| {
            sample(line, are_attacks).map_err(|error| format!("line {}: {error}", index + 1))
        })
        .collect()
}

fn sample(line: &str, is_attack: bool) -> Result<Sample, String> {
    let (category, rest) = if is_attack {
        let (name, rest) = line.split_once('\t').ok_or("no tab behind a category")?;
        let category = Category::from_name(name);
        (Some(category.ok_or_else(|| format!("unknown category `{name}`"))?), rest)
    } else {
        (None, line)
    };
    let (place, value) = rest.split_once('\t').ok_or("no tab behind a place")?;
    let kind = place.split(':').next().unwrap_or(place);
    if !PLACES.contains(&kind) {
        return Err(format!("unknown place `{kind}`"));
    }
    let value = unescaped(value)?;
    Ok(Sample { category, place: place.to_owned(), value, line: line.to_owned() })
}

/// `\n`, `\r`, `\t`, `\0`, `\\` and `\xNN`.
fn unescaped(text: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let (&kind, after) = rest.split_first().ok_or("nothing behind the last backslash")?;
        rest = after;
        match kind {
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'0' => out.push(0),
            b'x' => {
                let digits = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
                let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                out.push(byte.ok_or("no two digits behind `\\x`")?);
                rest = rest.get(2..).unwrap_or_default();
            }
            other => out.push(other),
        }
    }
    Ok(out)
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
