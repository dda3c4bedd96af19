//! Words of URLs.

/// Schemes, and hosts that need none.
pub(super) const WORDS: &[&str] = &[
    "://",
    "//",
    ":\\\\",
    ":/\\",
    "data:",
    "169.254.",
    "metadata.google",
    "expect:",
    "jar:",
    "netdoc:",
    "url:",
    "file:",
    "php:",
    "phar:",
    "gopher:",
    "dict:",
    "http:",
    "https:",
    "\\\\",
    "ldap:",
    "classpath:",
    "127.",
    "localhost",
];
