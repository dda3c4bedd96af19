//! A receiver of webhooks on loopback that notes what came, and answers as it is told.

use crate::random::Random;
use anyhow::Result;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::sleep;

/// A message as it came in.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Message {
    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// A running receiver; it ends with the runtime.
#[derive(Clone, Debug)]
pub struct WebhookReceiver {
    address: SocketAddr,
    messages: Arc<Mutex<Vec<Message>>>,
}

impl WebhookReceiver {
    /// One that answers 200, but now and then takes its time, or says 500 after it took the message:
    /// by chance, where `moods` is given.
    ///
    /// # Errors
    ///
    /// When no port can be had.
    pub async fn start(moods: Option<Random>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let messages = Arc::new(Mutex::new(Vec::new()));
        let moods = Arc::new(Mutex::new(moods));
        let noted = Arc::clone(&messages);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (noted, moods) = (Arc::clone(&noted), Arc::clone(&moods));
                tokio::spawn(async move {
                    let service = service_fn(|request| take(request, &noted, &moods));
                    let connection = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service);
                    // A sender that was killed breaks off.
                    connection.await.ok();
                });
            }
        });
        Ok(Self { address, messages })
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// All that came in so far.
    pub fn messages(&self) -> Vec<Message> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn take(
    request: Request<Incoming>,
    noted: &Mutex<Vec<Message>>,
    moods: &Mutex<Option<Random>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let answer = |status| {
        let mut response = Response::new(Full::new(Bytes::from_static(b"noted")));
        *response.status_mut() = status;
        Ok(response)
    };
    let Ok(body) = body.collect().await else { return answer(StatusCode::BAD_REQUEST) };
    let message = Message { headers: parts.headers, body: body.to_bytes() };
    noted.lock().unwrap_or_else(PoisonError::into_inner).push(message);
    let mood = {
        let mut moods = moods.lock().unwrap_or_else(PoisonError::into_inner);
        moods.as_mut().map_or(9, |moods| moods.within(0..10))
    };
    match mood {
        // Long enough for a kill to come in between.
        0..4 => {
            sleep(Duration::from_millis(50)).await;
            answer(StatusCode::OK)
        }
        4 => answer(StatusCode::INTERNAL_SERVER_ERROR),
        _ => answer(StatusCode::OK),
    }
}
