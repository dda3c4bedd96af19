//! The kernel's process connector: a netlink group that tells of each fork, exec and exit at once.
//!
//! Format: `include/uapi/linux/{netlink,connector,cn_proc}.h`. Needs `CAP_NET_ADMIN` (or Linux 6.6)
//! and the initial pid and user namespaces.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recvfrom, send,
    socket_with, sockopt,
};
use std::collections::HashMap;

/// What the kernel told about a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProcessNotice {
    /// The answer to our wish to listen: 0, or an errno.
    Acknowledged(u32),
    /// A process came to be; it still runs the program of its parent.
    Forked {
        /// Who forked.
        parent: u32,
        /// The new process.
        child: u32,
    },
    /// A process runs another program now.
    Executed(u32),
    /// A process changed its user.
    UserChanged(u32),
    /// A process was attached to by a tracer.
    Traced {
        /// Who is traced.
        pid: u32,
        /// Who traces; 0 when it let go.
        tracer: u32,
    },
    /// The first thread of a process ended; the others may live on.
    Exited {
        /// The process.
        pid: u32,
        /// The exit code, or minus the signal that ended it.
        exit_code: i32,
    },
    /// Another thread of this process ended.
    ThreadExited(u32),
    /// Something that is of no interest here: threads, names, sessions.
    Other,
}

/// A notice with its place in the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberedNotice {
    /// The processor that it comes from; each counts for itself.
    pub cpu: u32,
    /// Rises by one from notice to notice of the same processor.
    pub sequence: u32,
    /// What happened.
    pub notice: ProcessNotice,
}

/// Reads one netlink message; none where it is no message of the process connector.
pub fn parse_notice(message: &[u8]) -> Option<NumberedNotice> {
    let word = |offset: usize| -> Option<u32> {
        let bytes = message.get(offset..offset.checked_add(4)?)?;
        Some(u32::from_ne_bytes(bytes.try_into().ok()?))
    };
    let length = usize::try_from(word(0)?).ok()?;
    if length > message.len() || (word(16)?, word(20)?) != (CONNECTOR_INDEX, CONNECTOR_VALUE) {
        return None;
    }
    let data = |field: usize| word(EVENT_DATA + 4 * field);
    let notice = match word(EVENT)? {
        0 => ProcessNotice::Acknowledged(data(0)?),
        // parent pid, parent tgid, child pid, child tgid
        0x1 if data(2)? == data(3)? => ProcessNotice::Forked { parent: data(1)?, child: data(3)? },
        0x2 => ProcessNotice::Executed(data(1)?),
        0x4 => ProcessNotice::UserChanged(data(1)?),
        0x100 => ProcessNotice::Traced { pid: data(1)?, tracer: data(3)? },
        0x8000_0000 if data(0)? == data(1)? => {
            ProcessNotice::Exited { pid: data(1)?, exit_code: exit_code(data(2)?) }
        }
        0x8000_0000 => ProcessNotice::ThreadExited(data(1)?),
        _ => ProcessNotice::Other,
    };
    Some(NumberedNotice { cpu: word(EVENT + 4)?, sequence: word(24)?, notice })
}

/// An open subscription to the process connector.
#[derive(Debug)]
pub struct ProcessConnector {
    socket: OwnedFd,
    /// The next number expected from each processor.
    expected: HashMap<u32, u32>,
    /// The notice that showed a loss, to be handed out after the word of it.
    held: Option<ProcessNotice>,
}

/// Why the process connector cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectorError {
    /// The kernel refused.
    #[error("the kernel refused: {0}")]
    Refused(Errno),
    /// The kernel did not answer, as it does in a container with its own process ids.
    #[error("the kernel did not answer (own pid or user namespace?)")]
    NoAnswer,
}

/// What came of an attempt to receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// A notice.
    Notice(ProcessNotice),
    /// Notices were lost before this one; how many is not known where it is 0.
    Lost(u32),
    /// Nothing waits.
    Nothing,
}

impl ProcessConnector {
    /// Subscribes, and waits for the kernel's word that it holds.
    ///
    /// # Errors
    /// Where the kernel refuses or does not answer.
    pub fn open() -> Result<Self, ConnectorError> {
        let socket = socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            Some(netlink::CONNECTOR),
        )
        .map_err(ConnectorError::Refused)?;
        // A build starts thousands of processes a second: room for about five thousand notices.
        // Without the privilege the system's ordinary limit stays, and losses are noticed.
        if let Err(error) = sockopt::set_socket_recv_buffer_size_force(&socket, RECEIVE_BYTES) {
            tracing::debug!(%error, "receive buffer of the process connector stays small");
        }
        bind(&socket, &SocketAddrNetlink::new(0, CONNECTOR_INDEX))
            .map_err(ConnectorError::Refused)?;
        let mut connector = Self { socket, expected: HashMap::new(), held: None };
        connector.control(LISTEN).map_err(ConnectorError::Refused)?;
        connector.await_acknowledgement()?;
        Ok(connector)
    }

    /// The next notice that waits, without blocking.
    ///
    /// # Errors
    /// What the kernel said; the subscription is of no use then.
    pub fn receive(&mut self) -> Result<Received, Errno> {
        if let Some(notice) = self.held.take() {
            return Ok(Received::Notice(notice));
        }
        let mut buffer = [0u8; 512];
        loop {
            let (length, from) = match recvfrom(&self.socket, &mut buffer, RecvFlags::empty()) {
                Ok((length, _, from)) => (length, from),
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => return Ok(Received::Nothing),
                Err(Errno::NOBUFS) => {
                    self.expected.clear();
                    return Ok(Received::Lost(0));
                }
                Err(error) => return Err(error),
            };
            // Programs with the privilege can send to the group as well: believe the kernel only.
            let from_kernel = from
                .and_then(|address| SocketAddrNetlink::try_from(address).ok())
                .is_some_and(|address| address.pid() == 0);
            let message = buffer.get(..length).unwrap_or_default();
            let Some(numbered) = parse_notice(message).filter(|_| from_kernel) else {
                continue;
            };
            if matches!(numbered.notice, ProcessNotice::Acknowledged(_)) {
                return Ok(Received::Notice(numbered.notice));
            }
            let next = numbered.sequence.wrapping_add(1);
            let expected = self.expected.insert(numbered.cpu, next);
            let lost = expected.map_or(0, |expected| numbered.sequence.wrapping_sub(expected));
            // The kernel numbers a notice, and drops it where it has no memory for it at that moment.
            if lost > 0 {
                self.held = Some(numbered.notice);
                return Ok(Received::Lost(lost));
            }
            return Ok(Received::Notice(numbered.notice));
        }
    }

    /// To wait on: readable when a notice waits.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn await_acknowledgement(&mut self) -> Result<(), ConnectorError> {
        let deadline = std::time::Instant::now() + ANSWER_WAIT;
        loop {
            match self.receive().map_err(ConnectorError::Refused)? {
                Received::Notice(ProcessNotice::Acknowledged(0)) => return Ok(()),
                Received::Notice(ProcessNotice::Acknowledged(errno)) => {
                    let errno = i32::try_from(errno).unwrap_or(i32::MAX);
                    return Err(ConnectorError::Refused(Errno::from_raw_os_error(errno.min(4095))));
                }
                Received::Notice(_) | Received::Lost(_) => {}
                Received::Nothing => {
                    let left = deadline.saturating_duration_since(std::time::Instant::now());
                    let timeout = Timespec::try_from(left).ok();
                    let mut wait = [PollFd::new(&self.socket, PollFlags::IN)];
                    match poll(&mut wait, timeout.as_ref()) {
                        Ok(0) => return Err(ConnectorError::NoAnswer),
                        Ok(_) | Err(Errno::INTR) => {}
                        Err(error) => return Err(ConnectorError::Refused(error)),
                    }
                }
            }
        }
    }

    /// Tells the kernel to send, or to send no more.
    fn control(&self, operation: u32) -> Result<(), Errno> {
        let own = std::process::id();
        let mut message = Vec::with_capacity(CONTROL_BYTES);
        let mut words = |words: &[u32]| {
            message.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
        };
        // nlmsghdr: length, type NLMSG_DONE (3) with no flags, sequence, port.
        words(&[u32::try_from(CONTROL_BYTES).unwrap_or_default()]);
        words(&[u32::from_ne_bytes(pair(3, 0)), 0, own]);
        // cn_msg: index, value, sequence, acknowledgement, length 4 with no flags; then the word.
        words(&[CONNECTOR_INDEX, CONNECTOR_VALUE, 0, 0]);
        words(&[u32::from_ne_bytes(pair(4, 0)), operation]);
        send(&self.socket, &message, SendFlags::empty()).map(|_| ())
    }
}

impl Drop for ProcessConnector {
    fn drop(&mut self) {
        // Before Linux 6.6 the kernel counts listeners that went without a word.
        if let Err(error) = self.control(IGNORE) {
            tracing::debug!(%error, "could not unsubscribe from the process connector");
        }
    }
}

/// `CN_IDX_PROC` and `CN_VAL_PROC`.
const CONNECTOR_INDEX: u32 = 1;
const CONNECTOR_VALUE: u32 = 1;
/// `PROC_CN_MCAST_LISTEN` and `PROC_CN_MCAST_IGNORE`.
const LISTEN: u32 = 1;
const IGNORE: u32 = 2;
/// After nlmsghdr (16) and cn_msg (20): what, cpu, and a time of 8 bytes, then the data.
const EVENT: usize = 36;
const EVENT_DATA: usize = EVENT + 16;
const CONTROL_BYTES: usize = 40;
const RECEIVE_BYTES: usize = 4 << 20;
const ANSWER_WAIT: std::time::Duration = std::time::Duration::from_millis(300);

fn pair(first: u16, second: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (first.to_ne_bytes(), second.to_ne_bytes());
    [a, b, c, d]
}

/// The exit code, or minus the signal, of a wait status: wait(2).
fn exit_code(status: u32) -> i32 {
    let signal = i32::try_from(status & 0x7f).unwrap_or_default();
    let code = i32::try_from((status >> 8) & 0xff).unwrap_or_default();
    if signal == 0 { code } else { -signal }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(what: u32, data: &[u32]) -> Vec<u8> {
        let mut words = vec![16 + 20 + 40, u32::from_ne_bytes(pair(3, 0)), 0, 0];
        words.extend([1, 1, 7, 0, u32::from_ne_bytes(pair(40, 0))]);
        words.extend([what, 3, 0, 0]);
        words.extend_from_slice(data);
        words.resize(19, 0);
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    #[test]
    fn notices_are_read() {
        check(0, &[13], ProcessNotice::Acknowledged(13));
        check(1, &[5, 5, 9, 9], ProcessNotice::Forked { parent: 5, child: 9 });
        check(1, &[5, 5, 9, 5], ProcessNotice::Other);
        check(2, &[9, 9], ProcessNotice::Executed(9));
        check(4, &[9, 9, 0, 0], ProcessNotice::UserChanged(9));
        check(0x100, &[9, 9, 4, 4], ProcessNotice::Traced { pid: 9, tracer: 4 });
        check(0x200, &[9, 9, 0, 0], ProcessNotice::Other);
        check(0x8000_0000, &[9, 9, 0x300, 17], ProcessNotice::Exited { pid: 9, exit_code: 3 });
        check(0x8000_0000, &[9, 9, 15, 17], ProcessNotice::Exited { pid: 9, exit_code: -15 });
        check(0x8000_0000, &[9, 9, 0x8b, 17], ProcessNotice::Exited { pid: 9, exit_code: -11 });
        check(0x8000_0000, &[10, 9, 0, 17], ProcessNotice::ThreadExited(9));
    }

    #[track_caller]
    fn check(what: u32, data: &[u32], expected: ProcessNotice) {
        let numbered = NumberedNotice { cpu: 3, sequence: 7, notice: expected };
        assert_eq!(parse_notice(&message(what, data)), Some(numbered), "what {what:#x} {data:?}");
    }

    #[test]
    fn what_is_short_or_foreign_is_nothing() {
        let whole = message(2, &[9, 9]);
        for length in 0..whole.len() {
            assert_eq!(parse_notice(&whole[..length]), None, "length {length}");
        }
        let mut foreign = whole;
        foreign[16] = 9;
        assert_eq!(parse_notice(&foreign), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = parse_notice(&bytes);
        }
    }
}
