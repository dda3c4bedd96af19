//! Copies, archives and dumps that were left behind, by extension.

use super::pages::by_system_page;
use super::{FILE, Judged, LEFTOVER};
use crate::payload::text::slice;

pub(super) fn by_extension(last: &[u8], is_root: bool, in_path: bool) -> Option<Judged> {
    if !in_path {
        return by_system_page(last, in_path);
    }
    let dot = last.iter().rposition(|&byte| byte == b'.');
    let (stem, extension) = match dot {
        Some(dot) if dot > 0 => (slice(last, 0, dot), slice(last, dot + 1, last.len())),
        _ => return by_system_page(last, in_path),
    };
    if last.ends_with(b"~") {
        return Some(LEFTOVER);
    }
    let is_copy = matches!(
        extension,
        b"bak"
            | b"backup"
            | b"old"
            | b"orig"
            | b"save"
            | b"swp"
            | b"swo"
            | b"swn"
            | b"bkp"
            | b"copy"
            | b"tmp"
            | b"temp"
            | b"inc"
            | b"dist"
            | b"1"
    );
    // `notes.old` may be somebody's; `index.php.bak` is a source.
    let source = stem
        .rsplit(|&byte| byte == b'.')
        .next()
        .is_some_and(|end| end.len() < stem.len() && end.iter().all(u8::is_ascii_alphabetic));
    if is_copy
        && (source
            || !matches!(extension, b"copy" | b"1" | b"dist" | b"tmp" | b"temp" | b"inc" | b"save"))
    {
        return Some(LEFTOVER);
    }
    let archived = [
        &b"backup"[..],
        b"dump",
        b"db",
        b"database",
        b"www",
        b"site",
        b"wwwroot",
        b"public_html",
        b"htdocs",
        b"src",
        b"source",
        b"web",
        b"website",
        b"html",
        b"bak",
        b"sql",
        b"mysql",
        b"old",
        b"full",
        b"data",
    ]
    .contains(&stem_of(stem));
    let is_archive =
        matches!(extension, b"zip" | b"gz" | b"tgz" | b"tar" | b"rar" | b"7z" | b"bz2");
    if is_archive && archived {
        return Some(LEFTOVER);
    }
    if matches!(
        extension,
        b"sql"
            | b"sqlite"
            | b"sqlite3"
            | b"sqlitedb"
            | b"mdb"
            | b"dbf"
            | b"kdbx"
            | b"pfx"
            | b"p12"
            | b"jks"
            | b"keystore"
            | b"ovpn"
            | b"rdp"
            | b"ppk"
            | b"tfstate"
            | b"pgsql"
            | b"dmp"
            | b"pem"
            | b"bson"
    ) || last.ends_with(b".sql.gz")
        || last.ends_with(b".sql.zip")
    {
        return Some(FILE);
    }
    // The sources that a script was made from; in a folder of assets a browser asks for them, beside the script.
    if is_root
        && extension == b"map"
        && [&b".js"[..], b".mjs", b".cjs", b".css"].iter().any(|end| stem.ends_with(end))
    {
        return Some(FILE);
    }
    // Programs of other languages, at the root or in folders of sources.
    let is_source = matches!(extension, b"py" | b"rb" | b"java" | b"go" | b"rs" | b"pl" | b"sh");
    if is_source && is_root {
        return Some(FILE);
    }
    let old_page = [
        &b"index"[..],
        b"home",
        b"page",
        b"post",
        b"article",
        b"about",
        b"contact",
        b"view",
        b"product",
        b"category",
        b"search",
        b"news",
        b"item",
        b"feed",
        b"blog",
        b"gallery",
        b"viewtopic",
        b"showthread",
    ]
    .contains(&stem);
    if extension == b"php" && !old_page && is_root {
        return Some(LEFTOVER);
    }
    by_system_page(last, in_path)
}

/// `backup-2024`, `db.sql`: the part that says what it is.
fn stem_of(stem: &[u8]) -> &[u8] {
    let end = stem
        .iter()
        .position(|&byte| matches!(byte, b'.' | b'-' | b'_') || byte.is_ascii_digit())
        .unwrap_or(stem.len());
    slice(stem, 0, end)
}
