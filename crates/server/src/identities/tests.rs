use super::*;

impl Identities {
    /// For tests: a host agent with this key, as if it had enrolled.
    pub(crate) async fn add(&self, engine: &Engine, name: &str, key: PublicKey) {
        let (held, name) = (Arc::clone(&self.held), name.to_owned());
        engine.write(move |writing| put(writing, &held, name, record(key))).await.unwrap();
    }
}

/// An identity with this key, and nothing else worth telling.
pub(super) fn record(key: PublicKey) -> IdentityRecord {
    IdentityRecord {
        machine: None,
        hostname: "web-1".into(),
        version: "0.1.0".into(),
        state: IdentityState::Active,
        key,
        next_key: None,
        retired_key: None,
        enrolled: Timestamp::from_micros(1),
        enrolled_by: "0000000000000000".into(),
        rotated: None,
        warning: None,
    }
}
