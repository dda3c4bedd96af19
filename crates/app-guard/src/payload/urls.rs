//! URLs that lead inside: to this machine, to its network, to the metadata of its cloud; and schemes that
//! open something else than a web page.

mod hosts;

use super::category::Category::{FileInclusion, ServerSideRequest};
use super::place::Place;
use super::scan::{Scan, View};
use super::text::{at, contains, find, from, is_space, is_word, skip, slice, trim};
use hosts::{Inside, inside};

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
    // `//127.0.0.1:6379/`: with the scheme of who fetches it.
    if relative.is_some() && !prose {
        one(
            scan,
            view,
            (0, b"http"),
            text.len() - from(text, 0).trim_ascii_start().len() + 2,
            false,
        );
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
    // `http://good.example@127.0.0.1/`, `http://127.0.0.1#@good.example/`: parsers differ in whom they ask.
    let authority = authority_of(rest);
    let last = host_of(authority.rsplit(|&byte| byte == b'@').next().unwrap_or(authority));
    // `http://a@127.0.0.1:80@good.example/`: a name of a user may be a number, but is no address.
    let between = authority.split(|&byte| byte == b'@').take(USERS_MAX).map(host_of);
    let addresses = between.filter(|host| host.contains(&b'.') || *host == b"localhost");
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

/// Names of parameters and fields that hold what people write.
const SEARCHED: [&str; 22] = [
    "q",
    "s",
    "k",
    "kw",
    "wd",
    "query",
    "search",
    "term",
    "terms",
    "keyword",
    "keywords",
    "phrase",
    "filter",
    "text",
    "title",
    "name",
    "subject",
    "comment",
    "message",
    "description",
    "note",
    "notes",
];

struct Target<'a> {
    host: &'a [u8],
    scheme: &'a [u8],
    port: Option<u16>,
    path: &'a [u8],
    has_user: bool,
    prose: bool,
}

/// Whether a URL to the inside is a request for the server to make, and not a link or a developer's own machine.
fn is_request(place: Place<'_>, kind: Inside, target: &Target<'_>) -> bool {
    if kind == Inside::Metadata {
        return true;
    }
    // A link in a text is for its readers.
    if target.prose {
        return false;
    }
    if kind == Inside::Disguised
        || target.has_user
        || matches!(target.scheme, b"sftp" | b"smb" | b"redis")
    {
        return true;
    }
    let secret = [
        &b"admin"[..],
        b"internal",
        b"metadata",
        b"actuator",
        b"server-status",
        b"manage",
        b"console",
        b"private",
        b"secret",
        b"debug",
        b"phpmyadmin",
        b".git",
        b".env",
        b"flag",
        b"shutdown",
        b"_cat",
        b"_search",
        b"config",
        b"passwd",
        b"credentials",
        b"cgi-bin",
        b"latest/",
        b"v1/agent",
        b"containers/",
        b"jenkins",
        b"solr",
        b"elastic",
    ]
    .iter()
    .any(|word| contains(target.path, word));
    if kind == Inside::Named {
        // Links to colleagues' pages have such names, too: what counts is what is asked there.
        let usual = |port: u16| matches!(port, 80 | 443 | 3000 | 8000 | 8080);
        let other_service = target.port.is_some_and(|port| !usual(port));
        let serves_secrets =
            [&b"jenkins"[..], b"vault", b"consul", b"etcd", b"redis", b"admin", b"elastic"]
                .iter()
                .any(|name| target.host.starts_with(name));
        return matches!(place, Place::QueryParameter(_))
            && (secret || other_service || serves_secrets);
    }
    if secret {
        return true;
    }
    // Who searches for the address of a router or of a server on his own machine has nothing fetched.
    let development_or_none = target.port.is_none_or(is_development);
    if development_or_none && place.is_named(&SEARCHED) {
        return false;
    }
    let returns = [
        &b"callback"[..],
        b"/cb",
        b"auth",
        b"oauth",
        b"login",
        b"signin",
        b"sign-in",
        b"redirect",
        b"return",
        b"webhook",
        b"hook",
        b"success",
        b"cancel",
        b"complete",
        b"done",
        b"signed-in",
        b"logout",
        b"notify",
        b"confirm",
    ]
    .iter()
    .any(|word| contains(target.path, word));
    let named = place.is_named_like(&[
        "callback", "redirect", "return", "webhook", "hook", "origin", "next", "home", "success",
        "cancel", "logout", "referer", "referrer", "base", "site", "app_url", "app-url", "appurl",
        "issuer", "frontend", "allowed", "cors", "continue", "notify", "dev",
    ]);
    let development = target.port.is_some_and(is_development);
    match kind {
        Inside::Loopback => {
            let own = match target.port {
                Some(_) => development && (returns || named || place.is_body()),
                None => returns && (named || place.is_body()),
            };
            !own
        }
        _ => !(development && returns && (named || place.is_body())),
    }
}

/// Ports that developers choose for their own servers; those of databases and the like are not among them.
fn is_development(port: u16) -> bool {
    port >= 1024
        && !matches!(
            port,
            2049 | 2375..=2380 | 3306 | 3389 | 4243 | 4505 | 4506 | 5432 | 5433 | 5601 | 5672 | 5900..=5910 | 5984 | 5985 | 6379 | 6380 | 6443 | 7001 | 7077 | 8500 | 8600 | 8983
                | 9000 | 9042 | 9090..=9093 | 9200 | 9300 | 10250 | 10255 | 11211 | 15672 | 25565 | 27017..=27019 | 28017 | 50000 | 50070
        )
}

fn authority_of(rest: &[u8]) -> &[u8] {
    let end = rest
        .iter()
        .position(|&byte| {
            matches!(byte, 0 | b'/' | b'?' | b'#' | b'\\' | b'"' | b'\'' | b'<' | b'>' | b')')
                || is_space(byte)
        })
        .unwrap_or(rest.len());
    slice(rest, 0, end)
}

/// The host of what begins with an authority.
fn host_of(rest: &[u8]) -> &[u8] {
    let authority = authority_of(rest);
    let host = authority.rsplit(|&byte| byte == b'@').next().unwrap_or(authority);
    if at(host, 0) == b'[' {
        return slice(
            host,
            0,
            host.iter().position(|&byte| byte == b']').map_or(host.len(), |end| end + 1),
        );
    }
    slice(
        host,
        0,
        host.iter()
            .position(|&byte| matches!(byte, b':' | b'&' | b',' | b';'))
            .unwrap_or(host.len()),
    )
}

fn port_of(authority: &[u8]) -> Option<u16> {
    let colon = authority.iter().rposition(|&byte| byte == b':')?;
    std::str::from_utf8(from(authority, colon + 1)).ok()?.parse().ok()
}

fn path_of(rest: &[u8], start: usize) -> &[u8] {
    let end = rest
        .iter()
        .position(|&byte| is_space(byte) || matches!(byte, b'"' | b'\''))
        .unwrap_or(rest.len());
    slice(rest, start, end)
}

/// Streams of PHP and Java, and files by URL.
fn streams(scan: &mut Scan<'_>, view: &View<'_>) {
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
fn remote_file(scan: &mut Scan<'_>, view: &View<'_>) {
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
        || is_web && (root || named && ends_open)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_what_is_asked() {
        assert_eq!(host_of(b"user:pw@example.com:80/x"), b"example.com");
        assert_eq!(host_of(b"[::1]:80/"), b"[::1]");
        assert_eq!(host_of(b"127.0.0.1?x"), b"127.0.0.1");
        assert_eq!(port_of(b"localhost:3000"), Some(3000));
    }
}
