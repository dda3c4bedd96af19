//! Whether a URL to the inside is one that the server is to ask.

use super::hosts::Inside;
use crate::payload::place::Place;
use crate::payload::text::contains;

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

pub(super) struct Target<'a> {
    pub(super) host: &'a [u8],
    pub(super) scheme: &'a [u8],
    pub(super) port: Option<u16>,
    pub(super) path: &'a [u8],
    pub(super) has_user: bool,
    pub(super) prose: bool,
}

/// Whether a URL to the inside is a request for the server to make, and not a link or a developer's own machine.
pub(super) fn is_request(place: Place<'_>, kind: Inside, target: &Target<'_>) -> bool {
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
