//! How an end that is no success is told: `error: …`, `hint: …`, and the exit code.

use crate::output::{Paint, Style, visible};
use ringwall_lifecycle::config::ConfigError;
use ringwall_lifecycle::{Exit, Failure};
use ringwall_server_client::ClientError;
use std::io::{self, Write};

/// Tells it on stderr.
pub(crate) fn tell(error: anyhow::Error) -> Exit {
    // `ringwall events | head` is no failure: nobody is left to read.
    if error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
    }) {
        return Exit::Yes;
    }
    let failure = of(error);
    let paint = Paint::of_stderr();
    let mut text = format!("{} {}\n", paint.as_(Style::Bad, "error:"), lines(&failure.message));
    if let Some(hint) = &failure.hint {
        text += &format!("{} {}\n", paint.as_(Style::Accent, "hint:"), lines(hint));
    }
    // If stderr is gone, the exit code still tells.
    drop(io::stderr().lock().write_all(text.as_bytes()));
    failure.exit
}

/// Our own line feeds stay; everything else that is not plain text becomes visible.
fn lines(text: &str) -> String {
    text.split('\n').map(visible).collect::<Vec<_>>().join("\n")
}

fn of(error: anyhow::Error) -> Failure {
    let error = match error.downcast::<Failure>() {
        Ok(failure) => return failure,
        Err(error) => error,
    };
    let error = match error.downcast::<ConfigError>() {
        Ok(error) => return error.into(),
        Err(error) => error,
    };
    match error.downcast::<ClientError>() {
        Ok(error) => of_client(&error),
        Err(error) => Failure::new(format!("{error:#}")),
    }
}

fn of_client(error: &ClientError) -> Failure {
    let failure = Failure::new(error.to_string());
    match error {
        ClientError::Refused { problem, .. } => {
            let denied = matches!(problem.status, 401 | 403 | 404 | 409);
            let failure = if denied { Failure::no(error.to_string()) } else { failure };
            match (&problem.hint, problem.status) {
                (_, 401) => {
                    failure.hint("is RINGWALL_TOKEN a token of this server, and not expired?")
                }
                (Some(hint), _) => failure.hint(hint.clone()),
                (None, _) => failure,
            }
        }
        ClientError::Unreachable { .. } => failure.hint(
            "start a server with `ringwall up`, or name another by --data-dir, or by RINGWALL_URL \
             and RINGWALL_TOKEN",
        ),
        ClientError::NotOurs { .. } => failure.hint("is that the port of the dashboard?"),
        ClientError::Unreadable(_) => {
            failure.hint("is the server of the same version as this program?")
        }
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringwall_server_api::{Problem, ProblemKind};

    #[test]
    fn refusals_are_a_no_and_silence_is_no_answer() {
        let refused = |kind| {
            let problem = Box::new(Problem::new(kind, "because"));
            of(ClientError::Refused { problem, retry_after: None }.into())
        };
        assert_eq!(refused(ProblemKind::NotFound), Failure::no("because"));
        assert_eq!(refused(ProblemKind::ActionRefused).exit, Exit::No);
        assert_eq!(refused(ProblemKind::Busy).exit, Exit::NoAnswer);
        assert_eq!(refused(ProblemKind::InvalidRequest).exit, Exit::NoAnswer);
        let gone = ClientError::Unreachable { url: "http://h".into(), why: "refused".into() };
        let gone = of(gone.into());
        assert_eq!(gone.message, "cannot reach http://h: refused");
        assert!(gone.hint.unwrap().contains("ringwall up"));
        let other = anyhow::anyhow!("inner").context("outer");
        assert_eq!(of(other), Failure::new("outer: inner"));
    }

    #[test]
    fn what_others_wrote_cannot_command_the_terminal() {
        assert_eq!(lines("a\u{1b}[2Jb\nc"), "a⟨ESC⟩[2Jb\nc");
    }
}
