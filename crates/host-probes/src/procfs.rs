//! The files of procfs: thin parsers that never panic, and a reader that keeps its buffers.
//!
//! Each parser takes the bytes of one file (or of one line) and is a target for fuzzing.
//!
//! ```
//! use ringwall_host_probes::procfs::ProcessStat;
//!
//! let text = b"42 (a) b) S 1 42 42 0 -1 0 0 0 0 0 3 4 0 0 20 0 1 0 987 0 12";
//! let stat = ProcessStat::parse(text)?;
//! assert_eq!((stat.pid, stat.name, stat.start_ticks), (42, &b"a) b"[..], 987));
//! # Ok::<(), ringwall_host_probes::procfs::ProcessStatError>(())
//! ```

mod digits;
mod mount_table;
mod net_table;
mod process_stat;
mod reader;
mod short_name;
mod system_files;

pub(crate) use digits::decimal;
pub use mount_table::MountLine;
pub use net_table::{NetLine, SocketState};
pub use process_stat::{ProcessStat, ProcessStatError};
pub use reader::ProcReader;
pub use short_name::short_name;
pub use system_files::{
    boot_seconds, last_pid, may_see_all, memory, pretty_name, processors, real_user,
    sockets_in_use, tcp_counts, user_ids,
};
