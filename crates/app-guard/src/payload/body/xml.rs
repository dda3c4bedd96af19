//! XML: looked at whole, for its declarations, and value by value as it arrives.
//!
//! What stands between two tags, in an attribute or in a section of character data is a value as the field of a form is. It
//! is read more leniently than any parser does, so that nothing that some parser accepts is passed over.

use super::Found;
use super::window::Window;
use crate::payload::place::Place;

/// How much of the name of an element or attribute is kept, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// How a section of character data begins and ends.
const SECTION: &[u8] = b"![CDATA[";
const SECTION_END: &[u8] = b"]]>";

/// Walks a document.
#[derive(Debug, Default)]
pub(super) struct XmlWalk {
    /// The document as a text.
    whole: Window,
    /// The value that is read.
    value: Window,
    state: State,
    /// The element, or the attribute, that the value belongs to.
    name: String,
    /// What is read of a name.
    reading: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Between tags.
    #[default]
    Text,
    /// Behind `<`, with so much of the start of a section read.
    Opened(usize),
    /// In a section, with so much of its end read.
    Section(usize),
    /// In the name of an element.
    Element,
    /// Between attributes, or in the name of one.
    Attributes,
    /// Behind the equals sign of an attribute.
    Equals,
    /// In a value that ends with this byte; zero for one without quotes.
    Value(u8),
    /// In a declaration, an instruction or a comment: they are looked at with the whole.
    Declaration,
}

impl XmlWalk {
    pub(super) fn feed(&mut self, chunk: &[u8], found: &mut Found<'_>) {
        let mut rest = chunk;
        while let Some((&byte, after)) = rest.split_first() {
            // The long stretches.
            let end = match self.state {
                State::Text => memchr::memchr(b'<', rest),
                State::Declaration => memchr::memchr(b'>', rest),
                State::Value(quote) if quote != 0 => memchr::memchr(quote, rest),
                _ => Some(0),
            };
            // Never beyond the end of a window, so that they are handed on in the same order however it is cut.
            let end = end.unwrap_or(rest.len()).min(self.whole.room()).min(self.value.room());
            let (plain, from_mark) = rest.split_at(end);
            if !plain.is_empty() {
                self.whole.extend(plain, &mut |text| found.value(Place::Body, text));
                if self.state != State::Declaration {
                    self.extend(plain, found);
                }
                rest = from_mark;
                continue;
            }
            rest = after;
            self.whole.extend(&[byte], &mut |text| found.value(Place::Body, text));
            self.byte(byte, found);
        }
    }

    pub(super) fn finish(&mut self, found: &mut Found<'_>) {
        self.end_value(found);
        self.whole.finish(&mut |text| found.value(Place::Body, text));
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.whole.held_bytes()
            + self.value.held_bytes()
            + self.name.capacity()
            + self.reading.capacity()
    }

    fn byte(&mut self, byte: u8, found: &mut Found<'_>) {
        match self.state {
            State::Text => {
                self.end_value(found);
                self.state = State::Opened(0);
            }
            State::Opened(read) => self.opened(byte, read, found),
            State::Section(read) => self.section(byte, read, found),
            State::Element => match byte {
                b'>' | b'/' | b'<' => self.end_tag(byte),
                _ if byte.is_ascii_whitespace() => {
                    self.end_name();
                    self.state = State::Attributes;
                }
                _ => self.name_byte(byte),
            },
            State::Attributes => match byte {
                b'=' => self.state = State::Equals,
                b'>' | b'<' => self.end_tag(byte),
                _ if byte.is_ascii_whitespace() => {
                    self.end_name();
                }
                _ => self.name_byte(byte),
            },
            State::Equals => match byte {
                b'"' | b'\'' => {
                    self.end_name();
                    self.state = State::Value(byte);
                }
                b'>' | b'<' => self.end_tag(byte),
                _ if byte.is_ascii_whitespace() => {}
                _ => {
                    self.end_name();
                    self.state = State::Value(0);
                    self.extend(&[byte], found);
                }
            },
            State::Value(0) => {
                if byte == b'>' || byte.is_ascii_whitespace() {
                    self.end_value(found);
                    self.state = if byte == b'>' { State::Text } else { State::Attributes };
                } else {
                    self.extend(&[byte], found);
                }
            }
            State::Value(_) => {
                self.end_value(found);
                self.state = State::Attributes;
            }
            State::Declaration => self.state = State::Text,
        }
    }

    /// Behind `<`: a section, a declaration, or a tag.
    fn opened(&mut self, byte: u8, read: usize, found: &mut Found<'_>) {
        if SECTION.get(read) == Some(&byte) {
            let read = read + 1;
            self.state =
                if read == SECTION.len() { State::Section(0) } else { State::Opened(read) };
        } else if read > 0 || byte == b'?' {
            self.state = if byte == b'>' { State::Text } else { State::Declaration };
        } else if byte.is_ascii_whitespace() || byte == b'<' {
            // No tag begins so: it is text.
            self.extend(b"<", found);
            if byte != b'<' {
                self.extend(&[byte], found);
                self.state = State::Text;
            }
        } else {
            self.reading.clear();
            self.state = State::Element;
            self.name_byte(byte);
        }
    }

    fn section(&mut self, byte: u8, read: usize, found: &mut Found<'_>) {
        if SECTION_END.get(read) == Some(&byte) {
            if read + 1 == SECTION_END.len() {
                self.end_value(found);
                self.state = State::Text;
            } else {
                self.state = State::Section(read + 1);
            }
            return;
        }
        let kept = SECTION_END.get(..read).unwrap_or_default();
        // `]]]>`: one more bracket keeps as many as were read.
        if byte == b']' {
            self.extend(b"]", found);
            return;
        }
        self.extend(kept, found);
        self.state = State::Section(0);
        self.extend(&[byte], found);
    }

    fn extend(&mut self, bytes: &[u8], found: &mut Found<'_>) {
        let name = &self.name;
        self.value.extend(bytes, &mut |text| found.value(Place::BodyField(name), text));
    }

    fn end_value(&mut self, found: &mut Found<'_>) {
        if self.value.held().trim_ascii().is_empty() {
            self.value.clear();
        }
        let name = &self.name;
        self.value.finish(&mut |text| found.value(Place::BodyField(name), text));
    }

    fn name_byte(&mut self, byte: u8) {
        if self.reading.len() < NAME_BYTES_MAX {
            self.reading.push(byte);
        }
    }

    fn end_name(&mut self) {
        // White space between a name and what follows has ended it already.
        if self.reading.is_empty() {
            return;
        }
        self.name.clear();
        let name = self.reading.strip_prefix(b"/").unwrap_or(&self.reading);
        self.name.push_str(&String::from_utf8_lossy(name));
        self.reading.clear();
    }

    fn end_tag(&mut self, byte: u8) {
        self.end_name();
        self.state = match byte {
            b'>' => State::Text,
            b'<' => State::Opened(0),
            _ => State::Attributes,
        };
    }
}

#[cfg(test)]
mod tests {
    use crate::payload::{Detector, DetectorSettings};

    #[test]
    fn values_are_found_in_text_attributes_and_sections() {
        let detector = Detector::new(&DetectorSettings::default()).unwrap();
        let check = |body: &str, place: &str| {
            let mut found = Vec::new();
            let mut scan = detector.body(Some("application/soap+xml; charset=utf-8"));
            for byte in body.bytes() {
                scan.feed(&[byte], &mut found);
            }
            scan.finish(&mut found);
            let places: Vec<_> = found.iter().map(|finding| finding.place.as_str()).collect();
            assert!(places.contains(&place), "{body}: {found:?}");
        };
        check("<a><id>1' OR '1'='1</id></a>", "request_body:id");
        check("<a><x:id>/etc/passwd</x:id></a>", "request_body:x:id");
        check(r#"<a b="1" file="/etc/passwd"/>"#, "request_body:file");
        check("<a file = '/etc/passwd'>", "request_body:file");
        check("<a file=/etc/passwd>", "request_body:file");
        check("<id><![CDATA[1' OR '1'='1]]></id>", "request_body:id");
        check("<id><![CDATA[x]]]></id><b>/etc/passwd", "request_body:b");
        check("<!-- a > b --><?pi?><b>/etc/passwd</b>", "request_body:b");
        check("<id>1 < 2</id><b>/etc/passwd</b>", "request_body:b");
        let mut found = Vec::new();
        let mut scan = detector.body(Some("text/xml"));
        scan.feed(
            b"<order><name>O'Brien & Sons</name><note>select one; or two</note></order>",
            &mut found,
        );
        scan.finish(&mut found);
        assert!(found.is_empty(), "{found:?}");
    }
}
