//! SQL behind a value: it is read as it would stand in a statement, after an open quote of either kind, with and
//! without backslashes that escape, and after none, and judged by the shape of its tokens.

mod shapes;
mod tokens;
mod words;

use super::scan::{Scan, View};
use super::text::find;
use tokens::{Context, Tokens};

/// Looks for SQL in all contexts that the value could stand in.
pub(crate) fn check(scan: &mut Scan<'_>, view: &View<'_>) {
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
