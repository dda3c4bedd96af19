//! The answer: the guard's own, or the application's with the headers that every answer carries.

use crate::exchanging::Exchanging;
use crate::grpc;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use ringwall_app_guard::Exchange;
use ringwall_inspection::Reply;
use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// An answer's body behind the guard.
    #[project = AnswerBodyParts]
    pub struct AnswerBody<B> {
        #[pin]
        body: Option<B>,
        text: Bytes,
        watch: Option<Box<Exchanging>>,
        // How much is still to come, where that is known.
        left: Option<u64>,
        // The last piece, kept back while what the answer says about the client is counted.
        last: Option<Bytes>,
    }
}

impl<B> AnswerBody<B> {
    pub(crate) fn text(text: Bytes) -> Self {
        Self { body: None, text, watch: None, left: None, last: None }
    }
}

impl<B: Body> AnswerBody<B> {
    /// The application's own; watched where its size is not known or a rule looks at it.
    pub(crate) fn passed(body: B, watch: Option<Box<Exchanging>>) -> Self {
        let left = body.size_hint().exact();
        Self { body: Some(body), text: Bytes::new(), watch, left, last: None }
    }
}

impl<B: Body<Data = Bytes>> Body for AnswerBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let AnswerBodyParts { mut body, text, watch, left, last } = self.project();
        if last.is_some() {
            ready!(poll_end(watch, context));
            return Poll::Ready(last.take().map(|data| Ok(Frame::data(data))));
        }
        let Some(mut streaming) = body.as_mut().as_pin_mut() else {
            if watch.is_some() {
                ready!(poll_end(watch, context));
            }
            let text = std::mem::take(text);
            return Poll::Ready((!text.is_empty()).then(|| Ok(Frame::data(text))));
        };
        let frame = ready!(streaming.as_mut().poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                if let (Some(data), Some(watching)) = (frame.data_ref(), watch.as_mut()) {
                    watching.with(|exchange| exchange.response_chunk(data));
                    let bytes = u64::try_from(data.len()).unwrap_or(u64::MAX);
                    *left = left.map(|left| left.saturating_sub(bytes));
                    // A server that knows the length asks for no more, and drops the body: the end is now.
                    if *left == Some(0) || streaming.is_end_stream() {
                        watching.with(Exchange::response_end);
                        *last = Some(data.clone());
                        ready!(poll_end(watch, context));
                        *last = None;
                    }
                }
            }
            Some(Err(_)) => *watch = None,
            None => {
                body.set(None);
                if let Some(watch) = watch {
                    watch.with(Exchange::response_end);
                }
                ready!(poll_end(watch, context));
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        // What is watched has an end to be told of.
        let is_over = self.body.as_ref().is_none_or(Body::is_end_stream);
        is_over && self.text.is_empty() && self.watch.is_none() && self.last.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Some(body) => body.size_hint(),
            None => SizeHint::with_exact(u64::try_from(self.text.len()).unwrap_or(u64::MAX)),
        }
    }
}

/// What the answer says about the client is counted before its end is told.
fn poll_end(watch: &mut Option<Box<Exchanging>>, context: &mut Context<'_>) -> Poll<()> {
    if let Some(exchanging) = watch {
        // Nothing but questions can be left to do.
        drop(ready!(exchanging.poll_step(None, context)));
    }
    *watch = None;
    Poll::Ready(())
}

impl<B> fmt::Debug for AnswerBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerBody").field("is_own", &self.body.is_none()).finish_non_exhaustive()
    }
}

/// The guard's own answer: to a call of gRPC, which has a media type here, as its clients understand it.
pub(crate) fn reply<B>(
    reply: Reply,
    grpc: Option<&HeaderValue>,
    exchanging: &mut Exchanging,
) -> Response<AnswerBody<B>> {
    let mut response = match grpc {
        Some(media_type) => grpc::answer(&reply, media_type, AnswerBody::text(Bytes::new())),
        None => plain(&reply),
    };
    let headers = response.headers_mut();
    for (name, value) in &reply.headers {
        insert(headers, name, value);
    }
    dress(headers, exchanging);
    if let Some(media_type) = grpc {
        grpc::expose(headers, media_type);
    }
    response
}

fn plain<B>(reply: &Reply) -> Response<AnswerBody<B>> {
    let text = match &reply.body {
        Cow::Borrowed(text) => Bytes::from_static(text.as_bytes()),
        Cow::Owned(text) => Bytes::copy_from_slice(text.as_bytes()),
    };
    let mut response = Response::new(AnswerBody::text(text));
    // The engine's statuses are valid; those of the application's checks are what they are.
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    response
}

/// Adds the headers that every answer carries.
pub(crate) fn dress(headers: &mut HeaderMap, exchanging: &mut Exchanging) {
    let carried = exchanging.carrier().answer_headers();
    headers.reserve(carried.len());
    for (name, value) in &*carried {
        headers.entry(name).or_insert_with(|| value.clone());
    }
    for (name, value) in exchanging.with(|exchange| exchange.cors_headers()) {
        if name.eq_ignore_ascii_case(VARY.as_str()) {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.append(VARY, value);
            }
        } else {
            insert(headers, &name, &value);
        }
    }
}

fn insert(headers: &mut HeaderMap, name: &str, value: &str) {
    let name = HeaderName::from_bytes(name.as_bytes());
    if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
        headers.insert(name, value);
    }
}

/// What is to be done with the application's answer once its head is there.
pub(crate) enum Answered {
    /// Its body is watched to its end.
    Watch,
    /// Nothing in its body matters.
    Over,
}

/// Looks at the head of the application's answer.
pub(crate) fn look_at<B: Body>(response: &Response<B>, exchange: &mut Exchange) -> Answered {
    let pairs: Vec<(&str, &[u8])> =
        response.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let head = ringwall_inspection::ResponseHead {
        status: response.status().as_u16(),
        headers: ringwall_inspection::Headers::new(&pairs),
    };
    exchange.response_head(&head, crate::carrier::now());
    let bytes = response.body().size_hint().exact();
    // A body without a byte is never asked for one.
    let is_over = |bytes: &u64| *bytes == 0 || !exchange.wants_response_body();
    match bytes.filter(is_over) {
        Some(bytes) => {
            exchange.response_bytes(bytes);
            exchange.response_end();
            Answered::Over
        }
        None => Answered::Watch,
    }
}
