use crate::{ClientError, HttpClient};
use bytes::{Buf, Bytes, BytesMut};
use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use ringwall_server_api::QueryLine;
use std::time::Duration;

/// A query says how far it is four times a second; after this much silence it is gone.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// No line of an answer is longer, in bytes.
const LINE_BYTES_MAX: usize = 64 << 20;

/// The answer to a query in SQL, as it is found. Dropping it ends the query.
#[derive(Debug)]
pub struct QueryLines {
    body: Incoming,
    waiting: BytesMut,
    /// How much of what waits has no line feed.
    looked_at: usize,
    url: String,
}

impl QueryLines {
    pub(crate) async fn open(
        http: &HttpClient,
        path: &str,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<Self, ClientError> {
        headers.insert(ACCEPT, HeaderValue::from_static("application/x-ndjson"));
        let response = http.open_with(path, headers, body).await?;
        let status = response.status();
        if !status.is_success() {
            // Gives the problem that the server tells.
            http.read(response).await?.empty()?;
            return Err(ClientError::NotOurs { url: http.url().to_owned(), status });
        }
        Ok(Self {
            body: response.into_body(),
            waiting: BytesMut::new(),
            looked_at: 0,
            url: http.url().to_owned(),
        })
    }

    /// The next line; none after the last, which is `done` or `error`.
    ///
    /// # Errors
    /// Where the connection breaks or falls silent, or a line cannot be read.
    pub async fn next(&mut self) -> Result<Option<QueryLine>, ClientError> {
        loop {
            let fresh = self.waiting.get(self.looked_at..).unwrap_or_default();
            if let Some(end) = fresh.iter().position(|byte| *byte == b'\n') {
                let line = self.waiting.split_to(self.looked_at + end);
                self.waiting.advance(1);
                self.looked_at = 0;
                return serde_json::from_slice(&line)
                    .map(Some)
                    .map_err(|error| ClientError::Unreadable(error.to_string()));
            }
            self.looked_at = self.waiting.len();
            if self.looked_at > LINE_BYTES_MAX {
                return Err(ClientError::AnswerTooLarge { bytes_max: LINE_BYTES_MAX });
            }
            let frame = tokio::time::timeout(SILENCE_MAX, self.body.frame())
                .await
                .map_err(|_| ClientError::TimedOut { url: self.url.clone(), after: SILENCE_MAX })?;
            match frame {
                None if self.waiting.is_empty() => return Ok(None),
                None => return Err(self.broken("the answer broke off".to_owned())),
                Some(Ok(frame)) => {
                    if let Some(bytes) = frame.data_ref() {
                        self.waiting.extend_from_slice(bytes);
                    }
                }
                Some(Err(error)) => return Err(self.broken(error.to_string())),
            }
        }
    }

    fn broken(&self, why: String) -> ClientError {
        ClientError::Broken { url: self.url.clone(), why }
    }
}
