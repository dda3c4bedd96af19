//! Secrets and settings from the environment, under the names that SysScore's documents give them.

use crate::dialects::sysscore::AllowedOrigins;
use crate::webhooks::SysScoreSettings;
use anyhow::{Context, bail};
use ringwall_signing::Secret;
use std::collections::BTreeMap;

/// What the environment, or a `.env` file, says.
pub(crate) struct Environment {
    /// `AGENT_KEYS`: secrets of SysScore agents by id.
    pub(crate) agent_keys: BTreeMap<String, Secret>,
    /// `OAUTH2_SECRET_KEY`: signs HS256 operator tokens.
    pub(crate) operator_secret: Option<Secret>,
    /// `CORS_ORIGINS`: whose pages may ask the SysScore API.
    pub(crate) sysscore_origins: AllowedOrigins,
    /// `HMAC_SECRET_KEY` and `WEBHOOK_*`: webhooks in the SysScore form.
    pub(crate) webhooks: SysScoreSettings,
}

/// The original's public default, which opens every installation that kept it.
const PUBLIC_DEFAULT: &str = "change-me-in-production";
const AGENT_KEYS_MAX: usize = 100_000;

impl Environment {
    /// # Errors
    /// Where a value cannot be read, or is a secret that everybody knows.
    pub(crate) fn read(env: &BTreeMap<String, String>) -> anyhow::Result<Self> {
        let agent_keys: BTreeMap<String, String> = match env.get("AGENT_KEYS") {
            None => BTreeMap::new(),
            // The message of the parser would repeat a piece of the secrets.
            Some(text) => serde_json::from_str(text).ok().context(
                "AGENT_KEYS: expected a JSON object of agent ids and secrets, \
                 as in {\"agent-1\": \"a-secret\"}",
            )?,
        };
        if agent_keys.len() > AGENT_KEYS_MAX {
            bail!("AGENT_KEYS: more than {AGENT_KEYS_MAX} agents");
        }
        if let Some((id, _)) = agent_keys.iter().find(|(id, key)| id.is_empty() || key.is_empty()) {
            bail!("AGENT_KEYS: the id or the secret of `{id}` is empty");
        }
        let operator_secret = match env.get("OAUTH2_SECRET_KEY").map(String::as_str) {
            None | Some("") => None,
            Some(PUBLIC_DEFAULT) => {
                bail!("OAUTH2_SECRET_KEY: `{PUBLIC_DEFAULT}` is known to everybody; set another")
            }
            Some(secret) => Some(Secret::from(secret)),
        };
        match env.get("OAUTH2_ALGORITHM").map(String::as_str) {
            None | Some("" | "HS256") => {}
            Some(other) => bail!("OAUTH2_ALGORITHM: `{other}` is not supported, only HS256"),
        }
        Ok(Self {
            agent_keys: agent_keys
                .into_iter()
                .map(|(id, secret)| (id, Secret::from(secret)))
                .collect(),
            operator_secret,
            sysscore_origins: match env.get("CORS_ORIGINS").map(String::as_str) {
                None | Some("") => AllowedOrigins::default(),
                Some(text) => AllowedOrigins::read(text)?,
            },
            webhooks: SysScoreSettings::read(env)?,
        })
    }
}

/// The name of this machine; empty where the system does not tell.
pub(crate) fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guides_line_is_read_and_public_secrets_are_refused() {
        let read = |name: &str, value: &str| {
            Environment::read(&BTreeMap::from([(name.to_owned(), value.to_owned())]))
        };
        let guide = read("AGENT_KEYS", r#"{"agent-1": "secret-key-1"}"#).unwrap();
        assert_eq!(guide.agent_keys.get("agent-1").unwrap().expose(), b"secret-key-1");
        let error = read("AGENT_KEYS", r#"{"agent-1": "secret-key-1""#).err().unwrap();
        assert!(!format!("{error:#}").contains("secret-key-1"), "{error:#}");
        assert!(read("AGENT_KEYS", r#"{"": "x"}"#).is_err());
        assert!(read("OAUTH2_SECRET_KEY", PUBLIC_DEFAULT).is_err());
        assert!(read("OAUTH2_ALGORITHM", "none").is_err());
        assert!(read("CORS_ORIGINS", "https://soc.example").is_err());
        let listed = read("CORS_ORIGINS", r#"["https://soc.example"]"#).unwrap().sysscore_origins;
        assert_ne!(listed, AllowedOrigins::Any);
        assert_eq!(read("CORS_ORIGINS", "").unwrap().sysscore_origins, AllowedOrigins::Any);
        assert!(read("OAUTH2_SECRET_KEY", "long-enough-secret").unwrap().operator_secret.is_some());
    }
}
