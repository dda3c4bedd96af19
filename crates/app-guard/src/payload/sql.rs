//! SQL behind a value: it is read as it would stand in a statement, after an open quote of either kind, with and
//! without backslashes that escape, and after none, and judged by the shape of its tokens.

mod shapes;
mod tokens;
mod words;

use super::scan::{Scan, View};
use super::text::{at, find, from, slice};
use tokens::{Context, Tokens};

/// Looks for SQL in all contexts that the value could stand in.
pub(crate) fn check(scan: &mut Scan<'_>, view: &View<'_>) {
    read(scan, view);
    scan.walked(view.lower.len());
    if let Some(bare) = without_line_comments(view.lower) {
        let bare = View {
            original: &bare,
            lower: &bare,
            prose: &bare,
            seen: view.seen,
            hidden: view.hidden,
        };
        read(scan, &bare);
    }
}

/// `1 union -- x` and a line break, and `select …` behind it: what the database reads; nothing without such comments.
fn without_line_comments(text: &[u8]) -> Option<Vec<u8>> {
    let last_line = memchr::memrchr(b'\n', text)?;
    let is_comment = |index: usize| {
        at(text, index) == b'#' || at(text, index) == b'-' && at(text, index + 1) == b'-'
    };
    let first =
        memchr::memchr2_iter(b'#', b'-', slice(text, 0, last_line)).find(|&at| is_comment(at))?;
    let mut out = Vec::with_capacity(text.len());
    out.extend_from_slice(slice(text, 0, first));
    let mut index = first;
    while let Some(&byte) = text.get(index) {
        if index < last_line && is_comment(index) {
            // Before the last line break there is one more.
            index += memchr::memchr(b'\n', from(text, index)).unwrap_or(0);
        } else {
            out.push(byte);
            index += 1;
        }
    }
    Some(out)
}

fn read(scan: &mut Scan<'_>, view: &View<'_>) {
    let mut tokens = Tokens::default();
    for (context, escapes, mark) in [
        (Context::Bare, false, &b""[..]),
        (Context::Single, false, b"'"),
        (Context::Single, true, b"\\'"),
        (Context::Double, false, b"\""),
        (Context::Double, true, b"\\\""),
    ] {
        // Code that prose quotes is no statement, but what breaks out of a quote is one anywhere.
        let text = if mark.is_empty() { view.prose } else { view.lower };
        if find(text, mark).is_none() {
            continue;
        }
        tokens.read(text, context, escapes);
        // Reading and judging each token takes a bounded number of steps.
        scan.walked(text.len() + tokens.len());
        shapes::judge(scan, view, &tokens.over(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_end_with_their_line() {
        check("1 union --x\nselect #\n2", Some("1 union \nselect \n2"));
        check("1 -- x\n-- y", Some("1 \n-- y"));
        check("1 -- x", None);
        check("a-b\nc", None);
    }

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let bare = without_line_comments(text.as_bytes());
        assert_eq!(bare.as_deref(), expected.map(str::as_bytes), "text {text:?}");
    }
}
