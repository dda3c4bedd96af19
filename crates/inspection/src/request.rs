use crate::Headers;
use std::net::{IpAddr, SocketAddr};

/// A request without its body, as it stood on the wire: nothing is decoded, nothing is normalised.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// The method, such as `GET`.
    pub method: &'a str,
    /// The path of the target, still percent-encoded, without the query.
    pub path: &'a str,
    /// The query without its question mark; `None` where there is no question mark.
    pub query: Option<&'a str>,
    /// The version of HTTP.
    pub version: HttpVersion,
    /// How the client reached the listener; what a forwarding header claims is not in it.
    pub scheme: Scheme,
    /// Who opened the connection.
    pub peer: Peer,
    /// The headers.
    pub headers: Headers<'a>,
    /// How much body will come, where that is known.
    pub body: BodySize,
}

impl<'a> RequestHead<'a> {
    /// A plain GET of this path from an unknown peer, to be completed.
    #[must_use]
    pub const fn get(path: &'a str) -> Self {
        Self {
            method: "GET",
            path,
            query: None,
            version: HttpVersion::Http11,
            scheme: Scheme::Http,
            peer: Peer::Unknown,
            headers: Headers::new(&[]),
            body: BodySize::Empty,
        }
    }
}

/// The version of HTTP of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HttpVersion {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
    /// HTTP/2
    Http2,
    /// HTTP/3
    Http3,
}

/// How the listener was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Without encryption.
    Http,
    /// Over TLS.
    Https,
}

/// Who opened the connection on which a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// A socket of the internet family.
    Address(SocketAddr),
    /// A Unix socket: somebody on this machine.
    Unix,
    /// The carrier cannot say.
    Unknown,
}

impl Peer {
    /// The address, where there is one; an IPv4 address written as IPv6 is folded to IPv4.
    #[must_use]
    pub fn address(self) -> Option<IpAddr> {
        match self {
            Self::Address(socket) => Some(socket.ip().to_canonical()),
            Self::Unix | Self::Unknown => None,
        }
    }
}

/// How much body a request announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BodySize {
    /// There is none.
    Empty,
    /// Exactly so many bytes.
    Exact(u64),
    /// It ends when it ends (chunked, or a stream of HTTP/2).
    Unknown,
}
