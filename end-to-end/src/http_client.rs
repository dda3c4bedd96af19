//! As much of an HTTP client as the tests need: every status is an answer, not an error.

use crate::sse::EventStream;
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;
use tokio::time::timeout;

/// How long any answer may take; a held-open request is shorter.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(40);

/// Requests to one server.
#[derive(Clone, Debug)]
pub struct Http {
    base: String,
    headers: Vec<(String, String)>,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// All headers.
    pub headers: HeaderMap,
    /// The body's bytes.
    pub body: Bytes,
}

impl Http {
    /// Keeps connections open between requests. `base` is a URL without a final slash.
    pub fn new(base: &str) -> Self {
        Self::with_idle_connections(base, usize::MAX)
    }

    /// Makes a new connection for every request.
    pub fn without_keep_alive(base: &str) -> Self {
        Self::with_idle_connections(base, 0)
    }

    fn with_idle_connections(base: &str, idle_max: usize) -> Self {
        let client =
            Client::builder(TokioExecutor::new()).pool_max_idle_per_host(idle_max).build_http();
        Self { base: base.to_owned(), headers: Vec::new(), client }
    }

    /// The URL that paths are appended to.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The same with a header on every request.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with `Authorization: Bearer TOKEN` on every request.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.with_header("authorization", &format!("Bearer {token}"))
    }

    /// GET.
    ///
    /// # Errors
    ///
    /// When no answer came.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(Method::GET, path, &[], Bytes::new()).await
    }

    /// GET of JSON that must be there.
    ///
    /// # Errors
    ///
    /// When no answer came, or one that is not 200 with JSON.
    pub async fn get_json(&self, path: &str) -> Result<Value> {
        self.get(path).await?.expect(200)?.json()
    }

    /// DELETE.
    ///
    /// # Errors
    ///
    /// When no answer came.
    pub async fn delete(&self, path: &str) -> Result<Answer> {
        self.send(Method::DELETE, path, &[], Bytes::new()).await
    }

    /// POST of JSON.
    ///
    /// # Errors
    ///
    /// When no answer came.
    pub async fn post(&self, path: &str, body: &impl Serialize) -> Result<Answer> {
        let body = serde_json::to_vec(body)?;
        self.send(Method::POST, path, &[("content-type", "application/json")], body).await
    }

    /// Any request.
    ///
    /// # Errors
    ///
    /// When no answer came.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Answer> {
        let name = format!("{method} {path}");
        let answer = async {
            let (parts, body) = self.begin(method, path, headers, body).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            anyhow::Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
        };
        timeout(ANSWER_TIMEOUT, answer)
            .await
            .with_context(|| format!("{name}: no answer in time"))?
            .with_context(|| format!("{name}: no answer"))
    }

    /// Opens a stream of server-sent events.
    ///
    /// # Errors
    ///
    /// When no answer came, or one that is not 200.
    pub async fn stream(&self, path: &str) -> Result<EventStream> {
        let answer = self.begin(Method::GET, path, &[], Bytes::new()).await?;
        if answer.status() != 200 {
            bail!("GET {path}: status {}", answer.status());
        }
        Ok(EventStream::new(answer.into_body()))
    }

    async fn begin(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Response<Incoming>> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Ok(self.client.request(request.body(Full::new(body.into()))?).await?)
    }
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Errors
    ///
    /// When it is something else.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("not JSON: {}", self.text()))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The value of a header; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Itself when it has this status.
    ///
    /// # Errors
    ///
    /// When it has another.
    pub fn expect(self, status: u16) -> Result<Self> {
        if self.status != status {
            bail!("status {} instead of {status}: {}", self.status, self.text());
        }
        Ok(self)
    }
}
