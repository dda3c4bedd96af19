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
    if !wanted || matches!(scan.place, Place::Header(_)) {
        return;
    }
    scan.walked(text.len().saturating_mul(2));
    remote_procedure(scan, view);
    if scan.place.is_name() {
        parameter_name(scan, view, text);
        return;
    }
    let in_path = matches!(scan.place, Place::Path);
    if text.len() > PATH_MAX && !in_path {
        return;
    }
    // Servers read a thousand slashes as one: what is asked for stands at the end.
    let text = from(text, text.len().saturating_sub(PATH_MAX));
    // Only a value that is a path, and nothing else.
    let is_other =
        |byte: &u8| !in_path && (*byte <= b' ' || matches!(byte, b'"' | b'<' | b'@' | b','));
    if text.is_empty() || text.iter().any(is_other) {
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
    if in_path {
        parameter_name(scan, view, from(text, end));
    }
    let is_route = matches!(scan.place, Place::QueryParameter("rest_route"))
        && path.starts_with(b"/wp/")
        || contains(from(text, end), b"rest_route=/wp/");
    if is_route {
        let words = "a page of a content management system";
        scan.hit(view, 0, (CmsProbing, 1.0), "probe_system", words);
        return;
    }
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

/// Names of parameters that only the holes of content management systems have: Drupal takes render arrays from
/// `mail[#post_render][]` and `element_parents`.
fn parameter_name(scan: &mut Scan<'_>, view: &View<'_>, text: &[u8]) {
    let bracket = super::text::find(text, b"[#");
    let renders = bracket.is_some_and(|start| at(text, start + 2).is_ascii_lowercase());
    let walks = super::text::find(text, b"element_parents")
        .is_some_and(|start| start <= 1 || at(text, start - 1) == b'&');
    let format = super::text::find(text, b"_format=hal_json").is_some();
    if renders || walks || format {
        let words = "a parameter that a hole of a content management system is reached by";
        scan.hit(view, 0, (CmsProbing, 1.0), "probe_parameter", words);
    }
}

/// `system.multicall` and what it calls: passwords are tried through it by the hundred.
fn remote_procedure(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.lower;
    if !matches!(scan.place, Place::Body | Place::BodyField(_)) {
        return;
    }
    let is_call = contains(text, b"<methodname>") || scan.place.is_named(&["methodname"]);
    let calls = [&b"system.multicall"[..], b"wp.get", b"pingback.ping"]
        .iter()
        .find_map(|name| super::text::find(text, name));
    if let (true, Some(start)) = (is_call, calls) {
        let words = "a remote procedure of a content management system";
        scan.hit(view, start, (CmsProbing, 1.0), "probe_procedure", words);
    }
}

fn starts_path(text: &[u8]) -> bool {
    matches!(at(text, 0), b'/' | b'.' | b'\\')
        || contains(text, b"../")
        || from(text, 1).starts_with(b":\\")
}
