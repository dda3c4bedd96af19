//! Paths that are asked for to see what an application leaves open: files with secrets, content management
//! systems, consoles and devices with known holes.

mod names;

use super::category::Category::{CmsProbing, Reconnaissance, SensitiveFile};
use super::place::Place;
use super::scan::{Scan, View};
use super::text::{at, contains, from, slice, trim};
use names::Probe;

/// The longest path that is read.
const PATH_MAX: usize = 2048;

/// Judges a path, or a value that is one.
pub(crate) fn check(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = trim(view.lower);
    let wanted =
        [SensitiveFile, CmsProbing, Reconnaissance].iter().any(|&category| scan.wants(category));
    if !wanted || scan.place.is_name() || text.len() > PATH_MAX {
        return;
    }
    let in_path = matches!(scan.place, Place::Path);
    // Only a value that is a path, and nothing else.
    if text.is_empty()
        || text.iter().any(|&byte| byte <= b' ' || matches!(byte, b'"' | b'<' | b'@' | b','))
    {
        return;
    }
    if matches!(scan.place, Place::Body | Place::FileName(_) | Place::FileContent(_)) {
        return;
    }
    if !in_path && super::text::find(slice(text, 0, 16), b"://").is_some() {
        return;
    }
    let end = text.iter().position(|&byte| matches!(byte, b'?' | b'#')).unwrap_or(text.len());
    let path = slice(text, 0, end);
    scan.walked(path.len().saturating_mul(4));
    let judged = names::judge(path, in_path);
    let Some((probe, name, words)) = judged else { return };
    // A name of a file in a field of a body is data, unless it is one of those that hold secrets.
    let weight = match probe {
        _ if in_path => 1.0,
        Probe::Secret => 1.0,
        Probe::File if starts_path(text) => 1.0,
        Probe::System if starts_path(text) && matches!(scan.place, Place::QueryParameter(_)) => 1.0,
        Probe::Console
            if starts_path(text)
                && matches!(scan.place, Place::QueryParameter(_))
                && text.iter().filter(|&&byte| byte == b'/').count() >= 2 =>
        {
            1.0
        }
        _ => 0.5,
    };
    let category = match probe {
        Probe::Secret | Probe::File => SensitiveFile,
        Probe::System | Probe::Leftover => CmsProbing,
        Probe::Console => Reconnaissance,
    };
    scan.hit(view, 0, (category, weight), name, words);
}

fn starts_path(text: &[u8]) -> bool {
    matches!(at(text, 0), b'/' | b'.' | b'\\')
        || contains(text, b"../")
        || from(text, 1).starts_with(b":\\")
}
