//! The kernel's list of internet sockets over netlink: what `/proc/net/tcp` prints, without the text.
//!
//! Format: `include/uapi/linux/{netlink,sock_diag,inet_diag}.h`. Needs no privilege; a kernel without
//! `inet_diag`, or a sandbox that allows no such sockets, refuses, and procfs serves instead.

use crate::procfs::{NetLine, SocketState};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recvfrom, send, socket_with,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// A protocol that sockets are listed of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// What one datagram of an answer was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// More follows.
    More,
    /// The end of the list.
    Last,
}

/// Why an answer is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DiagError {
    /// The kernel refused.
    #[error("the kernel refused: {0}")]
    Refused(Errno),
    /// A message is cut off or claims more bytes than came.
    #[error("a netlink message is cut off")]
    CutOff,
}

impl From<Errno> for DiagError {
    fn from(error: Errno) -> Self {
        Self::Refused(error)
    }
}

/// Reads one datagram of the answer to the request of this number, and calls `socket` for each socket
/// in it. Messages of other requests are passed over.
///
/// # Errors
/// Where the kernel refused, or the datagram is no row of whole messages.
pub fn parse_part(
    datagram: &[u8],
    sequence: u32,
    mut socket: impl FnMut(NetLine),
) -> Result<Part, DiagError> {
    let mut rest = datagram;
    while !rest.is_empty() {
        let length = word(rest, 0).and_then(|length| usize::try_from(length).ok());
        let length = length.filter(|length| (HEADER_BYTES..=rest.len()).contains(length));
        let length = length.ok_or(DiagError::CutOff)?;
        let message = rest.get(..length).unwrap_or_default();
        // The next message begins at a multiple of four; the last one need not be filled up.
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        if word(message, 8) != Some(sequence) {
            continue;
        }
        let body = message.get(HEADER_BYTES..).unwrap_or_default();
        match half(message, 4).ok_or(DiagError::CutOff)? {
            LISTED => socket(parse_socket(body).ok_or(DiagError::CutOff)?),
            kind @ (ERROR | DONE) => {
                // Zero, or minus an errno.
                let code = word(body, 0).ok_or(DiagError::CutOff)?.cast_signed();
                if (-4095..0).contains(&code) {
                    return Err(DiagError::Refused(Errno::from_raw_os_error(-code)));
                }
                if kind == DONE {
                    return Ok(Part::Last);
                }
            }
            _ => {}
        }
    }
    Ok(Part::More)
}

/// An `inet_diag_msg`: family, state, timer, retransmissions; then ports, addresses, interface and
/// cookie; then five words, the last of which is the inode.
fn parse_socket(body: &[u8]) -> Option<NetLine> {
    let family = *body.first()?;
    let state = SocketState::from_number(u64::from(*body.get(1)?));
    let address = |offset: usize| -> Option<IpAddr> {
        Some(if family == FAMILY_6 {
            let bytes: [u8; 16] = body.get(offset..offset + 16)?.try_into().ok()?;
            Ipv6Addr::from(bytes).to_canonical()
        } else {
            let bytes: [u8; 4] = body.get(offset..offset + 4)?.try_into().ok()?;
            Ipv4Addr::from(bytes).into()
        })
    };
    let port =
        |offset: usize| Some(u16::from_be_bytes(body.get(offset..offset + 2)?.try_into().ok()?));
    Some(NetLine {
        local: SocketAddr::new(address(8)?, port(4)?),
        remote: SocketAddr::new(address(24)?, port(6)?),
        state,
        inode: u64::from(word(body, SOCKET_BYTES - 4)?),
    })
}

fn word(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(offset..offset + 4)?.try_into().ok()?))
}

fn half(bytes: &[u8], offset: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(offset..offset + 2)?.try_into().ok()?))
}

/// An open door to the kernel's lists of sockets, of the network namespace it was opened in.
#[derive(Debug)]
pub struct SockDiag {
    socket: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

impl SockDiag {
    /// Opens the door, and sees whether the kernel lists TCP and UDP sockets through it.
    ///
    /// # Errors
    /// Where it does not.
    pub fn open() -> Result<Self, DiagError> {
        let mut diag = Self::new()?;
        diag.list(Transport::Tcp, |_| {})?;
        diag.list(Transport::Udp, |_| {})?;
        Ok(diag)
    }

    fn new() -> Result<Self, DiagError> {
        let socket = socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC,
            Some(netlink::SOCK_DIAG),
        )?;
        // The kernel answers at once; that it may not must not hold up everything else.
        set_socket_timeout(&socket, Timeout::Recv, Some(ANSWER_WAIT))?;
        Ok(Self { socket, sequence: 0, buffer: vec![0; BUFFER_BYTES] })
    }

    /// Calls `socket` for each socket of a protocol, over IPv4 and IPv6, but those of connections that
    /// are gone and only remembered.
    ///
    /// # Errors
    /// Where the kernel refuses or its answer makes no sense. The list is not complete then.
    pub fn list(
        &mut self,
        transport: Transport,
        mut socket: impl FnMut(NetLine),
    ) -> Result<(), DiagError> {
        let listed = self.list_family(FAMILY_4, transport, &mut socket);
        let listed = listed.and_then(|()| {
            match self.list_family(FAMILY_6, transport, &mut socket) {
                // A kernel without IPv6 has no sockets of it.
                Err(DiagError::Refused(Errno::NOENT | Errno::AFNOSUPPORT)) => Ok(()),
                listed => listed,
            }
        });
        if listed.is_err() {
            // What is left of that answer must not be taken for the next one.
            *self = Self { sequence: self.sequence, ..Self::new()? };
        }
        listed
    }

    fn list_family(
        &mut self,
        family: u8,
        transport: Transport,
        socket: &mut impl FnMut(NetLine),
    ) -> Result<(), DiagError> {
        self.sequence = self.sequence.wrapping_add(1);
        send(&self.socket, &request(family, transport, self.sequence), SendFlags::empty())?;
        loop {
            let received = recvfrom(&self.socket, self.buffer.as_mut_slice(), RecvFlags::empty());
            let (length, from) = match received {
                Ok((length, _, from)) => (length, from),
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            // Any program may send to this socket: believe the kernel only.
            let from_kernel = from
                .and_then(|address| SocketAddrNetlink::try_from(address).ok())
                .is_some_and(|address| address.pid() == 0);
            let datagram = self.buffer.get(..length).unwrap_or_default();
            if from_kernel && parse_part(datagram, self.sequence, &mut *socket)? == Part::Last {
                return Ok(());
            }
        }
    }
}

/// An `nlmsghdr` and an `inet_diag_req_v2` that asks for everything.
fn request(family: u8, transport: Transport, sequence: u32) -> Vec<u8> {
    let mut message = Vec::with_capacity(REQUEST_BYTES);
    message.extend_from_slice(&u32::try_from(REQUEST_BYTES).unwrap_or_default().to_ne_bytes());
    message.extend_from_slice(&LISTED.to_ne_bytes());
    message.extend_from_slice(&REQUEST_AND_DUMP.to_ne_bytes());
    message.extend_from_slice(&sequence.to_ne_bytes());
    message.extend_from_slice(&[0; 4]);
    let protocol = match transport {
        Transport::Tcp => 6,
        Transport::Udp => 17,
    };
    message.extend_from_slice(&[family, protocol, 0, 0]);
    message.extend_from_slice(&STATES.to_ne_bytes());
    message.resize(REQUEST_BYTES, 0);
    message
}

const FAMILY_4: u8 = 2;
const FAMILY_6: u8 = 10;
const HEADER_BYTES: usize = 16;
const SOCKET_BYTES: usize = 72;
const REQUEST_BYTES: usize = HEADER_BYTES + 56;
/// `NLMSG_ERROR`, `NLMSG_DONE`, `SOCK_DIAG_BY_FAMILY`.
const ERROR: u16 = 2;
const DONE: u16 = 3;
const LISTED: u16 = 20;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const REQUEST_AND_DUMP: u16 = 0x301;
/// All of `include/net/tcp_states.h` but `TIME_WAIT` (6) and `NEW_SYN_RECV` (12): no process holds those,
/// and a busy server remembers tens of thousands.
const STATES: u32 = 0x0fff & !(1 << 6) & !1;
/// The kernel fills as much as is offered, up to this.
const BUFFER_BYTES: usize = 32 << 10;
const ANSWER_WAIT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::net::{TcpListener, TcpStream, UdpSocket};

    fn message(kind: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
        let mut message = u32::try_from(HEADER_BYTES + body.len()).unwrap().to_ne_bytes().to_vec();
        message.extend_from_slice(&kind.to_ne_bytes());
        message.extend_from_slice(&[2, 0]);
        message.extend_from_slice(&sequence.to_ne_bytes());
        message.extend_from_slice(&[0; 4]);
        message.extend_from_slice(body);
        message.resize(message.len().next_multiple_of(4), 0);
        message
    }

    fn socket(local: SocketAddr, remote: SocketAddr, state: u8, inode: u32) -> Vec<u8> {
        let mut body = vec![if local.is_ipv4() { FAMILY_4 } else { FAMILY_6 }, state, 0, 0];
        body.extend_from_slice(&local.port().to_be_bytes());
        body.extend_from_slice(&remote.port().to_be_bytes());
        for address in [local.ip(), remote.ip()] {
            let mut bytes = match address {
                IpAddr::V4(four) => four.octets().to_vec(),
                IpAddr::V6(six) => six.octets().to_vec(),
            };
            bytes.resize(16, 0);
            body.extend(bytes);
        }
        body.resize(SOCKET_BYTES - 4, 0);
        body.extend_from_slice(&inode.to_ne_bytes());
        body
    }

    fn parsed(datagram: &[u8]) -> Result<(Part, Vec<String>), DiagError> {
        let mut found = Vec::new();
        let part = parse_part(datagram, 7, |line| {
            let (state, inode) = (line.state.name(), line.inode);
            found.push(format!("{} {} {state} {inode}", line.local, line.remote));
        })?;
        Ok((part, found))
    }

    #[test]
    fn messages_are_read() {
        let four = socket("127.0.0.1:8080".parse().unwrap(), "0.0.0.0:0".parse().unwrap(), 10, 42);
        let six = socket("[::1]:22".parse().unwrap(), "[::ffff:1.2.3.4]:5".parse().unwrap(), 1, 7);
        // A real message has attributes behind the socket.
        let with_attributes = [four.as_slice(), &[5, 0, 8, 0, 0, 0, 0, 0]].concat();
        let rows = [
            message(LISTED, 7, &with_attributes),
            message(LISTED, 6, &six),
            message(LISTED, 7, &six),
            message(17, 7, b"something new"),
        ]
        .concat();
        let lines = vec![
            "127.0.0.1:8080 0.0.0.0:0 LISTEN 42".to_owned(),
            "[::1]:22 1.2.3.4:5 ESTABLISHED 7".to_owned(),
        ];
        assert_eq!(parsed(&rows), Ok((Part::More, lines)));
        assert_eq!(parsed(&message(DONE, 7, &[0; 4])), Ok((Part::Last, Vec::new())));
        assert_eq!(parsed(&message(DONE, 6, &[0; 4])), Ok((Part::More, Vec::new())));
        assert_eq!(parsed(&message(ERROR, 7, &[0; 4])), Ok((Part::More, Vec::new())));
        let refused = message(ERROR, 7, &(-2i32).to_ne_bytes());
        assert_eq!(parsed(&refused), Err(DiagError::Refused(Errno::NOENT)));
    }

    #[test]
    fn what_is_cut_off_is_an_error() {
        let whole =
            message(LISTED, 7, &socket("[::]:1".parse().unwrap(), "[::]:0".parse().unwrap(), 7, 1));
        for length in 1..whole.len() {
            assert_eq!(parsed(&whole[..length]), Err(DiagError::CutOff), "length {length}");
        }
        assert_eq!(parsed(&message(LISTED, 7, &[FAMILY_4; 40])), Err(DiagError::CutOff));
        assert_eq!(parsed(&[0; 64]), Err(DiagError::CutOff));
        let mut long = message(DONE, 7, &[0; 4]);
        long[..4].fill(0xff);
        assert_eq!(parsed(&long), Err(DiagError::CutOff));
    }

    #[test]
    fn the_kernel_lists_the_sockets_of_this_process() {
        let mut diag = SockDiag::open().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut found = BTreeSet::new();
        diag.list(Transport::Tcp, |line| {
            if line.local.port() == port || line.remote.port() == port {
                found.insert((line.state.name(), line.inode != 0));
            }
        })
        .unwrap();
        // The connection that nobody accepted yet has no inode; whoever asked for it has.
        let expected = [("ESTABLISHED", false), ("ESTABLISHED", true), ("LISTEN", true)];
        assert_eq!(found, BTreeSet::from(expected));
        let mut udp = Vec::new();
        diag.list(Transport::Udp, |line| udp.push(line.local)).unwrap();
        assert!(udp.contains(&datagrams.local_addr().unwrap()));
        drop(client);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, sequence: u32) {
            let _ = parse_part(&bytes, sequence, |_| {});
        }

        #[test]
        fn sockets_are_read_back(
            a: [u8; 4], b: [u8; 4], c: [u8; 16], p: u16, q: u16, inode: u32, state in 1u8..12,
        ) {
            let four = SocketAddr::new(Ipv4Addr::from(a).into(), p);
            let other = SocketAddr::new(Ipv4Addr::from(b).into(), q);
            let six = SocketAddr::new(Ipv6Addr::from(c).into(), p);
            for (local, remote) in [(four, other), (six, six)] {
                let mut found = Vec::new();
                let datagram = message(LISTED, 7, &socket(local, remote, state, inode));
                parse_part(&datagram, 7, |line| found.push(line)).unwrap();
                let canonical = |it: SocketAddr| SocketAddr::new(it.ip().to_canonical(), it.port());
                prop_assert_eq!(&found, &[NetLine {
                    local: canonical(local),
                    remote: canonical(remote),
                    state: SocketState::from_number(u64::from(state)),
                    inode: u64::from(inode),
                }]);
            }
        }
    }
}
