//! Commands of a shell behind what separates commands: read word by word, without the quotes, backslashes
//! and empty variables that hide words from filters.

mod arguments;
mod batch;
mod commands;
mod forms;
mod prose;
mod separators;
mod starts;
mod words;

use super::category::Category::CommandInjection;
use super::scan::{Scan, View};

/// Looks behind each separator, at the start, and for forms that are commands wherever they stand.
pub(crate) fn check(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.prose;
    scan.walked(text.len().saturating_mul(3));
    separators::check(scan, view, text);
    forms::check(scan, view, text);
    starts::check(scan, view, text);
}

fn hit(scan: &mut Scan<'_>, view: &View<'_>, at: usize, name: &'static str, words: &'static str) {
    scan.hit(view, at, (CommandInjection, 1.0), name, words);
}
