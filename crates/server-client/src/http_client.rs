//! One request, one answer: bounded in size and in time.

use crate::connector::{ConnectError, Connector};
use crate::{ClientError, ServerSentStream, Trust};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::rt::TokioExecutor;
use ringwall_server_api::Problem;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// The largest answer that is read where nothing else is said, in bytes. A page of 1,000 rows stays far
/// below.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// How long connections are kept for the next request.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Sends requests to one server, over connections that are kept. Cheap to clone.
#[derive(Clone, Debug)]
pub struct HttpClient {
    pool: Pool<Connector, Full<Bytes>>,
    scheme: Scheme,
    authority: Authority,
    /// What stands before each path: empty, or `/…` without a slash at its end.
    prefix: String,
    url: String,
    timeout: Duration,
    answer_bytes_max: usize,
}

impl HttpClient {
    /// A client of the server at `url`, as in `http://127.0.0.1:7400`, or below a path of it.
    /// Nothing is sent yet. `timeout` is for a whole answer, connecting included.
    ///
    /// # Errors
    /// Where the address cannot be used.
    pub fn new(url: &str, timeout: Duration) -> Result<Self, ClientError> {
        Self::trusting(url, timeout, &Trust::default())
    }

    /// The same for an address that begins with `https://`, where `trust` says who may vouch for the
    /// server.
    ///
    /// # Errors
    /// Where the address cannot be used, or says https and nobody is trusted.
    pub fn trusting(url: &str, timeout: Duration, trust: &Trust) -> Result<Self, ClientError> {
        let bad = |why| ClientError::BadUrl { url: url.to_owned(), why };
        let uri: Uri = url.trim().parse().map_err(|_| bad("not the address of a server"))?;
        let tls = trust.client_config().map_err(|_| bad("TLS cannot be set up here"))?;
        let scheme = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => Scheme::HTTP,
            Some(scheme) if *scheme == Scheme::HTTPS && tls.is_some() => Scheme::HTTPS,
            Some(scheme) if *scheme == Scheme::HTTPS => {
                return Err(bad("https needs the certificate of the authority to trust"));
            }
            _ => return Err(bad("expected http://HOST:PORT or https://HOST:PORT")),
        };
        let authority = uri.authority().cloned().ok_or_else(|| bad("the host is missing"))?;
        if authority.as_str().contains('@') {
            return Err(bad("a user or password does not belong here"));
        }
        if uri.query().is_some() {
            return Err(bad("a query does not belong here"));
        }
        let pool = Pool::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_timer(hyper_util::rt::TokioTimer::new())
            .build(Connector::new(tls, trust.server_name()));
        Ok(Self {
            pool,
            prefix: uri.path().trim_end_matches('/').to_owned(),
            url: format!("{scheme}://{authority}"),
            scheme,
            authority,
            timeout,
            answer_bytes_max: ANSWER_BYTES_MAX,
        })
    }

    /// The same client, which reads no answer of more than this many bytes.
    #[must_use]
    pub fn with_answer_bytes_max(self, answer_bytes_max: usize) -> Self {
        Self { answer_bytes_max, ..self }
    }

    /// The address of the server, without a path.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sends a request and reads all of the answer, whatever its status.
    ///
    /// `path_and_query` is percent-encoded and begins with a slash. A body is sent as JSON, unless
    /// `headers` name another media type.
    ///
    /// # Errors
    /// Where there is no answer in time, or it is too large.
    pub async fn send(
        &self,
        method: Method,
        path_and_query: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<HttpAnswer, ClientError> {
        self.send_within(self.timeout, method, path_and_query, headers, body).await
    }

    /// Sends a GET and leaves the body of the answer to the caller, event by event, where it is a stream of
    /// server-sent events; any other answer is read whole.
    ///
    /// # Errors
    /// Where no answer begins in time.
    pub async fn stream(
        &self,
        path_and_query: &str,
        mut headers: HeaderMap,
        silence_max: Duration,
    ) -> Result<StreamAnswer, ClientError> {
        headers.insert(ACCEPT, HeaderValue::from_static(EVENT_STREAM));
        let response = self.open(path_and_query, headers).await?;
        let media = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_stream = media.is_some_and(|media| media.starts_with(EVENT_STREAM));
        if response.status() == StatusCode::OK && is_stream {
            let stream = ServerSentStream::new(response.into_body(), &self.url, silence_max);
            return Ok(StreamAnswer::Events(stream));
        }
        let whole = tokio::time::timeout(self.timeout, self.read(response)).await;
        let answer = whole.unwrap_or_else(|_| {
            Err(ClientError::TimedOut { url: self.url.clone(), after: self.timeout })
        })?;
        Ok(StreamAnswer::Other(answer))
    }

    pub(crate) async fn send_within(
        &self,
        timeout: Duration,
        method: Method,
        path_and_query: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<HttpAnswer, ClientError> {
        let whole = async {
            let response = self.begin(method, path_and_query, headers, body).await?;
            self.read(response).await
        };
        tokio::time::timeout(timeout, whole).await.unwrap_or_else(|_| {
            Err(ClientError::TimedOut { url: self.url.clone(), after: timeout })
        })
    }

    /// Sends a request; the body of the answer is for the caller to read.
    pub(crate) async fn open(
        &self,
        path_and_query: &str,
        headers: HeaderMap,
    ) -> Result<Response<Incoming>, ClientError> {
        let begun = self.begin(Method::GET, path_and_query, headers, Bytes::new());
        tokio::time::timeout(self.timeout, begun).await.unwrap_or_else(|_| {
            Err(ClientError::TimedOut { url: self.url.clone(), after: self.timeout })
        })
    }

    /// The same for a POST with a JSON body, whose answer begins when there is something to tell: as
    /// late as it likes.
    pub(crate) async fn open_with(
        &self,
        path_and_query: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<Incoming>, ClientError> {
        self.begin(Method::POST, path_and_query, headers, body).await
    }

    async fn begin(
        &self,
        method: Method,
        path_and_query: &str,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<Incoming>, ClientError> {
        let uri = Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(format!("{}{path_and_query}", self.prefix))
            .build()
            .map_err(|error| ClientError::Unwritable(error.to_string()))?;
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(AGENT));
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static(JSON));
        if !body.is_empty() {
            headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(JSON));
        }
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        self.pool.request(request).await.map_err(|error| {
            let url = self.url.clone();
            if let Some(why) = untrusted(&error) {
                return ClientError::Untrusted { url, why };
            }
            let why = innermost(&error);
            if error.is_connect() {
                ClientError::Unreachable { url, why }
            } else {
                ClientError::Broken { url, why }
            }
        })
    }

    pub(crate) async fn read(
        &self,
        response: Response<Incoming>,
    ) -> Result<HttpAnswer, ClientError> {
        let (parts, body) = response.into_parts();
        let bytes_max = self.answer_bytes_max;
        let body = Limited::new(body, bytes_max).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                ClientError::AnswerTooLarge { bytes_max }
            } else {
                ClientError::Broken { url: self.url.clone(), why: innermost(error.as_ref()) }
            }
        })?;
        Ok(HttpAnswer {
            status: parts.status,
            headers: parts.headers,
            body: body.to_bytes(),
            url: self.url.clone(),
        })
    }
}

const AGENT: &str = concat!("ringwall/", env!("CARGO_PKG_VERSION"));
pub(crate) const JSON: &str = "application/json";
const EVENT_STREAM: &str = "text/event-stream";

/// The answer to the question for a stream.
#[derive(Debug)]
pub enum StreamAnswer {
    /// What was asked for.
    Events(ServerSentStream),
    /// Something else, whole.
    Other(HttpAnswer),
}

/// Why the other end is not believed to be the server, where that is what went wrong.
fn untrusted(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(ConnectError::Untrusted(why)) = error.downcast_ref() {
            return Some(why.clone());
        }
        cause = error.source();
    }
    None
}

/// The cause that a person can do something about: `connection refused`, not `client error`.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let text = cause.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}

/// An answer, whole.
#[derive(Clone, Debug)]
pub struct HttpAnswer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    url: String,
}

impl HttpAnswer {
    /// The body, where the server did what was asked.
    pub(crate) fn json<T: DeserializeOwned>(self) -> Result<T, ClientError> {
        let answer = self.success()?;
        if !answer.is_media(JSON) {
            return Err(answer.not_ours());
        }
        serde_json::from_slice(&answer.body)
            .map_err(|error| ClientError::Unreadable(error.to_string()))
    }

    /// The body, whatever it is, where the server did what was asked.
    pub(crate) fn success_body(self) -> Result<Bytes, ClientError> {
        self.success().map(|answer| answer.body)
    }

    /// Nothing, where the server did what was asked.
    pub(crate) fn empty(self) -> Result<(), ClientError> {
        self.success().map(drop)
    }

    /// The body as it is, where the server did what was asked.
    pub(crate) fn bytes(self) -> Result<Bytes, ClientError> {
        let answer = self.success()?;
        if answer.is_media("application/octet-stream") {
            Ok(answer.body)
        } else {
            Err(answer.not_ours())
        }
    }

    fn success(self) -> Result<Self, ClientError> {
        if self.status.is_success() {
            return Ok(self);
        }
        if !self.is_media(Problem::MEDIA_TYPE) {
            return Err(self.not_ours());
        }
        let problem: Problem = serde_json::from_slice(&self.body)
            .map_err(|error| ClientError::Unreadable(error.to_string()))?;
        let retry_after = self
            .headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .map(Duration::from_secs);
        Err(ClientError::Refused { problem: Box::new(problem), retry_after })
    }

    fn is_media(&self, media_type: &str) -> bool {
        let sent = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let sent = sent.and_then(|value| value.split(';').next()).unwrap_or_default();
        sent.trim().eq_ignore_ascii_case(media_type)
    }

    fn not_ours(self) -> ClientError {
        ClientError::NotOurs { url: self.url, status: self.status }
    }
}

/// A path and the fields of a query that are set.
pub(crate) fn with_query<Q: Serialize>(path: &str, query: &Q) -> Result<String, ClientError> {
    use ringwall_server_api::paths::encode;
    use serde_json::Value;
    let fields = match serde_json::to_value(query) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) => return Err(ClientError::Unwritable("query is not a set of fields".to_owned())),
        Err(error) => return Err(ClientError::Unwritable(error.to_string())),
    };
    let pairs: Vec<String> = fields
        .iter()
        .filter_map(|(name, value)| match value {
            Value::Null => None,
            Value::String(text) => Some(format!("{}={}", encode(name), encode(text))),
            other => Some(format!("{}={}", encode(name), encode(&other.to_string()))),
        })
        .collect();
    if pairs.is_empty() { Ok(path.to_owned()) } else { Ok(format!("{path}?{}", pairs.join("&"))) }
}

/// The JSON of a request.
pub(crate) fn to_body<T: Serialize>(value: &T) -> Result<Bytes, ClientError> {
    serde_json::to_vec(value)
        .map(Bytes::from)
        .map_err(|error| ClientError::Unwritable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringwall_event::{AlertState, Source};
    use ringwall_server_api::{AlertQuery, PageQuery};

    #[test]
    fn queries_hold_what_is_set() {
        assert_eq!(with_query("/x", &PageQuery::default()).unwrap(), "/x");
        let query = AlertQuery {
            state: Some(AlertState::Open),
            host: Some(Source::new("watcher", "a&b=c d")),
            limit: Some(7),
            ..AlertQuery::default()
        };
        assert_eq!(
            with_query("/x", &query).unwrap(),
            "/x?host=watcher%3Aa%26b%3Dc%20d&limit=7&state=open"
        );
    }

    #[test]
    fn addresses_are_checked() {
        check("http://127.0.0.1:7400", Ok("http://127.0.0.1:7400/x"));
        check(" http://[::1]:7400/ ", Ok("http://[::1]:7400/x"));
        check("http://ringwall.example/behind/", Ok("http://ringwall.example/behind/x"));
        check(
            "https://ringwall.example",
            Err("https needs the certificate of the authority to trust"),
        );
        check("127.0.0.1:7400", Err("expected http://HOST:PORT or https://HOST:PORT"));
        check("http://admin:secret@h", Err("a user or password does not belong here"));
        check("http://h/?x", Err("a query does not belong here"));
        check("", Err("not the address of a server"));
    }

    #[track_caller]
    fn check(url: &str, expected: Result<&str, &str>) {
        let made = HttpClient::new(url, Duration::from_secs(1));
        let made = match &made {
            Ok(http) => Ok(format!("{}{}/x", http.url(), http.prefix)),
            Err(ClientError::BadUrl { why, .. }) => Err(*why),
            Err(error) => panic!("{error}"),
        };
        assert_eq!(made.as_deref().map_err(|why| *why), expected, "url {url:?}");
    }
}
