use super::{Telemetry, rule_set};
use crate::GuardHandle;

impl Telemetry {
    /// Puts the server's rules in force at this guard as they change, from now on until telemetry ends.
    /// What cannot be applied is told in the log, and leaves what held before.
    pub fn guide(&self, guard: GuardHandle) {
        let mut rules = self.rules();
        tokio::spawn(async move {
            loop {
                let current = rules.borrow_and_update().clone();
                // Rules that expire end by themselves, in the guard.
                if let Some(current) = current {
                    let version = current.version;
                    match guard.apply_rules(&rule_set(&current)).await {
                        Ok(applied) => {
                            for entry in &applied.left_out {
                                tracing::warn!(version, entry, "an entry of the rules is left out");
                            }
                        }
                        Err(error) => {
                            tracing::error!(version, %error, "the server's rules are not applied");
                        }
                    }
                }
                if rules.changed().await.is_err() {
                    return;
                }
            }
        });
    }
}
