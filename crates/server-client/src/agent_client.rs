use crate::http_client::{to_body, with_query};
use crate::{ClientError, HttpAnswer, HttpClient, Trust};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use ringwall_server_api::{
    AgentReportAnswer, CommandRefusals, CommandResult, FilePart, FilePartAnswer, SignedCommands,
    paths,
};
use ringwall_signing::{Secret, request_mac};
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const TIMEOUT: Duration = Duration::from_secs(15);
/// The largest answer that is read, in bytes: commands and counts. Whoever answers in the server's place
/// must not fill the memory of the host.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// Speaks to a server as a host agent: each request is signed. Cheap to clone.
#[derive(Clone)]
pub struct AgentClient {
    http: HttpClient,
    name: String,
    secret: Secret,
}

impl AgentClient {
    /// A client of the server at `url` for the host agent `name`. Nothing is sent yet.
    ///
    /// # Errors
    /// Where the address or the name cannot be used.
    pub fn new(url: &str, name: &str, secret: Secret) -> Result<Self, ClientError> {
        Self::trusting(url, name, secret, &Trust::default())
    }

    /// The same for an address that begins with `https://`, where `trust` says who may vouch for the
    /// server.
    ///
    /// # Errors
    /// Where the address or the name cannot be used, or https is asked for and nobody is trusted.
    pub fn trusting(
        url: &str,
        name: &str,
        secret: Secret,
        trust: &Trust,
    ) -> Result<Self, ClientError> {
        check_name(name)?;
        let http =
            HttpClient::trusting(url, TIMEOUT, trust)?.with_answer_bytes_max(ANSWER_BYTES_MAX);
        Ok(Self { http, name: name.to_owned(), secret })
    }

    /// A client of the same server for another host agent. The two share their connections.
    ///
    /// # Errors
    /// Where the name cannot be used.
    pub fn of_agent(&self, name: &str, secret: Secret) -> Result<Self, ClientError> {
        check_name(name)?;
        Ok(Self { http: self.http.clone(), name: name.to_owned(), secret })
    }

    /// The address of the server.
    pub fn url(&self) -> &str {
        self.http.url()
    }

    /// Brings a report, as JSON. To repeat it safely, send the very same bytes again.
    ///
    /// # Errors
    /// Where there is no answer, or the server refuses; [`ClientError::is_passing`] tells whether
    /// the same bytes may be taken later.
    pub async fn report(&self, body: Bytes) -> Result<AgentReportAnswer, ClientError> {
        self.send(Method::POST, paths::AGENT_REPORTS, body, TIMEOUT).await?.json()
    }

    /// Fetches commands; the server holds the request open up to `wait` until there are some.
    ///
    /// # Errors
    /// Where there is no answer, or the server refuses.
    pub async fn commands(&self, wait: Duration) -> Result<SignedCommands, ClientError> {
        let path = format!("{}?wait={}", paths::AGENT_COMMANDS, wait.as_secs());
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
        let mut headers = self.signature(&Method::POST, &path, &body)?;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        self.http.send_within(TIMEOUT, Method::POST, &path, headers, body).await?.json()
    }

    /// Tells of commands that were not believed.
    ///
    /// # Errors
    /// Where there is no answer, or the server refuses.
    pub async fn refusals(&self, refusals: &CommandRefusals) -> Result<(), ClientError> {
        self.send(Method::POST, paths::AGENT_REFUSALS, to_body(refusals)?, TIMEOUT).await?.empty()
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        timeout: Duration,
    ) -> Result<HttpAnswer, ClientError> {
        let headers = self.signature(&method, path, &body)?;
        self.http.send_within(timeout, method, path, headers, body).await
    }

    /// What is signed is the path of the API: a proxy in front may take its own prefix away.
    fn signature(
        &self,
        method: &Method,
        path: &str,
        body: &[u8],
    ) -> Result<HeaderMap, ClientError> {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let time_ms = i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX);
        let mut random = [0; 18];
        getrandom::fill(&mut random)
            .map_err(|error| ClientError::Unwritable(format!("no randomness: {error}")))?;
        let nonce = URL_SAFE_NO_PAD.encode(random);
        let signature = request_mac::sign_agent_request(
            &self.secret,
            method.as_str(),
            path,
            time_ms,
            &nonce,
            body,
        );
        [
            (request_mac::AGENT_HEADER, self.name.clone()),
            (request_mac::TIME_HEADER, time_ms.to_string()),
            (request_mac::NONCE_HEADER, nonce),
            (request_mac::SIGNATURE_HEADER, signature),
        ]
        .into_iter()
        .map(|(name, value)| {
            let value = HeaderValue::try_from(value)
                .map_err(|error| ClientError::Unwritable(error.to_string()))?;
            Ok((HeaderName::from_static(name), value))
        })
        .collect()
    }
}

fn check_name(name: &str) -> Result<(), ClientError> {
    match HeaderValue::from_str(name) {
        Ok(_) => Ok(()),
        Err(_) => Err(ClientError::Unwritable(format!(
            "the name of the agent, `{}`, cannot stand in a header",
            name.escape_debug()
        ))),
    }
}

impl fmt::Debug for AgentClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentClient")
            .field("url", &self.http.url())
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
