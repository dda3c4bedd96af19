//! Streams, and programs on other servers, where a file of the application's own is named.

use super::parts::host_of;
use super::{URL_MAX, is_prose};
use crate::payload::category::Category::FileInclusion;
use crate::payload::place::Place;
use crate::payload::scan::{Scan, View};
use crate::payload::text::{at, contains, find, from, is_word, skip, slice, trim};

/// Streams of PHP and Java, and files by URL.
pub(super) fn streams(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.lower;
    for scheme in [
        &b"php://"[..],
        b"expect://",
        b"phar://",
        b"zip://",
        b"glob://",
        b"ogg://",
        b"zlib://",
        b"compress.zlib://",
        b"compress.bzip2://",
        b"ssh2.",
        b"rar://",
        b"data://",
        b"file://",
        b"jar:",
        b"netdoc://",
        b"classpath:",
        b"url:file:",
        b"php:filter",
        b"data:text/plain",
        b"data:;base64,",
        b"data:application/x-httpd-php",
        b"file:/",
    ] {
        let Some(start) = find(text, scheme) else { continue };
        let before = start.checked_sub(1).map(|before| at(text, before));
        if before.is_some_and(|byte| is_word(byte) || byte == b'.') {
            continue;
        }
        let rest = slice(text, start + scheme.len(), start + scheme.len() + 128);
        let whole = trim(slice(text, 0, start)).is_empty() && !is_prose(text);
        let is_stream = match scheme {
            b"php://" => {
                [&b"filter"[..], b"input", b"memory", b"temp", b"stdin", b"output", b"fd"]
                    .iter()
                    .any(|kind| rest.starts_with(kind))
                    || whole
            }
            b"file://" | b"file:/" => {
                whole
                    && rest.iter().any(|&byte| byte != b'/')
                    && !matches!(scan.place, Place::Header(_))
                    || [
                        &b"/etc/"[..],
                        b"/proc/",
                        b"etc/",
                        b"/c:",
                        b"c:",
                        b"localhost/etc",
                        b"/var/",
                        b"/root",
                        b"/home/",
                        b"/usr/",
                        b"/opt/",
                    ]
                    .iter()
                    .any(|folder| rest.starts_with(folder))
                        && !is_prose(text)
            }
            _ if rest.is_empty() => false,
            b"data:;base64," => rest.starts_with(b"pd9"),
            b"jar:" => {
                rest.starts_with(b"http") || rest.starts_with(b"file") || rest.starts_with(b"ftp")
            }
            b"data://" | b"data:text/plain" | b"data:application/x-httpd-php" => {
                whole
                    && (contains(rest, b"base64,pd9")
                        || contains(rest, b"<?")
                        || contains(rest, b"base64") && at(scheme, 5) == b'/'
                        || contains(rest, b"%3c?")
                        || at(scheme, 5) == b'/')
                    || scheme.ends_with(b"php")
                    || whole
                        && rest.starts_with(b";base64,")
                        && matches!(scan.place, Place::QueryParameter(_))
            }
            b"ssh2." => {
                rest.starts_with(b"shell://")
                    || rest.starts_with(b"exec://")
                    || rest.starts_with(b"sftp://")
            }
            _ => !is_prose(text),
        };
        if is_stream {
            scan.hit(
                view,
                start,
                (FileInclusion, 1.0),
                "include_stream",
                "a stream or a file where a name is expected",
            );
            return;
        }
    }
}

/// A program on another server where a file is included: `page=http://evil.example/shell.txt?`
pub(super) fn remote_file(scan: &mut Scan<'_>, view: &View<'_>) {
    let bare = trim(view.lower);
    if is_prose(bare) || bare.len() > URL_MAX {
        return;
    }
    let named = scan.place.is_named_like(&[
        "page", "file", "include", "inc", "path", "template", "tpl", "lang", "view", "module",
        "doc", "dir", "load", "conf", "theme", "layout", "content", "cat", "action", "board",
        "mod", "body", "pg",
    ]);
    unknown_scheme(scan, view, bare);
    const STARTS: [&[u8]; 6] = [b"http://", b"https://", b"ftp://", b"ftps://", b"//", b"\\\\"];
    let remote = STARTS.iter().find(|start| bare.starts_with(start));
    let Some(start) = remote else { return };
    let rest = from(bare, start.len());
    let cut =
        rest.iter().position(|&byte| matches!(byte, b'?' | b'#' | b'\0')).unwrap_or(rest.len());
    let path = slice(rest, 0, cut);
    let ends_open = rest.len() - cut <= 1 && cut < rest.len();
    let program = [
        &b".txt"[..],
        b".php",
        b".inc",
        b".phtml",
        b".jsp",
        b".asp",
        b".aspx",
        b".cgi",
        b".pl",
        b".log",
        b".dat",
        b".gif",
        b".jpg",
    ]
    .iter()
    .any(|end| path.ends_with(end))
        && path.contains(&b'/');
    let script = [&b".php"[..], b".txt", b".inc", b".phtml"].iter().any(|end| path.ends_with(end));
    let known =
        [&b"shell"[..], b"c99", b"r57", b"evil", b"backdoor", b"cmd.", b"rfi", b"exploit", b"wso"]
            .iter()
            .any(|name| contains(path, name));
    // Names of parameters that hold the folder of the application's own programs.
    let root = matches!(scan.place, Place::QueryParameter(_))
        && scan.place.is_named_like(&[
            "absolute_path",
            "abs_path",
            "basedir",
            "base_dir",
            "docroot",
            "document_root",
            "root_dir",
            "rootdir",
            "root_path",
            "include_path",
            "appserv_root",
            "_conf[",
            "path[",
        ]);
    // No language and no template of the application's own lies on another server.
    let names_own = matches!(scan.place, Place::QueryParameter(_))
        && scan.place.is_named(&[
            "lang", "language", "inc", "include", "tpl", "template", "module", "layout",
        ]);
    let host = host_of(rest);
    let is_address = at(host, 0) == b'['
        || host.contains(&b'.') && host.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    let is_web = start != b"//" && start != b"\\\\";
    let share = start == b"\\\\"
        && path.iter().filter(|&&byte| byte == b'\\').count() >= 1
        && (program || named)
        && !is_word_only(path);
    if share
        || program && ends_open
        || script && (named || known || is_address)
        || is_web && (root || names_own || named && ends_open)
    {
        scan.hit(
            view,
            0,
            (FileInclusion, 1.0),
            "include_remote",
            "a program on another server where a file is included",
        );
    }
}

/// `input://x` where a page is named: each language has its own wrappers, and no page has any of them.
fn unknown_scheme(scan: &mut Scan<'_>, view: &View<'_>, bare: &[u8]) {
    const KNOWN: [&[u8]; 19] = [
        b"http", b"https", b"ftp", b"ftps", b"sftp", b"ws", b"wss", b"git", b"ssh", b"s3", b"gs",
        b"az", b"abfs", b"hdfs", b"file", b"content", b"blob", b"ipfs", b"app",
    ];
    const NAMES: [&str; 16] = [
        "page", "file", "f", "inc", "include", "path", "template", "tpl", "lang", "view", "module",
        "doc", "dir", "load", "layout", "pg",
    ];
    let end = skip(slice(bare, 0, 24), 0, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'-')
    });
    let scheme = slice(bare, 0, end);
    if end >= 2
        && from(bare, end).starts_with(b"://")
        && bare.len() > end + 3
        && !KNOWN.contains(&scheme)
        && matches!(scan.place, Place::QueryParameter(_) | Place::BodyField(_))
        && scan.place.is_named(&NAMES)
    {
        let words = "a stream where a name is expected";
        scan.hit(view, 0, (FileInclusion, 1.0), "include_stream", words);
    }
}

fn is_word_only(path: &[u8]) -> bool {
    path.iter().all(|&byte| is_word(byte))
}
