use http::StatusCode;
use ringwall_server_api::Problem;
use std::time::Duration;

/// Why there is no answer, or not the one that was hoped for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The address of the server cannot be used.
    #[error("`{url}`: {why}")]
    BadUrl {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The token cannot stand in a header.
    #[error("the token has characters that no token has")]
    BadToken,
    /// Nobody listens there.
    #[error("cannot reach {url}: {why}")]
    Unreachable {
        /// The address of the server.
        url: String,
        /// What the system says.
        why: String,
    },
    /// Somebody listens there who cannot show to be the server. Nothing was sent.
    #[error("{url} cannot be trusted: {why}")]
    Untrusted {
        /// The address of the server.
        url: String,
        /// What is wrong with what it shows.
        why: String,
    },
    /// The connection broke. Whether the server did what was asked is not known.
    #[error("connection to {url} broke: {why}")]
    Broken {
        /// The address of the server.
        url: String,
        /// What happened.
        why: String,
    },
    /// The answer takes too long. Whether the server did what was asked is not known.
    #[error("no answer from {url} within {} s", after.as_secs())]
    TimedOut {
        /// The address of the server.
        url: String,
        /// How long we waited.
        after: Duration,
    },
    /// The answer is longer than any of ours.
    #[error("answer of more than {bytes_max} bytes")]
    AnswerTooLarge {
        /// The bound.
        bytes_max: usize,
    },
    /// The server refused and said why.
    #[error("{}", .problem.detail)]
    Refused {
        /// What it said.
        problem: Box<Problem>,
        /// When it is worth trying again.
        retry_after: Option<Duration>,
    },
    /// The answer is not one of ours: somebody else listens there.
    #[error("{url} answers {status}, and not as a Ringwall server does")]
    NotOurs {
        /// The address.
        url: String,
        /// The HTTP status.
        status: StatusCode,
    },
    /// The answer cannot be read: the server is of another version.
    #[error("answer cannot be read: {0}")]
    Unreadable(String),
    /// A request could not be written.
    #[error("request cannot be written: {0}")]
    Unwritable(String),
}

impl ClientError {
    /// What the server said, where it refused.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused { problem, .. } => Some(problem),
            _ => None,
        }
    }

    /// Whether the server refused with this HTTP status.
    pub fn is_status(&self, status: u16) -> bool {
        self.problem().is_some_and(|problem| problem.status == status)
    }

    /// Whether the same request may succeed later: nobody answered, or the server is busy.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Broken { .. } | Self::TimedOut { .. } => true,
            // A certificate is renewed, a clock is set.
            Self::Untrusted { .. } => true,
            Self::Refused { problem, .. } => matches!(problem.status, 429 | 500..=599),
            Self::NotOurs { status, .. } => status.is_server_error(),
            _ => false,
        }
    }
}
