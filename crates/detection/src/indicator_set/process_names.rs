//! The names that a process goes by: its own, its program's, its script's.

use super::command_line::script_of;
use ringwall_event::Process;

/// How many bytes of a process name the Linux kernel keeps.
const COMM_BYTES_MAX: usize = 15;

/// The names of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessNames<'a> {
    /// As reported.
    pub(crate) short: &'a str,
    /// The whole name, where `short` is a part of it.
    pub(crate) full: Option<&'a str>,
    /// The path of the program.
    pub(crate) executable_path: Option<&'a str>,
    /// The file name of the program.
    pub(crate) executable: Option<&'a str>,
    /// The script that the program runs, as its arguments name it.
    pub(crate) script: Option<&'a str>,
}

impl<'a> ProcessNames<'a> {
    pub(crate) fn of(process: &'a Process) -> Self {
        let short: &str = &process.name;
        // The kernel marks a program whose file was unlinked.
        let executable_path = process
            .executable
            .as_deref()
            .map(|path| path.strip_suffix(" (deleted)").unwrap_or(path))
            .filter(|path| !path.is_empty());
        let executable = executable_path.map(file_name);
        let script = process.command_line.as_deref().and_then(|line| script_of(line, executable));
        let mut names = Self { short, full: None, executable_path, executable, script };
        if names.is_cut() {
            let first = process.command_line.as_deref().and_then(|line| line.split(' ').next());
            names.full = [executable, script.map(file_name), first.map(file_name)]
                .into_iter()
                .flatten()
                .find(|name| name.starts_with(short));
        }
        names
    }

    pub(crate) fn script_name(&self) -> Option<&'a str> {
        self.script.map(file_name)
    }

    /// Whether the name has the length at which the kernel cuts.
    pub(crate) fn is_cut(&self) -> bool {
        self.short.len() == COMM_BYTES_MAX
    }
}

/// What the kernel keeps of this name, where that is not all of it.
pub(super) fn cut(name: &str) -> Option<&str> {
    (name.len() > COMM_BYTES_MAX).then(|| name.get(..COMM_BYTES_MAX)).flatten()
}

/// The part after the last slash of either kind.
pub(super) fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}
