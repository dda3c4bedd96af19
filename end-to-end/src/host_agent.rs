//! The requests of a host agent of ours: signed over method, path, time, nonce and body digest.

use crate::http_client::{Answer, Http};
use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::Method;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where reports go.
pub const REPORTS: &str = "/api/v1/agent/reports";

/// An enrolled host agent.
#[derive(Clone, Debug)]
pub struct HostAgent {
    /// Its name, which is that of its host.
    pub name: String,
    /// Its secret.
    pub secret: String,
}

/// What a signature covers besides method, path and body.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// Milliseconds since 1970.
    pub time_ms: u128,
    /// 16 to 64 characters, never used twice.
    pub nonce: String,
}

impl Stamp {
    /// Of this moment.
    ///
    /// # Errors
    ///
    /// When the system gives no randomness, or its clock stands before 1970.
    pub fn now() -> Result<Self> {
        let time_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        Ok(Self { time_ms, nonce: format!("{:016x}{:016x}", getrandom::u64()?, getrandom::u64()?) })
    }
}

impl HostAgent {
    /// Signed headers for a request.
    ///
    /// # Errors
    ///
    /// Never: HMAC takes keys of any length.
    pub fn headers(
        &self,
        method: &Method,
        path_and_query: &str,
        stamp: &Stamp,
        body: &[u8],
    ) -> Result<Vec<(&'static str, String)>> {
        let mut digest = String::new();
        for byte in Sha256::digest(body) {
            write!(digest, "{byte:02x}")?;
        }
        let Stamp { time_ms, nonce } = stamp;
        let text =
            format!("ringwall-agent-v1\n{method}\n{path_and_query}\n{time_ms}\n{nonce}\n{digest}");
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes())?;
        mac.update(text.as_bytes());
        let mac = STANDARD.encode(mac.finalize().into_bytes());
        Ok(vec![
            ("x-ringwall-agent", self.name.clone()),
            ("x-ringwall-time", time_ms.to_string()),
            ("x-ringwall-nonce", nonce.clone()),
            ("x-ringwall-signature", format!("v1={mac}")),
        ])
    }

    /// Sends a signed request of this moment.
    ///
    /// # Errors
    ///
    /// When no answer came.
    pub async fn send(
        &self,
        http: &Http,
        method: Method,
        path: &str,
        body: &[u8],
    ) -> Result<Answer> {
        self.send_stamped(http, method, path, &Stamp::now()?, body).await
    }

    /// Sends a request signed for the moment and nonce given.
    ///
    /// # Errors
    ///
    /// When no answer came.
    pub async fn send_stamped(
        &self,
        http: &Http,
        method: Method,
        path: &str,
        stamp: &Stamp,
        body: &[u8],
    ) -> Result<Answer> {
        let signed = self.headers(&method, path, stamp, body)?;
        let mut headers: Vec<(&str, &str)> =
            signed.iter().map(|(name, value)| (*name, value.as_str())).collect();
        headers.push(("content-type", "application/json"));
        http.send(method, path, &headers, body.to_vec()).await
    }
}
