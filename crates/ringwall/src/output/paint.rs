use ringwall_event::{AlertState, CommandState, Severity};
use ringwall_server_api::DeliveryState;
use std::io::IsTerminal;

/// Whether colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Paint {
    colours: bool,
}

/// What a colour says. Nothing is told by colour alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// As it is.
    Plain,
    /// Worth a first look.
    Strong,
    /// Less important.
    Faint,
    /// Well.
    Good,
    /// To be watched.
    Warning,
    /// Wrong.
    Bad,
    /// Wrong, and now.
    Alarm,
    /// A word of ours among data.
    Accent,
}

impl Paint {
    pub(crate) fn of_stdout() -> Self {
        Self::of_terminal(std::io::stdout().is_terminal())
    }

    pub(crate) fn of_stderr() -> Self {
        Self::of_terminal(std::io::stderr().is_terminal())
    }

    /// <https://no-color.org>: set and not empty means no colour.
    fn of_terminal(is_terminal: bool) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        Self { colours: is_terminal && !refused && !dumb }
    }

    #[cfg(test)]
    pub(crate) const fn always() -> Self {
        Self { colours: true }
    }

    pub(crate) fn as_(self, style: Style, text: &str) -> String {
        let code = match style {
            _ if !self.colours || text.is_empty() => return text.to_owned(),
            Style::Plain => return text.to_owned(),
            Style::Strong => "1",
            Style::Faint => "2",
            Style::Good => "32",
            Style::Warning => "33",
            Style::Bad => "31",
            Style::Alarm => "1;31",
            Style::Accent => "36",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

impl From<Severity> for Style {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Informational => Self::Faint,
            Severity::Low => Self::Accent,
            Severity::Medium => Self::Warning,
            Severity::High => Self::Bad,
            Severity::Critical => Self::Alarm,
        }
    }
}

impl From<AlertState> for Style {
    fn from(state: AlertState) -> Self {
        match state {
            AlertState::Open => Self::Strong,
            AlertState::Acknowledged => Self::Plain,
            AlertState::Resolved => Self::Faint,
        }
    }
}

impl From<CommandState> for Style {
    fn from(state: CommandState) -> Self {
        match state {
            CommandState::Queued | CommandState::Delivered => Self::Warning,
            CommandState::Succeeded => Self::Good,
            CommandState::Failed => Self::Bad,
            CommandState::Expired | CommandState::Withdrawn => Self::Faint,
        }
    }
}

impl From<DeliveryState> for Style {
    fn from(state: DeliveryState) -> Self {
        match state {
            DeliveryState::Pending => Self::Plain,
            DeliveryState::Failed => Self::Warning,
            DeliveryState::Success => Self::Good,
            DeliveryState::DeadLetter => Self::Bad,
        }
    }
}

/// The colour of a risk score, 0 to 100.
impl From<f64> for Style {
    fn from(risk: f64) -> Self {
        match risk {
            risk if risk >= 75.0 => Self::Bad,
            risk if risk >= 50.0 => Self::Warning,
            _ => Self::Plain,
        }
    }
}
