//! URLs that lead inside: to this machine, to its network, to the metadata of its cloud; and schemes that
//! open something else than a web page.

mod hosts;
mod inclusion;
mod parts;
mod request;

use super::category::Category::ServerSideRequest;
use super::place::Place;
use super::scan::{Scan, View};
use super::text::{contains, find, from, is_word, skip, slice, trim};
use hosts::{Inside, inside};
use inclusion::{remote_file, streams};
use parts::{authority_of, host_of, path_of, port_of};
use request::{Target, is_request};

/// The longest URL of which more than its host is read.
const URL_MAX: usize = 512;

/// How many parts before a host are taken for hosts.
const USERS_MAX: usize = 4;

/// Looks at each URL of the value.
pub(crate) fn check(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.lower;
    scan.walked(text.len().saturating_mul(2));
    let prose = is_prose(text);
    streams(scan, view);
    remote_file(scan, view);
    if !scan.wants(ServerSideRequest) {
        return;
    }
    let mut index = 0;
    let mut first_url = None;
    while let Some(found) = memchr::memchr(b':', from(text, index)) {
        let colon = index + found;
        index = colon + 1;
        let slashes =
            skip(slice(text, 0, colon + 8), colon + 1, |byte| matches!(byte, b'/' | b'\\'));
        if slashes < colon + 3 && !starts_value(text, colon) {
            continue;
        }
        let scheme_start = {
            let window = slice(text, colon.saturating_sub(16), colon);
            colon
                - window
                    .iter()
                    .rev()
                    .take_while(|&&byte| is_word(byte) || matches!(byte, b'+' | b'-' | b'.'))
                    .count()
        };
        let scheme = slice(text, scheme_start, colon);
        if scheme.is_empty() {
            continue;
        }
        scan.walked(64);
        // A URL in a URL is for that one's server.
        let inner = first_url.is_some_and(|first| first < scheme_start);
        one(scan, view, (scheme_start, scheme), slashes, prose || inner);
        first_url = first_url.or(Some(scheme_start));
    }
    // `//169.254.169.254/latest`, `metadata.google.internal/computeMetadata`: without a scheme, for metadata only.
    let bare = trim(text);
    let relative = bare.strip_prefix(b"//");
    if !prose && inside(host_of(relative.unwrap_or(bare))) == Some(Inside::Metadata) {
        mark(scan, view, 0, "url_metadata", "an address of the metadata of a cloud");
    }
    // `127.0.0.1:8080/admin` where a URL is expected.
    let is_target =
        scan.place.is_named_like(&["url", "uri", "target", "dest", "proxy", "fetch", "endpoint"])
            && matches!(scan.place, Place::QueryParameter(_) | Place::BodyField(_));
    let own = [&b"localhost"[..], b"127."].iter().any(|start| bare.starts_with(start));
    if is_target && own && !prose && bare.iter().any(|byte| matches!(byte, b'/' | b':')) {
        one(scan, view, (0, b"http"), text.len() - text.trim_ascii_start().len(), false);
    }
    // `//127.0.0.1:6379/`: with the scheme of who fetches it.
    if relative.is_some() && !prose {
        one(scan, view, (0, b"http"), text.len() - text.trim_ascii_start().len() + 2, false);
    }
}

fn starts_value(text: &[u8], colon: usize) -> bool {
    colon <= 6 && trim(text).starts_with(b"http")
}

fn mark(scan: &mut Scan<'_>, view: &View<'_>, at: usize, name: &'static str, words: &'static str) {
    scan.hit(view, at, (ServerSideRequest, 1.0), name, words);
}

fn is_prose(text: &[u8]) -> bool {
    trim(text).contains(&b' ')
}

fn one(
    scan: &mut Scan<'_>,
    view: &View<'_>,
    (start, scheme): (usize, &[u8]),
    host_start: usize,
    prose: bool,
) {
    let text = view.lower;
    let rest = slice(text, host_start, host_start + URL_MAX);
    // No web page has these, and a client of the server's libraries has.
    if matches!(
        scheme,
        b"gopher"
            | b"dict"
            | b"tftp"
            | b"ldap"
            | b"ldaps"
            | b"ldapi"
            | b"netdoc"
            | b"sftp"
            | b"smb"
            | b"redis"
            | b"rmi"
            | b"jar"
    ) && !matches!(scheme, b"sftp" | b"smb" | b"redis")
    {
        if !prose || rest.starts_with(b"127.") || rest.starts_with(b"localhost") {
            mark(
                scan,
                view,
                start,
                "url_scheme",
                "a scheme that speaks to servers of another kind",
            );
        }
        return;
    }
    if !matches!(
        scheme,
        b"http"
            | b"https"
            | b"ftp"
            | b"ws"
            | b"wss"
            | b"sftp"
            | b"smb"
            | b"redis"
            | b"url"
            | b"view-source"
    ) {
        return;
    }
    let fetches = matches!(scheme, b"sftp" | b"smb")
        && matches!(scan.place, Place::QueryParameter(_))
        && scan.place.is_named_like(&["url", "uri", "target", "dest", "fetch"]);
    if fetches && !prose {
        let words = "a scheme that speaks to servers of another kind";
        mark(scan, view, start, "url_scheme", words);
        return;
    }
    // `http://good.example@127.0.0.1/`, `http://127.0.0.1#@good.example/`: parsers differ in whom they ask.
    let authority = authority_of(rest);
    let last = host_of(authority.rsplit(|&byte| byte == b'@').next().unwrap_or(authority));
    // `http://good.example#@127.0.0.1/`: one parser ends at the mark, another reads a user before it.
    let marked = [&b"#@"[..], b"\\@", b"?@"]
        .iter()
        .find_map(|mark| find(rest, mark).map(|start| host_of(from(rest, start + 2))));
    // `http://a@127.0.0.1:80@good.example/`: a name of a user may be a number, but is no address.
    let between = authority.split(|&byte| byte == b'@').take(USERS_MAX).map(host_of);
    let addresses =
        between.chain(marked).filter(|host| host.contains(&b'.') || *host == b"localhost");
    for host in [host_of(rest), last].into_iter().chain(addresses) {
        let Some(kind) = inside(host) else { continue };
        // What ends at a zero for the one that asks is a longer, harmless name for the one that checks.
        let kind = match kind {
            Inside::Loopback | Inside::Private if rest.get(authority.len()) == Some(&0) => {
                Inside::Disguised
            }
            kind => kind,
        };
        let target = Target {
            host,
            scheme,
            port: port_of(authority),
            path: path_of(rest, authority.len()),
            has_user: authority.contains(&b'@') || contains(rest, b"#@"),
            prose,
        };
        if is_request(scan.place, kind, &target) {
            let words = match kind {
                Inside::Metadata => "an address of the metadata of a cloud",
                Inside::Loopback => "an address of this machine",
                Inside::Private => "an address of a private network",
                Inside::Disguised => "an inner address, written so that it is not seen",
                Inside::Named => "a name that only an inner network knows",
            };
            mark(scan, view, start, "url_inside", words);
        }
        return;
    }
}
