//! SQL behind a value: it is read as it would stand in a statement, after an open quote of either kind and
//! after none, and judged by the shape of its tokens.

mod shapes;
mod tokens;
mod words;

use super::scan::{Scan, View};
use super::text::find;
use tokens::{Context, Tokens};

/// Looks for SQL in all contexts that the value could stand in.
pub(crate) fn check(scan: &mut Scan<'_>, view: &View<'_>) {
    let mut tokens = Tokens::default();
    for (context, quote) in
        [(Context::Bare, None), (Context::Single, Some(b"'")), (Context::Double, Some(b"\""))]
    {
        // Code that prose quotes is no statement, but what breaks out of a quote is one anywhere.
        let text = if quote.is_some() { view.lower } else { view.prose };
        if quote.is_some_and(|quote| find(text, quote).is_none()) {
            continue;
        }
        tokens.read(text, context);
        // Reading and judging each token takes a bounded number of steps.
        scan.walked(text.len() + tokens.len());
        shapes::judge(scan, view, &tokens.over(text));
    }
}
