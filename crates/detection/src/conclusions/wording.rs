//! Titles and reasons: what people read. Names come from outside, so they are made printable.

use crate::{HostTable, IndicatorAction, IndicatorKind, IndicatorMatch, MatchedOn};
use ringwall_event::{Connection, Finding, ProcessRef, Source};

/// How many characters of a name are shown.
const SHOWN_CHARS_MAX: usize = 128;

pub(super) fn finding(found: &IndicatorMatch<'_>) -> Finding {
    Finding::IndicatorMatch {
        indicator: found.indicator.kind().name().to_owned(),
        value: found.indicator.value().to_string(),
    }
}

pub(super) fn process_title(process: &ProcessRef, found: &IndicatorMatch<'_>) -> String {
    let name = shown(&process.name);
    let value = shown(&found.indicator.value().to_string());
    match (found.indicator.kind(), found.on) {
        (IndicatorKind::Process, MatchedOn::Script) => {
            format!("known bad script '{value}' run by '{name}'")
        }
        (IndicatorKind::Process, MatchedOn::CutName) => {
            format!("process '{name}' may be the listed '{value}'")
        }
        (IndicatorKind::Process, _) if found.indicator.action == IndicatorAction::Alert => {
            format!("listed process '{name}'")
        }
        (IndicatorKind::Process, _) => format!("known bad process '{name}'"),
        (IndicatorKind::Path, _) => format!("process '{name}' runs from the listed path '{value}'"),
        (IndicatorKind::Hash, _) => format!("process '{name}' runs a listed program file"),
        (kind, _) => format!("process '{name}' names the listed {kind} '{value}'"),
    }
}

pub(super) fn connection_title(
    connection: &Connection,
    process: Option<&ProcessRef>,
    found: &IndicatorMatch<'_>,
) -> String {
    let kind = found.indicator.kind();
    let remote = shown(connection.remote_address.as_deref().unwrap_or_default());
    match process {
        Some(process) if !process.name.is_empty() => {
            format!("process '{}' connected to the listed {kind} '{remote}'", shown(&process.name))
        }
        _ => format!("connection to the listed {kind} '{remote}'"),
    }
}

pub(super) fn client_title(source: &Source, address: &str) -> String {
    format!("known bad address {} is a client of {}", shown(address), shown(&source.name))
}

pub(super) fn new_process_title(process: &ProcessRef) -> String {
    format!("new process '{}' on this host", shown(&process.name))
}

pub(super) fn new_process_reason(table: &HostTable) -> String {
    match table.first_seen() {
        Some(since) => format!("No process of this name was seen on this host since {since}."),
        None => "No process of this name was seen on this host.".to_owned(),
    }
}

pub(super) fn reason(found: &IndicatorMatch<'_>) -> String {
    let indicator = found.indicator;
    let what = match found.on {
        MatchedOn::Name => "The process name",
        MatchedOn::CutName => "The first 15 bytes of the process name",
        MatchedOn::Executable => "The program file",
        MatchedOn::Script => "The script that it runs",
        MatchedOn::Digest => "The SHA-256 of the program file",
        MatchedOn::RemoteAddress => "The other side of the connection",
        MatchedOn::CommandLine => "The command line",
    };
    let note = match &indicator.note {
        Some(note) => format!(": {}", shown(note)),
        None => String::new(),
    };
    format!(
        "{what} matches the listed {} '{}' ({}){note}.",
        indicator.kind(),
        shown(&indicator.value().to_string()),
        indicator.origin.name(),
    )
}

/// The text without what does not print or would be obeyed by a terminal, and not endless.
pub(super) fn shown(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().take(SHOWN_CHARS_MAX) {
        // Beside the control characters: those that reorder or hide what stands around them.
        let hides = matches!(
            c,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        );
        if c.is_control() || hides {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    if text.chars().nth(SHOWN_CHARS_MAX).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn names_are_made_printable() {
        assert_eq!(shown("evil.sh"), "evil.sh");
        assert_eq!(shown("\u{1b}[31mred\n"), "\\u{1b}[31mred\\n");
        assert_eq!(shown("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(shown(&"x".repeat(200)).chars().count(), 129);
    }
}
