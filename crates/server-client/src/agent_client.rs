use crate::http_client::{JSON, to_body, with_query};
use crate::{ClientError, HttpAnswer, HttpClient, Trust};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use parking_lot::RwLock;
use ringwall_server_api::{
    AgentEnrolRequest, AgentEnrolled, AgentReportAnswer, AgentRotateRequest, AgentRotated,
    CommandRefusals, CommandResult, FilePart, FilePartAnswer, SignedCommands, paths,
};
use ringwall_signing::request_signature::{
    CONTENT_DIGEST_HEADER, INPUT_HEADER, Message, SIGNATURE_HEADER, Signer, UNNAMED, is_agent_name,
};
use ringwall_signing::{PublicKey, SigningKey};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const TIMEOUT: Duration = Duration::from_secs(15);
/// The largest answer that is read, in bytes: commands and counts. Whoever answers in the server's place
/// must not fill the memory of the host.
const ANSWER_BYTES_MAX: usize = 4 << 20;
/// A server that has just started refuses what may have been signed before: all of the second in which it
/// started.
const NEXT_SECOND: Duration = Duration::from_millis(1100);

/// Speaks to a server as a host agent: each request is signed. Cheap to clone.
#[derive(Clone)]
pub struct AgentClient {
    http: HttpClient,
    name: String,
    key: Arc<RwLock<Arc<SigningKey>>>,
}

/// What an agent says of itself when it asks for commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// Drawn at the start of the agent.
    pub run: String,
    /// What tells its machine from others.
    pub machine: Option<String>,
}

impl AgentClient {
    /// A client of the server at `url` for the host agent `name`. Nothing is sent yet.
    ///
    /// # Errors
    /// Where the address or the name cannot be used.
    pub fn new(url: &str, name: &str, key: SigningKey) -> Result<Self, ClientError> {
        Self::trusting(url, name, key, &Trust::default())
    }

    /// The same for an address that begins with `https://`, where `trust` says who may vouch for the
    /// server.
    ///
    /// # Errors
    /// Where the address or the name cannot be used, or https is asked for and nobody is trusted.
    pub fn trusting(
        url: &str,
        name: &str,
        key: SigningKey,
        trust: &Trust,
    ) -> Result<Self, ClientError> {
        Self::over(HttpClient::trusting(url, TIMEOUT, trust)?, name, key)
    }

    /// A client of the same server for another host agent. The two share their connections.
    ///
    /// # Errors
    /// Where the name cannot be used.
    pub fn of_agent(&self, name: &str, key: SigningKey) -> Result<Self, ClientError> {
        Self::over(self.http.clone(), name, key)
    }

    fn over(http: HttpClient, name: &str, key: SigningKey) -> Result<Self, ClientError> {
        if !is_agent_name(name) {
            let name = name.escape_debug();
            return Err(ClientError::Unwritable(format!("`{name}` cannot name a host agent")));
        }
        let http = http.with_answer_bytes_max(ANSWER_BYTES_MAX);
        Ok(Self { http, name: name.to_owned(), key: Arc::new(RwLock::new(Arc::new(key))) })
    }

    /// The address of the server.
    pub fn url(&self) -> &str {
        self.http.url()
    }

    /// The name of the host agent.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id of the key that it signs with.
    pub fn key_id(&self) -> String {
        self.key.read().public_key().id()
    }

    /// Signs with this key from now on; so do all clones of this client.
    pub fn use_key(&self, key: SigningKey) {
        *self.key.write() = Arc::new(key);
    }

    /// Brings a report, as JSON. To repeat it safely, send the very same bytes again.
    ///
    /// # Errors
    /// Where there is no answer, or the server refuses; [`ClientError::is_passing`] tells whether
    /// the same bytes may be taken later.
    pub async fn report(&self, body: Bytes) -> Result<AgentReportAnswer, ClientError> {
        self.send(Method::POST, paths::AGENT_REPORTS, body, TIMEOUT).await?.json()
    }

    /// The same with a body that is packed as `Content-Encoding` says; it is signed as it goes.
    ///
    /// # Errors
    /// As [`AgentClient::report`].
    pub async fn report_packed(
        &self,
        body: Bytes,
        encoding: Option<&'static str>,
    ) -> Result<AgentReportAnswer, ClientError> {
        let path = paths::AGENT_REPORTS;
        let header = encoding.map(|encoding| (CONTENT_ENCODING, encoding));
        self.send_as(Method::POST, path, body, header, TIMEOUT).await?.json()
    }

    /// Fetches commands; the server holds the request open up to `wait` until there are some. Without
    /// presence, as by a check beside the running agent, nothing is concluded from who asks.
    ///
    /// # Errors
    /// Where there is no answer, or the server refuses.
    pub async fn commands(
        &self,
        wait: Duration,
        presence: Option<&Presence>,
    ) -> Result<SignedCommands, ClientError> {
        let mut path = format!("{}?wait={}", paths::AGENT_COMMANDS, wait.as_secs());
        if let Some(Presence { run, machine }) = presence {
            path += &format!("&run={}", paths::encode(run));
            if let Some(machine) = machine {
                path += &format!("&machine={}", paths::encode(machine));
            }
        }
        self.send(Method::GET, &path, Bytes::new(), wait + TIMEOUT).await?.json()
    }

    /// Says what became of a command.
    ///
    /// # Errors
    /// Where there is no answer, or the server refuses.
    pub async fn command_result(
        &self,
        id: &str,
        result: &CommandResult,
    ) -> Result<(), ClientError> {
        let path = paths::fill(paths::AGENT_COMMAND_RESULT, id);
        self.send(Method::POST, &path, to_body(result)?, TIMEOUT).await?.empty()
    }

    /// Brings a part of a file that a command orders; the answer says where to go on.
    ///
    /// # Errors
    /// Where there is no answer, or the server refuses.
    pub async fn file_part(
        &self,
        id: &str,
        part: &FilePart,
        body: Bytes,
    ) -> Result<FilePartAnswer, ClientError> {
        let path = with_query(&paths::fill(paths::AGENT_COMMAND_FILE, id), part)?;
        let bytes = Some((CONTENT_TYPE, "application/octet-stream"));
        self.send_as(Method::POST, &path, body, bytes, TIMEOUT).await?.json()
    }

    /// Tells of commands that were not believed.
    ///
    /// # Errors
    /// Where there is no answer, or the server refuses.
    pub async fn refusals(&self, refusals: &CommandRefusals) -> Result<(), ClientError> {
        self.send(Method::POST, paths::AGENT_REFUSALS, to_body(refusals)?, TIMEOUT).await?.empty()
    }

    /// Says which key follows the present one. Once the server answered, both are accepted, until the
    /// new one is first used.
    ///
    /// # Errors
    /// Where there is no answer, or the server refuses.
    pub async fn rotate(&self, next: &PublicKey) -> Result<AgentRotated, ClientError> {
        let body = to_body(&AgentRotateRequest { public_key: next.to_base64() })?;
        self.send(Method::POST, paths::AGENT_ROTATE, body, TIMEOUT).await?.json()
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        timeout: Duration,
    ) -> Result<HttpAnswer, ClientError> {
        self.send_as(method, path, body, None, timeout).await
    }

    async fn send_as(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        header: Option<(HeaderName, &'static str)>,
        timeout: Duration,
    ) -> Result<HttpAnswer, ClientError> {
        // All that says what the body means is set before it is signed.
        let mut content = HeaderMap::new();
        if !body.is_empty() {
            content.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        }
        if let Some((name, value)) = header {
            content.insert(name, HeaderValue::from_static(value));
        }
        let send = || async {
            let key = Arc::clone(&self.key.read());
            let mut headers = content.clone();
            headers.extend(signature(&key, &self.name, &method, path, &content, &body)?);
            self.http.send_within(timeout, method.clone(), path, headers, body.clone()).await
        };
        let answer = send().await?;
        if answer.status != http::StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        tokio::time::sleep(NEXT_SECOND).await;
        send().await
    }
}

/// Shows a token to the server at `url` and gets an identity for the holder of this key. The same request
/// may be repeated: it gets the same answer.
///
/// # Errors
/// Where there is no answer, or the server refuses.
pub async fn enrol(
    url: &str,
    token: &str,
    key: &SigningKey,
    request: &AgentEnrolRequest,
    trust: &Trust,
) -> Result<AgentEnrolled, ClientError> {
    let http = HttpClient::trusting(url, TIMEOUT, trust)?.with_answer_bytes_max(ANSWER_BYTES_MAX);
    let body = to_body(request)?;
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(JSON))]);
    let (method, path) = (Method::POST, paths::AGENT_ENROL);
    headers.extend(signature(key, UNNAMED, &method, path, &headers, &body)?);
    let mut authorization =
        HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| ClientError::BadToken)?;
    authorization.set_sensitive(true);
    headers.insert(AUTHORIZATION, authorization);
    http.send(Method::POST, paths::AGENT_ENROL, headers, body).await?.json()
}

/// What is signed is the path of the API: a proxy in front may take its own prefix away.
fn signature(
    key: &SigningKey,
    agent: &str,
    method: &Method,
    path: &str,
    content: &HeaderMap,
    body: &[u8],
) -> Result<HeaderMap, ClientError> {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let created = i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX);
    let mut random = [0; 18];
    getrandom::fill(&mut random)
        .map_err(|error| ClientError::Unwritable(format!("no randomness: {error}")))?;
    let nonce = URL_SAFE_NO_PAD.encode(random);
    let unwritable = |error: &dyn fmt::Display| ClientError::Unwritable(error.to_string());
    let value = |name| content.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let message = Message::new(method.as_str(), path, body)
        .with_content(value(CONTENT_TYPE), value(CONTENT_ENCODING));
    let signed = Signer { key, agent }
        .sign(&message, created, &nonce)
        .map_err(|error| unwritable(&error))?;
    [
        (CONTENT_DIGEST_HEADER, signed.content_digest),
        (INPUT_HEADER, signed.input),
        (SIGNATURE_HEADER, signed.signature),
    ]
    .into_iter()
    .map(|(name, value)| {
        let value = HeaderValue::try_from(value).map_err(|error| unwritable(&error))?;
        Ok((HeaderName::from_static(name), value))
    })
    .collect()
}

impl fmt::Debug for AgentClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentClient")
            .field("url", &self.http.url())
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
