//! XML: looked at whole, for its declarations, and value by value as it arrives.
//!
//! What stands between two tags, in an attribute or in a section of character data is a value as the field of a form is. It
//! is read more leniently than any parser does, so that nothing that some parser accepts is passed over. A value is told
//! under the name of its attribute or of the innermost element that is open; where that is not certain, under none.

use super::Found;
use super::window::Window;
use crate::payload::place::Place;

/// How much of the name of an element or attribute is kept, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// How deep elements are told by their names.
const NAMED_DEPTH_MAX: usize = 32;
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
    /// The names of the elements that are open, the innermost last.
    open: Vec<String>,
    /// How many more are open than are told by their names.
    deeper: usize,
    /// The attribute that is read.
    attribute: String,
    /// What is read of a name.
    reading: Vec<u8>,
    /// The tag that is read ends an element that was open.
    ends_element: bool,
    /// A slash was the last of the tag so far.
    ends_itself: bool,
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
    Declaration(End),
}

/// What ends a declaration, an instruction or a comment: `>`, behind so many of its marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct End {
    mark: u8,
    /// How many marks are still to come; they have to stand next to each other, and before `>`.
    missing: u8,
    needed: u8,
}

impl End {
    const DECLARATION: Self = Self { mark: 0, missing: 0, needed: 0 };
    const INSTRUCTION: Self = Self { mark: b'?', missing: 1, needed: 1 };
    /// The second dash of its start is one to come before those of its end.
    const COMMENT: Self = Self { mark: b'-', missing: 3, needed: 2 };

    fn behind(self, bytes: &[u8]) -> Self {
        let marks = bytes.iter().rev().take_while(|&&byte| byte == self.mark).count();
        let missing = if marks == bytes.len() { self.missing } else { self.needed };
        Self { missing: missing.saturating_sub(u8::try_from(marks).unwrap_or(u8::MAX)), ..self }
    }
}

impl XmlWalk {
    pub(super) fn feed(&mut self, chunk: &[u8], found: &mut Found<'_>) {
        let mut rest = chunk;
        while let Some((&byte, after)) = rest.split_first() {
            // The long stretches.
            let end = match self.state {
                State::Text => memchr::memchr(b'<', rest),
                State::Declaration(_) => memchr::memchr(b'>', rest),
                State::Value(quote) if quote != 0 => memchr::memchr(quote, rest),
                _ => Some(0),
            };
            // Never beyond the end of a window, so that they are handed on in the same order however it is cut.
            let end = end.unwrap_or(rest.len()).min(self.whole.room()).min(self.value.room());
            let (plain, from_mark) = rest.split_at(end);
            if !plain.is_empty() {
                self.whole.extend(plain, &mut |text| found.value(Place::Body, text));
                match &mut self.state {
                    State::Declaration(end) => *end = end.behind(plain),
                    _ => self.extend(plain, found),
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
            + self.open.capacity() * size_of::<String>()
            + self.open.iter().map(String::capacity).sum::<usize>()
            + self.attribute.capacity()
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
                b'>' => {
                    self.end_element_name();
                    self.end_tag();
                }
                b'/' => {
                    self.end_element_name();
                    self.ends_itself = true;
                    self.state = State::Attributes;
                }
                b'<' => {
                    self.end_element_name();
                    self.begin_within_tag();
                }
                _ if byte.is_ascii_whitespace() => {
                    self.end_element_name();
                    self.state = State::Attributes;
                }
                _ => self.name_byte(byte),
            },
            State::Attributes => match byte {
                b'=' => self.state = State::Equals,
                b'>' => self.end_tag(),
                b'<' => self.begin_within_tag(),
                b'/' => {
                    self.end_attribute_name();
                    self.ends_itself = true;
                }
                _ if byte.is_ascii_whitespace() => self.end_attribute_name(),
                _ => {
                    self.ends_itself = false;
                    self.name_byte(byte);
                }
            },
            State::Equals => match byte {
                b'"' | b'\'' => {
                    self.end_attribute_name();
                    self.state = State::Value(byte);
                }
                b'>' => self.end_tag(),
                b'<' => self.begin_within_tag(),
                _ if byte.is_ascii_whitespace() => {}
                _ => {
                    self.end_attribute_name();
                    self.state = State::Value(0);
                    self.extend(&[byte], found);
                }
            },
            State::Value(0) => {
                if byte == b'>' || byte.is_ascii_whitespace() {
                    self.end_value(found);
                    self.state = State::Attributes;
                    if byte == b'>' {
                        // Whether a slash before it ends the element is told differently.
                        self.forget_names();
                        self.state = State::Text;
                    }
                } else {
                    self.extend(&[byte], found);
                }
            }
            State::Value(_) => {
                self.end_value(found);
                self.state = State::Attributes;
            }
            State::Declaration(end) if end.missing == 0 => self.state = State::Text,
            State::Declaration(end) => self.state = State::Declaration(end.behind(b">")),
        }
    }

    /// Behind `<`: a section, a declaration, or a tag.
    fn opened(&mut self, byte: u8, read: usize, found: &mut Found<'_>) {
        if SECTION.get(read) == Some(&byte) {
            let read = read + 1;
            self.state =
                if read == SECTION.len() { State::Section(0) } else { State::Opened(read) };
        } else if byte == b'?' && read == 0 {
            self.state = State::Declaration(End::INSTRUCTION);
        } else if byte == b'-' && read == 1 {
            self.state = State::Declaration(End::COMMENT);
        } else if read > 0 {
            self.state =
                if byte == b'>' { State::Text } else { State::Declaration(End::DECLARATION) };
        } else if byte.is_ascii_whitespace() || byte == b'<' {
            // No tag begins so: it is text.
            self.extend(b"<", found);
            if byte != b'<' {
                self.extend(&[byte], found);
                self.state = State::Text;
            }
        } else {
            self.reading.clear();
            self.ends_element = byte == b'/';
            self.ends_itself = false;
            self.state = State::Element;
            if !self.ends_element {
                self.name_byte(byte);
            }
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
        let place = place(self.state, &self.attribute, &self.open, self.deeper);
        self.value.extend(bytes, &mut |text| found.value(place, text));
    }

    fn end_value(&mut self, found: &mut Found<'_>) {
        if self.value.held().trim_ascii().is_empty() {
            self.value.clear();
        }
        let place = place(self.state, &self.attribute, &self.open, self.deeper);
        self.value.finish(&mut |text| found.value(place, text));
    }

    fn name_byte(&mut self, byte: u8) {
        if self.reading.len() < NAME_BYTES_MAX {
            self.reading.push(byte);
        }
    }

    /// The name in a tag is read: an element begins with it, or ends.
    fn end_element_name(&mut self) {
        let name = String::from_utf8_lossy(&self.reading).into_owned();
        self.reading.clear();
        if !self.ends_element {
            if self.open.len() < NAMED_DEPTH_MAX {
                self.open.push(name);
            } else {
                self.deeper = self.deeper.saturating_add(1);
            }
        } else if self.deeper > 0 {
            self.deeper -= 1;
        } else if self.open.last() == Some(&name) {
            self.open.pop();
        } else {
            self.forget_names();
        }
    }

    fn end_attribute_name(&mut self) {
        // White space between a name and what follows has ended it already.
        if self.reading.is_empty() {
            return;
        }
        self.attribute.clear();
        self.attribute.push_str(&String::from_utf8_lossy(&self.reading));
        self.reading.clear();
    }

    fn end_tag(&mut self) {
        self.reading.clear();
        self.state = State::Text;
        if !self.ends_itself || self.ends_element {
            return;
        }
        if self.deeper > 0 {
            self.deeper -= 1;
        } else {
            self.open.pop();
        }
    }

    /// A tag begins before the one before has ended: parsers disagree about what is open.
    fn begin_within_tag(&mut self) {
        self.forget_names();
        self.reading.clear();
        self.state = State::Attributes;
    }

    /// What is read from here on belongs to no element that is known, until one begins.
    fn forget_names(&mut self) {
        self.open.clear();
        self.deeper = 0;
    }
}

/// Where a value stands: in its attribute, else in the innermost element, as far as their names are known.
fn place<'a>(state: State, attribute: &'a str, open: &'a [String], deeper: usize) -> Place<'a> {
    if matches!(state, State::Value(_)) {
        return Place::BodyField(attribute);
    }
    match open.last() {
        Some(element) if deeper == 0 => Place::BodyField(element),
        _ => Place::Body,
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
        // A text belongs to its element, whatever stood before it.
        for inner in [
            r#" q="">"#,
            r#" q = '1' >"#,
            "><q/>",
            "><q />",
            "><q a='1'/>",
            "><q><q></q>1</q>",
            "><!--><q>-->",
            "><!-- ><q>--->",
            "><?x ><q>?>",
        ] {
            check(&format!("<url{inner}http://10.0.0.5/x</url>"), "request_body:url");
        }
        check("<r><url><q/></url><q><url>http://10.0.0.5/x", "request_body:url");
        // Where nobody knows which element is open, the name of none counts.
        for start in ["<q></x>", "<q a=b/>", "<q <q>", "<q></q>"] {
            check(&format!("{start}http://10.0.0.5/x"), "request_body");
        }
        let deep = "<q>".repeat(100) + "http://10.0.0.5/x" + &"</q>".repeat(68);
        check(&deep, "request_body");
        check(&(deep + "<url>http://10.0.0.5/x"), "request_body");
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
