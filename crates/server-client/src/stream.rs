use crate::http_client::StreamAnswer;
use crate::{ClientError, HttpClient, ServerSentEvent, ServerSentEvents};
use http::HeaderMap;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use ringwall_server_api::StreamEvent;
use std::time::Duration;

/// The server ticks every two seconds; after this much silence it is gone.
const SILENCE_MAX: Duration = Duration::from_secs(20);

/// What happens from now on.
#[derive(Debug)]
pub struct EventStream {
    events: ServerSentStream,
}

impl EventStream {
    pub(crate) async fn open(
        http: &HttpClient,
        path: &str,
        headers: HeaderMap,
    ) -> Result<Self, ClientError> {
        match http.stream(path, headers, SILENCE_MAX).await? {
            StreamAnswer::Events(events) => Ok(Self { events }),
            StreamAnswer::Other(answer) => {
                let (url, status) = (http.url().to_owned(), answer.status);
                // Gives the problem that the server tells.
                answer.empty()?;
                Err(ClientError::NotOurs { url, status })
            }
        }
    }

    /// The next thing that happens; none when the server ends the stream. What a later version
    /// of the server tells beside is left out.
    ///
    /// # Errors
    /// Where the connection breaks or falls silent, or a message cannot be read.
    pub async fn next(&mut self) -> Result<Option<StreamEvent>, ClientError> {
        while let Some(event) = self.events.next().await? {
            let read = StreamEvent::read(&event.name, &event.data)
                .map_err(|error| ClientError::Unreadable(error.to_string()))?;
            if read.is_some() {
                return Ok(read);
            }
        }
        Ok(None)
    }
}

/// The events of one answer, as they come.
#[derive(Debug)]
pub struct ServerSentStream {
    body: Incoming,
    events: ServerSentEvents,
    url: String,
    silence_max: Duration,
}

impl ServerSentStream {
    pub(crate) fn new(body: Incoming, url: &str, silence_max: Duration) -> Self {
        Self { body, events: ServerSentEvents::default(), url: url.to_owned(), silence_max }
    }

    /// The next event; none when the server ends the stream. May be cancelled.
    ///
    /// # Errors
    /// Where the connection breaks, nothing comes for too long, not even a comment, or an event is too
    /// long.
    pub async fn next(&mut self) -> Result<Option<ServerSentEvent>, ClientError> {
        loop {
            if let Some(event) = self.events.next() {
                return Ok(Some(event));
            }
            if self.events.is_overlong() {
                return Err(ClientError::AnswerTooLarge {
                    bytes_max: ServerSentEvents::EVENT_BYTES_MAX,
                });
            }
            let after = self.silence_max;
            let frame = tokio::time::timeout(after, self.body.frame())
                .await
                .map_err(|_| ClientError::TimedOut { url: self.url.clone(), after })?;
            match frame {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Some(bytes) = frame.data_ref() {
                        self.events.push(bytes);
                    }
                }
                Some(Err(error)) => {
                    let (url, why) = (self.url.clone(), error.to_string());
                    return Err(ClientError::Broken { url, why });
                }
            }
        }
    }
}
