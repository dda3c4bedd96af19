use ringwall_event::AbsolutePath;

/// Without what lies here a machine does not start, work or let anybody in.
///
/// `/usr/local`, `/opt`, `/home`, `/srv`, `/tmp` and `/var` are not among them: that is where what does
/// not belong there is put.
const DEFAULT: &[&str] = &[
    "/bin",
    "/boot",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/sbin",
    "/usr/bin",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/libx32",
    "/usr/sbin",
    "/usr/share",
    "/var/lib/dpkg",
    "/var/lib/ringwall",
    "/var/lib/ringwall-host-agent",
    "/var/lib/rpm",
];

/// What lies here is made up by the kernel: no stored file, and reading some of it has effects.
const OF_THE_KERNEL: [&str; 3] = ["/dev", "/proc", "/sys"];

/// Files and folders that are never put into quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProtectedPaths(Vec<Box<str>>);

impl ProtectedPaths {
    pub(crate) fn new<'a>(folders: impl IntoIterator<Item = &'a str>) -> Self {
        Self(folders.into_iter().map(Into::into).collect())
    }

    /// The file or folder on the list that protects this path.
    pub(crate) fn protects(&self, path: &AbsolutePath) -> Option<&str> {
        self.0.iter().map(|folder| &**folder).find(|folder| path.is_within(folder))
    }
}

impl Default for ProtectedPaths {
    fn default() -> Self {
        Self::new(DEFAULT.iter().copied())
    }
}

/// Whether no file is stored at this path, whatever can be opened there.
pub(crate) fn is_of_the_kernel(path: &AbsolutePath) -> bool {
    OF_THE_KERNEL.iter().any(|folder| path.is_within(folder))
}
