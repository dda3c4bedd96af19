use super::digits::{decimal, hexadecimal, words};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// One line of `/proc/net/{tcp,tcp6,udp,udp6}`: proc_net(5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetLine {
    /// This side. An IPv4 address in IPv6 clothes is given as IPv4.
    pub local: SocketAddr,
    /// The other side; port 0 where there is none.
    pub remote: SocketAddr,
    /// The state of the socket.
    pub state: SocketState,
    /// The socket's inode; 0 where no process holds it any more.
    pub inode: u64,
}

/// The states of `include/net/tcp_states.h`. A UDP socket is established (connected) or closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SocketState {
    /// Both sides can send.
    Established,
    /// A request for a connection went out.
    SynSent,
    /// A request for a connection came in.
    SynReceived,
    /// We closed and wait for the other side to say so.
    FinWait1,
    /// We closed, the other side has not yet.
    FinWait2,
    /// Gone, remembered for stray packets.
    TimeWait,
    /// Not connected.
    Closed,
    /// The other side closed, we have not yet.
    CloseWait,
    /// Both closed, the last word is outstanding.
    LastAck,
    /// Waits for connections.
    Listen,
    /// Both closed at once.
    Closing,
    /// A state that this program does not know.
    Unknown,
}

impl SocketState {
    /// The name that psutil and netstat print.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Established => "ESTABLISHED",
            Self::SynSent => "SYN_SENT",
            Self::SynReceived => "SYN_RECV",
            Self::FinWait1 => "FIN_WAIT1",
            Self::FinWait2 => "FIN_WAIT2",
            Self::TimeWait => "TIME_WAIT",
            Self::Closed => "CLOSE",
            Self::CloseWait => "CLOSE_WAIT",
            Self::LastAck => "LAST_ACK",
            Self::Listen => "LISTEN",
            Self::Closing => "CLOSING",
            Self::Unknown => "NONE",
        }
    }

    pub(crate) fn from_number(number: u64) -> Self {
        match number {
            1 => Self::Established,
            2 => Self::SynSent,
            3 | 12 => Self::SynReceived,
            4 => Self::FinWait1,
            5 => Self::FinWait2,
            6 => Self::TimeWait,
            7 => Self::Closed,
            8 => Self::CloseWait,
            9 => Self::LastAck,
            10 => Self::Listen,
            11 => Self::Closing,
            _ => Self::Unknown,
        }
    }
}

impl NetLine {
    /// Reads one line; none for the heading and for what is not such a line.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = words(line);
        // `sl`, as in `12:`; the heading has no number there.
        decimal(fields.next()?.strip_suffix(b":")?)?;
        let local = address(fields.next()?)?;
        let remote = address(fields.next()?)?;
        let state = SocketState::from_number(hexadecimal(fields.next()?)?);
        // tx_queue:rx_queue, tr:tm->when, retrnsmt, uid, timeout, then the inode.
        let inode = decimal(fields.nth(5)?)?;
        Some(Self { local, remote, state, inode })
    }

    /// The other side, where there is one.
    pub fn peer(&self) -> Option<SocketAddr> {
        (self.remote.port() != 0).then_some(self.remote)
    }
}

/// Reads `0100007F:1F90`: the address in words of the host's byte order, then the port.
fn address(field: &[u8]) -> Option<SocketAddr> {
    let colon = field.iter().position(|byte| *byte == b':')?;
    let (digits, port) = field.split_at_checked(colon)?;
    let port = u16::try_from(hexadecimal(port.get(1..)?)?).ok()?;
    let address: IpAddr = match digits.len() {
        8 => Ipv4Addr::from(word(digits)?).into(),
        32 => {
            let mut bytes = [0u8; 16];
            for (target, source) in bytes.chunks_exact_mut(4).zip(digits.chunks_exact(8)) {
                target.copy_from_slice(&word(source)?);
            }
            Ipv6Addr::from(bytes).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

fn word(digits: &[u8]) -> Option<[u8; 4]> {
    Some(u32::try_from(hexadecimal(digits)?).ok()?.to_ne_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_are_read() {
        check(
            "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0 0 4242 1 ffff 100",
            Some("127.0.0.1:8080 0.0.0.0:0 LISTEN 4242"),
        );
        check(
            " 12: 0200A8C0:D2F0 0101A8C0:01BB 01 00000000:00000000 02:000A 00000000 1000 0 77 2 ff",
            Some("192.168.0.2:54000 192.168.1.1:443 ESTABLISHED 77"),
        );
        check(
            "3: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 07 0:0 0:0 0 0 0 9",
            Some("[::1]:22 [::]:0 CLOSE 9"),
        );
        check(
            "3: 0000000000000000FFFF00000100007F:0016 0000000000000000FFFF00000100007F:9999 01 0:0 0:0 0 0 0 9",
            Some("127.0.0.1:22 127.0.0.1:39321 ESTABLISHED 9"),
        );
        check("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when", None);
        check("0: 0100007F:1F90 00000000:0000 0A", None);
        check("0: 0100007F 00000000:0000 0A 0:0 0:0 0 0 0 9", None);
        check("0: 0100007F:FFFFF 00000000:0000 0A 0:0 0:0 0 0 0 9", None);
        check("", None);
    }

    #[track_caller]
    fn check(line: &str, expected: Option<&str>) {
        if cfg!(target_endian = "big") {
            return;
        }
        let found = NetLine::parse(line.as_bytes()).map(|line| {
            format!("{} {} {} {}", line.local, line.remote, line.state.name(), line.inode)
        });
        assert_eq!(found.as_deref(), expected, "line {line:?}");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = NetLine::parse(&bytes);
        }

        #[test]
        fn addresses_are_read_back(a: u32, b: [u32; 4], p: u16, q: u16, inode: u64) {
            let six: String = b.iter().map(|word| format!("{word:08X}")).collect();
            let line = format!("7: {a:08X}:{p:04X} {six}:{q:04X} 01 0:0 0:0 0 0 0 {inode} 1");
            let line = NetLine::parse(line.as_bytes()).unwrap();
            let mut bytes = [0u8; 16];
            for (target, word) in bytes.chunks_exact_mut(4).zip(b) {
                target.copy_from_slice(&word.to_ne_bytes());
            }
            prop_assert_eq!(line.local, SocketAddr::new(Ipv4Addr::from(a.to_ne_bytes()).into(), p));
            prop_assert_eq!(line.remote, SocketAddr::new(Ipv6Addr::from(bytes).to_canonical(), q));
            prop_assert_eq!(line.inode, inode);
        }
    }
}
