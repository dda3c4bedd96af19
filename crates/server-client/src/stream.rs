use crate::{ClientError, HttpClient, ServerSentEvents};
use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use ringwall_server_api::StreamEvent;
use std::time::Duration;

/// The server ticks every two seconds; after this much silence it is gone.
const SILENCE_MAX: Duration = Duration::from_secs(20);

/// What happens from now on.
#[derive(Debug)]
pub struct EventStream {
    body: Incoming,
    events: ServerSentEvents,
    url: String,
}

impl EventStream {
    pub(crate) async fn open(
        http: &HttpClient,
        path: &str,
        mut headers: HeaderMap,
    ) -> Result<Self, ClientError> {
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        let response = http.open(path, headers).await?;
        let status = response.status();
        if !status.is_success() {
            // Gives the problem that the server tells.
            http.read(response).await?.empty()?;
            return Err(ClientError::NotOurs { url: http.url().to_owned(), status });
        }
        Ok(Self {
            body: response.into_body(),
            events: ServerSentEvents::default(),
            url: http.url().to_owned(),
        })
    }

    /// The next thing that happens; none when the server ends the stream. What a later version
    /// of the server tells beside is left out.
    ///
    /// # Errors
    /// Where the connection breaks or falls silent, or a message cannot be read.
    pub async fn next(&mut self) -> Result<Option<StreamEvent>, ClientError> {
        loop {
            while let Some(event) = self.events.next() {
                let read = StreamEvent::read(&event.name, &event.data)
                    .map_err(|error| ClientError::Unreadable(error.to_string()))?;
                if read.is_some() {
                    return Ok(read);
                }
            }
            if self.events.is_overlong() {
                return Err(ClientError::AnswerTooLarge {
                    bytes_max: ServerSentEvents::EVENT_BYTES_MAX,
                });
            }
            let frame = tokio::time::timeout(SILENCE_MAX, self.body.frame())
                .await
                .map_err(|_| ClientError::TimedOut { url: self.url.clone(), after: SILENCE_MAX })?;
            match frame {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Some(bytes) = frame.data_ref() {
                        self.events.push(bytes);
                    }
                }
                Some(Err(error)) => {
                    return Err(ClientError::Broken {
                        url: self.url.clone(),
                        why: error.to_string(),
                    });
                }
            }
        }
    }
}
