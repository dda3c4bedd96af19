//! JSON, walked key by key as it arrives.
//!
//! It is read more leniently than any parser does: a string or a bare word before a colon is a key, any other is a
//! value. So nothing that some parser accepts is passed over, and malformed text is looked at as well.

use super::Found;
use super::window::Window;
use crate::payload::place::Place;

/// How deep names are remembered; what lies deeper is looked at under the name of this depth.
const NAMED_DEPTH_MAX: usize = 32;
/// How long the path of names may become, in bytes.
const PATH_BYTES_MAX: usize = 256;
/// How much of a key is kept for the path, in bytes.
const KEY_BYTES_MAX: usize = 64;

/// Walks a document.
#[derive(Debug, Default)]
pub(super) struct JsonWalk {
    state: State,
    /// The names that lead here, joined by dots, without the last key.
    path: String,
    /// How long the path was before each level that is open.
    levels: Vec<usize>,
    /// How many levels are open beyond those.
    deeper: usize,
    /// The last key.
    key: String,
    /// Path and last key: the name of the value that is read.
    name: String,
    window: Window,
    /// The first half of a pair of `\u` escapes.
    high_surrogate: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Between tokens.
    #[default]
    Between,
    /// In a string.
    Text,
    /// Behind a backslash.
    Escape,
    /// In `\uNNNN`: the digits so far and their number.
    Unicode(u32, u8),
    /// Behind a string, where a colon may follow.
    AfterText,
    /// In a word without quotes: a number, `true`, or what does not belong there.
    Bare,
}

impl JsonWalk {
    pub(super) fn feed(&mut self, chunk: &[u8], found: &mut Found<'_>) {
        let mut rest = chunk;
        while let Some((&byte, after)) = rest.split_first() {
            if self.state == State::Text {
                // The long stretches: up to the next quote or backslash.
                let end = memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
                let (plain, from_mark) = rest.split_at(end);
                if !plain.is_empty() {
                    self.extend(plain, found);
                    rest = from_mark;
                    continue;
                }
            }
            rest = after;
            self.byte(byte, found);
        }
    }

    pub(super) fn finish(&mut self, found: &mut Found<'_>) {
        self.end_value(found);
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.window.held_bytes()
            + self.path.capacity()
            + self.key.capacity()
            + self.name.capacity()
            + self.levels.capacity() * size_of::<usize>()
    }

    fn byte(&mut self, byte: u8, found: &mut Found<'_>) {
        match self.state {
            State::Between => self.between(byte, found),
            State::Text => match byte {
                b'"' => self.state = State::AfterText,
                _ => self.state = State::Escape,
            },
            State::Escape => self.escape(byte, found),
            State::Unicode(value, count) => self.unicode(byte, (value, count), found),
            State::AfterText => {
                if byte.is_ascii_whitespace() {
                    return;
                }
                self.state = State::Between;
                if byte == b':' {
                    self.end_key(found);
                } else {
                    self.end_value(found);
                    self.between(byte, found);
                }
            }
            State::Bare => match byte {
                b':' => {
                    self.state = State::Between;
                    self.end_key(found);
                }
                b'{' | b'}' | b'[' | b']' | b',' | b'"' => {
                    self.state = State::Between;
                    self.end_value(found);
                    self.between(byte, found);
                }
                _ => self.extend(&[byte], found),
            },
        }
    }

    fn between(&mut self, byte: u8, found: &mut Found<'_>) {
        match byte {
            b'{' | b'[' => self.open(),
            b'}' | b']' => self.close(),
            b'"' => self.state = State::Text,
            b',' | b':' => {}
            _ if byte.is_ascii_whitespace() => {}
            _ => {
                self.state = State::Bare;
                self.extend(&[byte], found);
            }
        }
    }

    fn escape(&mut self, byte: u8, found: &mut Found<'_>) {
        self.state = State::Text;
        let character = match byte {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'b' => 8,
            b'f' => 12,
            b'u' => {
                self.state = State::Unicode(0, 0);
                return;
            }
            // `\"`, `\\`, `\/`, and what no parser accepts.
            other => other,
        };
        self.extend(&[character], found);
    }

    fn unicode(&mut self, byte: u8, (value, count): (u32, u8), found: &mut Found<'_>) {
        let Some(digit) = (byte as char).to_digit(16) else {
            // Not an escape: what follows is text again.
            self.state = State::Text;
            self.high_surrogate = None;
            self.byte_of_text(byte, found);
            return;
        };
        let value = value * 16 + digit;
        if count < 3 {
            self.state = State::Unicode(value, count + 1);
            return;
        }
        self.state = State::Text;
        let value = match (self.high_surrogate.take(), value) {
            (Some(high), 0xdc00..=0xdfff) => 0x10000 + ((high - 0xd800) << 10) + (value - 0xdc00),
            (_, 0xd800..=0xdbff) => {
                self.high_surrogate = Some(value);
                return;
            }
            _ => value,
        };
        let character = char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER);
        let mut room = [0; 4];
        self.extend(character.encode_utf8(&mut room).as_bytes(), found);
    }

    fn byte_of_text(&mut self, byte: u8, found: &mut Found<'_>) {
        match byte {
            b'"' => self.state = State::AfterText,
            b'\\' => self.state = State::Escape,
            _ => self.extend(&[byte], found),
        }
    }

    fn extend(&mut self, bytes: &[u8], found: &mut Found<'_>) {
        if self.window.is_empty() {
            self.set_name();
        }
        let name = &self.name;
        self.window.extend(bytes, &mut |text| found.value(Place::BodyField(name), text));
    }

    fn set_name(&mut self) {
        self.name.clear();
        self.name.push_str(&self.path);
        if !self.path.is_empty() && !self.key.is_empty() {
            self.name.push('.');
        }
        self.name.push_str(&self.key);
    }

    fn end_key(&mut self, found: &mut Found<'_>) {
        let key = String::from_utf8_lossy(self.window.held()).into_owned();
        self.window.finish(&mut |text| found.value(Place::BodyName, text.trim_ascii()));
        let key = key.trim();
        // `{"constructor": {"prototype": …}}` reaches what neither key alone does.
        let parent = self.path.rsplit('.').next().unwrap_or_default();
        if parent == "constructor" && key == "prototype" {
            found.value(Place::BodyName, b"constructor.prototype");
        }
        self.key.clear();
        self.key.extend(key.chars().take(KEY_BYTES_MAX / 4));
    }

    fn end_value(&mut self, found: &mut Found<'_>) {
        self.state = State::Between;
        let name = &self.name;
        let is_word =
            matches!(self.window.held().trim_ascii(), b"true" | b"false" | b"null")
                || self.window.held().iter().all(|byte| {
                    byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'\n' | b' ')
                });
        if is_word {
            self.window.clear();
        }
        self.window.finish(&mut |text| found.value(Place::BodyField(name), text));
    }

    fn open(&mut self) {
        if self.levels.len() >= NAMED_DEPTH_MAX {
            self.deeper = self.deeper.saturating_add(1);
            return;
        }
        self.levels.push(self.path.len());
        if !self.key.is_empty() && self.path.len() + self.key.len() < PATH_BYTES_MAX {
            if !self.path.is_empty() {
                self.path.push('.');
            }
            self.path.push_str(&self.key);
        }
        self.key.clear();
    }

    fn close(&mut self) {
        self.key.clear();
        if self.deeper > 0 {
            self.deeper -= 1;
        } else if let Some(length) = self.levels.pop() {
            self.path.truncate(length);
        }
    }
}
