//! The guard around a tonic server, and what a tonic client understands of its answers.

use crate::application::settings;
use bytes::{Buf, BufMut};
use futures_util::{Stream, StreamExt, stream};
use http::uri::PathAndQuery;
use ringwall_app_guard::GuardSettings;
use ringwall_app_guard_layer::{GuardLayer, PeerAddress};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::NamedService;
use tonic::transport::server::{TcpConnectInfo, TcpIncoming};
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Request, Response, Status, Streaming};
use tower::util::MapRequestLayer;

const CLIENT: &str = "203.0.113.9";
const ATTACK: &str = "<script>alert(document.cookie)</script>";

/// Messages of one text, laid out as Protocol Buffers have a field of type `string`.
#[derive(Clone, Copy, Default)]
struct Text;

impl Codec for Text {
    type Encode = String;
    type Decode = String;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Text {
    type Item = String;
    type Error = Status;

    fn encode(&mut self, text: String, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        assert!(text.len() < 128, "a length of one byte");
        out.put_u8(0x0a);
        out.put_u8(u8::try_from(text.len()).unwrap());
        out.put_slice(text.as_bytes());
        Ok(())
    }
}

impl Decoder for Text {
    type Item = String;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<String>, Status> {
        let message = from.copy_to_bytes(from.remaining());
        let text = message.get(2..).ok_or_else(|| Status::data_loss("half a message"))?;
        Ok(Some(String::from_utf8_lossy(text).into_owned()))
    }
}

/// A service as `tonic-build` would write it, for three methods: `Keep` takes one note and answers, `Gather`
/// takes many, `Follow` answers each as it comes.
#[derive(Clone, Default)]
struct Notes(Arc<AtomicUsize>);

impl NamedService for Notes {
    const NAME: &'static str = "shop.Notes";
}

impl tower::Service<http::Request<Body>> for Notes {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(Text);
            let method = request.uri().path().to_owned();
            Ok(match method.as_str() {
                "/shop.Notes/Keep" => {
                    let keep =
                        async |note: Request<String>| Ok(Response::new(kept(note.get_ref())));
                    let keep = tower::service_fn(move |note| Box::pin(keep(note)));
                    grpc.unary(keep, request).await
                }
                "/shop.Notes/Gather" => {
                    grpc.client_streaming(tower::service_fn(gather), request).await
                }
                _ => grpc.streaming(tower::service_fn(follow), request).await,
            })
        })
    }
}

fn kept(note: &str) -> String {
    format!("kept {note}")
}

async fn gather(notes: Request<Streaming<String>>) -> Result<Response<String>, Status> {
    let (mut notes, mut all) = (notes.into_inner(), Vec::new());
    while let Some(note) = notes.message().await? {
        all.push(note);
    }
    Ok(Response::new(kept(&all.join(", "))))
}

type Answers = Pin<Box<dyn Stream<Item = Result<String, Status>> + Send>>;

async fn follow(notes: Request<Streaming<String>>) -> Result<Response<Answers>, Status> {
    let answers = notes.into_inner().map(|note| note.map(|note| kept(&note)));
    Ok(Response::new(answers.boxed()))
}

struct Guarded {
    address: SocketAddr,
    served: Arc<AtomicUsize>,
    server: JoinHandle<()>,
}

impl Guarded {
    async fn start(settings: GuardSettings) -> Self {
        let guard = GuardLayer::new(settings).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let notes = Notes::default();
        let served = notes.0.clone();
        let tell_peer = |mut request: http::Request<Body>| {
            let connection = request.extensions().get::<TcpConnectInfo>();
            if let Some(address) = connection.and_then(TcpConnectInfo::remote_addr) {
                request.extensions_mut().insert(PeerAddress::from(address));
            }
            request
        };
        let router = Server::builder()
            .layer(MapRequestLayer::new(tell_peer))
            .layer(guard)
            .add_service(notes);
        let server = tokio::spawn(async move {
            router.serve_with_incoming(TcpIncoming::from(listener)).await.unwrap();
        });
        Self { address, served, server }
    }

    async fn client(&self) -> tonic::client::Grpc<Channel> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).unwrap();
        let mut client = tonic::client::Grpc::new(endpoint.connect().await.unwrap());
        client.ready().await.unwrap();
        client
    }

    async fn keep(&self, note: &str) -> Result<String, Status> {
        let mut client = self.client().await;
        let answer = client.unary(from_client(note.to_owned()), method("Keep"), Text).await?;
        Ok(answer.into_inner())
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn method(name: &str) -> PathAndQuery {
    format!("/shop.Notes/{name}").parse().unwrap()
}

fn from_client<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("x-forwarded-for", CLIENT.parse().unwrap());
    request
}

fn texts(notes: &[&str]) -> impl Stream<Item = String> + Send + 'static {
    stream::iter(notes.iter().map(ToString::to_string).collect::<Vec<_>>())
}

#[tokio::test]
async fn calls_and_streams_that_harm_nobody_pass() {
    let application = Guarded::start(settings()).await;
    assert_eq!(application.keep("milk and bread").await.unwrap(), "kept milk and bread");
    let mut client = application.client().await;
    let gathered = client
        .client_streaming(from_client(texts(&["one", "two"])), method("Gather"), Text)
        .await
        .unwrap();
    assert_eq!(gathered.into_inner(), "kept one, two");

    // Each message is answered before the next one is sent: nothing is held back.
    client.ready().await.unwrap();
    let (sender, receiver) = mpsc::unbounded_channel();
    let notes = stream::unfold(receiver, async |mut receiver: mpsc::UnboundedReceiver<String>| {
        receiver.recv().await.map(|note| (note, receiver))
    });
    sender.send("first".to_owned()).unwrap();
    let notes = from_client(notes.boxed());
    let answers = client.streaming(notes, method("Follow"), Text).await.unwrap();
    assert_eq!(answers.metadata().get("x-content-type-options").unwrap(), "nosniff");
    let mut answers = answers.into_inner();
    for next in ["second", "third"] {
        assert!(answers.message().await.unwrap().unwrap().starts_with("kept "));
        sender.send(next.to_owned()).unwrap();
    }
    drop(sender);
    assert_eq!(answers.message().await.unwrap().unwrap(), "kept third");
    assert_eq!(answers.message().await.unwrap(), None);
    assert_eq!(application.served.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn an_attack_in_a_message_ends_the_call_with_a_status() {
    let application = Guarded::start(settings()).await;
    let status = application.keep(ATTACK).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::InvalidArgument, "Suspicious activity detected")
    );
    assert_eq!(status.metadata().get("x-content-type-options").unwrap(), "nosniff");

    let mut client = application.client().await;
    let notes = from_client(texts(&["one", ATTACK, "three"]));
    let status = client.client_streaming(notes, method("Gather"), Text).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::InvalidArgument, "Suspicious activity detected")
    );

    // Where the application has begun to answer, it reads an error in place of what follows, and the call ends
    // with what it makes of that.
    client.ready().await.unwrap();
    let notes = from_client(texts(&["one", ATTACK]));
    let answers = client.streaming(notes, method("Follow"), Text).await;
    let ended = async {
        let mut answers = answers?.into_inner();
        while answers.message().await?.is_some() {}
        Ok::<_, Status>(())
    };
    let status = ended.await.unwrap_err();
    assert_ne!(status.code(), Code::Ok);
}

#[tokio::test]
async fn who_is_refused_is_told_why_in_the_words_of_grpc() {
    let blacklist = vec![CLIENT.to_owned()];
    let application = Guarded::start(GuardSettings { blacklist, ..settings() }).await;
    let status = application.keep("hello").await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::PermissionDenied, "Forbidden"));
    assert_eq!(application.served.load(Ordering::Relaxed), 0);

    let limited = GuardSettings { rate_limit: 1, rate_limit_window: 600, ..settings() };
    let application = Guarded::start(limited).await;
    assert_eq!(application.keep("hello").await.unwrap(), "kept hello");
    let status = application.keep("hello").await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::ResourceExhausted, "Too many requests"));
    let pushback = status.metadata().get("grpc-retry-pushback-ms").unwrap().to_str().unwrap();
    assert!((1_000..=600_000).contains(&pushback.parse::<u32>().unwrap()), "{pushback}");

    let emergency = GuardSettings { emergency_mode: true, ..settings() };
    let application = Guarded::start(emergency).await;
    let status = application.keep("hello").await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
}
