//! Names in paths, each a whole segment or an extension: never a part of a word.

mod consoles;
mod files;
mod folders;
mod leftovers;
mod pages;

use crate::payload::text::slice;
use consoles::console;
use files::file;
use folders::{folder, hidden, public_of_system};

/// What a path asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// A file that holds secrets wherever it is named.
    Secret,
    /// A file of a project or a server.
    File,
    /// A page of a content management system.
    System,
    /// A copy that was left behind.
    Leftover,
    /// A console, a device or an interface with known holes.
    Console,
}

type Judged = (Probe, &'static str, &'static str);

/// What this path, in lower case, asks for.
pub(super) fn judge(path: &[u8], in_path: bool) -> Option<Judged> {
    // As folders these are somebody's product; as a page they are a word like others.
    match path {
        b"/solr/" | b"/nexus/" | b"/zabbix/" | b"/nagios/" | b"/cacti/" | b"/hudson/"
        | b"/owa/" | b"/ecp/" | b"/confluence/" | b"/ssl-vpn/" | b"/svpn/" | b"/jenkins/"
            if in_path =>
        {
            return Some(CONSOLE);
        }
        b"/joomla/" | b"/drupal/" | b"/wordpress/" | b"/magento/" | b"/wp/" if in_path => {
            return Some(SYSTEM);
        }
        _ if in_path && path.ends_with(b"/administrator/") => return Some(SYSTEM),
        _ => {}
    }
    let segments: Vec<&[u8]> = path
        .split(|&byte| matches!(byte, b'/' | b'\\'))
        .map(without_parameters)
        .filter(|segment| !segment.is_empty() && *segment != b".")
        .take(64)
        .collect();
    let last = segments.last().copied().unwrap_or_default();
    let is_root = segments.len() <= 1;
    if last.is_empty() {
        return None;
    }
    for (index, segment) in segments.iter().enumerate() {
        let next = segments.get(index + 1).copied().unwrap_or_default();
        let behind = segments.get(index + 1..).unwrap_or_default();
        if public_of_system(segment, behind) {
            continue;
        }
        // A page that shows the sources of a project names its folders.
        let is_shown = index >= 3;
        if let Some(judged) =
            folder(segment, next, in_path).or_else(|| hidden(segment, behind, in_path))
            && !(is_shown && judged == FILE)
        {
            return Some(judged);
        }
    }
    file(last, is_root, in_path).or_else(|| console(&segments, in_path))
}

/// `;jsessionid=…`, a zero byte and what follows.
fn without_parameters(segment: &[u8]) -> &[u8] {
    slice(
        segment,
        0,
        segment.iter().position(|&byte| matches!(byte, b';' | 0)).unwrap_or(segment.len()),
    )
}

const SECRET: Judged = (Probe::Secret, "probe_secret", "a file that holds secrets");
const FILE: Judged = (Probe::File, "probe_file", "a file of a project or a server");
const SYSTEM: Judged = (Probe::System, "probe_system", "a page of a content management system");
const LEFTOVER: Judged =
    (Probe::Leftover, "probe_leftover", "a copy or a test page that was left behind");
const CONSOLE: Judged = (Probe::Console, "probe_console", "a console or a device with known holes");
