//! Words about what happens, on stderr.

use std::io::IsTerminal;
use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

/// In which form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// A line for people; coloured on a terminal, unless `NO_COLOR` is set.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    /// The format that `RINGWALL_LOG_FORMAT` asks for: `text` or `json`.
    ///
    /// # Errors
    /// With the value, where it is neither.
    pub fn from_environment() -> Result<Self, String> {
        match std::env::var("RINGWALL_LOG_FORMAT").as_deref() {
            Err(_) | Ok("" | "text") => Ok(Self::Text),
            Ok("json") => Ok(Self::Json),
            Ok(other) => Err(other.to_owned()),
        }
    }
}

/// Begins to write what `tracing` is told to stderr. `RINGWALL_LOG` chooses what, as in
/// `debug` or `info,ringwall_server=debug`; without it, it is `level` and above.
///
/// # Errors
/// Where `RINGWALL_LOG` cannot be read; then nothing was begun.
pub fn start(format: LogFormat, level: Level) -> Result<(), String> {
    let filter = match std::env::var("RINGWALL_LOG") {
        Ok(text) if !text.is_empty() => EnvFilter::builder()
            .parse(&text)
            .map_err(|error| format!("RINGWALL_LOG: `{text}`: {error}"))?,
        _ => EnvFilter::new(level.as_str()),
    };
    let colour = std::io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_span_events(FmtSpan::NONE)
        .with_writer(std::io::stderr);
    // A second start in one process finds the first one in place, which is as good.
    drop(match format {
        LogFormat::Text => builder.with_ansi(colour).with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    });
    Ok(())
}
