//! Script in markup: tags and attributes as a browser reads them, values that break out of an attribute or of
//! a string of a script, and URLs whose scheme is a script.

mod events;
mod script_strings;
mod script_urls;
mod tags;

use super::category::Category::CrossSiteScripting;
use super::scan::{Scan, View};

/// The longest name of a tag or attribute that means anything.
const NAME_MAX: usize = 64;
/// How far the start of an attribute's value, or of what follows a quote, is read.
const VALUE_MAX: usize = 256;

/// Looks for script in all contexts that the value could stand in.
pub(crate) fn check(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.lower;
    if memchr::memchr(b'<', text).is_some() {
        // Once as a browser reads it, and once without regard to quotes: what is quoted here may not be there.
        for respects_quotes in [true, false] {
            scan.walked(text.len().saturating_mul(2));
            tags::tags(scan, view, respects_quotes);
        }
    }
    scan.walked(text.len().saturating_mul(3));
    events::handlers(scan, view);
    script_urls::script_urls(scan, view);
    script_strings::script_strings(scan, view);
}

fn hit(scan: &mut Scan<'_>, view: &View<'_>, at: usize, name: &'static str, words: &'static str) {
    scan.hit(view, at, (CrossSiteScripting, 1.0), name, words);
}
