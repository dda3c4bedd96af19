//! The requests of a host agent of ours, by our own reading of RFC 9421: not a line of it is the product's.

use crate::http_client::{Answer, Http};
use crate::server::Server;
use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer, SigningKey};
use http::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where reports go.
pub const REPORTS: &str = "/api/v1/agent/reports";
/// Where commands are fetched.
pub const COMMANDS: &str = "/api/v1/agent/commands";
/// Where hosts enrol.
pub const ENROL: &str = "/api/v1/agent/enrol";
/// Where keys are replaced.
pub const ROTATE: &str = "/api/v1/agent/rotate";

/// What every request says of its body.
const JSON: &str = "application/json";

/// A host agent and the key that it signs with.
#[derive(Clone, Debug)]
pub struct HostAgent {
    /// Its name, which is that of its host; `-` for one that has none yet.
    pub name: String,
    /// The seed of its key.
    pub seed: [u8; 32],
}

/// What a signature covers besides method, path and body.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// Seconds since 1970.
    pub created: i64,
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
        let created = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
        Ok(Self { created, nonce: format!("{:016x}{:016x}", getrandom::u64()?, getrandom::u64()?) })
    }

    /// Of a moment so many seconds from now.
    ///
    /// # Errors
    ///
    /// As [`Stamp::now`].
    pub fn in_seconds(seconds: i64) -> Result<Self> {
        let now = Self::now()?;
        Ok(Self { created: now.created + seconds, ..now })
    }
}

impl HostAgent {
    /// A host agent with a fresh key, unknown to every server.
    ///
    /// # Errors
    ///
    /// When the system gives no randomness.
    pub fn new(name: &str) -> Result<Self> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        Ok(Self { name: name.to_owned(), seed })
    }

    /// The one whose identity stands in this state directory.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn of_state_dir(state_dir: &std::path::Path) -> Result<Self> {
        let identity: Value =
            serde_json::from_slice(&std::fs::read(state_dir.join("identity.json"))?)?;
        let name = identity.get("name").and_then(Value::as_str).context("no name")?.to_owned();
        let seed =
            STANDARD.decode(identity.get("key").and_then(Value::as_str).context("no key")?)?;
        Ok(Self { name, seed: seed.as_slice().try_into()? })
    }

    /// Enrols a host agent of this name, whose machine has no id.
    ///
    /// # Errors
    ///
    /// When the server refuses.
    pub async fn enrol(server: &Server, name: &str) -> Result<Self> {
        let agent = Self::new(name)?;
        let leave = server.api().post("/api/v1/enrolments", &json!({"name": name})).await?;
        let leave = leave.expect(201)?.json()?;
        let token = leave.get("token").and_then(Value::as_str).context("no token")?;
        let http = Http::new(&server.ready().main);
        agent.show(&http, token, json!({})).await?.expect(200)?;
        Ok(agent)
    }

    /// Shows a token, with what is added to the usual facts of the machine.
    ///
    /// # Errors
    ///
    /// When no answer came.
    pub async fn show(&self, http: &Http, token: &str, more: Value) -> Result<Answer> {
        let mut facts = json!({
            "public_key": self.public_key(), "hostname": "test-host", "version": "0.1.0",
        });
        if let (Value::Object(facts), Value::Object(more)) = (&mut facts, more) {
            facts.extend(more);
        }
        let unnamed = Self { name: "-".into(), ..self.clone() };
        let http = http.clone().bearer(token);
        unnamed
            .send_stamped(&http, Method::POST, ENROL, &Stamp::now()?, facts.to_string().as_bytes())
            .await
    }

    fn key(&self) -> SigningKey {
        SigningKey::from_bytes(&self.seed)
    }

    /// Its public key in base64.
    pub fn public_key(&self) -> String {
        STANDARD.encode(self.key().verifying_key().to_bytes())
    }

    /// The id of its key: sixteen hexadecimal digits of the digest of the public key.
    ///
    /// # Errors
    ///
    /// Never: a string takes any text.
    pub fn key_id(&self) -> Result<String> {
        let digest = Sha256::digest(self.key().verifying_key().to_bytes());
        let mut id = String::new();
        for byte in digest.iter().take(8) {
            write!(id, "{byte:02x}")?;
        }
        Ok(id)
    }

    /// Signed headers for a request.
    ///
    /// # Errors
    ///
    /// As [`HostAgent::key_id`].
    pub fn headers(
        &self,
        method: &Method,
        path_and_query: &str,
        stamp: &Stamp,
        body: &[u8],
    ) -> Result<Vec<(&'static str, String)>> {
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let digest = format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(body)));
        let Stamp { created, nonce } = stamp;
        let parameters = format!(
            "(\"@method\" \"@path\" \"@query\" \"content-digest\" \"content-type\");created={created};\
             keyid=\"{}/{}\";alg=\"ed25519\";nonce=\"{nonce}\";tag=\"ringwall-agent\"",
            self.name,
            self.key_id()?
        );
        let base = format!(
            "\"@method\": {method}\n\"@path\": {path}\n\"@query\": ?{query}\n\
             \"content-digest\": {digest}\n\"content-type\": {JSON}\n\
             \"@signature-params\": {parameters}"
        );
        let signature = STANDARD.encode(self.key().sign(base.as_bytes()).to_bytes());
        Ok(vec![
            ("content-type", JSON.to_owned()),
            ("content-digest", digest),
            ("signature-input", format!("ringwall={parameters}")),
            ("signature", format!("ringwall=:{signature}:")),
        ])
    }

    /// Sends a signed request of this moment; where it is refused, as by a server that has just started,
    /// once more.
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
        let answer = self.send_stamped(http, method.clone(), path, &Stamp::now()?, body).await?;
        if answer.status != 401 {
            return Ok(answer);
        }
        tokio::time::sleep(Duration::from_millis(1100)).await;
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
        let headers: Vec<(&str, &str)> =
            signed.iter().map(|(name, value)| (*name, value.as_str())).collect();
        http.send(method, path, &headers, body.to_vec()).await
    }
}
