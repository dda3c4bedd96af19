//! The service around the application, and the future of one request.

use crate::answer::{self, AnswerBody, Answered};
use crate::body::GuardBody;
use crate::carrier::{Carrier, now};
use crate::exchanging::Exchanging;
use crate::grpc;
use crate::held::Held;
use crate::request_head::{body_size, with_head};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use ringwall_app_guard::{BodyFlow, Exchange, Reply, Route, Step};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Sleep;
use tower_service::Service;
use tracing::Span;

/// An application behind the guard. [`GuardLayer`](crate::GuardLayer) makes it.
#[derive(Clone)]
pub struct GuardService<S> {
    inner: S,
    carrier: Arc<Carrier>,
    route: Option<Arc<Route>>,
}

impl<S> GuardService<S> {
    pub(crate) fn new(inner: S, carrier: Arc<Carrier>, route: Option<Arc<Route>>) -> Self {
        Self { inner, carrier, route }
    }
}

impl<S> fmt::Debug for GuardService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardService").field("route", &self.route).finish_non_exhaustive()
    }
}

impl<S, B, R> Service<Request<B>> for GuardService<S>
where
    S: Service<Request<GuardBody<B>>, Response = Response<R>> + Clone,
    B: Body<Data = Bytes> + Unpin,
    R: Body<Data = Bytes>,
{
    type Response = Response<AnswerBody<R>>;
    type Error = S::Error;
    type Future = GuardFuture<S, B>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let carrier = self.carrier.clone();
        let now = now();
        carrier.expire_rules(now);
        let (head, body) = request.into_parts();
        let route = match &self.route {
            Some(route) => Some(route.clone()),
            None => head.extensions.get::<Arc<Route>>().cloned(),
        };
        let size = body_size(body.is_end_stream(), &body.size_hint());
        let exchange = with_head(&head, size, |head| carrier.guard.exchange(head, route, now));
        let span = span(&head, &exchange);
        let grpc = grpc::media_type(&head).cloned();
        // A client of gRPC may wait for an answer to its first message before it sends the next, so its
        // stream is searched as it passes.
        let hold_time = if grpc.is_some() { Duration::ZERO } else { carrier.hold_time };
        // The service that was found ready is the one that is called.
        let next = self.inner.clone();
        let service = std::mem::replace(&mut self.inner, next);
        GuardFuture {
            inner: None,
            exchanging: Some(Box::new(Exchanging::new(carrier, exchange, span))),
            request: Some(Waiting {
                service,
                head,
                body: Some(body),
                held: Held::default(),
                trailers: None,
                failed: None,
            }),
            grpc,
            hold_time,
            deadline: None,
            answer: None,
        }
    }
}

/// One span for each request, named as OpenTelemetry names things.
fn span(head: &Parts, exchange: &Exchange) -> Span {
    let span = tracing::debug_span!(
        "guard",
        http.request.method = head.method.as_str(),
        url.path = head.uri.path(),
        client.address = tracing::field::Empty,
        http.response.status_code = tracing::field::Empty,
        guard.verdict = tracing::field::Empty,
    );
    if !span.is_disabled()
        && let Some(address) = exchange.client()
    {
        span.record("client.address", tracing::field::display(address));
    }
    span
}

/// A request that has not reached the application yet.
struct Waiting<S, B: Body> {
    service: S,
    head: Parts,
    body: Option<B>,
    held: Held,
    trailers: Option<HeaderMap>,
    failed: Option<B::Error>,
}

pin_project! {
    /// The answer to one request, in the making.
    pub struct GuardFuture<S, B>
    where
        S: Service<Request<GuardBody<B>>>,
        B: Body,
    {
        #[pin]
        inner: Option<S::Future>,
        exchanging: Option<Box<Exchanging>>,
        request: Option<Waiting<S, B>>,
        // The media type of a call of gRPC.
        grpc: Option<HeaderValue>,
        hold_time: Duration,
        deadline: Option<Pin<Box<Sleep>>>,
        // The application's answer, while the questions it raised are answered.
        answer: Option<S::Response>,
    }
}

impl<S, B, R> Future for GuardFuture<S, B>
where
    S: Service<Request<GuardBody<B>>, Response = Response<R>>,
    B: Body<Data = Bytes> + Unpin,
    R: Body<Data = Bytes>,
{
    type Output = Result<Response<AnswerBody<R>>, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let exchanging = this.exchanging.as_mut().expect("polled after it was ready");
        let span = exchanging.span().clone();
        let _entered = span.enter();
        while let Some(request) = this.request {
            match ready!(exchanging.poll_step(Some(&request.head), context)) {
                Step::NeedBody => {
                    let (hold_time, deadline) = (*this.hold_time, &mut *this.deadline);
                    ready!(request.poll_body(exchanging, hold_time, deadline, context));
                }
                Step::Reply(reply) => {
                    *this.request = None;
                    return Poll::Ready(Ok(answer::reply(reply, this.grpc.as_ref(), exchanging)));
                }
                // Nothing can be done before the application was called but to call it.
                Step::Continue | Step::Done | Step::Ask(_) => {
                    if let Some(request) = this.request.take() {
                        this.inner.set(Some(request.call(exchanging)));
                    }
                }
            }
        }
        if let Some(inner) = this.inner.as_mut().as_pin_mut() {
            let polled =
                if exchanging.poll_stopped(context) { Poll::Pending } else { inner.poll(context) };
            // The body may have been stopped just now, by the application that reads it.
            if exchanging.poll_stopped(context) {
                let reply = match ready!(exchanging.poll_step(None, context)) {
                    Step::Reply(reply) => reply,
                    // A body that was stopped is refused, whatever comes of the rest.
                    _ => Reply::new(400, "Suspicious activity detected"),
                };
                // Whatever the application made of half a body is not answered.
                this.inner.set(None);
                return Poll::Ready(Ok(answer::reply(reply, this.grpc.as_ref(), exchanging)));
            }
            let response = ready!(polled)?;
            this.inner.set(None);
            match exchanging.with(|exchange| answer::look_at(&response, exchange)) {
                Answered::Watch => {
                    let watch = this.exchanging.take();
                    return Poll::Ready(Ok(dressed(response, watch, true)));
                }
                Answered::Over => *this.answer = Some(response),
            }
        }
        // What the answer says about the client is counted first.
        drop(ready!(exchanging.poll_step(None, context)));
        let response = this.answer.take().expect("polled after it was ready");
        let exchanging = this.exchanging.take();
        Poll::Ready(Ok(dressed(response, exchanging, false)))
    }
}

/// The application's answer with the headers that every answer carries.
fn dressed<R: Body>(
    response: Response<R>,
    mut exchanging: Option<Box<Exchanging>>,
    is_watched: bool,
) -> Response<AnswerBody<R>> {
    let (mut head, body) = response.into_parts();
    if let Some(exchanging) = &mut exchanging {
        exchanging.span().record("http.response.status_code", head.status.as_u16());
        answer::dress(&mut head.headers, exchanging);
    }
    // Dropped here, where it is not watched: that tells of the exchange.
    let watch = exchanging.filter(|_| is_watched);
    Response::from_parts(head, AnswerBody::passed(body, watch))
}

impl<S, B> Waiting<S, B>
where
    S: Service<Request<GuardBody<B>>>,
    B: Body<Data = Bytes> + Unpin,
{
    /// Reads the body until it is known whether it may go on.
    fn poll_body(
        &mut self,
        exchanging: &mut Exchanging,
        hold_time: Duration,
        deadline: &mut Option<Pin<Box<Sleep>>>,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        loop {
            let polled = match &mut self.body {
                Some(body) => Pin::new(body).poll_frame(context),
                None => Poll::Ready(None),
            };
            let Poll::Ready(frame) = polled else {
                let deadline = deadline.get_or_insert_with(|| {
                    // A timer for those bodies only that do not come at once.
                    Box::pin(tokio::time::sleep(hold_time))
                });
                ready!(deadline.as_mut().poll(context));
                return match exchanging.with(Exchange::release_body) {
                    // All of it has to be seen, however long it takes.
                    BodyFlow::More => Poll::Pending,
                    BodyFlow::Release | BodyFlow::Stop => Poll::Ready(()),
                };
            };
            let flow = match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        let flow = exchanging.with(|exchange| exchange.body_chunk(&data, now()));
                        self.held.push(data);
                        flow
                    }
                    Err(frame) => {
                        self.trailers = frame.into_trailers().ok();
                        BodyFlow::More
                    }
                },
                Some(Err(error)) => {
                    // What came before it was searched; the application reads the error after it.
                    self.failed = Some(error);
                    self.end(exchanging)
                }
                None => self.end(exchanging),
            };
            if flow != BodyFlow::More || self.body.is_none() {
                return Poll::Ready(());
            }
        }
    }

    fn end(&mut self, exchanging: &mut Exchanging) -> BodyFlow {
        self.body = None;
        exchanging.with(|exchange| exchange.body_end(now()))
    }

    /// Calls the application.
    fn call(mut self, exchanging: &mut Exchanging) -> S::Future {
        let is_watched = self.body.is_some() && exchanging.with(|exchange| exchange.watches_body());
        let watched = is_watched.then(|| exchanging.share());
        let body = GuardBody::new(self.held, self.trailers, self.failed, self.body, watched);
        self.service.call(Request::from_parts(self.head, body))
    }
}
