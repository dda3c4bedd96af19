//! Keeps reading the stream over lost connections.

use super::Asking;
use crate::output::say;
use anyhow::Result;
use ringwall_server_api::{StreamEvent, StreamQuery};
use ringwall_server_client::{ClientError, EventStream};
use std::time::Duration;
use tokio::time::sleep;

/// The stream of a server that may be restarted meanwhile.
pub(super) struct Following<'a> {
    asking: &'a Asking,
    query: StreamQuery,
    stream: EventStream,
}

/// What comes.
pub(super) enum Came {
    /// Something happened.
    Event(StreamEvent),
    /// Something was missed: look at the lists again.
    Gap,
}

const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_LAST: Duration = Duration::from_secs(5);

impl<'a> Following<'a> {
    /// Opens the stream. What happens from now on will come.
    pub(super) async fn open(asking: &'a Asking, query: StreamQuery) -> Result<Self, ClientError> {
        let stream = asking.client.stream(&query).await?;
        Ok(Self { asking, query, stream })
    }

    /// Waits for the next thing.
    pub(super) async fn next(&mut self) -> Result<Came> {
        let lost = match self.stream.next().await {
            Ok(Some(StreamEvent::Lagged(_))) => return Ok(Came::Gap),
            Ok(Some(event)) => return Ok(Came::Event(event)),
            Ok(None) => "the server ended the stream".to_owned(),
            Err(error) if error.is_passing() => error.to_string(),
            Err(error) => return Err(error.into()),
        };
        say(&format!("{lost}; trying again"));
        let mut pause = RETRY_FIRST;
        loop {
            sleep(pause).await;
            match self.asking.client.stream(&self.query).await {
                Ok(stream) => {
                    say("connected again");
                    self.stream = stream;
                    return Ok(Came::Gap);
                }
                Err(error) if error.is_passing() => pause = (pause * 2).min(RETRY_LAST),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
