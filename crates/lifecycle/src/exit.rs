use std::error::Error;
use std::fmt;
use std::process::ExitCode;

/// How a program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done, or the answer is yes.
    Yes,
    /// 1: the answer is no: denied, not found, altered.
    No,
    /// 2: no answer could be had.
    NoAnswer,
}

impl Exit {
    /// The number that the shell sees.
    pub const fn number(self) -> u8 {
        match self {
            Self::Yes => 0,
            Self::No => 1,
            Self::NoAnswer => 2,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

/// An end that is not a success: what was wrong and where, a way out, and the exit code.
///
/// It travels inside `anyhow::Error` like any other error; the program's `main` takes it out again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What was wrong, beginning with the place.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// What the program ends with.
    pub exit: Exit,
}

impl Failure {
    /// No answer could be had.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, exit: Exit::NoAnswer }
    }

    /// The answer is no.
    pub fn no(message: impl Into<String>) -> Self {
        Self { exit: Exit::No, ..Self::new(message) }
    }

    /// With a way out.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Failure {}
