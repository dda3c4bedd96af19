//! A line break, and behind it a header or a status line: what the value is written into is split in two.

use super::category::Category::HttpSplitting;
use super::scan::{Scan, View};
use super::text::{at, from, is_space, skip, skip_spaces, slice, trim};

/// The longest name of a header that is read.
const NAME_MAX: usize = 48;
/// How much of a line is read.
const LINE_MAX: usize = 256;

/// Looks behind each line break.
pub(crate) fn check(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.lower;
    scan.walked(text.len().saturating_mul(2));
    let first_line =
        text.iter().position(|&byte| matches!(byte, b'\r' | b'\n')).unwrap_or(text.len());
    // People write letters with several lines, and `Note: …` in them. Nobody writes a line break behind one word
    // of a parameter, and a header behind it.
    let is_letter =
        scan.place.is_body() && memchr::memchr(b' ', slice(text, 0, first_line)).is_some();
    if !scan.place.is_body() && is_request_line(trim(text)) {
        hit(scan, view, 0, 1.0);
    }
    if !scan.place.is_body() {
        // Escaped once more than it was taken off, or for a program that takes it off.
        for start in super::text::places_of(text, b"\\r\\n") {
            if !matches!(header_at(text, start + 4), Header::None | Header::Mail) {
                hit(scan, view, start, 1.0);
                break;
            }
        }
        // `%0d%0aname: value`: who begins a value with a line break ends what stands before it.
        let line = skip_line_breaks(text, 0);
        let breaks = slice(text, 0, line);
        if breaks.contains(&b'\r') && breaks.contains(&b'\n') && is_header(from(text, line)) {
            hit(scan, view, 0, 1.0);
        }
    }
    let mut index = first_line;
    let mut headers = 0;
    while let Some(found) = memchr::memchr2(b'\r', b'\n', from(text, index)) {
        let start = index + found;
        let line = skip_line_breaks(text, start);
        index = line;
        if !scan.place.is_body()
            && is_blank_line(slice(text, start, line))
            && begins_document(from(text, line))
        {
            hit(scan, view, start, 1.0);
        }
        match header_at(text, line) {
            Header::None => {}
            Header::Status => {
                hit(scan, view, start, if is_letter { 0.5 } else { 1.0 });
            }
            Header::Response => {
                headers += 1;
                hit(scan, view, start, if is_letter && headers < 2 { 0.5 } else { 1.0 });
            }
            Header::Mail | Header::Other if !scan.place.is_body() => hit(scan, view, start, 1.0),
            Header::Mail => hit(scan, view, start, if is_letter { 0.5 } else { 1.0 }),
            Header::Other => {}
        }
    }
}

fn hit(scan: &mut Scan<'_>, view: &View<'_>, at: usize, weight: f32) {
    scan.hit(
        view,
        at,
        (HttpSplitting, weight),
        "split_header",
        "a line break with a header behind it",
    );
}

enum Header {
    None,
    /// `HTTP/1.1 200`, or a request line.
    Status,
    /// A header that only protocols know.
    Response,
    /// A header of mail, with an address.
    Mail,
    /// A header by its form.
    Other,
}

fn skip_line_breaks(text: &[u8], index: usize) -> usize {
    skip(text, index, is_space)
}

/// `GET /secret HTTP/1.1`
fn is_request_line(line: &[u8]) -> bool {
    const METHODS: [&[u8]; 8] =
        [b"get ", b"post ", b"put ", b"delete ", b"head ", b"options ", b"patch ", b"connect "];
    let line = slice(line, 0, LINE_MAX);
    let Some(rest) = METHODS.iter().find_map(|method| line.strip_prefix(*method)) else {
        return false;
    };
    let rest = trim(rest);
    let is_target = matches!(at(rest, 0), b'/' | b'*') || rest.starts_with(b"http");
    let version = rest.rsplit(|&byte| is_space(byte)).next().unwrap_or_default();
    is_target && version.starts_with(b"http/") && version.len() < rest.len()
}

/// A name, a colon and a value.
fn is_header(text: &[u8]) -> bool {
    let end =
        skip(slice(text, 0, NAME_MAX), 0, |byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let value = skip_spaces(slice(text, 0, end + 8), end + 1);
    // One word: people who begin with an empty line write sentences.
    let value = trim(slice(text, value, value + NAME_MAX));
    let is_word = !value.is_empty() && !value.iter().any(|&byte| is_space(byte));
    end >= 2 && at(text, end) == b':' && is_word && at(value, 0) != b'/'
}

/// The end of the headers, by which the body begins.
fn is_blank_line(breaks: &[u8]) -> bool {
    breaks.iter().filter(|&&byte| byte == b'\n').count() >= 2
        || breaks.iter().filter(|&&byte| byte == b'\r').count() >= 2
}

fn begins_document(text: &[u8]) -> bool {
    [&b"<html"[..], b"<!doctype", b"<head", b"<body", b"<script"]
        .iter()
        .any(|tag| text.starts_with(tag))
}

fn header_at(text: &[u8], start: usize) -> Header {
    let line = slice(text, start, start + LINE_MAX);
    let line = slice(
        line,
        0,
        line.iter().position(|&byte| matches!(byte, b'\r' | b'\n')).unwrap_or(line.len()),
    );
    let is_status = line.starts_with(b"http/1.") || line.starts_with(b"http/2");
    let is_request = is_request_line(line);
    if is_status || is_request {
        return Header::Status;
    }
    let end =
        skip(slice(line, 0, NAME_MAX), 0, |byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let name = slice(line, 0, end);
    let colon = skip_spaces(slice(line, 0, end + 2), end);
    if name.len() < 2 || at(line, colon) != b':' {
        return Header::None;
    }
    let value = trim(from(line, colon + 1));
    match name {
        b"set-cookie"
        | b"content-length"
        | b"transfer-encoding"
        | b"x-xss-protection"
        | b"content-security-policy"
        | b"access-control-allow-origin"
        | b"content-disposition" => Header::Response,
        b"content-type" if value.contains(&b'/') => Header::Response,
        b"location" | b"refresh"
            if value.starts_with(b"http")
                || value.starts_with(b"/")
                || super::text::contains(value, b"url=") =>
        {
            Header::Response
        }
        b"bcc" | b"cc" | b"to" | b"from" | b"reply-to" if value.contains(&b'@') => Header::Mail,
        _ if name.starts_with(b"x-") => {
            if value.is_empty() {
                Header::Other
            } else {
                Header::Response
            }
        }
        b"host" | b"referer" | b"cookie" | b"connection" | b"content-encoding"
        | b"cache-control" | b"location" | b"authorization" | b"user-agent" | b"server"
        | b"status" | b"link" | b"etag" | b"expires" | b"last-modified" | b"vary" | b"pragma"
        | b"subject" | b"mime-version" | b"content-type" | b"proxy-connection" | b"upgrade"
        | b"origin"
            if !value.is_empty() =>
        {
            Header::Other
        }
        _ if name.contains(&b'-') && !value.is_empty() => Header::Other,
        _ => Header::None,
    }
}
