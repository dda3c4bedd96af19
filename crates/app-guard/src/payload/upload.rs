//! Files that a server or a visitor's machine would execute.

use super::category::Category::FileUpload;
use super::place::Place;
use super::scan::{Scan, View};
use super::text::{at, contains, find, from, places_of, slice, trim};

/// The longest file name that is read.
const NAME_MAX: usize = 512;

/// Looks at names of files, at `filename=` in raw bodies, and at the first bytes of contents.
pub(crate) fn check(scan: &mut Scan<'_>, view: &View<'_>) {
    scan.walked(view.lower.len());
    let place = scan.place;
    match place {
        Place::FileName(_) => name(scan, view, view.lower, 0),
        Place::FileContent(_) => content(scan, view),
        Place::BodyField(_) | Place::QueryParameter(_) => {
            let is_named = place.is_named_like(&[
                "filename",
                "file_name",
                "file-name",
                "upload",
                "attachment",
            ]);
            let is_short = view.lower.len() <= NAME_MAX
                && !trim(view.lower).contains(&b'\n')
                && find(view.lower, b"://").is_none();
            if is_named && is_short {
                name(scan, view, view.lower, 0);
            }
            attributes(scan, view);
            content(scan, view);
        }
        Place::Header(_) | Place::Body => {
            attributes(scan, view);
            content(scan, view);
        }
        _ => {}
    }
}

/// `filename="shell.php"`, as it stands in a part of a body or in its header.
fn attributes(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.lower;
    for start in places_of(text, b"filename") {
        let rest = slice(text, start + 8, start + 8 + NAME_MAX);
        let equals = rest.iter().take(4).position(|&byte| byte == b'=');
        let Some(equals) = equals else { continue };
        let value = from(rest, equals + 1);
        let value = value.strip_prefix(b"utf-8''").unwrap_or(value);
        let quote = at(value, 0);
        let (value, ends): (&[u8], &[u8]) = if matches!(quote, b'"' | b'\'') {
            (from(value, 1), b"\"'\r\n")
        } else {
            (value, b";\r\n &")
        };
        let end = value.iter().position(|byte| ends.contains(byte)).unwrap_or(value.len());
        scan.walked(end);
        name(scan, view, slice(value, 0, end), start);
    }
}

/// Judges the name of a file.
fn name(scan: &mut Scan<'_>, view: &View<'_>, file: &[u8], start: usize) {
    let file = slice(trim(file), 0, NAME_MAX);
    // Windows drops dots and spaces at the end, and what follows a colon; older programs stop at a zero byte.
    let hidden_end = file
        .iter()
        .position(|&byte| matches!(byte, 0 | b':' | b';' | b'\n' | b'\r'))
        .unwrap_or(file.len());
    let base = slice(file, 0, hidden_end);
    let mut parts = base.rsplit(|&byte| matches!(byte, b'/' | b'\\'));
    let base = parts.find(|part| !matches!(*part, b"" | b"." | b"..")).unwrap_or(base);
    let end = base
        .iter()
        .rposition(|&byte| !matches!(byte, b'.' | b' ' | b'"' | b'\''))
        .map_or(0, |last| last + 1);
    let base = slice(base, 0, end);
    if matches!(base, b".htaccess" | b".htpasswd" | b".user.ini" | b"web.config" | b"php.ini") {
        hit(scan, view, start, "upload_configuration", "a file that configures the server");
        return;
    }
    let mut parts = base.rsplit(|&byte| byte == b'.');
    let last = parts.next().unwrap_or_default();
    let has_extension = last.len() < base.len();
    if has_extension && is_executed(last) {
        hit(scan, view, start, "upload_extension", "an extension that is executed");
        return;
    }
    // `shell.php.jpg`, `shell.php%00.jpg`: servers that go by any of the extensions run it.
    let mut earlier = parts.take(4).peekable();
    while let Some(part) = earlier.next() {
        // The first part is the name.
        let is_extension = earlier.peek().is_some()
            || base.len() > part.len() + last.len() + 1 && !base.starts_with(part);
        if is_extension && is_page(part) {
            hit(
                scan,
                view,
                start,
                "upload_double_extension",
                "an executed extension before another",
            );
            return;
        }
    }
    if file.contains(&0)
        || file.len() == view.lower.len() && contains(view.original, b"\xe2\x80\xae")
    {
        hit(
            scan,
            view,
            start,
            "upload_hidden_name",
            "a name that is shown otherwise than it is read",
        );
    }
    if has_extension
        && matches!(
            last,
            b"py" | b"rb" | b"js" | b"ws" | b"lnk" | b"svg" | b"html" | b"htm" | b"xhtml"
        )
    {
        scan.hit(view, start, (FileUpload, 0.5), "upload_script", "an extension of scripts");
    }
}

/// Extensions of pages that a server runs.
fn is_page(extension: &[u8]) -> bool {
    extension.starts_with(b"php") && extension.len() <= 5
        || matches!(
            extension,
            b"phtml"
                | b"pht"
                | b"phtm"
                | b"phar"
                | b"phps"
                | b"pgif"
                | b"jsp"
                | b"jspx"
                | b"jspf"
                | b"jsw"
                | b"jsv"
                | b"asp"
                | b"aspx"
                | b"ashx"
                | b"asmx"
                | b"ascx"
                | b"asa"
                | b"cer"
                | b"cdx"
                | b"shtml"
                | b"cfm"
                | b"cfml"
                | b"cgi"
                | b"fcgi"
                | b"exe"
        )
}

fn is_executed(extension: &[u8]) -> bool {
    is_page(extension)
        || matches!(
            extension,
            b"pl"
                | b"sh"
                | b"bash"
                | b"zsh"
                | b"ksh"
                | b"com"
                | b"bat"
                | b"cmd"
                | b"ps1"
                | b"psm1"
                | b"vbs"
                | b"vbe"
                | b"jse"
                | b"wsf"
                | b"wsh"
                | b"hta"
                | b"scr"
                | b"pif"
                | b"msi"
                | b"msp"
                | b"dll"
                | b"cpl"
                | b"jar"
                | b"war"
                | b"ear"
                | b"reg"
                | b"swf"
                | b"elf"
                | b"so"
                | b"htaccess"
                | b"soap"
                | b"stm"
                | b"shtm"
                | b"inc"
        )
}

/// A picture that is also a program.
fn content(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.original;
    let is_picture = [&b"GIF89a"[..], b"GIF87a", b"\x89PNG", b"\xff\xd8\xff", b"BM", b"%PDF"]
        .iter()
        .any(|start| trim(text).starts_with(start))
        || find(view.lower, b"gif89a").is_some_and(|at| at < 256);
    let runs = [&b"<?php"[..], b"<?=", b"<script", b"<%@", b"<% ", b"<%eval", b"system($"]
        .iter()
        .find_map(|mark| find(view.lower, mark));
    configuration(scan, view);
    let text_start = slice(view.lower, 0, NAME_MAX);
    let delegates = contains(text_start, b"push graphic-context") && contains(view.lower, b"url(")
        || text_start.starts_with(b"%!ps") && contains(view.lower, b"%pipe%");
    let connects = contains(view.lower, b"/dev/tcp/") && contains(view.lower, b"bash -i");
    if (delegates || connects) && matches!(scan.place, Place::FileContent(_)) {
        hit(scan, view, 0, "upload_program", "a file that makes its reader run commands");
    }
    if let (true, Some(at)) = (is_picture, runs) {
        hit(scan, view, at, "upload_polyglot", "a picture or document with a program in it");
    }
}

/// A file that tells the server what to execute: its first line is a directive.
fn configuration(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = trim(view.lower);
    let line = slice(text, 0, NAME_MAX);
    let line = slice(line, 0, line.iter().position(|&byte| byte == b'\n').unwrap_or(line.len()));
    let starts = |words: &[&[u8]]| words.iter().any(|word| line.starts_with(word));
    let sets = starts(&[b"addtype ", b"addhandler ", b"sethandler ", b"forcetype "])
        && [&b"php"[..], b"cgi", b"x-httpd", b"server-parsed"]
            .iter()
            .any(|kind| contains(line, kind));
    let directive = starts(&[b"php_value ", b"php_flag "])
        && [&b"auto_"[..], b"include", b"engine", b"open_basedir", b"disable_", b"short_open"]
            .iter()
            .any(|name| contains(line, name));
    let prepends = directive || starts(&[b"auto_prepend_file", b"auto_append_file"]);
    let within = starts(&[b"<files", b"<ifmodule", b"options "])
        && [&b"sethandler "[..], b"addhandler ", b"addtype application/x-httpd", b"php_value "]
            .iter()
            .any(|directive| contains(slice(text, 0, NAME_MAX), directive));
    if sets || prepends || within {
        hit(scan, view, 0, "upload_configuration", "a file that configures the server");
    }
}

fn hit(scan: &mut Scan<'_>, view: &View<'_>, at: usize, name: &'static str, words: &'static str) {
    scan.hit(view, at, (FileUpload, 1.0), name, words);
}
