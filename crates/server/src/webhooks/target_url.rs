//! Where a webhook leads.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use ringwall_signing::Secret;
use std::fmt;
use std::net::IpAddr;
use zeroize::Zeroizing;

/// A checked `http` or `https` address. It may hold credentials: what it shows of itself holds none.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct TargetUrl {
    is_tls: bool,
    /// A name, or an address without brackets.
    host: String,
    port: u16,
    path_and_query: Secret,
    /// The value of an `Authorization` header, from user and password in the address.
    authorization: Option<Secret>,
    shown: String,
}

/// Why a text is not the address of a receiver. It repeats nothing of the text, which may hold
/// credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum TargetUrlError {
    /// Longer than anybody needs.
    #[error("must have at most {URL_BYTES_MAX} bytes")]
    TooLong,
    /// No address at all.
    #[error("must be an address like `https://example.com/hook`")]
    NotAnAddress,
    /// Another scheme.
    #[error("must begin with `https://` or `http://`")]
    Scheme,
    /// Port 0 is nobody's.
    #[error("must have a port from 1 to 65535")]
    Port,
}

const URL_BYTES_MAX: usize = 2048;
/// Pieces of a path from this length on may be what opens the door, where digits are among them.
const SECRET_PIECE_CHARS_MIN: usize = 16;

impl TargetUrl {
    /// Reads an address.
    ///
    /// # Errors
    /// Where it is none that can be posted to.
    pub(crate) fn parse(text: &str) -> Result<Self, TargetUrlError> {
        if text.len() > URL_BYTES_MAX {
            return Err(TargetUrlError::TooLong);
        }
        let uri: Uri = text.parse().map_err(|_| TargetUrlError::NotAnAddress)?;
        let is_tls = match uri.scheme_str() {
            Some(scheme) if scheme.eq_ignore_ascii_case("https") => true,
            Some(scheme) if scheme.eq_ignore_ascii_case("http") => false,
            Some(_) => return Err(TargetUrlError::Scheme),
            None => return Err(TargetUrlError::NotAnAddress),
        };
        let authority = uri.authority().ok_or(TargetUrlError::NotAnAddress)?;
        let host = authority.host();
        let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() || host.contains(['[', ']', '%']) {
            return Err(TargetUrlError::NotAnAddress);
        }
        let (user, place) = match authority.as_str().rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority.as_str()),
        };
        let default = if is_tls { 443 } else { 80 };
        // An empty or too large port is none to `http`; here it is a mistake.
        let has_port = place.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
        let port = match (authority.port_u16(), has_port) {
            (Some(port), _) => port,
            (None, false) => default,
            (None, true) => return Err(TargetUrlError::Port),
        };
        if port == 0 {
            return Err(TargetUrlError::Port);
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let authorization = user.map(|user| {
            let plain = Zeroizing::new(percent_decoded(user));
            Secret::from(format!("Basic {}", STANDARD.encode(plain.as_slice())))
        });
        Ok(Self {
            is_tls,
            host: host.to_ascii_lowercase(),
            port,
            path_and_query: Secret::from(path),
            authorization,
            shown: shown(is_tls, user.is_some(), place, &uri),
        })
    }

    /// Whether it is spoken to through TLS.
    pub(crate) const fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// The name or address of the host.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// The host where it is an address and no name.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// The value of the `Host` header.
    pub(crate) fn host_header(&self) -> String {
        let host = match self.address() {
            Some(IpAddr::V6(address)) => format!("[{address}]"),
            _ => self.host.clone(),
        };
        match (self.is_tls, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }

    /// What stands in the request line; may be secret.
    pub(crate) const fn path_and_query(&self) -> &Secret {
        &self.path_and_query
    }

    /// The value of the `Authorization` header.
    pub(crate) const fn authorization(&self) -> Option<&Secret> {
        self.authorization.as_ref()
    }

    /// The address for people: user, password, query and what looks like a key in the path are left
    /// out.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }
}

impl fmt::Debug for TargetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

fn shown(is_tls: bool, has_user: bool, place: &str, uri: &Uri) -> String {
    let scheme = if is_tls { "https" } else { "http" };
    let user = if has_user { "***@" } else { "" };
    let pieces: Vec<String> = uri.path().split('/').map(shown_piece).collect();
    let query = if uri.query().is_some() { "?***" } else { "" };
    format!("{scheme}://{user}{place}{}{query}", pieces.join("/"))
}

fn shown_piece(piece: &str) -> String {
    let may_be_secret =
        piece.len() >= SECRET_PIECE_CHARS_MIN && piece.bytes().any(|byte| byte.is_ascii_digit());
    if may_be_secret { "***".to_owned() } else { piece.to_owned() }
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.split_at_checked(2).filter(|_| byte == b'%');
        let decoded = digits
            .and_then(|(digits, _)| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        match (decoded, digits) {
            (Some(decoded), Some((_, after))) => {
                out.push(decoded);
                rest = after;
            }
            _ => {
                out.push(byte);
                rest = after;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        check("https://example.com", "https example.com:443 / example.com");
        check("HTTP://Example.com:8080/a?b=c#d", "http example.com:8080 /a?b=c example.com:8080");
        check("http://[2001:db8::1]/x", "http 2001:db8::1:80 /x [2001:db8::1]");
        check("https://[::1]:8443", "https ::1:8443 / [::1]:8443");
        check("http://2130706433/", "http 2130706433:80 / 2130706433");
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let url = TargetUrl::parse(text).unwrap();
        let scheme = if url.is_tls() { "https" } else { "http" };
        let path = std::str::from_utf8(url.path_and_query().expose()).unwrap();
        let found = format!("{scheme} {}:{} {path} {}", url.host(), url.port(), url.host_header());
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn what_cannot_be_posted_to_is_refused() {
        for text in [
            "",
            "/hook",
            "example.com/hook",
            "https://",
            "https:///hook",
            "ftp://example.com/",
            "file:///etc/passwd",
            "https://example.com:0/",
            "https://example.com:99999/",
            "https://example.com:/",
            "https://example.com/a b",
            "https://example.com/\r\nX-Evil: 1",
            "https://exa\u{e4}mple.com/",
            "https://[fe80::1%25eth0]/",
        ] {
            assert!(TargetUrl::parse(text).is_err(), "{text:?}");
        }
        assert!(TargetUrl::parse(&format!("https://x/{}", "a".repeat(URL_BYTES_MAX))).is_err());
    }

    #[test]
    fn credentials_are_used_and_not_shown() {
        let url = TargetUrl::parse("https://bob:p%40ss@example.com/in?token=5ecret").unwrap();
        assert_eq!(url.authorization().unwrap().expose(), b"Basic Ym9iOnBAc3M=");
        assert_eq!(url.host(), "example.com");
        assert_eq!(url.shown(), "https://***@example.com/in?***");
        assert_eq!(format!("{url:?}"), url.shown());
        let slack = TargetUrl::parse("https://hooks.example.com/services/T0/B0/a1b2c3d4e5f6g7h8i9");
        assert_eq!(slack.unwrap().shown(), "https://hooks.example.com/services/T0/B0/***");
        let plain = TargetUrl::parse("https://example.com:8443/ringwall/alerts").unwrap();
        assert_eq!(plain.shown(), "https://example.com:8443/ringwall/alerts");
        assert!(plain.authorization().is_none());
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics_and_nothing_secret_is_shown(
            user in "[a-z0-9%]{8,20}", query in "[a-z0-9=&]{8,20}", any in ".{0,60}",
        ) {
            let text = format!("https://{user}:{user}@example.com/?{query}");
            if let Ok(url) = TargetUrl::parse(&text) {
                proptest::prop_assert!(!url.shown().contains(&user));
                proptest::prop_assert!(!url.shown().contains(&query));
            }
            drop(TargetUrl::parse(&any));
        }
    }
}
