use super::executable_digests::{Answer, ExecutableDigests, Wanted};
use crate::boot_clock::BootClock;
use crate::containers::Containers;
use crate::procfs::{ProcReader, ProcessStat, decimal, real_user, short_name};
use crate::secret_mask::mask_command_line;
use crate::user_names::UserNames;
use ringwall_event::Process;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What changes about a process from look to look, copied out of its `stat`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vital {
    pub(super) pid: u32,
    pub(super) parent_pid: u32,
    pub(super) start_ticks: u64,
    pub(super) cpu_ticks: u64,
    pub(super) resident_pages: u64,
    pub(super) threads: u64,
    pub(super) is_kernel_thread: bool,
    pub(super) has_ended: bool,
    pub(super) kernel_name: KernelName,
}

/// The kernel's short name, held without an allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KernelName {
    bytes: [u8; KERNEL_NAME_BYTES_MAX],
    length: u8,
}

/// The kernel keeps 15 bytes; for its own threads it prints up to 64.
const KERNEL_NAME_BYTES_MAX: usize = 64;

impl KernelName {
    pub(super) fn new(name: &[u8]) -> Self {
        let mut bytes = [0; KERNEL_NAME_BYTES_MAX];
        let mut length = 0u8;
        for (slot, byte) in bytes.iter_mut().zip(name) {
            *slot = *byte;
            length += 1;
        }
        Self { bytes, length }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

/// More of a command line than this is not read, in bytes.
pub(super) const COMMAND_LINE_BYTES_MAX: usize = 4096;
/// A `stat` has 400 bytes, a `status` 1,500.
const STATUS_BYTES_MAX: usize = 4096;
/// `PATH_MAX`.
const PATH_BYTES_MAX: usize = 4096;

/// Looks at a process; none where it is gone.
pub(super) fn vital(reader: &mut ProcReader, pid: u32) -> Option<Vital> {
    let text = reader.read_of(pid, "stat", STATUS_BYTES_MAX).ok()?;
    let stat = match ProcessStat::parse(text) {
        Ok(stat) => stat,
        Err(error) => {
            tracing::debug!(pid, %error, "stat of a process is unreadable");
            return None;
        }
    };
    Some(Vital {
        pid: stat.pid,
        parent_pid: stat.parent_pid,
        start_ticks: stat.start_ticks,
        cpu_ticks: stat.cpu_ticks,
        resident_pages: stat.resident_pages,
        threads: stat.threads,
        is_kernel_thread: stat.is_kernel_thread(),
        has_ended: stat.has_ended(),
        kernel_name: KernelName::new(stat.name),
    })
}

/// A number that changes when the arguments of the process change.
pub(super) fn arguments_mark(reader: &mut ProcReader, pid: u32) -> u64 {
    mark(reader.read_of(pid, "cmdline", COMMAND_LINE_BYTES_MAX).unwrap_or_default())
}

fn mark(arguments: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    arguments.hash(&mut hasher);
    hasher.finish()
}

/// All that is to be known of a process.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) process: Process,
    /// The mark of its arguments.
    pub(super) arguments_mark: u64,
    /// Which network it is in; none where that may not be seen.
    pub(super) network: Option<u64>,
}

/// What is asked for a description.
#[derive(Debug)]
pub(super) struct Sources<'a> {
    pub(super) reader: &'a mut ProcReader,
    pub(super) users: &'a mut UserNames,
    pub(super) containers: &'a mut Containers,
    pub(super) clock: &'a BootClock,
    /// None where no digest is wanted.
    pub(super) digests: Option<&'a mut ExecutableDigests>,
}

/// Finds out all that is to be known of a process.
pub(super) fn describe(sources: Sources<'_>, vital: &Vital) -> Described {
    let Sources { reader, users, containers, clock, digests } = sources;
    let arguments =
        reader.read_of(vital.pid, "cmdline", COMMAND_LINE_BYTES_MAX).unwrap_or_default();
    let mark = mark(arguments);
    let name = short_name(vital.kernel_name.as_bytes(), arguments);
    let command_line = mask_command_line(arguments).map(String::into_boxed_str);
    let executable = reader.link_of(vital.pid, "exe").map(executable_path);
    let executable_sha256 = match digests {
        Some(digests) if executable.is_some() => {
            match digests.of_process(reader, vital.pid, Wanted::Now) {
                Answer::Digest(digest) => Some(digest),
                Answer::Later | Answer::Never => None,
            }
        }
        _ => None,
    };
    let process = Process {
        pid: i64::from(vital.pid),
        start_time: Some(clock.moment(vital.start_ticks)),
        name,
        parent_pid: (vital.parent_pid != 0).then(|| i64::from(vital.parent_pid)),
        user: user(reader, users, vital.pid),
        executable,
        command_line,
        executable_sha256,
        cpu_percent: None,
        memory_percent: None,
        container: containers.of_process(reader, vital.pid),
    };
    let network = network(reader, vital.pid);
    Described { process, arguments_mark: mark, network }
}

/// The number of the network namespace that a process is in: `net:[4026531840]`.
pub(super) fn network(reader: &mut ProcReader, pid: u32) -> Option<u64> {
    let link = reader.link_of(pid, "ns/net")?;
    decimal(link.strip_prefix(b"net:[")?.strip_suffix(b"]")?)
}

/// The name of the user that the process runs as.
pub(super) fn user(reader: &mut ProcReader, users: &mut UserNames, pid: u32) -> Option<Box<str>> {
    let user = real_user(reader.read_of(pid, "status", STATUS_BYTES_MAX).ok()?)?;
    Some((&*users.name(user)).into())
}

/// The path of a program; the kernel's mark that the file is gone by now is no part of it.
fn executable_path(link: &[u8]) -> Box<str> {
    let path = link.strip_suffix(b" (deleted)").unwrap_or(link);
    String::from_utf8_lossy(path.get(..PATH_BYTES_MAX).unwrap_or(path)).into()
}
