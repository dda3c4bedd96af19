//! Forms in the encoding of URLs: `name=value&name=value`.

use super::Found;
use super::window::Window;
use crate::payload::place::Place;

/// How much of a name is repeated in findings, in bytes.
const NAME_BYTES_MAX: usize = 256;

/// Walks a form byte by byte.
#[derive(Debug, Default)]
pub(super) struct FormWalk {
    /// The start of the name whose value is read.
    name: String,
    in_value: bool,
    window: Window,
}

impl FormWalk {
    pub(super) fn feed(&mut self, chunk: &[u8], found: &mut Found<'_>) {
        let mut rest = chunk;
        while !rest.is_empty() {
            let end = if self.in_value {
                memchr::memchr2(b'&', b'+', rest)
            } else {
                memchr::memchr3(b'&', b'=', b'+', rest)
            };
            let (plain, from_mark) = rest.split_at(end.unwrap_or(rest.len()));
            self.extend(plain, found);
            let Some((&mark, after)) = from_mark.split_first() else { return };
            rest = after;
            match mark {
                b'+' => self.extend(b" ", found),
                b'&' => self.end_pair(found),
                _ => self.end_name(found),
            }
        }
    }

    pub(super) fn finish(&mut self, found: &mut Found<'_>) {
        self.end_pair(found);
    }

    fn extend(&mut self, bytes: &[u8], found: &mut Found<'_>) {
        let (name, place) = (&self.name, self.in_value);
        self.window.extend(bytes, &mut |text| {
            let place = if place { Place::BodyField(name) } else { Place::BodyName };
            found.value(place, text);
        });
    }

    fn end_name(&mut self, found: &mut Found<'_>) {
        self.name = String::from_utf8_lossy(&decoded_name(self.window.held())).into_owned();
        self.window.finish(&mut |text| found.value(Place::BodyName, text));
        self.in_value = true;
    }

    fn end_pair(&mut self, found: &mut Found<'_>) {
        let (name, in_value) = (&self.name, self.in_value);
        self.window.finish(&mut |text| {
            let place = if in_value { Place::BodyField(name) } else { Place::BodyName };
            found.value(place, text);
        });
        self.name.clear();
        self.in_value = false;
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.window.held_bytes() + self.name.capacity()
    }
}

/// The start of a name as people know it: `user%5Bname%5D` is `user[name]`.
fn decoded_name(name: &[u8]) -> Vec<u8> {
    let name = name.get(..name.len().min(NAME_BYTES_MAX)).unwrap_or_default();
    crate::payload::views::decode(name, false, &mut crate::payload::views::Hidden::default())
        .unwrap_or_else(|| name.to_vec())
}
