//! One value on its way through views and checks.

use super::category::{Category, CategorySet};
use super::finding::{Hit, excerpt};
use super::place::Place;
use super::text::{is_space, slice, words_up_to};
use super::triggers::Seen;
use super::views::Hidden;
use std::borrow::Cow;

/// How a value looks after some rounds of decoding.
pub(crate) struct View<'a> {
    /// As it is.
    pub(crate) original: &'a [u8],
    /// The same with ASCII letters in lower case; offsets are the same.
    pub(crate) lower: &'a [u8],
    /// The lower case text with quotations of code in prose blanked out; offsets are the same.
    pub(crate) prose: &'a [u8],
    /// What the prefilter saw.
    pub(crate) seen: Seen,
    /// What the encodings taken off so far hid.
    pub(crate) hidden: Hidden,
}

/// What is known of a value so far.
pub(crate) struct Scan<'a> {
    pub(crate) place: Place<'a>,
    excluded: CategorySet,
    pub(crate) hits: Vec<Hit>,
    /// How many bytes or tokens all loops went over.
    pub(crate) steps: u64,
}

impl<'a> Scan<'a> {
    pub(crate) fn new(place: Place<'a>, switched_off: CategorySet) -> Self {
        let excluded = place.excluded().union(switched_off);
        Self { place, excluded, hits: Vec::new(), steps: 0 }
    }

    /// Counts the work of a loop over that many bytes or tokens.
    #[inline]
    pub(crate) fn walked(&mut self, steps: usize) {
        self.steps = self.steps.saturating_add(steps as u64);
    }

    /// Whether this category is looked for.
    pub(crate) fn wants(&self, category: Category) -> bool {
        !self.excluded.contains(category)
    }

    /// Notes what a check saw at `at`.
    pub(crate) fn hit(
        &mut self,
        view: &View<'_>,
        at: usize,
        (category, weight): (Category, f32),
        pattern: &'static str,
        explanation: &'static str,
    ) {
        self.note(view, at, (category, weight), Cow::Borrowed(pattern), Cow::Borrowed(explanation));
    }

    /// The same for a pattern that is not ours.
    pub(crate) fn custom_hit(&mut self, view: &View<'_>, at: usize, pattern: &str) {
        let explanation = Cow::Borrowed("matches a custom pattern");
        let pattern = Cow::Owned(pattern.to_owned());
        self.note(view, at, (Category::Custom, 1.0), pattern, explanation);
    }

    fn note(
        &mut self,
        view: &View<'_>,
        at: usize,
        (category, weight): (Category, f32),
        pattern: Cow<'static, str>,
        explanation: Cow<'static, str>,
    ) {
        if self.excluded.contains(category) {
            return;
        }
        // The same hint in another view, or repeated, is the same hint.
        if let Some(known) =
            self.hits.iter_mut().find(|hit| hit.category == category && hit.pattern == pattern)
        {
            known.weight = known.weight.max(weight);
            return;
        }
        let excerpt = excerpt(view.original, at);
        self.hits.push(Hit { category, weight, pattern, explanation, excerpt });
    }

    /// What all hits weigh together.
    pub(crate) fn weight(&self) -> f32 {
        self.hits.iter().map(|hit| hit.weight).sum()
    }
}

/// The text with code between backticks blanked out, where the rest is prose; nothing where it is not.
///
/// Who writes ``run `ls -la` first`` quotes a command. A shell would run it, so this holds only where words of
/// prose stand around it, and the backticks stand as quotation marks do.
pub(crate) fn without_quoted_code(lower: &[u8], words_min: usize) -> Option<Vec<u8>> {
    let mut out = lower.to_vec();
    let mut opened: Option<usize> = None;
    let mut any = false;
    for (index, &byte) in lower.iter().enumerate() {
        if byte != b'`' {
            continue;
        }
        match opened {
            None if opens(lower, index) => opened = Some(index),
            None => {}
            Some(start) if closes(lower, index) => {
                for blanked in out.iter_mut().take(index + 1).skip(start) {
                    *blanked = b' ';
                }
                any = true;
                opened = None;
            }
            Some(_) => {}
        }
    }
    (any && words_up_to(&out, words_min) >= words_min).then_some(out)
}

fn opens(text: &[u8], index: usize) -> bool {
    let before = slice(text, index.saturating_sub(1), index);
    before.iter().all(|&byte| {
        is_space(byte) || matches!(byte, b'(' | b'"' | b'*' | b'[' | b'>' | b'`' | b'\'' | b':')
    })
}

fn closes(text: &[u8], index: usize) -> bool {
    let after = slice(text, index + 1, index + 2);
    after.iter().all(|&byte| {
        is_space(byte)
            || matches!(
                byte,
                b'.' | b',' | b';' | b':' | b'!' | b'?' | b')' | b'"' | b'*' | b']' | b'`' | b'\''
            )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_code_is_blanked_in_prose_only() {
        let prose = without_quoted_code(b"please run `ls -la` there", 2).unwrap();
        assert_eq!(prose, b"please run          there");
        assert_eq!(without_quoted_code(b"`id`", 2), None);
        assert_eq!(without_quoted_code(b"some name`id`", 2), None);
        assert_eq!(without_quoted_code(b"some words here", 2), None);
    }
}
