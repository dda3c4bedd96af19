use std::fmt;
use std::sync::Arc;

/// Where a failure happened that somebody should know of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// A request failed, or was answered in a way that is no success.
    TransportSend,
    /// Something could not be encrypted.
    Encryption,
    /// Events were dropped, or refused for good.
    FlushEvents,
    /// Metrics were dropped, or refused for good.
    FlushMetrics,
    /// Rules were not believed.
    Rules,
}

impl Stage {
    /// As guard agents call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TransportSend => "transport_send",
            Self::Encryption => "encryption",
            Self::FlushEvents => "flush_events",
            Self::FlushMetrics => "flush_metrics",
            Self::Rules => "rules",
        }
    }
}

type Call = dyn Fn(Stage, &str) + Send + Sync;

/// Called with the stage and what went wrong, in words. It runs on a task of the telemetry, so it must
/// not block.
#[derive(Clone)]
pub struct OnError(Arc<Call>);

impl OnError {
    /// Calls this.
    pub fn new(call: impl Fn(Stage, &str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(call))
    }

    pub(super) fn tell(&self, stage: Stage, error: &str) {
        (self.0)(stage, error);
    }
}

impl fmt::Debug for OnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnError")
    }
}
