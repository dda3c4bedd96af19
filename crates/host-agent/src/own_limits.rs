//! What the agent allows itself, so that guarding a host never becomes its load.

use rustix::process::{Resource, Rlimit, getrlimit, setpriority_process, setrlimit};

/// Limits that the kernel keeps for the agent. Its share of the processor it keeps itself, in the probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// 0 to 19. Linux takes the priority at disks from it as well.
    pub(crate) niceness: u8,
    /// Beyond this an allocation fails, and the program ends and is started again.
    pub(crate) memory_bytes_max: Option<u64>,
}

/// Open files: sockets, looks at processes, commands under way, the spool. Leaks end here.
const OPEN_FILES_MAX: u64 = 1024;
/// When memory runs out the kernel should find others first: without the agent nobody sees what ate it.
const OOM_SCORE_ADJUSTMENT: &str = "-200";

impl Limits {
    /// Applies to this thread and all that it starts. What is not permitted is left as it is, and said.
    pub(crate) fn apply(self) {
        if let Err(error) = setpriority_process(None, i32::from(self.niceness)) {
            tracing::debug!(%error, "the niceness stays as it is");
        }
        lower(Resource::Nofile, OPEN_FILES_MAX);
        if let Some(bytes) = self.memory_bytes_max {
            lower(Resource::Data, bytes);
        }
        // Needs CAP_SYS_RESOURCE; the service unit sets it without.
        if let Err(error) = std::fs::write("/proc/self/oom_score_adj", OOM_SCORE_ADJUSTMENT) {
            tracing::debug!(%error, "the preference of the out-of-memory killer stays as it is");
        }
    }
}

/// Lowers what is in force, never raises it. What it may be raised to again stays: a command that ends a
/// great tree of processes holds each of them by a file.
fn lower(resource: Resource, most: u64) {
    let Rlimit { current, maximum } = getrlimit(resource);
    if current.is_some_and(|current| current <= most) {
        return;
    }
    if let Err(error) = setrlimit(resource, Rlimit { current: Some(most), maximum }) {
        tracing::debug!(?resource, %error, "a limit stays as it is");
    }
}
