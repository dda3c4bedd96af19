//! Forms in parts (RFC 7578): fields, names of files, and contents of files.

use super::window::Window;
use super::{BINARY_BYTES_MAX, Found, START_BYTES, looks_like_text};
use crate::payload::place::Place;

/// How long a boundary may be: RFC 2046 allows 70 characters.
const BOUNDARY_BYTES_MAX: usize = 200;
/// How much of the headers of a part is read.
const HEADER_BYTES_MAX: usize = 8 * 1024;
/// A file of text up to this size may as well be a field that is called a file: many applications read
/// both alike.
const FIELD_LIKE_BYTES_MAX: u64 = 4 * 1024;
/// Text of so many lines is a document: a field that carries an attack has no use for them.
const DOCUMENT_LINES: usize = 5;
/// How much of a name is repeated in findings, in characters.
const NAME_CHARACTERS_MAX: usize = 64;

/// Walks the parts byte by byte.
#[derive(Debug)]
pub(super) struct MultipartWalk {
    /// `\n--boundary`
    delimiter: Vec<u8>,
    /// How much of it was just read.
    matched: usize,
    /// A carriage return before it was read.
    carriage_return: bool,
    state: State,
    headers: Vec<u8>,
    name: String,
    /// What the content of this part is looked at as.
    content: Content,
    window: Window,
    /// How much more of a file that is not text is looked at.
    left: usize,
    /// The start of a file that is said not to be text, until it is known whether that is so.
    start: Vec<u8>,
    part_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first boundary, or behind the last.
    Outside,
    /// In the rest of the line of a boundary.
    Boundary {
        dashes: u8,
    },
    Headers,
    Content,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Field,
    TextFile,
    BinaryFile,
}

/// The boundary that a content type names.
pub(super) fn boundary(content_type: &str) -> Option<Vec<u8>> {
    let value = parameter(content_type, "boundary")?;
    (!value.is_empty() && value.len() <= BOUNDARY_BYTES_MAX).then(|| value.into_bytes())
}

impl MultipartWalk {
    pub(super) fn new(boundary: &[u8]) -> Self {
        let mut delimiter = b"\n--".to_vec();
        delimiter.extend_from_slice(boundary);
        Self {
            delimiter,
            // The first boundary may stand at the very start.
            matched: 1,
            carriage_return: false,
            state: State::Outside,
            headers: Vec::new(),
            name: String::new(),
            content: Content::Field,
            window: Window::default(),
            left: 0,
            start: Vec::new(),
            part_bytes: 0,
        }
    }

    pub(super) fn feed(&mut self, chunk: &[u8], found: &mut Found<'_>) {
        let mut rest = chunk;
        while let Some((&byte, after)) = rest.split_first() {
            let in_content = matches!(self.state, State::Content | State::Outside);
            if in_content && self.matched == 0 && !self.carriage_return {
                // The long stretches: up to where a delimiter could begin.
                let end = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
                if end > 0 {
                    let (plain, from_mark) = rest.split_at(end);
                    self.text(plain, found);
                    rest = from_mark;
                    continue;
                }
            }
            rest = after;
            self.byte(byte, found);
        }
    }

    pub(super) fn finish(&mut self, found: &mut Found<'_>) {
        self.give_back(found);
        if self.state == State::Headers {
            // Cut off before its content: the name of a file is there already.
            self.begin_content(found);
        }
        self.end_part(found);
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.window.held_bytes()
            + self.headers.capacity()
            + self.name.capacity()
            + self.start.capacity()
            + self.delimiter.capacity()
    }

    fn byte(&mut self, byte: u8, found: &mut Found<'_>) {
        match self.state {
            State::Outside | State::Content => self.content_byte(byte, found),
            State::Boundary { dashes } => match byte {
                b'\n' => {
                    self.headers.clear();
                    self.state = if dashes >= 2 { State::Outside } else { State::Headers };
                }
                b'-' => self.state = State::Boundary { dashes: dashes.saturating_add(1) },
                _ => {}
            },
            State::Headers => {
                if self.headers.len() < HEADER_BYTES_MAX {
                    self.headers.push(byte);
                }
                let is_blank = self.headers == b"\n" || self.headers == b"\r\n";
                let ends = self.headers.ends_with(b"\n\n") || self.headers.ends_with(b"\n\r\n");
                if byte == b'\n' && (is_blank || ends) || self.headers.len() >= HEADER_BYTES_MAX {
                    self.begin_content(found);
                }
            }
        }
    }

    /// The delimiter begins with the only line feed in it, so after a mismatch it can begin only anew.
    fn content_byte(&mut self, byte: u8, found: &mut Found<'_>) {
        if self.delimiter.get(self.matched) == Some(&byte) {
            self.matched += 1;
            if self.matched == self.delimiter.len() {
                self.matched = 0;
                self.carriage_return = false;
                self.end_part(found);
                self.state = State::Boundary { dashes: 0 };
            }
            return;
        }
        self.give_back(found);
        match byte {
            b'\r' => self.carriage_return = true,
            b'\n' => self.matched = 1,
            _ => self.text(&[byte], found),
        }
    }

    /// What looked like a delimiter was content.
    fn give_back(&mut self, found: &mut Found<'_>) {
        if self.carriage_return {
            self.carriage_return = false;
            self.text(b"\r", found);
        }
        let matched = std::mem::take(&mut self.matched);
        let text = self.delimiter.get(..matched).unwrap_or_default().to_vec();
        self.text(&text, found);
    }

    fn text(&mut self, bytes: &[u8], found: &mut Found<'_>) {
        self.part_bytes = self.part_bytes.saturating_add(bytes.len() as u64);
        if self.content == Content::BinaryFile && self.start.len() < START_BYTES {
            // What is looked at of the rest does not depend on the client's word.
            let taken = bytes.len().min(START_BYTES - self.start.len());
            self.start.extend_from_slice(bytes.get(..taken).unwrap_or_default());
            if self.start.len() == START_BYTES && looks_like_text(&self.start) {
                self.content = Content::TextFile;
            }
        }
        let bytes = if self.content == Content::BinaryFile {
            let taken = bytes.get(..bytes.len().min(self.left)).unwrap_or_default();
            self.left -= taken.len();
            taken
        } else {
            bytes
        };
        let place = self.place();
        self.window.extend(bytes, &mut |text| found.value(place, text));
    }

    fn end_part(&mut self, found: &mut Found<'_>) {
        let place = match self.state {
            State::Content => content_place(self.content, &self.name),
            _ => Place::Body,
        };
        let is_file = self.state == State::Content && self.content != Content::Field;
        let may_be_field = is_file && self.part_bytes <= FIELD_LIKE_BYTES_MAX;
        let field = Place::BodyField(&self.name);
        self.window.finish(&mut |text| {
            found.value(place, text);
            if may_be_field && looks_like_field(text) {
                found.value(field, text);
            }
        });
        self.content = Content::Field;
    }

    fn begin_content(&mut self, found: &mut Found<'_>) {
        let headers = String::from_utf8_lossy(&self.headers).into_owned();
        self.headers.clear();
        self.state = State::Content;
        self.start.clear();
        self.part_bytes = 0;
        // A boundary may follow at once.
        self.matched = 1;
        self.name.clear();
        self.content = Content::Field;
        let mut file_name = None;
        let mut media_type = String::new();
        for line in headers.lines() {
            let Some((name, value)) = line.split_once(':') else { continue };
            if name.trim().eq_ignore_ascii_case("content-disposition") {
                if let Some(field) = parameter(value, "name") {
                    found.value(Place::BodyName, field.as_bytes());
                    self.name = field.chars().take(NAME_CHARACTERS_MAX).collect();
                }
                file_name = parameter(value, "filename*").or_else(|| parameter(value, "filename"));
                if let (Some(plain), true) = (parameter(value, "filename"), file_name.is_some()) {
                    found.value(Place::FileName(&self.name), plain.as_bytes());
                }
            } else if name.trim().eq_ignore_ascii_case("content-type") {
                media_type = value.trim().to_ascii_lowercase();
            }
        }
        if let Some(file) = file_name {
            let file = file.rsplit("''").next().unwrap_or(&file);
            found.value(Place::FileName(&self.name), file.as_bytes());
            let is_text = media_type.is_empty()
                || media_type.starts_with("text/")
                || ["json", "xml", "svg", "html", "javascript", "php"]
                    .iter()
                    .any(|kind| media_type.contains(kind));
            self.content = if is_text { Content::TextFile } else { Content::BinaryFile };
            self.left = BINARY_BYTES_MAX;
        }
    }

    fn place(&self) -> Place<'static> {
        // Only values longer than a window are handed on before their end; their name is of no weight then.
        match (self.state, self.content) {
            (State::Content, Content::Field) => Place::BodyField("multipart"),
            (State::Content, _) => Place::FileContent("multipart"),
            _ => Place::Body,
        }
    }
}

/// Whether a short file could be the value of a field: text, and not laid out as documents are.
fn looks_like_field(text: &[u8]) -> bool {
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    std::str::from_utf8(text).is_ok() && !text.contains(&0) && lines.count() < DOCUMENT_LINES
}

fn content_place(content: Content, name: &str) -> Place<'_> {
    match content {
        Content::Field => Place::BodyField(name),
        Content::TextFile | Content::BinaryFile => Place::FileContent(name),
    }
}

/// The parameter of that name, with or without quotes.
fn parameter(value: &str, name: &str) -> Option<String> {
    let mut rest = value;
    while let Some((_, after)) = rest.split_once(';') {
        let after = after.trim_start();
        rest = after;
        let Some((key, text)) = after.split_once('=') else { continue };
        let text = text.trim_start();
        let (parameter, behind) = match text.strip_prefix('"') {
            Some(quoted) => unquoted(quoted),
            None => {
                let end = text.find(';').unwrap_or(text.len());
                let (plain, behind) = text.split_at(end);
                (plain.trim().to_owned(), behind)
            }
        };
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(parameter);
        }
        rest = behind;
    }
    None
}

/// A quoted string up to its end, and what follows.
fn unquoted(text: &str) -> (String, &str) {
    let mut out = String::new();
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return (out, text.get(index + 1..).unwrap_or_default()),
            '\\' => {
                // Browsers send `C:\x` as it is: only quotes are escaped.
                match characters.next() {
                    Some((_, '"')) => out.push('"'),
                    Some((_, other)) => out.extend(['\\', other]),
                    None => {}
                }
            }
            other => out.push(other),
        }
    }
    (out, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_with_and_without_quotes() {
        let value = r#"form-data; name="a;b"; filename="x\"y.png"; size=3"#;
        assert_eq!(parameter(value, "name").as_deref(), Some("a;b"));
        assert_eq!(parameter(value, "filename").as_deref(), Some("x\"y.png"));
        assert_eq!(parameter(value, "size").as_deref(), Some("3"));
        assert_eq!(parameter(value, "none"), None);
        assert_eq!(boundary("multipart/form-data; boundary=abc").as_deref(), Some(&b"abc"[..]));
        assert_eq!(boundary("multipart/form-data"), None);
    }
}
