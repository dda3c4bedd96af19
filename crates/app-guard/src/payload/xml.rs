//! Declarations of XML that load something from elsewhere or grow without bound.

use super::category::Category::Xml;
use super::scan::{Scan, View};
use super::text::{at, contains, find, from, places_of, skip_spaces, slice};

/// How long a declaration is read.
const DECLARATION_MAX: usize = 512;

/// Looks for declarations and inclusions.
pub(crate) fn check(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.lower;
    scan.walked(text.len().saturating_mul(4));
    for start in places_of(text, b"<!entity") {
        let declaration = slice(text, start, start + DECLARATION_MAX);
        let is_declared = contains(declaration, b"\"")
            || contains(declaration, b"'")
            || contains(declaration, b"%");
        if is_declared {
            hit(scan, view, start, "xml_entity", "an entity is declared");
            break;
        }
    }
    for start in places_of(text, b"<!doctype") {
        let declaration = from(text, start + 9);
        let end = declaration.iter().take(DECLARATION_MAX).position(|&byte| byte == b'>');
        let declaration = slice(declaration, 0, end.unwrap_or(DECLARATION_MAX));
        // The document types of HTML and SVG name their standard.
        let is_standard = contains(declaration, b"w3c//dtd")
            || contains(declaration, b"ietf//dtd")
            || contains(declaration, b"about:legacy-compat")
            || contains(declaration, b"apple//dtd");
        let is_external = contains(declaration, b"system") || contains(declaration, b"public");
        let name_end = skip_spaces(declaration, 0);
        let has_subset = contains(declaration, b"[") && at(declaration, name_end) != 0;
        if (is_external && !is_standard)
            || (has_subset
                && (contains(from(text, start), b"<!")
                    && !contains(from(declaration, 0), b"if ie"))
                && contains(slice(text, start + 9, start + DECLARATION_MAX), b"<!e"))
        {
            hit(scan, view, start, "xml_doctype", "a document type that loads something");
            break;
        }
    }
    // Filters that know no such encoding see no declaration in it.
    let hides = find(text, b"<?xml").is_some_and(|start| {
        let declaration = slice(text, start, start + DECLARATION_MAX);
        let end = find(declaration, b"?>").unwrap_or(declaration.len());
        let declaration = slice(declaration, 0, end);
        contains(declaration, b"utf-7") || contains(declaration, b"utf7")
    });
    if hides || contains(text, b"+adwaiq-") {
        hit(scan, view, 0, "xml_encoding", "an encoding that hides declarations");
    }
    let includes = [&b"<xi:include"[..], b"http://www.w3.org/2001/xinclude", b"<xinclude"];
    if let Some(start) = includes.iter().find_map(|part| find(text, part))
        && (contains(text, b"href") || contains(text, b"parse="))
    {
        hit(scan, view, start, "xml_include", "another document is included");
    }
    for part in [&b"xsl:include"[..], b"xsl:import", b"<?xml-stylesheet"] {
        if let Some(start) = find(text, part)
            && contains(slice(text, start, start + DECLARATION_MAX), b"href")
        {
            hit(scan, view, start, "xml_stylesheet", "a style sheet is loaded");
        }
    }
    for part in [
        &b"php:function"[..],
        b"system-property(",
        b"unparsed-text(",
        b"document('",
        b"document(\"",
        b"msxsl:script",
        b"xalan/java",
        b"rt:exec",
        b"java.lang.runtime",
    ] {
        if contains(text, b"xsl:")
            && let Some(start) = find(text, part)
        {
            hit(scan, view, start, "xml_transformation", "a transformation that calls functions");
        }
    }
}

fn hit(scan: &mut Scan<'_>, view: &View<'_>, at: usize, name: &'static str, words: &'static str) {
    scan.hit(view, at, (Xml, 1.0), name, words);
}
