//! Texts against patterns, one pattern prepared for many texts.

use super::predicate::{Place, TextPattern};
use memchr::memmem::Finder;

/// A pattern, prepared.
pub(crate) struct TextMatcher {
    place: Place,
    words: Vec<u8>,
    ignore_ascii_case: bool,
    /// For patterns of exact case.
    finder: Option<Finder<'static>>,
    /// For patterns of any case: the rarest byte of the words in both cases, and its place.
    rare: Option<(u8, u8, usize)>,
}

impl TextMatcher {
    pub(crate) fn new(pattern: &TextPattern) -> Self {
        let mut words = pattern.words.clone().into_bytes();
        if pattern.ignore_ascii_case {
            words.make_ascii_lowercase();
        }
        let anywhere = pattern.place == Place::Anywhere && !words.is_empty();
        let has_letters = words.iter().any(u8::is_ascii_lowercase);
        let exact = !pattern.ignore_ascii_case || !has_letters;
        let finder = (anywhere && exact).then(|| Finder::new(&words).into_owned());
        let rare = (anywhere && !exact)
            .then(|| {
                let (at, byte) =
                    words.iter().enumerate().min_by_key(|(_, byte)| frequency(**byte))?;
                Some((*byte, byte.to_ascii_uppercase(), at))
            })
            .flatten();
        Self {
            place: pattern.place,
            words,
            ignore_ascii_case: pattern.ignore_ascii_case && has_letters,
            finder,
            rare,
        }
    }

    /// Whether the text fits.
    pub(crate) fn fits(&self, text: &[u8]) -> bool {
        let length = self.words.len();
        match self.place {
            Place::Start => text.get(..length).is_some_and(|start| self.same(start)),
            Place::End => text
                .len()
                .checked_sub(length)
                .and_then(|from| text.get(from..))
                .is_some_and(|end| self.same(end)),
            Place::Anywhere => self.is_in(text),
        }
    }

    /// Whether the words stand anywhere in these bytes, which may be many texts one after another.
    pub(crate) fn is_in(&self, bytes: &[u8]) -> bool {
        let length = self.words.len();
        if length == 0 {
            return true;
        }
        if let Some(finder) = &self.finder {
            return finder.find(bytes).is_some();
        }
        let Some((lower, upper, at)) = self.rare else {
            // The words stand at an end: that is found by looking at every place.
            return bytes.windows(length).any(|window| self.same(window));
        };
        memchr::memchr2_iter(lower, upper, bytes).any(|found| {
            found
                .checked_sub(at)
                .and_then(|from| bytes.get(from..from + length))
                .is_some_and(|window| self.same(window))
        })
    }

    fn same(&self, text: &[u8]) -> bool {
        if self.ignore_ascii_case {
            text.eq_ignore_ascii_case(&self.words)
        } else {
            text == self.words
        }
    }
}

/// How common a byte is in the texts of events, roughly: the rarest is looked for first.
fn frequency(byte: u8) -> u8 {
    match byte {
        b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' | b'/' | b' ' | b'.' => 9,
        b'0'..=b'9' | b'-' | b'l' | b'c' | b'd' | b'u' | b'p' | b'm' => 7,
        b'h' | b'g' | b'b' | b'f' | b'y' | b'w' | b'v' => 5,
        b'k' | b'_' | b'=' | b':' => 3,
        b'x' | b'j' | b'q' | b'z' => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_the_plain_way(
            text in "[aAbB%é]{0,8}", words in "[aAbB%é]{0,3}", ignore: bool,
            place in prop::sample::select(vec![Place::Start, Place::End, Place::Anywhere]),
        ) {
            let fold = |text: &str| if ignore { text.to_ascii_lowercase() } else { text.to_owned() };
            let (plain_text, plain_words) = (fold(&text), fold(&words));
            let expected = match place {
                Place::Start => plain_text.starts_with(&plain_words),
                Place::End => plain_text.ends_with(&plain_words),
                Place::Anywhere => plain_text.contains(&plain_words),
            };
            let pattern = TextPattern { place, words, ignore_ascii_case: ignore };
            let matcher = TextMatcher::new(&pattern);
            prop_assert_eq!(matcher.fits(text.as_bytes()), expected);
            if plain_text.contains(&plain_words) {
                prop_assert!(matcher.is_in(text.as_bytes()));
            }
        }
    }
}
