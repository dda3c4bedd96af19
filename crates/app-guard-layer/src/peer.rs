//! Who opened the connection: told by the server, never guessed from a header.

use http::Extensions;
use ringwall_inspection::Peer;
use std::net::SocketAddr;

/// Says who opened the connection on which a request came. A server puts it into the request's extensions;
/// with axum, `into_make_service_with_connect_info::<SocketAddr>()` does as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeerAddress {
    /// A socket of the internet family.
    Socket(SocketAddr),
    /// A Unix socket.
    Unix,
}

impl From<SocketAddr> for PeerAddress {
    fn from(address: SocketAddr) -> Self {
        Self::Socket(address)
    }
}

/// Says how the listener was reached, where the request's target does not: a server that speaks TLS puts it
/// into the request's extensions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct OverTls;

/// What the server said of the connection.
pub(crate) fn peer(extensions: &Extensions) -> Peer {
    match extensions.get::<PeerAddress>() {
        Some(PeerAddress::Socket(address)) => return Peer::Address(*address),
        Some(PeerAddress::Unix) => return Peer::Unix,
        None => {}
    }
    #[cfg(feature = "axum")]
    if let Some(axum::extract::ConnectInfo(address)) =
        extensions.get::<axum::extract::ConnectInfo<SocketAddr>>()
    {
        return Peer::Address(*address);
    }
    Peer::Unknown
}
