use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
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

    /// One that panics must not take telemetry along.
    pub(super) fn tell(&self, stage: Stage, error: &str) {
        if catch_unwind(AssertUnwindSafe(|| (self.0)(stage, error))).is_err() {
            tracing::error!(stage = stage.name(), error, "`on_error` panicked");
        }
    }
}

impl fmt::Debug for OnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnError")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn a_call_that_panics_takes_nobody_along() {
        let calls = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&calls);
        let on_error = OnError::new(move |_, _| {
            counted.fetch_add(1, Ordering::Relaxed);
            panic!("of the application's own making");
        });
        on_error.tell(Stage::Rules, "one");
        on_error.tell(Stage::Rules, "two");
        assert_eq!(calls.load(Ordering::Relaxed), 2);
    }
}
