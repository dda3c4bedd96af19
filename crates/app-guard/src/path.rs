//! Paths, and whether one lies in a subtree however it is written.

use std::borrow::Cow;

/// How often a path is decoded before it counts as an attempt to hide something.
const ROUNDS_MAX: usize = 8;

/// Subtrees that a guard leaves alone, such as `/static`.
///
/// A path is inside only if nobody could read it as lying outside: as it stands, after each round of
/// percent-decoding, and with dot segments folded in each of these forms. Otherwise
/// `/static/%2e%2e/admin` would be left alone by the guard and served as `/admin` by the application.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExcludedPaths {
    subtrees: Vec<Box<str>>,
}

impl ExcludedPaths {
    /// Of these subtrees; each begins with a slash, or is left out.
    pub fn new<S: AsRef<str>>(subtrees: impl IntoIterator<Item = S>) -> Self {
        let trimmed = subtrees.into_iter().filter_map(|subtree| {
            let subtree = subtree.as_ref().trim();
            subtree.starts_with('/').then(|| Box::from(subtree.trim_end_matches('/')))
        });
        Self { subtrees: trimmed.collect() }
    }

    /// The subtree that the path lies in.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&str> {
        if self.subtrees.is_empty() {
            return None;
        }
        let forms = forms(path)?;
        let inside = |subtree: &&str| forms.iter().all(|form| lies_in(form, subtree));
        self.iter().find(inside)
    }

    /// The subtrees.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.subtrees.iter().map(|subtree| &**subtree)
    }
}

/// The path as an application that decodes and folds it reads it; the path itself where there is nothing to
/// do. `None` where it does not come to rest, or is no text.
#[must_use]
pub fn plain_path(path: &str) -> Option<Cow<'_, str>> {
    if !path.contains(['%', '\\']) && !has_odd_segments(path) {
        return Some(Cow::Borrowed(path));
    }
    forms(path)?.pop()
}

/// Every way to read the path: as it stands, decoded once, twice …, and each of them folded. The last is
/// the plainest.
fn forms(path: &str) -> Option<Vec<Cow<'_, str>>> {
    let mut forms = vec![Cow::Borrowed(path)];
    let mut current = Cow::Borrowed(path);
    for _ in 0..ROUNDS_MAX {
        if current.contains('\0') {
            return None;
        }
        if has_odd_segments(&current) || current.contains('\\') {
            forms.push(Cow::Owned(folded(&current)));
        }
        if !current.contains('%') {
            return Some(forms);
        }
        let decoded = percent_decoded(&current)?;
        if decoded == *current {
            return Some(forms);
        }
        forms.push(Cow::Owned(decoded.clone()));
        current = Cow::Owned(decoded);
    }
    None
}

fn lies_in(path: &str, subtree: &str) -> bool {
    path.strip_prefix(subtree).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a segment is empty, `.` or `..`, perhaps with parameters behind a semicolon.
fn has_odd_segments(path: &str) -> bool {
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        if (segment.is_empty() && !last) || is_dots(segment) {
            return true;
        }
    }
    false
}

fn is_dots(segment: &str) -> bool {
    let name = segment.split(';').next().unwrap_or(segment);
    name == "." || name == ".."
}

/// Without empty and dot segments; backslashes are slashes.
fn folded(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split(['/', '\\']) {
        match segment.split(';').next().unwrap_or(segment) {
            ".." => {
                kept.pop();
            }
            "." => {}
            "" if segment.is_empty() => {}
            _ => kept.push(segment),
        }
    }
    let mut folded = String::with_capacity(path.len());
    for segment in &kept {
        folded.push('/');
        folded.push_str(segment);
    }
    if folded.is_empty() || path.ends_with(['/', '\\']) {
        folded.push('/');
    }
    folded
}

/// One round of percent-decoding; `None` where the result is not UTF-8. What is no escape stays.
pub(crate) fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        match (first, behind) {
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high << 4 | low);
                    rest = after;
                }
                _ => {
                    bytes.push(b'%');
                    rest = behind;
                }
            },
            _ => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
