use serde::{Deserialize, Serialize};
use std::fmt;

/// Who sent something: the dialect it speaks and its name there, as in `sysscore:agent-1`.
///
/// Two dialects never share a name: what an unauthenticated Watcher client claims about a host
/// stands beside, not in the place of, what that host's enrolled agent says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Source {
    /// `host-agent`, `sysscore`, `watcher`, …: lower-case letters and hyphens.
    pub dialect: Box<str>,
    /// The sender's name within its dialect; free text.
    pub name: Box<str>,
}

impl Source {
    /// The dialect of our own host agents.
    pub const HOST_AGENT: &'static str = "host-agent";
    /// The dialect of SysScore agents.
    pub const SYSSCORE: &'static str = "sysscore";
    /// The dialect of Watcher agents.
    pub const WATCHER: &'static str = "watcher";
    /// The dialect of application guards; the sender is the project.
    pub const GUARD: &'static str = "guard";

    /// The sender called `name` in `dialect`.
    pub fn new(dialect: &str, name: &str) -> Self {
        Self { dialect: dialect.into(), name: name.into() }
    }

    /// Reads `dialect:name`; the name may hold further colons.
    pub fn parse(text: &str) -> Option<Self> {
        let (dialect, name) = text.split_once(':')?;
        (!dialect.is_empty() && !name.is_empty()).then(|| Self::new(dialect, name))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.dialect, self.name)
    }
}
